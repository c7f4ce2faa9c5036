//! # sla_compliance
//!
//! The share of tickets for which the promised time was kept.
//!
//! What it does: compares when a ticket was answered or solved with when it was due.
//!
//! When to use it: whether promises are kept, by team, topic or week.
//!
//! Example: `kept: {sla_compliance: {clock: first_reply, target: 4h}}`
//!
//! Formula: met / (met + breached), with Wilson's interval. Met: it happened at the due time or before. Breached: it
//! happened later, or has not happened although it was due before `as_of`. Tickets that are open and not due
//! yet are in neither part, and so are those without a due time. Due is `ticket.due_reply` or
//! `ticket.due_resolve`, or with `target` so long after `time`, in hours of the calendar. Columns `m`,
//! `m_numerator`, `m_n`, `m_low`, `m_high`; null for none. Needs `ticket.first_reply` or `ticket.resolved`.

use crate::document::{Decode, Decoder, Field, Interval, Node, Options, Setting};
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sla_compliance",
    source: include_str!("sla_compliance.rs"),
    built_in: true,
    unit: "share",
    direction: Direction::Higher,
    statistics: false,
    fields,
    decode,
    plain: |_| {
        Some(Box::new(SlaCompliance {
            clock: Setting::default_of(Clock::FirstReply),
            target: Setting::default_of(None),
        }))
    },
};

crate::choice! {
    /// What is due.
    enum Clock {
        FirstReply = "first_reply",
        Resolved = "resolved",
    }
}

crate::options! {
    /// What counts.
    struct SlaCompliance("`sla_compliance`") {
        /// What is due: the first reply, or the solution.
        clock: Clock = Clock::FirstReply,
        /// How long after the opening it is due; absent: the due time of the ticket.
        target: Option<Interval> = None,
    }
}

fn fields() -> Vec<Field> {
    SlaCompliance::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(SlaCompliance::decode(node, decoder)?))
}

impl Metric for SlaCompliance {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (done, due) = match self.clock.value {
            Clock::FirstReply => (Mark::FirstReply, Mark::DueReply),
            Clock::Resolved => (Mark::Resolved, Mark::DueResolve),
        };
        let done = lowering.mark(done);
        let due = match self.target.value {
            None => lowering.mark(due),
            Some(target) => match lowering.subject.roles.time.clone() {
                Some(opened) => lowering.typed(call(Func::Shift(target), vec![opened])),
                None => {
                    lowering.lacks("time", "time: COLUMN");
                    None
                }
            },
        };
        let (done, due) = (done?, due?);
        let end = lowering.as_of();
        let met = lowering.typed(build::le(done.clone(), due.clone()))?;
        let happened = lowering.typed(build::is_null(done).and_then(build::not))?;
        let overdue = lowering.typed(build::lt(due.clone(), end))?;
        let settled = lowering.typed(build::or(happened, overdue))?;
        let promised = lowering.typed(build::is_null(due).and_then(build::not))?;
        let among = lowering.typed(build::and(settled, promised))?;
        let among = lowering.with_condition(among)?;
        let met = lowering.typed(build::coalesce(met, Expr::bool(false)))?;
        lowering.share_of_rows(met, among)
    }
}
