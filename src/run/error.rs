//! Why a run failed, and what the process says of it.

use std::path::PathBuf;

use super::checks::FailedCheck;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::binary;
use crate::engine::{EngineError, EvaluateError};

/// What the process exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Everything was done.
    Done = 0,
    /// A stage failed: a value has no result, such as a cast of a bad text. Of `diff`: the runs differ.
    StageFailed = 1,
    /// The command line or the pipeline is wrong; nothing was run.
    Pipeline = 2,
    /// A check of severity `error` failed; nothing was published.
    CheckFailed = 3,
    /// The input is unreadable, corrupt or against its contract.
    Input = 4,
    /// The input has no rows.
    NoRows = 5,
    /// The output cannot be written.
    Output = 6,
    /// A table would be too large, or the limit of memory or time is too little.
    Limit = 7,
    /// Another run is writing to the same place; later it may work.
    Locked = 8,
    /// A bug of this program.
    Bug = 70,
    /// Interrupted from the keyboard (SIGINT).
    Interrupted = 130,
    /// Asked to end (SIGTERM).
    Terminated = 143,
}

impl ExitStatus {
    /// Every status, with the sentence that explains it.
    pub const ALL: &'static [(ExitStatus, &'static str)] = &[
        (ExitStatus::Done, "done"),
        (ExitStatus::StageFailed, "a stage failed: a value has no result"),
        (ExitStatus::Pipeline, "the command line or the pipeline is wrong; nothing was run"),
        (ExitStatus::CheckFailed, "a check failed; nothing was published"),
        (ExitStatus::Input, "the input is unreadable, corrupt or against its contract"),
        (ExitStatus::NoRows, "the input has no rows"),
        (ExitStatus::Output, "the output cannot be written"),
        (
            ExitStatus::Limit,
            "a limit: of memory, of time, or of rows, mostly by the work of one wrong date",
        ),
        (ExitStatus::Locked, "locked by another run; try again later"),
        (ExitStatus::Bug, "a bug of this program"),
        (ExitStatus::Interrupted, "interrupted (SIGINT)"),
        (ExitStatus::Terminated, "terminated (SIGTERM)"),
    ];

    /// The number the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// What in the pipeline a fault is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// In words, with its place: `the stage `growth` (shop.yaml:12:3)`.
    pub what: String,
    pub kind: SiteKind,
}

/// What kind of thing that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKind {
    /// A stage that joins another table.
    Join,
    /// Any other stage.
    Stage,
    Segment,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The document or the contract of a source should change.
    #[error("{} in the pipeline", problems(.0))]
    Diagnostics(Vec<Diagnostic>),
    /// The pipeline itself cannot be read.
    #[error("cannot read {path}: {reason}", path = .path.display())]
    Pipeline { path: PathBuf, reason: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The same, of something that has a place in the pipeline.
    #[error("{what}: {error}", what = .site.what)]
    At { site: Site, error: Box<EngineError> },
    /// A source's files have no rows.
    #[error("source `{source_name}` has no rows in {files} file(s)")]
    NoRows { source_name: String, files: usize },
    /// The output cannot be written.
    #[error("cannot write {path}: {reason}", path = .path.display())]
    Output { path: PathBuf, reason: String, help: Option<String> },
    /// Another run writes to the same directory.
    #[error("{path} is locked by another run{who}", path = .path.display(), who = who(.holder))]
    Locked { path: PathBuf, holder: String },
    /// Checks of severity `error` did not hold; with them those that others break without harm.
    #[error("{}; nothing was published", failed_checks(.0))]
    Checks(Vec<FailedCheck>),
    /// A signal ended the run.
    #[error("stopped by a signal; nothing was published")]
    Signal(ExitStatus),
    /// It took longer than it may.
    #[error("stopped after {limit}, which is the longest it may take; nothing was published")]
    Timeout { limit: String },
}

fn who(holder: &str) -> String {
    if holder.is_empty() { String::new() } else { format!(": {holder}") }
}

fn failed_checks(broken: &[FailedCheck]) -> String {
    let stopping = broken.iter().filter(|check| check.outcome.stops());
    let names: Vec<String> = stopping.map(|check| format!("`{}`", check.outcome.name)).collect();
    let checks = if names.len() == 1 { "check" } else { "checks" };
    format!("{checks} {} failed", names.join(", "))
}

fn problems(list: &[Diagnostic]) -> String {
    let errors = list.iter().filter(|d| d.severity == Severity::Error).count();
    match errors {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    }
}

impl RunError {
    /// What to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Output { help, .. } => help.clone(),
            RunError::Locked { .. } => Some(
                "run again when it has ended, or choose another `outputs: {directory: …}`".into(),
            ),
            RunError::NoRows { .. } => Some(
                "look at the path; a job that may find nothing should test for exit status 5"
                    .into(),
            ),
            RunError::At { error, site } => match (&**error, site.kind) {
                (EngineError::NotUnique { .. }, SiteKind::Join) => Some(
                    "`many: true` gives a row for each match; `deduplicate: {keys: […]}` before it leaves one \
                     of them"
                        .into(),
                ),
                (EngineError::NotUnique { .. }, SiteKind::Segment) => Some(
                    "`membership: first` or `latest` takes one row of each customer, by the table's time; a \
                     column of the rows themselves is a dimension by its own name, such as `by: [country]`"
                        .into(),
                ),
                (error, _) => help_of(error),
            },
            RunError::Engine(error) => help_of(error),
            RunError::Timeout { .. } => {
                Some("give it longer in the pipeline: `limits: {timeout: …}`".into())
            }
            _ => None,
        }
    }
}

/// What to do about a fault of the engine.
fn help_of(error: &EngineError) -> Option<String> {
    match error {
            EngineError::Contract(breach) => Some(format!(
                "mend the rows, change what the source's `columns` and roles ask of them, or set them aside: \
                 `bad_rows: {{action: quarantine, tolerate: {}%}}`",
                enough(breach.rejected.bad, breach.rejected.rows)
            )),
            EngineError::Unreadable { .. } => {
                Some("write the file again; the previous output is untouched".into())
            }
            EngineError::NotUnique { .. } => Some(
                "a table of customers has one row for each: `deduplicate: {keys: […]}` makes it so; a column \
                 of the rows themselves is a dimension by its own name, such as `by: [country]`"
                    .into(),
            ),
            EngineError::Memory { needed, .. } => Some(format!(
                "give it `--memory-limit {}`, or say so in the pipeline: `limits: {{memory: …}}`",
                binary(*needed)
            )),
            EngineError::Spill { .. } => Some(
                "name another folder with room: `--spill <FOLDER>`, or `limits: {spill: …}`".into(),
            ),
            EngineError::TooManyCells(_) => Some(
                "is the first or the last date wrong? the source's contract can refuse it, \
                 `columns: {TIME: {min: 1990-01-01, max: 2030-12-31}}`, and `bad_rows` sets such rows \
                 aside; otherwise take a coarser unit, or for cohorts a `max_age`"
                    .into(),
            ),
            EngineError::Evaluate(EvaluateError::Cast { .. })
            | EngineError::EvaluateAt { error: EvaluateError::Cast { .. }, .. } => Some("`try_cast` gives null where a value cannot be cast".into()),
            _ => None,
    }
}

/// The least whole percentage that bears so many bad rows.
fn enough(bad: u64, rows: u64) -> u64 {
    (bad.saturating_mul(100)).div_ceil(rows.max(1)).max(1)
}

/// The exit status of a failure.
pub fn exit_status_of(error: &RunError) -> ExitStatus {
    match error {
        RunError::Diagnostics(list) => {
            let input = |code| matches!(code, Code::InputNotFound | Code::SchemaMismatch);
            let mut errors = list.iter().filter(|d| d.severity == Severity::Error);
            if errors.all(|d| input(d.code)) { ExitStatus::Input } else { ExitStatus::Pipeline }
        }
        RunError::Pipeline { .. } => ExitStatus::Pipeline,
        RunError::Engine(error) => status_of(error),
        RunError::At { error, .. } => status_of(error),
        RunError::NoRows { .. } => ExitStatus::NoRows,
        RunError::Output { .. } => ExitStatus::Output,
        RunError::Locked { .. } => ExitStatus::Locked,
        RunError::Checks(_) => ExitStatus::CheckFailed,
        RunError::Signal(status) => *status,
        RunError::Timeout { .. } => ExitStatus::Limit,
    }
}

fn status_of(error: &EngineError) -> ExitStatus {
    match error {
        EngineError::Unreadable { .. }
        | EngineError::Contract(_)
        | EngineError::NotUnique { .. } => ExitStatus::Input,
        EngineError::Evaluate(_)
        | EngineError::EvaluateAt { .. }
        | EngineError::Frame(_)
        | EngineError::Apply(_) => ExitStatus::StageFailed,
        EngineError::TooManyCells(_) | EngineError::Memory { .. } => ExitStatus::Limit,
        EngineError::Spill { .. } => ExitStatus::Output,
        EngineError::Interrupted => ExitStatus::Interrupted,
        EngineError::Internal(_) => ExitStatus::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_status() {
        let of = |error: RunError| exit_status_of(&error).code();
        assert_eq!(of(RunError::Engine(EngineError::Internal("x".into()))), 70);
        assert_eq!(of(RunError::NoRows { source_name: "orders".into(), files: 1 }), 5);
        let not_found = Diagnostic::new(Code::InputNotFound, "x");
        let unknown = Diagnostic::new(Code::UnknownColumn, "x");
        assert_eq!(of(RunError::Checks(Vec::new())), 3);
        assert_eq!(of(RunError::Diagnostics(vec![not_found.clone()])), 4);
        assert_eq!(of(RunError::Diagnostics(vec![not_found, unknown])), 2);
        let mut codes: Vec<u8> = ExitStatus::ALL.iter().map(|(status, _)| status.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 70, 130, 143]);
    }
}
