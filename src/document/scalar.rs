//! Scalars with a form of their own: units, durations, shares, dates, expressions, paths.

use serde_json::{Value as Json, json};

use super::{Decode, Decoder, Node, NodeKind, schema};
use crate::diagnostic::{Code, Diagnostic, Span};

crate::choice! {
    /// A unit of time.
    pub enum TimeUnit {
        Second = "second",
        Minute = "minute",
        Hour = "hour",
        Day = "day",
        Week = "week",
        Month = "month",
        Quarter = "quarter",
        Year = "year",
    }
}

crate::choice! {
    /// A period of the calendar: a day or longer.
    pub enum PeriodUnit {
        Day = "day",
        Week = "week",
        Month = "month",
        Quarter = "quarter",
        Year = "year",
    }
}

impl From<PeriodUnit> for TimeUnit {
    fn from(unit: PeriodUnit) -> Self {
        match unit {
            PeriodUnit::Day => TimeUnit::Day,
            PeriodUnit::Week => TimeUnit::Week,
            PeriodUnit::Month => TimeUnit::Month,
            PeriodUnit::Quarter => TimeUnit::Quarter,
            PeriodUnit::Year => TimeUnit::Year,
        }
    }
}

/// Microseconds in a day of 24 hours.
pub const DAY_MICROS: i64 = 86_400_000_000;
const DAY: i64 = DAY_MICROS;

impl TimeUnit {
    /// The words of all units, for patterns.
    fn words() -> String {
        TimeUnit::ALL.iter().map(|unit| unit.word()).collect::<Vec<_>>().join("|")
    }

    /// Its length in days when it serves as a plain number: a month is 30.4375 days, a year 365.25.
    pub fn days(self) -> f64 {
        match self {
            TimeUnit::Second => 1.0 / 86_400.0,
            TimeUnit::Minute => 1.0 / 1_440.0,
            TimeUnit::Hour => 1.0 / 24.0,
            TimeUnit::Day => 1.0,
            TimeUnit::Week => 7.0,
            TimeUnit::Month => 30.4375,
            TimeUnit::Quarter => 91.3125,
            TimeUnit::Year => 365.25,
        }
    }

    /// Its length in microseconds where it has one; months, quarters and years do not.
    pub fn micros(self) -> Option<i64> {
        match self {
            TimeUnit::Second => Some(1_000_000),
            TimeUnit::Minute => Some(60_000_000),
            TimeUnit::Hour => Some(3_600_000_000),
            TimeUnit::Day => Some(DAY),
            TimeUnit::Week => Some(7 * DAY),
            TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => None,
        }
    }
}

/// A span of time: calendar months, and an exact rest.
///
/// Days count as calendar days when added to a date and as 24 hours when added to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    pub months: i32,
    pub micros: i64,
}

impl Interval {
    /// So many days.
    pub const fn days(count: i64) -> Self {
        Interval { months: 0, micros: count * DAY_MICROS }
    }

    /// Reads `26h`, `90d`, `15min`, `39 weeks`, `6 months`, `1 year`.
    ///
    /// # Errors
    /// A fragment that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text
            .find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '+'))
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let count: i64 =
            number.parse().map_err(|_| format!("`{text}` does not begin with a whole number"))?;
        let unit = match unit.trim() {
            "s" => TimeUnit::Second,
            "min" => TimeUnit::Minute,
            "h" => TimeUnit::Hour,
            "d" => TimeUnit::Day,
            "" => return Err(format!("`{text}` has no unit")),
            "m" => return Err("`m` could be minutes or months: write `min` or `months`".into()),
            word => TimeUnit::from_word(word)
                .or_else(|| word.strip_suffix('s').and_then(TimeUnit::from_word))
                .ok_or_else(|| format!("`{word}` is not a unit of time"))?,
        };
        let too_long = || format!("`{text}` is too long");
        Ok(match unit.micros() {
            Some(micros) => {
                Interval { months: 0, micros: count.checked_mul(micros).ok_or_else(too_long)? }
            }
            None => {
                let each = match unit {
                    TimeUnit::Quarter => 3,
                    TimeUnit::Year => 12,
                    _ => 1,
                };
                let months = count.checked_mul(each).and_then(|months| i32::try_from(months).ok());
                Interval { months: months.ok_or_else(too_long)?, micros: 0 }
            }
        })
    }

    /// The same span backwards.
    pub fn negated(self) -> Self {
        Interval { months: -self.months, micros: -self.micros }
    }
}

impl Decode for Interval {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Text(text) => match Interval::parse(text) {
                Ok(interval) => Some(interval),
                Err(reason) => {
                    decoder.report(
                        Diagnostic::at(
                            Code::InvalidValue,
                            node.span,
                            format!("not a duration: {reason}"),
                        )
                        .help("write `26h`, `90d`, `39 weeks`, `6 months` or `1 year`"),
                    );
                    None
                }
            },
            NodeKind::Integer(value) => {
                decoder.report(
                    Diagnostic::at(
                        Code::WrongType,
                        node.span,
                        format!("expected a duration, found the number {value}"),
                    )
                    .help(format!("write it with a unit: `{value}d`")),
                );
                None
            }
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        "a duration such as `26h`, `90d` or `6 months`".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn json_schema() -> Json {
        let units = format!(r"s|min|h|d|({})s?", TimeUnit::words());
        schema::matching(&format!(r"^\s*[-+]?[0-9]+\s*({units})\s*$"))
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.months != 0 {
            return write!(f, "{} months", self.months);
        }
        for (unit, word) in
            [(7 * DAY, "weeks"), (DAY, "d"), (3_600_000_000, "h"), (60_000_000, "min")]
        {
            if self.micros != 0 && self.micros % unit == 0 {
                let space = if word == "weeks" { " " } else { "" };
                return write!(f, "{}{space}{word}", self.micros / unit);
            }
        }
        write!(f, "{}s", self.micros as f64 / 1e6)
    }
}

/// A bare number as the share it was probably meant to be: 0.95 is 95%, 95 is 95%.
fn suggestion(kind: &NodeKind) -> String {
    let number = match kind {
        NodeKind::Integer(value) => *value as f64,
        NodeKind::Number(value) => *value,
        _ => 0.0,
    };
    Share(if number.abs() <= 1.0 { number } else { number / 100.0 }).show()
}

/// A share written with a per cent sign, held as a fraction: `95%` is 0.95.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl Decode for Share {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let number = node
            .written
            .trim()
            .strip_suffix('%')
            .and_then(|text| text.trim().parse::<f64>().ok().filter(|value| value.is_finite()));
        match (number, &node.kind) {
            (Some(percent), _) => Some(Share(percent / 100.0)),
            (None, NodeKind::Integer(_) | NodeKind::Number(_)) => {
                decoder.report(
                    Diagnostic::at(
                        Code::WrongType,
                        node.span,
                        format!("expected a share, found the number {}", node.written),
                    )
                    .help(format!("write it with a per cent sign: `{}`", suggestion(&node.kind))),
                );
                None
            }
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        "a share such as `95%`".into()
    }
    fn show(&self) -> String {
        format!("{}%", (self.0 * 1e12).round() / 1e10)
    }
    fn json_schema() -> Json {
        schema::matching(r"^\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*%\s*$")
    }
}

/// An effective rate over time: `10%/year`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub share: f64,
    pub per: TimeUnit,
}

impl Rate {
    /// The same rate per another unit: (1 + rate)^(unit / per) − 1.
    pub fn per(self, unit: TimeUnit) -> f64 {
        (self.share.ln_1p() * unit.days() / self.per.days()).exp_m1()
    }
}

impl Decode for Rate {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let read = node.written.split_once('/').and_then(|(share, per)| {
            let share = share.trim().strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0;
            let per = TimeUnit::from_word(per.trim())?;
            (share.is_finite() && share > -1.0).then_some(Rate { share, per })
        });
        if read.is_none() {
            match &node.kind {
                NodeKind::Text(text) if text.ends_with('%') => decoder.report(
                    Diagnostic::at(Code::InvalidValue, node.span, "a rate needs a unit of time")
                        .help(format!("write `{text}/year`")),
                ),
                NodeKind::Integer(_) | NodeKind::Number(_) => decoder.report(
                    Diagnostic::at(
                        Code::WrongType,
                        node.span,
                        format!("expected a rate, found the number {}", node.written),
                    )
                    .help(format!("write `{}/year`", suggestion(&node.kind))),
                ),
                _ => decoder.wrong_type(node, &Self::expects()),
            }
        }
        read
    }
    fn expects() -> String {
        "a rate such as `10%/year`".into()
    }
    fn show(&self) -> String {
        format!("{}/{}", Share(self.share).show(), self.per)
    }
    fn json_schema() -> Json {
        schema::matching(&format!(r"^[^/%]+%\s*/\s*({})\s*$", TimeUnit::words()))
    }
}

/// A date or a timestamp as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instant {
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00 on the clock of the pipeline's time zone.
    Local(i64),
    /// Microseconds since 1970-01-01T00:00Z.
    Absolute(i64),
}

/// Reads `2026-11-01`, `2026-11-01T06:00[:00[.000000]]` (a space will do for the `T`), with `Z` or
/// an offset such as `+02:00`.
pub fn parse_instant(text: &str) -> Option<Instant> {
    let text = text.trim();
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        return Some(Instant::Date(days_of(date)));
    }
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Some(Instant::Absolute(timestamp.as_microsecond()));
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let time = local.time();
    let micros = i64::from(time.hour()) * 3_600_000_000
        + i64::from(time.minute()) * 60_000_000
        + i64::from(time.second()) * 1_000_000
        + i64::from(time.subsec_nanosecond() / 1_000);
    Some(Instant::Local(i64::from(days_of(local.date())) * DAY + micros))
}

fn days_of(date: jiff::civil::Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    (date - epoch).get_days()
}

impl Decode for Instant {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let instant = match &node.kind {
            NodeKind::Text(text) => parse_instant(text),
            _ => None,
        };
        if instant.is_none() {
            decoder.wrong_type(node, &Self::expects());
        }
        instant
    }
    fn expects() -> String {
        "a date such as `2026-11-01` or a timestamp such as `2026-11-01T06:00`".into()
    }
    fn show(&self) -> String {
        let at = |micros: i64| {
            jiff::Timestamp::from_microsecond(micros)
                .map_or_else(|_| micros.to_string(), |timestamp| timestamp.to_string())
        };
        match *self {
            Instant::Date(days) => at(i64::from(days) * DAY).chars().take(10).collect(),
            Instant::Local(micros) => at(micros).trim_end_matches('Z').to_owned(),
            Instant::Absolute(micros) => at(micros),
        }
    }
    fn json_schema() -> Json {
        schema::matching(r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].*)?$")
    }
}

/// An SQL expression as written, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    pub text: String,
    /// The whole scalar.
    pub span: Span,
    /// Where the first byte of the text stands, if the text stands in the document unchanged.
    pub verbatim: Option<usize>,
}

impl Expression {
    /// The place of bytes `start..end` of the text; the whole scalar where that is not exact.
    pub fn place(&self, start: usize, end: usize) -> Span {
        match self.verbatim {
            Some(at) if start < end && end <= self.text.len() => Span::new(at + start, at + end),
            _ => self.span,
        }
    }
}

impl Decode for Expression {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.kind {
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
            // Parameters in an expression are bound as typed values, not put in as text.
            _ => Some(Expression {
                text: node.template.clone().unwrap_or_else(|| node.written.clone()),
                span: node.span,
                verbatim: match node.kind {
                    _ if node.template.is_some() => node.verbatim,
                    NodeKind::Text(_) => node.verbatim,
                    _ => Some(node.span.start),
                },
            }),
        }
    }
    fn expects() -> String {
        "an SQL expression".into()
    }
    fn show(&self) -> String {
        self.text.clone()
    }
    fn json_schema() -> Json {
        json!({"type": ["string", "number", "boolean"]})
    }
}

/// Bytes as an amount of memory is written: `512MiB`; what is no whole number of them is rounded up.
pub fn binary(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes}B"),
        0x400..0x10_0000 => format!("{}KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{}MiB", bytes.div_ceil(1 << 20)),
    }
}

/// A path as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub text: String,
    pub span: Span,
}

impl Decode for Path {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        Some(Path { text, span: node.span })
    }
    fn expects() -> String {
        "a path".into()
    }
    fn show(&self) -> String {
        self.text.clone()
    }
    fn json_schema() -> Json {
        schema::text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let micros =
            |text| Interval::parse(text).map(|interval| (interval.months, interval.micros));
        assert_eq!(micros("26h"), Ok((0, 26 * 3_600_000_000)));
        assert_eq!(micros("39 weeks"), Ok((0, 39 * 7 * DAY)));
        assert_eq!(micros("1 year"), Ok((12, 0)));
        assert_eq!(micros("2 quarters"), Ok((6, 0)));
        assert!(micros("3m").is_err_and(|message| message.contains("months")));
        assert!(micros("3").is_err());
        assert!(micros("d").is_err());
        assert!(micros("99999999999999 weeks").is_err());
    }

    #[test]
    fn instants() {
        assert_eq!(parse_instant("1970-01-02"), Some(Instant::Date(1)));
        assert_eq!(parse_instant("1970-01-01T01:00"), Some(Instant::Local(3_600_000_000)));
        assert_eq!(parse_instant("1970-01-01T01:00Z"), Some(Instant::Absolute(3_600_000_000)));
        assert_eq!(parse_instant("1970-01-01T01:00+01:00"), Some(Instant::Absolute(0)));
        assert_eq!(parse_instant("1998-02-30"), None);
        assert_eq!(Instant::Date(10_408).show(), "1998-07-01");
    }
}
