//! Marketing: what brought customers in, what they are sent, and what it all costs.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::clock::DAY;
use super::columns::{self, Kind};
use super::customers::customer;
use super::draws::Purpose;
use super::table::Table;
use super::world::World;

/// Campaign letters and what became of them.
pub(super) const SENDS: Table = Table {
    name: "sends",
    columns: &[
        ("customer_id", Kind::Customer, false),
        ("sent_at", Kind::Timestamp, false),
        ("campaign", Kind::Choice, false),
        ("opened_at", Kind::Timestamp, true),
        ("clicked_at", Kind::Timestamp, true),
    ],
    customers: 20_000,
    drawn_with: || {
        vec![
            ("sent_share_of_months", SENT),
            ("opened_share", OPENED),
            ("clicked_share_of_opened", CLICKED),
        ]
    },
    rows: sends,
};

/// Contacts before the first order.
pub(super) const TOUCHPOINTS: Table = Table {
    name: "touchpoints",
    columns: &[
        ("customer_id", Kind::Customer, false),
        ("touched_at", Kind::Timestamp, false),
        ("medium", Kind::Choice, false),
        ("campaign", Kind::Choice, true),
    ],
    customers: 100_000,
    drawn_with: || vec![("touches_mean", f64::from(MOST_TOUCHES + 1) / 2.0)],
    rows: touchpoints,
};

/// What is spent, by day, campaign and component.
pub(super) const COSTS: Table = Table {
    name: "costs",
    columns: &[
        ("spent_on", Kind::Date, false),
        ("campaign", Kind::Choice, false),
        ("purpose", Kind::Choice, false),
        ("component", Kind::Choice, false),
        ("amount", Kind::Money, false),
    ],
    customers: u32::MAX,
    drawn_with: || vec![("cents_per_customer_and_year", CENTS_PER_YEAR)],
    rows: costs,
};

const CAMPAIGNS: [&str; 6] = ["welcome", "spring", "summer", "autumn", "winter", "come_back"];
const CAMPAIGN_SHARES: [f64; 6] = [0.1, 0.2, 0.2, 0.2, 0.2, 0.1];
/// What each campaign is for.
const PURPOSES: [&str; 2] = ["acquire", "retain"];
const PURPOSE_OF: [u8; 6] = [0, 0, 0, 0, 0, 1];
const COMPONENTS: [&str; 3] = ["media", "creation", "staff"];
const COMPONENT_SHARES: [f64; 3] = [0.6, 0.15, 0.25];
const MEDIA: [&str; 5] = ["search", "social", "display", "email", "direct"];
const MEDIA_SHARES: [f64; 5] = [0.35, 0.25, 0.15, 0.1, 0.15];
/// The place of `direct`: no campaign brought these.
const DIRECT: u8 = 4;

const SENT: f64 = 0.5;
const OPENED: f64 = 0.28;
const CLICKED: f64 = 0.15;
const MONTH: i64 = 30;
const MOST_TOUCHES: u32 = 4;
const CENTS_PER_YEAR: f64 = 900.0;

type Send = (u32, i64, u8, Option<i64>, Option<i64>);

fn sends(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let stream = world.stream(Purpose::Send);
    let mut rows: Vec<Send> = Vec::new();
    for number in range {
        let who = customer(world, number);
        let months = (world.clock.end() - who.signed_up) / (MONTH * DAY);
        for month in 0..months * i64::from(who.newsletter) {
            let mut draws = stream.at(number, month as u32);
            if !draws.chance(SENT) {
                continue;
            }
            let sent = who.signed_up
                + month * MONTH * DAY
                + i64::from(draws.below(MONTH as u32 * DAY as u32));
            let campaign = draws.pick(&CAMPAIGN_SHARES) as u8;
            let opened = sent + (draws.exponential() * 6.0 * 3_600.0) as i64;
            let clicked = opened + 5 + i64::from(draws.below(300));
            let opened = world.known(opened).filter(|_| draws.chance(OPENED));
            let clicked =
                world.known(clicked).filter(|_| opened.is_some() && draws.chance(CLICKED));
            rows.push((number, sent, campaign, opened, clicked));
        }
    }
    let each = || rows.iter();
    vec![
        columns::customers(world, each().map(|row| row.0)),
        columns::timestamps(each().map(|row| Some(row.1))),
        columns::choices(&CAMPAIGNS, each().map(|row| Some(row.2))),
        columns::timestamps(each().map(|row| row.3)),
        columns::timestamps(each().map(|row| row.4)),
    ]
}

fn touchpoints(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let stream = world.stream(Purpose::Touchpoint);
    let mut rows: Vec<(u32, i64, u8, Option<u8>)> = Vec::new();
    for number in range {
        let mut draws = stream.at(number, 0);
        let mut at = customer(world, number).signed_up;
        for _ in 0..=draws.below(MOST_TOUCHES) {
            let medium = draws.pick(&MEDIA_SHARES) as u8;
            let campaign = draws.pick(&CAMPAIGN_SHARES) as u8;
            rows.push((number, at, medium, (medium != DIRECT).then_some(campaign)));
            // The last touch is the sign-up; the others lie before it.
            at -= (draws.exponential() * 4.0 * DAY as f64) as i64;
        }
    }
    let each = || rows.iter();
    vec![
        columns::customers(world, each().map(|row| row.0)),
        columns::timestamps(each().map(|row| Some(row.1))),
        columns::choices(&MEDIA, each().map(|row| Some(row.2))),
        columns::choices(&CAMPAIGNS, each().map(|row| row.3)),
    ]
}

fn costs(world: &World, _: Range<u32>) -> Vec<ArrayRef> {
    let stream = world.stream(Purpose::Cost);
    let a_day = f64::from(world.customers) * CENTS_PER_YEAR / 365.25;
    let mut rows: Vec<(i32, u8, u8, i64)> = Vec::new();
    for day in 0..world.clock.days() {
        let mut draws = stream.at(day as u32, 0);
        for (campaign, share) in CAMPAIGN_SHARES.iter().enumerate() {
            for (component, part) in COMPONENT_SHARES.iter().enumerate() {
                // Half to three halves of the mean.
                let cents = a_day * share * part * (0.5 + draws.uniform());
                let date = (world.clock.first + day as i64) as i32;
                rows.push((date, campaign as u8, component as u8, cents.round() as i64));
            }
        }
    }
    let each = || rows.iter();
    vec![
        columns::dates(each().map(|row| Some(row.0))),
        columns::choices(&CAMPAIGNS, each().map(|row| Some(row.1))),
        columns::choices(&PURPOSES, each().map(|row| Some(PURPOSE_OF[usize::from(row.1)]))),
        columns::choices(&COMPONENTS, each().map(|row| Some(row.2))),
        columns::money(each().map(|row| Some(row.3))),
    ]
}
