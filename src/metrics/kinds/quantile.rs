//! # quantile
//!
//! A quantile of an expression, with its interval.
//!
//! What it does: finds the value below which the stated share of the values lies. Exact, never a sketch.
//!
//! When to use it: typical and extreme sizes where a mean would follow the largest few.
//!
//! Example: `slow: {quantile: {value: minutes, at: 95%}}`
//!
//! Formula: linear between order statistics (type 7). The bounds are the order statistics numbered
//! ⌊np − z√(np(1−p))⌋ and ⌈np + z√(np(1−p))⌉ + 1, null outside 1..n. Columns `m`, `m_n`, `m_low`,
//! `m_high`; of nothing: null.
//!
//! References: Hyndman and Fan (1996), Sample quantiles in statistical packages.

use crate::diagnostic::Code;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options, Share};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "quantile",
    source: include_str!("quantile.rs"),
    built_in: false,
    unit: "the expression's own, float64",
    direction: Direction::Neither,
    statistics: false,
    fields,
    decode,
    plain: |_| None,
};

crate::options! {
    /// Which quantile of what.
    struct QuantileOf("`quantile`") {
        /// The expression.
        value: Expression,
        /// Which quantile.
        at: Share,
    }
}

fn fields() -> Vec<Field> {
    QuantileOf::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(QuantileOf::decode(node, decoder)?))
}

impl Metric for QuantileOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let at = self.at.value.0;
        if !(0.0..=1.0).contains(&at) {
            lowering.report(Code::InvalidValue, "`at` lies between 0% and 100%");
            return None;
        }
        let value = lowering.parse(&self.value.value)?;
        let unit = lowering.subject.unit_of(&value);
        let value = super::number(value, lowering)?;
        let filter = lowering.condition();
        lowering.statistic(Statistic::Quantile(at), value, filter, &lowering.rows(), unit)
    }
}
