//! # review_positive_lower
//!
//! A cautious share of good reviews: what is sure of it.
//!
//! What it does: takes the lower bound of Wilson's interval of the share of reviews with nearly all stars.
//!
//! When to use it: to sort things with many reviews and things with few by one number: two good ones alone are
//! not much.
//!
//! Example: `metrics: [review_positive_lower]`
//!
//! Formula: lower bound of Wilson's interval, at the pipeline's level, of reviews with `review.rating` ≥ `scale` −
//! 1 (4 of 5) / reviews. Columns `m`, `m_numerator`, `m_n`; null for none. Needs `review.rating`.
//!
//! References: Miller (2009), How not to sort by average rating; Wilson (1927), Probable inference.

use crate::ir::typing::build;
use crate::ir::{Expr, Mark, Measure, MeasureFunc};
use crate::metrics::kinds::share::Bound;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "review_positive_lower",
    source: include_str!("review_positive_lower.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("review_positive_lower", node, decoder, ReviewPositiveLower),
    plain: |_| Some(Box::new(ReviewPositiveLower)),
};

#[derive(Debug)]
struct ReviewPositiveLower;

impl Metric for ReviewPositiveLower {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let rating = lowering.mark(Mark::Rating)?;
        let least = lowering.subject.roles.scales.review - 1;
        let good = lowering.typed(build::ge(rating.clone(), Expr::float(least as f64)))?;
        let both = lowering.with_condition(good)?;
        let good = Measure::filtered(MeasureFunc::CountRows, Some(both));
        let good = lowering.measure(&Level::Rows, "numerator", good);
        let n = Measure::filtered(MeasureFunc::Count(rating), lowering.condition());
        let n = lowering.measure(&Level::Rows, "n", n);
        lowering.bound_of_share(good, n, Bound::Low)
    }
}
