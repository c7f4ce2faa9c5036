//! Metrics of invoices: who pays late, and how late.
//!
//! **Invariants**
//! - An invoice that is not due by `as_of` is in neither part of any of them.

pub mod days_overdue;
pub mod late_payment_rate;
pub mod overdue_value;

use crate::ir::typing::build;
use crate::ir::{Expr, Mark};
use crate::metrics::Lowering;

/// An invoice: when it was due, when it was paid, and whether it was due by `as_of`.
struct Invoice {
    due: Expr,
    paid: Expr,
    is_due: Expr,
}

/// The roles of an invoice; missing ones are noted.
fn invoice(lowering: &mut Lowering) -> Option<Invoice> {
    let (due, paid) = (lowering.mark(Mark::Due), lowering.mark(Mark::Paid));
    let (due, paid) = (due?, paid?);
    let end = lowering.as_of();
    let is_due = lowering.typed(build::lt(due.clone(), end))?;
    let is_due = lowering.with_condition(is_due)?;
    Some(Invoice { due, paid, is_due })
}
