//! Retention by cohort and age as a heat map.

use maud::{Markup, html};

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::{CohortTriangle, RetentionCell};
use super::super::{format, table as tables};
use super::scale::{Ticks, px, shorten, stride};
use super::{Drawing, WIDTH, colour_legend};

const LABELS: f64 = 92.0;
const SIZES: f64 = 72.0;
const HEAD: f64 = 44.0;
/// Cells narrower than this carry no text.
const NARROWEST_WITH_TEXT: f64 = 22.0;
/// Ages per table of numbers: what fits a printed page.
const AGES_PER_TABLE: usize = 12;

pub(super) fn draw(chart: &CohortTriangle) -> Drawing {
    let ages = chart.ages.len();
    let width = ((WIDTH - LABELS - SIZES) / ages.max(1) as f64).min(64.0);
    let height = (width * 0.62).clamp(13.0, 26.0);
    let body = height * chart.rows.len() as f64;
    let average = HEAD + body + 8.0;
    let legend =
        if chart.average.is_empty() { HEAD + body + 16.0 } else { average + height + 16.0 };

    let rates = telling_rates(chart);
    let ticks = colours(&rates);
    let labels = legend_labels(&ticks, &rates);
    let cells =
        Cells { chart, ticks: &ticks, width, height, trivial: chart.first_age_is_trivial() };
    let row_stride = stride(chart.rows.len(), (body / 12.5) as usize);
    let longest = chart.ages.iter().map(|age| age.chars().count()).max().unwrap_or(0);
    let room = (6.5 * longest.min(8) as f64 + 6.0).max(24.0);
    let age_stride = stride(ages, (width * ages as f64 / room) as usize);

    let content = html! {
        text.axis x=(px(LABELS + SIZES)) y="13" { (chart.age_label) }
        text.axis x="0" y=(px(HEAD - 9.0)) { "Cohort" }
        text.axis.end x=(px(LABELS + SIZES - 14.0)) y=(px(HEAD - 9.0)) { "Customers" }
        @for age in (0..ages).step_by(age_stride) {
            text.axis.middle x=(px(cells.x(age) + width / 2.0)) y=(px(HEAD - 9.0)) { (chart.ages[age]) }
        }
        @for (index, row) in chart.rows.iter().enumerate() {
            @let y = HEAD + height * index as f64;
            @if index % row_stride == 0 {
                text.label.tight[height < 16.0] x="0" y=(px(cells.baseline(y))) { (shorten(&row.label, 13)) }
                text.label.end.tight[height < 16.0] x=(px(LABELS + SIZES - 14.0)) y=(px(cells.baseline(y))) {
                    (format::integer(row.size))
                }
            }
            (cells.row(&row.label, &row.cells, y))
        }
        @if !chart.average.is_empty() {
            text.label.strong x="0" y=(px(cells.baseline(average))) { "Weighted average" }
            g.strong { (cells.row("Weighted average", &chart.average, average)) }
        }
        text.axis x="0" y=(px(legend + 9.0)) { "Retained (blank: not observed yet)" }
        (colour_legend(&ticks, &labels, 220.0, legend))
    };
    Drawing { height: legend + 28.0, summary: summary(chart), content }
}

/// The cells of a row, each with its numbers as a hover title. What is not observed is not drawn.
struct Cells<'a> {
    chart: &'a CohortTriangle,
    ticks: &'a Ticks,
    width: f64,
    height: f64,
    trivial: bool,
}

impl Cells<'_> {
    fn x(&self, age: usize) -> f64 {
        LABELS + SIZES + self.width * age as f64
    }

    fn baseline(&self, y: f64) -> f64 {
        y + self.height / 2.0 + 4.0
    }

    fn row(&self, label: &str, cells: &[Option<RetentionCell>], y: f64) -> Markup {
        let gap = if self.width < NARROWEST_WITH_TEXT { 0.5 } else { 1.0 };
        let size = match self.width {
            wide if wide >= 38.0 => "large",
            middle if middle >= 28.0 => "medium",
            _ => "small",
        };
        html! {
            @for (age, cell) in cells.iter().take(self.chart.ages.len()).enumerate().filter_map(|(age, cell)| Some((age, cell.as_ref()?))) {
                g class=(self.class(age, cell)) {
                    title { (label) ", " (self.chart.age_label) " " (self.chart.ages[age]) ": " (sentence(cell)) }
                    rect x=(px(self.x(age))) y=(px(y)) width=(px(self.width - gap)) height=(px(self.height - gap)) {}
                    @if self.width >= NARROWEST_WITH_TEXT {
                        text.cell.(size) x=(px(self.x(age) + (self.width - gap) / 2.0)) y=(px(self.baseline(y))) {
                            (self.text(age, cell))
                        }
                    }
                }
            }
        }
    }

    fn class(&self, age: usize, cell: &RetentionCell) -> String {
        if self.trivial && age == 0 || !cell.rate.is_finite() {
            return "plain".to_owned();
        }
        format!("q{}", self.ticks.colour(self.ticks.interval_of(cell.rate)))
    }

    /// Low rates get a digit after the point where it fits: 4.3% and 4.7% are not the same.
    fn text(&self, age: usize, cell: &RetentionCell) -> String {
        let fine = self.width >= 38.0 && self.ticks.high() <= 0.5 && !(self.trivial && age == 0);
        format::share(cell.rate, u8::from(fine))
    }
}

/// The rates that say something: without a trivial age 0, ascending.
fn telling_rates(chart: &CohortTriangle) -> Vec<f64> {
    let first = usize::from(chart.first_age_is_trivial());
    let cells = chart.rows.iter().flat_map(|row| row.cells.iter().skip(first)).flatten();
    let mut rates: Vec<f64> = cells.map(|cell| cell.rate).filter(|rate| rate.is_finite()).collect();
    rates.sort_by(f64::total_cmp);
    rates
}

/// Colour steps over these rates, without the outermost 2 % at each end, so that one small cohort does not wash out
/// all others. They start at 0 where the lowest rate is near it.
fn colours(rates: &[f64]) -> Ticks {
    let trimmed = rates.len() / 50;
    let low = rates.get(trimmed).copied().unwrap_or(0.0);
    let high = rates.get(rates.len().saturating_sub(trimmed + 1)).copied().unwrap_or(1.0);
    Ticks::covering(if low < 0.2 * high { 0.0 } else { low }, high, 9)
}

/// The texts of the legend; an end that also stands for rates beyond it says so.
fn legend_labels(ticks: &Ticks, rates: &[f64]) -> Vec<String> {
    let mut labels = ticks.labels(&Unit::Share);
    if let Some(label) =
        labels.first_mut().filter(|_| rates.first().is_some_and(|rate| *rate < ticks.low()))
    {
        label.insert(0, '≤');
    }
    if let Some(label) =
        labels.last_mut().filter(|_| rates.last().is_some_and(|rate| *rate > ticks.high()))
    {
        label.insert(0, '≥');
    }
    labels
}

fn sentence(cell: &RetentionCell) -> String {
    let share = |value| format::share(value, 1);
    let counts = format!(
        "{} of {} retained",
        format::integer(cell.retained),
        format::integer(cell.eligible)
    );
    match cell.interval {
        Some(interval) => {
            format!(
                "{} ({counts}; interval {} to {})",
                share(cell.rate),
                share(interval.low),
                share(interval.high)
            )
        }
        None => format!("{} ({counts})", share(cell.rate)),
    }
}

fn summary(chart: &CohortTriangle) -> String {
    let customers = chart.rows.iter().fold(0_i64, |sum, row| sum.saturating_add(row.size));
    let mut text = format!(
        "Heat map of retention: {} cohorts with {} customers in all, {} ages.",
        chart.rows.len(),
        format::integer(customers),
        chart.ages.len()
    );
    let average = |age: usize| chart.average.get(age).copied().flatten();
    let start = chart.first_return();
    let last = (start..chart.ages.len()).rev().find(|age| average(*age).is_some());
    if let (Some(first), Some((age, cell))) =
        (average(start), last.and_then(|age| Some((age, average(age)?))))
    {
        let (from, to) = (format::share(first.rate, 1), format::share(cell.rate, 1));
        text.push_str(&format!(
            " On average {from} are retained at age {} and {to} at age {}.",
            chart.ages[start], chart.ages[age]
        ));
    }
    text
}

/// The numbers in tables of a few ages each: rate, counts and interval in every cell.
/// The rates of all cohorts and ages as one plain table.
pub(super) fn table(chart: &CohortTriangle) -> Table {
    let ages = chart.ages.len();
    let mut columns = vec![
        Column::new("cohort", "Cohort", Unit::None),
        Column::new("size", "Customers", Unit::Count),
    ];
    columns.extend(chart.ages.iter().map(|age| Column::new(age, age, Unit::Share)));
    let cells = |cells: &[Option<RetentionCell>]| -> Vec<Cell> {
        (0..ages)
            .map(|age| match cells.get(age).copied().flatten() {
                Some(cell) => Cell::Share(cell.rate),
                None => Cell::Missing,
            })
            .collect()
    };
    let mut rows: Vec<Vec<Cell>> = chart
        .rows
        .iter()
        .map(|row| {
            let head = [Cell::Text(row.label.clone()), Cell::Integer(row.size)];
            head.into_iter().chain(cells(&row.cells)).collect()
        })
        .collect();
    if !chart.average.is_empty() {
        let head = [Cell::Text("average".into()), Cell::Missing];
        rows.push(head.into_iter().chain(cells(&chart.average)).collect());
    }
    Table { caption: chart.age_label.clone(), columns, rows, ..Table::default() }
}

pub(super) fn numbers(chart: &CohortTriangle) -> Markup {
    let ages = chart.ages.len();
    let tables = ages.div_ceil(AGES_PER_TABLE).max(1);
    let per_table = ages.div_ceil(tables).max(1);
    html! {
        @for first in (0..ages).step_by(per_table) {
            @let last = (first + per_table).min(ages) - 1;
            @let caption = format!("{}, {} to {}", chart.age_label, chart.ages[first], chart.ages[last]);
            @let reaches = |cells: &[Option<RetentionCell>]| cells.iter().skip(first).any(Option::is_some);
            @let rows: Vec<_> = chart.rows.iter().filter(|row| first == 0 || reaches(&row.cells)).collect();
            @let content = html! {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "Cohort" } th.end scope="col" { "Customers" }
                    @for age in first..=last { th.end scope="col" { (chart.ages[age]) } }
                } }
                tbody {
                    @for row in rows.iter() {
                        tr {
                            th scope="row" { (row.label) } td.end { (format::integer(row.size)) }
                            (number_cells(&row.cells, first, last))
                        }
                    }
                    @if !chart.average.is_empty() {
                        tr.total {
                            th scope="row" colspan="2" { "Weighted average" }
                            (number_cells(&chart.average, first, last))
                        }
                    }
                }
            };
            (tables::region(&caption, 12, rows.len(), &content))
        }
        p.note { "Each cell: rate, retained of eligible customers, interval. Blank: not observed yet." }
    }
}

fn number_cells(cells: &[Option<RetentionCell>], first: usize, last: usize) -> Markup {
    html! {
        @for age in first..=last {
            @match cells.get(age).copied().flatten() {
                Some(cell) => td.end {
                    (format::share(cell.rate, 1))
                    small { (format::integer(cell.retained)) "/" (format::integer(cell.eligible)) }
                    @if let Some(interval) = cell.interval {
                        small { (format::number(interval.low * 100.0, 1)) "–" (format::share(interval.high, 1)) }
                    }
                },
                None => td.missing title="not observed yet" {},
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::figure::CohortRow;
    use super::*;

    fn triangle(size: usize) -> CohortTriangle {
        let cell =
            |rate: f64| Some(RetentionCell { rate, interval: None, retained: 7, eligible: 10 });
        let cells = |row: usize| {
            let cell =
                |age| if age + row >= size { None } else { cell(if age == 0 { 1.0 } else { 0.1 }) };
            (0..size).map(cell).collect()
        };
        let row = |row| CohortRow { label: format!("c{row}"), size: 10, cells: cells(row) };
        CohortTriangle {
            age_label: "Month".to_owned(),
            ages: (0..size).map(|age| age.to_string()).collect(),
            rows: (0..size).map(row).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn unobserved_cells_are_not_drawn() {
        let drawing = draw(&triangle(4)).content.into_string();
        assert_eq!(drawing.matches("<text class=\"cell").count(), 10);
        assert_eq!(drawing.matches("<title>").count(), 10);
        assert!(!drawing.contains(">0.0%"));
        let numbers = numbers(&triangle(4)).into_string();
        assert_eq!(
            numbers.matches(r#"<td class="missing" title="not observed yet"></td>"#).count(),
            6
        );
    }

    #[test]
    fn a_trivial_age_0_has_no_part_in_the_colours() {
        assert_eq!(telling_rates(&triangle(4)), [0.1; 6]);
        let drawing = draw(&triangle(4)).content.into_string();
        assert_eq!(drawing.matches("class=\"plain\"").count(), 4);
        let mut open = triangle(4);
        open.rows[0].cells[0] =
            Some(RetentionCell { rate: 0.9, interval: None, retained: 9, eligible: 10 });
        assert_eq!(colours(&telling_rates(&open)).high(), 1.0);
    }

    #[test]
    fn the_legend_says_where_an_end_is_open() {
        let mut rates = vec![0.05; 97];
        rates.extend([0.1, 0.1, 0.9]);
        let ticks = colours(&rates);
        assert_eq!(legend_labels(&ticks, &rates).last().map(String::as_str), Some("≥10%"));
    }

    #[test]
    fn large_triangles_drop_the_texts_but_keep_the_titles() {
        let drawing = draw(&triangle(60)).content.into_string();
        assert_eq!(drawing.matches("<text class=\"cell").count(), 0);
        assert_eq!(drawing.matches("<title>").count(), 60 * 61 / 2);
    }

    #[test]
    fn an_empty_triangle_is_drawn() {
        let chart = CohortTriangle::default();
        assert!(draw(&chart).height > 0.0);
        assert!(numbers(&chart).into_string().contains("Blank"));
    }
}
