//! Days, weeks, months, quarters and years of one time zone.

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::business::{BusinessHours, OpenSeconds};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Spanned};
use crate::document::{Instant, TimeUnit};

const DAY: i64 = 86_400_000_000;

/// How many midnights of a zone are kept, from 1970 on: into the year 2060. The zone database is asked for
/// the others, each time.
const DAYS_KNOWN: i32 = 33_000;

crate::choice! {
    /// A day of the week.
    pub enum Weekday {
        Monday = "monday",
        Tuesday = "tuesday",
        Wednesday = "wednesday",
        Thursday = "thursday",
        Friday = "friday",
        Saturday = "saturday",
        Sunday = "sunday",
    }
}

crate::choice! {
    /// A month of the year.
    pub enum Month {
        January = "january",
        February = "february",
        March = "march",
        April = "april",
        May = "may",
        June = "june",
        July = "july",
        August = "august",
        September = "september",
        October = "october",
        November = "november",
        December = "december",
    }
}

/// The calendar of a pipeline: which day an instant falls on, and which period a day.
///
/// Periods of a unit are numbered by consecutive integers, so that ages are differences. The
/// numbers mean nothing beyond that; [`Calendar::period_start`] gives the date.
#[derive(Clone)]
pub struct Calendar {
    /// `None` is UTC, which needs no look-up.
    zone: Option<TimeZone>,
    zone_name: String,
    /// The zone's midnights, once one is asked for.
    midnights: Arc<OnceLock<Vec<i64>>>,
    week_starts: Weekday,
    year_starts: Month,
    /// Opening hours by name, as they are told and as they are asked for.
    hours: Arc<Vec<(String, BusinessHours, OpenSeconds)>>,
}

/// The name of opening hours that are there without being written.
pub const AROUND_THE_CLOCK: &str = "around_the_clock";

impl Default for Calendar {
    fn default() -> Self {
        Calendar {
            zone: None,
            zone_name: "UTC".into(),
            midnights: Arc::default(),
            week_starts: Weekday::Monday,
            year_starts: Month::January,
            hours: Arc::default(),
        }
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calendar({}, {}, {}", self.zone_name, self.week_starts, self.year_starts)?;
        for (name, hours, _) in self.hours.iter() {
            let zone = hours.zone().iana_name().unwrap_or("UTC");
            write!(f, ", {name} {zone} {:?} {:?}", hours.open(), hours.holidays())?;
        }
        f.write_str(")")
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        let of = |calendar: &Calendar| -> Vec<(String, BusinessHours)> {
            let hours = calendar.hours.iter();
            hours.map(|(name, hours, _)| (name.clone(), hours.clone())).collect()
        };
        (&self.zone_name, self.week_starts, self.year_starts)
            == (&other.zone_name, other.week_starts, other.year_starts)
            && of(self) == of(other)
    }
}

impl Calendar {
    /// The calendar of an IANA zone, from the zone database built into the program; `None` if the
    /// zone is not in it.
    pub fn new(zone: &str, week_starts: Weekday, year_starts: Month) -> Option<Self> {
        let resolved =
            if zone == "UTC" { None } else { Some(TimeZoneDatabase::bundled().get(zone).ok()?) };
        let (zone_name, midnights) = (zone.to_owned(), Arc::default());
        let hours = Arc::default();
        Some(Calendar { zone: resolved, zone_name, midnights, week_starts, year_starts, hours })
    }

    /// The same calendar with opening hours, at most 256 of them.
    pub fn with_hours(self, hours: Vec<(String, BusinessHours)>) -> Self {
        let made = hours.into_iter().map(|(name, hours)| {
            let seconds = OpenSeconds::new(&hours);
            (name, hours, seconds)
        });
        Calendar { hours: Arc::new(made.collect()), ..self }
    }

    /// Names of the opening hours.
    pub fn hours_names(&self) -> impl Iterator<Item = &str> {
        self.hours.iter().map(|(name, _, _)| name.as_str())
    }

    /// The number of opening hours by their name.
    pub fn hours_named(&self, name: &str) -> Option<u8> {
        let place = self.hours_names().position(|known| known == name)?;
        u8::try_from(place).ok()
    }

    /// Opening hours by their name; `None` for all hours, and for a name that is not there, which is noted.
    pub fn hours_by_name(
        &self,
        name: &Spanned<String>,
        diagnostics: &mut Diagnostics,
    ) -> Option<u8> {
        if name.value == AROUND_THE_CLOCK {
            return None;
        }
        let known = self.hours_named(&name.value);
        if known.is_none() {
            diagnostics.push(Diagnostic::unknown(
                Code::InvalidValue,
                name.span,
                format!("there are no opening hours `{}`", name.value),
                &name.value,
                self.hours_names().chain([AROUND_THE_CLOCK]),
            ));
        }
        known
    }

    /// The open time from one instant to another, in hours; of hours that are not there all of it.
    pub fn open_hours(&self, hours: u8, from: i64, to: i64) -> f64 {
        let micros = match self.hours.get(usize::from(hours)) {
            Some((_, _, open)) => open.open_micros(from, to),
            None => to.saturating_sub(from),
        };
        micros as f64 / 3.6e9
    }

    /// Names of all zones, for suggestions.
    pub fn zones() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
    }

    /// The IANA name of the zone.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    pub fn week_starts(&self) -> Weekday {
        self.week_starts
    }

    pub fn year_starts(&self) -> Month {
        self.year_starts
    }

    /// What the zone's clock is ahead of UTC at an instant, in microseconds.
    pub fn offset(&self, micros: i64) -> i64 {
        match &self.zone {
            None => 0,
            Some(zone) => jiff::Timestamp::from_microsecond(micros)
                .map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1_000_000),
        }
    }

    /// The day an instant falls on.
    pub fn date_of(&self, micros: i64) -> i32 {
        let utc = micros.div_euclid(DAY);
        if self.zone.is_none() {
            return clamp(utc);
        }
        // No clock is a day ahead or behind, so it is this day or one beside it.
        let midnights = self.midnights();
        let place = usize::try_from(utc - 1).ok();
        match place.and_then(|place| midnights.get(place..place + 3)) {
            Some(beside) if beside[0] <= micros => {
                let later = beside.iter().skip(1).filter(|&&midnight| midnight <= micros).count();
                clamp(utc - 1 + later as i64)
            }
            _ => clamp(micros.saturating_add(self.offset(micros)).div_euclid(DAY)),
        }
    }

    /// The midnights of the zone from 1970-01-01 on.
    fn midnights(&self) -> &[i64] {
        self.midnights.get_or_init(|| {
            (0..DAYS_KNOWN).map(|day| self.instant_of_local(i64::from(day) * DAY)).collect()
        })
    }

    /// The instant at which a day begins.
    pub fn midnight(&self, days: i32) -> i64 {
        if self.zone.is_some()
            && let Some(known) =
                usize::try_from(days).ok().and_then(|day| self.midnights().get(day))
        {
            return *known;
        }
        self.instant_of_local(i64::from(days).saturating_mul(DAY))
    }

    /// The instant at which the zone's clock shows `local` (microseconds since 1970-01-01T00:00 on
    /// that clock). A time the clock skips is taken as so much later, one it shows twice as the
    /// first.
    pub fn instant_of_local(&self, local: i64) -> i64 {
        let Some(zone) = &self.zone else { return local };
        let civil = jiff::Timestamp::from_microsecond(local)
            .map(|timestamp| jiff::tz::Offset::UTC.to_datetime(timestamp));
        match civil.and_then(|civil| zone.to_timestamp(civil)) {
            Ok(timestamp) => timestamp.as_microsecond(),
            Err(_) => local,
        }
    }

    /// The instant a written date or timestamp means.
    pub fn resolve(&self, instant: Instant) -> i64 {
        match instant {
            Instant::Date(days) => self.midnight(days),
            Instant::Local(local) => self.instant_of_local(local),
            Instant::Absolute(micros) => micros,
        }
    }

    /// The number of the period of `unit` that holds a day. Units shorter than a day count as days.
    pub fn period_of(&self, unit: TimeUnit, days: i32) -> i64 {
        let days = i64::from(days);
        match unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => days,
            TimeUnit::Week => (days - self.first_week()).div_euclid(7),
            TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
                let (year, month, _) = civil(days);
                let months = year * 12 + month - 1 - self.first_month();
                months.div_euclid(months_in(unit))
            }
        }
    }

    /// The first day of a period.
    pub fn period_start(&self, unit: TimeUnit, period: i64) -> i32 {
        clamp(match unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => period,
            TimeUnit::Week => period * 7 + self.first_week(),
            TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
                let months = period * months_in(unit) + self.first_month();
                days_from_civil(months.div_euclid(12), months.rem_euclid(12) + 1, 1)
            }
        })
    }

    /// The first day of the period of `unit` that holds a day.
    pub fn truncate(&self, unit: TimeUnit, days: i32) -> i32 {
        self.period_start(unit, self.period_of(unit, days))
    }

    /// The start of the hour, minute or second of an instant, on the zone's clock.
    pub fn truncate_clock(&self, unit: TimeUnit, micros: i64) -> i64 {
        let offset = self.offset(micros);
        let step = unit.micros().unwrap_or(DAY);
        micros.saturating_add(offset).div_euclid(step).saturating_mul(step).saturating_sub(offset)
    }

    /// A day shifted by calendar months: 31 January and one month is the last of February.
    pub fn add_months(&self, days: i32, months: i32) -> i32 {
        let (year, month, day) = civil(i64::from(days));
        let total = year * 12 + month - 1 + i64::from(months);
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let first = days_from_civil(year, month, 1);
        let length = days_from_civil(next_year, next_month, 1) - first;
        clamp(first + day.min(length) - 1)
    }

    /// Year, month (1 to 12) and day of a day.
    pub fn civil(&self, days: i32) -> (i64, i64, i64) {
        civil(i64::from(days))
    }

    /// Days since the epoch of the first day of some week.
    fn first_week(&self) -> i64 {
        // 1970-01-05 was a Monday.
        4 + self.week_starts as i64
    }

    fn first_month(&self) -> i64 {
        self.year_starts as i64
    }
}

fn months_in(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Quarter => 3,
        TimeUnit::Year => 12,
        _ => 1,
    }
}

fn clamp(days: i64) -> i32 {
    days.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// Year, month and day of a day; Howard Hinnant, "chrono-compatible low-level date algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a year, month and day; the inverse of [`civil`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i64, month: i64, day: i64) -> i32 {
        clamp(days_from_civil(year, month, day))
    }

    #[test]
    fn civil_dates_round_trip() {
        for days in (-800_000..800_000).step_by(997) {
            let (year, month, day) = civil(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil(10_408), (1998, 7, 1));
    }

    /// Zones with half hours, with midnights that are skipped or come twice, with a day that never was.
    #[test]
    fn known_midnights_say_what_the_zone_says() {
        for zone in [
            "Europe/Berlin",
            "America/Sao_Paulo",
            "America/Havana",
            "Asia/Kathmandu",
            "Pacific/Apia",
            "Pacific/Kiritimati",
            "Etc/GMT+12",
        ] {
            let calendar = Calendar::new(zone, Weekday::Monday, Month::January).expect("a zone");
            let asked = |micros: i64| clamp((micros + calendar.offset(micros)).div_euclid(DAY));
            let mut instants: Vec<i64> = (-300..40_000).step_by(7).map(|day| day * DAY).collect();
            for day in (0..21_000).map(i64::from) {
                let midnight = calendar.instant_of_local(day * DAY);
                assert_eq!(calendar.midnight(day as i32), midnight, "{zone}, day {day}");
                instants.extend([midnight - 1, midnight, midnight + 1]);
            }
            for micros in instants {
                assert_eq!(calendar.date_of(micros), asked(micros), "{zone} at {micros}");
            }
        }
    }

    #[test]
    fn periods_of_the_plain_calendar() {
        let calendar = Calendar::default();
        let day = date(2026, 11, 22); // a Sunday
        assert_eq!(calendar.truncate(TimeUnit::Week, day), date(2026, 11, 16));
        assert_eq!(calendar.truncate(TimeUnit::Month, day), date(2026, 11, 1));
        assert_eq!(calendar.truncate(TimeUnit::Quarter, day), date(2026, 10, 1));
        assert_eq!(calendar.truncate(TimeUnit::Year, day), date(2026, 1, 1));
        assert_eq!(
            calendar.period_of(TimeUnit::Month, date(2027, 1, 1))
                - calendar.period_of(TimeUnit::Month, day),
            2
        );
    }

    #[test]
    fn periods_of_a_fiscal_calendar() {
        let calendar = Calendar::new("UTC", Weekday::Sunday, Month::April).expect("UTC");
        assert_eq!(calendar.truncate(TimeUnit::Week, date(2026, 11, 21)), date(2026, 11, 15));
        assert_eq!(calendar.truncate(TimeUnit::Week, date(2026, 11, 22)), date(2026, 11, 22));
        assert_eq!(calendar.truncate(TimeUnit::Year, date(2026, 3, 31)), date(2025, 4, 1));
        assert_eq!(calendar.truncate(TimeUnit::Quarter, date(2026, 3, 31)), date(2026, 1, 1));
    }

    #[test]
    fn months_shift_to_the_last_day() {
        let calendar = Calendar::default();
        assert_eq!(calendar.add_months(date(2028, 1, 31), 1), date(2028, 2, 29));
        assert_eq!(calendar.add_months(date(2026, 1, 31), -11), date(2025, 2, 28));
    }

    #[test]
    fn zones_shift_the_day() {
        let new_york =
            Calendar::new("America/New_York", Weekday::Monday, Month::January).expect("a zone");
        let instant = i64::from(date(2026, 7, 1)) * DAY + 3 * 3_600_000_000;
        assert_eq!(new_york.date_of(instant), date(2026, 6, 30));
        assert_eq!(
            new_york.midnight(date(2026, 7, 1)) - i64::from(date(2026, 7, 1)) * DAY,
            4 * 3_600_000_000
        );
        assert!(Calendar::new("Mars/Olympus", Weekday::Monday, Month::January).is_none());
        // Apia left out 2011-12-30.
        let apia = Calendar::new("Pacific/Apia", Weekday::Monday, Month::January).expect("a zone");
        let last = apia.midnight(date(2011, 12, 31)) - 1;
        assert_eq!(apia.date_of(last), date(2011, 12, 29));
    }
}
