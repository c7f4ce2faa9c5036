//! An expression as somebody would write it: SQL that [`parse`](super::parse) reads back with the same meaning.

use super::calendar::Calendar;
use super::expression::{Expr, ExprNode};
use super::function::Func;
use super::typing::common_type;
use crate::frame::{DataType, Value};

/// What the language of expressions has no word for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWord(pub &'static str);

/// The text of an expression. The first instant that is not seen is `as_of`, and the day before it follows from
/// that, so that the text holds on another day too.
///
/// # Errors
/// What there is no word for.
pub fn sql(expr: &Expr, calendar: &Calendar, as_of: i64) -> Result<String, NoWord> {
    let writer = Writer { calendar, as_of };
    Ok(writer.write(expr)?.text)
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
}

impl Writer<'_> {
    fn write(&self, expr: &Expr) -> Result<Written, NoWord> {
        match &expr.node {
            ExprNode::Column(name) => Ok(Written::whole(identifier(name))),
            ExprNode::Literal(value) => Ok(self.literal(value, expr.data_type)),
            ExprNode::Call(func, arguments) => self.call(func, arguments),
        }
    }

    fn literal(&self, value: &Value, data_type: DataType) -> Written {
        match value {
            Value::String(text) => Written::whole(format!("'{}'", text.replace('\'', "''"))),
            Value::Timestamp(at) if *at == self.as_of => Written::whole("as_of"),
            Value::Date(day) if *day == self.calendar.date_of(self.as_of - 1_000_000) => {
                Written::whole("date(as_of - interval '1 second')")
            }
            Value::Date(_) | Value::Timestamp(_) => {
                Written::whole(format!("{data_type} '{value}'"))
            }
            Value::Duration(micros) => {
                Written::whole(format!("interval '{} s'", *micros as f64 / 1e6))
            }
            Value::Float(number) => Written::whole(format!("{number:e}")),
            other => Written::whole(other.to_string()),
        }
    }

    /// A number beside a double: its digits say enough.
    fn beside_double(&self, expr: &Expr) -> Result<Written, NoWord> {
        match expr.as_literal() {
            Some(Value::Float(number)) if number.abs() < 1e9 => {
                Ok(Written::whole(number.to_string()))
            }
            _ => self.write(expr),
        }
    }

    fn list(&self, arguments: &[Expr]) -> Result<String, NoWord> {
        let texts = arguments.iter().map(|argument| Ok(self.write(argument)?.text));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    /// Two sides of a sign, between which types widen by themselves.
    fn sides(&self, func: &Func, left: &Expr, right: &Expr) -> Result<[Written; 2], NoWord> {
        let compares = matches!(
            func,
            Func::Equal
                | Func::NotEqual
                | Func::Less
                | Func::LessEqual
                | Func::Greater
                | Func::GreaterEqual
                | Func::IsDistinct
        );
        let (bare_left, bare_right) = (uncast(left), uncast(right));
        let number = |expr: &Expr| matches!(expr.as_literal(), Some(Value::Float(_)));
        let widens = *func == Func::Divide
            || common_type(bare_left.data_type, bare_right.data_type) == Some(left.data_type)
            || compares && (number(right) || number(left));
        let (left, right) = if widens { (bare_left, bare_right) } else { (left, right) };
        let exact = !compares && *func != Func::Divide;
        let double = |other: &Expr| other.data_type == DataType::Float64 || !exact;
        Ok([
            if double(right) { self.beside_double(left)? } else { self.write(left)? },
            if double(left) { self.beside_double(right)? } else { self.write(right)? },
        ])
    }

    fn binary(
        &self,
        func: &Func,
        (left, right): (&Expr, &Expr),
        sign: &str,
        bond: Bond,
    ) -> Result<Written, NoWord> {
        let [left, right] = self.sides(func, left, right)?;
        // What is on the right of a minus keeps its parentheses, and nothing compares with a comparison.
        let tighter = match bond {
            Bond::Add => Bond::Multiply,
            Bond::Multiply => Bond::Sign,
            _ => Bond::Add,
        };
        let own = if bond == Bond::Compare { Bond::Add } else { bond };
        let text = format!("{} {sign} {}", left.within(own), right.within(tighter));
        Ok(Written { text, bond })
    }

    fn call(&self, func: &Func, arguments: &[Expr]) -> Result<Written, NoWord> {
        let name = func.name();
        match (func, arguments) {
            (Func::Or, [left, right]) => {
                if let Some((of, values)) = one_of(func, arguments) {
                    let values =
                        values.into_iter().map(|value| Ok(self.beside_double(value)?.text));
                    let values = values.collect::<Result<Vec<_>, _>>()?.join(", ");
                    let of = self.write(of)?.within(Bond::Add);
                    return Ok(Written {
                        text: format!("{of} in ({values})"),
                        bond: Bond::Compare,
                    });
                }
                let (left, right) = (self.write(left)?, self.write(right)?);
                let text = format!("{} or {}", left.within(Bond::Or), right.within(Bond::Or));
                Ok(Written { text, bond: Bond::Or })
            }
            (Func::And, [left, right]) => {
                let (left, right) = (self.write(left)?, self.write(right)?);
                let text = format!("{} and {}", left.within(Bond::And), right.within(Bond::And));
                Ok(Written { text, bond: Bond::And })
            }
            (Func::Not, [a]) => {
                if let ExprNode::Call(Func::IsNull, inner) = &a.node
                    && let [inner] = inner.as_slice()
                {
                    let inner = self.write(whatever_type(inner))?.within(Bond::Add);
                    return Ok(Written {
                        text: format!("{inner} is not null"),
                        bond: Bond::Compare,
                    });
                }
                let text = format!("not {}", self.write(a)?.within(Bond::Compare));
                Ok(Written { text, bond: Bond::Not })
            }
            (Func::IsNull, [a]) => {
                let inner = self.write(whatever_type(a))?.within(Bond::Add);
                Ok(Written { text: format!("{inner} is null"), bond: Bond::Compare })
            }
            (Func::In, [a, values @ ..]) => {
                let of = self.write(a)?.within(Bond::Add);
                let text = format!("{of} in ({})", self.list(values)?);
                Ok(Written { text, bond: Bond::Compare })
            }
            (Func::Like, [a, pattern]) => {
                let (a, pattern) = (self.write(a)?, self.write(pattern)?);
                let text = format!("{} like {}", a.within(Bond::Add), pattern.within(Bond::Add));
                Ok(Written { text, bond: Bond::Compare })
            }
            (
                Func::Equal
                | Func::NotEqual
                | Func::Less
                | Func::LessEqual
                | Func::Greater
                | Func::GreaterEqual
                | Func::IsDistinct,
                [a, b],
            ) => self.binary(func, (a, b), name, Bond::Compare),
            (Func::Add | Func::AddDuration | Func::AddDays, [a, b]) => {
                self.binary(func, (a, b), "+", Bond::Add)
            }
            (Func::Subtract | Func::Between, [a, b]) => self.binary(func, (a, b), "-", Bond::Add),
            (Func::Concat, [a, b]) => self.binary(func, (a, b), "||", Bond::Add),
            (Func::Multiply | Func::Divide | Func::Modulo, [a, b]) => {
                self.binary(func, (a, b), name, Bond::Multiply)
            }
            (Func::Negate, [a]) => {
                let text = format!("-{}", self.write(a)?.within(Bond::Whole));
                Ok(Written { text, bond: Bond::Sign })
            }
            (Func::Shift(interval), [a]) => {
                let a = self.write(a)?.within(Bond::Add);
                Ok(Written { text: format!("{a} + interval '{interval}'"), bond: Bond::Add })
            }
            (Func::Case, [pairs @ .., otherwise]) => {
                let mut text = "case".to_owned();
                for pair in pairs.chunks(2) {
                    let [when, then] = pair else { return Err(NoWord("half a case")) };
                    let (when, then) = (self.write(when)?.text, self.write(then)?.text);
                    text.push_str(&format!(" when {when} then {then}"));
                }
                let otherwise = self.write(otherwise)?.text;
                Ok(Written::whole(format!("{text} else {otherwise} end")))
            }
            (Func::Cast(to) | Func::TryCast(to), [a]) => {
                let to = match to {
                    DataType::Int32 => DataType::Int64,
                    other => *other,
                };
                Ok(Written::whole(format!("{name}({} as {to})", self.write(a)?.text)))
            }
            (Func::Extract(part), [a]) => {
                Ok(Written::whole(format!("extract({part} from {})", self.write(a)?.text)))
            }
            (Func::DateTrunc(unit) | Func::DateDiff(unit), _) => {
                Ok(Written::whole(format!("{name}('{unit}', {})", self.list(arguments)?)))
            }
            (Func::Elapsed(unit), [from, to]) => {
                let [from, to] = self.sides(func, from, to)?;
                Ok(Written::whole(format!("{name}('{unit}', {}, {})", from.text, to.text)))
            }
            (Func::OpenHours(hours), [from, to]) => {
                let own = self.calendar.hours_names().nth(usize::from(*hours));
                let own = own.ok_or(NoWord("opening hours that are not declared"))?;
                let (from, to) = (self.write(uncast(from))?.text, self.write(uncast(to))?.text);
                Ok(Written::whole(format!("{name}('{own}', {from}, {to})")))
            }
            (
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
                | Func::Substring
                | Func::Replace
                | Func::StartsWith
                | Func::EndsWith
                | Func::Contains
                | Func::Mentions
                | Func::Sentiment
                | Func::RegexpMatches,
                _,
            ) => Ok(Written::whole(format!("{name}({})", self.list(arguments)?))),
            (Func::ToMoney(_), _) => {
                Err(NoWord("money that is rounded to whole cents as it is read"))
            }
            _ => Err(NoWord("a step that only stages and built-in metrics take")),
        }
    }
}

/// The name of a column; one that would be read as something else stands in quotes.
fn identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    // Words that begin something in SQL.
    let keyword = matches!(
        name,
        "all"
            | "and"
            | "any"
            | "array"
            | "as_of"
            | "between"
            | "case"
            | "cast"
            | "ceil"
            | "date"
            | "distinct"
            | "else"
            | "end"
            | "exists"
            | "extract"
            | "false"
            | "floor"
            | "from"
            | "if"
            | "in"
            | "interval"
            | "is"
            | "like"
            | "not"
            | "null"
            | "or"
            | "position"
            | "select"
            | "substring"
            | "then"
            | "time"
            | "timestamp"
            | "trim"
            | "true"
            | "when"
            | "where"
    );
    if plain && !keyword { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// What is cast to a wider type, which the language does by itself between two sides.
fn uncast(expr: &Expr) -> &Expr {
    match &expr.node {
        ExprNode::Call(Func::Cast(to), inner) => match inner.as_slice() {
            [inner] if common_type(inner.data_type, *to) == Some(*to) => inner,
            _ => expr,
        },
        _ => expr,
    }
}

/// An expression of which only matters whether it is null.
fn whatever_type(expr: &Expr) -> &Expr {
    match &expr.node {
        ExprNode::Call(Func::Cast(to), inner) => match inner.as_slice() {
            [inner]
                if common_type(inner.data_type, *to) == Some(*to) || *to == DataType::String =>
            {
                inner
            }
            _ => expr,
        },
        _ => expr,
    }
}

/// What equals one of several values: `a = 1 or a = 2`.
fn one_of<'a>(func: &Func, arguments: &'a [Expr]) -> Option<(&'a Expr, Vec<&'a Expr>)> {
    match (func, arguments) {
        (Func::Equal, [of, value]) if value.as_literal().is_some() => {
            let number = matches!(value.as_literal(), Some(Value::Float(_)));
            Some((if number { uncast(of) } else { of }, vec![value]))
        }
        (Func::Or, [left, right]) => {
            let part = |expr: &'a Expr| match &expr.node {
                ExprNode::Call(func, arguments) => one_of(func, arguments),
                _ => None,
            };
            let ((of, mut values), (same, more)) = (part(left)?, part(right)?);
            values.extend(more);
            (of == same).then_some((of, values))
        }
        _ => None,
    }
}
