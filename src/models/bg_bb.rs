//! BG/BB: buying or not at each of n opportunities, until one stops.
//!
//! ```text
//! At each opportunity a customer who is alive buys with probability p; before each, the customer stops
//! with probability θ.
//!   p ~ Beta(α, β)
//!   θ ~ Beta(γ, δ)
//! ```
//!
//! Time is counted in opportunities: x purchases, t_x the opportunity of the last of them, n opportunities
//! so far, which is the age. Ages and times of purchases are rounded to whole opportunities. A customer
//! counts as alive who is so at opportunity n + 1, as in the paper.
//!
//! References: Fader, Hardie and Shang (2010), Customer-base analysis in a discrete-time noncontractual
//! setting, Marketing Science 29 (6).

mod sums;

use rayon::prelude::*;

use self::sums::{Group, groups};
use super::fit::{Fit, Likelihood, fit, log_likelihood};
use super::purchases::{LogOdds, NO_DISCOUNT, PurchaseModel, Purchases};
use crate::stats::{beta_mean, ln_beta_fall};

/// The model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgBb {
    pub alpha: f64,
    pub beta: f64,
    pub gamma: f64,
    pub delta: f64,
}

const ALPHA: usize = 0;
const BETA: usize = 1;
const GAMMA: usize = 2;
const DELTA: usize = 3;

impl PurchaseModel for BgBb {
    const NAME: &'static str = "bg_bb";
    const NAMES: [&'static str; 4] = ["alpha", "beta", "gamma", "delta"];

    fn of(parameters: [f64; 4]) -> Self {
        let [alpha, beta, gamma, delta] = parameters;
        BgBb { alpha, beta, gamma, delta }
    }

    fn parameters(&self) -> [f64; 4] {
        [self.alpha, self.beta, self.gamma, self.delta]
    }

    fn fit(rows: &[Purchases], z: f64) -> Fit<4> {
        let ages: f64 = rows.iter().map(|row| row.age * row.customers).sum();
        let repeats: f64 = rows.iter().map(|row| row.frequency * row.customers).sum();
        let share = (repeats / ages.max(1e-9)).clamp(1e-6, 0.99);
        // Those alive buy more often than the average shows.
        let others = (1.0 - share) / share;
        let starts = [[1.0, 0.5 * others, 0.5, 3.0], [0.5, 0.5 * others, 1.0, 10.0]];
        fit(rows, z, &starts, &Likelihood { parts, term: sums::log_likelihood, chunk: CHUNK })
    }

    fn log_likelihood(&self, row: &Purchases) -> f64 {
        log_likelihood(
            &Likelihood { parts, term: sums::log_likelihood, chunk: CHUNK },
            row,
            &self.parameters(),
        )
    }

    /// The odds are Σ over the opportunities j from t_x to n before which the customer may have stopped.
    fn log_odds_of_stopped(&self, row: &Purchases) -> LogOdds {
        self.log_odds(std::slice::from_ref(row)).pop().unwrap_or(LogOdds::NEVER)
    }

    /// Terms that customers share are computed once.
    fn log_odds(&self, rows: &[Purchases]) -> Vec<LogOdds> {
        let (groups, places) = groups(rows);
        let parameters = self.parameters();
        let odds: Vec<Vec<LogOdds>> =
            groups.par_iter().map(|group| sums::log_odds(group, &parameters)).collect();
        places.into_iter().map(|[group, silence]| odds[group][silence]).collect()
    }

    /// (α+x)/(α+β+n) times the opportunities that are lived through, whose mean over θ ~ Beta(γ, δ+n+1) is
    /// that of (1 − (1−θ)^t) / θ. Between whole times it is what the formula gives.
    fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64 {
        if time <= 0.0 {
            return 0.0;
        }
        let (excess, stayed) = (self.gamma - 1.0, self.delta + age.round() + 1.0);
        let lived = if excess.abs() < NEAR_ONE {
            beta_mean(self.gamma, stayed, |stop, stay| {
                if stop == 0.0 {
                    return time;
                }
                let log = if stop < 0.5 { (-stop).ln_1p() } else { stay.ln() };
                -(time * log).exp_m1() / stop
            })
        } else {
            // (C−1)/(γ−1) (1 − (D)_t / (C−1)_t), D = δ+n+1, C = γ + D; as a fall, which keeps its digits where
            // nearly nobody stops.
            let log = if excess > 0.0 {
                ln_beta_fall(stayed, time, excess)
            } else {
                -ln_beta_fall(stayed + excess, time, -excess)
            };
            -(stayed + excess) / excess * log.exp_m1()
        };
        self.share(frequency, age) * lived.max(0.0)
    }

    /// (α+x)/(α+β+n) times the mean of Σ (1−θ)^(k−1) e^(−δk) over k ≥ 1, which is 1 / (e^δ − 1 + θ): a
    /// purchase is discounted for the whole time until its opportunity.
    fn discounted_if_alive(&self, frequency: f64, age: f64, rate: f64) -> f64 {
        let discount = rate.max(NO_DISCOUNT).exp_m1();
        let stayed = self.delta + age.round() + 1.0;
        let lived = beta_mean(self.gamma, stayed, |stop, _| 1.0 / (discount + stop));
        self.share(frequency, age) * lived
    }
}

/// So near to γ = 1 the closed form has lost digits.
const NEAR_ONE: f64 = 0.02;

impl BgBb {
    /// The share of opportunities that a customer takes while alive.
    fn share(&self, frequency: f64, age: f64) -> f64 {
        let (x, n) = (frequency.round(), age.round().max(frequency.round()));
        (self.alpha + x) / (self.alpha + self.beta + n)
    }
}

/// Terms of the likelihood are groups, of which there are few, and each takes its time.
const CHUNK: usize = 4;

fn parts(rows: &[Purchases]) -> Vec<(f64, Group)> {
    groups(rows).0.into_iter().map(|group| (1.0, group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::check;
    use crate::stats::{Derivatives, ln_rising, mixed};

    fn row(frequency: f64, recency: f64, age: f64) -> Purchases {
        Purchases { frequency, recency, age, customers: 1.0 }
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let rows = [row(2.0, 4.0, 6.0), row(2.0, 2.0, 6.0), row(0.0, 0.0, 6.0), row(3.0, 3.0, 3.0)];
        for (_, group) in parts(&rows) {
            check::derivatives(|at| sums::log_likelihood(&group, at), [1.2, 0.75, 0.66, 2.8]);
        }
    }

    /// 11,104 donors and their six opportunities from 1996 to 2001: x, t_x and customers.
    const DONORS: [(f64, f64, f64); 22] = [
        (0.0, 0.0, 3_464.0),
        (1.0, 1.0, 1_091.0),
        (1.0, 2.0, 277.0),
        (1.0, 3.0, 129.0),
        (1.0, 4.0, 78.0),
        (1.0, 5.0, 119.0),
        (1.0, 6.0, 129.0),
        (2.0, 2.0, 613.0),
        (2.0, 3.0, 255.0),
        (2.0, 4.0, 155.0),
        (2.0, 5.0, 173.0),
        (2.0, 6.0, 234.0),
        (3.0, 3.0, 322.0),
        (3.0, 4.0, 181.0),
        (3.0, 5.0, 225.0),
        (3.0, 6.0, 357.0),
        (4.0, 4.0, 240.0),
        (4.0, 5.0, 284.0),
        (4.0, 6.0, 512.0),
        (5.0, 5.0, 335.0),
        (5.0, 6.0, 728.0),
        (6.0, 6.0, 1_203.0),
    ];

    /// The digits of the paper.
    #[test]
    fn the_donors_of_the_literature() {
        let rows = DONORS.map(|(frequency, recency, customers)| Purchases {
            frequency,
            recency,
            age: 6.0,
            customers,
        });
        assert_eq!(rows.iter().map(|row| row.customers).sum::<f64>(), 11_104.0);
        let fit = BgBb::fit(&rows, 1.96);
        assert!(fit.converged() && fit.identified == [true; 4], "{fit:?}");
        for (found, published) in fit.parameters.into_iter().zip([1.204, 0.750, 0.657, 2.783]) {
            assert!((found - published).abs() < 6e-4, "{fit:?}");
        }
        assert!((fit.log_likelihood + 33_225.6).abs() < 0.06, "{fit:?}");
        // Of all donors, the share alive in 2002 and their gifts of 2002 to 2006.
        let model = BgBb::of(fit.parameters);
        let best = row(6.0, 6.0, 6.0);
        let expected = model.expected_purchases(&best, 5.0);
        assert!((expected - 3.75).abs() < 0.01, "{expected}");
    }

    /// Sums over whole opportunities are what the closed form gives, on both sides of γ = 1.
    #[test]
    fn expectations_are_sums_over_opportunities() {
        for gamma in [0.1, 0.657, 0.99, 1.0, 1.015, 1.5, 30.0] {
            let model = BgBb { alpha: 1.2, beta: 0.75, gamma, delta: 2.8 };
            let (mut lived, mut sum, mut worth) = (1.0, 0.0, 0.0);
            for k in 0..4_000 {
                let time = f64::from(k);
                if [1, 2, 7, 400].contains(&k) {
                    let found = model.expected_if_alive(3.0, 6.0, time);
                    let expected = sum * 4.2 / 7.95;
                    assert!(
                        (found / expected - 1.0).abs() < 1e-11,
                        "{gamma} {k} {found} {expected}"
                    );
                }
                sum += lived;
                worth += lived * (-0.01 * (time + 1.0)).exp();
                lived *= (9.8 + time) / (9.8 + gamma + time);
            }
            let found = model.discounted_if_alive(3.0, 6.0, 0.01);
            assert!((found / (worth * 4.2 / 7.95) - 1.0).abs() < 1e-11, "{gamma} {found}");
        }
    }

    /// P(alive) is the likelihood of being alive at n + 1 over that of the history.
    #[test]
    fn odds_follow_from_the_likelihood() {
        let at = [1.204, 0.750, 0.657, 2.783];
        let model = BgBb::of(at);
        for (x, last, n) in [(0.0, 0.0, 6.0), (2.0, 4.0, 6.0), (6.0, 6.0, 6.0), (0.0, 0.0, 2_000.0)]
        {
            let history = row(x, last, n);
            let log = model.log_likelihood(&history);
            let alive = ln_rising(at[0], x)[0] + ln_rising(at[1], n - x)[0]
                - ln_rising(at[0] + at[1], n)[0]
                + ln_rising(at[3], n + 1.0)[0]
                - ln_rising(at[2] + at[3], n + 1.0)[0];
            let expected = (alive - log).exp();
            let found = model.p_alive(&history);
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
        }
    }

    /// What customers share changes nothing: histories of a crowd are those of each alone.
    #[test]
    fn a_crowd_is_its_customers() {
        let uniform = |at: u64| (mixed(at) >> 11) as f64 / (1_u64 << 53) as f64;
        let rows: Vec<Purchases> = (0..400)
            .map(|i| {
                let n = (1_500.0 * uniform(3 * i)).floor();
                let last = (n * uniform(3 * i + 1)).ceil();
                row((last * uniform(3 * i + 2).powi(4)).floor(), last, n)
            })
            .collect();
        for at in [[1.2, 0.75, 0.66, 2.8], [0.05, 40.0, 1e-3, 3.0], [30.0, 2.0, 5.0, 1e5]] {
            let model = BgBb::of(at);
            let (mut sum, mut alone) = (Derivatives::default(), 0.0);
            parts(&rows).iter().for_each(|(times, group)| {
                sum.add(&sums::log_likelihood(group, &at), *times);
            });
            for (row, odds) in rows.iter().zip(model.log_odds(&rows)) {
                alone += model.log_likelihood(row);
                let expected = model.log_odds_of_stopped(row);
                let near = |found: f64, expected: f64| {
                    (found - expected).abs() < 1e-9 * expected.abs().max(1.0)
                };
                assert!(near(odds.value, expected.value), "{row:?} {odds:?} {expected:?}");
                for (found, expected) in odds.gradient.into_iter().zip(expected.gradient) {
                    assert!(near(found, expected), "{row:?} {odds:?} {expected}");
                }
            }
            assert!((sum.value / alone - 1.0).abs() < 1e-12, "{} is not {alone}", sum.value);
        }
    }
}
