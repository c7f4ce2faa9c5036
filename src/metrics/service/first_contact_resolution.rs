//! # first_contact_resolution
//!
//! The share of contacts after which the customer needed no other.
//!
//! What it does: divides the tickets that were solved with one contact, and did not come back, by all.
//!
//! When to use it: whether the first answer helps; beside `handling_time`, which falls if it does not.
//!
//! Example: `solved_at_once: {first_contact_resolution: {window: 14d, base: resolved}}`
//!
//! Formula: tickets with `ticket.resolved`, one of `ticket.contacts`, no `ticket.reopens`, and no later ticket of the
//! same customer before `window` is over / tickets, or with `base: resolved` those with `ticket.resolved`; with
//! Wilson's interval. Tickets whose window is still open at `as_of` are in neither part, and neither are those of
//! which contacts, reopens or the customer are null. A later ticket counts whatever it is about, also one that the
//! metric's `where` or the cell leaves out; one of the very same moment is none. Columns `m`, `m_numerator`, `m_n`,
//! `m_low`, `m_high`; null for none. Needs `customer`, `time`, `ticket.resolved`, `ticket.contacts` and
//! `ticket.reopens`.
//!
//! References: Contact Center Pipeline (September 2025), Coach's corner, on windows and denominators.

use crate::document::Interval;
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "first_contact_resolution",
    source: include_str!("first_contact_resolution.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<FirstContactResolution>()
};

crate::choice! {
    /// What is divided by.
    enum Base {
        /// All tickets.
        Contacts = "contacts",
        /// Those that were solved.
        Resolved = "resolved",
    }
}

crate::options! {
    /// What counts.
    struct FirstContactResolution("`first_contact_resolution`") {
        /// How long no other ticket of the customer may come.
        window: Interval = Interval::days(7),
        /// What is divided by.
        base: Base = Base::Contacts,
    }
}

impl Metric for FirstContactResolution {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let roles = lowering.customer_and_time();
        let marks = [Mark::Resolved, Mark::Contacts, Mark::Reopens].map(|mark| lowering.mark(mark));
        let ((customer, time), [resolved, contacts, reopens]) = (roles?, marks);
        let (resolved, contacts, reopens) = (resolved?, contacts?, reopens?);
        let end = call(Func::Shift(self.window.value), vec![time]);
        let end = lowering.typed(end)?;
        let as_of = lowering.as_of();
        let over = build::le(end.clone(), as_of);

        let known = |expr: &Expr| build::is_null(expr.clone()).and_then(build::not);
        let based = match self.base.value {
            Base::Contacts => None,
            Base::Resolved => Some(known(&resolved)),
        };
        let all = [over, known(&customer.value), known(&contacts), known(&reopens)];
        let among: Result<Vec<Expr>, _> = all.into_iter().chain(based).collect();
        let among = lowering.typed(among.and_then(build::all))?.unwrap_or_else(|| Expr::bool(true));

        let next = lowering.next_of_customer()?;
        let again =
            build::lt(next, end).and_then(|early| build::coalesce(early, Expr::bool(false)));
        let holds = [
            known(&resolved),
            build::eq(contacts, Expr::float(1.0)),
            build::eq(reopens, Expr::float(0.0)),
            again.and_then(build::not),
        ];
        let holds: Result<Vec<Expr>, _> = holds.into_iter().collect();
        let holds = lowering.typed(holds.and_then(build::all))?.unwrap_or_else(|| Expr::bool(true));
        let among = lowering.with_condition(among)?;
        lowering.share_of_rows(holds, among)
    }
}
