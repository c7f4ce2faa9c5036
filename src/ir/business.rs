//! Opening hours: how much of the time between two instants was business time.
//!
//! An instant is open if the clock on the wall of the zone shows a time within the opening hours of that
//! day of the week, and the date is not a holiday. Nothing else has to be said about the nights on which
//! clocks change: an hour that is skipped was never shown, an hour that comes twice is open twice.
//!
//! Business time between two instants is the difference of a cumulative calendar. The calendar has two
//! parts, and each is a look-up:
//!
//! - Up to a reading of the wall clock, the open time is whole weeks, then whole days, then spans of the
//!   day, less what the holidays took.
//! - Between two changes of the zone's offset, an instant is a reading of the wall clock, shifted. So
//!   one row per change of the offset is enough: about two a year.
//!
//! Nothing is tabulated by day, so no instant lies outside the table. The rules of today's zones are
//! carried on to the year 9999; after it, and before the first known change, the offset stays as it is.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::calendar::Weekday;

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: u32 = 86_400;
const DAY: i64 = DAY_SECONDS as i64 * SECOND;

/// 1970-01-05 was a Monday.
const FIRST_MONDAY: i64 = 4;

/// Spans of a day on the wall clock, in seconds since 00:00; half-open, and 24:00 is 86400.
pub type DaySpans = Vec<(u32, u32)>;

/// When a business is open: a time zone, a week of opening hours, and the days on which it is closed.
#[derive(Debug, Clone, PartialEq)]
pub struct BusinessHours {
    zone: TimeZone,
    open: [DaySpans; 7],
    holidays: BTreeSet<i32>,
}

/// What can be wrong with opening hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusinessHoursError {
    #[error("{weekday}: {} ends before it begins", written(*.span))]
    Backwards { weekday: Weekday, span: (u32, u32) },
    #[error("{weekday}: {} takes no time", written(*.span))]
    Empty { weekday: Weekday, span: (u32, u32) },
    #[error("{weekday}: {} goes beyond 24:00", written(*.span))]
    BeyondMidnight { weekday: Weekday, span: (u32, u32) },
    #[error("{weekday}: {} and {} overlap", written(*.first), written(*.second))]
    Overlap { weekday: Weekday, first: (u32, u32), second: (u32, u32) },
}

/// A span as people write it: `09:00-12:30`.
fn written((start, end): (u32, u32)) -> String {
    let clock = |seconds: u32| {
        let (minutes, rest) = (seconds / 60, seconds % 60);
        let clock = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        if rest == 0 { clock } else { format!("{clock}:{rest:02}") }
    };
    format!("{}-{}", clock(start), clock(end))
}

impl BusinessHours {
    /// Opening hours of a week that begins on Monday. Spans may come in any order and may touch.
    /// Holidays are days since 1970-01-01.
    ///
    /// # Errors
    /// Everything that is wrong with the spans, day by day.
    pub fn new(
        zone: TimeZone,
        mut open: [DaySpans; 7],
        holidays: BTreeSet<i32>,
    ) -> Result<Self, Vec<BusinessHoursError>> {
        let mut errors = Vec::new();
        for (&weekday, spans) in Weekday::ALL.iter().zip(&mut open) {
            spans.sort_unstable();
            for &span in spans.iter() {
                let (start, end) = span;
                if end < start {
                    errors.push(BusinessHoursError::Backwards { weekday, span });
                } else if end == start {
                    errors.push(BusinessHoursError::Empty { weekday, span });
                }
                if end.max(start) > DAY_SECONDS {
                    errors.push(BusinessHoursError::BeyondMidnight { weekday, span });
                }
            }
            for pair in spans.windows(2) {
                let (first, second) = (pair[0], pair[1]);
                if second.0 < first.1 {
                    errors.push(BusinessHoursError::Overlap { weekday, first, second });
                }
            }
        }
        if errors.is_empty() { Ok(BusinessHours { zone, open, holidays }) } else { Err(errors) }
    }

    /// Every hour of every day.
    pub fn around_the_clock() -> Self {
        BusinessHours {
            zone: TimeZone::UTC,
            open: std::array::from_fn(|_| vec![(0, DAY_SECONDS)]),
            holidays: BTreeSet::new(),
        }
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The spans of each day of the week, Monday first, in ascending order.
    pub fn open(&self) -> &[DaySpans; 7] {
        &self.open
    }

    /// Days since 1970-01-01.
    pub fn holidays(&self) -> &BTreeSet<i32> {
        &self.holidays
    }
}

/// The cumulative calendar of some [`BusinessHours`], made once and asked for every row.
///
/// The open time of a span costs two look-ups at either end, each through an [`Index`]: the change of the
/// zone's offset before it, and the holidays before it. That takes tens of nanoseconds. No instant is too
/// early or too late. Sums are exact to the microsecond, so that the open times of two adjoining spans add
/// up to that of both.
#[derive(Debug, Clone)]
pub struct OpenSeconds {
    clock: WallClock,
    /// When the offset changes.
    changes: Index,
    /// The time before the first change, and after each.
    stretches: Vec<Stretch>,
}

/// A time during which the zone's offset stays as it is.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// What the wall clock is ahead of UTC.
    offset: i64,
    /// What the cumulative calendar is ahead of that of the wall clock.
    shift: i64,
    /// The cumulative calendar where the stretch begins.
    reached: i64,
}

impl OpenSeconds {
    pub fn new(hours: &BusinessHours) -> Self {
        let clock = WallClock::new(hours);
        let micros = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * SECOND;
        let offset = micros(hours.zone.to_offset(jiff::Timestamp::MIN));
        let mut last = Stretch { offset, shift: 0, reached: i64::MIN };
        let mut changes = Vec::new();
        let mut stretches = vec![last];
        for change in hours.zone.following(jiff::Timestamp::MIN) {
            let (at, offset) = (change.timestamp().as_microsecond(), micros(change.offset()));
            if offset == last.offset {
                continue; // only the name of the time changes
            }
            let reached = clock.open_until(at + last.offset) + last.shift;
            last = Stretch { offset, shift: reached - clock.open_until(at + offset), reached };
            changes.push(at);
            stretches.push(last);
        }
        OpenSeconds { clock, changes: Index::new(changes), stretches }
    }

    /// The open time from one instant to another, both in microseconds since 1970-01-01T00:00Z. It is
    /// negative if the second is the earlier one.
    pub fn open_micros(&self, from: i64, to: i64) -> i64 {
        self.position(to).saturating_sub(self.position(from))
    }

    /// The first instant at which so much open time has passed since `from`; that is `from` itself for
    /// none. `None` if it never will have, and for a negative time.
    ///
    /// It falls on the end of open time where there is a choice: eight hours from 09:00 are due at the
    /// close of a day of eight hours, not at the next opening.
    pub fn due(&self, from: i64, open_micros: i64) -> Option<i64> {
        if open_micros <= 0 {
            return (open_micros == 0).then_some(from);
        }
        let target = self.position(from).checked_add(open_micros)?;
        let later = self.stretches.partition_point(|stretch| stretch.reached < target);
        let stretch = self.stretches[later.saturating_sub(1)];
        let local = self.clock.reaches(target.checked_sub(stretch.shift)?)?;
        local.checked_sub(stretch.offset)
    }

    /// The cumulative calendar at an instant. Only differences mean something.
    fn position(&self, micros: i64) -> i64 {
        let stretch = &self.stretches[self.changes.up_to(micros)];
        self.clock.open_until(micros.saturating_add(stretch.offset)) + stretch.shift
    }
}

/// The cumulative calendar of a wall clock that never changes, in microseconds.
#[derive(Debug, Clone)]
struct WallClock {
    /// Begin and length of the spans of each day of the week.
    spans: [Vec<(i64, i64)>; 7],
    /// The open time of a week before each of its days, and at its end.
    before: [i64; 8],
    holidays: Index,
    /// What the holidays before each one took from the week's hours, and all of them.
    lost: Vec<i64>,
    /// The calendar at the start of each holiday.
    reached: Vec<i64>,
}

impl WallClock {
    fn new(hours: &BusinessHours) -> Self {
        let spans = std::array::from_fn(|day| {
            let micros = |seconds: u32| i64::from(seconds) * SECOND;
            let spans: &DaySpans = &hours.open[day];
            spans.iter().map(|&(start, end)| (micros(start), micros(end - start))).collect()
        });
        let mut clock = WallClock {
            spans,
            before: [0; 8],
            holidays: Index::new(hours.holidays.iter().copied().map(i64::from).collect()),
            lost: vec![0],
            reached: Vec::new(),
        };
        for day in 0..7 {
            clock.before[day + 1] = clock.before[day] + clock.open_in_day(day, DAY);
        }
        let mut lost = 0;
        for &holiday in &clock.holidays.values {
            let (week, weekday) = week_of(holiday);
            clock.reached.push(week * clock.before[7] + clock.before[weekday] - lost);
            lost += clock.before[weekday + 1] - clock.before[weekday];
            clock.lost.push(lost);
        }
        clock
    }

    /// The open time of a day of the week up to a reading.
    fn open_in_day(&self, weekday: usize, reading: i64) -> i64 {
        self.spans[weekday].iter().map(|&(start, length)| (reading - start).clamp(0, length)).sum()
    }

    /// The open time up to a reading, in microseconds since 1970-01-01T00:00 on the wall.
    fn open_until(&self, local: i64) -> i64 {
        let (day, reading) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (week, weekday) = week_of(day);
        let holidays = self.holidays.up_to(day - 1);
        let closed = self.holidays.values.get(holidays) == Some(&day);
        let today = if closed { 0 } else { self.open_in_day(weekday, reading) };
        week * self.before[7] + self.before[weekday] + today - self.lost[holidays]
    }

    /// The first reading up to which so much time was open. `None` if the business never opens, and
    /// beyond all dates.
    fn reaches(&self, open: i64) -> Option<i64> {
        let week_total = self.before[7];
        if week_total == 0 {
            return None;
        }
        // A holiday that begins before the reading also ends before it: on it the calendar stands still.
        let holidays = self.reached.partition_point(|&reached| reached < open);
        let open = open.checked_add(self.lost[holidays])?;
        let week = open.checked_sub(1)?.div_euclid(week_total);
        let mut rest = open - week * week_total; // from 1 to the week's total
        let weekday = self.before.partition_point(|&before| before < rest) - 1;
        rest -= self.before[weekday];
        for &(start, length) in &self.spans[weekday] {
            if rest <= length {
                let day = week.checked_mul(7)?.checked_add(weekday as i64 + FIRST_MONDAY)?;
                return day.checked_mul(DAY)?.checked_add(start + rest);
            }
            rest -= length;
        }
        None
    }
}

/// Ascending numbers, and for equal parts of their range where the numbers of each part begin. So a search
/// looks at a part of about one number and not at all of them.
#[derive(Debug, Clone)]
struct Index {
    values: Vec<i64>,
    first: i64,
    /// Binary digits of the width of a part.
    shift: u32,
    /// How many numbers lie before each part, and before the end of the last.
    before: Vec<u32>,
}

impl Index {
    fn new(values: Vec<i64>) -> Self {
        let (first, last) = match values.as_slice() {
            [] => (0, 0),
            [first, .., last] => (*first, *last),
            [only] => (*only, *only),
        };
        let range = last.abs_diff(first);
        // At most twice as many parts as numbers.
        let mut shift = 0;
        while range >> shift >= 2 * values.len().max(1) as u64 {
            shift += 1;
        }
        let parts = (range >> shift) + 1;
        let mut before = Vec::new();
        for part in 0..=parts {
            let begins = |&value: &i64| value.abs_diff(first) >> shift < part;
            before.push(values.partition_point(begins) as u32);
        }
        Index { values, first, shift, before }
    }

    /// How many of the numbers are at most `value`.
    fn up_to(&self, value: i64) -> usize {
        if value < self.first {
            return 0;
        }
        let part = (value.abs_diff(self.first) >> self.shift) as usize;
        let Some(&[from, to]) = self.before.get(part..).and_then(|rest| rest.first_chunk()) else {
            return self.values.len();
        };
        let (from, to) = (from as usize, to as usize);
        from + self.values[from..to].partition_point(|&number| number <= value)
    }
}

/// The week that holds a day, counted from the first Monday, and the day's place in it.
fn week_of(day: i64) -> (i64, usize) {
    let since = day - FIRST_MONDAY;
    (since.div_euclid(7), since.rem_euclid(7) as usize)
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use jiff::civil::{Date, date};
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600 * SECOND;

    fn zone(name: &str) -> TimeZone {
        TimeZoneDatabase::bundled().get(name).expect("a zone")
    }

    fn day_of(date: Date) -> i32 {
        let first = Date::constant(1970, 1, 1);
        (date - first).get_days()
    }

    fn spans(hours: &[(f64, f64)]) -> DaySpans {
        let seconds = |hour: f64| (hour * 3_600.0) as u32;
        hours.iter().map(|&(start, end)| (seconds(start), seconds(end))).collect()
    }

    /// The same hours on every day.
    fn daily(name: &str, hours: &[(f64, f64)], holidays: &[Date]) -> BusinessHours {
        let holidays = holidays.iter().map(|&date| day_of(date)).collect();
        BusinessHours::new(zone(name), std::array::from_fn(|_| spans(hours)), holidays)
            .expect("good hours")
    }

    /// Monday to Friday with a break, Saturday morning.
    fn office(name: &str, holidays: &[Date]) -> BusinessHours {
        let mut open: [DaySpans; 7] = std::array::from_fn(|_| spans(&[(9.0, 12.5), (13.0, 17.5)]));
        open[5] = spans(&[(10.0, 14.0)]);
        open[6].clear();
        let holidays = holidays.iter().map(|&date| day_of(date)).collect();
        BusinessHours::new(zone(name), open, holidays).expect("good hours")
    }

    /// An instant by its UTC date and hour.
    fn utc(date: Date, hour: f64) -> i64 {
        i64::from(day_of(date)) * DAY + (hour * HOUR as f64) as i64
    }

    /// Whether a second is open, by what the zone database says the wall shows.
    fn is_open(hours: &BusinessHours, second: i64) -> bool {
        let at = jiff::Timestamp::from_second(second).expect("an instant");
        let local = hours.zone.to_datetime(at);
        let shown = local.time();
        let shown = u32::try_from(
            i32::from(shown.hour()) * 3_600
                + i32::from(shown.minute()) * 60
                + i32::from(shown.second()),
        )
        .expect("a time of day");
        let weekday = local.date().weekday().to_monday_zero_offset() as usize;
        !hours.holidays.contains(&day_of(local.date()))
            && hours.open[weekday].iter().any(|&(start, end)| start <= shown && shown < end)
    }

    /// Counts every second of some days around a date, and compares at each quarter of an hour and at
    /// each second beside a change from open to closed.
    fn check_by_the_second(hours: &BusinessHours, around: Date) {
        let calendar = OpenSeconds::new(hours);
        let first = (i64::from(day_of(around)) - 2) * 86_400;
        let (mut counted, mut was_open) = (0, false);
        for second in first..first + 5 * 86_400 {
            let open = is_open(hours, second);
            if open != was_open || second % 900 == 0 {
                let found = calendar.open_micros(first * SECOND, second * SECOND);
                assert_eq!(found, counted * SECOND, "{hours:?} at {second}");
                if counted > 0 {
                    let due = calendar.due(first * SECOND, found).expect("it was reached");
                    assert!(due <= second * SECOND, "{hours:?} at {second}: due {due}");
                    assert_eq!(calendar.open_micros(first * SECOND, due), found);
                    assert_eq!(calendar.open_micros(first * SECOND, due - 1), found - 1);
                }
            }
            counted += i64::from(open);
            was_open = open;
        }
    }

    #[test]
    fn every_second_of_nights_on_which_clocks_change() {
        let weeks: [&[(f64, f64)]; 5] = [
            &[(0.0, 24.0)],
            &[(0.0, 1.25), (2.25, 2.75), (22.0, 24.0)],
            &[(1.5, 3.0), (23.5, 24.0)],
            &[(0.25, 0.75), (23.25, 23.75)],
            &[(9.0, 12.5), (13.0, 17.5)],
        ];
        for (name, day) in [
            ("Europe/Berlin", date(2026, 3, 29)),
            ("Europe/Berlin", date(2026, 10, 25)),
            ("America/New_York", date(2026, 3, 8)),
            ("America/New_York", date(2026, 11, 1)),
            ("Australia/Lord_Howe", date(2026, 4, 5)), // half an hour
            ("Australia/Lord_Howe", date(2026, 10, 4)),
            ("America/Sao_Paulo", date(2018, 11, 4)), // midnight is skipped
            ("America/Sao_Paulo", date(2018, 2, 18)), // the hour before midnight comes twice
            ("America/Toronto", date(1975, 10, 26)),
            ("America/St_Johns", date(2006, 10, 29)), // at 00:01, back into the day before
            ("Pacific/Apia", date(2011, 12, 30)),     // a day that never was
            ("Asia/Kolkata", date(2026, 1, 26)),
            ("Europe/Berlin", date(2028, 2, 29)),
        ] {
            for week in weeks {
                check_by_the_second(&daily(name, week, &[]), day);
                check_by_the_second(&daily(name, week, &[day]), day);
            }
            check_by_the_second(&office(name, &[]), day);
        }
    }

    #[test]
    fn nights_have_the_hours_they_have() {
        let night = OpenSeconds::new(&daily("Europe/Berlin", &[(0.0, 4.0)], &[]));
        let over = |day: Date| night.open_micros(utc(day, -12.0), utc(day, 12.0)) / HOUR;
        assert_eq!(over(date(2026, 3, 29)), 3);
        assert_eq!(over(date(2026, 10, 25)), 5);
        assert_eq!(over(date(2026, 11, 1)), 4);
    }

    #[test]
    fn midnight_joins_two_days() {
        let hours = daily("Asia/Kolkata", &[(0.0, 2.0), (22.0, 24.0)], &[]);
        let calendar = OpenSeconds::new(&hours);
        // 21:00 to 03:00 in Kolkata, 5:30 ahead.
        let (from, to) = (utc(date(2026, 5, 4), 15.5), utc(date(2026, 5, 4), 21.5));
        assert_eq!(calendar.open_micros(from, to), 4 * HOUR);
        assert_eq!(calendar.open_micros(to, from), -4 * HOUR);
        assert_eq!(calendar.due(from, 3 * HOUR), Some(utc(date(2026, 5, 4), 19.5)));
    }

    #[test]
    fn holidays_over_the_end_of_a_month() {
        let feast = [date(2027, 12, 31), date(2028, 1, 1), date(2028, 2, 29)];
        let calendar = OpenSeconds::new(&office("UTC", &feast));
        // Thursday noon to Monday ten o'clock: Friday and Saturday are holidays.
        let (from, to) = (utc(date(2027, 12, 30), 12.0), utc(date(2028, 1, 3), 10.0));
        assert_eq!(calendar.open_micros(from, to), 6 * HOUR);
        assert_eq!(calendar.due(from, 5 * HOUR), Some(utc(date(2027, 12, 30), 17.5)));
        assert_eq!(calendar.due(from, 5 * HOUR + 1), Some(utc(date(2028, 1, 3), 9.0) + 1));
        // The leap day is a holiday, a Tuesday.
        let (from, to) = (utc(date(2028, 2, 28), 9.0), utc(date(2028, 3, 1), 9.0));
        assert_eq!(calendar.open_micros(from, to), 8 * HOUR);
    }

    #[test]
    fn far_instants_need_no_table() {
        let calendar = OpenSeconds::new(&office("Europe/Berlin", &[date(2026, 12, 25)]));
        let week = 5 * 8 * HOUR + 4 * HOUR;
        for (first, weeks) in
            [(date(1, 1, 1), 400), (date(2500, 1, 1), 1_000), (date(9000, 1, 1), 52)]
        {
            let from = utc(first, 0.0);
            assert_eq!(calendar.open_micros(from, from + weeks * 7 * DAY), weeks * week);
            assert_eq!(calendar.due(from, weeks * week).map(|due| due > from), Some(true));
        }
        // Neither end of the integers overflows.
        assert!(calendar.open_micros(i64::MIN, i64::MAX) > 0);
        assert_eq!(calendar.due(0, i64::MAX), None);
    }

    #[test]
    fn around_the_clock_is_the_clock() {
        let calendar = OpenSeconds::new(&BusinessHours::around_the_clock());
        for (from, to) in [(0, 1), (-5, 7), (1_700_000_000_123_456, 1_800_000_000_654_321)] {
            assert_eq!(calendar.open_micros(from, to), to - from);
            assert_eq!(calendar.due(from, to - from), Some(to));
        }
    }

    #[test]
    fn a_business_that_never_opens() {
        let calendar = OpenSeconds::new(
            &BusinessHours::new(TimeZone::UTC, Default::default(), BTreeSet::new())
                .expect("no spans"),
        );
        assert_eq!(calendar.open_micros(0, 1_000 * DAY), 0);
        assert_eq!(calendar.due(7, 0), Some(7));
        assert_eq!(calendar.due(7, 1), None);
        assert_eq!(calendar.due(7, -1), None);
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let mut open: [DaySpans; 7] = Default::default();
        open[0] = spans(&[(13.0, 17.0), (9.0, 13.5)]);
        open[1] = spans(&[(17.0, 9.0)]);
        open[5] = spans(&[(20.0, 26.0)]);
        open[6] = spans(&[(8.0, 8.0)]);
        let errors = BusinessHours::new(TimeZone::UTC, open, BTreeSet::new()).expect_err("four");
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "monday: 09:00-13:30 and 13:00-17:00 overlap",
                "tuesday: 17:00-09:00 ends before it begins",
                "saturday: 20:00-26:00 goes beyond 24:00",
                "sunday: 08:00-08:00 takes no time",
            ]
        );
    }

    #[test]
    fn an_index_counts() {
        let lists: [&[i64]; 5] =
            [&[], &[5], &[-7, -7, 3], &[i64::MIN, 0, i64::MAX], &[1, 2, 3, 4, 1_000, 1_001, 9_999]];
        for values in lists {
            let index = Index::new(values.to_vec());
            for &value in values.iter().chain(&[i64::MIN, -1, 0, i64::MAX]) {
                for value in [value.saturating_sub(1), value, value.saturating_add(1)] {
                    let expected = values.iter().filter(|&&number| number <= value).count();
                    assert_eq!(index.up_to(value), expected, "{value} in {values:?}");
                }
            }
        }
    }

    fn calendars() -> &'static [OpenSeconds] {
        static CALENDARS: OnceLock<Vec<OpenSeconds>> = OnceLock::new();
        CALENDARS.get_or_init(|| {
            let feast =
                [date(2024, 2, 29), date(2025, 12, 25), date(2025, 12, 26), date(2026, 1, 1)];
            let sparse = |name| {
                let mut open: [DaySpans; 7] = Default::default();
                open[6] = vec![(3_601, 7_205), (86_399, 86_400)];
                BusinessHours::new(zone(name), open, BTreeSet::new()).expect("good hours")
            };
            [
                office("Europe/Berlin", &feast),
                daily("Australia/Lord_Howe", &[(0.0, 2.0), (23.5, 24.0)], &feast),
                daily("America/Sao_Paulo", &[(0.0, 0.5), (23.0, 24.0)], &[]),
                sparse("America/New_York"),
                BusinessHours::around_the_clock(),
            ]
            .iter()
            .map(OpenSeconds::new)
            .collect()
        })
    }

    proptest! {
        #[test]
        fn open_time_adds_up_and_is_due_again(
            calendar in 0_usize..5,
            // 1902 to 2128.
            a in -2_145_000_000_000_000_i64..4_985_000_000_000_000,
            hours in prop::array::uniform2(-3_000_i64..3_000),
            micros in prop::array::uniform2(0..HOUR),
        ) {
            let calendar = &calendars()[calendar];
            let b = a + hours[0] * HOUR + micros[0];
            let c = b + hours[1] * HOUR + micros[1];
            let open = |from, to| calendar.open_micros(from, to);
            prop_assert_eq!(open(a, b) + open(b, c), open(a, c));
            prop_assert_eq!(open(a, b), -open(b, a));
            let (from, to) = (a.min(b), a.max(b));
            prop_assert!((0..=to - from).contains(&open(from, to)));
            let due = calendar.due(from, open(from, to)).expect("it was reached");
            prop_assert!(from <= due && due <= to);
            prop_assert_eq!(open(from, due), open(from, to));
            if due > from {
                prop_assert_eq!(open(from, due - 1), open(from, to) - 1);
            }
        }
    }
}
