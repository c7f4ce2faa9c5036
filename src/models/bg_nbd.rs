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

/// Within these the expectation is summed as a series: its terms fall like z^k and lose few digits.
/// Elsewhere it is integrated.
const SERIES_A: f64 = 10.0;
const SERIES_B: f64 = 1_000.0;
const SERIES_R: f64 = 10.0;
const SERIES_Z: f64 = 0.98;

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
        fit(&parts(rows), &starts, Part::weight, term)
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
        let (a, b, r) = (self.a, self.b, self.r);
        let base = self.alpha + age;
        let z = time / (base + time);
        if a > SERIES_A || b > SERIES_B || r > SERIES_R || z > SERIES_Z {
            return self.by_quadrature(frequency, age, time);
        }
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
        let mut k = 1.0;
        loop {
            sum += term;
            let ratio = (a + b - 1.0 - r + k) * (a + k - 1.0) / ((c + k) * (k + 1.0)) * z;
            term *= ratio;
            // What is left is a geometric series at most, once the factors have passed their zeros.
            if term == 0.0 || k > r && ratio < 1.0 && term.abs() < 1e-17 * (1.0 - z) * sum.abs() {
                break;
            }
            k += 1.0;
        }
        let expected = lead - exponent.exp() * sum;
        // What rounding leaves below zero is nothing.
        if expected.is_finite() { expected.max(0.0) } else { 0.0 }
    }
}

/// A beta distribution with a shape below this has a tail on that side (in the log-odds) too long to
/// walk along.
const LONG_TAIL: f64 = 0.3;

impl BgNbd {
    /// The same expectation as a mean over p, for any parameters:
    ///
    /// ```text
    /// ∫ g(p) Beta(p; a, b+x) dp,  g(p) = (1 − (1 + p t / (α+T))^−(r+x)) / p
    /// ```
    ///
    /// In the log-odds u of p the integrand is analytic in a strip of half-width π/2 at least and falls
    /// exponentially on both sides, so the trapezoidal rule has all digits at steps of 1/4, or of half a
    /// standard deviation if that is less; the beta function is the sum of the weights. Where a shape is
    /// small, the value of g at that end, whose mean is known, is taken off first; what remains is
    /// weighted with a shape that is larger by 1.
    fn by_quadrature(&self, frequency: f64, age: f64, time: f64) -> f64 {
        let (left, right) = (self.a, self.b + frequency);
        let (power, ratio) = (self.r + frequency, time / (self.alpha + age));
        let silent = |p: f64| -(-power * (p * ratio).ln_1p()).exp_m1();
        let (long_left, long_right) = (left < LONG_TAIL, right < LONG_TAIL);
        let at_zero = if long_left { power * ratio } else { 0.0 };
        let at_one = if long_right { silent(1.0) } else { 0.0 };
        let left_shape = if long_left { left + 1.0 } else { left };
        let right_shape = if long_right { right + 1.0 } else { right };
        let shapes = left_shape + right_shape;

        let softplus = |u: f64| u.max(0.0) + (-u.abs()).exp().ln_1p();
        let mode = (left_shape / right_shape).ln();
        let step = (0.5 * (1.0 / left_shape + 1.0 / right_shape).sqrt()).min(0.25);
        let top = left_shape * mode - shapes * softplus(mode);
        let (mut whole, mut sum) = (0.0, 0.0);
        for (start, direction) in [(0.0, -1.0), (1.0, 1.0)] {
            let mut k = start;
            loop {
                let u = mode + direction * k * step;
                let soft = softplus(u);
                let weight = (left_shape * u - shapes * soft - top).exp();
                if weight < 1e-18 * whole {
                    break;
                }
                let (p, rest) = ((u - soft).exp(), (-soft).exp());
                let mut value = silent(p) / p - at_zero * rest - at_one * p;
                if long_left {
                    value /= p;
                }
                if long_right {
                    value /= rest;
                }
                whole += weight;
                sum += weight * value;
                k += 1.0;
            }
        }
        // The mean of what was taken off, and B(left_shape, right_shape) / B(left, right).
        let both = left + right;
        let ends = (at_zero * right + at_one * left) / both;
        let part = match (long_left, long_right) {
            (false, false) => 1.0,
            (true, false) => left / both,
            (false, true) => right / both,
            (true, true) => left * right / (both * (both + 1.0)),
        };
        (ends + part * sum / whole).max(0.0)
    }
}

/// The likelihood falls into a part that depends on the purchases alone, which many customers share, and
/// one that depends on when they were.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Customers with this frequency, which is not 0.
    Frequency {
        frequency: f64,
        customers: f64,
    },
    History(Purchases),
}

impl Part {
    fn weight(&self) -> f64 {
        match self {
            Part::Frequency { customers, .. } => *customers,
            Part::History(row) => row.customers,
        }
    }
}

fn parts(rows: &[Purchases]) -> Vec<Part> {
    let mut frequencies: BTreeMap<u64, f64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.frequency > 0.0) {
        *frequencies.entry(row.frequency.to_bits()).or_default() += row.customers;
    }
    let frequency =
        |(bits, customers)| Part::Frequency { frequency: f64::from_bits(bits), customers };
    let histories = rows.iter().map(|row| Part::History(*row));
    frequencies.into_iter().map(frequency).chain(histories).collect()
}

const R: usize = 0;
const ALPHA: usize = 1;
const A: usize = 2;
const B: usize = 3;

/// A part of the log-likelihood of one customer with its derivatives.
///
/// ```text
/// A1 + A2 + A3 + ln(e^A4 + e^A5), the last term only for x > 0:
/// A1 = ln Γ(r+x) − ln Γ(r)                 A4 = −(r+x) ln(α+T)
/// A2 = ln B(a, b+x) − ln B(a, b)           A5 = ln a − ln(b+x−1) − (r+x) ln(α+t_x)
/// A3 = r ln α
/// ```
fn term(part: &Part, parameters: &[f64; 4]) -> Derivatives<4> {
    let mut total = match part {
        Part::Frequency { frequency, .. } => of_frequency(*frequency, parameters),
        Part::History(row) => of_history(row, parameters),
    };
    for i in 0..4 {
        for j in 0..i {
            total.hessian[i][j] = total.hessian[j][i];
        }
    }
    total
}

/// A1 + A2; of the Hessian, the upper half.
fn of_frequency(x: f64, &[r, _, a, b]: &[f64; 4]) -> Derivatives<4> {
    let rate = ln_gamma(r + x) - ln_gamma(r);
    let kept = ln_gamma(b + x) - ln_gamma(b) + ln_gamma(a + b) - ln_gamma(a + b + x);
    let mut total = Derivatives::<4> { value: rate + kept, ..Derivatives::default() };
    total.gradient[R] = digamma(r + x) - digamma(r);
    total.hessian[R][R] = trigamma(r + x) - trigamma(r);
    let both = digamma(a + b) - digamma(a + b + x);
    let both_slope = trigamma(a + b) - trigamma(a + b + x);
    total.gradient[A] = both;
    total.gradient[B] = digamma(b + x) - digamma(b) + both;
    total.hessian[A][A] = both_slope;
    total.hessian[A][B] = both_slope;
    total.hessian[B][B] = trigamma(b + x) - trigamma(b) + both_slope;
    total
}

/// A3 + ln(e^A4 + e^A5); of the Hessian, the upper half.
fn of_history(row: &Purchases, &[r, alpha, a, b]: &[f64; 4]) -> Derivatives<4> {
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
        return total;
    }

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
        let rows = [row(0.0, 0.0, 38.9), row(2.0, 30.4, 38.9), row(40.0, 30.0, 30.0)];
        for part in parts(&rows) {
            let exact = term(&part, &at);
            for i in 0..4 {
                let step = 1e-5 * at[i];
                let (mut up, mut down) = (at, at);
                up[i] += step;
                down[i] -= step;
                let (up, down) = (term(&part, &up), term(&part, &down));
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

    /// From 40-digit arithmetic: r, α, a, b, x, T, t and the purchases expected. Shapes from hundredths to
    /// millions, by series and by integral.
    #[test]
    fn expectations_of_extreme_populations() {
        let table = [
            ([0.2426, 4.4135, 0.7929, 2.4258, 2.0, 38.86, 39.0], 1.687_169_979_485_937_7),
            ([0.2426, 4.4135, 0.7929, 2.4258, 0.0, 0.0, 5_200.0], 12.136_866_180_059_059),
            ([0.2426, 4.4135, 1e3, 5e3, 2.0, 39.0, 52.0], 2.011_135_241_098_973_7),
            ([0.2426, 4.4135, 1e6, 1e7, 2.0, 39.0, 52.0], 2.275_786_708_533_908_7),
            ([0.2426, 4.4135, 0.05, 1e6, 5.0, 39.0, 52.0], 6.279_501_745_767_093),
            ([0.2426, 4.4135, 0.02, 0.1, 0.0, 39.0, 520.0], 2.420_535_466_053_720_4),
            ([30.0, 2.0, 6.0, 40.0, 3.0, 10.0, 52.0], 9.589_533_488_885_959),
            ([0.2426, 4.4135, 0.01, 2.0, 300.0, 10.0, 5_200.0], 103_139.371_307_032_2),
            ([1e5, 1e4, 0.4, 0.2, 0.0, 5.0, 52.0], 23.679_849_318_901_21),
            ([5.0, 1.0, 0.29, 0.2, 0.0, 0.0, 1_000.0], 230.582_132_031_514_8),
            ([5.0, 1.0, 0.31, 0.31, 0.0, 0.0, 1_000.0], 253.578_123_764_921_2),
            ([0.24, 4.4, 50.0, 1e4, 40.0, 39.0, 52.0], 42.782_568_581_861_15),
        ];
        for ([r, alpha, a, b, x, age, time], expected) in table {
            let model = BgNbd { r, alpha, a, b };
            let check = |found: f64| {
                let error = found / expected - 1.0;
                assert!(
                    error.abs() < 1e-11,
                    "{model:?} {x} {age} {time}: {found}, off by {error:e}"
                );
            };
            check(model.expected_if_alive(x, age, time));
            check(model.by_quadrature(x, age, time));
        }
    }

    /// Either side of every limit between series and integral, both give the same.
    #[test]
    fn series_and_integral_meet() {
        let mut largest = 0.0_f64;
        for (r, a, b) in [(0.3, 0.01, 0.02), (9.9, 0.5, 0.5), (9.9, 9.9, 990.0), (2.0, 1.0, 30.0)] {
            let model = BgNbd { r, alpha: 10.0, a, b };
            for x in [0.0, 1.0, 40.0, 2_000.0] {
                for time in [0.01, 1.0, 100.0, 480.0] {
                    let series = model.expected_if_alive(x, 0.0, time);
                    let integral = model.by_quadrature(x, 0.0, time);
                    largest = largest.max((series / integral - 1.0).abs());
                }
            }
        }
        assert!(largest < 1e-9, "{largest:e}");
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
        let fit = BgNbd::fit(&population(truth[1], truth[2]));
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
        let fit = BgNbd::fit(&rows);
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
