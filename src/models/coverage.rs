//! Whether intervals hold what they say: fits of simulated histories, over and over.

use rayon::prelude::*;

use super::forecast::{Ahead, outlooks, total};
use super::purchases::{ModelKind, Purchases};
use crate::stats::{mixed, normal_quantile};

/// Random numbers that are a function of a seed.
struct Random(u64);

impl Random {
    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((mixed(self.0) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, rate: f64) -> f64 {
        -self.uniform().ln() / rate
    }

    fn normal(&mut self) -> f64 {
        // Box and Muller.
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// With rate 1. Marsaglia and Tsang (2000); a shape below 1 by the power of a uniform.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let normal = self.normal();
            let cube = (1.0 + normal / (9.0 * d).sqrt()).powi(3);
            let bound = 0.5 * normal * normal + d - d * cube + d * cube.ln();
            if cube > 0.0 && self.uniform().ln() < bound {
                return d * cube;
            }
        }
    }

    fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (left, right) = (self.gamma(a), self.gamma(b));
        left / (left + right)
    }

    /// A customer who came 26 to 52 units ago and behaves as the model says.
    fn customer(&mut self, kind: ModelKind, &[r, alpha, third, fourth]: &[f64; 4]) -> Purchases {
        let age = 26.0 + (26.0 * self.uniform() * 7.0).floor() / 7.0;
        let rate = self.gamma(r) / alpha;
        let (stop, until) = match kind {
            ModelKind::ParetoNbd => {
                let death = self.gamma(third) / fourth;
                (0.0, self.exponential(death).min(age))
            }
            _ => (self.beta(third, fourth), age),
        };
        let (mut frequency, mut recency) = (0.0, 0.0);
        let mut alive = kind != ModelKind::MbgNbd || self.uniform() > stop;
        while alive {
            let next = recency + self.exponential(rate);
            if next > until {
                break;
            }
            (frequency, recency) = (frequency + 1.0, next);
            alive = self.uniform() > stop;
        }
        Purchases { frequency, recency, age, customers: 1.0 }
    }
}

/// The shares of `repeats` simulations in which 90% intervals hold the truth: of each parameter, and of the
/// purchases that all customers together are expected to make in 26 units.
fn coverage(kind: ModelKind, truth: [f64; 4], customers: u32, repeats: u64) -> [f64; 5] {
    let z = normal_quantile(0.9);
    let ahead = Ahead { horizon: Some(26.0), discount: 0.0 };
    let one = |repeat: u64| {
        let mut random = Random(mixed(repeat + 1));
        let rows: Vec<Purchases> = (0..customers).map(|_| random.customer(kind, &truth)).collect();
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
#[ignore = "takes minutes"]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (kind, truth) in POPULATIONS {
        let shares = coverage(kind, truth, 4_000, 400);
        assert!(shares.iter().all(|share| (0.85..=0.95).contains(share)), "{kind:?} {shares:?}");
    }
}
