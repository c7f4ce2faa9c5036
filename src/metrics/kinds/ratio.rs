//! # ratio
//!
//! One metric over another.
//!
//! What it does: divides the value of a metric by that of another, in the same cell.
//!
//! When to use it: rates that are not shares of rows: cost per order, units per customer.
//!
//! Example: `units_per_order: {ratio: {numerator: units, denominator: order_count}}`
//!
//! Formula: numerator / denominator × scale; null where the denominator is 0 or either is null. Columns `m`,
//! `m_numerator`, `m_denominator`; `m_low` and `m_high` with `interval: bootstrap`, if both are made of
//! sums, counts or means. A `where` holds for both.
//!
//! Rules: the two may be measured of different tables, each saying so by its own `from`: tickets per active
//! customer, cost per order, complaints per 100 orders (`scale: 100`). A `from` of the ratio holds for those of its
//! parts that have none. Where one of the tables has no row of a group, its counts and sums are 0. Drawn bounds draw
//! the customers of both tables together; both need the role `customer`.

use crate::diagnostic::Spanned;
use crate::document::{Decode, Decoder, Field, Node, Options};
use crate::frame::Unit;
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "ratio",
    source: include_str!("ratio.rs"),
    built_in: false,
    unit: "the numerator's per the denominator's, float64",
    direction: Direction::Neither,
    statistics: false,
    fields,
    decode,
    plain: |_| None,
};

crate::options! {
    /// What over what.
    struct RatioOf("`ratio`") {
        /// The metric above.
        numerator: Spanned<String>,
        /// The metric below.
        denominator: Spanned<String>,
        /// What the ratio is told per: `100` for complaints per 100 orders.
        scale: f64 = 1.0,
    }
}

fn fields() -> Vec<Field> {
    RatioOf::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(RatioOf::decode(node, decoder)?))
}

/// The unit of one value per another, where nobody says it.
pub(in crate::metrics) fn unit_of(numerator: &Unit, denominator: &Unit) -> Unit {
    match (numerator, denominator) {
        (unit @ Unit::Money(_), Unit::Count) => unit.clone(),
        _ => Unit::None,
    }
}

impl Metric for RatioOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let numerator = lowering.other(&self.numerator.value, "numerator");
        let denominator = lowering.other(&self.denominator.value, "denominator");
        super::scale(&self.scale, lowering)?;
        let (numerator, denominator) = (numerator?, denominator?);
        let unit = unit_of(&numerator.1, &denominator.1);
        lowering.ratio_per(numerator, denominator, self.scale.value, unit)
    }

    fn parts(&self) -> Vec<&Spanned<String>> {
        vec![&self.numerator.value, &self.denominator.value]
    }
}
