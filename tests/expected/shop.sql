-- Figures of the shop that `tests/it/shop.rs` expects: every metric of surveys, service, voice and payments, and
-- metrics of several tables beside each other, by month and by plan, as seen on 2025-12-01, when some tickets are open and some windows too.
--
-- Written without a look at the engine: each statement follows the metric's definition in plain SQL, and shares
-- no code with `src/`. Run it from the top of the repository, with DuckDB 1.3 or later; it reads sample_data/shop
-- and rewrites the CSV files beside this one:
--
--   duckdb < tests/expected/shop.sql
--   python3 -c "import duckdb; duckdb.execute(open('tests/expected/shop.sql').read())"
--
-- Left out are opening hours, which would be a second calendar in SQL (case files hold them), texts whose tone is
-- found by the lexicon, intervals by bootstrap, and options for which the shop has no column: `waited`, `paused`,
-- `hold_time`, `after_work` and due times by ticket.
--
-- A row of a CSV file is one metric in one cell. An empty field is a column that is null or that the metric has not.

set timezone = 'UTC';
-- Sums of floats in one order, so that a second run writes the same digits.
set threads = 1;
create or replace macro as_of() as timestamptz '2025-12-01 00:00:00+00';
create or replace macro z() as 1.959963984540054;
create or replace macro month_of(t) as strftime(date_trunc('month', t), '%Y-%m-%d');
create or replace macro hours(a, b) as (epoch_us(b) - epoch_us(a)) / 3600000000.0::double;
-- What lies at or after as_of is not known yet.
create or replace macro seen(t) as case when t < as_of() then t end;

-- Wilson's interval, without a correction for continuity.
create or replace macro wilson(x, n, side) as
    case when n > 0 then
        (x + z() * z() / 2 + side * z() * sqrt(x * (n - x) / n::double + z() * z() / 4)) / (n + z() * z())
    end;

create or replace temp table plans as select customer_id, plan from 'sample_data/shop/customers.parquet';

-- Each table below holds what enters its kind of metric, a row for each record, in each cell it belongs to.
create or replace temp table cells (source varchar, grain varchar, cell varchar);
create or replace temp table metrics (source varchar, metric varchar, kind varchar);
create or replace temp table shares (source varchar, grain varchar, cell varchar, metric varchar, hit boolean);
create or replace temp table balances (source varchar, grain varchar, cell varchar, metric varchar, sign integer);
create or replace temp table means (source varchar, grain varchar, cell varchar, metric varchar, x double);
create or replace temp table waits
    (source varchar, grain varchar, cell varchar, metric varchar, x double, ended boolean);
create or replace temp table totals (source varchar, grain varchar, cell varchar, metric varchar, x double);
create or replace temp table ratios
    (source varchar, grain varchar, cell varchar, metric varchar, numerator double, denominator double);

-- Surveys ----------------------------------------------------------------------------------------------------
-- An answer belongs to the month it came in, an invitation to the month it was sent in.
create or replace temp table invitations as
select survey_id, customer_id, sent_at, seen(answered_at) as answered_at, question, plan,
    case when answered_at < as_of() then score end as score, case when answered_at < as_of() then text end as text
from 'sample_data/shop/surveys.parquet' left join plans using (customer_id)
where sent_at < as_of();

create or replace temp table sent as
select 'month' as grain, month_of(sent_at) as cell, * from invitations
union all
select 'plan', plan, * from invitations;

create or replace temp table answers as
select 'month' as grain, month_of(answered_at) as cell, * from invitations where answered_at is not null
union all
select 'plan', plan, * from invitations where answered_at is not null;

insert into cells select distinct 'surveys', grain, cell from sent;
insert into cells select distinct 'surveys', grain, cell from answers;
insert into shares select 'surveys', grain, cell, 'response_rate', score is not null from sent;
insert into totals select 'surveys', grain, cell, 'response_count', 1 from sent where score is not null;
insert into shares select 'surveys', grain, cell, 'csat', score >= 4 from answers where question = 'csat';
insert into shares select 'surveys', grain, cell, 'delighted', score = 5 from answers where question = 'csat';
insert into means select 'surveys', grain, cell, 'csat_mean', score from answers where question = 'csat';
insert into shares select 'surveys', grain, cell, 'ces_low_effort', score >= 5 from answers where question = 'ces';
insert into means select 'surveys', grain, cell, 'ces_mean', score from answers where question = 'ces';
create or replace macro nps_sign(score) as case when score >= 9 then 1 when score <= 6 then -1 else 0 end;
insert into balances select 'surveys', grain, cell, 'nps', nps_sign(score) from answers where question = 'nps';
insert into balances
select 'surveys', grain, cell, 'nps_of_customers', nps_sign(score)
from answers where question = 'nps'
qualify row_number() over (partition by grain, cell, customer_id order by answered_at desc, survey_id) = 1;

-- pulse: the latest answer of each customer, on a scale from 0 to 100.
insert into means
select 'surveys', grain, cell, 'pulse',
    case question when 'nps' then score * 10.0 when 'csat' then (score - 1) * 25.0 else (score - 1) * 100.0 / 6 end
from answers where question in ('nps', 'csat', 'ces')
qualify row_number() over (partition by grain, cell, customer_id order by answered_at desc, survey_id) = 1;

-- Low scores, and the first contact within 14 days. Without one, and with the window open: not known yet, but how
-- long nobody has followed up so far.
create or replace temp table lows as
select answers.grain, cell, answered_at,
    (select min(contacted_at) from 'sample_data/shop/follow_ups.parquet' as contacts
     where contacts.customer_id = answers.customer_id and contacted_at < as_of()
       and contacted_at >= answered_at and contacted_at < answered_at + interval 336 hours) as contacted_at
from answers
where (question = 'nps' and score <= 6) or (question = 'csat' and score <= 2);

insert into shares
select 'surveys', grain, cell, 'followed_up', contacted_at is not null
from lows where contacted_at is not null or answered_at + interval 336 hours <= as_of();
insert into waits
select 'surveys', grain, cell, unnest(['until_contact_mean', 'until_contact_median', 'until_contact_max']),
    hours(answered_at, coalesce(contacted_at, least(answered_at + interval 336 hours, as_of()))),
    contacted_at is not null
from lows;

create or replace macro speaks_of_delays(words) as
    regexp_matches(lower(strip_accents(words)), '(^|[^a-z0-9])(late|slow|waited)([^a-z0-9]|$)');
insert into shares
select 'surveys', grain, cell, 'delays', speaks_of_delays(text)
from answers where regexp_matches(text, '[A-Za-z0-9]');
insert into means
select 'surveys', grain, cell, 'csat_of_delays', score from answers where speaks_of_delays(text) and question = 'csat';

-- Service ----------------------------------------------------------------------------------------------------
create or replace temp table desk as
select ticket_id, customer_id, created_at, seen(first_replied_at) as replied, seen(solved_at) as solved,
    seen(closed_at) as closed, handle_seconds, contacts, reopens, abandoned, complaint, plan
from 'sample_data/shop/tickets.parquet' left join plans using (customer_id)
where created_at < as_of();

create or replace temp table tickets as
with known as (
    select *, exists (
        select 1 from desk as later
        where later.customer_id = desk.customer_id and later.created_at > desk.created_at
          and later.created_at < desk.created_at + interval 168 hours
    ) as again
    from desk
)
select 'month' as grain, month_of(created_at) as cell, * from known
union all
select 'plan', plan, * from known;

insert into cells select distinct 'tickets', grain, cell from tickets;
insert into totals select 'tickets', grain, cell, 'ticket_count', 1 from tickets;
insert into ratios
select 'tickets', grain, cell, 'tickets_per_customer', count(*), count(distinct customer_id) from tickets group by all;
create or replace macro statistics(name) as [name || '_mean', name || '_median', name || '_p90', name || '_max'];
insert into waits
select 'tickets', grain, cell, unnest(statistics('first_response_time')), hours(created_at, coalesce(replied, as_of())),
    replied is not null from tickets;
insert into waits
select 'tickets', grain, cell, unnest(statistics('resolution_time')), hours(created_at, coalesce(solved, as_of())),
    solved is not null from tickets;
insert into waits
select 'tickets', grain, cell, unnest(statistics('full_resolution_time')), hours(created_at, coalesce(closed, as_of())),
    closed is not null from tickets;
insert into waits
select 'tickets', grain, cell, unnest(statistics('complaint_resolution_time')),
    hours(created_at, coalesce(closed, as_of())),
    closed is not null from tickets where complaint;
insert into waits
select 'tickets', grain, cell, 'reply_of_replied', hours(created_at, replied), true
from tickets where replied is not null;
insert into waits
select 'tickets', grain, cell, unnest(statistics('handling_time')), handle_seconds / 3600.0::double, true
from tickets where not abandoned and handle_seconds is not null;
insert into shares
select 'tickets', grain, cell, 'first_contact_resolution',
    solved is not null and contacts = 1 and reopens = 0 and not again
from tickets where created_at + interval 168 hours <= as_of() and contacts is not null and reopens is not null;
insert into shares
select 'tickets', grain, cell, 'solved_at_once', contacts = 1 and reopens = 0 and not again
from tickets
where created_at + interval 168 hours <= as_of() and contacts is not null and reopens is not null
  and solved is not null;
insert into shares select 'tickets', grain, cell, 'resolution_rate', solved is not null from tickets;
insert into shares
select 'tickets', grain, cell, 'solved_of_mature', solved is not null
from tickets where created_at + interval 336 hours <= as_of();
insert into shares
select 'tickets', grain, cell, 'reopen_rate', reopens >= 1
from tickets where solved is not null and reopens is not null;
insert into shares
select 'tickets', grain, cell, 'abandonment_rate', abandoned from tickets where abandoned is not null;
insert into shares
select 'tickets', grain, cell, 'reply_in_4h', coalesce(replied <= created_at + interval 4 hours, false)
from tickets where replied is not null or created_at + interval 4 hours < as_of();
insert into shares
select 'tickets', grain, cell, 'solved_in_48h', coalesce(solved <= created_at + interval 48 hours, false)
from tickets where solved is not null or created_at + interval 48 hours < as_of();

-- Voice ------------------------------------------------------------------------------------------------------
create or replace temp table reviews as
with known as (
    select reviews.*, plan from 'sample_data/shop/reviews.parquet' as reviews left join plans using (customer_id)
    where reviewed_at < as_of()
)
select 'month' as grain, month_of(reviewed_at) as cell, * from known
union all
select 'plan', plan, * from known;

insert into cells select distinct 'reviews', grain, cell from reviews;
insert into means
select 'reviews', grain, cell, unnest(['review_rating', 'review_rating_bayes']), rating
from reviews where rating is not null;
insert into shares
select 'reviews', grain, cell, 'review_positive_lower', rating >= 4 from reviews where rating is not null;
insert into shares
select 'reviews', grain, cell, 'sentiment_' || unnest(['positive', 'neutral', 'negative']),
    sentiment = unnest(['positive', 'neutral', 'negative'])
from reviews where sentiment is not null;
insert into shares
select 'reviews', grain, cell, unnest(['positive_of_decided', 'negative_of_decided']),
    sentiment = unnest(['positive', 'negative'])
from reviews where sentiment in ('positive', 'negative');
create or replace macro tone(word) as case word when 'positive' then 1 when 'negative' then -1 else 0 end;
insert into balances
select 'reviews', grain, cell, 'net_sentiment', tone(sentiment) from reviews where sentiment is not null;
insert into balances
select 'reviews', grain, cell, 'net_of_decided', tone(sentiment)
from reviews where sentiment in ('positive', 'negative');
insert into shares select 'reviews', grain, cell, 'sentiment_coverage', sentiment is not null from reviews;
insert into shares
select 'reviews', grain, cell, 'delays', speaks_of_delays(text) from reviews where regexp_matches(text, '[A-Za-z0-9]');
insert into means
select 'reviews', grain, cell, 'score_of_delays', rating
from reviews where speaks_of_delays(text) and rating is not null;

-- Payments ---------------------------------------------------------------------------------------------------
create or replace temp table invoices as
with known as (
    select customer_id, issued_on, due_on,
        case when paid_on < date '2025-12-01' then paid_on end as paid_on, amount, plan
    from 'sample_data/shop/invoices.parquet' left join plans using (customer_id)
    where issued_on < date '2025-12-01'
)
select 'month' as grain, month_of(issued_on) as cell, *, due_on < date '2025-12-01' as was_due from known
union all
select 'plan', plan, *, due_on < date '2025-12-01' from known;

insert into cells select distinct 'invoices', grain, cell from invoices;
insert into shares
select 'invoices', grain, cell, 'late_payment_rate', paid_on is null or paid_on > due_on from invoices where was_due;
-- The last day seen is 2025-11-30.
insert into waits
select 'invoices', grain, cell, unnest(statistics('days_overdue')),
    greatest(0, coalesce(paid_on, date '2025-11-30') - due_on), true
from invoices where was_due;
insert into totals
select 'invoices', grain, cell, 'overdue_value', amount from invoices where was_due and paid_on is null;

-- Across ------------------------------------------------------------------------------------------------------
-- Orders, tickets and surveys beside each other: a cell is one in which any of them has a row. An order belongs to
-- the month of its first line.
create or replace temp table lines as
select * from 'sample_data/shop/orders/*.parquet' left join plans using (customer_id) where ordered_at < as_of();
create or replace temp table orders as
with sold as (
    select customer_id, plan, order_id, min(ordered_at) as ordered_at from lines where status = 'completed' group by all
)
select 'month' as grain, month_of(ordered_at) as cell, * from sold
union all
select 'plan', plan, * from sold;

insert into cells select distinct 'across', grain, cell from cells where source in ('surveys', 'tickets');
insert into cells select distinct 'across', 'month', month_of(ordered_at) from lines;
insert into cells select distinct 'across', 'plan', plan from lines;
insert into totals select 'across', grain, cell, 'written', 1 from tickets;
insert into totals select 'across', grain, cell, 'sold', 1 from orders;
insert into shares
select 'across', grain, cell, 'answered', hit from shares where source = 'surveys' and metric = 'response_rate';
insert into shares
select 'across', grain, cell, 'solved', hit from shares where source = 'tickets' and metric = 'resolution_rate';
insert into ratios
select 'across', grain, cell, 'tickets_per_buyer',
    (select count(*) from tickets as t where (t.grain, t.cell) = (c.grain, c.cell)),
    (select count(distinct customer_id) from orders as o where (o.grain, o.cell) = (c.grain, c.cell))
from (select distinct grain, cell from cells where source = 'across') as c;
insert into ratios
select 'across', grain, cell, 'complaints_per_order',
    (select count(*) from tickets as t where (t.grain, t.cell) = (c.grain, c.cell) and complaint),
    (select count(*) from orders as o where (o.grain, o.cell) = (c.grain, c.cell))
from (select distinct grain, cell from cells where source = 'across') as c;

-- From here on: formulas ---------------------------------------------------------------------------------------
insert into metrics select distinct source, metric, 'share' from shares;
insert into metrics select distinct source, metric, 'balance' from balances;
insert into metrics select distinct source, metric, 'mean' from means;
insert into metrics select distinct source, metric, 'total' from totals;
insert into metrics select distinct source, metric, 'ratio' from ratios;
insert into metrics
select distinct source, metric,
    case when metric like '%_mean' then 'wait_mean' when metric like '%_max' then 'wait_max' else 'wait_quantile' end
from waits;
-- Means of waits are of those that have ended.
insert into means select source, grain, cell, metric, x from waits where ended and metric like '%_mean';

-- Quantiles of Student's t at 97.5 % for whole degrees of freedom: the angle atan(t / sqrt(df)) at which the finite
-- sum of Abramowitz and Stegun 26.7.3 and 26.7.4, the probability between -t and t, is 0.95; by bisection.
create or replace macro within_t(angle, df) as
    case
        when df = 1 then 2 / pi() * angle
        when df % 2 = 1 then 2 / pi() * (angle + sin(angle) * cos(angle) * list_sum(list_transform(
            range(0, (df - 1) // 2),
            lambda k: exp(lgamma(k + 1) + lgamma(0.5) - lgamma(k + 1.5)) / 2 * power(cos(angle), 2 * k))))
        else sin(angle) * list_sum(list_transform(
            range(0, df // 2),
            lambda k: exp(lgamma(k + 0.5) - lgamma(0.5) - lgamma(k + 1)) * power(cos(angle), 2 * k)))
    end;
create or replace temp table student as
with recursive
    freedoms as (
        select distinct count(*) - 1 as df from means group by source, grain, cell, metric having count(*) > 1
    ),
    halves as (
        select df, 0.0::double as low, pi() / 2 as high, 0 as step from freedoms
        union all
        select df,
            case when within_t((low + high) / 2, df) < 0.95 then (low + high) / 2 else low end,
            case when within_t((low + high) / 2, df) < 0.95 then high else (low + high) / 2 end,
            step + 1
        from halves where step < 50
    )
select df, sqrt(df) * tan((low + high) / 2) as t from halves where step = 50;

create or replace temp table share_rows as
select source, grain, cell, metric, count(*) as n, count(*) filter (where hit) as x from shares group by all;

create or replace temp table balance_rows as
select source, grain, cell, metric, count(*) as n, count(*) filter (where sign = 1) as p,
    count(*) filter (where sign = -1) as m
from balances group by all;

create or replace temp table mean_rows as
select source, grain, cell, metric, count(*) as n, avg(x) as mean, t * stddev_samp(x) / sqrt(count(*)) as half
from means left join student on df = (
    select count(*) - 1 from means as same
    where (same.source, same.grain, same.cell, same.metric) = (means.source, means.grain, means.cell, means.metric)
)
group by source, grain, cell, metric, t;

-- Plain quantiles (type 7) with rank intervals where nothing is open.
create or replace macro at_of(metric) as case when metric like '%_p90' then 0.9::double else 0.5::double end;
create or replace temp table plain_rows as
with lists as (
    select source, grain, cell, metric, at_of(metric) as share, list_sort(list(x)) as xs, count(*) as n,
        count(*) filter (where not ended) as open
    from waits where metric not like '%_mean' and metric not like '%_max'
    group by source, grain, cell, metric
),
ranks as (
    select *, cast(floor(n * share - z() * sqrt(n * share * (1 - share))) as bigint) as low_rank,
        cast(ceil(n * share + z() * sqrt(n * share * (1 - share))) as bigint) + 1 as high_rank,
        cast(floor((n - 1) * share) as bigint) + 1 as below
    from lists
)
select source, grain, cell, metric, n, open,
    xs[below] + ((n - 1) * share - (below - 1)) * (coalesce(xs[below + 1], xs[below]) - xs[below]) as value,
    case when low_rank between 1 and n then xs[low_rank] end as low,
    case when high_rank between 1 and n then xs[high_rank] end as high
from ranks;

-- Kaplan and Meier where something is. Those that are open at a time are at risk of it still. The band is
-- S ^ exp(± z · se / ln S), se² = Σ d / (r (r − d)). Where S is 0 the formula has no value, and the definition does
-- not say what holds: here, as in the engine, both bounds have come down to 0. R's survfit leaves the upper bound
-- open instead.
create or replace temp table lasting_rows as
with times as (
    select source, grain, cell, metric, x, count(*) filter (where ended) as d, count(*) as gone
    from waits where metric not like '%_mean' and metric not like '%_max'
    group by source, grain, cell, metric, x
),
risks as (
    select *, sum(gone) over (partition by source, grain, cell, metric order by x desc) as r from times
),
curve as (
    select source, grain, cell, metric, x,
        case when min(r - d) over so_far = 0 then 0
             else exp(sum(case when r > d then ln((r - d) / r::double) end) over so_far) end as s,
        sum(case when r > d then d / (r * (r - d))::double end) over so_far as v
    from risks where d > 0
    window so_far as (partition by source, grain, cell, metric order by x)
),
bands as (
    select *, case when s = 0 then 0 when s < 1 then power(s, exp(-z() * sqrt(v) / ln(s))) end as lower,
        case when s = 0 then 0 when s < 1 then power(s, exp(z() * sqrt(v) / ln(s))) end as upper,
        1 - at_of(metric) as level
    from curve
)
-- A rounding of 1e-12 decides no tie between S and the level.
select source, grain, cell, metric, min(x) filter (where s <= level + 1e-12) as value,
    min(x) filter (where least(lower, upper) <= level + 1e-12) as low,
    min(x) filter (where greatest(lower, upper) <= level + 1e-12) as high
from bands group by all;

create or replace temp table max_rows as
select source, grain, cell, metric, max(x) as value from waits where ended and metric like '%_max' group by all;

-- review_rating_bayes: m0 is the mean of all, C the median number of reviews of the stage's cells.
create or replace temp table priors as
select grain, median(n) as c, sum(mean * n) / sum(n) as m0
from mean_rows where metric = 'review_rating_bayes' group by grain;

create or replace temp table results as
with every_cell as (select distinct source, grain, cell, metric, kind from cells join metrics using (source))
select source, grain, cell, metric,
    case kind
        when 'share' then
            case when metric = 'review_positive_lower' then wilson(s.x, s.n, -1) when s.n > 0 then s.x / s.n::double end
        when 'balance' then case when b.n > 0 then 100 * (b.p - b.m) / b.n::double end
        when 'mean' then case when metric = 'review_rating_bayes' then (c * m0 + a.n * mean) / (c + a.n) else mean end
        when 'wait_mean' then mean
        when 'wait_max' then w.value
        when 'wait_quantile' then case when q.open > 0 then l.value else q.value end
        when 'ratio' then numerator / denominator
        else coalesce((select sum(x) from totals as u where (u.source, u.grain, u.cell, u.metric)
            = (every_cell.source, every_cell.grain, every_cell.cell, every_cell.metric)), 0)
    end as value,
    case kind when 'share' then coalesce(s.x, 0) when 'ratio' then numerator end as numerator,
    case when kind = 'ratio' then denominator end as denominator,
    case when kind = 'balance' then coalesce(b.p, 0) end as plus,
    case when kind = 'balance' then coalesce(b.m, 0) end as minus,
    case when kind in ('share', 'balance', 'mean', 'wait_mean', 'wait_quantile') then
        coalesce(s.n, b.n, a.n, q.n, 0) end as n,
    case when kind = 'wait_quantile' and not regexp_matches(metric, '^(handling|days|reply_of)') then
        coalesce(q.open, 0) end as open,
    case when metric = 'review_rating_bayes' then c end as prior,
    case when metric = 'review_rating_bayes' then m0 end as prior_mean,
    case
        when metric = 'review_positive_lower' then null
        when kind = 'share' then wilson(s.x, s.n, -1)
        when kind = 'balance' and b.n in (b.p, b.m, b.n - b.p - b.m) then
            100 * (wilson(b.p, b.n, -1) - wilson(b.m, b.n, 1))
        when kind = 'balance' and b.n > 0 then greatest(-100, 100 * ((b.p - b.m) / b.n::double - z() * sqrt(
            ((b.p + b.m) / b.n::double - power((b.p - b.m) / b.n::double, 2)) / b.n)))
        when metric = 'review_rating_bayes' then (c * m0 + a.n * (mean - half)) / (c + a.n)
        when kind in ('mean', 'wait_mean') then mean - half
        when kind = 'wait_quantile' then case when q.open > 0 then l.low else q.low end
    end as low,
    case
        when metric = 'review_positive_lower' then null
        when kind = 'share' then wilson(s.x, s.n, 1)
        when kind = 'balance' and b.n in (b.p, b.m, b.n - b.p - b.m) then
            100 * (wilson(b.p, b.n, 1) - wilson(b.m, b.n, -1))
        when kind = 'balance' and b.n > 0 then least(100, 100 * ((b.p - b.m) / b.n::double + z() * sqrt(
            ((b.p + b.m) / b.n::double - power((b.p - b.m) / b.n::double, 2)) / b.n)))
        when metric = 'review_rating_bayes' then (c * m0 + a.n * (mean + half)) / (c + a.n)
        when kind in ('mean', 'wait_mean') then mean + half
        when kind = 'wait_quantile' then case when q.open > 0 then l.high else q.high end
    end as high
from every_cell
left join share_rows as s using (source, grain, cell, metric)
left join balance_rows as b using (source, grain, cell, metric)
left join mean_rows as a using (source, grain, cell, metric)
left join plain_rows as q using (source, grain, cell, metric)
left join lasting_rows as l using (source, grain, cell, metric)
left join max_rows as w using (source, grain, cell, metric)
left join ratios as r using (source, grain, cell, metric)
left join priors using (grain);

copy (select * exclude (source) from results where source = 'surveys' order by grain, cell, metric)
to 'tests/expected/shop_surveys.csv' (header);
copy (select * exclude (source) from results where source = 'tickets' order by grain, cell, metric)
to 'tests/expected/shop_tickets.csv' (header);
copy (select * exclude (source) from results where source = 'reviews' order by grain, cell, metric)
to 'tests/expected/shop_reviews.csv' (header);
copy (select * exclude (source) from results where source = 'invoices' order by grain, cell, metric)
to 'tests/expected/shop_invoices.csv' (header);
copy (select * exclude (source) from results where source = 'across' order by grain, cell, metric)
to 'tests/expected/shop_across.csv' (header);
