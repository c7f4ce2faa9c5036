//! Retention of cohorts by age, as a heat map and as curves.

use super::{Context, Segment, amount, capital, column, label, level, percent, segments};
use crate::document::TimeUnit;
use crate::frame::{Frame, Value};
use crate::ir::{Returned, Steps};
use crate::report::{
    Block, Chart, CohortRow, CohortTriangle, Interval, RetentionCell, Unit as ReportUnit,
};

/// Most cohorts and ages of a heat map; the newest cohorts and the first ages are shown.
const MAX_COHORTS: usize = 60;
const MAX_AGES: usize = 61;

/// What an age is, and what counts as coming back.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub age: TimeUnit,
    pub steps: Steps,
    pub returned: Returned,
}

impl Reading {
    /// How to read the heat map, in a sentence.
    fn sentence(self, brackets: bool) -> String {
        let unit = self.age;
        let cell = if brackets { "bracket" } else { unit.word() };
        let share = match self.returned {
            Returned::Exactly => format!("active in the {cell}"),
            Returned::OnOrAfter => format!("active in the {cell} or later"),
            Returned::Through => format!("active in every {cell} up to it"),
        };
        let age = match (self.steps, unit) {
            (Steps::Calendar, _) => format!("{unit}s"),
            (Steps::Rolling, TimeUnit::Month) => "steps of 30 days from each entry".to_owned(),
            (Steps::Rolling, TimeUnit::Quarter) => "steps of 90 days from each entry".to_owned(),
            (Steps::Rolling, TimeUnit::Year) => "steps of 365 days from each entry".to_owned(),
            (Steps::Rolling, _) => format!("{unit}s from each entry"),
        };
        format!("Share of each cohort {share}, by age in {age}")
    }

    /// When the customers of a cell are retained.
    fn when(self, age: &str) -> String {
        let unit = self.age;
        let several = age.contains('–');
        let at = if several { format!("{unit}s {age}") } else { format!("{unit} {age}") };
        match (self.returned, several) {
            (Returned::Exactly, false) => format!("at {at}"),
            (Returned::Exactly, true) => format!("in {at}"),
            (Returned::OnOrAfter, _) => format!("in {at} or later"),
            (Returned::Through, _) => format!("all the way to {at}"),
        }
    }
}

fn retention_cell(frame: &Frame, row: usize) -> Option<RetentionCell> {
    let number = |name: &str| column(frame, name)(row).as_f64();
    let count = |name: &str| column(frame, name)(row).as_i64();
    Some(RetentionCell {
        rate: number("rate")?,
        interval: number("rate_low")
            .zip(number("rate_high"))
            .map(|(low, high)| Interval { low, high }),
        retained: count("retained")?,
        eligible: count("eligible")?,
    })
}

/// The name of a row's age: `1`, or `1–3`.
fn age_name(frame: &Frame, row: usize) -> String {
    let (low, high) = (column(frame, "age")(row), column(frame, "age_to")(row));
    match high {
        Value::Null => low.to_string(),
        high if high == low => low.to_string(),
        high => format!("{low}–{high}"),
    }
}

pub(super) fn cohorts(
    context: &Context,
    by: &[String],
    reading: Reading,
    average: Option<&Frame>,
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (own, more) = segments(context, by);
    // The average has the same segments.
    let averages = average.map(|frame| segments(&Context { frame, ..*context }, by).0);
    let mut averages = averages.unwrap_or_default().into_iter();
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    for Segment { of, rows: own } in own {
        let mut rows: Vec<CohortRow> = Vec::new();
        let mut ages: Vec<String> = Vec::new();
        let mut last = None;
        for row in own {
            let cohort = column(frame, "cohort")(row);
            if last.as_ref() != Some(&cohort) {
                let size = column(frame, "size")(row).as_i64().unwrap_or(0);
                rows.push(CohortRow { label: label(&cohort), size, cells: Vec::new() });
                last = Some(cohort);
            }
            if rows.len() == 1 {
                ages.push(age_name(frame, row));
            }
            if let Some(open) = rows.last_mut() {
                open.cells.push(retention_cell(frame, row));
            }
        }
        let mut average_row = Vec::new();
        if let Some((average, own)) = average.zip(averages.next()) {
            average_row = own.rows.iter().map(|&row| retention_cell(average, row)).collect();
        }
        let hidden = rows.len().saturating_sub(MAX_COHORTS);
        let whole = hidden == 0 && ages.len() <= MAX_AGES;
        rows.drain(..hidden);
        rows.iter_mut().for_each(|row| row.cells.truncate(MAX_AGES));
        average_row.truncate(MAX_AGES);
        ages.truncate(MAX_AGES);
        let brackets = frame.schema.field("age_to").is_some();
        let with_intervals = average_row.iter().flatten().any(|cell| cell.interval.is_some());
        let intervals = match with_intervals {
            true => format!(", with {} Wilson intervals", level(context.level)),
            false => String::new(),
        };
        let triangle = CohortTriangle {
            title: format!("Retention by cohort{of}"),
            description: Some(format!(
                "{}{intervals}. Cells that are not over are blank.",
                reading.sentence(brackets)
            )),
            age_label: capital(reading.age.word()),
            ages,
            rows,
            average: average_row,
        };
        let first = triangle.first_return();
        if let Some(Some(cell)) = triangle.average.get(first) {
            let interval = cell.interval.map_or(String::new(), |interval| {
                format!(
                    ", {} interval {} to {}",
                    level(context.level),
                    percent(interval.low),
                    percent(interval.high)
                )
            });
            lead.push(format!(
                "{} of the customers{of} are retained {} ({} of {}{interval}).",
                percent(cell.rate),
                reading.when(&triangle.ages[first]),
                amount(&Value::Int(cell.retained), &ReportUnit::Count),
                amount(&Value::Int(cell.eligible), &ReportUnit::Count),
            ));
        }
        let curves = triangle.curves(format!("Retention curves{of}"));
        blocks.push(Block::Chart(Chart::CohortTriangle(triangle)));
        if !whole {
            blocks.push(Block::Paragraph(format!(
                "The newest {MAX_COHORTS} cohorts and the first {MAX_AGES} ages are shown; all are in `{}.parquet`.",
                context.table
            )));
        }
        blocks.push(Block::Chart(Chart::Lines(curves)));
    }
    blocks.extend(more);
    (lead, blocks)
}
