//! # every_row
//!
//! A condition that holds in every row.
//!
//! What it does: fails for each row in which the condition is false.
//!
//! When to use it: whatever an SQL expression over the columns can say: one amount against another, an
//! order of dates, an accuracy that a model must keep.
//!
//! Example:
//!
//! ```yaml
//! forecast_held: {from: value_fits, every_row: bias < 0.15, severity: warn}
//! ```
//!
//! Rules: a row in which the condition is null passes.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::document::{Decode, Decoder, Expression, Node};
use crate::ir::typing::build;

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "every_row",
    source: include_str!("every_row.rs"),
    row_level: true,
    fields: || super::main_argument::<Expression>("a condition"),
    decode,
};

#[derive(Debug)]
struct EveryRow(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(EveryRow(Expression::decode(node, decoder)?)))
}

impl Check for EveryRow {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let holds = cx.condition(&self.0)?;
        let fails = cx.typed(build::not(holds))?;
        let rule = format!("rows satisfy `{}`", self.0.text);
        Some(Tested { rule, test: Test::Rows { rel: cx.table.rel.clone(), fails } })
    }

    fn written(&self) -> String {
        self.0.show()
    }
}
