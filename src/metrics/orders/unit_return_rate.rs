//! # unit_return_rate
//!
//! Things that came back, as a share of those that went out.
//!
//! What it does: divides the returned quantity by the quantity of orders that were sold or returned.
//!
//! When to use it: where orders hold many things and only some come back.
//!
//! Example: `metrics: [unit_return_rate]`
//!
//! Formula: Σ `order.returned_quantity` of returned rows (without that role, Σ `order.quantity` of them) /
//! Σ `order.quantity` of rows that are sold or returned. `dated` as in `return_rate`. Columns `m`,
//! `m_numerator`, `m_denominator`; null where the denominator is 0. Needs `order.quantity`.

use super::Dated;
use crate::document::{Decode, Decoder, Field, Node, Options, Setting};
use crate::frame::Unit;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "unit_return_rate",
    source: include_str!("unit_return_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Lower,
    statistics: false,
    fields,
    decode,
    plain: |_| Some(Box::new(UnitReturnRate { dated: Setting::default_of(Dated::Sale) })),
};

crate::options! {
    /// How returns are dated.
    struct UnitReturnRate("`unit_return_rate`") {
        /// Whether a return counts in the cell of its sale or of its own day.
        dated: Dated = Dated::Sale,
    }
}

fn fields() -> Vec<Field> {
    UnitReturnRate::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(UnitReturnRate::decode(node, decoder)?))
}

impl Metric for UnitReturnRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let placed = lowering.placed()?;
        let Some((quantity, returned)) = placed.quantity.zip(placed.returned_quantity) else {
            lowering.lacks("order.quantity", "order: {quantity: COLUMN}");
            return None;
        };
        let all = Level::Placed(lowering.condition());
        let of = self.dated.value.level(lowering)?;
        let returned = Measure::of(MeasureFunc::Sum(returned));
        let returned = lowering.measure(&of, "numerator", returned);
        let sold = lowering.measure(&all, "denominator", Measure::of(MeasureFunc::Sum(quantity)));
        lowering.ratio((returned, Unit::Count), (sold, Unit::Count), Unit::Share)
    }
}
