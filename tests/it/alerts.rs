//! Alerts in a run: where they are told, and that they stop nothing.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;
use tempfile::TempDir;
use tenure::frame::Value;

use crate::parquet::read_parquet;

const HEAD: &str = "\
version: 1
name: shop
as_of: 2026-02-01
sources:
  orders:
    csv: orders.csv
    customer: customer_id
    time: ordered_at
    key: order_id
    value: {column: amount, currency: EUR}
    columns:
      order_id: {type: int64}
      customer_id: {type: int64}
      ordered_at: {type: date}
      amount: {type: decimal}
      email: {type: string, pii: true}
stages:
  daily: {from: orders, segment_metrics: {by: [day], metrics: [revenue]}}
  loud: {from: orders, derive: {shouted: upper(email)}}
";

/// A folder with a pipeline and three orders.
fn shop(rest: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let orders = "order_id,customer_id,ordered_at,amount,email\n\
        1,1,2026-01-01,1250.00,a@example.org\n2,2,2026-01-02,7.00,b@example.org\n\
        3,3,2026-01-03,8.00,c@example.org\n";
    fs::write(folder.path().join("orders.csv"), orders).expect("written");
    fs::write(folder.path().join("shop.yaml"), format!("{HEAD}{rest}")).expect("written");
    folder
}

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_tenure");
    Command::new(binary).current_dir(folder).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

const ALERTS: &str = "alerts:
  small: {from: daily, when: revenue < 10, say: \"{revenue} on {day}\"}
  large: {from: daily, when: revenue > 1000, severity: critical, say: \"{revenue} on {day}\"}
  never: {from: daily, when: revenue is null, say: never}
";

#[test]
fn alerts_stand_first_and_stop_nothing() {
    let folder = shop(ALERTS);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let large = "critical: alert `large` of `daily`: 1,250.00\u{a0}EUR on 2026-01-01\n";
    let small =
        "warn: alert `small` of `daily`: 7.00\u{a0}EUR on 2026-01-02 (the first of 2 rows)\n";
    assert!(said.contains(&format!("{large}{small}")), "{said}");
    assert!(!said.contains("never"), "{said}");

    let out = folder.path().join("out/shop");
    let table = read_parquet(&out.join("alerts.parquet"));
    let rows: Vec<Vec<String>> =
        table.to_rows().iter().map(|row| row.iter().map(Value::to_string).collect()).collect();
    let names: Vec<&str> = table.schema.names().collect();
    assert_eq!(names, ["name", "severity", "from", "rows", "message"]);
    assert_eq!(
        rows,
        [
            ["large", "critical", "daily", "1", "1,250.00\u{a0}EUR on 2026-01-01"],
            ["small", "warn", "daily", "2", "7.00\u{a0}EUR on 2026-01-02"],
        ]
    );

    let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
    let manifest: Json = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["exit_status"], 0);
    let alerts = manifest["alerts"].as_array().expect("a list");
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0]["name"], "large");
    assert_eq!(alerts[1]["rows"], 2);

    let html = fs::read_to_string(out.join("report.html")).expect("a report");
    let markdown = fs::read_to_string(out.join("report.md")).expect("a report");
    for report in [html, markdown] {
        let at = |what: &str| report.find(what).unwrap_or_else(|| panic!("no {what}: {report}"));
        let (large, small) = (at("Alert large of daily"), at("Alert small of daily"));
        assert!(large < small && small < at("Daily: "));
        assert!(report.contains("1,250.00\u{a0}EUR on 2026-01-01"));
    }
    let json = fs::read_to_string(out.join("report.json")).expect("a report");
    let json: Json = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["notices"][0]["severity"], "critical");
    assert_eq!(json["notices"][0]["title"], "Alert large of daily");

    // Alerts of stages that are not asked for are not looked for.
    let output = tenure(folder.path(), &["run", "shop.yaml", "--select", "loud"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("alert"), "{}", text(&output.stderr));
}

#[test]
fn mistakes_in_alerts_point() {
    let check = |alert: &str, expected: &str| {
        let folder = shop(&format!("alerts:\n  a: {alert}\n"));
        let output = tenure(folder.path(), &["check", "shop.yaml", "--format", "json"]);
        assert_eq!(output.status.code(), Some(2), "{alert}");
        let document: Json = serde_json::from_slice(&output.stdout).expect("JSON");
        let list = document["diagnostics"].as_array().expect("a list");
        assert_eq!(list.len(), 1, "{alert}: {list:?}");
        let place = &list[0]["labels"][0]["place"];
        let column = |end: &str| place[end]["column"].as_u64().expect("a column") as usize - 1;
        let line = format!("  a: {alert}");
        assert_eq!(place["start"]["line"], HEAD.lines().count() + 2, "{alert}");
        let word = line.get(column("start")..column("end")).unwrap_or_default();
        let found = format!("{word} | {}", list[0]["message"].as_str().expect("a message"));
        assert_eq!(found, expected);
    };
    check("{from: dayly, when: true, say: x}", "dayly | there is no table `dayly`");
    check(
        "{from: daily, when: revenue, say: x}",
        "revenue | expected a condition, found a decimal(38,2)",
    );
    check(
        "{from: daily, when: revenue > 1, say: \"of {revenu} there\"}",
        "{revenu} | `daily` has no column `revenu`",
    );
    check(
        "{from: daily, when: revenue > 1, say: \"of {revenue there\"}",
        "{ | a `{` without a `}` after it",
    );
    check(
        "{from: orders, when: amount > 1, say: \"{email} bought\"}",
        "{email} | `email` holds what is personal (`pii`), which is never printed",
    );
    check(
        "{from: loud, when: amount > 1, say: \"{shouted} bought\"}",
        "{shouted} | `shouted` holds what is personal (`pii`), which is never printed",
    );
    check(
        "{from: daily, when: revenue > 1, severity: error, say: x}",
        "error | expected `critical`, `warn` or `info`, found `error`",
    );
    check("{from: daily, when: revenue > 1}", "{ | an alert needs the key `say`");
}

#[test]
fn a_table_cannot_take_the_name_of_alerts() {
    let folder =
        shop(&format!("  alerts: {{from: daily, filter: {{where: revenue > 0}}}}\n{ALERTS}"));
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("`alerts` is the name of the table of the alerts"), "{said}");
}
