//! What became of the rows of a source, step by step.

use super::manifest::{SourceRecord, StageRecord};
use crate::report::{Bar, Bars, Chart, Unit};
use crate::stages;

/// The rows of a source that are left after each step: read, good, before as-of, then the stages that work
/// row by row. Where several stages go on from one, the one that most stages rest on is followed, of
/// equals the first. None if every row is left at the end of every step.
pub(super) fn waterfall(source: &SourceRecord, stages: &[StageRecord]) -> Option<Chart> {
    let steps = steps(source, stages);
    if steps.iter().all(|(_, rows)| *rows == source.rows) {
        return None;
    }
    let grows = steps.windows(2).any(|pair| pair[1].1 > pair[0].1);
    let mut description =
        "Each bar is what the step before it left, less what the step takes.".to_owned();
    if grows {
        description.push_str(" A join or union may add rows.");
    }
    let bar = |(label, rows)| Bar { label, value: Some(rows as f64), incomplete: false };
    Some(Chart::Bars(Bars {
        title: format!("Rows of {} that are left", source.name),
        description: Some(description),
        x_label: "step".into(),
        y_label: "rows".into(),
        unit: Unit::Count,
        bars: steps.into_iter().map(bar).collect(),
    }))
}

fn steps(source: &SourceRecord, stages: &[StageRecord]) -> Vec<(String, u64)> {
    let good = source.rows_bad.map(|bad| source.rows.saturating_sub(bad));
    let own = [("read", Some(source.rows)), ("good", good), ("before as-of", source.rows_seen)];
    let mut steps: Vec<(String, u64)> =
        own.into_iter().filter_map(|(label, rows)| Some((label.to_owned(), rows?))).collect();
    let mut from = source.name.as_str();
    while let Some(next) = followed(from, stages) {
        from = &next.name;
        let before = steps.last().map(|(_, rows)| *rows);
        // Stages that only change columns leave no bar.
        if let Some(rows) = next.rows_out
            && (Some(rows) != before || takes_rows(next.kind))
        {
            steps.push((format!("{} ({})", next.name, next.kind), rows));
        }
    }
    steps
}

/// The row-level stage from this table that most stages rest on.
fn followed<'a>(from: &str, stages: &'a [StageRecord]) -> Option<&'a StageRecord> {
    let row_level = |stage: &&StageRecord| {
        stage.from == from && stages::find(stage.kind).is_some_and(|kind| kind.row_level)
    };
    let most =
        stages.iter().filter(row_level).map(|stage| resting_on(&stage.name, stages)).max()?;
    stages.iter().filter(row_level).find(|stage| resting_on(&stage.name, stages) == most)
}

/// How many stages rest on a table, directly or through others.
fn resting_on(table: &str, stages: &[StageRecord]) -> usize {
    let own = stages.iter().filter(|stage| stage.from == table);
    own.map(|stage| 1 + resting_on(&stage.name, stages)).sum()
}

/// Whether it is the purpose of a kind to take rows away or to add them.
fn takes_rows(kind: &str) -> bool {
    !matches!(kind, "derive" | "select")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(rows: u64, bad: u64, seen: u64) -> SourceRecord {
        SourceRecord {
            name: "orders".into(),
            rows,
            rows_bad: Some(bad),
            rows_seen: Some(seen),
            reasons: Vec::new(),
            rounded: None,
            drift: Vec::new(),
            files: Vec::new(),
        }
    }

    fn stage(name: &str, kind: &'static str, from: &str, rows_out: u64) -> StageRecord {
        let (name, from) = (name.to_owned(), from.to_owned());
        StageRecord { name, kind, from, also: Vec::new(), rows_in: None, rows_out: Some(rows_out) }
    }

    #[test]
    fn the_way_that_most_stages_rest_on_is_followed() {
        let stages = [
            stage("odd", "filter", "orders", 3),
            stage("distinct", "deduplicate", "orders", 90),
            stage("larger", "derive", "distinct", 90),
            stage("sold", "filter", "larger", 80),
            stage("known", "join", "sold", 85),
            stage("monthly", "segment_metrics", "known", 12),
        ];
        let steps = steps(&source(100, 4, 95), &stages);
        let expected = [
            ("read", 100),
            ("good", 96),
            ("before as-of", 95),
            ("distinct (deduplicate)", 90),
            ("sold (filter)", 80),
            ("known (join)", 85),
        ];
        assert_eq!(steps, expected.map(|(label, rows)| (label.to_owned(), rows)));
    }

    #[test]
    fn where_every_row_is_left_there_is_nothing_to_show() {
        let stages = [stage("monthly", "segment_metrics", "orders", 12)];
        assert_eq!(waterfall(&source(100, 0, 100), &stages), None);
        assert!(waterfall(&source(100, 0, 99), &stages).is_some());
    }
}
