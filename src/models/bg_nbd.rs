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

use super::fit::{Fit, fit};
use crate::stats::{Derivatives, digamma, ln_gamma, trigamma};

/// How many customers have the same history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchases {
    /// Repeat purchases, x.
    pub frequency: f64,
    /// From the first purchase to the last, t_x.
    pub recency: f64,
    /// From the first purchase to the end of what is observed, T.
    pub age: f64,
    /// The number of customers.
    pub customers: f64,
}

/// The model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

/// From here on the expectation is integrated: the series would lose its digits, or give none.
const LARGE_A: f64 = 30.0;
const LARGE_B: f64 = 1_000.0;

/// The series of the expectation ends when its terms no longer change the sum, or here.
const MAX_TERMS: u32 = 200_000;

impl BgNbd {
    /// The names of the parameters, in the order of a fit.
    pub const NAMES: [&'static str; 4] = ["r", "alpha", "a", "b"];

    /// The parameters of a fit.
    pub fn of(parameters: [f64; 4]) -> Self {
        let [r, alpha, a, b] = parameters;
        BgNbd { r, alpha, a, b }
    }

    /// Fits the model. The rows should be in a fixed order: it is that of the sum.
    pub fn fit(rows: &[Purchases]) -> Fit<4> {
        let customers: f64 = rows.iter().map(|row| row.customers).sum();
        let ages: f64 = rows.iter().map(|row| row.age * row.customers).sum();
        let repeats: f64 = rows.iter().map(|row| row.frequency * row.customers).sum();
        // A rate near the observed one, at different shapes.
        let age = (ages / customers.max(1.0)).max(1e-3);
        let rate = (repeats / ages.max(1e-9)).max(1e-6);
        let starts = [(0.5, 0.8, 2.0), (1.0, 1.0, 1.0), (0.25, 0.2, 4.0)]
            .map(|(r, a, b)| [r, (r / rate).min(age * 10.0), a, b]);
        fit(rows, &starts, |row| row.customers, term)
    }

    /// The odds that a customer has stopped.
    fn odds_of_stopped(&self, row: &Purchases) -> f64 {
        if row.frequency <= 0.0 {
            return 0.0;
        }
        let ratio = ((row.age - row.recency) / (self.alpha + row.recency)).ln_1p();
        let log = (self.a / (self.b + row.frequency - 1.0)).ln() + (self.r + row.frequency) * ratio;
        log.exp()
    }

    /// The probability that a customer will buy again some time. It is 1 for customers without a repeat
    /// purchase: this model lets nobody stop before the second one.
    pub fn p_alive(&self, row: &Purchases) -> f64 {
        1.0 / (1.0 + self.odds_of_stopped(row))
    }

    /// Purchases expected of a customer within a time after the end of what is observed.
    pub fn expected_purchases(&self, row: &Purchases, time: f64) -> f64 {
        let expected = self.expected_if_alive(row.frequency, row.age, time);
        // Odds beyond the range of doubles leave nothing.
        let odds = self.odds_of_stopped(row);
        if odds.is_finite() { expected / (1.0 + odds) } else { 0.0 }
    }

    /// Repeat purchases expected of a new customer within a time.
    pub fn expected_repeats(&self, time: f64) -> f64 {
        self.expected_if_alive(0.0, 0.0, time)
    }

    /// The numerator of the expectation, after Euler's transform: no power of a large exponent, no pole
    /// at a + b + x = 1, finite through a = 1, and terms that fall like z^k whatever x is.
    ///
    /// ```text
    /// z = t / (α + T + t), c = a + b + x − 1
    /// c (1 − (1−z)^(a−1)) / (a−1) − (1−z)^(a−1) Σ (a+b−1−r)_k (a)_(k−1) / (c+1)_(k−1) z^k / k!, k ≥ 1
    /// ```
    fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64 {
        if time <= 0.0 {
            return 0.0;
        }
        if self.a >= LARGE_A || self.b >= LARGE_B {
            return self.by_quadrature(frequency, age, time);
        }
        let (a, b, r) = (self.a, self.b, self.r);
        let base = self.alpha + age;
        let z = time / (base + time);
        let log = -(time / base).ln_1p();
        let c = a + b + frequency - 1.0;
        let exponent = (a - 1.0) * log;
        let lead = if exponent.abs() < 1e-12 {
            // The limit at a = 1, with the next term of the expansion.
            -c * log * (1.0 + 0.5 * exponent)
        } else {
            -c * exponent.exp_m1() / (a - 1.0)
        };
        let (mut sum, mut term) = (0.0, (a + b - 1.0 - r) * z);
        for k in 1..=MAX_TERMS {
            sum += term;
            let k = f64::from(k);
            if term == 0.0 || term.abs() < 1e-17 * sum.abs() && k > c.abs() {
                break;
            }
            term *= (a + b - 1.0 - r + k) * (a + k - 1.0) / ((c + k) * (k + 1.0)) * z;
        }
        let expected = lead - exponent.exp() * sum;
        // What rounding leaves below zero is nothing.
        if expected.is_finite() { expected.max(0.0) } else { 0.0 }
    }
}

impl BgNbd {
    /// The same expectation as a mean over p, where the series would multiply 0 by infinity:
    ///
    /// ```text
    /// ∫ (1 − (1 + p t / (α+T))^−(r+x)) / p · Beta(p; a, b+x) dp
    /// ```
    ///
    /// With p = 1 / (1 + e^−u) the integrand is analytic and falls exponentially on both sides, so the
    /// trapezoidal rule has all digits. Every term is positive, and the beta function is the sum of the
    /// weights: nothing cancels.
    fn by_quadrature(&self, frequency: f64, age: f64, time: f64) -> f64 {
        let (left, right) = (self.a, self.b + frequency);
        let base = self.alpha + age;
        let softplus = |u: f64| u.max(0.0) + (-u.abs()).exp().ln_1p();
        let mode = (left / right).ln();
        let deviation = (1.0 / left + 1.0 / right).sqrt();
        let step = 0.25 * deviation;
        let reach = |tail: f64| ((9.0 * deviation + 40.0 / tail) / step).ceil().min(1e5) as i64;
        let top = left * mode - (left + right) * softplus(mode);
        let (mut whole, mut sum) = (0.0, 0.0);
        for k in -reach(left)..=reach(right) {
            let u = mode + k as f64 * step;
            let weight = (left * u - (left + right) * softplus(u) - top).exp();
            let p = (u - softplus(u)).exp();
            whole += weight;
            if p > 0.0 {
                let silent = -(self.r + frequency) * (p * time / base).ln_1p();
                sum += weight * -silent.exp_m1() / p;
            }
        }
        sum / whole
    }
}

/// The log-likelihood of one customer with its derivatives.
///
/// ```text
/// A1 + A2 + ln(e^A3 + e^A4), the last term only for x > 0:
/// A1 = ln Γ(r+x) − ln Γ(r) + r ln α        A3 = −(r+x) ln(α+T)
/// A2 = ln B(a, b+x) − ln B(a, b)           A4 = ln a − ln(b+x−1) − (r+x) ln(α+t_x)
/// ```
fn term(row: &Purchases, &[r, alpha, a, b]: &[f64; 4]) -> Derivatives<4> {
    const R: usize = 0;
    const ALPHA: usize = 1;
    const A: usize = 2;
    const B: usize = 3;
    let x = row.frequency;
    let mut total = Derivatives::<4>::default();
    let until_end = alpha + row.age;
    let alive = -(r + x) * until_end.ln();
    total.value = r * alpha.ln();
    total.gradient[R] = alpha.ln();
    total.gradient[ALPHA] = r / alpha;
    total.hessian[R][ALPHA] = 1.0 / alpha;
    total.hessian[ALPHA][ALPHA] = -r / (alpha * alpha);
    if x == 0.0 {
        total.value += alive;
        total.gradient[R] -= until_end.ln();
        total.gradient[ALPHA] -= r / until_end;
        total.hessian[R][ALPHA] -= 1.0 / until_end;
        total.hessian[ALPHA][ALPHA] += r / (until_end * until_end);
        total.hessian[ALPHA][R] = total.hessian[R][ALPHA];
        return total;
    }
    total.value += ln_gamma(r + x) - ln_gamma(r) + ln_gamma(b + x) - ln_gamma(b) + ln_gamma(a + b)
        - ln_gamma(a + b + x);
    total.gradient[R] += digamma(r + x) - digamma(r);
    total.hessian[R][R] += trigamma(r + x) - trigamma(r);
    let both = digamma(a + b) - digamma(a + b + x);
    let both_slope = trigamma(a + b) - trigamma(a + b + x);
    total.gradient[A] += both;
    total.gradient[B] += digamma(b + x) - digamma(b) + both;
    total.hessian[A][A] += both_slope;
    total.hessian[A][B] += both_slope;
    total.hessian[B][B] += trigamma(b + x) - trigamma(b) + both_slope;

    // The two ways to have been silent since the last purchase: still alive, or stopped then.
    let until_last = alpha + row.recency;
    let stopped = a.ln() - (b + x - 1.0).ln() - (r + x) * until_last.ln();
    let larger = alive.max(stopped);
    let whole = larger + ((alive - larger).exp() + (stopped - larger).exp()).ln();
    let share = (stopped - whole).exp();
    let rest = 1.0 - share;
    total.value += whole;
    let alive_slope = [-until_end.ln(), -(r + x) / until_end, 0.0, 0.0];
    let stopped_slope = [-until_last.ln(), -(r + x) / until_last, 1.0 / a, -1.0 / (b + x - 1.0)];
    let mut curve = [[0.0; 4]; 4];
    curve[R][ALPHA] = -rest / until_end - share / until_last;
    curve[ALPHA][ALPHA] =
        rest * (r + x) / (until_end * until_end) + share * (r + x) / (until_last * until_last);
    curve[A][A] = -share / (a * a);
    curve[B][B] = share / ((b + x - 1.0) * (b + x - 1.0));
    for i in 0..4 {
        total.gradient[i] += rest * alive_slope[i] + share * stopped_slope[i];
        let apart = stopped_slope[i] - alive_slope[i];
        for j in i..4 {
            let other = stopped_slope[j] - alive_slope[j];
            total.hessian[i][j] += curve[i][j] + share * rest * apart * other;
        }
    }
    for i in 0..4 {
        for j in 0..i {
            total.hessian[i][j] = total.hessian[j][i];
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(frequency: f64, recency: f64, age: f64) -> Purchases {
        Purchases { frequency, recency, age, customers: 1.0 }
    }

    /// The maximum of the likelihood on the CDNOW sample, x, t_x and T rounded to two decimals.
    const CDNOW: BgNbd = BgNbd { r: 0.2425929, alpha: 4.413532, a: 0.7928861, b: 2.425753 };

    #[test]
    fn derivatives_are_those_of_the_value() {
        let at = [0.3, 4.0, 0.8, 2.4];
        for row in [row(0.0, 0.0, 38.9), row(2.0, 30.4, 38.9), row(40.0, 30.0, 30.0)] {
            let exact = term(&row, &at);
            for i in 0..4 {
                let step = 1e-5 * at[i];
                let (mut up, mut down) = (at, at);
                up[i] += step;
                down[i] -= step;
                let (up, down) = (term(&row, &up), term(&row, &down));
                let slope = (up.value - down.value) / (2.0 * step);
                assert!((slope - exact.gradient[i]).abs() < 1e-6 * slope.abs().max(1.0));
                for j in 0..4 {
                    let slope = (up.gradient[j] - down.gradient[j]) / (2.0 * step);
                    let error = (slope - exact.hessian[i][j]).abs();
                    assert!(error < 1e-5 * slope.abs().max(1.0), "{i} {j} {slope} {exact:?}");
                }
            }
        }
    }

    /// P(alive) and the purchases expected in 39 weeks, from 40-digit arithmetic.
    #[test]
    fn customers_of_the_literature() {
        let check = |(x, t_x, age): (f64, f64, f64), alive: f64, expected: f64| {
            let row = row(x, t_x, age);
            let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-6 * wanted.abs();
            assert!(close(CDNOW.p_alive(&row), alive), "{}", CDNOW.p_alive(&row));
            let found = CDNOW.expected_purchases(&row, 39.0);
            assert!(close(found, expected), "{found} is not {expected}");
        };
        check((26.0, 30.86, 31.0), 0.9689197, 20.75057);
        check((2.0, 30.43, 38.86), 0.7266092, 1.225910);
        check((1.0, 1.71, 38.86), 0.2122274, 0.2032506);
        check((0.0, 0.0, 38.86), 1.0, 0.1947808);
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

    /// Customers who all stop at about the same rate: from 30-digit arithmetic, T = 39, t = 52, x = 2.
    #[test]
    fn nearly_equal_dropout_is_no_zero() {
        let at = |a: f64, b: f64| BgNbd { a, b, ..CDNOW }.expected_if_alive(2.0, 39.0, 52.0);
        assert!((at(1e3, 5e3) - 2.0111).abs() < 1e-4, "{}", at(1e3, 5e3));
        assert!((at(1e6, 1e7) - 2.2758).abs() < 1e-4, "{}", at(1e6, 1e7));
        // Series and integral meet.
        let model = BgNbd { a: 5.0, b: 50.0, ..CDNOW };
        for (x, t) in [(0.0, 52.0), (3.0, 10.0), (40.0, 500.0)] {
            let (series, integral) =
                (model.expected_if_alive(x, 39.0, t), model.by_quadrature(x, 39.0, t));
            assert!((series / integral - 1.0).abs() < 1e-10, "{series} {integral}");
        }
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
