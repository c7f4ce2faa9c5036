//! # average_order_value
//!
//! Revenue per order.
//!
//! What it does: divides `revenue` by `order_count`.
//!
//! When to use it: the size of a basket as accounts see it. For the typical basket take
//! `order_value_median`.
//!
//! Example: `metrics: [average_order_value]`
//!
//! Formula: revenue / order_count; orders without an amount count below. Columns `m`, `m_numerator`,
//! `m_denominator`; null for no orders. Needs `value`.

use crate::document::{Decoder, Node};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "average_order_value",
    source: include_str!("average_order_value.rs"),
    built_in: true,
    unit: "money, float64",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode,
    plain: |_| Some(Box::new(This)),
};

#[derive(Debug)]
struct This;

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    decoder.map(node, "`average_order_value`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let value = lowering.value(&orders)?;
        let unit = lowering.money();
        let revenue = Measure::filtered(MeasureFunc::Sum(value), orders.filter.clone());
        let revenue = lowering.measure(&orders.level, "numerator", revenue);
        let count = Measure::filtered(MeasureFunc::CountRows, orders.filter.clone());
        let count = lowering.measure(&orders.level, "denominator", count);
        lowering.ratio((revenue, unit.clone()), (count, Unit::Count), unit)
    }
}
