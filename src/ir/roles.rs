//! What the columns of a table mean.

use super::expression::Expr;
use super::relation::{Named, RelRef};
use crate::frame::Schema;

/// A relation whose columns have roles: what a stage reads.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub rel: RelRef,
    pub roles: Roles,
}

/// The roles of a table. Each is an expression over its columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roles {
    /// Who; named as the column comes out.
    pub customer: Option<Named<Expr>>,
    /// When: a date or a timestamp.
    pub time: Option<Expr>,
    /// What identifies a row; empty where nothing does.
    pub key: Vec<Expr>,
    /// Money.
    pub value: Option<Money>,
    /// The `order` block.
    pub order: Option<OrderRoles>,
    /// True if a role may be absent only because something at the source is wrong, which is known.
    pub flawed: bool,
}

/// A column of money.
#[derive(Debug, Clone, PartialEq)]
pub struct Money {
    /// A decimal.
    pub expr: Expr,
    pub currency: Option<String>,
}

/// The roles of the `order` block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OrderRoles {
    /// Rows of one customer and id are lines of one order; absent: each row is an order.
    pub id: Option<Expr>,
    /// Which rows are sales; absent: all.
    pub sold: Option<Expr>,
    pub returned: Option<Expr>,
    pub quantity: Option<Expr>,
}

impl Roles {
    /// The roles whose columns a schema still has, with their types.
    pub fn living_in(&self, schema: &Schema) -> Roles {
        let lives = |expr: &Expr| {
            let mut lives = true;
            expr.for_each_column(&mut |name| lives &= schema.field(name).is_some());
            lives
        };
        let keep = |expr: &Option<Expr>| expr.clone().filter(|expr| lives(expr));
        Roles {
            flawed: self.flawed,
            customer: self.customer.clone().filter(|customer| lives(&customer.value)),
            time: keep(&self.time),
            key: if self.key.iter().all(lives) { self.key.clone() } else { Vec::new() },
            value: self.value.clone().filter(|value| lives(&value.expr)),
            order: self.order.as_ref().map(|order| OrderRoles {
                id: keep(&order.id),
                sold: keep(&order.sold),
                returned: keep(&order.returned),
                quantity: keep(&order.quantity),
            }),
        }
    }
}
