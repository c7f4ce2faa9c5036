//! What `clv` reads: summaries of customers, their repeat purchases by day, and what its rules touched.

use super::super::context::StageContext;
use super::super::customer_summary::Collapse;
use super::super::dimension::Dimension;
use super::super::purchases::Purchases;
use super::{Checked, Clv};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{
    Calendar, Events, Expr, JoinKind, Measure, MeasureFunc, Named, Refunds, RelRef, RepeatRules,
    Repeats, SortKey, Summary, ZeroValues, named,
};
use crate::models::Spend;

impl Clv {
    /// The orders of each customer and period as one, on the first day of the period.
    pub(super) fn by_opportunity(
        &self,
        orders: &Purchases,
        checked: &Checked,
        calendar: &Calendar,
    ) -> Result<Purchases, TypeError> {
        let Purchases { rel, events, by, .. } = orders;
        let mut rel = relation::filter(rel, before(&events.time, checked.last_day + 1, calendar)?)?;
        if let Some(value) = &events.value {
            let zero = build::cast(Expr::int(0), value.data_type)?;
            let unknown = build::is_null(value.clone())?;
            if self.refunds.value == Refunds::Drop {
                let kept = build::or(unknown.clone(), build::ge(value.clone(), zero.clone())?)?;
                rel = relation::filter(&rel, kept)?;
            }
            if self.zero_values.value == ZeroValues::Drop {
                let kept = build::or(unknown, build::ne(value.clone(), zero)?)?;
                rel = relation::filter(&rel, kept)?;
            }
        }
        let customer = events.customer.name.clone();
        let period = build::period_of(self.unit.value.into(), events.time.clone())?;
        let time = build::period_start(self.unit.value.into(), period)?;
        let keys = vec![named(&customer, events.customer.value.clone()), named("#time", time)];
        let order: Vec<Expr> = std::iter::once(&events.time).chain(&events.tie).cloned().collect();
        let mut measures = vec![named(MERGED, Measure::of(MeasureFunc::CountRows))];
        if let Some(value) = &events.value {
            measures.push(named("#value", Measure::of(MeasureFunc::Sum(value.clone()))));
        }
        for dimension in by {
            let value = dimension.value.clone();
            let first = MeasureFunc::First { value, order: order.clone() };
            measures.push(named(&dimension.name, Measure::of(first)));
        }
        let rel = relation::aggregate(&rel, keys, measures)?;
        let of = |name: &str| column(&rel, name);
        let events = Events {
            customer: named(&customer, of(&customer)?),
            time: of("#time")?,
            value: events.value.as_ref().map(|_| of("#value")).transpose()?,
            tie: Vec::new(),
        };
        let by: Vec<Named<Expr>> = by
            .iter()
            .map(|by| Ok(named(&by.name, of(&by.name)?)))
            .collect::<Result<_, TypeError>>()?;
        Ok(Purchases { rel, events, by, active: None })
    }

    /// Customers before a day, or all: what the models read, sorted by the customer.
    pub(super) fn summary(
        &self,
        cx: &StageContext,
        purchases: &Purchases,
        dimensions: &[Dimension],
        checked: &Checked,
        before_day: Option<i32>,
    ) -> Built {
        let mut input = purchases.rel.clone();
        let mut end = (checked.end, checked.last_day);
        if let Some(day) = before_day {
            input = relation::filter(&input, before(&purchases.events.time, day, cx.calendar)?)?;
            end = (cx.calendar.midnight(day), day - 1);
        }
        let collapse = self.collapse.value == Collapse::Day;
        let summary = Summary {
            input,
            events: purchases.events.clone(),
            carry: purchases.by.clone(),
            unit: self.unit.value.into(),
            collapse,
            refunds: self.refunds.value,
            zero_values: self.zero_values.value,
            end: end.0,
            last_day: end.1,
        }
        .build()?;
        let summary = match checked.starts {
            None => summary,
            Some(starts) => relation::filter(&summary, seen_since(&summary, starts)?)?,
        };
        let customer = purchases.events.customer.name.as_str();
        let counted = if collapse { "purchase_days" } else { "orders" };
        let mut columns = vec![named(customer, column(&summary, customer)?)];
        for dimension in dimensions {
            columns.push(named(&dimension.name, column(&summary, &dimension.name)?));
        }
        let first = build::cast(column(&summary, "first_time")?, DataType::Date)?;
        columns
            .extend([named("first_time", first), named("purchases", column(&summary, counted)?)]);
        for name in ["frequency", "recency", "age", "monetary"] {
            columns.push(named(name, column(&summary, name)?));
        }
        let summary = relation::project(&summary, columns)?;
        relation::sort(&summary, vec![SortKey::ascending(customer)])
    }

    /// How many orders and customers the rules are about.
    pub(super) fn counted(
        &self,
        purchases: &Purchases,
        orders: Option<RelRef>,
        checked: &Checked,
    ) -> Built {
        let all = Summary {
            input: purchases.rel.clone(),
            events: purchases.events.clone(),
            carry: Vec::new(),
            unit: self.unit.value.into(),
            collapse: self.collapse.value == Collapse::Day,
            refunds: self.refunds.value,
            zero_values: self.zero_values.value,
            end: checked.end,
            last_day: checked.last_day,
        }
        .build()?;
        // Customers who are left out are counted as that, and as nothing else.
        let seen = checked.starts.map(|starts| seen_since(&all, starts)).transpose()?;
        let among = |condition: Expr| match &seen {
            None => Ok(condition),
            Some(seen) => build::and(seen.clone(), condition),
        };
        let customers_with =
            |condition: Expr| Measure::filtered(MeasureFunc::CountRows, Some(condition));
        let mut measures = Vec::new();
        if self.collapse.value == Collapse::Day && !self.opportunities() {
            let merged = build::sub(column(&all, "orders")?, column(&all, "purchase_days")?)?;
            let merged = Measure::filtered(MeasureFunc::Sum(merged), seen.clone());
            measures.push(named("orders merged with another of the same day", merged));
        }
        let once = build::eq(column(&all, "frequency")?, Expr::int(0))?;
        measures.push(named("customers without a repeat purchase", customers_with(among(once)?)));
        if checked.spend != Spend::None {
            let low = build::le(column(&all, "monetary")?, Expr::float(0.0))?;
            measures.push(named(
                "customers kept out of the spend model (mean of 0 or less)",
                customers_with(among(low)?),
            ));
        }
        if let Some((_, cut)) = checked.holdout {
            let first = build::cast(column(&all, "first_time")?, DataType::Date)?;
            let cut = Expr::literal(Value::Date(cut), DataType::Date);
            measures.push(named(
                "customers whose first purchase lies in the holdout (in no test of the forecast)",
                customers_with(among(build::ge(first, cut)?)?),
            ));
        }
        if let Some(seen) = seen {
            let early = customers_with(build::not(seen)?);
            measures.push(named("customers first seen before `starts`", early));
        }
        let mut customers = relation::aggregate(&all, Vec::new(), measures)?;
        if self.opportunities() {
            let more = build::sub(column(&purchases.rel, MERGED)?, Expr::int(1))?;
            let merged = named(
                "orders merged with another of the same opportunity",
                Measure::of(MeasureFunc::Sum(more)),
            );
            let merged = relation::aggregate(&purchases.rel, Vec::new(), vec![merged])?;
            customers = relation::join(&merged, &customers, Vec::new(), JoinKind::Inner, false)?;
        }
        match orders {
            None => Ok(customers),
            Some(orders) => relation::join(&orders, &customers, Vec::new(), JoinKind::Inner, false),
        }
    }

    /// Repeat purchases by cell and day, of the customers who are forecast: with a holdout those from before it.
    pub(super) fn repeats(&self, purchases: &Purchases, checked: &Checked) -> Built {
        Repeats::build(
            purchases.rel.clone(),
            purchases.events.clone(),
            purchases.by.clone(),
            RepeatRules {
                collapse: self.collapse.value == Collapse::Day,
                refunds: self.refunds.value,
                zero_values: self.zero_values.value,
                since: checked.starts,
                before: checked.holdout.map(|(_, cut)| cut),
            },
        )
    }
}

/// The column with the number of orders that are one purchase.
const MERGED: &str = "#merged";

/// Whether a time lies before a day.
fn before(time: &Expr, day: i32, calendar: &Calendar) -> Result<Expr, TypeError> {
    let cut = match time.data_type {
        DataType::Date => Expr::literal(Value::Date(day), DataType::Date),
        _ => Expr::literal(Value::Timestamp(calendar.midnight(day)), DataType::Timestamp),
    };
    build::lt(time.clone(), cut)
}

/// Whether a customer was first seen on a day or later.
fn seen_since(summary: &RelRef, day: i32) -> Result<Expr, TypeError> {
    let first = build::cast(column(summary, "first_time")?, DataType::Date)?;
    build::ge(first, Expr::literal(Value::Date(day), DataType::Date))
}
