//! Metrics of surveys: how satisfied, how loyal, how much effort, and how many answered.
//!
//! **Invariants**
//! - An answer is a row with a `survey.score`; of a survey with `survey.question` only rows of the question that
//!   a metric is about.
//! - Answers count in the cell of their `time`, invitations in that of `survey.sent`.

pub mod ces_low_effort;
pub mod ces_mean;
pub mod csat;
pub mod csat_mean;
pub mod follow_up_rate;
pub mod follow_up_time;
mod follow_ups;
pub mod nps;
pub mod pulse;
pub mod response_count;
pub mod response_rate;

use crate::frame::{DataType, Value};
use crate::ir::typing::build;
use crate::ir::{Expr, Mark, Measure, MeasureFunc, named};
use crate::metrics::{Each, Level, Lowering};

/// The answers to a question: the score, and which rows are answers.
struct Answers {
    score: Expr,
    is_one: Expr,
}

/// The answers to a question, such as `nps`; a missing role is noted.
fn answers(lowering: &mut Lowering, question: &str) -> Option<Answers> {
    let score = lowering.mark(Mark::Score)?;
    let known = lowering.typed(build::is_null(score.clone()).and_then(build::not))?;
    let asked = match lowering.subject.roles.marks.get(&Mark::Question).cloned() {
        None => None,
        Some(asked) => {
            let word = Expr::literal(Value::text(question), DataType::String);
            let text = lowering.typed(build::cast(asked, DataType::String))?;
            Some(lowering.typed(build::eq(text, word))?)
        }
    };
    let all = build::all([known].into_iter().chain(asked).chain(lowering.condition()));
    let is_one = lowering.typed(all)?.unwrap_or_else(|| Expr::bool(true));
    Some(Answers { score, is_one })
}

/// Whether a score is one of some numbers, or at least the least of a run of them.
fn among(lowering: &mut Lowering, score: &Expr, scores: &[i64]) -> Option<Expr> {
    let mut any: Option<Expr> = None;
    for value in scores {
        let one = lowering.typed(build::eq(score.clone(), Expr::float(*value as f64)))?;
        any = Some(match any {
            None => one,
            Some(known) => lowering.typed(build::or(known, one))?,
        });
    }
    any.or(Some(Expr::bool(false)))
}

/// Adds the share of answers that are among some scores.
fn share_of(lowering: &mut Lowering, question: &str, scores: &[i64]) -> Option<()> {
    let answers = answers(lowering, question)?;
    let chosen = among(lowering, &answers.score, scores)?;
    lowering.share_of_rows(chosen, answers.is_one)
}

/// The column of a customer's latest answer.
const LATEST: &str = "#latest";

/// The latest of each customer's values that are not null, in each cell. Of values at one moment it is that with the
/// lowest key, or without a key the lowest.
fn latest(
    lowering: &mut Lowering,
    value: Expr,
    customer: Expr,
    time: Expr,
) -> Option<(Expr, Level)> {
    let instant = lowering.typed(build::cast(time, DataType::Timestamp))?;
    let age = lowering.typed(build::elapsed_between(lowering.as_of(), instant))?;
    let keys = lowering.subject.roles.key.iter().cloned();
    let order = [age].into_iter().chain(keys).chain([value.clone()]).collect();
    let known = lowering.typed(build::is_null(value.clone()).and_then(build::not))?;
    let found = Expr::column(LATEST, value.data_type);
    let first = Measure::filtered(MeasureFunc::First { value, order }, Some(known));
    let kept = vec![named(LATEST, first)];
    let (level, per) = (Level::Rows, vec![customer]);
    let each = Each { level, per, filter: None, kept, time: None, top: None };
    Some((found, Level::Each(Box::new(each))))
}
