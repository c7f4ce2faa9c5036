//! Retention curves, observed and carried on.

use std::collections::BTreeMap;

use super::{Context, Segment, column, label, percent, segments};
use crate::document::TimeUnit;
use crate::frame::{Frame, Value};
use crate::report::{
    Block, Chart, Emphasis, Interval, Lines, Marker, Point, Series, Unit as ReportUnit,
};

/// Cohorts that get a chart of their own: the last ones that are long enough to be judged.
const SHOWN: usize = 2;

pub(super) fn curves(
    context: &Context,
    by: &[String],
    unit: TimeUnit,
    fits: Option<&Frame>,
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (segments, more) = segments(context, by);
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    for Segment { of, rows } in segments {
        let mut cohorts: BTreeMap<Value, Vec<usize>> = BTreeMap::new();
        let cohort = column(frame, "cohort");
        rows.iter().for_each(|&row| cohorts.entry(cohort(row)).or_default().push(row));
        let observed = column(frame, "observed");
        let seen =
            |rows: &[usize]| rows.iter().filter(|&&row| observed(row) != Value::Null).count();
        let longest = cohorts.values().map(|rows| seen(rows)).max().unwrap_or(0);
        // Of the cohorts observed for at least half as long as the oldest, the oldest and the newest.
        let long: Vec<(&Value, &Vec<usize>)> =
            cohorts.iter().filter(|(_, rows)| 2 * seen(rows) >= longest).collect();
        let some = match long.as_slice() {
            [first, .., last] if SHOWN > 1 => vec![*first, *last],
            all => all.to_vec(),
        };
        for (cohort, rows) in some {
            let title = format!("Retention of cohort {}{of}, carried on", label(cohort));
            blocks.push(Block::Chart(chart(frame, rows, title, unit)));
        }
        if let Some((cohort, rows)) = long.last() {
            let last = rows.last().copied().unwrap_or(0);
            let number = |name: &str| column(frame, name)(last).as_f64();
            let bounds = number("projected_low").zip(number("projected_high"));
            let bounds = bounds.map_or(String::new(), |(low, high)| {
                format!(" ({} to {})", percent(low), percent(high))
            });
            if let Some(share) = number("projected") {
                lead.push(format!(
                    "Of cohort {}{of} {}{bounds} are expected to be there at age {}.",
                    label(cohort),
                    percent(share),
                    column(frame, "age")(last),
                ));
            }
        }
    }
    lead.extend(fits.and_then(|fits| lifetime(fits, by, unit)));
    blocks.extend(more);
    (lead, blocks)
}

fn chart(frame: &Frame, rows: &[usize], title: String, unit: TimeUnit) -> Chart {
    let number = |name: &'static str| {
        let of = column(frame, name);
        move |row: usize| of(row).as_f64()
    };
    let (observed, projected) = (number("observed"), number("projected"));
    let (low, high) = (number("projected_low"), number("projected_high"));
    let projected = |row: usize| {
        let interval = low(row).zip(high(row)).map(|(low, high)| Interval { low, high });
        Some(Point { value: projected(row)?, interval })
    };
    let seen = |row: usize| Some(Point { value: observed(row)?, interval: None });
    let age = column(frame, "age");
    let unknown = rows.iter().position(|&row| observed(row).is_none());
    Chart::Lines(Lines {
        title,
        description: Some(
            "The curve was fitted to what was observed; the band holds the curve at the level of the \
             pipeline."
                .to_owned(),
        ),
        x_label: format!("age in {}s", unit.word()),
        x: rows.iter().map(|&row| age(row).to_string()).collect(),
        y_label: "retained".to_owned(),
        unit: ReportUnit::Share,
        steps: false,
        series: vec![
            Series {
                name: "observed".to_owned(),
                emphasis: Emphasis::Strong,
                points: rows.iter().map(|&row| seen(row)).collect(),
            },
            Series {
                name: "curve".to_owned(),
                emphasis: Emphasis::Normal,
                points: rows.iter().map(|&row| projected(row)).collect(),
            },
        ],
        marker: unknown.map(|index| Marker { index, label: "not observed".to_owned() }),
    })
}

/// What the curve of the first cohort says of how long customers stay.
fn lifetime(fits: &Frame, by: &[String], unit: TimeUnit) -> Option<String> {
    let at = |name: &str, row: usize| column(fits, name)(row);
    let row = (0..fits.rows()).find(|&row| at("chosen", row) == Value::Bool(true))?;
    let worth = at("discounted_expected_lifetime", row).as_f64()?;
    let which: Vec<String> = std::iter::once("cohort")
        .chain(by.iter().map(String::as_str))
        .map(|name| label(&at(name, row)))
        .collect();
    Some(format!(
        "A new customer of {} is expected to pay for {worth:.1} {}s, discounted to the first payment, by the \
         curve `{}`.",
        which.join(", "),
        unit.word(),
        at("model", row)
    ))
}
