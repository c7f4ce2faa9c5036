//! Random numbers that are looked up, not drawn in turn: what befalls an order is a function of the
//! seed, the customer and the number of the order, so it is the same whoever computes it, and when.

use std::f64::consts::TAU;

use crate::stats::mixed;

/// What a draw is for. Each purpose has numbers of its own, so a new table leaves the others as they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// How a customer buys: rate, dropout, first order.
    Buyer = 1,
    /// The way from one order to the next.
    Purchase = 2,
    /// What an order holds.
    Order = 3,
    /// How much a customer spends.
    Spend = 9,
    /// Who a customer is.
    Person = 4,
    /// The rest of a customer's row.
    Customer = 5,
    /// Random identifiers.
    Identifier = 6,
    /// Which orders stand in the table twice.
    Twice = 8,
    /// What a table that follows the orders, or the months of a customer, holds.
    Ticket = 10,
    Survey = 11,
    FollowUp = 12,
    Subscription = 13,
    Invoice = 14,
    Usage = 15,
    Review = 16,
    Mention = 17,
    Send = 18,
    Touchpoint = 19,
    Cost = 20,
    /// The order of rows in a shuffled file.
    Shuffle = 7,
}

/// All draws for one purpose in one world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    key: u64,
}

impl Stream {
    /// The draws of a world for a purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        Stream { key: mixed(mixed(seed).wrapping_add((purpose as u64).wrapping_mul(GOLDEN))) }
    }

    /// The draws for the event `number` of a customer.
    pub fn at(self, customer: u32, number: u32) -> Draws {
        let place = (u64::from(customer) << 32) | u64::from(number);
        Draws { state: mixed(self.key ^ mixed(place.wrapping_add(GOLDEN))) }
    }

    /// One number for a place.
    pub fn number(self, place: u64) -> u64 {
        mixed(self.key ^ mixed(place.wrapping_add(GOLDEN)))
    }
}

/// 2^64 over the golden ratio: the step of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A short sequence of draws.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    state: u64,
}

impl Draws {
    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mixed(self.state)
    }

    /// Uniform in (0, 1), neither end included.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// A whole number below `count`.
    pub fn below(&mut self, count: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(count)) >> 32) as u32
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// The place of one of these weights, which sum to 1.
    pub fn pick(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.uniform();
        for (place, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return place;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (TAU * self.uniform()).cos()
    }

    /// Log-normal with this median, and this standard deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * (spread * self.normal()).exp()
    }

    /// Gamma with this shape and scale 1 (Marsaglia and Tsang 2000,
    /// <https://doi.org/10.1145/358407.358414>).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let less = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * less;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v <= 0.0 {
                continue;
            }
            let u = self.uniform();
            // The cheap test first: it settles most cases.
            if u < 1.0 - 0.0331 * x.powi(4) || u.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    /// Beta with these shapes.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        x / (x + self.gamma(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of many draws, each the first of its own place.
    #[track_caller]
    fn check(draw: impl Fn(&mut Draws) -> f64, mean: f64, variance: f64) {
        let stream = Stream::new(7, Purpose::Order);
        let count = 40_000;
        let values: Vec<f64> = (0..count).map(|place| draw(&mut stream.at(place, 3))).collect();
        let n = f64::from(count);
        let found = values.iter().sum::<f64>() / n;
        let spread = values.iter().map(|value| (value - found).powi(2)).sum::<f64>() / n;
        // Five standard errors.
        assert!((found - mean).abs() < 5.0 * (variance / n).sqrt(), "mean {found}, not {mean}");
        assert!((spread / variance - 1.0).abs() < 0.1, "variance {spread}, not {variance}");
    }

    #[test]
    fn distributions_have_their_mean_and_variance() {
        check(Draws::uniform, 0.5, 1.0 / 12.0);
        check(Draws::exponential, 1.0, 1.0);
        check(Draws::normal, 0.0, 1.0);
        check(|draws| draws.gamma(6.0), 6.0, 6.0);
        check(|draws| draws.gamma(0.5), 0.5, 0.5);
        check(|draws| draws.beta(1.0, 3.0), 0.25, 3.0 / 80.0);
        check(|draws| f64::from(draws.below(10)), 4.5, 8.25);
        check(|draws| f64::from(u8::from(draws.chance(0.2))), 0.2, 0.16);
        check(|draws| draws.pick(&[0.5, 0.25, 0.25]) as f64, 0.75, 0.6875);
    }

    #[test]
    fn a_purpose_and_a_seed_have_numbers_of_their_own() {
        let first = |seed, purpose| Stream::new(seed, purpose).at(1, 1).bits();
        assert_ne!(first(1, Purpose::Order), first(1, Purpose::Person));
        assert_ne!(first(1, Purpose::Order), first(2, Purpose::Order));
        assert_eq!(first(1, Purpose::Order), first(1, Purpose::Order));
    }
}
