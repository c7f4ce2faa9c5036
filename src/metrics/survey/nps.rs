//! # nps
//!
//! The net promoter score: promoters less detractors.
//!
//! What it does: counts answers of 9 and 10 for, 0 to 6 against, and divides the difference by all answers.
//!
//! When to use it: loyalty over time, between segments of enough answers.
//!
//! Example: `metrics: [nps]`, or `of_customers: {nps: {dedupe: last}}`
//!
//! Formula: 100 · (answers ≥ 9 − answers ≤ 6) / answers: from −100 to 100, and no percentage. 7 and 8 stay in
//! n. Every answer counts; with `dedupe: last` the latest one of each customer in the cell, where of answers at the
//! same moment the one with the lowest `key` counts, or without a key the lowest score. Bounds as those of `balance`:
//! multinomial, from Wilson's where all answers are of one class. Columns `m`, `m_plus`, `m_minus`, `m_n`, `m_low`,
//! `m_high`; null for no answers. Needs `survey.score`, for `last` also `customer` and `time`; with `survey.question`
//! only rows of `nps` count.
//!
//! References: Reichheld (2003), The one number you need to grow.

use crate::frame::DataType;
use crate::ir::Expr;
use crate::ir::typing::build;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "nps",
    source: include_str!("nps.rs"),
    unit: "points",
    direction: Direction::Higher,
    ..MetricKind::with_options::<Nps>()
};

crate::choice! {
    /// Which answers of a customer count.
    enum Dedupe {
        /// All of them.
        None = "none",
        /// The latest in the cell.
        Last = "last",
    }
}

crate::options! {
    /// Which answers count.
    struct Nps("`nps`") {
        /// Which answers of a customer count.
        dedupe: Dedupe = Dedupe::None,
    }
}

impl Metric for Nps {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let answers = super::answers(lowering, "nps");
        if self.dedupe.value == Dedupe::None {
            let answers = answers?;
            let plus = lowering.typed(build::ge(answers.score.clone(), Expr::float(9.0)))?;
            let minus = lowering.typed(build::le(answers.score, Expr::float(6.0)))?;
            return lowering.balance_of_rows(plus, minus, answers.is_one);
        }
        let roles = lowering.customer_and_time();
        let (answers, (customer, time)) = (answers?, roles?);
        let none = Expr::null(DataType::Float64);
        let score = lowering.typed(build::choose(answers.is_one, answers.score, none))?;
        let (latest, level) = super::latest(lowering, score, customer.value, time)?;
        let plus = lowering.typed(build::ge(latest.clone(), Expr::float(9.0)))?;
        let minus = lowering.typed(build::le(latest, Expr::float(6.0)))?;
        lowering.balance_of(plus, minus, &level, None, 100.0)
    }
}
