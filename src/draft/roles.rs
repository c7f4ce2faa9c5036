//! Who and when: the columns that every customer stage needs.

use super::error::DraftError;
use super::profile::{Column, Profile};
use super::text::{self, count, percent};
use super::words;
use crate::document::{Instant, TimeUnit, parse_instant};
use crate::frame::{DataType, Value};
use crate::ir::{Calendar, Expr, parse};

/// A role as it is written, and why.
#[derive(Debug, Clone)]
pub(super) struct Role {
    /// An expression; for a column its name, quoted as SQL has it.
    pub written: String,
    /// The columns that it reads.
    pub columns: Vec<String>,
    /// True for a column as it is.
    pub plain: bool,
    /// The evidence, in words.
    pub because: String,
}

impl Role {
    pub fn column(name: &str, profile: &Profile, because: String) -> Self {
        let written = text::column(name, &profile.schema);
        Role { written, columns: vec![name.to_owned()], plain: true, because }
    }

    pub fn expression(written: String, columns: &[&str], because: String) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Role { written, columns, plain: false, because }
    }

    /// True for this column as it is.
    pub fn is_column(&self, name: &str) -> bool {
        self.plain && self.columns == [name]
    }
}

/// When, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Time {
    pub role: Role,
    /// The first and last day, as days since 1970-01-01; `None` where nobody knows.
    pub days: Option<(i32, i32)>,
    /// True for instants without a zone.
    pub naive: bool,
    /// What a reader should know of it.
    pub remark: Option<String>,
    /// The share of values that are no time.
    pub unfit: f64,
    /// Dates that lie years after all the others; `days` leaves them out.
    pub stray: Option<Stray>,
}

/// Dates that are mostly the work of one wrong digit.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    /// The last of them.
    pub latest: i32,
    /// The last day that is still believed.
    pub most: i32,
    /// Their share of the sample.
    pub share: f64,
}

/// How many years after nearly all others a date is not believed.
const YEARS_AHEAD: i64 = 5;

/// A role that was given by hand: a column, or an expression over the columns.
///
/// # Errors
/// A text that is neither.
pub(super) fn given(
    role: &'static str,
    written: &str,
    profile: &Profile,
) -> Result<(Role, Option<Expr>), DraftError> {
    let because = format!("as `--{role}` says");
    if profile.column(written).is_some() {
        return Ok((Role::column(written, profile, because), None));
    }
    match parse::from_text(written, &profile.schema) {
        Ok(expr) => {
            let mut columns = Vec::new();
            expr.for_each_column(&mut |column| columns.push(column.to_owned()));
            let role = Role { written: written.to_owned(), columns, plain: false, because };
            Ok((role, Some(expr)))
        }
        Err(mistakes) => Err(DraftError::BadRole {
            role,
            written: written.to_owned(),
            reason: mistakes.first().map(|mistake| mistake.message.clone()).unwrap_or_default(),
            columns: profile.columns.iter().map(|column| column.name.clone()).collect(),
        }),
    }
}

/// The column that says who.
pub(super) fn customer(profile: &Profile) -> Option<Role> {
    let fits = |column: &&Column| {
        let identifies = match column.data_type {
            DataType::Int32 | DataType::Int64 | DataType::String => true,
            DataType::Float64 => column.whole_doubles,
            DataType::Decimal { .. } => column.digits == 0,
            _ => false,
        };
        identifies && column.distinct > 1
    };
    let score = |column: &Column| words::customer(&column.name);
    let mut best: Option<&Column> = None;
    for column in profile.columns.iter().filter(fits).filter(|column| score(column) > 0) {
        if best.is_none_or(|best| score(column) > score(best)) {
            best = Some(column);
        }
    }
    best.map(|column| customer_of(column, profile, None))
}

/// The role `customer` of a column; a double is made whole.
pub(super) fn customer_of(column: &Column, profile: &Profile, because: Option<String>) -> Role {
    let found = because.unwrap_or_else(|| "by its name".into());
    let because = format!(
        "{found}; {}, {} different in {}{}",
        column.found,
        count(column.distinct as u64),
        profile.basis(),
        without(column)
    );
    let name = column.name.as_str();
    match column.data_type {
        DataType::Float64 | DataType::Decimal { .. } => {
            let bare = text::column(name, &profile.schema);
            Role::expression(format!("cast({bare} as int64)"), &[name], because)
        }
        _ => Role::column(name, profile, because),
    }
}

/// `, 23% without a value`.
fn without(column: &Column) -> String {
    match column.nulls > 0.0 {
        true => format!(", {} without a value", percent(column.nulls)),
        false => String::new(),
    }
}

/// The column that says when.
pub(super) fn time(profile: &Profile) -> Option<Time> {
    let mut best: Option<(u32, Time)> = None;
    for column in &profile.columns {
        // What must be computed stands behind what is there.
        let (score, time) = match time_of(column, profile) {
            Some(time) if column.is_time() => (20 + 2 * words::time(&column.name), time),
            Some(time) => (2 * words::time(&column.name) + 1, time),
            None => continue,
        };
        if best.as_ref().is_none_or(|(known, _)| score > *known) {
            best = Some((score, time));
        }
    }
    best.map(|(_, time)| time)
}

/// A column as a time, if it can be one.
pub(super) fn time_of(column: &Column, profile: &Profile) -> Option<Time> {
    let name = column.name.as_str();
    let bare = text::column(name, &profile.schema);
    let because = |what: &str| format!("{what}, {}{}", column.range(), without(column));
    let time = |role: Role, days: Option<(i32, i32)>| Time {
        role,
        days,
        naive: false,
        remark: None,
        unfit: 0.0,
        stray: None,
    };
    match column.data_type {
        DataType::Date | DataType::Timestamp => {
            let (low, high) = day(&column.low).zip(day(&column.high))?;
            let values = profile.values(name);
            let stray = stray(&values, high);
            let believed = |stray: &Stray| {
                values.iter().filter_map(day).filter(|&day| day <= stray.most).max()
            };
            let high = stray.as_ref().and_then(believed).unwrap_or(high);
            let days = (low, high);
            Some(Time {
                stray,
                naive: column.data_type == DataType::Timestamp && column.found != "timestamp",
                ..time(Role::column(name, profile, because(&column.found)), Some(days))
            })
        }
        DataType::Int32 | DataType::Int64 => {
            let (low, high) = column.low.as_i64().zip(column.high.as_i64())?;
            let (written, days, words, remark) = whole_number(name, &bare, low, high)?;
            let role = Role::expression(written, &[name], because(words));
            Some(Time { remark, ..time(role, Some(days)) })
        }
        DataType::String => {
            let values = profile.values(name);
            let texts: Vec<&str> = values
                .iter()
                .filter_map(|value| match value {
                    Value::String(text) => Some(text.as_ref()),
                    _ => None,
                })
                .collect();
            let dates = written_date(&bare, &texts)?;
            let because = format!("texts that are dates, {}", column.range());
            let role = Role::expression(dates.written, &[name], because);
            Some(Time { remark: dates.remark, unfit: dates.unfit, ..time(role, Some(dates.days)) })
        }
        _ => None,
    }
}

/// Dates that lie years after 99 % of the others, the last of them `latest`.
fn stray(values: &[Value], latest: i32) -> Option<Stray> {
    let calendar = Calendar::default();
    let mut days: Vec<i32> = values.iter().filter_map(day).collect();
    days.sort_unstable();
    let nearly_last = *days.get((days.len().saturating_sub(1)) * 99 / 100)?;
    let year = calendar.period_of(TimeUnit::Year, nearly_last);
    let most = calendar.period_start(TimeUnit::Year, year + YEARS_AHEAD + 1) - 1;
    let beyond = days.iter().filter(|&&day| day > most).count();
    let share = beyond as f64 / days.len() as f64;
    (latest > most).then_some(Stray { latest, most, share })
}

fn day(value: &Value) -> Option<i32> {
    match value {
        Value::Date(day) => Some(*day),
        Value::Timestamp(at) => Some(Calendar::default().date_of(*at)),
        _ => None,
    }
}

type Computed = (String, (i32, i32), &'static str, Option<String>);

/// 2000-01-03, a Monday, as days since 1970-01-01: the day that a day number 1 is taken for.
const FIRST_DAY: i32 = 10_959;

/// A whole number as a date: `20261101`, seconds or milliseconds since 1970, or a number of a day.
fn whole_number(name: &str, bare: &str, low: i64, high: i64) -> Option<Computed> {
    let calendar_day = |number: i64| -> Option<i32> {
        let text = format!("{:04}-{:02}-{:02}", number / 10_000, number / 100 % 100, number % 100);
        match parse_instant(&text)? {
            Instant::Date(day) if (1_900..2_200).contains(&(number / 10_000)) => Some(day),
            _ => None,
        }
    };
    let named = words::time(name) >= 4;
    if let Some(days) = calendar_day(low).zip(calendar_day(high)).filter(|_| named) {
        let digits = format!("cast({bare} as string)");
        let part = |from, count| format!("substring({digits}, {from}, {count})");
        let written = format!(
            "try_cast({} || '-' || {} || '-' || {} as date)",
            part(1, 4),
            part(5, 2),
            part(7, 2)
        );
        return Some((written, days, "numbers such as 20261101", None));
    }
    // From 1990 to 2100.
    let since_1970 = |unit: i64| {
        let (from, to) = (7_305 * 86_400 * unit, 47_482 * 86_400 * unit);
        (from..to).contains(&low) && (from..to).contains(&high)
    };
    let units = [
        (1, "seconds since 1970"),
        (1_000, "milliseconds since 1970"),
        (1_000_000, "microseconds since 1970"),
    ];
    let unit = units.into_iter().find(|(unit, _)| since_1970(*unit));
    if let Some((unit, words)) = unit.filter(|_| named) {
        let day = |at: i64| i32::try_from(at.div_euclid(86_400 * unit)).ok();
        let written =
            format!("date '1970-01-01' + cast(floor({bare} / {}) as int64)", 86_400 * unit);
        let remark = "days are those of UTC".to_owned();
        return Some((written, day(low).zip(day(high))?, words, Some(remark)));
    }
    if words::day_number(name) && (0..=1).contains(&low) && high < 20_000 {
        let day = |number: i64| i32::try_from(number - low).map(|number| FIRST_DAY + number).ok();
        let written = match low {
            0 => format!("date '2000-01-03' + {bare}"),
            _ => format!("date '2000-01-03' + {bare} - 1"),
        };
        let remark = format!("day {low} is taken for 2000-01-03, a Monday: put the true day there");
        return Some((written, day(low).zip(day(high))?, "numbers of days", Some(remark)));
    }
    None
}

/// Texts as dates.
struct Dates {
    written: String,
    days: (i32, i32),
    remark: Option<String>,
    unfit: f64,
}

/// Texts as dates: ISO, or with slashes.
fn written_date(bare: &str, texts: &[&str]) -> Option<Dates> {
    const MOSTLY: f64 = 0.95;
    if texts.is_empty() {
        return None;
    }
    let enough = |count: usize| count as f64 >= MOSTLY * texts.len() as f64;
    let unfit = |count: usize| (texts.len() - count) as f64 / texts.len() as f64;
    let instants: Vec<Instant> = texts.iter().filter_map(|text| parse_instant(text)).collect();
    let calendar = Calendar::default();
    if enough(instants.len()) {
        let dates = instants.iter().all(|instant| matches!(instant, Instant::Date(_)));
        let days = || instants.iter().map(|instant| calendar.date_of(calendar.resolve(*instant)));
        let written = format!("try_cast({bare} as {})", if dates { "date" } else { "timestamp" });
        let days = days().min().zip(days().max())?;
        return Some(Dates { written, days, remark: None, unfit: unfit(instants.len()) });
    }
    let slashed: Vec<Slashed> = texts.iter().filter_map(|text| Slashed::read(text)).collect();
    if !enough(slashed.len()) {
        return None;
    }
    let month_first = !slashed.iter().any(|date| date.first > 12);
    let certain = !month_first || slashed.iter().any(|date| date.second > 12);
    let days: Vec<i32> = slashed.iter().filter_map(|date| date.day(month_first)).collect();
    let mut forms: Vec<(usize, usize)> = slashed.iter().map(|date| date.widths).collect();
    forms.sort_unstable();
    forms.dedup();
    let cases: Vec<String> =
        forms.iter().map(|widths| Slashed::case(bare, *widths, month_first)).collect();
    let written = format!("try_cast(case {} end as date)", cases.join(" "));
    let order = if month_first { "month/day/year" } else { "day/month/year" };
    let doubt = if certain { "" } else { "; no day above 12 tells, so look at that" };
    let remark = format!("read as {order}, without the time of day{doubt}");
    let unfit = unfit(days.len());
    let days = days.iter().min().copied().zip(days.iter().max().copied())?;
    Some(Dates { written, days, remark: Some(remark), unfit })
}

/// A date such as `12/1/2010 8:26`.
struct Slashed {
    first: u32,
    second: u32,
    year: u32,
    /// How many digits the first two numbers have.
    widths: (usize, usize),
}

impl Slashed {
    fn read(text: &str) -> Option<Self> {
        let date = text.split(' ').next()?;
        let mut parts = date.split('/');
        let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
        let number = |text: &str, widths: std::ops::RangeInclusive<usize>| {
            let digits = widths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            if digits { text.parse::<u32>().ok() } else { None }
        };
        Some(Slashed {
            first: number(first, 1..=2)?,
            second: number(second, 1..=2)?,
            year: number(year, 4..=4).filter(|_| parts.next().is_none())?,
            widths: (first.len(), second.len()),
        })
    }

    fn day(&self, month_first: bool) -> Option<i32> {
        let (month, day) =
            if month_first { (self.first, self.second) } else { (self.second, self.first) };
        match parse_instant(&format!("{:04}-{month:02}-{day:02}", self.year))? {
            Instant::Date(day) => Some(day),
            _ => None,
        }
    }

    /// `when … then …` for dates of these widths.
    fn case(bare: &str, (first, second): (usize, usize), month_first: bool) -> String {
        let part = |from: usize, width: usize| {
            let digits = format!("substring({bare}, {from}, {width})");
            if width == 1 { format!("'0' || {digits}") } else { digits }
        };
        let like = format!("{}/{}/____%", "_".repeat(first), "_".repeat(second));
        let year = format!("substring({bare}, {}, 4)", first + second + 3);
        let (a, b) = (part(1, first), part(first + 2, second));
        let (month, day) = if month_first { (a, b) } else { (b, a) };
        format!("when {bare} like '{like}' then {year} || '-' || {month} || '-' || {day}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn number(name: &str, low: i64, high: i64, expected: Option<(&str, i32)>) {
        let found = whole_number(name, name, low, high);
        let found = found.as_ref().map(|(written, (low, _), _, _)| (written.as_str(), *low));
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn numbers_that_are_times() {
        let written = "try_cast(substring(cast(date as string), 1, 4) || '-' || \
                       substring(cast(date as string), 5, 2) || '-' || \
                       substring(cast(date as string), 7, 2) as date)";
        number("date", 19_700_102, 19_991_231, Some((written, 1)));
        number(
            "ts",
            864_000_000,
            900_000_000,
            Some(("date '1970-01-01' + cast(floor(ts / 86400) as int64)", 10_000)),
        );
        number("day", 1, 711, Some(("date '2000-01-03' + day - 1", FIRST_DAY)));
        number("day", 0, 710, Some(("date '2000-01-03' + day", FIRST_DAY)));
        number("amount", 864_000_000, 900_000_000, None);
        number("store_id", 1, 300, None);
    }

    #[test]
    fn texts_that_are_dates() {
        let iso = written_date("t", &["2026-01-31", "2026-02-01"]).expect("dates");
        assert_eq!(iso.written, "try_cast(t as date)");
        let times = written_date("t", &["2026-01-31 10:00", "2026-02-01 11:00:01"]).expect("times");
        assert_eq!(times.written, "try_cast(t as timestamp)");
        assert!(written_date("t", &["a", "b"]).is_none());

        let dates = written_date("t", &["12/1/2010 8:26", "1/13/2011 9:00"]).expect("dates");
        assert_eq!(
            dates.written,
            "try_cast(case \
             when t like '_/__/____%' then substring(t, 6, 4) || '-' || '0' || substring(t, 1, 1) || '-' || substring(t, 3, 2) \
             when t like '__/_/____%' then substring(t, 6, 4) || '-' || substring(t, 1, 2) || '-' || '0' || substring(t, 4, 1) \
             end as date)"
        );
        assert_eq!(dates.days.1 - dates.days.0, 43);
        assert_eq!(
            dates.remark.as_deref(),
            Some("read as month/day/year, without the time of day")
        );
        let remark = written_date("t", &["13/01/2010"]).expect("dates").remark;
        assert!(remark.is_some_and(|remark| remark.contains("day/month/year")));
        let remark = written_date("t", &["01/02/2010"]).expect("dates").remark;
        assert!(remark.is_some_and(|remark| remark.contains("look at that")));
    }
}
