//! The small typed language between stages and engines: relations and expressions.
//!
//! A stage writes a [`Rel`]; an engine runs it. Neither knows the other. Every node is typed when
//! it is built, so an engine never meets a column that is not there.
//!
//! **Invariants**
//! - Pure: no I/O, no clock, no environment. `as_of` is an input.
//! - Each history node has one definition, its `expand()` in plain relational nodes; an engine may
//!   run that or something faster that gives the same table.
//! - Reductions do not depend on the order of rows.
//! - [`Func`] and [`RelNode`] are closed: engines match them without a wildcard arm.

mod apply;
mod business;
pub mod calendar;
pub mod cohorts;
mod combine;
mod expand;
pub mod explain;
pub mod expression;
pub mod function;
pub mod history;
pub mod movements;
pub mod parse;
pub mod personal;
mod pseudonym;
pub mod relation;
mod repeats;
pub mod roles;
pub mod scan;
pub mod sentiment;
pub mod sql;
pub mod typing;
mod words;

pub use apply::{Apply, ApplyError, Call, FrameFunction};
pub use business::{BusinessHours, BusinessHoursError, OpenSeconds};
pub use calendar::{AROUND_THE_CLOCK, Calendar};
pub use cohorts::{Ages, CohortGrid, Returned, Steps};
pub use expression::{Expr, ExprNode};
pub use function::Func;
pub use history::{Events, History, Refunds, Summary, ZeroValues};
pub use movements::Movements;
pub use pseudonym::PseudonymKey;
pub use relation::{
    Aggregate, Dedupe, Join, JoinKind, Measure, MeasureFunc, Named, Order, Rel, RelNode, RelRef,
    SortKey, Window, WindowFunc, named,
};
pub use repeats::{RepeatRules, Repeats};
pub use roles::{Mark, Money, OrderRoles, Roles, Scales, SpanRoles, Table, Weight};
pub use words::Words;
