//! `tenure`: a batch engine for customer analytics.
//!
//! One binary reads Parquet, follows a YAML pipeline, and writes per-segment metrics, cohort retention
//! and customer summaries as Parquet, with a report a person can read.
//!
//! The rooms, in reading order. Each uses only rooms listed before it; `engine` and the rooms above it
//! never meet but through `ir`.
//!
//! ```
//! // An expression is typed before any data is read.
//! use tenure::frame::{DataType, Field, Schema};
//! let schema = Schema::new(vec![Field::new("amount", DataType::money(2))]);
//! let expr = tenure::ir::parse::from_text("amount >= 100", &schema).expect("it is an expression");
//! assert_eq!(expr.to_string(), "(amount >= 100.00)");
//! ```

pub mod diagnostic;
pub mod document;
pub mod stats;
pub mod frame;
pub mod ir;
pub mod metrics;
pub mod checks;
pub mod models;
pub mod stages;
pub mod spec;
pub mod plan;
pub mod engine;
pub mod report;
pub mod run;
pub mod draft;
pub mod generate;
pub mod cli;
