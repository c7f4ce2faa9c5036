//! # balance
//!
//! The share of one kind of row less the share of another, with its interval: a net score.
//!
//! What it does: counts the rows of the first kind and of the second among all whose kind is known.
//!
//! When to use it: promoters less detractors, positive less negative.
//!
//! Example: `net_score: {balance: {plus: score >= 9, minus: score <= 6}}`
//!
//! Formula: scale · (P − M) / n, n being the rows where both conditions are known; bounds ± z · scale ·
//! √(((P + M)/n − ((P − M)/n)²)/n), clamped to ±scale, from Wilson's bounds of the two shares where all
//! rows are in one class. Columns `m`, `m_plus`, `m_minus`, `m_n`, `m_low`, `m_high`; null for n = 0.

use crate::document::{Decode, Decoder, Expression, Field, Node, Options};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "balance",
    source: include_str!("balance.rs"),
    built_in: false,
    unit: "points",
    direction: Direction::Neither,
    statistics: false,
    fields,
    decode,
    plain: |_| None,
};

crate::options! {
    /// What counts for and against.
    struct BalanceOf("`balance`") {
        /// The rows that count for.
        plus: Expression,
        /// The rows that count against.
        minus: Expression,
        /// The balance if all count for.
        scale: f64 = 100.0,
    }
}

fn fields() -> Vec<Field> {
    BalanceOf::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(BalanceOf::decode(node, decoder)?))
}

impl Metric for BalanceOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let plus = lowering.parse_condition(&self.plus.value);
        let minus = lowering.parse_condition(&self.minus.value);
        super::scale(&self.scale, lowering)?;
        let (plus, minus) = (plus?, minus?);
        let condition = lowering.condition();
        lowering.balance_of(plus, minus, &lowering.rows(), condition, self.scale.value)
    }
}
