//! Bars that lie on their side, one below the other: steps in order, or groups from most to least.

use maud::html;

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::{Interval, Rank, Ranking};
use super::super::format;
use super::rows::{CHARACTER, Rows};
use super::scale::{px, shorten};
use super::{Drawing, WIDTH};

const BAR: f64 = 18.0;
const LONGEST_NOTE: usize = 52;

pub(super) fn draw(chart: &Ranking) -> Drawing {
    let ends = || {
        chart.rows.iter().filter_map(shown).flat_map(|(value, ends)| {
            [value].into_iter().chain(ends.into_iter().flat_map(|ends| [ends.low, ends.high]))
        })
    };
    let longest = chart.rows.iter().map(|row| text(chart, row).chars().count()).max();
    let notes = longest.unwrap_or(0).min(LONGEST_NOTE) as f64 * CHARACTER;
    let names = chart.rows.iter().map(|row| row.label.as_str());
    let rows = Rows::new(&chart.row_label, names, ends(), (5, WIDTH - notes - 16.0));
    let x = &rows.x;
    let content = html! {
        (rows.axes(&chart.row_label, &chart.value_label, &chart.unit))
        @for (index, row) in chart.rows.iter().enumerate() {
            @let middle = rows.middle(index);
            (rows.name(index, &row.label))
            @if let Some((value, interval)) = shown(row) {
                @let (from, to) = (x.at(value.min(0.0)), x.at(value.max(0.0)));
                g.bar {
                    title { (row.label) ": " (text(chart, row)) }
                    rect x=(px(from)) y=(px(middle - BAR / 2.0)) width=(px(to - from)) height=(px(BAR)) {}
                }
                @if let Some(ends) = interval {
                    line.whisker x1=(x.px(ends.low)) x2=(x.px(ends.high)) y1=(px(middle)) y2=(px(middle)) {}
                    @for end in [ends.low, ends.high] {
                        line.whisker x1=(x.px(end)) x2=(x.px(end)) y1=(px(middle - 4.0)) y2=(px(middle + 4.0)) {}
                    }
                }
                @let furthest = interval.map_or(to, |ends| to.max(x.at(ends.high)));
                text.value x=(px(furthest + 8.0)) y=(px(middle + 4.0)) { (shorten(&text(chart, row), LONGEST_NOTE)) }
            }
        }
    };
    Drawing { height: rows.bottom + 26.0, summary: summary(chart), content }
}

/// The value of a row and its interval, where they are numbers.
fn shown(row: &Rank) -> Option<(f64, Option<Interval>)> {
    let value = row.value.filter(|value| value.is_finite())?;
    let finite = |ends: &Interval| ends.low.is_finite() && ends.high.is_finite();
    Some((value, row.interval.filter(finite)))
}

/// What stands beside a bar.
fn text(chart: &Ranking, row: &Rank) -> String {
    let value = row.value.map(|value| format::value(value, &chart.unit)).unwrap_or_default();
    match &row.note {
        Some(note) => format!("{value} · {note}"),
        None => value,
    }
}

fn summary(chart: &Ranking) -> String {
    let mut summary = format!(
        "Bars of {} by {}, {} of them.",
        chart.value_label,
        chart.row_label,
        chart.rows.len()
    );
    let (first, last) = (chart.rows.first(), chart.rows.last());
    for (which, row) in [("First", first), ("Last", last)] {
        if let Some(row) = row {
            summary.push_str(&format!(" {which}, {}: {}.", row.label, text(chart, row)));
        }
    }
    summary
}

pub(super) fn numbers(chart: &Ranking) -> Vec<Table> {
    let cell = |value: Option<f64>| match value {
        Some(value) if chart.unit == Unit::Share => Cell::Share(value),
        Some(value) => Cell::Number(value),
        None => Cell::Missing,
    };
    let column = |name: &str, label: &str| Column::new(name, label, chart.unit.clone()).at_end();
    let mut columns = vec![
        Column::new("label", &chart.row_label, Unit::None),
        column("value", &chart.value_label),
    ];
    let bounded = chart.rows.iter().any(|row| row.interval.is_some());
    if bounded {
        columns.extend([column("low", "low"), column("high", "high")]);
    }
    let noted = chart.rows.iter().any(|row| row.note.is_some());
    if noted {
        columns.push(Column::new("note", "", Unit::None));
    }
    let row = |row: &Rank| {
        let mut cells = vec![Cell::Text(row.label.clone()), cell(row.value)];
        if bounded {
            cells.extend([
                cell(row.interval.map(|ends| ends.low)),
                cell(row.interval.map(|ends| ends.high)),
            ]);
        }
        if noted {
            cells.push(row.note.clone().map_or(Cell::Missing, Cell::Text));
        }
        cells
    };
    vec![Table { columns, rows: chart.rows.iter().map(row).collect(), ..Table::default() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Ranking {
        let row = |label: &str, value, interval, note: Option<&str>| Rank {
            label: label.to_owned(),
            value,
            interval,
            note: note.map(str::to_owned),
        };
        Ranking {
            row_label: "step".to_owned(),
            value_label: "customers".to_owned(),
            unit: Unit::Count,
            rows: vec![
                row("visit", Some(1_200.0), None, Some("75.0% go no further")),
                row("purchase", Some(300.0), Some(Interval { low: 280.0, high: 330.0 }), None),
                row("return", None, None, None),
            ],
            ..Ranking::default()
        }
    }

    #[test]
    fn a_row_without_a_value_has_a_name_and_no_bar() {
        let drawing = draw(&steps());
        let content = drawing.content.into_string();
        assert_eq!(content.matches("<g class=\"bar\">").count(), 2);
        assert_eq!(content.matches("class=\"whisker\"").count(), 3);
        assert!(content.contains(">return<") && content.contains("1,200 · 75.0% go no further"));
        assert!(
            drawing
                .summary
                .starts_with("Bars of customers by step, 3 of them. First, visit: 1,200")
        );
    }

    #[test]
    fn the_table_holds_bounds_and_notes_where_there_are_some() {
        let chart = steps();
        let columns = |chart: &Ranking| numbers(chart)[0].columns.len();
        assert_eq!((columns(&chart), numbers(&chart)[0].rows[2][1].clone()), (5, Cell::Missing));
        let bare = Ranking { rows: chart.rows.into_iter().skip(2).collect(), ..steps() };
        assert_eq!(columns(&bare), 2);
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        assert!(draw(&Ranking::default()).content.into_string().contains("gridline"));
    }
}
