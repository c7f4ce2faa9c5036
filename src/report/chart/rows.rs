//! What charts with one row below the other share: the names on the left, the axis of values below.

use maud::{Markup, html};

use super::super::document::Unit;
use super::super::format;
use super::scale::{Linear, Ticks, px, shorten};

/// Where the first row begins, and the height of each.
const TOP: f64 = 30.0;
const ROW: f64 = 30.0;
/// A character of a name, and of a note, in pixels.
pub(super) const CHARACTER: f64 = 6.6;
const LONGEST_NAME: usize = 26;

/// Rows over an axis of values, which has 0.
pub(super) struct Rows {
    ticks: Ticks,
    /// From values to places.
    pub x: Linear,
    /// Where the values begin.
    pub left: f64,
    /// Where the last row ends; the labels of the axis are below.
    pub bottom: f64,
}

impl Rows {
    /// Rows with such names under such a heading, whose values end at `right`, over an axis with about so many ticks.
    pub(super) fn new<'a>(
        heading: &'a str,
        names: impl ExactSizeIterator<Item = &'a str>,
        values: impl Iterator<Item = f64>,
        (ticks, right): (usize, f64),
    ) -> Self {
        let bottom = TOP + ROW * names.len() as f64;
        let names = names.chain([heading]).map(|name| name.chars().count());
        let longest = names.max().unwrap_or(0).min(LONGEST_NAME);
        let left = (longest as f64 * CHARACTER).max(40.0) + 16.0;
        let (low, high) =
            values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let ticks = Ticks::covering(low, high, ticks);
        let x = Linear { from: (ticks.low(), ticks.high()), to: (left, right) };
        Rows { ticks, x, left, bottom }
    }

    /// The middle of a row.
    pub(super) fn middle(&self, index: usize) -> f64 {
        TOP + ROW * (index as f64 + 0.5)
    }

    /// The labels of both directions, the axis and its lines.
    pub(super) fn axes(&self, row_label: &str, value_label: &str, unit: &Unit) -> Markup {
        let (x, bottom) = (&self.x, self.bottom);
        html! {
            text.axis x="0" y="12" { (shorten(row_label, LONGEST_NAME)) }
            text.axis x=(px(self.left)) y="12" {
                (value_label) @if let Some(unit) = format::unit_name(unit) { " (" (unit) ")" }
            }
            @for (tick, label) in self.ticks.values.iter().zip(self.ticks.labels(unit)) {
                line.gridline.zero[*tick == 0.0] x1=(x.px(*tick)) x2=(x.px(*tick)) y1=(px(TOP - 4.0)) y2=(px(bottom)) {}
                text.axis.middle x=(x.px(*tick)) y=(px(bottom + 18.0)) { (label) }
            }
        }
    }

    /// The name of a row.
    pub(super) fn name(&self, index: usize, label: &str) -> Markup {
        html! {
            text.axis.end x=(px(self.left - 10.0)) y=(px(self.middle(index) + 4.0)) { (shorten(label, LONGEST_NAME)) title { (label) } }
        }
    }
}
