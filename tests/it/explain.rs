//! What `explain` says of a run before it is one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array};
use arrow::record_batch::RecordBatch;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::{read_parquet, write_parquet};

const PIPELINE: &str = "\
version: 1
name: shop
as_of: 2026-03-01
sources:
  orders: {parquet: orders.parquet, customer: customer_id, time: ordered_at}
stages:
  streamed: {from: orders, join: {with: orders, keys: [customer_id], prefix: other_}}
  held: {from: orders, join: {with: orders, keys: [customer_id], prefix: other_, many: true}}
";

#[test]
fn a_join_that_holds_a_large_table_is_warned_of() {
    const ROWS: i64 = 1_000_000;
    let schema = Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new((0..ROWS).map(|row| row % 1_000).collect::<Int64Array>()),
        Arc::new(Date32Array::from(vec![20_000; ROWS as usize])),
    ];
    let arrow = arrow::datatypes::Schema::new(vec![
        arrow::datatypes::Field::new("customer_id", columns[0].data_type().clone(), true),
        arrow::datatypes::Field::new("ordered_at", columns[1].data_type().clone(), true),
    ]);
    let batch = RecordBatch::try_new(Arc::new(arrow), columns).expect("two columns");
    let folder = tempfile::tempdir().expect("a folder");
    write_parquet(&folder.path().join("orders.parquet"), &Frame { schema, batch }, 1 << 20);
    fs::write(folder.path().join("shop.yaml"), PIPELINE).expect("written");
    let explain = |stage: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
            .current_dir(folder.path())
            .args(["explain", "shop.yaml", stage])
            .output()
            .expect("it starts");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let warned = "warning: a join holds up to 1000000 rows of `orders` in memory";
    assert!(explain("held").contains(warned), "{}", explain("held"));
    assert!(!explain("streamed").contains("warning"), "{}", explain("streamed"));
}

/// Three stages ride on one scan of the orders, which comes after the customers that they look up.
#[test]
fn stages_that_share_a_pass_are_shown_with_it() {
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_data/shop");
    let pipeline = format!(
        "\
version: 1
name: shop
as_of: 2026-01-01
sources:
  orders: {{parquet: {world}/orders/*.parquet, customer: customer_id, time: ordered_at, value: amount}}
  customers: {{parquet: {world}/customers.parquet, customer: customer_id}}
segments: {{country: customers.country}}
stages:
  monthly: {{from: orders, segment_metrics: {{by: [country, month], metrics: [revenue, customer_count]}}}}
  retention: {{from: orders, cohort_retention: {{by: [country]}}}}
  growth: {{from: orders, growth: {{}}}}
"
    );
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("shop.yaml"), pipeline).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .current_dir(folder.path())
        .args(["explain", "shop.yaml"])
        .output()
        .expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let passes = said.split("\npass ").skip(1).collect::<Vec<_>>();
    let [customers, orders] = passes.as_slice() else { panic!("{said}") };
    assert!(customers.starts_with("1 over customers: "), "{said}");
    assert!(customers.contains("  decodes customer_id, country: "), "{said}");
    assert!(customers.contains("  for monthly, retention: a table to look up in; "), "{said}");
    assert!(orders.starts_with("2 over orders: "), "{said}");
    assert!(orders.contains("  decodes customer_id, ordered_at, amount: "), "{said}");
    assert!(orders.contains("  for monthly: groups; about "), "{said}");
    assert!(
        orders.contains("  for retention, growth: events by customer, gathered once; "),
        "{said}"
    );
    assert!(orders.contains("\nmemory: about "), "{said}");
}

/// What `explain` says of a pipeline in a folder.
fn explained(folder: &Path, pipeline: &str) -> String {
    fs::write(folder.join("shop.yaml"), pipeline).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .current_dir(folder)
        .args(["explain", "shop.yaml"])
        .output()
        .expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Folders named by days tell the time of what is in them.
#[test]
fn folders_whose_rows_do_not_pass_are_left_unread() {
    let schema = Arc::new(Schema::new(vec![Field::new("customer_id", DataType::Int64)]));
    let folder = tempfile::tempdir().expect("a folder");
    for day in ["2025-12-30", "2025-12-31", "2026-01-01", "2026-01-02"] {
        let rows: Vec<_> = (0..5).map(|row| vec![Value::Int(row)]).collect();
        let frame = Frame::from_rows(schema.clone(), &rows).expect("rows of this type");
        let of_day = folder.path().join(format!("orders/day={day}"));
        fs::create_dir_all(&of_day).expect("a folder");
        write_parquet(&of_day.join("part-0.parquet"), &frame, 5);
    }
    let said = explained(
        folder.path(),
        "\
version: 1
name: shop
as_of: 2026-02-01
sources:
  orders: {parquet: orders, customer: customer_id, time: day}
stages:
  lately: {from: orders, where: day > date '2025-12-31', segment_metrics: {by: [day], metrics: [order_count]}}
",
    );
    assert!(said.contains("\n  leaves 2 row group(s) of 10 rows unread: "), "{said}");
    crate::support::run(folder.path(), "shop.yaml");
    let found = read_parquet(&folder.path().join("out/shop/lately.parquet"));
    let count = found.schema.index_of("order_count").expect("the metric");
    let orders: Vec<Value> = (0..found.rows()).map(|row| found.value(row, count)).collect();
    assert_eq!(orders, [Value::Int(5), Value::Int(5)]);
}

/// Orders of four months in row groups of their own; a stage looks at the last one.
#[test]
fn row_groups_without_a_row_that_passes_are_left_unread() {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
    ]);
    // 2025-10-01 and every day after it.
    let row = |row: i64| vec![Value::Int(row % 7), Value::Date(20_362 + row as i32)];
    let rows: Vec<_> = (0..120).map(row).collect();
    let frame = Frame::from_rows(Arc::new(schema), &rows).expect("rows of these types");
    let folder = tempfile::tempdir().expect("a folder");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 30);
    let pipeline = |source: &str| {
        format!(
            "\
version: 1
name: shop
as_of: 2026-02-01
sources:
  orders: {{parquet: orders.parquet, customer: customer_id, time: ordered_at{source}}}
stages:
  lately: {{from: orders, where: ordered_at >= date '2026-01-01', segment_metrics: {{by: [month], metrics: [order_count]}}}}
"
        )
    };
    let explain = |source: &str| explained(folder.path(), &pipeline(source));
    let said = explain("");
    let pass = "pass 1 over orders: 1 file(s), 4 row group(s), 120 rows\n  leaves 3 row group(s) of 90 rows unread: ";
    assert!(said.contains(pass), "{said}");
    crate::support::run(folder.path(), "shop.yaml");
    let manifest = fs::read_to_string(folder.path().join("out/shop/manifest.json"));
    let manifest: serde_json::Value =
        serde_json::from_str(&manifest.expect("a manifest")).expect("JSON");
    assert_eq!(manifest["sources"][0]["rows_seen"], 120);
    assert_eq!(manifest["stages"][0]["rows_in"], 120);
    assert_eq!(manifest["stages"][0]["rows_out"], 1);

    // What would have to look at every row does.
    let said = explain(", columns: {customer_id: {type: int64, max: 5}}");
    assert!(said.contains("4 row group(s), 120 rows\n  decodes "), "{said}");
}
