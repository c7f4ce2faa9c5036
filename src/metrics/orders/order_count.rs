//! # order_count
//!
//! Sold orders.
//!
//! What it does: counts sold orders. Without an `order` block every row is one; with `order.id`, rows of
//! one customer and id are lines of one order.
//!
//! When to use it: how often people bought. It adds up over cells of time.
//!
//! Example: `metrics: [order_count]`
//!
//! Formula: the number of sold orders, those without an amount included. Of nothing: 0.

use crate::document::{Decoder, Node};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "order_count",
    source: include_str!("order_count.rs"),
    built_in: true,
    unit: "count",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode,
    plain: |_| Some(Box::new(This)),
};

#[derive(Debug)]
struct This;

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    decoder.map(node, "`order_count`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let count = Measure::filtered(MeasureFunc::CountRows, orders.filter.clone());
        let count = lowering.measure(&orders.level, "value", count);
        lowering.plain(count, Unit::Count)
    }
}
