//! # max
//!
//! The largest value of an expression.
//!
//! What it does: finds the largest value that is not null.
//!
//! When to use it: the last day, the highest price.
//!
//! Example: `largest_order: {max: amount}`
//!
//! Formula: max v; texts compare by bytes. Of nothing: null.

use crate::document::{Decode, Decoder, Expression, Node};
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "max",
    source: include_str!("max.rs"),
    built_in: false,
    unit: "the expression's own",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<Expression>("an SQL expression"),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct MaxOf(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(MaxOf(Expression::decode(node, decoder)?)))
}

impl Metric for MaxOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let value = lowering.parse(&self.0)?;
        let value = super::comparable(value, lowering)?;
        let unit = lowering.unit_of(&value);
        let measure = Measure::filtered(MeasureFunc::Max(value), lowering.condition());
        let column = lowering.measure(&lowering.rows(), "value", measure);
        lowering.plain(column, unit)
    }
}
