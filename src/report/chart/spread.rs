//! How values are spread in each group: marks such as quantiles on a line, one group below the other.

use maud::html;

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::{Spread, SpreadRow};
use super::super::format;
use super::rows::Rows;
use super::scale::{COLOURS, px, shorten};
use super::{Drawing, WIDTH};

/// The lightest colours vanish as dots.
const FIRST_COLOUR: usize = 3;

pub(super) fn draw(chart: &Spread) -> Drawing {
    let all = || chart.rows.iter().flat_map(marks).map(|(_, value)| value);
    let names = chart.rows.iter().map(|row| row.label.as_str());
    let rows = Rows::new(&chart.row_label, names, all(), (6, WIDTH - 76.0));
    let (x, left) = (&rows.x, rows.left);
    let legend = rows.bottom + 42.0;
    let content = html! {
        (rows.axes(&chart.row_label, &chart.value_label, &chart.unit))
        @for (index, row) in chart.rows.iter().enumerate() {
            @let middle = rows.middle(index);
            @let known: Vec<(usize, f64)> = marks(row).collect();
            (rows.name(index, &row.label))
            @if let (Some((_, first)), Some((_, last))) = (known.first(), known.last()) {
                line.span x1=(x.px(*first)) x2=(x.px(*last)) y1=(px(middle)) y2=(px(middle)) {}
                @for (mark, value) in &known {
                    g.{ "q" (colour(*mark, chart.marks.len())) } {
                        circle cx=(x.px(*value)) cy=(px(middle)) r="5.5" {
                            title { (row.label) ", " (chart.marks[*mark]) ": " (format::value(*value, &chart.unit)) }
                        }
                    }
                }
                text.value x=(px(x.at(*last) + 11.0)) y=(px(middle + 4.0)) { (format::value(*last, &chart.unit)) }
            }
        }
        @for (mark, name) in chart.marks.iter().enumerate() {
            @let at = left + 120.0 * mark as f64;
            g.{ "q" (colour(mark, chart.marks.len())) } {
                circle cx=(px(at + 6.0)) cy=(px(legend - 4.0)) r="5.5" {}
            }
            text.axis x=(px(at + 18.0)) y=(px(legend)) { (shorten(name, 16)) }
        }
    };
    Drawing { height: legend + 10.0, summary: summary(chart), content }
}

/// The marks of a row that are there, by number.
fn marks(row: &SpreadRow) -> impl Iterator<Item = (usize, f64)> {
    let values = row.values.iter().enumerate();
    values.filter_map(|(mark, value)| Some((mark, value.filter(|value| value.is_finite())?)))
}

fn colour(mark: usize, count: usize) -> usize {
    let last = COLOURS - 1;
    match count {
        0 | 1 => last,
        count => FIRST_COLOUR + mark.min(count - 1) * (last - FIRST_COLOUR) / (count - 1),
    }
}

fn summary(chart: &Spread) -> String {
    let mut summary = format!(
        "{} of {} for {} groups by {}.",
        chart.marks.join(", "),
        chart.value_label,
        chart.rows.len(),
        chart.row_label
    );
    for row in chart.rows.iter().take(3) {
        let told: Vec<String> = marks(row)
            .map(|(mark, value)| {
                format!("{} {}", chart.marks[mark], format::value(value, &chart.unit))
            })
            .collect();
        summary.push_str(&format!(" {}: {}.", row.label, told.join(", ")));
    }
    summary
}

pub(super) fn numbers(chart: &Spread) -> Vec<Table> {
    let mark = |name: &String| Column::new(name, name, chart.unit.clone()).at_end();
    let first = Column::new("label", &chart.row_label, Unit::None);
    let row = |row: &SpreadRow| {
        let cell = |mark: usize| match row.values.get(mark).copied().flatten() {
            Some(value) if chart.unit == Unit::Share => Cell::Share(value),
            Some(value) => Cell::Number(value),
            None => Cell::Missing,
        };
        std::iter::once(Cell::Text(row.label.clone()))
            .chain((0..chart.marks.len()).map(cell))
            .collect()
    };
    vec![Table {
        columns: std::iter::once(first).chain(chart.marks.iter().map(mark)).collect(),
        rows: chart.rows.iter().map(row).collect(),
        ..Table::default()
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits() -> Spread {
        let row = |label: &str, values: [Option<f64>; 3]| SpreadRow {
            label: label.to_owned(),
            values: values.to_vec(),
        };
        Spread {
            row_label: "topic".to_owned(),
            value_label: "wait".to_owned(),
            unit: Unit::Named("hours".to_owned()),
            marks: ["median", "p90", "p95"].map(str::to_owned).to_vec(),
            rows: vec![
                row("refund", [Some(2.0), Some(9.0), None]),
                row("other", [None, None, None]),
            ],
            ..Spread::default()
        }
    }

    #[test]
    fn marks_that_are_not_reached_are_not_drawn() {
        let drawing = draw(&waits());
        let content = drawing.content.into_string();
        // Two marks and three of the legend.
        assert_eq!(content.matches("<circle").count(), 5);
        assert_eq!(content.matches("class=\"span\"").count(), 1);
        assert!(drawing.summary.contains("refund: median 2"), "{}", drawing.summary);
        let table = &numbers(&waits())[0];
        assert_eq!((table.columns.len(), &table.rows[0][3]), (4, &Cell::Missing));
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        assert!(draw(&Spread::default()).content.into_string().contains("gridline"));
    }
}
