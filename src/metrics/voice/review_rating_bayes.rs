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

use serde_json::Value as Json;

use crate::document::{Decode, Decoder, Node, NodeKind, schema};
use crate::frame::{DataType, Unit};
use crate::ir::typing::{Typed, build, call};
use crate::ir::{Expr, Func, Mark, Measure, MeasureFunc};
use crate::metrics::{
    COUNTED_COLUMN, Direction, IntervalMethod, Level, Lowering, Metric, MetricKind,
};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "review_rating_bayes",
    source: include_str!("review_rating_bayes.rs"),
    unit: "points",
    direction: Direction::Higher,
    ..MetricKind::with_options::<ReviewRatingBayes>()
};

/// How many reviews the prior is worth.
#[derive(Debug, Clone, PartialEq)]
enum Prior {
    /// As many as the median cell has.
    Auto,
    Count(f64),
}

impl Decode for Prior {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if matches!(&node.kind, NodeKind::Text(word) if word == "auto") {
            return Some(Prior::Auto);
        }
        let count = f64::decode(node, decoder)?;
        if count < 0.0 {
            decoder.wrong_type(node, &Self::expects());
            return None;
        }
        Some(Prior::Count(count))
    }
    fn expects() -> String {
        "`auto` or a number, at least 0".into()
    }
    fn show(&self) -> String {
        match self {
            Prior::Auto => "auto".into(),
            Prior::Count(count) => count.show(),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([schema::words(&[("auto", String::new())]), f64::json_schema()])
    }
}

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
        let interval = lowering.wants(IntervalMethod::T)?;
        if lowering.draws() {
            let why = "its prior is of all cells, which draws do not know";
            return lowering.has_not(why.into(), IntervalMethod::Bootstrap);
        }
        let filter = lowering.condition();
        let over = |func| Measure::filtered(func, filter.clone());
        let mean = MeasureFunc::Mean(rating.clone());
        let own = lowering.measure(&Level::Rows, "mean", over(mean.clone()));
        let count = MeasureFunc::Count(rating.clone());
        let n = lowering.measure(&Level::Rows, "n", over(count));
        let of_all = lowering.measure(&Level::Whole, "prior_mean", over(mean));
        let prior = match self.prior.value {
            Prior::Count(count) => Expr::float(count),
            Prior::Auto => {
                let known = lowering.typed(build::is_null(rating.clone()).and_then(build::not))?;
                let level = Level::Counted(lowering.with_condition(known)?);
                let value = Expr::column(COUNTED_COLUMN, DataType::Int64);
                let median = Measure::of(MeasureFunc::Quantile { value, at: 0.5 });
                lowering.measure(&level, "prior", median)
            }
        };
        let ([], n) = lowering.scaled([], n)?;
        let drawn = |own: Expr| -> Typed {
            let given = build::mul(prior.clone(), of_all.clone())?;
            let sum = build::add(given, build::mul(n.clone(), own)?)?;
            build::div(sum, build::add(prior.clone(), n.clone())?)
        };
        let value = lowering.typed(drawn(own.clone()))?;
        lowering.column("", value, Unit::Points);
        lowering.column("_n", n.clone(), Unit::Count);
        lowering.column("_prior", prior.clone(), Unit::None);
        lowering.column("_prior_mean", of_all.clone(), Unit::Points);
        let half = match interval {
            true => {
                let variance = over(MeasureFunc::Variance(rating));
                let variance = lowering.measure(&Level::Rows, "variance", variance);
                let fewer = lowering.typed(build::sub(n.clone(), Expr::int(1)))?;
                let level = Expr::float(lowering.subject.level);
                let t = lowering.typed(call(Func::StudentT, vec![fewer, level]))?;
                let square = lowering.typed(build::div(variance, n.clone()))?;
                let error = lowering.typed(call(Func::Sqrt, vec![square]))?;
                lowering.typed(build::mul(t, error))?
            }
            false => Expr::null(DataType::Float64),
        };
        let low = build::sub(own.clone(), half.clone()).and_then(drawn);
        let high = build::add(own, half).and_then(drawn);
        let (low, high) = (lowering.typed(low)?, lowering.typed(high)?);
        lowering.column("_low", low, Unit::Points);
        lowering.column("_high", high, Unit::Points);
        Some(())
    }
}
