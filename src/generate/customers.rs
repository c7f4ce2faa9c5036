//! Customers: one row each.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::clock::DAY;
use super::columns::{self, Kind};
use super::draws::Purpose;
use super::table::Table;
use super::world::{CHANNELS, Person, World};

/// The table.
pub(super) const CUSTOMERS: Table = Table {
    name: "customers",
    columns: &[
        ("customer_id", Kind::Customer, false),
        ("signed_up_at", Kind::Timestamp, false),
        ("birth_date", Kind::Date, true),
        ("country", Kind::Choice, true),
        ("plan", Kind::Choice, false),
        ("seats", Kind::Int32, false),
        ("acquisition_channel", Kind::Choice, false),
        ("email", Kind::Text, true),
        ("newsletter", Kind::Flag, false),
    ],
    customers: 50_000,
    drawn_with,
    rows,
};

const COUNTRIES: [&str; 12] =
    ["DE", "FR", "GB", "NL", "ES", "IT", "PL", "SE", "AT", "BE", "DK", "IE"];
const COUNTRY_SHARES: [f64; 12] =
    [0.24, 0.16, 0.15, 0.10, 0.09, 0.08, 0.06, 0.04, 0.03, 0.02, 0.02, 0.01];
/// What customers may subscribe to.
pub(super) const PLANS: [&str; 4] = ["free", "basic", "plus", "premium"];
const PLAN_SHARES: [f64; 4] = [0.55, 0.25, 0.14, 0.06];

/// Customers sign up before their first order, so many days on average.
const BEFORE_FIRST_ORDER_DAYS: f64 = 2.0;
const NO_BIRTH_DATE: f64 = 0.05;
const NO_COUNTRY: f64 = 0.004;
const NO_EMAIL: f64 = 0.01;
const SUBSCRIBED: f64 = 0.4;
/// Ages at sign-up: from 18, Gamma with shape 2.5 and this scale.
const AGE_SCALE: f64 = 9.0;

fn drawn_with() -> Vec<(&'static str, f64)> {
    vec![
        ("sign_up_before_first_order_days", BEFORE_FIRST_ORDER_DAYS),
        ("null_birth_date_share", NO_BIRTH_DATE),
        ("null_country_share", NO_COUNTRY),
        ("null_email_share", NO_EMAIL),
        ("newsletter_share", SUBSCRIBED),
        ("free_plan_share", PLAN_SHARES[0]),
    ]
}

/// A customer's row.
pub(super) struct Customer {
    /// In seconds since 1970.
    pub signed_up: i64,
    birth: Option<i32>,
    country: Option<u8>,
    /// The place in [`PLANS`]; 0 pays nothing.
    pub plan: u8,
    pub seats: i32,
    channel: u8,
    email: Option<String>,
    pub newsletter: bool,
}

/// The row of a customer.
pub(super) fn customer(world: &World, customer: u32) -> Customer {
    let person = Person::new(world.stream(Purpose::Person).at(customer, 0));
    let mut draws = world.stream(Purpose::Customer).at(customer, 0);
    let first = world.orders(customer).next().map_or(0, |(_, second)| i64::from(second));
    let before = (draws.exponential() * BEFORE_FIRST_ORDER_DAYS * DAY as f64) as i64;
    let signed_up = world.clock.start() + first - before;
    let age_days = ((18.0 + draws.gamma(2.5) * AGE_SCALE).min(95.0) * 365.25) as i64;
    let plan = draws.pick(&PLAN_SHARES) as u8;
    // Whoever pays may have more than one seat; each further one is half as likely.
    let seats = match plan {
        0 => 1,
        _ => 1 + (draws.bits() | 1 << 9).trailing_zeros() as i32,
    };
    let name = draws.bits();
    Customer {
        signed_up,
        birth: (!draws.chance(NO_BIRTH_DATE))
            .then_some(signed_up.div_euclid(DAY).saturating_sub(age_days) as i32),
        country: (!draws.chance(NO_COUNTRY)).then_some(draws.pick(&COUNTRY_SHARES) as u8),
        plan,
        seats,
        channel: person.channel,
        email: (!draws.chance(NO_EMAIL)).then(|| format!("{name:016x}@example.com")),
        newsletter: draws.chance(SUBSCRIBED),
    }
}

fn rows(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let rows: Vec<Customer> = range.clone().map(|number| customer(world, number)).collect();
    let each = || rows.iter();
    vec![
        columns::customers(world, range),
        columns::timestamps(each().map(|row| Some(row.signed_up))),
        columns::dates(each().map(|row| row.birth)),
        columns::choices(&COUNTRIES, each().map(|row| row.country)),
        columns::choices(&PLANS, each().map(|row| Some(row.plan))),
        columns::int32(each().map(|row| Some(row.seats))),
        columns::choices(&CHANNELS, each().map(|row| Some(row.channel))),
        columns::texts(each().map(|row| row.email.clone())),
        columns::flags(each().map(|row| row.newsletter)),
    ]
}
