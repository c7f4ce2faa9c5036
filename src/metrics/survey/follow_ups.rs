//! Low scores and the contact that follows each: what the metrics of follow-ups share.

use super::{among, answers};
use crate::diagnostic::Spanned;
use crate::document::Interval;
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::Lowering;

/// Low scores.
pub(super) struct FollowUps {
    pub answered: Expr,
    /// When the window is over.
    pub end: Expr,
    /// The first contact; null if there is none.
    pub contact: Expr,
    /// Whether it came within the window; never null.
    pub in_time: Expr,
    /// Low scores.
    pub is_low: Expr,
    /// Those of which it is known: the window is over, or the contact came.
    pub settled: Expr,
}

/// The low scores of the input, and who contacted the customer; what is missing is noted.
pub(super) fn follow_ups(
    lowering: &mut Lowering,
    contacts: &Spanned<String>,
    low: &Option<Vec<i64>>,
    window: Interval,
) -> Option<FollowUps> {
    let score = lowering.mark(Mark::Score);
    let contact = lowering.first_in(contacts);
    let score = score?;
    let is_low = match low {
        Some(low) => {
            let low = among(lowering, &score, low)?;
            lowering.with_condition(low)?
        }
        None if lowering.subject.roles.marks.contains_key(&Mark::Question) => {
            let mut any = Expr::bool(false);
            for (question, low) in [("nps", 0..=6), ("csat", 1..=2)] {
                let asked = answers(lowering, question)?;
                let low = among(lowering, &asked.score, &low.collect::<Vec<i64>>())?;
                let low = lowering.typed(build::and(asked.is_one, low))?;
                any = lowering.typed(build::or(any, low))?;
            }
            any
        }
        None => {
            lowering.lacks("survey.question", "survey: {question: COLUMN}");
            return None;
        }
    };
    let (contact, (customer, answered)) = (contact?, lowering.customer_and_time()?);
    let somebody = build::is_null(customer.value).and_then(build::not);
    let is_low = somebody.and_then(|somebody| build::and(is_low, somebody));
    let is_low = lowering.typed(is_low)?;
    let end = lowering.typed(call(Func::Shift(window), vec![answered.clone()]))?;
    let in_time = build::lt(contact.clone(), end.clone())
        .and_then(|in_time| build::coalesce(in_time, Expr::bool(false)));
    let in_time = lowering.typed(in_time)?;
    let settled = build::le(end.clone(), lowering.as_of())
        .and_then(|over| build::or(over, in_time.clone()))
        .and_then(|known| build::and(known, is_low.clone()));
    let settled = lowering.typed(settled)?;
    Some(FollowUps { answered, end, contact, in_time, is_low, settled })
}
