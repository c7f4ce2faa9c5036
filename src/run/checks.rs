//! The checks of a run: what they found, and the rows that broke them.

use std::fs;
use std::path::Path;

use super::error::RunError;
use super::manifest::CheckRecord;
use super::prepare::Prepared;
use super::site::located;
use super::write::{self, Layout};
use crate::checks::{CheckOutcome, checks_table};
use crate::engine::{Engine, EngineError};
use crate::frame::Frame;
use crate::ir::RelRef;
use crate::plan::{Plan, PlannedCheck, PlannedTable};
use crate::report::{Cell, Column, Notice, Severity, Table, Unit as ReportUnit};

/// The folder of failing rows, in that of the run.
pub(super) const FOLDER: &str = "checks_rows";

/// How many failing rows of a check are kept.
const KEPT: usize = 1_000;

/// What a check found, and the first rows that broke it.
#[derive(Debug, Clone)]
pub struct FailedCheck {
    pub outcome: CheckOutcome,
    /// At most 1,000 rows, in the order in which the table is published.
    pub rows: Frame,
}

/// What the checks of a run found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub outcomes: Vec<CheckOutcome>,
    /// Those that some row broke, tolerated or not.
    pub broken: Vec<FailedCheck>,
}

/// What the run of the stages has to give besides their tables: the counts of every check, and the
/// failing rows where they cost no pass of their own.
pub(super) fn relations(plan: &Plan) -> Vec<RelRef> {
    let counts = plan.checks.iter().map(|check| check.counts.clone());
    let reduced = plan.checks.iter().filter(|check| check.reduced);
    counts.chain(reduced.map(|check| check.failing.clone())).collect()
}

/// Reads off what the frames of [`relations`] say. Failing rows of large tables are looked up now,
/// which costs a pass only where there are any.
pub(super) fn find(plan: &Plan, frames: &[Frame], engine: &dyn Engine) -> Result<Found, RunError> {
    let checks = &plan.checks;
    let (counts, reduced) = frames.split_at(checks.len().min(frames.len()));
    let outcomes: Vec<CheckOutcome> =
        checks.iter().zip(counts).map(|(check, counts)| check.outcome(counts)).collect();
    let failing = |reduced: bool| -> Vec<(&PlannedCheck, &CheckOutcome)> {
        let pairs = checks.iter().zip(&outcomes);
        pairs.filter(|(c, outcome)| c.reduced == reduced && outcome.failures > 0).collect()
    };
    let large = failing(false);
    let rels: Vec<RelRef> = large.iter().map(|(check, _)| check.failing.clone()).collect();
    let looked_up = if rels.is_empty() { Vec::new() } else { engine.run(&rels)? };
    let had = checks.iter().filter(|check| check.reduced).zip(reduced);
    let mut broken = Vec::new();
    for (check, outcome) in checks.iter().zip(&outcomes).filter(|(_, o)| o.failures > 0) {
        let mut pairs = had
            .clone()
            .map(|(c, frame)| (c.name.as_str(), frame))
            .chain(large.iter().map(|(c, _)| c.name.as_str()).zip(&looked_up));
        let Some((_, frame)) = pairs.find(|(name, _)| *name == check.name) else { continue };
        broken.push(FailedCheck { outcome: outcome.clone(), rows: first(frame) });
    }
    Ok(Found { outcomes, broken })
}

/// What to say of a run that failed at its data: that a check of a source failed, if one did, since it
/// comes first and may well be the reason.
pub(super) fn or_of_sources(
    prepared: &Prepared,
    error: EngineError,
    engine: &dyn Engine,
) -> RunError {
    let plan = &prepared.plan;
    let data = matches!(
        error,
        EngineError::NotUnique { .. }
            | EngineError::Evaluate(_)
            | EngineError::EvaluateAt { .. }
            | EngineError::Apply(_)
    );
    let of_source = |check: &&PlannedCheck| plan.sources.iter().any(|s| s.name == check.from);
    let checks: Vec<&PlannedCheck> = plan.checks.iter().filter(of_source).collect();
    if !data || checks.is_empty() {
        return located(error, prepared);
    }
    let rels: Vec<RelRef> = checks.iter().map(|check| check.counts.clone()).collect();
    // A source that cannot be read even for that is the error that is known.
    let Ok(counts) = engine.run(&rels) else { return located(error, prepared) };
    let outcomes = checks.iter().zip(&counts).map(|(check, counts)| check.outcome(counts));
    let failed: Vec<(&PlannedCheck, CheckOutcome)> =
        checks.iter().copied().zip(outcomes).filter(|(_, outcome)| outcome.stops()).collect();
    let rels: Vec<RelRef> = failed.iter().map(|(check, _)| check.failing.clone()).collect();
    match engine.run(&rels) {
        Ok(frames) if !failed.is_empty() => RunError::Checks(
            failed
                .into_iter()
                .zip(frames)
                .map(|((_, outcome), frame)| FailedCheck { outcome, rows: first(&frame) })
                .collect(),
        ),
        _ => located(error, prepared),
    }
}

/// The rows that are kept.
fn first(frame: &Frame) -> Frame {
    let batch = frame.batch.slice(0, frame.rows().min(KEPT));
    Frame { schema: frame.schema.clone(), batch }
}

impl Found {
    /// The table `checks`; none if the pipeline has no check.
    pub fn table(&self) -> Result<Option<(PlannedTable, Frame)>, RunError> {
        if self.outcomes.is_empty() {
            return Ok(None);
        }
        let frame = checks_table(&self.outcomes).map_err(EngineError::from)?;
        Ok(Some((PlannedTable::of_names("checks", &frame), frame)))
    }

    /// As the manifest has them.
    pub fn records(&self) -> Vec<CheckRecord> {
        self.outcomes.iter().map(record).collect()
    }
}

/// As the manifest has it.
pub(super) fn record(outcome: &CheckOutcome) -> CheckRecord {
    CheckRecord {
        name: outcome.name.clone(),
        from: outcome.from.clone(),
        kind: outcome.kind,
        severity: outcome.severity.word(),
        rows: outcome.rows,
        failures: outcome.failures,
        passed: outcome.passed,
        message: outcome.message.clone(),
        rows_file: (outcome.failures > 0).then(|| format!("{FOLDER}/{}.parquet", outcome.name)),
    }
}

/// What a report says before anything else: the checks that failed without stopping the run.
pub(super) fn notices(records: &[CheckRecord]) -> Vec<Notice> {
    let failed = records.iter().filter(|record| !record.passed);
    let notice = |record: &CheckRecord| Notice {
        severity: Severity::Warning,
        title: format!("Check {} of {} failed", record.name, record.from),
        text: record.message.clone(),
    };
    failed.map(notice).collect()
}

/// The checks as a table of the report; none without checks.
pub(super) fn panel(records: &[CheckRecord]) -> Option<Table> {
    if records.is_empty() {
        return None;
    }
    let count = |rows: u64| Cell::Integer(i64::try_from(rows).unwrap_or(i64::MAX));
    let row = |record: &CheckRecord| {
        vec![
            Cell::Text(record.name.clone()),
            Cell::Text(record.from.clone()),
            Cell::Text(record.severity.to_owned()),
            count(record.rows),
            count(record.failures),
            Cell::Boolean(record.passed),
            Cell::Text(record.message.clone()),
        ]
    };
    Some(Table {
        caption: "Checks".into(),
        columns: vec![
            Column::new("name", "Name", ReportUnit::None),
            Column::new("from", "From", ReportUnit::None),
            Column::new("severity", "Severity", ReportUnit::None),
            Column::new("rows", "Rows", ReportUnit::Count),
            Column::new("failures", "Failures", ReportUnit::Count),
            Column::new("passed", "Passed", ReportUnit::None),
            Column::new("message", "Message", ReportUnit::None),
        ],
        rows: records.iter().map(row).collect(),
        note: Some(format!("Rows that break a check are in `{FOLDER}/`, at most 1,000 of each.")),
        total_rows: None,
        last_rows: false,
    })
}

/// Writes failing rows beside the tables of a run, or beside the record of one that failed.
pub(super) fn write_rows(folder: &Path, broken: &[FailedCheck]) -> Result<(), RunError> {
    if broken.is_empty() {
        return Ok(());
    }
    let folder = folder.join(FOLDER);
    let failed = |error: std::io::Error| RunError::Output {
        path: folder.clone(),
        reason: error.to_string(),
        help: None,
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    for check in broken {
        let outcome = &check.outcome;
        let metadata = [
            ("tenure.table", format!("{FOLDER}/{}", outcome.name)),
            ("tenure.check", outcome.message.clone()),
            ("tenure.failures", outcome.failures.to_string()),
        ];
        let path = folder.join(format!("{}.parquet", outcome.name));
        let layout = Layout { options: None, metadata: &metadata, lists: &[], ease: &|| {} };
        write::table(&path, &check.rows, layout)?;
    }
    fs::File::open(&folder).and_then(|file| file.sync_all()).map_err(failed)
}
