//! Charts as figures: an inline SVG to look at and a table of the same numbers to read.
//!
//! **Invariants**
//! - A drawing shows no number that its table does not hold.
//! - Nothing is measured: every place is computed from the data and a fixed width.

mod cohort_triangle;

mod bars;
mod grid;
mod lines;
mod ranking;
mod rows;
mod spread;
mod stacks;

mod scale;

use maud::{Markup, html};

use super::figure::Chart;
use super::table;

/// The width of every drawing in its own coordinates: the width of the text column in CSS pixels.
const WIDTH: f64 = 896.0;

/// The drawing of a chart before it gets its frame.
struct Drawing {
    height: f64,
    /// What a person who cannot see the drawing should know of it.
    summary: String,
    content: Markup,
}

/// A figure with its caption, the drawing, and the numbers in a table that opens on request and in print.
pub(super) fn figure(chart: &Chart, number: usize) -> Markup {
    let id = format!("figure-{number}");
    let (title, description, drawing, numbers) = match chart {
        Chart::CohortTriangle(chart) => (
            &chart.title,
            &chart.description,
            cohort_triangle::draw(chart),
            cohort_triangle::numbers(chart),
        ),
        Chart::Lines(chart) => {
            (&chart.title, &chart.description, lines::draw(chart), tables(&lines::numbers(chart)))
        }
        Chart::Bars(chart) => (
            &chart.title,
            &chart.description,
            bars::draw(chart, &id),
            tables(&bars::numbers(chart)),
        ),
        Chart::Stacks(chart) => {
            (&chart.title, &chart.description, stacks::draw(chart), tables(&stacks::numbers(chart)))
        }
        Chart::Grid(chart) => {
            (&chart.title, &chart.description, grid::draw(chart), tables(&grid::numbers(chart)))
        }
        Chart::Ranking(chart) => (
            &chart.title,
            &chart.description,
            ranking::draw(chart),
            tables(&ranking::numbers(chart)),
        ),
        Chart::Spread(chart) => {
            (&chart.title, &chart.description, spread::draw(chart), tables(&spread::numbers(chart)))
        }
    };
    html! {
        figure id=(id) {
            figcaption {
                strong { span.ordinal { "Figure " (number) } " " (title) }
                @if let Some(description) = description { " " span.reading { (description) } }
            }
            div.drawing {
                svg role="img" viewBox={ "0 0 " (scale::px(WIDTH)) " " (scale::px(drawing.height)) }
                    aria-labelledby={ (id) "-title " (id) "-summary" } {
                    title id={ (id) "-title" } { (title) }
                    desc id={ (id) "-summary" } { (drawing.summary) }
                    (drawing.content)
                }
            }
            details { summary { "Numbers of figure " (number) } (numbers) }
        }
    }
}

/// The numbers of a chart as tables.
pub(super) fn numbers(chart: &Chart) -> Vec<super::document::Table> {
    match chart {
        Chart::CohortTriangle(chart) => vec![cohort_triangle::table(chart)],
        Chart::Lines(chart) => lines::numbers(chart),
        Chart::Bars(chart) => bars::numbers(chart),
        Chart::Stacks(chart) => stacks::numbers(chart),
        Chart::Grid(chart) => grid::numbers(chart),
        Chart::Ranking(chart) => ranking::numbers(chart),
        Chart::Spread(chart) => spread::numbers(chart),
    }
}

fn tables(tables: &[super::document::Table]) -> Markup {
    html! { @for each in tables { (table::table(each)) } }
}

/// A legend of the colours between ticks, drawn from `x` to the right: swatches with the ticks at their borders.
fn colour_legend(ticks: &scale::Ticks, labels: &[String], x: f64, y: f64) -> Markup {
    let width = (360.0 / ticks.intervals() as f64).clamp(24.0, 44.0);
    let at = |index: usize| scale::px(x + index as f64 * width);
    html! {
        @for interval in 0..ticks.intervals() {
            g class={ "q" (ticks.colour(interval)) } {
                rect x=(at(interval)) y=(scale::px(y)) width=(scale::px(width)) height="10" {}
            }
        }
        @for (index, label) in labels.iter().enumerate() {
            text.axis.middle x=(at(index)) y=(scale::px(y + 24.0)) { (label) }
        }
    }
}
