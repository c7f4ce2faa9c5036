//! A table seen as the report's charts and tables.

use std::collections::BTreeMap;

use crate::frame::{DataType, Frame, Unit, Value, format_decimal};
use crate::report::{Bar, Bars, Block, Cell, Chart, Column, Grid, Table, Unit as ReportUnit};
use crate::stages::View;

mod balance;
mod cohorts;
mod fits;
mod forecast;
mod funnel;
mod metrics;
mod movements;
mod projection;
mod strata;
mod survival;
mod trend;
mod worth;

/// The table to look at.
pub(super) struct Context<'a> {
    pub table: &'a str,
    /// Its file, or the folder of its files, in the output.
    pub file: &'a str,
    pub frame: &'a Frame,
    /// The level of intervals.
    pub level: f64,
    /// Rows of a long table that are shown.
    pub top: i64,
}

/// Most values of a segment that get a chart of their own.
const MAX_SEGMENTS: usize = 6;

/// A view's findings in sentences, and its figures. `companion` gives a companion table by its suffix.
pub(super) fn show<'a>(
    view: &View,
    context: &Context,
    companion: &dyn Fn(&str) -> Option<&'a Frame>,
) -> (Vec<String>, Vec<Block>) {
    match view {
        View::Rows => (Vec::new(), vec![Block::Table(rows(context))]),
        View::Growth { by } => movements::growth(context, by),
        View::Deciles { title, decile, value } => worth::deciles(context, title, decile, value),
        View::Lorenz { by, title, value } => worth::lorenz(context, by, title, value),
        View::Tracking { by, title, x, actual, expected, holdout } => {
            worth::tracking(context, by, title, [x, actual, expected, holdout])
        }
        View::Fits { by, fits, parameters } => {
            let blocks = companion(fits).map(|fits| fits::fits(by, fits, companion(parameters)));
            (Vec::new(), blocks.unwrap_or_default())
        }
        View::Survival { by, unit, summary, tests } => {
            survival::curves(context, by, *unit, [companion(summary), companion(tests)])
        }
        View::Projection { by, unit, fits } => {
            projection::curves(context, by, *unit, companion(fits))
        }
        View::Balance { x, metric } => balance::balance(context, x, metric),
        View::Trend { by, period, metrics } => trend::trend(context, by, period, metrics),
        View::Funnel { by, every } => {
            let who = if *every { "entries" } else { "customers" };
            funnel::funnel(context, by, who)
        }
        View::Strata { who } => (strata::sentences(context, who), Vec::new()),
        View::SampleTests { shares } => (strata::tests(context, companion(shares)), Vec::new()),
        View::Calibration { by } => forecast::calibration(context, by),
        View::Standing { title, alive, decile, value } => {
            forecast::standing(context, title, [alive, decile, value])
        }
        View::Bars { title, x, y, complete } => bars(context, title, x, y, complete.as_deref()),
        View::Line { title, x, y, by, goal } => metrics::line(context, title, [x, y], by, *goal),
        View::Quantiles { title, x, of, over_time: true } => {
            metrics::quantiles_over_time(context, title, x, of)
        }
        View::Quantiles { title, x, of, over_time: false } => {
            metrics::quantiles_by_group(context, title, x, of)
        }
        View::Compared { metrics } => metrics::compared(context, metrics),
        View::Ranking { title, of, y } => metrics::ranking(context, title, of, y),
        View::Cohorts { by, age, steps, returned, average } => {
            let reading = cohorts::Reading { age: *age, steps: *steps, returned: *returned };
            cohorts::cohorts(context, by, reading, companion(average))
        }
        View::Grid { title, rows, columns } => grid(context, title, rows, columns),
        View::Counts { title, of, sum } => counts(context, title, of, sum),
    }
}

/// The rows of one segment.
struct Segment {
    /// ` of France`; empty where the table has no segments.
    of: String,
    rows: Vec<usize>,
}

/// The first segments of a table in their order, and a sentence that says how many more there are.
fn segments(context: &Context, by: &[String]) -> (Vec<Segment>, Option<Block>) {
    let frame = context.frame;
    let columns: Vec<_> = by.iter().map(|name| column(frame, name)).collect();
    let mut rows_of: BTreeMap<Vec<Value>, Vec<usize>> = BTreeMap::new();
    for row in 0..frame.rows() {
        rows_of.entry(columns.iter().map(|column| column(row)).collect()).or_default().push(row);
    }
    let further = rows_of.len().saturating_sub(MAX_SEGMENTS);
    let more = (further > 0).then(|| {
        Block::Paragraph(format!("{further} further segments are in `{}.parquet`.", context.table))
    });
    let segment = |(values, rows): (Vec<Value>, Vec<usize>)| {
        let name = values.iter().map(label).collect::<Vec<_>>().join(", ");
        Segment { of: if name.is_empty() { name } else { format!(" of {name}") }, rows }
    };
    (rows_of.into_iter().take(MAX_SEGMENTS).map(segment).collect(), more)
}

pub(super) fn unit_of(unit: &Unit) -> ReportUnit {
    match unit {
        Unit::None => ReportUnit::None,
        Unit::Share => ReportUnit::Share,
        Unit::Money(currency) => ReportUnit::Money { currency: currency.clone() },
        Unit::Count => ReportUnit::Count,
        Unit::Points => ReportUnit::Points,
        Unit::Time(unit) => ReportUnit::Named(format!("{unit}s")),
    }
}

pub(super) fn cell(value: &Value, unit: &Unit) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Bool(value) => Cell::Boolean(*value),
        Value::Int(value) => Cell::Integer(*value),
        Value::Float(value) if *unit == Unit::Share => Cell::Share(*value),
        Value::Float(value) => Cell::Number(*value),
        Value::Decimal { minor, scale } => Cell::Decimal { minor: *minor, scale: *scale },
        Value::Date(_) => Cell::Date(value.to_string()),
        Value::String(_) | Value::Timestamp(_) | Value::Duration(_) => {
            Cell::Text(value.to_string())
        }
    }
}

/// Columns that stand beside a metric and are left out where a table is wide.
const BESIDE: [&str; 7] = ["_n", "_low", "_high", "_numerator", "_denominator", "_plus", "_minus"];

fn rows(context: &Context) -> Table {
    let frame = context.frame;
    let fields = &frame.schema.fields;
    let wide = fields.len() > 12;
    let shown: Vec<usize> = (0..fields.len())
        .filter(|&index| {
            !(wide && BESIDE.iter().any(|suffix| fields[index].name.ends_with(suffix)))
        })
        .collect();
    let count = frame.rows().min(usize::try_from(context.top).unwrap_or(0));
    // What has a row for each period is read from its end.
    let by_time = fields.first().is_some_and(|field| field.data_type == DataType::Date);
    let first = if by_time { frame.rows() - count } else { 0 };
    let mut note = format!("All of it is in `{}`.", context.file);
    if shown.len() < fields.len() {
        note = format!(
            "With {} further columns, numerators, n and intervals, in `{}`.",
            fields.len() - shown.len(),
            context.file
        );
    }
    Table {
        caption: context.table.replace('_', " "),
        columns: shown
            .iter()
            .map(|&index| {
                let field = &fields[index];
                Column::new(&field.name, field.name.replace('_', " "), unit_of(&field.unit))
            })
            .collect(),
        rows: (first..first + count)
            .map(|row| {
                shown
                    .iter()
                    .map(|&index| cell(&frame.value(row, index), &fields[index].unit))
                    .collect()
            })
            .collect(),
        note: Some(note),
        total_rows: (count < frame.rows()).then_some(frame.rows() as u64),
        last_rows: by_time,
    }
}

/// A date as a reader wants it on an axis: a first of the month is a month.
fn label(value: &Value) -> String {
    let text = value.to_string();
    match value {
        Value::Date(_) => text.strip_suffix("-01").map_or(text.clone(), str::to_owned),
        Value::Null => "(none)".into(),
        _ => text,
    }
}

/// How the values of a column are written: dates as months if all of them are firsts of a month, so that a week that
/// begins with one is not taken for it.
fn written(frame: &Frame, name: &str) -> impl Fn(&Value) -> String + use<> {
    let value = column(frame, name);
    let months = (0..frame.rows()).all(|row| match value(row) {
        day @ Value::Date(_) => day.to_string().ends_with("-01"),
        _ => true,
    });
    move |value| if months { label(value) } else { plain(value) }
}

/// The same in a sentence: `the week of 2026-03-02`, which would be read as a day else.
fn spoken(frame: &Frame, name: &str) -> impl Fn(&Value) -> String + use<> {
    let (written, week) = (written(frame, name), name == "week");
    move |value| match week {
        true => format!("the week of {}", written(value)),
        false => written(value),
    }
}

fn plain(value: &Value) -> String {
    if value.is_null() { "(none)".into() } else { value.to_string() }
}

fn column<'a>(frame: &'a Frame, name: &str) -> impl Fn(usize) -> Value + use<'a> {
    let index = frame.schema.index_of(name);
    move |row| index.map_or(Value::Null, |index| frame.value(row, index))
}

fn bars(
    context: &Context,
    title: &str,
    x: &str,
    y: &str,
    complete: Option<&str>,
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (xs, ys) = (column(frame, x), column(frame, y));
    let label = written(frame, x);
    let over = complete.map(|name| column(frame, name));
    let unit = frame.schema.field(y).map(|field| unit_of(&field.unit)).unwrap_or_default();
    let bars: Vec<Bar> = (0..frame.rows())
        .map(|row| Bar {
            label: label(&xs(row)),
            value: ys(row).as_f64(),
            incomplete: over.as_ref().is_some_and(|over| over(row) == Value::Bool(false)),
        })
        .collect();
    let peak = (0..frame.rows())
        .filter(|&row| !bars[row].incomplete && !ys(row).is_null())
        .max_by(|&a, &b| ys(a).cmp(&ys(b)).then(b.cmp(&a)));
    let lead = peak.map(|row| {
        format!(
            "{} was highest in {}: {}.",
            capital(title),
            spoken(frame, x)(&xs(row)),
            amount(&ys(row), &unit)
        )
    });
    let chart = Chart::Bars(Bars {
        title: format!("{} by {x}", capital(title)),
        x_label: x.to_owned(),
        y_label: title.to_owned(),
        unit,
        bars,
        ..Bars::default()
    });
    (lead.into_iter().collect(), vec![Block::Chart(chart)])
}

/// Names of metrics that are spoken letter by letter, or are written so.
const ACRONYMS: [&str; 5] = ["nps", "csat", "ces", "sla", "clv"];

pub(super) fn capital(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if ACRONYMS.contains(&first) {
        return format!("{}{}", first.to_uppercase(), &text[first.len()..]);
    }
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// A number in a sentence, with thousands apart.
fn amount(value: &Value, unit: &ReportUnit) -> String {
    let digits = match value {
        Value::Decimal { minor, scale } => format_decimal(*minor, *scale),
        Value::Float(share) if *unit == ReportUnit::Share => return percent(*share),
        Value::Float(number) => format!("{number:.2}"),
        other => other.to_string(),
    };
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match unit {
        ReportUnit::Money { currency: Some(currency) } => {
            format!("{sign}{grouped}{rest} {currency}")
        }
        _ => format!("{sign}{grouped}{rest}"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A level as it is written: 95%, 99.9%.
fn level(level: f64) -> String {
    format!("{}%", (level * 1e6).round() / 1e4)
}

fn grid(context: &Context, title: &str, rows: &str, columns: &str) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (row_of, column_of) = (column(frame, rows), column(frame, columns));
    let mut cells: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    for row in 0..frame.rows() {
        if let (Some(r), Some(c)) = (row_of(row).as_i64(), column_of(row).as_i64()) {
            *cells.entry((r, c)).or_default() += 1;
        }
    }
    let most = cells.keys().map(|&(r, c)| r.max(c)).max().unwrap_or(0);
    let chart = Chart::Grid(Grid {
        title: title.to_owned(),
        row_label: rows.replace('_', " "),
        column_label: columns.replace('_', " "),
        value_label: "customers".into(),
        unit: ReportUnit::Count,
        rows: (1..=most).rev().map(|score| score.to_string()).collect(),
        columns: (1..=most).map(|score| score.to_string()).collect(),
        cells: (1..=most)
            .rev()
            .map(|r| {
                (1..=most).map(|c| Some(cells.get(&(r, c)).map_or(0.0, |&n| n as f64))).collect()
            })
            .collect(),
        ..Grid::default()
    });
    (Vec::new(), vec![Block::Chart(chart)])
}

fn counts(context: &Context, title: &str, of: &str, sum: &str) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (name_of, value_of) = (column(frame, of), column(frame, sum));
    let mut groups: BTreeMap<String, (i64, i128, u8)> = BTreeMap::new();
    for row in 0..frame.rows() {
        let group = groups.entry(label(&name_of(row))).or_default();
        group.0 += 1;
        if let Value::Decimal { minor, scale } = value_of(row) {
            group.1 = group.1.saturating_add(minor);
            group.2 = scale;
        }
    }
    let mut groups: Vec<(String, (i64, i128, u8))> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(&b.0)));
    let all = (frame.rows() as f64).max(1.0);
    let worth: i128 = groups.iter().map(|(_, group)| group.1).sum();
    let share_of_value = |minor: i128| match worth {
        0 => Cell::Missing,
        worth => Cell::Share(minor as f64 / worth as f64),
    };
    let money = frame.schema.field(sum).map(|field| unit_of(&field.unit)).unwrap_or_default();
    let lead = groups.first().map(|(name, (count, _, _))| {
        format!(
            "The largest group by {} is `{name}`: {} customers, {} of all.",
            of.replace('_', " "),
            amount(&Value::Int(*count), &ReportUnit::Count),
            percent(*count as f64 / all)
        )
    });
    let table = Table {
        caption: title.to_owned(),
        columns: vec![
            Column::new(of, of.replace('_', " "), ReportUnit::None),
            Column::new("customers", "customers", ReportUnit::Count),
            Column::new("share", "share of customers", ReportUnit::Share),
            Column::new(sum, sum.replace('_', " "), money),
            Column::new("value_share", "share of value", ReportUnit::Share),
        ],
        rows: groups
            .into_iter()
            .map(|(name, (count, minor, scale))| {
                vec![
                    Cell::Text(name),
                    Cell::Integer(count),
                    Cell::Share(count as f64 / all),
                    Cell::Decimal { minor, scale },
                    share_of_value(minor),
                ]
            })
            .collect(),
        note: None,
        total_rows: None,
        last_rows: false,
    };
    (lead.into_iter().collect(), vec![Block::Table(table)])
}
