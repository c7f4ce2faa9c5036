//! # sentiment_positive
//!
//! The share of what was said that is positive.
//!
//! What it does: divides the positive rows by all whose tone is known.
//!
//! When to use it: beside the other two; `sentiment_coverage` says of how much the tone is known.
//!
//! Example: `metrics: [sentiment_positive]`
//!
//! Formula: positive / (positive + neutral + negative), with Wilson's interval; a score of at least 0.05 is
//! positive, of at most −0.05 negative. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for none.
//! Needs `review.sentiment`, or `review.text` with `review.language`: then the tone is that of the function
//! `sentiment`, which knows English.
//!
//! References: Hutto and Gilbert (2014), VADER, for the border of 0.05 and the scores of texts.

use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sentiment_positive",
    source: include_str!("sentiment_positive.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("sentiment_positive", node, decoder, SentimentPositive),
    plain: |_| Some(Box::new(SentimentPositive)),
};

#[derive(Debug)]
struct SentimentPositive;

impl Metric for SentimentPositive {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let tone = super::tone(lowering)?;
        lowering.share_of_rows(tone.positive, tone.known)
    }
}
