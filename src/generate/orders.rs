//! The orders of a world, a span of days at a time, in order of time.
//!
//! All customers go forward together. Of each, only the next order is known; what lies in the span comes
//! together as records of 16 bytes, is put in order, and is written. So memory grows with the customers
//! and with the longest span, not with the orders.

use std::ops::Range;

use rayon::prelude::*;

use super::clock::DAY;
use super::draws::{Purpose, Stream};
use super::world::{Life, World};

/// Customers that one task takes forward.
const BLOCK: usize = 4_096;

/// Orders of a span, at most and about; more where many customers would be asked in vain.
const SPAN: f64 = 1_000_000.0;

/// The share of orders that stand in the table twice.
pub(super) const TWICE: f64 = 0.001;

/// An order: what its row is made of, packed so that numbers in order are orders in order of time.
///
/// From the top: 32 bits second since the start, 32 customer, 23 number of the customer's order, 40 number
/// of the order in the table, 1 whether it is the second row of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record(pub u128);

const ID_BITS: u32 = 40;
const NUMBER_BITS: u32 = 23;

impl Record {
    fn new(second: u32, customer: u32, number: u32, again: bool) -> Self {
        // Eight million orders of one customer would be one in 19 s for five years.
        let number = number & ((1 << NUMBER_BITS) - 1);
        let key = (u128::from(second) << 32) | u128::from(customer);
        let rest = (u128::from(number) << (ID_BITS + 1)) | u128::from(again);
        Record((key << 64) | rest)
    }

    /// The second since the start.
    pub fn second(self) -> u32 {
        (self.0 >> 96) as u32
    }

    /// The customer.
    pub fn customer(self) -> u32 {
        (self.0 >> 64) as u32
    }

    /// The number of the order among those of the customer.
    pub fn number(self) -> u32 {
        (self.0 as u64 >> (ID_BITS + 1)) as u32 & ((1 << NUMBER_BITS) - 1)
    }

    /// The number of the order in the table, from 1.
    pub fn id(self) -> i64 {
        ((self.0 as u64 >> 1) & ((1 << ID_BITS) - 1)) as i64
    }

    /// True for the second row of an order.
    pub fn again(self) -> bool {
        self.0 & 1 == 1
    }

    fn with_id(self, id: i64) -> Self {
        Record(self.0 | u128::from((id as u64) << 1))
    }
}

/// Takes all customers through the years.
pub(super) struct Orders<'a> {
    world: &'a World,
    twice: Stream,
    blocks: Vec<Vec<Life>>,
    spans: std::vec::IntoIter<Range<usize>>,
    last_id: i64,
}

impl<'a> Orders<'a> {
    /// Before the first day. `apart` says whether two neighbouring days are never in one span.
    pub fn new(world: &'a World, apart: impl Fn(usize, usize) -> bool) -> Self {
        let starts: Vec<u32> = (0..world.customers).step_by(BLOCK).collect();
        let blocks = starts.into_par_iter().map(|start| {
            let end = start.saturating_add(BLOCK as u32).min(world.customers);
            (start..end).map(|customer| world.life(customer)).collect()
        });
        // A span costs a look at every customer who may come again.
        let most = SPAN.max(f64::from(world.customers) / 2.0);
        Orders {
            world,
            twice: world.stream(Purpose::Twice),
            blocks: blocks.collect(),
            spans: spans(&world.expected, most, apart).into_iter(),
            last_id: 0,
        }
    }
}

impl Iterator for Orders<'_> {
    /// The days of the span, and its orders in order of time.
    type Item = (Range<usize>, Vec<Record>);

    fn next(&mut self) -> Option<Self::Item> {
        let days = self.spans.next()?;
        let end = days.end as u32 * DAY as u32;
        let (world, twice) = (self.world, self.twice);
        let parts: Vec<Vec<Record>> =
            self.blocks.par_iter_mut().map(|block| until(world, twice, block, end)).collect();
        let mut records = parts.concat();
        drop(parts);
        records.par_sort_unstable();
        for record in &mut records {
            self.last_id += i64::from(!record.again());
            *record = record.with_id(self.last_id);
        }
        Some((days, records))
    }
}

/// The orders of a block before a second; customers who are done leave the block.
fn until(world: &World, twice: Stream, block: &mut Vec<Life>, end: u32) -> Vec<Record> {
    let mut records = Vec::new();
    block.retain_mut(|life| {
        loop {
            match world.due(life) {
                None => return false,
                Some(second) if second >= end => return true,
                Some(second) => {
                    let record = |again| Record::new(second, life.customer, life.number, again);
                    records.push(record(false));
                    if twice.at(life.customer, life.number).chance(TWICE) {
                        records.push(record(true));
                    }
                }
            }
            if !world.step(life) {
                return false;
            }
        }
    });
    records
}

/// Cuts days into spans of at most so many expected orders; a day is never cut.
fn spans(expected: &[f64], most: f64, apart: impl Fn(usize, usize) -> bool) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut orders = 0.0;
    for (day, count) in expected.iter().enumerate() {
        match spans.last_mut() {
            Some(span) if orders + count <= most && !apart(day - 1, day) => {
                span.end = day + 1;
                orders += count;
            }
            _ => {
                spans.push(day..day + 1);
                orders = *count;
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::request::Asked;

    #[test]
    fn a_record_keeps_what_it_is_made_of() {
        let record = Record::new(157_766_399, u32::MAX - 1, 5_471, true).with_id(123_456_789_012);
        assert_eq!(record.second(), 157_766_399);
        assert_eq!(record.customer(), u32::MAX - 1);
        assert_eq!(record.number(), 5_471);
        assert_eq!(record.id(), 123_456_789_012);
        assert!(record.again());
    }

    #[test]
    fn spans_hold_all_days_and_not_too_many_orders() {
        let expected = [400.0, 700.0, 200.0, 200.0, 1_500.0, 1.0, 1.0];
        let found = spans(&expected, 1_000.0, |_, day| day == 6);
        assert_eq!(found, [0..1, 1..3, 3..4, 4..5, 5..6, 6..7]);
    }

    /// However the days are cut, the orders are the same and none is lost.
    #[test]
    fn spans_do_not_change_the_orders() {
        let world = World::new(&Asked { orders: 5_000, ..Asked::default() }).expect("a world");
        let all = |apart: fn(usize, usize) -> bool| -> Vec<Record> {
            Orders::new(&world, apart).flat_map(|(_, records)| records).collect()
        };
        let once = all(|_, _| false);
        assert_eq!(once, all(|_, _| true));
        assert!(once.is_sorted());
        let orders: usize =
            (0..world.customers).map(|customer| world.orders(customer).count()).sum();
        assert_eq!(once.iter().filter(|record| !record.again()).count(), orders);
        assert_eq!(once.last().map(|record| record.id()), Some(orders as i64));
        assert!(once.iter().any(|record| record.again()));
    }

    /// What is in memory at a time follows from the spans; they do not grow with the orders.
    #[test]
    fn a_span_of_many_orders_is_as_short_as_one_of_few() {
        for orders in [1_000_000, 100_000_000] {
            let world = World::new(&Asked { orders, ..Asked::default() }).expect("a world");
            let spans = spans(&world.expected, SPAN, |_, _| false);
            let most = spans.into_iter().map(|days| world.expected[days].iter().sum::<f64>());
            assert!(most.fold(0.0, f64::max) <= SPAN);
        }
    }
}
