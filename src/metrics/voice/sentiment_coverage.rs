//! # sentiment_coverage
//!
//! The share of rows whose tone is known.
//!
//! What it does: divides the rows with a usable tone by all rows.
//!
//! When to use it: beside every other metric of tone. A text in a language that nobody scored is not covered.
//!
//! Example: `metrics: [sentiment_coverage]`
//!
//! Formula: rows with a number, or one of the three words / rows, with Wilson's interval. Columns `m`,
//! `m_numerator`, `m_n`, `m_low`, `m_high`; null for no rows. Needs `review.sentiment`, or `review.text` with
//! `review.language`: then a row is covered if the language is English and one of its words has a tone in the
//! lexicon (see the function `sentiment`). A row without text is not.

use crate::ir::Expr;
use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sentiment_coverage",
    source: include_str!("sentiment_coverage.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("sentiment_coverage", node, decoder, SentimentCoverage),
    plain: |_| Some(Box::new(SentimentCoverage)),
};

#[derive(Debug)]
struct SentimentCoverage;

impl Metric for SentimentCoverage {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let tone = super::tone(lowering)?;
        let among = lowering.with_condition(Expr::bool(true))?;
        lowering.share_of_rows(tone.known, among)
    }
}
