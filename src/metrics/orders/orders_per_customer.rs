//! # orders_per_customer
//!
//! Orders per customer.
//!
//! What it does: divides `order_count` by `customer_count`.
//!
//! When to use it: how often a customer of the cell bought in it.
//!
//! Example: `metrics: [orders_per_customer]`
//!
//! Formula: order_count / customer_count. Columns `m`, `m_numerator`, `m_denominator`; null for no
//! customers. Needs `customer`.

use crate::document::{Decoder, Node};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "orders_per_customer",
    source: include_str!("orders_per_customer.rs"),
    built_in: true,
    unit: "orders per customer, float64",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode,
    plain: |_| Some(Box::new(This)),
};

#[derive(Debug)]
struct This;

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    decoder.map(node, "`orders_per_customer`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let customer = lowering.customer(&orders)?;
        let count = Measure::filtered(MeasureFunc::CountRows, orders.filter.clone());
        let count = lowering.measure(&orders.level, "numerator", count);
        let customers = MeasureFunc::CountDistinct(customer);
        let customers = Measure::filtered(customers, orders.filter.clone());
        let customers = lowering.measure(&orders.level, "denominator", customers);
        lowering.ratio((count, Unit::Count), (customers, Unit::Count), Unit::None)
    }
}
