//! Intervals of ratios by drawing customers.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::frame::{DataType, Field, Frame, FrameError, Schema, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction, RelRef, relation};
use crate::stats::{poisson_weight, quantile_of_sorted};

/// Percentile intervals of ratios of sums, drawn over units: customers, with all that is theirs.
///
/// Input: a row or more per cell and unit. Output: a row per cell with `NAME_low` and `NAME_high` of each
/// ratio; null where no draw has a denominator.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The columns of a cell.
    pub keys: Vec<Field>,
    /// The column of the unit.
    pub unit: String,
    /// Name, numerator and denominator: columns of numbers, of which null is 0.
    pub ratios: Vec<(String, String, String)>,
    pub seed: i64,
    pub draws: u32,
    /// The level of the interval, such as 0.95.
    pub level: f64,
}

/// A unit, and numerator and denominator of each ratio.
type Row = (u64, Vec<(f64, f64)>);

/// Sums of one cell by draw and ratio.
type Draws = Vec<(f64, f64)>;

impl Bootstrap {
    /// The table of bounds of a relation.
    pub fn over(self, rel: &RelRef) -> RelRef {
        relation::apply(vec![rel.clone()], Arc::new(self)).remove(0)
    }

    /// The draws of a cell: its rows in the order of their units, so that sums of doubles are the same.
    fn draw(&self, rows: &[Row]) -> Vec<Draws> {
        let mut draws = vec![vec![(0.0, 0.0); self.draws as usize]; self.ratios.len()];
        for (unit, values) in rows {
            for draw in 0..self.draws {
                let weight = f64::from(poisson_weight(self.seed as u64, draw, *unit));
                if weight == 0.0 {
                    continue;
                }
                for (draws, (numerator, denominator)) in draws.iter_mut().zip(values) {
                    let sum = &mut draws[draw as usize];
                    sum.0 += weight * numerator;
                    sum.1 += weight * denominator;
                }
            }
        }
        draws
    }

    fn bounds(&self, draws: &Draws) -> (Value, Value) {
        let mut ratios: Vec<f64> = draws
            .iter()
            .filter(|(_, denominator)| *denominator != 0.0)
            .map(|(numerator, denominator)| numerator / denominator)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        let at = |at: f64| match quantile_of_sorted(&ratios, at) {
            Some(bound) => Value::finite(bound),
            None => Value::Null,
        };
        (at(tail), at(1.0 - tail))
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
        let ratios: Vec<String> =
            self.ratios.iter().map(|(name, a, b)| format!("{name} = {a} / {b}")).collect();
        format!(
            "bootstrap of {} over {}, {} draws, seed {}, level {}",
            ratios.join(", "),
            self.unit,
            self.draws,
            self.seed,
            self.level
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let mut fields = self.keys.clone();
        for (name, _, _) in &self.ratios {
            for bound in ["low", "high"] {
                fields.push(Field::new(format!("{name}_{bound}"), DataType::Float64));
            }
        }
        vec![Arc::new(Schema::new(fields))]
    }

    fn apply(&self, inputs: &[Frame], _calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let fault = |reason: String| ApplyError { function: "bootstrap", reason };
        let [input] = inputs else { return Err(fault("it reads one table".into())) };
        let column =
            |name: &str| input.column(name).ok_or_else(|| fault(format!("no column `{name}`")));
        let keys = self.keys.iter().map(|key| column(&key.name)).collect::<Result<Vec<_>, _>>()?;
        let units = column(&self.unit)?;
        let mut ratios = Vec::new();
        for (_, numerator, denominator) in &self.ratios {
            ratios.push((column(numerator)?, column(denominator)?));
        }
        let mut cells: BTreeMap<Vec<Value>, Vec<Row>> = BTreeMap::new();
        for row in 0..input.rows() {
            let key = keys.iter().map(|key| key[row].clone()).collect();
            let number = |column: &[Value]| column[row].as_f64().unwrap_or(0.0);
            let values = ratios.iter().map(|(a, b)| (number(a), number(b))).collect();
            cells.entry(key).or_default().push((number_of(&units[row]), values));
        }
        if keys.is_empty() && cells.is_empty() {
            // Without keys there is one cell, even of nothing.
            cells.insert(Vec::new(), Vec::new());
        }
        let mut cells: Vec<_> = cells.into_iter().collect();
        let rows: Vec<Vec<Value>> = cells
            .par_iter_mut()
            .map(|(key, rows)| {
                let order = |values: &Vec<(f64, f64)>| -> Vec<[u64; 2]> {
                    values.iter().map(|(a, b)| [a.to_bits(), b.to_bits()]).collect()
                };
                rows.sort_by_cached_key(|(unit, values)| (*unit, order(values)));
                let mut row = std::mem::take(key);
                for draws in self.draw(rows) {
                    let (low, high) = self.bounds(&draws);
                    row.extend([low, high]);
                }
                row
            })
            .collect();
        let frame = |schema| {
            Frame::from_rows(schema, &rows).map_err(|error: FrameError| fault(error.to_string()))
        };
        self.schemas().into_iter().map(frame).collect()
    }
}
