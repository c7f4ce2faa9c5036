//! The customer-history nodes: this project's own subject. `CohortGrid` has a file of its own.
//!
//! Each is defined once, by its `expand()` into plain relational nodes. The reference engine runs
//! the expansion; the local engine folds the node; a property test holds both equal.

use std::sync::Arc;

use super::Func;
use super::expression::Expr;
use super::relation::{
    Built, JoinKind, Measure, MeasureFunc, Named, Rel, RelNode, RelRef, aggregate, all_columns,
    column, distinct, field_of, filter, join, named, project,
};
use super::typing::{TypeError, build, call};
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

    pub(super) fn unit(&self, input: &RelRef) -> Unit {
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
    pub(super) fn columns(&self, more: impl IntoIterator<Item = Named<Expr>>) -> Vec<Named<Expr>> {
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
    pub(super) fn order(&self, events: &RelRef, more: &[String]) -> Result<Vec<Expr>, TypeError> {
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
    pub(super) fn present(&self, events: &RelRef) -> Built {
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
pub(super) fn without_value(rel: &RelRef, absent: bool, names: &[&str]) -> Built {
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
/// observed: the last day before `end`, or `end` itself. `monetary` is what the purchases after the
/// first bucket (or order) brought, by x; the refunds of the first order's day are taken from it.
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
        let net = self.refunds == Refunds::Net;
        let is_order = net.then_some(at_least_zero);

        // Refunds belong to their day: with `net` a day left below 0 is no purchase.
        let person_day =
            || vec![("c".to_owned(), "c".to_owned()), ("d".to_owned(), "d".to_owned())];
        let mut days = None;
        if let Some(is_order) = &is_order {
            let by_day = vec![named("c", column(&events, "c")?), named("d", column(&events, "d")?)];
            let sum = |condition| Measure::filtered(MeasureFunc::Sum(value.clone()), condition);
            let is_refund = build::not(is_order.clone())?;
            let measures = vec![named("net", sum(None)), named("refunds", sum(Some(is_refund)))];
            let found = aggregate(&events, by_day, measures)?;
            let found = filter(&found, build::ge(column(&found, "net")?, zero)?)?;
            events = join(&events, &found, person_day(), JoinKind::Semi, false)?;
            days = Some(found);
        }

        let by_bucket = vec![named("c", column(&events, "c")?), named("b", column(&events, "b")?)];
        let buckets = aggregate(
            &events,
            by_bucket,
            vec![
                named("n", Measure::filtered(MeasureFunc::CountRows, is_order.clone())),
                named("total", Measure::of(MeasureFunc::Sum(value))),
                named("d", Measure::of(MeasureFunc::Min(column(&events, "d")?))),
            ],
        )?;

        // The first purchase: its carried columns, its value, and what its day gave back.
        let mut purchases = events;
        if let Some(is_order) = is_order {
            purchases = filter(&purchases, is_order)?;
        }
        let carried: Vec<String> = (0..self.carry.len()).map(|index| format!("k{index}")).collect();
        let order = self.events.order(&purchases, &carried)?;
        let mut firsts = Vec::new();
        for name in ["v", "d"].into_iter().chain(carried.iter().map(String::as_str)) {
            let first =
                MeasureFunc::First { value: column(&purchases, name)?, order: order.clone() };
            firsts.push(named(name, Measure::of(first)));
        }
        let mut firsts = aggregate(&purchases, vec![named("c", column(&purchases, "c")?)], firsts)?;
        let no_money = build::cast(Expr::int(0), self.events.value_type())?;
        let mut first_value = build::coalesce(column(&firsts, "v")?, no_money.clone())?;
        if let Some(days) = days {
            firsts = join(&firsts, &days, person_day(), JoinKind::Inner, false)?;
            let refunds = build::coalesce(column(&firsts, "refunds")?, no_money)?;
            first_value = build::add(first_value, refunds)?;
        }
        let mut columns =
            vec![named("c", column(&firsts, "c")?), named("first_value", first_value)];
        for name in carried {
            columns.push(named(&name, column(&firsts, &name)?));
        }
        let firsts = project(&firsts, columns)?;

        let (bucket, total) = (column(&buckets, "b")?, column(&buckets, "total")?);
        // An instant that only gives back is no purchase; its money is that of its day.
        let bought = Some(build::gt(column(&buckets, "n")?, Expr::int(0))?);
        let folded = aggregate(
            &buckets,
            vec![named("c", column(&buckets, "c")?)],
            vec![
                named("first", Measure::filtered(MeasureFunc::Min(bucket.clone()), bought.clone())),
                named("last", Measure::filtered(MeasureFunc::Max(bucket.clone()), bought)),
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
