//! # response_rate
//!
//! The share of surveys that were answered.
//!
//! What it does: divides the invitations with an answer by all that were sent in the cell.
//!
//! When to use it: before any score is believed. Those of the last days have had little time to be answered.
//!
//! Example: `metrics: [response_rate]`
//!
//! Formula: rows with a `survey.score` / rows, both in the cell of `survey.sent`, with Wilson's interval. An
//! answer at or after `as_of` is not seen. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for no
//! invitations. Needs `survey.score` and `survey.sent`. Rows of all questions count; a `where` narrows them.

use crate::ir::typing::build;
use crate::ir::{Expr, Mark, Measure, MeasureFunc};
use crate::metrics::{Dated, Direction, Level, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "response_rate",
    source: include_str!("response_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("response_rate", node, decoder, ResponseRate),
    plain: |_| Some(Box::new(ResponseRate)),
};

#[derive(Debug)]
struct ResponseRate;

impl Metric for ResponseRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (level, answered) = invitations(lowering)?;
        let answered = Measure::filtered(MeasureFunc::CountRows, Some(answered));
        let answered = lowering.measure(&level, "numerator", answered);
        let n = lowering.measure(&level, "n", Measure::of(MeasureFunc::CountRows));
        lowering.share(answered, n)
    }
}

/// The invitations in the cells of the times they were sent, and which were answered; missing roles are noted.
pub(super) fn invitations(lowering: &mut Lowering) -> Option<(Level, Expr)> {
    let (score, sent) = (lowering.mark(Mark::Score), lowering.mark(Mark::Sent));
    let (score, time) = (score?, sent?);
    let answered = lowering.typed(build::is_null(score).and_then(build::not))?;
    let condition = lowering.condition();
    Some((Level::Dated(Box::new(Dated { time, condition })), answered))
}
