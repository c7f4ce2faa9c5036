//! # follow_up_time
//!
//! How long it takes until somebody gets in touch after a low score.
//!
//! What it does: measures the hours from each low score to the first contact with the customer, and takes a statistic
//! of them.
//!
//! When to use it: beside `follow_up_rate`, which does not say how soon.
//!
//! Example: `until_contact: {follow_up_time: {contacts: tickets, statistic: median}}`
//!
//! Formula: hours from the time of the answer to the first row of `contacts` for the same customer, at that
//! time or later and before `window` is over; which scores are low, and how days count, as in
//! `follow_up_rate`. A score that nobody followed up has lasted until its window was over, or until `as_of` if the
//! window is still open then, and counts so in medians and other quantiles, which are Kaplan and Meier's (with
//! `open_cases: censor`, the default): null where they are not reached; bounds from the band that is symmetric in
//! ln(−ln S), and at 0 where none is left. With `open_cases: drop` quantiles are of those followed up, and the
//! mean, with its t interval, and the longest always are: in the last `window` before `as_of` these are the fast
//! ones. A quantile has the columns `m`, `m_n`, `m_open` (not followed up), `m_low`, `m_high`; the others those of
//! their kind. Of nothing: null. Needs what `follow_up_rate` needs.
//!
//! References: Kaplan and Meier (1958), Nonparametric estimation from incomplete observations.

use super::follow_ups::follow_ups;
use crate::diagnostic::Spanned;
use crate::document::{Interval, TimeUnit};
use crate::frame::DataType;
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func};
use crate::metrics::orders::StatisticWord;
use crate::metrics::service::{OpenCases, Waits};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry. Its table of contacts must be named, so it is always declared.
pub const KIND: MetricKind = MetricKind {
    name: "follow_up_time",
    source: include_str!("follow_up_time.rs"),
    unit: "hours, float64",
    direction: Direction::Lower,
    ..MetricKind::with_options::<FollowUpTime>()
};

crate::options! {
    /// What follows what, and which statistic of the time between.
    struct FollowUpTime("`follow_up_time`") {
        /// The table of contacts, with the roles `customer` and `time`.
        contacts: Spanned<String>,
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: StatisticWord,
        /// What becomes of scores that nobody followed up.
        open_cases: OpenCases = OpenCases::Censor,
        /// The scores that are low; absent: 0 to 6 of `nps`, 1 and 2 of `csat`.
        low: Option<Vec<i64>> = None,
        /// Until when a contact counts.
        window: Interval = Interval::days(14),
    }
}

impl Metric for FollowUpTime {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (contacts, low) = (&self.contacts.value, &self.low.value);
        let found = follow_ups(lowering, contacts, low, self.window.value)?;
        let instant = |expr: Expr| build::cast(expr, DataType::Timestamp);
        let hours = |from: Expr, to: Expr| call(Func::Elapsed(TimeUnit::Hour), vec![from, to]);
        let answered = lowering.typed(instant(found.answered))?;
        let ended = hours(answered.clone(), found.contact.clone()).and_then(|hours| {
            build::choose(found.in_time.clone(), hours, Expr::null(DataType::Float64))
        });
        let ended = lowering.typed(ended)?;
        let (end, now) = (lowering.typed(instant(found.end))?, lowering.as_of());
        let seen =
            build::le(end.clone(), now.clone()).and_then(|over| build::choose(over, end, now));
        let value = seen
            .and_then(|seen| build::choose(found.in_time.clone(), found.contact, seen))
            .and_then(|until| hours(answered, until));
        let value = lowering.typed(value)?;
        let open = lowering.typed(build::not(found.in_time))?;
        let waits = Waits { ended, value, open, filter: Some(found.is_low) };
        waits.statistic(lowering, self.statistic.value.0, self.open_cases.value)
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        vec![self.contacts.value.clone()]
    }
}
