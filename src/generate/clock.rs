//! The season: customers buy by a clock of their own, which runs fast before Christmas and at weekends
//! and slowly in the night, and over the years keeps time with the calendar.

use std::f64::consts::TAU;

use jiff::civil::Date;

use super::request::{Asked, GenerateError};

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// How much is bought from Monday to Sunday; the mean is 1.
const WEEK: [f64; 7] = [0.92, 0.88, 0.92, 0.98, 1.10, 1.22, 0.98];

/// How much more is bought at the height of the year than on average.
const YEAR_SWING: f64 = 0.18;

/// The day of the year with the highest sales: 10 December.
const HEIGHT: f64 = 344.0;

/// How much is bought in each hour of the day (UTC).
const HOURS: [f64; 24] = [
    0.3, 0.2, 0.1, 0.1, 0.1, 0.2, 0.4, 0.7, 1.0, 1.3, 1.4, 1.4, 1.5, 1.4, 1.3, 1.3, 1.4, 1.5, 1.7,
    1.9, 1.9, 1.6, 1.0, 0.5,
];

/// The days of a world, and how the buyers' clock runs through them.
#[derive(Debug)]
pub(super) struct Clock {
    /// The first day, in days since 1970.
    pub first: i64,
    /// The buyers' time at the start of each day, and at the end of the last.
    starts: Vec<f64>,
    /// The share of a day that is over at the start of each hour, and at its end.
    hours: [f64; 25],
    /// Year and month of each day.
    pub months: Vec<(i16, i8)>,
}

impl Clock {
    /// The clock of the years before `until`.
    ///
    /// # Errors
    /// Years before the calendar begins.
    pub fn new(asked: &Asked) -> Result<Self, GenerateError> {
        let until = asked.until;
        let from = until
            .checked_sub(jiff::Span::new().years(i64::from(asked.years)))
            .map_err(|_| GenerateError::TooLong { years: asked.years })?;
        let mut starts = vec![0.0];
        let mut months = Vec::new();
        let mut total = 0.0;
        for date in from.series(jiff::Span::new().days(1)).take_while(|date| *date < until) {
            total += weight(date);
            starts.push(total);
            months.push((date.year(), date.month()));
        }
        // On average a day of the clock is a day.
        let scale = months.len() as f64 / total;
        starts.iter_mut().for_each(|start| *start *= scale);
        let mut hours = [0.0; 25];
        let whole: f64 = HOURS.iter().sum();
        for (hour, weight) in HOURS.iter().enumerate() {
            hours[hour + 1] = hours[hour] + weight / whole;
        }
        Ok(Clock { first: days_since_1970(from), starts, hours, months })
    }

    /// How many days there are.
    pub fn days(&self) -> usize {
        self.months.len()
    }

    /// The first second of the world since 1970.
    pub fn start(&self) -> i64 {
        self.first * DAY
    }

    /// The first second that is not of the world, since 1970.
    pub fn end(&self) -> i64 {
        self.start() + self.days() as i64 * DAY
    }

    /// The second since the start at which the buyers' clock shows so many days; none after the end.
    pub fn second(&self, time: f64) -> Option<u32> {
        let last = self.days();
        if time >= self.starts[last] {
            return None;
        }
        // The clock is never far from the calendar: the day is found in a few steps.
        let mut day = (time as usize).min(last - 1);
        while self.starts[day] > time {
            day -= 1;
        }
        while self.starts[day + 1] <= time {
            day += 1;
        }
        let over = (time - self.starts[day]) / (self.starts[day + 1] - self.starts[day]);
        let mut hour = ((over * 24.0) as usize).min(23);
        while self.hours[hour] > over {
            hour -= 1;
        }
        while hour < 23 && self.hours[hour + 1] <= over {
            hour += 1;
        }
        let part = (over - self.hours[hour]) / (self.hours[hour + 1] - self.hours[hour]);
        let second = (((hour as f64 + part) * 3_600.0) as u32).min(DAY as u32 - 1);
        Some(day as u32 * DAY as u32 + second)
    }

    /// A day as it is written in names of folders.
    pub fn date(&self, day: usize) -> Date {
        let since = jiff::Span::new().days(self.first + day as i64);
        EPOCH.saturating_add(since)
    }
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

fn weight(date: Date) -> f64 {
    let week = WEEK[date.weekday().to_monday_zero_offset() as usize];
    let year = 1.0 + YEAR_SWING * (TAU * (f64::from(date.day_of_year()) - HEIGHT) / 365.25).cos();
    week * year
}

fn days_since_1970(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        let asked = Asked { until: jiff::civil::date(2026, 1, 1), years: 5, ..Asked::default() };
        Clock::new(&asked).expect("five years")
    }

    #[test]
    fn it_runs_forward_and_ends_with_the_calendar() {
        let clock = clock();
        assert_eq!(clock.days(), 1_826);
        assert_eq!(clock.date(0), jiff::civil::date(2021, 1, 1));
        let seconds: Vec<u32> =
            (0..18_260).filter_map(|tenth| clock.second(f64::from(tenth) / 10.0)).collect();
        assert_eq!(seconds.len(), 18_260);
        assert!(seconds.is_sorted());
        assert!(clock.second(1_826.000_1).is_none());
    }

    #[test]
    fn december_and_saturdays_sell_more() {
        let clock = clock();
        let mut months = [0u32; 13];
        let mut week = [0u32; 7];
        for step in 0..182_600 {
            let second = clock.second(f64::from(step) / 100.0).expect("within the years");
            let date = clock.date(second as usize / DAY as usize);
            months[date.month() as usize] += 1;
            week[date.weekday().to_monday_zero_offset() as usize] += 1;
        }
        assert!(months[12] > months[6] * 13 / 10, "{months:?}");
        assert!(week[5] > week[1] * 13 / 10, "{week:?}");
    }
}
