//! # sum
//!
//! The sum of an expression.
//!
//! What it does: adds the values that are not null.
//!
//! When to use it: money, units, minutes: whatever adds up over cells.
//!
//! Example: `shipping_paid: {sum: shipping, where: status = 'completed'}`
//!
//! Formula: Σ v. Whole numbers and decimals are exact (overflow is an error); doubles are summed exactly
//! and rounded once. Of nothing: 0.

use crate::document::{Decode, Decoder, Expression, Node};
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sum",
    source: include_str!("sum.rs"),
    built_in: false,
    unit: "the expression's own",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<Expression>("an SQL expression"),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct SumOf(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(SumOf(Expression::decode(node, decoder)?)))
}

impl Metric for SumOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let value = lowering.parse(&self.0)?;
        let value = super::number(value, lowering)?;
        let unit = lowering.unit_of(&value);
        let measure = Measure::filtered(MeasureFunc::Sum(value), lowering.condition());
        let column = lowering.measure(&lowering.rows(), "value", measure);
        lowering.plain(column, unit)
    }
}
