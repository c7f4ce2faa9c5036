//! Scales: round ticks, positions, and the steps of the sequential colours.

use super::super::document::Unit;
use super::super::format::{integer, number, share};

/// The number of sequential colours in the style sheet (`.q0` to `.q10`).
pub(super) const COLOURS: usize = 11;

/// Evenly spaced round numbers that cover a range.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticks {
    /// The tick values, ascending; at least two.
    pub(super) values: Vec<f64>,
    step: f64,
}

impl Ticks {
    /// Steps of 1, 2 or 5 times a power of ten, about `target` of them, that enclose `low` and `high`.
    ///
    /// A range without extent is widened; one that is not finite becomes 0 to 1.
    pub(super) fn covering(low: f64, high: f64, target: usize) -> Self {
        let (low, high) = match (low.is_finite() && high.is_finite(), low < high) {
            (false, _) => (0.0, 1.0),
            (true, true) => (low, high),
            (true, false) if low == 0.0 => (0.0, 1.0),
            (true, false) => (low.min(0.0), low.max(0.0)),
        };
        let (multiple, exponent) = round_step((high - low) / target.max(1) as f64);
        // Dividing by a positive power of ten is exact where multiplying by its inverse is not: 3 / 10, not 3 × 0.1.
        let at = |index: f64| {
            let power = 10_f64.powi(exponent.abs());
            if exponent < 0 { index * multiple / power } else { index * multiple * power }
        };
        let step = at(1.0);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let count = (last - first).clamp(1.0, 1000.0) as usize;
        Ticks { values: (0..=count).map(|index| at(first + index as f64)).collect(), step }
    }

    /// The lowest tick.
    pub(super) fn low(&self) -> f64 {
        self.values.first().copied().unwrap_or(0.0)
    }

    /// The highest tick.
    pub(super) fn high(&self) -> f64 {
        self.values.last().copied().unwrap_or(1.0)
    }

    /// The texts of the ticks, all in the same magnitude and with the same number of digits after the point.
    pub(super) fn labels(&self, unit: &Unit) -> Vec<String> {
        let largest = self.low().abs().max(self.high().abs());
        let label = |divisor: f64, suffix: &str, value: f64| {
            let text = match unit {
                Unit::Share => share(value, digits_after_point(self.step * 100.0)),
                _ if self.values.iter().all(|tick| tick.fract() == 0.0) && divisor == 1.0 => {
                    integer(value as i64)
                }
                _ => number(value / divisor, digits_after_point(self.step / divisor)),
            };
            if value == 0.0 { text } else { text + suffix }
        };
        let (divisor, suffix) = match largest {
            _ if *unit == Unit::Share => (1.0, ""),
            billions if billions >= 1e9 => (1e9, "bn"),
            millions if millions >= 1e6 => (1e6, "M"),
            _ => (1.0, ""),
        };
        self.values.iter().map(|value| label(divisor, suffix, *value)).collect()
    }

    /// Which of the intervals between ticks holds the value; values outside go to the nearest.
    pub(super) fn interval_of(&self, value: f64) -> usize {
        let inner = self.values.get(1..self.values.len().saturating_sub(1)).unwrap_or_default();
        inner.iter().filter(|edge| value >= **edge).count()
    }

    /// The number of intervals between ticks.
    pub(super) fn intervals(&self) -> usize {
        self.values.len().saturating_sub(1).max(1)
    }

    /// The colour of an interval; the first and the last take the ends of the scale.
    pub(super) fn colour(&self, interval: usize) -> usize {
        spread(interval, self.intervals())
    }
}

/// The colour of item `index` of `count`, spread over the whole scale.
pub(super) fn spread(index: usize, count: usize) -> usize {
    if count < 2 {
        COLOURS / 2
    } else {
        (index.min(count - 1) * (COLOURS - 1) + (count - 1) / 2) / (count - 1)
    }
}

/// The step (multiple, exponent) of the 1-2-5 series nearest to `raw` from above.
fn round_step(raw: f64) -> (f64, i32) {
    let exponent = raw.max(f64::MIN_POSITIVE).log10().floor().clamp(-300.0, 300.0) as i32;
    let mantissa = raw / 10_f64.powi(exponent);
    match [1.0, 2.0, 5.0].into_iter().find(|multiple| mantissa <= multiple * 1.000_001) {
        Some(multiple) => (multiple, exponent),
        None => (1.0, exponent + 1),
    }
}

fn digits_after_point(step: f64) -> u8 {
    // The slack keeps 0.1 + rounding noise at one digit; at most 9 digits are ever drawn.
    (-(step * 1.000_001).log10().floor()).clamp(0.0, 9.0) as u8
}

/// A straight map from values to positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linear {
    /// The values at the two ends.
    pub(super) from: (f64, f64),
    /// The positions of the two ends.
    pub(super) to: (f64, f64),
}

impl Linear {
    /// The position of a value, written as a coordinate.
    pub(super) fn px(&self, value: f64) -> String {
        px(self.at(value))
    }

    /// The position of a value; values outside are held at the ends.
    pub(super) fn at(&self, value: f64) -> f64 {
        let extent = self.from.1 - self.from.0;
        let fraction =
            if extent == 0.0 { 0.5 } else { ((value - self.from.0) / extent).clamp(0.0, 1.0) };
        self.to.0 + fraction * (self.to.1 - self.to.0)
    }
}

/// A coordinate with at most one digit after the point: finer is invisible and only makes the document larger.
pub(super) fn px(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The smallest round stride at which no more than `room` of `count` labels are drawn.
pub(super) fn stride(count: usize, room: usize) -> usize {
    const ROUND: [usize; 14] = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 24, 30, 50, 100];
    let fits = |stride: &usize| count.div_ceil(*stride) <= room.max(1);
    ROUND.into_iter().find(fits).unwrap_or(count.max(1))
}

/// Which of the positions get their label: every so many, and at multiples of the stride where labels are numbers.
pub(super) fn labelled(labels: &[&str], room: usize) -> impl Fn(usize) -> bool {
    let stride = stride(labels.len(), room);
    let number = |index: usize| labels.get(index).and_then(|label| label.parse::<usize>().ok());
    let start = number(0).filter(|start| number(1) == start.checked_add(1)).unwrap_or(0);
    move |index| start.wrapping_add(index).is_multiple_of(stride)
}

/// The text, cut to `room` characters with an ellipsis.
pub(super) fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        let check = |low, high, expected: &[f64]| {
            assert_eq!(Ticks::covering(low, high, 5).values, expected)
        };
        check(0.0, 1.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        check(0.0, 0.43, &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
        check(0.0, 299_123.0, &[0.0, 100_000.0, 200_000.0, 300_000.0]);
        check(-3.0, 4.0, &[-4.0, -2.0, 0.0, 2.0, 4.0]);
        check(7.0, 7.0, &[0.0, 2.0, 4.0, 6.0, 8.0]);
        check(0.0, 0.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        check(f64::NAN, 3.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    }

    #[test]
    fn tick_labels_agree_on_digits_and_magnitude() {
        let check = |low, high, unit: Unit, expected: &[&str]| {
            assert_eq!(Ticks::covering(low, high, 5).labels(&unit), expected);
        };
        check(0.0, 0.05, Unit::Share, &["0%", "1%", "2%", "3%", "4%", "5%"]);
        check(0.0, 0.012, Unit::Share, &["0.0%", "0.5%", "1.0%", "1.5%"]);
        check(0.0, 150_000.0, Unit::Count, &["0", "50,000", "100,000", "150,000"]);
        check(0.0, 2_500_000.0, Unit::Count, &["0.0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]);
        check(0.0, 1.0, Unit::Points, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn intervals_take_the_ends_of_the_colours() {
        let ticks = Ticks::covering(0.0, 0.1, 5);
        assert_eq!(ticks.intervals(), 5);
        assert_eq!(
            [-1.0, 0.0, 0.02, 0.0999, 0.1, 9.0].map(|value| ticks.interval_of(value)),
            [0, 0, 1, 4, 4, 4]
        );
        assert_eq!([0, 4].map(|interval| ticks.colour(interval)), [0, COLOURS - 1]);
    }

    #[test]
    fn labels_stand_at_round_numbers() {
        let check = |labels: &[&str], room, expected: &[usize]| {
            let labelled = labelled(labels, room);
            assert_eq!(
                (0..labels.len()).filter(|index| labelled(*index)).collect::<Vec<_>>(),
                expected
            );
        };
        check(&["1", "2", "3", "4", "5", "6"], 3, &[1, 3, 5]);
        check(&["a", "b", "c", "d"], 2, &[0, 2]);
        check(&["1997", "1998"], 9, &[0, 1]);
    }

    #[test]
    fn strides_are_round() {
        assert_eq!(
            [stride(18, 20), stride(18, 9), stride(60, 13), stride(5000, 10)],
            [1, 2, 5, 5000]
        );
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([12.0, 1.25, -0.01, f64::NAN].map(px), ["12", "1.2", "0", "0"]);
    }
}
