//! A table on a terminal, as CSV and as JSON.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::arguments::TableFormat;
use crate::frame::{Unit, Value};
use crate::run::Shown;

/// The schema, the number of rows and the first of them.
pub(super) fn render(shown: &Shown, rows: usize, format: TableFormat) -> String {
    match format {
        TableFormat::Table => table(shown, rows),
        TableFormat::Csv => csv(shown, rows),
        TableFormat::Json => as_json(shown, rows),
    }
}

fn texts(shown: &Shown, rows: usize) -> Vec<Vec<String>> {
    let frame = &shown.frame;
    let row = |row| (0..frame.schema.fields.len()).map(move |column| frame.value(row, column));
    let text = |value: Value| match value {
        Value::Null => String::new(),
        value => value.to_string(),
    };
    (0..frame.rows().min(rows)).map(|number| row(number).map(text).collect()).collect()
}

fn table(shown: &Shown, rows: usize) -> String {
    let fields = &shown.frame.schema.fields;
    let mut text = String::new();
    let by = match shown.grain.as_slice() {
        [] => "rows as they come".to_owned(),
        grain => format!("by {}", grain.join(", ")),
    };
    let _ = writeln!(text, "{}: {} rows, {by}", shown.name, shown.frame.rows());
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in fields {
        let unit = match &field.unit {
            Unit::None => String::new(),
            unit => format!("  {unit}"),
        };
        let _ = writeln!(text, "  {:width$}  {}{unit}", field.name, field.data_type);
    }
    let rows = texts(shown, rows);
    let widths: Vec<usize> = fields
        .iter()
        .enumerate()
        .map(|(column, field)| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([field.name.len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).zip(fields).map(|((cell, width), field)| {
            let gap = " ".repeat(width - cell.chars().count());
            let number = field.data_type.is_numeric();
            if number { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let _ = writeln!(text, "\n{}", line(&mut fields.iter().map(|field| field.name.as_str())));
    for row in &rows {
        let _ = writeln!(text, "{}", line(&mut row.iter().map(String::as_str)));
    }
    if rows.len() < shown.frame.rows() {
        let _ = writeln!(text, "… {} more", shown.frame.rows() - rows.len());
    }
    text.trim_end().to_owned()
}

/// RFC 4180: a header, and quotes where a cell needs them.
fn csv(shown: &Shown, rows: usize) -> String {
    let quoted = |cell: &str| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    };
    let line = |cells: Vec<String>| cells.join(",");
    let names = shown.frame.schema.names().map(quoted).collect();
    let mut lines = vec![line(names)];
    for row in texts(shown, rows) {
        lines.push(line(row.iter().map(|cell| quoted(cell)).collect()));
    }
    lines.join("\n")
}

fn as_json(shown: &Shown, rows: usize) -> String {
    let frame = &shown.frame;
    let value = |value: Value| match value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Float(value) => value.into(),
        // A decimal is a text of its exact digits.
        value => value.to_string().into(),
    };
    let row = |row: usize| -> Json {
        let fields = frame.schema.fields.iter().enumerate();
        let cells =
            fields.map(|(place, field)| (field.name.clone(), value(frame.value(row, place))));
        Json::Object(cells.collect::<Map<_, _>>())
    };
    let columns: Vec<Json> = frame
        .schema
        .fields
        .iter()
        .map(|field| {
            let unit = (field.unit != Unit::None).then(|| field.unit.to_string());
            json!({"name": field.name, "type": field.data_type.to_string(), "unit": unit})
        })
        .collect();
    let document = json!({
        "table": shown.name,
        "grain": shown.grain,
        "row_count": frame.rows(),
        "columns": columns,
        "rows": (0..frame.rows().min(rows)).map(row).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
