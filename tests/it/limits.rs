//! Limits of memory and time, from outside.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const PIPELINE: &str = "\
version: 1
name: orders
as_of: 2026-01-01
sources:
  orders:
    parquet: world/orders/*.parquet
    customer: customer_id
    time: ordered_at
    value: amount
  customers: {parquet: world/customers.parquet, customer: customer_id}
segments:
  country: customers.country
stages:
  cells:
    from: orders
    segment_metrics:
      by: [country, channel]
      metrics: [revenue, customer_count, order_value_median, repeat_purchase_rate]
  retention: {from: orders, cohort_retention: {by: [country]}}
  rfm: {from: orders, rfm: {by: [country]}}
  scored: {from: rfm, derive: {large: value > 100}}
";

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.current_dir(folder).args(arguments).output().expect("the program starts")
}

/// A world with some orders, and the pipeline over it with these further lines.
fn world(orders: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let tables = ["--tables", "orders,customers", "--ids", "random"];
    let arguments = [&["generate", "world", "--orders", orders][..], &tables].concat();
    assert!(tenure(folder.path(), &arguments).status.success());
    let text = format!("{PIPELINE}{more}");
    fs::write(folder.path().join("orders.yaml"), text).expect("the pipeline is written");
    folder
}

/// Name and bytes of each published table.
fn tables(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder.join("out/orders")).expect("tables");
    let mut tables: Vec<(String, Vec<u8>)> = files
        .filter_map(Result::ok)
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "parquet"))
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, fs::read(file.path()).expect("a table"))
        })
        .collect();
    tables.sort();
    tables
}

/// Runs the pipeline: its exit status, and what it says.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = tenure(folder, &[&["run", "orders.yaml"], arguments].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What a run with far too little memory says it needs.
fn needed(folder: &Path) -> String {
    let (status, error) = run(folder, &["--memory-limit", "1MiB"]);
    assert_eq!(status, Some(7), "{error}");
    let (_, needed) = error.split_once("--memory-limit ").expect("it says how much");
    needed.split('`').next().expect("an amount").to_owned()
}

#[test]
fn a_run_under_a_limit_gives_the_same_bytes() {
    let folder = world("60k", "");
    let (status, error) = run(folder.path(), &["--memory-limit", "80%"]);
    assert_eq!(status, Some(0), "{error}");
    let whole = tables(folder.path());
    assert!(whole.len() >= 4, "{}", whole.len());
    // What it says is enough.
    let needed = needed(folder.path());
    for threads in ["1", "3"] {
        let (status, error) =
            run(folder.path(), &["--memory-limit", &needed, "--threads", threads]);
        assert_eq!(status, Some(0), "{error}");
        assert!(tables(folder.path()) == whole, "other bytes under a limit of {needed}");
    }
}

#[test]
fn a_run_that_takes_too_long_gives_up() {
    let folder = world("2k", "limits: {timeout: 0s}\n");
    let output = tenure(folder.path(), &["run", "orders.yaml"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{error}");
    assert!(error.contains("timeout"), "{error}");
    assert!(!folder.path().join("out/orders").exists());
}

#[test]
fn a_pipeline_can_say_its_limits() {
    let folder = world("2k", "limits: {memory: 1MiB, threads: 2}\n");
    let output = tenure(folder.path(), &["run", "orders.yaml"]);
    assert_eq!(output.status.code(), Some(7));
    let output = tenure(folder.path(), &["run", "orders.yaml", "--memory-limit", "80%"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for (wrong, said) in [
        ("memory: 512", "`512MiB`"),
        ("memory: plenty", "`80%`"),
        ("threads: 0", "`threads: auto`"),
        ("timeout: 5", "`5d`"),
        ("memmory: 1GiB", "`memory`"),
    ] {
        let text = format!("{PIPELINE}limits: {{{wrong}}}\n");
        fs::write(folder.path().join("orders.yaml"), text).expect("the pipeline is written");
        let output = tenure(folder.path(), &["check", "orders.yaml"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{wrong}: {error}");
    }
}
