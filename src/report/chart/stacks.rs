//! One bar per period, made of parts above and below the axis.

use maud::html;

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::{Part, Stacks};
use super::super::format;
use super::scale::{Linear, Ticks, labelled, px, shorten};
use super::{Drawing, WIDTH};

const LEFT: f64 = 72.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 290.0;
/// The colours of parts in the style sheet (`.p0` to `.p4`).
const HUES: [usize; 4] = [0, 1, 2, 3];
/// Those of a balance: who is neither for nor against has no colour.
const OF_BALANCE: [usize; 3] = [1, 4, 3];

pub(super) fn draw(chart: &Stacks) -> Drawing {
    let places = 0..chart.x.len();
    let height = |place: usize, below: bool| -> f64 {
        chart.parts.iter().filter(|part| part.below == below).filter_map(|p| finite(p, place)).sum()
    };
    let highest = places.clone().map(|place| height(place, false)).fold(0.0, f64::max);
    let lowest = places.clone().map(|place| height(place, true)).fold(0.0, f64::max);
    let ticks = Ticks::covering(-lowest, highest, 6);
    let y = Linear { from: (ticks.low(), ticks.high()), to: (BOTTOM, TOP) };
    let band = ((WIDTH - LEFT) / chart.x.len().max(1) as f64).min(96.0);
    let gap = (band * 0.22).clamp(1.0, 14.0);
    let x = |place: usize| LEFT + band * place as f64;
    let longest = chart.x.iter().map(|label| label.chars().count()).max().unwrap_or(0).min(16);
    let names: Vec<&str> = chart.x.iter().map(String::as_str).collect();
    let labelled = labelled(&names, ((WIDTH - LEFT) / (longest as f64 * 6.6 + 14.0)) as usize);

    let hue = |index: usize| match chart.balance {
        true => OF_BALANCE[index % OF_BALANCE.len()],
        false => HUES[index % HUES.len()],
    };

    let content = html! {
        text.axis x="0" y="12" {
            (chart.y_label) @if let Some(unit) = format::unit_name(&chart.unit) { " (" (unit) ")" }
        }
        @for (tick, label) in ticks.values.iter().zip(ticks.labels(&chart.unit)) {
            line.gridline.zero[*tick == 0.0] x1=(px(LEFT)) x2=(px(WIDTH)) y1=(y.px(*tick)) y2=(y.px(*tick)) {}
            text.axis.end x=(px(LEFT - 10.0)) y=(px(y.at(*tick) + 4.0)) { (label) }
        }
        @for place in places {
            @for (index, part, from, to) in layers(chart, place) {
                g.part.{ "p" (hue(index)) } {
                    title { (chart.x[place]) ", " (part.name) ": " (format::value((to - from).abs(), &chart.unit)) }
                    @let (top, bottom) = (y.at(from.max(to)), y.at(from.min(to)));
                    rect x=(px(x(place) + gap / 2.0)) y=(px(top)) width=(px(band - gap))
                        height=(px(bottom - top)) {}
                }
            }
            @if labelled(place) {
                text.axis.middle x=(px(x(place) + band / 2.0)) y=(px(BOTTOM + 19.0)) { (shorten(&chart.x[place], 16)) }
            }
        }
        text.axis x=(px(LEFT)) y=(px(BOTTOM + 42.0)) { (chart.x_label) }
        // The order of the legend is that of the parts, so that colour is not the only way to tell them.
        @for (index, part) in chart.parts.iter().enumerate() {
            @let left = LEFT + 150.0 * index as f64 + 140.0;
            g.part.{ "p" (hue(index)) } {
                rect x=(px(left)) y=(px(BOTTOM + 32.0)) width="14" height="11" {}
            }
            text.axis x=(px(left + 20.0)) y=(px(BOTTOM + 42.0)) {
                (shorten(&part.name, 16)) @if part.below { " (below)" }
            }
        }
    };
    Drawing { height: BOTTOM + 50.0, summary: summary(chart), content }
}

fn finite(part: &Part, place: usize) -> Option<f64> {
    part.values.get(place).copied().flatten().filter(|value| value.is_finite())
}

/// The parts of a period with the two values each lies between.
fn layers(chart: &Stacks, place: usize) -> Vec<(usize, &Part, f64, f64)> {
    let (mut up, mut down) = (0.0, 0.0);
    let layer = |(index, part): (usize, _)| {
        let value = finite(part, place).filter(|value| *value != 0.0)?;
        let (end, sign) = if part.below { (&mut down, -1.0) } else { (&mut up, 1.0) };
        let from = *end;
        *end += sign * value;
        Some((index, part, from, *end))
    };
    chart.parts.iter().enumerate().filter_map(layer).collect()
}

fn summary(chart: &Stacks) -> String {
    let mut text =
        format!("Stacked bars of {} by {}, {} bars.", chart.y_label, chart.x_label, chart.x.len());
    let last = (0..chart.x.len())
        .rev()
        .find(|place| chart.parts.iter().any(|part| finite(part, *place).is_some()));
    if let Some(place) = last {
        let parts: Vec<String> = chart
            .parts
            .iter()
            .filter_map(|part| {
                let value = format::value(finite(part, place)?, &chart.unit);
                Some(format!("{} {value}", part.name))
            })
            .collect();
        text.push_str(&format!(" Last, {}: {}.", chart.x[place], parts.join(", ")));
    }
    text
}

pub(super) fn numbers(chart: &Stacks) -> Vec<Table> {
    let part = |part: &Part| Column::new(&part.name, &part.name, chart.unit.clone()).at_end();
    let first = Column::new("x", &chart.x_label, Unit::None);
    let row = |(place, label): (usize, &String)| {
        let cell = |part: &Part| match part.values.get(place).copied().flatten() {
            Some(value) if chart.unit == Unit::Share => Cell::Share(value),
            Some(value) => Cell::Number(value),
            None => Cell::Missing,
        };
        std::iter::once(Cell::Text(label.clone())).chain(chart.parts.iter().map(cell)).collect()
    };
    vec![Table {
        columns: std::iter::once(first).chain(chart.parts.iter().map(part)).collect(),
        rows: chart.x.iter().enumerate().map(row).collect(),
        ..Table::default()
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_neither_for_nor_against_has_no_colour() {
        let classes = |balance: bool| {
            let drawn = draw(&Stacks { balance, ..months() }).content.into_string();
            let class = |at: usize| format!("class=\"part p{at}\"");
            (0..5).filter(|&at| drawn.contains(&class(at))).collect::<Vec<_>>()
        };
        assert_eq!((classes(false), classes(true)), (vec![0, 1, 2], vec![1, 3, 4]));
    }

    fn months() -> Stacks {
        let part = |name: &str, below, values: [Option<f64>; 2]| Part {
            name: name.to_owned(),
            below,
            values: values.to_vec(),
        };
        Stacks {
            unit: Unit::Count,
            x: vec!["1997-01".to_owned(), "1997-02".to_owned()],
            parts: vec![
                part("retained", false, [Some(6.0), None]),
                part("new", false, [Some(4.0), None]),
                part("churned", true, [Some(10.0), None]),
            ],
            ..Stacks::default()
        }
    }

    #[test]
    fn parts_stand_on_each_other_and_losses_hang_from_the_axis() {
        let ends: Vec<(f64, f64)> =
            layers(&months(), 0).into_iter().map(|(_, _, from, to)| (from, to)).collect();
        assert_eq!(ends, [(0.0, 6.0), (6.0, 10.0), (0.0, -10.0)]);
    }

    #[test]
    fn a_period_that_is_not_over_has_no_bar_and_a_missing_number() {
        let chart = months();
        assert!(layers(&chart, 1).is_empty());
        assert_eq!(numbers(&chart)[0].rows[1][1], Cell::Missing);
        let drawing = draw(&chart);
        // Three parts and three swatches of the legend.
        assert_eq!(drawing.content.into_string().matches("<g class=\"part p").count(), 6);
        assert!(drawing.summary.ends_with("Last, 1997-01: retained 6, new 4, churned 10."));
    }
}
