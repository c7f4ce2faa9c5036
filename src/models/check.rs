//! What tests of models share.

use super::fit::Fit;
use super::purchases::{PurchaseModel, Purchases};
use crate::stats::Derivatives;

/// The CDNOW sample, 39 weeks observed, x, t_x and T rounded to two decimals as published.
/// `tests/expected/cdnow_weeks.py` makes it.
pub fn cdnow() -> Vec<Purchases> {
    let table = include_str!("../../tests/expected/cdnow_weeks.csv");
    let row = |line: &str| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().expect("a number")).collect();
        let [frequency, recency, age, customers] = cells[..] else { panic!("four cells") };
        Purchases { frequency, recency, age, customers }
    };
    table.lines().skip(1).map(row).collect()
}

/// Parameters to 1e-5, the log-likelihood to 1e-3.
pub fn cdnow_fit(fit: &Fit<4>, expected: [f64; 4], log_likelihood: f64) {
    assert!(fit.converged() && fit.identified == [true; 4], "{fit:?}");
    for (found, expected) in fit.parameters.into_iter().zip(expected) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{expected} in {fit:?}");
    }
    assert!((fit.log_likelihood - log_likelihood).abs() < 1e-4, "{fit:?}");
}

pub fn standard_errors(fit: &Fit<4>, expected: [f64; 4]) {
    let errors = fit.standard_errors.expect("identified");
    for (found, expected) in errors.into_iter().zip(expected) {
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} is not {expected}");
    }
}

/// P(alive) and the purchases expected in 39 weeks, from 40-digit arithmetic, to the digits of the literature.
pub fn customer(model: &impl PurchaseModel, (x, t_x, age): (f64, f64, f64), alive: f64, next: f64) {
    let row = Purchases { frequency: x, recency: t_x, age, customers: 1.0 };
    let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-6 * wanted.abs();
    let found = model.p_alive(&row);
    assert!(close(found, alive), "{model:?} {row:?}: {found} is not {alive}");
    let found = model.expected_purchases(&row, 39.0);
    assert!(close(found, next), "{model:?} {row:?}: {found} is not {next}");
}

/// Compares exact derivatives with differences.
pub fn derivatives<const N: usize>(of: impl Fn(&[f64; N]) -> Derivatives<N>, at: [f64; N]) {
    let exact = of(&at);
    for i in 0..N {
        let step = 1e-5 * at[i];
        let (mut up, mut down) = (at, at);
        up[i] += step;
        down[i] -= step;
        let (up, down) = (of(&up), of(&down));
        let slope = (up.value - down.value) / (2.0 * step);
        let error = (slope - exact.gradient[i]).abs();
        assert!(error < 1e-6 * slope.abs().max(1.0), "{i}: {slope} in {exact:?}");
        for j in 0..N {
            let slope = (up.gradient[j] - down.gradient[j]) / (2.0 * step);
            let error = (slope - exact.hessian[i][j]).abs();
            assert!(error < 1e-5 * slope.abs().max(1.0), "{i} {j}: {slope} in {exact:?}");
        }
    }
}
