//! Surveys: invitations with and without answers, and the contacts that follow a low score.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::clock::DAY;
use super::columns::{self, Kind};
use super::draws::{Draws, Purpose};
use super::table::Table;
use super::world::{Followed, World};

/// Invitations and answers.
pub(super) const SURVEYS: Table = Table {
    name: "surveys",
    columns: &[
        ("survey_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("sent_at", Kind::Timestamp, false),
        ("answered_at", Kind::Timestamp, true),
        ("question", Kind::Choice, false),
        ("touchpoint", Kind::Choice, false),
        ("score", Kind::Int32, true),
        ("text", Kind::Text, true),
    ],
    customers: 40_000,
    drawn_with,
    rows,
};

/// Contacts after a low score.
pub(super) const FOLLOW_UPS: Table = Table {
    name: "follow_ups",
    columns: &[
        ("survey_id", Kind::Int64, false),
        ("customer_id", Kind::Customer, false),
        ("contacted_at", Kind::Timestamp, false),
        ("way", Kind::Choice, false),
    ],
    customers: 200_000,
    drawn_with: || {
        vec![("share_of_low_scores", FOLLOWED), ("after_answer_days_mean", FOLLOW_UP_DAYS)]
    },
    rows: follow_ups,
};

const QUESTIONS: [&str; 3] = ["nps", "csat", "ces"];
const QUESTION_SHARES: [f64; 3] = [0.4, 0.4, 0.2];
/// How scores are spread: 0 to 10, 1 to 5, 1 to 7.
const NPS: [f64; 11] = [0.03, 0.01, 0.02, 0.02, 0.03, 0.06, 0.07, 0.14, 0.22, 0.19, 0.21];
const CSAT: [f64; 5] = [0.06, 0.06, 0.14, 0.36, 0.38];
const CES: [f64; 7] = [0.03, 0.04, 0.07, 0.12, 0.22, 0.28, 0.24];
/// The highest scores that are low ones.
const LOW: [i32; 3] = [6, 2, 2];
/// The lowest scores that are high ones.
const HIGH: [i32; 3] = [9, 4, 6];

const TOUCHPOINTS: [&str; 3] = ["purchase", "delivery", "support"];
const TOUCHPOINT_SHARES: [f64; 3] = [0.45, 0.4, 0.15];

const SHARE: f64 = 0.05;
const ANSWERED: f64 = 0.35;
const ANSWER_DAYS: f64 = 1.5;
const WITH_TEXT: f64 = 0.4;
const FOLLOWED: f64 = 0.6;
const FOLLOW_UP_DAYS: f64 = 4.0;
const WAYS: [&str; 3] = ["phone", "mail", "chat"];
const WAY_SHARES: [f64; 3] = [0.5, 0.4, 0.1];

/// What people write: of low, middling and high scores.
pub(super) const TEXTS: [&[&str]; 3] = [
    &["arrived late and nobody told me", "broken when it came", "the refund took weeks"],
    &["fine, but delivery was slow", "it does what it should", "a bit dear for what it is"],
    &["quick and friendly", "just what I wanted, will buy again", "great quality"],
];

/// The mean of a spread of scores from `low` on.
fn mean(shares: &[f64], low: f64) -> f64 {
    (0..).zip(shares).map(|(place, share)| (low + f64::from(place)) * share).sum()
}

fn drawn_with() -> Vec<(&'static str, f64)> {
    vec![
        ("share_of_orders", SHARE),
        ("answered_share", ANSWERED),
        ("answer_days_mean", ANSWER_DAYS),
        ("text_share_of_answers", WITH_TEXT),
        ("nps_promoter_share", NPS[9..].iter().sum()),
        ("nps_detractor_share", NPS[..7].iter().sum()),
        ("csat_mean", mean(&CSAT, 1.0)),
        ("csat_satisfied_share", CSAT[3..].iter().sum()),
        ("ces_mean", mean(&CES, 1.0)),
        ("ces_low_effort_share", CES[4..].iter().sum()),
    ]
}

struct Survey {
    id: i64,
    customer: u32,
    number: u32,
    sent: i64,
    question: usize,
    touchpoint: u8,
    answer: Option<(i64, i32)>,
    text: Option<String>,
}

/// A text that fits a mood: 0 bad, 1 middling, 2 good.
pub(super) fn text(mood: usize, draws: &mut Draws) -> String {
    let texts = TEXTS[mood];
    texts[draws.below(texts.len() as u32) as usize].to_owned()
}

fn survey(world: &World, order: Followed) -> Option<Survey> {
    let (id, customer, number) = (order.id(), order.customer, order.number);
    let mut draws = order.draws;
    let sent = world.known(order.ordered + DAY * (1 + i64::from(draws.below(6))))?;
    let question = draws.pick(&QUESTION_SHARES);
    let touchpoint = draws.pick(&TOUCHPOINT_SHARES) as u8;
    let score = match question {
        0 => draws.pick(&NPS) as i32,
        1 => 1 + draws.pick(&CSAT) as i32,
        _ => 1 + draws.pick(&CES) as i32,
    };
    let answered = draws.chance(ANSWERED);
    let when = sent + (draws.exponential() * ANSWER_DAYS * DAY as f64) as i64;
    let answer = world.known(when).filter(|_| answered).map(|when| (when, score));
    let mood = usize::from(score > LOW[question]) + usize::from(score >= HIGH[question]);
    let written = answer.is_some() && draws.chance(WITH_TEXT);
    let text = written.then(|| text(mood, &mut draws));
    Some(Survey { id, customer, number, sent, question, touchpoint, answer, text })
}

fn surveys(world: &World, range: Range<u32>) -> impl Iterator<Item = Survey> + '_ {
    let orders = world.followed(range, Purpose::Survey, SHARE);
    orders.filter_map(|order| survey(world, order))
}

fn rows(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let rows: Vec<Survey> = surveys(world, range).collect();
    let each = || rows.iter();
    vec![
        columns::int64(each().map(|row| row.id)),
        columns::customers(world, each().map(|row| row.customer)),
        columns::timestamps(each().map(|row| Some(row.sent))),
        columns::timestamps(each().map(|row| row.answer.map(|(when, _)| when))),
        columns::choices(&QUESTIONS, each().map(|row| Some(row.question as u8))),
        columns::choices(&TOUCHPOINTS, each().map(|row| Some(row.touchpoint))),
        columns::int32(each().map(|row| row.answer.map(|(_, score)| score))),
        columns::texts(each().map(|row| row.text.clone())),
    ]
}

fn follow_ups(world: &World, range: Range<u32>) -> Vec<ArrayRef> {
    let stream = world.stream(Purpose::FollowUp);
    let contact = |survey: Survey| {
        let (answered, score) = survey.answer?;
        let mut draws = stream.at(survey.customer, survey.number);
        if score > LOW[survey.question] || !draws.chance(FOLLOWED) {
            return None;
        }
        let after = (draws.exponential() * FOLLOW_UP_DAYS * DAY as f64) as i64;
        let contacted = world.known(answered + after)?;
        Some((survey.id, survey.customer, contacted, draws.pick(&WAY_SHARES) as u8))
    };
    let rows: Vec<(i64, u32, i64, u8)> = surveys(world, range).filter_map(contact).collect();
    let each = || rows.iter();
    vec![
        columns::int64(each().map(|row| row.0)),
        columns::customers(world, each().map(|row| row.1)),
        columns::timestamps(each().map(|row| Some(row.2))),
        columns::choices(&WAYS, each().map(|row| Some(row.3))),
    ]
}
