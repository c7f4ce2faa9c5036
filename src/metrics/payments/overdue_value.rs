//! # overdue_value
//!
//! Money of invoices that are open and overdue.
//!
//! What it does: adds up the value of the invoices that are unpaid at `as_of` and were due before.
//!
//! When to use it: what has to be collected.
//!
//! Example: `metrics: [overdue_value]`
//!
//! Formula: Σ value over invoices without `invoice.paid` and with `invoice.due` before `as_of`. Column `m`; 0 for
//! none. Needs `value`, `invoice.due` and `invoice.paid`.

use crate::ir::typing::build;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "overdue_value",
    source: include_str!("overdue_value.rs"),
    built_in: true,
    unit: "money",
    direction: Direction::Lower,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("overdue_value", node, decoder, OverdueValue),
    plain: |_| Some(Box::new(OverdueValue)),
};

#[derive(Debug)]
struct OverdueValue;

impl Metric for OverdueValue {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let invoice = super::invoice(lowering);
        let Some(value) = lowering.subject.roles.value.clone() else {
            lowering.lacks("value", "value: COLUMN");
            return None;
        };
        let invoice = invoice?;
        let open = lowering.typed(build::is_null(invoice.paid))?;
        let open = lowering.typed(build::and(open, invoice.is_due))?;
        let sum = Measure::filtered(MeasureFunc::Sum(value.expr), Some(open));
        let sum = lowering.measure(&Level::Rows, "sum", sum);
        let unit = lowering.money();
        lowering.plain(sum, unit)
    }
}
