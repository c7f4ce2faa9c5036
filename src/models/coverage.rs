//! Whether intervals hold what they say: fits of simulated histories, over and over.

use rayon::prelude::*;

use super::fit::Fit;
use super::forecast::{Ahead, outlooks, total};
use super::purchases::{ModelKind, Purchases};
use super::retention_curve::{Renewal, RetentionCurve};
use super::simulate::simulated;
use crate::stats::{mixed, normal_quantile};

/// Whether an interval holds a value; an end that is open is no bound.
fn holds((low, high): (Option<f64>, Option<f64>), truth: f64) -> bool {
    low.is_none_or(|low| low <= truth) && high.is_none_or(|high| truth <= high)
}

/// The shares of `repeats` simulations in which 90% intervals hold the truth: of each parameter, and of the
/// purchases that all customers together are expected to make in 26 units.
fn coverage(kind: ModelKind, truth: [f64; 4], customers: u32, repeats: u64) -> [f64; 5] {
    let z = normal_quantile(0.9);
    let ahead = Ahead { horizon: Some(26.0), discount: 0.0 };
    let one = |repeat: u64| {
        let rows = simulated(kind, &truth, customers, mixed(repeat + 1));
        let fit = kind.fit(&rows, z);
        assert!(fit.converged(), "{kind:?} {repeat}: {fit:?}");
        let covariance = fit.covariance.expect("a covariance");
        let expected = |parameters: &[f64; 4]| {
            total(&rows, &outlooks(kind, parameters, &rows, &ahead)).expected
        };
        let (low, high) = expected(&fit.parameters).interval(&covariance, z);
        let sum = expected(&truth).value;
        let mut held = [false; 5];
        for (i, held) in held.iter_mut().enumerate().take(4) {
            *held = holds(fit.interval(i), truth[i]);
        }
        held[4] = low <= sum && sum <= high;
        held
    };
    let held: Vec<[bool; 5]> = (0..repeats).into_par_iter().map(one).collect();
    let share = |i: usize| held.iter().filter(|held| held[i]).count() as f64 / repeats as f64;
    std::array::from_fn(share)
}

/// What customers are simulated with.
pub(super) const POPULATIONS: [(ModelKind, [f64; 4]); 4] = [
    (ModelKind::BgNbd, [0.6, 5.0, 0.8, 2.5]),
    (ModelKind::MbgNbd, [0.9, 6.0, 0.8, 1.6]),
    (ModelKind::ParetoNbd, [0.8, 8.0, 0.7, 10.0]),
    (ModelKind::BgBb, [1.2, 2.5, 0.7, 9.0]),
];

/// A few repeats: each share is within what so few can show (of 100, 3 standard errors are 9%), and that of
/// all five together nearer.
#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    for (kind, truth) in POPULATIONS {
        let shares = coverage(kind, truth, 1_000, 100);
        let mean = shares.iter().sum::<f64>() / 5.0;
        assert!((0.85..=0.95).contains(&mean), "{kind:?} {shares:?}");
        assert!(shares.iter().all(|share| (0.81..=0.99).contains(share)), "{kind:?} {shares:?}");
    }
}

#[test]
#[ignore = "takes minutes without optimisation; `just verify` runs it, and a short version is always run"]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (kind, truth) in POPULATIONS {
        let shares = coverage(kind, truth, 4_000, 400);
        assert!(shares.iter().all(|share| (0.85..=0.95).contains(share)), "{kind:?} {shares:?}");
    }
}

/// The shares of `repeats` simulations in which 90% intervals hold the parameters of a retention curve: of
/// 2,000 customers who are watched for 12 renewals.
fn curve_coverage<const N: usize>(
    truth: RetentionCurve,
    fit: impl Fn(&[Renewal], f64) -> Fit<N> + Sync,
    repeats: u64,
) -> [f64; N] {
    const AGES: u32 = 12;
    let z = normal_quantile(0.9);
    let one = |repeat: u64| {
        let mut left = [0.0; AGES as usize + 1];
        for customer in 0..2_000 {
            let chance = (mixed(mixed(repeat + 1) ^ customer) >> 11) as f64 / (1_u64 << 53) as f64;
            // Still there after t renewals with probability S(t).
            let age = (1..=AGES).find(|&age| chance >= truth.share(age.into()));
            left[age.map_or(0, |age| age as usize)] += 1.0;
        }
        let mut rows: Vec<Renewal> = (1..=AGES)
            .map(|age| Renewal { age: age.into(), left: true, customers: left[age as usize] })
            .collect();
        rows.push(Renewal { age: AGES.into(), left: false, customers: left[0] });
        let fit = fit(&rows, z);
        assert!(fit.converged(), "{repeat}: {fit:?}");
        let truth = [truth.alpha, truth.beta, truth.c];
        let held: [bool; N] = std::array::from_fn(|i| holds(fit.interval(i), truth[i]));
        held
    };
    let held: Vec<[bool; N]> = (0..repeats).into_par_iter().map(one).collect();
    std::array::from_fn(|i| held.iter().filter(|held| held[i]).count() as f64 / repeats as f64)
}

#[test]
fn intervals_of_retention_curves_hold_the_truth() {
    let sbg = RetentionCurve { alpha: 0.8, beta: 2.0, c: 1.0 };
    let shares = curve_coverage(sbg, RetentionCurve::fit_sbg, 400);
    assert!(shares.iter().all(|share| (0.85..=0.95).contains(share)), "sbg {shares:?}");
    let bdw = RetentionCurve { alpha: 0.8, beta: 2.0, c: 1.2 };
    let shares = curve_coverage(bdw, RetentionCurve::fit_bdw, 400);
    assert!(shares.iter().all(|share| (0.85..=0.95).contains(share)), "bdw {shares:?}");
}

/// All buy at one rate and nobody stops: the rate's shape is open above, and bounded below the nearer the less
/// sure one has to be.
#[test]
fn bounds_are_those_of_their_level() {
    let customers = [8.0, 24.0, 36.0, 36.0, 27.0, 16.0, 8.0, 3.0, 1.0];
    let row = |(frequency, customers): (u32, f64)| {
        let frequency = f64::from(frequency);
        let recency = 52.0 * frequency / (frequency + 1.0);
        Purchases { frequency, recency, age: 52.0, customers }
    };
    let rows: Vec<Purchases> = (0..).zip(customers).map(row).collect();
    for kind in ModelKind::ALL {
        let bounds = |level| {
            let fit = kind.fit(&rows, normal_quantile(level));
            assert!(!fit.identified[0], "{fit:?}");
            fit.interval(0)
        };
        let [some, most, nearly_all] = [0.5, 0.9, 0.999].map(bounds);
        assert!([some, most, nearly_all].iter().all(|(_, high)| high.is_none()), "{kind:?}");
        let [some, most, nearly_all] =
            [some, most, nearly_all].map(|(low, _)| low.expect("a bound"));
        assert!(nearly_all < 0.9 * most && most < 0.9 * some, "{kind:?}");
    }
}
