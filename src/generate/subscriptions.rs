//! Subscriptions and their invoices: who is on a paying plan pays by the month, changes the plan, and
//! ends.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::clock::DAY;
use super::columns::{self, Kind};
use super::customers::{PLANS, customer};
use super::draws::Purpose;
use super::table::Table;
use super::world::{World, event_id};

/// Spans of one plan.
pub(super) const SUBSCRIPTIONS: Table = Table {
    name: "subscriptions",
    columns: &[
        ("subscription_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("plan", Kind::Choice, false),
        ("seats", Kind::Int32, false),
        ("starts_on", Kind::Date, false),
        ("ends_on", Kind::Date, true),
        ("renews_on", Kind::Date, true),
        ("amount", Kind::Money, false),
    ],
    customers: 100_000,
    drawn_with: || {
        vec![
            ("end_share_per_term", ENDS),
            ("upgrade_share_per_term", UPGRADES),
            ("downgrade_share_per_term", DOWNGRADES),
            ("term_days", TERM as f64),
        ]
    },
    rows: subscriptions,
};

/// An invoice for each term.
pub(super) const INVOICES: Table = Table {
    name: "invoices",
    columns: &[
        ("invoice_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("subscription_id", Kind::Int64, false),
        ("issued_on", Kind::Date, false),
        ("due_on", Kind::Date, false),
        ("paid_on", Kind::Date, true),
        ("amount", Kind::Money, false),
    ],
    customers: 10_000,
    drawn_with: || {
        vec![
            ("unpaid_share", UNPAID),
            ("late_share", LATE),
            ("late_days_mean", LATE_DAYS),
            ("days_to_pay", DUE as f64),
        ]
    },
    rows: invoices,
};

/// Days of a term.
const TERM: i32 = 30;
const ENDS: f64 = 0.03;
const UPGRADES: f64 = 0.012;
const DOWNGRADES: f64 = 0.006;
/// Cents of a seat for a term, by plan.
const PRICES: [i64; 4] = [0, 900, 1_900, 4_900];
/// An invoice is due after so many days.
const DUE: i32 = 14;
const UNPAID: f64 = 0.02;
const LATE: f64 = 0.12;
const LATE_DAYS: f64 = 9.0;

/// A span of one plan.
struct Span {
    customer: u32,
    number: u32,
    plan: u8,
    seats: i32,
    starts: i32,
    /// The first day without it; none if it still runs.
    ends: Option<i32>,
    /// The terms that have begun.
    terms: i32,
}

impl Span {
    fn id(&self) -> i64 {
        event_id(self.customer, self.number)
    }

    fn cents(&self) -> i64 {
        PRICES[usize::from(self.plan)] * i64::from(self.seats)
    }
}

/// The spans of some customers.
fn spans(world: &World, range: Range<u32>) -> Vec<Span> {
    let stream = world.stream(Purpose::Subscription);
    let end = (world.clock.end() / DAY) as i32;
    let mut spans = Vec::new();
    for number in range {
        let who = customer(world, number);
        if who.plan == 0 {
            continue;
        }
        let starts = who.signed_up.div_euclid(DAY) as i32;
        let first = Span {
            customer: number,
            number: 0,
            plan: who.plan,
            seats: who.seats,
            starts,
            ends: None,
            terms: 0,
        };
        let mut span = first;
        let mut term = 0;
        // At the end of each term it goes on, changes or ends.
        let last = loop {
            span.terms += 1;
            term += 1;
            let day = starts + TERM * term;
            if day >= end {
                break span;
            }
            let chance = stream.at(number, term as u32).uniform();
            let plan = match chance {
                _ if chance < ENDS => break Span { ends: Some(day), ..span },
                _ if chance < ENDS + UPGRADES => (span.plan + 1).min(3),
                _ if chance < ENDS + UPGRADES + DOWNGRADES => (span.plan - 1).max(1),
                _ => span.plan,
            };
            if plan != span.plan {
                let next = Span { number: span.number + 1, plan, starts: day, terms: 0, ..span };
                spans.push(Span { ends: Some(day), ..span });
                span = next;
            }
        };
        spans.push(last);
    }
    spans
}

fn subscriptions(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let rows = spans(world, range);
    let each = || rows.iter();
    let renews = |row: &Span| row.ends.is_none().then_some(row.starts + TERM * row.terms);
    vec![
        columns::int64(each().map(Span::id)),
        columns::customers(world, each().map(|row| row.customer)),
        columns::choices(&PLANS, each().map(|row| Some(row.plan))),
        columns::int32(each().map(|row| Some(row.seats))),
        columns::dates(each().map(|row| Some(row.starts))),
        columns::dates(each().map(|row| row.ends)),
        columns::dates(each().map(renews)),
        columns::money(each().map(|row| Some(row.cents()))),
    ]
}

struct Invoice {
    id: i64,
    customer: u32,
    subscription: i64,
    issued: i32,
    paid: Option<i32>,
    cents: i64,
}

fn invoices(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let stream = world.stream(Purpose::Invoice);
    let end = (world.clock.end() / DAY) as i32;
    let mut rows: Vec<Invoice> = Vec::new();
    for span in spans(world, range) {
        for term in 0..span.terms {
            // The number of the invoice among the customer's.
            let number = match rows.last() {
                Some(last) if last.customer == span.customer => last.id as u32 % (1 << 24) + 1,
                _ => 0,
            };
            let mut draws = stream.at(span.customer, number);
            let issued = span.starts + TERM * term;
            let after = match draws.chance(LATE) {
                true => DUE + 1 + (draws.exponential() * LATE_DAYS) as i32,
                false => draws.below(DUE as u32 + 1) as i32,
            };
            let paid = (!draws.chance(UNPAID)).then_some(issued + after).filter(|day| *day < end);
            rows.push(Invoice {
                id: event_id(span.customer, number),
                customer: span.customer,
                subscription: span.id(),
                issued,
                paid,
                cents: span.cents(),
            });
        }
    }
    let each = || rows.iter();
    vec![
        columns::int64(each().map(|row| row.id)),
        columns::customers(world, each().map(|row| row.customer)),
        columns::int64(each().map(|row| row.subscription)),
        columns::dates(each().map(|row| Some(row.issued))),
        columns::dates(each().map(|row| Some(row.issued + DUE))),
        columns::dates(each().map(|row| row.paid)),
        columns::money(each().map(|row| Some(row.cents))),
    ]
}
