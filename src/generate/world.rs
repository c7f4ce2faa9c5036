//! The customers of a world and how they buy: BG/NBD (Fader, Hardie, Lee 2005) in the time of the
//! seasonal clock.

use rayon::prelude::*;

use super::clock::{Clock, DAY};
use super::draws::{Draws, Purpose, Stream};
use super::request::{Asked, GenerateError, Ids};

/// Purchase rates are Gamma(`R`, `ALPHA`) orders a week.
pub(super) const R: f64 = 0.55;
/// See [`R`]; in weeks.
pub(super) const ALPHA: f64 = 0.7;
/// After each repeat order a customer stops with a probability that is Beta(`A`, `B`).
pub(super) const A: f64 = 0.8;
/// See [`A`].
pub(super) const B: f64 = 20.0;

/// Customers whose orders are counted beforehand, to know how many customers are needed and how many
/// orders a day has.
const PILOT: std::ops::RangeInclusive<u64> = 512..=65_536;

/// About how many orders a customer places; only the size of the pilot hangs on it.
const ROUGHLY: u64 = 40;

/// Everything that is drawn from.
#[derive(Debug)]
pub(super) struct World {
    pub seed: u64,
    pub clock: Clock,
    pub ids: Ids,
    pub customers: u32,
    /// Orders expected on each day.
    pub expected: Vec<f64>,
    buyers: Stream,
    purchases: Stream,
}

impl World {
    /// The world with about as many orders as asked for.
    ///
    /// # Errors
    /// More customers than a `u32` numbers.
    pub fn new(asked: &Asked) -> Result<Self, GenerateError> {
        let mut world = World {
            seed: asked.seed,
            clock: Clock::new(asked)?,
            ids: asked.ids,
            customers: 0,
            expected: Vec::new(),
            buyers: Stream::new(asked.seed, Purpose::Buyer),
            purchases: Stream::new(asked.seed, Purpose::Purchase),
        };
        let pilot = (asked.orders / ROUGHLY).clamp(*PILOT.start(), *PILOT.end()) as u32;
        let days: Vec<Vec<u32>> = (0..pilot)
            .into_par_iter()
            .map(|customer| world.orders(customer).map(|(_, second)| second / DAY as u32).collect())
            .collect();
        let mut orders = 0;
        // A small world stops with the customer who fills it, a large one is reckoned.
        let full = days.iter().position(|days| {
            orders += days.len() as u64;
            orders >= asked.orders
        });
        let needed = match full {
            Some(last) => last as u64 + 1,
            None => (asked.orders as f64 * f64::from(pilot) / orders.max(1) as f64).round() as u64,
        };
        world.customers = u32::try_from(needed)
            .ok()
            .filter(|customers| *customers < u32::MAX)
            .ok_or(GenerateError::TooMany { orders: asked.orders })?;
        world.expected = vec![0.0; world.clock.days()];
        let share = f64::from(world.customers) / f64::from(pilot);
        for day in days.into_iter().flatten() {
            world.expected[day as usize] += share;
        }
        Ok(world)
    }

    /// The draws of a purpose.
    pub fn stream(&self, purpose: Purpose) -> Stream {
        Stream::new(self.seed, purpose)
    }

    /// A customer before the first order.
    pub fn life(&self, customer: u32) -> Life {
        let mut draws = self.buyers.at(customer, 0);
        let rate = draws.gamma(R) / (ALPHA * 7.0);
        let stops = draws.beta(A, B);
        // More customers come early: the shop is known, and its growth slows down.
        let first = draws.uniform().powf(1.4) * self.clock.days() as f64;
        Life { time: first, rate: rate as f32, stops: stops as f32, customer, number: 0 }
    }

    /// The second of a customer's next order since the start; none if it is after the end.
    pub fn due(&self, life: &Life) -> Option<u32> {
        self.clock.second(life.time)
    }

    /// Goes on to the order after this one; false if the customer stops here.
    pub fn step(&self, life: &mut Life) -> bool {
        let mut draws = self.purchases.at(life.customer, life.number);
        // Nobody stops with the first order: that is what BG/NBD says.
        if life.number > 0 && draws.chance(f64::from(life.stops)) {
            return false;
        }
        life.time += draws.exponential() / f64::from(life.rate).max(1e-12);
        life.number += 1;
        true
    }

    /// Those orders of some customers, a share of all, that something follows: with their draws.
    pub fn followed(
        &self,
        customers: std::ops::Range<u32>,
        purpose: Purpose,
        share: f64,
    ) -> impl Iterator<Item = Followed> + '_ {
        let stream = self.stream(purpose);
        customers.flat_map(move |customer| {
            self.orders(customer).filter_map(move |(number, second)| {
                let mut draws = stream.at(customer, number);
                draws.chance(share).then(|| Followed {
                    customer,
                    number,
                    ordered: self.clock.start() + i64::from(second),
                    draws,
                })
            })
        })
    }

    /// An instant, if it is before the end: what comes later is not known yet.
    pub fn known(&self, second: i64) -> Option<i64> {
        (second < self.clock.end()).then_some(second)
    }

    /// All orders of a customer: number and second since the start.
    pub fn orders(&self, customer: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut next = Some(self.life(customer));
        std::iter::from_fn(move || {
            let mut life = next.take()?;
            let order = (life.number, self.due(&life)?);
            next = self.step(&mut life).then_some(life);
            Some(order)
        })
    }
}

/// An order that something follows.
#[derive(Debug)]
pub(super) struct Followed {
    pub customer: u32,
    /// The number of the order among the customer's.
    pub number: u32,
    /// When it was placed, in seconds since 1970.
    pub ordered: i64,
    pub draws: Draws,
}

impl Followed {
    /// A number that no other order has.
    pub fn id(&self) -> i64 {
        event_id(self.customer, self.number)
    }
}

/// A number that no other event of the same table has.
pub(super) fn event_id(customer: u32, number: u32) -> i64 {
    (i64::from(customer) + 1) << 24 | i64::from(number)
}

/// How far a customer has come.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// When the next order comes, in days of the buyers' clock.
    time: f64,
    /// Orders a day.
    rate: f32,
    /// The probability to stop after a repeat order.
    stops: f32,
    pub customer: u32,
    /// The number of the next order.
    pub number: u32,
}

/// Where customers come from and buy.
pub(super) const CHANNELS: [&str; 5] = ["web", "app", "store", "marketplace", "phone"];
/// Their shares.
pub(super) const CHANNEL_SHARES: [f64; 5] = [0.38, 0.27, 0.20, 0.11, 0.04];

/// What many tables ask of a customer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    /// The place of the customer's own channel in [`CHANNELS`].
    pub channel: u8,
}

impl Person {
    /// Who a customer is.
    pub fn new(mut draws: Draws) -> Self {
        Person { channel: draws.pick(&CHANNEL_SHARES) as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(orders: u64) -> World {
        World::new(&Asked { orders, ..Asked::default() }).expect("a world")
    }

    #[test]
    fn it_holds_about_as_many_orders_as_asked_for() {
        for orders in [1_000, 30_000] {
            let world = world(orders);
            let found: usize =
                (0..world.customers).map(|customer| world.orders(customer).count()).sum();
            let found = found as f64 / orders as f64;
            // The last customer of a small world may be a large one.
            assert!((0.97..2.0).contains(&found), "{found} of {orders}");
        }
    }

    #[test]
    fn rates_and_dropout_are_the_stated_ones() {
        let world = world(1_000);
        let count = 20_000;
        let lives: Vec<Life> = (0..count).map(|customer| world.life(customer)).collect();
        let mean = |of: fn(&Life) -> f32| {
            lives.iter().map(|life| f64::from(of(life))).sum::<f64>() / f64::from(count)
        };
        let rate = mean(|life| life.rate) * 7.0;
        assert!((rate / (R / ALPHA) - 1.0).abs() < 0.05, "{rate}");
        let stops = mean(|life| life.stops);
        assert!((stops / (A / (A + B)) - 1.0).abs() < 0.05, "{stops}");
    }

    #[test]
    fn orders_of_a_customer_are_in_order_of_time() {
        let world = world(2_000);
        for customer in 0..world.customers {
            let orders: Vec<(u32, u32)> = world.orders(customer).collect();
            assert!(orders.is_sorted_by_key(|(_, second)| *second));
            assert!(
                orders.iter().enumerate().all(|(place, (number, _))| place == *number as usize)
            );
        }
    }
}
