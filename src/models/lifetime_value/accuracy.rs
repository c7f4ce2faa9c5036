//! How the forecast fared against the holdout.

use std::collections::HashMap;

use arrow::row::{RowConverter, SortField};

use super::LifetimeValue;
use super::customers::Customers;
use super::fitting::{Candidate, Fits, correlation};
use crate::models::expectations;

/// How a forecast fared, for one cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Accuracy {
    pub actual: f64,
    pub expected: f64,
    pub mae: Option<f64>,
    pub rmse: Option<f64>,
    pub msle: Option<f64>,
    pub bias: Option<f64>,
    pub correlation: Option<f64>,
    pub naive_bias: Option<f64>,
}

/// Forecast and outcome of the customers of a cell.
#[derive(Debug, Default)]
pub(super) struct Test {
    /// Actual and expected purchases in the holdout.
    pub pairs: Vec<(f64, f64)>,
    /// Repeat purchases before the holdout.
    pub frequencies: Vec<i64>,
    /// What the rate so far, carried on, would have given.
    pub naive: f64,
}

/// What came of each customer in the holdout.
fn outcomes(whole: &Customers, before: &Customers) -> Option<Vec<f64>> {
    let fields = vec![SortField::new(whole.names.data_type().clone())];
    let converter = RowConverter::new(fields).ok()?;
    let now = converter.convert_columns(std::slice::from_ref(&whole.names)).ok()?;
    let then = converter.convert_columns(std::slice::from_ref(&before.names)).ok()?;
    let later: HashMap<_, i64> =
        now.iter().zip(&whole.purchases).map(|(name, purchases)| (name, *purchases)).collect();
    // A refund may leave fewer days than there were.
    let outcome = |(name, so_far): (_, &i64)| {
        let in_all = later.get(&name).copied().unwrap_or(*so_far);
        (in_all - so_far).max(0) as f64
    };
    Some(then.iter().zip(&before.purchases).map(outcome).collect())
}

/// The test of each candidate of each cell of the customers before the holdout.
pub(super) fn tests(
    clv: &LifetimeValue,
    whole: &Customers,
    before: &Customers,
    fits: &Fits,
) -> Vec<Vec<Test>> {
    let (Some((length, _)), Some(actual)) = (clv.holdout, outcomes(whole, before)) else {
        return fits.cells.iter().map(|_| Vec::new()).collect();
    };
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); fits.cells.len()];
    for (row, &cell) in before.cells.of_row.iter().enumerate() {
        members[cell as usize].push(row);
    }
    let test = |cell: usize, candidate: &Candidate| {
        let range = before.of_cell[cell].clone();
        let (kind, parameters) = (candidate.kind, &candidate.fit.parameters);
        let histories = &before.histories[range.clone()];
        let expected = expectations(kind, parameters, histories, length);
        let mut test = Test::default();
        for &row in &members[cell] {
            let place = before.history_of[row] as usize - range.start;
            let (x, age) = (before.frequency[row], before.age[row]);
            test.pairs.push((actual[row], expected[place]));
            test.frequencies.push(x as i64);
            test.naive += if age > 0.0 { x / age * length } else { 0.0 };
        }
        test
    };
    let of_cell = |(cell, fit): (usize, &super::fitting::CellFit)| {
        fit.candidates.iter().map(|candidate| test(cell, candidate)).collect()
    };
    fits.cells.iter().enumerate().map(of_cell).collect()
}

impl Test {
    /// Whether the squared errors do not tell this forecast from a better one of the same customers: the mean by
    /// which they are larger is within `z` of its standard errors.
    pub fn is_as_good_as(&self, better: &Test, z: f64) -> bool {
        let square = |(actual, expected): &(f64, f64)| (actual - expected).powi(2);
        let pairs = self.pairs.iter().zip(&better.pairs);
        let larger: Vec<f64> = pairs.map(|(own, other)| square(own) - square(other)).collect();
        let n = larger.len() as f64;
        let mean = larger.iter().sum::<f64>() / n;
        let spread = larger.iter().map(|by| (by - mean).powi(2)).sum::<f64>() / (n - 1.0);
        mean <= 0.0 || mean <= z * (spread / n).sqrt()
    }

    pub fn accuracy(&self) -> Accuracy {
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
    pub fn frequency_bins(&self) -> Vec<i64> {
        self.frequencies.iter().map(|&frequency| frequency.min(7)).collect()
    }

    /// Tenths by what was expected, 10 the highest; of equals, the customers in order.
    pub fn deciles(&self) -> Vec<i64> {
        super::tables::deciles(self.pairs.len(), |row| Some(self.pairs[row].1))
    }
}
