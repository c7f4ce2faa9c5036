//! Arithmetic: whole numbers and decimals exact, doubles without NaN and infinity.

use std::cmp::Ordering;

use super::evaluate::{Evaluated, wrong};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{Value, pow10};
use crate::ir::Func;

pub(super) fn overflow(func: Func) -> EngineError {
    EvaluateError::Overflow { function: func.name().into() }.into()
}

/// A decimal of at most 38 digits; none, or more of them, is an overflow.
fn decimal(minor: Option<i128>, scale: u8, func: Func) -> Evaluated {
    let within = minor.filter(|minor| minor.unsigned_abs() < pow10(38).unsigned_abs());
    within.map(|minor| Value::Decimal { minor, scale }).ok_or_else(|| overflow(func))
}

fn int(value: Option<i64>, func: Func) -> Evaluated {
    value.map(Value::Int).ok_or_else(|| overflow(func))
}

/// Which way a half goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    AwayFromZero,
    ToEven,
}

/// `minor` / 10^`from` in units of 10^−`to`, rounded where digits are lost; `None` beyond `i128`.
pub(super) fn rescale(minor: i128, from: u8, to: u8, half: Half) -> Option<i128> {
    if to >= from {
        return minor.checked_mul(pow10(to - from));
    }
    let unit = pow10(from - to);
    let (whole, rest) = (minor / unit, minor % unit);
    // Compared without doubling, which 38 digits would not bear.
    let rest = rest.unsigned_abs();
    let away = match rest.cmp(&(unit.unsigned_abs() - rest)) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => half == Half::AwayFromZero || whole % 2 != 0,
    };
    Some(if away { whole + minor.signum() } else { whole })
}

/// An operation on numbers of one type; decimals are brought to a common scale first.
pub(super) fn same_scale(
    func: Func,
    a: &Value,
    b: &Value,
    ints: impl Fn(i64, i64) -> Option<i64>,
    decimals: impl Fn(i128, i128) -> Option<i128>,
    floats: impl Fn(f64, f64) -> f64,
) -> Evaluated {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => int(ints(*a, *b), func),
        (Value::Float(a), Value::Float(b)) => Ok(Value::finite(floats(*a, *b))),
        (Value::Decimal { minor: a, scale: s }, Value::Decimal { minor: b, scale: t }) => {
            let scale = *s.max(t);
            let a = a.checked_mul(pow10(scale - s));
            let b = b.checked_mul(pow10(scale - t));
            decimal(a.zip(b).and_then(|(a, b)| decimals(a, b)), scale, func)
        }
        _ => Err(wrong(func, &[a.clone(), b.clone()])),
    }
}

pub(super) fn multiply(func: Func, a: &Value, b: &Value) -> Evaluated {
    match (a, b) {
        (Value::Decimal { minor: a, scale: s }, Value::Decimal { minor: b, scale: t }) => {
            decimal(a.checked_mul(*b), s + t, func)
        }
        _ => same_scale(func, a, b, i64::checked_mul, |_, _| None, |a, b| a * b),
    }
}

pub(super) fn modulo(func: Func, a: &Value, b: &Value) -> Evaluated {
    if is_zero(b) {
        return Ok(Value::Null);
    }
    // The smallest whole number modulo −1 is 0, though the quotient overflows.
    let ints = |a: i64, b: i64| Some(a.wrapping_rem(b));
    same_scale(func, a, b, ints, |a, b| Some(a.wrapping_rem(b)), |a, b| a % b)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Int(value) => *value == 0,
        Value::Decimal { minor, .. } => *minor == 0,
        Value::Float(value) => *value == 0.0,
        _ => false,
    }
}

pub(super) fn negate(func: Func, value: &Value) -> Evaluated {
    match value {
        Value::Int(value) => int(value.checked_neg(), func),
        Value::Float(value) => Ok(Value::finite(-value)),
        Value::Decimal { minor, scale } => decimal(minor.checked_neg(), *scale, func),
        Value::Duration(micros) => {
            micros.checked_neg().map(Value::Duration).ok_or_else(|| overflow(func))
        }
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

/// −1, 0 or 1.
pub(super) fn sign(func: Func, value: &Value) -> Result<i64, EngineError> {
    Ok(match value {
        Value::Int(value) | Value::Duration(value) => value.signum(),
        Value::Decimal { minor, .. } => minor.signum() as i64,
        Value::Float(value) => i64::from(*value > 0.0) - i64::from(*value < 0.0),
        other => return Err(wrong(func, std::slice::from_ref(other))),
    })
}

pub(super) fn abs(func: Func, value: &Value) -> Evaluated {
    if sign(func, value)? < 0 { negate(func, value) } else { Ok(value.clone()) }
}

/// Rounded to so many digits after the point, half away from zero.
pub(super) fn round(func: Func, value: &Value, digits: i64) -> Evaluated {
    let digits = u8::try_from(digits).unwrap_or(if digits < 0 { 0 } else { 38 }).min(38);
    match value {
        Value::Int(value) => Ok(Value::Int(*value)),
        Value::Decimal { minor, scale } => {
            let to = digits.min(*scale);
            decimal(rescale(*minor, *scale, to, Half::AwayFromZero), to, func)
        }
        Value::Float(value) => {
            let factor = pow10(digits) as f64;
            let scaled = value * factor;
            // A double that large has no digits after the point.
            Ok(Value::finite(if scaled.is_finite() { scaled.round() / factor } else { *value }))
        }
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

pub(super) fn floor(func: Func, value: &Value) -> Evaluated {
    match value {
        Value::Int(value) => Ok(Value::Int(*value)),
        Value::Decimal { minor, scale } => decimal(Some(minor.div_euclid(pow10(*scale))), 0, func),
        Value::Float(value) => Ok(Value::finite(value.floor())),
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

pub(super) fn ceil(func: Func, value: &Value) -> Evaluated {
    match value {
        Value::Int(value) => Ok(Value::Int(*value)),
        Value::Decimal { minor, scale } => {
            decimal(Some(-(-minor).div_euclid(pow10(*scale))), 0, func)
        }
        Value::Float(value) => Ok(Value::finite(value.ceil())),
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

/// An exact decimal with so many digits after the point, halves to even.
pub(super) fn to_money(func: Func, value: &Value, scale: u8) -> Evaluated {
    let minor = match value {
        Value::Int(value) => rescale(i128::from(*value), 0, scale, Half::ToEven),
        Value::Decimal { minor, scale: own } => rescale(*minor, *own, scale, Half::ToEven),
        // Doubles beyond `i128` become its ends, which are beyond 38 digits.
        Value::Float(value) => Some((value * pow10(scale) as f64).round_ties_even() as i128),
        other => return Err(wrong(func, std::slice::from_ref(other))),
    };
    decimal(minor, scale, func)
}
