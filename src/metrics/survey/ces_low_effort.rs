//! # ces_low_effort
//!
//! The share of customers for whom it was easy.
//!
//! What it does: divides the answers among `easy` by all answers.
//!
//! When to use it: whether customers get what they came for without a struggle.
//!
//! Example: `metrics: [ces_low_effort]`, or `effortless: {ces_low_effort: {easy: [7]}}`
//!
//! Formula: answers among `easy` / answers, with Wilson's interval; without the option 5 to 7 of 7, 4 and 5 of 5:
//! the upper 3 of a scale of 6 or more, else the upper 2. The top of the scale is the least effort. Columns
//! `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for no answers. Needs `survey.score`; with
//! `survey.question` only rows of `ces` count.
//!
//! References: Dixon, Toman and DeLisi (2013), The effortless experience.

use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "ces_low_effort",
    source: include_str!("ces_low_effort.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<CesLowEffort>()
};

crate::options! {
    /// Which answers are easy.
    struct CesLowEffort("`ces_low_effort`") {
        /// The answers that count as easy; absent: the top 3 of 7, the top 2 of 5.
        easy: Option<Vec<i64>> = None,
    }
}

impl Metric for CesLowEffort {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let top = lowering.subject.roles.scales.ces;
        let least = if top > 5 { top - 2 } else { top - 1 };
        let usual: Vec<i64> = (least..=top).collect();
        let scores = self.easy.value.clone().unwrap_or(usual);
        super::share_of(lowering, "ces", &scores)
    }
}
