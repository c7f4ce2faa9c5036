//! The local engine: fold early, then small frames.
//!
//! Parquet row groups are decoded in parallel into morsels; chains of filters, projections and
//! look-ups run over each morsel; folds take them in and keep only their state. What is left are
//! small frames, finished by the same interpreter, with Polars for joins and orders.
//!
//! **Invariants**
//! - A table is never held, only the states of its folds: a customer's days or periods, a group's
//!   distinct values, for quantiles its values. The exception is a chain that is itself a result.
//! - Every fold's `merge` is associative and commutative, so no thread count shows in a result.
//! - A file's fault names the file, the row group and, where known, the column.

mod cast;
mod chain;
mod contract;
mod convert;
mod csv;
mod decode;
mod engine;
mod epochs;
mod evaluate;
mod file;
mod fold;
mod foresee;
mod frames;
mod fuse;
mod guard;
mod index;
mod intern;
mod jobs;
mod kernel;
mod lazy;
mod legs;
mod memory;
mod normal;
mod page;
mod passes;
mod path;
mod people;
mod polars;
mod prune;
mod sample;
mod statistics;
mod temporal;

pub use convert::fault_of_text;
pub use engine::{Counts, Local, LocalSource};
pub use evaluate::Program;
pub use file::{InputColumn, InputFile};
pub use fold::{AggregateFold, Fold, Morsel, ScanFacts};
pub use foresee::{Consumer, ConsumerKind, PlannedPass, foresee, least_memory};
pub use memory::MemoryLimit;
pub use sample::Sample;
