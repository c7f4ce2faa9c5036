//! Metrics over time: what was expected, what came, and what is expected next.

use std::collections::BTreeMap;

use super::{Context, Segment, capital, column, label, percent, segments};
use crate::frame::Value;
use crate::report::{
    Block, Chart, Emphasis, Interval, Lines, Marker, Point, Series, Unit as ReportUnit,
};

/// Most metrics of a segment that get a chart.
const MOST: usize = 3;

pub(super) fn trend(context: &Context, by: &[String], period: &str) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let metric = column(frame, "metric");
    let (segments, more) = segments(context, by);
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    for Segment { of, rows } in segments {
        let mut metrics: BTreeMap<Value, Vec<usize>> = BTreeMap::new();
        rows.iter().for_each(|&row| metrics.entry(metric(row)).or_default().push(row));
        for (name, rows) in metrics.iter().take(MOST) {
            let name = capital(&name.to_string().replace('_', " "));
            lead.extend(sentence(context, rows, &format!("{name}{of}"), period));
            blocks.push(Block::Chart(chart(
                context,
                rows,
                format!("{name}{of} by {period}"),
                period,
            )));
        }
    }
    blocks.extend(more);
    (lead, blocks)
}

/// The last period with a value: how it changed, and whether that is more than chance.
fn sentence(context: &Context, rows: &[usize], name: &str, period: &str) -> Option<String> {
    let at = |column_name: &str, row: usize| column(context.frame, column_name)(row);
    let row = rows.iter().copied().rev().find(|&row| !at("value", row).is_null())?;
    let change = at("change_share", row).as_f64()?;
    let sign = if change >= 0.0 { "+" } else { "" };
    let sure = match at("significant", row) {
        Value::Bool(true) => ", more than chance",
        Value::Bool(false) => ", which may be chance",
        _ => "",
    };
    let year = at("year_ago_change_share", row).as_f64().map_or(String::new(), |change| {
        let sign = if change >= 0.0 { "+" } else { "" };
        format!("; {sign}{} on a year ago", percent(change))
    });
    let odd: Vec<String> = rows
        .iter()
        .filter(|&&row| at("anomaly", row) == Value::Bool(true))
        .map(|&row| label(&at(period, row)))
        .collect();
    let odd = match odd.as_slice() {
        [] => String::new(),
        odd => format!(" Not as expected: {}.", odd[odd.len().saturating_sub(5)..].join(", ")),
    };
    Some(format!(
        "{name} in {}: {sign}{} on the period before{sure}{year}.{odd}",
        label(&at(period, row)),
        percent(change)
    ))
}

fn chart(context: &Context, rows: &[usize], title: String, period: &str) -> Chart {
    let frame = context.frame;
    let number = |name: &'static str| {
        let of = column(frame, name);
        move |row: usize| of(row).as_f64()
    };
    let (value, expected) = (number("value"), number("expected"));
    let (low, high) = (number("expected_low"), number("expected_high"));
    let ahead = column(frame, "forecast");
    let should = |row: usize| {
        let interval = low(row).zip(high(row)).map(|(low, high)| Interval { low, high });
        Some(Point { value: expected(row)?, interval })
    };
    let next = rows.iter().position(|&row| ahead(row) == Value::Bool(true));
    Chart::Lines(Lines {
        title,
        description: Some(
            "The band holds what the other periods make one expect of each; behind the line, what comes next."
                .to_owned(),
        ),
        x_label: period.to_owned(),
        x: rows.iter().map(|&row| label(&column(frame, period)(row))).collect(),
        y_label: "value".to_owned(),
        unit: ReportUnit::None,
        steps: false,
        series: vec![
            Series {
                name: "value".to_owned(),
                emphasis: Emphasis::Strong,
                points: rows
                    .iter()
                    .map(|&row| Some(Point { value: value(row)?, interval: None }))
                    .collect(),
            },
            Series {
                name: "expected".to_owned(),
                emphasis: Emphasis::Normal,
                points: rows.iter().map(|&row| should(row)).collect(),
            },
        ],
        marker: next.map(|index| Marker { index, label: "forecast".to_owned() }),
    })
}
