//! What differs between two runs: tables, columns, rows by their grain, and cells.
//!
//! Integers, money, texts and times are compared exactly. Doubles may differ by the tolerance, absolutely
//! or relative to the larger of the two, since another version may sum or fit in another order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use super::partition;

/// Differences shown of each kind in each table.
const SHOWN: usize = 10;

/// Why two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// There is no readable manifest.
    #[error("{path} is not a run: {reason}", path = .path.display())]
    NotARun { path: PathBuf, reason: String },
    /// The run failed, so it has no tables.
    #[error("{path} is a run that {status}, so it has no tables", path = .path.display())]
    NoTables { path: PathBuf, status: String },
    /// A table's file cannot be read.
    #[error("cannot read {path}: {reason}", path = .path.display())]
    Unreadable { path: PathBuf, reason: String },
}

/// What differs between run A and run B.
#[derive(Debug, Serialize)]
pub struct RunDiff {
    /// True if every table has the same columns, rows and cells; settings may still differ.
    pub equal: bool,
    pub a: String,
    pub b: String,
    /// What of the runs' settings differs: a reason for differences, not one itself.
    pub settings: Vec<Change>,
    pub tables_only_in_a: Vec<String>,
    pub tables_only_in_b: Vec<String>,
    /// The tables of both, in the order of A.
    pub tables: Vec<TableDiff>,
}

/// Something that has another value.
#[derive(Debug, Serialize)]
pub struct Change {
    pub name: String,
    pub a: String,
    pub b: String,
}

/// What differs in a table.
#[derive(Debug, Default, Serialize)]
pub struct TableDiff {
    pub name: String,
    pub equal: bool,
    pub rows_a: u64,
    pub rows_b: u64,
    /// Columns that came, went or changed their type or unit; and the grain.
    pub schema: Vec<Change>,
    /// Why the rows were not compared, if they were not.
    pub not_compared: Option<String>,
    pub rows_only_in_a: u64,
    pub rows_only_in_b: u64,
    pub cells_changed: u64,
    /// The columns with changed cells.
    pub columns: Vec<ColumnDiff>,
    /// Keys of the first rows that only A has.
    pub first_only_in_a: Vec<String>,
    pub first_only_in_b: Vec<String>,
    /// The first changed cells, column by column.
    pub first_changed: Vec<CellDiff>,
}

/// How much a column changed.
#[derive(Debug, Serialize)]
pub struct ColumnDiff {
    pub name: String,
    pub cells: u64,
    /// The largest difference of two numbers.
    pub max_absolute: Option<f64>,
    /// The largest difference of two numbers relative to the larger of them.
    pub max_relative: Option<f64>,
}

/// A cell that changed.
#[derive(Debug, Serialize)]
pub struct CellDiff {
    pub row: String,
    pub column: String,
    pub a: String,
    pub b: String,
    pub absolute: Option<f64>,
    pub relative: Option<f64>,
}

/// What this program reads of a manifest; one of another version may have more.
#[derive(Debug, Deserialize)]
struct Record {
    run_id: String,
    pipeline: String,
    status: String,
    as_of: String,
    timezone: String,
    seed: i64,
    plan_hash: String,
    tenure_version: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    sources: Vec<Source>,
    tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
struct Source {
    name: String,
    rows: u64,
    #[serde(default)]
    files: Vec<Input>,
}

#[derive(Debug, Deserialize)]
struct Input {
    footer_hash: String,
}

#[derive(Debug, Deserialize)]
struct Table {
    name: String,
    file: String,
    #[serde(default)]
    parts: Vec<Part>,
    grain: Vec<String>,
    rows: u64,
    hash: String,
    columns: Vec<Column>,
}

#[derive(Debug, Deserialize)]
struct Part {
    file: String,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    r#type: String,
    #[serde(default)]
    unit: Option<String>,
}

/// Compares two runs, each given as its directory, a link to it, or its manifest. `tolerance` is how far
/// doubles may be from each other, absolutely or relative to the larger.
///
/// # Errors
/// If one of them is not a finished run, or a table cannot be read.
pub fn diff(a: &Path, b: &Path, tolerance: f64) -> Result<RunDiff, DiffError> {
    let (folder_a, record_a) = open(a)?;
    let (folder_b, record_b) = open(b)?;
    let missing = |tables: &[Table], others: &[Table]| -> Vec<String> {
        let known: BTreeSet<&str> = others.iter().map(|table| table.name.as_str()).collect();
        let names = tables.iter().map(|table| table.name.as_str());
        names.filter(|name| !known.contains(name)).map(str::to_owned).collect()
    };
    let mut tables = Vec::new();
    for table in &record_a.tables {
        if let Some(other) = record_b.tables.iter().find(|other| other.name == table.name) {
            tables.push(compare_table((&folder_a, table), (&folder_b, other), tolerance)?);
        }
    }
    let tables_only_in_a = missing(&record_a.tables, &record_b.tables);
    let tables_only_in_b = missing(&record_b.tables, &record_a.tables);
    let equal = tables_only_in_a.is_empty()
        && tables_only_in_b.is_empty()
        && tables.iter().all(|table| table.equal);
    Ok(RunDiff {
        equal,
        a: format!("{} ({})", a.display(), record_a.run_id),
        b: format!("{} ({})", b.display(), record_b.run_id),
        settings: settings(&record_a, &record_b),
        tables_only_in_a,
        tables_only_in_b,
        tables,
    })
}

fn open(path: &Path) -> Result<(PathBuf, Record), DiffError> {
    let manifest = if path.is_dir() { path.join("manifest.json") } else { path.to_owned() };
    let not_a_run = |reason: String| DiffError::NotARun { path: path.to_owned(), reason };
    let text = fs::read_to_string(&manifest)
        .map_err(|error| not_a_run(format!("`manifest.json`: {error}")))?;
    let record: Record = serde_json::from_str(&text)
        .map_err(|error| not_a_run(format!("`{}`: {error}", manifest.display())))?;
    if record.status != "done" {
        let status = if record.status == "interrupted" { "was interrupted" } else { "failed" };
        return Err(DiffError::NoTables { path: path.to_owned(), status: status.to_owned() });
    }
    Ok((manifest.parent().unwrap_or(Path::new("")).to_owned(), record))
}

fn settings(a: &Record, b: &Record) -> Vec<Change> {
    let mut changes = Vec::new();
    change(&mut changes, "pipeline", &a.pipeline, &b.pipeline);
    change(&mut changes, "tenure_version", &a.tenure_version, &b.tenure_version);
    change(&mut changes, "as_of", &a.as_of, &b.as_of);
    change(&mut changes, "timezone", &a.timezone, &b.timezone);
    change(&mut changes, "seed", &a.seed.to_string(), &b.seed.to_string());
    change(&mut changes, "plan_hash", &a.plan_hash, &b.plan_hash);
    let names: BTreeSet<&String> = a.parameters.keys().chain(b.parameters.keys()).collect();
    for name in names {
        let of = |record: &Record| record.parameters.get(name).cloned().unwrap_or("none".into());
        change(&mut changes, &format!("params.{name}"), &of(a), &of(b));
    }
    for source in &a.sources {
        let Some(other) = b.sources.iter().find(|other| other.name == source.name) else {
            continue;
        };
        let hashes = |source: &Source| -> BTreeSet<String> {
            source.files.iter().map(|file| file.footer_hash.clone()).collect()
        };
        if hashes(source) != hashes(other) {
            let say = |source: &Source| {
                let files = source.files.len();
                format!("{} rows in {files} file(s)", source.rows)
            };
            changes.push(Change {
                name: format!("files of source `{}`", source.name),
                a: say(source),
                b: say(other),
            });
        }
    }
    changes
}

fn change(changes: &mut Vec<Change>, name: &str, a: &str, b: &str) {
    if a != b {
        changes.push(Change { name: name.to_owned(), a: a.to_owned(), b: b.to_owned() });
    }
}

fn schema_changes(a: &Table, b: &Table) -> Vec<Change> {
    let mut changes = Vec::new();
    change(&mut changes, "grain", &a.grain.join(", "), &b.grain.join(", "));
    let say = |table: &Table, name: &str| match table.columns.iter().find(|c| c.name == name) {
        None => "none".to_owned(),
        Some(Column { r#type, unit: None, .. }) => r#type.clone(),
        Some(Column { r#type, unit: Some(unit), .. }) => format!("{type} in {unit}"),
    };
    let added = b.columns.iter().filter(|c| a.columns.iter().all(|known| known.name != c.name));
    for column in a.columns.iter().chain(added) {
        let name = column.name.as_str();
        change(&mut changes, &format!("column `{name}`"), &say(a, name), &say(b, name));
    }
    changes
}

fn compare_table(
    (folder_a, a): (&Path, &Table),
    (folder_b, b): (&Path, &Table),
    tolerance: f64,
) -> Result<TableDiff, DiffError> {
    let mut found = TableDiff {
        name: a.name.clone(),
        rows_a: a.rows,
        rows_b: b.rows,
        schema: schema_changes(a, b),
        ..TableDiff::default()
    };
    if a.grain != b.grain {
        found.not_compared = Some("rows of another grain are other rows".to_owned());
    } else if a.hash != b.hash {
        let path = folder_a.join(&a.file);
        let (left, right) = (read(folder_a, a)?, read(folder_b, b)?);
        compare_rows(&mut found, &a.grain, &left, &right, tolerance)
            .map_err(|error| DiffError::Unreadable { path, reason: error.to_string() })?;
    }
    found.equal = found.schema.is_empty()
        && found.not_compared.is_none()
        && found.rows_only_in_a + found.rows_only_in_b + found.cells_changed == 0;
    Ok(found)
}

/// The rows of a table. Columns that became folders come back as text.
fn read(folder: &Path, table: &Table) -> Result<RecordBatch, DiffError> {
    let file = folder.join(&table.file);
    // A partitioned table without rows has no files.
    if table.parts.is_empty() && (table.rows > 0 || file.is_file()) {
        return read_file(&file);
    }
    let mut batches: Vec<RecordBatch> = Vec::new();
    for part in &table.parts {
        let path = folder.join(&part.file);
        let mut batch = read_file(&path)?;
        let folders: BTreeMap<String, Option<String>> = partition::values_of(&part.file);
        for (name, value) in folders {
            let values = StringArray::from(vec![value.as_deref(); batch.num_rows()]);
            batch = with_column(&batch, &name, std::sync::Arc::new(values))
                .map_err(|error| unreadable(&path, &error))?;
        }
        batches.push(batch);
    }
    match batches.first() {
        None => Ok(RecordBatch::new_empty(std::sync::Arc::new(Schema::empty()))),
        Some(first) => compute::concat_batches(&first.schema(), &batches)
            .map_err(|error| unreadable(&file, &error)),
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> DiffError {
    DiffError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

fn read_file(path: &Path) -> Result<RecordBatch, DiffError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(path, &error))?;
    let schema = reader.schema().clone();
    let batches: Result<Vec<RecordBatch>, ArrowError> =
        reader.build().map_err(|error| unreadable(path, &error))?.collect();
    let batches = batches.map_err(|error| unreadable(path, &error))?;
    compute::concat_batches(&schema, &batches).map_err(|error| unreadable(path, &error))
}

fn with_column(
    batch: &RecordBatch,
    name: &str,
    values: ArrayRef,
) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<Field> =
        batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(name, values.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns.push(values);
    RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns)
}

/// Finds each row of A in B by its key; of rows with the same key the first is taken for the first.
fn compare_rows(
    found: &mut TableDiff,
    grain: &[String],
    a: &RecordBatch,
    b: &RecordBatch,
    tolerance: f64,
) -> Result<(), ArrowError> {
    let (schema_a, schema_b) = (a.schema(), b.schema());
    let shared: Vec<&str> = schema_a
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| schema_b.column_with_name(name).is_some())
        .collect();
    // Without a grain one row is the whole table; of several the whole row is the key.
    let key: Vec<&str> = match grain {
        [] if a.num_rows() <= 1 && b.num_rows() <= 1 => Vec::new(),
        [] => shared.clone(),
        grain => grain.iter().map(String::as_str).collect(),
    };
    let (keys_a, keys_b) = keys(&key, a, b)?;
    let mut waiting: BTreeMap<&[u8], VecDeque<usize>> = BTreeMap::new();
    for (row, key) in keys_b.iter().enumerate() {
        waiting.entry(key).or_default().push_back(row);
    }
    let (mut pairs, mut only_a) = (Vec::new(), Vec::new());
    for (row, key) in keys_a.iter().enumerate() {
        match waiting.get_mut(key.as_slice()).and_then(VecDeque::pop_front) {
            Some(other) => pairs.push((row, other)),
            None => only_a.push(row),
        }
    }
    let only_b: BTreeSet<usize> = waiting.into_values().flatten().collect();
    found.rows_only_in_a = only_a.len() as u64;
    found.rows_only_in_b = only_b.len() as u64;
    let name = |batch: &RecordBatch, row: usize| describe(batch, &key, row);
    found.first_only_in_a =
        only_a.into_iter().take(SHOWN).map(|row| name(a, row)).collect::<Result<_, _>>()?;
    found.first_only_in_b =
        only_b.into_iter().take(SHOWN).map(|row| name(b, row)).collect::<Result<_, _>>()?;
    for column in shared.into_iter().filter(|column| !key.contains(column)) {
        let (Some(left), Some(right)) = (a.column_by_name(column), b.column_by_name(column)) else {
            continue;
        };
        // That the type changed is told already; its cells all changed with it.
        if left.data_type() == right.data_type() {
            compare_cells(found, (a, left), (b, right), (column, &key), &pairs, tolerance)?;
        }
    }
    Ok(())
}

/// The keys of rows.
type Keys = Vec<Vec<u8>>;

/// The keys of the rows as bytes that are equal where the values are.
fn keys(names: &[&str], a: &RecordBatch, b: &RecordBatch) -> Result<(Keys, Keys), ArrowError> {
    let (mut keys_a, mut keys_b) = (vec![Vec::new(); a.num_rows()], vec![Vec::new(); b.num_rows()]);
    for name in names {
        let of = |batch: &RecordBatch| match batch.column_by_name(name) {
            Some(column) => Ok(column.clone()),
            // A partitioned table without rows.
            None if batch.num_rows() == 0 => Ok(arrow::array::new_empty_array(&DataType::Utf8)),
            None => Err(ArrowError::SchemaError(format!("there is no column `{name}`"))),
        };
        let (mut left, mut right) = (of(a)?, of(b)?);
        if left.data_type() != right.data_type() {
            left = compute::cast(&left, &DataType::Utf8)?;
            right = compute::cast(&right, &DataType::Utf8)?;
        }
        let rows = RowConverter::new(vec![SortField::new(left.data_type().clone())])?;
        for (keys, column) in [(&mut keys_a, left), (&mut keys_b, right)] {
            let rows = rows.convert_columns(&[column])?;
            // The form of each value says where it ends, so that joined keys are different too.
            keys.iter_mut().zip(&rows).for_each(|(key, row)| key.extend_from_slice(row.as_ref()));
        }
    }
    Ok((keys_a, keys_b))
}

fn compare_cells(
    found: &mut TableDiff,
    (a, left): (&RecordBatch, &ArrayRef),
    (b, right): (&RecordBatch, &ArrayRef),
    (name, key): (&str, &[&str]),
    pairs: &[(usize, usize)],
    tolerance: f64,
) -> Result<(), ArrowError> {
    let converter = RowConverter::new(vec![SortField::new(left.data_type().clone())])?;
    let rows_a = converter.convert_columns(std::slice::from_ref(left))?;
    let rows_b = converter.convert_columns(std::slice::from_ref(right))?;
    let numbers = match left.data_type().is_numeric() {
        true => Some((doubles(left)?, doubles(right)?)),
        false => None,
    };
    let approximate = left.data_type().is_floating();
    let mut column =
        ColumnDiff { name: name.to_owned(), cells: 0, max_absolute: None, max_relative: None };
    for &(row_a, row_b) in pairs {
        if rows_a.row(row_a) == rows_b.row(row_b) {
            continue;
        }
        let distance = numbers.as_ref().and_then(|(a, b)| {
            let both = a.is_valid(row_a) && b.is_valid(row_b);
            both.then(|| distance(a.value(row_a), b.value(row_b)))
        });
        let near =
            |(absolute, relative): (f64, f64)| absolute <= tolerance || relative <= tolerance;
        if approximate && distance.is_some_and(near) {
            continue;
        }
        column.cells += 1;
        // An infinity or NaN against a number is a change without a size.
        let sized =
            distance.filter(|(absolute, relative)| absolute.is_finite() && relative.is_finite());
        if let Some((absolute, relative)) = sized {
            column.max_absolute = Some(column.max_absolute.unwrap_or(0.0).max(absolute));
            column.max_relative = Some(column.max_relative.unwrap_or(0.0).max(relative));
        }
        if found.first_changed.len() < SHOWN {
            found.first_changed.push(CellDiff {
                row: describe(a, key, row_a)?,
                column: name.to_owned(),
                a: cell(a, name, row_a)?,
                b: cell(b, name, row_b)?,
                absolute: sized.map(|(absolute, _)| absolute),
                relative: sized.map(|(_, relative)| relative),
            });
        }
    }
    if column.cells > 0 {
        found.cells_changed += column.cells;
        found.columns.push(column);
    }
    Ok(())
}

fn doubles(column: &ArrayRef) -> Result<Float64Array, ArrowError> {
    Ok(compute::cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

/// The difference of two numbers, and that relative to the larger of them.
fn distance(a: f64, b: f64) -> (f64, f64) {
    if a == b || (a.is_nan() && b.is_nan()) {
        return (0.0, 0.0);
    }
    let absolute = (a - b).abs();
    (absolute, absolute / a.abs().max(b.abs()))
}

fn cell(batch: &RecordBatch, column: &str, row: usize) -> Result<String, ArrowError> {
    let Some(column) = batch.column_by_name(column) else { return Ok("none".to_owned()) };
    let options = FormatOptions::default().with_null("null");
    // Stored instants are those of UTC, which the formatter knows as an offset only.
    let column = match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let instants = column.as_primitive::<TimestampMicrosecondType>();
            &(std::sync::Arc::new(instants.clone().with_timezone("+00:00")) as ArrayRef)
        }
        _ => column,
    };
    ArrayFormatter::try_new(column, &options)?.value(row).try_to_string()
}

/// A row by its key, as `month=1998-07-01 channel=web`.
fn describe(batch: &RecordBatch, key: &[&str], row: usize) -> Result<String, ArrowError> {
    if key.is_empty() {
        return Ok("the row".to_owned());
    }
    let parts: Result<Vec<String>, ArrowError> =
        key.iter().map(|name| Ok(format!("{name}={}", cell(batch, name, row)?))).collect();
    Ok(parts?.join(" "))
}

impl RunDiff {
    /// The differences as people read them.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!("A  {}", self.a), format!("B  {}", self.b)];
        for change in &self.settings {
            lines.push(format!("{}: {} in A, {} in B", change.name, change.a, change.b));
        }
        lines.push(String::new());
        for (tables, run) in [(&self.tables_only_in_a, "A"), (&self.tables_only_in_b, "B")] {
            lines.extend(tables.iter().map(|name| format!("{name}: only in {run}")));
        }
        for table in &self.tables {
            table.add_to(&mut lines);
        }
        let missing = self.tables_only_in_a.len() + self.tables_only_in_b.len();
        let different = self.tables.iter().filter(|table| !table.equal).count() + missing;
        let all = self.tables.len() + missing;
        lines.push(match different {
            0 => format!("equal: {all} table(s)"),
            _ => format!("different: {different} of {all} table(s)"),
        });
        lines.join("\n")
    }
}

impl TableDiff {
    fn add_to(&self, lines: &mut Vec<String>) {
        if self.equal {
            lines.push(format!("{}: equal, {} row(s)", self.name, self.rows_a));
            return;
        }
        let mut parts = vec![format!("{} row(s) in A, {} in B", self.rows_a, self.rows_b)];
        for (rows, run) in [(self.rows_only_in_a, "A"), (self.rows_only_in_b, "B")] {
            if rows > 0 {
                parts.push(format!("{rows} only in {run}"));
            }
        }
        if self.cells_changed > 0 {
            parts.push(format!("{} cell(s) changed", self.cells_changed));
        }
        lines.push(format!("{}: {}", self.name, parts.join("; ")));
        for change in &self.schema {
            lines.push(format!("  {}: {} in A, {} in B", change.name, change.a, change.b));
        }
        if let Some(reason) = &self.not_compared {
            lines.push(format!("  rows not compared: {reason}"));
        }
        for column in &self.columns {
            let size = match (column.max_absolute, column.max_relative) {
                (Some(absolute), Some(relative)) => {
                    format!(", by at most {} (relative {})", size(absolute), size(relative))
                }
                _ => String::new(),
            };
            lines.push(format!("  `{}`: {} cell(s) changed{size}", column.name, column.cells));
        }
        let rows = [
            (&self.first_only_in_a, self.rows_only_in_a, "A"),
            (&self.first_only_in_b, self.rows_only_in_b, "B"),
        ];
        for (first, count, run) in rows {
            lines.extend(first.iter().map(|row| format!("    only in {run}: {row}")));
            more(lines, count, first.len());
        }
        for cell in &self.first_changed {
            let CellDiff { row, column, a, b, .. } = cell;
            lines.push(format!("    {row}: `{column}` {a} in A, {b} in B"));
        }
        more(lines, self.cells_changed, self.first_changed.len());
    }
}

/// A size with the digits that matter.
fn size(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        0.001..1e9 => {
            let text = format!("{number:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{number:.2e}"),
    }
}

fn more(lines: &mut Vec<String>, count: u64, shown: usize) {
    let more = count.saturating_sub(shown as u64);
    if more > 0 {
        lines.push(format!("    and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn batch(keys: &[Option<&str>], values: &[Option<f64>]) -> RecordBatch {
        let keys: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
        let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("key", keys, true), ("value", values, true)])
            .expect("columns of one length")
    }

    fn compared(grain: &[&str], a: &RecordBatch, b: &RecordBatch) -> TableDiff {
        let grain: Vec<String> = grain.iter().map(|&name| name.to_owned()).collect();
        let mut found = TableDiff::default();
        compare_rows(&mut found, &grain, a, b, 1e-9).expect("it compares");
        found
    }

    #[test]
    fn doubles_are_near_absolutely_or_relatively() {
        let changed = |a: Option<f64>, b: Option<f64>| {
            compared(&[], &batch(&[None], &[a]), &batch(&[None], &[b])).cells_changed
        };
        assert_eq!(changed(Some(1e12), Some(1e12 + 1.0)), 0);
        assert_eq!(changed(Some(0.0), Some(1e-10)), 0);
        assert_eq!(changed(Some(0.0), Some(-0.0)), 0);
        assert_eq!(changed(Some(f64::NAN), Some(f64::NAN)), 0);
        assert_eq!(changed(None, None), 0);
        assert_eq!(changed(Some(1.0), Some(1.000_001)), 1);
        assert_eq!(changed(Some(0.0), Some(1e-8)), 1);
        assert_eq!(changed(Some(f64::INFINITY), Some(1.0)), 1);
        assert_eq!(changed(Some(f64::NAN), Some(1.0)), 1);
        assert_eq!(changed(Some(0.0), None), 1);
    }

    #[test]
    fn rows_are_found_by_key_whatever_their_order() {
        let a = batch(&[Some("a"), None, Some(""), Some("c")], &[Some(1.0), Some(2.0), None, None]);
        let b = batch(&[Some(""), Some("b"), Some("a"), None], &[None, None, Some(1.0), Some(3.0)]);
        let found = compared(&["key"], &a, &b);
        assert_eq!((found.rows_only_in_a, found.rows_only_in_b), (1, 1));
        assert_eq!(found.first_only_in_a, ["key=c"]);
        assert_eq!(found.first_only_in_b, ["key=b"]);
        assert_eq!(found.cells_changed, 1);
        assert_eq!(found.first_changed[0].row, "key=null");
        assert_eq!(found.columns[0].max_absolute, Some(1.0));
    }

    #[test]
    fn without_a_grain_rows_count_as_often_as_they_come() {
        let a = batch(&[Some("a"), Some("a"), Some("b")], &[Some(1.0); 3]);
        let b = batch(&[Some("b"), Some("a")], &[Some(1.0); 2]);
        let found = compared(&[], &a, &b);
        assert_eq!((found.rows_only_in_a, found.rows_only_in_b), (1, 0));
        assert_eq!(found.first_only_in_a, ["key=a value=1.0"]);
    }

    #[test]
    fn sizes_have_the_digits_that_matter() {
        assert_eq!([size(0.0), size(0.01), size(12.5), size(300.0)], ["0", "0.01", "12.5", "300"]);
        assert_eq!([size(1.234e-9), size(2e12)], ["1.23e-9", "2.00e12"]);
    }
}
