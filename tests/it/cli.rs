//! The program as its users meet it: exit statuses, what is printed, what is published.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::frame::{DataType, Field, Frame, Schema, Value};

use crate::parquet::write_parquet;

const BINARY: &str = env!("CARGO_BIN_EXE_tenure");

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).current_dir(folder).args(arguments).output().expect("it starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[track_caller]
fn status(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "stderr: {}", stderr(output));
}

/// A folder with a pipeline over `orders.parquet`.
fn shop(orders: &Frame, stages: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_parquet(&folder.path().join("orders.parquet"), orders, 100);
    pipeline(folder.path(), "", stages);
    folder
}

fn pipeline(folder: &Path, source: &str, stages: &str) {
    let text = format!(
        "version: 1\nname: shop\nas_of: 2026-03-01\nsources:\n  orders:\n    parquet: orders.parquet\n    \
         customer: customer_id\n    time: ordered_at\n    value: amount\n{source}stages:\n{stages}"
    );
    fs::write(folder.join("shop.yaml"), text).expect("written");
}

const MONTHLY: &str =
    "  monthly: {from: orders, segment_metrics: {by: [month], metrics: [revenue, order_count]}}\n";

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

/// 2026-01-01.
const JANUARY: i32 = 20_454;

fn some_orders() -> Frame {
    orders(&[(Some(1), JANUARY, 1000), (Some(2), JANUARY + 3, 500), (Some(1), JANUARY + 40, 700)])
}

/// Runs the shipped pipeline over CDNOW in a folder of its own.
fn cdnow(threads: &str, data: &Path) -> (TempDir, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = repository("pipelines/cdnow.yaml");
    let data = format!("params.data={}", data.display());
    let pipeline = pipeline.to_str().expect("a path");
    let output = tenure(folder.path(), &["run", pipeline, "--set", &data, "--threads", threads]);
    (folder, output)
}

fn outputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .expect("an output folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !path.ends_with("manifest.json"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

/// The rows of a written table as text, with the columns asked for.
fn table(folder: &Path, name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let frame = crate::parquet::read_parquet(&folder.join(format!("{name}.parquet")));
    let places: Vec<usize> =
        columns.iter().map(|c| frame.schema.index_of(c).expect("a column")).collect();
    (0..frame.rows())
        .map(|row| {
            let text = |&place: &usize| match frame.value(row, place) {
                Value::Null => String::new(),
                value => value.to_string(),
            };
            places.iter().map(text).collect()
        })
        .collect()
}

fn expected(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(repository("tests/expected").join(name)).expect("a file");
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn numbers_equal(actual: &[Vec<String>], expected: &[Vec<String>]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        for (a, e) in actual.iter().zip(expected) {
            let same = a == e
                || a.parse::<f64>().ok().zip(e.parse::<f64>().ok()).is_some_and(|(a, e)| a == e);
            assert!(same, "{actual:?} is not {expected:?}");
        }
    }
}

#[test]
fn first_light() {
    let (folder, output) = cdnow("2", &repository("sample_data/cdnow"));
    status(&output, 0);
    assert_eq!(stdout(&output).lines().last(), Some("out/cdnow/manifest.json"));
    assert!(!stderr(&output).contains('\u{1b}'), "no colours where nobody sees them");
    let out = folder.path().join("out/cdnow");

    let columns = [
        "month",
        "revenue",
        "order_count",
        "customer_count",
        "units",
        "repeat_purchase_rate_numerator",
    ];
    numbers_equal(&table(&out, "monthly", &columns), &expected("cdnow_monthly.csv"));
    let seen = |name: &str, columns: &[&str]| -> Vec<Vec<String>> {
        let mut all = vec!["eligible"];
        all.extend(columns);
        let rows = table(&out, name, &all).into_iter().filter(|row| !row[0].is_empty());
        rows.map(|row| row[1..].to_vec()).collect()
    };
    let columns = ["cohort", "age", "size", "retained", "orders", "value", "cumulative_value"];
    numbers_equal(&seen("retention", &columns), &expected("cdnow_retention_exactly.csv"));
    numbers_equal(
        &seen("retention_on_or_after", &columns[..4]),
        &expected("cdnow_retention_on_or_after.csv"),
    );
    let mut scores = std::collections::BTreeMap::<String, u64>::new();
    for row in table(&out, "rfm", &["rfm_score"]) {
        *scores.entry(row[0].clone()).or_default() += 1;
    }
    let mut published = expected("cdnow_rfm_scores.csv");
    published.sort();
    let scores: Vec<Vec<String>> =
        scores.into_iter().map(|(score, n)| vec![score, n.to_string()]).collect();
    assert_eq!(scores, published);

    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).expect("a manifest"))
            .expect("JSON");
    assert_eq!(manifest["status"], "done");
    assert_eq!(manifest["stages"][0]["rows_in"], 69_659);
    assert_eq!(manifest["tables"][1]["rows"], 23_570);
    let report = fs::read_to_string(out.join("report.html")).expect("a report");
    assert!(
        report.contains("23,570") && !report.contains("http://") && !report.contains("https://")
    );
}

#[test]
fn the_same_bytes_however_the_input_lies_and_whoever_reads_it() {
    let (first, output) = cdnow("1", &repository("sample_data/cdnow"));
    status(&output, 0);
    let first = outputs(&first.path().join("out/cdnow"));
    for threads in ["2", "3"] {
        let (folder, _) = cdnow(threads, &repository("sample_data/cdnow"));
        assert!(outputs(&folder.path().join("out/cdnow")) == first, "{threads} threads");
    }
    // The same rows in another order, in three files of other names, in small row groups.
    let all = crate::parquet::read_parquet(&repository("sample_data/cdnow/orders.parquet"));
    let data = tempfile::tempdir().expect("a folder");
    fs::create_dir(data.path().join("orders.parquet")).expect("a folder in place of the file");
    let thirds = all.rows() / 3;
    for (name, start, rows) in [
        ("zeta", 0, thirds),
        ("beta", thirds, thirds),
        ("alpha", 2 * thirds, all.rows() - 2 * thirds),
    ] {
        let part = Frame { schema: all.schema.clone(), batch: all.batch.slice(start, rows) };
        write_parquet(&data.path().join(format!("orders.parquet/{name}.parquet")), &part, 5_000);
    }
    let (folder, output) = cdnow("3", data.path());
    status(&output, 0);
    assert!(outputs(&folder.path().join("out/cdnow")) == first, "other files");
}

#[test]
fn exit_0_and_the_output_is_a_link_to_the_run() {
    let folder = shop(&some_orders(), MONTHLY);
    for _ in 0..5 {
        let output = tenure(folder.path(), &["run", "shop.yaml", "--quiet"]);
        status(&output, 0);
        assert_eq!(stdout(&output), "out/shop/manifest.json\n");
        assert_eq!(stderr(&output), "");
    }
    let link = fs::read_link(folder.path().join("out/shop")).expect("a link");
    assert!(link.is_relative() && link.starts_with("shop.runs"));
    let runs = fs::read_dir(folder.path().join("out/shop.runs")).expect("the runs");
    let kept = runs.filter(|run| run.as_ref().is_ok_and(|run| run.path().is_dir())).count();
    assert_eq!(kept, 3);
    assert_eq!(
        table(&folder.path().join("out/shop"), "monthly", &["month", "revenue", "order_count"]),
        [["2026-01-01", "15.00", "2"], ["2026-02-01", "7.00", "1"]]
    );
}

#[test]
fn exit_1_a_value_without_a_result() {
    let stages = "  bad: {from: orders, derive: {x: \"cast('x' || cast(customer_id as string) as int64)\"}, publish: true}\n";
    let folder = shop(&some_orders(), stages);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 1);
    assert!(stderr(&output).contains("cannot be cast to int64"), "{}", stderr(&output));
}

#[test]
fn exit_2_the_pipeline_or_the_command_line() {
    let folder =
        shop(&some_orders(), "  m: {from: ordres, segment_metrics: {metrics: [revenue]}}\n");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 2);
    assert!(stderr(&output).contains("a similar name exists: `orders`"));
    assert!(!folder.path().join("out").exists(), "nothing was run");
    for arguments in [
        &["check", "absent.yaml"][..],
        &["check", "shop.yaml", "--as-of", "yesterday"],
        &["check", "shop.yaml", "--set", "x=1"],
        &["run", "shop.yaml", "--threads", "0"],
        &["stages", "cohort_retenton"],
        &["nonsense"],
    ] {
        status(&tenure(folder.path(), arguments), 2);
    }
    // A column that no file has is the pipeline's mistake.
    pipeline(folder.path(), "    columns: {channel: {type: string}}\n", MONTHLY);
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 2);
    assert!(stderr(&output).contains("no file of `orders` has the column `channel`"));
}

#[test]
fn exit_4_input_that_cannot_be_used_and_the_previous_output_stays() {
    let folder = shop(&some_orders(), MONTHLY);
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    let before = outputs(&folder.path().join("out/shop"));
    let file = folder.path().join("orders.parquet");
    let good = fs::read(&file).expect("a file");

    let mut flipped = good.clone();
    flipped[4..80].iter_mut().for_each(|byte| *byte ^= 0xff);
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("empty", vec![], "the file is empty"),
        ("cut short", good[..good.len() - 20].to_vec(), "does not end with a Parquet footer"),
        ("foreign", b"customer_id,ordered_at\n1,2026-01-01\n".to_vec(), "not a Parquet file"),
        ("corrupt", flipped, "row group 0"),
        ("only the marks", b"PAR1\0\0\0\0PAR1".to_vec(), "orders.parquet"),
    ];
    for (name, bytes, message) in cases {
        fs::write(&file, bytes).expect("written");
        let output = tenure(folder.path(), &["run", "shop.yaml"]);
        assert_eq!(output.status.code(), Some(4), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("orders.parquet"), "{name} names the file");
        assert!(!stderr(&output).contains("panicked"), "{name}");
        assert!(outputs(&folder.path().join("out/shop")) == before, "{name}");
    }

    fs::remove_file(&file).expect("removed");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 4);

    write_parquet(&file, &orders(&[(Some(1), JANUARY, 100), (None, JANUARY, 100)]), 100);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    assert!(
        stderr(&output).contains("column `customer_id`: 1 row has a null"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("first in row 1"));

    write_parquet(&file, &orders(&[(Some(1), JANUARY, -100)]), 100);
    pipeline(folder.path(), "    columns: {amount: {min: 0}}\n", MONTHLY);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    assert!(stderr(&output).contains("a value below 0"), "{}", stderr(&output));
    assert!(outputs(&folder.path().join("out/shop")) == before);

    // The failed runs left manifests that say why.
    let mut runs: Vec<PathBuf> = fs::read_dir(folder.path().join("out/shop.runs"))
        .expect("the runs")
        .map(|entry| entry.expect("a run").path())
        .collect();
    runs.sort();
    let last =
        fs::read_to_string(runs.last().expect("a run").join("manifest.json")).expect("a manifest");
    assert!(last.contains("\"failed\"") && last.contains("\"exit_status\": 4"), "{last}");
}

#[test]
fn exit_4_columns_that_only_some_files_have() {
    let folder = shop(&some_orders(), MONTHLY);
    let more = folder.path().join("more");
    fs::create_dir(&more).expect("a folder");
    fs::rename(folder.path().join("orders.parquet"), more.join("a.parquet")).expect("moved");
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
    ]);
    let rows = [vec![Value::Int(1), Value::Date(JANUARY)]];
    let lacking = Frame::from_rows(Arc::new(schema), &rows).expect("the rows fit");
    write_parquet(&more.join("b.parquet"), &lacking, 100);
    let text = fs::read_to_string(folder.path().join("shop.yaml")).expect("a pipeline");
    let text = text.replace("orders.parquet", "more/*.parquet");
    fs::write(folder.path().join("shop.yaml"), &text).expect("written");
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    status(&output, 4);
    assert!(stderr(&output).contains("absent from 1 of 2 files"), "{}", stderr(&output));

    let optional = text.replace(
        "    value: amount\n",
        "    value: amount\n    columns: {amount: {optional: true}}\n",
    );
    fs::write(folder.path().join("shop.yaml"), optional).expect("written");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    let rows = table(&folder.path().join("out/shop"), "monthly", &["revenue", "order_count"]);
    assert_eq!(rows, [["15.00", "3"], ["7.00", "1"]]);

    let typed = text.replace(
        "    value: amount\n",
        "    value: amount\n    columns: {customer_id: {type: string}}\n",
    );
    fs::write(folder.path().join("shop.yaml"), typed).expect("written");
    let output = tenure(folder.path(), &["check", "shop.yaml"]);
    assert!(stderr(&output).contains("does not widen to string"), "{}", stderr(&output));
}

#[test]
fn exit_4_nan_in_money() {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
        Field::new("amount", DataType::Float64),
    ]);
    let rows = [vec![Value::Int(1), Value::Date(JANUARY), Value::Float(f64::NAN)]];
    let frame = Frame::from_rows(Arc::new(schema), &rows).expect("the rows fit");
    let folder = shop(&frame, MONTHLY);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 4);
    assert!(stderr(&output).contains("column `amount`: 1 row has NaN"), "{}", stderr(&output));
}

#[test]
fn exit_5_no_rows() {
    let folder = shop(&orders(&[]), MONTHLY);
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 5);
    assert!(stderr(&output).contains("source `orders` has no rows"));
}

#[test]
fn exit_6_the_output_cannot_be_written() {
    let folder = shop(&some_orders(), MONTHLY);
    fs::create_dir_all(folder.path().join("out/shop")).expect("a real folder");
    let output = tenure(folder.path(), &["run", "shop.yaml"]);
    status(&output, 6);
    assert!(stderr(&output).contains("not a link"), "{}", stderr(&output));
    fs::remove_dir(folder.path().join("out/shop")).expect("it is still there, and empty");
    fs::remove_dir(folder.path().join("out")).expect("nothing was left behind");
    fs::write(folder.path().join("out"), "a file in the way").expect("written");
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 6);
}

#[test]
fn exit_70_a_bug() {
    let output = tenure(Path::new("."), &["crash"]);
    status(&output, 70);
    assert!(stderr(&output).contains("this is a bug"));
}

/// Starts a run that takes a while, and waits until it reads.
fn long_run() -> (TempDir, std::process::Child) {
    let row = |index: i64| (Some(index % 50_021), JANUARY + (index % 59) as i32, 100);
    let rows: Vec<_> = (0..400_000).map(row).collect();
    let folder = shop(&orders(&rows[..3]), MONTHLY);
    status(&tenure(folder.path(), &["run", "shop.yaml", "--quiet"]), 0);
    // Many passes over many small row groups.
    write_parquet(&folder.path().join("orders.parquet"), &orders(&rows), 200);
    let stages: String = (0..12).map(|n| MONTHLY.replace("monthly", &format!("monthly_{n}"))
        + &format!("  retention_{n}: {{from: orders, cohort_retention: {{age: day, max_age: {n}}}}}\n")).collect();
    pipeline(folder.path(), "", &stages);
    let mut child = Command::new(BINARY)
        .current_dir(folder.path())
        .args(["run", "shop.yaml", "--threads", "1"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("stderr"));
    lines.read_line(&mut line).expect("a line");
    assert!(line.starts_with("reading orders"), "{line}");
    (folder, child)
}

#[test]
fn exit_130_and_143_signals_publish_nothing() {
    for (signal, expected) in [("-INT", 130), ("-TERM", 143)] {
        let (folder, mut child) = long_run();
        let before = fs::read_link(folder.path().join("out/shop")).expect("a link");
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.expect("kill").success());
        let ended = child.wait().expect("it ends");
        assert_eq!(ended.code(), Some(expected));
        assert_eq!(fs::read_link(folder.path().join("out/shop")).expect("a link"), before);
    }
}

#[test]
fn a_killed_run_leaves_the_old_output() {
    let (folder, mut child) = long_run();
    let before = outputs(&folder.path().join("out/shop"));
    child.kill().expect("killed");
    child.wait().expect("it ends");
    assert!(outputs(&folder.path().join("out/shop")) == before);
}

#[test]
fn diagnostics_as_text_and_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(repository("tests/it/broken.yaml"), folder.path().join("broken.yaml"))
        .expect("copied");
    fs::create_dir_all(folder.path().join("sample_data/cdnow")).expect("a folder");
    fs::copy(
        repository("sample_data/cdnow/orders.parquet"),
        folder.path().join("sample_data/cdnow/orders.parquet"),
    )
    .expect("copied");
    let output = tenure(folder.path(), &["check", "broken.yaml"]);
    status(&output, 2);
    insta::assert_snapshot!("diagnostics", stderr(&output));

    let output = tenure(folder.path(), &["check", "broken.yaml", "--format", "json"]);
    status(&output, 2);
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let codes: Vec<&str> = document["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|diagnostic| diagnostic["code"].as_str().expect("a code"))
        .collect();
    let text = stderr(&tenure(folder.path(), &["check", "broken.yaml"]));
    let printed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("error[")?.split_once(']').map(|(code, _)| code))
        .collect();
    assert_eq!(codes, printed);
    assert_eq!(document["diagnostics"][0]["labels"][0]["place"]["start"]["line"], 7);
}

#[test]
fn manual_pages_and_explain() {
    let root = repository("");
    for kind in tenure::stages::registry() {
        let output = tenure(&root, &["stages", kind.name]);
        status(&output, 0);
        assert!(stdout(&output).starts_with(&format!("# {}", kind.name)));
    }
    for kind in tenure::metrics::registry() {
        status(&tenure(&root, &["metrics", kind.name]), 0);
    }
    assert!(stdout(&tenure(&root, &["metrics", "order_value_p95"])).starts_with("# order_value"));
    let output = tenure(&root, &["explain", "pipelines/cdnow.yaml", "retention"]);
    status(&output, 0);
    insta::assert_snapshot!("explain", stdout(&output));
}

#[test]
fn shipped_pipelines_are_good() {
    let root = repository("");
    for entry in fs::read_dir(repository("pipelines")).expect("pipelines") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let output = tenure(&root, &["check", path.to_str().expect("a path")]);
        status(&output, 0);
        assert!(stderr(&output).is_empty());
    }
}

#[test]
fn the_manifest_has_a_published_schema() {
    let path = repository("tests/expected/manifest.schema.json");
    let schema = tenure::run::manifest_schema();
    #[expect(clippy::disallowed_methods, reason = "asks whether the file should be made anew")]
    if std::env::var("UPDATE_EXPECTED").is_ok() {
        fs::write(&path, &schema).expect("written");
    }
    // To make it anew: UPDATE_EXPECTED=1 cargo test the_manifest_has
    assert_eq!(fs::read_to_string(&path).expect("the schema"), schema);

    let folder = shop(&some_orders(), MONTHLY);
    status(&tenure(folder.path(), &["run", "shop.yaml"]), 0);
    let manifest = fs::read(folder.path().join("out/shop/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    for required in schema["required"].as_array().expect("a list") {
        let key = required.as_str().expect("a key");
        assert!(manifest.get(key).is_some(), "the manifest has no `{key}`");
    }
    for key in manifest.as_object().expect("an object").keys() {
        assert!(schema["properties"].get(key).is_some(), "the schema has no `{key}`");
    }
}
