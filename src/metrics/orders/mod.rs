//! Metrics of orders: what was sold, to how many, how large, how often.
//!
//! **Invariants**
//! - Only sold rows count: those for which `order.sold` is true, or all without it.
//! - With `order.id`, lines of one customer and id are one order: its time the earliest, its value the
//!   sum.

pub mod average_order_value;
pub mod customer_count;
pub mod gap_days;
pub mod historic_clv;
pub mod order_count;
pub mod order_value;
pub mod orders_per_customer;
pub mod repeat_purchase_rate;
pub mod return_rate;
pub mod revenue;
pub mod top_decile_value_share;
pub mod unit_return_rate;
pub mod units;
pub mod value_return_rate;

use super::lowering::{Level, Lowering};
use super::statistic::Statistic;
use serde_json::Value as Json;

use crate::document::{Decode, Decoder, Node, NodeKind, schema};

crate::choice! {
    /// In which cell a return counts.
    enum Dated {
        /// That of the sale.
        Sale = "sale",
        /// That of the day on which it came back.
        Return = "return",
    }
}

impl Dated {
    /// The orders among which returns are counted.
    fn level(self, lowering: &mut Lowering) -> Option<Level> {
        let condition = lowering.condition();
        if self == Dated::Sale {
            return Some(Level::Placed(condition));
        }
        let order = lowering.subject.roles.order.as_ref();
        if order.is_none_or(|order| order.returned_at.is_none()) {
            lowering.lacks("order.returned_at", "order: {returned_at: COLUMN}");
            return None;
        }
        Some(Level::CameBack(condition))
    }
}

/// A statistic as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StatisticWord(pub(crate) Statistic);

impl Decode for StatisticWord {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let word = match &node.kind {
            NodeKind::Text(word) => Statistic::from_word(word),
            _ => None,
        };
        if word.is_none() {
            decoder.wrong_type(node, &Self::expects());
        }
        word.map(StatisticWord)
    }
    fn expects() -> String {
        "`mean`, `median`, `max` or `p01` to `p99`".into()
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
    fn json_schema() -> Json {
        schema::matching("^(mean|median|max|p[0-9]{2})$")
    }
}
