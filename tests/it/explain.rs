//! What `explain` warns of.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array};
use arrow::record_batch::RecordBatch;
use tenure::frame::{DataType, Field, Frame, Schema};

use crate::parquet::write_parquet;

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
