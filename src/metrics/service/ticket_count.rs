//! # ticket_count
//!
//! Tickets that were opened.
//!
//! What it does: counts the tickets of the cell.
//!
//! When to use it: the load of a support team; by topic with a column as a dimension.
//!
//! Example: `metrics: [ticket_count]`
//!
//! Formula: number of rows. Column `m`; 0 for none.

use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "ticket_count",
    source: include_str!("ticket_count.rs"),
    built_in: true,
    unit: "count",
    direction: Direction::Neither,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("ticket_count", node, decoder, TicketCount),
    plain: |_| Some(Box::new(TicketCount)),
};

#[derive(Debug)]
struct TicketCount;

impl Metric for TicketCount {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let count = Measure::filtered(MeasureFunc::CountRows, lowering.condition());
        let count = lowering.measure(&Level::Rows, "count", count);
        lowering.plain(count, Unit::Count)
    }
}
