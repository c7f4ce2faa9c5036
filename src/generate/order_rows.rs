//! Rows of the orders: what is in a basket, what it costs and what became of it.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::clock::DAY;
use super::columns::{self, Columns, Kind};
use super::draws::{Draws, Purpose, Stream};
use super::orders::{Record, TWICE};
use super::truth::Tally;
use super::world::{self, CHANNEL_SHARES, CHANNELS, Person, World};

/// The columns of the orders.
pub(super) const COLUMNS: Columns = &[
    ("order_id", Kind::Int64, false),
    ("customer_id", Kind::Customer, false),
    ("ordered_at", Kind::Timestamp, false),
    ("product_id", Kind::Int32, false),
    ("category", Kind::Choice, false),
    ("channel", Kind::Choice, true),
    ("units", Kind::Int32, false),
    ("amount", Kind::Money, true),
    ("discount", Kind::Money, false),
    ("status", Kind::Choice, false),
    ("returned_at", Kind::Timestamp, true),
];

/// An order is worth Gamma(`P`, ν) where a customer's ν is Gamma(`Q`, `GAMMA`): Gamma-Gamma (Fader,
/// Hardie 2013). The mean is `P` · `GAMMA` / (`Q` − 1) = 42.
const P: f64 = 6.0;
const Q: f64 = 4.0;
const GAMMA: f64 = 21.0;

/// Products; a few are sold often, many seldom.
const PRODUCTS: u32 = 10_000;
const CATEGORIES: [&str; 8] =
    ["groceries", "household", "beauty", "books", "toys", "electronics", "clothing", "shoes"];
/// The share of orders that come back, by category.
const RETURNS: [f64; 8] = [0.002, 0.008, 0.01, 0.008, 0.018, 0.03, 0.042, 0.05];

const STATUSES: [&str; 4] = ["completed", "returned", "cancelled", "pending"];
const COMPLETED: u8 = 0;
const RETURNED: u8 = 1;
const CANCELLED: u8 = 2;
const PENDING: u8 = 3;
const CANCELLED_SHARE: f64 = 0.03;
const PENDING_SHARE: f64 = 0.01;
/// An order comes back within so many days.
const RETURN_DAYS: u32 = 30;

const NO_AMOUNT: f64 = 0.001;
const NO_CHANNEL: f64 = 0.0005;
/// The share of orders that come through the customer's own channel whatever is drawn.
const LOYAL_TO_CHANNEL: f64 = 0.7;
const DISCOUNTED: f64 = 0.2;

/// What the orders are drawn with.
pub(super) fn drawn_with() -> Vec<(&'static str, f64)> {
    vec![
        ("bg_nbd_r", world::R),
        ("bg_nbd_alpha_weeks", world::ALPHA),
        ("bg_nbd_a", world::A),
        ("bg_nbd_b", world::B),
        ("gamma_gamma_p", P),
        ("gamma_gamma_q", Q),
        ("gamma_gamma_gamma", GAMMA),
        ("cancelled_share", CANCELLED_SHARE),
        ("pending_share", PENDING_SHARE),
        ("returned_share", RETURNS.iter().sum::<f64>() / RETURNS.len() as f64),
        ("duplicate_share", TWICE),
        ("null_amount_share", NO_AMOUNT),
        ("null_channel_share", NO_CHANNEL),
        ("discounted_share", DISCOUNTED),
    ]
}

/// What all orders share.
pub(super) struct Baskets<'a> {
    world: &'a World,
    orders: Stream,
    /// Each customer's own ν and channel: asked once for each order, so they are kept.
    customers: Vec<(f32, u8)>,
}

impl<'a> Baskets<'a> {
    /// What all orders of a world share.
    pub fn new(world: &'a World) -> Self {
        use rayon::prelude::*;
        let (spend, people) = (world.stream(Purpose::Spend), world.stream(Purpose::Person));
        let customers = (0..world.customers).into_par_iter().map(|customer| {
            let nu = spend.at(customer, 0).gamma(Q) / GAMMA;
            (nu as f32, Person::new(people.at(customer, 0)).channel)
        });
        Baskets { world, orders: world.stream(Purpose::Order), customers: customers.collect() }
    }

    fn order(&self, record: Record) -> Order {
        let (nu, own_channel) =
            self.customers.get(record.customer() as usize).copied().unwrap_or((1.0, 0));
        let mut draws = self.orders.at(record.customer(), record.number());
        let cents = (100.0 * draws.gamma(P) / f64::from(nu)).round().max(1.0) as i64;
        let product = (f64::from(PRODUCTS) * draws.uniform().powi(3)) as u32;
        let category = product as usize % CATEGORIES.len();
        let (status, returned) = self.fate(record, category, &mut draws);
        let bits = draws.bits();
        let channel = match draws.chance(LOYAL_TO_CHANNEL) {
            true => own_channel,
            false => draws.pick(&CHANNEL_SHARES) as u8,
        };
        let flaw = draws.uniform();
        // 5, 10, 15 or 20 percent.
        let off = match draws.chance(DISCOUNTED) {
            true => cents * (1 + (bits & 3) as i64) * 5 / 100,
            false => 0,
        };
        Order {
            product: product + 1,
            category: category as u8,
            channel: (flaw >= NO_CHANNEL).then_some(channel),
            // Each further unit is half as likely.
            units: 1 + ((bits >> 8) | 0x80).trailing_zeros(),
            cents: (flaw < 1.0 - NO_AMOUNT).then_some(cents),
            discount: off,
            status,
            returned,
        }
    }

    /// What became of an order, and when it came back.
    fn fate(&self, record: Record, category: usize, draws: &mut Draws) -> (u8, Option<i64>) {
        let fate = draws.uniform();
        if fate < CANCELLED_SHARE {
            return (CANCELLED, None);
        }
        if fate < CANCELLED_SHARE + PENDING_SHARE {
            return (PENDING, None);
        }
        if fate < CANCELLED_SHARE + PENDING_SHARE + RETURNS[category] {
            let after = i64::from(1 + draws.below(RETURN_DAYS * DAY as u32));
            let returned = self.world.clock.start() + i64::from(record.second()) + after;
            // What comes back after the end is not known yet.
            if returned < self.world.clock.end() {
                return (RETURNED, Some(returned));
            }
        }
        (COMPLETED, None)
    }

    /// The rows of records, and what is true of them.
    ///
    /// # Errors
    /// Columns that do not fit the schema.
    pub fn rows(
        &self,
        records: &[Record],
        schema: &SchemaRef,
    ) -> Result<(RecordBatch, Tally), ArrowError> {
        let orders: Vec<Order> = records.iter().map(|record| self.order(*record)).collect();
        let start = self.world.clock.start();
        let placed = records.iter().map(|record| Some(start + i64::from(record.second())));
        let each = || orders.iter();
        let arrays = vec![
            columns::int64(records.iter().map(|record| record.id())),
            columns::customers(self.world, records.iter().map(|record| record.customer())),
            columns::timestamps(placed),
            columns::int32(each().map(|order| Some(order.product as i32))),
            columns::choices(&CATEGORIES, each().map(|order| Some(order.category))),
            columns::choices(&CHANNELS, each().map(|order| order.channel)),
            columns::int32(each().map(|order| Some(order.units as i32))),
            columns::money(each().map(|order| order.cents)),
            columns::money(each().map(|order| Some(order.discount))),
            columns::choices(&STATUSES, each().map(|order| Some(order.status))),
            columns::timestamps(each().map(|order| order.returned)),
        ];
        Ok((RecordBatch::try_new(schema.clone(), arrays)?, counted(records, &orders)))
    }
}

struct Order {
    product: u32,
    category: u8,
    channel: Option<u8>,
    units: u32,
    cents: Option<i64>,
    discount: i64,
    status: u8,
    returned: Option<i64>,
}

/// What is true of some orders. All but `rows` and `duplicate_rows` count an order once.
fn counted(records: &[Record], orders: &[Order]) -> Tally {
    let mut statuses = [0i64; STATUSES.len()];
    let (mut repeated, mut customers, mut repeaters) = (0, 0, 0);
    let (mut amount, mut units, mut discount) = (0, 0, 0);
    let (mut no_amount, mut no_channel) = (0, 0);
    for (record, order) in records.iter().zip(orders) {
        if record.again() {
            repeated += 1;
            continue;
        }
        statuses[usize::from(order.status)] += 1;
        customers += i64::from(record.number() == 0);
        repeaters += i64::from(record.number() == 1);
        if order.status == COMPLETED {
            amount += order.cents.unwrap_or(0);
        }
        units += i64::from(order.units);
        discount += order.discount;
        no_amount += i64::from(order.cents.is_none());
        no_channel += i64::from(order.channel.is_none());
    }
    let rows = records.len() as i64;
    let mut tally = Tally::default();
    for (name, count) in [
        ("rows", rows),
        ("duplicate_rows", repeated),
        ("orders", rows - repeated),
        ("customers", customers),
        ("customers_with_two_orders", repeaters),
        ("completed", statuses[usize::from(COMPLETED)]),
        ("returned", statuses[usize::from(RETURNED)]),
        ("cancelled", statuses[usize::from(CANCELLED)]),
        ("pending", statuses[usize::from(PENDING)]),
        ("completed_amount_cents", amount),
        ("units", units),
        ("discount_cents", discount),
        ("orders_without_amount", no_amount),
        ("orders_without_channel", no_channel),
    ] {
        tally.add(name, count);
    }
    tally
}
