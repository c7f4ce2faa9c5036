"""The nightly job in DuckDB: python duckdb_job.py DATA OUT [w1 w2 …]

Counts per customer are taken before the join, and common tables are not materialised: both are faster than the
obvious form.
"""

import sys

import duckdb

SOLD = "status = 'completed' and amount is not null"
DAY_AFTER = "date '2026-01-01'"

JOBS = {
    "w1": f"""
        with cells as (
            select country, channel, date_trunc('month', ordered_at)::date as month,
                count(*) filter ({SOLD}) as order_count,
                coalesce(sum(amount) filter ({SOLD}), 0) as revenue,
                median(amount::double) filter ({SOLD}) as order_value_median,
                quantile_cont(amount::double, 0.95) filter ({SOLD}) as order_value_p95,
                count(*) filter (status = 'returned') as returned
            from orders left join customers using (customer_id)
            where status in ('completed', 'returned')
            group by all),
        each as (
            select customer_id, channel, date_trunc('month', ordered_at)::date as month, count(*) as n
            from orders where {SOLD} group by all),
        people as (
            select country, channel, month, count(*) as customer_count, count(*) filter (n >= 2) as repeaters
            from each left join customers using (customer_id) group by all)
        select cells.country, cells.channel, cells.month, order_count, revenue,
            coalesce(customer_count, 0) as customer_count,
            revenue / nullif(order_count, 0) as average_order_value, order_value_median, order_value_p95,
            repeaters / customer_count as repeat_purchase_rate,
            returned / nullif(order_count + returned, 0) as return_rate
        from cells left join people
            on cells.country is not distinct from people.country
            and cells.channel is not distinct from people.channel and cells.month = people.month
        order by all""",
    "products": f"""
        with cells as (
            select product_id, channel,
                count(*) filter ({SOLD}) as order_count,
                coalesce(sum(amount) filter ({SOLD}), 0) as revenue,
                median(amount::double) filter ({SOLD}) as order_value_median,
                quantile_cont(amount::double, 0.95) filter ({SOLD}) as order_value_p95,
                count(*) filter (status = 'returned') as returned
            from orders where status in ('completed', 'returned') group by all),
        each as (select customer_id, product_id, channel, count(*) as n from orders where {SOLD} group by all),
        people as (
            select product_id, channel, count(*) as customer_count, count(*) filter (n >= 2) as repeaters
            from each group by all)
        select cells.product_id, cells.channel, order_count, revenue,
            coalesce(customer_count, 0) as customer_count,
            revenue / nullif(order_count, 0) as average_order_value, order_value_median, order_value_p95,
            repeaters / customer_count as repeat_purchase_rate,
            returned / nullif(order_count + returned, 0) as return_rate
        from cells left join people
            on cells.product_id is not distinct from people.product_id
            and cells.channel is not distinct from people.channel
        order by all""",
    "w2": f"""
        with months as (
            select customer_id, date_trunc('month', ordered_at)::date as month, sum(amount) as value
            from orders where {SOLD} group by all),
        since as (select *, min(month) over (partition by customer_id) as cohort from months)
        select cohort, acquisition_channel as acquired, datediff('month', cohort, month) as age,
            count(*) as retained, sum(value) as value
        from since left join customers using (customer_id) group by all order by all""",
    "w3": f"""
        with days as (
            select customer_id, ordered_at::date as day, count(*) as orders, sum(amount) as value
            from orders where {SOLD} group by all),
        people as (
            select customer_id, count(*) - 1 as frequency, max(day) - min(day) as recency,
                {DAY_AFTER} - 1 - min(day) as age, {DAY_AFTER} - 1 - max(day) as since_last,
                sum(orders) as orders, sum(value) / sum(orders) as average_order_value, sum(value) as value
            from days group by all),
        cuts as (
            select quantile_cont(since_last, [0.2, 0.4, 0.6, 0.8]) as r,
                quantile_cont(orders::double, [0.2, 0.4, 0.6, 0.8]) as f,
                quantile_cont(value::double, [0.2, 0.4, 0.6, 0.8]) as m
            from people)
        select people.*,
            5 - (r[1] < since_last)::int - (r[2] < since_last)::int - (r[3] < since_last)::int
                - (r[4] < since_last)::int as r_score,
            1 + (f[1] < orders)::int + (f[2] < orders)::int + (f[3] < orders)::int
                + (f[4] < orders)::int as f_score,
            1 + (m[1] < value)::int + (m[2] < value)::int + (m[3] < value)::int
                + (m[4] < value)::int as m_score
        from people, cuts order by customer_id""",
    "w4": f"""
        with months as (
            select customer_id, date_trunc('month', ordered_at)::date as period, sum(amount) as value
            from orders where {SOLD} group by all),
        before as (
            select customer_id, (period + interval 1 month)::date as period, value as start from months
            where period < {DAY_AFTER} - interval 1 month),
        moves as (
            select coalesce(months.customer_id, before.customer_id) as customer_id,
                coalesce(months.period, before.period) as period, value, start
            from months full join before
                on months.customer_id = before.customer_id and months.period = before.period)
        select period, plan, count(value) as active,
            count(*) filter (value is not null and start is not null) as retained,
            count(*) filter (value is not null and start is not null) / nullif(count(start), 0) as retention_rate,
            count(*) filter (value is null) / nullif(count(start), 0) as churn_rate,
            sum(least(value, start)) filter (value is not null and start is not null) / sum(start) as grr,
            sum(value) filter (start is not null) / sum(start) as nrr,
            coalesce(sum(greatest(value - start, 0)) filter (value is not null and start is not null), 0)
                as expansion,
            coalesce(sum(greatest(start - value, 0)) filter (value is not null and start is not null), 0)
                as contraction,
            coalesce(sum(start) filter (value is null), 0) as churned_value
        from moves left join customers using (customer_id) group by all order by all""",
    "w5_tickets": """
        with timed as (
            select *, epoch(first_replied_at - created_at) / 3600 as reply,
                epoch(solved_at - created_at) / 3600 as solved
            from tickets)
        select country, date_trunc('week', created_at)::date as week, count(*) as tickets_there,
            avg(reply) as first_reply_mean, median(reply) as first_reply_median,
            quantile_cont(reply, 0.9) as first_reply_p90, avg(solved) as solved_mean,
            median(solved) as solved_median, quantile_cont(solved, 0.9) as solved_p90,
            avg((reply <= 4)::int) as replied_in_4h, avg(abandoned::int) as abandoned_share,
            avg((contacts = 1 and reopens = 0)::int) filter (solved_at is not null) as first_contact,
            avg(handle_seconds) as handling_mean
        from timed left join customers using (customer_id) group by all order by all""",
    "w5_surveys": """
        select country, plan, date_trunc('month', sent_at)::date as month, count(score) as answers,
            100 * (count(*) filter (question = 'nps' and score >= 9)
                - count(*) filter (question = 'nps' and score <= 6))
                / nullif(count(score) filter (question = 'nps'), 0) as nps_score,
            avg((score >= 4)::int) filter (question = 'csat') as csat_share,
            avg(score) filter (question = 'ces') as ces_average
        from surveys left join customers using (customer_id) group by all order by all""",
}

# What `products` computes is no part of the nightly job.
NIGHT = [name for name in JOBS if name != "products"]


def main(data, out, names):
    connection = duckdb.connect()
    connection.execute("set threads = 2; set timezone = 'UTC'")
    orders = f"{data}/orders.parquet" if names_one_file(data) else f"{data}/orders/*.parquet"
    # Naive times: grouping zoned ones by month is several times slower here.
    connection.execute(
        "create view orders as select order_id, customer_id, ordered_at::timestamp as ordered_at,"
        f" product_id, channel, status, amount from '{orders}'"
    )
    for table, time in [("tickets", "created_at"), ("surveys", "sent_at")]:
        connection.execute(
            f"create view {table} as select * replace ({time}::timestamp as {time}"
            + (", first_replied_at::timestamp as first_replied_at, solved_at::timestamp as solved_at" if table == "tickets" else "")
            + f") from '{data}/{table}.parquet'"
        )
    connection.execute(f"create table customers as select * from '{data}/customers.parquet'")
    for name in names or NIGHT:
        connection.execute(f"copy ({JOBS[name]}) to '{out}/{name}.parquet' (format parquet)")


def names_one_file(data):
    import os

    return os.path.isfile(f"{data}/orders.parquet")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
