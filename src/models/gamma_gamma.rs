//! Gamma-Gamma: how much a customer spends on a purchase.
//!
//! ```text
//! A purchase is worth z ~ Gamma(p, ν), and the customers' scales differ: ν ~ Gamma(q, γ).
//! The observed mean of x purchases is m; γ has the unit of money.
//! ```
//!
//! It rests on spend and frequency being independent: look at `spend_correlation`.
//!
//! References: Fader, Hardie and Lee (2005), RFM and CLV; Fader and Hardie (2013), The Gamma-Gamma model
//! of monetary value.

use super::fit::{Fit, Likelihood, fit};
use crate::stats::{Derivatives, ln_beta, ln_rising, trigamma};

/// How many customers spend alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spending {
    /// Purchases that the mean is of, x.
    pub purchases: f64,
    /// Their mean value, m > 0.
    pub mean: f64,
    /// The number of customers.
    pub customers: f64,
}

/// The model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    pub p: f64,
    pub q: f64,
    pub gamma: f64,
}

impl GammaGamma {
    /// The names of the parameters, in the order of a fit.
    pub const NAMES: [&'static str; 3] = ["p", "q", "gamma"];

    /// The parameters of a fit.
    pub fn of(parameters: [f64; 3]) -> Self {
        let [p, q, gamma] = parameters;
        GammaGamma { p, q, gamma }
    }

    /// Fits the model. The rows should be in a fixed order: it is that of the sum. `z` is the two-sided normal
    /// quantile of the level of intervals.
    ///
    /// Where everybody's mean is the same there is no maximum, for p and q grow for ever. The fit is then the
    /// limit, in which that mean is what anybody spends; no parameter is identified.
    pub fn fit(rows: &[Spending], z: f64) -> Fit<3> {
        if let Some(mean) = everybodys(rows) {
            return Fit::limit([CERTAIN, CERTAIN + 1.0, mean], z);
        }
        let customers: f64 = rows.iter().map(|row| row.customers).sum();
        let money: f64 = rows.iter().map(|row| row.mean * row.customers).sum();
        let mean = (money / customers.max(1.0)).max(1e-9);
        // p γ / (q − 1) is the population's mean.
        let starts =
            [(2.0, 3.0), (6.0, 4.0), (1.0, 2.0)].map(|(p, q)| [p, q, mean * (q - 1.0) / p]);
        let parts = |rows: &[Spending]| rows.iter().map(|row| (row.customers, *row)).collect();
        fit(rows, z, &starts, &Likelihood::of(parts, term))
    }

    /// The mean value of a purchase expected of a customer with a mean of `mean` over `purchases`; of
    /// anybody, if there were none. `None` where the expectation does not exist (p x + q ≤ 1).
    pub fn expected_spend(&self, purchases: f64, mean: f64) -> Option<f64> {
        let below = self.p * purchases + self.q - 1.0;
        let spend = self.p * (self.gamma + purchases * mean) / below;
        (below > 0.0 && spend.is_finite()).then_some(spend)
    }

    /// The gradient of the expected spend by the logarithms of p, q and γ; `None` where that is.
    pub fn expected_spend_gradient(&self, purchases: f64, mean: f64) -> Option<[f64; 3]> {
        let spend = self.expected_spend(purchases, mean)?;
        let below = self.p * purchases + self.q - 1.0;
        Some([
            spend * (self.q - 1.0) / below,
            -spend * self.q / below,
            spend * self.gamma / (self.gamma + purchases * mean),
        ])
    }
}

/// Means that differ by less than this share are the same: shapes of 10¹⁰ would say so, of which the
/// likelihood has no digits left.
const ALIKE: f64 = 1e-5;

/// What stands for shapes without end: expectations are those of the limit to the last digits.
const CERTAIN: f64 = 1e8;

/// The mean of all customers, if they all have the same.
fn everybodys(rows: &[Spending]) -> Option<f64> {
    let mut means = rows.iter().map(|row| row.mean);
    let first = means.next()?;
    let (low, high) =
        means.fold((first, first), |(low, high), mean| (low.min(mean), high.max(mean)));
    let (customers, money) = rows.iter().fold((0.0, 0.0), |(customers, money), row| {
        (customers + row.customers, money + row.mean * row.customers)
    });
    (low > 0.0 && high / low - 1.0 < ALIKE).then(|| money / customers)
}

/// The log-likelihood of one customer with its derivatives.
///
/// ```text
/// −ln B(px, q) − q ln(1 + xm/γ) − px ln(1 + γ/(xm)) − ln m
/// ```
///
/// The literature's form, ln Γ(px+q) − ln Γ(px) − ln Γ(q) + q ln γ + (px−1) ln m + px ln x − (px+q) ln(γ+xm),
/// is the same and cancels for many purchases.
fn term(row: &Spending, &[p, q, gamma]: &[f64; 3]) -> Derivatives<3> {
    let (x, m) = (row.purchases, row.mean);
    let (px, money) = (p * x, x * m);
    let whole = gamma + money;
    let (more, less) = ((money / gamma).ln_1p(), (gamma / money).ln_1p());
    let value = -ln_beta(px, q) - q * more - px * less - m.ln();
    let ([_, by_px, px_px], [_, by_q, q_q]) = (ln_rising(px, q), ln_rising(q, px));
    let gradient = [x * (by_px - less), by_q - more, (q * money - px * gamma) / (gamma * whole)];
    let (pq, p_gamma, q_gamma) = (x * trigamma(px + q), -x / whole, money / (gamma * whole));
    let hessian = [
        [x * x * px_px, pq, p_gamma],
        [pq, q_q, q_gamma],
        [p_gamma, q_gamma, -q / (gamma * gamma) + (px + q) / (whole * whole)],
    ];
    Derivatives { value, gradient, hessian }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::check;

    #[test]
    fn derivatives_are_those_of_the_value() {
        for (purchases, mean) in [(1.0, 10.0), (7.0, 120.5)] {
            let row = Spending { purchases, mean, customers: 1.0 };
            check::derivatives(|at| term(&row, at), [6.2, 3.7, 15.4]);
        }
    }

    /// 946 repeat buyers of the CDNOW sample, in the first 39 weeks, means rounded to cents as published.
    /// `tests/expected/cdnow_weeks.py` makes them.
    #[test]
    fn the_sample_of_the_literature() {
        let table = include_str!("../../tests/expected/cdnow_spend.csv");
        let row = |line: &str| {
            let cells: Vec<f64> =
                line.split(',').map(|cell| cell.parse().expect("a number")).collect();
            Spending { purchases: cells[0], mean: cells[1], customers: cells[2] }
        };
        let rows: Vec<Spending> = table.lines().skip(1).map(row).collect();
        assert_eq!(rows.iter().map(|row| row.customers).sum::<f64>(), 946.0);
        let fit = GammaGamma::fit(&rows, 1.96);
        assert!(fit.converged() && fit.identified == [true; 3], "{fit:?}");
        let expected = [(6.248802, 1.1897), (3.744588, 0.29017), (15.44775, 4.1600)];
        let errors = fit.standard_errors.expect("identified");
        for (i, (parameter, error)) in expected.into_iter().enumerate() {
            assert!((fit.parameters[i] / parameter - 1.0).abs() < 1e-6, "{fit:?}");
            assert!((errors[i] / error - 1.0).abs() < 1e-4, "{fit:?}");
        }
        assert!((fit.log_likelihood + 4_055.923_2).abs() < 1e-4, "{fit:?}");
    }

    /// Thousands of purchases at nearly one price are fitted, not lost in rounding.
    #[test]
    fn heavy_buyers_are_fitted() {
        let row = |(purchases, mean): (f64, f64)| Spending { purchases, mean, customers: 1.0 };
        for rows in [
            vec![(8_000.0, 25.0), (5_000.0, 26.0), (9_500.0, 24.5), (1.0, 90.0)],
            vec![(8_000.0, 1e-3), (5_000.0, 1.1e-3)],
        ] {
            let rows: Vec<Spending> = rows.into_iter().map(row).collect();
            let fit = GammaGamma::fit(&rows, 1.96);
            assert!(fit.converged(), "{rows:?} {fit:?}");
            assert!(fit.parameters.iter().all(|value| value.is_finite()), "{rows:?} {fit:?}");
        }
        let equal = [(3.0, 10.0), (5.0, 10.0), (1.0, 10.0)].map(row);
        let model = GammaGamma::of(GammaGamma::fit(&equal, 1.96).parameters);
        for (purchases, mean) in [(0.0, 0.0), (4.0, 10.0)] {
            let spend = model.expected_spend(purchases, mean).expect("it exists");
            assert!((spend - 10.0).abs() < 1e-3, "{spend}");
        }
    }

    /// Customers of the CDNOW sample: 24.65862 is the second purchase's worth of the first of them.
    #[test]
    fn spend_of_the_literature() {
        let model = GammaGamma { p: 6.248802, q: 3.744588, gamma: 15.44775 };
        let population = model.expected_spend(0.0, 0.0).expect("q > 1");
        assert!((population - 35.17100).abs() < 2e-4, "{population}");
        let first = model.expected_spend(2.0, 22.35).expect("it exists");
        assert!((first - 24.65862).abs() < 1e-5, "{first}");
        assert_eq!(GammaGamma { q: 0.9, ..model }.expected_spend(0.0, 0.0), None);
    }

    #[test]
    fn gradients_of_the_spend_are_those_of_its_value() {
        let at = [6.2_f64, 3.7, 15.4];
        for (purchases, mean) in [(0.0, 0.0), (1.0, 10.0), (7.0, 120.5)] {
            let gradient = GammaGamma::of(at).expected_spend_gradient(purchases, mean);
            for (i, exact) in gradient.expect("q > 1").into_iter().enumerate() {
                let moved = |by: f64| {
                    let mut at = at;
                    at[i] *= by.exp();
                    GammaGamma::of(at).expected_spend(purchases, mean).expect("q > 1")
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!(
                    (slope - exact).abs() < 1e-7 * slope.abs().max(1.0),
                    "{i}: {slope} {exact}"
                );
            }
        }
    }
}
