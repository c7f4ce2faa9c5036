//! An expression as somebody would write it: SQL that [`parse`](super::parse) reads back as the same expression.
//!
//! **Invariants**
//! - What is written was read back: a text that means anything else is never given.
//! - Before it is written an expression becomes [`readable`], with the same values in every row.
//! - A function that is added to [`Func`] does not compile until it is said here how it is written.

mod grouped;
mod names;
mod readable;

use std::collections::BTreeMap;

pub use self::grouped::sql_of_groups;
use self::names::quoted;
pub use self::names::{identifier, string};
pub use self::readable::readable;
use super::calendar::Calendar;
use super::expression::{Expr, ExprNode};
use super::function::Func;
use super::parse::{self, Scope};
use super::typing::call;
use crate::diagnostic::{Diagnostics, Span};
use crate::document::{Expression, Interval};
use crate::frame::{DataType, Field, Schema, Value};

/// What the language of expressions has no word for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWord(pub &'static str);

/// The text of an expression. The first instant that is not seen is `as_of`, and the day before it follows from
/// that, so that the text holds on another day too.
///
/// # Errors
/// What there is no word for.
pub fn sql(expr: &Expr, calendar: &Calendar, as_of: i64) -> Result<String, NoWord> {
    let expr = readable(expr, calendar, as_of);
    for bare in [true, false] {
        let text = Writer { calendar, as_of, bare }.write(&expr)?.text;
        if reads_as(&text, &expr, calendar, as_of) {
            return Ok(text);
        }
    }
    Err(NoWord("a value that no literal stands for"))
}

/// Whether a text is read as an expression.
fn reads_as(text: &str, expr: &Expr, calendar: &Calendar, as_of: i64) -> bool {
    let mut fields = Vec::new();
    columns(expr, &mut fields);
    let schema = Schema::new(fields);
    let parameters = BTreeMap::new();
    let scope = Scope { table: "table", schema: &schema, parameters: &parameters, calendar, as_of };
    let written = Expression { text: text.to_owned(), span: Span::default(), verbatim: None };
    let read = parse::expression_of_metric(&written, &scope, &mut Diagnostics::default());
    read.is_some_and(|(read, _)| read == *expr)
}

fn columns(expr: &Expr, fields: &mut Vec<Field>) {
    match &expr.node {
        ExprNode::Column(name) => {
            if !fields.iter().any(|field| *field.name == **name) {
                fields.push(Field::new(&**name, expr.data_type));
            }
        }
        ExprNode::Literal(_) => {}
        ExprNode::Call(_, arguments) => {
            arguments.iter().for_each(|argument| columns(argument, fields));
        }
    }
}

/// How tightly a text holds together; what is looser than its surroundings stands in parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Sign,
    Whole,
}

struct Written {
    text: String,
    bond: Bond,
}

impl Written {
    fn whole(text: impl Into<String>) -> Self {
        Written { text: text.into(), bond: Bond::Whole }
    }

    /// The text where at least this bond is needed.
    fn within(self, bond: Bond) -> String {
        if self.bond < bond { format!("({})", self.text) } else { self.text }
    }
}

struct Writer<'a> {
    calendar: &'a Calendar,
    as_of: i64,
    /// Whether names that need no quotes have none.
    bare: bool,
}

impl Writer<'_> {
    fn write(&self, expr: &Expr) -> Result<Written, NoWord> {
        match &expr.node {
            ExprNode::Column(name) if parse::next_of(name).is_some() => {
                let table = parse::next_of(name).flatten();
                let table = table.map(|table| identifier(table, DataType::Timestamp));
                Ok(Written::whole(format!("{}({})", parse::NEXT_TIME, table.unwrap_or_default())))
            }
            ExprNode::Column(name) if self.bare => {
                Ok(Written::whole(identifier(name, expr.data_type)))
            }
            ExprNode::Column(name) => Ok(Written::whole(quoted(name))),
            ExprNode::Literal(value) => Ok(self.literal(value, expr.data_type)),
            ExprNode::Call(func, arguments) => self.call(func, &shortest(func, arguments, expr)),
        }
    }

    fn literal(&self, value: &Value, data_type: DataType) -> Written {
        match value {
            Value::String(text) => Written::whole(string(text)),
            Value::Timestamp(at) if *at == self.as_of => Written::whole("as_of"),
            Value::Date(_) | Value::Timestamp(_) => {
                Written::whole(format!("{data_type} '{value}'"))
            }
            Value::Duration(micros) => {
                let interval = Interval { months: 0, micros: *micros };
                Written::whole(format!("interval '{interval}'"))
            }
            Value::Float(number) => signed(format!("{number:e}")),
            Value::Int(_) | Value::Decimal { .. } => signed(value.to_string()),
            Value::Null | Value::Bool(_) => Written::whole(value.to_string()),
        }
    }

    fn list(&self, arguments: &[Expr]) -> Result<String, NoWord> {
        let texts = arguments.iter().map(|argument| Ok(self.write(argument)?.text));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    /// Two sides of a sign. What is on its right holds together more tightly, but in a chain of `and` or `or`, which
    /// has no other order.
    fn binary(&self, sides: &[Expr], sign: &str, bond: Bond) -> Result<Written, NoWord> {
        let [left, right] = sides else { return Err(malformed()) };
        let (on_left, on_right) = match bond {
            Bond::Or => (Bond::Or, Bond::And),
            Bond::And => (Bond::And, Bond::Not),
            Bond::Add => (Bond::Add, Bond::Multiply),
            Bond::Multiply => (Bond::Multiply, Bond::Sign),
            // Nothing compares with a comparison.
            _ => (Bond::Add, Bond::Add),
        };
        let (left, right) =
            (self.write(left)?.within(on_left), self.write(right)?.within(on_right));
        Ok(Written { text: format!("{left} {sign} {right}"), bond })
    }

    /// What follows a value that is compared: `is null`, `in (…)`.
    fn of(&self, value: &Expr, what: &str) -> Result<Written, NoWord> {
        let value = self.write(value)?.within(Bond::Add);
        Ok(Written { text: format!("{value} {what}"), bond: Bond::Compare })
    }

    fn not(&self, argument: &Expr) -> Result<Written, NoWord> {
        if let ExprNode::Call(func, arguments) = &argument.node {
            let arguments = shortest(func, arguments, argument);
            match (func, arguments.as_slice()) {
                (Func::IsNull, [a]) => return self.of(a, "is not null"),
                (Func::In, [a, values @ ..]) => {
                    return self.of(a, &format!("not in ({})", self.list(values)?));
                }
                (Func::Like, sides) => return self.binary(sides, "not like", Bond::Compare),
                (Func::IsDistinct, sides) => {
                    return self.binary(sides, "is not distinct from", Bond::Compare);
                }
                _ => {}
            }
        }
        let text = format!("not {}", self.write(argument)?.within(Bond::Compare));
        Ok(Written { text, bond: Bond::Not })
    }

    /// A time and how much later.
    fn later(&self, sides: &[Expr]) -> Result<Written, NoWord> {
        let [time, by] = sides else { return Err(malformed()) };
        let (sign, by) = match &by.node {
            ExprNode::Call(Func::Negate, back) => ("-", back.first().ok_or_else(malformed)?),
            _ => ("+", by),
        };
        let text = match by.as_literal() {
            // Without parentheses it would be one shift of the calendar.
            Some(Value::Duration(_)) => format!("({})", self.write(by)?.text),
            _ => self.write(by)?.within(Bond::Multiply),
        };
        let time = self.write(time)?.within(Bond::Add);
        Ok(Written { text: format!("{time} {sign} {text}"), bond: Bond::Add })
    }

    fn shifted(&self, interval: Interval, time: &Expr) -> Result<Written, NoWord> {
        let back = interval.months < 0 || interval.micros < 0;
        let (sign, by) = if back { ("-", interval.negated()) } else { ("+", interval) };
        let time = self.write(time)?.within(Bond::Add);
        Ok(Written { text: format!("{time} {sign} interval '{by}'"), bond: Bond::Add })
    }

    fn case(&self, arguments: &[Expr]) -> Result<Written, NoWord> {
        let [pairs @ .., otherwise] = arguments else { return Err(malformed()) };
        let mut text = "case".to_owned();
        for pair in pairs.chunks(2) {
            let [when, then] = pair else { return Err(malformed()) };
            let (when, then) = (self.write(when)?.text, self.write(then)?.text);
            text.push_str(&format!(" when {when} then {then}"));
        }
        let otherwise = self.write(otherwise)?.text;
        Ok(Written::whole(format!("{text} else {otherwise} end")))
    }

    fn call(&self, func: &Func, arguments: &[Expr]) -> Result<Written, NoWord> {
        let name = func.name();
        let first = || arguments.first().ok_or_else(malformed);
        let only_made = || Err(NoWord("a step that only stages and built-in metrics take"));
        match func {
            Func::Or => self.binary(arguments, name, Bond::Or),
            Func::And => self.binary(arguments, name, Bond::And),
            Func::Not => self.not(first()?),
            Func::IsNull => self.of(first()?, name),
            Func::In => {
                let [a, values @ ..] = arguments else { return Err(malformed()) };
                self.of(a, &format!("in ({})", self.list(values)?))
            }
            Func::Like
            | Func::Equal
            | Func::NotEqual
            | Func::Less
            | Func::LessEqual
            | Func::Greater
            | Func::GreaterEqual
            | Func::IsDistinct => self.binary(arguments, name, Bond::Compare),
            Func::Add => self.binary(arguments, name, Bond::Add),
            Func::Subtract | Func::Between => self.binary(arguments, "-", Bond::Add),
            Func::AddDuration | Func::AddDays => self.later(arguments),
            Func::Concat => self.binary(arguments, name, Bond::Add),
            Func::Multiply | Func::Divide | Func::Modulo => {
                self.binary(arguments, name, Bond::Multiply)
            }
            Func::Negate => {
                let argument = first()?;
                let text = self.write(argument)?;
                // A number after a sign is a number with that sign.
                let bond = if argument.as_literal().is_some() { Bond::Compare } else { text.bond };
                let text = Written { bond, ..text }.within(Bond::Whole);
                Ok(Written { text: format!("-{text}"), bond: Bond::Sign })
            }
            Func::Shift(interval) => self.shifted(*interval, first()?),
            Func::Case => self.case(arguments),
            Func::Cast(DataType::Int32) | Func::TryCast(DataType::Int32) => {
                Err(NoWord("numbers of 32 bits"))
            }
            Func::Cast(DataType::Date) => {
                Ok(Written::whole(format!("date({})", self.list(arguments)?)))
            }
            Func::Cast(to) | Func::TryCast(to) => {
                Ok(Written::whole(format!("{name}({} as {to})", self.list(arguments)?)))
            }
            Func::Extract(part) => {
                Ok(Written::whole(format!("{name}({part} from {})", self.list(arguments)?)))
            }
            Func::DateTrunc(unit) | Func::DateDiff(unit) | Func::Elapsed(unit) => {
                Ok(Written::whole(format!("{name}('{unit}', {})", self.list(arguments)?)))
            }
            Func::OpenHours(hours) => {
                let own = self.calendar.hours_names().nth(usize::from(*hours));
                let own = string(own.ok_or(NoWord("opening hours that are not declared"))?);
                Ok(Written::whole(format!("{name}({own}, {})", self.list(arguments)?)))
            }
            Func::Substring => {
                let all = Value::Int(i64::from(i32::MAX));
                let told = match arguments {
                    [text, from, count] if count.as_literal() == Some(&all) => {
                        &[text.clone(), from.clone()]
                    }
                    _ => arguments,
                };
                Ok(Written::whole(format!("{name}({})", self.list(told)?)))
            }
            Func::Coalesce
            | Func::NullIf
            | Func::Abs
            | Func::Sign
            | Func::Round
            | Func::Floor
            | Func::Ceil
            | Func::Least
            | Func::Greatest
            | Func::Sqrt
            | Func::Exp
            | Func::Ln
            | Func::Power
            | Func::Lower
            | Func::Upper
            | Func::Trim
            | Func::Length
            | Func::Replace
            | Func::StartsWith
            | Func::EndsWith
            | Func::Contains
            | Func::Mentions
            | Func::Sentiment
            | Func::RegexpMatches => {
                Ok(Written::whole(format!("{name}({})", self.list(arguments)?)))
            }
            Func::ToMoney(_) => Err(NoWord("money that is rounded to whole cents as it is read")),
            Func::Steps(_)
            | Func::PeriodOf(_)
            | Func::PeriodStart(_)
            | Func::DrawNumber(_)
            | Func::Pseudonym(_)
            | Func::WilsonLow
            | Func::WilsonHigh
            | Func::MultinomialLow
            | Func::MultinomialHigh
            | Func::StudentT => only_made(),
        }
    }
}

/// A number with its sign.
fn signed(text: String) -> Written {
    let bond = if text.starts_with('-') { Bond::Sign } else { Bond::Whole };
    Written { text, bond }
}

/// A call with fewer arguments than its function takes, which typing does not make.
fn malformed() -> NoWord {
    NoWord("half a call")
}

/// The arguments of a call as they need to be written: without what typing adds by itself, which are casts to a
/// wider type and digits of numbers.
fn shortest(func: &Func, arguments: &[Expr], whole: &Expr) -> Vec<Expr> {
    let is_whole = |arguments: &[Expr]| call(*func, arguments.to_vec()).as_ref() == Ok(whole);
    let mut written = arguments.to_vec();
    let short: Vec<Vec<Expr>> = arguments.iter().map(shorter).collect();
    let all = arguments.iter().zip(&short).map(|(own, short)| short.first().unwrap_or(own));
    let all: Vec<Expr> = all.cloned().collect();
    if is_whole(&all) {
        return all;
    }
    // One after another: literals first, because a cast says more than a zero.
    let (literals, others): (Vec<usize>, Vec<usize>) =
        (0..arguments.len()).partition(|&place| arguments[place].as_literal().is_some());
    for place in literals.into_iter().chain(others) {
        for candidate in &short[place] {
            let own = std::mem::replace(&mut written[place], candidate.clone());
            if is_whole(&written) {
                break;
            }
            written[place] = own;
        }
    }
    written
}

/// What an argument may be written as if typing makes the argument of it, the shortest first.
fn shorter(argument: &Expr) -> Vec<Expr> {
    let decimal = |minor: i128, scale: u8| {
        let (mut minor, mut scale) = (minor, scale);
        while scale > 0 && minor % 10 == 0 {
            (minor, scale) = (minor / 10, scale - 1);
        }
        match (scale, i64::try_from(minor)) {
            (0, Ok(whole)) => Expr::int(whole),
            _ => Expr::literal(Value::Decimal { minor, scale }, DataType::money(scale)),
        }
    };
    match &argument.node {
        ExprNode::Call(Func::Cast(_), inner) => inner.clone(),
        ExprNode::Literal(Value::Null) => vec![Expr::null(DataType::String)],
        ExprNode::Literal(Value::Decimal { minor, scale }) => vec![decimal(*minor, *scale)],
        ExprNode::Literal(Value::Float(number)) if number.abs() < 1e15 => {
            let digits = crate::frame::parse_decimal(&number.to_string());
            digits.map(|(minor, scale)| decimal(minor, scale)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
