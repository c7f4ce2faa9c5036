//! # mean
//!
//! The mean of an expression, with its interval.
//!
//! What it does: averages the values that are not null and says how sure the mean is.
//!
//! When to use it: scores, amounts, durations whose total makes sense. Where a few large values rule,
//! take `quantile`.
//!
//! Example: `basket: {mean: amount}`
//!
//! Formula: Σ v / n, from exact sums; interval mean ± t(n−1) s/√n with the sample deviation s. Columns
//! `m`, `m_n`, `m_low`, `m_high`; bounds are null for n < 2, all but n for n = 0.

use crate::document::{Decode, Decoder, Expression, Node};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "mean",
    source: include_str!("mean.rs"),
    built_in: false,
    unit: "the expression's own, float64",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<Expression>("an SQL expression"),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct MeanOf(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(MeanOf(Expression::decode(node, decoder)?)))
}

impl Metric for MeanOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let value = lowering.parse(&self.0)?;
        let unit = lowering.subject.unit_of(&value);
        let value = super::number(value, lowering)?;
        let filter = lowering.condition();
        lowering.statistic(Statistic::Mean, value, filter, &lowering.rows(), unit)
    }
}
