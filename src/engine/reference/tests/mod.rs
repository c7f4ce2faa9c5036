//! Small tables as text, and what the oracle makes of them.

mod functions;
mod histories;
mod measures;
mod relations;

use std::sync::Arc;

use super::Reference;
use super::cast::cast;
use crate::engine::{Engine, EngineError};
use crate::frame::{DataType, Field, Frame, Schema, Value};
use crate::ir::{Calendar, Expr, RelRef, parse, relation};

/// A table from `name type, …` and lines of comma-separated cells; an empty cell is null.
fn table(columns: &str, lines: &[&str]) -> Frame {
    let columns: Vec<(&str, DataType)> = columns.split(", ").map(column).collect();
    let fields = columns.iter().map(|(name, data_type)| Field::new(*name, *data_type)).collect();
    let cell = |(text, (_, data_type)): (&str, &(&str, DataType))| match text.trim() {
        "" => Value::Null,
        text => {
            cast(&Value::text(text), *data_type, &Calendar::default()).expect("a cell of its type")
        }
    };
    let row = |line: &&str| line.split(',').zip(&columns).map(cell).collect();
    let rows: Vec<Vec<Value>> = lines.iter().map(row).collect();
    Frame::from_rows(Arc::new(Schema::new(fields)), &rows).expect("a small table")
}

fn column(text: &str) -> (&str, DataType) {
    let (name, data_type) = text.split_once(' ').expect("a name and a type");
    let data_type = match data_type {
        "bool" => DataType::Bool,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "float64" => DataType::Float64,
        "money" => DataType::money(2),
        "string" => DataType::String,
        "date" => DataType::Date,
        "timestamp" => DataType::Timestamp,
        other => unreachable!("`{other}` is not a type of these tests"),
    };
    (name, data_type)
}

fn values(columns: &str, lines: &[&str]) -> RelRef {
    relation::values(table(columns, lines))
}

/// An expression over the columns of a relation.
#[track_caller]
fn expr(rel: &RelRef, text: &str) -> Expr {
    parse::from_text(text, &rel.schema).expect("a typed expression")
}

fn run(rel: &RelRef) -> Result<Frame, EngineError> {
    let mut frames = Reference::new(Calendar::default()).run(std::slice::from_ref(rel))?;
    Ok(frames.remove(0))
}

/// The rows as lines of comma-separated cells, or the error.
fn lines(result: Result<Frame, EngineError>) -> Vec<String> {
    let cell = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
    match result {
        Ok(frame) => frame
            .to_rows()
            .iter()
            .map(|row| row.iter().map(cell).collect::<Vec<_>>().join(","))
            .collect(),
        Err(error) => vec![format!("error: {error}")],
    }
}

/// A relation gives these rows.
#[track_caller]
fn check(rel: &RelRef, expected: &[&str]) {
    assert_eq!(lines(run(rel)), expected);
}
