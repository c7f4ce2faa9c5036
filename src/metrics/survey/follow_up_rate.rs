//! # follow_up_rate
//!
//! The share of low scores after which somebody got in touch.
//!
//! What it does: divides the low scores that were followed by a contact with the customer by all low scores.
//!
//! When to use it: whether the loop is closed: an unhappy customer who hears nothing was asked in vain.
//!
//! Example: `closed_loop: {follow_up_rate: {contacts: tickets, window: 7d}}`
//!
//! Formula: low scores with a row of `contacts` for the same customer, at the time of the answer or later and
//! before `window` is over / low scores, with Wilson's interval. Low are the scores of `low`, or without it 0 to
//! 6 of `nps` and 1 and 2 of `csat`, by `survey.question`. A score whose window is still open at `as_of`, and
//! that nobody followed up yet, is in neither part, and neither is one without a customer. A day counts as its
//! midnight: with answers by the minute and contacts by the day, a contact of the same day lies before the
//! answer. One contact may follow several scores. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for
//! no low scores. Needs `customer` and `time` of both tables, `survey.score`, and `survey.question` or `low`.

use super::follow_ups::follow_ups;
use crate::diagnostic::Spanned;
use crate::document::Interval;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "follow_up_rate",
    source: include_str!("follow_up_rate.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<FollowUpRate>()
};

crate::options! {
    /// What follows what.
    struct FollowUpRate("`follow_up_rate`") {
        /// The table of contacts, with the roles `customer` and `time`.
        contacts: Spanned<String>,
        /// The scores that are low; absent: 0 to 6 of `nps`, 1 and 2 of `csat`.
        low: Option<Vec<i64>> = None,
        /// Until when a contact counts.
        window: Interval = Interval::days(14),
    }
}

impl Metric for FollowUpRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (contacts, low) = (&self.contacts.value, &self.low.value);
        let found = follow_ups(lowering, contacts, low, self.window.value)?;
        lowering.share_of_rows(found.in_time, found.settled)
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        vec![self.contacts.value.clone()]
    }
}
