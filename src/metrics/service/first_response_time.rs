//! # first_response_time
//!
//! How long customers wait for a first reply.
//!
//! What it does: measures the hours from the opening of each ticket to the first reply, and takes a statistic of them. The name carries the statistic: `first_response_time_mean`, `first_response_time_median`, `first_response_time_max`,
//! `first_response_time_p01` to `first_response_time_p99`.
//!
//! When to use it: how quick a team is, as a customer sees it.
//!
//! Example: `metrics: [first_response_time_median, first_response_time_p90]`, or `closed_only: {first_response_time: {statistic: median,
//! open_cases: drop}}`
//!
//! Formula: hours from `time` to `ticket.first_reply`. They are hours of the calendar, or with `hours` (or the source's `ticket.hours`)
//! those in which a business is open. An open one has lasted until `as_of` at least, and counts so in medians and other
//! quantiles, which are Kaplan and Meier's (with `open_cases: censor`, the default): the first time by which
//! the share has ended, null where it is not reached; bounds from the band that is symmetric in ln(−ln S).
//! Where nothing is open they are the plain ones (type 7, rank intervals), and so they are of ended ones with
//! `open_cases: drop`. The mean, with its t interval, and the longest are of ended ones. A quantile of which
//! the wait is open has the columns `m`, `m_n` (all of them), `m_open`, `m_low`, `m_high`; the others those of
//! their kind. Of nothing: null. Needs `time` and `ticket.first_reply`.
//!
//! References: Kaplan and Meier (1958), Nonparametric estimation from incomplete observations.

use super::{OpenCases, lasting};
use crate::diagnostic::Spanned;
use crate::document::{Decode, Decoder, Field, Node, Options, Setting};
use crate::ir::Mark;
use crate::metrics::orders::StatisticWord;
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "first_response_time",
    source: include_str!("first_response_time.rs"),
    built_in: true,
    unit: "hours, float64",
    direction: Direction::Lower,
    statistics: true,
    fields,
    decode,
    plain: |statistic| {
        Some(Box::new(FirstResponseTime {
            statistic: Setting {
                value: StatisticWord(statistic?),
                ..Setting::default_of(StatisticWord(Statistic::Mean))
            },
            open_cases: Setting::default_of(OpenCases::Censor),
            hours: Setting::default_of(None),
        }))
    },
};

crate::options! {
    /// Which statistic, and what of those that go on.
    struct FirstResponseTime("`first_response_time`") {
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: StatisticWord,
        /// What becomes of those that have not ended.
        open_cases: OpenCases = OpenCases::Censor,
        /// The opening hours in which the wait is counted; absent: those of the source.
        hours: Option<Spanned<String>> = None,
    }
}

fn fields() -> Vec<Field> {
    FirstResponseTime::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(FirstResponseTime::decode(node, decoder)?))
}

impl Metric for FirstResponseTime {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let ended = lowering.mark(Mark::FirstReply)?;
        lasting(
            lowering,
            ended,
            None,
            self.statistic.value.0,
            (self.open_cases.value, &self.hours.value),
        )
    }
}
