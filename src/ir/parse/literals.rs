//! Values: those of expressions, and those written outside of them, of the type of the column they are about.

use sqlparser::ast;

use super::Reader;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Instant, Scalar, parse_instant};
use crate::frame::{DataType, Value, parse_decimal};
use crate::ir::{Calendar, Expr};

/// A scalar as a literal of the type of what it is about, which messages call `name`.
///
/// # Errors
/// A scalar of another type, as a diagnostic at its place.
pub fn scalar_of(
    scalar: &Scalar,
    name: &str,
    data_type: DataType,
    calendar: &Calendar,
) -> Result<Expr, Box<Diagnostic>> {
    literal_of(&scalar.written, data_type, calendar).ok_or_else(|| {
        let message = format!("`{}` is no {data_type}, which {name} is", scalar.written);
        let mut diagnostic = Diagnostic::at(Code::TypeMismatch, scalar.span, message);
        diagnostic.help = example(data_type).map(|text| format!("write {text}"));
        Box::new(diagnostic)
    })
}

/// The same of a scalar that values are held against, as more or as less: a number is no bound of texts,
/// which are compared letter by letter.
///
/// # Errors
/// As for [`scalar_of`].
pub fn bound_of(
    scalar: &Scalar,
    name: &str,
    data_type: DataType,
    calendar: &Calendar,
) -> Result<Expr, Box<Diagnostic>> {
    if data_type == DataType::String && !scalar.quoted_text {
        let message = format!("`{}` is no text, and {name} is", scalar.written);
        let help = format!(
            "texts are compared letter by letter; if that is meant: `'{}'`",
            scalar.written
        );
        let diagnostic = Diagnostic::at(Code::TypeMismatch, scalar.span, message);
        return Err(Box::new(diagnostic.help(help)));
    }
    scalar_of(scalar, name, data_type, calendar)
}

/// What to say of two bounds between which there is no value.
pub fn crossed(low: (&Scalar, &Expr), high: (&Scalar, &Expr)) -> Option<Diagnostic> {
    let (least, most) = low.1.as_literal().zip(high.1.as_literal())?;
    let message = format!("`max` is {}, below `min`: no value is within", high.0.written);
    let help = format!("the other way round: `min: {}, max: {}`", high.0.written, low.0.written);
    let diagnostic = Diagnostic::at(Code::InvalidValue, high.0.span, message).help(help);
    (most < least).then(|| diagnostic.and(low.0.span, "the lower bound"))
}

fn example(data_type: DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Bool => "`true` or `false`",
        DataType::Int32 | DataType::Int64 => "a whole number such as `5`",
        DataType::Float64 | DataType::Decimal { .. } => "a number such as `0.5`",
        DataType::Date => "a date such as `2026-11-01`",
        DataType::Timestamp => "a timestamp such as `2026-11-01T06:00`",
        DataType::String | DataType::Duration => return None,
    })
}

/// A written value as a literal of a type, or nothing if it is not of that type. A timestamp without
/// an offset is one of the calendar's zone.
fn literal_of(text: &str, data_type: DataType, calendar: &Calendar) -> Option<Expr> {
    let value = match data_type {
        DataType::String => Value::text(text),
        DataType::Bool => Value::Bool(text.parse().ok()?),
        DataType::Int32 | DataType::Int64 => Value::Int(text.parse().ok()?),
        DataType::Float64 => Value::Float(text.parse().ok().filter(|x: &f64| x.is_finite())?),
        DataType::Decimal { .. } => {
            let (minor, scale) = parse_decimal(text)?;
            Value::Decimal { minor, scale }
        }
        DataType::Date => match parse_instant(text)? {
            Instant::Date(days) => Value::Date(days),
            _ => return None,
        },
        DataType::Timestamp => Value::Timestamp(calendar.resolve(parse_instant(text)?)),
        DataType::Duration => return None,
    };
    let own = value.data_type()?;
    Some(Expr::literal(value, own))
}

impl Reader<'_> {
    pub(super) fn number(&mut self, text: &str, node: &ast::Expr) -> Option<Expr> {
        if text.contains(['e', 'E']) {
            if let Ok(value) = text.parse::<f64>()
                && value.is_finite()
            {
                return Some(Expr::float(value));
            }
        } else if text.contains('.') {
            if let Some((minor, scale)) = parse_decimal(text) {
                return Some(Expr::literal(
                    Value::Decimal { minor, scale },
                    DataType::money(scale),
                ));
            }
        } else if let Ok(value) = text.parse::<i64>() {
            return Some(Expr::int(value));
        }
        let place = self.place(node);
        self.error(Code::InvalidExpression, place, format!("`{text}` is too large a number"));
        None
    }

    pub(super) fn literal(&mut self, value: &ast::Value, node: &ast::Expr) -> Option<Expr> {
        match value {
            ast::Value::Number(text, _) => self.number(text, node),
            ast::Value::SingleQuotedString(text) => {
                Some(Expr::literal(Value::text(text), DataType::String))
            }
            ast::Value::Boolean(value) => Some(Expr::bool(*value)),
            ast::Value::Null => Some(Expr::null(DataType::String)),
            ast::Value::Placeholder(name) => match self.placeholders.get(name) {
                Some(value) => Some(value.clone()),
                None => self.unsupported(node),
            },
            _ => self.unsupported(node),
        }
    }
}
