-- Figures of the CDNOW log that the tests expect of `pipelines/cdnow.yaml`.
--
-- Written without a look at the engine: each statement follows the sentence of the language reference that it
-- checks, in plain SQL, and shares no code with `src/`. Run it from the top of the repository, with DuckDB 1.3
-- or later; it reads sample_data/cdnow/orders.parquet and rewrites the CSV files beside this one:
--
--   duckdb < tests/expected/cdnow.sql
--   python3 -c "import duckdb; duckdb.execute(open('tests/expected/cdnow.sql').read())"
--
-- Every row of the log is one order: repeated rows and orders of value zero count. The log is observed through
-- 1998-06-30 (as_of 1998-07-01), so a month is complete if it begins on or before 1998-06-01.

create or replace temp table orders as
select customer_id, ordered_at, cds, amount, cast(date_trunc('month', ordered_at) as date) as month
from 'sample_data/cdnow/orders.parquet';

-- segment_metrics by month. repeat_customers is the numerator of repeat_purchase_rate: customers with two or
-- more orders in that month; customer_count is its n.
copy (
    with customer_months as (
        select month, customer_id, count(*) as orders, sum(amount) as value, sum(cds) as units
        from orders
        group by month, customer_id
    )
    select
        month,
        sum(value) as revenue,
        cast(sum(orders) as bigint) as order_count,
        count(*) as customer_count,
        cast(sum(units) as bigint) as units,
        count(*) filter (where orders >= 2) as repeat_customers
    from customer_months
    group by month
    order by month
) to 'tests/expected/cdnow_monthly.csv' (header);

-- cohort_retention: the cohort is the month of the first order; age counts calendar months after it; every cell
-- up to June 1998 stands here, also one in which nobody came back. All customers of this log came in January,
-- February or March 1997: 18 + 17 + 16 cells.
create or replace temp table entries as
select customer_id, min(month) as cohort
from orders
group by customer_id;

create or replace temp table activity as
select cohort, customer_id, datediff('month', cohort, month) as age, count(*) as orders, sum(amount) as value
from orders join entries using (customer_id)
group by cohort, customer_id, month;

create or replace temp table cells as
select cohort, cast(age as integer) as age, size
from (select cohort, count(*) as size from entries group by cohort), range(0, 18) as ages(age)
where cohort + to_months(cast(age as integer)) <= date '1998-06-01';

-- exactly: retained customers have an order in the very month.
copy (
    select
        cohort,
        age,
        size,
        count(customer_id) as retained,
        cast(coalesce(sum(orders), 0) as bigint) as orders,
        coalesce(sum(value), 0.00) as value,
        sum(coalesce(sum(value), 0.00)) over (partition by cohort order by age) as cumulative_value
    from cells left join activity using (cohort, age)
    group by cohort, age, size
    order by cohort, age
) to 'tests/expected/cdnow_retention_exactly.csv' (header);

-- on_or_after: retained customers have an order in the month or in a later one.
copy (
    with lasts as (
        select cohort, customer_id, max(age) as last_age
        from activity
        group by cohort, customer_id
    )
    select cells.cohort, cells.age, cells.size, count(lasts.customer_id) as retained
    from cells left join lasts on lasts.cohort = cells.cohort and lasts.last_age >= cells.age
    group by cells.cohort, cells.age, cells.size
    order by cells.cohort, cells.age
) to 'tests/expected/cdnow_retention_on_or_after.csv' (header);

-- through: retained customers have an order in every month from that of the cohort to this one.
copy (
    select
        cells.cohort,
        cells.age,
        cells.size,
        count(*) filter (
            where (
                select count(distinct activity.age)
                from activity
                where activity.customer_id = entries.customer_id and activity.age <= cells.age
            ) = cells.age + 1
        ) as retained
    from cells join entries using (cohort)
    group by cells.cohort, cells.age, cells.size
    order by cells.cohort, cells.age
) to 'tests/expected/cdnow_retention_through.csv' (header);

-- ages [[0, 0], [1, 3], [4, 6], [9, 11]]: retained customers have an order in at least one of the months; the
-- cumulative value holds every month up to the bracket's last, also those between brackets.
copy (
    with brackets(age, age_to) as (values (0, 0), (1, 3), (4, 6), (9, 11)),
    wide as (
        select cohort, size, brackets.age, age_to
        from brackets, (select distinct cohort, size from cells)
        where cohort + to_months(age_to) <= date '1998-06-01'
    )
    select
        wide.cohort,
        wide.age,
        age_to,
        size,
        count(distinct customer_id) filter (where activity.age >= wide.age) as retained,
        cast(coalesce(sum(orders) filter (where activity.age >= wide.age), 0) as bigint) as orders,
        coalesce(sum(value) filter (where activity.age >= wide.age), 0.00) as value,
        sum(value) as cumulative_value
    from wide join activity on activity.cohort = wide.cohort and activity.age <= age_to
    group by wide.cohort, wide.age, age_to, size
    order by wide.cohort, wide.age
) to 'tests/expected/cdnow_retention_brackets.csv' (header);

-- steps: rolling, age: month. Steps are 30 days from the day of each customer's first order; whoever has not lived
-- through a step by 1998-07-01 is not in it, and what is counted is that of the others alone.
create or replace temp table firsts as
select customer_id, min(ordered_at) as first, cast(date_trunc('month', min(ordered_at)) as date) as cohort
from orders
group by customer_id;

copy (
    with lives as (
        select *, (date '1998-07-01' - first) // 30 as lived
        from firsts
    ),
    steps as (
        select cohort, customer_id, cast(step as integer) as age
        from lives, range(0, 18) as steps(step)
        where step < lived
    ),
    done as (
        select customer_id, (ordered_at - first) // 30 as age, count(*) as orders, sum(amount) as value
        from orders join firsts using (customer_id)
        group by all
    )
    select
        steps.cohort,
        steps.age,
        count(distinct steps.customer_id) as eligible,
        count(distinct steps.customer_id) filter (where done.age = steps.age) as retained,
        cast(coalesce(sum(orders) filter (where done.age = steps.age), 0) as bigint) as orders,
        coalesce(sum(value) filter (where done.age = steps.age), 0.00) as value,
        sum(value) as cumulative_value
    from steps join done on done.customer_id = steps.customer_id and done.age <= steps.age
    group by steps.cohort, steps.age
    order by steps.cohort, steps.age
) to 'tests/expected/cdnow_retention_rolling.csv' (header);

-- entry_from a table with each customer's last order before 1997-04-01: cohorts by its month, all orders since then
-- by calendar month, those of the month itself included.
copy (
    with spring as (
        select customer_id, cast(date_trunc('month', max(ordered_at)) as date) as cohort
        from orders
        where ordered_at < date '1997-04-01'
        group by customer_id
    ),
    sizes as (select cohort, count(*) as size from spring group by cohort),
    done as (
        select cohort, customer_id, datediff('month', cohort, month) as age, amount
        from orders join spring using (customer_id)
        where month >= cohort
    )
    select
        sizes.cohort,
        cast(step as integer) as age,
        size,
        count(distinct customer_id) as retained,
        count(amount) as orders,
        coalesce(sum(amount), 0.00) as value
    from sizes, range(0, 18) as steps(step) left join done on done.cohort = sizes.cohort and done.age = step
    where sizes.cohort + to_months(cast(step as integer)) <= date '1998-06-01'
    group by sizes.cohort, step, size
    order by sizes.cohort, step
) to 'tests/expected/cdnow_retention_entry_from.csv' (header);

-- entry: first_in_range, where ordered_at >= date '1998-01-01'.
copy (
    with late as (select * from orders where ordered_at >= date '1998-01-01'),
    late_entries as (select customer_id, min(month) as cohort from late group by customer_id)
    select
        cohort,
        datediff('month', cohort, month) as age,
        (select count(*) from late_entries as all_of where all_of.cohort = late_entries.cohort) as size,
        count(distinct customer_id) as retained,
        count(*) as orders,
        sum(amount) as value
    from late join late_entries using (customer_id)
    group by cohort, month
    order by cohort, month
) to 'tests/expected/cdnow_retention_in_range.csv' (header);

-- rfm with groups: 5 and ties: together. Cut points are the type 7 quantiles at 1/5 … 4/5. F and M score
-- 1 + the number of cuts strictly below the value, R scores 5 - the number of cuts strictly below since_last.
-- since_last is in days to 1998-06-30. The value is taken in cents, so that it is compared as a whole number.
create or replace temp table measures as
select
    customer_id,
    datediff('day', max(ordered_at), date '1998-06-30') as since_last,
    count(*) as orders,
    cast(sum(amount) * 100 as bigint) as cents
from orders
group by customer_id;

create or replace temp table cuts as
select
    quantile_cont(cast(since_last as double), [0.2, 0.4, 0.6, 0.8]) as r,
    quantile_cont(cast(orders as double), [0.2, 0.4, 0.6, 0.8]) as f,
    quantile_cont(cast(cents as double), [0.2, 0.4, 0.6, 0.8]) as m
from measures;

copy (
    with scores as (
        select
            5 - len(list_filter(r, lambda cut: cut < since_last)) as r_score,
            1 + len(list_filter(f, lambda cut: cut < orders)) as f_score,
            1 + len(list_filter(m, lambda cut: cut < cents)) as m_score
        from measures, cuts
    )
    select concat(r_score, f_score, m_score) as rfm_score, count(*) as customers
    from scores
    group by rfm_score
    order by rfm_score
) to 'tests/expected/cdnow_rfm_scores.csv' (header);

-- The cut points themselves: since_last in days, orders, value in dollars.
copy (
    select 'r' as measure, unnest(range(1, 5)) as cut, unnest(r) as value from cuts
    union all
    select 'f', unnest(range(1, 5)), unnest(f) from cuts
    union all
    select 'm', unnest(range(1, 5)), unnest(list_transform(m, lambda cents: round(cents / 100, 4))) from cuts
    order by all
) to 'tests/expected/cdnow_rfm_cuts.csv' (header);
