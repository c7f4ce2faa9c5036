//! # ces_mean
//!
//! The mean answer on effort.
//!
//! What it does: takes the mean of the scores, on the stated scale, whose top is the least effort.
//!
//! When to use it: beside `ces_low_effort`, which does not see how far an answer is from the cut.
//!
//! Example: `metrics: [ces_mean]`
//!
//! Formula: mean of the scores of answers, with the interval of Student's t. A scale that asks for effort, low
//! being good, is turned at the source: `score: 6 - effort`. Columns `m`, `m_n`, `m_low`, `m_high`; null for
//! no answers, the bounds for fewer than two. Needs `survey.score`; with `survey.question` only rows of
//! `ces` count.

use crate::frame::Unit;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "ces_mean",
    source: include_str!("ces_mean.rs"),
    built_in: true,
    unit: "points",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("ces_mean", node, decoder, CesMean),
    plain: |_| Some(Box::new(CesMean)),
};

#[derive(Debug)]
struct CesMean;

impl Metric for CesMean {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let answers = super::answers(lowering, "ces")?;
        let (level, unit) = (Level::Rows, Unit::Points);
        lowering.statistic(Statistic::Mean, answers.score, Some(answers.is_one), &level, unit)
    }
}
