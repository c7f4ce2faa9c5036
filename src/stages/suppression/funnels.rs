//! Journeys: a funnel for each cell, and the answers at its steps.

use std::collections::BTreeMap;

use super::{Hidden, PEOPLE, Suppression, keys, numbers};
use crate::frame::{Frame, Value};
use crate::stats::suppress::suppressed_steps;

/// The customers who reached the step of a row.
pub(in crate::stages) const REACHED: &str = "#people_reached";

/// The customers who reached the step of a row and, if only once, did not come to another. Where a table has no such
/// columns, every customer of a cell comes once.
pub(in crate::stages) fn stopped_before(position: usize) -> String {
    format!("{PEOPLE}_stopped_{position}")
}

/// The customers who answered what a metric reads.
pub(in crate::stages) fn answered(metric: &str) -> String {
    format!("{PEOPLE}_answered_{metric}")
}

/// What a row says of those who came to the step after it.
const OF_THE_NEXT: [&str; 4] =
    ["drop_off", "drop_off_low", "drop_off_high", "hours_to_next_median"];

impl Suppression {
    /// Which steps go, what others say of them, and the answers of few.
    pub(super) fn funnels(&self, frame: &Frame, by: &[String], metrics: &[&str]) -> Hidden {
        let reached = numbers(frame, REACHED);
        let mut funnels: BTreeMap<Vec<Value>, Vec<usize>> = BTreeMap::new();
        for (row, key) in keys(frame, by).into_iter().enumerate() {
            funnels.entry(key).or_default().push(row);
        }
        let positions = numbers(frame, "position");
        let longest = funnels.values().map(Vec::len).max().unwrap_or(0);
        let stops: Vec<_> = (1..=longest)
            .map(|position| {
                let name = stopped_before(position);
                frame.schema.field(&name).map(|_| numbers(frame, &name))
            })
            .collect();
        let mut rows = vec![false; frame.rows()];
        let mut before_hidden = vec![false; frame.rows()];
        for steps in funnels.values_mut() {
            steps.sort_by_key(|&row| positions[row]);
            let people: Vec<u64> = steps.iter().map(|&row| reached[row].unwrap_or(0)).collect();
            let stopped = |from: usize, to: usize| match &stops[to] {
                Some(stopped) => stopped[steps[from]].unwrap_or(0),
                None => people[from].saturating_sub(people[to]),
            };
            let hidden = suppressed_steps(&people, &stopped, self.groups);
            for (at, &row) in steps.iter().enumerate() {
                rows[row] = hidden[at];
                before_hidden[row] = hidden.get(at + 1).copied().unwrap_or(false);
            }
        }
        let of_the_next = OF_THE_NEXT.iter().map(|&name| name.to_owned()).collect();
        let mut more = vec![(of_the_next, before_hidden)];
        for metric in metrics {
            let answered = numbers(frame, &answered(metric));
            let few = answered.into_iter().map(|people| people.is_some_and(|n| self.few(n)));
            let own = |name: &&str| {
                let rest = name.strip_prefix(metric);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            };
            let columns = frame.schema.names().filter(own).map(str::to_owned).collect();
            more.push((columns, few.collect()));
        }
        Hidden { rows, more }
    }
}
