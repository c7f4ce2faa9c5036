//! Conversions between types.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::kernel::{LARGEST, arrow_error};
use crate::document::{Instant, parse_instant};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, Value, column_of, format_decimal, parse_decimal, pow10, value_at};
use crate::ir::Calendar;

/// `minor` over `step`, rounded half away from zero.
pub(super) fn round_half_away(minor: i128, step: i128) -> i128 {
    let (whole, rest) = (minor / step, (minor % step).abs());
    // Compared without doubling, which 38 digits would not bear.
    if rest >= step - rest { whole + minor.signum() } else { whole }
}

/// `minor` over `step`, rounded half to even.
fn round_half_even(minor: i128, step: i128) -> i128 {
    let (whole, rest) = (minor.div_euclid(step), minor.rem_euclid(step));
    match rest.cmp(&(step - rest)) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole.rem_euclid(2),
    }
}

/// A whole number as the nearest double; quickly if it has no more than 64 bits.
pub(super) fn double_of(number: i128) -> f64 {
    match i64::try_from(number) {
        Ok(number) => number as f64,
        Err(_) => number as f64,
    }
}

/// An array as another type. A value that has none is an error if `strict`, else null.
pub(super) fn cast(
    array: &ArrayRef,
    to: DataType,
    calendar: &Calendar,
    strict: bool,
) -> Result<ArrayRef, EngineError> {
    use arrow::datatypes::DataType as A;
    if array.data_type() == &to.arrow() {
        return Ok(array.clone());
    }
    // The conversions that happen by themselves, without a detour over single values.
    match (array.data_type(), to) {
        (A::Int64, DataType::Float64) => {
            let values = array.as_primitive::<Int64Type>();
            return Ok(Arc::new(values.unary::<_, Float64Type>(|x| x as f64)));
        }
        (A::Decimal128(_, scale), DataType::Float64) => {
            let unit = pow10(*scale as u8) as f64;
            let values = array.as_primitive::<Decimal128Type>();
            return Ok(Arc::new(values.unary::<_, Float64Type>(|x| double_of(x) / unit)));
        }
        (A::Int32 | A::Int64, DataType::String) => {
            return arrow::compute::cast(array, &A::Utf8).map_err(arrow_error);
        }
        (A::Int32, DataType::Int64) => {
            return arrow::compute::cast(array, &A::Int64).map_err(arrow_error);
        }
        (A::Int64, DataType::Int32) => {
            let values = array.as_primitive::<Int64Type>();
            if values.iter().flatten().all(|value| i32::try_from(value).is_ok()) {
                return Ok(Arc::new(values.unary::<_, Int32Type>(|value| value as i32)));
            }
        }
        (A::Boolean, DataType::Int64) => {
            let truths = array.as_boolean();
            let numbers = truths.values().iter().map(i64::from).collect();
            return Ok(Arc::new(Int64Array::new(numbers, truths.nulls().cloned())));
        }
        (A::Date32, DataType::Timestamp) => {
            let days = array.as_primitive::<Date32Type>();
            let instants: TimestampMicrosecondArray = days.unary(|days| calendar.midnight(days));
            return Ok(Arc::new(instants.with_timezone("UTC")));
        }
        (A::Timestamp(_, _), DataType::Date) => {
            let instants = array.as_primitive::<TimestampMicrosecondType>();
            return Ok(Arc::new(instants.unary::<_, Date32Type>(|at| calendar.date_of(at))));
        }
        _ => {}
    }
    let mut converted = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let value = value_at(array, row);
        let result =
            if value.is_null() { Some(Value::Null) } else { convert(&value, to, calendar) };
        converted.push(match result {
            Some(result) => result,
            None if strict => {
                return Err(
                    EvaluateError::Cast { value: value.to_string(), to: to.to_string() }.into()
                );
            }
            None => Value::Null,
        });
    }
    column_of(to, converted.iter()).map_err(arrow_error)
}

fn convert(value: &Value, to: DataType, calendar: &Calendar) -> Option<Value> {
    match to {
        DataType::Bool => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) => match text.trim().to_lowercase().as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            _ => None,
        },
        DataType::Int32 => match convert(value, DataType::Int64, calendar)? {
            Value::Int(whole) => i32::try_from(whole).ok().map(|whole| Value::Int(whole.into())),
            _ => None,
        },
        DataType::Int64 => match value {
            Value::Int(_) => Some(value.clone()),
            Value::Bool(truth) => Some(Value::Int((*truth).into())),
            Value::Float(x) => {
                let whole = x.round();
                let fits = (-9.3e18..9.3e18).contains(&whole);
                let whole = if fits { whole as i128 } else { i128::MAX };
                i64::try_from(whole).ok().map(Value::Int)
            }
            Value::Decimal { minor, scale } => {
                i64::try_from(round_half_away(*minor, pow10(*scale))).ok().map(Value::Int)
            }
            Value::String(text) => text.trim().parse().ok().map(Value::Int),
            _ => None,
        },
        DataType::Float64 => match value {
            Value::String(text) => {
                text.trim().parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::finite)
            }
            _ => value.as_f64().map(Value::finite),
        },
        DataType::Decimal { precision, scale } => {
            let minor = match value {
                Value::Int(whole) => i128::from(*whole).checked_mul(pow10(scale))?,
                Value::Decimal { minor, scale: own } => rescale(*minor, *own, scale)?,
                Value::Float(x) => {
                    let scaled = (x * pow10(scale) as f64).round();
                    (scaled.abs() < 1e38).then_some(scaled as i128)?
                }
                Value::String(text) => {
                    let (minor, own) = parse_decimal(text.trim())?;
                    rescale(minor, own, scale)?
                }
                _ => return None,
            };
            (minor.abs() < pow10(precision)).then_some(Value::Decimal { minor, scale })
        }
        DataType::String => Some(match value {
            Value::Decimal { minor, scale } => Value::text(format_decimal(*minor, *scale)),
            other => Value::text(other.to_string()),
        }),
        DataType::Date => match value {
            Value::Timestamp(at) => Some(Value::Date(calendar.date_of(*at))),
            Value::String(text) => match parse_instant(text.trim())? {
                Instant::Date(days) => Some(Value::Date(days)),
                Instant::Local(_) | Instant::Absolute(_) => None,
            },
            _ => None,
        },
        DataType::Timestamp => match value {
            Value::Date(days) => Some(Value::Timestamp(calendar.midnight(*days))),
            Value::String(text) => parse_instant(text.trim())
                .map(|instant| Value::Timestamp(calendar.resolve(instant))),
            _ => None,
        },
        DataType::Duration => None,
    }
}

fn rescale(minor: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        minor.checked_mul(pow10(to - from))
    } else {
        Some(round_half_away(minor, pow10(from - to)))
    }
}

/// [`to_money`] of doubles that are small enough for a double to hold their minor units and halves of
/// them; `None` if one is not.
fn small_money(array: &ArrayRef, scale: u8) -> Option<ArrayRef> {
    // A sum this large has no bits left for fractions: adding it rounds to the nearest whole number, half
    // to even, which then stands in the lowest bits.
    const WHOLE: f64 = (3_u64 << 51) as f64;
    const LIMIT: f64 = (1_u64 << 50) as f64;
    let doubles = array.as_primitive_opt::<Float64Type>()?;
    let unit = pow10(scale) as f64;
    if !doubles.values().iter().all(|x| (x * unit).abs() < LIMIT) {
        return None;
    }
    let minor = |x: &f64| (x * unit + WHOLE).to_bits() as i64 - WHOLE.to_bits() as i64;
    let minors: Vec<i128> = doubles.values().iter().map(|x| i128::from(minor(x))).collect();
    let money = Decimal128Array::new(minors.into(), doubles.nulls().cloned());
    Some(Arc::new(money.with_precision_and_scale(38, scale as i8).ok()?))
}

/// Numbers as money: doubles rounded half to even at so many digits.
pub(super) fn to_money(array: &ArrayRef, scale: u8) -> Result<ArrayRef, EngineError> {
    use arrow::datatypes::DataType as A;
    let overflow = || EvaluateError::Overflow { function: "to_money".into() };
    let bounded = |minor: Option<i128>| match minor {
        Some(minor) if minor.abs() < LARGEST => Ok(Some(minor)),
        _ => Err(overflow()),
    };
    if let Some(money) = small_money(array, scale) {
        return Ok(money);
    }
    let money: Decimal128Array = match array.data_type() {
        A::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .map(|x| match x {
                None => Ok(None),
                Some(x) => {
                    let scaled = (x * pow10(scale) as f64).round_ties_even();
                    bounded((scaled.abs() < 1e38).then_some(scaled as i128))
                }
            })
            .collect::<Result<_, _>>()?,
        A::Decimal128(_, from) => {
            let from = *from as u8;
            array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|x| match x {
                    None => Ok(None),
                    Some(x) if scale >= from => bounded(x.checked_mul(pow10(scale - from))),
                    Some(x) => bounded(Some(round_half_even(x, pow10(from - scale)))),
                })
                .collect::<Result<_, _>>()?
        }
        _ => {
            let whole = arrow::compute::cast(array, &A::Int64).map_err(arrow_error)?;
            whole
                .as_primitive::<Int64Type>()
                .iter()
                .map(|x| match x {
                    None => Ok(None),
                    Some(x) => bounded(i128::from(x).checked_mul(pow10(scale))),
                })
                .collect::<Result<_, _>>()?
        }
    };
    Ok(Arc::new(money.with_precision_and_scale(38, scale as i8).map_err(arrow_error)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray};

    #[test]
    fn doubles_round_half_even_as_money() {
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![0.125, 0.375, -0.125, 1.005]));
        let money = to_money(&doubles, 2).expect("they fit");
        let minors: Vec<i128> = money.as_primitive::<Decimal128Type>().values().to_vec();
        assert_eq!(minors, [12, 38, -12, 100]);
        assert!(to_money(&(Arc::new(Float64Array::from(vec![1e40])) as ArrayRef), 2).is_err());
    }

    #[test]
    fn casts() {
        let calendar = Calendar::default();
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["12", "x"]));
        assert!(cast(&texts, DataType::Int64, &calendar, true).is_err());
        let tried = cast(&texts, DataType::Int64, &calendar, false).expect("tried");
        assert_eq!(value_at(&tried, 0), Value::Int(12));
        assert!(tried.is_null(1));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![5]));
        let decimal = cast(&numbers, DataType::money(2), &calendar, true).expect("it fits");
        assert_eq!(value_at(&decimal, 0).to_string(), "5.00");
    }
}
