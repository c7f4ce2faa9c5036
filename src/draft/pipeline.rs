//! The draft as YAML: its head and its sources.

use super::lines::OrderLines;
use super::lookups::{DimensionOf, Lookup};
use super::order::Money;
use super::profile::{Column, Origin, Profile};
use super::stages;
use super::start::{Findings, shell_word};
use super::text::{percent, scalar};
use super::words;
use crate::frame::{DataType, Value};
use crate::spec::FileForm;

/// Shares of bad rows that a draft may tolerate, in percent.
const TOLERANCES: &[f64] = &[
    0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0,
    100.0,
];

/// The share of rows without a customer from which on a draft says how to keep them.
const MANY: f64 = 0.02;

/// The longest line that has a comment.
const WIDTH: usize = 120;

/// Lines of YAML.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
}

impl Lines {
    /// A line, so many levels deep.
    pub fn line(&mut self, level: usize, line: impl AsRef<str>) {
        self.text.push_str(&"  ".repeat(level));
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// A line with a comment behind it; above it, where that would be too long.
    pub fn said(&mut self, level: usize, line: impl AsRef<str>, comment: impl AsRef<str>) {
        let line = line.as_ref();
        let comment = one_line(comment.as_ref());
        let width = 40usize.saturating_sub(2 * level);
        let both = format!("{line:width$}  # {comment}");
        if both.chars().count() + 2 * level <= WIDTH {
            self.line(level, both);
        } else {
            self.comment(level, comment);
            self.line(level, line);
        }
    }

    /// A comment on lines of its own.
    pub fn comment(&mut self, level: usize, comment: impl AsRef<str>) {
        let mut line = String::new();
        for word in comment.as_ref().split_whitespace() {
            if !line.is_empty() && line.chars().count() + word.chars().count() + 2 * level > WIDTH {
                self.line(level, format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(level, format!("# {line}"));
    }

    pub fn empty(&mut self) {
        self.text.push('\n');
    }
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The whole text.
pub(super) fn write(findings: &Findings) -> String {
    let mut lines = Lines::default();
    head(findings, &mut lines);
    lines.line(0, "sources:");
    events(findings, &mut lines);
    if let Some(order_lines) = &findings.order_lines {
        lines.empty();
        lines_of_orders(order_lines, findings, &mut lines);
    }
    for lookup in &findings.lookups {
        lines.empty();
        looked_up(lookup, &mut lines);
    }
    stages::write(findings, &mut lines);
    lines.text
}

fn head(findings: &Findings, lines: &mut Lines) {
    let addresses: Vec<String> =
        findings.addresses.iter().map(|address| shell_word(address)).collect();
    let (name, file) = (&findings.name, shell_word(&findings.file));
    lines.line(0, "# yaml-language-server: $schema=tenure.schema.json");
    lines.line(0, "#");
    lines.comment(0, format!(
        "Drafted by `tenure init {}`. What the columns mean was guessed from their names, types and values: read \
         it once, and change what is wrong.",
        addresses.join(" ")
    ));
    lines.line(0, "#");
    lines.line(0, format!("#   tenure check {file}    finds mistakes without reading the data"));
    lines.line(0, format!("#   tenure run {file}      writes out/{name}/: report.html and one Parquet file for each table"));
    lines.empty();
    lines.said(0, "version: 1", "of the pipeline language");
    lines.said(0, format!("name: {name}"), format!("also the output folder: out/{name}"));
    lines.said(
        0,
        "as_of: latest",
        "the day after the last event; a date repeats what was known then",
    );
    if findings.time.naive {
        lines.said(
            0,
            "timezone: UTC",
            "the times have no zone; here is said which one they are of",
        );
    }
    lines.empty();
}

fn form(profile: &Profile) -> String {
    format!("{}: {}", profile.set.form.word(), scalar(&profile.set.address))
}

fn events(findings: &Findings, lines: &mut Lines) {
    let Findings { events, customer, time, value, rows, .. } = findings;
    lines.line(1, format!("{}:", events.set.name));
    lines.line(2, form(events));
    lines.empty();
    lines.comment(
        2,
        "Roles: what the columns mean, said once. Stages ask for roles, not for column names.",
    );
    guests(findings, lines);
    lines.said(2, format!("customer: {}", scalar(&customer.written)), &customer.because);
    if let Some(key) = &rows.key {
        lines.said(2, format!("key: {}", scalar(&key.written)), &key.because);
    }
    if let Some(remark) = &time.remark {
        lines.comment(2, remark);
    }
    lines.said(2, format!("time: {}", scalar(&time.role.written)), &time.role.because);
    if let Some(value) = value {
        money(value, findings.currency.as_deref(), lines);
    }
    order_block(findings, lines);
    lines.empty();
    contract(findings, lines);
}

fn money(value: &Money, currency: Option<&str>, lines: &mut Lines) {
    let mut settings = vec![format!("column: {}", scalar(&value.role.written))];
    settings.extend(value.decimals.map(|decimals| format!("decimals: {decimals}")));
    settings.extend(currency.map(|code| format!("currency: {code}")));
    if value.minor_units {
        settings.push("minor_units: true".into());
    }
    let written = match settings.as_slice() {
        [_] => format!("value: {}", scalar(&value.role.written)),
        several => format!("value: {{{}}}", several.join(", ")),
    };
    let remark = match currency {
        Some(_) => "",
        None => "; the currency is `{column: …, currency: EUR}`",
    };
    lines.said(2, written, format!("{}{remark}", value.role.because));
}

/// The lines of orders.
fn lines_of_orders(of: &OrderLines, findings: &Findings, lines: &mut Lines) {
    let profile = &of.profile;
    lines.comment(1, &of.because);
    lines.line(1, format!("{}:", profile.set.name));
    lines.line(2, form(profile));
    if let Some(value) = &of.value {
        money(value, findings.currency.as_deref(), lines);
    }
    lines.line(2, "order:");
    lines.said(3, format!("id: {}", scalar(&of.id())), "what the lines of an order share");
    if let Some(quantity) = &of.quantity {
        lines.said(3, format!("quantity: {}", scalar(&quantity.written)), &quantity.because);
    }
    lines.line(2, "columns:");
    for column in &profile.columns {
        let of_value =
            of.value.as_ref().is_some_and(|value| value.role.columns.contains(&column.name));
        let whole = column.nulls == 0.0 && column.unfit == 0.0;
        let required = whole && (column.name == of.key || of_value);
        let read = of.used().contains(&column.name.as_str());
        clause(column, profile.set.form, read, required, Bounds::default(), lines);
    }
    let unfit: f64 = profile.columns.iter().map(|column| column.unfit).sum();
    let (unreadable, _) = profile.unreadable();
    let tolerance = tolerance(unfit + unreadable, profile.whole);
    lines.line(2, format!("bad_rows: {{action: quarantine, tolerate: {tolerance}%}}"));
}

/// How rows without a customer are kept, where there are many.
fn guests(findings: &Findings, lines: &mut Lines) {
    let Findings { events, customer, rows, .. } = findings;
    let [column] = customer.columns.as_slice() else { return };
    let many = events.column(column).is_some_and(|column| column.nulls >= MANY);
    let id = rows.id.as_ref().or(rows.key.as_ref());
    if let Some(id) = id.filter(|_| many) {
        let guest = format!(
            "coalesce(cast({} as string), 'guest ' || cast({} as string))",
            customer.written, id.written
        );
        let guest = scalar(&guest);
        lines.comment(2, "Rows without a customer are bad rows. This keeps them, each order being that of another guest:");
        lines.line(2, format!("# customer: {guest}"));
    }
}

fn order_block(findings: &Findings, lines: &mut Lines) {
    let rows = &findings.rows;
    if rows.id.is_none()
        && rows.quantity.is_none()
        && rows.sold.is_none()
        && rows.returned.is_none()
    {
        return;
    }
    lines.line(2, "order:");
    if let Some(id) = &rows.id {
        lines.said(3, format!("id: {}", scalar(&id.written)), &id.because);
    }
    if let Some(sold) = &rows.sold {
        lines.said(3, format!("sold: {}", scalar(&sold.written)), &sold.because);
    }
    if let Some(returned) = &rows.returned {
        lines.said(3, format!("returned: {}", scalar(&returned.written)), &returned.because);
    }
    if let Some(quantity) = &rows.quantity {
        lines.said(3, format!("quantity: {}", scalar(&quantity.written)), &quantity.because);
    }
}

/// What the files must hold: the columns that are read, of CSV all.
fn contract(findings: &Findings, lines: &mut Lines) {
    let Findings { events, customer, time, value, rows, .. } = findings;
    lines.comment(2, "The contract: rows that break it go to a table of their own, with the reasons. Columns not listed are allowed.");
    if let Some(stray) = &time.stray {
        let (latest, most) = (Value::Date(stray.latest), Value::Date(stray.most));
        lines.comment(
            2,
            format!(
                "A date of {latest} lies years after nearly all others, and `as_of: latest` would be the day \
                 after it: rows after {most} are bad rows."
            ),
        );
    }
    lines.line(2, "columns:");
    for column in &events.columns {
        let of_value =
            value.as_ref().is_some_and(|value| value.role.columns.contains(&column.name));
        let needed = customer.is_column(&column.name) || time.role.is_column(&column.name);
        let required = needed || (of_value && column.nulls == 0.0 && column.unfit == 0.0);
        let known = events.whole || column.origin == Origin::File;
        let positive = known && column.low.as_f64().is_some_and(|low| low >= 0.0);
        let least =
            of_value && positive && value.as_ref().is_some_and(|value| value.negative == 0.0);
        let others = [
            rows.id.as_ref(),
            rows.key.as_ref(),
            rows.quantity.as_ref(),
            rows.sold.as_ref(),
            rows.returned.as_ref(),
        ];
        let read = [Some(customer), Some(&time.role)].into_iter().chain(others).flatten();
        let read = of_value || read.into_iter().any(|role| role.columns.contains(&column.name));
        let most = time.stray.as_ref().filter(|_| time.role.is_column(&column.name));
        let bounds = Bounds { least, most: most.map(|stray| stray.most) };
        clause(column, events.set.form, read, required, bounds, lines);
    }
    let columns = || {
        let roles = [Some(customer), Some(&time.role)].into_iter().flatten();
        roles.flat_map(|role| role.columns.iter()).filter_map(|name| events.column(name))
    };
    let nulls: f64 = columns().map(|column| column.nulls).sum();
    let unfit: f64 = events.columns.iter().map(|column| column.unfit).sum::<f64>() + time.unfit;
    let stray = time.stray.as_ref().map_or(0.0, |stray| stray.share);
    let (unreadable, words) = events.unreadable();
    let seen = (nulls + unfit + unreadable + stray).min(1.0);
    let tolerance = tolerance(seen, events.whole || events.set.form == FileForm::Parquet);
    let without = columns().map(|column| (column.nulls, format!("no `{}`", column.name)));
    let others = [
        (unfit, "a text that does not fit".to_owned()),
        (unreadable, words.join(", or ")),
        (stray, "a date that is not believed".to_owned()),
    ];
    let faults: Vec<String> = without
        .chain(others)
        .filter(|(share, _)| *share > 0.0)
        .map(|(share, what)| format!("{} of the rows have {what}", percent(share)))
        .collect();
    let said = match faults.is_empty() {
        true => "no bad row was seen; more than this share fails the run".to_owned(),
        false => format!("{}; a larger share fails the run", faults.join(", ")),
    };
    lines.said(2, format!("bad_rows: {{action: quarantine, tolerate: {tolerance}%}}"), said);
}

/// The share of bad rows that a run bears, in percent: more than was seen.
fn tolerance(seen: f64, whole: bool) -> f64 {
    let room = if whole { 0.0 } else { 0.5 };
    let wanted = seen * 100.0 * 1.1 + room;
    TOLERANCES.iter().copied().find(|tolerance| wanted <= *tolerance).unwrap_or(100.0)
}

/// The bounds of a column's values.
#[derive(Default)]
struct Bounds {
    /// True if none is below 0.
    least: bool,
    /// The last day.
    most: Option<i32>,
}

/// A column's clause, if it has one.
fn clause(
    column: &Column,
    form: FileForm,
    read: bool,
    required: bool,
    bounds: Bounds,
    lines: &mut Lines,
) {
    let personal = words::personal(&column.name) && column.data_type == DataType::String;
    let wanted = read || personal || form == FileForm::Csv;
    if !wanted || (column.origin == Origin::Folder && !read) {
        return;
    }
    let data_type = match column.data_type {
        DataType::Decimal { .. } => "decimal".to_owned(),
        _ if column.found == "uint64" => "uint64".to_owned(),
        DataType::Int32 => "int64".to_owned(),
        other => other.to_string(),
    };
    let mut settings = vec![format!("type: {data_type}")];
    if required {
        settings.push("required: true".into());
    }
    if bounds.least {
        settings.push("min: 0".into());
    }
    settings.extend(bounds.most.map(|day| format!("max: {}", Value::Date(day))));
    if personal {
        settings.push("pii: true".into());
    }
    lines.line(3, format!("{}: {{{}}}", scalar(&column.name), settings.join(", ")));
}

/// A table that is looked up in.
fn looked_up(lookup: &Lookup, lines: &mut Lines) {
    let profile = &lookup.profile;
    lines.comment(1, &lookup.because);
    lines.line(1, format!("{}:", profile.set.name));
    lines.line(2, form(profile));
    if let Some(customer) = &lookup.customer {
        lines.line(2, format!("customer: {}", scalar(&customer.written)));
    }
    lines.line(2, "columns:");
    let key = profile.column(&lookup.key);
    for column in &profile.columns {
        let own = column.name == lookup.key;
        let plain = lookup.customer.as_ref().is_none_or(|role| role.plain);
        let required = own && plain && column.nulls == 0.0;
        clause(column, profile.set.form, own, required, Bounds::default(), lines);
    }
    let nulls = key.map_or(0.0, |key| key.nulls);
    let unfit: f64 = profile.columns.iter().map(|column| column.unfit).sum();
    let cast = lookup.customer.as_ref().is_some_and(|role| role.written.contains("try_cast"));
    if nulls + unfit > 0.0 || cast {
        let tolerance = tolerance(nulls + unfit, false).max(if cast { 100.0 } else { 0.0 });
        lines.said(
            2,
            format!("bad_rows: {{action: drop, tolerate: {tolerance}%}}"),
            "rows without a key say nothing",
        );
    }
}

/// What a segment is called in a `by:`, and how it is declared.
pub(super) fn segment(of: &DimensionOf) -> Option<String> {
    let DimensionOf::Customers { table, column, ages, unknown } = of else { return None };
    let place = scalar(&format!("{table}.{column}"));
    let mut settings = vec![format!("column: {place}")];
    if *ages {
        settings.push("cuts: [25, 35, 50, 65]".into());
        settings.push("labels: [under_25, '25_34', '35_49', '50_64', '65_up']".into());
    }
    settings.extend(unknown.as_ref().map(|label| format!("unknown: {label}")));
    Some(match settings.as_slice() {
        [_] => place,
        several => format!("{{{}}}", several.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_borne_than_was_seen() {
        assert_eq!(tolerance(0.0, true), 0.1);
        assert_eq!(tolerance(0.0, false), 0.5);
        assert_eq!(tolerance(0.2277, true), 30.0);
        assert_eq!(tolerance(0.0004, true), 0.1);
        assert_eq!(tolerance(1.0, true), 100.0);
    }
}
