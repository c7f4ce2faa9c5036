//! Opening hours as written.

use std::collections::BTreeSet;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{Decode, Decoder, Entries, Instant, Node, NodeKind, schema};
use crate::ir::{AROUND_THE_CLOCK, BusinessHours, Calendar};

crate::options! {
    /// One entry of `business_hours`.
    pub struct HoursBlock("opening hours") {
        /// When it is open, by day of the week.
        open: Week,
        /// The zone whose clocks tell; absent: that of the pipeline.
        timezone: Option<String> = None,
        /// Days on which it is closed.
        holidays: Vec<Instant> = Vec::new(),
        /// A CSV or Parquet file whose first column has more such days.
        holidays_file: Option<String> = None,
    }
}

/// Spans of each day of the week, Monday first, in seconds since 00:00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    days: [Vec<(u32, u32)>; 7],
    span: Span,
}

/// The first three letters of each day.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The days of a key: one, or a range such as `mon-fri`, which may go on over Sunday.
fn days_of(key: &str) -> Option<Vec<usize>> {
    let day = |word: &str| DAYS.iter().position(|day| *day == word.trim());
    let Some((first, last)) = key.split_once('-') else { return Some(vec![day(key)?]) };
    let (first, last) = (day(first)?, day(last)?);
    let length = (last + 7 - first) % 7;
    Some((0..=length).map(|step| (first + step) % 7).collect())
}

/// Seconds since 00:00 of `09:00`, `9:30` or `24:00`.
fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some((hours * 60 + minutes) * 60)
}

impl Decode for Week {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            decoder.wrong_type(node, &Self::expects());
            return None;
        };
        let mut days: [Vec<(u32, u32)>; 7] = Default::default();
        let mut good = true;
        for (key, spans) in entries {
            let Some(of) = days_of(&key.value) else {
                let message = format!("`{}` is no day of the week", key.value);
                decoder.report(
                    Diagnostic::at(Code::InvalidValue, key.span, message)
                        .help("write `mon` to `sun`, or a range such as `mon-fri`"),
                );
                good = false;
                continue;
            };
            for span in Vec::<Spanned<String>>::decode(spans, decoder)? {
                let ends = span.value.split_once('-');
                match ends.and_then(|(from, to)| Some((clock(from)?, clock(to)?))) {
                    Some(ends) => of.iter().for_each(|&day| days[day].push(ends)),
                    None => {
                        let message = format!("`{}` is no span of a day", span.value);
                        decoder.report(
                            Diagnostic::at(Code::InvalidValue, span.span, message)
                                .help("write it as `09:00-12:30`; the day ends at `24:00`"),
                        );
                        good = false;
                    }
                }
            }
        }
        good.then_some(Week { days, span: node.span })
    }
    fn expects() -> String {
        "a map from days of the week to spans, such as `{mon-fri: [09:00-17:00]}`".into()
    }
    fn show(&self) -> String {
        let clock = |seconds: u32| format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
        let days = DAYS.iter().zip(&self.days).filter(|(_, spans)| !spans.is_empty());
        let days = days.map(|(day, spans)| {
            let spans: Vec<String> =
                spans.iter().map(|&(from, to)| format!("{}-{}", clock(from), clock(to))).collect();
            format!("{day}: [{}]", spans.join(", "))
        });
        format!("{{{}}}", days.collect::<Vec<_>>().join(", "))
    }
    fn json_schema() -> Json {
        schema::map_of(Vec::<String>::json_schema())
    }
}

/// Reads the days that a file lists.
type Days<'a> = dyn Fn(&str) -> Result<Vec<i32>, String> + 'a;

/// The calendar with all opening hours; what is wrong with some is noted, and those stand as always open.
pub(super) fn with_hours(
    calendar: Calendar,
    written: Entries<HoursBlock>,
    days: &Days,
    decoder: &mut Decoder,
) -> Calendar {
    let mut hours = Vec::new();
    for (name, block) in written.0 {
        if name.value == AROUND_THE_CLOCK {
            let message =
                format!("`{AROUND_THE_CLOCK}` is open at all times, and cannot be another");
            decoder.report(
                Diagnostic::at(Code::DuplicateName, name.span, message).help("choose another name"),
            );
            continue;
        }
        let found = hours_of(&calendar, &block, name.span, days, decoder);
        hours.push((name.value, found.unwrap_or_else(BusinessHours::around_the_clock)));
    }
    calendar.with_hours(hours)
}

fn hours_of(
    calendar: &Calendar,
    block: &HoursBlock,
    place: Span,
    days: &Days,
    decoder: &mut Decoder,
) -> Option<BusinessHours> {
    let zone = block.timezone.value.as_deref().unwrap_or(calendar.zone_name());
    let resolved = match zone {
        "UTC" => Some(TimeZone::UTC),
        zone => TimeZoneDatabase::bundled().get(zone).ok(),
    };
    if resolved.is_none() {
        let zones = Calendar::zones();
        decoder.report(Diagnostic::unknown(
            Code::InvalidValue,
            block.timezone.place(place),
            format!("`{zone}` is not a time zone"),
            zone,
            zones.iter().map(String::as_str),
        ));
    }
    let day = |holiday: &Instant| calendar.date_of(calendar.resolve(*holiday));
    let mut holidays: BTreeSet<i32> = block.holidays.value.iter().map(day).collect();
    if let Some(path) = &block.holidays_file.value {
        match days(path) {
            Ok(days) => holidays.extend(days),
            Err(reason) => decoder.report(
                Diagnostic::at(
                    Code::InvalidValue,
                    block.holidays_file.place(place),
                    format!("the holidays of `{path}` cannot be read: {reason}"),
                )
                .help("a CSV or Parquet file whose first column has dates")
                .note("paths are relative to the working directory, or to `--root`"),
            ),
        }
    }
    let Week { days, span } = block.open.value.clone();
    match BusinessHours::new(resolved?, days, holidays) {
        Ok(hours) => Some(hours),
        Err(wrong) => {
            for error in wrong {
                decoder.report(Diagnostic::at(Code::InvalidValue, span, error.to_string()));
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_clocks_are_read() {
        assert_eq!(days_of("sat"), Some(vec![5]));
        assert_eq!(days_of("mon-fri"), Some(vec![0, 1, 2, 3, 4]));
        assert_eq!(days_of("sat-mon"), Some(vec![5, 6, 0]));
        assert_eq!(days_of("monday"), None);
        assert_eq!(clock("09:30"), Some(34_200));
        assert_eq!(clock("24:00"), Some(86_400));
        assert_eq!((clock("24:01"), clock("9"), clock("10:60")), (None, None, None));
    }
}
