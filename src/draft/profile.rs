//! What the columns of a source hold: from footers where they say it, from a sample where they don't.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::error::DraftError;
use super::files::FileSet;
use crate::document::{Instant, parse_instant};
use crate::engine::local::Sample;
use crate::frame::{DataType, Field, Schema, Value, format_decimal, parse_decimal};
use crate::ir::Calendar;
use crate::ir::typing::common_type;
use crate::run::files::guessed;
use crate::spec::FileForm;

/// The most rows that are looked at.
const SAMPLE_ROWS: usize = 250_000;

/// The most values that are listed of a column.
const LISTED: usize = 60;

/// The share of texts that must be dates or numbers for a column of CSV to be one of them; the others
/// are bad rows.
const MOSTLY: f64 = 0.95;

/// The share of rows that may share a value of a column that identifies rows: an order may be there
/// twice by mistake.
pub(super) const NEARLY: f64 = 0.05;

/// Digits after the point that are looked for.
const MOST_DIGITS: u8 = 6;

/// A source and what its columns hold.
#[derive(Debug)]
pub(super) struct Profile {
    pub set: FileSet,
    pub columns: Vec<Column>,
    /// What expressions over the source read.
    pub schema: Schema,
    pub sample: Sample,
    /// True if the sample is all there is.
    pub whole: bool,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    /// What it is in the file, in words.
    pub found: String,
    /// What it is to us; of CSV, what its texts are.
    pub data_type: DataType,
    pub origin: Origin,
    /// The share of rows without a value.
    pub nulls: f64,
    /// Values in the sample.
    pub known: usize,
    /// Different values in the sample.
    pub distinct: usize,
    /// Null where there is no value.
    pub low: Value,
    pub high: Value,
    /// The share of values in the sample that are below 0.
    pub negative: f64,
    /// Digits after the point that nearly all values need.
    pub digits: u8,
    /// True for doubles that are all whole.
    pub whole_doubles: bool,
    /// All values in the sample, the most frequent first, where they are few.
    pub values: Vec<(Value, usize)>,
    /// The share of texts of CSV that are not of the type.
    pub unfit: f64,
}

/// Where a column's values stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    File,
    /// In the text of a CSV file.
    Text,
    /// In the names of folders.
    Folder,
}

impl Column {
    pub fn is_number(&self) -> bool {
        self.data_type.is_numeric()
    }

    pub fn is_time(&self) -> bool {
        matches!(self.data_type, DataType::Date | DataType::Timestamp)
    }

    /// True if no two rows of the sample share a value, and none lacks one.
    pub fn is_unique(&self) -> bool {
        self.known > 1 && self.distinct == self.known && self.nulls == 0.0
    }

    /// True if few rows of the sample share a value or lack one.
    pub fn is_nearly_unique(&self) -> bool {
        let shared = 1.0 - self.distinct as f64 / self.known.max(1) as f64;
        self.known > 1 && shared <= NEARLY && self.nulls <= NEARLY
    }

    /// The least and greatest value, in words.
    pub fn range(&self) -> String {
        let word = |value: &Value| match value {
            Value::Timestamp(_) => value.to_string().chars().take(10).collect(),
            // A `float32` has no more digits than it shows as one.
            Value::Float(number) if self.found == "float32" => (*number as f32).to_string(),
            value => value.to_string(),
        };
        format!("{} to {}", word(&self.low), word(&self.high))
    }
}

impl Profile {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The values of a column in the sample, of the column's type.
    pub fn values(&self, name: &str) -> Vec<Value> {
        let Some(column) = self.column(name) else { return Vec::new() };
        let values = self.sample.column(name);
        match column.origin {
            Origin::Text => values.iter().map(|text| typed(text, column.data_type)).collect(),
            Origin::File | Origin::Folder => values,
        }
    }

    /// The share of rows of the sample that are there twice.
    pub fn repeated_rows(&self) -> f64 {
        let columns: Vec<Vec<Value>> =
            self.columns.iter().map(|column| self.sample.column(&column.name)).collect();
        let mut rows: HashMap<Vec<&Value>, usize> = HashMap::new();
        for row in 0..self.sample.rows {
            *rows
                .entry(columns.iter().filter_map(|column| column.get(row)).collect())
                .or_default() += 1;
        }
        match self.sample.rows {
            0 => 0.0,
            count => (count - rows.len()) as f64 / count as f64,
        }
    }

    /// The share of rows of the sample that hold something that cannot be read, and what, in words.
    pub fn unreadable(&self) -> (f64, Vec<&'static str>) {
        let rows: usize = self.sample.faults.iter().map(|(_, rows)| rows).sum();
        let words = self.sample.faults.iter().map(|(fault, _)| *fault).collect();
        (rows as f64 / self.sample.rows.max(1) as f64, words)
    }

    /// `12,345 rows` or `a sample of 250,000 rows`.
    pub fn basis(&self) -> String {
        let rows = super::text::count(self.sample.rows as u64);
        if self.whole { format!("{rows} rows") } else { format!("a sample of {rows} rows") }
    }
}

/// Looks at a source.
///
/// # Errors
/// A file that cannot be read, CSV without commas, or a source without rows.
pub(super) fn profile(set: FileSet) -> Result<Profile, DraftError> {
    let calendar = Calendar::default();
    let types = types(&set);
    if let ([(column, ..)], FileForm::Csv) = (types.as_slice(), set.form)
        && column.contains([';', '\t', '|'])
    {
        return Err(DraftError::Separator { path: set.address.clone(), column: column.clone() });
    }
    let fields = types.iter().map(|(name, _, data_type, _)| Field::new(name, *data_type)).collect();
    let schema = Arc::new(Schema::new(fields));
    let sample = set.source.sample(&set.name, &schema, SAMPLE_ROWS, &calendar)?;
    if sample.rows == 0 {
        return Err(DraftError::Empty { address: set.address.clone() });
    }
    let whole = sample.rows as u64 == set.rows();
    let mut columns = Vec::new();
    for (name, found, data_type, origin) in types {
        let values = sample.column(&name);
        let mut column = match origin {
            Origin::Text => of_texts(name, &values, whole),
            Origin::File | Origin::Folder => of_values(name, data_type, &values),
        };
        column.found = if origin == Origin::Text { column.data_type.to_string() } else { found };
        column.origin = origin;
        if origin == Origin::File {
            from_footers(&mut column, &set, &calendar);
        }
        columns.push(column);
    }
    let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type)).collect();
    Ok(Profile { schema: Schema::new(fields), set, columns, sample, whole })
}

/// Name, words, type and origin of the columns that are read, in the order of the files.
fn types(set: &FileSet) -> Vec<(String, String, DataType, Origin)> {
    let mut types: Vec<(String, String, DataType, Origin)> = Vec::new();
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in &set.source.files {
        for (name, value) in &file.folders {
            folders.entry(name).or_default().extend(value.as_deref());
        }
        for column in &file.columns {
            let Some(data_type) = column.data_type else { continue };
            let given = file.folders.iter().any(|(name, _)| *name == column.name);
            let origin = match (given, set.form) {
                (true, _) => Origin::Folder,
                (false, FileForm::Csv) => Origin::Text,
                (false, FileForm::Parquet) => Origin::File,
            };
            match types.iter_mut().find(|(name, ..)| *name == column.name) {
                Some((_, _, known, _)) => *known = common_type(*known, data_type).unwrap_or(*known),
                None => types.push((column.name.clone(), column.found.clone(), data_type, origin)),
            }
        }
    }
    for (name, _, data_type, origin) in &mut types {
        if *origin == Origin::Folder {
            let values = folders.get(name.as_str()).cloned().unwrap_or_default();
            *data_type = guessed(values.iter().copied());
        }
    }
    types
}

/// A column of values as they are.
fn of_values(name: String, data_type: DataType, values: &[Value]) -> Column {
    let known: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
    let mut counts: HashMap<&Value, usize> = HashMap::new();
    for value in &known {
        *counts.entry(value).or_default() += 1;
    }
    let distinct = counts.len();
    let mut listed: Vec<(Value, usize)> = Vec::new();
    if distinct <= LISTED {
        listed = counts.into_iter().map(|(value, count)| (value.clone(), count)).collect();
        listed.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    let share =
        |count: usize| if known.is_empty() { 0.0 } else { count as f64 / known.len() as f64 };
    let number = |value: &&&Value| value.as_f64().is_some_and(|number| number < 0.0);
    let digits: Vec<u8> = known.iter().map(|value| digits(value)).collect();
    // One value in a thousand may need more.
    let enough =
        |most: &u8| digits.iter().filter(|digits| *digits > most).count() * 1_000 <= known.len();
    Column {
        name,
        found: String::new(),
        data_type,
        origin: Origin::File,
        nulls: (values.len() - known.len()) as f64 / values.len().max(1) as f64,
        known: known.len(),
        distinct,
        low: known.iter().min().map_or(Value::Null, |value| (*value).clone()),
        high: known.iter().max().map_or(Value::Null, |value| (*value).clone()),
        negative: share(known.iter().filter(number).count()),
        digits: (0..MOST_DIGITS).find(enough).unwrap_or(MOST_DIGITS),
        whole_doubles: data_type == DataType::Float64
            && !known.is_empty()
            && digits.iter().all(|digits| *digits == 0),
        values: listed,
        unfit: 0.0,
    }
}

/// Digits after the point of a number; 0 for what is none.
fn digits(value: &Value) -> u8 {
    let written = match value {
        Value::Float(number) => format!("{number}"),
        Value::Decimal { minor, scale } => format_decimal(*minor, *scale),
        _ => return 0,
    };
    let fraction = written.split_once('.').map_or("", |(_, fraction)| fraction);
    u8::try_from(fraction.trim_end_matches('0').len()).unwrap_or(MOST_DIGITS).min(MOST_DIGITS)
}

/// A column of CSV: the type is the narrowest that its texts have.
fn of_texts(name: String, values: &[Value], whole: bool) -> Column {
    let texts: Vec<&Value> = values.iter().filter(|value| !says_nothing(value)).collect();
    // A decimal has so many digits and no more, which a sample cannot tell.
    let decimal = whole.then_some(DataType::money(2));
    let exact = [Some(DataType::Bool), Some(DataType::Int64), decimal, Some(DataType::Float64)];
    let exact = exact.into_iter().flatten().find(|data_type| {
        !texts.is_empty() && texts.iter().all(|text| !typed(text, *data_type).is_null())
    });
    let data_type = exact.or_else(|| {
        let mostly = |data_type: &DataType| {
            let fit = |texts: &[&Value]| {
                let fit = texts.iter().filter(|text| !typed(text, *data_type).is_null()).count();
                !texts.is_empty() && fit as f64 >= MOSTLY * texts.len() as f64
            };
            // A few tell already that most do not fit.
            fit(&texts[..texts.len().min(100)]) && fit(&texts)
        };
        // Whole numbers may be names: `489434` beside `C489449`.
        let point = |text: &&Value| matches!(text, Value::String(text) if text.contains('.'));
        let fraction = texts.iter().any(point).then_some(DataType::Float64);
        let inexact = [Some(DataType::Date), Some(DataType::Timestamp), fraction];
        inexact.into_iter().flatten().find(mostly)
    });
    let Some(data_type) = data_type else { return of_values(name, DataType::String, values) };
    let typed: Vec<Value> = values.iter().map(|text| typed(text, data_type)).collect();
    let share = |count: usize| count as f64 / values.len().max(1) as f64;
    let blank = |value: &&Value| value.is_null() || **value == Value::text("");
    let blank = values.iter().filter(blank).count();
    let mut column = of_values(name, data_type, &typed);
    column.unfit = share(values.len() - blank - column.known);
    column.nulls = share(blank);
    column
}

/// True for null, an empty text, and texts that stand for nothing.
fn says_nothing(value: &Value) -> bool {
    let Value::String(text) = value else { return true };
    let nothing = ["", "na", "n/a", "null", "none", "nan", "-", "?"];
    text.len() <= 4 && nothing.contains(&text.trim().to_lowercase().as_str())
}

/// The text of a CSV file as a value of a type; null where it is none.
fn typed(text: &Value, data_type: DataType) -> Value {
    let Value::String(text) = text else { return Value::Null };
    let text = match data_type {
        DataType::String => return Value::String(text.clone()),
        _ => text.trim(),
    };
    // `007` would lose its zeros, and a number of twenty digits its last ones.
    let digits =
        text.strip_prefix('-').unwrap_or(text).bytes().take_while(u8::is_ascii_digit).count();
    let name = digits > 15 || (digits > 1 && text.trim_start_matches('-').starts_with('0'));
    if name && data_type.is_numeric() {
        return Value::Null;
    }
    let value = match data_type {
        DataType::Bool => match text.to_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        DataType::Int64 => text.parse().ok().map(Value::Int),
        DataType::Float64 => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::finite)
        }
        DataType::Decimal { scale, .. } => parse_decimal(text)
            .filter(|(_, own)| *own <= scale)
            .map(|(minor, scale)| Value::Decimal { minor, scale }),
        DataType::Date => match parse_instant(text) {
            Some(Instant::Date(day)) => Some(Value::Date(day)),
            _ => None,
        },
        DataType::Timestamp => parse_instant(text)
            .map(|instant| Value::Timestamp(Calendar::default().resolve(instant))),
        _ => None,
    };
    value.unwrap_or(Value::Null)
}

/// What the footers say is about all rows.
fn from_footers(column: &mut Column, set: &FileSet, calendar: &Calendar) {
    let rows = set.rows();
    if let Some(nulls) = set.source.nulls(&column.name)
        && rows > 0
    {
        column.nulls = nulls as f64 / rows as f64;
    }
    if !column.is_number() && !column.is_time() {
        return;
    }
    let (name, data_type) = (&column.name, column.data_type);
    let ends = set
        .source
        .least(name, data_type, calendar)
        .zip(set.source.greatest(name, data_type, calendar));
    if let Some((low, high)) = ends {
        (column.low, column.high) = (low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(texts: &[&str], expected: DataType) {
        let values: Vec<Value> = texts
            .iter()
            .map(|text| if text.is_empty() { Value::Null } else { Value::text(text) })
            .collect();
        assert_eq!(of_texts("x".into(), &values, true).data_type, expected, "{texts:?}");
    }

    #[test]
    fn texts_have_the_narrowest_type() {
        check(&["1", "", "-20"], DataType::Int64);
        check(&["489434", "C489449"], DataType::String);
        check(&["007", "12"], DataType::String);
        check(&["1.5", "12", "0.25"], DataType::money(2));
        check(&["1.555", "12"], DataType::Float64);
        check(&["2026-01-31", "2026-02-01"], DataType::Date);
        check(&["2026-01-31 10:00:00", "2026-02-01T09:30"], DataType::Timestamp);
        check(&["True", "false"], DataType::Bool);
        check(&["12", "N/A"], DataType::Int64);
        check(&["000001", "000002"], DataType::String);
        check(&["12345678901234567890", "12345678901234567891"], DataType::String);
        check(&["0", "-0.5", "0.25"], DataType::money(2));
        check(&["", ""], DataType::String);
    }

    #[test]
    fn digits_are_those_of_nearly_all_values() {
        let values: Vec<Value> = (0..2_000)
            .map(|row| Value::Float(if row == 7 { 0.001 } else { f64::from(row) / 100.0 }))
            .collect();
        let column = of_values("x".into(), DataType::Float64, &values);
        assert_eq!((column.digits, column.whole_doubles), (2, false));
        let whole: Vec<Value> = (0..9).map(|row| Value::Float(f64::from(row))).collect();
        assert!(of_values("x".into(), DataType::Float64, &whole).whole_doubles);
    }
}
