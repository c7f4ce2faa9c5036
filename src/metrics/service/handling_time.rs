//! # handling_time
//!
//! How long contacts are worked on: mean, median, longest, any percentile.
//!
//! What it does: adds up what was spent on each contact, and takes a statistic of it. The name carries the
//! statistic: `handling_time_mean`, `handling_time_median`, `handling_time_max`, `handling_time_p01` to
//! `handling_time_p99`.
//!
//! When to use it: how much work a contact is; `handling_time_mean` is the average handling time (AHT).
//!
//! Example: `metrics: [handling_time_mean, handling_time_p90]`
//!
//! Formula: hours of `ticket.handle_time` + `ticket.hold_time` + `ticket.after_work`, of the contacts that were
//! handled: abandoned ones and those without a `handle_time` are left out, and a part that is null is 0.
//! Means have t intervals, quantiles are linear (type 7) with rank intervals. Columns `m`, `m_n`, `m_low`,
//! `m_high`; the longest has `m` only. Of nothing: null. Needs `ticket.handle_time`.

use crate::document::{Decode, Decoder, Field, Node, Options};
use crate::frame::Unit;
use crate::ir::typing::build;
use crate::ir::{Expr, Mark};
use crate::metrics::orders::StatisticWord;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "handling_time",
    source: include_str!("handling_time.rs"),
    built_in: true,
    unit: "hours, float64",
    direction: Direction::Lower,
    statistics: true,
    fields,
    decode,
    plain: |statistic| Some(Box::new(HandlingTime(statistic?))),
};

crate::options! {
    /// Which statistic.
    struct StatisticOf("`handling_time`") {
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: StatisticWord,
    }
}

fn fields() -> Vec<Field> {
    StatisticOf::fields()
}

#[derive(Debug)]
struct HandlingTime(Statistic);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(HandlingTime(StatisticOf::decode(node, decoder)?.statistic.value.0)))
}

impl Metric for HandlingTime {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let mut hours = lowering.mark(Mark::HandleTime)?;
        for part in [Mark::HoldTime, Mark::AfterWork] {
            if let Some(more) = lowering.subject.roles.marks.get(&part).cloned() {
                let more = lowering.typed(build::coalesce(more, Expr::float(0.0)))?;
                hours = lowering.typed(build::add(hours, more))?;
            }
        }
        let filter = match lowering.subject.roles.marks.get(&Mark::Abandoned).cloned() {
            None => lowering.condition(),
            Some(abandoned) => {
                let gone = lowering.typed(build::coalesce(abandoned, Expr::bool(false)))?;
                let handled = lowering.typed(build::not(gone))?;
                Some(lowering.with_condition(handled)?)
            }
        };
        let unit = Unit::Time("hour".into());
        lowering.statistic(self.0, hours, filter, &Level::Rows, unit)
    }
}
