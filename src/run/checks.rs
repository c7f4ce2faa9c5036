//! The checks of a run: what they found, and the rows that broke them.

use std::fs;
use std::path::Path;

use super::error::RunError;
use super::manifest::CheckRecord;
use super::write;
use crate::checks::{CheckOutcome, checks_table};
use crate::engine::{Engine, EngineError};
use crate::frame::Frame;
use crate::ir::{RelRef, relation};
use crate::plan::{Plan, PlannedCheck, PlannedTable};

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
        let rows = frame.rows().min(KEPT);
        let batch = frame.batch.slice(0, rows);
        let rows = Frame { schema: frame.schema.clone(), batch };
        broken.push(FailedCheck { outcome: outcome.clone(), rows });
    }
    Ok(Found { outcomes, broken })
}

impl Found {
    /// The table `checks`; none if the pipeline has no check.
    pub fn table(&self) -> Result<Option<(PlannedTable, Frame)>, RunError> {
        if self.outcomes.is_empty() {
            return Ok(None);
        }
        let frame = checks_table(&self.outcomes).map_err(EngineError::from)?;
        let table = PlannedTable {
            name: "checks".into(),
            suffix: None,
            rel: relation::values(frame.clone()),
            grain: vec!["name".into()],
            published: true,
            views: Vec::new(),
        };
        Ok(Some((table, frame)))
    }

    /// As the manifest has them.
    pub fn records(&self) -> Vec<CheckRecord> {
        let kept = |name: &str| self.broken.iter().any(|check| check.outcome.name == name);
        self.outcomes
            .iter()
            .map(|outcome| CheckRecord {
                name: outcome.name.clone(),
                from: outcome.from.clone(),
                kind: outcome.kind,
                severity: outcome.severity.word(),
                rows: outcome.rows,
                failures: outcome.failures,
                passed: outcome.passed,
                message: outcome.message.clone(),
                rows_file: kept(&outcome.name)
                    .then(|| format!("{FOLDER}/{}.parquet", outcome.name)),
            })
            .collect()
    }
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
        write::table(&path, &check.rows, None, &metadata)?;
    }
    fs::File::open(&folder).and_then(|file| file.sync_all()).map_err(failed)
}
