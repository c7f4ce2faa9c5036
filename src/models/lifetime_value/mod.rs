//! Customer lifetime value: summaries in, values, parameters and the test of the forecast out.
//!
//! `customers` reads a summary and finds the distinct histories in it, `fitting` fits the models to those of each
//! cell and chooses among them, `accuracy` holds a fit against the holdout, `scoring` gives each customer a
//! forecast with its interval, `tracking` follows the whole population, and `tables` writes all that down.
//!
//! **Invariants**
//! - Customers with the same history are scored once; whatever is summed is summed in one order.
//! - The same customers give the same tables, on any number of threads.

mod accuracy;
#[cfg(test)]
mod coverage;
mod customers;
mod fitting;
mod scoring;
mod tables;
mod tracking;

use std::sync::Arc;

use customers::Customers;

use super::purchases::ModelKind;
use crate::document::TimeUnit;
use crate::frame::{Field, Frame, Schema, Unit};
use crate::ir::{ApplyError, Calendar, FrameFunction};
use crate::stats::normal_quantile;

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
    pub purchases: Purchased,
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
    pub intervals: Intervals,
    /// Of intervals.
    pub level: f64,
}

/// Which model of purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purchased {
    One(ModelKind),
    /// Of those that count time, the one whose forecast of the holdout has the smallest squared error. Where
    /// customers differ too much for that to tell one from another at the level of intervals, the one of them
    /// whose cumulative curve is nearest in the holdout. Without a holdout the one with the smallest Akaike
    /// criterion.
    Best,
}

/// How intervals are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intervals {
    None,
    /// From the covariance of the parameters, by the gradient of what they forecast.
    Delta,
    /// By fitting the models to draws of the customers.
    Bootstrap {
        draws: u32,
        seed: u64,
    },
}

impl LifetimeValue {
    fn fault(&self, reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "clv", reason: reason.into() }
    }

    /// The two-sided normal quantile of the level.
    fn z(&self) -> f64 {
        normal_quantile(self.level)
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
}

impl FrameFunction for LifetimeValue {
    fn name(&self) -> &'static str {
        "clv"
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.by.iter().map(|field| field.name.as_str()).collect();
        format!(
            "clv {:?} × {:?}, {}s, horizon {:?}, discount {}, margin {}, holdout {:?}, decimals {:?}, \
             by [{}] from {} customers, until day {}, {:?} at {}",
            self.purchases,
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
            self.intervals,
            self.level,
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        tables::schemas(self).to_vec()
    }

    fn apply(&self, inputs: &[Frame], _calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let (whole, before, repeats) = match (self.holdout, inputs) {
            (None, [whole, repeats]) => (whole, None, repeats),
            (Some(_), [whole, before, repeats]) => (whole, Some(before), repeats),
            _ => return Err(self.fault("it was given other tables than it reads")),
        };
        let whole = Customers::of(whole, self)?;
        let before = before.map(|before| Customers::of(before, self)).transpose()?;
        let (fits, calibration) = self.fits(&whole, before.as_ref(), repeats);
        let calibration = match (&before, &calibration) {
            (Some(customers), Some(fitting::Tested { fits, tests, tracks })) => {
                Some(tables::Calibration { customers, fits, tests, tracks })
            }
            _ => None,
        };
        let results =
            tables::Results { of: self, whole: &whole, fits: &fits, calibration, repeats };
        results.frames().map_err(|error| self.fault(error.to_string()))
    }
}
