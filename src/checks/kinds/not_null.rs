//! # not_null
//!
//! Columns in which every row has a value.
//!
//! What it does: fails for each row in which one of the columns is null.
//!
//! When to use it: before a column is grouped by, joined on or summed, where a null would quietly be a
//! group of its own or add nothing.
//!
//! Example:
//!
//! ```yaml
//! amounts: {from: orders, not_null: amount}
//! whole: {from: orders, not_null: [order_id, customer_id]}
//! ```
//!
//! Rules: a row with several nulls fails once. An empty text and a 0 are values.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::document::{Columns, Decode, Decoder, Node};
use crate::ir::Expr;
use crate::ir::typing::build;

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "not_null",
    source: include_str!("not_null.rs"),
    row_level: true,
    fields: || super::main_argument::<Columns>(&Columns::expects()),
    decode,
};

#[derive(Debug)]
struct NotNull(Columns);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(NotNull(Columns::decode(node, decoder)?)))
}

impl Check for NotNull {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let columns: Vec<Option<Expr>> = self.0.0.iter().map(|name| cx.column(name)).collect();
        let columns: Vec<Expr> = columns.into_iter().collect::<Option<_>>()?;
        let mut fails: Option<Expr> = None;
        for column in columns {
            let null = cx.typed(build::is_null(column))?;
            fails = Some(match fails {
                None => null,
                Some(so_far) => cx.typed(build::or(so_far, null))?,
            });
        }
        let names: Vec<String> = self.0.0.iter().map(|name| format!("`{}`", name.value)).collect();
        let rule = format!("rows have a value in {}", names.join(" and "));
        Some(Tested { rule, test: Test::Rows { rel: cx.table.rel.clone(), fails: fails? } })
    }

    fn written(&self) -> String {
        self.0.show()
    }
}
