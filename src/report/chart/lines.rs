//! Curves over a common axis, with their confidence bands.

use maud::{Markup, html};

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::{Emphasis, Interval, Lines, Point, Series};
use super::super::format;
use super::scale::{Linear, Ticks, labelled, px, shorten, spread};
use super::{Drawing, WIDTH};

const LEFT: f64 = 72.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 330.0;
const LABEL_ROOM: usize = 18;
/// The colours of [`Emphasis::Normal`] in the style sheet (`.c0` to `.c7`), each with its own dash.
const HUES: usize = 8;
/// Muted curves start inside the scale: its lightest colours vanish as thin lines.
const FIRST_MUTED: usize = 3;
/// Curves with more positions than this get no dots.
const MOST_DOTS: usize = 40;
/// Columns of a table of numbers besides the first: what fits a printed page.
const COLUMNS_PER_TABLE: usize = 12;

pub(super) fn draw(chart: &Lines) -> Drawing {
    let ticks = vertical_ticks(chart);
    let right = WIDTH - room_for_names(chart);
    let plot = Plot {
        chart,
        y: Linear { from: (ticks.low(), ticks.high()), to: (BOTTOM, TOP) },
        x: Linear { from: (0.0, chart.x.len().saturating_sub(1) as f64), to: (LEFT, right) },
    };
    let longest = chart.x.iter().map(|label| label.chars().count()).max().unwrap_or(0).min(16);
    let places: Vec<&str> = chart.x.iter().map(String::as_str).collect();
    let labelled = labelled(&places, ((right - LEFT) / (longest as f64 * 6.6 + 16.0)) as usize);
    let of = |emphasis| {
        chart.series.iter().filter(move |series| series.emphasis == emphasis).enumerate()
    };
    let muted = of(Emphasis::Muted).count();

    let content = html! {
        text.axis x="0" y="12" {
            (chart.y_label) @if let Some(unit) = format::unit_name(&chart.unit) { " (" (unit) ")" }
        }
        @for (tick, label) in ticks.values.iter().zip(ticks.labels(&chart.unit)) {
            line.gridline.zero[*tick == 0.0] x1=(px(LEFT)) x2=(px(right)) y1=(plot.y.px(*tick)) y2=(plot.y.px(*tick)) {}
            text.axis.end x=(px(LEFT - 10.0)) y=(px(plot.y.at(*tick) + 4.0)) { (label) }
        }
        @for (index, label) in chart.x.iter().enumerate().filter(|(index, _)| labelled(*index)) {
            text.axis.middle x=(plot.x.px(index as f64)) y=(px(BOTTOM + 20.0)) { (shorten(label, 16)) }
        }
        text.axis x=(px(LEFT)) y=(px(BOTTOM + 43.0)) { (chart.x_label) }
        (plot.marker())
        @for (index, series) in of(Emphasis::Muted) {
            (plot.curve(series, &format!("muted s{}", muted_colour(index, muted))))
        }
        @for (index, series) in of(Emphasis::Normal) { (plot.curve(series, &format!("normal c{}", index % HUES))) }
        @for (_, series) in of(Emphasis::Strong) { (plot.curve(series, "main")) }
        (plot.labels())
        @if muted > 1 { (muted_legend(of(Emphasis::Muted).map(|(_, series)| series.name.as_str()).collect(), right)) }
    };
    Drawing { height: BOTTOM + 52.0, summary: summary(chart), content }
}

/// From 0 unless that would flatten the curves to less than half of the height.
fn vertical_ticks(chart: &Lines) -> Ticks {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for series in &chart.series {
        for point in series.points.iter().filter_map(drawable) {
            let (from, to) = match band(series, &point) {
                Some(interval) => (interval.low.min(point.value), interval.high.max(point.value)),
                None => (point.value, point.value),
            };
            (low, high) = (low.min(from), high.max(to));
        }
    }
    let low = if 0.0 < low && low < high / 2.0 { 0.0 } else { low };
    Ticks::covering(low, high, 6)
}

/// The room at the right for the names at the ends of the curves.
fn room_for_names(chart: &Lines) -> f64 {
    let named = chart.series.iter().filter(|series| series.emphasis != Emphasis::Muted);
    let longest =
        named.map(|series| series.name.chars().count()).max().unwrap_or(0).min(LABEL_ROOM);
    16.0 + 7.6 * longest as f64
}

fn drawable(point: &Option<Point>) -> Option<Point> {
    point.filter(|point| point.value.is_finite())
}

fn band(series: &Series, point: &Point) -> Option<Interval> {
    let shown = series.emphasis != Emphasis::Muted;
    point.interval.filter(|interval| shown && interval.low.is_finite() && interval.high.is_finite())
}

fn muted_colour(index: usize, count: usize) -> usize {
    FIRST_MUTED
        + spread(index, count) * (super::scale::COLOURS - 1 - FIRST_MUTED)
            / (super::scale::COLOURS - 1)
}

struct Plot<'a> {
    chart: &'a Lines,
    x: Linear,
    y: Linear,
}

impl Plot<'_> {
    fn curve(&self, series: &Series, class: &str) -> Markup {
        let runs = self.runs(series);
        let muted = series.emphasis == Emphasis::Muted;
        let dots = !muted && self.chart.x.len() <= MOST_DOTS;
        html! {
            g.curve.(class) {
                @if muted { title { (series.name) } }
                @for run in &runs {
                    @if let Some(outline) = self.band_outline(series, run) { path.band d=(outline) {} }
                    @if run.len() > 1 { path.line d=(path(self.drawn(run.iter().map(|(x, point)| (*x, point.value))))) {} }
                    @if dots || run.len() == 1 {
                        @for (x, point) in run {
                            circle cx=(self.x.px(*x as f64)) cy=(self.y.px(point.value))
                                r=(if muted { "1.6" } else { "2.6" }) {
                                title { (self.sentence(series, *x, point)) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The stretches of a curve between gaps.
    fn runs(&self, series: &Series) -> Vec<Vec<(usize, Point)>> {
        let mut runs: Vec<Vec<(usize, Point)>> = Vec::new();
        let mut open = false;
        for (x, point) in series.points.iter().enumerate().take(self.chart.x.len()) {
            match (drawable(point), runs.last_mut().filter(|_| open)) {
                (Some(point), Some(run)) => run.push((x, point)),
                (Some(point), None) => runs.push(vec![(x, point)]),
                (None, _) => {}
            }
            open = drawable(point).is_some();
        }
        runs
    }

    /// The outline of the band: along the upper ends and back along the lower ones. It needs an interval everywhere.
    fn band_outline(&self, series: &Series, run: &[(usize, Point)]) -> Option<String> {
        let ends: Option<Vec<_>> =
            run.iter().map(|(x, point)| band(series, point).map(|ends| (*x, ends))).collect();
        let ends = ends.filter(|ends| ends.len() > 1)?;
        let upper = self.drawn(ends.iter().map(|(x, ends)| (*x, ends.high)));
        let lower = self.drawn(ends.iter().map(|(x, ends)| (*x, ends.low)));
        Some(path(upper.into_iter().chain(lower.into_iter().rev())) + "Z")
    }

    /// The corners of a line through values.
    fn drawn(&self, values: impl Iterator<Item = (usize, f64)>) -> Vec<(f64, f64)> {
        let mut corners: Vec<(f64, f64)> = Vec::new();
        for (x, value) in values {
            let next = self.at(x, value);
            if let Some(&(_, level)) = corners.last().filter(|_| self.chart.steps) {
                corners.push((next.0, level));
            }
            corners.push(next);
        }
        corners
    }

    fn at(&self, x: usize, value: f64) -> (f64, f64) {
        (self.x.at(x as f64), self.y.at(value))
    }

    fn sentence(&self, series: &Series, x: usize, point: &Point) -> String {
        let shown = |value| format::value(value, &self.chart.unit);
        let place = self.chart.x.get(x).map(String::as_str).unwrap_or_default();
        let interval = point
            .interval
            .map(|ends| format!(" (interval {} to {})", shown(ends.low), shown(ends.high)));
        format!("{}, {place}: {}{}", series.name, shown(point.value), interval.unwrap_or_default())
    }

    /// The names at the ends of the curves, moved apart where they would collide.
    fn labels(&self) -> Markup {
        let named = self.chart.series.iter().filter(|series| series.emphasis != Emphasis::Muted);
        let mut normal = 0;
        let mut labels = Vec::new();
        for series in named {
            let class = match series.emphasis {
                Emphasis::Strong => "main".to_owned(),
                Emphasis::Normal | Emphasis::Muted => {
                    normal += 1;
                    format!("normal c{}", (normal - 1) % HUES)
                }
            };
            let run = self.runs(series).pop().unwrap_or_default();
            if let Some((x, point)) = run.last() {
                let (x, y) = self.at(*x, point.value);
                labels.push((y, x, class, series.name.as_str()));
            }
        }
        labels.sort_by(|left, right| left.0.total_cmp(&right.0));
        let mut free = TOP;
        for label in &mut labels {
            label.0 = label.0.max(free);
            free = label.0 + 15.0;
        }
        let mut ceiling = BOTTOM;
        for label in labels.iter_mut().rev() {
            label.0 = label.0.min(ceiling);
            ceiling = label.0 - 15.0;
        }
        html! {
            @for (y, x, class, name) in &labels {
                g.curve.(class) {
                    text.name x=(px(x + 9.0)) y=(px(y + 4.0)) { (shorten(name, LABEL_ROOM)) title { (name) } }
                }
            }
        }
    }

    fn marker(&self) -> Markup {
        html! {
            @if let Some(marker) = self.chart.marker.as_ref().filter(|marker| marker.index < self.chart.x.len()) {
                @let x = self.x.px(marker.index as f64);
                line.marker x1=(x) x2=(x) y1=(px(TOP - 12.0)) y2=(px(BOTTOM)) {}
                text.axis x=(px(self.x.at(marker.index as f64) + 6.0)) y=(px(TOP - 4.0)) {
                    (shorten(&marker.label, 40))
                }
            }
        }
    }
}

/// The first and the last name of the muted curves beside the colours between them.
fn muted_legend(names: Vec<&str>, right: f64) -> Markup {
    let (first, last) =
        (names.first().copied().unwrap_or_default(), names.last().copied().unwrap_or_default());
    let (steps, y) = (8, BOTTOM + 39.0);
    let (end, width) = (right - 84.0, 12.0);
    let start = end - width * steps as f64;
    html! {
        text.axis.end x=(px(start - 8.0)) y=(px(y + 4.0)) { (shorten(first, 16)) }
        @for step in 0..steps {
            g.curve.muted.{ "s" (muted_colour(step, steps)) } {
                line.line.key x1=(px(start + width * step as f64)) x2=(px(start + width * (step + 1) as f64)) y1=(px(y))
                    y2=(px(y)) {}
            }
        }
        text.axis x=(px(end + 8.0)) y=(px(y + 4.0)) { (shorten(last, 16)) }
    }
}

fn path(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (index, (x, y)) in points.into_iter().enumerate() {
        text.push_str(if index == 0 { "M" } else { "L" });
        text.push_str(&px(x));
        text.push(' ');
        text.push_str(&px(y));
    }
    text
}

fn summary(chart: &Lines) -> String {
    let mut text = format!(
        "Line chart of {} by {}, {} curves.",
        chart.y_label,
        chart.x_label,
        chart.series.len()
    );
    for series in chart.series.iter().filter(|series| series.emphasis != Emphasis::Muted).take(HUES)
    {
        let points = || {
            series
                .points
                .iter()
                .filter_map(drawable)
                .map(|point| format::value(point.value, &chart.unit))
        };
        if let (Some(first), Some(last)) = (points().next(), points().next_back()) {
            text.push_str(&format!(" {}: from {first} to {last}.", series.name));
        }
    }
    text
}

/// The numbers, a row for each position, in tables that fit a page. Curves with a band bring its two ends.
pub(super) fn numbers(chart: &Lines) -> Vec<Table> {
    let cell = |value: Option<f64>| match value {
        Some(value) if chart.unit == Unit::Share => Cell::Share(value),
        Some(value) => Cell::Number(value),
        None => Cell::Missing,
    };
    let column = |name: &str| Column::new(name, name, chart.unit.clone()).at_end();
    let first = Column::new("x", &chart.x_label, Unit::None);
    let start = || -> Vec<Vec<Cell>> {
        chart.x.iter().map(|label| vec![Cell::Text(label.clone())]).collect()
    };
    let mut tables: Vec<Table> = Vec::new();
    for series in &chart.series {
        let banded = series.points.iter().flatten().any(|point| band(series, point).is_some());
        let added = if banded { 3 } else { 1 };
        let mut table = match tables.pop() {
            Some(table) if table.columns.len() + added <= COLUMNS_PER_TABLE + 1 => table,
            full => {
                tables.extend(full);
                Table { columns: vec![first.clone()], rows: start(), ..Table::default() }
            }
        };
        table.columns.push(column(&series.name));
        if banded {
            table.columns.extend(["low", "high"].map(column));
        }
        for (index, row) in table.rows.iter_mut().enumerate() {
            let point = series.points.get(index).copied().flatten();
            let interval = point.and_then(|point| point.interval);
            row.push(cell(point.map(|point| point.value)));
            if banded {
                row.extend([
                    cell(interval.map(|ends| ends.low)),
                    cell(interval.map(|ends| ends.high)),
                ]);
            }
        }
        tables.push(table);
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(emphasis: Emphasis, values: &[Option<f64>]) -> Series {
        let point = |value| Point {
            value,
            interval: Some(Interval { low: value - 0.1, high: value + 0.1 }),
        };
        Series {
            name: "basic".to_owned(),
            emphasis,
            points: values.iter().map(|value| value.map(point)).collect(),
        }
    }

    fn lines(series: Vec<Series>) -> Lines {
        Lines {
            x: (0..4).map(|x| x.to_string()).collect(),
            unit: Unit::Share,
            series,
            ..Lines::default()
        }
    }

    #[test]
    fn gaps_interrupt_a_curve() {
        let chart = lines(vec![series(Emphasis::Strong, &[Some(0.5), Some(0.4), None, Some(0.3)])]);
        let drawing = draw(&chart).content.into_string();
        assert_eq!(drawing.matches("<path class=\"line\"").count(), 1);
        assert_eq!(drawing.matches("<path class=\"band\"").count(), 1);
        assert_eq!(drawing.matches("<circle").count(), 3);
    }

    #[test]
    fn muted_curves_have_neither_band_nor_name() {
        let chart = lines(vec![series(Emphasis::Muted, &[Some(0.5), Some(0.4)])]);
        let drawing = draw(&chart).content.into_string();
        assert!(!drawing.contains("class=\"band\"") && !drawing.contains("class=\"name\""));
    }

    #[test]
    fn names_at_the_end_do_not_collide() {
        let same = || series(Emphasis::Normal, &[Some(0.5); 4]);
        let drawing = draw(&lines(vec![same(), same(), same()])).content.into_string();
        let heights: Vec<f64> = drawing
            .split("<text class=\"name\"")
            .skip(1)
            .filter_map(|rest| rest.split("y=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(heights.len(), 3);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= 15.0), "{heights:?}");
    }

    #[test]
    fn tables_hold_every_number_and_fit_a_page() {
        let chart = lines((0..9).map(|_| series(Emphasis::Normal, &[Some(0.5)])).collect());
        let tables = numbers(&chart);
        assert_eq!(tables.iter().map(|table| table.columns.len()).collect::<Vec<_>>(), [13, 13, 4]);
        assert!(
            tables
                .iter()
                .all(|table| table.rows.iter().all(|row| row.len() == table.columns.len()))
        );
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        assert!(draw(&Lines::default()).content.into_string().contains("gridline"));
        assert!(numbers(&Lines::default()).is_empty());
    }
}
