//! Trends of metrics: each period against the one before and the one a year ago, with seasons, unusual points and
//! the next few periods.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cells::Cells;
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};
use crate::stats::trend::{Expected, decompose, expected, forecast};
use crate::stats::{Comparison, Measured, benjamini_hochberg, normal_quantile, student_t_quantile};

/// The function of `trend`: from a table with a row per cell and period to one with a row per cell, metric and
/// period.
///
/// Input: the dimensions, the column of the period (date), `complete` if it is known, and the metrics with the
/// columns that stand beside them (`_n`, `_numerator`, `_low`, `_high`), sorted by dimensions and period.
#[derive(Debug, Clone)]
pub struct Trends {
    pub by: Vec<Field>,
    /// The column of the period.
    pub period: Field,
    pub unit: TimeUnit,
    pub metrics: Vec<Followed>,
    pub previous: bool,
    pub year_ago: bool,
    /// Periods of a season, and of a year; 0 where there is none.
    pub season: usize,
    pub year: usize,
    /// Periods to carry on.
    pub ahead: usize,
    /// Periods on either side that say what a value should be.
    pub baseline: usize,
    /// Whether p-values are adjusted for how many there are.
    pub adjusts: bool,
    pub level: f64,
}

/// A metric that is followed.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Its column.
    pub name: String,
    /// Whether it is a mean with Student's bounds beside it.
    pub is_mean: bool,
    /// Whether it is a share: as long as its values lie between 0 and 1, so does what is expected.
    pub is_share: bool,
}

/// A metric of a cell over its periods.
struct Series {
    cell: usize,
    metric: usize,
    /// The number of the first period.
    first: i64,
    values: Vec<Option<f64>>,
    n: Vec<Option<i64>>,
    measured: Vec<Option<Measured>>,
}

/// A period against another.
#[derive(Clone, Copy, Default)]
struct Change {
    other: Option<f64>,
    comparison: Option<Comparison>,
}

impl Trends {
    fn fault(reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "trend", reason: reason.into() }
    }

    fn series(
        &self,
        input: &Frame,
        calendar: &Calendar,
    ) -> Result<(Cells, Vec<Series>), ApplyError> {
        let cells = Cells::of(input, &self.by).map_err(|error| Trends::fault(error.to_string()))?;
        let column = |name: &str| {
            let missing = || Trends::fault(format!("no column `{name}`"));
            input.column(name).ok_or_else(missing)
        };
        let period = column(&self.period.name)?;
        let complete = input.column("complete");
        let over = |row: usize| {
            complete.as_ref().is_none_or(|complete| complete[row] != Value::Bool(false))
        };
        let mut rows: Vec<BTreeMap<i64, usize>> = vec![BTreeMap::new(); cells.len()];
        for (row, value) in period.iter().enumerate() {
            if let (Value::Date(day), true) = (value, over(row)) {
                let number = calendar.period_of(self.unit, *day);
                rows[cells.of_row[row] as usize].insert(number, row);
            }
        }
        let z = normal_quantile(self.level);
        let mut all = Vec::new();
        for (metric, Followed { name, is_mean, .. }) in self.metrics.iter().enumerate() {
            let values = column(name)?;
            let beside = |suffix: &str| input.column(&format!("{name}{suffix}"));
            let (n, numerator) = (beside("_n"), beside("_numerator"));
            let (low, high) = (beside("_low"), beside("_high"));
            let number = |column: &Option<Vec<Value>>, row: usize| {
                column.as_ref().and_then(|column| column[row].as_f64())
            };
            // Without the number of its values a mean is an estimate like others.
            let is_mean = *is_mean && n.is_some();
            let measured = |row: usize| {
                let value = values[row].as_f64()?;
                Some(match (number(&numerator, row), number(&n, row)) {
                    (Some(successes), Some(n)) => Measured::Share { successes, n },
                    (_, n) => match number(&low, row).zip(number(&high, row)) {
                        Some(bounds) if is_mean => mean_of(value, n?, bounds, self.level)?,
                        Some((low, high)) => {
                            Measured::Estimate { value, error: (high - low) / (2.0 * z) }
                        }
                        None => Measured::Exact(value),
                    },
                })
            };
            for (cell, rows) in rows.iter().enumerate() {
                let ends = rows.first_key_value().zip(rows.last_key_value());
                let Some(((&first, _), (&last, _))) = ends else { continue };
                let row_of = |period: i64| rows.get(&period).copied();
                let periods = || first..=last;
                all.push(Series {
                    cell,
                    metric,
                    first,
                    values: periods().map(|p| values[row_of(p)?].as_f64()).collect(),
                    n: periods().map(|p| number(&n, row_of(p)?).map(|n| n as i64)).collect(),
                    measured: periods().map(|p| measured(row_of(p)?)).collect(),
                });
            }
        }
        Ok((cells, all))
    }

    /// Each period of a series against the one so many before.
    fn changes(&self, series: &Series, lag: usize) -> Vec<Change> {
        (0..series.values.len())
            .map(|place| {
                let Some(other) = place.checked_sub(lag).filter(|_| lag > 0) else {
                    return Change::default();
                };
                let pair = series.measured[place].zip(series.measured[other]);
                Change {
                    other: series.values[other],
                    comparison: pair.and_then(|(now, then)| now.minus(then, self.level)),
                }
            })
            .collect()
    }

    fn table(
        &self,
        cells: &Cells,
        all: &[Series],
        calendar: &Calendar,
    ) -> Result<Frame, FrameError> {
        let wants = |wanted: bool, lag: usize| if wanted { lag } else { 0 };
        let lags = [wants(self.previous, 1), wants(self.year_ago, self.year)];
        let changes: Vec<Vec<Vec<Change>>> = lags
            .iter()
            .map(|&lag| all.iter().map(|series| self.changes(series, lag)).collect())
            .collect();
        // Of all tests of one sort together.
        let q_values: Vec<Vec<Option<f64>>> = changes
            .iter()
            .map(|of_lag| {
                let tested: Vec<Option<f64>> = of_lag
                    .iter()
                    .flatten()
                    .map(|change| change.comparison.map(|comparison| comparison.p_value))
                    .collect();
                if self.adjusts { benjamini_hochberg(&tested) } else { tested }
            })
            .collect();
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let mut tested = 0;
        for (number, series) in all.iter().enumerate() {
            let parts = (self.season > 1).then(|| decompose(&series.values, self.season)).flatten();
            let season = if parts.is_some() { self.season } else { 1 };
            let should = expected(&series.values, season, self.baseline, self.level);
            let whole = self.metrics[series.metric].is_share
                && series.values.iter().flatten().all(|value| (0.0..=1.0).contains(value));
            let possible = |should: Expected| if whole { should.within(0.0, 1.0) } else { should };
            let key = |place: usize| {
                let mut row = cells.values[series.cell].clone();
                let start = calendar.period_start(self.unit, series.first + place as i64);
                row.extend([Value::text(&self.metrics[series.metric].name), Value::Date(start)]);
                row
            };
            let float = |value: Option<f64>| value.map_or(Value::Null, Value::finite);
            for place in 0..series.values.len() {
                let value = series.values[place];
                let mut row = key(place);
                row.extend([float(value), series.n[place].map_or(Value::Null, Value::Int)]);
                for (of_lag, q_values) in changes.iter().zip(&q_values) {
                    let change = of_lag[number][place];
                    let difference = value.zip(change.other).map(|(now, then)| now - then);
                    let share = difference
                        .zip(change.other)
                        .filter(|(_, then)| *then != 0.0)
                        .map(|(difference, then)| difference / then.abs());
                    let comparison = change.comparison;
                    let q = q_values[tested];
                    let significant = q.map(|q| q <= 1.0 - self.level);
                    row.extend([
                        float(change.other),
                        float(difference),
                        float(share),
                        float(comparison.map(|comparison| comparison.low)),
                        float(comparison.map(|comparison| comparison.high)),
                        float(comparison.map(|comparison| comparison.p_value)),
                        float(q),
                        significant.map_or(Value::Null, Value::Bool),
                    ]);
                }
                tested += 1;
                let should = should[place];
                let odd = should.zip(value).and_then(|(should, value)| should.is_anomaly(value));
                let should = should.map(possible);
                let bounds = should.and_then(|should| should.bounds);
                row.extend([
                    float(parts.as_ref().map(|parts| parts.index(place))),
                    float(parts.as_ref().and_then(|parts| parts.adjusted[place])),
                    float(should.map(|should| should.value)),
                    float(bounds.map(|bounds| bounds.0)),
                    float(bounds.map(|bounds| bounds.1)),
                    odd.map_or(Value::Null, Value::Bool),
                    Value::Bool(false),
                ]);
                rows.push(row);
            }
            let next = forecast(&series.values, season, self.baseline, self.ahead, self.level);
            for (step, should) in next.into_iter().flatten().map(possible).enumerate() {
                let place = series.values.len() + step;
                let mut row = key(place);
                row.resize(row.len() + 2 + 16, Value::Null);
                row.extend([
                    float(parts.as_ref().map(|parts| parts.index(place))),
                    Value::Null,
                    float(Some(should.value)),
                    float(should.bounds.map(|bounds| bounds.0)),
                    float(should.bounds.map(|bounds| bounds.1)),
                    Value::Null,
                    Value::Bool(true),
                ]);
                rows.push(row);
            }
        }
        let keys = self.by.len() + 2;
        rows.sort_by(|a, b| a[..keys].cmp(&b[..keys]));
        let schema = self.schemas().swap_remove(0);
        Frame::from_rows(schema, &rows)
    }
}

/// The mean that has Student's interval at a level: its variance follows from how far the bounds are. `None` of a
/// single value, which has no such bounds.
fn mean_of(value: f64, n: f64, (low, high): (f64, f64), level: f64) -> Option<Measured> {
    let error = 0.5 * (high - low) / student_t_quantile(n - 1.0, level).filter(|_| n > 1.0)?;
    Some(Measured::Mean { mean: value, variance: error * error * n, n })
}

impl FrameFunction for Trends {
    fn name(&self) -> &'static str {
        "trend"
    }

    fn describe(&self) -> String {
        let by: Vec<&str> = self.by.iter().map(|field| field.name.as_str()).collect();
        let metric = |of: &Followed| match (of.is_mean, of.is_share) {
            (true, _) => format!("{} (mean)", of.name),
            (false, true) => format!("{} (share)", of.name),
            (false, false) => of.name.clone(),
        };
        let metrics: Vec<String> = self.metrics.iter().map(metric).collect();
        format!(
            "trend of [{}] by [{}], {} in `{}`, previous {}, year ago {} ({} periods), season {}, ahead {}, baseline \
             {}, adjusted {}, level {}",
            metrics.join(", "),
            by.join(", "),
            self.unit,
            self.period.name,
            self.previous,
            self.year_ago,
            self.year,
            self.season,
            self.ahead,
            self.baseline,
            self.adjusts,
            self.level
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let float = |name: &str| Field::new(name, DataType::Float64);
        let flag = |name: &str| Field::new(name, DataType::Bool);
        let mut fields = self.by.clone();
        fields.push(Field::new("metric", DataType::String));
        fields.push(Field::new(&self.period.name, DataType::Date));
        fields.push(float("value"));
        fields.push(Field::new("n", DataType::Int64).with_unit(Unit::Count));
        for prefix in ["", "year_ago_"] {
            let other = if prefix.is_empty() { "previous" } else { "year_ago" };
            fields.push(float(other));
            for name in
                ["change", "change_share", "change_low", "change_high", "p_value", "q_value"]
            {
                let unit = if name == "change_share" { Unit::Share } else { Unit::None };
                fields.push(float(&format!("{prefix}{name}")).with_unit(unit));
            }
            fields.push(flag(&format!("{prefix}significant")));
        }
        fields.extend([
            float("seasonal_index"),
            float("adjusted"),
            float("expected"),
            float("expected_low"),
            float("expected_high"),
            flag("anomaly"),
            flag("forecast"),
        ]);
        vec![Arc::new(Schema::new(fields))]
    }

    fn apply(&self, inputs: &[Frame], calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let [input] = inputs else { return Err(Trends::fault("it reads one table")) };
        let (cells, all) = self.series(input, calendar)?;
        let table = self.table(&cells, &all, calendar);
        Ok(vec![table.map_err(|error| Trends::fault(error.to_string()))?])
    }
}
