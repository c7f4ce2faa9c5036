//! MBG/NBD: as BG/NBD, but a customer may stop right after the first purchase too.
//!
//! ```text
//! While a customer is alive, purchases come at rate λ; after each, the first included, the customer stops
//! with probability p.
//!   λ ~ Gamma(r, α)    rate per unit of time; α has the unit of time
//!   p ~ Beta(a, b)
//! ```
//!
//! One-time buyers, who are the most of many customer bases, get a P(alive) below 1.
//!
//! References: Batislam, Denizel and Filiztekin (2007), Empirical validation and comparison of models for
//! customer base analysis, IJRM 24; Hoppe and Wagner (2007).

use super::bg_nbd::{A, B, BgNbd, R, by_frequency, odds_of_silence, silence, starts, symmetric};
use super::fit::{Fit, Likelihood, fit, log_likelihood};
use super::purchases::{LogOdds, PurchaseModel, Purchases};
use crate::stats::{Derivatives, ln_rising};

/// The model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MbgNbd {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

impl MbgNbd {
    /// A customer who is alive has passed one chance to stop more than in BG/NBD; from then on the two are
    /// the same.
    fn henceforth(&self) -> BgNbd {
        BgNbd { r: self.r, alpha: self.alpha, a: self.a, b: self.b + 1.0 }
    }
}

impl PurchaseModel for MbgNbd {
    const NAME: &'static str = "mbg_nbd";
    const NAMES: [&'static str; 4] = BgNbd::NAMES;

    fn of(parameters: [f64; 4]) -> Self {
        let [r, alpha, a, b] = parameters;
        MbgNbd { r, alpha, a, b }
    }

    fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.a, self.b]
    }

    fn fit(rows: &[Purchases], z: f64) -> Fit<4> {
        fit(rows, z, &starts(rows), &Likelihood::of(parts, term))
    }

    fn log_likelihood(&self, row: &Purchases) -> f64 {
        log_likelihood(&Likelihood::of(parts, term), row, &self.parameters())
    }

    /// a / (b+x) ((α+T) / (α+t_x))^(r+x).
    fn log_odds_of_stopped(&self, row: &Purchases) -> LogOdds {
        let stopped_once = self.b + row.frequency;
        let mut odds = odds_of_silence(self.r, self.alpha, row);
        odds.value += (self.a / stopped_once).ln();
        odds.gradient[A] = 1.0;
        odds.gradient[B] = -self.b / stopped_once;
        odds
    }

    fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64 {
        self.henceforth().expected_if_alive(frequency, age, time)
    }

    fn discounted_if_alive(&self, frequency: f64, age: f64, rate: f64) -> f64 {
        self.henceforth().discounted_if_alive(frequency, age, rate)
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
/// ln Γ(r+x) − ln Γ(r) + ln B(a, b+x+1) − ln B(a, b)
///   + r ln α − (r+x) ln(α+T) + ln(1 + odds of having stopped)
/// ```
fn term(part: &Part, parameters: &[f64; 4]) -> Derivatives<4> {
    symmetric(match part {
        Part::Frequency(frequency) => of_frequency(*frequency, parameters),
        Part::History(row) => silence(row, parameters, Some(row.frequency)),
    })
}

/// The first line; of the Hessian, the upper half.
fn of_frequency(x: f64, &[r, _, a, b]: &[f64; 4]) -> Derivatives<4> {
    let (rate, kept, both) = (ln_rising(r, x), ln_rising(b, x + 1.0), ln_rising(a + b, x + 1.0));
    let value = rate[0] + kept[0] - both[0];
    let mut total = Derivatives::<4> { value, ..Derivatives::default() };
    total.gradient = [rate[1], 0.0, -both[1], kept[1] - both[1]];
    total.hessian[R][R] = rate[2];
    total.hessian[A][A] = -both[2];
    total.hessian[A][B] = -both[2];
    total.hessian[B][B] = kept[2] - both[2];
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::check;

    #[test]
    fn derivatives_are_those_of_the_value() {
        let at = [0.5, 6.0, 0.9, 1.6];
        for (x, t_x, age) in [(0.0, 0.0, 38.9), (2.0, 30.4, 38.9), (40.0, 30.0, 30.0)] {
            let row = Purchases { frequency: x, recency: t_x, age, customers: 1.0 };
            for (_, part) in parts(&[row]) {
                check::derivatives(|at| term(&part, at), at);
            }
        }
    }

    #[test]
    fn the_sample_of_the_literature() {
        let expected = [0.5248380, 6.182992, 0.8913562, 1.613999];
        check::cdnow_fit(&MbgNbd::fit(&check::cdnow(), 1.96), expected, -9_582.132_7);
        let model = MbgNbd::of(expected);
        check::customer(&model, (26.0, 30.86, 31.0), 0.9655529, 19.44804);
        check::customer(&model, (2.0, 30.43, 38.86), 0.7061262, 1.262671);
        check::customer(&model, (1.0, 1.71, 38.86), 0.1708196, 0.1887893);
        check::customer(&model, (0.0, 0.0, 38.86), 0.3897163, 0.1539537);
    }
}
