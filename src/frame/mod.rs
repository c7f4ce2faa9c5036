//! Columnar data in memory: Arrow arrays under a schema of our own.
//!
//! Arrow knows how bytes lie; a [`Schema`] adds what they mean: one of nine types, a unit, and the
//! columns that identify a row (the grain).
//!
//! **Invariants**
//! - A column's Arrow type is the one [`DataType::arrow`] names, or a dictionary of it in a morsel.
//! - There are no NaN and no infinities in a `float64` column.
//! - [`Value`]s have one total order, nulls last; every sort in the program uses it.

mod data_type;
mod table;
mod value;

pub use data_type::{DataType, Unit};
pub use table::{Field, Frame, FrameError, Schema};
pub(crate) use table::{column_of, value_at};
pub use value::{Value, draw_number, format_decimal, parse_decimal, pow10};
