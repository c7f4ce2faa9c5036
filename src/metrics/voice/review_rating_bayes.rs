//! # review_rating_bayes
//!
//! The mean of the stars, drawn towards that of all where there are few reviews.
//!
//! What it does: takes the mean of the ratings of a cell as if it had some more reviews, each with the mean of all.
//!
//! When to use it: to sort products, shops or plans by stars: one review of 5 does not beat hundreds of 4.8.
//!
//! Example: `stars: {review_rating_bayes: {prior: 20}}`
//!
//! Formula: (C · m₀ + Σ rating) / (C + n). m₀ is the mean rating of all rows of the stage. C is `prior`; with `auto`,
//! the default, the median number of reviews of the stage's cells that have one. The bounds are those of Student's
//! t for the cell's own mean, drawn in the same way: m₀ and C are taken as known. Columns `m`, `m_n`, `m_prior` (C),
//! `m_prior_mean` (m₀), `m_low`, `m_high`; null for no reviews, the bounds for fewer than two. Needs
//! `review.rating`.
//!
//! References: Miller (2009), How not to sort by average rating; the Bayesian average as review sites use it.

use crate::frame::Unit;
use crate::ir::Mark;
use crate::metrics::kinds::mean::Prior;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "review_rating_bayes",
    source: include_str!("review_rating_bayes.rs"),
    unit: "points",
    direction: Direction::Higher,
    ..MetricKind::with_options::<ReviewRatingBayes>()
};

crate::options! {
    /// How strong the pull is.
    struct ReviewRatingBayes("`review_rating_bayes`") {
        /// How many reviews of the mean rating each cell is given.
        prior: Prior = Prior::Auto,
    }
}

impl Metric for ReviewRatingBayes {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let rating = lowering.mark(Mark::Rating)?;
        let filter = lowering.condition();
        lowering.bayesian_mean(rating, filter, &self.prior.value, Unit::Points)
    }
}
