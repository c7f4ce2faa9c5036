//! Tables in HTML.

use maud::{Markup, html};

use super::document::{Align, Cell, Column, Table};
use super::format;

/// Tables of up to so many rows are kept on one printed page.
const UNCUT_ROWS: usize = 24;

/// A table in a region that scrolls sideways on narrow screens.
pub(super) fn table(table: &Table) -> Markup {
    let decimals: Vec<u8> = table
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            format::column_decimals(column, table.rows.iter().filter_map(|row| row.get(index)))
        })
        .collect();
    let content = html! {
        @if !table.caption.is_empty() { caption { (table.caption) } }
        thead { tr { @for column in &table.columns { (head(column)) } } }
        tbody {
            @for row in &table.rows {
                tr {
                    @for (index, (column, decimals)) in table.columns.iter().zip(&decimals).enumerate() {
                        (cell(row.get(index).unwrap_or(&Cell::Missing), column, *decimals, index == 0))
                    }
                }
            }
        }
    };
    let shown = table.rows.len();
    html! {
        (region(&table.caption, table.columns.len(), shown, &content))
        @if let Some(total) = table.total_rows.filter(|total| *total > shown as u64) {
            p.note { "The " (end_of(table)) " " (format::integer(shown as i64)) " of "
                (format::integer(i64::try_from(total).unwrap_or(i64::MAX))) " rows." }
        }
        @if let Some(note) = &table.note { p.note { (super::html::prose(note)) } }
    }
}

/// Which end of the full table the rows are of.
pub(super) fn end_of(table: &Table) -> &'static str {
    if table.last_rows { "last" } else { "first" }
}

/// The frame around the content of a table: it can scroll, be reached by keyboard, and be printed without a cut.
pub(super) fn region(name: &str, columns: usize, rows: usize, content: &Markup) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(if name.is_empty() { "Table" } else { name }) {
            table.wide[columns > 8].widest[columns > 12].uncut[rows <= UNCUT_ROWS] { (content) }
        }
    }
}

fn head(column: &Column) -> Markup {
    html! {
        th scope="col" class=[end(column.align)] title=[(column.name != column.label).then_some(&column.name)] {
            (column.label)
            @if let Some(unit) = format::unit_name(&column.unit) { " " span.unit { (unit) } }
        }
    }
}

fn cell(cell: &Cell, column: &Column, decimals: u8, first: bool) -> Markup {
    let class = end(column.align);
    match cell {
        Cell::Missing => {
            html! { td.missing.end[class.is_some()] title="no value: not observed yet or not defined" {
                (format::NONE)
            } }
        }
        Cell::Text(text) | Cell::Date(text) if first => {
            html! { th scope="row" class=[class] { (text) } }
        }
        Cell::Date(text) => html! { td.date class=[class] { (text) } },
        _ => html! { td class=[class] { (format::cell(cell, decimals)) } },
    }
}

fn end(align: Align) -> Option<&'static str> {
    match align {
        Align::Start => None,
        Align::End => Some("end"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Unit;
    use super::*;

    fn sample() -> Table {
        Table {
            caption: "Segments".to_owned(),
            columns: vec![
                Column::new("plan", "Plan", Unit::None),
                Column::new("rate", "Rate", Unit::Share),
            ],
            rows: vec![
                vec![Cell::Text("basic".to_owned()), Cell::Share(0.125)],
                vec![Cell::Text("team".to_owned())],
            ],
            note: None,
            total_rows: Some(12),
            last_rows: false,
        }
    }

    #[test]
    fn cells_line_up_and_gaps_are_marked() {
        let page = table(&sample()).into_string();
        assert!(page.contains(r#"<th scope="row">basic</th><td class="end">12.5%</td>"#), "{page}");
        assert!(page.contains(
            r#"<td class="missing end" title="no value: not observed yet or not defined">–</td>"#
        ));
    }

    #[test]
    fn a_cut_table_says_so() {
        assert!(table(&sample()).into_string().contains("The first 2 of 12 rows."));
        let latest = Table { last_rows: true, ..sample() };
        assert!(table(&latest).into_string().contains("The last 2 of 12 rows."));
        let whole = Table { total_rows: Some(2), ..sample() };
        assert!(!table(&whole).into_string().contains("The first"));
    }
}
