//! # repeat_purchase_rate
//!
//! Customers who came back, as a share of those who came.
//!
//! What it does: divides the customers with at least two orders in the cell by those with at least one.
//!
//! When to use it: whether buyers buy again. Young customers have had less time: compare cells of the
//! same length.
//!
//! Example: `repeat: {repeat_purchase_rate: {unit: day, history: all}}`
//!
//! Formula: customers with ≥ 2 orders in the cell / customers with ≥ 1, with Wilson's interval. `unit:
//! day` counts purchase days instead of orders. `history: all` also counts a customer whose first order
//! (or day) ever lies before an order in the cell. Columns `m`, `m_numerator`, `m_n`, `m_low`, `m_high`;
//! null for no customers. Needs `customer`, and `time` for `day` and `all`.

use crate::document::{Decode, Decoder, Field, Node, Options, Setting};
use crate::frame::DataType;
use crate::ir::typing::build;
use crate::ir::{Expr, Measure, MeasureFunc};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "repeat_purchase_rate",
    source: include_str!("repeat_purchase_rate.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Higher,
    statistics: false,
    fields,
    decode,
    plain: |_| {
        Some(Box::new(RepeatPurchaseRate {
            unit: Setting::default_of(Repeat::Order),
            history: Setting::default_of(Since::Cell),
        }))
    },
};

crate::choice! {
    /// What is counted.
    enum Repeat {
        Order = "order",
        Day = "day",
    }
}

crate::choice! {
    /// Which orders count as earlier ones.
    enum Since {
        Cell = "cell",
        All = "all",
    }
}

crate::options! {
    /// What counts as coming back.
    struct RepeatPurchaseRate("`repeat_purchase_rate`") {
        /// Orders, or days with an order.
        unit: Repeat = Repeat::Order,
        /// Whether the first order may lie before the cell.
        history: Since = Since::Cell,
    }
}

fn fields() -> Vec<Field> {
    RepeatPurchaseRate::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(RepeatPurchaseRate::decode(node, decoder)?))
}

impl Metric for RepeatPurchaseRate {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let orders = lowering.orders()?;
        let customer = lowering.customer(&orders)?;
        let day = |time: Expr| build::cast(time, DataType::Date);
        let of = customer.clone();
        let (func, filter) = match (self.unit.value, self.history.value) {
            (Repeat::Order, Since::Cell) => {
                (MeasureFunc::CountReaching { of, weight: Expr::int(1), least: 2 }, None)
            }
            (Repeat::Order, Since::All) => {
                // An order after the first counts twice, so that one of them is enough.
                let first = lowering.first_time(&orders)?;
                let time = lowering.time(&orders)?;
                let later = lowering.typed(build::gt(time, first))?;
                let weight = lowering.typed(build::choose(later, Expr::int(2), Expr::int(1)))?;
                (MeasureFunc::CountReaching { of, weight, least: 2 }, None)
            }
            (Repeat::Day, Since::Cell) => {
                let time = lowering.time(&orders)?;
                let by = lowering.typed(day(time))?;
                (MeasureFunc::CountVarying { of, by }, None)
            }
            (Repeat::Day, Since::All) => {
                let first = lowering.first_time(&orders)?;
                let time = lowering.time(&orders)?;
                let (first, time) = (lowering.typed(day(first))?, lowering.typed(day(time))?);
                let later = lowering.typed(build::gt(time, first))?;
                (MeasureFunc::CountDistinct(of), Some(later))
            }
        };
        let filter = build::all(orders.filter.clone().into_iter().chain(filter));
        let filter = lowering.typed(filter)?;
        let numerator = Measure::filtered(func, filter);
        let numerator = lowering.measure(&orders.level, "numerator", numerator);
        let n = Measure::filtered(MeasureFunc::CountDistinct(customer), orders.filter);
        let n = lowering.measure(&orders.level, "n", n);
        lowering.share(numerator, n)
    }
}
