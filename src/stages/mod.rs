//! Stages: what a pipeline can do with a table.
//!
//! Every stage is one file, whose doc comment is its manual page, and one line in [`registry`]. It
//! reads its options, and plans relations for an engine it has never heard of.
//!
//! **Invariants**
//! - A stage asks for roles, not for column names, and reports what its input lacks.
//! - Main tables hold one grain and add up; totals, averages and cuts are companions.
//! - What a report shows of a stage is declared as plain [`View`]s; drawing is somebody else's.

mod cells;
mod context;
mod dimension;
mod draws;
mod entries;
mod following;
mod measured;
mod metric_views;
mod parts;
mod purchases;
mod registry;
mod spans;
mod suppression;
mod view;

pub mod check;
pub mod clv;
pub mod cohort_retention;
pub mod customer_summary;
pub mod deduplicate;
pub mod derive;
pub mod filter;
mod grouped;
pub mod growth;
pub mod join;
pub mod journey;
pub mod project_retention;
pub mod rfm;
pub mod sample;
pub mod segment_metrics;
pub mod select;
pub mod survival;
pub mod trend;
pub mod union;

pub use context::{SegmentTable, Segments, Since, StageContext};
pub use dimension::{Dimension, DimensionSpec};
pub use registry::{Companion, Output, Stage, StageKind, find, names_its_tables, registry, weighs};
pub use suppression::held;
pub use view::View;
