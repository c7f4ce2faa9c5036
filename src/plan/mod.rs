//! From a pipeline as written to a plan that is known to make sense.
//!
//! Names are resolved, the graph is built and ordered, every expression is typed against the columns
//! that the sources have. What comes out is a [`Plan`]: typed, explainable, hashable. No data is read.
//!
//! **Invariants**
//! - All mistakes are gathered in one pass; a stage that cannot be planned hides its mistakes from
//!   nobody but those that read it.
//! - No engine: what the files hold is handed in as [`InputSchema`]s.
//! - Nothing downstream of here meets an unknown name.

mod alerts;
mod checks;
mod clauses;
mod graph;
mod inputs;
mod latest;
mod pipeline;
mod privacy;
mod schema;
mod segments;
mod spans;
mod subjects;
mod tables;
mod unite;

pub use alerts::{PlannedAlert, alerts_schema};
pub use checks::PlannedCheck;
pub use inputs::{FileColumn, FileSchema, InputSchema};
pub use latest::{LastEvent, last_events};
pub use pipeline::{Plan, PlannedStage, PlannedTable, body, plan};
pub use schema::json_schema;
pub use unite::wanted_type as contract_type;
