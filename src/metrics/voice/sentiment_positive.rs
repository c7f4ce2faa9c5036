//! # sentiment_positive
//!
//! The share of what was said that is positive.
//!
//! What it does: divides the positive rows by all whose tone is known.
//!
//! When to use it: beside the other two; `sentiment_coverage` says of how much the tone is known.
//!
//! Example: `metrics: [sentiment_positive]`, or `decided: {sentiment_positive: {neutral: exclude}}`
//!
//! Formula: positive / (positive + neutral + negative), with Wilson's interval; with `neutral: exclude` neutral
//! rows are not in the denominator. A score of at least 0.05 is positive, of at most −0.05 negative. Columns `m`,
//! `m_numerator`, `m_n`, `m_low`, `m_high`; null for none. Needs `review.sentiment`, or `review.text` with
//! `review.language`: then the tone is that of the function `sentiment`, which knows English.
//!
//! References: Hutto and Gilbert (2014), VADER, for the border of 0.05 and the scores of texts.

use super::Neutral;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sentiment_positive",
    source: include_str!("sentiment_positive.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<SentimentPositive>()
};

crate::options! {
    /// What is divided by.
    struct SentimentPositive("`sentiment_positive`") {
        /// Whether neutral rows are in the denominator.
        neutral: Neutral = Neutral::Count,
    }
}

impl Metric for SentimentPositive {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let tone = super::tone(lowering)?;
        let among = tone.among(lowering, self.neutral.value)?;
        lowering.share_of_rows(tone.positive, among)
    }
}
