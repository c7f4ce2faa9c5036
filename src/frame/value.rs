//! One value of a column.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::DataType;

/// A single typed value, or null.
#[derive(Debug, Clone, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Never NaN, never infinite.
    Float(f64),
    /// `minor` / 10^`scale`.
    Decimal {
        minor: i128,
        scale: u8,
    },
    String(Arc<str>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00Z.
    Timestamp(i64),
    /// Microseconds.
    Duration(i64),
}

impl Value {
    /// A text value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Value::String(text.as_ref().into())
    }

    /// A double, or null where it is NaN or infinite.
    pub fn finite(value: f64) -> Self {
        // Zero has one sign, so that equal values have equal bytes.
        if value.is_finite() { Value::Float(value + 0.0) } else { Value::Null }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The type the value has by itself; null has none.
    pub fn data_type(&self) -> Option<DataType> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(_) => DataType::Bool,
            Value::Int(_) => DataType::Int64,
            Value::Float(_) => DataType::Float64,
            Value::Decimal { scale, .. } => DataType::money(*scale),
            Value::String(_) => DataType::String,
            Value::Date(_) => DataType::Date,
            Value::Timestamp(_) => DataType::Timestamp,
            Value::Duration(_) => DataType::Duration,
        })
    }

    /// A number as a double; null for anything else.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Decimal { minor, scale } => Some(*minor as f64 / pow10(*scale) as f64),
            _ => None,
        }
    }

    /// A whole number, a date, an instant or a duration as an integer.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(value) | Value::Timestamp(value) | Value::Duration(value) => Some(*value),
            Value::Date(days) => Some(i64::from(*days)),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Bool(_) => 0,
            Value::Int(_) => 1,
            Value::Float(_) => 2,
            Value::Decimal { .. } => 3,
            Value::String(_) => 4,
            Value::Date(_) => 5,
            Value::Timestamp(_) => 6,
            Value::Duration(_) => 7,
            Value::Null => 8,
        }
    }
}

/// 10^`scale`, for scales up to 38.
pub fn pow10(scale: u8) -> i128 {
    10i128.pow(u32::from(scale.min(38)))
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Decimal { minor: a, scale: s }, Value::Decimal { minor: b, scale: t }) => {
                if s == t {
                    return a.cmp(b);
                }
                let widest = *s.max(t);
                let left = a.checked_mul(pow10(widest - s));
                let right = b.checked_mul(pow10(widest - t));
                match (left, right) {
                    (Some(left), Some(right)) => left.cmp(&right),
                    _ => (*a as f64 / pow10(*s) as f64).total_cmp(&(*b as f64 / pow10(*t) as f64)),
                }
            }
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
            (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Null => {}
            Value::Bool(value) => value.hash(state),
            Value::Int(value) | Value::Timestamp(value) | Value::Duration(value) => {
                value.hash(state);
            }
            Value::Float(value) => value.to_bits().hash(state),
            Value::Decimal { minor, scale } => {
                let (mut minor, mut scale) = (*minor, *scale);
                while scale > 0 && minor % 10 == 0 {
                    minor /= 10;
                    scale -= 1;
                }
                (minor, scale).hash(state);
            }
            Value::String(value) => value.hash(state),
            Value::Date(value) => value.hash(state),
        }
    }
}

/// A number that depends on the values and a seed and nothing else: at least 0, spread evenly, the same on every
/// machine. Values that are equal have the same, decimals of different scales too.
pub fn draw_number(seed: i64, values: &[Value]) -> i64 {
    use crate::stats::mixed;
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    let mut state = mixed((seed as u64).wrapping_mul(golden).wrapping_add(golden));
    let mut take = |bits: u64| state = mixed(state.wrapping_mul(golden) ^ bits);
    for value in values {
        take(u64::from(value.rank()));
        match value {
            Value::Null => {}
            Value::Bool(value) => take(u64::from(*value)),
            Value::Int(value) | Value::Timestamp(value) | Value::Duration(value) => {
                take(*value as u64)
            }
            Value::Float(value) => take(value.to_bits()),
            Value::Decimal { minor, scale } => {
                let (mut minor, mut scale) = (*minor, *scale);
                while scale > 0 && minor % 10 == 0 {
                    minor /= 10;
                    scale -= 1;
                }
                take(minor as u64);
                take((minor >> 64) as u64);
                take(u64::from(scale));
            }
            Value::String(value) => {
                let bytes = value.as_bytes();
                take(bytes.len() as u64);
                for chunk in bytes.chunks(8) {
                    let mut word = [0; 8];
                    word[..chunk.len()].copy_from_slice(chunk);
                    take(u64::from_le_bytes(word));
                }
            }
            Value::Date(value) => take(*value as u64),
        }
    }
    (state >> 1) as i64
}

/// `minor` / 10^`scale` with all its digits: `-0.05`.
pub fn format_decimal(minor: i128, scale: u8) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let digits = minor.unsigned_abs();
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let unit = pow10(scale).unsigned_abs();
    format!("{sign}{}.{:0width$}", digits / unit, digits % unit, width = usize::from(scale))
}

/// Reads `-12.5` as (−125, 1): no exponent, at most 38 digits.
pub fn parse_decimal(text: &str) -> Option<(i128, u8)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut minor: i128 = 0;
    for byte in all() {
        minor = minor.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let scale = u8::try_from(fraction.len()).ok().filter(|&scale| scale <= 38)?;
    (minor < pow10(38)).then_some((sign * minor, scale))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Decimal { minor, scale } => f.write_str(&format_decimal(*minor, *scale)),
            Value::String(value) => f.write_str(value),
            Value::Date(days) => {
                let micros = i64::from(*days).saturating_mul(86_400_000_000);
                match jiff::Timestamp::from_microsecond(micros) {
                    Ok(timestamp) => f.write_str(timestamp.to_string().get(..10).unwrap_or("")),
                    Err(_) => write!(f, "day {days}"),
                }
            }
            Value::Timestamp(micros) => match jiff::Timestamp::from_microsecond(*micros) {
                Ok(timestamp) => write!(f, "{timestamp}"),
                Err(_) => write!(f, "{micros} µs"),
            },
            Value::Duration(micros) => write!(f, "{}s", *micros as f64 / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_last_and_decimals_compare_by_value() {
        let mut values = [Value::Null, Value::Int(2), Value::Int(-1)];
        values.sort();
        assert_eq!(values, [Value::Int(-1), Value::Int(2), Value::Null]);
        let tenth = Value::Decimal { minor: 1, scale: 1 };
        assert_eq!(tenth, Value::Decimal { minor: 100, scale: 3 });
        assert!(tenth < Value::Decimal { minor: 11, scale: 2 });
    }

    #[test]
    fn numbers_of_draws_are_what_they_were() {
        let of = |seed, values: &[Value]| draw_number(seed, values);
        let one = [Value::Int(1)];
        assert_eq!(of(1, &one), 4_890_921_125_428_786_897);
        assert_ne!(of(2, &one), of(1, &one));
        assert_ne!(of(1, &[Value::text("1")]), of(1, &one));
        assert_ne!(
            of(1, &[Value::text("a"), Value::text("b")]),
            of(1, &[Value::text("ab"), Value::text("")])
        );
        let tenth = |minor, scale| of(1, &[Value::Decimal { minor, scale }]);
        assert_eq!(tenth(1, 1), tenth(100, 3));
        // Spread evenly: a tenth of them lies in the first tenth.
        let low = (0..10_000).filter(|n| of(7, &[Value::Int(*n)]) < i64::MAX / 10).count();
        assert!((900..1_100).contains(&low), "{low}");
    }

    #[test]
    fn decimals_as_text() {
        assert_eq!(format_decimal(-5, 2), "-0.05");
        assert_eq!(format_decimal(1234, 0), "1234");
        assert_eq!(parse_decimal("-0.05"), Some((-5, 2)));
        assert_eq!(parse_decimal("12"), Some((12, 0)));
        assert_eq!(parse_decimal("."), None);
        assert_eq!(parse_decimal("1e3"), None);
        assert_eq!(Value::Date(10_408).to_string(), "1998-07-01");
    }
}
