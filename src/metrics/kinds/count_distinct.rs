//! # count_distinct
//!
//! Distinct values of an expression.
//!
//! What it does: counts the different values that are not null.
//!
//! When to use it: how many channels, products or people a cell has.
//!
//! Example: `channels: {count_distinct: channel}`
//!
//! Formula: |{v}| over the rows of the cell that pass `where`; exact, never a sketch. Of nothing: 0.

use crate::document::{Decode, Decoder, Expression, Node};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "count_distinct",
    source: include_str!("count_distinct.rs"),
    built_in: false,
    unit: "count",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<Expression>("an SQL expression"),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct CountDistinctOf(Expression);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(CountDistinctOf(Expression::decode(node, decoder)?)))
}

impl Metric for CountDistinctOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let value = lowering.parse(&self.0)?;
        let unit = Unit::Count;
        let measure = Measure::filtered(MeasureFunc::CountDistinct(value), lowering.condition());
        let column = lowering.measure(&lowering.rows(), "value", measure);
        lowering.plain(column, unit)
    }
}
