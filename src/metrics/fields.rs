//! The columns that metrics are measured over, where those are not the rows of the input: orders put
//! together from lines, orders with what came back, customers of a cell.

use super::lowering::Level;
use crate::ir::Expr;

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
    /// 1 for the customer with the highest value in the cell; ties go by the customer.
    pub rank: Expr,
    /// How many customers the cell has.
    pub customers: Expr,
    pub level: Level,
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

/// Column names of the customers of a cell.
pub const CUSTOMER_COLUMNS: [&str; 5] =
    ["#customer_value", "#customer_first", "#customer_last", "#customer_rank", "#cell_customers"];

/// Column names of orders put together from lines.
pub const ORDER_COLUMNS: [&str; 4] =
    ["#order_customer", "#order_time", "#order_value", "#order_quantity"];

/// The column with the weight of an order, or of a customer of a cell, of a sample.
pub const WEIGHT_COLUMN: &str = "#row_weight";
