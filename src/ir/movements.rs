//! What became of customers from one period to the next: the node, and what it means.

use std::sync::Arc;

use super::Func;
use super::expression::Expr;
use super::history::Events;
use super::relation::{
    Built, JoinKind, Measure, MeasureFunc, Named, Rel, RelNode, RelRef, aggregate, column,
    distinct, field_of, filter, join, named, project, union,
};
use super::typing::{Typed, build, call};
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Unit, Value};

/// Customers who came, stayed, came back and left, and their money, from each period to the next.
///
/// Columns: `period` (the number of the calendar period), the names of `by`, then counts of customers
/// and sums of money under [`Movements::COUNTS`] and [`Movements::MONEY`], and `value`, the money of the
/// period. A row per cell in which something happened, up to the period of `last_day`. The segments of a
/// customer who was there in the period before are those of that period, else those of this one; within
/// a period those of the first event.
#[derive(Debug)]
pub struct Movements {
    pub input: RelRef,
    pub events: Events,
    pub by: Vec<Named<Expr>>,
    pub unit: TimeUnit,
    /// The last day of which something is seen.
    pub last_day: i32,
    /// The definition.
    expansion: RelRef,
}

impl Movements {
    /// Counts of customers, in the order of the columns.
    pub const COUNTS: [&str; 5] = ["start_customers", "new", "retained", "resurrected", "churned"];

    /// Sums of money, in the order of the columns.
    pub const MONEY: [&str; 6] = [
        "start_value",
        "new_value",
        "resurrected_value",
        "expansion",
        "contraction",
        "churned_value",
    ];

    /// The node as a relation.
    ///
    /// # Errors
    /// Two columns of the same name.
    pub fn build(
        input: RelRef,
        events: Events,
        by: Vec<Named<Expr>>,
        unit: TimeUnit,
        last_day: i32,
    ) -> Built {
        let each = each(&input, &events, &by, unit, last_day)?;
        let mut keys = vec![named("period", column(&each, "period")?)];
        for by in &by {
            keys.push(named(&by.name, column(&each, &by.name)?));
        }
        let mut measures = Vec::new();
        for name in columns() {
            let sum = MeasureFunc::Sum(column(&each, name)?);
            measures.push(named(name, Measure::of(sum)));
        }
        let expansion = aggregate(&each, keys, measures)?;

        let money = events.unit(&input);
        let mut fields = vec![Field::new("period", DataType::Int64)];
        for by in &by {
            fields.push(field_of(&by.name, &by.value, &input.schema));
        }
        let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
        let value = |name: &str| Field::new(name, events.value_type()).with_unit(money.clone());
        fields.extend(Movements::COUNTS.map(count));
        fields.extend(Movements::MONEY.map(value));
        fields.push(value("value"));
        let node = Movements { input, events, by, unit, last_day, expansion };
        Ok(Arc::new(Rel { node: RelNode::Movements(node), schema: distinct(fields)? }))
    }

    /// The definition.
    pub fn expand(&self) -> &RelRef {
        &self.expansion
    }
}

/// The columns after the keys.
fn columns() -> impl Iterator<Item = &'static str> {
    Movements::COUNTS.into_iter().chain(Movements::MONEY).chain(["value"])
}

/// One row per customer and what happened to them in a period: `c`, `period`, the names of `by`, the
/// columns of [`Movements::COUNTS`] as 0 or 1, those of [`Movements::MONEY`], and `value`.
///
/// # Errors
/// Two columns of the same name.
pub fn each(
    input: &RelRef,
    events: &Events,
    by: &[Named<Expr>],
    unit: TimeUnit,
    last_day: i32,
) -> Built {
    let activity = activity(input, events, by, unit)?;
    let segments: Vec<String> = (0..by.len()).map(|index| format!("k{index}")).collect();
    let day = Expr::literal(Value::Date(last_day), DataType::Date);
    let last = build::period_of(unit, day)?;
    let on = || ["c", "period"].map(|name| (name.to_owned(), name.to_owned())).to_vec();
    let earlier = |name: &str| format!("before.{name}");

    // The same rows a period later: what was there before.
    let next = build::add(column(&activity, "period")?, Expr::int(1))?;
    let mut columns = vec![
        named("c", column(&activity, "c")?),
        named("period", next),
        named("before", Expr::bool(true)),
        named(earlier("v"), column(&activity, "v")?),
    ];
    for name in &segments {
        columns.push(named(earlier(name), column(&activity, name)?));
    }
    let before = project(&activity, columns)?;
    let firsts = aggregate(
        &activity,
        vec![named("c", column(&activity, "c")?)],
        vec![named("first", Measure::of(MeasureFunc::Min(column(&activity, "period")?)))],
    )?;
    let seen = join(&activity, &before, on(), JoinKind::Left, false)?;
    let seen = join(&seen, &firsts, vec![("c".into(), "c".into())], JoinKind::Inner, false)?;
    let gone = join(&before, &activity, on(), JoinKind::Anti, false)?;
    let gone = filter(&gone, build::le(column(&gone, "period")?, last)?)?;

    let (one, none) = (Expr::int(1), Expr::int(0));
    let flag = |condition: &Expr| build::choose(condition.clone(), one.clone(), none.clone());
    let here = build::coalesce(column(&seen, "before")?, Expr::bool(false))?;
    let first = build::eq(column(&seen, "period")?, column(&seen, "first")?)?;
    let back = build::not(build::or(here.clone(), first.clone())?)?;
    let money_type = events.value_type();
    let money = |value: Expr| build::cast(value, money_type);
    let zero = money(Expr::int(0))?;
    let now = money(column(&seen, "v")?)?;
    let was = build::coalesce(money(column(&seen, &earlier("v"))?)?, zero.clone())?;
    let part = |condition: &Expr, value: Expr| -> Typed {
        build::choose(condition.clone(), money(value)?, zero.clone())
    };
    let above = |left: &Expr, right: &Expr| -> Typed {
        call(Func::Greatest, vec![build::sub(left.clone(), right.clone())?, zero.clone()])
    };
    let mut columns =
        vec![named("c", column(&seen, "c")?), named("period", column(&seen, "period")?)];
    for (by, name) in by.iter().zip(&segments) {
        let then = column(&seen, &earlier(name))?;
        let value = build::choose(here.clone(), then, column(&seen, name)?)?;
        columns.push(named(&by.name, value));
    }
    let counts = [flag(&here)?, flag(&first)?, flag(&here)?, flag(&back)?, none.clone()];
    let sums = [
        part(&here, was.clone())?,
        part(&first, now.clone())?,
        part(&back, now.clone())?,
        part(&here, above(&now, &was)?)?,
        part(&here, above(&was, &now)?)?,
        zero.clone(),
    ];
    columns.extend(under(Movements::COUNTS, counts));
    columns.extend(under(Movements::MONEY, sums));
    columns.push(named("value", now));
    let seen = project(&seen, columns)?;

    let lost = money(column(&gone, &earlier("v"))?)?;
    let mut columns =
        vec![named("c", column(&gone, "c")?), named("period", column(&gone, "period")?)];
    for (by, name) in by.iter().zip(&segments) {
        columns.push(named(&by.name, column(&gone, &earlier(name))?));
    }
    let counts = [one.clone(), none.clone(), none.clone(), none.clone(), one.clone()];
    let [z1, z2, z3, z4] = [(); 4].map(|()| zero.clone());
    columns.extend(under(Movements::COUNTS, counts));
    columns.extend(under(Movements::MONEY, [lost.clone(), z1, z2, z3, z4, lost]));
    columns.push(named("value", zero.clone()));
    union(vec![seen, project(&gone, columns)?])
}

fn under<const N: usize>(
    names: [&'static str; N],
    values: [Expr; N],
) -> impl Iterator<Item = Named<Expr>> {
    names.into_iter().zip(values).map(|(name, value)| named(name, value))
}

/// One row per customer and period: `c`, `period`, `v`, and as `k0…` the segments of the first event.
fn activity(input: &RelRef, events: &Events, by: &[Named<Expr>], unit: TimeUnit) -> Built {
    let segments = by.iter().enumerate();
    let segments: Vec<Named<Expr>> =
        segments.map(|(index, by)| named(format!("k{index}"), by.value.clone())).collect();
    let names: Vec<String> = segments.iter().map(|segment| segment.name.clone()).collect();
    let rel = project(input, events.columns(segments))?;
    let rel = events.present(&rel)?;
    let order = events.order(&rel, &names)?;
    let mut measures = vec![named("v", Measure::of(MeasureFunc::Sum(column(&rel, "v")?)))];
    for name in &names {
        let first = MeasureFunc::First { value: column(&rel, name)?, order: order.clone() };
        measures.push(named(name, Measure::of(first)));
    }
    let period = build::period_of(unit, column(&rel, "t")?)?;
    let keys = vec![named("c", column(&rel, "c")?), named("period", period)];
    aggregate(&rel, keys, measures)
}
