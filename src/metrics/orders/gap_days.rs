//! # gap_days
//!
//! How long customers take to buy again: mean, median, longest, any percentile.
//!
//! What it does: takes a statistic of the days between successive purchase days of a customer. The name
//! carries the statistic: `gap_days_mean`, `gap_days_median`, `gap_days_max`, `gap_days_p01` to
//! `gap_days_p99`.
//!
//! When to use it: to set the length of a reminder, of an activity window, of a retention period. It
//! speaks only of those who came back: a customer with one purchase day has no gap, and the time since
//! the last one is not over.
//!
//! Example: `metrics: [gap_days_median, gap_days_p90]`
//!
//! Formula: over the whole days from each purchase day of a customer to the next one. A gap counts in the
//! cell of the day that ends it, whichever cell the day before lies in; a day on which a customer bought
//! in several cells counts in each. Several orders of one day are one purchase day; orders without a
//! customer are left out. Means have t intervals, quantiles are linear (type 7) with rank intervals.
//! Columns `m`, `m_n`, `m_low`, `m_high`; the longest has `m` only. Of nothing: null. Needs `customer`
//! and `time`. A run holds one row per customer and purchase day for it.

use crate::document::{Decode, Decoder, Field, Node, Options};
use crate::frame::Unit;
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "gap_days",
    source: include_str!("gap_days.rs"),
    built_in: true,
    unit: "days",
    direction: Direction::Lower,
    statistics: true,
    fields,
    decode,
    plain: |statistic| Some(Box::new(GapDays(statistic?))),
};

crate::options! {
    /// Which statistic.
    struct StatisticOf("`gap_days`") {
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: super::StatisticWord,
    }
}

fn fields() -> Vec<Field> {
    StatisticOf::fields()
}

#[derive(Debug)]
struct GapDays(Statistic);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(GapDays(StatisticOf::decode(node, decoder)?.statistic.value.0)))
}

impl Metric for GapDays {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (days, level) = lowering.gaps()?;
        lowering.statistic(self.0, days, None, &level, Unit::Time("day".into()))
    }
}
