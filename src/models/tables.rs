//! The tables of `clv`: customers, parameters, fits, tracking, calibration.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::bg_nbd::BgNbd;
use super::fit::Estimate;
use super::gamma_gamma::GammaGamma;
use super::lifetime_value::{
    CellFit, Customers, Forecast, LifetimeValue, Segmented, Spend, correlation, each_history,
};
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};

/// The columns of the five tables.
pub(super) fn schemas(of: &LifetimeValue) -> Vec<Arc<Schema>> {
    let float = |name: &str| Field::new(name, DataType::Float64);
    let text = |name: &str| Field::new(name, DataType::String);
    let flag = |name: &str| Field::new(name, DataType::Bool);
    let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
    let purchases = |name: &str| float(name).with_unit(Unit::Count);
    let time = |name: &str| float(name).with_unit(Unit::Time(of.unit.word().into()));
    let money = |name: &str| float(name).with_unit(of.money.clone());
    let schema = |first: Vec<Field>, rest: Vec<Field>| {
        Arc::new(Schema::new(first.into_iter().chain(rest).collect()))
    };
    let by = of.by.clone();
    let mut customer = vec![of.customer.clone()];
    customer.extend(by.clone());
    vec![
        schema(
            customer,
            vec![
                Field::new("first_time", DataType::Date),
                count("frequency"),
                time("recency"),
                time("age"),
                money("monetary"),
                float("p_alive").with_unit(Unit::Share),
                purchases("expected_purchases"),
                purchases("expected_purchases_low"),
                purchases("expected_purchases_high"),
                money("expected_spend"),
                money("clv"),
                money("clv_low"),
                money("clv_high"),
                Field::new("decile", DataType::Int32),
            ],
        ),
        schema(
            by.clone(),
            vec![
                text("fit"),
                text("model"),
                text("parameter"),
                float("estimate"),
                float("standard_error"),
                float("low"),
                float("high"),
                flag("identified"),
            ],
        ),
        schema(
            by.clone(),
            vec![
                text("fit"),
                text("model"),
                count("customers"),
                flag("pooled"),
                float("log_likelihood"),
                float("aic"),
                flag("converged"),
                text("termination"),
                Field::new("iterations", DataType::Int64),
                float("gradient_norm"),
                float("spend_correlation"),
                purchases("holdout_actual"),
                purchases("holdout_expected"),
                purchases("mae"),
                purchases("rmse"),
                float("msle"),
                float("bias").with_unit(Unit::Share),
                float("correlation"),
                float("tracking_mape").with_unit(Unit::Share),
                float("naive_bias").with_unit(Unit::Share),
                purchases("expected_purchases_sum"),
                purchases("expected_purchases_sum_low"),
                purchases("expected_purchases_sum_high"),
                money("clv_sum"),
                money("clv_sum_low"),
                money("clv_sum_high"),
            ],
        ),
        schema(
            by.clone(),
            vec![
                Field::new("period", DataType::Date),
                Field::new("elapsed", DataType::Int32).with_unit(Unit::Time(of.unit.word().into())),
                flag("holdout"),
                purchases("actual"),
                purchases("expected"),
                purchases("cumulative_actual"),
                purchases("cumulative_expected"),
            ],
        ),
        schema(
            by,
            vec![
                text("bins"),
                Field::new("bin", DataType::Int32),
                count("customers"),
                purchases("actual_mean"),
                purchases("expected_mean"),
            ],
        ),
    ]
}

/// Everything the tables are made of.
pub(super) struct Results<'a> {
    pub of: &'a LifetimeValue,
    pub whole: &'a Customers,
    pub fits: &'a Segmented,
    /// Customers and fits before the holdout.
    pub calibration: Option<(&'a Customers, &'a Segmented)>,
    /// Repeat purchase days by cell and day.
    pub repeats: &'a Frame,
}

/// How the forecast fared, for one cell.
#[derive(Debug, Clone, Default)]
struct Accuracy {
    actual: f64,
    expected: f64,
    mae: Option<f64>,
    rmse: Option<f64>,
    msle: Option<f64>,
    bias: Option<f64>,
    correlation: Option<f64>,
    naive_bias: Option<f64>,
}

/// A step of the tracking curve.
struct Step {
    day: i32,
    elapsed: i64,
    holdout: bool,
    actual: f64,
    expected: f64,
    cumulative_actual: f64,
    cumulative_expected: f64,
}

type Rows = Vec<Vec<Value>>;

fn float(value: f64) -> Value {
    Value::finite(value)
}

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, Value::finite)
}

impl Results<'_> {
    pub fn frames(&self) -> Result<Vec<Frame>, FrameError> {
        let tests = self.tests();
        let tracks = self.tracks();
        let forecasts = self.of.forecast(self.whole, self.fits);
        let spend = self.of.spend(self.whole, self.fits);
        let clv: Vec<Option<f64>> = spend
            .iter()
            .zip(&forecasts)
            .map(|(spend, forecast)| Some(self.of.margin * (*spend)? * forecast.discounted))
            .collect();
        let tables = [
            self.customers(&forecasts, &spend, &clv),
            self.parameters(),
            self.fits(&tests, &tracks, &forecasts, &clv),
            self.tracking(&tracks),
            self.calibration(&tests),
        ];
        let schemas = schemas(self.of);
        tables.iter().zip(schemas).map(|(rows, schema)| Frame::from_rows(schema, rows)).collect()
    }

    fn customers(
        &self,
        forecasts: &[Forecast],
        spend: &[Option<f64>],
        clv: &[Option<f64>],
    ) -> Rows {
        // Best last; of equals, the customers in order.
        let worth = |row: usize| match self.of.spend {
            Spend::None => Some(forecasts[row].expected),
            Spend::GammaGamma | Spend::Mean => clv[row],
        };
        let mut order: Vec<usize> = (0..forecasts.len()).collect();
        order.sort_by(|&a, &b| {
            let (x, y) = (worth(a), worth(b));
            let known = x.is_some().cmp(&y.is_some());
            known.then_with(|| x.unwrap_or(0.0).total_cmp(&y.unwrap_or(0.0))).then(a.cmp(&b))
        });
        let mut deciles = vec![0; order.len()];
        for (rank, &row) in order.iter().enumerate() {
            deciles[row] = (10 * rank / order.len()) as i64 + 1;
        }
        let whole = self.whole;
        (0..whole.rows.len())
            .map(|row| {
                let (history, forecast) = (&whole.rows[row], &forecasts[row]);
                let mut values = vec![whole.names[row].clone()];
                values.extend(whole.cells[row].iter().cloned());
                values.extend([
                    Value::Date(whole.first[row]),
                    Value::Int(history.frequency as i64),
                    float(history.recency),
                    float(history.age),
                    optional(whole.monetary[row]),
                    float(forecast.p_alive),
                    float(forecast.expected),
                    Value::Null,
                    Value::Null,
                    optional(spend[row]),
                    optional(clv[row]),
                    Value::Null,
                    Value::Null,
                    Value::Int(deciles[row]),
                ]);
                values
            })
            .collect()
    }

    /// Every fit of every cell: calibration before final, as the grain has them.
    fn all_fits(&self) -> Vec<(&Vec<Value>, &'static str, &CellFit)> {
        let mut all = Vec::new();
        for (cell, fit) in &self.fits.cells {
            let before = self.calibration.and_then(|(_, fits)| fits.cells.get(cell));
            all.extend(before.map(|fit| (cell, "calibration", fit)));
            all.push((cell, "final", fit));
        }
        all
    }

    fn parameters(&self) -> Rows {
        let mut rows = Vec::new();
        for (cell, fit, found) in self.all_fits() {
            let purchases = found.purchases.estimates(BgNbd::NAMES);
            let spend = found.spend.as_ref().map(|spend| spend.estimates(GammaGamma::NAMES));
            let mut add = |model: &str, estimates: Vec<Estimate>| {
                for estimate in estimates {
                    let mut row = cell.clone();
                    row.extend([
                        Value::text(fit),
                        Value::text(model),
                        Value::text(estimate.name),
                        float(estimate.estimate),
                        optional(estimate.standard_error),
                        Value::Null,
                        Value::Null,
                        Value::Bool(estimate.identified),
                    ]);
                    rows.push(row);
                }
            };
            add("bg_nbd", purchases);
            add("gamma_gamma", spend.unwrap_or_default());
        }
        rows
    }

    fn fits(
        &self,
        tests: &BTreeMap<Vec<Value>, Test>,
        tracks: &BTreeMap<Vec<Value>, Vec<Step>>,
        forecasts: &[Forecast],
        clv: &[Option<f64>],
    ) -> Rows {
        let mut totals: BTreeMap<&Vec<Value>, (f64, Option<f64>)> = BTreeMap::new();
        for (row, cell) in self.whole.cells.iter().enumerate() {
            let total = totals.entry(cell).or_default();
            total.0 += forecasts[row].expected;
            if let Some(clv) = clv[row] {
                total.1 = Some(total.1.unwrap_or(0.0) + clv);
            }
        }
        let mut rows = Vec::new();
        for (cell, name, found) in self.all_fits() {
            let last = name == "final";
            let accuracy = match last {
                true => None,
                false => tests.get(cell).map(|test| test.accuracy()),
            };
            let of =
                |value: fn(&Accuracy) -> Option<f64>| optional(accuracy.as_ref().and_then(value));
            let mape = if last { None } else { tracks.get(cell).and_then(|steps| mape(steps)) };
            let total = if last { totals.get(cell).copied() } else { None };
            let fit = &found.purchases;
            let mut row = cell.clone();
            row.extend([
                Value::text(name),
                Value::text("bg_nbd"),
                Value::Int(found.customers as i64),
                Value::Bool(found.pooled),
                float(fit.log_likelihood),
                float(fit.aic()),
                Value::Bool(fit.converged()),
                Value::text(fit.termination.word()),
                Value::Int(fit.iterations.into()),
                float(fit.gradient_norm),
                optional(found.spend_correlation),
                of(|accuracy| Some(accuracy.actual)),
                of(|accuracy| Some(accuracy.expected)),
                of(|accuracy| accuracy.mae),
                of(|accuracy| accuracy.rmse),
                of(|accuracy| accuracy.msle),
                of(|accuracy| accuracy.bias),
                of(|accuracy| accuracy.correlation),
                optional(mape),
                of(|accuracy| accuracy.naive_bias),
                optional(total.map(|total| total.0)),
                Value::Null,
                Value::Null,
                optional(total.and_then(|total| total.1)),
                Value::Null,
                Value::Null,
            ]);
            rows.push(row);
            if let Some(fit) = &found.spend {
                let mut row = cell.clone();
                row.extend([
                    Value::text(name),
                    Value::text("gamma_gamma"),
                    Value::Int(found.spenders as i64),
                    Value::Bool(found.pooled),
                    float(fit.log_likelihood),
                    float(fit.aic()),
                    Value::Bool(fit.converged()),
                    Value::text(fit.termination.word()),
                    Value::Int(fit.iterations.into()),
                    float(fit.gradient_norm),
                    optional(found.spend_correlation),
                ]);
                row.resize(self.of.by.len() + 26, Value::Null);
                rows.push(row);
            }
        }
        rows
    }

    /// The customers and fits that the curves and the test are of: before the holdout, if there is one.
    fn tested(&self) -> (&Customers, &Segmented) {
        self.calibration.unwrap_or((self.whole, self.fits))
    }

    /// What was forecast of each customer for the holdout, and what came, by cell.
    fn tests(&self) -> BTreeMap<Vec<Value>, Test> {
        let (Some((customers, fits)), Some((length, _))) = (self.calibration, self.of.holdout)
        else {
            return BTreeMap::new();
        };
        let later: BTreeMap<&Value, i64> =
            self.whole.names.iter().zip(self.whole.purchases.iter().copied()).collect();
        let expected =
            each_history(customers, fits, |model, row| model.expected_purchases(row, length));
        let mut tests: BTreeMap<Vec<Value>, Test> = BTreeMap::new();
        for (row, expected) in expected.into_iter().enumerate() {
            let (cell, history) = (&customers.cells[row], &customers.rows[row]);
            if !fits.cells.contains_key(cell) {
                continue;
            }
            let so_far = customers.purchases[row];
            let in_all = later.get(&customers.names[row]).copied().unwrap_or(so_far);
            // A refund may leave fewer days than there were.
            let actual = (in_all - so_far).max(0) as f64;
            let rate = if history.age > 0.0 { history.frequency / history.age } else { 0.0 };
            let test = tests.entry(cell.clone()).or_default();
            test.pairs.push((actual, expected));
            test.frequencies.push(history.frequency as i64);
            test.naive += rate * length;
        }
        tests
    }

    fn calibration(&self, tests: &BTreeMap<Vec<Value>, Test>) -> Rows {
        let mut rows = Vec::new();
        for (cell, test) in tests {
            for (bins, bin_of) in [("decile", test.deciles()), ("frequency", test.frequency_bins())]
            {
                let mut sums: BTreeMap<i64, (i64, f64, f64)> = BTreeMap::new();
                for (&bin, (actual, expected)) in bin_of.iter().zip(&test.pairs) {
                    let sum = sums.entry(bin).or_default();
                    sum.0 += 1;
                    sum.1 += actual;
                    sum.2 += expected;
                }
                for (bin, (customers, actual, expected)) in sums {
                    let mut row = cell.clone();
                    row.extend([
                        Value::text(bins),
                        Value::Int(bin),
                        Value::Int(customers),
                        float(actual / customers as f64),
                        float(expected / customers as f64),
                    ]);
                    rows.push(row);
                }
            }
        }
        rows
    }

    /// Repeat purchases by period since the first purchase of each cell, and what the model expects.
    fn tracks(&self) -> BTreeMap<Vec<Value>, Vec<Step>> {
        let unit = self.of.unit.days();
        let (customers, fits) = self.tested();
        let mut starts: BTreeMap<&Vec<Value>, BTreeMap<i32, f64>> = BTreeMap::new();
        for (cell, &first) in customers.cells.iter().zip(&customers.first) {
            *starts.entry(cell).or_default().entry(first).or_default() += 1.0;
        }
        let mut repeats: BTreeMap<Vec<Value>, Vec<(i32, f64)>> = BTreeMap::new();
        for row in self.repeats.to_rows() {
            if let [cell @ .., Value::Date(day), count] = row.as_slice() {
                let count = count.as_f64().unwrap_or(0.0);
                repeats.entry(cell.to_vec()).or_default().push((*day, count));
            }
        }
        let mut tracks = BTreeMap::new();
        for (cell, starts) in starts {
            let (Some(fit), Some((&origin, _))) = (fits.cells.get(cell), starts.first_key_value())
            else {
                continue;
            };
            let model = fit.model();
            let days = f64::from(self.of.last_day - origin + 1);
            // A millionth of a unit more, so that exact multiples are whole.
            let periods = (days / unit + 1e-6).floor() as i64;
            let mut actual = vec![0.0; periods.max(0) as usize];
            for &(day, count) in repeats.get(cell).map_or(&[][..], Vec::as_slice) {
                let period = (f64::from(day - origin) / unit).floor();
                if let Some(actual) = actual.get_mut(period.max(0.0) as usize) {
                    *actual += count;
                }
            }
            let mut steps: Vec<Step> = Vec::new();
            let days: Vec<(f64, f64)> = starts
                .iter()
                .map(|(day, customers)| (f64::from(day - origin), *customers))
                .collect();
            let curve = repeats_by_time(&model, &days, unit, periods);
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
                let holdout = self.of.holdout.is_some_and(|(_, cut)| last > f64::from(cut) + 1e-6);
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
            tracks.insert(cell.clone(), steps);
        }
        tracks
    }

    fn tracking(&self, tracks: &BTreeMap<Vec<Value>, Vec<Step>>) -> Rows {
        let mut rows = Vec::new();
        for (cell, steps) in tracks {
            for step in steps {
                let mut row = cell.clone();
                row.extend([
                    Value::Date(step.day),
                    Value::Int(step.elapsed),
                    Value::Bool(step.holdout),
                    float(step.actual),
                    float(step.expected),
                    float(step.cumulative_actual),
                    float(step.cumulative_expected),
                ]);
                rows.push(row);
            }
        }
        rows
    }
}

/// A time in sixteenths of a day: every unit is a whole number of them.
fn ticks(days: f64) -> i64 {
    (days * 16.0).round() as i64
}

/// The repeat purchases expected of a customer within each time that passes between one of these days and
/// the end of a period, in ticks. Days and periods are many pairs, but few differences.
fn repeats_by_time(
    model: &BgNbd,
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
    let expected = |time: &i64| (*time, model.expected_repeats(*time as f64 / 16.0 / unit));
    times.par_iter().map(expected).collect::<Vec<_>>().into_iter().collect()
}

/// The mean relative error of the cumulative curve over the holdout.
fn mape(steps: &[Step]) -> Option<f64> {
    let errors: Vec<f64> = steps
        .iter()
        .filter(|step| step.holdout && step.cumulative_actual > 0.0)
        .map(|step| (step.cumulative_expected / step.cumulative_actual - 1.0).abs())
        .collect();
    (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
}

/// Forecast and outcome of the customers of a cell.
#[derive(Default)]
struct Test {
    /// Actual and expected purchases in the holdout.
    pairs: Vec<(f64, f64)>,
    frequencies: Vec<i64>,
    /// What the rate so far, carried on, would have given.
    naive: f64,
}

impl Test {
    fn accuracy(&self) -> Accuracy {
        let n = self.pairs.len() as f64;
        let sum =
            |of: &dyn Fn(f64, f64) -> f64| self.pairs.iter().map(|&(a, e)| of(a, e)).sum::<f64>();
        let mean = |of: &dyn Fn(f64, f64) -> f64| (n > 0.0).then(|| sum(of) / n);
        let (actual, expected) = (sum(&|a, _| a), sum(&|_, e| e));
        let against = |total: f64| (actual > 0.0).then(|| total / actual - 1.0);
        Accuracy {
            actual,
            expected,
            mae: mean(&|a, e| (a - e).abs()),
            rmse: mean(&|a, e| (a - e).powi(2)).map(f64::sqrt),
            msle: mean(&|a, e| (a.ln_1p() - e.ln_1p()).powi(2)),
            bias: against(expected),
            correlation: correlation(&self.pairs),
            naive_bias: against(self.naive),
        }
    }

    /// Repeat purchases before the holdout, 7 for all that had more.
    fn frequency_bins(&self) -> Vec<i64> {
        self.frequencies.iter().map(|&frequency| frequency.min(7)).collect()
    }

    /// Tenths by what was expected, 10 the highest; of equals, the customers in order.
    fn deciles(&self) -> Vec<i64> {
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        order.sort_by(|&a, &b| self.pairs[a].1.total_cmp(&self.pairs[b].1).then(a.cmp(&b)));
        let mut deciles = vec![0; order.len()];
        for (rank, &row) in order.iter().enumerate() {
            deciles[row] = (10 * rank / order.len()) as i64 + 1;
        }
        deciles
    }
}
