//! What customers will buy, with intervals by the delta method.
//!
//! A forecast is a smooth function of the parameters, and those are known with a covariance. So a forecast
//! carries its gradient g by the logarithms of the parameters, and its standard error is √(gᵀ C g), C the
//! covariance of a [`Fit`](super::Fit). Gradients add: that of a total over customers is the sum of
//! theirs, which keeps what they have in common.
//!
//! The intervals are those of expectations. What a single customer then does varies about its expectation
//! besides.

use std::collections::HashMap;

use rayon::prelude::*;

use super::purchases::{ModelKind, PurchaseModel, Purchases, with_model};

/// A positive number with its gradient by the logarithms of N parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity<const N: usize> {
    pub value: f64,
    pub gradient: [f64; N],
}

impl<const N: usize> Default for Quantity<N> {
    fn default() -> Self {
        Quantity { value: 0.0, gradient: [0.0; N] }
    }
}

impl<const N: usize> Quantity<N> {
    /// Adds another of the same parameters, `times` times.
    pub fn add(&mut self, other: &Quantity<N>, times: f64) {
        self.value += times * other.value;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, g)| *sum += times * g);
    }

    /// gᵀ C g, C the covariance of the logarithms of the parameters.
    pub fn variance(&self, covariance: &[[f64; N]; N]) -> f64 {
        let of_row =
            |row: &[f64; N]| row.iter().zip(&self.gradient).map(|(c, g)| c * g).sum::<f64>();
        let sum: f64 = covariance.iter().zip(&self.gradient).map(|(row, g)| g * of_row(row)).sum();
        sum.max(0.0)
    }

    /// The standard error.
    pub fn standard_error(&self, covariance: &[[f64; N]; N]) -> f64 {
        self.variance(covariance).sqrt()
    }

    /// z standard errors to both sides, see [`log_interval`].
    pub fn interval(&self, covariance: &[[f64; N]; N], z: f64) -> (f64, f64) {
        log_interval(self.value, self.standard_error(covariance), z)
    }
}

/// The interval of a positive number, z standard errors of its logarithm to both sides: its ends are
/// positive too. Of 0 it is [0, z standard errors]. What would be beyond doubles ends at the largest.
pub fn log_interval(value: f64, standard_error: f64, z: f64) -> (f64, f64) {
    if value <= 0.0 {
        return (0.0, z * standard_error);
    }
    let factor = (z * standard_error / value).exp();
    (value / factor, (value * factor).min(f64::MAX))
}

/// How far a forecast looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// In units of time; absent: for as long as discounting leaves anything.
    pub horizon: Option<f64>,
    /// Effective, per unit of time: 0.01 takes 1% off a purchase a unit away. Above 0 without a horizon.
    pub discount: f64,
}

/// What a history forecasts, for one customer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outlook {
    pub p_alive: f64,
    /// Purchases within the horizon; without one, as `discounted`.
    pub expected: Quantity<4>,
    /// Purchases, each discounted to the end of what is observed:
    /// Σ (E(k) − E(k−1)) (1+d)^−k over whole units k and the rest of the horizon.
    pub discounted: Quantity<4>,
}

/// The outlook of each history, in their order.
pub fn outlooks(
    kind: ModelKind,
    parameters: &[f64; 4],
    histories: &[Purchases],
    ahead: &Ahead,
) -> Vec<Outlook> {
    with_model!(kind, Model => outlooks_of::<Model>(parameters, histories, ahead, true))
}

/// The same without gradients, which intervals alone need.
pub(super) fn plain_outlooks(
    kind: ModelKind,
    parameters: &[f64; 4],
    histories: &[Purchases],
    ahead: &Ahead,
) -> Vec<Outlook> {
    with_model!(kind, Model => outlooks_of::<Model>(parameters, histories, ahead, false))
}

/// The purchases expected of each history within a time, in their order, without gradients.
pub fn expectations(
    kind: ModelKind,
    parameters: &[f64; 4],
    histories: &[Purchases],
    time: f64,
) -> Vec<f64> {
    with_model!(kind, Model => {
        let model = Model::of(*parameters);
        let (states, place_of) = states(histories);
        let alive: Vec<f64> = states
            .par_iter()
            .with_min_len(64)
            .map(|&[x, age]| model.expected_if_alive(x, age, time))
            .collect();
        let odds = model.log_odds(histories);
        odds.iter().zip(&place_of).map(|(odds, &place)| odds.p_alive() * alive[place]).collect()
    })
}

/// The distinct x and T of histories, and which each has.
fn states(histories: &[Purchases]) -> (Vec<[f64; 2]>, Vec<usize>) {
    let mut places: HashMap<[u64; 2], usize> = HashMap::new();
    let mut states = Vec::new();
    let mut place_of = Vec::with_capacity(histories.len());
    for row in histories {
        let state = [row.frequency, row.age];
        let place = *places.entry(state.map(f64::to_bits)).or_insert_with(|| {
            states.push(state);
            states.len() - 1
        });
        place_of.push(place);
    }
    (states, place_of)
}

fn outlooks_of<Model: PurchaseModel>(
    parameters: &[f64; 4],
    histories: &[Purchases],
    ahead: &Ahead,
    gradients: bool,
) -> Vec<Outlook> {
    let (states, place_of) = states(histories);
    let of_values = steps::<PLACES>(ahead, &OF_VALUES);
    let of_gradients = steps::<FEW_PLACES>(ahead, &OF_GRADIENTS);
    let steps = [of_values, of_gradients];
    let model = Model::of(*parameters);
    let odds = model.log_odds(histories);
    // Each is a function of its state alone, collected in order: the threads do not matter.
    let states: Vec<[Quantity<4>; 2]> = states
        .par_iter()
        .with_min_len(16)
        .map(|&[x, age]| if_alive::<Model>(parameters, x, age, ahead, &steps, gradients))
        .collect();
    odds.par_iter()
        .zip(&place_of)
        .with_min_len(1_024)
        .map(|(odds, &place)| {
            let p_alive = odds.p_alive();
            // ∂p = −p (1−p) ∂ log-odds; 1−p as odds of the other side, which keeps its digits.
            let stopped = 1.0 / (1.0 + (-odds.value).exp());
            let [expected, discounted] = states[place].map(|alive| Quantity {
                value: p_alive * alive.value,
                gradient: std::array::from_fn(|i| {
                    p_alive * (alive.gradient[i] - stopped * odds.gradient[i] * alive.value)
                }),
            });
            Outlook { p_alive, expected, discounted }
        })
        .collect()
}

/// How the steps of a horizon are taken: so many one by one, then in runs that end at so many times their
/// beginning.
struct Rule {
    singly: u32,
    ratio: u32,
}

/// Places that stand for a run of steps of values. Expectations are analytic but for points at or before the end
/// of what is observed. From the middle of a run that ends at twice its beginning, the nearest is three
/// times as far as the ends, and a polynomial through so many places misses 5.8^−18 = 2 × 10⁻¹⁴.
const PLACES: usize = 18;
const OF_VALUES: Rule = Rule { singly: 64, ratio: 2 };

/// The same for gradients, which end in standard errors: of the sum, 3^−12 = 2 × 10⁻⁶ is missed.
const FEW_PLACES: usize = 6;
const OF_GRADIENTS: Rule = Rule { singly: 4, ratio: 4 };

/// Times t_i and weights w_i of a horizon, which is the last of the times: discounted purchases are
/// Σ w_i E(t_i). With f_k for the discount of step k that is Σ (E(k) − E(k−1)) f_k, summed by parts.
fn steps<const N: usize>(ahead: &Ahead, rule: &Rule) -> Vec<(f64, f64)> {
    let Some(horizon) = ahead.horizon.filter(|&horizon| horizon > 0.0) else { return Vec::new() };
    let rate = ahead.discount.ln_1p();
    let weight = |k: u32| {
        let time = f64::from(k);
        let until = (time + 1.0).min(horizon);
        (-rate * time).exp() * -(-rate * (until - time)).exp_m1()
    };
    let whole = if rate == 0.0 { 0 } else { horizon.ceil() as u32 };
    let mut steps = Vec::new();
    let mut k = 1;
    while k < whole {
        let end = (rule.ratio * k).min(whole);
        if k < rule.singly || (end - k) as usize <= N {
            steps.push((f64::from(k), weight(k)));
            k += 1;
        } else {
            steps.extend(run::<N>(k, end, weight));
            k = end;
        }
    }
    steps.push((horizon, (-rate * horizon).exp()));
    steps
}

/// Times and weights that stand for the steps from `first` to before `end`: the sum of a smooth function is
/// that of its interpolation at Chebyshev's places.
fn run<const N: usize>(first: u32, end: u32, weight: impl Fn(u32) -> f64) -> [(f64, f64); N] {
    let [from, to] = [first, end - 1].map(f64::from);
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    // Chebyshev's polynomials of a place in [−1, 1].
    let polynomials = |place: f64| {
        let mut all = [1.0; N];
        all[1] = place;
        (2..N).for_each(|m| all[m] = 2.0 * place * all[m - 1] - all[m - 2]);
        all
    };
    let mut moments = [0.0; N];
    for k in first..end {
        let (here, weight) = (polynomials((f64::from(k) - middle) / half), weight(k));
        moments.iter_mut().zip(here).for_each(|(moment, of)| *moment += weight * of);
    }
    std::array::from_fn(|i| {
        let angle = (i as f64 + 0.5) / N as f64 * std::f64::consts::PI;
        let here = polynomials(angle.cos());
        let sum: f64 = moments.iter().zip(here).skip(1).map(|(moment, of)| moment * of).sum();
        (middle + half * angle.cos(), (moments[0] + 2.0 * sum) / N as f64)
    })
}

/// The step of the differences that stand for derivatives, in logarithms of the parameters: its square is
/// what the slope misses, and an expectation's last digits over it are what they add. Both are 1e-8.
const STEP: f64 = 1e-4;

/// Expected and discounted purchases of a customer who is alive.
fn if_alive<Model: PurchaseModel>(
    parameters: &[f64; 4],
    frequency: f64,
    age: f64,
    ahead: &Ahead,
    [of_values, of_gradients]: &[Vec<(f64, f64)>; 2],
    gradients: bool,
) -> [Quantity<4>; 2] {
    let of = |parameters: [f64; 4], steps: &[(f64, f64)]| {
        let model = Model::of(parameters);
        if ahead.horizon.is_none() {
            let worth = model.discounted_if_alive(frequency, age, ahead.discount.ln_1p());
            return [worth, worth];
        }
        let (mut expected, mut discounted) = (0.0, 0.0);
        for &(time, weight) in steps {
            expected = model.expected_if_alive(frequency, age, time);
            discounted += weight * expected;
        }
        [expected, discounted]
    };
    let here = of(*parameters, of_values);
    let mut found = here.map(|value| Quantity { value, gradient: [0.0; 4] });
    for i in (0..4).filter(|_| gradients) {
        let moved = |by: f64| {
            let mut parameters = *parameters;
            parameters[i] *= by.exp();
            of(parameters, of_gradients)
        };
        let (up, down) = (moved(STEP), moved(-STEP));
        for (k, quantity) in found.iter_mut().enumerate() {
            quantity.gradient[i] = (up[k] - down[k]) / (2.0 * STEP);
        }
    }
    found
}

/// The sum over histories, each as often as it has customers, in their order.
pub fn total(histories: &[Purchases], outlooks: &[Outlook]) -> Outlook {
    let mut sum = Outlook::default();
    for (row, outlook) in histories.iter().zip(outlooks) {
        sum.p_alive += row.customers * outlook.p_alive;
        sum.expected.add(&outlook.expected, row.customers);
        sum.discounted.add(&outlook.discounted, row.customers);
    }
    sum
}

/// What customers are worth: margin × expected spend × discounted purchases. The two models are fitted to
/// different numbers, purchases and their values, and their errors are taken as independent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Worth {
    pub value: f64,
    /// By the logarithms of the parameters of the purchase model and of the spend model.
    pub by_purchases: [f64; 4],
    pub by_spend: [f64; 3],
}

impl Worth {
    /// Of one customer. The gradient of the spend is 0 where it is not a model's.
    pub fn of(discounted: &Quantity<4>, spend: f64, spend_gradient: [f64; 3], margin: f64) -> Self {
        Worth {
            value: margin * spend * discounted.value,
            by_purchases: discounted.gradient.map(|slope| margin * spend * slope),
            by_spend: spend_gradient.map(|slope| margin * discounted.value * slope),
        }
    }

    /// Adds that of others, `times` times.
    pub fn add(&mut self, other: &Worth, times: f64) {
        self.value += times * other.value;
        self.by_purchases.iter_mut().zip(other.by_purchases).for_each(|(sum, g)| *sum += times * g);
        self.by_spend.iter_mut().zip(other.by_spend).for_each(|(sum, g)| *sum += times * g);
    }

    /// z standard errors to both sides, given the covariances of the two fits; without a spend model only
    /// the purchases are uncertain.
    pub fn interval(
        &self,
        purchases: &[[f64; 4]; 4],
        spend: Option<&[[f64; 3]; 3]>,
        z: f64,
    ) -> (f64, f64) {
        let by_purchases = Quantity { value: self.value, gradient: self.by_purchases };
        let by_spend = Quantity { value: self.value, gradient: self.by_spend };
        let variance = by_purchases.variance(purchases)
            + spend.map_or(0.0, |covariance| by_spend.variance(covariance));
        log_interval(self.value, variance.sqrt(), z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::check;

    const PARAMETERS: [[f64; 4]; 4] = [
        [0.2425929, 4.413532, 0.7928861, 2.425753],
        [0.5248380, 6.182992, 0.8913562, 1.613999],
        [0.5532755, 10.57761, 0.6062136, 11.66791],
        [1.204, 0.750, 0.657, 2.783],
    ];

    /// A whole forecast, probability and all, against differences of the model's own numbers.
    #[test]
    fn gradients_are_those_of_the_forecast() {
        let histories = [(0.0, 0.0, 38.0), (2.0, 30.0, 38.0), (12.0, 14.0, 30.0), (5.0, 9.0, 9.0)]
            .map(|(frequency, recency, age)| Purchases { frequency, recency, age, customers: 2.0 });
        for (kind, at) in ModelKind::ALL.into_iter().zip(PARAMETERS) {
            let ahead = Ahead { horizon: Some(10.5), discount: 0.002 };
            let found = outlooks(kind, &at, &histories, &ahead);
            for (row, outlook) in histories.iter().zip(&found) {
                let expected = kind.of(at).expected_purchases(row, 10.5);
                assert!((outlook.expected.value / expected - 1.0).abs() < 1e-12, "{kind:?}");
                let discount = outlook.discounted.value / expected;
                assert!(discount > 1.002_f64.powf(-10.5) && discount < 1.0 / 1.002, "{kind:?}");
                for i in 0..4 {
                    let moved = |by: f64| {
                        let mut at = at;
                        at[i] *= f64::exp(by);
                        kind.of(at).expected_purchases(row, 10.5)
                    };
                    let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                    let error = (slope - outlook.expected.gradient[i]).abs();
                    assert!(error < 1e-5 * expected, "{kind:?} {i} {slope} {outlook:?}");
                }
            }
        }
    }

    /// Runs of steps are what they stand for, step by step.
    #[test]
    fn long_horizons_are_sums_over_their_steps() {
        let histories = [(0.0, 0.0), (3.0, 20.0), (900.0, 38.0)].map(|(frequency, recency)| {
            Purchases { frequency, recency, age: 38.0, customers: 1.0 }
        });
        let shapes = [[0.01, 30.0, 0.9, 0.02], [40.0, 1.0, 1.0, 1e4], [2.0, 1e-3, 6.0, 1e-3]];
        for (kind, at) in ModelKind::ALL.into_iter().zip(PARAMETERS) {
            for (parameters, horizon, discount) in std::iter::once(at)
                .chain(shapes)
                .flat_map(|of| [(of, 70.0, 0.01), (of, 1_234.5, 0.001), (of, 3_000.0, 0.02)])
            {
                let model = kind.of(parameters);
                let ahead = Ahead { horizon: Some(horizon), discount };
                for (row, found) in
                    histories.iter().zip(outlooks(kind, &parameters, &histories, &ahead))
                {
                    let (mut before, mut sum) = (0.0, 0.0);
                    for k in 1..=f64::ceil(horizon) as u32 {
                        let time = f64::from(k).min(horizon);
                        let expected = model.expected_purchases(row, time);
                        sum += (expected - before) * (1.0 + discount).powf(-time);
                        before = expected;
                    }
                    let off = (found.discounted.value / sum - 1.0).abs();
                    assert!(off < 1e-10, "{model:?} {row:?} {horizon}: off by {off:e}");
                    assert!((found.expected.value / before - 1.0).abs() < 1e-12, "{model:?}");
                }
            }
            // Gradients, which need fewer digits, are those of the values.
            let ahead = Ahead { horizon: Some(300.5), discount: 0.004 };
            for (place, found) in outlooks(kind, &at, &histories, &ahead).iter().enumerate() {
                for i in 0..4 {
                    let moved = |by: f64| {
                        let mut at = at;
                        at[i] *= f64::exp(by);
                        plain_outlooks(kind, &at, &histories, &ahead)[place].discounted.value
                    };
                    let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                    let error = (slope - found.discounted.gradient[i]).abs();
                    assert!(
                        error < 2e-5 * found.discounted.value,
                        "{kind:?} {i} {slope} {found:?}"
                    );
                }
            }
        }
    }

    /// Without a horizon the sum over a very long one, but for purchases within a unit of time.
    #[test]
    fn lifetimes_are_long_horizons() {
        let row = Purchases { frequency: 3.0, recency: 20.0, age: 38.0, customers: 1.0 };
        for (kind, at) in ModelKind::ALL.into_iter().zip(PARAMETERS) {
            let of = |horizon, discount| {
                outlooks(kind, &at, &[row], &Ahead { horizon, discount })[0].discounted.value
            };
            let (lifetime, long) = (of(None, 0.01), of(Some(4_000.0), 0.01));
            // On average a purchase comes half a unit before the end of its unit; in BG/BB, at the end.
            let late = if kind == ModelKind::BgBb { 1.0 } else { 1.01_f64.sqrt() };
            assert!((long * late / lifetime - 1.0).abs() < 2e-4, "{kind:?} {lifetime} {long}");
        }
    }

    /// The sum of the sample, as the literature has it: 1653.42 and 1665.53 repeats in the holdout.
    #[test]
    fn totals_of_the_literature() {
        let rows = check::cdnow();
        for (kind, published) in [
            (ModelKind::BgNbd, 1_653.42),
            (ModelKind::MbgNbd, 1_576.74),
            (ModelKind::ParetoNbd, 1_665.53),
        ] {
            let fit = kind.fit(&rows, 1.96);
            let ahead = Ahead { horizon: Some(39.0), discount: 0.0 };
            let total = total(&rows, &outlooks(kind, &fit.parameters, &rows, &ahead));
            assert!((total.expected.value - published).abs() < 0.01, "{total:?}");
            assert!((total.discounted.value - published).abs() < 0.01, "{total:?}");
            let covariance = fit.covariance.expect("identified");
            let (low, high) = total.expected.interval(&covariance, 1.644_854);
            assert!(low > 0.85 * published && high < 1.15 * published, "{low} {high}");
        }
    }

    /// All buy at the same rate and nobody stops. No model's parameters are identified, and what comes next
    /// is as sure as some 500 purchases make it.
    #[test]
    fn forecasts_are_sure_where_parameters_are_not() {
        let customers = [8.0, 24.0, 36.0, 36.0, 27.0, 16.0, 8.0, 3.0, 1.0];
        let row = |(frequency, customers): (u32, f64)| {
            let frequency = f64::from(frequency);
            let recency = 52.0 * frequency / (frequency + 1.0);
            Purchases { frequency, recency, age: 52.0, customers }
        };
        let rows: Vec<Purchases> = (0..).zip(customers).map(row).collect();
        let repeats: f64 = rows.iter().map(|row| row.frequency * row.customers).sum();
        for kind in ModelKind::ALL {
            let fit = kind.fit(&rows, 1.96);
            assert!(fit.converged() && fit.identified.contains(&false), "{fit:?}");
            let ahead = Ahead { horizon: Some(52.0), discount: 0.0 };
            let next = total(&rows, &outlooks(kind, &fit.parameters, &rows, &ahead)).expected;
            let error = next.standard_error(&fit.covariance.expect("a covariance")) / next.value;
            assert!((next.value / repeats - 1.0).abs() < 0.03, "{kind:?} {next:?}");
            assert!(
                error > 0.8 / repeats.sqrt() && error < 1.5 / repeats.sqrt(),
                "{kind:?} {error}"
            );
        }
    }

    #[test]
    fn the_threads_do_not_matter() {
        let rows = check::cdnow();
        let ahead = Ahead { horizon: Some(52.0), discount: 0.001 };
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| {
                let fit = ModelKind::ParetoNbd.fit(&rows, 1.96);
                let found = outlooks(ModelKind::ParetoNbd, &fit.parameters, &rows, &ahead);
                (fit, total(&rows, &found))
            })
        };
        assert_eq!(of(1), of(3));
    }

    #[test]
    fn worths_add_up() {
        let discounted = Quantity { value: 2.0, gradient: [0.5, 0.0, -0.25, 1.0] };
        let one = Worth::of(&discounted, 30.0, [3.0, 0.0, 6.0], 0.5);
        assert_eq!((one.value, one.by_purchases[0], one.by_spend[2]), (30.0, 7.5, 6.0));
        let mut two = one;
        two.add(&one, 1.0);
        let mut covariance = [[0.0; 4]; 4];
        covariance[0][0] = 0.01;
        // The error of one is 0.75, and what is the same for all does not average out.
        let (low, high) = two.interval(&covariance, None, 1.0);
        assert!((high / low - (2.0_f64 * 0.75 / 30.0).exp()).abs() < 1e-12);
        assert_eq!(log_interval(0.0, 1.0, 2.0), (0.0, 2.0));
    }
}
