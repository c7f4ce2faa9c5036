//! # abandonment_rate
//!
//! The share of contacts that customers gave up.
//!
//! What it does: divides the abandoned contacts by all that were offered.
//!
//! When to use it: whether waiting times drive customers away.
//!
//! Example: `given_up: {abandonment_rate: {ignore_under: 10s}}`
//!
//! Formula: rows with `ticket.abandoned` / rows, with Wilson's interval. With `ignore_under` those abandoned after
//! less than that (`ticket.waited`) are in neither part: they never meant to wait. Columns `m`,
//! `m_numerator`, `m_n`, `m_low`, `m_high`; null for none. Needs `ticket.abandoned`, and `ticket.waited` for
//! `ignore_under`.

use crate::document::Interval;
use crate::ir::typing::build;
use crate::ir::{Expr, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "abandonment_rate",
    source: include_str!("abandonment_rate.rs"),
    unit: "share",
    direction: Direction::Lower,
    ..MetricKind::with_options::<AbandonmentRate>()
};

crate::options! {
    /// What counts.
    struct AbandonmentRate("`abandonment_rate`") {
        /// Contacts given up earlier than this are in neither part.
        ignore_under: Option<Interval> = None,
    }
}

impl Metric for AbandonmentRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let abandoned = lowering.mark(Mark::Abandoned)?;
        let known = lowering.typed(build::is_null(abandoned.clone()).and_then(build::not))?;
        let among = match self.ignore_under.value {
            None => known,
            Some(least) => {
                let waited = lowering.mark(Mark::Waited)?;
                let hours = f64::from(least.months) * 730.5 + least.micros as f64 / 3.6e9;
                let short = lowering.typed(build::lt(waited, Expr::float(hours)))?;
                let short = lowering.typed(build::coalesce(short, Expr::bool(false)))?;
                let gone = lowering.typed(build::and(abandoned.clone(), short))?;
                let counted = lowering.typed(build::not(gone))?;
                lowering.typed(build::and(known, counted))?
            }
        };
        let among = lowering.with_condition(among)?;
        lowering.share_of_rows(abandoned, among)
    }
}
