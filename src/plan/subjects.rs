//! The blocks of a source that say what its rows are about, bound to its columns.

use super::inputs::{Binding, before_as_of};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::document::{Expression, TimeUnit};
use crate::frame::DataType;
use crate::ir::typing::{Typed, build, call};
use crate::ir::{Expr, Func, Mark, Roles, Scales};
use crate::spec::{DurationRole, Source};

/// What a role must be.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// A time; what lies at or after `as_of` is not known yet, and null.
    Known,
    /// A time, which may lie ahead.
    Time,
    Condition,
    Number,
    Text,
    /// A number or a text.
    Any,
    /// A duration in hours.
    Hours(TimeUnit),
}

/// Gives a source the roles of its blocks.
pub(super) fn bind(
    source: &Source,
    binding: &Binding,
    read: &mut dyn FnMut(&Expression, &mut Diagnostics) -> Option<Expr>,
    roles: &mut Roles,
    diagnostics: &mut Diagnostics,
) {
    let mut add = |mark: Mark, written: &Expression, wanted: Wanted| {
        let Some(expr) = read(written, diagnostics) else { return };
        match checked(expr, wanted, binding) {
            Ok(expr) => {
                roles.marks.insert(mark, expr);
            }
            Err((message, help)) => {
                let wrong = Diagnostic::at(Code::TypeMismatch, written.span, message);
                diagnostics.push(if help.is_empty() { wrong } else { wrong.help(help) });
            }
        }
    };
    if let Some(ticket) = &source.ticket {
        for (mark, role, wanted) in [
            (Mark::FirstReply, &ticket.first_reply.value, Wanted::Known),
            (Mark::Resolved, &ticket.resolved.value, Wanted::Known),
            (Mark::Closed, &ticket.closed.value, Wanted::Known),
            (Mark::Complaint, &ticket.complaint.value, Wanted::Condition),
            (Mark::DueReply, &ticket.due_reply.value, Wanted::Time),
            (Mark::DueResolve, &ticket.due_resolve.value, Wanted::Time),
            (Mark::Contacts, &ticket.contacts.value, Wanted::Number),
            (Mark::Reopens, &ticket.reopens.value, Wanted::Number),
            (Mark::Abandoned, &ticket.abandoned.value, Wanted::Condition),
        ] {
            role.iter().for_each(|role| add(mark, role, wanted));
        }
        let durations: [(Mark, &Option<DurationRole>); 5] = [
            (Mark::HandleTime, &ticket.handle_time.value),
            (Mark::HoldTime, &ticket.hold_time.value),
            (Mark::AfterWork, &ticket.after_work.value),
            (Mark::Waited, &ticket.waited.value),
            (Mark::Paused, &ticket.paused.value),
        ];
        for (mark, role) in durations {
            role.iter().for_each(|role| {
                add(mark, &role.column.value, Wanted::Hours(role.unit.value));
            });
        }
    }
    if let Some(survey) = &source.survey {
        add(Mark::Score, &survey.score.value, Wanted::Number);
        survey.question.value.iter().for_each(|role| add(Mark::Question, role, Wanted::Any));
        survey.touchpoint.value.iter().for_each(|role| add(Mark::Touchpoint, role, Wanted::Any));
        survey.text.value.iter().for_each(|role| add(Mark::Comment, role, Wanted::Text));
        survey.sent.value.iter().for_each(|role| add(Mark::Sent, role, Wanted::Time));
    }
    if let Some(review) = &source.review {
        review.rating.value.iter().for_each(|role| add(Mark::Rating, role, Wanted::Number));
        review.sentiment.value.iter().for_each(|role| add(Mark::Sentiment, role, Wanted::Any));
        review.text.value.iter().for_each(|role| add(Mark::ReviewText, role, Wanted::Text));
        review.language.value.iter().for_each(|role| add(Mark::Language, role, Wanted::Text));
    }
    if let Some(invoice) = &source.invoice {
        add(Mark::Due, &invoice.due.value, Wanted::Time);
        add(Mark::Paid, &invoice.paid.value, Wanted::Known);
    }
    if let Some(hours) = source.ticket.as_ref().and_then(|ticket| ticket.hours.value.as_ref()) {
        roles.hours = binding.calendar.hours_by_name(hours, diagnostics);
    }
    roles.scales = scales(source, diagnostics);
    if roles.marks.contains_key(&Mark::Sent) {
        answered(binding, roles);
    }
}

/// The tops of scales.
fn scales(source: &Source, diagnostics: &mut Diagnostics) -> Scales {
    let mut scales = Scales::default();
    let mut top = |value: i64, span: Option<Span>, place: Span| {
        if !(2..=100).contains(&value) {
            let message = "the top of a scale is 2 to 100";
            diagnostics.push(Diagnostic::at(Code::InvalidValue, span.unwrap_or(place), message));
        }
        value.clamp(2, 100)
    };
    let place = source.name.span;
    if let Some(written) = source.survey.as_ref().and_then(|survey| survey.scales.value.as_ref()) {
        scales.csat = top(written.csat.value, written.csat.span, place);
        scales.ces = top(written.ces.value, written.ces.span, place);
    }
    if let Some(review) = &source.review {
        scales.review = top(review.scale.value, review.scale.span, place);
    }
    scales
}

/// An answer at or after `as_of` is not seen: neither its time nor its score.
fn answered(binding: &Binding, roles: &mut Roles) {
    let Some(time) = roles.time.clone() else { return };
    let hidden = |expr: Expr| -> Typed {
        let null = Expr::null(expr.data_type);
        build::choose(before_as_of(&time, binding)?, expr, null)
    };
    if let Some(score) = roles.marks.get(&Mark::Score).cloned()
        && let Ok(score) = hidden(score)
    {
        roles.marks.insert(Mark::Score, score);
    }
    if let Ok(seen) = hidden(time.clone()) {
        roles.time = Some(seen);
    }
}

/// The expression as what is wanted; else what is wrong, and how to mend it.
fn checked(expr: Expr, wanted: Wanted, binding: &Binding) -> Result<Expr, (String, &'static str)> {
    let typed = |result: Typed| result.map_err(|error| (error.message, ""));
    let data_type = expr.data_type;
    let is_time = matches!(data_type, DataType::Date | DataType::Timestamp);
    let is_number = matches!(
        data_type,
        DataType::Int32 | DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }
    );
    match wanted {
        Wanted::Known | Wanted::Time if !is_time => Err((
            format!("a time is a date or a timestamp, not a {data_type}"),
            "`cast(… as date)` or `cast(… as timestamp)`",
        )),
        Wanted::Time => Ok(expr),
        Wanted::Known => {
            let null = Expr::null(data_type);
            let seen = typed(before_as_of(&expr, binding))?;
            typed(build::choose(seen, expr, null))
        }
        Wanted::Condition if data_type != DataType::Bool => {
            Err((format!("expected a condition, found a {data_type}"), ""))
        }
        Wanted::Number | Wanted::Hours(_) if !is_number => {
            Err((format!("expected a number, found a {data_type}"), ""))
        }
        Wanted::Text if data_type != DataType::String => {
            Err((format!("expected a text, found a {data_type}"), "`cast(… as string)`"))
        }
        Wanted::Number => typed(build::cast(expr, DataType::Float64)),
        Wanted::Hours(unit) => {
            let number = typed(build::cast(expr, DataType::Float64))?;
            const HOUR: i64 = 3_600_000_000;
            // A division keeps whole hours whole.
            match unit.micros().filter(|micros| *micros < HOUR) {
                Some(micros) => {
                    let in_an_hour = Expr::float((HOUR / micros) as f64);
                    typed(call(Func::Divide, vec![number, in_an_hour]))
                }
                None => typed(build::mul(number, Expr::float(unit.days() * 24.0))),
            }
        }
        Wanted::Condition | Wanted::Text | Wanted::Any => Ok(expr),
    }
}
