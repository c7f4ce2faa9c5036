//! Every metric of surveys, service, voice and payments over the shop, and metrics of several tables beside
//! each other, by month and by plan, against what `tests/expected/shop.sql` computed in another engine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tenure::frame::Value;

use crate::parquet::read_parquet;

/// The columns of the expected files after `grain`, `cell` and `metric`, and what each adds to the metric's name.
const PARTS: [(&str, &str); 11] = [
    ("value", ""),
    ("numerator", "_numerator"),
    ("denominator", "_denominator"),
    ("plus", "_plus"),
    ("minus", "_minus"),
    ("n", "_n"),
    ("open", "_open"),
    ("prior", "_prior"),
    ("prior_mean", "_prior_mean"),
    ("low", "_low"),
    ("high", "_high"),
];

/// Values are equal to 1e-9, bounds to 1e-6; both relative to 1 or to what is larger.
fn equal(part: &str, found: f64, expected: f64) -> bool {
    let tolerance = if matches!(part, "low" | "high") { 1e-6 } else { 1e-9 };
    (found - expected).abs() <= tolerance * expected.abs().max(1.0)
}

/// Compares a table with the rows of its grain: each value, and that neither side has one more.
/// How many numbers were equal.
fn compare(out: &Path, source: &str, grain: &str, expected: &str) -> usize {
    let frame = read_parquet(&out.join(format!("{source}_{grain}.parquet")));
    let cells: Vec<String> =
        frame.column(grain).expect("the dimension").iter().map(Value::to_string).collect();
    let columns = frame.schema.names().filter(|name| *name != grain && *name != "complete");
    // What nothing has been expected of yet.
    let mut left: BTreeSet<(usize, String)> =
        columns.flat_map(|name| (0..frame.rows()).map(move |row| (row, name.to_owned()))).collect();
    let mut numbers = 0;
    let mut lines = expected.lines();
    let header = format!("grain,cell,metric,{}", PARTS.map(|(part, _)| part).join(","));
    assert_eq!(lines.next(), Some(header.as_str()));
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let (cell, metric) = (fields[1], fields[2]);
        if fields[0] != grain {
            continue;
        }
        let row = cells.iter().position(|found| found == cell);
        let row = row.unwrap_or_else(|| panic!("{source} by {grain}: no cell {cell}"));
        for ((part, suffix), expected) in PARTS.iter().zip(&fields[3..]) {
            let name = format!("{metric}{suffix}");
            let found = frame.column(&name).and_then(|column| column[row].as_f64());
            left.remove(&(row, name.clone()));
            match (found, expected.parse::<f64>()) {
                (None, Err(_)) => assert!(expected.is_empty(), "{line}"),
                (Some(found), Ok(expected)) if equal(part, found, expected) => numbers += 1,
                _ => panic!("{source} by {grain}, {cell}: {name} is {found:?}, not {expected:?}"),
            }
        }
    }
    assert!(left.is_empty(), "{source} by {grain}: nothing is expected of {left:?}");
    numbers
}

#[test]
fn metrics_of_the_shop_are_those_of_sql() {
    let top = env!("CARGO_MANIFEST_DIR");
    let folder = tempfile::tempdir().expect("a folder");
    let text = include_str!("shop.yaml").replace("TOP", top);
    fs::write(folder.path().join("it.yaml"), text).expect("written");
    crate::support::run(folder.path(), "it.yaml");
    for source in ["surveys", "tickets", "reviews", "invoices", "across"] {
        let file = Path::new(top).join(format!("tests/expected/shop_{source}.csv"));
        let expected = fs::read_to_string(file).expect("the expected figures");
        for grain in ["month", "plan"] {
            let numbers = compare(&folder.path().join("out/shop"), source, grain, &expected);
            assert!(numbers > 50, "{source} by {grain}: only {numbers} numbers");
        }
    }
}
