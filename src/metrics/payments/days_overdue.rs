//! # days_overdue
//!
//! How late invoices are paid: mean, median, latest, any percentile.
//!
//! What it does: takes a statistic of the days from the due day to the payment, 0 for what was paid in time. The
//! name carries the statistic: `days_overdue_mean`, `days_overdue_median`, `days_overdue_max`,
//! `days_overdue_p01` to `days_overdue_p99`.
//!
//! When to use it: how much money waits, and how long.
//!
//! Example: `metrics: [days_overdue_mean, days_overdue_p90]`
//!
//! Formula: whole days from `invoice.due` to `invoice.paid`, or to the last day seen while it is open; at least 0;
//! over invoices due before `as_of`. Means have t intervals, quantiles are linear (type 7) with rank
//! intervals. Columns `m`, `m_n`, `m_low`, `m_high`; the latest has `m` only. Of nothing: null. Needs
//! `invoice.due` and `invoice.paid`.

use crate::document::{Decode, Decoder, Field, Node, Options, TimeUnit};
use crate::frame::{DataType, Unit, Value};
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func};
use crate::metrics::orders::StatisticWord;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "days_overdue",
    source: include_str!("days_overdue.rs"),
    built_in: true,
    unit: "days, float64",
    direction: Direction::Lower,
    statistics: true,
    fields,
    decode,
    plain: |statistic| Some(Box::new(DaysOverdue(statistic?))),
};

crate::options! {
    /// Which statistic.
    struct StatisticOf("`days_overdue`") {
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: StatisticWord,
    }
}

fn fields() -> Vec<Field> {
    StatisticOf::fields()
}

#[derive(Debug)]
struct DaysOverdue(Statistic);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(DaysOverdue(StatisticOf::decode(node, decoder)?.statistic.value.0)))
}

impl Metric for DaysOverdue {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let invoice = super::invoice(lowering)?;
        let last = Expr::literal(Value::Date(lowering.last_day()), DataType::Date);
        let day = |expr| build::cast(expr, DataType::Date);
        let (due, paid) = (lowering.typed(day(invoice.due))?, lowering.typed(day(invoice.paid))?);
        let until = lowering.typed(build::coalesce(paid, last))?;
        let days = lowering.typed(call(Func::DateDiff(TimeUnit::Day), vec![due, until]))?;
        let days = lowering.typed(call(Func::Greatest, vec![days, Expr::int(0)]))?;
        let unit = Unit::Time("day".into());
        lowering.statistic(self.0, days, Some(invoice.is_due), &Level::Rows, unit)
    }
}
