//! # nps
//!
//! The net promoter score: promoters less detractors.
//!
//! What it does: counts answers of 9 and 10 for, 0 to 6 against, and divides the difference by all answers.
//!
//! When to use it: loyalty over time, between segments of enough answers.
//!
//! Example: `metrics: [nps]`
//!
//! Formula: 100 · (answers ≥ 9 − answers ≤ 6) / answers: from −100 to 100, and no percentage. 7 and 8 stay in
//! n. Bounds as those of `balance`: multinomial, from Wilson's where all answers are of one class. Columns `m`,
//! `m_plus`, `m_minus`, `m_n`, `m_low`, `m_high`; null for no answers. Every answer counts; to count the last
//! one of each customer, put a `deduplicate` stage before. Needs `survey.score`; with `survey.question` only
//! rows of `nps` count.
//!
//! References: Reichheld (2003), The one number you need to grow.

use crate::ir::Expr;
use crate::ir::typing::build;
use crate::metrics::{Direction, Lowering, Metric, MetricKind, no_options};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "nps",
    source: include_str!("nps.rs"),
    built_in: true,
    unit: "points",
    direction: Direction::Higher,
    statistics: false,
    fields: Vec::new,
    decode: |node, decoder| no_options("nps", node, decoder, Nps),
    plain: |_| Some(Box::new(Nps)),
};

#[derive(Debug)]
struct Nps;

impl Metric for Nps {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let answers = super::answers(lowering, "nps")?;
        let at_least = build::ge(answers.score.clone(), Expr::float(9.0));
        let at_most = build::le(answers.score, Expr::float(6.0));
        let (plus, minus) = (lowering.typed(at_least)?, lowering.typed(at_most)?);
        lowering.balance_of_rows(plus, minus, answers.is_one)
    }
}
