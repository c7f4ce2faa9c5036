//! What each function does to arrays.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    PrimitiveArray, Scalar, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::{boolean, cmp, numeric, zip};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::evaluate::overflow;
use super::{cast, temporal};
use crate::document::TimeUnit;
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, FrameError, Value, draw_number, pow10, value_at};
use crate::ir::{Calendar, Func, Words, sentiment};

/// No decimal has more than 38 digits.
pub(super) const LARGEST: i128 = 10i128.pow(38);

pub(super) fn arrow_error(error: ArrowError) -> EngineError {
    EngineError::Frame(FrameError::Arrow(error))
}

/// Compares an array with one value; `None` if the function is not a comparison.
pub(super) fn compare_with(
    func: Func,
    left: &ArrayRef,
    value: &Value,
    data_type: DataType,
) -> Result<Option<ArrayRef>, EngineError> {
    if value.is_null() || !func.is_comparison() {
        return Ok(None);
    }
    let right = crate::frame::column_of(data_type, std::iter::once(value)).map_err(arrow_error)?;
    if left.data_type() != right.data_type() && !is_decimal_pair(left, &right) {
        return Ok(None);
    }
    let left = unify_precision(left)?;
    let right = Scalar::new(unify_precision(&right)?);
    compare(func, &left, &right).map(|array| Some(Arc::new(array) as ArrayRef))
}

fn is_decimal_pair(left: &ArrayRef, right: &ArrayRef) -> bool {
    use arrow::datatypes::DataType as A;
    matches!(
        (left.data_type(), right.data_type()),
        (A::Decimal128(_, a), A::Decimal128(_, b)) if a == b
    )
}

/// Decimals of one scale compare whatever their precision says.
fn unify_precision(array: &ArrayRef) -> Result<ArrayRef, EngineError> {
    use arrow::datatypes::DataType as A;
    match array.data_type() {
        A::Decimal128(precision, scale) if *precision != 38 => Ok(Arc::new(
            array
                .as_primitive::<Decimal128Type>()
                .clone()
                .with_precision_and_scale(38, *scale)
                .map_err(arrow_error)?,
        )),
        _ => Ok(array.clone()),
    }
}

fn compare(
    func: Func,
    left: &dyn arrow::array::Datum,
    right: &dyn arrow::array::Datum,
) -> Result<BooleanArray, EngineError> {
    match func {
        Func::Equal => cmp::eq(left, right),
        Func::NotEqual => cmp::neq(left, right),
        Func::Less => cmp::lt(left, right),
        Func::LessEqual => cmp::lt_eq(left, right),
        Func::Greater => cmp::gt(left, right),
        Func::GreaterEqual => cmp::gt_eq(left, right),
        _ => cmp::distinct(left, right),
    }
    .map_err(arrow_error)
}

/// Calls a function on arrays of the same length and of the types it was typed for.
pub(super) fn call(
    func: Func,
    args: &[ArrayRef],
    result: DataType,
    rows: usize,
    calendar: &Calendar,
) -> Result<ArrayRef, EngineError> {
    Ok(match func {
        Func::Equal
        | Func::NotEqual
        | Func::Less
        | Func::LessEqual
        | Func::Greater
        | Func::GreaterEqual
        | Func::IsDistinct => {
            Arc::new(compare(func, &unify_precision(&args[0])?, &unify_precision(&args[1])?)?)
        }
        Func::And => Arc::new(
            boolean::and_kleene(args[0].as_boolean(), args[1].as_boolean()).map_err(arrow_error)?,
        ),
        Func::Or => Arc::new(
            boolean::or_kleene(args[0].as_boolean(), args[1].as_boolean()).map_err(arrow_error)?,
        ),
        Func::Not => Arc::new(boolean::not(args[0].as_boolean()).map_err(arrow_error)?),
        Func::IsNull => Arc::new(boolean::is_null(&args[0]).map_err(arrow_error)?),
        Func::In => {
            let mut found: Option<BooleanArray> = None;
            for member in &args[1..] {
                let equal =
                    compare(Func::Equal, &unify_precision(&args[0])?, &unify_precision(member)?)?;
                found = Some(match found {
                    None => equal,
                    Some(so_far) => boolean::or_kleene(&so_far, &equal).map_err(arrow_error)?,
                });
            }
            Arc::new(found.unwrap_or_else(|| BooleanArray::new_null(rows)))
        }
        Func::Case => {
            let (otherwise, pairs) = split_last(args)?;
            let mut chosen = typed(otherwise, result)?;
            for pair in pairs.chunks(2).rev() {
                let [condition, value] = pair else { continue };
                let condition = mask(condition.as_boolean());
                chosen = choose(&condition, &typed(value, result)?, &chosen)?;
            }
            chosen
        }
        Func::Coalesce => {
            let (last, firsts) = split_last(args)?;
            let mut chosen = typed(last, result)?;
            for value in firsts.iter().rev() {
                let value = typed(value, result)?;
                chosen = match value.null_count() {
                    0 => value,
                    _ => {
                        let present = boolean::is_not_null(&value).map_err(arrow_error)?;
                        choose(&present, &value, &chosen)?
                    }
                };
            }
            chosen
        }
        Func::NullIf => {
            let equal =
                compare(Func::Equal, &unify_precision(&args[0])?, &unify_precision(&args[1])?)?;
            let nulls = arrow::array::new_null_array(args[0].data_type(), rows);
            zip::zip(&mask(&equal), &nulls, &args[0]).map_err(arrow_error)?
        }
        Func::Least | Func::Greatest => {
            let mut chosen = typed(&args[0], result)?;
            for value in &args[1..] {
                let value = typed(value, result)?;
                let better = if func == Func::Least {
                    compare(Func::Less, &value, &chosen)?
                } else {
                    compare(Func::Greater, &value, &chosen)?
                };
                let missing = boolean::is_null(&chosen).map_err(arrow_error)?;
                let take = boolean::or(&mask(&better), &missing).map_err(arrow_error)?;
                chosen = zip::zip(&take, &value, &chosen).map_err(arrow_error)?;
            }
            chosen
        }
        Func::Add | Func::Subtract | Func::Multiply | Func::Modulo => {
            arithmetic(func, &args[0], &args[1], result)?
        }
        Func::Divide => floats(&args[0], &args[1], |a, b| (b != 0.0).then(|| a / b)),
        Func::Negate => match result {
            DataType::Float64 => float(&args[0], |x| Some(-x)),
            DataType::Decimal { .. } => {
                decimal(&args[0], result, |x| x.checked_neg().ok_or_else(|| overflow(func)))?
            }
            DataType::Duration => {
                integer::<DurationMicrosecondType>(&args[0], |x| x.checked_neg(), func)?
            }
            _ => integer::<Int64Type>(&args[0], |x| x.checked_neg(), func)?,
        },
        Func::Abs => match result {
            DataType::Float64 => float(&args[0], |x| Some(x.abs())),
            DataType::Decimal { .. } => {
                decimal(&args[0], result, |x| x.checked_abs().ok_or_else(|| overflow(func)))?
            }
            DataType::Duration => {
                integer::<DurationMicrosecondType>(&args[0], |x| x.checked_abs(), func)?
            }
            _ => integer::<Int64Type>(&args[0], |x| x.checked_abs(), func)?,
        },
        Func::Sign => sign(&args[0]),
        Func::Round => round(&args[0], &args[1], result)?,
        Func::Floor | Func::Ceil => floor_or_ceil(func, &args[0], result)?,
        Func::Sqrt => float(&args[0], |x| (x >= 0.0).then(|| x.sqrt())),
        Func::Exp => float(&args[0], |x| Some(x.exp())),
        Func::Ln => float(&args[0], |x| (x > 0.0).then(|| x.ln())),
        Func::Power => floats(&args[0], &args[1], |a, b| Some(a.powf(b))),
        Func::Cast(to) => cast::cast(&args[0], to, calendar, true)?,
        Func::TryCast(to) => cast::cast(&args[0], to, calendar, false)?,
        Func::ToMoney(scale) => cast::to_money(&args[0], scale)?,
        Func::Concat => concat(args),
        Func::Lower => strings(args, |parts| Some(parts[0].to_lowercase())),
        Func::Upper => strings(args, |parts| Some(parts[0].to_uppercase())),
        Func::Trim => strings(args, |parts| Some(parts[0].trim().to_owned())),
        Func::Replace => strings(args, |parts| {
            Some(match parts[1] {
                "" => parts[0].to_owned(),
                search => parts[0].replace(search, parts[2]),
            })
        }),
        Func::Length => {
            let texts = args[0].as_string::<i32>();
            Arc::new(
                texts
                    .iter()
                    .map(|text| text.map(|text| text.chars().count() as i64))
                    .collect::<Int64Array>(),
            )
        }
        Func::Substring => {
            let (texts, froms, counts) = (
                args[0].as_string::<i32>(),
                args[1].as_primitive::<Int64Type>(),
                args[2].as_primitive::<Int64Type>(),
            );
            Arc::new(
                (0..rows)
                    .map(|row| {
                        let present =
                            !(texts.is_null(row) || froms.is_null(row) || counts.is_null(row));
                        present.then(|| {
                            substring(texts.value(row), froms.value(row), counts.value(row))
                        })
                    })
                    .collect::<StringArray>(),
            )
        }
        Func::StartsWith => matches(args, |text, part| text.starts_with(part)),
        Func::EndsWith => matches(args, |text, part| text.ends_with(part)),
        Func::Contains => matches(args, |text, part| text.contains(part)),
        Func::Mentions => mentions(args),
        Func::Sentiment => {
            let (texts, languages) = (args[0].as_string::<i32>(), args[1].as_string::<i32>());
            let tones = texts.iter().zip(languages).map(|(text, language)| {
                let (text, language) = (text?, language?);
                sentiment::is_scored(language).then(|| sentiment::score(text))?
            });
            Arc::new(tones.collect::<Float64Array>())
        }
        Func::Like => with_pattern(args, |pattern| {
            let translated: String = pattern
                .chars()
                .map(|c| match c {
                    '%' => "(?s:.*)".to_owned(),
                    '_' => "(?s:.)".to_owned(),
                    other => regex::escape(other.encode_utf8(&mut [0; 4])),
                })
                .collect();
            regex::Regex::new(&format!("^{translated}$")).ok()
        }),
        Func::RegexpMatches => with_pattern(args, |pattern| regex::Regex::new(pattern).ok()),
        Func::DateTrunc(unit) => match unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => {
                temporal::truncate_clock(&args[0], unit, calendar)
            }
            _ => temporal::period_start_of(&args[0], unit, calendar),
        },
        Func::Extract(part) => temporal::extract(&args[0], part, calendar),
        Func::Shift(interval) => temporal::shift(&args[0], interval, calendar, func)?,
        Func::AddDuration => {
            let (times, durations) = (
                args[0].as_primitive::<TimestampMicrosecondType>(),
                args[1].as_primitive::<DurationMicrosecondType>(),
            );
            let sums = times
                .iter()
                .zip(durations)
                .map(|pair| match pair {
                    (Some(time), Some(duration)) => {
                        time.checked_add(duration).map(Some).ok_or_else(|| overflow(func))
                    }
                    _ => Ok(None),
                })
                .collect::<Result<TimestampMicrosecondArray, _>>()?;
            Arc::new(sums.with_timezone("UTC"))
        }
        Func::AddDays => temporal::add_days(&args[0], &args[1], func)?,
        Func::Between => temporal::between(&args[0], &args[1], func)?,
        Func::Elapsed(unit) => temporal::elapsed(&args[0], &args[1], unit),
        Func::OpenHours(hours) => temporal::open_hours(&args[0], &args[1], hours, calendar),
        Func::Steps(length) => temporal::steps(&args[0], &args[1], length, func)?,
        Func::DateDiff(unit) => temporal::date_diff(&args[0], &args[1], unit, calendar),
        Func::PeriodOf(unit) => temporal::period_of(&args[0], unit, calendar),
        Func::PeriodStart(unit) => {
            let periods = args[0].as_primitive::<Int64Type>();
            Arc::new(
                periods
                    .iter()
                    .map(|period| period.map(|period| calendar.period_start(unit, period)))
                    .collect::<Date32Array>(),
            )
        }
        Func::DrawNumber(seed) => Arc::new(
            (0..rows)
                .map(|row| {
                    let values: Vec<Value> = args.iter().map(|of| value_at(of, row)).collect();
                    draw_number(seed, &values)
                })
                .collect::<Int64Array>(),
        ),
        Func::Pseudonym(key) => {
            let pseudonym = key.maker();
            strings(args, |parts| Some(pseudonym(parts[0])))
        }
        Func::WilsonLow | Func::WilsonHigh => many(args, rows, |x| {
            crate::stats::wilson(x[0], x[1], x[2])
                .map(|(low, high)| if func == Func::WilsonLow { low } else { high })
        }),
        Func::MultinomialLow | Func::MultinomialHigh => many(args, rows, |x| {
            crate::stats::multinomial(x[0], x[1], x[2], x[3], x[4])
                .map(|(low, high)| if func == Func::MultinomialLow { low } else { high })
        }),
        Func::StudentT => many(args, rows, |x| crate::stats::student_t_quantile(x[0], x[1])),
    })
}

fn split_last(args: &[ArrayRef]) -> Result<(&ArrayRef, &[ArrayRef]), EngineError> {
    args.split_last().ok_or_else(|| EngineError::Internal("a call without arguments".into()))
}

/// True where the condition is true; null counts as false.
pub(super) fn mask(condition: &BooleanArray) -> BooleanArray {
    match condition.null_count() {
        // Arrow's own function panics where there is nothing to do.
        0 => condition.clone(),
        _ => arrow::compute::prep_null_mask_filter(condition),
    }
}

/// The first where a condition is true, else the second; the condition has no nulls.
fn choose(
    condition: &BooleanArray,
    first: &ArrayRef,
    second: &ArrayRef,
) -> Result<ArrayRef, EngineError> {
    let (Some(a), Some(b)) = (first.as_boolean_opt(), second.as_boolean_opt()) else {
        return zip::zip(condition, first, second).map_err(arrow_error);
    };
    // Truths are chosen 64 at a time.
    let of = |a: &BooleanBuffer, b: &BooleanBuffer| {
        let chosen = condition.values();
        &(chosen & a) | &(&!chosen & b)
    };
    let nulls = (a.null_count() + b.null_count() > 0).then(|| {
        let valid = |array: &BooleanArray| match array.nulls() {
            Some(nulls) => nulls.inner().clone(),
            None => BooleanBuffer::new_set(array.len()),
        };
        NullBuffer::new(of(&valid(a), &valid(b)))
    });
    Ok(Arc::new(BooleanArray::new(of(a.values(), b.values()), nulls)))
}

/// The array under the Arrow type of the result: decimals differ in precision only.
fn typed(array: &ArrayRef, result: DataType) -> Result<ArrayRef, EngineError> {
    match result {
        DataType::Decimal { precision, scale } => Ok(Arc::new(
            array
                .as_primitive::<Decimal128Type>()
                .clone()
                .with_precision_and_scale(precision, scale as i8)
                .map_err(arrow_error)?,
        )),
        _ => Ok(array.clone()),
    }
}

/// A function of doubles; what is not finite is null.
fn float(array: &ArrayRef, f: impl Fn(f64) -> Option<f64>) -> ArrayRef {
    let values = array.as_primitive::<Float64Type>();
    Arc::new(values.iter().map(|x| x.and_then(&f).and_then(finite)).collect::<Float64Array>())
}

/// A function of two doubles; what is not finite is null.
fn floats(left: &ArrayRef, right: &ArrayRef, f: impl Fn(f64, f64) -> Option<f64>) -> ArrayRef {
    let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
    Arc::new(
        left.iter().zip(right).map(|(a, b)| f(a?, b?).and_then(finite)).collect::<Float64Array>(),
    )
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x + 0.0)
}

/// A function of several doubles; null if one of them is.
fn many(args: &[ArrayRef], rows: usize, f: impl Fn(&[f64]) -> Option<f64>) -> ArrayRef {
    let columns: Vec<&Float64Array> =
        args.iter().map(|array| array.as_primitive::<Float64Type>()).collect();
    let mut values = vec![0.0; columns.len()];
    Arc::new(
        (0..rows)
            .map(|row| {
                for (value, column) in values.iter_mut().zip(&columns) {
                    *value = column.is_valid(row).then(|| column.value(row))?;
                }
                f(&values).and_then(finite)
            })
            .collect::<Float64Array>(),
    )
}

fn integer<T: ArrowPrimitiveType<Native = i64>>(
    array: &ArrayRef,
    f: impl Fn(i64) -> Option<i64>,
    func: Func,
) -> Result<ArrayRef, EngineError> {
    let values = array.as_primitive::<T>();
    let computed = values
        .iter()
        .map(|x| x.map(|x| f(x).ok_or_else(|| overflow(func))).transpose())
        .collect::<Result<PrimitiveArray<T>, _>>()?;
    Ok(Arc::new(computed))
}

/// A function of decimals giving decimals of the result's scale.
pub(super) fn decimal(
    array: &ArrayRef,
    result: DataType,
    f: impl Fn(i128) -> Result<i128, EvaluateError>,
) -> Result<ArrayRef, EngineError> {
    let values = array.as_primitive::<Decimal128Type>();
    let computed =
        values.iter().map(|x| x.map(&f).transpose()).collect::<Result<Decimal128Array, _>>()?;
    typed(&(Arc::new(computed) as ArrayRef), result)
}

fn arithmetic(
    func: Func,
    left: &ArrayRef,
    right: &ArrayRef,
    result: DataType,
) -> Result<ArrayRef, EngineError> {
    match result {
        DataType::Float64 => Ok(floats(left, right, |a, b| match func {
            Func::Add => Some(a + b),
            Func::Subtract => Some(a - b),
            Func::Multiply => Some(a * b),
            _ => (b != 0.0).then(|| a % b),
        })),
        DataType::Decimal { .. } => {
            let (left, right) =
                (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
            let computed = left
                .iter()
                .zip(right)
                .map(|(a, b)| {
                    let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
                    let value = match func {
                        Func::Add => a.checked_add(b),
                        Func::Subtract => a.checked_sub(b),
                        Func::Multiply => a.checked_mul(b),
                        _ if b == 0 => return Ok(None),
                        _ => a.checked_rem(b),
                    };
                    match value {
                        Some(value) if value.abs() < LARGEST => Ok(Some(value)),
                        _ => Err(overflow(func)),
                    }
                })
                .collect::<Result<Decimal128Array, _>>()?;
            typed(&(Arc::new(computed) as ArrayRef), result)
        }
        _ => {
            let (left, right) =
                (left.as_primitive::<Int64Type>(), right.as_primitive::<Int64Type>());
            // All that can be wrong with whole numbers is that they become too large.
            let checked = match func {
                Func::Add => numeric::add(left, right),
                Func::Subtract => numeric::sub(left, right),
                Func::Multiply => numeric::mul(left, right),
                _ => {
                    let rest = |(a, b): (Option<i64>, Option<i64>)| match (a?, b?) {
                        (_, 0) => None,
                        (a, b) => Some(a.wrapping_rem(b)),
                    };
                    Ok(Arc::new(left.iter().zip(right).map(rest).collect::<Int64Array>())
                        as ArrayRef)
                }
            };
            checked.map_err(|_| overflow(func).into())
        }
    }
}

fn sign(array: &ArrayRef) -> ArrayRef {
    use arrow::datatypes::DataType as A;
    let signs: Int64Array = match array.data_type() {
        A::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .map(|x| {
                x.map(|x| {
                    if x > 0.0 {
                        1
                    } else if x < 0.0 {
                        -1
                    } else {
                        0
                    }
                })
            })
            .collect(),
        A::Decimal128(_, _) => array
            .as_primitive::<Decimal128Type>()
            .iter()
            .map(|x| x.map(|x| x.signum() as i64))
            .collect(),
        A::Int32 => array
            .as_primitive::<Int32Type>()
            .iter()
            .map(|x| x.map(|x| i64::from(x.signum())))
            .collect(),
        _ => array.as_primitive::<Int64Type>().iter().map(|x| x.map(i64::signum)).collect(),
    };
    Arc::new(signs)
}

fn round(array: &ArrayRef, digits: &ArrayRef, result: DataType) -> Result<ArrayRef, EngineError> {
    use arrow::datatypes::DataType as A;
    let digits = digits.as_primitive::<Int64Type>();
    let digits = if digits.is_empty() { 0 } else { digits.value(0) };
    match (array.data_type(), result) {
        (A::Float64, _) => {
            let factor = pow10(digits as u8) as f64;
            Ok(float(array, |x| {
                let scaled = x * factor;
                Some(if scaled.is_finite() { scaled.round() / factor } else { x })
            }))
        }
        (A::Decimal128(_, from), DataType::Decimal { scale, .. }) => {
            let step = pow10(*from as u8 - scale);
            decimal(array, result, |x| Ok(cast::round_half_away(x, step)))
        }
        _ => Ok(array.clone()),
    }
}

fn floor_or_ceil(func: Func, array: &ArrayRef, result: DataType) -> Result<ArrayRef, EngineError> {
    use arrow::datatypes::DataType as A;
    match array.data_type() {
        A::Float64 => {
            Ok(float(array, |x| Some(if func == Func::Floor { x.floor() } else { x.ceil() })))
        }
        A::Decimal128(_, scale) => {
            let step = pow10(*scale as u8);
            decimal(array, result, |x| {
                Ok(match func {
                    Func::Floor => x.div_euclid(step),
                    _ => -(-x).div_euclid(step),
                })
            })
        }
        _ => Ok(array.clone()),
    }
}

/// Texts one behind the other; null if one of them is.
fn concat(args: &[ArrayRef]) -> ArrayRef {
    let columns: Vec<&StringArray> = args.iter().map(|array| array.as_string::<i32>()).collect();
    let rows = columns.first().map_or(0, |column| column.len());
    let bytes = columns.iter().map(|column| column.value_data().len()).sum();
    let mut texts = StringBuilder::with_capacity(rows, bytes);
    for row in 0..rows {
        if columns.iter().any(|column| column.is_null(row)) {
            texts.append_null();
            continue;
        }
        for column in &columns {
            // Writing to a builder never fails.
            let _ = texts.write_str(column.value(row));
        }
        texts.append_value("");
    }
    Arc::new(texts.finish())
}

/// A function of texts; null if one of them is.
fn strings(args: &[ArrayRef], f: impl Fn(&[&str]) -> Option<String>) -> ArrayRef {
    let columns: Vec<&StringArray> = args.iter().map(|array| array.as_string::<i32>()).collect();
    let rows = columns.first().map_or(0, |column| column.len());
    let mut parts = vec![""; columns.len()];
    Arc::new(
        (0..rows)
            .map(|row| {
                for (part, column) in parts.iter_mut().zip(&columns) {
                    *part = column.is_valid(row).then(|| column.value(row))?;
                }
                f(&parts)
            })
            .collect::<StringArray>(),
    )
}

fn matches(args: &[ArrayRef], f: impl Fn(&str, &str) -> bool) -> ArrayRef {
    let (texts, parts) = (args[0].as_string::<i32>(), args[1].as_string::<i32>());
    Arc::new(
        texts.iter().zip(parts).map(|(text, part)| Some(f(text?, part?))).collect::<BooleanArray>(),
    )
}

/// Whether texts hold one of some words, which are the same in every row.
fn mentions(args: &[ArrayRef]) -> ArrayRef {
    let columns: Vec<&StringArray> = args.iter().map(|array| array.as_string::<i32>()).collect();
    let words = columns.iter().skip(1).filter(|words| !words.is_empty());
    let words = Words::new(&words.map(|words| words.value(0)).collect::<Vec<&str>>());
    let found = columns[0].iter().map(|text| text.map(|text| words.are_in(text)));
    Arc::new(found.collect::<BooleanArray>())
}

/// Matches texts against patterns, compiling a pattern again only when it changes.
fn with_pattern(args: &[ArrayRef], compile: impl Fn(&str) -> Option<regex::Regex>) -> ArrayRef {
    let (texts, patterns) = (args[0].as_string::<i32>(), args[1].as_string::<i32>());
    let mut compiled: Option<(String, Option<regex::Regex>)> = None;
    Arc::new(
        texts
            .iter()
            .zip(patterns)
            .map(|(text, pattern)| {
                let (text, pattern) = (text?, pattern?);
                if compiled.as_ref().is_none_or(|(last, _)| last != pattern) {
                    compiled = Some((pattern.to_owned(), compile(pattern)));
                }
                let (_, expression) = compiled.as_ref()?;
                Some(expression.as_ref()?.is_match(text))
            })
            .collect::<BooleanArray>(),
    )
}

fn substring(text: &str, from: i64, count: i64) -> String {
    let end = from.saturating_add(count.max(0));
    let skipped = from.max(1) - 1;
    let taken = end.saturating_sub(1).saturating_sub(skipped).max(0);
    text.chars().skip(skipped as usize).take(taken as usize).collect()
}

/// Days of a date array.
pub(super) fn dates(array: &ArrayRef) -> &Date32Array {
    array.as_primitive::<Date32Type>()
}
