//! # return_rate
//!
//! Orders that came back, as a share of those that went out.
//!
//! What it does: divides the orders of which something was returned by the orders that were sold or
//! returned.
//!
//! When to use it: how often customers send things back. Recent orders had less time to come back:
//! compare finished periods, or date by the return.
//!
//! Example: `metrics: [return_rate]`, or `came_back: {return_rate: {dated: return}}`
//!
//! Formula: orders with `order.returned` / orders with `order.sold` or `order.returned`, with Wilson's
//! interval. Sold and returned may exclude each other or not. With `order.returned_at` a return on or
//! after `as_of` is not known yet; without `order.returned`, a row with `returned_at` or with a
//! `returned_quantity` above 0 is returned. `dated: return` counts a return in the cell of the day on
//! which it came (a share of what was sold in that cell, which may be above 1); cells without rows have
//! none. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`; null for no orders.

use super::Dated;
use crate::document::{Decode, Decoder, Field, Node, Options, Setting};
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "return_rate",
    source: include_str!("return_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Lower,
    statistics: false,
    fields,
    decode,
    plain: |_| Some(Box::new(ReturnRate { dated: Setting::default_of(Dated::Sale) })),
};

crate::options! {
    /// How returns are dated.
    struct ReturnRate("`return_rate`") {
        /// Whether a return counts in the cell of its sale or of its own day.
        dated: Dated = Dated::Sale,
    }
}

fn fields() -> Vec<Field> {
    ReturnRate::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(ReturnRate::decode(node, decoder)?))
}

impl Metric for ReturnRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let placed = lowering.placed()?;
        let all = Level::Placed(lowering.condition());
        let of = self.dated.value.level(lowering)?;
        let returned = Measure::filtered(MeasureFunc::CountRows, Some(placed.returned));
        let returned = lowering.measure(&of, "numerator", returned);
        let n = lowering.measure(&all, "n", Measure::of(MeasureFunc::CountRows));
        lowering.share(returned, n)
    }
}
