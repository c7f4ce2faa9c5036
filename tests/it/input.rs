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

/// A pipeline that keeps its bad rows, over this text of CSV.
const CSV_SOURCE: &str = "    csv: orders.csv\n    columns:\n      customer_id: {type: int64}\n      \
     ordered_at: {type: date}\n      amount: {type: decimal, min: 0}\n      note: {type: string}\n";

#[test]
fn csv_is_read_and_its_bad_cells_are_told_by_line() {
    let good = "customer_id,ordered_at,amount,note,more\r\n1,2026-01-05,10.50,\"a, \"\"b\"\"\nc\",x\r\n\
                2,2026-01-06,3,,\r\n\r\n1,2026-02-03,\" 7.00\",\"\",y\r\n";
    let stages = format!(
        "{MONTHLY}  rows: {{from: orders, derive: {{empty: note is null}}, publish: true}}\n"
    );
    let folder = shop(TOP, CSV_SOURCE, &stages);
    let file = folder.path().join("orders.csv");
    fs::write(&file, good).expect("written");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 0);
    assert_eq!(
        table(folder.path(), "monthly", &["month", "revenue", "order_count"]),
        ["2026-01-01|13.50|2", "2026-02-01|7.00|1"]
    );
    assert_eq!(
        table(folder.path(), "rows", &["customer_id", "amount", "note", "empty"]),
        ["1|10.50|a, \"b\"\nc|false", "1|7.00||false", "2|3.00||true"]
    );

    let bad = format!("{good}3,2026-13-01,5,,\r\n4,2026-01-09,1.005,,\r\n5,2026-01-09,1,\r\n");
    fs::write(&file, &bad).expect("written");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    says(
        &output,
        "file orders.csv, column `ordered_at`: 1 row has a text that is no date, first in line 7",
    );
    says(&output, "3 of 6 rows are bad");

    let keeps = format!("{CSV_SOURCE}    bad_rows: {{action: quarantine, tolerate: 50%}}\n");
    pipeline(folder.path(), TOP, &keeps, &stages);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 0);
    says(&output, "3 of 6 rows of source `orders` are bad and are in `orders_quarantine`");
    assert_eq!(
        table(folder.path(), "orders_quarantine", &["customer_id", "amount", "reasons"]),
        [
            "3|5.00|[ordered_at has a text that is no date: `2026-13-01`]",
            "4||[amount has a text that is no decimal of so few digits after the point: `1.005`]",
            "||[the row has another number of cells than the header]",
        ]
    );
    let explained = tenure(folder.path(), &["explain", "shop.yaml"]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("table orders_quarantine (published)"), "{explained}");
    let manifest = manifest(&folder.path().join("out/shop"));
    assert_eq!(manifest["sources"][0]["rows"], 6);
    assert_eq!(manifest["sources"][0]["rows_bad"], 3);
    assert_eq!(manifest["sources"][0]["reasons"].as_array().map(Vec::len), Some(3));

    let fewer = keeps.replace("50%", "49%");
    pipeline(folder.path(), TOP, &fewer, &stages);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    says(&output, "3 of 6 rows are bad, more than the 49% tolerated");
    says(&output, "tolerate: 50%");

    fs::write(&file, "customer_id,\"ordered_at\n").expect("written");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    says(&output, "line 1 ends within quotes");
}

#[test]
fn sources_are_of_one_form_with_a_contract_where_it_is_needed() {
    for (source, text) in [
        ("", "needs the key `parquet`"),
        ("    csv: orders.csv\n", "needs `columns`"),
        ("    csv: orders.csv\n    parquet: orders.parquet\n", "files of two forms"),
        ("    parquet: s3://shop/orders/*.parquet\n", "`s3://` addresses are not read"),
        ("    parquet: o.parquet\n    bad_rows: {tolerate: 1%}\n", "tolerates no bad row"),
        ("    parquet: o.parquet\n    bad_rows: {action: quarantin}\n", "`quarantine`"),
        ("    parquet: o.parquet\n    drift: {extra_columns: no}\n", "`allow`, `warn` or `fail`"),
    ] {
        let folder = shop(TOP, source, MONTHLY);
        let output = tenure(folder.path(), &["check", "shop.yaml"]);
        status(&output, 2);
        says(&output, text);
    }
}

/// A source without roles: the stage names all that it lacks. A segment that is wrong is told once.
#[test]
fn all_that_is_lacking_is_told_and_nothing_twice() {
    let folder = shop(TOP, FILE, "stages:\n  scores: {from: orders, rfm: {}}\n");
    write_parquet(&folder.path().join("orders.parquet"), &some_orders(), 100);
    let path = folder.path().join("shop.yaml");
    let text = fs::read_to_string(&path).expect("text");
    let bare = text.lines().filter(|line| {
        !["customer:", "time:", "value:"].iter().any(|role| line.trim().starts_with(role))
    });
    fs::write(&path, bare.collect::<Vec<_>>().join("\n")).expect("written");
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    for role in ["customer", "time", "value"] {
        says(&output, &format!("the role `{role}`"));
    }

    let top = format!("{TOP}segments: {{size: {{column: orders.amount, cuts: [25]}}}}\n");
    let stages = MONTHLY.replace("[month]", "[size]");
    pipeline(folder.path(), &top, FILE, &stages);
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    says(&output, "labels");
    says(&output, "1 error;");

    let top = format!(
        "{TOP}segments: {{size: {{column: each.revenue, cuts: [40, 25], labels: [a, b, c]}}}}\n\
         metrics: {{wait: {{max: ordered_at - ordered_at, unit: day}}}}\n"
    );
    let each = "stages:\n  each: {from: orders, segment_metrics: {by: [customer_id], metrics: [revenue]}}\n  late: {from: orders, segment_metrics: {by: [month], metrics: [wait]}}\n";
    pipeline(folder.path(), &top, FILE, each);
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    says(&output, "shop.yaml:4:52");
    says(&output, "needs numbers, not a ");
}

/// A source of CSV files that nobody describes, and a column that no file has, are told once, whatever
/// reads them.
#[test]
fn what_is_missing_of_csv_is_told_once() {
    let stages = "stages:\n  a: {from: orders, segment_metrics: {by: [month, channel], metrics: [revenue]}}\n  \
                  b: {from: orders, growth: {}}\n  c: {from: orders, where: channel = 'web', rfm: {}}\n";
    let source = "    csv: orders.csv\n";
    let folder = shop(TOP, source, stages);
    let text = "customer_id,ordered_at,amount,channel\n1,2026-01-05,10.00,web\n";
    fs::write(folder.path().join("orders.csv"), text).expect("written");
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    says(&output, "needs `columns`");
    says(&output, "1 error;");

    let columns = "    columns: {customer_id: {type: int64}, ordered_at: {type: date}, amount: {type: decimal}, \
                   chanel: {type: string}}\n";
    let stages = stages.replace("channel", "chanel");
    pipeline(folder.path(), TOP, &format!("{source}{columns}"), &stages);
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    says(&output, "no file of `orders` has the column `chanel`");
    says(&output, "1 error;");
}

/// Two rows of one customer: who looks, where that is written, and what to do.
#[test]
fn a_key_that_is_there_twice_is_told_with_who_looks() {
    let top = "as_of: 2026-03-01\nsegments:\n  size: {column: again.amount}\n";
    let source = format!("{FILE}  again: {{parquet: again.parquet, customer: customer_id}}\n");
    let by_size =
        "stages:\n  sizes: {from: orders, segment_metrics: {by: [size], metrics: [revenue]}}\n";
    let grown = "stages:\n  grown: {from: orders, growth: {by: [size]}}\n";
    let joined =
        "stages:\n  both: {from: orders, join: {with: again, prefix: again_}, publish: true}\n";
    let folder = shop(top, &source, by_size);
    write_parquet(&folder.path().join("orders.parquet"), &some_orders(), 100);
    write_parquet(&folder.path().join("again.parquet"), &some_orders(), 100);
    for (stages, who, help) in [
        (by_size, "the segment `size` (shop.yaml:5:3)", "`membership: first` or `latest`"),
        (grown, "the segment `size` (shop.yaml:5:3)", "`membership: first` or `latest`"),
        (joined, "the stage `both` (shop.yaml:14:3)", "`many: true`"),
    ] {
        pipeline(folder.path(), top, &source, stages);
        let output = tenure(folder.path(), &["run", "shop.yaml", "--quiet"]);
        status(&output, 4);
        says(&output, &format!("{who}: source `again` has more than one row for the key 1"));
        says(&output, help);
    }
}

/// A table with a row for each customer knows whose rows they are.
#[test]
fn metrics_by_customer_can_be_joined_by_customer() {
    let stages = "stages:\n  each: {from: orders, segment_metrics: {by: [customer_id], metrics: [revenue]}}\n  \
                  both: {from: orders, join: {with: each}, publish: true}\n";
    let folder = shop(TOP, FILE, stages);
    write_parquet(&folder.path().join("orders.parquet"), &some_orders(), 100);
    status(&tenure(folder.path(), &["run", "shop.yaml", "--quiet"]), 0);
    assert_eq!(
        table(folder.path(), "both", &["customer_id", "amount", "revenue"]),
        ["1|10.00|17.00", "1|7.00|17.00", "2|5.00|5.00"]
    );
}

#[test]
fn a_quarantine_that_bears_nothing_is_warned_of() {
    let source = format!("{FILE}    bad_rows: {{action: quarantine}}\n");
    let folder = shop(
        TOP,
        &source,
        &format!("{MONTHLY}  orders_quarantine: {{from: orders, filter: {{where: amount > 0}}}}\n"),
    );
    write_parquet(&folder.path().join("orders.parquet"), &some_orders(), 100);
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    says(&output, "`action: quarantine` fails at the first bad row while `tolerate` is 0%");
    says(&output, "`orders_quarantine` is the table of bad rows of `orders`");
    pipeline(folder.path(), TOP, &source, MONTHLY);
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    let tables = &manifest(&folder.path().join("out/shop"))["tables"];
    let kept = tables.as_array().expect("a list").iter().find(|t| t["name"] == "orders_quarantine");
    assert_eq!(kept.expect("the quarantine, though empty")["rows"], 0);
    write_parquet(&folder.path().join("orders.parquet"), &orders(&[(None, JANUARY, 1)]), 100);
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 4);
}

#[test]
fn folders_give_columns() {
    let source = "    parquet: data\n";
    let by =
        "stages:\n  by: {from: orders, segment_metrics: {by: [shop, year], metrics: [revenue]}}\n";
    let folder = shop(TOP, source, by);
    let write = |path: &str, day: i32, minor: i128| {
        let path = folder.path().join("data").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        write_parquet(&path, &orders(&[(Some(1), day, minor)]), 10);
    };
    write("year=2025/shop=S%C3%A3o%20Paulo/a.parquet", JANUARY - 9, 100);
    write("year=2026/shop=Bonn/a.parquet", JANUARY, 200);
    write("year=2026/shop=__HIVE_DEFAULT_PARTITION__/a.parquet", JANUARY, 300);
    write("_temporary/b.parquet", JANUARY, 999);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 0);
    let rows = table(folder.path(), "by", &["shop", "year", "revenue"]);
    assert_eq!(rows, ["Bonn|2026|2.00", "São Paulo|2025|1.00", "|2026|3.00"]);
    // The contract may say otherwise of their types, as far as the names can be read so.
    pipeline(
        folder.path(),
        TOP,
        "    parquet: data/*/*/*.parquet\n    columns: {year: {type: string}}\n",
        by,
    );
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    pipeline(folder.path(), TOP, "    parquet: data\n    columns: {shop: {type: int64}}\n", by);
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 4);
    says(&output, "a text that is no int64: `");
    // What is personal does not stand in paths, which much tells.
    for rule in ["pii: true", "pii: true, type: int64"] {
        let source = format!("    parquet: data\n    columns: {{shop: {{{rule}}}}}\n");
        pipeline(folder.path(), TOP, &source, by);
        for command in ["check", "explain", "run"] {
            let output = tenure(folder.path(), &[command, "shop.yaml"]);
            status(&output, 2);
            says(&output, "`shop` is personal (`pii`), and stands in the names of folders");
            assert!(!stderr(&output).contains("Bonn"), "{}", stderr(&output));
        }
    }
}

#[test]
fn files_that_differ_are_united_and_it_is_said() {
    use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray};
    let folder = shop(TOP, "    parquet: data/*.parquet\n", MONTHLY);
    fs::create_dir(folder.path().join("data")).expect("made");
    let days = || Arc::new(Date32Array::from(vec![JANUARY])) as ArrayRef;
    let customers: [ArrayRef; 2] =
        [Arc::new(Int32Array::from(vec![1])), Arc::new(Int64Array::from(vec![2]))];
    let [first, second] = customers;
    raw(
        &folder.path().join("data/1.parquet"),
        vec![
            ("customer_id", first),
            ("ordered_at", days()),
            ("amount", Arc::new(Int64Array::from(vec![5]))),
        ],
    );
    raw(
        &folder.path().join("data/2.parquet"),
        vec![
            ("customer_id", second),
            ("ordered_at", days()),
            ("coupon", Arc::new(StringArray::from(vec!["x"]))),
        ],
    );
    let check = |drift: &str| {
        let source = format!("    parquet: data/*.parquet\n{drift}");
        pipeline(folder.path(), TOP, &source, MONTHLY);
        tenure(folder.path(), &["check", "shop.yaml"])
    };
    let output = check("");
    status(&output, 4);
    says(&output, "column `amount` is absent from 1 of 2 files");
    let output = check("    drift: {absent_columns: null}\n");
    status(&output, 0);
    says(
        &output,
        "warning[drift]: column `customer_id` has several types: int32 in data/1.parquet",
    );
    says(&output, "warning[drift]: column `amount` is absent from 1 of 2 files");
    assert!(!stderr(&output).contains("coupon"), "{}", stderr(&output));
    let output = check("    drift: {absent_columns: null, extra_columns: warn}\n");
    says(&output, "column `coupon` is in 1 of 2 files and not in data/1.parquet");
    status(&check("    drift: {absent_columns: null, extra_columns: fail}\n"), 4);
    status(&check("    drift: {absent_columns: null, wider_types: fail}\n"), 4);

    check("    drift: {absent_columns: null}\n");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    assert_eq!(table(folder.path(), "monthly", &["revenue", "order_count"]), ["5|2"]);
    let manifest = manifest(&folder.path().join("out/shop"));
    let drift = manifest["sources"][0]["drift"].as_array().expect("a list").len();
    assert_eq!(drift, 3);
}

/// A Parquet file of these columns, whatever their types.
fn raw(path: &Path, columns: Vec<(&str, arrow::array::ArrayRef)>) {
    let batch = arrow::array::RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = fs::File::create(path).expect("a file");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("types");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
}

#[test]
fn roles_take_many_types() {
    use arrow::array::{
        ArrayRef, Date32Array, Decimal256Array, FixedSizeBinaryArray, Float32Array, Float64Array,
        StringArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt64Array,
    };
    use arrow::datatypes::i256;
    let day = i64::from(JANUARY) * 86_400;
    let bytes: Vec<[u8; 16]> = vec![[0xab; 16], [0; 16]];
    let customers: Vec<ArrayRef> = vec![
        Arc::new(UInt8Array::from(vec![7, 8])),
        Arc::new(UInt64Array::from(vec![7, 8])),
        Arc::new(StringArray::from(vec!["7", "8"])),
        Arc::new(FixedSizeBinaryArray::try_from_iter(bytes.into_iter()).expect("bytes")),
    ];
    let times: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![JANUARY, JANUARY])),
        Arc::new(TimestampMillisecondArray::from(vec![day * 1_000; 2])),
        Arc::new(TimestampNanosecondArray::from(vec![day * 1_000_000_000; 2]).with_timezone("UTC")),
        Arc::new(TimestampNanosecondArray::from(vec![day * 1_000_000_000; 2])),
    ];
    let wide = Decimal256Array::from(vec![i256::from(150), i256::from(250)]);
    let values: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![1.5, 2.5])),
        Arc::new(Float32Array::from(vec![1.5, 2.5])),
        Arc::new(wide.with_precision_and_scale(60, 2).expect("a decimal")),
        Arc::new(Float64Array::from(vec![1.5, 2.5])),
    ];
    let summary = "stages:\n  all: {from: orders, segment_metrics: {by: [month], metrics: [revenue, customer_count]}}\n  \
                   each: {from: orders, customer_summary: {}}\n";
    let folder = shop(TOP, FILE, summary);
    for ((customer, time), value) in customers.into_iter().zip(times).zip(values) {
        let shown = format!("{} {} {}", customer.data_type(), time.data_type(), value.data_type());
        raw(
            &folder.path().join("orders.parquet"),
            vec![("customer_id", customer), ("ordered_at", time), ("amount", value)],
        );
        let output = tenure(folder.path(), &["run", "shop.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{shown}: {}", stderr(&output));
        let rows = table(folder.path(), "all", &["month", "revenue", "customer_count"]);
        assert_eq!(rows, ["2026-01-01|4.00|2"], "{shown}");
    }
    let ids = table(folder.path(), "each", &["customer_id"]);
    assert_eq!(ids[1], "abababab-abab-abab-abab-abababababab");
}

#[test]
fn values_that_do_not_fit_are_bad_rows() {
    use arrow::array::{ArrayRef, Date32Array, Float64Array, UInt64Array};
    let days: ArrayRef = Arc::new(Date32Array::from(vec![JANUARY; 4]));
    let customers: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX, 2, 3]));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, f64::NAN, 1e37]));
    let keeps = format!("{FILE}    bad_rows: {{action: quarantine, tolerate: 75%}}\n");
    let folder = shop(TOP, &keeps, MONTHLY);
    let columns = vec![("customer_id", customers), ("ordered_at", days), ("amount", values)];
    raw(&folder.path().join("orders.parquet"), columns);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 0);
    assert_eq!(table(folder.path(), "monthly", &["revenue"]), ["1.00"]);
    assert_eq!(
        table(folder.path(), "orders_quarantine", &["customer_id", "amount", "reasons"]),
        [
            "2||[amount has NaN or an infinity, which is no amount: `NaN`]",
            "3|10000000000000000000000000000000000000|[amount has an amount too large for 2 digits after the point]",
            "|2|[customer_id has a whole number larger than int64 holds: `18446744073709551615`]",
        ]
    );
}

#[test]
fn doubles_that_money_moves_are_counted() {
    use arrow::array::{ArrayRef, Date32Array, Float32Array, Float64Array, Int64Array};
    let columns = |values: ArrayRef| {
        let rows = values.len();
        vec![
            ("customer_id", Arc::new(Int64Array::from(vec![1; rows])) as ArrayRef),
            ("ordered_at", Arc::new(Date32Array::from(vec![JANUARY; rows]))),
            ("amount", values),
        ]
    };
    let folder = shop(TOP, FILE, MONTHLY);
    let file = folder.path().join("orders.parquet");
    raw(&file, columns(Arc::new(Float64Array::from(vec![19.99, 0.125, 1.005, -3.0]))));
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 0);
    says(&output, "2 amounts are not exact in source `orders` and rounded half to even");
    says(
        &output,
        "the first from 0.125 to 0.12 (source `orders`, file orders.parquet, row group 0, row 1",
    );
    let report = fs::read_to_string(folder.path().join("out/shop/report.html")).expect("a report");
    assert!(report.contains("2 amount(s) of"));
    let manifest = manifest(&folder.path().join("out/shop"));
    assert_eq!(manifest["sources"][0]["rounded"]["rows"], 2);
    // A float32 stands for the shortest decimal it is nearest to.
    raw(&file, columns(Arc::new(Float32Array::from(vec![19.99, 0.1]))));
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 0);
    assert!(!stderr(&output).contains("not exact"), "{}", stderr(&output));
    assert_eq!(table(folder.path(), "monthly", &["revenue"]), ["20.09"]);
}

#[test]
fn damage_is_told_with_its_column() {
    let folder = shop(TOP, FILE, MONTHLY);
    let file = folder.path().join("orders.parquet");
    write_parquet(&file, &some_orders(), 100);
    let reader =
        parquet::file::reader::SerializedFileReader::new(fs::File::open(&file).expect("a file"))
            .expect("a footer");
    let metadata = parquet::file::reader::FileReader::metadata(&reader).clone();
    let column = metadata.row_group(0).column(2);
    assert_eq!(column.column_path().string(), "amount");
    let (start, length) = column.byte_range();
    let mut bytes = fs::read(&file).expect("a file");
    // The last bytes of the chunk are data: now of an impossible width.
    let end = (start + length) as usize;
    bytes[end - 6..end].fill(0xff);
    fs::write(&file, bytes).expect("written");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    says(&output, "column `amount`: the data is damaged");
}

#[test]
fn bad_rows_are_the_same_however_the_input_lies() {
    let rows: Vec<_> = (0..2_000i64)
        .map(|n| {
            let customer = (n % 17 != 3).then_some(n % 91);
            (customer, JANUARY + (n % 50) as i32, i128::from(n % 113) - 4)
        })
        .collect();
    let source = "    parquet: data\n    columns: {amount: {min: 0}}\n    \
                  bad_rows: {action: quarantine, tolerate: 20%}\n";
    let published = |files: &[(&str, std::ops::Range<usize>)], group: usize, threads: &str| {
        let folder = shop(TOP, source, MONTHLY);
        fs::create_dir(folder.path().join("data")).expect("made");
        for (name, range) in files {
            let path = folder.path().join(format!("data/{name}.parquet"));
            write_parquet(&path, &orders(&rows[range.clone()]), group);
        }
        let output = tenure(folder.path(), &["run", "shop.yaml", "--threads", threads]);
        status(&output, 0);
        let out = folder.path().join("out/shop");
        ["monthly.parquet", "orders_quarantine.parquet", "report.html"]
            .map(|name| fs::read(out.join(name)).expect("published"))
    };
    let first = published(&[("a", 0..2_000)], 500, "1");
    for threads in ["1", "2", "3"] {
        let again =
            published(&[("z", 0..700), ("m", 700..1_999), ("b", 1_999..2_000)], 37, threads);
        assert!(again == first, "{threads} threads");
    }
}

#[test]
fn old_timestamps_are_instants() {
    use parquet::data_type::{Int64Type, Int96, Int96Type};
    let schema = "message m { required int64 customer_id; required int96 ordered_at; required int64 amount; }";
    let schema = parquet::schema::parser::parse_message_type(schema).expect("a schema");
    let folder = shop(
        "as_of: 2026-03-01\ntimezone: Asia/Tokyo\n",
        FILE,
        "stages:\n  rows: {from: orders, derive: {day: date(ordered_at)}, publish: true}\n",
    );
    let file = fs::File::create(folder.path().join("orders.parquet")).expect("a file");
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(file, Arc::new(schema), Arc::default())
            .expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    // 2026-01-01T16:00 of UTC as a day of the Julian calendar and nanoseconds.
    let mut at = Int96::new();
    let nanos = 16 * 3_600_000_000_000u64;
    at.set_data(nanos as u32, (nanos >> 32) as u32, (JANUARY + 2_440_588) as u32);
    let mut column = group.next_column().expect("writable").expect("customer_id");
    column.typed::<Int64Type>().write_batch(&[1], None, None).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("writable").expect("ordered_at");
    column.typed::<Int96Type>().write_batch(&[at], None, None).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("writable").expect("amount");
    column.typed::<Int64Type>().write_batch(&[5], None, None).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    writer.close().expect("a footer");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    let rows = table(folder.path(), "rows", &["ordered_at", "day"]);
    assert_eq!(rows, ["2026-01-01T16:00:00Z|2026-01-02"]);
    // Its statistics say nothing, so that the last day is looked for.
    let text = fs::read_to_string(folder.path().join("shop.yaml")).expect("a pipeline");
    fs::write(folder.path().join("shop.yaml"), text.replace("2026-03-01", "latest"))
        .expect("written");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    assert_eq!(manifest(&folder.path().join("out/shop"))["as_of"], "2026-01-02T15:00:00Z");
}

#[test]
fn a_place_is_told_where_a_value_has_no_result() {
    let stages = "stages:\n  bad: {from: orders, derive: {x: cast(cast(amount as string) || 'x' as int64)}, publish: true}\n";
    let folder = shop(TOP, FILE, stages);
    write_parquet(&folder.path().join("orders.parquet"), &some_orders(), 100);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 1);
    says(&output, "source `orders`, file orders.parquet, row group 0: `10.00x` cannot be cast");
}
