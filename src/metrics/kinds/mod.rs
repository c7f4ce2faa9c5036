//! The kinds of measures that users' metrics are made of.
//!
//! **Invariants**
//! - A kind works on the rows of its input; it knows no role.
//! - Rows where the argument is null are outside n.

pub mod balance;
pub mod count;
pub mod count_distinct;
pub mod max;
pub mod mean;
pub mod min;
pub mod quantile;
pub mod ratio;
pub mod share;
pub mod sum;

use super::Lowering;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Decode, Expression, Field, Node, NodeKind, Options, Setting, schema};
use crate::frame::DataType;
use crate::ir::Expr;

/// The manual's line for a kind that takes one value.
fn main_argument<T: Decode>(expects: &str) -> Vec<Field> {
    vec![Field { expects: expects.into(), ..Field::body::<T>("What is measured.") }]
}

/// The manual's lines for a kind that takes one value, or a map that has it under a key with others beside it.
fn alone_or_keys<M: Decode + Options>(expects: &str) -> Vec<Field> {
    let body = Field {
        expects: format!("{expects}, or a map with the keys below"),
        json_schema: schema::any_of([Expression::json_schema(), M::json_schema()]),
        ..Field::body::<Expression>("What is measured.")
    };
    std::iter::once(body).chain(M::fields()).collect()
}

/// Whether such a kind is written as a map.
fn has_keys(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Map(_))
}

/// Notes a scale on which nothing is told.
fn scale(scale: &Setting<f64>, lowering: &mut Lowering) -> Option<()> {
    if scale.value > 0.0 {
        return Some(());
    }
    let message = format!("`scale` is more than 0, not {}", scale.value);
    let help = "it is what a ratio is told per, such as `100`, or a balance if all count for";
    let place = scale.place(lowering.place());
    lowering.diagnostics.push(Diagnostic::at(Code::InvalidValue, place, message).help(help));
    None
}

/// Anything but a duration, which has no place in a table of numbers with units and is noted.
fn comparable(value: Expr, lowering: &mut Lowering) -> Option<Expr> {
    if value.data_type == DataType::Duration {
        return number(value, lowering);
    }
    Some(value)
}

/// A number; anything else is noted.
fn number(value: Expr, lowering: &mut Lowering) -> Option<Expr> {
    if value.data_type.is_numeric() {
        return Some(value);
    }
    let mut message = format!("this metric needs numbers, not a {}", value.data_type);
    if value.data_type == DataType::Duration {
        message.push_str("; `elapsed('hour', from, to)` is one");
    }
    lowering.report(Code::TypeMismatch, message);
    None
}
