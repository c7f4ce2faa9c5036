//! Running a pipeline: read, check, run, publish, and keep a record of it.
//!
//! One code path, cut in three places: [`prepare`] is what `check` does, with [`explain`] on top what
//! `explain` does, and [`execute`] does it all.
//!
//! **Invariants**
//! - Nothing becomes visible before everything is written and synced; then one rename shows it all.
//! - A failed run leaves the previous output as it was, and a manifest that says why.
//! - The clock is read here for the run's id and its timings, which stand in the manifest only.

mod alerts;
mod checks;
mod diff;
mod error;
mod execute;
mod explain;
pub(crate) mod files;
mod holidays;
mod limits;
mod manifest;
mod partition;
mod prepare;
mod publish;
mod quality;
mod report;
mod show;
mod site;
mod views;
mod waterfall;
mod write;
mod written;

pub use alerts::{RaisedAlert, alerts_table};
pub use checks::FailedCheck;
pub use diff::{CellDiff, Change, ColumnDiff, DiffError, RunDiff, TableDiff, diff};
pub use error::{ExitStatus, RunError, Site, SiteKind, exit_status_of};
pub use execute::{Executed, execute, record_failure};
pub use explain::explain;
pub use limits::{AskedLimits, Limits, cores};
pub use manifest::manifest_schema;
pub use prepare::{Failure, Prepared, Request, prepare};
pub use show::{Shown, show, tables};
pub use written::{metric_as_yaml, metric_of_pipeline};
