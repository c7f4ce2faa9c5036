//! What customers did in calendar periods, from their events in the order of days.

use super::days::DayEvent;
use super::people::add;
use crate::document::TimeUnit;
use crate::engine::EngineError;
use crate::ir::Calendar;

/// What a customer did in a period.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Activity {
    pub orders: i64,
    pub value: i128,
}

impl Activity {
    /// Both together.
    ///
    /// # Errors
    /// A sum that overflows.
    pub fn add(&mut self, other: Activity) -> Result<(), EngineError> {
        self.orders += other.orders;
        self.value = add(self.value, other.value)?;
        Ok(())
    }
}

/// Periods in which a customer did something, in their order, and room for more.
pub(super) type Active = Vec<(i64, Activity)>;

/// The periods in which a customer did something whose events are in the order of their days.
pub(super) fn by_period<'a>(
    events: &[DayEvent],
    room: &'a mut Active,
    period_of: impl Fn(i32) -> i64,
) -> &'a [(i64, Activity)] {
    room.resize(room.len().max(events.len() + 1), Default::default());
    let (mut there, mut known, mut sum) = (0, i64::MIN, Activity::default());
    for event in events {
        let period = period_of(event.day);
        // Whether an event is of the same period as the one before nobody can foretell, so nothing branches on
        // it. So many values as a customer can have do not overflow.
        let goes_on = i64::from(period == known);
        there += 1 - goes_on as usize;
        let Activity { orders, value } = sum;
        let more = event.value().unwrap_or(0);
        sum = Activity {
            orders: (orders & -goes_on) + 1,
            value: (value & -i128::from(goes_on)) + more,
        };
        room[there] = (period, sum);
        known = period;
    }
    &room[1..=there]
}

/// The calendar periods of days, looked up.
pub(super) struct Periods {
    first: i32,
    periods: Vec<i64>,
}

impl Periods {
    /// The periods of all days of a span.
    pub fn new(span: Option<(i32, i32)>, calendar: &Calendar, unit: TimeUnit) -> Self {
        let (first, last) = span.unwrap_or((0, -1));
        // Of a stray event in the far future or past the days in between are not worth a table.
        let last = last.min(first.saturating_add(100_000));
        let periods = (first..=last).map(|day| calendar.period_of(unit, day)).collect();
        Periods { first, periods }
    }

    /// The period of a day.
    pub fn of(&self, day: i32, calendar: &Calendar, unit: TimeUnit) -> i64 {
        let place = usize::try_from(i64::from(day) - i64::from(self.first)).ok();
        let known = place.and_then(|place| self.periods.get(place)).copied();
        known.unwrap_or_else(|| calendar.period_of(unit, day))
    }
}
