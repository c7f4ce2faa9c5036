//! Which rows were sold or came back, and what of them did: the rule that metrics of returns go by.

use crate::frame::{DataType, Value};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, OrderRoles, Roles};

/// What returns are measured by, as expressions over the rows of a source of orders.
#[derive(Debug, Clone)]
pub struct PlacedRows {
    /// Whether a row came back, as far as it is known by `as_of`; never null.
    pub returned: Expr,
    /// The rows that were sold or came back; absent: all. What comes back later was sold all the same.
    pub placed: Option<Expr>,
    pub value: Option<Expr>,
    pub quantity: Option<Expr>,
    /// The quantity of what came back, of a row that did.
    pub returned_quantity: Option<Expr>,
}

impl PlacedRows {
    /// What the roles of a source say of its rows; returns at `as_of`, in microseconds, or later are not known.
    ///
    /// # Errors
    /// Roles whose types do not fit.
    pub fn new(roles: &Roles, as_of: i64) -> Result<Self, TypeError> {
        let order = roles.order.clone().unwrap_or_default();
        let ever = ever_returned(&order)?;
        let known = match &order.returned_at {
            None => Expr::bool(true),
            Some(at) => {
                let end = Expr::literal(Value::Timestamp(as_of), DataType::Timestamp);
                build::coalesce(build::lt(at.clone(), end)?, Expr::bool(true))?
            }
        };
        let placed = match order.sold {
            Some(sold) => Some(build::or(build::coalesce(sold, Expr::bool(false))?, ever.clone())?),
            None => None,
        };
        Ok(PlacedRows {
            returned: build::and(ever, known)?,
            placed,
            value: roles.value.as_ref().map(|value| value.expr.clone()),
            returned_quantity: order.returned_quantity.or_else(|| order.quantity.clone()),
            quantity: order.quantity,
        })
    }
}

/// Whether a row came back, or will.
fn ever_returned(order: &OrderRoles) -> Result<Expr, TypeError> {
    let flag = match (&order.returned, &order.returned_at, &order.returned_quantity) {
        (Some(returned), _, _) => returned.clone(),
        (None, Some(at), _) => build::not(build::is_null(at.clone())?)?,
        (None, None, Some(quantity)) => build::gt(quantity.clone(), Expr::int(0))?,
        (None, None, None) => Expr::bool(false),
    };
    build::coalesce(flag, Expr::bool(false))
}
