//! How long customers stay: survival curves by segment, from spans.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Date32Type;

use super::cells::Cells;
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};
use crate::stats::survival::{Spell, Transform, Weights, curve, summary, test};

/// The function of `survival`: from spans to its three tables.
///
/// Input: rows with [`SurvivalCurves::CUSTOMER`], the dimensions, [`SurvivalCurves::START`] (date),
/// [`SurvivalCurves::END`] (date; null while it runs), [`SurvivalCurves::SEEN`] (date until which a running
/// one is known to run) and [`SurvivalCurves::ENTRY`] (date from which it is observed, or null), sorted by
/// the customer and the start. Spans of a customer that touch are one, under the dimensions of the first.
#[derive(Debug, Clone)]
pub struct SurvivalCurves {
    pub by: Vec<Field>,
    pub unit: TimeUnit,
    pub transform: Transform,
    pub tests: Vec<Weights>,
    /// In days; absent: the shortest of the longest times of the cells.
    pub horizon: Option<i64>,
    /// The two-sided normal quantile of the level of intervals.
    pub z: f64,
}

impl SurvivalCurves {
    /// The columns it reads.
    pub const CUSTOMER: &str = "#customer";
    pub const START: &str = "#start";
    pub const END: &str = "#end";
    pub const SEEN: &str = "#seen";
    pub const ENTRY: &str = "#entry";

    fn fault(reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "survival", reason: reason.into() }
    }

    /// A number of days in units.
    fn time(&self, days: i64) -> Value {
        Value::finite(days as f64 / self.unit.days())
    }

    /// Spells by cell, alike ones together.
    fn spells(&self, input: &Frame, cells: &Cells) -> Result<Vec<Vec<Spell>>, ApplyError> {
        let column = |name: &str| {
            let place = input.schema.index_of(name);
            let column = place.map(|place| input.batch.column(place));
            column.ok_or_else(|| SurvivalCurves::fault(format!("no column `{name}`")))
        };
        let day = |name| column(name).map(|column| column.as_primitive::<Date32Type>());
        let (start, end) = (day(Self::START)?, day(Self::END)?);
        let (seen, entry) = (day(Self::SEEN)?, day(Self::ENTRY)?);
        let customers = arrow::compute::partition(std::slice::from_ref(column(Self::CUSTOMER)?));
        let customers = customers.map_err(|error| SurvivalCurves::fault(error.to_string()))?;
        let mut counts = vec![BTreeMap::<(Option<i64>, i64, bool), u64>::new(); cells.len()];
        for rows in customers.ranges() {
            // The first row of a chain of spans, and the day of its end, if it has one.
            let mut open: Option<(usize, Option<i32>)> = None;
            let mut close = |first: usize, last: Option<i32>| {
                let begins = i64::from(start.value(first));
                let exit = i64::from(last.unwrap_or_else(|| seen.value(first))) - begins;
                let entry = entry.is_valid(first).then(|| i64::from(entry.value(first)) - begins);
                let entry = entry.filter(|entry| *entry > 0);
                // Who was gone before observation began was never observed.
                if entry.is_none_or(|entry| entry < exit) {
                    let cell = cells.of_row[first] as usize;
                    *counts[cell].entry((entry, exit, last.is_some())).or_default() += 1;
                }
            };
            for row in rows {
                let ends = end.is_valid(row).then(|| end.value(row));
                open = Some(match open {
                    Some((first, None)) => (first, None),
                    Some((first, Some(last))) if start.value(row) <= last => {
                        (first, ends.map(|ends| ends.max(last)))
                    }
                    Some((first, last)) => {
                        close(first, last);
                        (row, ends)
                    }
                    None => (row, ends),
                });
            }
            if let Some((first, last)) = open {
                close(first, last);
            }
        }
        let spell = |((entry, exit, ended), subjects)| Spell { entry, exit, ended, subjects };
        Ok(counts.into_iter().map(|counts| counts.into_iter().map(spell).collect()).collect())
    }

    fn tables(&self, cells: &Cells, spells: &[Vec<Spell>]) -> Result<Vec<Frame>, FrameError> {
        let (mut curves, mut summaries) = (Vec::new(), Vec::new());
        let longest = |spells: &Vec<Spell>| spells.iter().map(|spell| spell.exit).max();
        let common = spells.iter().filter_map(longest).min().unwrap_or(0);
        let horizon = self.horizon.unwrap_or(common);
        let bound = |value: Option<f64>| value.map_or(Value::Null, Value::finite);
        let somebody = cells.values.iter().zip(spells).filter(|(_, spells)| !spells.is_empty());
        for (cell, spells) in somebody {
            let steps = curve(spells, self.z, self.transform);
            for step in &steps {
                let mut row = cell.clone();
                row.extend([
                    self.time(step.time),
                    Value::Int(step.at_risk as i64),
                    Value::Int(step.events as i64),
                    Value::Int(step.censored as i64),
                    Value::finite(step.survival),
                    bound(step.survival_bounds.map(|bounds| bounds.0)),
                    bound(step.survival_bounds.map(|bounds| bounds.1)),
                    Value::finite(step.hazard),
                    bound(step.hazard_bounds.map(|bounds| bounds.0)),
                    bound(step.hazard_bounds.map(|bounds| bounds.1)),
                ]);
                curves.push(row);
            }
            let found = summary(&steps, horizon);
            let count = |of: &dyn Fn(&Spell) -> bool| -> Value {
                let some = spells.iter().filter(|spell| of(spell)).map(|spell| spell.subjects);
                Value::Int(some.sum::<u64>() as i64)
            };
            let time = |days: Option<i64>| days.map_or(Value::Null, |days| self.time(days));
            let (mean, error) = (found.restricted_mean, found.restricted_mean_error);
            let unit = self.unit.days();
            let mut row = cell.clone();
            row.extend([
                count(&|_| true),
                count(&|spell| spell.ended),
                time(found.median),
                time(found.median_low),
                time(found.median_high),
                Value::finite(mean / unit),
                Value::finite((mean - self.z * error).max(0.0) / unit),
                Value::finite((mean + self.z * error) / unit),
                self.time(horizon),
            ]);
            summaries.push(row);
        }
        let mut tests: Vec<Vec<Value>> = Vec::new();
        let curves_of = spells.iter().filter(|spells| !spells.is_empty()).count();
        for weights in self.tests.iter().filter(|_| curves_of > 1) {
            let mut row = vec![Value::text(word(*weights))];
            match test(spells, *weights) {
                Some(found) => row.extend([
                    Value::finite(found.chi_square),
                    Value::Int(found.degrees_of_freedom.into()),
                    Value::finite(found.p_value),
                ]),
                // Whenever somebody left, one curve alone had anybody there, or all left at once.
                None => row.extend([Value::Null, Value::Null, Value::Null]),
            }
            tests.push(row);
        }
        let frames = [curves, summaries, tests];
        frames.iter().zip(self.schemas()).map(|(rows, of)| Frame::from_rows(of, rows)).collect()
    }
}

/// The name of a test.
pub fn word(weights: Weights) -> &'static str {
    match weights {
        Weights::LogRank => "log_rank",
        Weights::Wilcoxon => "wilcoxon",
        Weights::TaroneWare => "tarone_ware",
        Weights::Peto => "peto",
    }
}

impl FrameFunction for SurvivalCurves {
    fn name(&self) -> &'static str {
        "survival"
    }

    fn describe(&self) -> String {
        let by: Vec<&str> = self.by.iter().map(|field| field.name.as_str()).collect();
        let tests: Vec<&str> = self.tests.iter().map(|weights| word(*weights)).collect();
        format!(
            "survival by [{}] in {}s, {:?}, tests [{}], horizon {:?}, z {}",
            by.join(", "),
            self.unit,
            self.transform,
            tests.join(", "),
            self.horizon,
            self.z
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let float = |name: &str| Field::new(name, DataType::Float64);
        let share = |name: &str| float(name).with_unit(Unit::Share);
        let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
        let time = |name: &str| float(name).with_unit(Unit::Time(self.unit.word().into()));
        let with_by =
            |rest: Vec<Field>| Arc::new(Schema::new(self.by.iter().cloned().chain(rest).collect()));
        vec![
            with_by(vec![
                time("time"),
                count("at_risk"),
                count("events"),
                count("censored"),
                share("survival"),
                share("survival_low"),
                share("survival_high"),
                float("cumulative_hazard"),
                float("cumulative_hazard_low"),
                float("cumulative_hazard_high"),
            ]),
            with_by(vec![
                count("customers"),
                count("events"),
                time("median"),
                time("median_low"),
                time("median_high"),
                time("restricted_mean"),
                time("restricted_mean_low"),
                time("restricted_mean_high"),
                time("horizon"),
            ]),
            Arc::new(Schema::new(vec![
                Field::new("test", DataType::String),
                float("chi_square"),
                Field::new("degrees_of_freedom", DataType::Int64),
                float("p_value"),
            ])),
        ]
    }

    fn apply(&self, inputs: &[Frame], _calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let [input] = inputs else {
            return Err(SurvivalCurves::fault("it reads one table"));
        };
        let wrong = |error: FrameError| SurvivalCurves::fault(error.to_string());
        let cells = Cells::of(input, &self.by).map_err(wrong)?;
        let spells = self.spells(input, &cells)?;
        self.tables(&cells, &spells).map_err(wrong)
    }
}
