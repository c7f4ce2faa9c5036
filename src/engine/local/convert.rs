//! Values as files hold them, in our types.
//!
//! Whole numbers are widened to int64, instants become microseconds of UTC, text may stay a dictionary.
//! Fixed and variable bytes become text: sixteen bytes in the form of a UUID, any other number as
//! lower-case hexadecimal digits. A value that has no place in the type is null, and is told of.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute;
use arrow::datatypes::{
    DataType as ArrowType, Date64Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::kernel::dates;
use crate::document::{Instant, parse_instant};
use crate::frame::{DataType, Value, parse_decimal, pow10};
use crate::ir::Calendar;

/// Rows whose value has no place in the type wanted, and what they have instead: "a whole number larger
/// than int64 holds".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub fault: &'static str,
    pub rows: Vec<usize>,
}

/// An array of a file as one of our types, with null where a value does not fit.
///
/// # Errors
/// A type that is never read as the one wanted.
pub(super) fn convert(
    column: &ArrayRef,
    to: DataType,
    calendar: &Calendar,
) -> Result<(ArrayRef, Option<Unfit>), String> {
    let cast = |column: &ArrayRef, to: &ArrowType| {
        compute::cast(column, to).map_err(|error| error.to_string())
    };
    let converted = match (column.data_type(), to) {
        (found, _) if *found == to.arrow() => return Ok((column.clone(), None)),
        (ArrowType::Dictionary(_, values), DataType::String)
            if values.as_ref() == &ArrowType::Utf8 =>
        {
            return Ok((column.clone(), None));
        }
        (ArrowType::FixedSizeBinary(_) | ArrowType::LargeBinary | ArrowType::BinaryView, _) => {
            return convert(&cast(column, &ArrowType::Binary)?, to, calendar).map(
                |(texts, unfit)| match column.data_type() {
                    ArrowType::FixedSizeBinary(16) => (as_uuids(&texts), unfit),
                    _ => (texts, unfit),
                },
            );
        }
        (ArrowType::Binary, DataType::String) => hexadecimal(column),
        (ArrowType::UInt64, DataType::Int64) => {
            let values = column.as_primitive::<UInt64Type>();
            Arc::new(values.iter().map(|x| i64::try_from(x?).ok()).collect::<Int64Array>())
        }
        (ArrowType::Timestamp(unit, zone), DataType::Timestamp) => {
            let ticks = cast(column, &ArrowType::Int64)?;
            let (times, over) = match unit {
                TimeUnit::Second => (1_000_000, 1),
                TimeUnit::Millisecond => (1_000, 1),
                TimeUnit::Microsecond => (1, 1),
                TimeUnit::Nanosecond => (1, 1_000),
            };
            let local = zone.is_none();
            let micros = |tick: i64| {
                let micros = tick.checked_mul(times)?.div_euclid(over);
                Some(if local { calendar.instant_of_local(micros) } else { micros })
            };
            let ticks = ticks.as_primitive::<Int64Type>();
            let micros: TimestampMicrosecondArray =
                ticks.iter().map(|tick| micros(tick?)).collect();
            Arc::new(micros.with_timezone("UTC"))
        }
        (ArrowType::Date64, DataType::Date) => {
            let days = |millis: i64| i32::try_from(millis.div_euclid(86_400_000)).ok();
            let values = column.as_primitive::<Date64Type>();
            Arc::new(values.iter().map(|x| days(x?)).collect::<arrow::array::Date32Array>())
        }
        (ArrowType::Date64, DataType::Timestamp) => {
            let (days, unfit) = convert(column, DataType::Date, calendar)?;
            return Ok((midnights(&days, calendar), unfit));
        }
        (ArrowType::Date32, DataType::Timestamp) => midnights(column, calendar),
        (found, DataType::Decimal { .. }) if found.is_integer() => {
            let (whole, unfit) = convert(column, DataType::Int64, calendar)?;
            return Ok((cast(&whole, &to.arrow())?, unfit));
        }
        // What does not fit is null afterwards, which is looked at below.
        _ => cast(column, &to.arrow())?,
    };
    let fault = match (column.data_type(), to) {
        (ArrowType::UInt64, _) => "a whole number larger than int64 holds",
        (ArrowType::Timestamp(_, _), _) => "a timestamp beyond the range of microseconds",
        (_, DataType::Decimal { .. }) => "a number of more than 38 digits",
        _ => "a value that its type does not hold",
    };
    let rows = newly_null(column, &converted);
    let unfit = (!rows.is_empty()).then_some(Unfit { fault, rows });
    Ok((converted, unfit))
}

/// Rows that are null after a conversion and were not before.
fn newly_null(before: &ArrayRef, after: &ArrayRef) -> Vec<usize> {
    // Of a dictionary's values only those count that a row has.
    let nulls = before.logical_nulls();
    if after.null_count() == nulls.as_ref().map_or(0, |nulls| nulls.null_count()) {
        return Vec::new();
    }
    let was_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    (0..after.len()).filter(|&row| after.is_null(row) && was_valid(row)).collect()
}

fn midnights(days: &ArrayRef, calendar: &Calendar) -> ArrayRef {
    let micros = dates(days).unary::<_, TimestampMicrosecondType>(|day| calendar.midnight(day));
    Arc::new(micros.with_timezone("UTC"))
}

fn hexadecimal(column: &ArrayRef) -> ArrayRef {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let values = column.as_binary::<i32>();
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for value in values {
        text.clear();
        for byte in value.unwrap_or_default() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        texts.append_option(value.map(|_| text.as_str()));
    }
    Arc::new(texts.finish())
}

/// Thirty-two digits with the dashes of a UUID.
fn as_uuids(texts: &ArrayRef) -> ArrayRef {
    let mut uuids = StringBuilder::new();
    for text in texts.as_string::<i32>() {
        uuids.append_option(text.map(|text| {
            let (a, b, c) = (&text[..8], &text[8..12], &text[12..16]);
            format!("{a}-{b}-{c}-{}-{}", &text[16..20], &text[20..])
        }));
    }
    Arc::new(uuids.finish())
}

/// A column of doubles without NaN, infinities and the negative zero: the former null, and which they
/// were.
pub(super) fn finite(column: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    if !column.data_type().is_floating() {
        return (column.clone(), Vec::new());
    }
    let Ok(doubles) = compute::cast(column, &ArrowType::Float64) else {
        return (column.clone(), Vec::new());
    };
    let values = doubles.as_primitive::<Float64Type>();
    let bad: Vec<usize> = (0..values.len())
        .filter(|&row| values.is_valid(row) && !values.value(row).is_finite())
        .collect();
    // Zero has one sign, so that equal values are one key.
    if bad.is_empty() {
        return (Arc::new(values.unary::<_, Float64Type>(|x| x + 0.0)), bad);
    }
    let kept = values.iter().map(|x| x.filter(|x| x.is_finite()).map(|x| x + 0.0));
    (Arc::new(kept.collect::<Float64Array>()), bad)
}

/// Rows with what a file has there, as text: a value without a place in its type is null from then on.
pub(super) fn written(column: &ArrayRef, rows: Vec<usize>) -> Vec<(usize, Option<String>)> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(column, &options).ok();
    let text = |row: usize| formatter.as_ref()?.value(row).try_to_string().ok();
    rows.into_iter().map(|row| (row, text(row))).collect()
}

/// A text as a value of a type, as cells of CSV and names of folders give it; what it is instead if it
/// is none: "a text that is no date". Numbers are written with a point and without separators of
/// thousands, dates and timestamps as ISO 8601 has them, truth values as `true` and `false`.
pub(super) fn value_of_text(
    text: &str,
    to: DataType,
    calendar: &Calendar,
) -> Result<Value, &'static str> {
    let text = if to == DataType::String { text } else { text.trim() };
    let value = match to {
        DataType::String => Some(Value::text(text)),
        DataType::Bool => match text {
            _ if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            _ if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            _ => None,
        },
        DataType::Int32 => text.parse::<i32>().ok().map(|x| Value::Int(x.into())),
        DataType::Int64 => text.parse().ok().map(Value::Int),
        DataType::Float64 => text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::finite),
        DataType::Decimal { precision, scale } => decimal(text, precision, scale),
        DataType::Date => match parse_instant(text) {
            Some(Instant::Date(days)) => Some(Value::Date(days)),
            _ => None,
        },
        DataType::Timestamp => {
            parse_instant(text).map(|instant| Value::Timestamp(calendar.resolve(instant)))
        }
        DataType::Duration => None,
    };
    value.ok_or(match to {
        DataType::Bool => "a text that is neither true nor false",
        DataType::Int32 => "a text that is no int32",
        DataType::Int64 => "a text that is no int64",
        DataType::Float64 => "a text that is no finite number",
        DataType::Decimal { .. } => "a text that is no decimal of so few digits after the point",
        DataType::Date => "a text that is no date",
        DataType::Timestamp => "a text that is no timestamp",
        DataType::String | DataType::Duration => "a text that is not read",
    })
}

/// What a text is instead of a value of a type, if it is none.
pub fn fault_of_text(text: &str, to: DataType, calendar: &Calendar) -> Option<&'static str> {
    value_of_text(text, to, calendar).err()
}

/// A decimal with so many digits after the point; zeros beyond them change nothing.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<Value> {
    let (mut minor, mut own) = parse_decimal(text)?;
    while own > scale {
        if minor % 10 != 0 {
            return None;
        }
        minor /= 10;
        own -= 1;
    }
    let minor = minor.checked_mul(pow10(scale - own))?;
    (minor.abs() < pow10(precision)).then_some(Value::Decimal { minor, scale })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Decimal256Array, FixedSizeBinaryArray, Int32Array, TimestampSecondArray, UInt64Array,
    };
    use arrow::datatypes::i256;

    fn check(column: ArrayRef, to: DataType, expected: &[&str], unfit: &[usize]) {
        let (array, found) = convert(&column, to, &Calendar::default()).expect("it is read");
        let values: Vec<String> =
            (0..array.len()).map(|row| crate::frame::value_at(&array, row).to_string()).collect();
        assert_eq!(values, expected);
        assert_eq!(found.map_or(Vec::new(), |unfit| unfit.rows), unfit);
    }

    #[test]
    fn what_does_not_fit_is_null_and_told_of() {
        let large = UInt64Array::from(vec![Some(7), None, Some(u64::MAX)]);
        check(Arc::new(large), DataType::Int64, &["7", "null", "null"], &[2]);
        let late = TimestampSecondArray::from(vec![Some(0), Some(i64::MAX), None]);
        check(Arc::new(late), DataType::Timestamp, &["1970-01-01T00:00:00Z", "null", "null"], &[1]);
        let wide = Decimal256Array::from(vec![Some(i256::from(1250)), Some(i256::MAX)])
            .with_precision_and_scale(76, 2)
            .expect("a decimal");
        check(Arc::new(wide), DataType::money(2), &["12.50", "null"], &[1]);
        check(Arc::new(Int32Array::from(vec![3])), DataType::money(2), &["3.00"], &[]);
    }

    #[test]
    fn bytes_become_text() {
        let bytes = FixedSizeBinaryArray::try_from_iter([[0xab, 0x01]].into_iter());
        check(Arc::new(bytes.expect("bytes")), DataType::String, &["ab01"], &[]);
        let uuid: Vec<u8> = (0..16).collect();
        let bytes = FixedSizeBinaryArray::try_from_iter([uuid].into_iter()).expect("bytes");
        let text = "00010203-0405-0607-0809-0a0b0c0d0e0f";
        check(Arc::new(bytes), DataType::String, &[text], &[]);
    }

    #[test]
    fn texts_become_values() {
        let calendar = Calendar::new(
            "Asia/Tokyo",
            crate::ir::calendar::Weekday::Monday,
            crate::ir::calendar::Month::January,
        )
        .expect("a zone");
        let read = |text, to| match value_of_text(text, to, &calendar) {
            Ok(value) => value.to_string(),
            Err(fault) => fault.to_owned(),
        };
        assert_eq!(read(" 12 ", DataType::Int64), "12");
        assert_eq!(read("1,200", DataType::Int64), "a text that is no int64");
        assert_eq!(read("1.50", DataType::money(1)), "1.5");
        assert_eq!(read("NaN", DataType::Float64), "a text that is no finite number");
        assert!(read("1.55", DataType::money(1)).contains("no decimal"));
        assert_eq!(read("2026-01-02", DataType::Date), "2026-01-02");
        assert_eq!(read("2026-01-02 09:00", DataType::Timestamp), "2026-01-02T00:00:00Z");
        assert_eq!(read("2026-01-02T09:00Z", DataType::Timestamp), "2026-01-02T09:00:00Z");
        assert_eq!(read("2026-01-02", DataType::Timestamp), "2026-01-01T15:00:00Z");
        assert_eq!(read("True", DataType::Bool), "true");
        assert_eq!(read(" x ", DataType::String), " x ");
    }
}
