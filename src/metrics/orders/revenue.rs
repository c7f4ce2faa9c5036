//! # revenue
//!
//! Money of sold orders.
//!
//! What it does: sums the role `value` over sold rows.
//!
//! When to use it: what a cell brought in. It adds up over cells.
//!
//! Example: `metrics: [revenue]`
//!
//! Formula: Σ value over sold rows, exact in minor units. An order without an amount adds nothing. Of
//! nothing: 0. Needs `value`.

use crate::document::{Decoder, Node};
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "revenue",
    source: include_str!("revenue.rs"),
    built_in: true,
    unit: "money",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode,
    plain: |_| Some(Box::new(This)),
};

#[derive(Debug)]
struct This;

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    decoder.map(node, "`revenue`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let value = lowering.value(&orders)?;
        let unit = lowering.money();
        let sum = Measure::filtered(MeasureFunc::Sum(value), orders.filter.clone());
        let sum = lowering.measure(&orders.level, "value", sum);
        lowering.plain(sum, unit)
    }
}
