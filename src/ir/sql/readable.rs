//! An expression as people would put it, with the same values in every row.

use super::super::calendar::Calendar;
use super::super::expression::{Expr, ExprNode};
use super::super::function::Func;
use super::super::typing::call;
use crate::document::Interval;
use crate::frame::{DataType, Value};

/// Whole numbers below this are doubles without loss.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The expression with its values, as it would be written by hand:
/// - what equals one of several values is `in` them;
/// - a whole number is held against a whole number, not against a double;
/// - whether something is null is asked of the thing itself, not of it as another type;
/// - what is never null has no other value in its place;
/// - chains of `and` and of `or` run from left to right;
/// - the last day that is seen is the day of the last second before `as_of`.
pub fn readable(expr: &Expr, calendar: &Calendar, as_of: i64) -> Expr {
    let (func, arguments) = match &expr.node {
        ExprNode::Call(func, arguments) => (*func, arguments),
        ExprNode::Literal(Value::Date(day)) if *day == calendar.date_of(as_of - 1_000_000) => {
            return last_day(as_of).unwrap_or_else(|| expr.clone());
        }
        ExprNode::Literal(_) | ExprNode::Column(_) => return expr.clone(),
    };
    let arguments: Vec<Expr> =
        arguments.iter().map(|argument| readable(argument, calendar, as_of)).collect();
    let found = match (func, arguments.as_slice()) {
        // Whoever computes with it widens it.
        (Func::Cast(DataType::Int64), [narrow]) if narrow.data_type == DataType::Int32 => {
            return narrow.clone();
        }
        (Func::Coalesce, [first, ..]) if is_known(first) => return first.clone(),
        (Func::And | Func::Or, [left, right]) => chained(func, left, right),
        (Func::IsNull, [of]) => call(func, vec![same_nulls(of).clone()]).ok(),
        (func, _) if func.is_comparison() || func == Func::In => {
            whole_numbers(&arguments).and_then(|arguments| call(func, arguments).ok())
        }
        _ => None,
    };
    // Typed anew, because an argument may be narrower now.
    let found = found.or_else(|| call(func, arguments.clone()).ok());
    let same = found.filter(|found| found.data_type == expr.data_type);
    same.unwrap_or(Expr { node: ExprNode::Call(func, arguments), data_type: expr.data_type })
}

/// Whether something is never null: whether something else is null, or the opposite.
fn is_known(expr: &Expr) -> bool {
    match &expr.node {
        ExprNode::Call(Func::IsNull | Func::IsDistinct, _) => true,
        ExprNode::Call(Func::Not, inner) => inner.iter().all(is_known),
        _ => false,
    }
}

/// The last day that is seen.
fn last_day(as_of: i64) -> Option<Expr> {
    let end = Expr::literal(Value::Timestamp(as_of), DataType::Timestamp);
    let second = Interval { months: 0, micros: -1_000_000 };
    let last = call(Func::Shift(second), vec![end]).ok()?;
    call(Func::Cast(DataType::Date), vec![last]).ok()
}

/// A chain of conditions from left to right, in which what equals one of several values is told once.
fn chained(func: Func, left: &Expr, right: &Expr) -> Option<Expr> {
    if let ExprNode::Call(inner, arguments) = &right.node
        && let (true, [first, rest]) = (*inner == func, arguments.as_slice())
    {
        return chained(func, &chained(func, left, first)?, rest);
    }
    if func == Func::Or
        && let (Some((of, mut values)), Some((same, more))) = (one_of(left), one_of(right))
        && of == same
    {
        values.extend(more);
        let arguments = std::iter::once(of).chain(values).cloned().collect();
        return call(Func::In, arguments).ok();
    }
    call(func, vec![left.clone(), right.clone()]).ok()
}

/// What equals one of some values: `a = 1`, `a in (1, 2)`.
fn one_of(expr: &Expr) -> Option<(&Expr, Vec<&Expr>)> {
    let known = |value: &&Expr| value.as_literal().is_some_and(|value| !value.is_null());
    let ExprNode::Call(Func::Equal | Func::In, arguments) = &expr.node else { return None };
    let [of, values @ ..] = arguments.as_slice() else { return None };
    let values: Vec<&Expr> = values.iter().collect();
    values.iter().all(known).then_some((of, values))
}

/// An expression that is null where this one is.
fn same_nulls(expr: &Expr) -> &Expr {
    let ExprNode::Call(Func::Cast(to), inner) = &expr.node else { return expr };
    let [inner] = inner.as_slice() else { return expr };
    let from = inner.data_type;
    let never_fails = *to == DataType::String
        || from.is_integer() && *to == DataType::Float64
        || from == DataType::Date && *to == DataType::Timestamp
        || from == DataType::Bool && to.is_integer();
    if never_fails { same_nulls(inner) } else { expr }
}

/// A whole number as a double beside whole numbers as doubles: all of them as whole numbers.
fn whole_numbers(arguments: &[Expr]) -> Option<Vec<Expr>> {
    let mut some = false;
    let whole = arguments.iter().map(|argument| match &argument.node {
        ExprNode::Call(Func::Cast(DataType::Float64), inner) => {
            some = true;
            inner.first().filter(|inner| inner.data_type.is_integer()).cloned()
        }
        ExprNode::Literal(Value::Float(number)) => {
            (number.fract() == 0.0 && number.abs() < EXACT).then(|| Expr::int(*number as i64))
        }
        _ => None,
    });
    let whole: Option<Vec<Expr>> = whole.collect();
    // Two columns as doubles are equal where the numbers differ by less than a double tells.
    let columns = arguments.iter().filter(|argument| argument.as_literal().is_none()).count();
    whole.filter(|_| some && columns == 1)
}
