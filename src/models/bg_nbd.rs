//! BG/NBD: buying at a rate of one's own until, after some purchase, one stops.
//!
//! ```text
//! While a customer is alive, purchases come at rate λ; after each, the customer stops with probability p.
//!   λ ~ Gamma(r, α)    rate per unit of time; α has the unit of time
//!   p ~ Beta(a, b)
//! ```
//!
//! Symbols: x repeat purchases, t_x the time of the last of them, T the time observed, all from the first
//! purchase, in one unit.
//!
//! References: Fader, Hardie and Lee (2005), "Counting your customers" the easy way: an alternative to the
//! Pareto/NBD model, Marketing Science 24 (2).

use std::collections::BTreeMap;

use super::fit::{Fit, Likelihood, fit, log_likelihood};
pub use super::purchases::Purchases;
use super::purchases::{LogOdds, NO_DISCOUNT, PurchaseModel};
use crate::stats::{
    Derivatives, beta_mean, ln_rising, purchases_before_stopping, scaled_upper_gamma,
};

/// The model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

impl BgNbd {
    /// The names of the parameters, in the order of a fit.
    pub const NAMES: [&'static str; 4] = ["r", "alpha", "a", "b"];

    /// The parameters of a fit.
    pub fn of(parameters: [f64; 4]) -> Self {
        let [r, alpha, a, b] = parameters;
        BgNbd { r, alpha, a, b }
    }

    /// Fits the model. The rows should be in a fixed order: it is that of the sum.
    pub fn fit(rows: &[Purchases], z: f64) -> Fit<4> {
        fit(rows, z, &starts(rows), &Likelihood::of(parts, term))
    }

    /// The probability that a customer will buy again some time. It is 1 for customers without a repeat
    /// purchase: this model lets nobody stop before the second one.
    pub fn p_alive(&self, row: &Purchases) -> f64 {
        self.log_odds_of_stopped(row).p_alive()
    }

    /// Purchases expected of a customer within a time after the end of what is observed.
    pub fn expected_purchases(&self, row: &Purchases, time: f64) -> f64 {
        PurchaseModel::expected_purchases(self, row, time)
    }

    /// Repeat purchases expected of a new customer within a time.
    pub fn expected_repeats(&self, time: f64) -> f64 {
        self.expected_if_alive(0.0, 0.0, time)
    }
}

/// Rates near the observed one, at different shapes.
pub(super) fn starts(rows: &[Purchases]) -> [[f64; 4]; 3] {
    let customers: f64 = rows.iter().map(|row| row.customers).sum();
    let ages: f64 = rows.iter().map(|row| row.age * row.customers).sum();
    let repeats: f64 = rows.iter().map(|row| row.frequency * row.customers).sum();
    let age = (ages / customers.max(1.0)).max(1e-3);
    let rate = (repeats / ages.max(1e-9)).max(1e-6);
    [(0.5, 0.8, 2.0), (1.0, 1.0, 1.0), (0.25, 0.2, 4.0)]
        .map(|(r, a, b)| [r, (r / rate).min(age * 10.0), a, b])
}

impl PurchaseModel for BgNbd {
    const NAME: &'static str = "bg_nbd";
    const NAMES: [&'static str; 4] = BgNbd::NAMES;

    fn of(parameters: [f64; 4]) -> Self {
        BgNbd::of(parameters)
    }

    fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.a, self.b]
    }

    fn fit(rows: &[Purchases], z: f64) -> Fit<4> {
        BgNbd::fit(rows, z)
    }

    fn log_likelihood(&self, row: &Purchases) -> f64 {
        log_likelihood(&Likelihood::of(parts, term), row, &self.parameters())
    }

    /// a / (b+x−1) ((α+T) / (α+t_x))^(r+x), for x > 0.
    fn log_odds_of_stopped(&self, row: &Purchases) -> LogOdds {
        if row.frequency <= 0.0 {
            return LogOdds::NEVER;
        }
        let stopped_once = self.b + row.frequency - 1.0;
        let mut odds = odds_of_silence(self.r, self.alpha, row);
        odds.value += (self.a / stopped_once).ln();
        odds.gradient[A] = 1.0;
        odds.gradient[B] = -self.b / stopped_once;
        odds
    }

    fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64 {
        let (power, base) = (self.r + frequency, self.alpha + age);
        purchases_before_stopping(self.a, self.b + frequency, power, time / base)
    }

    /// Of a customer with rate λ and dropout probability p it is λ / (δ + p λ). The mean over λ, with
    /// R = r + x, is (R/p) ∫ e^(−zy) (1+y)^(−R−1) dy, z = δ (α+T) / p; that over p is summed.
    fn discounted_if_alive(&self, frequency: f64, age: f64, rate: f64) -> f64 {
        let power = self.r + frequency;
        let scale = rate.max(NO_DISCOUNT) * (self.alpha + age);
        beta_mean(self.a, self.b + frequency, |p, _| {
            // For large z the integral is 1 / z.
            if scale > 1e12 * p * (power + 1.0) {
                return power / scale;
            }
            power / p * scaled_upper_gamma(-power, scale / p)
        })
    }
}

/// The part of the odds that the rate has: ((α+T) / (α+t_x))^(r+x), with its derivatives.
pub(super) fn odds_of_silence(r: f64, alpha: f64, row: &Purchases) -> LogOdds {
    let (since_last, since_end) = (alpha + row.recency, alpha + row.age);
    let silence = ((row.age - row.recency) / since_last).ln_1p();
    let power = r + row.frequency;
    let mut gradient = [0.0; 4];
    gradient[R] = r * silence;
    gradient[ALPHA] = power * alpha * (row.recency - row.age) / (since_last * since_end);
    LogOdds { value: power * silence, gradient }
}

/// The likelihood falls into a part that depends on the purchases alone, which many customers share, and
/// one that depends on when they were.
#[derive(Debug, Clone, Copy)]
enum Part {
    Frequency(f64),
    History(Purchases),
}

fn parts(rows: &[Purchases]) -> Vec<(f64, Part)> {
    let frequencies = by_frequency(rows).into_iter().filter(|(_, frequency)| *frequency > 0.0);
    let frequency = |(customers, frequency)| (customers, Part::Frequency(frequency));
    let histories = rows.iter().map(|row| (row.customers, Part::History(*row)));
    frequencies.map(frequency).chain(histories).collect()
}

/// The customers with each frequency, in the order of the frequencies.
pub(super) fn by_frequency(rows: &[Purchases]) -> Vec<(f64, f64)> {
    let mut frequencies: BTreeMap<u64, f64> = BTreeMap::new();
    for row in rows {
        *frequencies.entry(row.frequency.to_bits()).or_default() += row.customers;
    }
    let each = frequencies.into_iter();
    each.map(|(bits, customers)| (customers, f64::from_bits(bits))).collect()
}

pub(super) const R: usize = 0;
pub(super) const ALPHA: usize = 1;
pub(super) const A: usize = 2;
pub(super) const B: usize = 3;

/// A part of the log-likelihood of one customer with its derivatives.
///
/// ```text
/// A1 + A2 + A3 + ln(e^A4 + e^A5), the last term only for x > 0:
/// A1 = ln Γ(r+x) − ln Γ(r)                 A4 = −(r+x) ln(α+T)
/// A2 = ln B(a, b+x) − ln B(a, b)           A5 = ln a − ln(b+x−1) − (r+x) ln(α+t_x)
/// A3 = r ln α
/// ```
fn term(part: &Part, parameters: &[f64; 4]) -> Derivatives<4> {
    symmetric(match part {
        Part::Frequency(frequency) => of_frequency(*frequency, parameters),
        Part::History(row) => of_history(row, parameters),
    })
}

/// Fills the lower half of the Hessian.
pub(super) fn symmetric(mut total: Derivatives<4>) -> Derivatives<4> {
    for i in 0..4 {
        for j in 0..i {
            total.hessian[i][j] = total.hessian[j][i];
        }
    }
    total
}

/// A1 + A2; of the Hessian, the upper half.
fn of_frequency(x: f64, &[r, _, a, b]: &[f64; 4]) -> Derivatives<4> {
    let (rate, kept, both) = (ln_rising(r, x), ln_rising(b, x), ln_rising(a + b, x));
    let value = rate[0] + kept[0] - both[0];
    let mut total = Derivatives::<4> { value, ..Derivatives::default() };
    total.gradient = [rate[1], 0.0, -both[1], kept[1] - both[1]];
    total.hessian[R][R] = rate[2];
    total.hessian[A][A] = -both[2];
    total.hessian[A][B] = -both[2];
    total.hessian[B][B] = kept[2] - both[2];
    total
}

/// A3 + ln(e^A4 + e^A5).
fn of_history(row: &Purchases, parameters: &[f64; 4]) -> Derivatives<4> {
    silence(row, parameters, (row.frequency > 0.0).then_some(row.frequency - 1.0))
}

/// r ln α − (r+x) ln(α+T) + ln(1 + odds of having stopped); of the Hessian, the upper half. `passed` are
/// the chances to stop that the customer passed before the last purchase; absent if there was none.
pub(super) fn silence(
    row: &Purchases,
    &[r, alpha, a, b]: &[f64; 4],
    passed: Option<f64>,
) -> Derivatives<4> {
    let x = row.frequency;
    let [value, by_r, by_alpha, mixed, curve] = of_rate(r, alpha, x, row.age);
    let mut total = Derivatives::<4> { value, ..Derivatives::default() };
    total.gradient = [by_r, by_alpha, 0.0, 0.0];
    total.hessian[R][ALPHA] = mixed;
    total.hessian[ALPHA][ALPHA] = curve;
    let Some(passed) = passed else { return total };

    let (until_last, until_end) = (alpha + row.recency, alpha + row.age);
    let gap = row.age - row.recency;
    let log = (gap / until_last).ln_1p();
    let (power, both) = (r + x, until_last * until_end);
    let odds = power * log + (a / (b + passed)).ln();
    let (share, rest) = (1.0 / (1.0 + (-odds).exp()), 1.0 / (1.0 + odds.exp()));
    total.value += odds.max(0.0) + (-odds.abs()).exp().ln_1p();
    let slope = [log, -power * gap / both, 1.0 / a, -1.0 / (b + passed)];
    let mut curve = [[0.0; 4]; 4];
    curve[R][ALPHA] = -gap / both;
    curve[ALPHA][ALPHA] = power * gap * (until_last + until_end) / (both * both);
    curve[A][A] = -1.0 / (a * a);
    curve[B][B] = 1.0 / (b + passed).powi(2);
    for i in 0..4 {
        total.gradient[i] += share * slope[i];
        for j in i..4 {
            total.hessian[i][j] += share * curve[i][j] + share * rest * slope[i] * slope[j];
        }
    }
    total
}

/// ln(α^r (α+t)^−(r+x)) and its derivatives by r and α: value, ∂r, ∂α, ∂r∂α, ∂α². In logarithms that are
/// small when α is large, and with the powers of α subtracted on paper.
pub(super) fn of_rate(r: f64, alpha: f64, x: f64, time: f64) -> [f64; 5] {
    let until = alpha + time;
    let log = (time / alpha).ln_1p();
    let mixed = time / (alpha * until);
    let curve = (x * alpha * alpha - r * time * (alpha + until)) / (alpha * until).powi(2);
    [-r * log - x * until.ln(), -log, (r * time / alpha - x) / until, mixed, curve]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::check;

    fn row(frequency: f64, recency: f64, age: f64) -> Purchases {
        Purchases { frequency, recency, age, customers: 1.0 }
    }

    /// The maximum of the likelihood on the CDNOW sample, x, t_x and T rounded to two decimals.
    const CDNOW: BgNbd = BgNbd { r: 0.2425929, alpha: 4.413532, a: 0.7928861, b: 2.425753 };

    #[test]
    fn derivatives_are_those_of_the_value() {
        let at = [0.3, 4.0, 0.8, 2.4];
        let rows = [row(0.0, 0.0, 38.9), row(2.0, 30.4, 38.9), row(40.0, 30.0, 30.0)];
        for (_, part) in parts(&rows) {
            check::derivatives(|at| term(&part, at), at);
        }
    }

    #[test]
    fn the_sample_of_the_literature() {
        let fit = BgNbd::fit(&check::cdnow(), 1.96);
        check::cdnow_fit(&fit, PurchaseModel::parameters(&CDNOW), -9_582.425_6);
        check::standard_errors(&fit, [0.012557, 0.37822, 0.18572, 0.70535]);
    }

    /// P(alive) and the purchases expected in 39 weeks, from 40-digit arithmetic.
    #[test]
    fn customers_of_the_literature() {
        check::customer(&CDNOW, (26.0, 30.86, 31.0), 0.9689197, 20.75057);
        check::customer(&CDNOW, (2.0, 30.43, 38.86), 0.7266092, 1.225910);
        check::customer(&CDNOW, (1.0, 1.71, 38.86), 0.2122274, 0.2032506);
        check::customer(&CDNOW, (0.0, 0.0, 38.86), 1.0, 0.1947808);
    }

    #[test]
    fn difficult_customers_have_finite_values() {
        let models = [
            CDNOW,
            BgNbd { a: 1.0, ..CDNOW },
            BgNbd { a: 1.0 + 1e-13, ..CDNOW },
            BgNbd { a: 0.2, b: 0.3, ..CDNOW },
            BgNbd { a: 0.5, b: 0.5, ..CDNOW },
            BgNbd { a: 6.0, b: 40.0, r: 30.0, alpha: 2.0 },
            BgNbd { a: 500.0, b: 5_000.0, ..CDNOW },
            BgNbd { a: 1e7, b: 1e8, ..CDNOW },
            BgNbd { a: 1e-3, b: 1e6, ..CDNOW },
        ];
        for model in models {
            for x in [0.0, 1.0, 5.0, 300.0, 5_000.0] {
                for (t_x, age) in [(0.0, 10.0), (10.0, 10.0), (9.99, 10.0), (10.0, 5_000.0)] {
                    let row = row(x, if x == 0.0 { 0.0 } else { t_x }, age);
                    let alive = model.p_alive(&row);
                    assert!((0.0..=1.0).contains(&alive), "{model:?} {row:?} {alive}");
                    let mut before = 0.0;
                    for time in [0.0, 1.0, 52.0, 5_200.0] {
                        let expected = model.expected_purchases(&row, time);
                        assert!(expected.is_finite() && expected >= before, "{model:?} {row:?}");
                        before = expected;
                    }
                }
            }
        }
    }

    /// Numbers in (0, 1), evenly spread and the same in each run: the fractions of the multiples of powers
    /// of the plastic number (Roberts, 2018), one power for each dimension.
    fn evenly(dimension: i32) -> impl FnMut() -> f64 {
        let root = 1.324_717_957_244_746_f64.powi(-dimension);
        let mut at = 0.5;
        move || {
            at = (at + root) % 1.0;
            at
        }
    }

    /// 20,000 customers who behave as the model says, observed for 52 weeks. With r = 1 and b = 1 the gamma
    /// and the beta distribution have closed inverses.
    fn population(alpha: f64, a: f64) -> Vec<Purchases> {
        let (mut rates, mut dropouts, mut bits) = (evenly(1), evenly(2), 0x1234_5678_9abc_def1_u64);
        let mut chance = move || {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            (bits >> 11) as f64 / (1_u64 << 53) as f64
        };
        let customer = |_| {
            let rate = -(1.0 - rates()).ln() / alpha;
            let dropout = dropouts().powf(1.0 / a);
            let (mut frequency, mut recency) = (0.0, 0.0);
            loop {
                let next = recency - (1.0 - chance()).ln() / rate;
                if next > 52.0 {
                    break;
                }
                (frequency, recency) = (frequency + 1.0, next);
                if chance() < dropout {
                    break;
                }
            }
            row(frequency, recency, 52.0)
        };
        (0..20_000).map(customer).collect()
    }

    #[test]
    fn parameters_of_a_simulated_population_are_found() {
        let truth = [1.0, 5.0, 0.5, 1.0];
        let fit = BgNbd::fit(&population(truth[1], truth[2]), 1.96);
        assert!(fit.converged() && fit.identified == [true; 4], "{fit:?}");
        let errors = fit.standard_errors.expect("identified");
        for i in 0..4 {
            let off = (fit.parameters[i] - truth[i]) / errors[i];
            assert!(off.abs() < 3.0 && errors[i] < 0.1 * truth[i], "{i}: {off} in {fit:?}");
        }
    }

    /// All buy at the same rate and nobody stops: r, α and b grow for ever, and the likelihood hardly.
    #[test]
    fn buyers_without_a_difference_end_the_search() {
        let weight = [8.0, 24.0, 36.0, 36.0, 27.0, 16.0, 8.0, 3.0, 1.0];
        let rows: Vec<Purchases> = (0..9)
            .zip(weight)
            .map(|(x, customers)| {
                let x = f64::from(x);
                Purchases { frequency: x, recency: 52.0 * x / (x + 1.0), age: 52.0, customers }
            })
            .collect();
        let fit = BgNbd::fit(&rows, 1.96);
        assert!(fit.converged() && fit.iterations < 200, "{fit:?}");
        assert!(fit.identified.iter().any(|known| !known), "{fit:?}");
        let expected = BgNbd::of(fit.parameters).expected_repeats(52.0);
        let observed = rows.iter().map(|row| row.frequency * row.customers).sum::<f64>()
            / weight.iter().sum::<f64>();
        assert!((expected / observed - 1.0).abs() < 0.02, "{expected} is not {observed}");
    }

    /// a = 1 exactly is the limit of its neighbours.
    #[test]
    fn the_expectation_passes_through_one() {
        let at = |a: f64| BgNbd { a, ..CDNOW }.expected_purchases(&row(3.0, 20.0, 38.0), 39.0);
        let (low, middle, high) = (at(1.0 - 1e-7), at(1.0), at(1.0 + 1e-7));
        assert!((low - middle).abs() < 1e-6 && (high - middle).abs() < 1e-6);
        assert!((low + high - 2.0 * middle).abs() < 1e-9);
    }
}
