//! What customers say in public: reviews of what they bought, and mentions elsewhere.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::clock::DAY;
use super::columns::{self, Kind};
use super::draws::Purpose;
use super::surveys::text;
use super::table::Table;
use super::world::{Followed, World};

/// Reviews.
pub(super) const REVIEWS: Table = Table {
    name: "reviews",
    columns: &[
        ("review_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("reviewed_at", Kind::Timestamp, false),
        ("rating", Kind::Int32, false),
        ("sentiment", Kind::Choice, true),
        ("language", Kind::Choice, false),
        ("text", Kind::Text, true),
    ],
    customers: 40_000,
    drawn_with: || {
        vec![
            ("share_of_orders", REVIEWED),
            (
                "rating_mean",
                (1..).zip(RATINGS).map(|(stars, share)| f64::from(stars) * share).sum(),
            ),
            ("text_share", WITH_TEXT),
        ]
    },
    rows: reviews,
};

/// Mentions in networks and forums.
pub(super) const MENTIONS: Table = Table {
    name: "mentions",
    columns: &[
        ("mention_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("mentioned_at", Kind::Timestamp, false),
        ("place", Kind::Choice, false),
        ("sentiment", Kind::Choice, true),
        ("text", Kind::Text, true),
    ],
    customers: 200_000,
    drawn_with: || vec![("share_of_orders", MENTIONED)],
    rows: mentions,
};

const REVIEWED: f64 = 0.04;
const MENTIONED: f64 = 0.005;
const RATINGS: [f64; 5] = [0.07, 0.06, 0.12, 0.29, 0.46];
const WITH_TEXT: f64 = 0.7;
const SENTIMENTS: [&str; 3] = ["negative", "neutral", "positive"];
const LANGUAGES: [&str; 2] = ["en", "de"];
const LANGUAGE_SHARES: [f64; 2] = [0.7, 0.3];
const PLACES: [&str; 3] = ["forum", "network", "video"];
const PLACE_SHARES: [f64; 3] = [0.3, 0.5, 0.2];
/// Reviews and mentions come within so many days.
const WITHIN_DAYS: u32 = 20;

struct Said {
    id: i64,
    customer: u32,
    at: i64,
    rating: i32,
    /// The mood that goes with the rating, if there is a text to read it from.
    mood: Option<u8>,
    place: u8,
    language: u8,
    text: Option<String>,
}

fn said(world: &World, order: Followed) -> Option<Said> {
    let (id, customer) = (order.id(), order.customer);
    let mut draws = order.draws;
    let at = world.known(order.ordered + DAY + i64::from(draws.below(WITHIN_DAYS * DAY as u32)))?;
    let rating = 1 + draws.pick(&RATINGS) as i32;
    let mood = usize::from(rating > 2) + usize::from(rating > 3);
    let place = draws.pick(&PLACE_SHARES) as u8;
    let language = draws.pick(&LANGUAGE_SHARES) as u8;
    let text = draws.chance(WITH_TEXT).then(|| text(mood, &mut draws));
    let mood = text.is_some().then_some(mood as u8);
    Some(Said { id, customer, at, rating, mood, place, language, text })
}

fn all(world: &World, range: Range<u32>, purpose: Purpose, share: f64) -> Vec<Said> {
    world.followed(range, purpose, share).filter_map(|order| said(world, order)).collect()
}

fn reviews(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let rows = all(world, range, Purpose::Review, REVIEWED);
    let each = || rows.iter();
    vec![
        columns::int64(each().map(|row| row.id)),
        columns::customers(world, each().map(|row| row.customer)),
        columns::timestamps(each().map(|row| Some(row.at))),
        columns::int32(each().map(|row| Some(row.rating))),
        columns::choices(&SENTIMENTS, each().map(|row| row.mood)),
        columns::choices(&LANGUAGES, each().map(|row| Some(row.language))),
        columns::texts(each().map(|row| row.text.clone())),
    ]
}

fn mentions(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let rows = all(world, range, Purpose::Mention, MENTIONED);
    let each = || rows.iter();
    vec![
        columns::int64(each().map(|row| row.id)),
        columns::customers(world, each().map(|row| row.customer)),
        columns::timestamps(each().map(|row| Some(row.at))),
        columns::choices(&PLACES, each().map(|row| Some(row.place))),
        columns::choices(&SENTIMENTS, each().map(|row| row.mood)),
        columns::texts(each().map(|row| row.text.clone())),
    ]
}
