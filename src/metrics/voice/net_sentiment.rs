//! # net_sentiment
//!
//! Positive less negative: a net score of tone.
//!
//! What it does: takes the share of negative rows from that of positive ones.
//!
//! When to use it: one number for the tone over time.
//!
//! Example: `metrics: [net_sentiment]`, or `decided: {net_sentiment: {neutral: exclude}}`
//!
//! Formula: 100 · (positive − negative) / (positive + neutral + negative), with the interval of `balance`. With
//! `neutral: exclude` neutral rows are not in the denominator. Columns `m`, `m_plus`, `m_minus`, `m_n`, `m_low`,
//! `m_high`; null for none. Needs `review.sentiment`, or `review.text` with `review.language`: then the tone is
//! that of the function `sentiment`, which knows English.
//!
//! References: Hutto and Gilbert (2014), VADER, for the border of 0.05 and the scores of texts.

use super::Neutral;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "net_sentiment",
    source: include_str!("net_sentiment.rs"),
    unit: "points",
    direction: Direction::Higher,
    ..MetricKind::with_options::<NetSentiment>()
};

crate::options! {
    /// What is divided by.
    struct NetSentiment("`net_sentiment`") {
        /// Whether neutral rows are in the denominator.
        neutral: Neutral = Neutral::Count,
    }
}

impl Metric for NetSentiment {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let tone = super::tone(lowering)?;
        let among = tone.among(lowering, self.neutral.value)?;
        lowering.balance_of_rows(tone.positive, tone.negative, among)
    }
}
