//! The columns that metrics are measured over, where those are not the rows of the input: orders put
//! together from lines, orders with what came back, customers of a cell.

use super::lowering::{Best, Each, Level, Lowering};
use crate::document::Portion;
use crate::frame::DataType;
use crate::ir::typing::build;
use crate::ir::{Expr, Measure, MeasureFunc, named};

/// The columns of an order that was sold or returned; for a log without order ids, of a row.
#[derive(Debug, Clone)]
pub struct PlacedFields {
    /// Whether any of it came back.
    pub returned: Expr,
    pub value: Option<Expr>,
    /// Of what came back.
    pub returned_value: Option<Expr>,
    pub quantity: Option<Expr>,
    pub returned_quantity: Option<Expr>,
}

/// The columns of a customer in a cell.
#[derive(Debug, Clone)]
pub struct CustomerFields {
    /// Money of the customer's sold orders in the cell.
    pub value: Expr,
    /// The times of the first and the last of them.
    pub first: Option<Expr>,
    pub last: Option<Expr>,
    groups: Each,
}

impl CustomerFields {
    /// All customers of a cell.
    pub fn level(&self) -> Level {
        Level::Each(Box::new(self.groups.clone()))
    }

    /// Those with the highest value; ties go by the customer.
    pub fn best(&self, size: Portion) -> Level {
        let top = Some(Best { by: self.value.clone(), size });
        Level::Each(Box::new(Each { top, ..self.groups.clone() }))
    }
}

/// The columns of an order.
#[derive(Debug, Clone)]
pub struct OrderFields {
    pub customer: Option<Expr>,
    pub time: Option<Expr>,
    pub value: Option<Expr>,
    pub quantity: Option<Expr>,
    /// Rows that are not orders fail this.
    pub filter: Option<Expr>,
    pub level: Level,
}

/// Column names of orders that were sold or returned.
pub const PLACED_COLUMNS: [&str; 5] = [
    "#placed_returned",
    "#placed_value",
    "#placed_returned_value",
    "#placed_quantity",
    "#placed_returned_quantity",
];

/// The column of the days since the purchase day before.
pub const GAP_COLUMN: &str = "#gap";

/// Column names of orders put together from lines.
pub const ORDER_COLUMNS: [&str; 4] =
    ["#order_customer", "#order_time", "#order_value", "#order_quantity"];

/// The column with the weight of an order, or of a customer of a cell, of a sample.
pub const WEIGHT_COLUMN: &str = "#row_weight";

impl Lowering<'_> {
    /// The columns of an order. With an order id they are those of orders put together from their
    /// lines, else those of the row.
    pub fn orders(&mut self) -> Option<OrderFields> {
        let roles = self.subject.roles;
        let order = roles.order.clone().unwrap_or_default();
        let value = roles.value.as_ref().map(|value| value.expr.clone());
        if order.id.is_some() {
            let of = |name: &str, like: Option<&Expr>| {
                like.map(|expr| {
                    let data_type = match (name, expr.data_type) {
                        ("#order_value", DataType::Decimal { scale, .. }) => DataType::money(scale),
                        ("#order_quantity", DataType::Decimal { scale, .. }) => {
                            DataType::money(scale)
                        }
                        ("#order_quantity", DataType::Int32) => DataType::Int64,
                        (_, other) => other,
                    };
                    Expr::column(name, data_type)
                })
            };
            let [customer, time, amount, quantity] = ORDER_COLUMNS;
            return Some(OrderFields {
                customer: of(customer, roles.customer.as_ref().map(|customer| &customer.value)),
                time: of(time, roles.time.as_ref()),
                value: of(amount, value.as_ref()),
                quantity: of(quantity, order.quantity.as_ref()),
                filter: None,
                level: Level::Orders(self.condition.clone()),
            });
        }
        let conditions = order.sold.into_iter().chain(self.condition.clone());
        let filter = self.typed(build::all(conditions))?;
        Some(OrderFields {
            customer: roles.customer.as_ref().map(|customer| customer.value.clone()),
            time: roles.time.clone(),
            value,
            quantity: order.quantity,
            filter,
            level: Level::Rows,
        })
    }

    /// The columns of orders that were sold or returned. What says that an order came back is missed
    /// with a note.
    pub fn placed(&mut self) -> Option<PlacedFields> {
        let roles = self.subject.roles;
        let order = roles.order.clone().unwrap_or_default();
        let told = order.returned.is_some()
            || order.returned_at.is_some()
            || order.returned_quantity.is_some();
        if !told {
            self.lacks("order.returned", "order: {returned: CONDITION}");
            return None;
        }
        let of = |name: &str, like: Option<&Expr>| {
            like.map(|expr| {
                let data_type = match expr.data_type {
                    DataType::Decimal { scale, .. } => DataType::money(scale),
                    DataType::Int32 => DataType::Int64,
                    other => other,
                };
                Expr::column(name, data_type)
            })
        };
        let [returned, value, returned_value, quantity, returned_quantity] = PLACED_COLUMNS;
        let money = roles.value.as_ref().map(|value| &value.expr);
        let units = order.returned_quantity.as_ref().or(order.quantity.as_ref());
        Some(PlacedFields {
            returned: Expr::column(returned, DataType::Bool),
            value: of(value, money),
            returned_value: of(returned_value, money),
            quantity: of(quantity, order.quantity.as_ref()),
            returned_quantity: of(returned_quantity, units),
        })
    }

    /// The columns of the customers of a cell; missing roles are noted.
    pub fn customers(&mut self) -> Option<CustomerFields> {
        let roles = self.subject.roles;
        if roles.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
        }
        if roles.value.is_none() {
            self.lacks("value", "value: COLUMN");
        }
        roles.customer.as_ref()?;
        let orders = self.orders()?;
        let [value, first, last] =
            ["#customer_value", "#customer_first", "#customer_last"].map(str::to_owned);
        let mut kept = Vec::new();
        let mut keep = |name: String, func: MeasureFunc| {
            let column = Expr::column(&*name, func.data_type());
            kept.push(named(name, Measure::of(func)));
            column
        };
        let value = keep(value, MeasureFunc::Sum(orders.value?));
        let first = orders.time.clone().map(|time| keep(first, MeasureFunc::Min(time)));
        let last = orders.time.map(|time| keep(last, MeasureFunc::Max(time)));
        let groups = Each {
            level: orders.level,
            per: vec![orders.customer?],
            filter: orders.filter,
            kept,
            time: None,
            top: None,
        };
        Some(CustomerFields { value, first, last, groups })
    }

    /// The days between a customer's purchase day and the one before it; missing roles are noted.
    pub fn gaps(&mut self) -> Option<(Expr, Level)> {
        let orders = self.orders()?;
        let (customer, time) = (self.customer(&orders), self.time(&orders));
        customer?;
        time?;
        let days = Expr::column(GAP_COLUMN, DataType::Int64);
        Some((days, Level::Gaps(self.condition.clone())))
    }

    /// The customer of an order; a missing role is noted.
    pub fn customer(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
        }
        orders.customer.clone()
    }

    /// The value of an order; a missing role is noted.
    pub fn value(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.value.is_none() {
            self.lacks("value", "value: COLUMN");
        }
        orders.value.clone()
    }

    /// The quantity of an order; a missing role is noted.
    pub fn quantity(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.quantity.is_none() {
            self.lacks("order.quantity", "order: {quantity: COLUMN}");
        }
        orders.quantity.clone()
    }

    /// The time of an order; a missing role is noted.
    pub fn time(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.time.is_none() {
            self.lacks("time", "time: COLUMN");
        }
        orders.time.clone()
    }

    /// The time of the customer's first order ever, which may lie in another cell.
    pub fn first_time(&mut self, orders: &OrderFields) -> Option<Expr> {
        self.asked().wants_first_time = true;
        let time = self.time(orders)?;
        Some(self.subject.first_time.clone().unwrap_or_else(|| Expr::null(time.data_type)))
    }
}
