//! Drawing customers: what a statistic would have been of other customers of the same kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::frame::{DataType, Field, Frame, FrameError, Schema, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction, RelRef, relation};
use crate::stats::{ValueStatistic, poisson_weight};

/// The column with the number of a draw.
pub const DRAW: &str = "#draw";

/// Statistics of cells, once per draw of their units: customers, with all that is theirs.
///
/// Input: a row or more per cell and unit. Output: a row per cell and draw, with the columns of the cell,
/// [`DRAW`] from 0, and the statistics as float64; null where a draw holds nothing to speak of.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The columns of a cell.
    pub keys: Vec<Field>,
    /// The column of the unit.
    pub unit: String,
    pub of: Resampled,
    pub seed: i64,
    pub draws: u32,
}

/// What of each draw is told.
#[derive(Debug, Clone)]
pub enum Resampled {
    /// Sums of columns of numbers, of which null is 0, under the columns' own names.
    Sums(Vec<String>),
    /// A statistic of a column of numbers, each as often as a column of counts says, under the name of
    /// the former.
    Values { value: String, count: String, statistic: ValueStatistic },
}

/// A unit, and its numbers.
type Row = (u64, Vec<f64>);

impl Bootstrap {
    /// The draws of a relation.
    pub fn over(self, rel: &RelRef) -> RelRef {
        relation::apply(vec![rel.clone()], Arc::new(self)).remove(0)
    }

    /// The columns of numbers it reads.
    fn reads(&self) -> Vec<&String> {
        match &self.of {
            Resampled::Sums(names) => names.iter().collect(),
            Resampled::Values { value, count, .. } => vec![value, count],
        }
    }

    /// The names of the statistics.
    fn gives(&self) -> &[String] {
        match &self.of {
            Resampled::Sums(names) => names,
            Resampled::Values { value, .. } => std::slice::from_ref(value),
        }
    }

    /// The statistics of a cell's draws. Its rows are in an order that depends on their values alone, so
    /// that sums of doubles are the same.
    fn draw(&self, rows: &[Row]) -> Vec<Vec<Value>> {
        let weight = |draw, unit| poisson_weight(self.seed as u64, draw, unit);
        let each = (0..self.draws).map(|draw| match &self.of {
            Resampled::Sums(names) => {
                let mut sums = vec![0.0; names.len()];
                for (unit, values) in rows {
                    let weight = f64::from(weight(draw, *unit));
                    if weight > 0.0 {
                        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
                    }
                }
                sums.into_iter().map(Value::finite).collect()
            }
            Resampled::Values { statistic, .. } => {
                let drawn = rows.iter().filter_map(|(unit, values)| {
                    let &[value, count] = values.as_slice() else { return None };
                    Some((value, count as u64 * u64::from(weight(draw, *unit))))
                });
                let drawn: Vec<(f64, u64)> = drawn.collect();
                vec![statistic.of(&drawn).map_or(Value::Null, Value::finite)]
            }
        });
        each.collect()
    }

    fn sort(&self, rows: &mut [Row]) {
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        rows.sort_by_cached_key(|(unit, values)| (*unit, bits(values)));
        if matches!(self.of, Resampled::Values { .. }) {
            rows.sort_by(|(_, left), (_, right)| right[0].total_cmp(&left[0]));
        }
    }
}

/// A unit as a number that depends on its value alone.
fn number_of(unit: &Value) -> u64 {
    // The type and the text of the value, which no release changes without a word.
    let data_type = unit.data_type().map_or_else(String::new, |data_type| data_type.to_string());
    let hash = blake3::hash(format!("{data_type} {unit}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

impl FrameFunction for Bootstrap {
    fn name(&self) -> &'static str {
        "bootstrap"
    }

    fn describe(&self) -> String {
        let of = match &self.of {
            Resampled::Sums(names) => names.join(", "),
            Resampled::Values { value, count, statistic } => {
                format!("{statistic:?} of {value} × {count}")
            }
        };
        format!("bootstrap of {of} over {}, {} draws, seed {}", self.unit, self.draws, self.seed)
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let mut fields = self.keys.clone();
        fields.push(Field::new(DRAW, DataType::Int64));
        fields.extend(self.gives().iter().map(|name| Field::new(name, DataType::Float64)));
        vec![Arc::new(Schema::new(fields))]
    }

    fn apply(&self, inputs: &[Frame], _calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let fault = |reason: String| ApplyError { function: "bootstrap", reason };
        let [input] = inputs else { return Err(fault("it reads one table".into())) };
        let column =
            |name: &str| input.column(name).ok_or_else(|| fault(format!("no column `{name}`")));
        let keys = self.keys.iter().map(|key| column(&key.name)).collect::<Result<Vec<_>, _>>()?;
        let units = column(&self.unit)?;
        let numbers =
            self.reads().into_iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
        let mut cells: BTreeMap<Vec<Value>, Vec<Row>> = BTreeMap::new();
        for row in 0..input.rows() {
            let key = keys.iter().map(|key| key[row].clone()).collect();
            let values = numbers.iter().map(|column| column[row].as_f64().unwrap_or(0.0));
            cells.entry(key).or_default().push((number_of(&units[row]), values.collect()));
        }
        let mut cells: Vec<_> = cells.into_iter().collect();
        let drawn: Vec<Vec<Vec<Value>>> = cells
            .par_iter_mut()
            .map(|(key, rows)| {
                self.sort(rows);
                let row = |(draw, statistics): (usize, Vec<Value>)| {
                    let mut row = key.clone();
                    row.push(Value::Int(draw as i64));
                    row.extend(statistics);
                    row
                };
                self.draw(rows).into_iter().enumerate().map(row).collect()
            })
            .collect();
        let rows = drawn.concat();
        let frame = |schema| {
            Frame::from_rows(schema, &rows).map_err(|error: FrameError| fault(error.to_string()))
        };
        self.schemas().into_iter().map(frame).collect()
    }
}
