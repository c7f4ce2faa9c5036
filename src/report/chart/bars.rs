//! One bar per period or group.

use maud::html;

use super::super::document::{Cell, Column, Table, Unit};
use super::super::figure::{Bar, Bars};
use super::super::format;
use super::scale::{Linear, Ticks, labelled, px, shorten};
use super::{Drawing, WIDTH};

const LEFT: f64 = 72.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 270.0;
/// Bars narrower than this carry no value.
const NARROWEST_WITH_TEXT: f64 = 36.0;

pub(super) fn draw(chart: &Bars, id: &str) -> Drawing {
    let values = || chart.bars.iter().filter_map(finite);
    let ticks = Ticks::covering(values().fold(0.0, f64::min), values().fold(0.0, f64::max), 5);
    let y = Linear { from: (ticks.low(), ticks.high()), to: (BOTTOM, TOP) };
    let band = ((WIDTH - LEFT) / chart.bars.len().max(1) as f64).min(96.0);
    let x = |index: usize| LEFT + band * index as f64;
    let gap = (band * 0.22).clamp(1.0, 14.0);
    let longest = chart.bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0).min(16);
    let names: Vec<&str> = chart.bars.iter().map(|bar| bar.label.as_str()).collect();
    let labelled = labelled(&names, ((WIDTH - LEFT) / (longest as f64 * 6.6 + 14.0)) as usize);
    let incomplete = chart.bars.iter().any(|bar| bar.incomplete);

    let content = html! {
        @if incomplete {
            defs {
                pattern id={ (id) "-hatch" } width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    rect.hatch-ground width="6" height="6" {}
                    rect.hatch-line width="2.2" height="6" {}
                }
            }
        }
        text.axis x="0" y="12" {
            (chart.y_label) @if let Some(unit) = format::unit_name(&chart.unit) { " (" (unit) ")" }
        }
        @for (tick, label) in ticks.values.iter().zip(ticks.labels(&chart.unit)) {
            line.gridline.zero[*tick == 0.0] x1=(px(LEFT)) x2=(px(WIDTH)) y1=(y.px(*tick)) y2=(y.px(*tick)) {}
            text.axis.end x=(px(LEFT - 10.0)) y=(px(y.at(*tick) + 4.0)) { (label) }
        }
        @for (index, bar) in chart.bars.iter().enumerate() {
            @if let Some(value) = finite(bar) {
                @let (top, bottom) = (y.at(value.max(0.0)), y.at(value.min(0.0)));
                g.bar.incomplete[bar.incomplete] {
                    title { (bar.label) ": " (format::value(value, &chart.unit))
                        @if bar.incomplete { " (period not complete)" } }
                    rect x=(px(x(index) + gap / 2.0)) y=(px(top)) width=(px(band - gap)) height=(px(bottom - top))
                        fill=[bar.incomplete.then(|| format!("url(#{id}-hatch)"))] {}
                    @if band >= NARROWEST_WITH_TEXT {
                        text.value.middle x=(px(x(index) + band / 2.0))
                            y=(px(if value < 0.0 { bottom + 13.0 } else { top - 5.0 })) {
                            (format::compact(value, &chart.unit))
                        }
                    }
                }
            }
            @if labelled(index) {
                text.axis.middle x=(px(x(index) + band / 2.0)) y=(px(BOTTOM + 19.0)) { (shorten(&bar.label, 16)) }
            }
        }
        text.axis x=(px(LEFT)) y=(px(BOTTOM + 42.0)) { (chart.x_label) }
        @if incomplete {
            rect.swatch x=(px(WIDTH - 170.0)) y=(px(BOTTOM + 32.0)) width="14" height="11"
                fill={ "url(#" (id) "-hatch)" } {}
            text.axis x=(px(WIDTH - 149.0)) y=(px(BOTTOM + 42.0)) { "period not complete" }
        }
    };
    Drawing { height: BOTTOM + 50.0, summary: summary(chart), content }
}

fn finite(bar: &Bar) -> Option<f64> {
    bar.value.filter(|value| value.is_finite())
}

fn summary(chart: &Bars) -> String {
    let mut text =
        format!("Bar chart of {} by {}, {} bars.", chart.y_label, chart.x_label, chart.bars.len());
    let valued = || chart.bars.iter().filter_map(|bar| Some((bar, finite(bar)?)));
    let highest = valued().max_by(|(_, left), (_, right)| left.total_cmp(right));
    let lowest = valued()
        .filter(|(bar, _)| !bar.incomplete)
        .min_by(|(_, left), (_, right)| left.total_cmp(right));
    if let (Some((high, most)), Some((low, least))) = (highest, lowest) {
        let shown = |value| format::value(value, &chart.unit);
        text.push_str(&format!(
            " Highest: {} ({}). Lowest: {} ({}).",
            high.label,
            shown(most),
            low.label,
            shown(least)
        ));
    }
    if chart.bars.iter().any(|bar| bar.incomplete) {
        text.push_str(" Hatched bars are periods that are not complete.");
    }
    text
}

pub(super) fn numbers(chart: &Bars) -> Vec<Table> {
    let value = Column::new("value", &chart.y_label, chart.unit.clone()).at_end();
    let mut columns = vec![Column::new("label", &chart.x_label, Unit::None), value];
    let incomplete = chart.bars.iter().any(|bar| bar.incomplete);
    if incomplete {
        columns.push(Column::new("complete", "Complete", Unit::None));
    }
    let row = |bar: &Bar| {
        let value = match bar.value {
            Some(value) if chart.unit == Unit::Share => Cell::Share(value),
            Some(value) => Cell::Number(value),
            None => Cell::Missing,
        };
        let complete = incomplete.then_some(Cell::Boolean(!bar.incomplete));
        [Cell::Text(bar.label.clone()), value].into_iter().chain(complete).collect()
    };
    vec![Table { columns, rows: chart.bars.iter().map(row).collect(), ..Table::default() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn months() -> Bars {
        let bar =
            |label: &str, value, incomplete| Bar { label: label.to_owned(), value, incomplete };
        Bars {
            bars: vec![
                bar("1997-01", Some(299_061.0), false),
                bar("1997-02", None, false),
                bar("1997-03", Some(4.0), true),
            ],
            unit: Unit::Count,
            ..Bars::default()
        }
    }

    #[test]
    fn only_incomplete_periods_are_hatched() {
        let drawing = draw(&months(), "figure-7").content.into_string();
        assert_eq!(drawing.matches("<g class=\"bar incomplete\">").count(), 1);
        assert!(drawing.contains("fill=\"url(#figure-7-hatch)\""));
        let complete = Bars { bars: months().bars.into_iter().take(2).collect(), ..months() };
        assert!(!draw(&complete, "figure-7").content.into_string().contains("hatch"));
    }

    #[test]
    fn the_axis_is_grouped_and_a_gap_has_no_bar() {
        let drawing = draw(&months(), "figure-1").content.into_string();
        assert!(drawing.contains(">300,000</text>") && drawing.contains(">299k</text>"));
        assert_eq!(drawing.matches("<g class=\"bar").count(), 2);
        assert_eq!(numbers(&months())[0].rows[1][1], Cell::Missing);
    }

    #[test]
    fn values_below_zero_hang_from_the_axis() {
        let chart = Bars {
            bars: vec![Bar { label: "a".to_owned(), value: Some(-5.0), incomplete: false }],
            ..Bars::default()
        };
        let drawing = draw(&chart, "figure-1").content.into_string();
        assert!(drawing.contains("y=\"30\" width=\"82\" height=\"240\""), "{drawing}");
    }
}
