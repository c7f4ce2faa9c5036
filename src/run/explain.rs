//! What a run would do, as text.

use std::fmt::Write;

use super::prepare::Prepared;
use crate::ir::explain::Explained;

/// The plan: sources and what is known of their files, then each stage with its tables, their columns
/// and the relations that make them. With a name, only that stage; `None` if there is none.
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
        }
    }
    let (mut found, mut explained) = (false, Explained::default());
    for planned in plan.stages.iter().filter(|s| stage.is_none_or(|name| s.name == name)) {
        found = true;
        let _ = writeln!(text, "\nstage {}: {} from {}", planned.name, planned.kind, planned.from);
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
        }
    }
    (found || stage.is_none()).then_some(text)
}
