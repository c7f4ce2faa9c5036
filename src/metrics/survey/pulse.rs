//! # pulse
//!
//! How customers feel by their latest answers, on one scale from 0 to 100.
//!
//! What it does: takes the latest answer of each customer in the cell, puts it on a scale from 0 to 100, and takes
//! the mean over the customers.
//!
//! When to use it: one number from surveys of several scales, in which nobody counts twice. `response_rate` says how
//! many of those asked it is of.
//!
//! Example: `metrics: [pulse]`, or `of_asked: {pulse: {active: customer_count}}`
//!
//! Formula: mean over customers of 100 · (score − low) / (top − low); low to top are 0 to 10 for `nps`, 1 to the
//! top of `scales` for `csat` and `ces`. Answers to other questions, beyond the scale, or without a customer are
//! left out. Of answers at the same moment the one with the lowest `key` counts, or without a key the lowest
//! score. The interval is Student's t over customers. Columns `m`, `m_n` (customers), `m_low`, `m_high`; null for
//! no customers, the bounds for fewer than two. Needs `customer`, `time`, `survey.score`, and `survey.question`
//! or the option.
//!
//! Rules: `active` names a metric that counts the customers who could have answered, mostly of another table
//! (`buyers: {customer_count: {}, from: orders}`). Then `m_active` is its value and `m_coverage` = customers with
//! an answer / active customers, null where there are none; above 1 where more answered than were active. A metric
//! that is no count is refused.

use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::frame::{DataType, Unit};
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark};
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "pulse",
    source: include_str!("pulse.rs"),
    unit: "points",
    direction: Direction::Higher,
    ..MetricKind::with_options::<Pulse>()
};

crate::choice! {
    /// A question whose scale is known.
    enum Question {
        Nps = "nps",
        Csat = "csat",
        Ces = "ces",
    }
}

crate::options! {
    /// Which answers count.
    struct Pulse("`pulse`") {
        /// The question; absent: each of the three on its own scale.
        question: Option<Question> = None,
        /// A metric that counts active customers, for the share of them who answered.
        active: Option<Spanned<String>> = None,
    }
}

impl Metric for Pulse {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let roles = lowering.customer_and_time();
        let asked = lowering.subject.roles.marks.contains_key(&Mark::Question);
        let questions = match self.question.value {
            Some(question) => vec![question],
            None if asked => Question::ALL.to_vec(),
            None => {
                lowering.lacks("survey.question", "survey: {question: COLUMN}");
                return None;
            }
        };
        let (customer, time) = roles?;

        // The score as points of its own question; null for what is no answer to any.
        let mut cases = Vec::new();
        for question in questions {
            let scales = lowering.subject.roles.scales;
            let (low, top) = match question {
                Question::Nps => (0, 10),
                Question::Csat => (1, scales.csat),
                Question::Ces => (1, scales.ces),
            };
            let answers = super::answers(lowering, question.word())?;
            let (low, top) = (low as f64, top as f64);
            let (lowest, highest) = (Expr::float(low), Expr::float(top));
            let within = build::ge(answers.score.clone(), lowest.clone())
                .and_then(|above| build::and(above, build::le(answers.score.clone(), highest)?))
                .and_then(|within| build::and(answers.is_one, within));
            let within = lowering.typed(within)?;
            let above = match low == 0.0 {
                true => Ok(answers.score),
                false => build::sub(answers.score, lowest),
            };
            let scaled = above
                .and_then(|above| build::div(above, Expr::float(top - low)))
                .and_then(|share| build::mul(share, Expr::float(100.0)));
            cases.extend([within, lowering.typed(scaled)?]);
        }
        cases.push(Expr::null(DataType::Float64));
        let points = lowering.typed(call(Func::Case, cases))?;

        let (latest, level) = super::latest(lowering, points, customer.value, time)?;
        lowering.statistic(Statistic::Mean, latest, None, &level, Unit::Points)?;
        let Some(active) = &self.active.value else { return Some(()) };
        let answered = lowering.column_of("_n")?;
        let place = active.span;
        let (active, unit) = lowering.other_alone(active, "active")?;
        if unit != Unit::Count {
            lowering.diagnostics.push(
                Diagnostic::at(Code::InvalidValue, place, "`active` names a metric that counts").help(
                    "declare one of the customers who could have answered: `buyers: {customer_count: {}, from: orders}`",
                ),
            );
            return None;
        }
        let coverage = lowering.typed(build::div(answered, active.clone()))?;
        lowering.column("_active", active, unit);
        lowering.column("_coverage", coverage, Unit::Share);
        Some(())
    }

    fn parts(&self) -> Vec<&Spanned<String>> {
        self.active.value.iter().collect()
    }

    fn measures_itself(&self) -> bool {
        true
    }
}
