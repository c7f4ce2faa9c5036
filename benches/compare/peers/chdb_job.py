"""The nightly job in chDB (ClickHouse in the process): python chdb_job.py DATA OUT [w1 w2 …]

Tables that several steps share (customer and day, customer and month) are computed once and kept in memory.
"""

import os
import sys

from chdb import session

SOLD = "(status = 'completed' and amount is not null)"
END = "toDate('2026-01-01')"
SHARED = {
    "days": f"""
        select customer_id, toDate(ordered_at) as day, count() as orders, sum(amount) as value
        from orders where {SOLD} group by 1, 2""",
    "months": """
        select customer_id, toStartOfMonth(day) as month, sum(value) as value from days group by 1, 2""",
}
# What a step needs of the tables that are shared.
NEEDS = {"w2": ["days", "months"], "w3": ["days"], "w4": ["days", "months"]}


def percentile(at, value, where="1"):
    return f"quantileExactInclusiveOrNullIf({at})({value}, ifNull({where}, 0))"


JOBS = {
    "w1": f"""
        with cells as (
            select country, channel, toStartOfMonth(ordered_at) as month,
                countIf({SOLD}) as order_count, ifNull(sumIf(amount, {SOLD}), 0) as revenue,
                {percentile(0.5, "toFloat64(amount)", SOLD)} as order_value_median,
                {percentile(0.95, "toFloat64(amount)", SOLD)} as order_value_p95,
                countIf(status = 'returned') as returned
            from orders left join customers using (customer_id)
            where status in ('completed', 'returned')
            group by 1, 2, 3),
        each as (
            select customer_id, channel, toStartOfMonth(ordered_at) as month, count() as n
            from orders where {SOLD} group by 1, 2, 3),
        people as (
            select country, channel, month, count() as customer_count, countIf(n >= 2) as repeaters
            from each left join customers using (customer_id) group by 1, 2, 3)
        select cells.country as country, cells.channel as channel, cells.month as month, order_count, revenue,
            ifNull(customer_count, 0) as customer_count,
            toFloat64(revenue) / nullIf(order_count, 0) as average_order_value,
            order_value_median, order_value_p95,
            repeaters / nullIf(customer_count, 0) as repeat_purchase_rate,
            returned / nullIf(order_count + returned, 0) as return_rate
        from cells left join people
            on cells.country is not distinct from people.country
            and cells.channel is not distinct from people.channel and cells.month = people.month
        order by 1, 2, 3""",
    "products": f"""
        with cells as (
            select product_id, channel,
                countIf({SOLD}) as order_count, ifNull(sumIf(amount, {SOLD}), 0) as revenue,
                {percentile(0.5, "toFloat64(amount)", SOLD)} as order_value_median,
                {percentile(0.95, "toFloat64(amount)", SOLD)} as order_value_p95,
                countIf(status = 'returned') as returned
            from orders where status in ('completed', 'returned')
            group by 1, 2),
        each as (
            select customer_id, product_id, channel, count() as n from orders where {SOLD} group by 1, 2, 3),
        people as (
            select product_id, channel, count() as customer_count, countIf(n >= 2) as repeaters
            from each group by 1, 2)
        select cells.product_id as product_id, cells.channel as channel, order_count, revenue,
            ifNull(customer_count, 0) as customer_count,
            toFloat64(revenue) / nullIf(order_count, 0) as average_order_value,
            order_value_median, order_value_p95,
            repeaters / nullIf(customer_count, 0) as repeat_purchase_rate,
            returned / nullIf(order_count + returned, 0) as return_rate
        from cells left join people
            on cells.product_id is not distinct from people.product_id
            and cells.channel is not distinct from people.channel
        order by 1, 2""",
    "w2": """
        with first as (select customer_id, min(month) as cohort from months group by 1)
        select cohort, acquisition_channel as acquired, toInt32(dateDiff('month', cohort, month)) as age,
            count() as retained, sum(value) as value
        from months join first using (customer_id) left join customers using (customer_id)
        group by 1, 2, 3 order by 1, 2, 3""",
    "w3": f"""
        with people as (
            select customer_id, count() - 1 as frequency, toInt64(max(day) - min(day)) as recency,
                toInt64({END} - 1 - min(day)) as age, toInt64({END} - 1 - max(day)) as since_last,
                sum(days.orders) as orders,
                toFloat64(sum(days.value)) / sum(days.orders) as average_order_value, sum(days.value) as value
            from days group by 1),
        cuts as (
            select quantilesExactInclusive(0.2, 0.4, 0.6, 0.8)(since_last) as r,
                quantilesExactInclusive(0.2, 0.4, 0.6, 0.8)(orders) as f,
                quantilesExactInclusive(0.2, 0.4, 0.6, 0.8)(toFloat64(value)) as m
            from people)
        select people.*,
            5 - {" - ".join(f"(r[{at}] < since_last)" for at in (1, 2, 3, 4))} as r_score,
            1 + {" + ".join(f"(f[{at}] < orders)" for at in (1, 2, 3, 4))} as f_score,
            1 + {" + ".join(f"(m[{at}] < toFloat64(value))" for at in (1, 2, 3, 4))} as m_score
        from people cross join cuts order by customer_id""",
    "w4": f"""
        with before as (
            select customer_id, addMonths(month, 1) as next, value as start from months
            where month < toDate('2025-12-01')),
        moves as (
            select coalesce(months.customer_id, before.customer_id) as customer_id,
                coalesce(months.month, before.next) as period, months.value as value, start
            from months full join before
                on months.customer_id = before.customer_id and months.month = before.next)
        select period, plan, count(value) as active,
            countIf(value is not null and start is not null) as retained,
            countIf(value is not null and start is not null) / nullIf(count(start), 0) as retention_rate,
            countIf(value is null) / nullIf(count(start), 0) as churn_rate,
            toFloat64(sumIf(least(value, start), value is not null and start is not null))
                / nullIf(toFloat64(sum(start)), 0) as grr,
            toFloat64(sumIf(value, start is not null)) / nullIf(toFloat64(sum(start)), 0) as nrr,
            ifNull(sumIf(greatest(value - start, 0), value is not null and start is not null), 0) as expansion,
            ifNull(sumIf(greatest(start - value, 0), value is not null and start is not null), 0) as contraction,
            ifNull(sumIf(start, value is null), 0) as churned_value
        from moves left join customers using (customer_id) group by 1, 2 order by 1, 2""",
    "w5_tickets": f"""
        with timed as (
            select *, dateDiff('microsecond', created_at, first_replied_at) / 3600000000 as reply,
                dateDiff('microsecond', created_at, solved_at) / 3600000000 as solved
            from tickets)
        select country, toMonday(created_at) as week, count() as tickets_there,
            avg(reply) as first_reply_mean, {percentile(0.5, "reply")} as first_reply_median,
            {percentile(0.9, "reply")} as first_reply_p90, avg(solved) as solved_mean,
            {percentile(0.5, "solved")} as solved_median, {percentile(0.9, "solved")} as solved_p90,
            avg(reply <= 4) as replied_in_4h, avg(abandoned) as abandoned_share,
            avgOrNullIf(contacts = 1 and reopens = 0, solved_at is not null) as first_contact,
            avg(handle_seconds) as handling_mean
        from timed left join customers using (customer_id) group by 1, 2 order by 1, 2""",
    "w5_surveys": """
        select country, plan, toStartOfMonth(sent_at) as month, count(score) as answers,
            100 * (toInt64(countIf(question = 'nps' and score >= 9)) - countIf(question = 'nps' and score <= 6))
                / nullIf(countIf(question = 'nps' and score is not null), 0) as nps_score,
            avgOrNullIf(score >= 4, question = 'csat') as csat_share,
            avgOrNullIf(score, question = 'ces') as ces_average
        from surveys left join customers using (customer_id) group by 1, 2, 3 order by 1, 2, 3""",
}

# What `products` computes is no part of the nightly job.
NIGHT = [name for name in JOBS if name != "products"]


def main(data, out, names):
    data, out = os.path.abspath(data), os.path.abspath(out)
    connection = session.Session()
    connection.query("create database job")
    connection.query("use job")
    for setting in ("max_threads = 2", "join_use_nulls = 1", "session_timezone = 'UTC'",
                    "engine_file_truncate_on_insert = 1", "output_format_parquet_string_as_string = 1"):
        connection.query(f"set {setting}")
    one_file = os.path.isfile(f"{data}/orders.parquet")
    sources = {name: f"{data}/{name}.parquet" for name in ("tickets", "surveys")}
    sources["orders"] = f"{data}/orders.parquet" if one_file else f"{data}/orders/*.parquet"
    for name, path in sources.items():
        connection.query(f"create view {name} as select * from file('{path}', Parquet)")
    connection.query(
        f"create table customers engine = Memory as select * from file('{data}/customers.parquet', Parquet)")
    names = names or NIGHT
    shared = [name for name in SHARED if any(name in NEEDS.get(job, []) for job in names)]
    for name in names:
        for table in [table for table in shared if table in NEEDS.get(name, [])]:
            connection.query(f"create table {table} engine = Memory as {SHARED[table]}")
            shared.remove(table)
        connection.query(f"insert into function file('{out}/{name}.parquet', Parquet) {JOBS[name]}")
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
