//! # share
//!
//! The share of rows for which a condition is true, with its interval.
//!
//! What it does: divides the rows where the condition holds by those where it is known.
//!
//! When to use it: any rate of yes and no: satisfied answers, large orders, returns.
//!
//! Example: `large_orders: {share: amount >= 100}`, or
//! `surely_large: {share: {of: amount >= 100, bound: low}}`
//!
//! Formula: numerator / n, n being the rows where the condition is not null; Wilson's score interval
//! without continuity correction. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for n = 0.
//! With `bound` the value is that bound of the interval: to sort by what is sure of a share, so that two of
//! two come behind 98 of 100. Then the columns are `m`, `m_numerator`, `m_n`.
//!
//! References: Wilson (1927), Probable inference, the law of succession, and statistical inference.

use crate::document::{Decode, Decoder, Expression, Field, Node, Setting};
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
    fields,
    decode,
    plain: |_| None,
};

crate::choice! {
    /// A bound of an interval.
    pub(in crate::metrics) enum Bound {
        Low = "low",
        High = "high",
    }
}

crate::options! {
    /// Which share.
    struct ShareOf("`share`") {
        /// The condition, where other keys stand beside it.
        of: Expression,
        /// The bound of the interval that is the value; absent: the share is.
        bound: Option<Bound> = None,
    }
}

fn fields() -> Vec<Field> {
    super::alone_or_keys::<ShareOf>("a condition")
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    let share = match super::has_keys(node) {
        true => ShareOf::decode(node, decoder)?,
        false => ShareOf {
            of: Setting::default_of(Expression::decode(node, decoder)?),
            bound: Setting::default_of(None),
        },
    };
    Some(Box::new(share))
}

impl Metric for ShareOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let holds = lowering.parse_condition(&self.of.value)?;
        let condition = lowering.condition();
        let both = build::all([holds.clone()].into_iter().chain(condition.clone()));
        let both = lowering.typed(both)?;
        let numerator = Measure::filtered(MeasureFunc::CountRows, both);
        let numerator = lowering.measure(&lowering.rows(), "numerator", numerator);
        let n = Measure::filtered(MeasureFunc::Count(holds), condition);
        let n = lowering.measure(&lowering.rows(), "n", n);
        match self.bound.value {
            None => lowering.share(numerator, n),
            Some(bound) => lowering.bound_of_share(numerator, n, bound),
        }
    }
}
