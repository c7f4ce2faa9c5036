//! Dates, instants and the calendar.

use super::evaluate::{Evaluated, wrong};
use super::number::overflow;
use crate::document::{DAY_MICROS, Interval, TimeUnit};
use crate::engine::EngineError;
use crate::frame::Value;
use crate::ir::function::Part;
use crate::ir::{Calendar, Func};

/// The day of a date or instant.
pub(super) fn day(func: Func, time: &Value, calendar: &Calendar) -> Result<i32, EngineError> {
    match time {
        Value::Date(days) => Ok(*days),
        Value::Timestamp(micros) => Ok(calendar.date_of(*micros)),
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

fn instant(func: Func, time: &Value) -> Result<i64, EngineError> {
    match time {
        Value::Timestamp(micros) => Ok(*micros),
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

/// What the zone's clock shows, in microseconds since 1970-01-01T00:00 on it.
fn clock(micros: i64, calendar: &Calendar) -> i64 {
    micros.saturating_add(calendar.offset(micros))
}

/// The length of the units that the clock counts rather than the calendar.
fn clock_step(unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => unit.micros(),
        TimeUnit::Day | TimeUnit::Week | TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
            None
        }
    }
}

pub(super) fn truncate(func: Func, unit: TimeUnit, time: &Value, calendar: &Calendar) -> Evaluated {
    Ok(match clock_step(unit) {
        Some(_) => Value::Timestamp(calendar.truncate_clock(unit, instant(func, time)?)),
        None => Value::Date(calendar.truncate(unit, day(func, time, calendar)?)),
    })
}

pub(super) fn extract(func: Func, part: Part, time: &Value, calendar: &Calendar) -> Evaluated {
    let civil = || Ok::<_, EngineError>(calendar.civil(day(func, time, calendar)?));
    Ok(Value::Int(match part {
        Part::Year => civil()?.0,
        Part::Quarter => {
            // Both counted from 0, January.
            let (month, first) = (civil()?.1 - 1, calendar.year_starts() as i64);
            (month - first).rem_euclid(12) / 3 + 1
        }
        Part::Month => civil()?.1,
        Part::Week => iso_week(day(func, time, calendar)?),
        Part::Day => civil()?.2,
        Part::Dow => day_of_week(day(func, time, calendar)?),
        Part::Hour => clock(instant(func, time)?, calendar).rem_euclid(DAY_MICROS) / 3_600_000_000,
    }))
}

/// 1 is Monday.
fn day_of_week(days: i32) -> i64 {
    // 1970-01-01 was a Thursday.
    (i64::from(days) + 3).rem_euclid(7) + 1
}

/// The week of the ISO year, which is the year of the week's Thursday.
fn iso_week(days: i32) -> i64 {
    let thursday = days.saturating_add((4 - day_of_week(days)) as i32);
    let first_of_january = Calendar::default().truncate(TimeUnit::Year, thursday);
    i64::from(thursday - first_of_january) / 7 + 1
}

pub(super) fn shift(func: Func, by: Interval, time: &Value, calendar: &Calendar) -> Evaluated {
    match time {
        Value::Date(days) => {
            let days = i64::from(calendar.add_months(*days, by.months)) + by.micros / DAY_MICROS;
            i32::try_from(days).map(Value::Date).map_err(|_| overflow(func))
        }
        Value::Timestamp(micros) => {
            let shifted =
                if by.months == 0 { *micros } else { add_months(*micros, by.months, calendar) };
            shifted.checked_add(by.micros).map(Value::Timestamp).ok_or_else(|| overflow(func))
        }
        other => Err(wrong(func, std::slice::from_ref(other))),
    }
}

/// The day moves, the clock shows the same time.
fn add_months(micros: i64, months: i32, calendar: &Calendar) -> i64 {
    let local = clock(micros, calendar);
    let time_of_day = local.rem_euclid(DAY_MICROS);
    let day = calendar.add_months(calendar.date_of(micros), months);
    let shifted = i64::from(day).saturating_mul(DAY_MICROS).saturating_add(time_of_day);
    calendar.instant_of_local(shifted)
}

/// Microseconds from one time to another of the same type.
fn difference(func: Func, from: &Value, to: &Value) -> Result<i128, EngineError> {
    match (from, to) {
        (Value::Date(from), Value::Date(to)) => {
            Ok((i128::from(*to) - i128::from(*from)) * i128::from(DAY_MICROS))
        }
        (Value::Timestamp(from), Value::Timestamp(to)) => Ok(i128::from(*to) - i128::from(*from)),
        _ => Err(wrong(func, &[from.clone(), to.clone()])),
    }
}

/// `a − b`.
pub(super) fn between(func: Func, a: &Value, b: &Value) -> Evaluated {
    let micros = i64::try_from(difference(func, b, a)?);
    micros.map(Value::Duration).map_err(|_| overflow(func))
}

pub(super) fn add_duration(func: Func, time: &Value, duration: &Value) -> Evaluated {
    let Value::Duration(micros) = duration else {
        return Err(wrong(func, std::slice::from_ref(duration)));
    };
    let later = instant(func, time)?.checked_add(*micros);
    later.map(Value::Timestamp).ok_or_else(|| overflow(func))
}

pub(super) fn add_days(func: Func, date: &Value, days: i64) -> Evaluated {
    let Value::Date(day) = date else {
        return Err(wrong(func, std::slice::from_ref(date)));
    };
    let later = i64::from(*day).checked_add(days).and_then(|day| i32::try_from(day).ok());
    later.map(Value::Date).ok_or_else(|| overflow(func))
}

pub(super) fn elapsed(func: Func, unit: TimeUnit, from: &Value, to: &Value) -> Evaluated {
    let length = match unit.micros() {
        Some(micros) => micros as f64,
        None => unit.days() * DAY_MICROS as f64,
    };
    Ok(Value::finite(difference(func, from, to)? as f64 / length))
}

/// How many whole steps of a length in microseconds lie between two times.
pub(super) fn steps(func: Func, length: i64, from: &Value, to: &Value) -> Evaluated {
    let steps = difference(func, from, to)?.div_euclid(length.into());
    Ok(Value::Int(i64::try_from(steps).map_err(|_| overflow(func))?))
}

/// How many borders of the unit lie between two times.
pub(super) fn date_diff(
    func: Func,
    unit: TimeUnit,
    from: &Value,
    to: &Value,
    calendar: &Calendar,
) -> Evaluated {
    let number = |time: &Value| -> Result<i64, EngineError> {
        Ok(match clock_step(unit) {
            Some(step) => clock(instant(func, time)?, calendar).div_euclid(step),
            None => calendar.period_of(unit, day(func, time, calendar)?),
        })
    };
    Ok(Value::Int(number(to)? - number(from)?))
}
