//! Functions of groups of rows.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluate::{Evaluated, Row, evaluate};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, Value, pow10};
use crate::ir::{Calendar, Expr, Measure, MeasureFunc};
use crate::stats::{self, ExactSum, Moments};

/// The rows of a group.
pub(super) type Group<'a> = Vec<Row<'a>>;

/// A measure of a group.
pub(super) fn measure(measure: &Measure, group: &Group, calendar: &Calendar) -> Evaluated {
    let mut rows = Group::new();
    for &row in group {
        let passes = match &measure.filter {
            Some(filter) => evaluate(filter, row, calendar)? == Value::Bool(true),
            None => true,
        };
        if passes {
            rows.push(row);
        }
    }
    let all = |expr: &Expr| -> Result<Vec<Value>, EngineError> {
        rows.iter().map(|&row| evaluate(expr, row, calendar)).collect()
    };
    let present = |expr: &Expr| -> Result<Vec<Value>, EngineError> {
        Ok(all(expr)?.into_iter().filter(|value| !value.is_null()).collect())
    };
    let pairs = |of: &Expr, with: &Expr| -> Result<BTreeMap<Value, Vec<Value>>, EngineError> {
        let mut by_value: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
        for (of, with) in all(of)?.into_iter().zip(all(with)?) {
            if !of.is_null() {
                by_value.entry(of).or_default().push(with);
            }
        }
        Ok(by_value)
    };
    Ok(match &measure.func {
        MeasureFunc::CountRows => count(rows.len()),
        MeasureFunc::Count(value) => count(present(value)?.len()),
        MeasureFunc::CountDistinct(value) => {
            count(present(value)?.into_iter().collect::<BTreeSet<_>>().len())
        }
        MeasureFunc::Sum(value) => sum(&present(value)?, value.data_type)?,
        MeasureFunc::Min(value) => present(value)?.into_iter().min().unwrap_or_default(),
        MeasureFunc::Max(value) => present(value)?.into_iter().max().unwrap_or_default(),
        MeasureFunc::Mean(value) => mean(&present(value)?, value.data_type)?,
        MeasureFunc::Variance(value) => number(moments(&present(value)?).variance()),
        MeasureFunc::Quantile { value, at } => {
            number(stats::quantile_of_sorted(&sorted(&present(value)?), *at))
        }
        MeasureFunc::RankBound { value, at, z, upper } => {
            let values = sorted(&present(value)?);
            let (low, high) = stats::rank_bounds(values.len(), *at, *z);
            // Ranks count from 1.
            let rank = if *upper { high } else { low };
            number(rank.and_then(|rank| values.get(rank.checked_sub(1)?).copied()))
        }
        MeasureFunc::LastingQuantile { value, at, bound } => {
            let mut durations = sorted(&present(value)?);
            number(stats::censored_quantile(&mut durations, *at, *bound))
        }
        MeasureFunc::CountReaching { of, weight, least } => {
            let mut reaching = 0;
            for weights in pairs(of, weight)?.values() {
                reaching += usize::from(reaches(&sum(weights, weight.data_type)?, *least));
            }
            count(reaching)
        }
        MeasureFunc::CountVarying { of, by } => {
            let pairs = pairs(of, by)?;
            let varying = pairs.values().filter(|values| {
                let present = values.iter().filter(|value| !value.is_null());
                present.collect::<BTreeSet<_>>().len() >= 2
            });
            count(varying.count())
        }
        MeasureFunc::First { value, order } => {
            let mut first: Option<(Vec<Value>, Value)> = None;
            for &row in &rows {
                let key = order.iter().map(|expr| evaluate(expr, row, calendar));
                // Rows that tie have one value, or the smallest is taken: never the first met.
                let here = (key.collect::<Result<Vec<_>, _>>()?, evaluate(value, row, calendar)?);
                if first.as_ref().is_none_or(|first| here < *first) {
                    first = Some(here);
                }
            }
            first.map(|(_, value)| value).unwrap_or_default()
        }
    })
}

fn count(rows: usize) -> Value {
    Value::Int(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn number(value: Option<f64>) -> Value {
    value.map_or(Value::Null, Value::finite)
}

/// The sum of values of one type, nulls as 0, in the type that sums of it have.
pub(super) fn sum(values: &[Value], data_type: DataType) -> Evaluated {
    if data_type == DataType::Float64 {
        let mut sum = ExactSum::default();
        values.iter().filter_map(Value::as_f64).for_each(|value| sum.add(value));
        return Ok(number(sum.value()));
    }
    exact_value(exact_sum(values, data_type)?, data_type)
}

/// The sum of each value and those before it, nulls as 0.
pub(super) fn running_sums<'a>(
    values: impl Iterator<Item = &'a Value>,
    data_type: DataType,
) -> Result<Vec<Value>, EngineError> {
    let mut total: i128 = 0;
    let mut sums = Vec::new();
    for value in values {
        let term = exact_sum(std::slice::from_ref(value), data_type)?;
        total = total.checked_add(term).ok_or_else(overflow)?;
        sums.push(exact_value(total, data_type)?);
    }
    Ok(sums)
}

fn overflow() -> EngineError {
    EvaluateError::Overflow { function: "sum".into() }.into()
}

fn scale_of(data_type: DataType) -> u8 {
    match data_type {
        DataType::Decimal { scale, .. } => scale,
        _ => 0,
    }
}

/// The sum of whole numbers, decimals or durations, in units of the type's last digit.
fn exact_sum(values: &[Value], data_type: DataType) -> Result<i128, EngineError> {
    let scale = scale_of(data_type);
    let mut total: i128 = 0;
    for value in values {
        let term = match value {
            Value::Null => Some(0),
            Value::Int(value) | Value::Duration(value) => Some(i128::from(*value)),
            Value::Decimal { minor, scale: own } if *own <= scale => {
                minor.checked_mul(pow10(scale - own))
            }
            other => {
                return Err(EngineError::Internal(format!("a sum of {data_type} with {other:?}")));
            }
        };
        total = term.and_then(|term| total.checked_add(term)).ok_or_else(overflow)?;
    }
    Ok(total)
}

fn exact_value(total: i128, data_type: DataType) -> Evaluated {
    let value = match data_type {
        DataType::Decimal { scale, .. } => {
            let within = total.unsigned_abs() < pow10(38).unsigned_abs();
            within.then_some(Value::Decimal { minor: total, scale })
        }
        DataType::Duration => i64::try_from(total).ok().map(Value::Duration),
        _ => i64::try_from(total).ok().map(Value::Int),
    };
    value.ok_or_else(overflow)
}

fn mean(values: &[Value], data_type: DataType) -> Evaluated {
    if values.is_empty() {
        return Ok(Value::Null);
    }
    if data_type == DataType::Float64 {
        return Ok(number(moments(values).mean()));
    }
    let total = exact_sum(values, data_type)? as f64;
    Ok(Value::finite(total / pow10(scale_of(data_type)) as f64 / values.len() as f64))
}

fn moments(values: &[Value]) -> Moments {
    let mut moments = Moments::default();
    values.iter().filter_map(Value::as_f64).for_each(|value| moments.add(value));
    moments
}

fn sorted(values: &[Value]) -> Vec<f64> {
    let mut numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Whether a sum is at least a whole number.
fn reaches(sum: &Value, least: i64) -> bool {
    match sum {
        Value::Float(sum) => *sum >= least as f64,
        Value::Decimal { .. } => *sum >= Value::Decimal { minor: i128::from(least), scale: 0 },
        Value::Int(sum) | Value::Duration(sum) => *sum >= least,
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Date(_) | Value::Timestamp(_) => {
            false
        }
    }
}
