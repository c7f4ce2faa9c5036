//! # net_sentiment
//!
//! Positive less negative: a net score of tone.
//!
//! What it does: takes the share of negative rows from that of positive ones.
//!
//! When to use it: one number for the tone over time.
//!
//! Example: `metrics: [net_sentiment]`
//!
//! Formula: 100 · (positive − negative) / (positive + neutral + negative), with the interval of `balance`. Columns
//! `m`, `m_plus`, `m_minus`, `m_n`, `m_low`, `m_high`; null for none.
//! Needs `review.sentiment`, or `review.text` with `review.language`: then the tone is that of the function
//! `sentiment`, which knows English.
//!
//! References: Hutto and Gilbert (2014), VADER, for the border of 0.05 and the scores of texts.

use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "net_sentiment",
    source: include_str!("net_sentiment.rs"),
    built_in: true,
    unit: "points",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("net_sentiment", node, decoder, NetSentiment),
    plain: |_| Some(Box::new(NetSentiment)),
};

#[derive(Debug)]
struct NetSentiment;

impl Metric for NetSentiment {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let tone = super::tone(lowering)?;
        lowering.balance_of_rows(tone.positive, tone.negative, tone.known)
    }
}
