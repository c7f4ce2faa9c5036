//! Values by two ordered scores as a heat map.

use maud::html;

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::Grid;
use super::super::format;
use super::scale::{Ticks, px, shorten};
use super::{Drawing, WIDTH, colour_legend};

const LEFT: f64 = 150.0;
const TOP: f64 = 46.0;

pub(super) fn draw(chart: &Grid) -> Drawing {
    let width = ((WIDTH - LEFT) / chart.columns.len().max(1) as f64).min(104.0);
    let height = (width * 0.5).clamp(18.0, 44.0);
    let values =
        || chart.cells.iter().flatten().flatten().copied().filter(|value| value.is_finite());
    let ticks = Ticks::covering(values().fold(0.0, f64::min), values().fold(0.0, f64::max), 9);
    let legend = TOP + height * chart.rows.len() as f64 + 18.0;
    let content = html! {
        text.axis x=(px(LEFT)) y="13" { (chart.column_label) }
        text.axis x="0" y=(px(TOP - 9.0)) { (chart.row_label) }
        @for (index, column) in chart.columns.iter().enumerate() {
            text.axis.middle x=(px(LEFT + width * (index as f64 + 0.5))) y=(px(TOP - 9.0)) {
                (shorten(column, (width / 7.0) as usize))
            }
        }
        @for (row_index, row) in chart.rows.iter().enumerate() {
            @let y = TOP + height * row_index as f64;
            text.label x="0" y=(px(y + height / 2.0 + 4.0)) { (shorten(row, 20)) }
            @for (index, column) in chart.columns.iter().enumerate() {
                @if let Some(value) = value(chart, row_index, index) {
                    @let x = LEFT + width * index as f64;
                    g class={ "q" (ticks.colour(ticks.interval_of(value))) } {
                        title {
                            (chart.row_label) " " (row) ", " (chart.column_label) " " (column) ": "
                            (format::value(value, &chart.unit))
                        }
                        rect x=(px(x)) y=(px(y)) width=(px(width - 1.0)) height=(px(height - 1.0)) {}
                        @if width >= 36.0 {
                            text.cell.large x=(px(x + width / 2.0)) y=(px(y + height / 2.0 + 4.0)) {
                                (format::compact(value, &chart.unit))
                            }
                        }
                    }
                }
            }
        }
        text.axis x="0" y=(px(legend + 9.0)) { (shorten(&chart.value_label, 22)) }
        (colour_legend(&ticks, &ticks.labels(&chart.unit), LEFT, legend))
    };
    let summary = format!(
        "Heat map of {} by {} ({} rows) and {} ({} columns).",
        chart.value_label,
        chart.row_label,
        chart.rows.len(),
        chart.column_label,
        chart.columns.len()
    );
    Drawing { height: legend + 28.0, summary, content }
}

fn value(chart: &Grid, row: usize, column: usize) -> Option<f64> {
    chart.cells.get(row)?.get(column).copied().flatten().filter(|value| value.is_finite())
}

pub(super) fn numbers(chart: &Grid) -> Vec<Table> {
    let corner = format!("{} \\ {}", chart.row_label, chart.column_label);
    let columns =
        chart.columns.iter().map(|column| Column::new(column, column, chart.unit.clone()).at_end());
    let row = |(index, label): (usize, &String)| {
        let cell = |column| match value(chart, index, column) {
            Some(value) if chart.unit == Unit::Share => Cell::Share(value),
            Some(value) => Cell::Number(value),
            None => Cell::Missing,
        };
        std::iter::once(Cell::Text(label.clone()))
            .chain((0..chart.columns.len()).map(cell))
            .collect()
    };
    vec![Table {
        columns: std::iter::once(Column::new("row", corner, Unit::None)).chain(columns).collect(),
        rows: chart.rows.iter().enumerate().map(row).collect(),
        ..Table::default()
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_has_no_cell() {
        let chart = Grid {
            rows: vec!["5".to_owned(), "4".to_owned()],
            columns: vec!["1".to_owned(), "2".to_owned()],
            cells: vec![vec![Some(3.0), None], vec![Some(f64::NAN)]],
            ..Grid::default()
        };
        assert_eq!(draw(&chart).content.into_string().matches("<title>").count(), 1);
        assert_eq!(
            numbers(&chart)[0].rows[1],
            [Cell::Text("4".to_owned()), Cell::Missing, Cell::Missing]
        );
    }
}
