//! Journeys, attacked: whether steps tell of few customers, and whether the report copes with what is hidden.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{LEAST, is_hidden, orders, pipeline, rows, shop, tables, tenure, text};
use crate::support::law;
use tenure::frame::{Frame, Value};

const STAGES: &str = "\
stages:
  often:
    journey:
      steps: {any: {from: orders}, cheap: {from: orders, where: amount < 6}, cheaper: {from: orders, where: amount < 4}}
      window: 40d
      entry: every
      by: [region]
";

/// How far each entry came, by region: the customer and the number of steps. Written from the meaning of the stage.
fn ways(orders: &Frame) -> BTreeMap<String, Vec<(i64, usize)>> {
    let mut events: BTreeMap<i64, Vec<(i64, i128, String)>> = BTreeMap::new();
    for row in rows(orders) {
        let (Value::Date(day), Value::Decimal { minor, .. }) = (&row["ordered_at"], &row["amount"])
        else {
            panic!("an order has a day and an amount");
        };
        let customer = row["customer_id"].as_i64().expect("a customer");
        let of_customer = events.entry(customer).or_default();
        of_customer.push((i64::from(*day), *minor, text(&row["region"])));
    }
    // 2026-04-01.
    let as_of = super::JANUARY + 90;
    let mut found: BTreeMap<String, Vec<(i64, usize)>> = BTreeMap::new();
    for (customer, events) in events {
        let days: BTreeSet<i64> = events.iter().map(|event| event.0).collect();
        for entry in days.into_iter().filter(|day| day + 40 <= as_of) {
            let (mut at, mut steps) = (entry, 1);
            for most in [600, 400] {
                let later = events
                    .iter()
                    .filter(|(day, minor, _)| at < *day && *day < entry + 40 && *minor < most);
                let Some(next) = later.map(|event| event.0).min() else { break };
                (at, steps) = (next, steps + 1);
            }
            found.entry(events[0].2.clone()).or_default().push((customer, steps));
        }
    }
    found
}

#[test]
fn no_step_of_five_hundred_journeys_tells_of_few_customers() {
    let (_folder, prepared) = pipeline(&format!("privacy: {{min_group_size: {LEAST}}}\n"), STAGES);
    let (shown, hidden) = (Cell::new(0), Cell::new(0));
    law(500, |draw| {
        let orders = orders(draw);
        let found = tables(&prepared, &orders);
        let ways = ways(&orders);
        let mut cells: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for row in rows(&found["often"]) {
            cells.entry(text(&row["region"])).or_default().push(row);
        }
        if cells.keys().ne(ways.keys()) {
            return Err(format!("{:?} are not {:?}", cells.keys(), ways.keys()));
        }
        let few = |people: &BTreeSet<i64>| (1..LEAST).contains(&people.len());
        for (region, ways) in ways {
            let steps = &cells[&region];
            let between = |from: usize, to: usize| -> BTreeSet<i64> {
                let of = ways.iter().filter(|(_, steps)| from <= *steps && *steps < to);
                of.map(|(customer, _)| *customer).collect()
            };
            for (at, row) in steps.iter().enumerate() {
                let counter = if is_hidden(row) { &hidden } else { &shown };
                counter.set(counter.get() + 1);
                if is_hidden(row) {
                    let kept = ["region", "position", "step", "suppressed"];
                    if row
                        .iter()
                        .any(|(name, value)| !kept.contains(&name.as_str()) && !value.is_null())
                    {
                        return Err(format!("{row:?} is hidden and says something"));
                    }
                    continue;
                }
                let entries = ways.iter().filter(|(_, steps)| *steps > at).count();
                if row["customers"].as_i64() != Some(entries as i64) {
                    return Err(format!("{row:?} are {entries}"));
                }
                if few(&between(at + 1, usize::MAX)) {
                    return Err(format!("{row:?} are few"));
                }
                let next = steps.get(at + 1);
                if next.is_none_or(is_hidden) != row["drop_off"].is_null() && entries > 0 {
                    return Err(format!("{row:?} does not fit {next:?}"));
                }
                let later = (at + 1..steps.len()).filter(|&later| !is_hidden(&steps[later]));
                for later in later {
                    if few(&between(at + 1, later + 1)) {
                        return Err(format!("{row:?} less {:?} are few", steps[later]));
                    }
                }
            }
        }
        Ok(())
    });
    assert!(shown.get() > 500 && hidden.get() > 500, "{} are shown", shown.get());
}

#[test]
fn the_report_says_which_steps_are_hidden() {
    let stages = "\
stages:
  plans: {journey: {steps: {first: {from: orders}, again: {from: orders, where: amount > 15}}, window: 60d, by: [plan]}}
  all:
    journey:
      steps: {first: {from: orders}, again: {from: orders, where: amount > 15}, dear: {from: orders, where: amount > 5000}}
      window: 60d
  rich: {journey: {steps: {first: {from: orders, where: amount > 5000}, again: {from: orders}}, window: 60d}}
  late: {journey: {steps: {first: {from: orders, where: amount > 5000}, again: {from: orders}}, window: 88d, entry: every}}
";
    let folder = shop("privacy: {min_group_size: 5}\n", stages);
    let output = tenure(folder.path(), &["run", "p.yaml"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report = fs::read_to_string(folder.path().join("out/shop/report.md")).expect("a report");
    for sentence in [
        "Of 21 customers at `first`, 0.0% (0.0% to 15.5%) reached `dear`. `again` would tell of few customers and is hidden.",
        "Few customers entered the journey, and it is hidden.",
        "Steps that would tell of few customers are hidden, and left out of this.",
        "| b | – | – | – | hidden |",
        "| fewer than 5 |",
    ] {
        assert!(report.contains(sentence), "{sentence}\n{report}");
    }
}
