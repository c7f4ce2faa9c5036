//! `tenure generate`: the same bytes on any number of threads, the same rows in every layout, and the
//! truth that stands beside the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tenure::frame::{Frame, Value};
use tenure::generate::{Asked, Ids, Layout, Tally, Truth, generate};

use crate::parquet::read_parquet;

/// A world in a folder of its own.
fn world(asked: &Asked) -> (TempDir, Truth) {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = Asked { directory: folder.path().to_owned(), ..asked.clone() };
    let truth = generate(&asked).expect("a world");
    (folder, truth)
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut folders = vec![folder.to_owned()];
    let mut files = BTreeMap::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).expect("below it").to_owned();
                    files.insert(name, fs::read(path).expect("a file"));
                }
            }
        }
    }
    files
}

/// The rows of all files of the orders, in the order of the files' names.
fn orders(folder: &Path) -> Vec<Vec<Value>> {
    let names = files(folder).into_keys().filter(|name| name.to_string_lossy().contains("orders"));
    names.flat_map(|name| read_parquet(&folder.join(name)).to_rows()).collect()
}

fn column(frame: &Frame, name: &str) -> Vec<Value> {
    let place = frame.schema.index_of(name).expect("a column");
    (0..frame.rows()).map(|row| frame.value(row, place)).collect()
}

const LAYOUTS: [Layout; 3] = [Layout::Month, Layout::Day, Layout::Shuffled];
const IDS: [Ids; 4] = [Ids::Dense, Ids::Sparse, Ids::Random, Ids::String];

/// A small world of two years.
fn small() -> Asked {
    Asked { orders: 3_000, seed: 5, years: 2, ..Asked::default() }
}

#[test]
fn a_world_is_the_same_on_any_number_of_threads() {
    for layout in LAYOUTS {
        let of = |threads| files(world(&Asked { layout, threads, ..small() }).0.path());
        let one = of(1);
        assert!(one.contains_key(Path::new("truth.json")), "{:?}", one.keys());
        assert!(one == of(2) && one == of(3), "{layout:?}");
    }
}

#[test]
fn another_seed_is_another_world() {
    let of = |seed| files(world(&Asked { seed, ..small() }).0.path());
    let (one, two) = (of(1), of(2));
    for (name, bytes) in &one {
        assert_ne!(Some(bytes), two.get(name), "{}", name.display());
    }
}

#[test]
fn all_layouts_hold_the_same_rows() {
    let sorted = |layout| {
        let mut rows = orders(world(&Asked { layout, ..small() }).0.path());
        rows.sort();
        rows
    };
    let by_month = sorted(Layout::Month);
    assert!(by_month.len() > 2_900, "{}", by_month.len());
    assert!(by_month == sorted(Layout::Day));
    assert!(by_month == sorted(Layout::Shuffled));
}

#[test]
fn files_are_of_their_month_or_day_and_in_order_of_time_or_in_none() {
    let placed = |frame: &Frame| -> Vec<String> {
        column(frame, "ordered_at").iter().map(Value::to_string).collect()
    };
    let (month, _) = world(&Asked { layout: Layout::Month, ..small() });
    let times = placed(&read_parquet(&month.path().join("orders/2025-02.parquet")));
    assert!(times.is_sorted());
    assert!(times.iter().all(|time| time.starts_with("2025-02-")), "{times:?}");
    assert_eq!(files(&month.path().join("orders")).len(), 24);

    let (day, _) = world(&Asked { layout: Layout::Day, ..small() });
    let path = day.path().join("orders/ordered_on=2025-02-28/part-0.parquet");
    let times = placed(&read_parquet(&path));
    assert!(times.is_sorted());
    assert!(times.iter().all(|time| time.starts_with("2025-02-28")), "{times:?}");

    let (shuffled, _) = world(&Asked { layout: Layout::Shuffled, ..small() });
    let names: Vec<PathBuf> = files(shuffled.path()).into_keys().collect();
    assert!(!names.iter().any(|name| name.starts_with(".shuffling")), "{names:?}");
    let times = placed(&read_parquet(&shuffled.path().join("orders.parquet")));
    let earlier = times.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64;
    assert!((earlier / times.len() as f64 - 0.5).abs() < 0.05, "{earlier} of {}", times.len());
}

#[test]
fn ids_change_nothing_but_the_ids() {
    let mut without: BTreeSet<Vec<Vec<Value>>> = BTreeSet::new();
    let mut customers = BTreeSet::new();
    for ids in IDS {
        let (folder, truth) = world(&Asked { ids, ..small() });
        let mut rows = orders(folder.path());
        let found: BTreeSet<Value> = rows.iter_mut().map(|row| row.remove(1)).collect();
        assert_eq!(found.len() as i64, truth.tables["orders"].counted.get("customers"), "{ids:?}");
        let known = read_parquet(&folder.path().join("customers.parquet"));
        let known: BTreeSet<Value> = column(&known, "customer_id").into_iter().collect();
        assert!(found == known, "{ids:?}");
        without.insert(rows);
        customers.insert(found);
    }
    assert_eq!(without.len(), 1);
    assert_eq!(customers.len(), IDS.len());
}

/// What is said to have been counted, counted again in a table that was read.
#[track_caller]
fn agrees(counted: &Tally, name: &str, found: usize) {
    assert_eq!(counted.get(name), found as i64, "{name}");
}

#[test]
fn the_truth_of_the_orders_is_what_is_in_them() {
    let (folder, truth) = world(&Asked { layout: Layout::Shuffled, ..small() });
    let counted = &truth.tables["orders"].counted;
    let frame = read_parquet(&folder.path().join("orders.parquet"));
    agrees(counted, "rows", frame.rows());
    let mut rows = frame.to_rows();
    rows.sort();
    rows.dedup();
    agrees(counted, "orders", rows.len());
    agrees(counted, "duplicate_rows", frame.rows() - rows.len());
    assert!(counted.get("duplicate_rows") > 0);

    let place = |name: &str| frame.schema.index_of(name).expect("a column");
    let count = |name: &str, is: &dyn Fn(&Value) -> bool| {
        rows.iter().filter(|row| is(&row[place(name)])).count()
    };
    for status in ["completed", "returned", "cancelled", "pending"] {
        agrees(counted, status, count("status", &|value| value.to_string() == status));
        assert!(counted.get(status) > 0, "{status}");
    }
    agrees(counted, "returned", count("returned_at", &|value| *value != Value::Null));
    agrees(counted, "orders_without_amount", count("amount", &|value| *value == Value::Null));
    agrees(counted, "orders_without_channel", count("channel", &|value| *value == Value::Null));

    let cents = |row: &Vec<Value>, name: &str| match &row[place(name)] {
        Value::Decimal { minor, .. } => *minor as usize,
        _ => 0,
    };
    let whole = |row: &Vec<Value>, name: &str| match &row[place(name)] {
        Value::Int(number) => *number as usize,
        other => panic!("{name} is {other}"),
    };
    let completed = || rows.iter().filter(|row| row[place("status")].to_string() == "completed");
    agrees(counted, "completed_amount_cents", completed().map(|row| cents(row, "amount")).sum());
    agrees(counted, "discount_cents", rows.iter().map(|row| cents(row, "discount")).sum());
    agrees(counted, "units", rows.iter().map(|row| whole(row, "units")).sum());

    let mut per_customer: BTreeMap<Value, usize> = BTreeMap::new();
    for row in &rows {
        *per_customer.entry(row[place("customer_id")].clone()).or_default() += 1;
    }
    agrees(counted, "customers", per_customer.len());
    let repeaters = per_customer.values().filter(|orders| **orders > 1).count();
    agrees(counted, "customers_with_two_orders", repeaters);
}

#[test]
fn the_truth_of_the_customers_is_what_is_in_them() {
    let (folder, truth) = world(&small());
    let counted = &truth.tables["customers"].counted;
    let frame = read_parquet(&folder.path().join("customers.parquet"));
    agrees(counted, "rows", frame.rows());
    let count = |name: &str, is: &dyn Fn(&Value) -> bool| {
        column(&frame, name).iter().filter(|value| is(value)).count()
    };
    let null = |value: &Value| *value == Value::Null;
    agrees(counted, "without_birth_date", count("birth_date", &null));
    agrees(counted, "without_country", count("country", &null));
    agrees(counted, "without_email", count("email", &null));
    agrees(counted, "on_free_plan", count("plan", &|value| value.to_string() == "free"));
    agrees(counted, "with_newsletter", count("newsletter", &|value| value.to_string() == "yes"));
}

/// The means of many draws are near those that are stated.
#[test]
fn shares_are_near_those_that_are_stated() {
    let (_folder, truth) = world(&Asked { orders: 40_000, ..small() });
    let orders = &truth.tables["orders"];
    let stated: BTreeMap<&str, f64> = orders.drawn_with.iter().copied().collect();
    let count = orders.counted.get("orders") as f64;
    for (name, share) in [
        ("cancelled", stated["cancelled_share"]),
        ("pending", stated["pending_share"]),
        ("duplicate_rows", stated["duplicate_share"]),
        ("orders_without_amount", stated["null_amount_share"]),
        ("orders_without_channel", stated["null_channel_share"]),
    ] {
        let found = orders.counted.get(name) as f64 / count;
        // Five standard errors.
        let off = 5.0 * (share * (1.0 - share) / count).sqrt();
        assert!((found - share).abs() < off, "{name}: {found}, not {share}");
    }
}

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.current_dir(folder).args(arguments).output().expect("it starts")
}

#[track_caller]
fn ends(folder: &Path, arguments: &[&str], status: i32, says: &str) {
    let output = tenure(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(says), "`{says}` is not said:\n{said}");
}

#[test]
fn a_drafted_pipeline_over_a_world_has_no_mistakes_and_runs() {
    for layout in ["month", "day"] {
        let folder = tempfile::tempdir().expect("a folder");
        let generate = ["generate", "world", "--orders", "1k", "--years", "1", "--layout", layout];
        ends(folder.path(), &generate, 0, "wrote orders");
        let init = ["init", "world/orders/", "world/customers.parquet", "--name", "shop"];
        ends(folder.path(), &init, 0, "next: tenure check");
        ends(folder.path(), &["check", "shop.yaml"], 0, "");
        ends(folder.path(), &["run", "shop.yaml"], 0, "wrote");
    }
}

#[test]
fn what_cannot_be_generated_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let generate = |more: &[&'static str]| [&["generate", "world"], more].concat();
    ends(path, &generate(&["--orders", "many"]), 2, "500, 20k or 1.5m");
    ends(path, &generate(&["--orders", "0"]), 2, "500, 20k or 1.5m");
    ends(path, &generate(&["--tables", "order"]), 2, "known: orders, customers");
    ends(path, &generate(&["--orders", "999b"]), 2, "cannot be numbered");
    assert!(!path.join("world/truth.json").exists());
    fs::create_dir_all(path.join("full/of")).expect("a folder");
    ends(path, &["generate", "full"], 6, "full is not empty");
    ends(path, &generate(&["--orders", "0.2k", "--tables", "customers"]), 0, "wrote customers");
    let names: Vec<PathBuf> = files(&path.join("world")).into_keys().collect();
    assert_eq!(names, [Path::new("customers.parquet"), Path::new("truth.json")]);
}
