//! # customer_count
//!
//! Customers with a sold order.
//!
//! What it does: counts the distinct customers of the sold orders.
//!
//! When to use it: how many people bought. It does not add up over cells: one customer may buy in several.
//!
//! Example: `metrics: [customer_count]`
//!
//! Formula: |{customer}| over sold orders; exact. Of nothing: 0. Needs `customer`.

use crate::document::{Decoder, Node};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "customer_count",
    source: include_str!("customer_count.rs"),
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
    decoder.map(node, "`customer_count`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let customer = lowering.customer(&orders)?;
        let count = MeasureFunc::CountDistinct(customer);
        let count = Measure::filtered(count, orders.filter.clone());
        let count = lowering.measure(&orders.level, "value", count);
        lowering.plain(count, Unit::Count)
    }
}
