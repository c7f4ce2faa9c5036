//! `tenure generate`: the same bytes on any number of threads, the same rows in every layout, and the
//! truth that stands beside the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tenure::frame::{Frame, Value};
use tenure::generate::{Asked, Ids, Layout, Tally, Truth, generate};

use crate::docs::repository;
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

/// The tables besides the orders.
const TABLES: [&str; 12] = [
    "customers",
    "tickets",
    "surveys",
    "follow_ups",
    "subscriptions",
    "invoices",
    "usage",
    "reviews",
    "mentions",
    "sends",
    "touchpoints",
    "costs",
];

/// A larger world, so that every table has rows.
fn larger() -> Asked {
    Asked { orders: 10_000, threads: 2, ..small() }
}

#[test]
fn the_truth_of_every_other_table_is_what_is_in_it() {
    let (folder, truth) = world(&larger());
    assert_eq!(truth.tables.len(), TABLES.len() + 1);
    for table in TABLES {
        let frame = read_parquet(&folder.path().join(format!("{table}.parquet")));
        let counted = &truth.tables[table].counted;
        assert!(frame.rows() > 0, "{table}");
        agrees(counted, "rows", frame.rows());
        let values = |name: &str| column(&frame, name).into_iter();
        for (what, count) in counted.counts() {
            let Some((name, what)) = what.split_once(": ") else { continue };
            let found: i64 = match what {
                "null" => values(name).filter(|value| *value == Value::Null).count() as i64,
                "true" => values(name).filter(|value| *value == Value::Bool(true)).count() as i64,
                "sum" | "sum of cents" => values(name)
                    .map(|value| match value {
                        Value::Int(number) => number,
                        Value::Decimal { minor, .. } => minor as i64,
                        _ => 0,
                    })
                    .sum(),
                text => values(name).filter(|value| value.to_string() == text).count() as i64,
            };
            assert_eq!(found, count, "{table}.{name}: {what}");
        }
    }
}

/// What happens to customers happens in an order that can be.
#[test]
fn events_follow_each_other() {
    let (folder, _) = world(&larger());
    let table = |name: &str| read_parquet(&folder.path().join(format!("{name}.parquet")));
    let until = Value::Timestamp(20_454 * 86_400_000_000);
    for (name, times) in [
        ("tickets", &["created_at", "first_replied_at", "solved_at", "closed_at"][..]),
        ("surveys", &["sent_at", "answered_at"]),
        ("sends", &["sent_at", "opened_at", "clicked_at"]),
        ("subscriptions", &["starts_on", "ends_on"]),
        ("invoices", &["issued_on", "due_on"]),
        ("invoices", &["issued_on", "paid_on"]),
    ] {
        let frame = table(name);
        let columns: Vec<Vec<Value>> = times.iter().map(|time| column(&frame, time)).collect();
        for row in 0..frame.rows() {
            let known = columns.iter().map(|column| &column[row]);
            // A null is the last of all, so nothing follows what has not happened.
            assert!(known.clone().is_sorted(), "{name}: row {row}");
            let last = known.filter(|value| matches!(value, Value::Timestamp(_))).max();
            assert!(last.is_none_or(|last| *last < until), "{name}: row {row}");
        }
    }
}

#[test]
fn identifiers_are_of_one_row_and_lead_to_their_rows() {
    let (folder, _) = world(&larger());
    let table = |name: &str| read_parquet(&folder.path().join(format!("{name}.parquet")));
    let unique = |name: &str, key: &str| -> BTreeSet<Value> {
        let values = column(&table(name), key);
        let count = values.len();
        let values: BTreeSet<Value> = values.into_iter().collect();
        assert_eq!(values.len(), count, "{name}.{key}");
        values
    };
    let customers = unique("customers", "customer_id");
    let surveys = unique("surveys", "survey_id");
    let subscriptions = unique("subscriptions", "subscription_id");
    for (name, key) in [
        ("tickets", "ticket_id"),
        ("follow_ups", "survey_id"),
        ("invoices", "invoice_id"),
        ("reviews", "review_id"),
        ("mentions", "mention_id"),
    ] {
        unique(name, key);
    }
    let within = |name: &str, key: &str, all: &BTreeSet<Value>| {
        assert!(column(&table(name), key).iter().all(|value| all.contains(value)), "{name}.{key}");
    };
    within("follow_ups", "survey_id", &surveys);
    within("invoices", "subscription_id", &subscriptions);
    for name in TABLES.into_iter().filter(|name| *name != "costs") {
        within(name, "customer_id", &customers);
    }
}

/// `sample_data/shop` is what its README's command gives.
#[test]
fn the_sample_shop_is_what_its_command_gives() {
    let shop = repository("sample_data/shop");
    let readme = fs::read_to_string(shop.join("README.md")).expect("a README");
    let command = readme.lines().find_map(|line| line.strip_prefix("tenure generate "));
    let command = command.expect("the command");
    let folder = tempfile::tempdir().expect("a folder");
    let arguments: Vec<&str> = std::iter::once("generate").chain(command.split(' ')).collect();
    ends(folder.path(), &arguments, 0, "wrote orders");
    let found = folder.path().join("sample_data/shop");
    let mut names: Vec<PathBuf> = files(&shop).into_keys().collect();
    names.retain(|name| name != Path::new("README.md"));
    assert_eq!(names, files(&found).into_keys().collect::<Vec<_>>());
    for name in names {
        let (kept, made) = (shop.join(&name), found.join(&name));
        let same = match name.extension().is_some_and(|extension| extension == "parquet") {
            true => read_parquet(&kept).to_rows() == read_parquet(&made).to_rows(),
            false => fs::read(&kept).expect("a file") == fs::read(&made).expect("a file"),
        };
        assert!(same, "{}", name.display());
    }
    let bytes: usize = files(&shop).values().map(Vec::len).sum();
    assert!(bytes <= 8 << 20, "{bytes} bytes");
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

/// The pipelines of the comparison fit the worlds that are generated for it.
#[test]
fn the_jobs_of_the_comparison_have_no_mistakes() {
    for name in ["nightly", "decode"] {
        let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
            .args(["check", &format!("benches/compare/{name}.yaml")])
            .args(["--set", "params.data=sample_data/shop"])
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
