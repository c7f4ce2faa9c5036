//! A document as a tree in which every value knows its place, and the decoder that reads typed
//! values out of it.
//!
//! Deserialising with `serde` stops at the first mistake; a person who wrote five wants to hear of
//! five. So YAML becomes a plain tree first ([`Node`]), and [`Decode`] reads it, noting each mistake
//! in one list and going on. Whatever a stage or metric takes as options is declared once with
//! [`options!`](crate::options), which yields the struct, its decoder, its
//! documentation and its JSON Schema.
//!
//! **Invariants**
//! - A decoder never panics and never stops at the first mistake.
//! - A key that nobody asked for is an error with the nearest key that exists; `x-…` keys are free.
//! - Nothing here knows what a pipeline is; values are scalars, lists and maps.

mod collection;
mod decode;
mod options;
mod portion;
pub mod quote;
mod reference;
mod scalar;
pub mod schema;
mod tree;
mod yaml;

pub use collection::{Entries, Several};
pub use decode::{Decode, Decoder, MapReader, Setting, is_name};
pub use options::{Field, FieldPlace, Options, manual_of, summary_of};
pub use portion::Portion;
pub use reference::{ColumnOf, Columns, Scalar};
pub use scalar::{
    DAY_MICROS, Expression, Instant, Interval, Path, PeriodUnit, Rate, Share, TimeUnit, binary,
    parse_instant,
};
pub use tree::{Node, NodeKind};
pub use yaml::parse;
