//! # resolution_rate
//!
//! The share of tickets that were solved.
//!
//! What it does: divides the tickets of the cell that were solved by `as_of` by all that were opened in it.
//!
//! When to use it: how much is left over. Young tickets have had less time: leave them out with `maturity`.
//!
//! Example: `solved: {resolution_rate: {maturity: 14d}}`
//!
//! Formula: tickets with `ticket.resolved` / tickets, with Wilson's interval; with `maturity` only those opened
//! at least so long before `as_of`, in both parts. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null
//! for none. Needs `ticket.resolved`, and `time` for `maturity`.

use crate::document::Interval;
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "resolution_rate",
    source: include_str!("resolution_rate.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<ResolutionRate>()
};

crate::options! {
    /// What counts.
    struct ResolutionRate("`resolution_rate`") {
        /// Tickets younger than this at `as_of` are left out.
        maturity: Option<Interval> = None,
    }
}

impl Metric for ResolutionRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let resolved = lowering.mark(Mark::Resolved)?;
        let solved = lowering.typed(build::is_null(resolved).and_then(build::not))?;
        let among = match self.maturity.value {
            None => Expr::bool(true),
            Some(maturity) => {
                let Some(opened) = lowering.subject.roles.time.clone() else {
                    lowering.lacks("time", "time: COLUMN");
                    return None;
                };
                let ripe = lowering.typed(call(Func::Shift(maturity), vec![opened]))?;
                let end = lowering.as_of();
                lowering.typed(build::le(ripe, end))?
            }
        };
        let among = lowering.with_condition(among)?;
        lowering.share_of_rows(solved, among)
    }
}
