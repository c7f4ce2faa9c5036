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

use crate::document::{Decoder, Node};
use crate::frame::Unit;
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc};
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
        let tenth = build::div(customers.customers, Expr::int(10))
            .and_then(|tenth| call(Func::Ceil, vec![tenth]))
            .and_then(|tenth| build::le(customers.rank, tenth));
        let best = lowering.typed(tenth)?;
        let money = lowering.money();
        let sum = MeasureFunc::Sum(customers.value.clone());
        let best = Measure::filtered(sum.clone(), Some(best));
        let best = lowering.measure(&customers.level, "numerator", best);
        let all = lowering.measure(&customers.level, "denominator", Measure::of(sum));
        let share = lowering.typed(build::div(best.clone(), all.clone()))?;
        lowering.draw_values(ValuesOf {
            level: customers.level,
            condition: None,
            value: customers.value,
            statistic: ValueStatistic::TopShare(0.1),
        })?;
        lowering.parts(share, (best, money.clone()), (all, money), Unit::Share)
    }
}
