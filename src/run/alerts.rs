//! The alerts of a run: which were raised, and what they say.

use std::sync::Arc;

use super::error::RunError;
use super::manifest::AlertRecord;
use super::views::{cell, unit_of};
use crate::engine::{Engine, EngineError};
use crate::frame::{Frame, FrameError, Value};
use crate::ir::RelRef;
use crate::plan::{Plan, PlannedAlert, PlannedTable, alerts_schema};
use crate::report::{Cell, Notice, Severity, Unit, with_unit};
use crate::spec::{AlertSeverity, Piece};

/// An alert that was raised: a row of the table `alerts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaisedAlert {
    pub name: String,
    pub severity: AlertSeverity,
    /// The table that it watches.
    pub from: String,
    /// How many rows raise it.
    pub rows: u64,
    /// What the sentence says of the first of them.
    pub message: String,
}

impl RaisedAlert {
    /// Reads an alert off its counts and the columns of its sentence; `None` if nothing raises it.
    pub fn read(alert: &PlannedAlert, counts: &Frame, rows: Option<&Frame>) -> Option<Self> {
        let count = counted(counts);
        (count > 0).then(|| RaisedAlert {
            name: alert.name.clone(),
            severity: alert.severity,
            from: alert.from.clone(),
            rows: count,
            message: message(&alert.sentence, rows),
        })
    }
}

fn counted(counts: &Frame) -> u64 {
    let count = if counts.rows() == 0 { Value::Null } else { counts.value(0, 0) };
    count.as_i64().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

/// The sentence of the first row.
fn message(sentence: &[Piece], rows: Option<&Frame>) -> String {
    let value = |name: &str| {
        let Some(rows) = rows else { return String::new() };
        let place = rows.schema.index_of(name).filter(|_| rows.rows() > 0);
        let shown = place.map(|place| {
            let unit = &rows.schema.fields[place].unit;
            with_unit(&cell(&rows.value(0, place), unit), &unit_of(unit))
        });
        shown.unwrap_or_default()
    };
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Column(name) => value(&name.value),
    };
    sentence.iter().map(piece).collect()
}

/// What the run of the stages has to give for the alerts: the counts of each, and their rows where those cost
/// no pass of their own.
pub(super) fn relations(plan: &Plan) -> Vec<RelRef> {
    let counts = plan.alerts.iter().map(|alert| alert.counts.clone());
    let reduced = plan.alerts.iter().filter(|alert| alert.reduced);
    counts.chain(reduced.map(|alert| alert.raised.clone())).collect()
}

/// Reads off what the frames of [`relations`] say, sorted by severity, then name. The rows of large tables
/// are looked up now, which costs a pass only where there are any and the sentence needs them.
pub(super) fn find(
    plan: &Plan,
    frames: &[Frame],
    engine: &dyn Engine,
) -> Result<Vec<RaisedAlert>, RunError> {
    let alerts = &plan.alerts;
    let (counts, reduced) = frames.split_at(alerts.len().min(frames.len()));
    let mut reduced = reduced.iter();
    let mut raised = Vec::new();
    for (alert, counts) in alerts.iter().zip(counts) {
        let frame = if alert.reduced { reduced.next() } else { None };
        let looked_up = match frame {
            None if counted(counts) > 0 && !alert.raised.schema.fields.is_empty() => {
                engine.run(std::slice::from_ref(&alert.raised))?.pop()
            }
            _ => None,
        };
        raised.extend(RaisedAlert::read(alert, counts, frame.or(looked_up.as_ref())));
    }
    raised.sort_by(|a, b| (a.severity, &a.name).cmp(&(b.severity, &b.name)));
    Ok(raised)
}

/// The table `alerts`: one row per alert that was raised, in the order given.
///
/// # Errors
/// Text of more than 2 GiB.
pub fn alerts_table(raised: &[RaisedAlert]) -> Result<Frame, FrameError> {
    let row = |alert: &RaisedAlert| {
        vec![
            Value::text(&alert.name),
            Value::text(alert.severity.word()),
            Value::text(&alert.from),
            Value::Int(i64::try_from(alert.rows).unwrap_or(i64::MAX)),
            Value::text(&alert.message),
        ]
    };
    let rows: Vec<Vec<Value>> = raised.iter().map(row).collect();
    Frame::from_rows(Arc::new(alerts_schema()), &rows)
}

/// The table as it is published; none if the pipeline has no alerts.
pub(super) fn table(
    plan: &Plan,
    raised: &[RaisedAlert],
) -> Result<Option<(PlannedTable, Frame)>, RunError> {
    if plan.alerts.is_empty() {
        return Ok(None);
    }
    let frame = alerts_table(raised).map_err(EngineError::from)?;
    Ok(Some((PlannedTable::of_names("alerts", &frame), frame)))
}

/// As the manifest has it.
pub(super) fn record(alert: &RaisedAlert) -> AlertRecord {
    AlertRecord {
        name: alert.name.clone(),
        severity: alert.severity.word(),
        from: alert.from.clone(),
        rows: alert.rows,
        message: alert.message.clone(),
    }
}

/// What a report says before anything else.
pub(super) fn notices(records: &[AlertRecord]) -> Vec<Notice> {
    let notice = |record: &AlertRecord| Notice {
        severity: match AlertSeverity::from_word(record.severity) {
            Some(AlertSeverity::Critical) => Severity::Critical,
            Some(AlertSeverity::Info) => Severity::Info,
            Some(AlertSeverity::Warn) | None => Severity::Warning,
        },
        title: format!("Alert {} of {}", record.name, record.from),
        text: text(record),
    };
    records.iter().map(notice).collect()
}

/// What an alert says, and of how many rows.
fn text(record: &AlertRecord) -> String {
    if record.rows < 2 {
        return record.message.clone();
    }
    let rows = Cell::Integer(i64::try_from(record.rows).unwrap_or(i64::MAX));
    format!("{} (the first of {} rows)", record.message, with_unit(&rows, &Unit::Count))
}

/// What is printed at the end of a run, one line each.
pub(super) fn lines(records: &[AlertRecord]) -> Vec<String> {
    let line = |record: &AlertRecord| {
        let (severity, name, from) = (record.severity, &record.name, &record.from);
        format!("{severity}: alert `{name}` of `{from}`: {}", text(record))
    };
    records.iter().map(line).collect()
}
