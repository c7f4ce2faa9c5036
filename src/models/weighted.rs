//! Quantiles of weighted values.

use std::sync::Arc;

use super::cells::Cells;
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};
use crate::stats::Weighted;

/// The quantile of each cell's values, with its bounds and the effective size of the sample.
///
/// Input: the columns of the cell, [`WeightedQuantiles::VALUE`], [`WeightedQuantiles::WEIGHT`] (float64) and
/// [`WeightedQuantiles::COUNT`] (int64), how many rows have both. Output: the columns of the cell and those that
/// [`WeightedQuantiles::COLUMNS`] names.
#[derive(Debug, Clone)]
pub struct WeightedQuantiles {
    pub keys: Vec<Field>,
    pub at: f64,
    /// The normal quantile of the level.
    pub z: f64,
}

impl WeightedQuantiles {
    pub const VALUE: &'static str = "#value";
    pub const WEIGHT: &'static str = "#weight";
    pub const COUNT: &'static str = "#count";
    /// The value, the effective size and the bounds.
    pub const COLUMNS: [&'static str; 4] = ["#quantile", "#size", "#low", "#high"];

    fn fault(reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "weighted quantile", reason: reason.into() }
    }

    fn table(&self, input: &Frame) -> Result<Frame, FrameError> {
        let cells = Cells::of(input, &self.keys)?;
        let numbers = |name: &str| -> Vec<f64> {
            let values = input.column(name).unwrap_or_default();
            values.iter().map(|value| value.as_f64().unwrap_or(0.0)).collect()
        };
        let (values, weights) = (numbers(Self::VALUE), numbers(Self::WEIGHT));
        let counts = numbers(Self::COUNT);
        let mut pairs: Vec<Vec<(f64, f64)>> = vec![Vec::new(); cells.len()];
        for (row, cell) in cells.of_row.iter().enumerate() {
            // A row for each, so that the squares of the weights are right.
            let each = std::iter::repeat_n((values[row], weights[row]), counts[row] as usize);
            pairs[*cell as usize].extend(each);
        }
        let float = |value: Option<f64>| value.map_or(Value::Null, Value::finite);
        let mut rows = Vec::new();
        for (key, pairs) in cells.values.iter().zip(pairs) {
            let weighted = Weighted::new(pairs);
            let of =
                |bound: &dyn Fn(&Weighted) -> Option<f64>| float(weighted.as_ref().and_then(bound));
            let mut row = key.clone();
            row.extend([
                of(&|weighted| Some(weighted.quantile(self.at))),
                of(&|weighted| Some(weighted.size())),
                of(&|weighted| weighted.bound(self.at, self.z, false)),
                of(&|weighted| weighted.bound(self.at, self.z, true)),
            ]);
            rows.push(row);
        }
        Frame::from_rows(self.schemas().swap_remove(0), &rows)
    }
}

impl FrameFunction for WeightedQuantiles {
    fn name(&self) -> &'static str {
        "weighted quantile"
    }

    fn describe(&self) -> String {
        let keys: Vec<&str> = self.keys.iter().map(|field| field.name.as_str()).collect();
        format!("weighted quantile {} by [{}], z {}", self.at, keys.join(", "), self.z)
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let float = |name: &str| Field::new(name, DataType::Float64);
        let columns = Self::COLUMNS.map(float);
        vec![Arc::new(Schema::new(self.keys.iter().cloned().chain(columns).collect()))]
    }

    fn apply(&self, inputs: &[Frame], _: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let [input] = inputs else { return Err(Self::fault("it reads one table")) };
        Ok(vec![self.table(input).map_err(|error| Self::fault(error.to_string()))?])
    }
}
