//! # share
//!
//! The share of rows for which a condition is true, with its interval.
//!
//! What it does: divides the rows where the condition holds by those where it is known.
//!
//! When to use it: any rate of yes and no: satisfied answers, large orders, returns.
//!
//! Example: `large_orders: {share: amount >= 100}`
//!
//! Formula: numerator / n, n being the rows where the condition is not null; Wilson's score interval
//! without continuity correction. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for n = 0.
//!
//! References: Wilson (1927), Probable inference, the law of succession, and statistical inference.

use crate::document::{Decode, Decoder, Expression, Node};
use crate::ir::typing::build;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "share",
    source: include_str!("share.rs"),
    built_in: false,
    unit: "share",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<Expression>("a condition"),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct ShareOf(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(ShareOf(Expression::decode(node, decoder)?)))
}

impl Metric for ShareOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let holds = lowering.parse_condition(&self.0)?;
        let condition = lowering.condition();
        let both = build::all([holds.clone()].into_iter().chain(condition.clone()));
        let both = lowering.typed(both)?;
        let numerator = Measure::filtered(MeasureFunc::CountRows, both);
        let numerator = lowering.measure(&lowering.rows(), "numerator", numerator);
        let n = Measure::filtered(MeasureFunc::Count(holds), condition);
        let n = lowering.measure(&lowering.rows(), "n", n);
        lowering.share(numerator, n)
    }
}
