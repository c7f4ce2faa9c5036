//! # reopen_rate
//!
//! The share of solved tickets that were opened again.
//!
//! What it does: divides the solved tickets with at least one reopening by all that were solved.
//!
//! When to use it: whether solutions hold.
//!
//! Example: `metrics: [reopen_rate]`
//!
//! Formula: tickets with `ticket.reopens` ≥ 1 / tickets with `ticket.resolved`, with Wilson's interval; per
//! ticket, not per reopening. Solved ones of which nobody knows the reopenings are left out. Columns `m`,
//! `m_numerator`, `m_n`, `m_low`, `m_high`; null for none. Needs `ticket.resolved` and `ticket.reopens`.

use crate::ir::typing::build;
use crate::ir::{Expr, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "reopen_rate",
    source: include_str!("reopen_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Lower,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("reopen_rate", node, decoder, ReopenRate),
    plain: |_| Some(Box::new(ReopenRate)),
};

#[derive(Debug)]
struct ReopenRate;

impl Metric for ReopenRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (resolved, reopens) = (lowering.mark(Mark::Resolved), lowering.mark(Mark::Reopens));
        let (resolved, reopens) = (resolved?, reopens?);
        let solved = build::is_null(resolved).and_then(build::not);
        let known = build::is_null(reopens.clone()).and_then(build::not);
        let (solved, known) = (lowering.typed(solved)?, lowering.typed(known)?);
        let among = lowering.typed(build::and(solved, known))?;
        let again = lowering.typed(build::ge(reopens, Expr::float(1.0)))?;
        let among = lowering.with_condition(among)?;
        lowering.share_of_rows(again, among)
    }
}
