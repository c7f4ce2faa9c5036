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
//! Formula: met / (met + breached), with Wilson's interval. Met: it happened at the due time or before. Breached:
//! it happened later, or has not happened although it was due before `as_of`. Tickets that are open and not due
//! yet are in neither part, and so are those without a due time. Due is `ticket.due_reply` or
//! `ticket.due_resolve`, or with `target` so long after `time`: in hours of the calendar, or with `hours` (or the
//! source's `ticket.hours`) in those in which a business is open. With `ticket.paused`, how long it waited for
//! the customer in all, it is due so much later; null is no pause. Columns `m`, `m_numerator`, `m_n`, `m_low`,
//! `m_high`; null for none. Needs `ticket.first_reply` or `ticket.resolved`. `goal`, the share that should be kept, is a
//! line in the report and changes no table.

use crate::diagnostic::Spanned;
use crate::document::{Interval, Share, TimeUnit};
use crate::frame::DataType;
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "sla_compliance",
    source: include_str!("sla_compliance.rs"),
    unit: "share",
    direction: Direction::Higher,
    ..MetricKind::with_options::<SlaCompliance>()
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
        /// The opening hours in which the `target` is counted; absent: those of the source.
        hours: Option<Spanned<String>> = None,
        /// The share that should be kept: a line in the report, and no part of the tables.
        goal: Option<Share> = None,
    }
}

impl Metric for SlaCompliance {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let (done, due) = match self.clock.value {
            Clock::FirstReply => (Mark::FirstReply, Mark::DueReply),
            Clock::Resolved => (Mark::Resolved, Mark::DueResolve),
        };
        let done = lowering.mark(done);
        let end = lowering.as_of();
        let paused = lowering.subject.roles.marks.get(&Mark::Paused).cloned();
        let paused = paused.map(|paused| build::coalesce(paused, Expr::float(0.0)));
        let paused = paused.map_or(Some(None), |paused| lowering.typed(paused).map(Some))?;
        let (met, overdue, promised) = match self.target.value {
            None => {
                let (done, due) = (done.clone()?, lowering.mark(due)?);
                let (met, overdue) = match paused {
                    None => (build::le(done, due.clone()), build::lt(due.clone(), end)),
                    // As much later as it was paused.
                    Some(paused) => {
                        let late = |at| call(Func::Elapsed(TimeUnit::Hour), vec![due.clone(), at]);
                        let met = late(done).and_then(|late| build::le(late, paused.clone()));
                        (met, late(end).and_then(|late| build::gt(late, paused)))
                    }
                };
                let (met, overdue) = (lowering.typed(met)?, lowering.typed(overdue)?);
                (met, overdue, lowering.typed(build::is_null(due).and_then(build::not))?)
            }
            Some(target) => {
                let Some(opened) = lowering.subject.roles.time.clone() else {
                    lowering.lacks("time", "time: COLUMN");
                    return None;
                };
                let done = done.clone()?;
                let counted = lowering.hours(&self.hours.value);
                let instant = |expr: Expr| build::cast(expr, DataType::Timestamp);
                let (from, until) =
                    (lowering.typed(instant(opened))?, lowering.typed(instant(done))?);
                let taken = lowering.typed(call(counted, vec![from.clone(), until]))?;
                let so_far = lowering.typed(call(counted, vec![from.clone(), end]))?;
                let less = |hours: Expr| match paused.clone() {
                    None => Ok(hours),
                    Some(paused) => build::sub(hours, paused),
                };
                let (taken, so_far) = (lowering.typed(less(taken))?, lowering.typed(less(so_far))?);
                let hours = f64::from(target.months) * 730.5 + target.micros as f64 / 3.6e9;
                let met = lowering.typed(build::le(taken, Expr::float(hours)))?;
                let overdue = lowering.typed(build::gt(so_far, Expr::float(hours)))?;
                (met, overdue, lowering.typed(build::is_null(from).and_then(build::not))?)
            }
        };
        let happened = lowering.typed(build::is_null(done?).and_then(build::not))?;
        let settled = lowering.typed(build::or(happened, overdue))?;
        let among = lowering.typed(build::and(settled, promised))?;
        let among = lowering.with_condition(among)?;
        let met = lowering.typed(build::coalesce(met, Expr::bool(false)))?;
        if let Some(Share(goal)) = self.goal.value {
            lowering.goal(goal);
        }
        lowering.share_of_rows(met, among)
    }
}
