//! Repeat purchases by day: the node, and what it means.

use std::sync::Arc;

use super::expression::Expr;
use super::history::{Events, Refunds, ZeroValues};
use super::relation::{
    Built, JoinKind, Measure, MeasureFunc, Named, Rel, RelNode, RelRef, aggregate, column,
    distinct, field_of, filter, join, named, project,
};
use super::typing::build;
use crate::frame::{DataType, Field, Unit, Value};

/// How many purchases customers made on each day, the first of each customer left out.
///
/// Columns: the names of `by`, as of the first purchase, `period` (date) and `repeats`; a row where there
/// are some. Purchases are those of [`super::Summary`] by day: with `collapse` a day is one, else each order.
#[derive(Debug)]
pub struct Repeats {
    pub input: RelRef,
    pub events: Events,
    pub by: Vec<Named<Expr>>,
    pub rules: RepeatRules,
    /// The definition.
    expansion: RelRef,
}

/// What a repeat purchase is, and whose are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatRules {
    pub collapse: bool,
    pub refunds: Refunds,
    pub zero_values: ZeroValues,
    /// The first day on which customers may have come; absent: any.
    pub since: Option<i32>,
    /// The first day on which customers come too late to be counted; absent: none.
    pub before: Option<i32>,
}

impl RepeatRules {
    /// True if a customer whose first purchase lies on a day is counted.
    pub fn counts(&self, first: i32) -> bool {
        self.since.is_none_or(|since| since <= first)
            && self.before.is_none_or(|before| first < before)
    }
}

impl Repeats {
    /// The node as a relation.
    ///
    /// # Errors
    /// Two columns of the same name.
    pub fn build(input: RelRef, events: Events, by: Vec<Named<Expr>>, rules: RepeatRules) -> Built {
        let expansion = expansion(&input, &events, &by, rules)?;
        let mut fields = Vec::new();
        for by in &by {
            fields.push(field_of(&by.name, &by.value, &input.schema));
        }
        fields.push(Field::new("period", DataType::Date));
        fields.push(Field::new("repeats", DataType::Int64).with_unit(Unit::Count));
        let node = Repeats { input, events, by, rules, expansion };
        Ok(Arc::new(Rel { node: RelNode::Repeats(node), schema: distinct(fields)? }))
    }

    /// The definition.
    pub fn expand(&self) -> &RelRef {
        &self.expansion
    }
}

fn expansion(input: &RelRef, of: &Events, by: &[Named<Expr>], rules: RepeatRules) -> Built {
    let segments = by.iter().enumerate();
    let segments: Vec<Named<Expr>> =
        segments.map(|(index, by)| named(format!("k{index}"), by.value.clone())).collect();
    let names: Vec<String> = segments.iter().map(|segment| segment.name.clone()).collect();
    let day = build::cast(of.time.clone(), DataType::Date)?;
    let columns = of.columns(segments.into_iter().chain([named("d", day)]));
    let mut events = of.present(&project(input, columns)?)?;
    let value = column(&events, "v")?;
    let zero = build::cast(Expr::int(0), value.data_type)?;
    let unknown = build::is_null(value.clone())?;
    let order = build::or(unknown.clone(), build::ge(value.clone(), zero.clone())?)?;
    if rules.refunds == Refunds::Drop {
        events = filter(&events, order.clone())?;
    }
    if rules.zero_values == ZeroValues::Drop {
        events = filter(&events, build::or(unknown, build::ne(value.clone(), zero.clone())?)?)?;
    }
    let net = rules.refunds == Refunds::Net;
    let orders = Measure::filtered(MeasureFunc::CountRows, net.then_some(order.clone()));
    let by_day = || -> Result<Vec<Named<Expr>>, super::typing::TypeError> {
        Ok(vec![named("c", column(&events, "c")?), named("d", column(&events, "d")?)])
    };
    let total = Measure::of(MeasureFunc::Sum(value));
    let days = aggregate(&events, by_day()?, vec![named("n", orders), named("total", total)])?;
    let mut bought = build::gt(column(&days, "n")?, Expr::int(0))?;
    if net {
        bought = build::and(bought, build::ge(column(&days, "total")?, zero)?)?;
    }
    let days = filter(&days, bought)?;

    // The first purchase day of each customer, and the segments of the first order of it.
    let first = Measure::of(MeasureFunc::Min(column(&days, "d")?));
    let of_customer = vec![named("c", column(&days, "c")?)];
    let firsts = aggregate(&days, of_customer, vec![named("first", first)])?;
    let key = || vec![("c".to_owned(), "c".to_owned())];
    let mut kept = Expr::bool(true);
    let date = |day: i32| Expr::literal(Value::Date(day), DataType::Date);
    if let Some(since) = rules.since {
        kept = build::and(kept, build::ge(column(&firsts, "first")?, date(since))?)?;
    }
    if let Some(before) = rules.before {
        kept = build::and(kept, build::lt(column(&firsts, "first")?, date(before))?)?;
    }
    let mut firsts = filter(&firsts, kept)?;
    if !names.is_empty() {
        let orders = if net { filter(&events, order)? } else { events.clone() };
        // Orders of days that were no purchase are none.
        let same = || vec![("c".to_owned(), "c".to_owned()), ("d".to_owned(), "d".to_owned())];
        let orders = join(&orders, &days, same(), JoinKind::Semi, false)?;
        let order = of.order(&orders, &names)?;
        let mut measures = Vec::new();
        for name in &names {
            let first = MeasureFunc::First { value: column(&orders, name)?, order: order.clone() };
            measures.push(named(name, Measure::of(first)));
        }
        let segments = aggregate(&orders, vec![named("c", column(&orders, "c")?)], measures)?;
        firsts = join(&firsts, &segments, key(), JoinKind::Inner, false)?;
    }

    let days = join(&days, &firsts, key(), JoinKind::Inner, true)?;
    let (on, first) = (column(&days, "d")?, column(&days, "first")?);
    let n = if rules.collapse { Expr::int(1) } else { column(&days, "n")? };
    let less = build::sub(n.clone(), Expr::int(1))?;
    let repeats = build::choose(build::eq(on.clone(), first)?, less, n)?;
    let mut keys = Vec::new();
    for (by, name) in by.iter().zip(&names) {
        keys.push(named(&by.name, column(&days, name)?));
    }
    keys.push(named("period", on));
    let counted =
        aggregate(&days, keys, vec![named("repeats", Measure::of(MeasureFunc::Sum(repeats)))])?;
    filter(&counted, build::gt(column(&counted, "repeats")?, Expr::int(0))?)
}
