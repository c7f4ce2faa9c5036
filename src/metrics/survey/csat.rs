//! # csat
//!
//! The share of answers that are satisfied.
//!
//! What it does: divides the answers among `satisfied` by all answers.
//!
//! When to use it: how a contact, a delivery or a product was received.
//!
//! Example: `metrics: [csat]`, or `delighted: {csat: {satisfied: [5]}}`
//!
//! Formula: answers among `satisfied` / answers, with Wilson's interval; without the option the top two of the
//! scale are satisfied (4 and 5 of 5). Unanswered surveys are in neither part. Columns `m`, `m_numerator`,
//! `m_n`, `m_low`, `m_high`; null for no answers. Needs `survey.score`; with `survey.question` only rows of
//! `csat` count.
//!
//! References: the top-two-box share as survey tools define CSAT.

use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "csat",
    source: include_str!("csat.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<Csat>()
};

crate::options! {
    /// Which answers are satisfied.
    struct Csat("`csat`") {
        /// The answers that count as satisfied; absent: the top two of the scale.
        satisfied: Option<Vec<i64>> = None,
    }
}

impl Metric for Csat {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let top = lowering.subject.roles.scales.csat;
        let usual = vec![top - 1, top];
        let scores = self.satisfied.value.clone().unwrap_or(usual);
        super::share_of(lowering, "csat", &scores)
    }
}
