//! The kinds of checks.
//!
//! **Invariants**
//! - A kind that judges rows one by one gives a condition, so that a stage can set those rows aside.
//! - A kind that judges a table as a whole tests one row: that of the figures it looked at.

pub mod accepted_values;
pub mod every_row;
pub mod freshness;
pub mod not_null;
pub mod range;
pub mod reconcile;
pub mod relationships;
pub mod row_count;
pub mod unique;

use crate::document::{Decode, Field};

/// The manual's line for a kind that takes one value.
fn main_argument<T: Decode>(expects: &str) -> Vec<Field> {
    vec![Field { expects: expects.into(), ..Field::body::<T>("What is looked at.") }]
}
