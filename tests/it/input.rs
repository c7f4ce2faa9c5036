//! What comes in: forms of files, types, contracts, and what a run says of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::{read_parquet, write_parquet};

const BINARY: &str = env!("CARGO_BIN_EXE_tenure");

/// 2026-01-01.
const JANUARY: i32 = 20_454;

const MONTHLY: &str = "stages:\n  monthly: {from: orders, segment_metrics: {by: [month], metrics: [revenue, order_count]}}\n";

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).current_dir(folder).args(arguments).output().expect("it starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[track_caller]
fn status(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "stderr: {}", stderr(output));
}

#[track_caller]
fn says(output: &Output, text: &str) {
    assert!(stderr(output).contains(text), "`{text}` is not said:\n{}", stderr(output));
}

/// A folder with a pipeline `shop.yaml`; `top` is what stands above `sources`, `source` what the
/// source `orders` has besides its roles.
fn shop(top: &str, source: &str, stages: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    pipeline(folder.path(), top, source, stages);
    folder
}

fn pipeline(folder: &Path, top: &str, source: &str, stages: &str) {
    let text = format!(
        "version: 1\nname: shop\n{top}sources:\n  orders:\n    customer: customer_id\n    \
         time: ordered_at\n    value: amount\n{source}{stages}"
    );
    fs::write(folder.join("shop.yaml"), text).expect("written");
}

const TOP: &str = "as_of: 2026-03-01\n";
const FILE: &str = "    parquet: orders.parquet\n";

fn orders(rows: &[(Option<i64>, i32, i128)]) -> Frame {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
        Field::new("amount", DataType::Decimal { precision: 12, scale: 2 }),
    ]);
    let rows: Vec<Vec<Value>> = rows
        .iter()
        .map(|&(customer, day, minor)| {
            vec![
                customer.map_or(Value::Null, Value::Int),
                Value::Date(day),
                Value::Decimal { minor, scale: 2 },
            ]
        })
        .collect();
    Frame::from_rows(Arc::new(schema), &rows).expect("the rows fit")
}

fn some_orders() -> Frame {
    orders(&[(Some(1), JANUARY, 1000), (Some(2), JANUARY + 3, 500), (Some(1), JANUARY + 40, 700)])
}

/// The rows of a published table as text, with the columns asked for.
fn table(folder: &Path, name: &str, columns: &[&str]) -> Vec<String> {
    let frame = read_parquet(&folder.join(format!("out/shop/{name}.parquet")));
    let places: Vec<usize> =
        columns.iter().map(|c| frame.schema.index_of(c).expect("a column")).collect();
    (0..frame.rows())
        .map(|row| {
            let text = |&place: &usize| match frame.value(row, place) {
                Value::Null => String::new(),
                value => value.to_string(),
            };
            places.iter().map(text).collect::<Vec<_>>().join("|")
        })
        .collect()
}

fn manifest(path: &Path) -> serde_json::Value {
    let text = fs::read(path.join("manifest.json")).expect("a manifest");
    serde_json::from_slice(&text).expect("JSON")
}

/// The folders of the runs, the oldest first.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("out/shop.runs")).expect("the runs");
    let mut runs: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    runs.sort();
    runs
}

#[test]
fn exit_8_another_run_is_at_work() {
    let folder = shop(TOP, FILE, MONTHLY);
    write_parquet(&folder.path().join("orders.parquet"), &some_orders(), 100);
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    let lock = fs::File::options()
        .write(true)
        .open(folder.path().join("out/shop.runs/.lock"))
        .expect("the lock of the runs");
    lock.lock().expect("nobody has it");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 8);
    says(&output, "is locked by another run");
    assert_eq!(runs(folder.path()).len(), 1, "who must wait leaves nothing");
    drop(lock);
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
}

#[test]
fn a_run_that_fails_at_its_files_leaves_a_manifest() {
    let folder = shop(TOP, FILE, MONTHLY);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    let first = manifest(&runs(folder.path())[0]);
    assert_eq!(first["status"], "failed");
    assert_eq!(first["exit_status"], 4);
    assert!(first["error"].as_str().is_some_and(|error| error.contains("no file of source")));

    fs::write(folder.path().join("orders.parquet"), b"PAR1 damaged PAR1").expect("written");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 4);
    let second = manifest(&runs(folder.path())[1]);
    assert!(second["error"].as_str().is_some_and(|error| error.contains("orders.parquet")));

    // Looking at a pipeline leaves nothing, and neither does a mistake in it.
    status(&tenure(folder.path(), &["check", "shop.yaml"]), 4);
    pipeline(folder.path(), TOP, FILE, &MONTHLY.replace("orders,", "ordres,"));
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 2);
    assert_eq!(runs(folder.path()).len(), 2);
}

#[test]
fn as_of_latest_is_the_day_after_the_last_event() {
    let folder = shop("as_of: latest\n", FILE, MONTHLY);
    let file = folder.path().join("orders.parquet");
    write_parquet(&file, &some_orders(), 2);
    let run = |arguments: &[&str]| {
        let output = tenure(folder.path(), &[&["run", "shop.yaml"], arguments].concat());
        status(&output, 0);
        let manifest = manifest(&folder.path().join("out/shop"));
        manifest["as_of"].as_str().expect("an instant").to_owned()
    };
    // 2026-01-01 and 40 days are 2026-02-10.
    assert_eq!(run(&[]), "2026-02-11T00:00:00Z");
    assert_eq!(table(folder.path(), "monthly", &["month", "order_count"]).len(), 2);
    // A last day that the contract rules out is not the last day; an expression needs a pass.
    let limited = format!("{FILE}    columns: {{ordered_at: {{max: 2026-01-20}}}}\n");
    pipeline(folder.path(), "as_of: latest\n", &limited, MONTHLY);
    let output = tenure(folder.path(), &["explain", "shop.yaml"]);
    status(&output, 0);
    assert!(String::from_utf8_lossy(&output.stdout).contains("as of 2026-01-05T00:00:00Z"));
    pipeline(folder.path(), TOP, FILE, MONTHLY);
    let text = fs::read_to_string(folder.path().join("shop.yaml")).expect("a pipeline");
    let text = text.replace("time: ordered_at", "time: ordered_at + interval '1 day'");
    fs::write(folder.path().join("shop.yaml"), text).expect("written");
    assert_eq!(run(&["--as-of", "latest"]), "2026-02-12T00:00:00Z");

    // The day is that of the pipeline's zone: 22:00 of UTC is tomorrow in Tokyo.
    let at = |hour: i64| Value::Timestamp((i64::from(JANUARY) * 24 + hour) * 3_600_000_000);
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Timestamp),
        Field::new("amount", DataType::Int64),
    ]);
    let rows = [vec![Value::Int(1), at(22), Value::Int(5)]];
    write_parquet(&file, &Frame::from_rows(Arc::new(schema), &rows).expect("a row"), 10);
    pipeline(folder.path(), "as_of: latest\ntimezone: Asia/Tokyo\n", FILE, MONTHLY);
    assert_eq!(run(&[]), "2026-01-02T15:00:00Z");

    write_parquet(&file, &orders(&[]), 10);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 5);
    // Without a time there is no last event; without `as_of` it is said that there is `latest`.
    fs::write(
        folder.path().join("shop.yaml"),
        "version: 1\nname: shop\nas_of: latest\nsources:\n  orders: {parquet: orders.parquet}\n\
         stages:\n  f: {from: orders, filter: {where: amount > 0}}\n",
    )
    .expect("written");
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    says(&output, "`as_of: latest` needs a source with the role `time`");
    pipeline(folder.path(), "", FILE, MONTHLY);
    says(&tenure(folder.path(), &["check", "shop.yaml"]), "`as_of: latest` for the day after");
}
