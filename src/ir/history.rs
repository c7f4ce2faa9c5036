//! The customer-history nodes: this project's own subject.
//!
//! Each is defined once, by its `expand()` into plain relational nodes. The reference engine runs
//! the expansion; the local engine folds the node; a property test holds both equal.

use std::sync::Arc;

use super::expression::Expr;
use super::relation::{
    Built, JoinKind, Measure, MeasureFunc, Named, Rel, RelNode, RelRef, SortKey, WindowFunc,
    aggregate, all_columns, column, distinct, field_of, filter, join, named, project, series,
    window,
};
use super::typing::{TypeError, build, call};
use super::{Calendar, Func};
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Unit, Value};

/// Who did something, when, and for how much: what every history node reads of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// The customer, under the name of the column it comes out as. Rows where it is null are not
    /// events.
    pub customer: Named<Expr>,
    /// Date or timestamp; rows where it is null are not events.
    pub time: Expr,
    /// Money, a decimal; absent where a source has none.
    pub value: Option<Expr>,
    /// What orders events of one time, so that a customer's first event is always the same one.
    pub tie: Vec<Expr>,
}

impl Events {
    /// The type of the value column: money without decimals where there is no value.
    pub fn value_type(&self) -> DataType {
        match self.value.as_ref().map(|value| value.data_type) {
            Some(DataType::Decimal { scale, .. }) => DataType::money(scale),
            _ => DataType::money(0),
        }
    }

    fn unit(&self, input: &RelRef) -> Unit {
        let name = self.value.as_ref().and_then(Expr::as_column);
        let unit = name.and_then(|name| input.schema.field(name)).map(|field| field.unit.clone());
        match unit {
            Some(unit @ Unit::Money(_)) => unit,
            _ => Unit::Money(None),
        }
    }

    fn customer_field(&self, input: &RelRef) -> Field {
        field_of(&self.customer.name, &self.customer.value, &input.schema)
    }

    /// The events as columns `c`, `t`, `v`, `o0…` (tie), and more.
    fn columns(&self, more: impl IntoIterator<Item = Named<Expr>>) -> Vec<Named<Expr>> {
        let value = self.value.clone().unwrap_or_else(|| Expr::null(DataType::money(0)));
        let mut columns = vec![
            named("c", self.customer.value.clone()),
            named("t", self.time.clone()),
            named("v", value),
        ];
        for (index, tie) in self.tie.iter().enumerate() {
            columns.push(named(format!("o{index}"), tie.clone()));
        }
        columns.extend(more);
        columns
    }

    /// The order of a customer's events over [`Events::columns`] and further columns. Rows that tie
    /// in all of them are the same to whoever reads these columns.
    fn order(&self, events: &RelRef, more: &[String]) -> Result<Vec<Expr>, TypeError> {
        let mut order = vec![column(events, "t")?];
        for index in 0..self.tie.len() {
            order.push(column(events, &format!("o{index}"))?);
        }
        order.push(column(events, "v")?);
        for name in more {
            order.push(column(events, name)?);
        }
        Ok(order)
    }

    /// Rows that are events: customer and time are there.
    fn present(&self, events: &RelRef) -> Built {
        let absent = build::or(
            build::is_null(column(events, "c")?)?,
            build::is_null(column(events, "t")?)?,
        )?;
        filter(events, build::not(absent)?)
    }
}

/// Events per customer and calendar period.
///
/// Columns: the customer, `period` (date, its first day), `orders`, `value`, `first_time`,
/// `last_time`. Only periods with events have a row.
#[derive(Debug)]
pub struct History {
    pub input: RelRef,
    pub events: Events,
    pub unit: TimeUnit,
}

impl History {
    /// The node as a relation.
    ///
    /// # Errors
    /// Two columns of the same name.
    pub fn build(self) -> Built {
        let time = self.events.time.data_type;
        let fields = vec![
            self.events.customer_field(&self.input),
            Field::new("period", DataType::Date),
            Field::new("orders", DataType::Int64).with_unit(Unit::Count),
            Field::new("value", self.events.value_type()).with_unit(self.events.unit(&self.input)),
            Field::new("first_time", time),
            Field::new("last_time", time),
        ];
        Ok(Arc::new(Rel { node: RelNode::History(self), schema: distinct(fields)? }))
    }

    /// The definition.
    ///
    /// # Errors
    /// Never for events typed against the input.
    pub fn expand(&self) -> Built {
        let events = project(&self.input, self.events.columns([]))?;
        let events = self.events.present(&events)?;
        let (time, value) = (column(&events, "t")?, column(&events, "v")?);
        let period = build::period_of(self.unit, time.clone())?;
        let grouped = aggregate(
            &events,
            vec![
                named(&self.events.customer.name, column(&events, "c")?),
                named("period", build::period_start(self.unit, period)?),
            ],
            vec![
                named("orders", Measure::of(MeasureFunc::CountRows)),
                named("value", Measure::of(MeasureFunc::Sum(value))),
                named("first_time", Measure::of(MeasureFunc::Min(time.clone()))),
                named("last_time", Measure::of(MeasureFunc::Max(time))),
            ],
        )?;
        without_value(&grouped, self.events.value.is_none(), &["value"])
    }
}

/// Where a source has no value, its sums are null, not 0.
fn without_value(rel: &RelRef, absent: bool, names: &[&str]) -> Built {
    if !absent {
        return Ok(rel.clone());
    }
    let columns = all_columns(rel)
        .into_iter()
        .map(|column| match names.contains(&column.name.as_str()) {
            true => {
                let data_type = column.value.data_type;
                named(column.name, Expr::null(data_type))
            }
            false => column,
        })
        .collect();
    project(rel, columns)
}

crate::choice! {
    /// What a negative value is.
    pub enum Refunds {
        /// Added to that day; a day left below 0 is no purchase.
        Net = "net",
        /// Left out.
        Drop = "drop",
        /// An order like any other.
        Keep = "keep",
    }
}

crate::choice! {
    /// What an order of value 0 is.
    pub enum ZeroValues {
        /// An order like any other.
        Keep = "keep",
        /// Left out.
        Drop = "drop",
    }
}

/// One row per customer with at least one purchase.
///
/// Columns: the customer; what `carry` names, as of the first purchase; `first_time`, `last_time`,
/// `orders`, `purchase_days`, `frequency`, `recency`, `age`, `since_last`, `value`,
/// `average_order_value`, `monetary`.
///
/// Purchases fall into buckets: days if `collapse`, else instants. x counts buckets (or orders)
/// after the first; t_x and T run from the first bucket to the last and to the end of what is
/// observed: the last day before `end`, or `end` itself.
#[derive(Debug)]
pub struct Summary {
    pub input: RelRef,
    pub events: Events,
    pub carry: Vec<Named<Expr>>,
    pub unit: TimeUnit,
    pub collapse: bool,
    pub refunds: Refunds,
    pub zero_values: ZeroValues,
    /// The first instant not observed, in microseconds since 1970-01-01T00:00Z.
    pub end: i64,
    /// The day of the instant before `end`.
    pub last_day: i32,
}

impl Summary {
    /// The type of a bucket: date if collapsed, else the time's own.
    pub fn bucket_type(&self) -> DataType {
        if self.collapse { DataType::Date } else { self.events.time.data_type }
    }

    /// The node as a relation.
    ///
    /// # Errors
    /// Two columns of the same name.
    pub fn build(self) -> Built {
        let money = self.events.unit(&self.input);
        let unit = Unit::Time(self.unit.word().into());
        let mut fields = vec![self.events.customer_field(&self.input)];
        for carry in &self.carry {
            fields.push(field_of(&carry.name, &carry.value, &self.input.schema));
        }
        let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
        let time = |name: &str| Field::new(name, DataType::Float64).with_unit(unit.clone());
        let number = |name: &str| Field::new(name, DataType::Float64).with_unit(money.clone());
        fields.extend([
            Field::new("first_time", self.bucket_type()),
            Field::new("last_time", self.bucket_type()),
            count("orders"),
            count("purchase_days"),
            count("frequency"),
            time("recency"),
            time("age"),
            time("since_last"),
            Field::new("value", self.events.value_type()).with_unit(money.clone()),
            number("average_order_value"),
            number("monetary"),
        ]);
        Ok(Arc::new(Rel { node: RelNode::Summary(self), schema: distinct(fields)? }))
    }

    /// The end of what is observed, comparable with a bucket.
    fn end_value(&self) -> Expr {
        match self.bucket_type() {
            DataType::Date if self.collapse => {
                Expr::literal(Value::Date(self.last_day), DataType::Date)
            }
            _ => Expr::literal(Value::Timestamp(self.end), DataType::Timestamp),
        }
    }

    /// The definition.
    ///
    /// # Errors
    /// Never for events typed against the input.
    pub fn expand(&self) -> Built {
        let bucket = if self.collapse {
            build::cast(self.events.time.clone(), DataType::Date)?
        } else {
            self.events.time.clone()
        };
        let carry = self.carry.iter().enumerate();
        let carry = carry.map(|(index, carry)| named(format!("k{index}"), carry.value.clone()));
        let day = build::cast(self.events.time.clone(), DataType::Date)?;
        let columns =
            self.events.columns([named("b", bucket), named("d", day)].into_iter().chain(carry));
        let events = project(&self.input, columns)?;
        let mut events = self.events.present(&events)?;

        // Rows that the rules leave out, and rows that count as orders.
        let value = column(&events, "v")?;
        let zero = build::cast(Expr::int(0), value.data_type)?;
        let unknown = build::is_null(value.clone())?;
        let at_least_zero = build::or(unknown.clone(), build::ge(value.clone(), zero.clone())?)?;
        if self.refunds == Refunds::Drop {
            events = filter(&events, at_least_zero.clone())?;
        }
        if self.zero_values == ZeroValues::Drop {
            events = filter(&events, build::or(unknown, build::ne(value.clone(), zero.clone())?)?)?;
        }
        let is_order = (self.refunds == Refunds::Net).then_some(at_least_zero);

        let by_bucket = vec![named("c", column(&events, "c")?), named("b", column(&events, "b")?)];
        let mut buckets = aggregate(
            &events,
            by_bucket,
            vec![
                named("n", Measure::filtered(MeasureFunc::CountRows, is_order.clone())),
                named("total", Measure::of(MeasureFunc::Sum(value.clone()))),
                named("d", Measure::of(MeasureFunc::Min(column(&events, "d")?))),
            ],
        )?;
        if self.refunds == Refunds::Net {
            let total = column(&buckets, "total")?;
            buckets = filter(&buckets, build::ge(total, zero)?)?;
        }

        // The first purchase: its carried columns and its value.
        let keys = vec![("c".to_owned(), "c".to_owned()), ("b".to_owned(), "b".to_owned())];
        let mut purchases = join(&events, &buckets, keys, JoinKind::Semi, false)?;
        if let Some(is_order) = is_order {
            purchases = filter(&purchases, is_order)?;
        }
        let carried: Vec<String> = (0..self.carry.len()).map(|index| format!("k{index}")).collect();
        let order = self.events.order(&purchases, &carried)?;
        let first = |name: &str| -> Result<Measure, TypeError> {
            let value = column(&purchases, name)?;
            Ok(Measure::of(MeasureFunc::First { value, order: order.clone() }))
        };
        let mut firsts = vec![named("first_value", first("v")?)];
        for index in 0..self.carry.len() {
            firsts.push(named(format!("k{index}"), first(&format!("k{index}"))?));
        }
        let firsts = aggregate(&purchases, vec![named("c", column(&purchases, "c")?)], firsts)?;

        let (bucket, total) = (column(&buckets, "b")?, column(&buckets, "total")?);
        let folded = aggregate(
            &buckets,
            vec![named("c", column(&buckets, "c")?)],
            vec![
                named("first", Measure::of(MeasureFunc::Min(bucket.clone()))),
                named("last", Measure::of(MeasureFunc::Max(bucket.clone()))),
                named("orders", Measure::of(MeasureFunc::Sum(column(&buckets, "n")?))),
                named("days", Measure::of(MeasureFunc::CountDistinct(column(&buckets, "d")?))),
                named("value", Measure::of(MeasureFunc::Sum(total.clone()))),
                named(
                    "first_total",
                    Measure::of(MeasureFunc::First { value: total, order: vec![bucket] }),
                ),
            ],
        )?;
        let folded =
            join(&folded, &firsts, vec![("c".into(), "c".into())], JoinKind::Inner, false)?;

        let field = |name: &str| column(&folded, name);
        let (first, last) = (field("first")?, field("last")?);
        let counted = if self.collapse { field("days")? } else { field("orders")? };
        let frequency = build::sub(counted, Expr::int(1))?;
        let first_value = if self.collapse { field("first_total")? } else { field("first_value")? };
        let value_type = self.events.value_type();
        let first_value = build::coalesce(first_value, build::cast(Expr::int(0), value_type)?)?;
        let elapsed =
            |from: &Expr, to: &Expr| call(Func::Elapsed(self.unit), vec![from.clone(), to.clone()]);
        let end = self.end_value();
        let repeats = build::sub(field("value")?, first_value)?;
        let mut columns = vec![named(&self.events.customer.name, field("c")?)];
        for (index, carry) in self.carry.iter().enumerate() {
            columns.push(named(&carry.name, field(&format!("k{index}"))?));
        }
        columns.extend([
            named("first_time", first.clone()),
            named("last_time", last.clone()),
            named("orders", field("orders")?),
            named("purchase_days", field("days")?),
            named("frequency", frequency.clone()),
            named("recency", elapsed(&first, &last)?),
            named("age", elapsed(&first, &end)?),
            named("since_last", elapsed(&last, &end)?),
            named("value", field("value")?),
            named("average_order_value", build::div(field("value")?, field("orders")?)?),
            named("monetary", build::div(repeats, frequency)?),
        ]);
        let summary = project(&folded, columns)?;
        without_value(
            &summary,
            self.events.value.is_none(),
            &["value", "average_order_value", "monetary"],
        )
    }
}

/// Customers in cohorts of their first event, followed over ages.
///
/// Columns: `cohort` (date), the names of `by`, `age`, `period` (date), `size`, `retained`,
/// `orders`, `value`, `cumulative_value`; dense for every cohort that has customers and every age
/// up to the last. Cells that are not over yet hold what is there so far: who reads them decides.
///
/// Age 0 is the cohort's own period; age k is the k-th period of the age unit after the one that
/// holds the cohort's last day.
#[derive(Debug)]
pub struct CohortGrid {
    pub input: RelRef,
    pub events: Events,
    /// Which events count as activity; all if absent. A customer's cohort is that of the first
    /// event of all.
    pub active: Option<Expr>,
    /// As of the first event.
    pub by: Vec<Named<Expr>>,
    pub cohort: TimeUnit,
    pub age: TimeUnit,
    /// Whether a customer who comes back later counts as retained now.
    pub on_or_after: bool,
    /// The last age; absent: that of the oldest cohort at `last_day`.
    pub max_age: Option<i64>,
    /// The last day observed.
    pub last_day: i32,
}

impl CohortGrid {
    /// The node as a relation.
    ///
    /// # Errors
    /// Two columns of the same name.
    pub fn build(self) -> Built {
        let money = self.events.unit(&self.input);
        let mut fields = vec![Field::new("cohort", DataType::Date)];
        for by in &self.by {
            fields.push(field_of(&by.name, &by.value, &self.input.schema));
        }
        let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
        let value =
            |name: &str| Field::new(name, self.events.value_type()).with_unit(money.clone());
        fields.extend([
            Field::new("age", DataType::Int64).with_unit(Unit::Time(self.age.word().into())),
            Field::new("period", DataType::Date),
            count("size"),
            count("retained"),
            count("orders"),
            value("value"),
            value("cumulative_value"),
        ]);
        Ok(Arc::new(Rel { node: RelNode::CohortGrid(self), schema: distinct(fields)? }))
    }

    /// The number of the age unit's period that holds a cohort's last day: age 0 ends with it.
    pub fn base_period(&self, calendar: &Calendar, cohort: i64) -> i64 {
        let last = calendar.period_start(self.cohort, cohort + 1) - 1;
        calendar.period_of(self.age, last)
    }

    /// The definition.
    ///
    /// # Errors
    /// Never for events typed against the input.
    pub fn expand(&self) -> Built {
        let by = self.by.iter().enumerate();
        let by = by.map(|(index, by)| named(format!("k{index}"), by.value.clone()));
        let active = self.active.clone().unwrap_or_else(|| Expr::bool(true));
        let columns = self.events.columns([named("active", active)].into_iter().chain(by));
        let events = self.events.present(&project(&self.input, columns)?)?;
        let (customer, time) = (column(&events, "c")?, column(&events, "t")?);
        let segments: Vec<String> = (0..self.by.len()).map(|index| format!("k{index}")).collect();

        // Where each customer enters.
        let order = self.events.order(&events, &segments)?;
        let mut measures = vec![named("first", Measure::of(MeasureFunc::Min(time.clone())))];
        for name in &segments {
            let value = column(&events, name)?;
            let first = MeasureFunc::First { value, order: order.clone() };
            measures.push(named(name, Measure::of(first)));
        }
        let entry = aggregate(&events, vec![named("c", customer.clone())], measures)?;
        let cohort = build::period_of(self.cohort, column(&entry, "first")?)?;
        let next = build::add(cohort.clone(), Expr::int(1))?;
        let next_start = build::period_start(self.cohort, next)?;
        let day_before =
            crate::document::Interval { months: 0, micros: -crate::document::DAY_MICROS };
        let last = call(Func::Shift(day_before), vec![next_start])?;
        let mut columns = vec![named("c", column(&entry, "c")?), named("cohort", cohort)];
        for name in &segments {
            columns.push(named(name, column(&entry, name)?));
        }
        columns.push(named("base", build::period_of(self.age, last)?));
        let entry = project(&entry, columns)?;

        // What each customer did at each age.
        let seen = filter(&events, column(&events, "active")?)?;
        let value = self.events.value.as_ref().map(|_| column(&seen, "v")).transpose()?;
        let history = History {
            events: Events {
                customer: named("c", column(&seen, "c")?),
                time: column(&seen, "t")?,
                value,
                tie: Vec::new(),
            },
            input: seen,
            unit: self.age,
        }
        .build()?;
        let mut cells =
            join(&history, &entry, vec![("c".into(), "c".into())], JoinKind::Inner, false)?;
        let period = build::period_of(self.age, column(&cells, "period")?)?;
        let since = build::sub(period, column(&cells, "base")?)?;
        let age = call(Func::Greatest, vec![Expr::int(0), since])?;
        cells = super::relation::extend(&cells, vec![named("age", age)])?;

        let group = |rel: &RelRef, more: &[&str]| -> Result<Vec<Named<Expr>>, TypeError> {
            std::iter::once("cohort")
                .chain(segments.iter().map(String::as_str))
                .chain(more.iter().copied())
                .map(|name| Ok(named(name, column(rel, name)?)))
                .collect()
        };
        let in_cell = aggregate(
            &cells,
            group(&cells, &["age"])?,
            vec![
                named("exactly", Measure::of(MeasureFunc::CountDistinct(column(&cells, "c")?))),
                named("orders", Measure::of(MeasureFunc::Sum(column(&cells, "orders")?))),
                named("value", Measure::of(MeasureFunc::Sum(column(&cells, "value")?))),
            ],
        )?;

        // The spine: every cohort with customers, every age up to the last.
        let mut sizes = group(&entry, &[])?;
        sizes.push(named("base", column(&entry, "base")?));
        let sizes =
            aggregate(&entry, sizes, vec![named("size", Measure::of(MeasureFunc::CountRows))])?;
        let observed =
            build::period_of(self.age, Expr::literal(Value::Date(self.last_day), DataType::Date))?;
        let oldest = aggregate(
            &sizes,
            vec![],
            vec![named("oldest", Measure::of(MeasureFunc::Min(column(&sizes, "base")?)))],
        )?;
        let max_age = match self.max_age {
            Some(max_age) => Expr::int(max_age),
            // Age 0 of the oldest cohort may still be running.
            None => {
                let last = build::sub(observed, column(&oldest, "oldest")?)?;
                call(Func::Greatest, vec![Expr::int(0), last])?
            }
        };
        let oldest = project(&oldest, vec![named("max_age", max_age)])?;
        let spine = join(&sizes, &oldest, vec![], JoinKind::Inner, false)?;
        let end = column(&spine, "max_age")?;
        let spine = series(&spine, Expr::int(0), end, "age")?;

        let keys = |more: &[&str]| -> Vec<(String, String)> {
            std::iter::once("cohort")
                .chain(segments.iter().map(String::as_str))
                .chain(more.iter().copied())
                .map(|name| (name.to_owned(), name.to_owned()))
                .collect()
        };
        let mut grid = join(&spine, &in_cell, keys(&["age"]), JoinKind::Left, true)?;
        let zero = |grid: &RelRef, name: &str| -> Result<Named<Expr>, TypeError> {
            let value = column(grid, name)?;
            let zero = build::cast(Expr::int(0), value.data_type)?;
            Ok(named(name, build::coalesce(value, zero)?))
        };
        grid = super::relation::extend(
            &grid,
            vec![zero(&grid, "exactly")?, zero(&grid, "orders")?, zero(&grid, "value")?],
        )?;
        let partition: Vec<String> =
            std::iter::once("cohort".to_owned()).chain(segments.iter().cloned()).collect();
        let running = |name: &str| {
            vec![named(format!("running_{name}"), WindowFunc::RunningSum(name.into()))]
        };
        grid = window(&grid, partition.clone(), vec![SortKey::ascending("age")], running("value"))?;

        let retained = if self.on_or_after {
            // Each customer counts at every age up to the last one seen.
            let mut per_customer = group(&cells, &[])?;
            per_customer.push(named("c", column(&cells, "c")?));
            let lasts = aggregate(
                &cells,
                per_customer,
                vec![named("seen", Measure::of(MeasureFunc::Max(column(&cells, "age")?)))],
            )?;
            let lasts = join(&lasts, &oldest, vec![], JoinKind::Inner, false)?;
            let clamped =
                call(Func::Least, vec![column(&lasts, "seen")?, column(&lasts, "max_age")?])?;
            let mut by_last = group(&lasts, &[])?;
            by_last.push(named("age", clamped));
            let by_last = aggregate(
                &lasts,
                by_last,
                vec![named("ending", Measure::of(MeasureFunc::CountRows))],
            )?;
            grid = join(&grid, &by_last, keys(&["age"]), JoinKind::Left, true)?;
            grid = super::relation::extend(&grid, vec![zero(&grid, "ending")?])?;
            grid = window(&grid, partition, vec![SortKey::descending("age")], running("ending"))?;
            column(&grid, "running_ending")?
        } else {
            column(&grid, "exactly")?
        };

        let (cohort, age) = (column(&grid, "cohort")?, column(&grid, "age")?);
        let start = build::period_start(self.cohort, cohort)?;
        let later = build::add(column(&grid, "base")?, age.clone())?;
        let period = build::choose(
            build::eq(age.clone(), Expr::int(0))?,
            start.clone(),
            build::period_start(self.age, later)?,
        )?;
        let mut columns = vec![named("cohort", start)];
        for (index, by) in self.by.iter().enumerate() {
            columns.push(named(&by.name, column(&grid, &format!("k{index}"))?));
        }
        columns.extend([
            named("age", age),
            named("period", period),
            named("size", column(&grid, "size")?),
            named("retained", retained),
            named("orders", column(&grid, "orders")?),
            named("value", column(&grid, "value")?),
            named("cumulative_value", column(&grid, "running_value")?),
        ]);
        let grid = project(&grid, columns)?;
        without_value(&grid, self.events.value.is_none(), &["value", "cumulative_value"])
    }
}
