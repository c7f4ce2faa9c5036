//! # count
//!
//! Rows, or rows where an expression has a value.
//!
//! What it does: counts rows; with an expression, those where it is not null.
//!
//! When to use it: how many events a cell has.
//!
//! Example: `refunds: {count: {}, where: amount < 0}`
//!
//! Formula: the number of rows of the cell that pass `where`. Of nothing: 0.

use serde_json::{Value as Json, json};

use crate::document::{Decode, Decoder, Expression, Node, NodeKind, schema};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "count",
    source: include_str!("count.rs"),
    built_in: false,
    unit: "count",
    direction: Direction::Neither,
    statistics: false,
    fields: || super::main_argument::<CountOf>(&CountOf::expects()),
    decode,
    plain: |_| None,
};

#[derive(Debug)]
struct CountOf(Option<Expression>);

impl Decode for CountOf {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let empty = match &node.kind {
            NodeKind::Null => true,
            NodeKind::Map(entries) => entries.is_empty(),
            _ => false,
        };
        let argument = if empty { None } else { Some(Expression::decode(node, decoder)?) };
        Some(CountOf(argument))
    }
    fn expects() -> String {
        "`{}`, or an SQL expression".into()
    }
    fn show(&self) -> String {
        self.0.as_ref().map_or_else(|| "{}".into(), Decode::show)
    }
    fn json_schema() -> Json {
        let nothing = json!({"type": ["object", "null"], "additionalProperties": false});
        schema::any_of([nothing, Expression::json_schema()])
    }
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(CountOf::decode(node, decoder)?))
}

impl Metric for CountOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let func = match &self.0 {
            None => MeasureFunc::CountRows,
            Some(argument) => MeasureFunc::Count(lowering.parse(argument)?),
        };
        let measure = Measure::filtered(func, lowering.condition());
        let column = lowering.measure(&lowering.rows(), "value", measure);
        lowering.plain(column, Unit::Count)
    }
}
