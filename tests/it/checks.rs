//! Checks in a run: what stops it, what is said, what is kept.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value as Json;
use tempfile::TempDir;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::{read_parquet, write_parquet};

const HEAD: &str = "\
version: 1
name: shop
as_of: 2026-02-01
sources:
  orders: {parquet: orders.parquet, customer: customer_id, time: ordered_at, key: order_id, value: amount}
stages:
  monthly: {from: orders, segment_metrics: {by: [month], metrics: [revenue]}}
";

/// 2026-01-01.
const JANUARY: i32 = 20_454;

/// A folder with a pipeline and 1,500 orders, of which the last 1,200 have no note.
fn shop(checks: &str) -> TempDir {
    let schema = Arc::new(Schema::new(vec![
        Field::new("order_id", DataType::Int64),
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
        Field::new("amount", DataType::Decimal { precision: 12, scale: 2 }),
        Field::new("note", DataType::String),
    ]));
    let rows: Vec<Vec<Value>> = (0..1_500)
        .map(|order| {
            vec![
                Value::Int(order),
                Value::Int(order % 7),
                Value::Date(JANUARY + (order % 31) as i32),
                Value::Decimal { minor: i128::from(order), scale: 2 },
                if order < 300 { Value::text("a note") } else { Value::Null },
            ]
        })
        .collect();
    let frame = Frame::from_rows(schema, &rows).expect("the rows fit");
    let folder = tempfile::tempdir().expect("a folder");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 400);
    fs::write(folder.path().join("shop.yaml"), format!("{HEAD}{checks}")).expect("written");
    folder
}

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_tenure");
    Command::new(binary).current_dir(folder).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The folder of the only run, and its manifest.
fn only_run(folder: &Path) -> (std::path::PathBuf, Json) {
    let entries = fs::read_dir(folder.join("out/shop.runs")).expect("the runs");
    let mut runs: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    let run = runs.remove(0);
    let manifest = fs::read_to_string(run.join("manifest.json")).expect("a manifest");
    (run, serde_json::from_str(&manifest).expect("JSON"))
}

/// What is personal is masked in failing rows, whatever stage it went through.
#[test]
fn failing_rows_hide_what_is_personal() {
    let folder = shop(
        "checks:\n  of_source: {from: orders, every_row: amount < 0}\n  of_stage: {from: renamed, every_row: amount < 0}\n",
    );
    let path = folder.path().join("shop.yaml");
    let text_of = fs::read_to_string(&path).expect("the pipeline");
    let source = text_of.replacen(
        "value: amount",
        "value: amount, columns: {note: {type: string, pii: true}, customer_id: {type: int64, pii: true}}",
        1,
    );
    let stage = source.replacen(
        "stages:\n",
        "stages:\n  renamed: {from: orders, derive: {loud: upper(note), long: length(note)}}\n",
        1,
    );
    fs::write(&path, &stage).expect("written");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.contains("***") && !shown.to_lowercase().contains("a note"), "{shown}");
    let (run, _) = only_run(folder.path());
    for (name, hidden) in [
        ("of_source", &["note", "customer_id"][..]),
        ("of_stage", &["note", "customer_id", "loud", "long"][..]),
    ] {
        let rows = read_parquet(&run.join(format!("checks_rows/{name}.parquet")));
        for column in hidden {
            let values = rows.column(column).expect("a column");
            let masked =
                |value: &Value| matches!(value, Value::Null) || *value == Value::text("***");
            assert!(values.iter().all(masked), "{name}: {column}");
        }
        assert_eq!(rows.column("order_id").expect("a column")[0], Value::Int(0));
    }
}

#[test]
fn a_failed_check_stops_the_run_and_shows_the_rows() {
    let folder = shop(
        "checks:\n  noted: {from: orders, not_null: note}\n  sound: {from: orders, every_row: amount >= 0}\n  \
         small: {from: monthly, every_row: revenue < 1, severity: warn}\n",
    );
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("error: check `noted`"));
    let at = at.unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(
        lines[at],
        "error: check `noted` of `orders` failed: rows have a value in `note`: 1200 of 1500 rows do not"
    );
    assert_eq!(lines[at + 1], "  | order_id  customer_id  ordered_at  amount  note");
    // Customer 0, the first of January: order 434 is the first of theirs without a note.
    assert_eq!(lines[at + 2], "  | 434       0            2026-01-01  4.34    null");
    assert_eq!(lines[at + 11].split_whitespace().count(), 6, "ten rows: {shown}");
    assert!(lines[at + 12].contains("`checks_rows/noted.parquet`"), "{shown}");
    assert!(lines[at + 12].ends_with("has the first 1000"), "{shown}");
    // What does not stop the run is shown all the same.
    assert!(shown.contains("warning: check `small` of `monthly` failed"), "{shown}");
    assert!(shown.ends_with("1 check failed; nothing was published (exit 3)\n"), "{shown}");

    assert!(!folder.path().join("out/shop").exists(), "nothing is published");
    let (run, manifest) = only_run(folder.path());
    assert_eq!(manifest["status"], "failed");
    assert_eq!(manifest["exit_status"], 3);
    assert_eq!(manifest["error"], "check `noted` failed; nothing was published");
    let checks = manifest["checks"].as_array().expect("a list");
    let of = |key: &str| checks.iter().map(|check| check[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("passed"), [Json::from(false), true.into(), false.into()]);
    assert_eq!(of("failures"), [Json::from(1200), 0.into(), 1.into()]);
    assert_eq!(checks[0]["rows_file"], "checks_rows/noted.parquet");
    assert!(checks[1].get("rows_file").is_none());
    assert_eq!(read_parquet(&run.join("checks_rows/noted.parquet")).rows(), 1_000);
    assert_eq!(read_parquet(&run.join("checks_rows/small.parquet")).rows(), 1);
    let kept = fs::read_dir(&run).expect("the run").count();
    assert_eq!(kept, 2, "only the manifest and the failing rows are left");
}

#[test]
fn a_warning_is_published_and_said() {
    let folder = shop(
        "checks:\n  noted: {from: orders, not_null: note, severity: warn}\n  \
         mostly: {from: orders, not_null: note, tolerate: 80%}\n  plenty: {from: orders, row_count: {min: 1500}}\n",
    );
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("warning: check `noted` of `orders` failed: "), "{shown}");
    assert!(!shown.contains("`mostly`"), "{shown}");

    let out = folder.path().join("out/shop");
    let table = read_parquet(&out.join("checks.parquet"));
    let names: Vec<&str> = table.schema.names().collect();
    assert_eq!(
        names,
        [
            "name",
            "from",
            "kind",
            "severity",
            "rows",
            "failures",
            "failure_share",
            "passed",
            "message"
        ]
    );
    let shown: Vec<String> =
        table.column("message").expect("messages").iter().map(Value::to_string).collect();
    assert_eq!(
        shown,
        [
            "rows have a value in `note`: 1200 of 1500 rows do not (tolerated)",
            "rows have a value in `note`: 1200 of 1500 rows do not",
            "the table has at least 1500 rows: found `rows` 1500",
        ]
    );
    assert!(out.join("checks_rows/noted.parquet").exists());
    let report = fs::read_to_string(out.join("report.html")).expect("a report");
    assert!(report.contains("Check noted of orders failed"), "the report begins with it");
    assert!(report.contains("the table has at least 1500 rows"));
    let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
    let manifest: Json = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["warnings"].as_array().map(Vec::len), Some(1));
    let tables = manifest["tables"].as_array().expect("a list");
    assert!(tables.iter().any(|table| table["name"] == "checks" && table["rows"] == 3));
}

#[test]
fn a_check_of_a_source_comes_before_what_it_explains() {
    let checks = "  parts: {from: orders, join: {with: orders, keys: [customer_id], prefix: other_}, publish: true}\n";
    let folder = shop(checks);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    assert_eq!(output.status.code(), Some(4), "several rows for a key: {}", text(&output.stderr));

    let folder =
        shop(&format!("{checks}checks:\n  one_each: {{from: orders, unique: customer_id}}\n"));
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    let (run, manifest) = only_run(folder.path());
    assert_eq!(manifest["checks"][0]["failures"], 1_493);
    // All rows share a customer with another; the first of them are kept, customer by customer.
    let kept = read_parquet(&run.join("checks_rows/one_each.parquet"));
    assert_eq!(kept.rows(), 1_000);
    let customer = kept.schema.index_of("customer_id").expect("a column");
    assert_eq!(kept.value(0, customer), kept.value(200, customer));
    assert!(kept.schema.index_of("copies").is_some() && kept.schema.index_of("order_id").is_some());
}

#[test]
fn failing_rows_do_not_depend_on_the_threads() {
    let folder = shop("checks:\n  noted: {from: orders, not_null: note}\n");
    let rows = |threads: &str| {
        let output = tenure(folder.path(), &["run", "shop.yaml", "--threads", threads]);
        assert_eq!(output.status.code(), Some(3));
        let (run, _) = only_run(folder.path());
        let rows = fs::read(run.join("checks_rows/noted.parquet")).expect("rows");
        fs::remove_dir_all(run).expect("it is ours");
        rows
    };
    assert_eq!(rows("1"), rows("3"));
}

#[test]
fn the_reasons_of_a_row_are_a_list() {
    let stage = "  \
        good:
    from: orders
    check:
      noted: {not_null: note}
      known: {range: {column: order_id, max: 1497}}
    publish: true
";
    let folder = shop(stage);
    let output = tenure(folder.path(), &["run", "shop.yaml", "--quiet"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let frame = read_parquet(&folder.path().join("out/shop/good_quarantine.parquet"));
    let (order, reasons) = (0, frame.schema.index_of("reasons").expect("a column"));
    let of = |wanted: i64| {
        let row = (0..frame.rows()).find(|&row| frame.value(row, order) == Value::Int(wanted));
        frame.value(row.expect("the row is bad"), reasons).to_string()
    };
    assert_eq!((of(400), of(1_499)), ("[noted]".to_owned(), "[noted, known]".to_owned()));

    // Lists are compared too.
    let before = fs::canonicalize(folder.path().join("out/shop")).expect("the run's own folder");
    let before = before.to_str().expect("a path");
    let changed = fs::read_to_string(folder.path().join("shop.yaml")).expect("text");
    let changed = changed.replace("max: 1497", "max: 1490");
    fs::write(folder.path().join("shop.yaml"), changed).expect("written");
    assert!(tenure(folder.path(), &["run", "shop.yaml", "--quiet"]).status.success());
    let output = tenure(folder.path(), &["diff", before, "out/shop"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("[noted, known]"), "{}", text(&output.stdout));
}

#[test]
fn mistakes_in_checks_are_told_at_their_words() {
    let folder = shop(
        "  parted: {from: orders, check: {one: {unique: [order_id]}}}\nchecks:\n  \
         a: {from: order, not_null: note}\n  b: {from: orders, not_null: [nte, amount]}\n  \
         c: {from: orders, acepted_values: {column: note, in: [x]}}\n  \
         d: {from: orders, accepted_values: {column: amount, in: [x]}}\n  \
         e: {from: orders, range: {column: amount}}\n  f: {from: orders, drift: {column: amount}}\n  \
         g: {from: orders, relationships: {column: order_id, to: orders}}\n  \
         h: {from: orders, every_row: amount}\n  i: {from: orders, freshness: {max_age: 26}}\n  \
         j: {not_null: note}\n  k: {from: orders, not_null: note, severity: warning}\n  \
         l: {from: orders, reconcile: {sum: note, equals: {from: monthly, sum: revenu}}}\n  \
         m: {from: orders, not_null: note, tolerate: 0.1}\n",
    );
    let output = tenure(folder.path(), &["check", "shop.yaml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let document: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let yaml = fs::read_to_string(folder.path().join("shop.yaml")).expect("the pipeline");
    let found: Vec<String> = document["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|diagnostic| {
            let place = &diagnostic["labels"][0]["place"];
            let at = |end: &str| place[end]["offset"].as_u64().expect("an offset") as usize;
            let word = yaml[at("start")..at("end")].to_owned();
            format!("{} at `{word}`", diagnostic["code"].as_str().expect("a code"))
        })
        .collect();
    assert_eq!(
        found,
        [
            "invalid-value at `unique`",
            "unknown-table at `order`",
            "unknown-column at `nte`",
            "unknown-key at `acepted_values`",
            "type-mismatch at `x`",
            "missing-key at `range`",
            "unsupported at `drift`",
            "invalid-value at `orders`",
            "type-mismatch at `amount`",
            "wrong-type at `26`",
            "missing-key at `{`",
            "invalid-value at `warning`",
            "type-mismatch at `note`",
            "unknown-column at `revenu`",
            "wrong-type at `0.1`",
        ]
    );
}

#[test]
fn the_manual_has_every_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = text(&tenure(folder.path(), &["checks"]).stdout);
    for kind in tenure::checks::registry() {
        assert!(list.contains(kind.name), "{list}");
        let page = text(&tenure(folder.path(), &["checks", kind.name]).stdout);
        assert!(page.starts_with(&format!("# {}", kind.name)), "{page}");
        assert!(page.contains("severity"), "{page}");
    }
    let unknown = tenure(folder.path(), &["checks", "notnull"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("`not_null`"));
}
