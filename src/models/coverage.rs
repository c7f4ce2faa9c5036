//! Whether intervals hold what they say: fits of simulated histories, over and over.

use rayon::prelude::*;

use super::forecast::{Ahead, outlooks, total};
use super::purchases::ModelKind;
use super::simulate::simulated;
use crate::stats::{mixed, normal_quantile};

/// The shares of `repeats` simulations in which 90% intervals hold the truth: of each parameter, and of the
/// purchases that all customers together are expected to make in 26 units.
fn coverage(kind: ModelKind, truth: [f64; 4], customers: u32, repeats: u64) -> [f64; 5] {
    let z = normal_quantile(0.9);
    let ahead = Ahead { horizon: Some(26.0), discount: 0.0 };
    let one = |repeat: u64| {
        let rows = simulated(kind, &truth, customers, mixed(repeat + 1));
        let fit = kind.fit(&rows);
        assert!(fit.converged(), "{kind:?} {repeat}: {fit:?}");
        let covariance = fit.covariance.expect("a covariance");
        let expected = |parameters: &[f64; 4]| {
            total(&rows, &outlooks(kind, parameters, &rows, &ahead)).expected
        };
        let (low, high) = expected(&fit.parameters).interval(&covariance, z);
        let sum = expected(&truth).value;
        let mut held = [false; 5];
        for (i, held) in held.iter_mut().enumerate().take(4) {
            let (low, high) = fit.interval(i, z);
            *held =
                low.is_none_or(|low| low <= truth[i]) && high.is_none_or(|high| truth[i] <= high);
        }
        held[4] = low <= sum && sum <= high;
        held
    };
    let held: Vec<[bool; 5]> = (0..repeats).into_par_iter().map(one).collect();
    let share = |i: usize| held.iter().filter(|held| held[i]).count() as f64 / repeats as f64;
    std::array::from_fn(share)
}

const POPULATIONS: [(ModelKind, [f64; 4]); 3] = [
    (ModelKind::BgNbd, [0.6, 5.0, 0.8, 2.5]),
    (ModelKind::MbgNbd, [0.9, 6.0, 0.8, 1.6]),
    (ModelKind::ParetoNbd, [0.8, 8.0, 0.7, 10.0]),
];

/// A few repeats: of all five together, the share is within what so few can show.
#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    for (kind, truth) in POPULATIONS {
        let shares = coverage(kind, truth, 1_000, 100);
        let mean = shares.iter().sum::<f64>() / 5.0;
        assert!((0.85..=0.95).contains(&mean), "{kind:?} {shares:?}");
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
