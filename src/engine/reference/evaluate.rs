//! Expressions over one row.

use std::cmp::Ordering;

use super::cast::cast;
use super::{number, time};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, Schema, Value, draw_number};
use crate::ir::function::NullRule;
use crate::ir::{Calendar, Expr, ExprNode, Func, Words, sentiment};
use crate::stats;

/// A row and the names of its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub schema: &'a Schema,
    pub values: &'a [Value],
}

/// A value, or why there is none.
pub(super) type Evaluated = Result<Value, EngineError>;

/// The value of an expression for a row.
pub(super) fn evaluate(expr: &Expr, row: Row, calendar: &Calendar) -> Evaluated {
    match &expr.node {
        ExprNode::Column(name) => {
            let value = row.schema.index_of(name).and_then(|place| row.values.get(place));
            let missing = || EngineError::Internal(format!("there is no column `{name}`"));
            value.cloned().ok_or_else(missing)
        }
        ExprNode::Literal(value) => Ok(value.clone()),
        ExprNode::Call(func, arguments) => match func.null_rule() {
            NullRule::Own => call(*func, &[], arguments, row, calendar),
            NullRule::Propagates => {
                let values = arguments.iter().map(|argument| evaluate(argument, row, calendar));
                let values = values.collect::<Result<Vec<_>, _>>()?;
                if values.iter().any(Value::is_null) {
                    return Ok(Value::Null);
                }
                call(*func, &values, arguments, row, calendar)
            }
        },
    }
}

/// Arguments of types that typing should have refused.
pub(super) fn wrong(func: Func, values: &[Value]) -> EngineError {
    EngineError::Internal(format!("`{}` cannot take {values:?}", func.name()))
}

/// The values of arguments, none of them null.
struct Values<'a> {
    func: Func,
    values: &'a [Value],
}

impl<'a> Values<'a> {
    fn at(&self, index: usize) -> Result<&'a Value, EngineError> {
        self.values.get(index).ok_or_else(|| wrong(self.func, self.values))
    }

    fn text(&self, index: usize) -> Result<&'a str, EngineError> {
        match self.at(index)? {
            Value::String(text) => Ok(text),
            _ => Err(wrong(self.func, self.values)),
        }
    }

    fn int(&self, index: usize) -> Result<i64, EngineError> {
        match self.at(index)? {
            Value::Int(value) => Ok(*value),
            _ => Err(wrong(self.func, self.values)),
        }
    }

    fn float(&self, index: usize) -> Result<f64, EngineError> {
        self.at(index)?.as_f64().ok_or_else(|| wrong(self.func, self.values))
    }

    fn compare(&self) -> Result<Ordering, EngineError> {
        Ok(self.at(0)?.cmp(self.at(1)?))
    }
}

/// The value of a call. Functions to which nulls are nothing special take `values`; the others
/// evaluate the `arguments` they need.
fn call(
    func: Func,
    values: &[Value],
    arguments: &[Expr],
    row: Row,
    calendar: &Calendar,
) -> Evaluated {
    let with = Values { func, values };
    let argument = |index: usize| -> Evaluated {
        match arguments.get(index) {
            Some(argument) => evaluate(argument, row, calendar),
            None => Err(wrong(func, &[])),
        }
    };
    let all = || arguments.iter().map(|argument| evaluate(argument, row, calendar));
    let truth = |value: bool| Ok(Value::Bool(value));

    match func {
        Func::Equal => truth(with.compare()?.is_eq()),
        Func::NotEqual => truth(with.compare()?.is_ne()),
        Func::Less => truth(with.compare()?.is_lt()),
        Func::LessEqual => truth(with.compare()?.is_le()),
        Func::Greater => truth(with.compare()?.is_gt()),
        Func::GreaterEqual => truth(with.compare()?.is_ge()),
        Func::And => decided_by(false, all()),
        Func::Or => decided_by(true, all()),
        Func::Not => match with.at(0)? {
            Value::Bool(value) => truth(!value),
            _ => Err(wrong(func, values)),
        },
        Func::IsNull => truth(argument(0)?.is_null()),
        Func::IsDistinct => truth(argument(0)? != argument(1)?),
        Func::In => {
            let values = all().collect::<Result<Vec<_>, _>>()?;
            Ok(match values.split_first() {
                None | Some((Value::Null, _)) => Value::Null,
                Some((value, list)) if list.contains(value) => Value::Bool(true),
                Some((_, list)) if list.contains(&Value::Null) => Value::Null,
                Some(_) => Value::Bool(false),
            })
        }
        Func::Case => {
            let last = arguments.len().saturating_sub(1);
            for condition in (0..last).step_by(2) {
                if argument(condition)? == Value::Bool(true) {
                    return argument(condition + 1);
                }
            }
            argument(last)
        }
        Func::Coalesce => {
            for value in all() {
                let value = value?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Ok(Value::Null)
        }
        Func::DrawNumber(seed) => {
            let values = all().collect::<Result<Vec<_>, _>>()?;
            Ok(Value::Int(draw_number(seed, &values)))
        }
        Func::NullIf => {
            let (a, b) = (argument(0)?, argument(1)?);
            Ok(if a == b { Value::Null } else { a })
        }

        Func::Add => {
            let (a, b) = (with.at(0)?, with.at(1)?);
            number::same_scale(func, a, b, i64::checked_add, i128::checked_add, |a, b| a + b)
        }
        Func::Subtract => {
            let (a, b) = (with.at(0)?, with.at(1)?);
            number::same_scale(func, a, b, i64::checked_sub, i128::checked_sub, |a, b| a - b)
        }
        Func::Multiply => number::multiply(func, with.at(0)?, with.at(1)?),
        // By zero it is infinite or NaN, hence null.
        Func::Divide => Ok(Value::finite(with.float(0)? / with.float(1)?)),
        Func::Modulo => number::modulo(func, with.at(0)?, with.at(1)?),
        Func::Negate => number::negate(func, with.at(0)?),
        Func::Abs => number::abs(func, with.at(0)?),
        Func::Sign => number::sign(func, with.at(0)?).map(Value::Int),
        Func::Round => number::round(func, with.at(0)?, with.int(1)?),
        Func::Floor => number::floor(func, with.at(0)?),
        Func::Ceil => number::ceil(func, with.at(0)?),
        Func::Least => {
            let values = all().collect::<Result<Vec<_>, _>>()?;
            Ok(values.into_iter().filter(|value| !value.is_null()).min().unwrap_or_default())
        }
        Func::Greatest => {
            let values = all().collect::<Result<Vec<_>, _>>()?;
            Ok(values.into_iter().filter(|value| !value.is_null()).max().unwrap_or_default())
        }
        Func::Sqrt => Ok(Value::finite(with.float(0)?.sqrt())),
        Func::Exp => Ok(Value::finite(with.float(0)?.exp())),
        Func::Ln => Ok(Value::finite(with.float(0)?.ln())),
        Func::Power => Ok(Value::finite(with.float(0)?.powf(with.float(1)?))),
        Func::Cast(to) => match cast(with.at(0)?, to, calendar) {
            Some(value) => Ok(value),
            None => Err(no_cast(with.at(0)?, to)),
        },
        Func::TryCast(to) => {
            let value = argument(0)?;
            Ok(if value.is_null() {
                Value::Null
            } else {
                cast(&value, to, calendar).unwrap_or_default()
            })
        }
        Func::ToMoney(scale) => number::to_money(func, with.at(0)?, scale),

        Func::Concat => Ok(Value::text(format!("{}{}", with.text(0)?, with.text(1)?))),
        Func::Lower => Ok(Value::text(with.text(0)?.to_lowercase())),
        Func::Pseudonym(key) => Ok(Value::text(key.maker()(with.text(0)?))),
        Func::Upper => Ok(Value::text(with.text(0)?.to_uppercase())),
        Func::Trim => Ok(Value::text(with.text(0)?.trim())),
        Func::Length => {
            let length = with.text(0)?.chars().count();
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        Func::Substring => Ok(Value::text(substring(with.text(0)?, with.int(1)?, with.int(2)?))),
        Func::Replace => {
            let (text, search, by) = (with.text(0)?, with.text(1)?, with.text(2)?);
            Ok(Value::text(if search.is_empty() {
                text.to_owned()
            } else {
                text.replace(search, by)
            }))
        }
        Func::StartsWith => truth(with.text(0)?.starts_with(with.text(1)?)),
        Func::EndsWith => truth(with.text(0)?.ends_with(with.text(1)?)),
        Func::Contains => truth(with.text(0)?.contains(with.text(1)?)),
        Func::Mentions => {
            let words: Vec<&str> =
                (1..values.len()).map(|at| with.text(at)).collect::<Result<_, _>>()?;
            truth(Words::new(&words).are_in(with.text(0)?))
        }
        Func::Sentiment => {
            let (text, language) = (with.text(0)?, with.text(1)?);
            let tone = if sentiment::is_scored(language) { sentiment::score(text) } else { None };
            Ok(tone.map_or(Value::Null, Value::finite))
        }
        Func::Like => {
            let characters =
                |index| Ok::<Vec<char>, EngineError>(with.text(index)?.chars().collect());
            truth(like(&characters(0)?, &characters(1)?))
        }
        Func::RegexpMatches => match regex::Regex::new(with.text(1)?) {
            Ok(pattern) => truth(pattern.is_match(with.text(0)?)),
            Err(_) => Err(wrong(func, values)),
        },

        Func::DateTrunc(unit) => time::truncate(func, unit, with.at(0)?, calendar),
        Func::Extract(part) => time::extract(func, part, with.at(0)?, calendar),
        Func::Shift(interval) => time::shift(func, interval, with.at(0)?, calendar),
        Func::AddDays => time::add_days(func, with.at(0)?, with.int(1)?),
        Func::AddDuration => time::add_duration(func, with.at(0)?, with.at(1)?),
        Func::OpenHours(hours) => match (with.at(0)?, with.at(1)?) {
            (Value::Timestamp(from), Value::Timestamp(to)) => {
                Ok(Value::finite(calendar.open_hours(hours, *from, *to)))
            }
            _ => Err(wrong(func, values)),
        },
        Func::Elapsed(unit) => time::elapsed(func, unit, with.at(0)?, with.at(1)?),
        Func::Steps(length) => time::steps(func, length, with.at(0)?, with.at(1)?),
        Func::Between => time::between(func, with.at(0)?, with.at(1)?),
        Func::DateDiff(unit) => time::date_diff(func, unit, with.at(0)?, with.at(1)?, calendar),
        Func::PeriodOf(unit) => {
            let day = time::day(func, with.at(0)?, calendar)?;
            Ok(Value::Int(calendar.period_of(unit, day)))
        }
        Func::PeriodStart(unit) => Ok(Value::Date(calendar.period_start(unit, with.int(0)?))),

        Func::WilsonLow => Ok(bound(wilson(&with)?.map(|bounds| bounds.0))),
        Func::WilsonHigh => Ok(bound(wilson(&with)?.map(|bounds| bounds.1))),
        Func::MultinomialLow => Ok(bound(multinomial(&with)?.map(|bounds| bounds.0))),
        Func::MultinomialHigh => Ok(bound(multinomial(&with)?.map(|bounds| bounds.1))),
        Func::StudentT => Ok(bound(stats::student_t_quantile(with.float(0)?, with.float(1)?))),
    }
}

/// `and` (decided by false) and `or` (decided by true) of truth values and nulls.
fn decided_by(decision: bool, values: impl Iterator<Item = Evaluated>) -> Evaluated {
    let mut result = Value::Bool(!decision);
    for value in values {
        match value? {
            Value::Bool(value) if value == decision => return Ok(Value::Bool(decision)),
            Value::Null => result = Value::Null,
            _ => {}
        }
    }
    Ok(result)
}

fn no_cast(value: &Value, to: DataType) -> EngineError {
    EvaluateError::Cast { value: value.to_string(), to: to.to_string() }.into()
}

/// The characters from number `from` on, counted from 1, before number `from + count`.
fn substring(text: &str, from: i64, count: i64) -> String {
    let end = from.saturating_add(count);
    let numbered = (1..).zip(text.chars());
    let inside = numbered.filter(|&(number, _)| from <= number && number < end);
    inside.map(|(_, character)| character).collect()
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|start| like(&text[start..], rest)),
        Some((wanted, rest)) => match text.split_first() {
            Some((first, others)) => (*wanted == '_' || wanted == first) && like(others, rest),
            None => false,
        },
    }
}

fn bound(value: Option<f64>) -> Value {
    value.map_or(Value::Null, Value::finite)
}

fn wilson(with: &Values) -> Result<Option<(f64, f64)>, EngineError> {
    Ok(stats::wilson(with.float(0)?, with.float(1)?, with.float(2)?))
}

fn multinomial(with: &Values) -> Result<Option<(f64, f64)>, EngineError> {
    let (plus, minus, n) = (with.float(0)?, with.float(1)?, with.float(2)?);
    Ok(stats::multinomial(plus, minus, n, with.float(3)?, with.float(4)?))
}
