//! # derive
//!
//! New columns from expressions.
//!
//! What it does: adds a column for each entry, computed from the columns of the input; no entry sees
//! another. A name that the input has replaces that column, in its place, and must keep its type. Roles
//! are handed on.
//!
//! When to use it: to give a name to something that several stages read.
//!
//! Example:
//!
//! ```yaml
//! sized:
//!   from: orders
//!   derive: {basket: case when amount >= 50 then 'large' else 'small' end}
//! ```
//!
//! Columns: those of the input, then the new ones in order. Published only with `publish: true`.

use super::context::StageContext;
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Spanned};
use crate::document::{Decode, Decoder, Expression, Field, Node, NodeKind};
use crate::ir::{named, relation};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "derive",
    source: include_str!("derive.rs"),
    row_level: true,
    companions: &[],
    fields,
    decode,
};

/// New columns, in order.
#[derive(Debug)]
struct Derive(Vec<(Spanned<String>, Expression)>);

fn fields() -> Vec<Field> {
    vec![Field::each::<Expression>("a column", "What the column is; as many as wanted.")]
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    let NodeKind::Map(entries) = &node.kind else {
        decoder.wrong_type(node, "a map from new columns to expressions");
        return None;
    };
    let entries = entries.iter().filter(|(name, _)| !name.value.starts_with("x-"));
    let columns: Vec<Option<(Spanned<String>, Expression)>> = entries
        .map(|(name, node)| Some((name.clone(), Expression::decode(node, decoder)?)))
        .collect();
    let columns: Option<Vec<_>> = columns.into_iter().collect();
    Some(Box::new(Derive(columns?)))
}

impl Stage for Derive {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let table = cx.input()?;
        let mut columns = Vec::new();
        let mut wrong = Vec::new();
        for (name, written) in &self.0 {
            let Some(expr) = cx.parse(written, &table) else {
                wrong.push(name.value.clone());
                continue;
            };
            match table.rel.schema.field(&name.value) {
                Some(field) if field.data_type != expr.data_type => {
                    cx.report(
                        Code::TypeMismatch,
                        Some(name.span),
                        format!(
                            "`{}` is a {} in `{}` and would become a {}",
                            name.value, field.data_type, table.name, expr.data_type
                        ),
                    );
                    wrong.push(name.value.clone());
                }
                _ => columns.push(named(&name.value, expr)),
            }
        }
        let mut rel = cx.typed(relation::extend(&table.rel, columns))?;
        if !wrong.is_empty() {
            // What reads the table is looked at all the same, but not what it says of these columns.
            rel = cx.typed(relation::with_flaws(&rel, &wrong))?;
        }
        let (grain, views) = (Vec::new(), vec![View::Rows]);
        Some(vec![Output { suffix: None, rel, grain, roles: table.roles, views }])
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        self.0.iter().map(|(name, e)| (name.value.clone(), e.text.clone(), false)).collect()
    }
}
