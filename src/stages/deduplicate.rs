//! # deduplicate
//!
//! One row per key: the first or the last.
//!
//! What it does: of the rows that are equal in `keys` it keeps one, the first or the last by `order_by`.
//! Without `keys` whole rows are compared, so only exact repeats go. Roles are handed on.
//!
//! When to use it: for logs that were loaded twice, or that hold every version of a row.
//!
//! Example:
//!
//! ```yaml
//! latest:
//!   from: orders
//!   deduplicate: {keys: [order_id], keep: last, order_by: updated_at}
//! ```
//!
//! Columns: those of the input. Published only with `publish: true`.
//!
//! Rules: rows without a value in `order_by` come last in either direction, so one that has a value is
//! preferred. Rows that tie are told apart by all other columns, ascending, nulls last: the same rows
//! give the same row, whatever files they came in. Null is a key like any other.

use super::context::StageContext;
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options};
use crate::ir::relation::{self, Order, all_columns};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "deduplicate",
    source: include_str!("deduplicate.rs"),
    row_level: true,
    companions: &[],
    fields,
    decode,
};

crate::choice! {
    /// Which row of a key stays.
    pub enum Keep {
        First = "first",
        Last = "last",
    }
}

crate::options! {
    /// Which rows stay.
    struct Deduplicate("`deduplicate`") {
        /// What rows of one key have in common; absent: every column.
        keys: Vec<Expression> = Vec::new(),
        /// Which row of a key stays.
        keep: Keep = Keep::First,
        /// What first and last are by; absent: all columns from left to right.
        order_by: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Deduplicate::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Deduplicate::decode(node, decoder)?))
}

impl Stage for Deduplicate {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let table = cx.input()?;
        let keys: Vec<_> = self.keys.value.iter().map(|key| cx.parse(key, &table)).collect();
        let by = self.order_by.value.as_ref().map(|written| cx.parse(written, &table));
        let (keys, by) = (
            keys.into_iter().collect::<Option<Vec<_>>>(),
            by.map_or(Some(None), |by| by.map(Some)),
        );
        // Whatever is wrong here, the columns are those of the input, so what reads them is looked at.
        let rel = match (keys, by) {
            (Some(mut keys), Some(by)) => {
                if keys.is_empty() {
                    keys = all_columns(&table.rel).into_iter().map(|column| column.value).collect();
                }
                let descending = self.keep.value == Keep::Last;
                let mut order: Vec<Order> =
                    by.into_iter().map(|value| Order { value, descending }).collect();
                if order.is_empty() && descending {
                    let all = all_columns(&table.rel).into_iter();
                    order = all.map(|c| Order { value: c.value, descending }).collect();
                }
                cx.typed(relation::dedupe(&table.rel, keys, order))?
            }
            _ => table.rel.clone(),
        };
        let (grain, views) = (Vec::new(), vec![View::Rows]);
        Some(vec![Output { suffix: None, rel, grain, roles: table.roles, views }])
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}
