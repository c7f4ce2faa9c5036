//! Values as other types.

use super::number::{Half, rescale};
use crate::document::{Instant, parse_instant};
use crate::frame::{DataType, Value, parse_decimal, pow10};
use crate::ir::Calendar;

/// The value, which is not null, as another type; `None` where it has none. Texts are trimmed.
pub(super) fn cast(value: &Value, to: DataType, calendar: &Calendar) -> Option<Value> {
    match to {
        DataType::Bool => bool(value).map(Value::Bool),
        DataType::Int32 => {
            whole(value).filter(|&value| i32::try_from(value).is_ok()).map(Value::Int)
        }
        DataType::Int64 => whole(value).map(Value::Int),
        DataType::Float64 => float(value).map(Value::Float),
        DataType::Decimal { precision, scale } => {
            let minor = minor(value, scale)?;
            let within = minor.unsigned_abs() < pow10(precision).unsigned_abs();
            within.then_some(Value::Decimal { minor, scale })
        }
        DataType::String => text(value).map(Value::text),
        DataType::Date => date(value, calendar).map(Value::Date),
        DataType::Timestamp => timestamp(value, calendar).map(Value::Timestamp),
        DataType::Duration => match value {
            Value::Duration(micros) => Some(Value::Duration(*micros)),
            _ => None,
        },
    }
}

fn bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::Bool(value) => Some(i64::from(*value)),
        Value::Decimal { minor, scale } => {
            i64::try_from(rescale(*minor, *scale, 0, Half::AwayFromZero)?).ok()
        }
        // Doubles beyond `i128` become its ends, which are beyond `i64`.
        Value::Float(value) => i64::try_from(value.round() as i128).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    number.is_finite().then_some(number + 0.0)
}

/// The value in units of 10^−`scale`, halves away from zero.
fn minor(value: &Value, scale: u8) -> Option<i128> {
    match value {
        Value::Int(value) => rescale(i128::from(*value), 0, scale, Half::AwayFromZero),
        Value::Decimal { minor, scale: own } => rescale(*minor, *own, scale, Half::AwayFromZero),
        Value::Float(value) => Some((value * pow10(scale) as f64).round() as i128),
        Value::String(text) => {
            let (minor, own) = parse_decimal(text.trim())?;
            rescale(minor, own, scale, Half::AwayFromZero)
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Duration(_) => None,
        Value::Float(value) => Some(format!("{value}")),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Decimal { .. }
        | Value::String(_)
        | Value::Date(_)
        | Value::Timestamp(_) => Some(value.to_string()),
    }
}

fn date(value: &Value, calendar: &Calendar) -> Option<i32> {
    match value {
        Value::Date(days) => Some(*days),
        Value::Timestamp(micros) => Some(calendar.date_of(*micros)),
        Value::String(text) => match parse_instant(text)? {
            Instant::Date(days) => Some(days),
            Instant::Local(_) | Instant::Absolute(_) => None,
        },
        _ => None,
    }
}

fn timestamp(value: &Value, calendar: &Calendar) -> Option<i64> {
    match value {
        Value::Timestamp(micros) => Some(*micros),
        Value::Date(days) => Some(calendar.midnight(*days)),
        Value::String(text) => Some(calendar.resolve(parse_instant(text)?)),
        _ => None,
    }
}
