//! Customers who enter by another table than the one that tells what they did.

use super::context::StageContext;
use super::dimension::{Dimension, DimensionSpec};
use super::purchases::Purchases;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build, common_type};
use crate::ir::{Events, Expr, Named, RelRef, Table, named};

/// A table of customers with the moment at which each enters.
pub(super) struct EntryTable {
    table: Table,
    customer: Expr,
    time: Expr,
    span: Span,
}

/// Entries and orders in one relation.
pub(super) struct Entered {
    pub purchases: Purchases,
    /// Which of its rows are entries.
    pub entering: Expr,
    /// The dimensions, those of the entry.
    pub dimensions: Vec<Dimension>,
}

/// The columns of entries and orders together.
const COLUMNS: [&str; 4] = ["#customer", "#time", "#entering", "#active"];
const VALUE: &str = "#value";

impl StageContext<'_> {
    /// The table whose customers enter at its `time`; a role that it lacks is noted at its name.
    pub(super) fn entry_table(&mut self, from: &Spanned<String>) -> Option<EntryTable> {
        let table = self.other_table(from)?;
        let customer = table.roles.customer.clone().map(|customer| customer.value);
        let time = table.roles.time.clone();
        for (role, absent) in [("customer", customer.is_none()), ("time", time.is_none())] {
            if absent && !table.roles.flawed {
                let message = format!(
                    "customers enter by the roles `customer` and `time`, and `{}` has no `{role}`",
                    table.name
                );
                self.diagnostics.push(
                    Diagnostic::at(Code::MissingRole, from.span, message)
                        .help(format!("say which column it is at the source: `{role}: COLUMN`")),
                );
            }
        }
        Some(EntryTable { table, customer: customer?, time: time?, span: from.span })
    }

    /// The orders of customers who enter by another table, which has one row for each. Dimensions are
    /// those of that table.
    pub(super) fn entered_by(
        &mut self,
        entry: EntryTable,
        orders: &Purchases,
        by: &[DimensionSpec],
    ) -> Option<Entered> {
        let EntryTable { mut table, customer, time, span } = entry;
        let dimensions = self.dimensions(by, &mut table)?;
        let own = orders.events.customer.value.data_type;
        let Some(common) = common_type(own, customer.data_type) else {
            let message = format!(
                "the customer is a {own} in the input and a {} in `{}`",
                customer.data_type, table.name
            );
            self.report(Code::TypeMismatch, Some(span), message);
            return None;
        };
        // Where one of them is a day, so is the other.
        let when = match orders.events.time.data_type == time.data_type {
            true => time.data_type,
            false => DataType::Date,
        };
        let both = entries(self.as_of, &table, [customer, time], common, when, &dimensions)
            .and_then(|entries| together(&entries, orders, common, when, &dimensions));
        let (purchases, entering) = self.typed(both)?;
        Some(Entered { purchases, entering, dimensions })
    }
}

/// One row per customer; the engine refuses a second one.
fn entries(
    as_of: i64,
    table: &Table,
    [customer, time]: [Expr; 2],
    common: DataType,
    when: DataType,
    dimensions: &[Dimension],
) -> Result<RelRef, TypeError> {
    let seen = Expr::literal(Value::Timestamp(as_of), DataType::Timestamp);
    let seen = build::lt(build::cast(time.clone(), DataType::Timestamp)?, seen)?;
    let known = build::not(build::is_null(customer.clone())?)?;
    let rel = relation::filter(&table.rel, build::and(known, seen)?)?;
    let [customer_name, time_name, entering, active] = COLUMNS;
    let mut columns = vec![
        named(customer_name, build::cast(customer, common)?),
        named(time_name, build::cast(time, when)?),
        named(entering, Expr::bool(true)),
        named(active, Expr::bool(false)),
    ];
    columns.extend(dimensions.iter().map(Dimension::key));
    let rel = relation::project(&rel, columns)?;
    let key = vec![(column(&rel, customer_name)?, customer_name.to_owned())];
    relation::lookup(&rel, &rel, key, Vec::new())
}

fn together(
    entries: &RelRef,
    orders: &Purchases,
    common: DataType,
    when: DataType,
    dimensions: &[Dimension],
) -> Result<(Purchases, Expr), TypeError> {
    let [customer, time, entering, active] = COLUMNS;
    let mut columns = vec![
        named(customer, build::cast(orders.events.customer.value.clone(), common)?),
        named(time, build::cast(orders.events.time.clone(), when)?),
        named(entering, Expr::bool(false)),
        named(active, orders.active.clone().unwrap_or_else(|| Expr::bool(true))),
    ];
    for dimension in dimensions {
        columns.push(named(&dimension.name, Expr::null(dimension.expr.data_type)));
    }
    let mut entries = entries.clone();
    if let Some(value) = &orders.events.value {
        let none = Expr::null(value.data_type);
        entries = relation::extend(&entries, vec![named(VALUE, none)])?;
        columns.push(named(VALUE, value.clone()));
    }
    let rel = relation::union(vec![relation::project(&orders.rel, columns)?, entries])?;
    let events = Events {
        customer: named(&orders.events.customer.name, column(&rel, customer)?),
        time: column(&rel, time)?,
        value: orders.events.value.as_ref().map(|_| column(&rel, VALUE)).transpose()?,
        tie: Vec::new(),
    };
    let by: Vec<Named<Expr>> = dimensions
        .iter()
        .map(|dimension| Ok(named(&dimension.name, column(&rel, &dimension.name)?)))
        .collect::<Result<_, TypeError>>()?;
    let active = Some(column(&rel, active)?);
    let entering = column(&rel, entering)?;
    Ok((Purchases { rel, events, by, active }, entering))
}
