//! # csat_mean
//!
//! The mean answer on satisfaction.
//!
//! What it does: takes the mean of the scores, on the stated scale.
//!
//! When to use it: beside `csat`, which does not see how far an answer is from the cut.
//!
//! Example: `metrics: [csat_mean]`
//!
//! Formula: mean of the scores of answers, with the interval of Student's t. Columns `m`, `m_n`, `m_low`,
//! `m_high`; null for no answers, the bounds for fewer than two. Needs `survey.score`; with `survey.question`
//! only rows of `csat` count.

use crate::frame::Unit;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "csat_mean",
    source: include_str!("csat_mean.rs"),
    built_in: true,
    unit: "points",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("csat_mean", node, decoder, CsatMean),
    plain: |_| Some(Box::new(CsatMean)),
};

#[derive(Debug)]
struct CsatMean;

impl Metric for CsatMean {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let answers = super::answers(lowering, "csat")?;
        let (level, unit) = (Level::Rows, Unit::Points);
        lowering.statistic(Statistic::Mean, answers.score, Some(answers.is_one), &level, unit)
    }
}
