//! # value_return_rate
//!
//! Money of what came back, as a share of the money of what went out.
//!
//! What it does: divides the value of returned rows by that of rows that were sold or returned.
//!
//! When to use it: what returns cost in turnover.
//!
//! Example: `metrics: [value_return_rate]`
//!
//! Formula: Σ value of rows with `order.returned` / Σ value of rows with `order.sold` or `order.returned`.
//! A log that books returns as rows of their own with negative amounts gives a negative numerator: make
//! `value` positive and say with `order.sold` which rows are sales. `dated` as in `return_rate`. Columns
//! `m`, `m_numerator`, `m_denominator`; null where the denominator is 0. Needs `value`.

use super::Dated;
use crate::document::{Decode, Decoder, Field, Node, Options, Setting};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "value_return_rate",
    source: include_str!("value_return_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Lower,
    statistics: false,
    fields,
    decode,
    plain: |_| Some(Box::new(ValueReturnRate { dated: Setting::default_of(Dated::Sale) })),
};

crate::options! {
    /// How returns are dated.
    struct ValueReturnRate("`value_return_rate`") {
        /// Whether a return counts in the cell of its sale or of its own day.
        dated: Dated = Dated::Sale,
    }
}

fn fields() -> Vec<Field> {
    ValueReturnRate::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(ValueReturnRate::decode(node, decoder)?))
}

impl Metric for ValueReturnRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let placed = lowering.placed()?;
        let Some((value, returned)) = placed.value.zip(placed.returned_value) else {
            lowering.lacks("value", "value: COLUMN");
            return None;
        };
        let all = Level::Placed(lowering.condition());
        let of = self.dated.value.level(lowering)?;
        let money = lowering.money();
        let returned = Measure::of(MeasureFunc::Sum(returned));
        let returned = lowering.measure(&of, "numerator", returned);
        let sold = lowering.measure(&all, "denominator", Measure::of(MeasureFunc::Sum(value)));
        lowering.ratio((returned, money.clone()), (sold, money), Unit::Share)
    }
}
