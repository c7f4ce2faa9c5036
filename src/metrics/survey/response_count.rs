//! # response_count
//!
//! Surveys that were answered, of those sent in the cell.
//!
//! What it does: counts the invitations of the cell with an answer by `as_of`, whenever it came.
//!
//! When to use it: beside `response_rate`, of which it is the numerator.
//!
//! Example: `metrics: [response_count]`
//!
//! Formula: rows with a `survey.score`, in the cell of `survey.sent`. Column `m`; 0 for none. Needs
//! `survey.score` and `survey.sent`. Rows of all questions count; a `where` narrows them.

use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "response_count",
    source: include_str!("response_count.rs"),
    built_in: true,
    unit: "count",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("response_count", node, decoder, ResponseCount),
    plain: |_| Some(Box::new(ResponseCount)),
};

#[derive(Debug)]
struct ResponseCount;

impl Metric for ResponseCount {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (level, answered) = super::response_rate::invitations(lowering)?;
        let count = Measure::filtered(MeasureFunc::CountRows, Some(answered));
        let count = lowering.measure(&level, "count", count);
        lowering.plain(count, Unit::Count)
    }
}
