//! The tables of `clv`: customers, parameters, fits, tracking, calibration.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array};
use rayon::prelude::*;

use super::accuracy::{Accuracy, Test};
use super::customers::Customers;
use super::fitting::{CellFit, Fits};
use super::scoring::{Bounded, Scores};
use super::tracking::{Step, Tracking, mape};
use super::{LifetimeValue, Spend};
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};
use crate::models::{Fit, GammaGamma};

/// The columns of the five tables.
pub(super) fn schemas(of: &LifetimeValue) -> [Arc<Schema>; 5] {
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
    [
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
                flag("chosen"),
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
    pub fits: &'a Fits,
    pub calibration: Option<Calibration<'a>>,
    /// Repeat purchase days by cell and day.
    pub repeats: &'a Frame,
}

/// Customers and fits before the holdout, and the tests and curves of the latter: of each candidate of each cell.
#[derive(Clone, Copy)]
pub(super) struct Calibration<'a> {
    pub customers: &'a Customers,
    pub fits: &'a Fits,
    pub tests: &'a [Vec<Test>],
    pub tracks: &'a [Vec<Vec<Step>>],
}

type Rows = Vec<Vec<Value>>;

/// A fit, under its name, of a cell, with the place of the cell among those of its customers.
type Named<'a> = (&'a Vec<Value>, &'static str, usize, &'a CellFit);

fn float(value: f64) -> Value {
    Value::finite(value)
}

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, Value::finite)
}

/// Tenths by a value, 10 the highest; of equals, the rows in order; what has none comes first.
pub(super) fn deciles(rows: usize, worth: impl Fn(usize) -> Option<f64> + Sync) -> Vec<i64> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.par_sort_unstable_by(|&a, &b| {
        let (x, y) = (worth(a as usize), worth(b as usize));
        let known = x.is_some().cmp(&y.is_some());
        known.then_with(|| x.unwrap_or(0.0).total_cmp(&y.unwrap_or(0.0))).then(a.cmp(&b))
    });
    let mut deciles = vec![0; rows];
    for (rank, &row) in order.iter().enumerate() {
        deciles[row as usize] = (10 * rank / rows) as i64 + 1;
    }
    deciles
}

impl Results<'_> {
    pub fn frames(&self) -> Result<Vec<Frame>, FrameError> {
        let own: Vec<Vec<Vec<Step>>>;
        let tracks = match self.calibration {
            Some(of) => of.tracks,
            None => {
                let tracking = Tracking::of(self.of, self.whole, self.repeats);
                let cells = self.fits.cells.iter().enumerate();
                own = cells.map(|(cell, fit)| vec![tracking.curve(cell, fit.chosen())]).collect();
                own.as_slice()
            }
        };
        let scores = self.of.scores(self.whole, self.fits);
        let [main, parameters, fits, tracking, calibration] = schemas(self.of);
        Ok(vec![
            self.customers(main, &scores)?,
            Frame::from_rows(parameters, &self.parameters())?,
            Frame::from_rows(fits, &self.fits(tracks, &scores))?,
            Frame::from_rows(tracking, &self.tracking(tracks))?,
            Frame::from_rows(calibration, &self.calibration())?,
        ])
    }

    fn customers(&self, schema: Arc<Schema>, scores: &Scores) -> Result<Frame, FrameError> {
        let (whole, found) = (self.whole, &scores.customers);
        let deciles = deciles(found.len(), |row| match self.of.spend {
            Spend::None => Some(found[row].expected.value),
            Spend::GammaGamma | Spend::Mean => found[row].clv.map(|clv| clv.value),
        });
        let floats = |of: &(dyn Fn(usize) -> Option<f64> + Sync)| -> ArrayRef {
            let known = |row: usize| of(row).filter(|value| value.is_finite()).map(|v| v + 0.0);
            Arc::new((0..found.len()).map(known).collect::<Float64Array>())
        };
        let expected = |row: usize| found[row].expected;
        let clv = |row: usize| found[row].clv;
        let low = |of: Bounded| of.bounds.map(|bounds| bounds.0);
        let high = |of: Bounded| of.bounds.map(|bounds| bounds.1);
        let mut columns = vec![whole.names.clone()];
        columns.extend(whole.by.iter().cloned());
        columns.extend([
            Arc::new(Date32Array::from(whole.first.clone())) as ArrayRef,
            Arc::new(whole.frequency.iter().map(|&x| Some(x as i64)).collect::<Int64Array>()),
            floats(&|row| Some(whole.recency[row])),
            floats(&|row| Some(whole.age[row])),
            floats(&|row| whole.monetary[row]),
            floats(&|row| Some(found[row].p_alive)),
            floats(&|row| Some(expected(row).value)),
            floats(&|row| low(expected(row))),
            floats(&|row| high(expected(row))),
            floats(&|row| found[row].spend),
            floats(&|row| clv(row).map(|clv| clv.value)),
            floats(&|row| clv(row).and_then(low)),
            floats(&|row| clv(row).and_then(high)),
            Arc::new(deciles.iter().map(|&decile| Some(decile as i32)).collect::<Int32Array>()),
        ]);
        Frame::new(schema, columns, found.len())
    }

    /// Every fit of every cell: calibration before final, as the grain has them.
    fn all_fits(&self) -> Vec<Named<'_>> {
        let mut all: Vec<Named> = Vec::new();
        let values = |customers: &Customers| customers.cells.values.len();
        if let Some(Calibration { customers, fits, .. }) = self.calibration {
            let cells = (0..values(customers)).map(|cell| {
                (&customers.cells.values[cell], "calibration", cell, &fits.cells[cell])
            });
            // Borrowed for as long as the calibration is.
            all.extend(cells);
        }
        let cells = (0..values(self.whole))
            .map(|cell| (&self.whole.cells.values[cell], "final", cell, &self.fits.cells[cell]));
        all.extend(cells);
        // Of nobody there is nothing to tell.
        all.retain(|(_, _, _, fit)| fit.customers > 0);
        all.sort_by(|a, b| a.0.cmp(b.0).then(a.1.cmp(b.1)));
        all
    }

    fn parameters(&self) -> Rows {
        let mut rows = Vec::new();
        for (cell, name, _, found) in self.all_fits() {
            let chosen = found.chosen();
            let names = chosen.kind.parameter_names();
            self.estimates(cell, name, chosen.kind.name(), &chosen.fit, names, &mut rows);
            if let Some(fit) = &found.spend {
                self.estimates(cell, name, "gamma_gamma", fit, GammaGamma::NAMES, &mut rows);
            }
        }
        rows
    }

    fn estimates<const N: usize>(
        &self,
        cell: &[Value],
        name: &str,
        model: &str,
        fit: &Fit<N>,
        names: [&'static str; N],
        rows: &mut Rows,
    ) {
        for (place, estimate) in fit.estimates(names).into_iter().enumerate() {
            let (low, high) = fit.interval(place);
            let mut row = cell.to_vec();
            row.extend([
                Value::text(name),
                Value::text(model),
                Value::text(estimate.name),
                float(estimate.estimate),
                optional(estimate.standard_error),
                optional(low),
                optional(high),
                Value::Bool(estimate.identified),
            ]);
            rows.push(row);
        }
    }

    fn fits(&self, tracks: &[Vec<Vec<Step>>], scores: &Scores) -> Rows {
        let mut rows = Vec::new();
        for (cell, name, place, found) in self.all_fits() {
            let last = name == "final";
            for (rank, candidate) in found.candidates.iter().enumerate() {
                let test = match (last, self.calibration) {
                    (false, Some(of)) => of.tests[place].get(rank),
                    _ => None,
                };
                let track =
                    tracks.get(place).and_then(|of_cell| of_cell.get(rank)).filter(|_| !last);
                let total = scores.totals.get(place).filter(|_| last && rank == 0);
                let mut row = cell.clone();
                row.extend(fitted(
                    name,
                    candidate.kind.name(),
                    found.customers,
                    found,
                    &candidate.fit,
                ));
                row.push(optional(found.spend_correlation));
                row.extend(self.tested(test, track.and_then(|steps| mape(steps))));
                row.extend(totals(total.map(|(expected, _)| *expected)));
                row.extend(totals(total.and_then(|(_, clv)| *clv)));
                row.push(Value::Bool(rank == 0));
                rows.push(row);
            }
            if let Some(fit) = &found.spend {
                let mut row = cell.clone();
                row.extend(fitted(name, "gamma_gamma", found.spenders, found, fit));
                row.push(optional(found.spend_correlation));
                row.resize(self.of.by.len() + 26, Value::Null);
                row.push(Value::Bool(true));
                rows.push(row);
            }
        }
        rows
    }

    /// The columns of the test against the holdout.
    fn tested(&self, test: Option<&Test>, mape: Option<f64>) -> [Value; 9] {
        let accuracy = test.map(Test::accuracy);
        let of = |value: fn(&Accuracy) -> Option<f64>| optional(accuracy.as_ref().and_then(value));
        [
            of(|accuracy| Some(accuracy.actual)),
            of(|accuracy| Some(accuracy.expected)),
            of(|accuracy| accuracy.mae),
            of(|accuracy| accuracy.rmse),
            of(|accuracy| accuracy.msle),
            of(|accuracy| accuracy.bias),
            of(|accuracy| accuracy.correlation),
            optional(mape),
            of(|accuracy| accuracy.naive_bias),
        ]
    }

    fn calibration(&self) -> Rows {
        let mut rows = Vec::new();
        let Some(Calibration { customers, tests, .. }) = self.calibration else { return rows };
        for (cell, tests) in customers.cells.values.iter().zip(tests) {
            let Some(test) = tests.first() else { continue };
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

    fn tracking(&self, tracks: &[Vec<Vec<Step>>]) -> Rows {
        let customers = self.calibration.map_or(self.whole, |of| of.customers);
        let mut rows = Vec::new();
        for (cell, steps) in customers.cells.values.iter().zip(tracks) {
            for step in steps.first().into_iter().flatten() {
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

/// The columns that say how a fit ended.
fn fitted<const N: usize>(
    name: &str,
    model: &str,
    customers: u64,
    of: &CellFit,
    fit: &Fit<N>,
) -> [Value; 10] {
    [
        Value::text(name),
        Value::text(model),
        Value::Int(customers as i64),
        Value::Bool(of.pooled),
        float(fit.log_likelihood),
        float(fit.aic()),
        Value::Bool(fit.converged()),
        Value::text(fit.termination.word()),
        Value::Int(fit.iterations.into()),
        float(fit.gradient_norm),
    ]
}

fn totals(total: Option<Bounded>) -> [Value; 3] {
    let bounds = total.and_then(|total| total.bounds);
    [
        optional(total.map(|total| total.value)),
        optional(bounds.map(|bounds| bounds.0)),
        optional(bounds.map(|bounds| bounds.1)),
    ]
}
