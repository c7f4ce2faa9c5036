//! What the columns of a table mean.

use std::collections::BTreeMap;

use super::Func;
use super::expression::Expr;
use super::relation::{Named, RelRef, named};
use super::typing::{Typed, build, call};
use crate::document::TimeUnit;
use crate::frame::{DataType, Schema, Value};

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
    /// The `subscription` block: rows are spans.
    pub subscription: Option<SpanRoles>,
    /// What else is said of the rows, by the blocks of their subject.
    pub marks: BTreeMap<Mark, Expr>,
    pub scales: Scales,
    /// Of how many rows of the population a row of a sample stands for; absent: the rows are all there are.
    pub weight: Option<Weight>,
    /// The opening hours in which waits are counted, see [`super::Calendar::hours_named`]; absent: all.
    pub hours: Option<u8>,
    /// True if a role may be absent only because something at the source is wrong, which is known.
    pub flawed: bool,
}

/// The weights of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// A float64 above 0.
    pub expr: Expr,
    /// Whether customers were drawn, each with all rows; else the rows were.
    pub of_customers: bool,
}

/// A role of a subject's block: of a ticket, a survey, a review or an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Times; null where it has not happened by `as_of`.
    FirstReply,
    Resolved,
    /// For good.
    Closed,
    Paid,
    /// Times that may lie ahead.
    DueReply,
    DueResolve,
    Due,
    Sent,
    /// Durations in hours, float64.
    HandleTime,
    HoldTime,
    AfterWork,
    Waited,
    Paused,
    /// Numbers, float64.
    Reopens,
    Contacts,
    Score,
    Rating,
    /// Conditions.
    Abandoned,
    Complaint,
    /// Texts, mostly.
    Question,
    Touchpoint,
    /// A number from −1 to 1, or a word.
    Sentiment,
    /// Texts: what a customer wrote with an answer, and in a review.
    Comment,
    ReviewText,
    /// Of reviews.
    Language,
}

impl Mark {
    /// The role as it is written: block and key.
    pub fn written(self) -> (&'static str, &'static str) {
        match self {
            Mark::FirstReply => ("ticket", "first_reply"),
            Mark::Resolved => ("ticket", "resolved"),
            Mark::Closed => ("ticket", "closed"),
            Mark::Complaint => ("ticket", "complaint"),
            Mark::DueReply => ("ticket", "due_reply"),
            Mark::DueResolve => ("ticket", "due_resolve"),
            Mark::HandleTime => ("ticket", "handle_time"),
            Mark::HoldTime => ("ticket", "hold_time"),
            Mark::AfterWork => ("ticket", "after_work"),
            Mark::Waited => ("ticket", "waited"),
            Mark::Paused => ("ticket", "paused"),
            Mark::Reopens => ("ticket", "reopens"),
            Mark::Contacts => ("ticket", "contacts"),
            Mark::Abandoned => ("ticket", "abandoned"),
            Mark::Score => ("survey", "score"),
            Mark::Question => ("survey", "question"),
            Mark::Touchpoint => ("survey", "touchpoint"),
            Mark::Sent => ("survey", "sent"),
            Mark::Rating => ("review", "rating"),
            Mark::Sentiment => ("review", "sentiment"),
            Mark::Comment => ("survey", "text"),
            Mark::ReviewText => ("review", "text"),
            Mark::Language => ("review", "language"),
            Mark::Due => ("invoice", "due"),
            Mark::Paid => ("invoice", "paid"),
        }
    }
}

/// The tops of scales; their low ends are 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scales {
    pub csat: i64,
    pub ces: i64,
    pub review: i64,
}

impl Default for Scales {
    fn default() -> Self {
        Scales { csat: 5, ces: 7, review: 5 }
    }
}

/// A column of money.
#[derive(Debug, Clone, PartialEq)]
pub struct Money {
    /// A decimal.
    pub expr: Expr,
    pub currency: Option<String>,
}

impl Money {
    /// A number as money with so many digits after the point; without a wish, a decimal keeps its
    /// own, a whole number has none (or is in hundredths, if it is in minor units), a double two.
    ///
    /// # Errors
    /// What is wrong with the type, in words.
    pub fn of(
        expr: Expr,
        decimals: Option<u8>,
        minor_units: bool,
        currency: Option<String>,
    ) -> Result<Self, String> {
        let typed = |result: Typed| result.map_err(|error| error.message);
        let rounded = |expr, scale| typed(call(Func::ToMoney(scale), vec![expr]));
        let expr = match expr.data_type {
            DataType::Decimal { scale, .. } => match decimals {
                Some(wanted) if wanted < scale => {
                    return Err(format!(
                        "the value has {scale} digits after the point, and {wanted} would round it"
                    ));
                }
                Some(wanted) if wanted != scale => rounded(expr, wanted)?,
                _ => expr,
            },
            DataType::Int32 | DataType::Int64 => {
                let scale = decimals.unwrap_or(if minor_units { 2 } else { 0 });
                let whole = typed(build::cast(expr, DataType::money(0)))?;
                if minor_units {
                    let unit = Value::Decimal { minor: 1, scale };
                    let unit = Expr::literal(unit, DataType::money(scale));
                    typed(build::mul(whole, unit))?
                } else {
                    rounded(whole, scale)?
                }
            }
            DataType::Float64 => rounded(expr, decimals.unwrap_or(2))?,
            other => return Err(format!("a value is a number, not a {other}")),
        };
        Ok(Money { expr, currency })
    }
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
    /// How many of them came back.
    pub returned_quantity: Option<Expr>,
    /// When they came back.
    pub returned_at: Option<Expr>,
}

/// The roles of the `subscription` block: a row holds from `starts` until before `ends`.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRoles {
    pub starts: Expr,
    /// Null while it runs; ends at or after `as_of` are null too.
    pub ends: Expr,
    /// When it renews next.
    pub renews: Option<Expr>,
    /// The time that one `value` buys.
    pub every: TimeUnit,
}

impl Roles {
    /// The roles whose columns a schema still has, with their types.
    pub fn living_in(&self, schema: &Schema) -> Roles {
        self.renamed(&|name| schema.field(name).map(|_| name.to_owned()))
    }

    /// The roles over columns under other names; those with a column that is gone are left out.
    pub fn renamed(&self, name_of: &impl Fn(&str) -> Option<String>) -> Roles {
        let keep = |expr: &Option<Expr>| expr.as_ref().and_then(|expr| expr.renamed(name_of));
        let customer = self.customer.as_ref().and_then(|customer| {
            let value = customer.value.renamed(name_of)?;
            let name = match customer.value.as_column() {
                Some(column) if column == customer.name => name_of(column)?,
                _ => customer.name.clone(),
            };
            Some(named(name, value))
        });
        let key: Option<Vec<Expr>> = self.key.iter().map(|key| key.renamed(name_of)).collect();
        let value = self.value.as_ref().and_then(|value| {
            Some(Money { expr: value.expr.renamed(name_of)?, currency: value.currency.clone() })
        });
        let marks = self.marks.iter();
        let marks = marks.filter_map(|(mark, expr)| Some((*mark, expr.renamed(name_of)?)));
        Roles {
            flawed: self.flawed,
            marks: marks.collect(),
            scales: self.scales,
            weight: self.weight.as_ref().and_then(|weight| {
                Some(Weight { expr: weight.expr.renamed(name_of)?, ..weight.clone() })
            }),
            hours: self.hours,
            customer,
            time: keep(&self.time),
            key: key.unwrap_or_default(),
            value,
            order: self.order.as_ref().map(|order| OrderRoles {
                id: keep(&order.id),
                sold: keep(&order.sold),
                returned: keep(&order.returned),
                quantity: keep(&order.quantity),
                returned_quantity: keep(&order.returned_quantity),
                returned_at: keep(&order.returned_at),
            }),
            subscription: self.subscription.as_ref().and_then(|span| {
                Some(SpanRoles {
                    starts: span.starts.renamed(name_of)?,
                    ends: span.ends.renamed(name_of)?,
                    renews: keep(&span.renews),
                    every: span.every,
                })
            }),
        }
    }
}
