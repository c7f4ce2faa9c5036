//! # customer_summary
//!
//! One row per customer: how many purchases, when, and for how much.
//!
//! What it does: folds each customer's purchases into the numbers that RFM and the purchase models read:
//! frequency x (repeat purchases), recency t_x (first to last), age T (first to the end), value.
//!
//! When to use it: as a table of customers to look things up in, or to hand to another tool.
//!
//! Example:
//!
//! ```yaml
//! summary:
//!   from: orders
//!   customer_summary: {unit: week}
//! ```
//!
//! Columns: the customer, the dimensions of `by` as of the first purchase, `first_time`, `last_time`,
//! `orders`, `purchase_days`, `frequency`, `recency`, `age`, `since_last` (in `unit`), `value`,
//! `average_order_value`, `monetary` (mean value of repeat purchases, null if there are none).
//!
//! Rules: with `collapse: day` purchases of one day are one, times are whole days, and the end is the
//! last day before `as_of`, so recency + since_last = age. `refunds: net` adds a negative value to its
//! day, whatever `collapse` says; a day left below 0 is no purchase and counts nowhere, its money included.
//! With `collapse: none` a day's refunds are taken from its first order. `drop` leaves negative values
//! out, `keep` counts them as orders. An order without an amount counts, and adds no money.
//!
//! References: Fader, Hardie and Lee (2005), RFM and CLV: using iso-value curves.

use super::context::{RoleOverrides, StageContext};
use super::dimension::DimensionSpec;
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options, TimeUnit};
use crate::frame::DataType;
use crate::ir::relation;
use crate::ir::typing::{TypeError, build};
use crate::ir::{
    Expr, Measure, MeasureFunc, Refunds, RelRef, Roles, Summary, Table, ZeroValues, named,
};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "customer_summary",
    source: include_str!("customer_summary.rs"),
    row_level: false,
    companions: &[],
    fields,
    decode,
};

crate::choice! {
    /// Which purchases are one.
    pub enum Collapse {
        /// Those of a day.
        Day = "day",
        /// Each is its own.
        None = "none",
    }
}

crate::options! {
    /// How purchases are summed up.
    struct CustomerSummary("`customer_summary`") {
        /// Unit of recency, age and since_last.
        unit: TimeUnit = TimeUnit::Day,
        /// Which purchases are one.
        collapse: Collapse = Collapse::Day,
        /// What a negative value is.
        refunds: Refunds = Refunds::Net,
        /// What an order of value 0 is.
        zero_values: ZeroValues = ZeroValues::Keep,
        /// Dimensions, as of the first purchase.
        by: Vec<DimensionSpec> = Vec::new(),
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    CustomerSummary::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(CustomerSummary::decode(node, decoder)?))
}

/// The options that `customer_summary` and `rfm` share.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub unit: TimeUnit,
    pub collapse: Collapse,
    pub refunds: Refunds,
    pub zero_values: ZeroValues,
    pub by: &'a [DimensionSpec],
}

/// The summary relation, and the roles of what comes of it.
pub(super) fn summarise(cx: &mut StageContext, rules: Rules) -> Option<(RelRef, Roles)> {
    let mut table = cx.input()?;
    let dimensions = cx.customer_dimensions(rules.by, &mut table);
    cx.customer_and_time(&table)?;
    let collapse = rules.collapse == Collapse::Day;
    let purchases = cx.purchases(&table, &dimensions?, None, !collapse)?;
    let touched = touched(&purchases.rel, purchases.events.value.as_ref());
    cx.touched = cx.typed(touched)?;
    let summary = Summary {
        input: purchases.rel,
        events: purchases.events,
        carry: purchases.by,
        unit: rules.unit,
        collapse,
        refunds: rules.refunds,
        zero_values: rules.zero_values,
        end: cx.as_of,
        last_day: cx.last_day(),
    };
    let rel = cx.typed(summary.build())?;
    let rel = with_currency(cx, rel, &table)?;
    let roles = customer_roles(&table, &rel);
    Some((rel, roles))
}

/// How many orders the rules are about; nothing where there are no values.
pub(super) fn touched(rel: &RelRef, value: Option<&Expr>) -> Result<Option<RelRef>, TypeError> {
    let Some(value) = value else { return Ok(None) };
    let zero = build::cast(Expr::int(0), value.data_type)?;
    let count = |name: &str, condition: Expr| {
        named(name, Measure::filtered(MeasureFunc::CountRows, Some(condition)))
    };
    let measures = vec![
        count("refunds (negative values)", build::lt(value.clone(), zero.clone())?),
        count("zero values", build::eq(value.clone(), zero)?),
        count("orders without an amount", build::is_null(value.clone())?),
    ];
    relation::aggregate(rel, vec![], measures).map(Some)
}

/// Money columns carry the currency of the input's value.
fn with_currency(cx: &mut StageContext, rel: RelRef, table: &Table) -> Option<RelRef> {
    let currency = table.roles.value.as_ref().and_then(|value| value.currency.clone());
    let unit = crate::frame::Unit::Money(currency);
    let units =
        ["value", "average_order_value", "monetary"].map(|name| (name.to_owned(), unit.clone()));
    cx.typed(relation::with_units(&rel, &units.into_iter().collect()))
}

/// The roles of a table whose grain is the customer.
pub(super) fn customer_roles(table: &Table, rel: &RelRef) -> Roles {
    let customer = table.roles.customer.as_ref().map(|customer| {
        let data_type =
            rel.schema.field(&customer.name).map_or(DataType::String, |field| field.data_type);
        named(&customer.name, Expr::column(&customer.name, data_type))
    });
    Roles { customer, ..Roles::default() }
}

impl Stage for CustomerSummary {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        })?;
        let (rel, roles) = summarise(
            cx,
            Rules {
                unit: self.unit.value,
                collapse: self.collapse.value,
                refunds: self.refunds.value,
                zero_values: self.zero_values.value,
                by: &self.by.value,
            },
        )?;
        let grain = roles.customer.iter().map(|customer| customer.name.clone()).collect();
        Some(vec![Output { suffix: None, rel, grain, roles, views: vec![View::Rows] }])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}
