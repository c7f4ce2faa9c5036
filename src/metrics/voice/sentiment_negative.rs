//! # sentiment_negative
//!
//! The share of what was said that is negative.
//!
//! What it does: divides the negative rows by all whose tone is known.
//!
//! When to use it: beside the other two; `sentiment_coverage` says of how much the tone is known.
//!
//! Example: `metrics: [sentiment_negative]`, or `decided: {sentiment_negative: {neutral: exclude}}`
//!
//! Formula: negative / (positive + neutral + negative), with Wilson's interval; with `neutral: exclude` neutral
//! rows are not in the denominator. A score of at least 0.05 is positive, of at most −0.05 negative. Columns `m`,
//! `m_numerator`, `m_n`, `m_low`, `m_high`; null for none. Needs `review.sentiment`, or `review.text` with
//! `review.language`: then the tone is that of the function `sentiment`, which knows English.
//!
//! References: Hutto and Gilbert (2014), VADER, for the border of 0.05 and the scores of texts.

use super::Neutral;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sentiment_negative",
    source: include_str!("sentiment_negative.rs"),
    unit: "share",
    direction: Direction::Lower,
    ..MetricKind::with_options::<SentimentNegative>()
};

crate::options! {
    /// What is divided by.
    struct SentimentNegative("`sentiment_negative`") {
        /// Whether neutral rows are in the denominator.
        neutral: Neutral = Neutral::Count,
    }
}

impl Metric for SentimentNegative {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let tone = super::tone(lowering)?;
        let among = tone.among(lowering, self.neutral.value)?;
        lowering.share_of_rows(tone.negative, among)
    }
}
