//! # units
//!
//! Things sold.
//!
//! What it does: sums the role `order.quantity` over sold rows.
//!
//! When to use it: how many items, seats or nights were sold.
//!
//! Example: `metrics: [units]`
//!
//! Formula: Σ quantity over sold rows. Of nothing: 0. Needs `order: {quantity: …}`.

use crate::document::{Decoder, Node};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "units",
    source: include_str!("units.rs"),
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
    decoder.map(node, "`units`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let quantity = lowering.quantity(&orders)?;
        let sum = Measure::filtered(MeasureFunc::Sum(quantity), orders.filter.clone());
        let sum = lowering.measure(&orders.level, "value", sum);
        lowering.plain(sum, Unit::Count)
    }
}
