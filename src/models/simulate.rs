//! Histories of customers who behave as a model says: to recover its parameters from, and to measure with.

use super::purchases::{ModelKind, Purchases};
use crate::stats::mixed;

/// The histories of so many customers, each by itself, who came 26 to 52 units ago, a seventh of a unit apart.
/// The same for the same seed.
pub fn simulated(
    kind: ModelKind,
    parameters: &[f64; 4],
    customers: u32,
    seed: u64,
) -> Vec<Purchases> {
    let mut random = Random(seed);
    (0..customers).map(|_| random.customer(kind, parameters)).collect()
}

/// The mean value of the repeat purchases of each history, of customers who spend as a Gamma-Gamma model says;
/// `None` without any. The same for the same seed.
#[cfg(test)]
pub(super) fn simulated_spend(
    &[p, q, gamma]: &[f64; 3],
    histories: &[Purchases],
    seed: u64,
) -> Vec<Option<f64>> {
    let mut random = Random(seed);
    let mean = |row: &Purchases| {
        let rate = random.gamma(q) / gamma;
        let x = row.frequency;
        (x > 0.0).then(|| random.gamma(p * x) / (rate * x))
    };
    histories.iter().map(mean).collect()
}

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

    /// A customer of so many opportunities who takes each with one probability, and before each stops with
    /// another.
    fn chances(&mut self, opportunities: f64, take: f64, stop: f64) -> Purchases {
        let (mut frequency, mut recency, mut chance) = (0.0, 0.0, 1.0);
        while chance <= opportunities && self.uniform() > stop {
            if self.uniform() < take {
                (frequency, recency) = (frequency + 1.0, chance);
            }
            chance += 1.0;
        }
        Purchases { frequency, recency, age: opportunities, customers: 1.0 }
    }

    /// A customer who came 26 to 52 units ago and behaves as the model says.
    fn customer(&mut self, kind: ModelKind, &[r, alpha, third, fourth]: &[f64; 4]) -> Purchases {
        let age = 26.0 + (26.0 * self.uniform() * 7.0).floor() / 7.0;
        if kind == ModelKind::BgBb {
            let (take, stop) = (self.beta(r, alpha), self.beta(third, fourth));
            return self.chances(age.floor(), take, stop);
        }
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
