//! Pareto/NBD: buying at a rate of one's own until one stops, at any moment.
//!
//! ```text
//! While a customer is alive, purchases come at rate λ; the lifetime is exponential with rate μ.
//!   λ ~ Gamma(r, α)    rate per unit of time; α has the unit of time
//!   μ ~ Gamma(s, β)    rate per unit of time; β has the unit of time
//! ```
//!
//! References: Schmittlein, Morrison and Colombo (1987), Counting your customers, Management Science 33;
//! Fader and Hardie (2005), A note on deriving the Pareto/NBD model and related expressions.

use super::bg_nbd::{ALPHA, R, by_frequency, of_rate, symmetric};
use super::fit::{Fit, Likelihood, fit, log_likelihood};
use super::purchases::{LogOdds, NO_DISCOUNT, PurchaseModel, Purchases};
use crate::stats::{Derivatives, ln_rising, panels, scaled_upper_gamma};

/// The model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoNbd {
    pub r: f64,
    pub alpha: f64,
    pub s: f64,
    pub beta: f64,
}

const S: usize = 2;
const BETA: usize = 3;

impl PurchaseModel for ParetoNbd {
    const NAME: &'static str = "pareto_nbd";
    const NAMES: [&'static str; 4] = ["r", "alpha", "s", "beta"];

    fn of(parameters: [f64; 4]) -> Self {
        let [r, alpha, s, beta] = parameters;
        ParetoNbd { r, alpha, s, beta }
    }

    fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.s, self.beta]
    }

    fn fit(rows: &[Purchases], z: f64) -> Fit<4> {
        let customers: f64 = rows.iter().map(|row| row.customers).sum();
        let ages: f64 = rows.iter().map(|row| row.age * row.customers).sum();
        let repeats: f64 = rows.iter().map(|row| row.frequency * row.customers).sum();
        let age = (ages / customers.max(1.0)).max(1e-3);
        // Those alive buy faster than the average shows.
        let rate = (2.0 * repeats / ages.max(1e-9)).max(1e-6);
        let starts = [(0.5, 0.5, 0.5), (1.0, 1.0, 2.0), (0.25, 2.0, 8.0)]
            .map(|(r, s, ages)| [r, (r / rate).min(age * 10.0), s, age * ages]);
        fit(rows, z, &starts, &Likelihood::of(parts, term))
    }

    fn log_likelihood(&self, row: &Purchases) -> f64 {
        log_likelihood(&Likelihood::of(parts, term), row, &self.parameters())
    }

    fn log_odds_of_stopped(&self, row: &Purchases) -> LogOdds {
        let parameters = self.parameters();
        let Some(stopped) = stopped(row, &parameters, Order::Gradient) else {
            return LogOdds::NEVER;
        };
        let alive = alive(row, &parameters);
        let mut gradient = [0.0; 4];
        for i in 0..4 {
            gradient[i] = parameters[i] * (stopped.gradient[i] - alive.gradient[i]);
        }
        LogOdds { value: stopped.value - alive.value, gradient }
    }

    /// (r+x)/(α+T) times the mean lifetime within t, (β+T) (1 − ((β+T)/(β+T+t))^(s−1)) / (s−1).
    fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64 {
        if time <= 0.0 {
            return 0.0;
        }
        let base = self.beta + age;
        let log = (time / base).ln_1p();
        let exponent = (1.0 - self.s) * log;
        let lifetime = if exponent.abs() < 1e-12 {
            // The limit at s = 1, with the next term of the expansion.
            log * (1.0 + 0.5 * exponent)
        } else {
            exponent.exp_m1() / (1.0 - self.s)
        };
        (self.r + frequency) / (self.alpha + age) * base * lifetime
    }

    /// (r+x)/(α+T) times the discounted lifetime, (β+T) ∫ e^(−zy) (1+y)^−s dy with z = δ (β+T): the
    /// confluent U(1, 2−s, z) without a confluent function.
    fn discounted_if_alive(&self, frequency: f64, age: f64, rate: f64) -> f64 {
        let base = self.beta + age;
        let rate = rate.max(NO_DISCOUNT);
        (self.r + frequency) / (self.alpha + age)
            * base
            * scaled_upper_gamma(1.0 - self.s, rate * base)
    }
}

/// The part of the likelihood that depends on the purchases alone, and the one that depends on when they
/// were.
#[derive(Debug, Clone, Copy)]
enum Part {
    Frequency(f64),
    History(Purchases),
}

fn parts(rows: &[Purchases]) -> Vec<(f64, Part)> {
    let frequency = |(customers, frequency)| (customers, Part::Frequency(frequency));
    let histories = rows.iter().map(|row| (row.customers, Part::History(*row)));
    by_frequency(rows).into_iter().map(frequency).chain(histories).collect()
}

/// A part of the log-likelihood of one customer with its derivatives.
///
/// ```text
/// ln Γ(r+x) − ln Γ(r) + ln(alive + stopped)
/// alive   = α^r β^s (α+T)^−(r+x) (β+T)^−s
/// stopped = s ∫ α^r β^s (α+τ)^−(r+x) (β+τ)^−(s+1) dτ over (t_x, T)
/// ```
///
/// The literature has ₂F₁ in place of the integral. As an integral it has derivatives by the parameters
/// that are integrals of the same kind, all from the same points, and nothing cancels: the integrand is
/// positive.
fn term(part: &Part, parameters: &[f64; 4]) -> Derivatives<4> {
    symmetric(match part {
        Part::Frequency(frequency) => {
            let [value, slope, curve] = ln_rising(parameters[R], *frequency);
            let mut total = Derivatives::<4> { value, ..Derivatives::default() };
            total.gradient[R] = slope;
            total.hessian[R][R] = curve;
            total
        }
        Part::History(row) => of_history(row, parameters),
    })
}

/// ln(alive + stopped); of the Hessian, the upper half.
fn of_history(row: &Purchases, parameters: &[f64; 4]) -> Derivatives<4> {
    let alive = alive(row, parameters);
    let Some(stopped) = stopped(row, parameters, Order::Hessian) else { return alive };
    let odds = stopped.value - alive.value;
    let (share, rest) = (1.0 / (1.0 + (-odds).exp()), 1.0 / (1.0 + odds.exp()));
    let mut total = alive.clone();
    total.value += odds.max(0.0) + (-odds.abs()).exp().ln_1p();
    for i in 0..4 {
        let apart = stopped.gradient[i] - alive.gradient[i];
        total.gradient[i] += share * apart;
        for j in i..4 {
            let other = stopped.gradient[j] - alive.gradient[j];
            let curve = stopped.hessian[i][j] - alive.hessian[i][j];
            total.hessian[i][j] += share * curve + share * rest * apart * other;
        }
    }
    total
}

/// ln alive; of the Hessian, the upper half.
fn alive(row: &Purchases, &[r, alpha, s, beta]: &[f64; 4]) -> Derivatives<4> {
    let buying = of_rate(r, alpha, row.frequency, row.age);
    let living = of_rate(s, beta, 0.0, row.age);
    let mut total = Derivatives::<4> { value: buying[0] + living[0], ..Derivatives::default() };
    total.gradient = [buying[1], buying[2], living[1], living[2]];
    total.hessian[R][ALPHA] = buying[3];
    total.hessian[ALPHA][ALPHA] = buying[4];
    total.hessian[S][BETA] = living[3];
    total.hessian[BETA][BETA] = living[4];
    total
}

/// Which derivatives are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Gradient,
    Hessian,
}

/// What is e^−this of the largest is left out.
const NOTHING: f64 = 42.0;

/// ln stopped; of the Hessian, the upper half. `None` where there was no time to stop in.
///
/// With m = min(α, β) and τ = (m + t_x) eᵘ − m the integrand is e^−ku (M + τ)^−p: its only singularities
/// are π off the real line, whatever the parameters, and heavy buyers make it an exponential that the
/// panels follow.
fn stopped(row: &Purchases, parameters: &[f64; 4], order: Order) -> Option<Derivatives<4>> {
    let &[r, alpha, s, beta] = parameters;
    let (x, start) = (row.frequency, row.recency);
    if row.age <= start {
        return None;
    }
    let power = r + x;
    let lesser = alpha.min(beta);
    let (since, larger) = (lesser + start, alpha.max(beta) + start);
    // The exponents of the lesser, after dτ = (m+τ) du, and of the larger.
    let (near, far) = if alpha <= beta { (power - 1.0, s + 1.0) } else { (s, power) };
    let whole = ((row.age - start) / since).ln_1p();
    let fallen = |u: f64| near * u + far * (since * u.exp_m1() / larger).ln_1p();
    let length = reach(near + far * since / larger, whole, fallen);
    let change = fallen(length).abs().max(near.abs() * length);

    let lesser_first = alpha <= beta;
    // ln(1 + t_x/m) and ln(1 + t_x/M): what the logarithms at t_x + passed have beyond those of the loop.
    let (near_start, far_start) = ((start / lesser).ln_1p(), (start / alpha.max(beta)).ln_1p());
    let (mut mass, mut first, mut second) = (0.0, [0.0; 4], [[0.0; 4]; 4]);
    for (u, width) in panels(length, change) {
        let passed = since * u.exp_m1();
        let log = (passed / larger).ln_1p();
        let weight = width * (-near * u - far * log).exp();
        let time = start + passed;
        let (by_near, by_far) = (-near_start - u, -far_start - log);
        let (by_r, by_s) = if lesser_first { (by_near, by_far) } else { (by_far, by_near) };
        let (per_alpha, per_beta) = (1.0 / (alpha + time), 1.0 / (beta + time));
        let (of_alpha, of_beta) = (time / alpha, time / beta);
        let slope = [by_r, (r * of_alpha - x) * per_alpha, by_s, (s * of_beta - 1.0) * per_beta];
        mass += weight;
        for i in 0..4 {
            first[i] += weight * slope[i];
        }
        if order == Order::Hessian {
            for i in 0..4 {
                for j in i..4 {
                    second[i][j] += weight * slope[i] * slope[j];
                }
            }
            let buying = (x - r * of_alpha * (2.0 + of_alpha)) * per_alpha * per_alpha;
            let living = (1.0 - s * of_beta * (2.0 + of_beta)) * per_beta * per_beta;
            second[R][ALPHA] += weight * of_alpha * per_alpha;
            second[ALPHA][ALPHA] += weight * buying;
            second[S][BETA] += weight * of_beta * per_beta;
            second[BETA][BETA] += weight * living;
        }
    }
    // At t_x, with the density of dτ.
    let at_start = of_rate(r, alpha, x, start)[0] + of_rate(s, beta, 1.0, start)[0];
    let mut total = Derivatives::<4> {
        value: s.ln() + at_start + since.ln() + mass.ln(),
        gradient: first.map(|sum| sum / mass),
        hessian: second,
    };
    for i in 0..4 {
        for j in i..4 {
            total.hessian[i][j] =
                total.hessian[i][j] / mass - total.gradient[i] * total.gradient[j];
        }
    }
    total.gradient[S] += 1.0 / s;
    total.hessian[S][S] -= 1.0 / (s * s);
    total.value.is_finite().then_some(total)
}

/// How far to integrate: to the end, or to where the integrand, which falls at a rate that grows, has
/// fallen to nothing.
fn reach(rate: f64, whole: f64, fallen: impl Fn(f64) -> f64) -> f64 {
    let mut length = if rate > 0.0 { whole.min(NOTHING / rate) } else { whole };
    if fallen(length) > 1.5 * NOTHING {
        let (mut low, mut high) = (0.0, length);
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if fallen(middle) < NOTHING { low = middle } else { high = middle }
        }
        length = high;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::check;

    #[test]
    fn derivatives_are_those_of_the_value() {
        for at in [[0.55, 10.6, 0.61, 11.7], [0.55, 11.6, 0.61, 10.7], [2.0, 0.01, 3.0, 50.0]] {
            for (x, t_x, age) in
                [(0.0, 0.0, 38.9), (2.0, 30.4, 38.9), (40.0, 10.0, 30.0), (5.0, 3.0, 3.0)]
            {
                let row = Purchases { frequency: x, recency: t_x, age, customers: 1.0 };
                for (_, part) in parts(&[row]) {
                    check::derivatives(|at| term(&part, at), at);
                }
            }
        }
    }

    #[test]
    fn the_sample_of_the_literature() {
        let expected = [0.5532755, 10.57761, 0.6062136, 11.66791];
        let fit = ParetoNbd::fit(&check::cdnow(), 1.96);
        check::cdnow_fit(&fit, expected, -9_594.973_9);
        check::standard_errors(&fit, [0.047629, 0.84274, 0.18728, 6.2110]);
        let model = ParetoNbd::of(expected);
        check::customer(&model, (26.0, 30.86, 31.0), 0.9979179, 20.11587);
        check::customer(&model, (2.0, 30.43, 38.86), 0.8691187, 1.455113);
        check::customer(&model, (1.0, 1.71, 38.86), 0.1678720, 0.1709805);
        check::customer(&model, (0.0, 0.0, 38.86), 0.2950972, 0.1070598);
    }

    /// 15% a year, compounded, in weeks of which there are 52.
    #[test]
    fn residual_values_of_the_literature() {
        let model = ParetoNbd::of([0.5532755, 10.57761, 0.6062136, 11.66791]);
        let check = |(x, t_x, age): (f64, f64, f64), expected: f64| {
            let row = Purchases { frequency: x, recency: t_x, age, customers: 1.0 };
            let found =
                model.p_alive(&row) * model.discounted_if_alive(x, age, 1.15_f64.ln() / 52.0);
            assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
        };
        check((26.0, 30.86, 31.0), 86.26421);
        check((2.0, 30.43, 38.86), 6.500199);
        check((1.0, 1.71, 38.86), 0.7637945);
        check((0.0, 0.0, 38.86), 0.4782515);
    }
}
