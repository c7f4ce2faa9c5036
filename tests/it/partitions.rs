//! Tables in folders named by values.

use std::fs;
use std::sync::Arc;

use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::{read_parquet, write_parquet};

const PIPELINE: &str = "\
version: 1
name: shop
as_of: 2026-03-01
sources:
  orders: {parquet: orders.parquet, customer: customer_id, time: ordered_at}
stages:
  monthly: {from: orders, segment_metrics: {by: [channel, month], metrics: [order_count]}}
outputs:
  tables:
    monthly: {partition_by: [channel]}
";

#[test]
fn values_become_folders() {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
        Field::new("channel", DataType::String),
    ]);
    let row = |customer, day, channel: &str| {
        let channel = if channel.is_empty() { Value::Null } else { Value::text(channel) };
        vec![Value::Int(customer), Value::Date(day), channel]
    };
    let rows =
        [row(1, 20_454, "web"), row(2, 20_490, "web"), row(1, 20_455, "a/b"), row(3, 20_455, "")];
    let frame = Frame::from_rows(Arc::new(schema), &rows).expect("rows of these types");
    let folder = tempfile::tempdir().expect("a folder");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 2);
    fs::write(folder.path().join("shop.yaml"), PIPELINE).expect("written");
    let run = || {
        crate::support::run(folder.path(), "shop.yaml");
    };
    run();
    let out = folder.path().join("out/shop");
    for (path, rows) in [
        ("monthly/channel=web/part-0.parquet", 2),
        ("monthly/channel=a%2Fb/part-0.parquet", 1),
        ("monthly/channel=__HIVE_DEFAULT_PARTITION__/part-0.parquet", 1),
    ] {
        let part = read_parquet(&out.join(path));
        assert_eq!(part.rows(), rows, "{path}");
        let names: Vec<&str> = part.schema.names().collect();
        assert_eq!(names, ["month", "complete", "order_count"]);
    }
    let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let table = &manifest["tables"][0];
    assert_eq!(table["file"], "monthly");
    let report = fs::read_to_string(out.join("report.md")).expect("a report");
    assert!(report.contains("`monthly/`") && !report.contains("monthly.parquet"), "{report}");
    assert_eq!(table["rows"], 4);
    assert_eq!(table["parts"].as_array().map(Vec::len), Some(3));
    let first = table["hash"].clone();
    run();
    let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["tables"][0]["hash"], first, "the same rows, the same bytes");
}
