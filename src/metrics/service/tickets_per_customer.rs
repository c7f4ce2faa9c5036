//! # tickets_per_customer
//!
//! Tickets of a customer who has one.
//!
//! What it does: divides the tickets of the cell by the customers who opened one in it.
//!
//! When to use it: whether the same customers come again and again.
//!
//! Example: `metrics: [tickets_per_customer]`
//!
//! Formula: tickets with a customer / distinct customers among them. Columns `m`, `m_numerator`,
//! `m_denominator`, and bounds with `interval: bootstrap`; null for no customers. Needs `customer`. Per
//! customer who is active at all it is a `ratio` of metrics of two sources.

use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "tickets_per_customer",
    source: include_str!("tickets_per_customer.rs"),
    built_in: true,
    unit: "ratio",
    direction: Direction::Lower,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("tickets_per_customer", node, decoder, TicketsPerCustomer),
    plain: |_| Some(Box::new(TicketsPerCustomer)),
};

#[derive(Debug)]
struct TicketsPerCustomer;

impl Metric for TicketsPerCustomer {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let Some(customer) = lowering.subject.roles.customer.clone() else {
            lowering.lacks("customer", "customer: COLUMN");
            return None;
        };
        let over = |func| Measure::filtered(func, lowering.condition());
        let tickets = over(MeasureFunc::Count(customer.value.clone()));
        let customers = over(MeasureFunc::CountDistinct(customer.value));
        let tickets = lowering.measure(&Level::Rows, "numerator", tickets);
        let customers = lowering.measure(&Level::Rows, "denominator", customers);
        lowering.ratio((tickets, Unit::Count), (customers, Unit::Count), Unit::None)
    }
}
