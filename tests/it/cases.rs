//! Case files: a sentence, a pipeline, small tables, the expected tables. Each runs on every engine.
//!
//! A file under `tests/cases/` is Markdown: a heading that says what is shown, a paragraph on why, a
//! block `yaml` with the pipeline, and blocks `csv NAME` with the rows of a source (the header gives
//! `column:type`) or `csv expect NAME` with the rows of a table. An empty cell is null. Columns that
//! the expectation does not name are not compared; numbers are, to 1e-9. What the checks of a pipeline find
//! is the table `checks`, and the rows that break the check NAME are the table `checks_rows/NAME`; alerts
//! that are raised are the table `alerts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenure::engine::local::Local;
use tenure::engine::reference::Reference;
use tenure::engine::{Engine, Unwatched};
use tenure::frame::{DataType, Field, Frame, Schema, Value, parse_decimal};
use tenure::ir::RelNode;
use tenure::run::{Prepared, RaisedAlert, Request, alerts_table, prepare};

use crate::parquet::write_parquet;

/// The key of pseudonyms in cases.
const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Case {
    pipeline: String,
    sources: BTreeMap<String, Frame>,
    expected: BTreeMap<String, Vec<Vec<String>>>,
}

fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).expect("a case file");
    let mut case =
        Case { pipeline: String::new(), sources: BTreeMap::new(), expected: BTreeMap::new() };
    let mut parts = text.split("```");
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        let (head, body) = block.split_once('\n').expect("a block has a head");
        let rows = || body.lines().map(cells).collect::<Vec<_>>();
        match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["yaml"] => case.pipeline = body.to_owned(),
            ["csv", "expect", name] => {
                case.expected.insert((*name).to_owned(), rows());
            }
            ["csv", name] => {
                case.sources.insert((*name).to_owned(), source(&rows()));
            }
            other => panic!("{}: a block {other:?}", path.display()),
        }
    }
    case
}

fn cells(line: &str) -> Vec<String> {
    line.split(',').map(|cell| cell.trim().to_owned()).collect()
}

fn source(rows: &[Vec<String>]) -> Frame {
    let fields: Vec<Field> = rows[0]
        .iter()
        .map(|cell| {
            let (name, data_type) = cell.split_once(':').expect("a header cell is `name:type`");
            let data_type = match data_type {
                "bool" => DataType::Bool,
                "int64" => DataType::Int64,
                "float64" => DataType::Float64,
                "money" => DataType::Decimal { precision: 12, scale: 2 },
                "string" => DataType::String,
                "date" => DataType::Date,
                "timestamp" => DataType::Timestamp,
                other => panic!("no type `{other}`"),
            };
            Field::new(name, data_type)
        })
        .collect();
    let values: Vec<Vec<Value>> = rows[1..]
        .iter()
        .map(|row| row.iter().zip(&fields).map(|(cell, f)| value(cell, f.data_type)).collect())
        .collect();
    Frame::from_rows(Arc::new(Schema::new(fields)), &values).expect("the rows fit")
}

fn value(cell: &str, data_type: DataType) -> Value {
    use tenure::document::{Instant, parse_instant};
    if cell.is_empty() {
        return Value::Null;
    }
    match data_type {
        DataType::Bool => Value::Bool(cell == "true"),
        DataType::Int64 | DataType::Int32 => Value::Int(cell.parse().expect("a whole number")),
        DataType::Float64 => Value::Float(cell.parse().expect("a number")),
        DataType::Decimal { .. } => {
            let (minor, scale) = parse_decimal(cell).expect("a decimal");
            Value::Decimal { minor, scale }
        }
        DataType::String => Value::text(cell),
        DataType::Date => match parse_instant(cell) {
            Some(Instant::Date(days)) => Value::Date(days),
            other => panic!("`{cell}` is not a date: {other:?}"),
        },
        DataType::Timestamp => match parse_instant(cell) {
            Some(Instant::Absolute(at) | Instant::Local(at)) => Value::Timestamp(at),
            other => panic!("`{cell}` is not a timestamp: {other:?}"),
        },
        DataType::Duration => panic!("no durations in case files"),
    }
}

/// Runs the tables of a plan on an engine.
fn run(engine: &dyn Engine, prepared: &Prepared) -> BTreeMap<String, Frame> {
    let stages = prepared.plan.stages.iter().flat_map(|stage| &stage.tables);
    let tables: Vec<_> = stages.chain(&prepared.plan.quarantines).collect();
    let rels: Vec<_> = tables.iter().map(|table| table.rel.clone()).collect();
    let checks = &prepared.plan.checks;
    let counts = checks.iter().map(|check| check.counts.clone());
    let failing = checks.iter().map(|check| check.failing.clone());
    let alerts = &prepared.plan.alerts;
    let of_alerts = alerts.iter().flat_map(|alert| [alert.counts.clone(), alert.raised.clone()]);
    let rels: Vec<_> = rels.into_iter().chain(counts).chain(failing).chain(of_alerts).collect();
    let mut frames = engine.run(&rels).expect("it runs").into_iter();
    let mut named: BTreeMap<String, Frame> =
        tables.iter().map(|table| table.name.clone()).zip(frames.by_ref()).collect();
    if !checks.is_empty() {
        let outcomes: Vec<_> =
            checks.iter().zip(frames.by_ref()).map(|(c, counts)| c.outcome(&counts)).collect();
        let table = tenure::checks::checks_table(&outcomes).expect("outcomes fit a table");
        named.insert("checks".to_owned(), table);
        let rows = checks.iter().map(|check| format!("checks_rows/{}", check.name));
        named.extend(rows.zip(frames.by_ref()));
    }
    if !alerts.is_empty() {
        let read = |alert| {
            let (counts, rows) = (frames.next().expect("counts"), frames.next().expect("rows"));
            RaisedAlert::read(alert, &counts, Some(&rows))
        };
        let mut raised: Vec<_> = alerts.iter().filter_map(read).collect();
        raised.sort_by(|a, b| (a.severity, &a.name).cmp(&(b.severity, &b.name)));
        let table = alerts_table(&raised).expect("alerts fit a table");
        named.insert("alerts".to_owned(), table);
    }
    named
}

/// The scans of a plan: the columns that the plan wants of each source.
fn scans(prepared: &Prepared) -> BTreeMap<String, Arc<Schema>> {
    fn visit(rel: &tenure::ir::RelRef, found: &mut BTreeMap<String, Arc<Schema>>) {
        if let RelNode::Scan(scan) = &rel.node {
            found.insert(scan.source.to_string(), rel.schema.clone());
        }
        rel.inputs().into_iter().for_each(|input| visit(input, found));
    }
    let mut found = BTreeMap::new();
    prepared.plan.sources.iter().for_each(|table| visit(&table.rel, &mut found));
    found
}

fn compare(name: &str, table: &str, frame: &Frame, expected: &[Vec<String>]) {
    let header = &expected[0];
    let columns: Vec<usize> = header
        .iter()
        .map(|column| {
            let known: Vec<&str> = frame.schema.names().collect();
            frame.schema.index_of(column).unwrap_or_else(|| {
                panic!("{name}: `{table}` has no column `{column}`, but {known:?}")
            })
        })
        .collect();
    let actual: Vec<Vec<String>> = (0..frame.rows())
        .map(|row| {
            columns
                .iter()
                .map(|&column| match frame.value(row, column) {
                    Value::Null => String::new(),
                    value => value.to_string(),
                })
                .collect()
        })
        .collect();
    let shown =
        |rows: &[Vec<String>]| rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join("\n");
    let same = actual.len() == expected.len() - 1
        && actual
            .iter()
            .zip(&expected[1..])
            .all(|(a, e)| a.len() == e.len() && a.iter().zip(e).all(|(a, e)| cell_equal(a, e)));
    assert!(
        same,
        "{name}: table `{table}` is\n{}\n{}\nbut was expected to be\n{}",
        header.join(","),
        shown(&actual),
        shown(&expected[1..])
    );
}

fn cell_equal(actual: &str, expected: &str) -> bool {
    if actual == expected {
        return true;
    }
    match (actual.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(a), Ok(e)) => (a - e).abs() <= 1e-9 * e.abs().max(1.0),
        _ => false,
    }
}

fn case_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_case_holds_on_every_engine() {
    let files = case_files();
    assert!(files.len() >= 12, "only {} case files", files.len());
    for path in files {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let case = read(&path);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pipeline.yaml"), &case.pipeline).expect("written");
        for (source, frame) in &case.sources {
            // Row groups of two rows, so that folds have something to merge.
            write_parquet(&folder.path().join(format!("{source}.parquet")), frame, 2);
        }
        let request = Request {
            pipeline: folder.path().join("pipeline.yaml"),
            root: folder.path().to_owned(),
            variables: BTreeMap::from([("TENURE_KEY".to_owned(), KEY.to_owned())]),
            ..Request::default()
        };
        let prepared = prepare(&request).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let calendar = prepared.pipeline.calendar.clone();

        let local = Local::new(prepared.inputs.clone(), calendar.clone(), 2, &Unwatched);
        let local = run(&local.expect("threads"), &prepared);
        let mut reference = Reference::new(calendar);
        for (source, schema) in scans(&prepared) {
            let given = &case.sources[&source];
            let rows: Vec<Vec<Value>> = (0..given.rows())
                .map(|row| {
                    let of = |field: &Field| given.schema.index_of(&field.name);
                    let value = |field| of(field).map_or(Value::Null, |at| given.value(row, at));
                    schema.fields.iter().map(value).collect()
                })
                .collect();
            let frame = Frame::from_rows(schema, &rows).expect("the rows fit");
            reference = reference.with_source(source, frame);
        }
        let reference = run(&reference, &prepared);
        for (table, expected) in &case.expected {
            let frame = |tables: &BTreeMap<String, Frame>| {
                tables.get(table).cloned().unwrap_or_else(|| panic!("{name}: no table `{table}`"))
            };
            compare(&format!("{name} (reference)"), table, &frame(&reference), expected);
            compare(&format!("{name} (local)"), table, &frame(&local), expected);
        }
        // What no expectation names is equal all the same.
        for (table, frame) in &local {
            crate::support::equal(&reference[table], frame, 1e-12)
                .unwrap_or_else(|difference| panic!("{name}: {table}: {difference}"));
        }
    }
}

#[test]
fn every_stage_and_metric_has_a_case() {
    let all: String = case_files()
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a case file"))
        .collect();
    for kind in tenure::stages::registry() {
        assert!(all.contains(&format!("{}:", kind.name)), "no case for the stage `{}`", kind.name);
    }
    for kind in tenure::checks::registry() {
        assert!(all.contains(&format!("{}:", kind.name)), "no case for the check `{}`", kind.name);
    }
    for kind in tenure::metrics::registry() {
        assert!(all.contains(kind.name), "no case for the metric `{}`", kind.name);
    }
}
