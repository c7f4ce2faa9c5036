//! # review_rating
//!
//! The mean of the stars.
//!
//! What it does: takes the mean of the ratings of reviews.
//!
//! When to use it: what a product or a shop is thought of; with few reviews look at `review_positive_lower`.
//!
//! Example: `metrics: [review_rating]`
//!
//! Formula: mean of `review.rating`, with the interval of Student's t. Columns `m`, `m_n`, `m_low`, `m_high`; null
//! for none, the bounds for fewer than two. Needs `review.rating`.

use crate::frame::Unit;
use crate::ir::Mark;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "review_rating",
    source: include_str!("review_rating.rs"),
    built_in: true,
    unit: "points",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("review_rating", node, decoder, ReviewRating),
    plain: |_| Some(Box::new(ReviewRating)),
};

#[derive(Debug)]
struct ReviewRating;

impl Metric for ReviewRating {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let rating = lowering.mark(Mark::Rating)?;
        let (filter, level) = (lowering.condition(), Level::Rows);
        lowering.statistic(Statistic::Mean, rating, filter, &level, Unit::Points)
    }
}
