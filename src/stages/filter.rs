//! # filter
//!
//! The rows for which a condition is true.
//!
//! What it does: keeps the rows where `where` is true; rows where it is false or null are left out. Roles
//! are handed on.
//!
//! When to use it: to name a part of a table that several stages read. For one stage, its own `where:`
//! does the same.
//!
//! Example:
//!
//! ```yaml
//! paid:
//!   from: orders
//!   filter: {where: amount > 0}
//! ```
//!
//! Columns: those of the input. Published only with `publish: true`, then sorted by customer, time, key
//! and all columns.

use super::context::StageContext;
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options};
use crate::ir::relation;

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "filter",
    source: include_str!("filter.rs"),
    row_level: true,
    companions: &[],
    fields,
    decode,
};

crate::options! {
    /// Which rows stay.
    struct Filter("`filter`") {
        /// The condition.
        r#where: Expression,
    }
}

fn fields() -> Vec<Field> {
    Filter::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Filter::decode(node, decoder)?))
}

impl Stage for Filter {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let table = cx.input()?;
        // Without its condition the table has the same columns, so that what reads it is looked at.
        let rel = match cx.parse_condition(&self.r#where.value, &table) {
            Some(condition) => cx.typed(relation::filter(&table.rel, condition))?,
            None => table.rel.clone(),
        };
        let (grain, views) = (Vec::new(), vec![View::Rows]);
        Some(vec![Output { suffix: None, rel, grain, roles: table.roles, views }])
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}
