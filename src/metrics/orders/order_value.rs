//! # order_value
//!
//! How large orders are: mean, median, largest, any percentile.
//!
//! What it does: takes a statistic of the value of each sold order. The name carries the statistic:
//! `order_value_mean`, `order_value_median`, `order_value_max`, `order_value_p01` to `order_value_p99`.
//!
//! When to use it: what a typical or a large basket is.
//!
//! Example: `metrics: [order_value_median, order_value_p95]`
//!
//! Formula: over the values of sold orders that have an amount. Means have t intervals, quantiles are
//! linear (type 7) with rank intervals. Columns `m`, `m_n`, `m_low`, `m_high`; the largest has `m` only.
//! Of nothing: null. Needs `value`.

use crate::document::{Decode, Decoder, Field, Node, Options};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "order_value",
    source: include_str!("order_value.rs"),
    built_in: true,
    unit: "money, float64",
    direction: Direction::Higher,
    statistics: true,
    fields,
    decode,
    plain: |statistic| Some(Box::new(OrderValue(statistic?))),
};

crate::options! {
    /// Which statistic.
    struct StatisticOf("`order_value`") {
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: super::StatisticWord,
    }
}

fn fields() -> Vec<Field> {
    StatisticOf::fields()
}

#[derive(Debug)]
struct OrderValue(Statistic);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(OrderValue(StatisticOf::decode(node, decoder)?.statistic.value.0)))
}

impl Metric for OrderValue {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let value = lowering.value(&orders)?;
        let unit = lowering.money();
        lowering.statistic(self.0, value, orders.filter, &orders.level, unit)
    }
}
