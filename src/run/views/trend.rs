//! Metrics over time: what was expected, what came, and what is expected next.

use super::metrics::told;
use super::{Context, Segment, capital, column, percent, segments, spoken, unit_of, written};
use crate::frame::{Unit, Value};
use crate::report::{
    Block, Cell, Chart, Column, Emphasis, Interval, Lines, Marker, Point, Series, Table,
    Unit as ReportUnit,
};

/// Most metrics of a segment that get a chart.
const MOST: usize = 3;

pub(super) fn trend(
    context: &Context,
    by: &[String],
    period: &str,
    metrics: &[(String, Unit)],
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let metric = column(frame, "metric");
    let (segments, more) = segments(context, by);
    let (mut lead, mut charts, mut latest) = (Vec::new(), Vec::new(), Vec::new());
    for Segment { of, rows } in segments {
        for (index, (name, unit)) in metrics.iter().enumerate() {
            let own = Value::text(name);
            let rows: Vec<usize> = rows.iter().copied().filter(|&row| metric(row) == own).collect();
            let named = format!("{}{of}", capital(&name.replace('_', " ")));
            let of_metric = Metric { context, rows: &rows, period, unit: unit_of(unit) };
            latest.extend(of_metric.latest().map(|row| of_metric.told(row, &named)));
            if index < MOST {
                lead.extend(of_metric.sentence(&named));
                charts.push(Block::Chart(chart(&of_metric, format!("{named} by {period}"))));
            }
        }
    }
    let column = |key: &str, label: &str| Column::new(key, label, ReportUnit::None);
    let mut blocks = vec![Block::Table(Table {
        caption: "The last period of each metric".to_owned(),
        columns: vec![
            column("metric", "metric"),
            column("period", period),
            column("value", "value").at_end(),
            column("previous", "the period before").at_end(),
            column("change", "change").at_end(),
            column("significant", "more than chance"),
            column("year_ago", "a year ago").at_end(),
            column("year_ago_change", "change on it").at_end(),
            column("year_ago_significant", "more than chance"),
        ],
        rows: latest,
        note: Some(format!("Every period, with intervals and p-values, is in `{}`.", context.file)),
        total_rows: None,
        last_rows: false,
    })];
    blocks.extend(charts);
    blocks.extend(more);
    (lead, blocks)
}

/// A metric of a segment over time.
struct Metric<'a> {
    context: &'a Context<'a>,
    rows: &'a [usize],
    period: &'a str,
    unit: ReportUnit,
}

impl Metric<'_> {
    fn at(&self, name: &str, row: usize) -> Value {
        column(self.context.frame, name)(row)
    }

    /// The last period with a value.
    fn latest(&self) -> Option<usize> {
        self.rows.iter().copied().rev().find(|&row| !self.at("value", row).is_null())
    }

    fn value(&self, name: &str, row: usize) -> Option<String> {
        self.at(name, row).as_f64().map(|value| told(value, &self.unit))
    }

    /// The change of a period, in points where shares of shares would be misread.
    fn change(&self, prefix: &str, row: usize) -> Option<String> {
        let signed = |number: f64, text: String| match number >= 0.0 {
            true => format!("+{text}"),
            false => text,
        };
        let points = match self.unit {
            ReportUnit::Share => 100.0,
            ReportUnit::Points => 1.0,
            ReportUnit::None
            | ReportUnit::Count
            | ReportUnit::Money { .. }
            | ReportUnit::Named(_) => {
                let change = self.at(&format!("{prefix}change_share"), row).as_f64()?;
                return Some(signed(change, percent(change)));
            }
        };
        let change = self.at(&format!("{prefix}change"), row).as_f64()? * points;
        let digits = if change.abs() < 1.0 { 2 } else { 1 };
        Some(signed(change, format!("{change:.digits$} points")))
    }

    /// The last period with a value: how it changed, and whether that is more than chance.
    fn sentence(&self, name: &str) -> Option<String> {
        let label = spoken(self.context.frame, self.period);
        let row = self.latest()?;
        let change = self.change("", row)?;
        let sure = |prefix: &str| match self.at(&format!("{prefix}significant"), row) {
            Value::Bool(true) => ", more than chance",
            Value::Bool(false) => ", which may be chance",
            _ => "",
        };
        let year = self.change("year_ago_", row).map_or(String::new(), |change| {
            format!("; {change} on a year ago{}", sure("year_ago_"))
        });
        let odd: Vec<String> = self
            .rows
            .iter()
            .filter(|&&row| self.at("anomaly", row) == Value::Bool(true))
            .map(|&row| label(&self.at(self.period, row)))
            .collect();
        let odd = match odd.as_slice() {
            [] => String::new(),
            odd => format!(" Not as expected: {}.", odd[odd.len().saturating_sub(5)..].join(", ")),
        };
        Some(format!(
            "{name} in {}: {}, {change} on the period before{}{year}.{odd}",
            label(&self.at(self.period, row)),
            self.value("value", row)?,
            sure(""),
        ))
    }

    /// The same as the row of a table.
    fn told(&self, row: usize, name: &str) -> Vec<Cell> {
        let text = |text: Option<String>| text.map_or(Cell::Missing, Cell::Text);
        let sure = |name: &str| match self.at(name, row) {
            Value::Bool(sure) => Cell::Boolean(sure),
            _ => Cell::Missing,
        };
        vec![
            Cell::Text(name.to_owned()),
            Cell::Text(written(self.context.frame, self.period)(&self.at(self.period, row))),
            text(self.value("value", row)),
            text(self.value("previous", row)),
            text(self.change("", row)),
            sure("significant"),
            text(self.value("year_ago", row)),
            text(self.change("year_ago_", row)),
            sure("year_ago_significant"),
        ]
    }
}

fn chart(metric: &Metric, title: String) -> Chart {
    let Metric { context, rows, period, unit } = metric;
    let frame = context.frame;
    let label = written(frame, period);
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
            match rows.iter().any(|&row| low(row).is_some()) {
                true => "The band is where each value should lie by the other periods; right of the dashed line is the forecast.",
                false => "The thinner line is where each value should lie by the other periods; right of the dashed line is the forecast.",
            }
            .to_owned(),
        ),
        x_label: (*period).to_owned(),
        x: rows.iter().map(|&row| label(&column(frame, period)(row))).collect(),
        y_label: "value".to_owned(),
        unit: unit.clone(),
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
