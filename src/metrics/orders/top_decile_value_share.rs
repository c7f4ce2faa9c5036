//! # top_decile_value_share
//!
//! How much of the money comes from the best tenth of the customers.
//!
//! What it does: sorts the customers of a cell by the money of their sold orders and divides that of the
//! best tenth by that of all.
//!
//! When to use it: how much hangs on few customers.
//!
//! Example: `metrics: [top_decile_value_share]`
//!
//! Formula: Σ value of the ⌈n / 10⌉ customers with the highest value / Σ value of all n. Customers with
//! equal values at the border change nothing. Columns `m`, `m_numerator`, `m_denominator`; null where the
//! denominator is 0. Needs `customer`, `value`.

use crate::document::{Decoder, Node, Portion};
use crate::frame::Unit;
use crate::ir::typing::build;
use crate::ir::{Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, ValuesOf};
use crate::stats::ValueStatistic;

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "top_decile_value_share",
    source: include_str!("top_decile_value_share.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Neither,
    statistics: false,
    fields: Vec::new,
    decode,
    plain: |_| Some(Box::new(This)),
};

#[derive(Debug)]
struct This;

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    decoder.map(node, "`top_decile_value_share`")?.finish(decoder);
    Some(Box::new(This))
}

impl Metric for This {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let customers = lowering.customers()?;
        let money = lowering.money();
        let sum = Measure::of(MeasureFunc::Sum(customers.value.clone()));
        let tenth = customers.best(Portion::Share(0.1));
        let best = lowering.measure(&tenth, "numerator", sum.clone());
        let all = lowering.measure(&customers.level(), "denominator", sum);
        let share = lowering.typed(build::div(best.clone(), all.clone()))?;
        lowering.draw_values(ValuesOf {
            level: customers.level(),
            condition: None,
            value: customers.value,
            statistic: ValueStatistic::TopShare(0.1),
        })?;
        lowering.parts(share, (best, money.clone()), (all, money), Unit::Share)
    }
}
