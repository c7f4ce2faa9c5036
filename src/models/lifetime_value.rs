//! Customer lifetime value: summaries in, values, parameters and the test of the forecast out.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::bg_nbd::{BgNbd, Purchases};
use super::fit::Fit;
use super::gamma_gamma::{GammaGamma, Spending};
use super::tables;
use crate::document::TimeUnit;
use crate::frame::{Field, Frame, Schema, Unit, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};

/// How the value of a purchase is forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    GammaGamma,
    /// The customer's own mean; the population's where there is none.
    Mean,
    /// Not at all.
    None,
}

/// The function of `clv`: from summaries to its five tables.
///
/// Inputs: the summary of all that is observed; with a holdout, that of what lies before it; and repeat
/// purchase days by cell and day, of the customers of the last summary. Summaries have the columns
/// `customer`, the dimensions, `first_time` (date), `purchases`, `frequency`, `recency`, `age`,
/// `monetary`, sorted by the customer.
#[derive(Debug, Clone)]
pub struct LifetimeValue {
    /// The customer as it comes out.
    pub customer: Field,
    pub by: Vec<Field>,
    pub spend: Spend,
    pub unit: TimeUnit,
    /// In units; absent: for as long as discounting leaves anything.
    pub horizon: Option<f64>,
    /// Effective, per unit of time.
    pub discount: f64,
    pub margin: f64,
    /// The length of the holdout in units, and the first day of it.
    pub holdout: Option<(f64, i32)>,
    /// Digits to which recency, age and monetary value are rounded before the fit.
    pub decimals: Option<u8>,
    /// Cells with fewer customers take the fit of all.
    pub min_customers: i64,
    /// The last day observed.
    pub last_day: i32,
    pub money: Unit,
}

/// Customers of a summary.
pub(super) struct Customers {
    pub names: Vec<Value>,
    pub cells: Vec<Vec<Value>>,
    /// Day of the first purchase.
    pub first: Vec<i32>,
    /// All purchases, the first included.
    pub purchases: Vec<i64>,
    pub rows: Vec<Purchases>,
    pub monetary: Vec<Option<f64>>,
}

/// The fits of one cell.
#[derive(Debug, Clone)]
pub(super) struct CellFit {
    pub purchases: Fit<4>,
    pub spend: Option<Fit<3>>,
    /// The correlation of spend and frequency among repeat customers.
    pub spend_correlation: Option<f64>,
    /// Customers of the cell itself, and those of them with a spend to fit.
    pub customers: u64,
    pub spenders: u64,
    /// Whether the fit is that of all customers.
    pub pooled: bool,
}

/// Fits by cell.
pub struct Segmented {
    pub(super) cells: BTreeMap<Vec<Value>, CellFit>,
}

/// What a customer's history forecasts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Forecast {
    pub p_alive: f64,
    pub expected: f64,
    /// Purchases, each discounted to the end of what is observed.
    pub discounted: f64,
}

impl CellFit {
    pub fn model(&self) -> BgNbd {
        BgNbd::of(self.purchases.parameters)
    }

    fn spend_model(&self) -> Option<GammaGamma> {
        self.spend.as_ref().map(|fit| GammaGamma::of(fit.parameters))
    }
}

impl LifetimeValue {
    fn fault(&self, reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "clv", reason: reason.into() }
    }

    /// Half up, as the published summaries are. A quotient of cents that is a half in decimals may be a
    /// little less as a double.
    fn rounded(&self, value: f64) -> f64 {
        match self.decimals {
            None => value,
            Some(decimals) => {
                let unit = 10f64.powi(i32::from(decimals));
                (value * unit + 0.5 + 1e-9).floor() / unit
            }
        }
    }

    /// Reads a summary.
    fn customers(&self, frame: &Frame) -> Result<Customers, ApplyError> {
        let column = |name: &str| {
            frame.column(name).ok_or_else(|| self.fault(format!("no column `{name}`")))
        };
        let number = |value: &Value| value.as_f64().unwrap_or(0.0);
        let (frequency, recency) = (column("frequency")?, column("recency")?);
        let (age, monetary) = (column("age")?, column("monetary")?);
        let by = self.by.iter().map(|field| column(&field.name)).collect::<Result<Vec<_>, _>>()?;
        let rows = (0..frame.rows()).map(|row| Purchases {
            frequency: number(&frequency[row]),
            recency: self.rounded(number(&recency[row])),
            age: self.rounded(number(&age[row])),
            customers: 1.0,
        });
        let first = column("first_time")?;
        let purchases = column("purchases")?;
        Ok(Customers {
            names: column(&self.customer.name)?,
            cells: (0..frame.rows())
                .map(|row| by.iter().map(|column| column[row].clone()).collect())
                .collect(),
            first: first.iter().map(|value| value.as_i64().unwrap_or(0) as i32).collect(),
            purchases: purchases.iter().map(|value| value.as_i64().unwrap_or(0)).collect(),
            rows: rows.collect(),
            monetary: monetary.iter().map(|value| Some(self.rounded(value.as_f64()?))).collect(),
        })
    }

    /// Fits every cell, the small ones with all customers.
    fn fit(&self, customers: &Customers) -> Segmented {
        let mut members: BTreeMap<Vec<Value>, Vec<usize>> = BTreeMap::new();
        for (row, cell) in customers.cells.iter().enumerate() {
            members.entry(cell.clone()).or_default().push(row);
        }
        let all: Vec<usize> = (0..customers.rows.len()).collect();
        let small = |rows: &Vec<usize>| (rows.len() as i64) < self.min_customers;
        let pooled = (members.len() > 1 && members.values().any(small))
            .then(|| self.fit_rows(customers, &all));
        let cells = members
            .into_iter()
            .map(|(cell, rows)| {
                let fit = match &pooled {
                    Some(pooled) if small(&rows) => CellFit {
                        pooled: true,
                        customers: rows.len() as u64,
                        spenders: spending(customers, &rows).len() as u64,
                        ..pooled.clone()
                    },
                    _ => self.fit_rows(customers, &rows),
                };
                (cell, fit)
            })
            .collect();
        Segmented { cells }
    }

    fn fit_rows(&self, customers: &Customers, rows: &[usize]) -> CellFit {
        let grouped = group(rows.iter().map(|&row| customers.rows[row]));
        let spending = spending(customers, rows);
        let spend = (self.spend == Spend::GammaGamma && spending.len() > 1).then(|| {
            let mut counts: BTreeMap<(u64, u64), f64> = BTreeMap::new();
            for (purchases, mean) in &spending {
                *counts.entry((purchases.to_bits(), mean.to_bits())).or_default() += 1.0;
            }
            let rows: Vec<Spending> = counts
                .into_iter()
                .map(|((purchases, mean), customers)| Spending {
                    purchases: f64::from_bits(purchases),
                    mean: f64::from_bits(mean),
                    customers,
                })
                .collect();
            GammaGamma::fit(&rows)
        });
        CellFit {
            purchases: BgNbd::fit(&grouped),
            spend,
            spend_correlation: (self.spend != Spend::None)
                .then(|| correlation(&spending))
                .flatten(),
            customers: rows.len() as u64,
            spenders: spending.len() as u64,
            pooled: false,
        }
    }

    /// The forecast of each customer.
    pub(super) fn forecast(&self, customers: &Customers, fits: &Segmented) -> Vec<Forecast> {
        each_history(customers, fits, |model, row| self.forecast_of(model, row))
    }

    fn forecast_of(&self, model: &BgNbd, row: &Purchases) -> Forecast {
        let p_alive = model.p_alive(row);
        let Some(horizon) = self.horizon else {
            let rate = self.discount.ln_1p();
            let discounted = lifetime(rate, |time| model.expected_purchases(row, time));
            return Forecast { p_alive, expected: discounted, discounted };
        };
        let (mut before, mut discounted) = (0.0, 0.0);
        let mut step = 1.0_f64;
        loop {
            let time = step.min(horizon);
            let expected = model.expected_purchases(row, time);
            discounted += (expected - before) * (1.0 + self.discount).powf(-time);
            before = expected;
            if time >= horizon {
                return Forecast { p_alive, expected, discounted };
            }
            step += 1.0;
        }
    }

    /// The value expected of a purchase of each customer.
    pub(super) fn spend(&self, customers: &Customers, fits: &Segmented) -> Vec<Option<f64>> {
        let known = customers.monetary.iter().flatten().copied().filter(|&value| value > 0.0);
        let known: Vec<f64> = known.collect();
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        (0..customers.rows.len())
            .map(|row| {
                let own = customers.monetary[row].filter(|&value| value > 0.0);
                match self.spend {
                    Spend::None => None,
                    Spend::Mean => own.or(mean),
                    Spend::GammaGamma => {
                        let model = fits.cells.get(&customers.cells[row])?.spend_model()?;
                        match own {
                            Some(own) => model.expected_spend(customers.rows[row].frequency, own),
                            None => model.expected_spend(0.0, 0.0),
                        }
                    }
                }
            })
            .collect()
    }
}

/// The present value of a stream whose expected total until a time is known, discounted at a continuous
/// rate δ: δ ∫ e^(−δt) E(t) dt over all times, which is ∫ E(−ln s / δ) ds over (0, 1). Tanh-sinh
/// quadrature takes the logarithmic end at s = 0 in its stride.
fn lifetime(rate: f64, expected: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 0.0625;
    const REACH: i32 = 56;
    let mut sum = 0.0;
    for k in -REACH..=REACH {
        let t = f64::from(k) * STEP;
        let half = std::f64::consts::FRAC_PI_2 * t.sinh();
        // s = 1 / (1 + e^(−2h)), written so that −ln s keeps its digits at both ends.
        let minus_ln = if half > 0.0 {
            (-2.0 * half).exp().ln_1p()
        } else {
            -2.0 * half + (2.0 * half).exp().ln_1p()
        };
        let weight = 0.5 * std::f64::consts::FRAC_PI_2 * t.cosh() / half.cosh().powi(2) * STEP;
        if weight > 1e-300 {
            sum += weight * expected(minus_ln / rate);
        }
    }
    sum
}

/// What the fit of its cell says of each customer, computed once for all of a cell with the same history.
pub(super) fn each_history<T: Copy + Default + Send + Sync>(
    customers: &Customers,
    fits: &Segmented,
    of: impl Fn(&BgNbd, &Purchases) -> T + Sync,
) -> Vec<T> {
    let mut places: BTreeMap<(&Vec<Value>, [u64; 3]), usize> = BTreeMap::new();
    let mut histories = Vec::new();
    let mut place_of = Vec::with_capacity(customers.rows.len());
    for (cell, row) in customers.cells.iter().zip(&customers.rows) {
        let place = *places.entry((cell, bits(row))).or_insert_with(|| {
            histories.push((cell, *row));
            histories.len() - 1
        });
        place_of.push(place);
    }
    let values: Vec<T> = histories
        .par_iter()
        .map(|(cell, row)| match fits.cells.get(*cell) {
            Some(fit) => of(&fit.model(), row),
            None => T::default(),
        })
        .collect();
    place_of.into_iter().map(|place| values[place]).collect()
}

/// Repeat purchases and their mean of those customers whose spend the model sees.
fn spending(customers: &Customers, rows: &[usize]) -> Vec<(f64, f64)> {
    let spend = |&row: &usize| {
        let mean = customers.monetary[row]?;
        let purchases = customers.rows[row].frequency;
        (purchases >= 1.0 && mean > 0.0).then_some((purchases, mean))
    };
    rows.iter().filter_map(spend).collect()
}

fn bits(row: &Purchases) -> [u64; 3] {
    [row.frequency.to_bits(), row.recency.to_bits(), row.age.to_bits()]
}

fn purchases_of([frequency, recency, age]: [u64; 3]) -> Purchases {
    Purchases {
        frequency: f64::from_bits(frequency),
        recency: f64::from_bits(recency),
        age: f64::from_bits(age),
        customers: 1.0,
    }
}

/// Customers with the same history as one row, in the order of the histories.
fn group(rows: impl Iterator<Item = Purchases>) -> Vec<Purchases> {
    let mut counts: BTreeMap<[u64; 3], f64> = BTreeMap::new();
    rows.for_each(|row| *counts.entry(bits(&row)).or_default() += 1.0);
    counts
        .into_iter()
        .map(|(history, customers)| Purchases { customers, ..purchases_of(history) })
        .collect()
}

/// Pearson's correlation; `None` where one side does not vary.
pub(super) fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let xy = sum(&|p| (p.0 - mx) * (p.1 - my));
    let xx = sum(&|p| (p.0 - mx).powi(2));
    let yy = sum(&|p| (p.1 - my).powi(2));
    let found = xy / (xx * yy).sqrt();
    found.is_finite().then_some(found)
}

impl FrameFunction for LifetimeValue {
    fn name(&self) -> &'static str {
        "clv"
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.by.iter().map(|field| field.name.as_str()).collect();
        format!(
            "clv bg_nbd × {:?}, {}s, horizon {:?}, discount {}, margin {}, holdout {:?}, decimals {:?}, \
             by [{}] from {} customers, until day {}",
            self.spend,
            self.unit,
            self.horizon,
            self.discount,
            self.margin,
            self.holdout,
            self.decimals,
            names.join(", "),
            self.min_customers,
            self.last_day,
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        tables::schemas(self)
    }

    fn apply(&self, inputs: &[Frame], _calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let (whole, before, repeats) = match (self.holdout, inputs) {
            (None, [whole, repeats]) => (whole, None, repeats),
            (Some(_), [whole, before, repeats]) => (whole, Some(before), repeats),
            _ => return Err(self.fault("it was given other tables than it reads")),
        };
        let whole = self.customers(whole)?;
        let fits = self.fit(&whole);
        let calibration = match before {
            None => None,
            Some(before) => {
                let customers = self.customers(before)?;
                let fits = self.fit(&customers);
                Some((customers, fits))
            }
        };
        let calibration = calibration.as_ref().map(|(customers, fits)| (customers, fits));
        let results =
            tables::Results { of: self, whole: &whole, fits: &fits, calibration, repeats };
        results.frames().map_err(|error| self.fault(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream at a constant rate of 2 is worth 2 / δ; one that dies away at rate μ, 2 / (δ + μ).
    #[test]
    fn lifetimes_of_known_streams() {
        let constant = lifetime(0.002, |time| 2.0 * time);
        assert!((constant - 1_000.0).abs() < 1e-7, "{constant}");
        let dying = lifetime(0.002, |time| 2.0 / 0.01 * -(-0.01 * time).exp_m1());
        assert!((dying - 2.0 / 0.012).abs() < 1e-8, "{dying}");
    }
}
