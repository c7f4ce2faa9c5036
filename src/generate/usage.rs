//! Product usage: what customers do in the shop before they order.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::columns::{self, Kind};
use super::draws::Purpose;
use super::table::Table;
use super::world::World;

/// The events.
pub(super) const USAGE: Table = Table {
    name: "usage",
    columns: &[
        ("customer_id", Kind::Customer, false),
        ("used_at", Kind::Timestamp, false),
        ("event", Kind::Choice, false),
        ("feature", Kind::Choice, true),
        ("seconds", Kind::Int32, false),
    ],
    customers: 10_000,
    drawn_with: || {
        vec![
            ("share_of_orders", SHARE),
            ("seconds_median", SECONDS.0),
            ("seconds_log_deviation", SECONDS.1),
        ]
    },
    rows,
};

const EVENTS: [&str; 4] = ["login", "search", "view", "save"];
const EVENT_SHARES: [f64; 4] = [0.2, 0.25, 0.45, 0.1];
const FEATURES: [&str; 4] = ["search", "wish_list", "compare", "reorder"];
const FEATURE_SHARES: [f64; 4] = [0.5, 0.2, 0.12, 0.18];
/// The share of orders with a visit on record.
const SHARE: f64 = 0.5;
/// A visit has at most so many events, each number as likely as the others.
const MOST: u32 = 4;
const SECONDS: (f64, f64) = (40.0, 0.9);

fn rows(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let mut rows: Vec<(u32, i64, u8, Option<u8>, i32)> = Vec::new();
    for order in world.followed(range, Purpose::Usage, SHARE) {
        let mut draws = order.draws;
        let count = 1 + draws.below(MOST);
        for left in (1..=count).rev() {
            let used = order.ordered - i64::from(left * 90 + draws.below(90));
            let event = draws.pick(&EVENT_SHARES) as u8;
            // Whoever only logs in uses no feature.
            let feature = (event > 0).then(|| draws.pick(&FEATURE_SHARES) as u8);
            let seconds = draws.log_normal(SECONDS.0, SECONDS.1) as i32;
            rows.push((order.customer, used, event, feature, seconds));
        }
    }
    let each = || rows.iter();
    vec![
        columns::customers(world, each().map(|row| row.0)),
        columns::timestamps(each().map(|row| Some(row.1))),
        columns::choices(&EVENTS, each().map(|row| Some(row.2))),
        columns::choices(&FEATURES, each().map(|row| row.3)),
        columns::int32(each().map(|row| Some(row.4))),
    ]
}
