//! Support tickets: some orders lead to one.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::clock::DAY;
use super::columns::{self, Kind};
use super::draws::Purpose;
use super::table::Table;
use super::world::{Followed, World};

/// The table.
pub(super) const TICKETS: Table = Table {
    name: "tickets",
    columns: &[
        ("ticket_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("created_at", Kind::Timestamp, false),
        ("first_replied_at", Kind::Timestamp, true),
        ("solved_at", Kind::Timestamp, true),
        ("closed_at", Kind::Timestamp, true),
        ("topic", Kind::Choice, false),
        ("handle_seconds", Kind::Int32, false),
        ("contacts", Kind::Int32, false),
        ("reopens", Kind::Int32, false),
        ("abandoned", Kind::Flag, false),
        ("complaint", Kind::Flag, false),
    ],
    customers: 20_000,
    drawn_with,
    rows,
};

const TOPICS: [&str; 6] = ["delivery", "payment", "product", "return", "account", "other"];
const TOPIC_SHARES: [f64; 6] = [0.34, 0.14, 0.22, 0.17, 0.08, 0.05];

/// The share of orders that lead to a ticket.
const SHARE: f64 = 0.1;
/// Tickets come so many days after the order, on average.
const AFTER_DAYS: f64 = 3.0;
/// Nobody replies to these, because the customer has left.
const ABANDONED: f64 = 0.04;
const COMPLAINT: f64 = 0.15;
const REOPENED: f64 = 0.07;
/// Log-normal: median, and standard deviation of the logarithm.
const REPLY_HOURS: (f64, f64) = (1.5, 1.1);
const SOLVE_HOURS: (f64, f64) = (9.0, 1.3);
const HANDLE_SECONDS: (f64, f64) = (420.0, 0.8);

fn drawn_with() -> Vec<(&'static str, f64)> {
    vec![
        ("share_of_orders", SHARE),
        ("after_order_days_mean", AFTER_DAYS),
        ("abandoned_share", ABANDONED),
        ("complaint_share", COMPLAINT),
        ("reopened_share", REOPENED),
        ("reply_hours_median", REPLY_HOURS.0),
        ("reply_hours_log_deviation", REPLY_HOURS.1),
        ("reply_to_solution_hours_median", SOLVE_HOURS.0),
        ("reply_to_solution_hours_log_deviation", SOLVE_HOURS.1),
        ("handle_seconds_median", HANDLE_SECONDS.0),
        ("handle_seconds_log_deviation", HANDLE_SECONDS.1),
    ]
}

struct Ticket {
    id: i64,
    customer: u32,
    created: i64,
    replied: Option<i64>,
    solved: Option<i64>,
    closed: Option<i64>,
    topic: u8,
    handled: i32,
    contacts: i32,
    reopens: i32,
    abandoned: bool,
    complaint: bool,
}

fn ticket(world: &World, order: Followed) -> Option<Ticket> {
    let id = order.id();
    let mut draws = order.draws;
    let created =
        world.known(order.ordered + (draws.exponential() * AFTER_DAYS * DAY as f64) as i64)?;
    let hours = |hours: f64| (hours * 3_600.0) as i64;
    let abandoned = draws.chance(ABANDONED);
    let reply = created + hours(draws.log_normal(REPLY_HOURS.0, REPLY_HOURS.1));
    let solution = reply + hours(draws.log_normal(SOLVE_HOURS.0, SOLVE_HOURS.1));
    let closing = solution + hours(24.0 + 48.0 * draws.uniform());
    let seen = |instant| world.known(instant).filter(|_| !abandoned);
    let reopens = i32::from(draws.chance(REOPENED) && seen(solution).is_some());
    // Each further contact is a third as likely.
    let contacts = 1 + (draws.exponential() / 3f64.ln()) as i32;
    Some(Ticket {
        id,
        customer: order.customer,
        created,
        replied: seen(reply),
        solved: seen(solution),
        closed: seen(closing),
        topic: draws.pick(&TOPIC_SHARES) as u8,
        handled: draws.log_normal(HANDLE_SECONDS.0, HANDLE_SECONDS.1) as i32,
        contacts: contacts + reopens,
        reopens,
        abandoned,
        complaint: draws.chance(COMPLAINT),
    })
}

fn rows(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let orders = world.followed(range, Purpose::Ticket, SHARE);
    let rows: Vec<Ticket> = orders.filter_map(|order| ticket(world, order)).collect();
    let each = || rows.iter();
    vec![
        columns::int64(each().map(|row| row.id)),
        columns::customers(world, each().map(|row| row.customer)),
        columns::timestamps(each().map(|row| Some(row.created))),
        columns::timestamps(each().map(|row| row.replied)),
        columns::timestamps(each().map(|row| row.solved)),
        columns::timestamps(each().map(|row| row.closed)),
        columns::choices(&TOPICS, each().map(|row| Some(row.topic))),
        columns::int32(each().map(|row| Some(row.handled))),
        columns::int32(each().map(|row| Some(row.contacts))),
        columns::int32(each().map(|row| Some(row.reopens))),
        columns::flags(each().map(|row| row.abandoned)),
        columns::flags(each().map(|row| row.complaint)),
    ]
}
