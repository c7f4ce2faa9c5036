"""The nightly job in DataFusion: python datafusion_job.py DATA OUT [w1 w2 …]

Tables that several steps share (customer and day, customer and month) are computed once and kept in memory.
"""

import os
import sys

from datafusion import DataFrameWriteOptions, SessionConfig, SessionContext

SOLD = "(status = 'completed' and amount is not null)"
END = "date '2026-01-01'"
DAYS = f"""
    select customer_id, cast(ordered_at as date) as day, count(*) as orders, sum(amount) as value
    from orders where {SOLD} group by 1, 2"""
MONTHS = """
    select customer_id, cast(date_trunc('month', day) as date) as month, sum(value) as value
    from days group by 1, 2"""
# What a step needs of the tables that are shared.
NEEDS = {"w2": ["days", "months"], "w3": ["days"], "w4": ["days", "months"]}
SHARED = {"days": DAYS, "months": MONTHS}


def percentile(at, value, where="true"):
    return f"percentile_cont({at}) within group (order by cast({value} as double)) filter (where {where})"


def months_between(later, earlier):
    return (f"((date_part('year', {later}) - date_part('year', {earlier})) * 12"
            f" + date_part('month', {later}) - date_part('month', {earlier}))")


JOBS = {
    "w1": f"""
        with cells as (
            select country, channel, cast(date_trunc('month', ordered_at) as date) as month,
                count(*) filter (where {SOLD}) as order_count,
                coalesce(sum(amount) filter (where {SOLD}), 0) as revenue,
                {percentile(0.5, "amount", SOLD)} as order_value_median,
                {percentile(0.95, "amount", SOLD)} as order_value_p95,
                count(*) filter (where status = 'returned') as returned
            from orders left join customers on orders.customer_id = customers.customer_id
            where status in ('completed', 'returned')
            group by 1, 2, 3),
        each as (
            select customer_id, channel, cast(date_trunc('month', ordered_at) as date) as month, count(*) as n
            from orders where {SOLD} group by 1, 2, 3),
        people as (
            select country, channel, month, count(*) as customer_count, count(*) filter (where n >= 2) as repeaters
            from each left join customers on each.customer_id = customers.customer_id group by 1, 2, 3)
        select cells.country, cells.channel, cells.month, order_count, revenue,
            coalesce(customer_count, 0) as customer_count,
            cast(revenue as double) / nullif(order_count, 0) as average_order_value,
            order_value_median, order_value_p95,
            cast(repeaters as double) / customer_count as repeat_purchase_rate,
            cast(returned as double) / nullif(order_count + returned, 0) as return_rate
        from cells left join people
            on (cells.country is not distinct from people.country)
            and (cells.channel is not distinct from people.channel) and cells.month = people.month
        order by 1, 2, 3""",
    "products": f"""
        with cells as (
            select product_id, channel, count(*) filter (where {SOLD}) as order_count,
                coalesce(sum(amount) filter (where {SOLD}), 0) as revenue,
                {percentile(0.5, "amount", SOLD)} as order_value_median,
                {percentile(0.95, "amount", SOLD)} as order_value_p95,
                count(*) filter (where status = 'returned') as returned
            from orders where status in ('completed', 'returned')
            group by 1, 2),
        each as (
            select customer_id, product_id, channel, count(*) as n from orders where {SOLD} group by 1, 2, 3),
        people as (
            select product_id, channel, count(*) as customer_count, count(*) filter (where n >= 2) as repeaters
            from each group by 1, 2)
        select cells.product_id, cells.channel, order_count, revenue,
            coalesce(customer_count, 0) as customer_count,
            cast(revenue as double) / nullif(order_count, 0) as average_order_value,
            order_value_median, order_value_p95,
            cast(repeaters as double) / customer_count as repeat_purchase_rate,
            cast(returned as double) / nullif(order_count + returned, 0) as return_rate
        from cells left join people
            on (cells.product_id is not distinct from people.product_id)
            and (cells.channel is not distinct from people.channel)
        order by 1, 2""",
    "w2": f"""
        with first as (select customer_id, min(month) as cohort from months group by 1)
        select cohort, acquisition_channel as acquired, cast({months_between("month", "cohort")} as int) as age,
            count(*) as retained, sum(value) as value
        from months join first on months.customer_id = first.customer_id
            left join customers on months.customer_id = customers.customer_id
        group by 1, 2, 3 order by 1, 2, 3""",
    "w3": f"""
        with people as (
            select customer_id, count(*) - 1 as frequency,
                cast(max(day) as int) - cast(min(day) as int) as recency,
                cast({END} as int) - 1 - cast(min(day) as int) as age,
                cast({END} as int) - 1 - cast(max(day) as int) as since_last,
                sum(orders) as orders, cast(sum(value) as double) / sum(orders) as average_order_value,
                sum(value) as value
            from days group by 1),
        cuts as (
            select {", ".join(f'{percentile(at / 5, column)} as {name}{at}'
                              for name, column in [("r", "since_last"), ("f", "orders"), ("m", "value")]
                              for at in (1, 2, 3, 4))}
            from people)
        select people.*,
            5 - {" - ".join(f"cast(r{at} < since_last as int)" for at in (1, 2, 3, 4))} as r_score,
            1 + {" + ".join(f"cast(f{at} < orders as int)" for at in (1, 2, 3, 4))} as f_score,
            1 + {" + ".join(f"cast(m{at} < cast(value as double) as int)" for at in (1, 2, 3, 4))} as m_score
        from people cross join cuts order by customer_id""",
    "w4": f"""
        with before as (
            select customer_id, cast(month + interval '1 month' as date) as month, value as start from months
            where month < {END} - interval '1 month'),
        moves as (
            select coalesce(months.customer_id, before.customer_id) as customer_id,
                coalesce(months.month, before.month) as period, value, start
            from months full join before
                on months.customer_id = before.customer_id and months.month = before.month)
        select period, plan, count(value) as active,
            count(*) filter (where value is not null and start is not null) as retained,
            cast(count(*) filter (where value is not null and start is not null) as double)
                / nullif(count(start), 0) as retention_rate,
            cast(count(*) filter (where value is null) as double) / nullif(count(start), 0) as churn_rate,
            cast(sum(least(value, start)) filter (where value is not null and start is not null) as double)
                / cast(sum(start) as double) as grr,
            cast(sum(value) filter (where start is not null) as double) / cast(sum(start) as double) as nrr,
            coalesce(sum(greatest(value - start, 0)) filter (where value is not null and start is not null), 0)
                as expansion,
            coalesce(sum(greatest(start - value, 0)) filter (where value is not null and start is not null), 0)
                as contraction,
            coalesce(sum(start) filter (where value is null), 0) as churned_value
        from moves left join customers on moves.customer_id = customers.customer_id
        group by 1, 2 order by 1, 2""",
    "w5_tickets": f"""
        with timed as (
            select *, cast(arrow_cast(first_replied_at, 'Int64') - arrow_cast(created_at, 'Int64') as double)
                    / 3600000000 as reply,
                cast(arrow_cast(solved_at, 'Int64') - arrow_cast(created_at, 'Int64') as double)
                    / 3600000000 as solved
            from tickets)
        select country, cast(date_trunc('week', created_at) as date) as week, count(*) as tickets_there,
            avg(reply) as first_reply_mean, {percentile(0.5, "reply")} as first_reply_median,
            {percentile(0.9, "reply")} as first_reply_p90, avg(solved) as solved_mean,
            {percentile(0.5, "solved")} as solved_median, {percentile(0.9, "solved")} as solved_p90,
            avg(cast(reply <= 4 as int)) as replied_in_4h, avg(cast(abandoned as int)) as abandoned_share,
            avg(cast(contacts = 1 and reopens = 0 as int)) filter (where solved_at is not null) as first_contact,
            avg(handle_seconds) as handling_mean
        from timed left join customers on timed.customer_id = customers.customer_id
        group by 1, 2 order by 1, 2""",
    "w5_surveys": """
        select country, plan, cast(date_trunc('month', sent_at) as date) as month, count(score) as answers,
            100.0 * (count(*) filter (where question = 'nps' and score >= 9)
                - count(*) filter (where question = 'nps' and score <= 6))
                / nullif(count(score) filter (where question = 'nps'), 0) as nps_score,
            avg(cast(score >= 4 as int)) filter (where question = 'csat') as csat_share,
            avg(score) filter (where question = 'ces') as ces_average
        from surveys left join customers on surveys.customer_id = customers.customer_id
        group by 1, 2, 3 order by 1, 2, 3""",
}

# What `products` computes is no part of the nightly job.
NIGHT = [name for name in JOBS if name != "products"]


def main(data, out, names):
    context = SessionContext(SessionConfig().with_target_partitions(2))
    one_file = os.path.isfile(f"{data}/orders.parquet")
    sources = {name: f"{data}/{name}.parquet" for name in ("customers", "tickets", "surveys")}
    sources["orders"] = f"{data}/orders.parquet" if one_file else f"{data}/orders/"
    for name, path in sources.items():
        context.register_parquet(f"{name}_file", path)
        fields = context.table(f"{name}_file").schema()
        # Naive times: grouping zoned ones by month is several times slower here.
        columns = [
            f"arrow_cast({field.name}, 'Timestamp(Microsecond, None)') as {field.name}"
            if str(field.type).startswith("timestamp") else field.name
            for field in fields
        ]
        context.sql(f"create view {name} as select {', '.join(columns)} from {name}_file")
    names = names or NIGHT
    shared = [name for name in SHARED if any(name in NEEDS.get(job, []) for job in names)]
    for name in names:
        for table in [table for table in shared if table in NEEDS.get(name, [])]:
            context.sql(f"create table {table} as {SHARED[table]}").collect()
            shared.remove(table)
        one = DataFrameWriteOptions(single_file_output=True)
        context.sql(JOBS[name]).write_parquet(f"{out}/{name}.parquet", write_options=one)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
