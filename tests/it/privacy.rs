//! Small groups, attacked: whether what is published tells what is hidden.

mod journeys;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::engine::Engine;
use tenure::engine::reference::Reference;
use tenure::frame::{DataType, Field, Frame, Schema, Value};
use tenure::run::{Prepared, Request, prepare};

use crate::parquet::{read_parquet, write_parquet};
use crate::support::{Draw, law};

const SOURCE: &str = "\
version: 1
name: shop
as_of: 2026-04-01
sources:
  orders: {parquet: orders.parquet, customer: customer_id, time: ordered_at, value: amount}
";

const GROUPS: &str = "\
stages:
  cells:
    from: orders
    segment_metrics:
      by: [plan, region, month]
      metrics: [revenue, order_count]
      grouping_sets: [[plan, region, month], [plan, region], [plan, month], [region, month], [plan], [region], [month], []]
  monthly: {from: orders, segment_metrics: {by: [plan, month], metrics: [revenue]}}
";

const COHORTS: &str = "\
stages:
  retention: {from: orders, cohort_retention: {by: [plan]}}
  kept: {from: orders, cohort_retention: {returned: on_or_after}}
  growth: {from: orders, growth: {by: [plan]}}
";

/// 2026-01-01.
const JANUARY: i64 = 20_454;

/// The fewest customers that are shown.
const LEAST: usize = 4;

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_at", DataType::Date),
        Field::new("amount", DataType::Decimal { precision: 12, scale: 2 }),
        Field::new("plan", DataType::String),
        Field::new("region", DataType::String),
    ]))
}

fn pipeline(privacy: &str, stages: &str) -> (TempDir, Prepared) {
    let folder = tempfile::tempdir().expect("a folder");
    let frame = Frame::from_rows(schema(), &[]).expect("no rows fit");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 10);
    fs::write(folder.path().join("p.yaml"), format!("{SOURCE}{privacy}{stages}")).expect("written");
    let request = Request {
        pipeline: folder.path().join("p.yaml"),
        root: folder.path().to_owned(),
        ..Request::default()
    };
    let prepared = prepare(&request).unwrap_or_else(|failure| panic!("{failure:?}"));
    (folder, prepared)
}

/// Orders of some customers, most of whom keep to a plan and a region.
fn orders(draw: &mut Draw) -> Frame {
    let customers = 6 + draw.below(22);
    let mut rows = Vec::new();
    for customer in 0..customers {
        let (plan, region) = (draw.pick(&["a", "a", "b", "c"]), draw.pick(&["x", "x", "y", "z"]));
        let mut day = draw.below(85);
        for _ in 0..1 + draw.below(3) {
            let plan = if draw.one_in(8) { "b" } else { plan };
            rows.push(vec![
                Value::Int(customer as i64),
                Value::Date((JANUARY + day as i64) as i32),
                Value::Decimal { minor: 1 + draw.below(900) as i128, scale: 2 },
                Value::text(plan),
                Value::text(region),
            ]);
            day = (day + draw.below(50)).min(89);
        }
    }
    Frame::from_rows(schema(), &rows).expect("the rows fit")
}

/// The tables of a plan over orders.
fn tables(prepared: &Prepared, orders: &Frame) -> BTreeMap<String, Frame> {
    let engine =
        Reference::new(prepared.pipeline.calendar.clone()).with_source("orders", orders.clone());
    let tables: Vec<_> = prepared.plan.stages.iter().flat_map(|stage| &stage.tables).collect();
    let rels: Vec<_> = tables.iter().map(|table| table.rel.clone()).collect();
    let frames = engine.run(&rels).expect("it runs");
    tables.iter().map(|table| table.name.clone()).zip(frames).collect()
}

/// What an attacker knows: linear equations over unknowns, kept in echelon form modulo a prime.
struct Known<K> {
    unknowns: BTreeMap<K, usize>,
    rows: BTreeMap<usize, BTreeMap<usize, i128>>,
}

const PRIME: i128 = 2_147_483_647;

fn inverse(a: i128) -> i128 {
    let (mut power, mut result, mut left) = (a, 1, PRIME - 2);
    while left > 0 {
        if left & 1 == 1 {
            result = result * power % PRIME;
        }
        power = power * power % PRIME;
        left >>= 1;
    }
    result
}

impl<K: Ord + Clone> Known<K> {
    fn nothing() -> Self {
        Known { unknowns: BTreeMap::new(), rows: BTreeMap::new() }
    }

    /// What is left of a sum of unknowns beside what is known.
    fn left_of(&mut self, sum: &[K]) -> BTreeMap<usize, i128> {
        let mut row = BTreeMap::new();
        for unknown in sum {
            let next = self.unknowns.len();
            *row.entry(*self.unknowns.entry(unknown.clone()).or_insert(next)).or_insert(0) += 1;
        }
        let mut from = 0;
        while let Some((&at, &factor)) = row.range(from..).next() {
            from = at + 1;
            let Some(pivot) = self.rows.get(&at) else { continue };
            for (&unknown, &coefficient) in pivot {
                let value = row.entry(unknown).or_insert(0);
                *value = (*value - factor * coefficient).rem_euclid(PRIME);
            }
            row.retain(|_, value| *value != 0);
        }
        row
    }

    fn learn(&mut self, sum: &[K]) {
        let row = self.left_of(sum);
        // The first unknown that no other equation is solved for.
        let Some((&pivot, &coefficient)) = row.iter().next() else { return };
        let scale = inverse(coefficient);
        let row = row.into_iter().map(|(at, value)| (at, value * scale % PRIME)).collect();
        self.rows.insert(pivot, row);
    }

    fn tells(&mut self, sum: &[K]) -> bool {
        self.left_of(sum).is_empty()
    }
}

#[test]
fn the_attacker_can_solve_equations() {
    let mut known = Known::nothing();
    known.learn(&[1, 2, 3]);
    known.learn(&[3]);
    assert!(known.tells(&[1, 2]) && known.tells(&[3]) && !known.tells(&[1]));
    known.learn(&[2, 4]);
    known.learn(&[4]);
    assert!(known.tells(&[1]) && !known.tells(&[5]));
}

fn text(value: &Value) -> String {
    value.to_string()
}

/// The rows of a table by the names of its columns.
fn rows(frame: &Frame) -> Vec<BTreeMap<String, Value>> {
    let names: Vec<String> = frame.schema.names().map(str::to_owned).collect();
    frame.to_rows().into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect()
}

fn is_hidden(row: &BTreeMap<String, Value>) -> bool {
    row["suppressed"] == Value::Bool(true)
}

type Cell = [String; 3];

/// The finest cells of orders, with their customers.
fn cells(orders: &Frame) -> BTreeMap<Cell, BTreeSet<i64>> {
    let mut found: BTreeMap<Cell, BTreeSet<i64>> = BTreeMap::new();
    for row in rows(orders) {
        let month = format!("{}-01", &text(&row["ordered_at"])[..7]);
        let cell = [text(&row["plan"]), text(&row["region"]), month];
        found.entry(cell).or_default().insert(row["customer_id"].as_i64().expect("a customer"));
    }
    found
}

/// The finest cells that a row is the sum of.
fn parts(
    row: &BTreeMap<String, Value>,
    dimensions: &[&str],
    cells: &BTreeMap<Cell, BTreeSet<i64>>,
) -> Vec<Cell> {
    let names = ["plan", "region", "month"];
    let fits = |cell: &&Cell| {
        names
            .iter()
            .zip(*cell)
            .all(|(name, part)| !dimensions.contains(name) || text(&row[*name]) == *part)
    };
    cells.keys().filter(fits).cloned().collect()
}

/// The dimensions of a row.
type DimensionsOf<'a> = &'a dyn Fn(&BTreeMap<String, Value>) -> Vec<String>;

/// Attacks the tables of one stage, each with the dimensions of each of its rows.
fn attack(
    tables: &[(&Frame, DimensionsOf)],
    cells: &BTreeMap<Cell, BTreeSet<i64>>,
) -> Result<usize, String> {
    let mut known = Known::nothing();
    let mut hidden = Vec::new();
    for (frame, dimensions) in tables {
        for row in rows(frame) {
            let of = dimensions(&row);
            let of: Vec<&str> = of.iter().map(String::as_str).collect();
            let parts = parts(&row, &of, cells);
            if is_hidden(&row) {
                if row["revenue"] != Value::Null {
                    return Err(format!("{row:?} is hidden and says something"));
                }
                hidden.push((row, parts));
                continue;
            }
            let people: BTreeSet<i64> =
                parts.iter().flat_map(|part| &cells[part]).copied().collect();
            if people.len() < LEAST {
                return Err(format!("{row:?} is shown and is about {} customers", people.len()));
            }
            known.learn(&parts);
        }
    }
    for (row, parts) in &hidden {
        if known.tells(parts) {
            return Err(format!("{row:?} can be solved"));
        }
    }
    Ok(hidden.len())
}

#[test]
fn no_hidden_group_of_a_thousand_tables_can_be_solved() {
    let (_folder, prepared) = pipeline(&format!("privacy: {{min_group_size: {LEAST}}}\n"), GROUPS);
    let hidden = std::cell::Cell::new((0, 0));
    law(1_000, |draw| {
        let orders = orders(draw);
        let (tables, cells) = (tables(&prepared, &orders), cells(&orders));
        let of_set = |row: &BTreeMap<String, Value>| -> Vec<String> {
            text(&row["grouping"])
                .split('+')
                .filter(|name| *name != "total")
                .map(str::to_owned)
                .collect()
        };
        let found = attack(&[(&tables["cells"], &of_set)], &cells)?;
        let all = |_: &BTreeMap<String, Value>| vec!["plan".to_owned(), "month".to_owned()];
        let month = |_: &BTreeMap<String, Value>| vec!["month".to_owned()];
        let more =
            attack(&[(&tables["monthly"], &all), (&tables["monthly_totals"], &month)], &cells)?;
        hidden.set((hidden.get().0 + found, hidden.get().1 + more));
        Ok(())
    });
    let (found, more) = hidden.get();
    assert!(found > 10_000 && more > 1_000, "only {found} and {more} are hidden");
}

/// The attack succeeds where only the small groups are hidden: it is no test that cannot fail.
#[test]
fn small_groups_alone_are_solved() {
    let privacy = format!("privacy: {{min_group_size: {LEAST}, suppress: plain}}\n");
    let (_folder, prepared) = pipeline(&privacy, GROUPS);
    let (_other, cohorts) = pipeline(&privacy, COHORTS);
    let (_open, open) = pipeline("", COHORTS);
    let solved = std::cell::Cell::new((0, 0));
    law(30, |draw| {
        let orders = orders(draw);
        let (found, cells) = (tables(&prepared, &orders), cells(&orders));
        let (shown, truth) = (tables(&cohorts, &orders), tables(&open, &orders));
        let all = |_: &BTreeMap<String, Value>| vec!["plan".to_owned(), "month".to_owned()];
        let month = |_: &BTreeMap<String, Value>| vec!["month".to_owned()];
        let groups =
            attack(&[(&found["monthly"], &all), (&found["monthly_totals"], &month)], &cells);
        let triangles = attack_cohorts("retention", &truth, &shown);
        let by_equations = |result: Result<usize, String>| {
            usize::from(result.is_err_and(|error| error.ends_with("can be solved")))
        };
        let (some, more) = solved.get();
        solved.set((some + by_equations(groups), more + by_equations(triangles)));
        Ok(())
    });
    assert!(solved.get().0 > 3 && solved.get().1 > 3, "only {:?}", solved.get());
}

/// What is not known of a cohort: how many of a cell were retained and what they spent, and its size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unknown {
    Retained([String; 3]),
    Value([String; 3]),
    Size([String; 2]),
}

/// Attacks a stage of cohorts, whose true cells are known from the same stage without privacy.
fn attack_cohorts(
    name: &str,
    truth: &BTreeMap<String, Frame>,
    shown: &BTreeMap<String, Frame>,
) -> Result<usize, String> {
    let plan_of = |row: &BTreeMap<String, Value>| row.get("plan").map_or(String::new(), text);
    let true_rows = rows(&truth[name]);
    let lived: Vec<&BTreeMap<String, Value>> =
        true_rows.iter().filter(|row| row["eligible"] != Value::Null).collect();
    let cell =
        |row: &BTreeMap<String, Value>| [text(&row["cohort"]), plan_of(row), text(&row["age"])];
    let is = |row: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>, names: &[&str]| {
        names.iter().all(|name| !row.contains_key(*name) || row[*name] == other[*name])
    };
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let few = |n: i64| 0 < n && n < LEAST as i64;
    let mut known = Known::nothing();
    let mut hidden = Vec::new();
    let totals = format!("{name}_totals");
    let average = format!("{name}_average");
    for table in [name, &totals, &average] {
        let Some(frame) = shown.get(table) else { continue };
        let by: &[&str] = match table == average {
            true => &["plan", "age"],
            false if table == totals => &["cohort", "age"],
            false => &["cohort", "plan", "age"],
        };
        for row in rows(frame) {
            let at = |names: &[&str]| -> Vec<&BTreeMap<String, Value>> {
                lived.iter().copied().filter(|cell| is(&row, cell, names)).collect()
            };
            let sizes = |cells: &[&BTreeMap<String, Value>]| -> Vec<Unknown> {
                let of = |row: &&BTreeMap<String, Value>| [text(&row["cohort"]), plan_of(row)];
                let sizes: BTreeSet<_> = cells.iter().map(of).collect();
                sizes.into_iter().map(Unknown::Size).collect()
            };
            if is_hidden(&row) {
                hidden.push((table.to_owned(), row.clone()));
                continue;
            }
            let parts = at(by);
            if row["eligible"] == Value::Null {
                // Not lived through: only the size is told.
                let names: Vec<&str> = by.iter().copied().filter(|name| *name != "age").collect();
                known.learn(&sizes(&at(&names)));
                continue;
            }
            known
                .learn(&parts.iter().map(|part| Unknown::Retained(cell(part))).collect::<Vec<_>>());
            known.learn(&sizes(&parts));
            let (size, retained) = (number(&row["eligible"]), number(&row["retained"]));
            if few(size) || few(retained) || few(size - retained) {
                return Err(format!("{row:?} of {table} is shown"));
            }
            if table == average {
                continue;
            }
            if row["value"] != Value::Null {
                known.learn(
                    &parts.iter().map(|part| Unknown::Value(cell(part))).collect::<Vec<_>>(),
                );
            }
            if row["cumulative_value"] != Value::Null {
                let names: Vec<&str> = by.iter().copied().filter(|name| *name != "age").collect();
                let until = at(&names)
                    .into_iter()
                    .filter(|part| number(&part["age"]) <= number(&row["age"]));
                known.learn(&until.map(|part| Unknown::Value(cell(part))).collect::<Vec<_>>());
            }
        }
    }
    for (_, row) in hidden.iter().filter(|(table, _)| table == name) {
        let Some(cell_of) = lived.iter().find(|cell| is(row, cell, &["cohort", "plan", "age"]))
        else {
            continue;
        };
        if row["retained"] != Value::Null || row["size"] != Value::Null {
            return Err(format!("{row:?} is hidden and says something"));
        }
        let whole = hidden.iter().filter(|(table, other)| {
            table == name
                && other["cohort"] == row["cohort"]
                && other.get("plan") == row.get("plan")
        });
        let all = rows(&shown[name])
            .iter()
            .filter(|other| {
                other["cohort"] == row["cohort"] && other.get("plan") == row.get("plan")
            })
            .count();
        let size = Unknown::Size([text(&row["cohort"]), plan_of(row)]);
        if whole.count() == all && few(number(&cell_of["size"])) && known.tells(&[size]) {
            return Err(format!("the size of {row:?} can be solved"));
        }
        for unknown in [Unknown::Retained(cell(row)), Unknown::Value(cell(row))] {
            if known.tells(std::slice::from_ref(&unknown)) {
                return Err(format!("{unknown:?} of {row:?} can be solved"));
            }
        }
    }
    Ok(hidden.len())
}

#[test]
fn no_hidden_cell_of_a_thousand_triangles_can_be_solved() {
    let (_folder, prepared) = pipeline(&format!("privacy: {{min_group_size: {LEAST}}}\n"), COHORTS);
    let (_other, open) = pipeline("", COHORTS);
    let found = std::cell::Cell::new(0);
    law(1_000, |draw| {
        let orders = orders(draw);
        let (shown, truth) = (tables(&prepared, &orders), tables(&open, &orders));
        let hidden = attack_cohorts("retention", &truth, &shown)?;
        let more = attack_cohorts("kept", &truth, &shown)?;
        found.set(found.get() + hidden + more);
        // In growth no count of few is shown, and none by the difference of a total and its parts.
        let few = |value: &Value| value.as_i64().is_some_and(|n| 0 < n && n < LEAST as i64);
        let counts = ["start_customers", "new", "retained", "resurrected", "churned", "active"];
        let parts = rows(&shown["growth"]);
        for row in parts.iter().chain(&rows(&shown["growth_totals"])) {
            if counts.iter().any(|name| few(&row[*name])) {
                return Err(format!("{row:?} of growth is shown"));
            }
            let total = !row.contains_key("plan") && !is_hidden(row);
            let of_it = |part: &&BTreeMap<String, Value>| part["period"] == row["period"];
            if total && parts.iter().filter(of_it).any(is_hidden) {
                return Err(format!("{row:?} of growth tells a part"));
            }
        }
        Ok(())
    });
    assert!(found.get() > 10_000, "only {} are hidden", found.get());
}

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_tenure");
    Command::new(binary).current_dir(folder).args(arguments).output().expect("it starts")
}

/// A folder with 41 orders: of plan a twenty customers each month, of plan b one whose amount is telling.
fn shop(privacy: &str, rest: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut orders: Vec<Vec<Value>> = Vec::new();
    let mut add = |customer: i64, day: i64, minor: i128, plan: &str| {
        orders.push(vec![
            Value::Int(customer),
            Value::Date((JANUARY + day) as i32),
            Value::Decimal { minor, scale: 2 },
            Value::text(plan),
            Value::text("x"),
        ]);
    };
    for customer in 0..20 {
        add(customer, 0, 1_000, if customer < 12 { "a" } else { "c" });
        add(customer, 40, 2_000, if customer < 12 { "a" } else { "c" });
    }
    add(99, 3, 777_777, "b");
    let frame = Frame::from_rows(schema(), &orders).expect("the rows fit");
    write_parquet(&folder.path().join("orders.parquet"), &frame, 10);
    fs::write(folder.path().join("p.yaml"), format!("{SOURCE}{privacy}{rest}")).expect("written");
    folder
}

#[test]
fn nothing_that_is_written_or_shown_tells_a_small_group() {
    let stages = "\
stages:
  monthly: {from: orders, segment_metrics: {by: [plan, month], metrics: [revenue, customer_count]}}
  watch: {from: monthly, trend: {period: month, by: [plan], metrics: [revenue]}}
  customers: {from: orders, rfm: {}}
checks:
  enough: {from: monthly, every_row: revenue < 100, severity: warn}
alerts:
  rich: {from: monthly, when: revenue > 100, say: \"{plan} has {revenue}\"}
";
    let folder = shop("privacy: {min_group_size: 5}\n", stages);
    let output = tenure(folder.path(), &["run", "p.yaml"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let out = folder.path().join("out/shop");
    let shown = tenure(folder.path(), &["show", "p.yaml", "monthly"]);
    let shown = String::from_utf8(shown.stdout).expect("text");
    assert!(shown.contains("suppressed"), "{shown}");
    let read = |name: &str| fs::read_to_string(out.join(name)).expect("a report");
    let telling = ["7777.77", "7,777.77", "7777.7", "777777"];
    for text in [
        said,
        shown,
        read("report.html"),
        read("report.md"),
        read("report.json"),
        read("manifest.json"),
    ] {
        assert!(!telling.iter().any(|word| text.contains(word)), "{text}");
    }
    // A table of customers is written and not shown in the report; a companion that tells of few is not there.
    assert!(out.join("customers.parquet").exists());
    assert!(!out.join("customers_cuts.parquet").exists());
    assert!(read("report.md").contains("has a row for each customer or event"));
}

/// One order is a refund: what the rules of a stage touched is not told of so few.
#[test]
fn counts_of_what_rules_touched_hold_the_minimum() {
    let report = |privacy: &str| {
        let folder = shop(privacy, "stages:\n  customers: {from: orders, customer_summary: {}}\n");
        let path = folder.path().join("p.yaml");
        let text = fs::read_to_string(&path).expect("the pipeline");
        let value = "value: \"if(amount > 1000, 0 - amount, amount)\"";
        fs::write(&path, text.replace("value: amount", value)).expect("written");
        let output = tenure(folder.path(), &["run", "p.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(folder.path().join("out/shop/report.md")).expect("a report");
        text.split("## Data quality").nth(1).expect("the section").to_owned()
    };
    let (open, held) = (report(""), report("privacy: {min_group_size: 5}\n"));
    assert!(!open.contains("fewer than"), "{open}");
    assert!(held.contains("| fewer than 5 |"), "{held}");
}

const PERSONAL: &str = "\
version: 1
name: shop
as_of: 2026-04-01
sources:
  orders:
    parquet: orders.parquet
    customer: customer_id
    time: ordered_at
    value: amount
    columns: {region: {type: string, pii: true}}
stages:
  loud: {from: orders, derive: {shouted: \"upper(region) || '!'\", once: amount * 2}, publish: true}
  chosen: {from: loud, select: {columns: [customer_id, amount, shouted], rename: {shouted: said}}, publish: true}
  inside: {from: loud, segment_metrics: {by: [shouted], metrics: [revenue]}, publish: false}
  joined: {from: chosen, join: {with: customers, prefix: of_}, publish: true}
  customers: {from: orders, customer_summary: {}}
";

#[test]
fn what_is_personal_is_neither_published_nor_shown() {
    let folder = shop("", "stages: {}\n");
    fs::write(folder.path().join("p.yaml"), PERSONAL).expect("written");
    let output = tenure(folder.path(), &["run", "p.yaml"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let out = folder.path().join("out/shop");
    for (table, expected) in [
        ("loud", &["customer_id", "ordered_at", "amount", "plan", "once"][..]),
        ("chosen", &["customer_id", "amount"]),
    ] {
        let frame = read_parquet(&out.join(format!("{table}.parquet")));
        assert_eq!(frame.schema.names().collect::<Vec<_>>(), expected, "{table}");
        assert_eq!(frame.rows(), 41);
    }
    let joined = read_parquet(&out.join("joined.parquet"));
    assert!(joined.schema.names().all(|name| name != "said"));
    // The region is `x`, and its shout `X!`.
    for table in ["orders", "loud", "inside", "joined"] {
        let shown = tenure(folder.path(), &["show", "p.yaml", table]);
        let text = String::from_utf8(shown.stdout).expect("text");
        let words = || text.split_whitespace();
        assert!(!words().any(|word| word == "x" || word == "X!"), "{text}");
        assert_eq!(words().any(|word| word == "***"), table == "orders", "{text}");
    }
    let published = PERSONAL.replace(", publish: false", "");
    fs::write(folder.path().join("p.yaml"), published).expect("written");
    let output = tenure(folder.path(), &["check", "p.yaml"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`inside` is told apart by `shouted`, which is personal"), "{said}");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let check = |privacy: &str, rest: &str, expected: &str| {
        let folder = shop(privacy, rest);
        let output = tenure(folder.path(), &["check", "p.yaml"]);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    let privacy = "privacy: {min_group_size: 5}\n";
    check(
        privacy,
        "stages:\n  lives: {from: orders, survival: {inactive_for: 30d}}\n",
        "`survival` cannot hide its small groups",
    );
    check(
        privacy,
        "stages:\n  all: {from: orders, filter: {where: amount > 1}}\nalerts:\n  a: {from: all, when: amount > 5000, say: \"{customer_id}\"}\n",
        "the rows of `all` are about single customers",
    );
    check(
        privacy,
        "stages:\n  s: {from: orders, segment_metrics: {by: [day, month], metrics: [revenue], grouping_sets: [[day], [month]]}}\n",
        "two calendar grains do not stand in grouping sets apart",
    );
    check(
        "privacy: {min_group_size: 1}\n",
        "stages:\n  s: {from: orders, segment_metrics: {by: [month], metrics: [revenue]}}\n",
        "`min_group_size` is at least 2, not 1",
    );
}
