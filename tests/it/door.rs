//! What stands round a run: comparing two, completion, manual pages, errors for programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::write_parquet;

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.current_dir(folder).args(arguments).output().expect("it starts")
}

#[track_caller]
fn stdout(output: &Output, expected: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(expected), "stderr: {errors}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

const MONTHLY: &str = "\
version: 1
name: shop
as_of: 2026-03-01
sources:
  orders: {parquet: orders.parquet, customer: customer_id, time: ordered_at, value: amount}
stages:
  monthly: {from: orders, segment_metrics: {by: [channel, month], metrics: [revenue, average_order_value]}}
";

/// 2026-01-01.
const JANUARY: i32 = 20_454;

/// Customer, day, cents, channel.
type Order = (i64, i32, i128, Option<&'static str>);

const ORDERS: &[Order] = &[
    (1, JANUARY, 1000, Some("web")),
    (2, JANUARY + 3, 500, Some("a/b")),
    (3, JANUARY + 3, 900, None),
    (1, JANUARY + 40, 700, Some("web")),
];

/// Runs a pipeline over orders into `out/shop` and gives what the link points to.
fn run(folder: &Path, orders: &[Order], pipeline: &str) -> String {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
        Field::new("amount", DataType::Decimal { precision: 12, scale: 2 }),
        Field::new("channel", DataType::String),
    ]);
    let row = |&(customer, day, minor, channel): &Order| {
        let amount = Value::Decimal { minor, scale: 2 };
        let channel = channel.map_or(Value::Null, Value::text);
        vec![Value::Int(customer), Value::Date(day), amount, channel]
    };
    let rows: Vec<Vec<Value>> = orders.iter().map(row).collect();
    let frame = Frame::from_rows(Arc::new(schema), &rows).expect("rows of these types");
    write_parquet(&folder.join("orders.parquet"), &frame, 100);
    fs::write(folder.join("shop.yaml"), pipeline).expect("written");
    stdout(&tenure(folder, &["run", "shop.yaml", "--quiet"]), 0);
    let link = fs::read_link(folder.join("out/shop")).expect("a link");
    format!("out/{}", link.display())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The text without the lines that say which runs they are.
fn findings(text: &str) -> String {
    let told = |line: &&str| !line.starts_with("A  ") && !line.starts_with("B  ");
    let told = |line: &&str| told(line) && !line.starts_with("plan_hash");
    text.lines().filter(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn equal_runs() {
    let folder = folder();
    let first = run(folder.path(), ORDERS, MONTHLY);
    run(folder.path(), ORDERS, MONTHLY);
    let output = tenure(folder.path(), &["diff", &first, "out/shop"]);
    insta::assert_snapshot!(findings(&stdout(&output, 0)), @"

    monthly: equal, 4 row(s)
    monthly_totals: equal, 2 row(s)
    equal: 2 table(s)
    ");
}

#[test]
fn other_rows_and_other_cells() {
    let folder = folder();
    let first = run(folder.path(), ORDERS, MONTHLY);
    let mut orders = ORDERS.to_vec();
    orders[0].2 = 1001;
    orders[2].3 = Some("shop");
    let second = run(folder.path(), &orders, MONTHLY);
    let output = tenure(folder.path(), &["diff", &first, &second]);
    insta::assert_snapshot!(findings(&stdout(&output, 1)), @"
    files of source `orders`: 4 rows in 1 file(s) in A, 4 rows in 1 file(s) in B

    monthly: 4 row(s) in A, 4 in B; 1 only in A; 1 only in B; 3 cell(s) changed
      `revenue`: 1 cell(s) changed, by at most 0.01 (relative 9.99e-4)
      `average_order_value`: 1 cell(s) changed, by at most 0.01 (relative 9.99e-4)
      `average_order_value_numerator`: 1 cell(s) changed, by at most 0.01 (relative 9.99e-4)
        only in A: channel=null month=2026-01-01
        only in B: channel=shop month=2026-01-01
        channel=web month=2026-01-01: `revenue` 10.00 in A, 10.01 in B
        channel=web month=2026-01-01: `average_order_value` 10.0 in A, 10.01 in B
        channel=web month=2026-01-01: `average_order_value_numerator` 10.00 in A, 10.01 in B
    monthly_totals: 2 row(s) in A, 2 in B; 3 cell(s) changed
      `revenue`: 1 cell(s) changed, by at most 0.01 (relative 4.16e-4)
      `average_order_value`: 1 cell(s) changed, by at most 0.0033 (relative 4.16e-4)
      `average_order_value_numerator`: 1 cell(s) changed, by at most 0.01 (relative 4.16e-4)
        month=2026-01-01: `revenue` 24.00 in A, 24.01 in B
        month=2026-01-01: `average_order_value` 8.0 in A, 8.003333333333334 in B
        month=2026-01-01: `average_order_value_numerator` 24.00 in A, 24.01 in B
    different: 2 of 2 table(s)
    ");
    // Doubles may be allowed to differ; money may not.
    let output = tenure(folder.path(), &["diff", &first, &second, "--tolerance", "1"]);
    let text = stdout(&output, 1);
    assert!(text.contains("`revenue`: 1 cell(s) changed"), "{text}");
    assert!(!text.contains("`average_order_value`"), "{text}");
}

#[test]
fn other_columns_tables_and_settings() {
    let folder = folder();
    let first = run(folder.path(), ORDERS, MONTHLY);
    let changed = MONTHLY.replace("average_order_value", "order_count").replace("-01\n", "-02\n")
        + "  all: {from: orders, segment_metrics: {metrics: [revenue]}}\n";
    let second = run(folder.path(), ORDERS, &changed);
    let output = tenure(folder.path(), &["diff", &first, &second]);
    insta::assert_snapshot!(findings(&stdout(&output, 1)), @"
    as_of: 2026-03-01T00:00:00Z in A, 2026-03-02T00:00:00Z in B

    all: only in B
    monthly: 4 row(s) in A, 4 in B
      column `average_order_value`: float64 in money in A, none in B
      column `average_order_value_numerator`: decimal(38,2) in money in A, none in B
      column `average_order_value_denominator`: int64 in count in A, none in B
      column `order_count`: none in A, int64 in count in B
    monthly_totals: 2 row(s) in A, 2 in B
      column `average_order_value`: float64 in money in A, none in B
      column `average_order_value_numerator`: decimal(38,2) in money in A, none in B
      column `average_order_value_denominator`: int64 in count in A, none in B
      column `order_count`: none in A, int64 in count in B
    different: 3 of 3 table(s)
    ");
}

#[test]
fn partitions_are_put_together_again() {
    let folder = folder();
    let apart = format!("{MONTHLY}outputs: {{tables: {{monthly: {{partition_by: [channel]}}}}}}\n");
    let first = run(folder.path(), ORDERS, MONTHLY);
    let second = run(folder.path(), ORDERS, &apart);
    let output = tenure(folder.path(), &["diff", &first, &second]);
    let text = stdout(&output, 0);
    assert!(text.contains("monthly: equal, 4 row(s)"), "{text}");
}

#[test]
fn differences_as_json() {
    let folder = folder();
    let first = run(folder.path(), ORDERS, MONTHLY);
    let second = run(folder.path(), &ORDERS[1..], MONTHLY);
    let arguments = ["diff", &first, &second, "--format", "json"];
    let text = stdout(&tenure(folder.path(), &arguments), 1);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["equal"], false);
    assert_eq!(found["tables"][0]["rows_only_in_a"], 1);
    assert_eq!(found["tables"][0]["first_only_in_a"][0], "channel=web month=2026-01-01");
}

/// Instants have a zone in the file; a variable that is not set leaves its default.
#[test]
fn differences_of_instants() {
    let pipeline = MONTHLY
        .replace("as_of", "env: [NO_SUCH_CHANNEL]\nas_of")
        .replace("{from: orders,", "{from: orders, where: 'channel = ${env.NO_SUCH_CHANNEL:-web}',")
        .replace("[channel, month]", "[{expression: cast(ordered_at as timestamp), as: at}]");
    let folder = folder();
    let first = run(folder.path(), ORDERS, &pipeline);
    let second = run(folder.path(), &ORDERS[..3], &pipeline);
    let text = stdout(&tenure(folder.path(), &["diff", &first, &second]), 1);
    assert!(text.contains("at=2026-02-10T00:00:00Z"), "{text}");
    assert!(!text.contains("2026-01-04"), "{text}");
}

#[test]
fn what_is_not_a_run() {
    let folder = folder();
    let first = run(folder.path(), ORDERS, MONTHLY);
    let output = tenure(folder.path(), &["diff", &first, "absent"]);
    stdout(&output, 4);
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent is not a run"));
    let arguments = ["diff", &first, "absent", "--format", "json"];
    let text = stdout(&tenure(folder.path(), &arguments), 4);
    assert!(text.contains("\"exit_status\": 4"), "{text}");
    stdout(&tenure(folder.path(), &["diff", &first, &first, "--tolerance", "-1"]), 2);
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = tenure(Path::new("."), &["completions", shell]);
        let text = stdout(&output, 0);
        assert!(text.contains("tenure") && text.contains("as-of"), "{shell}");
        assert!(!text.contains("crash"), "{shell}: what is hidden is not completed");
    }
    stdout(&tenure(Path::new("."), &["completions", "dosh"]), 2);
}

#[test]
fn manual_pages() {
    let page = stdout(&tenure(Path::new("."), &["man"]), 0);
    assert!(page.contains(".TH tenure 1"), "{page}");
    let folder = folder();
    let output = tenure(folder.path(), &["man", "--directory", "share/man1"]);
    stdout(&output, 0);
    let page = fs::read_to_string(folder.path().join("share/man1/tenure-run.1")).expect("a page");
    assert!(page.contains("tenure\\-run") && page.contains("\\-\\-as\\-of"), "{page}");
    assert!(!folder.path().join("share/man1/tenure-crash.1").exists());
    fs::write(folder.path().join("file"), "").expect("written");
    stdout(&tenure(folder.path(), &["man", "--directory", "file"]), 6);
}

#[test]
fn errors_of_the_command_line_as_json() {
    let folder = folder();
    run(folder.path(), ORDERS, MONTHLY);
    for (arguments, expected) in [
        (&["check", "shop.yaml", "--format", "json", "--nonsense"][..], "--nonsense"),
        (&["check", "--format=json", "shop.yaml", "--as-of", "yesterday"], "yesterday"),
        (&["run", "shop.yaml", "--set", "x=1", "--format", "json"], "params.NAME=VALUE"),
        (&["run", "shop.yaml", "--threads", "0", "--format", "json"], "0"),
        (&["explain", "shop.yaml", "montly", "--format", "json"], "montly"),
        (&["chekc", "--format", "json"], "chekc"),
        (&["run", "--format", "json"], "<PIPELINE>"),
    ] {
        let text = stdout(&tenure(folder.path(), arguments), 2);
        let document: serde_json::Value = serde_json::from_str(&text).expect("one document");
        assert_eq!(document["exit_status"], 2, "{arguments:?}");
        let message = document["diagnostics"][0]["message"].as_str().expect("a message");
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!message.contains('\u{1b}') && !message.contains("Usage"), "{message}");
    }
    // Words after `--` are not flags, and help is not an error.
    let output = tenure(folder.path(), &["check", "--", "shop.yaml", "--format", "json"]);
    assert_eq!(stdout(&output, 2), "");
    assert!(
        stdout(&tenure(folder.path(), &["check", "--format", "json", "--help"]), 0)
            .contains("Usage")
    );
}

#[test]
fn any_table_can_be_looked_at() {
    let folder = folder();
    run(folder.path(), ORDERS, MONTHLY);
    let show = |arguments: &[&str], status: i32| {
        let arguments = [&["show", "shop.yaml"], arguments].concat();
        stdout(&tenure(folder.path(), &arguments), status)
    };
    let text = show(&["monthly", "--rows", "1"], 0);
    assert!(text.starts_with("monthly: 4 rows, by channel, month\n"), "{text}");
    assert!(text.contains("revenue") && text.ends_with("… 3 more\n"), "{text}");

    let csv = show(&["orders", "--format", "csv"], 0);
    assert_eq!(csv.lines().count(), 1 + ORDERS.len(), "{csv}");
    assert_eq!(csv.lines().nth(2), Some("2,2026-01-04,5.00,a/b"), "{csv}");

    let json = show(&["monthly", "--format", "json", "--rows", "2"], 0);
    let json: serde_json::Value = serde_json::from_str(&json).expect("one document");
    assert_eq!(json["row_count"], 4);
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(2));

    let refused = tenure(folder.path(), &["show", "shop.yaml", "mnthly"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("mnthly") && said.contains("monthly"), "{said}");
}

#[test]
fn a_run_of_selected_stages_publishes_only_these() {
    let folder = folder();
    let pipeline = format!("{MONTHLY}  customers: {{from: orders, customer_summary: {{}}}}\n");
    let whole = run(folder.path(), ORDERS, &pipeline);
    let selected = &["run", "shop.yaml", "--select", "customers", "--quiet"];
    stdout(&tenure(folder.path(), selected), 0);
    let published = folder.path().join("out/shop");
    assert!(published.join("customers.parquet").exists());
    assert!(!published.join("monthly.parquet").exists());
    let bytes = |path: &Path| fs::read(path.join("customers.parquet")).expect("a table");
    assert_eq!(bytes(&published), bytes(&folder.path().join(whole)));

    let refused = tenure(folder.path(), &["run", "shop.yaml", "--select", "customer"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("customers"));
}
