//! Functions of dates and timestamps.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, DurationMicrosecondArray,
    Float64Array, Int64Array, PrimitiveArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType as ArrowType, Date32Type, Int64Type, TimestampMicrosecondType};

use super::evaluate::overflow;
use super::kernel::dates;
use crate::document::{DAY_MICROS, Interval, TimeUnit};
use crate::engine::EngineError;
use crate::ir::function::Part;
use crate::ir::{Calendar, Func};

/// Looks up the calendar period of days or instants, remembering the last one: neighbours in a
/// file mostly fall into the same period, and then two comparisons settle it.
struct Periods<'a> {
    calendar: &'a Calendar,
    unit: TimeUnit,
    period: i64,
    start: i64,
    end: i64,
}

impl<'a> Periods<'a> {
    fn new(calendar: &'a Calendar, unit: TimeUnit) -> Self {
        Periods { calendar, unit, period: 0, start: 1, end: 0 }
    }

    fn of_day(&mut self, day: i32) -> i64 {
        let at = i64::from(day);
        if !(self.start <= at && at < self.end) {
            self.period = self.calendar.period_of(self.unit, day);
            self.start = self.calendar.period_start(self.unit, self.period).into();
            self.end = self.calendar.period_start(self.unit, self.period + 1).into();
        }
        self.period
    }

    fn of_instant(&mut self, at: i64) -> i64 {
        if !(self.start <= at && at < self.end) {
            self.period = self.calendar.period_of(self.unit, self.calendar.date_of(at));
            let start =
                |period| self.calendar.midnight(self.calendar.period_start(self.unit, period));
            (self.start, self.end) = (start(self.period), start(self.period + 1));
            if !(self.start <= at && at < self.end) {
                // A day the zone left out; nothing to remember.
                (self.start, self.end) = (1, 0);
            }
        }
        self.period
    }

    /// The period of all instants between two, if they fall into one.
    fn of_all(&mut self, (least, most): (i64, i64)) -> Option<i64> {
        let period = self.of_instant(least);
        (self.start <= least && most < self.end).then_some(period)
    }
}

/// A function of each time's period.
fn by_period<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    unit: TimeUnit,
    calendar: &Calendar,
    mut f: impl FnMut(i64) -> T::Native,
) -> PrimitiveArray<T> {
    let mut periods = Periods::new(calendar, unit);
    match array.data_type() {
        ArrowType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            each(days, |day| f(periods.of_day(day)))
        }
        _ => {
            let instants = array.as_primitive::<TimestampMicrosecondType>();
            let Some(ends) = ends(instants) else {
                return each(instants, |at| f(periods.of_instant(at)));
            };
            if let Some(period) = periods.of_all(ends) {
                return PrimitiveArray::from_value(f(period), instants.len());
            }
            // Where there are more instants than days, each day is looked up once.
            let (first, last) = (calendar.date_of(ends.0), calendar.date_of(ends.1));
            if i64::from(last) - i64::from(first) >= instants.len() as i64 {
                return each(instants, |at| f(periods.of_instant(at)));
            }
            let days: Vec<T::Native> = (first..=last).map(|day| f(periods.of_day(day))).collect();
            each(instants, |at| match days.get((calendar.date_of(at) - first) as usize) {
                Some(&found) => found,
                // Where a clock is set back over midnight, an instant may be of an earlier day than the first.
                None => f(periods.of_instant(at)),
            })
        }
    }
}

/// The least and the greatest instant, if none is null.
fn ends(instants: &TimestampMicrosecondArray) -> Option<(i64, i64)> {
    let first = *instants.values().first().filter(|_| instants.null_count() == 0)?;
    let wider = |(least, most): (i64, i64), &at: &i64| (least.min(at), most.max(at));
    Some(instants.values().iter().fold((first, first), wider))
}

/// A function of each value that is there: what stands in the place of a null is nothing to compute with.
fn each<A: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &PrimitiveArray<A>,
    mut f: impl FnMut(A::Native) -> T::Native,
) -> PrimitiveArray<T> {
    match array.null_count() {
        0 => PrimitiveArray::from_iter_values(array.values().iter().map(|&value| f(value))),
        _ => array.iter().map(|value| value.map(&mut f)).collect(),
    }
}

pub(super) fn period_of(array: &ArrayRef, unit: TimeUnit, calendar: &Calendar) -> ArrayRef {
    Arc::new(by_period::<Int64Type>(array, unit, calendar, |period| period))
}

pub(super) fn period_start_of(array: &ArrayRef, unit: TimeUnit, calendar: &Calendar) -> ArrayRef {
    let mut last: (Option<i64>, i32) = (None, 0);
    Arc::new(by_period::<Date32Type>(array, unit, calendar, |period| {
        if last.0 != Some(period) {
            last = (Some(period), calendar.period_start(unit, period));
        }
        last.1
    }))
}

pub(super) fn truncate_clock(array: &ArrayRef, unit: TimeUnit, calendar: &Calendar) -> ArrayRef {
    let instants = array.as_primitive::<TimestampMicrosecondType>();
    let truncated: TimestampMicrosecondArray =
        instants.unary(|at| calendar.truncate_clock(unit, at));
    Arc::new(truncated.with_timezone("UTC"))
}

/// Day and clock time of each date or instant, on the zone's clock.
fn local(array: &ArrayRef, calendar: &Calendar) -> Vec<Option<(i32, i64)>> {
    match array.data_type() {
        ArrowType::Date32 => dates(array).iter().map(|day| day.map(|day| (day, 0))).collect(),
        _ => array
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|at| {
                at.map(|at| {
                    let local = at + calendar.offset(at);
                    (local.div_euclid(DAY_MICROS) as i32, local.rem_euclid(DAY_MICROS))
                })
            })
            .collect(),
    }
}

pub(super) fn extract(array: &ArrayRef, part: Part, calendar: &Calendar) -> ArrayRef {
    let weekday = |day: i32| (i64::from(day) + 3).rem_euclid(7) + 1;
    let of = |(day, clock): (i32, i64)| -> i64 {
        let (year, month, date) = calendar.civil(day);
        match part {
            Part::Year => year,
            Part::Quarter => (month - 1 - calendar.year_starts() as i64).rem_euclid(12) / 3 + 1,
            Part::Month => month,
            Part::Week => {
                // The ISO week is that of the Thursday of the same week.
                let thursday = day + (4 - weekday(day)) as i32;
                let (thursday_year, _, _) = calendar.civil(thursday);
                let mut first = thursday;
                while calendar.civil(first - 7).0 == thursday_year {
                    first -= 7;
                }
                i64::from((thursday - first) / 7 + 1)
            }
            Part::Day => date,
            Part::Dow => weekday(day),
            Part::Hour => clock / 3_600_000_000,
        }
    };
    Arc::new(local(array, calendar).into_iter().map(|at| at.map(of)).collect::<Int64Array>())
}

pub(super) fn shift(
    array: &ArrayRef,
    interval: Interval,
    calendar: &Calendar,
    func: Func,
) -> Result<ArrayRef, EngineError> {
    if array.data_type() == &ArrowType::Date32 {
        let days = i32::try_from(interval.micros / DAY_MICROS).map_err(|_| overflow(func))?;
        let shifted = dates(array)
            .iter()
            .map(|day| {
                day.map(|day| {
                    let day = match interval.months {
                        0 => day,
                        months => calendar.add_months(day, months),
                    };
                    day.checked_add(days).ok_or_else(|| overflow(func))
                })
                .transpose()
            })
            .collect::<Result<Date32Array, _>>()?;
        return Ok(Arc::new(shifted));
    }
    let shifted = array
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|at| {
            at.map(|at| {
                let at = match interval.months {
                    0 => at,
                    months => {
                        let local = at + calendar.offset(at);
                        let day = local.div_euclid(DAY_MICROS) as i32;
                        let day = calendar.add_months(day, months);
                        calendar.instant_of_local(
                            i64::from(day) * DAY_MICROS + local.rem_euclid(DAY_MICROS),
                        )
                    }
                };
                at.checked_add(interval.micros).ok_or_else(|| overflow(func))
            })
            .transpose()
        })
        .collect::<Result<TimestampMicrosecondArray, _>>()?;
    Ok(Arc::new(shifted.with_timezone("UTC")))
}

/// Microseconds from the second to the first; both are dates or both timestamps.
fn differences(later: &ArrayRef, earlier: &ArrayRef) -> Vec<Option<i128>> {
    match later.data_type() {
        ArrowType::Date32 => dates(later)
            .iter()
            .zip(dates(earlier))
            .map(|(a, b)| Some((i128::from(a?) - i128::from(b?)) * i128::from(DAY_MICROS)))
            .collect(),
        _ => later
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .zip(earlier.as_primitive::<TimestampMicrosecondType>())
            .map(|(a, b)| Some(i128::from(a?) - i128::from(b?)))
            .collect(),
    }
}

/// Dates so many days later.
pub(super) fn add_days(
    dates: &ArrayRef,
    days: &ArrayRef,
    func: Func,
) -> Result<ArrayRef, EngineError> {
    let (dates, days) = (dates.as_primitive::<Date32Type>(), days.as_primitive::<Int64Type>());
    let later = |date: i32, days: i64| {
        let day = i64::from(date).checked_add(days).and_then(|day| i32::try_from(day).ok());
        day.map(Some).ok_or_else(|| overflow(func))
    };
    let sums = dates.iter().zip(days).map(|pair| match pair {
        (Some(date), Some(days)) => later(date, days),
        _ => Ok(None),
    });
    Ok(Arc::new(sums.collect::<Result<Date32Array, _>>()?))
}

pub(super) fn between(
    later: &ArrayRef,
    earlier: &ArrayRef,
    func: Func,
) -> Result<ArrayRef, EngineError> {
    let spans = differences(later, earlier).into_iter();
    let micros = |span: i128| i64::try_from(span).map_err(|_| overflow(func));
    let durations = spans.map(|span| span.map(micros).transpose());
    Ok(Arc::new(durations.collect::<Result<DurationMicrosecondArray, _>>()?))
}

/// A span of microseconds in units.
pub(super) fn in_units(micros: i128, unit: TimeUnit) -> f64 {
    match unit.micros() {
        Some(each) => micros as f64 / each as f64,
        None => micros as f64 / (unit.days() * DAY_MICROS as f64),
    }
}

pub(super) fn elapsed(from: &ArrayRef, to: &ArrayRef, unit: TimeUnit) -> ArrayRef {
    let spans = differences(to, from).into_iter();
    Arc::new(spans.map(|span| span.map(|span| in_units(span, unit))).collect::<Float64Array>())
}

/// Hours between two instants that are within some opening hours.
pub(super) fn open_hours(
    from: &ArrayRef,
    to: &ArrayRef,
    hours: u8,
    calendar: &Calendar,
) -> ArrayRef {
    let (from, to) = (
        from.as_primitive::<TimestampMicrosecondType>(),
        to.as_primitive::<TimestampMicrosecondType>(),
    );
    let open = from.iter().zip(to).map(|(from, to)| {
        let hours = calendar.open_hours(hours, from?, to?);
        // Zero has one sign.
        hours.is_finite().then_some(hours + 0.0)
    });
    Arc::new(open.collect::<Float64Array>())
}

/// Whole steps of a length in microseconds.
pub(super) fn steps(
    from: &ArrayRef,
    to: &ArrayRef,
    length: i64,
    func: Func,
) -> Result<ArrayRef, EngineError> {
    let whole = |span: i128| i64::try_from(span.div_euclid(length.into()));
    let steps = differences(to, from)
        .into_iter()
        .map(|span| span.map(whole).transpose().map_err(|_| overflow(func)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Int64Array::from(steps)))
}

pub(super) fn date_diff(
    from: &ArrayRef,
    to: &ArrayRef,
    unit: TimeUnit,
    calendar: &Calendar,
) -> ArrayRef {
    let index = |array: &ArrayRef| -> Int64Array {
        match unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => {
                let step = unit.micros().unwrap_or(DAY_MICROS);
                let instants = array.as_primitive::<TimestampMicrosecondType>();
                each(instants, |at| (at + calendar.offset(at)).div_euclid(step))
            }
            _ => by_period::<Int64Type>(array, unit, calendar, |period| period),
        }
    };
    Arc::new(
        index(from)
            .iter()
            .zip(&index(to))
            .map(|(from, to)| Some(to? - from?))
            .collect::<Int64Array>(),
    )
}
