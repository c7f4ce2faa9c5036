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
use crate::diagnostic::Code;
use crate::document::{Decode, Field};
use crate::frame::{DataType, Unit};
use crate::ir::Expr;

/// The manual's line for a kind that takes one value.
fn main_argument<T: Decode>(expects: &str) -> Vec<Field> {
    vec![Field { expects: expects.into(), ..Field::body::<T>("What is measured.") }]
}

/// The unit of an expression: that of its column, or money if it is the input's value.
fn unit_of_value(value: &Expr, lowering: &Lowering) -> Unit {
    let subject = lowering.subject;
    if subject.roles.value.as_ref().is_some_and(|money| money.expr == *value) {
        return lowering.money();
    }
    let column = value.as_column().and_then(|name| subject.schema.field(name));
    column.map_or(Unit::None, |field| field.unit.clone())
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
