//! # min
//!
//! The smallest value of an expression.
//!
//! What it does: finds the smallest value that is not null.
//!
//! When to use it: the first day, the lowest price.
//!
//! Example: `first_order: {min: ordered_at}`
//!
//! Formula: min v; texts compare by bytes. Of nothing: null.

use crate::document::{Decode, Decoder, Expression, Node};
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "min",
    source: include_str!("min.rs"),
    built_in: false,
    unit: "the expression's own",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<Expression>("an SQL expression"),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct MinOf(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(MinOf(Expression::decode(node, decoder)?)))
}

impl Metric for MinOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let value = lowering.parse(&self.0)?;
        let value = super::comparable(value, lowering)?;
        let unit = lowering.unit_of(&value);
        let measure = Measure::filtered(MeasureFunc::Min(value), lowering.condition());
        let column = lowering.measure(&lowering.rows(), "value", measure);
        lowering.plain(column, unit)
    }
}
