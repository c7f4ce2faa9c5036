//! Checks: what must hold of a table before a run shows its tables.
//!
//! Every kind is one file, whose doc comment is its manual page, and one line in [`registry`]. A check
//! plans what it counts as relations, in the same language as a stage, so that it shares the passes
//! over the data; what the counts say is read off afterwards.
//!
//! **Invariants**
//! - Pure: a check reads no data and knows no engine.
//! - A check counts the rows that break it and can show them; it changes no table.
//! - Null is not wrong by itself: only `not_null` speaks of it.

mod context;
mod kinds;
mod outcome;
mod registry;
mod spec;

pub use context::{CheckContext, Test, Tested};
pub use outcome::{CheckOutcome, checks_schema, checks_table};
pub use registry::{Check, CheckKind, find, registry};
pub use spec::{CheckSpec, Place, Severity};
