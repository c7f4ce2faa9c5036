//! What a run says of the quality of its sources.

use super::manifest::{Manifest, ReasonRecord, RoundedRecord};
use super::prepare::Prepared;
use crate::engine::local::Local;
use crate::engine::{Findings, Moved, Place};
use crate::ir::relation::BadRowAction;

/// Puts what the contracts of the sources have found into the manifest, with warnings of what was borne.
pub(super) fn note(prepared: &Prepared, engine: &Local, manifest: &mut Manifest) {
    for record in &mut manifest.sources {
        let Some(Findings { rejected, rounded }) = engine.findings(&record.name) else { continue };
        record.rows_bad = Some(rejected.bad);
        let source = prepared.pipeline.sources.iter().find(|s| s.name.value == record.name);
        let action = source.map_or(BadRowAction::Fail, |source| source.bad_rows.action.value);
        let what = match action {
            BadRowAction::Fail => None,
            BadRowAction::Quarantine => Some(format!("are in `{}_quarantine`", record.name)),
            BadRowAction::Drop => Some("were dropped".to_owned()),
        };
        if let Some(what) = what.filter(|_| rejected.bad > 0) {
            let reasons: Vec<String> =
                rejected.reasons.iter().map(|(reason, rows)| format!("{rows}: {reason}")).collect();
            manifest.warnings.push(format!(
                "{} of {} rows of source `{}` are bad and {what}: {}",
                rejected.bad,
                rejected.rows,
                record.name,
                reasons.join("; ")
            ));
        }
        if let Some(rounded) = rounded {
            let place = Place { row_group: None, ..rounded.place.clone() };
            let place = match rounded.row {
                crate::engine::RowNumber::Row(_) => rounded.place.clone(),
                crate::engine::RowNumber::Line(_) => place,
            };
            let first = format!("{place}, {}", rounded.row);
            let rows = match rounded.rows {
                1 => "1 amount is".to_owned(),
                rows => format!("{rows} amounts are"),
            };
            let values = rounded.first.as_ref();
            let values = values.map(|moved| format!(" from {} to {}", moved.before, moved.after));
            manifest.warnings.push(format!(
                "{rows} not exact in source `{}` and rounded half to even, the first{} ({first})",
                record.name,
                values.unwrap_or_default()
            ));
            let parts =
                |moved: Option<Moved>| moved.map(|moved| (moved.before, moved.after)).unzip();
            let (before, after) = parts(rounded.first);
            let (least_before, least_after) = parts(rounded.least);
            record.rounded = Some(RoundedRecord {
                rows: rounded.rows,
                first,
                before,
                after,
                least_before,
                least_after,
            });
        }
        let reasons = rejected.reasons.into_iter();
        record.reasons = reasons.map(|(reason, rows)| ReasonRecord { reason, rows }).collect();
    }
}
