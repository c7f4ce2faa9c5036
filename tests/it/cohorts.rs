//! `cohort_retention` with its options over the CDNOW log, at figures of another engine; and what a run
//! says of tables that it cannot follow.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::{read_parquet, write_parquet};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(folder: &Path, pipeline: &str) -> Output {
    fs::write(folder.join("it.yaml"), pipeline).expect("written");
    Command::new(env!("CARGO_BIN_EXE_tenure"))
        .current_dir(folder)
        .args(["run", "it.yaml", "--quiet"])
        .output()
        .expect("it starts")
}

/// The rows of a table that somebody has lived through hold the figures of a file, column by column.
#[track_caller]
fn holds(out: &Path, table: &str, figures: &str) {
    let frame = read_parquet(&out.join(format!("{table}.parquet")));
    let text = fs::read_to_string(repository().join("tests/expected").join(figures));
    let text = text.expect("a file of figures");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().expect("a header");
    let eligible = frame.column("eligible").expect("a column");
    let columns: Vec<Vec<Value>> =
        names.iter().map(|name| frame.column(name).expect("a column")).collect();
    let seen: Vec<usize> = (0..frame.rows()).filter(|&row| !eligible[row].is_null()).collect();
    let expected: Vec<Vec<&str>> = lines.collect();
    assert_eq!(seen.len(), expected.len(), "{table}");
    for (row, expected) in seen.into_iter().zip(expected) {
        let found: Vec<String> = columns.iter().map(|column| column[row].to_string()).collect();
        assert_eq!(found, expected, "{table}: {names:?}");
    }
}

#[test]
fn every_option_gives_the_figures_of_another_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = format!(
        "version: 1
name: cohorts
as_of: 1998-07-01
sources:
  orders: {{parquet: {}, customer: customer_id, time: ordered_at, value: amount}}
stages:
  early: {{from: orders, filter: {{where: \"ordered_at < date '1997-04-01'\"}}}}
  spring: {{from: early, deduplicate: {{keys: [customer_id], keep: last, order_by: ordered_at}}}}
  through: {{from: orders, cohort_retention: {{returned: through}}}}
  brackets: {{from: orders, cohort_retention: {{ages: [[0, 0], [1, 3], [4, 6], [9, 11]]}}}}
  rolling: {{from: orders, cohort_retention: {{steps: rolling}}}}
  since_spring: {{from: orders, cohort_retention: {{entry_from: spring}}}}
  this_year:
    from: orders
    where: ordered_at >= date '1998-01-01'
    cohort_retention: {{entry: first_in_range}}
",
        repository().join("sample_data/cdnow/orders.parquet").display()
    );
    let output = run(folder.path(), &pipeline);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = folder.path().join("out/cohorts");
    holds(&out, "through", "cdnow_retention_through.csv");
    holds(&out, "brackets", "cdnow_retention_brackets.csv");
    holds(&out, "rolling", "cdnow_retention_rolling.csv");
    holds(&out, "since_spring", "cdnow_retention_entry_from.csv");
    holds(&out, "this_year", "cdnow_retention_in_range.csv");
}

/// Orders of customers 1, 2, … on these days (since 1970-01-01), and a pipeline over them.
fn small(days: impl IntoIterator<Item = i32>, source: &str, stage: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
    ]);
    let rows: Vec<Vec<Value>> =
        (1..).zip(days).map(|(id, day)| vec![Value::Int(id), Value::Date(day)]).collect();
    let frame = Frame::from_rows(Arc::new(schema), &rows).expect("rows that fit");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 1_000);
    let pipeline = format!(
        "version: 1
name: small
as_of: 2026-11-01
sources:
  orders: {{parquet: orders.parquet, customer: customer_id, time: ordered_at{source}}}
stages:
  followed: {{from: orders, {stage}}}
"
    );
    (folder, pipeline)
}

/// 2026-01-01.
const JANUARY: i32 = 20_454;

#[test]
fn a_wrong_date_is_said_before_a_table_grows_too_large() {
    let daily = "cohort_retention: {cohort: day, age: day}";
    // 1900-01-01, and a customer for each of a hundred days.
    let wrong = || std::iter::once(-25_567).chain(JANUARY..JANUARY + 100);
    let (folder, pipeline) = small(wrong(), "", daily);
    let output = run(folder.path(), &pipeline);
    assert_eq!(output.status.code(), Some(7));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let sentence = "101 cohorts by day and 46325 ages by day would have 4678825 rows, more than 4000000: \
                    they reach from 1900-01-01 to 2026-10-31; customers of the first cohort: 1, the next is \
                    2026-01-01";
    assert!(stderr.contains(sentence), "{stderr}");
    assert!(stderr.contains("the stage `followed` ("), "{stderr}");
    assert!(stderr.contains("`max_age`"), "{stderr}");

    // What the help names is a way out.
    let kept = ", columns: {ordered_at: {min: 1990-01-01}}, bad_rows: {action: drop, tolerate: 5%}";
    let (folder, pipeline) = small(wrong(), kept, daily);
    let output = run(folder.path(), &pipeline);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let by = "growth: {period: day, by: [customer_id]}";
    let (folder, pipeline) = small(wrong(), "", by);
    let output = run(folder.path(), &pipeline);
    assert_eq!(output.status.code(), Some(7));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let sentence = "the days of 101 groups would have 4678825 rows, more than 4000000: they reach from \
                    1900-01-01 to 2026-10-31";
    assert!(stderr.contains(sentence), "{stderr}");
    assert!(stderr.contains("the stage `followed` ("), "{stderr}");
}

#[test]
fn customers_enter_once() {
    let (folder, pipeline) =
        small([JANUARY, JANUARY + 1], "", "cohort_retention: {entry_from: twice}");
    let pipeline = format!("{pipeline}  twice: {{from: orders, union: {{with: [orders]}}}}\n");
    let output = run(folder.path(), &pipeline);
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("more than one row for the key 1"), "{stderr}");
    assert!(stderr.contains("deduplicate"), "{stderr}");
}
