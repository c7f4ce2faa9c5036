//! What a run would do, as text.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use super::prepare::Prepared;
use crate::engine::EngineError;
use crate::engine::local::{ConsumerKind, PlannedPass, foresee, least_memory};
use crate::ir::explain::Explained;
use crate::ir::{RelNode, RelRef};

/// The plan: sources and what is known of their files, then each stage with its tables, their columns
/// and the relations that make them, and the passes over the sources. With a name, only that stage; `None` if
/// there is none.
pub fn explain(prepared: &Prepared, stage: Option<&str>) -> Option<String> {
    let plan = &prepared.plan;
    let mut text = String::new();
    let as_of = crate::frame::Value::Timestamp(plan.as_of);
    let _ = writeln!(text, "pipeline {}: as of {as_of}, plan {}", plan.name, plan.hash);
    if stage.is_none() {
        for (name, source) in &prepared.inputs {
            let rows: u64 = source.files.iter().map(|file| file.rows).sum();
            let bytes: u64 = source.files.iter().map(|file| file.bytes).sum();
            let groups: usize = source.files.iter().map(|file| file.row_groups()).sum();
            let _ = writeln!(
                text,
                "source {name}: {} file(s), {groups} row group(s), {rows} rows, {bytes} bytes",
                source.files.len()
            );
            for drift in plan.drift.get(name).into_iter().flatten() {
                let _ = writeln!(text, "  {drift}");
            }
            let quarantine = format!("{name}_quarantine");
            for table in plan.quarantines.iter().filter(|table| table.name == quarantine) {
                let _ = writeln!(text, "  table {} (published), by row", table.name);
                for field in &table.rel.schema.fields {
                    let _ = writeln!(text, "    {}: {}", field.name, field.data_type);
                }
            }
        }
    }
    let (mut found, mut explained) = (false, Explained::default());
    for planned in plan.stages.iter().filter(|s| stage.is_none_or(|name| s.name == name)) {
        found = true;
        let _ =
            writeln!(text, "\nstage {}: {} from {}", planned.name, planned.kind, planned.reads());
        if let Some(condition) = &planned.condition {
            let _ = writeln!(text, "  where {condition}");
        }
        for (key, value, default) in &planned.settings {
            let _ = writeln!(text, "  {key}: {value}{}", if *default { "  (default)" } else { "" });
        }
        for table in &planned.tables {
            let state = if table.published { "published" } else { "not published" };
            let _ = writeln!(
                text,
                "  table {} ({state}), by {}",
                table.name,
                match table.grain.as_slice() {
                    [] => "row".to_owned(),
                    grain => grain.join(", "),
                }
            );
            for field in &table.rel.schema.fields {
                let _ = writeln!(text, "    {}: {}", field.name, field.data_type);
            }
            for line in explained.explain(&table.rel).lines() {
                let _ = writeln!(text, "    | {line}");
            }
            held(&table.rel, prepared, &mut BTreeSet::new(), &mut text);
        }
    }
    let reads = |from: &str| stage.is_none_or(|name| from == name);
    for check in plan.checks.iter().filter(|check| reads(&check.from)) {
        let _ = writeln!(text, "\ncheck {} of {}: {}", check.name, check.from, check.written);
        let share = crate::document::Share(check.tolerate);
        let tolerate = crate::document::Decode::show(&share);
        let _ = writeln!(text, "  severity {}, tolerates {tolerate}", check.severity);
        for line in explained.explain(&check.counts).lines() {
            let _ = writeln!(text, "    | {line}");
        }
        held(&check.counts, prepared, &mut BTreeSet::new(), &mut text);
    }
    if stage.is_none()
        && let Err(error) = passes(prepared, &mut text)
    {
        let _ = writeln!(text, "\nthe passes are not known: {error}");
    }
    (found || stage.is_none()).then_some(text)
}

/// The passes over the sources: which stages ride on which, what is decoded, and how much is kept.
fn passes(prepared: &Prepared, text: &mut String) -> Result<(), EngineError> {
    let plan = &prepared.plan;
    let tables = plan.stages.iter().flat_map(|stage| {
        let tables = stage.tables.iter().filter(|table| table.published);
        let rels = tables.map(|table| &table.rel).chain(&stage.touched);
        rels.map(|rel| (stage.name.as_str(), rel.clone()))
    });
    let quarantines = plan.quarantines.iter().map(|table| (table.name.as_str(), table.rel.clone()));
    let checks = super::checks::relations(plan).into_iter().map(|rel| ("checks", rel));
    let outputs: Vec<(&str, RelRef)> = tables.chain(quarantines).chain(checks).collect();
    let rels: Vec<RelRef> = outputs.iter().map(|(_, rel)| rel.clone()).collect();
    let below: Vec<(&str, BTreeSet<usize>)> = outputs
        .iter()
        .map(|(name, rel)| {
            let mut below = BTreeSet::new();
            all_below(rel, &mut below);
            (*name, below)
        })
        .collect();
    let mut most = 0;
    let passes = foresee(&prepared.inputs, &prepared.pipeline.calendar, &rels)?;
    for (number, pass) in passes.iter().enumerate() {
        let PlannedPass { source, files, row_groups, rows, columns, pruned, .. } = pass;
        let _ = writeln!(
            text,
            "\npass {} over {source}: {files} file(s), {row_groups} row group(s), {} rows",
            number + 1,
            rows + pruned.1
        );
        if let (groups @ 1.., rows) = pruned {
            let _ = writeln!(
                text,
                "  leaves {groups} row group(s) of {rows} rows unread: their footers tell that no row passes"
            );
        }
        let _ = writeln!(
            text,
            "  decodes {}: {} bytes in the files, {} decompressed",
            columns.join(", "),
            pass.stored_bytes,
            pass.decoded_bytes
        );
        let mut kept = 0;
        for consumer in &pass.consumers {
            let mut names: Vec<&str> = Vec::new();
            for (name, below) in &below {
                let rides = consumer.rels.iter().any(|rel| below.contains(&address(rel)));
                if rides && !names.contains(name) {
                    names.push(name);
                }
            }
            let what = match consumer.kind {
                ConsumerKind::Collected => "a table to look up in",
                ConsumerKind::Grouped => "groups",
                ConsumerKind::GroupedByTime => "groups, each complete when its period is past",
                ConsumerKind::Gathered => "events by customer, gathered once",
                ConsumerKind::Chosen => "the row of each key",
            };
            let _ = writeln!(text, "  for {}: {what}; {}", names.join(", "), size(consumer.bytes));
            kept += consumer.bytes;
        }
        most = most.max(kept);
    }
    let _ = writeln!(
        text,
        "\nmemory: {} of rows in the largest pass, and what groups, customers and tables take; with a limit the \
         rest is put aside in files: {} on two threads",
        size(most),
        size(least_memory(&passes, 2))
    );
    Ok(())
}

/// `about 120 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "nothing is kept of a row".into(),
        bytes => format!("about {} MB", bytes.div_ceil(1_000_000)),
    }
}

fn address(rel: &RelRef) -> usize {
    Arc::as_ptr(rel) as usize
}

/// A relation and all that it is made of.
fn all_below(rel: &RelRef, found: &mut BTreeSet<usize>) {
    if found.insert(address(rel)) {
        rel.inputs().into_iter().for_each(|input| all_below(input, found));
    }
}

/// From so many rows on, a table that a join holds in memory is worth a word.
const LARGE: u64 = 1_000_000;

/// What joins of a table hold in memory, where that is large: a join takes both of its sides whole, and
/// one that nothing has reduced has the rows of its source.
fn held(rel: &RelRef, prepared: &Prepared, seen: &mut BTreeSet<usize>, text: &mut String) {
    if !seen.insert(Arc::as_ptr(rel) as usize) {
        return;
    }
    if let RelNode::Join(join) = &rel.node {
        for side in [&join.left, &join.right] {
            for source in unreduced(side) {
                let rows = prepared
                    .inputs
                    .get(source)
                    .map_or(0, |input| input.files.iter().map(|file| file.rows).sum::<u64>());
                if rows >= LARGE {
                    let columns = side.schema.fields.len() as u64;
                    let _ = writeln!(
                        text,
                        "    warning: a join holds up to {rows} rows of `{source}` in memory, about {} MB; \
                         with unique keys and without `many: true` it streams",
                        rows * columns * 12 / 1_000_000
                    );
                }
            }
        }
    }
    for input in rel.inputs() {
        held(input, prepared, seen, text);
    }
}

/// The sources whose rows a relation gives one by one.
fn unreduced(rel: &RelRef) -> Vec<&str> {
    match &rel.node {
        RelNode::Scan(scan) => vec![scan.source.as_ref()],
        RelNode::Union { inputs } => inputs.iter().flat_map(unreduced).collect(),
        RelNode::Sort { input, .. } => unreduced(input),
        RelNode::Window(window) => unreduced(&window.input),
        RelNode::Join(join) => unreduced(&join.left),
        _ if rel.streams() => rel.inputs().first().map_or(Vec::new(), |input| unreduced(input)),
        _ => Vec::new(),
    }
}
