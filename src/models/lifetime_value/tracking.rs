//! Repeat purchases by period since the first purchase of all, and what the model expects of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use super::LifetimeValue;
use super::customers::Customers;
use super::fitting::Candidate;
use crate::frame::{Frame, Value};
use crate::models::{AnyModel, ModelKind};

/// A step of the tracking curve.
pub(super) struct Step {
    pub day: i32,
    pub elapsed: i64,
    pub holdout: bool,
    pub actual: f64,
    pub expected: f64,
    pub cumulative_actual: f64,
    pub cumulative_expected: f64,
}

/// What the curves of some customers are made of.
pub(super) struct Tracking<'a> {
    clv: &'a LifetimeValue,
    cells: Vec<Tracked>,
}

/// When the customers of a cell came, and their repeat purchases by day.
struct Tracked {
    starts: BTreeMap<i32, f64>,
    repeats: Vec<(i32, f64)>,
}

impl<'a> Tracking<'a> {
    /// `repeats` has the repeat purchases of these customers by cell and day.
    pub fn of(clv: &'a LifetimeValue, customers: &Customers, repeats: &Frame) -> Self {
        let mut by_day: BTreeMap<Vec<Value>, Vec<(i32, f64)>> = BTreeMap::new();
        for row in repeats.to_rows() {
            if let [cell @ .., Value::Date(day), count] = row.as_slice() {
                let count = count.as_f64().unwrap_or(0.0);
                by_day.entry(cell.to_vec()).or_default().push((*day, count));
            }
        }
        let tracked = |cell: &Vec<Value>| Tracked {
            starts: BTreeMap::new(),
            repeats: by_day.remove(cell).unwrap_or_default(),
        };
        let mut cells: Vec<Tracked> = customers.cells.values.iter().map(tracked).collect();
        for (&cell, &first) in customers.cells.of_row.iter().zip(&customers.first) {
            *cells[cell as usize].starts.entry(first).or_default() += 1.0;
        }
        Tracking { clv, cells }
    }

    /// The curve of a cell, and what a model expects of it.
    pub fn curve(&self, cell: usize, candidate: &Candidate) -> Vec<Step> {
        let Tracked { starts, repeats } = &self.cells[cell];
        track(self.clv, &candidate.model(), starts, repeats)
    }
}

fn track(
    clv: &LifetimeValue,
    model: &AnyModel,
    starts: &BTreeMap<i32, f64>,
    repeats: &[(i32, f64)],
) -> Vec<Step> {
    let unit = clv.unit.days();
    let Some((&origin, _)) = starts.first_key_value() else { return Vec::new() };
    let days = f64::from(clv.last_day - origin + 1);
    // A millionth of a unit more, so that exact multiples are whole; opportunities are whole anyway.
    let periods = match model.kind() {
        ModelKind::BgBb => (days / unit).round() as i64,
        _ => (days / unit + 1e-6).floor() as i64,
    };
    let mut actual = vec![0.0; periods.max(0) as usize];
    for &(day, count) in repeats {
        let since = f64::from(day - origin) / unit;
        let period = if model.kind() == ModelKind::BgBb { since.round() } else { since.floor() };
        if let Some(actual) = actual.get_mut(period.max(0.0) as usize) {
            *actual += count;
        }
    }
    let days: Vec<(f64, f64)> =
        starts.iter().map(|(day, customers)| (f64::from(day - origin), *customers)).collect();
    let curve = repeats_by_time(model, &days, unit, periods);
    let mut steps: Vec<Step> = Vec::new();
    let (mut sum, mut before) = (0.0, 0.0);
    for (period, actual) in (0i64..).zip(actual) {
        let end = (period + 1) as f64;
        let expected: f64 = days
            .iter()
            .map(|(start, customers)| {
                customers * curve.get(&ticks(end * unit - start)).copied().unwrap_or(0.0)
            })
            .sum();
        sum += actual;
        let last = f64::from(origin) + end * unit;
        let holdout = clv.holdout.is_some_and(|(_, cut)| last > f64::from(cut) + 1e-6);
        steps.push(Step {
            day: origin + (period as f64 * unit).floor() as i32,
            elapsed: period + 1,
            holdout,
            actual,
            expected: expected - before,
            cumulative_actual: sum,
            cumulative_expected: expected,
        });
        before = expected;
    }
    steps
}

/// A time in sixteenths of a day: every unit is a whole number of them.
fn ticks(days: f64) -> i64 {
    (days * 16.0).round() as i64
}

/// The repeat purchases expected of a customer within each time that passes between one of these days and
/// the end of a period, in ticks. Days and periods are many pairs, but few differences.
fn repeats_by_time(
    model: &AnyModel,
    days: &[(f64, f64)],
    unit: f64,
    periods: i64,
) -> HashMap<i64, f64> {
    let mut times = BTreeSet::new();
    for period in 1..=periods {
        let end = period as f64 * unit;
        times.extend(days.iter().map(|(start, _)| ticks(end - start)).filter(|&time| time > 0));
    }
    let times: Vec<i64> = times.into_iter().collect();
    let expected = |time: &i64| {
        let units = *time as f64 / 16.0 / unit;
        // The first opportunity for a repeat purchase comes a period after the first purchase.
        let opportunities = model.kind() == ModelKind::BgBb;
        let units = if opportunities { (units.round() - 1.0).max(0.0) } else { units };
        (*time, model.expected_repeats(units))
    };
    times.par_iter().map(expected).collect::<Vec<_>>().into_iter().collect()
}

/// The mean relative error of the cumulative curve over the holdout.
pub(super) fn mape(steps: &[Step]) -> Option<f64> {
    let errors: Vec<f64> = steps
        .iter()
        .filter(|step| step.holdout && step.cumulative_actual > 0.0)
        .map(|step| (step.cumulative_expected / step.cumulative_actual - 1.0).abs())
        .collect();
    (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
}
