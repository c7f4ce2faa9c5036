//! Values written outside of expressions, of the type of the column they are about.

use crate::document::{Instant, parse_instant};
use crate::frame::{DataType, Value, parse_decimal};
use crate::ir::{Calendar, Expr};

/// A written value as a literal of a type, or nothing if it is not of that type. A timestamp without
/// an offset is one of the calendar's zone.
pub fn literal_of(text: &str, data_type: DataType, calendar: &Calendar) -> Option<Expr> {
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
