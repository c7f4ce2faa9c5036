//! # late_payment_rate
//!
//! The share of invoices that were not paid in time.
//!
//! What it does: divides the invoices that were paid after they were due, or are open and overdue, by all that
//! were due.
//!
//! When to use it: whether customers pay, by segment and month.
//!
//! Example: `metrics: [late_payment_rate]`
//!
//! Formula: invoices with `invoice.paid` > `invoice.due`, or unpaid with `invoice.due` before `as_of` / invoices
//! with `invoice.due` before `as_of`, with Wilson's interval. Columns `m`, `m_numerator`, `m_n`, `m_low`,
//! `m_high`; null for none. Needs `invoice.due` and `invoice.paid`, the day of the full payment.

use crate::ir::Expr;
use crate::ir::typing::build;
use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "late_payment_rate",
    source: include_str!("late_payment_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Lower,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("late_payment_rate", node, decoder, LatePaymentRate),
    plain: |_| Some(Box::new(LatePaymentRate)),
};

#[derive(Debug)]
struct LatePaymentRate;

impl Metric for LatePaymentRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let invoice = super::invoice(lowering)?;
        let after = lowering.typed(build::gt(invoice.paid, invoice.due))?;
        // One that is open is late: it was due.
        let late = lowering.typed(build::coalesce(after, Expr::bool(true)))?;
        lowering.share_of_rows(late, invoice.is_due)
    }
}
