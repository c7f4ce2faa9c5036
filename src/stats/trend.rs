//! Regular series of one value per period: seasons, unusual points, and the next few periods.
//!
//! **Seasons** by classical decomposition. The trend is the centred moving average over one season, the
//! index of a place in the season the mean of what its values are to the trend, and the indices average
//! to nothing. A series of positive values is taken as trend × index, any other as trend + index.
//!
//! **Expected values** by a robust line. Through the seasonally adjusted values around a point runs the line
//! of Theil and Sen; its residuals' median absolute deviation gives the spread; bounds are Student's with the
//! degrees of freedom that such a deviation is worth. The point itself is left out of all of it: of the
//! line, of the spread, and of the seasonal index, which is of medians here.
//!
//! A value may be missing, and NaN counts as missing. Nothing is invented for it.
//!
//! References: Kendall and Stuart, "The advanced theory of statistics", volume 3, on moving averages and
//! seasonality; Sen, P. K. (1968), "Estimates of the regression coefficient based on Kendall's tau";
//! Rousseeuw and Croux (1993), "Alternatives to the median absolute deviation".

use std::f64::consts::FRAC_PI_2;

use super::{select_quantile, student_t_quantile};

/// How few other points around a point are too few to say what it should have been.
pub const MIN_BASELINE: usize = 8;

/// The standard deviation of normal values for a median absolute deviation of 1.
const NORMAL_MAD: f64 = 1.482_602_218_505_602;

/// The efficiency of the median absolute deviation in normal values: what share of the values would do for
/// the standard deviation.
const MAD_EFFICIENCY: f64 = 0.367_5;

/// A spread of less than this share of the values is rounding.
const ROUNDING: f64 = 1e-12;

/// How trend and season make a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Trend + index; the indices have the mean 0.
    Additive,
    /// Trend × index; the indices have the mean 1.
    Multiplicative,
}

impl Form {
    /// Multiplicative if all values are positive.
    fn of(values: &[Option<f64>]) -> Self {
        let positive = values.iter().flatten().all(|&value| value > 0.0);
        if positive { Form::Multiplicative } else { Form::Additive }
    }

    fn with(self, base: f64, index: f64) -> f64 {
        match self {
            Form::Additive => base + index,
            Form::Multiplicative => base * index,
        }
    }

    fn without(self, value: f64, index: f64) -> f64 {
        match self {
            Form::Additive => value - index,
            Form::Multiplicative => value / index,
        }
    }
}

/// A series in its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Decomposition {
    pub form: Form,
    /// The centred moving average over a season: `None` within half a season of either end, and where
    /// one of its values is missing.
    pub trend: Vec<Option<f64>>,
    /// The seasonal index of each place in the season; the first value of the series has the first.
    pub indices: Vec<f64>,
    /// The seasonally adjusted values.
    pub adjusted: Vec<Option<f64>>,
}

impl Decomposition {
    /// The seasonal index at a place of the series, or beyond its end.
    pub fn index(&self, place: usize) -> f64 {
        self.indices[place % self.indices.len()]
    }
}

/// Decomposes a series with seasons of so many periods. `None` for fewer than two seasons, for a
/// season of fewer than two periods, and if a place of the season never has both a value and a trend.
pub fn decompose(values: &[Option<f64>], season: usize) -> Option<Decomposition> {
    let values = known(values);
    let mean = |ratios: &mut [f64]| Some(ratios.iter().sum::<f64>() / ratios.len() as f64);
    let seasons = Seasons::of(&values, &values, season, mean)?;
    let adjusted = (0..values.len()).map(|place| seasons.adjusted(place, values[place]?)).collect();
    let Seasons { form, trend, indices, .. } = seasons;
    Some(Decomposition { form, trend, indices, adjusted })
}

/// The values without those that are no numbers.
fn known(values: &[Option<f64>]) -> Vec<Option<f64>> {
    values.iter().map(|value| value.filter(|value| value.is_finite())).collect()
}

/// The average of a season around each value. With an even number of periods, half of either end's value.
fn moving_average(values: &[Option<f64>], season: usize) -> Vec<Option<f64>> {
    let half = season / 2;
    let ends = if season.is_multiple_of(2) { 0.5 } else { 1.0 };
    let average = |place: usize| {
        let window = values.get(place.checked_sub(half)?..=place + half)?;
        let mut sum = 0.0;
        for (at, value) in window.iter().enumerate() {
            let weight = if at == 0 || at + 1 == window.len() { ends } else { 1.0 };
            sum += weight * (*value)?;
        }
        Some(sum / season as f64).filter(|average| average.is_finite())
    };
    (0..values.len()).map(average).collect()
}

/// The seasonal indices of a series.
struct Seasons {
    form: Form,
    trend: Vec<Option<f64>>,
    indices: Vec<f64>,
    /// How many values each index is made of.
    seen: Vec<usize>,
}

impl Seasons {
    /// The indices as a kind of `average` of what the values of each place in the season are to the trend.
    /// The trend is that of `filled`: of the values, or of them with a stand-in. The stand-in makes an index
    /// only where there is nothing else.
    fn of(
        values: &[Option<f64>],
        filled: &[Option<f64>],
        season: usize,
        average: impl Fn(&mut [f64]) -> Option<f64>,
    ) -> Option<Self> {
        if season < 2 || values.len() / season < 2 {
            return None;
        }
        let (form, trend) = (Form::of(values), moving_average(filled, season));
        let ratios_in = |series: &[Option<f64>], first: usize| -> Vec<f64> {
            let places = (first..series.len()).step_by(season);
            places.filter_map(|place| Some(form.without(series[place]?, trend[place]?))).collect()
        };
        let (mut indices, mut seen) = (Vec::new(), Vec::new());
        for first in 0..season {
            let mut ratios = ratios_in(values, first);
            if ratios.is_empty() {
                ratios = ratios_in(filled, first);
            }
            seen.push(ratios.len());
            if ratios.is_empty() {
                return None;
            }
            indices.push(average(&mut ratios)?);
        }
        let mean = indices.iter().sum::<f64>() / season as f64;
        for index in &mut indices {
            *index = form.without(*index, mean);
        }
        let finite = indices.iter().all(|index| index.is_finite());
        finite.then_some(Seasons { form, trend, indices, seen })
    }

    /// The same with medians, so that one odd season does not count.
    fn robust(values: &[Option<f64>], filled: &[Option<f64>], season: usize) -> Option<Self> {
        Seasons::of(values, filled, season, |ratios| select_quantile(ratios, 0.5))
    }

    fn index(&self, place: usize) -> f64 {
        self.indices[place % self.indices.len()]
    }

    fn adjusted(&self, place: usize, value: f64) -> Option<f64> {
        Some(self.form.without(value, self.index(place))).filter(|value| value.is_finite())
    }

    /// The variance of the index of a place, a median of so many values, in that of one value. Of one or two
    /// values the median is the mean; of many it varies π/2 times as much, which is taken for three and more.
    fn variance(&self, place: usize) -> f64 {
        let seen = self.seen[place % self.seen.len()];
        let median = if seen > 2 { FRAC_PI_2 } else { 1.0 };
        median / seen as f64
    }

    /// What share of the variance of the values went into the indices.
    fn variance_taken(&self) -> f64 {
        self.seen.iter().map(|&seen| 1.0 / seen as f64).sum::<f64>() / self.seen.len() as f64
    }
}

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub value: f64,
    /// `None` where it is unknown how far a value may be off: where the points around it lie on a line
    /// without any spread, and where each seasonal index was seen only once.
    pub bounds: Option<(f64, f64)>,
}

impl Expected {
    /// Whether a value is outside of the bounds; `None` without bounds.
    pub fn is_anomaly(&self, value: f64) -> Option<bool> {
        self.bounds.map(|(low, high)| !(low..=high).contains(&value))
    }

    /// The same as far as it lies between the least and the greatest value that there can be.
    pub fn within(self, least: f64, greatest: f64) -> Expected {
        let cut = |value: f64| value.clamp(least, greatest);
        Expected {
            value: cut(self.value),
            bounds: self.bounds.map(|(low, high)| (cut(low), cut(high))),
        }
    }
}

/// What each value of a series should be by the others: by those up to `baseline` periods before and after
/// it. Bounds hold one more value with probability `level`.
///
/// What is said of a point does not depend on its own value, which may be missing. With fewer than two
/// seasons nothing is adjusted, and the spread then has the seasons in it. `None` with fewer than
/// [`MIN_BASELINE`] points around it.
pub fn expected(
    values: &[Option<f64>],
    season: usize,
    baseline: usize,
    level: f64,
) -> Vec<Option<Expected>> {
    let values = known(values);
    let (mut others, mut filled) = (values.clone(), values.clone());
    let each = (0..values.len()).map(|place| {
        others[place] = None;
        filled[place] = stand_in(&others, place, season);
        let seasons = Seasons::robust(&others, &filled, season);
        let from = place.saturating_sub(baseline);
        let to = place.saturating_add(baseline).saturating_add(1).min(values.len());
        let line = Line::through(points(&others, seasons.as_ref(), from..to));
        (others[place], filled[place]) = (values[place], values[place]);
        line?.at(place, level, seasons.as_ref())
    });
    each.collect()
}

/// The next `periods` values of a series: the line through the last `baseline` seasonally adjusted values,
/// carried on, with the seasonal index. Bounds hold one value with probability `level`.
///
/// As for [`expected`], nothing is adjusted with fewer than two seasons, and [`MIN_BASELINE`] values are
/// needed. That the line may turn is not in the bounds: they are for a few periods, not for many.
pub fn forecast(
    values: &[Option<f64>],
    season: usize,
    baseline: usize,
    periods: usize,
    level: f64,
) -> Vec<Option<Expected>> {
    let values = known(values);
    let seasons = Seasons::robust(&values, &values, season);
    let from = values.len().saturating_sub(baseline);
    let line = Line::through(points(&values, seasons.as_ref(), from..values.len()));
    let places = values.len()..values.len() + periods;
    places.map(|place| line.as_ref()?.at(place, level, seasons.as_ref())).collect()
}

/// The seasonally adjusted values at some places, as points.
fn points(
    values: &[Option<f64>],
    seasons: Option<&Seasons>,
    places: std::ops::Range<usize>,
) -> Vec<(f64, f64)> {
    let point = |place: usize| {
        let value = values[place]?;
        let value = seasons.map_or(Some(value), |seasons| seasons.adjusted(place, value))?;
        Some((place as f64, value))
    };
    places.filter_map(point).collect()
}

/// A value for a place by the others of its place in the season, so that the averages around it need not
/// go: on the straight line between the nearest before and after. Where there is one side only, the nearest
/// and the median change from one season to the next.
fn stand_in(values: &[Option<f64>], place: usize, season: usize) -> Option<f64> {
    if season < 2 {
        return None;
    }
    let at = |place: usize| values.get(place).copied().flatten();
    let before = (1..=place / season).find_map(|k| Some((k, at(place - k * season)?)));
    let seasons_after = (values.len() - 1 - place) / season;
    let after = (1..=seasons_after).find_map(|k| Some((k, at(place + k * season)?)));
    let (nearest, sign, seasons) = match (before, after) {
        (Some((k, before)), Some((l, after))) => {
            let (k, l) = (k as f64, l as f64);
            return Some((before * l + after * k) / (k + l));
        }
        (Some((k, before)), None) => (before, 1.0, k as f64),
        (None, Some((l, after))) => (after, -1.0, l as f64),
        (None, None) => return None,
    };
    let mut changes: Vec<f64> =
        (season..values.len()).filter_map(|later| Some(at(later)? - at(later - season)?)).collect();
    let change = select_quantile(&mut changes, 0.5).unwrap_or(0.0);
    let value = nearest + sign * seasons * change;
    // A stand-in does not make a positive series one with a sign.
    if value <= 0.0 && Form::of(values) == Form::Multiplicative {
        Some(nearest)
    } else {
        Some(value)
    }
}

/// A straight line through points, and how they spread around it.
struct Line {
    slope: f64,
    /// At x = 0.
    intercept: f64,
    /// The standard deviation of one value, if there is any.
    spread: Option<f64>,
    n: f64,
    mean_x: f64,
    /// The sum of squares of x around its mean.
    squares_x: f64,
}

impl Line {
    /// Theil and Sen's line: the median of the slopes of all pairs of points, and of what then remains.
    /// `None` for fewer than [`MIN_BASELINE`] points.
    fn through(points: Vec<(f64, f64)>) -> Option<Self> {
        if points.len() < MIN_BASELINE {
            return None;
        }
        let pairs = points.iter().enumerate().flat_map(|(later, &(x, y))| {
            points[..later].iter().map(move |&(x_before, y_before)| (y - y_before) / (x - x_before))
        });
        let slope = select_quantile(&mut pairs.collect::<Vec<_>>(), 0.5)?;
        let mut rests: Vec<f64> = points.iter().map(|&(x, y)| y - slope * x).collect();
        let intercept = select_quantile(&mut rests, 0.5)?;
        for rest in &mut rests {
            *rest = (*rest - intercept).abs();
        }
        let deviation = select_quantile(&mut rests, 0.5)?;
        let n = points.len() as f64;
        // Two degrees of freedom went into the line.
        let spread = NORMAL_MAD * deviation * (n / (n - 2.0)).sqrt();
        let largest = points.iter().map(|&(_, y)| y.abs()).fold(0.0, f64::max);
        let mean_x = points.iter().map(|&(x, _)| x).sum::<f64>() / n;
        Some(Line {
            slope,
            intercept,
            spread: (spread > largest * ROUNDING).then_some(spread),
            n,
            mean_x,
            squares_x: points.iter().map(|&(x, _)| (x - mean_x).powi(2)).sum(),
        })
    }

    /// The value at a place with its season, and bounds of one more value there.
    ///
    /// The variance of such a value is that of one value times `1 + 1/n + (x − mean)² / Σ(x − mean)²`, and
    /// the variance of the index is added. The indices also took their part from the spread around the line
    /// and from its degrees of freedom; where each was seen once they took all.
    fn at(&self, place: usize, level: f64, seasons: Option<&Seasons>) -> Option<Expected> {
        let x = place as f64;
        let with_season = |value: f64| match seasons {
            Some(seasons) => seasons.form.with(value, seasons.index(place)),
            None => value,
        };
        let of_index = seasons.map_or(0.0, |seasons| seasons.variance(place));
        let left = 1.0 - seasons.map_or(0.0, Seasons::variance_taken);
        let centre = self.intercept + self.slope * x;
        let degrees = (MAD_EFFICIENCY * (self.n * left - 2.0)).max(1.0);
        let bounds = self.spread.filter(|_| left > 0.0).and_then(|spread| {
            let line = 1.0 / self.n + (x - self.mean_x).powi(2) / self.squares_x;
            let one = (1.0 + line + of_index) / left;
            let half = student_t_quantile(degrees, level)? * spread * one.sqrt();
            let (low, high) = (with_season(centre - half), with_season(centre + half));
            (low.is_finite() && high.is_finite()).then_some((low, high))
        });
        let value = with_season(centre);
        value.is_finite().then_some(Expected { value, bounds })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::mixed;

    #[track_caller]
    fn near(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() <= 1e-10 * expected.abs().max(1.0),
            "{actual} {expected}"
        );
    }

    fn series(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    /// Three years of months, after Box and Jenkins' series of airline passengers.
    const MONTHS: [f64; 36] = [
        112.0, 118.0, 132.0, 129.0, 121.0, 135.0, 148.0, 148.0, 136.0, 119.0, 104.0, 118.0, 115.0,
        126.0, 141.0, 135.0, 125.0, 149.0, 170.0, 170.0, 158.0, 133.0, 114.0, 140.0, 145.0, 150.0,
        178.0, 163.0, 172.0, 178.0, 199.0, 199.0, 184.0, 162.0, 146.0, 166.0,
    ];

    /// statsmodels 0.15: tsa.seasonal.seasonal_decompose(MONTHS, model="multiplicative", period=12).
    #[test]
    fn positive_series_multiply() {
        let expected = [
            0.901_472_873_093_378_4,
            0.945_541_689_507_616_6,
            1.074_832_074_346_347,
            0.993_542_212_818_520_6,
            0.972_938_174_014_608_5,
            1.065_623_354_897_574_9,
            1.189_416_064_450_941,
            1.177_808_896_913_991_3,
            1.075_943_204_528_18,
            0.912_783_995_460_626_7,
            0.780_934_229_961_706_8,
            0.909_163_230_006_504_9,
        ];
        let parts = decompose(&series(&MONTHS), 12).expect("three seasons");
        assert_eq!(parts.form, Form::Multiplicative);
        for (found, expected) in parts.indices.iter().zip(expected) {
            near(*found, expected);
        }
        assert_eq!((parts.trend[5], parts.trend[30]), (None, None));
        near(parts.trend[6].expect("half a season on"), 126.791_666_666_666_66);
        near(parts.trend[29].expect("half a season left"), 169.083_333_333_333_3);
        near(parts.adjusted[35].expect("a value"), 166.0 / expected[11]);
    }

    /// The same with model="additive", of the series less 150.
    #[test]
    fn series_with_a_sign_add() {
        let expected = [-13.812_5, -7.937_5, 11.5, -0.895_833_333_333_335];
        let less: Vec<f64> = MONTHS.iter().map(|value| value - 150.0).collect();
        let parts = decompose(&series(&less), 12).expect("three seasons");
        assert_eq!(parts.form, Form::Additive);
        for (found, expected) in parts.indices.iter().zip(expected) {
            near(*found, expected);
        }
        near(parts.adjusted[0].expect("a value"), 112.0 - 150.0 + 13.812_5);
        // period=5: an odd season has a plain average.
        let odd = [3.0, -1.0, 4.0, 0.0, 5.0, 2.0, -2.0, 5.0, 1.0, 6.0, 1.0, -1.0, 4.0];
        let parts = decompose(&series(&odd), 5).expect("two seasons");
        for (found, expected) in parts.indices.iter().zip([-0.44, -4.04, 2.36, -1.44, 3.56]) {
            near(*found, expected);
        }
        near(parts.trend[4].expect("a value"), 1.8);
    }

    #[test]
    fn seasons_that_cannot_be_told() {
        assert_eq!(decompose(&series(&MONTHS[..23]), 12), None);
        assert!(decompose(&series(&MONTHS[..24]), 12).is_some());
        assert_eq!(decompose(&series(&MONTHS), 1), None);
        assert_eq!(decompose(&series(&MONTHS), 0), None);
        assert_eq!(decompose(&[], 12), None);
        // A missing value takes the averages around it away, not the whole decomposition.
        let mut holed = series(&MONTHS);
        holed[2] = None;
        holed[3] = Some(f64::NAN);
        let parts = decompose(&holed, 12).expect("three seasons");
        assert_eq!((parts.trend[9], parts.adjusted[2], parts.adjusted[3]), (None, None, None));
        assert!(parts.trend[10].is_some() || parts.trend[12].is_some());
        // In the second of two seasons it does.
        let mut holed = series(&MONTHS[..24]);
        holed[12] = None;
        assert_eq!(decompose(&holed, 12), None);
    }

    /// SciPy 1.17: stats.theilslopes(y, x, method="joint"); the deviation is that of
    /// stats.median_abs_deviation(y - slope * x, scale="normal").
    #[test]
    fn a_line_heeds_no_outlier() {
        let x = [0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 9.0];
        let y = [1.0, 2.5, 2.9, 4.2, 20.0, 6.8, 8.1, 10.3];
        let line = Line::through(x.into_iter().zip(y).collect()).expect("eight points");
        near(line.slope, 1.015_476_190_476_190_4);
        near(line.intercept, 1.076_785_714_285_714_5);
        near(line.spread.expect("they spread"), 0.217_095_324_852_605_88 * (8.0_f64 / 6.0).sqrt());
        assert!(Line::through(x.into_iter().zip(y).skip(1).collect()).is_none());
    }

    #[test]
    fn one_odd_month() {
        let mut values: Vec<f64> = (0..72)
            .map(|month| {
                let noise = (mixed(month) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                (100.0 + 2.0 * month as f64 + 4.0 * noise)
                    * (1.0 + 0.3 * f64::from(month % 12 == 11))
            })
            .collect();
        values[30] *= 1.5;
        let found = expected(&series(&values), 12, 24, 0.999);
        for (place, (found, value)) in found.iter().zip(&values).enumerate() {
            let found = found.expect("enough points");
            assert_eq!(found.is_anomaly(*value), Some(place == 30), "{place}: {found:?} {value}");
        }
        near_by(found[30].expect("it has a baseline").value, 160.0, 3.0);
        // The next December is expected to be high, and to be nothing unusual.
        let next = forecast(&series(&values), 12, 24, 12, 0.95);
        near_by(next[11].expect("enough points").value, (100.0 + 2.0 * 83.0) * 1.3, 8.0);
    }

    #[track_caller]
    fn near_by(actual: f64, expected: f64, by: f64) {
        assert!((actual - expected).abs() <= by, "{actual} is not near {expected}");
    }

    #[test]
    fn what_has_no_spread_has_no_bounds() {
        let level = series(&[5.0; 20]);
        let at = expected(&level, 1, 10, 0.95)[7].expect("enough points");
        assert_eq!((at.value, at.bounds, at.is_anomaly(6.0)), (5.0, None, None));
        let rising: Vec<f64> = (0..20).map(|place| 0.1 * f64::from(place)).collect();
        let next = forecast(&series(&rising), 1, 12, 2, 0.95);
        near(next[1].expect("enough points").value, 2.1);
        assert_eq!(next[1].expect("enough points").bounds, None);
        // Eight others are needed.
        assert!(expected(&level[..9], 1, 10, 0.95).iter().all(Option::is_some));
        assert!(expected(&level[..8], 1, 10, 0.95).iter().all(Option::is_none));
        assert_eq!(forecast(&level[..7], 1, 10, 2, 0.95), [None, None]);
        assert_eq!(expected(&[], 12, 10, 0.95), []);
    }

    /// Normal values, by Box and Muller.
    fn noise(seed: u64) -> f64 {
        let uniform = |seed: u64| ((mixed(seed) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        let angle = std::f64::consts::TAU * uniform(2 * seed + 1);
        (-2.0 * uniform(2 * seed).ln()).sqrt() * angle.cos()
    }

    /// Of random series, about so many points are within their bounds as the level says; more where an index
    /// rests on one or two values.
    #[test]
    fn bounds_hold_what_they_say() {
        for (season, length, low, high) in [
            (1, 40, 0.94, 0.96),
            (12, 36, 0.94, 0.995),
            (12, 60, 0.93, 0.97),
            (12, 120, 0.93, 0.97),
        ] {
            let (mut inside, mut ahead, mut n) = (0_u32, 0_u32, 0_u32);
            for run in 0..300_u64 {
                let values: Vec<f64> = (0..length + 1)
                    .map(|place| {
                        let index = if season > 1 { 0.9 + 0.02 * (place % 12) as f64 } else { 1.0 };
                        (50.0 + 0.1 * place as f64) * index + noise(run * 1_000 + place)
                    })
                    .collect();
                let (next, values) = values.split_last().expect("it is not empty");
                for (found, value) in
                    expected(&series(values), season as usize, 12, 0.95).iter().zip(values)
                {
                    inside += u32::from(found.expect("enough").is_anomaly(*value) == Some(false));
                    n += 1;
                }
                let found = forecast(&series(values), season as usize, 24, 1, 0.95)[0];
                ahead += u32::from(found.expect("enough").is_anomaly(*next) == Some(false));
            }
            let share = f64::from(inside) / f64::from(n);
            assert!((low..=high).contains(&share), "{season} of {length}: {share}");
            let share = f64::from(ahead) / 300.0;
            assert!((0.9..=0.995).contains(&share), "{season}: {share} of the next");
        }
    }

    proptest! {
        #[test]
        fn a_point_has_no_say_in_what_it_should_be(
            values in prop::collection::vec(prop::option::weighted(0.9, -50.0..200.0_f64), 1..70),
            at in 0..70_usize,
            other in prop::option::weighted(0.8, prop_oneof![-1e6..1e6_f64, Just(f64::NAN), Just(0.0)]),
            season in 0..8_usize,
            baseline in 0..40_usize,
        ) {
            for shift in [0.0, 60.0] {
                let mut values: Vec<Option<f64>> =
                    values.iter().map(|value| value.map(|value| value + shift)).collect();
                let at = at % values.len();
                let found = expected(&values, season, baseline, 0.95);
                for found in found.iter().chain(&forecast(&values, season, baseline, 3, 0.95)).flatten() {
                    prop_assert!(found.value.is_finite());
                    if let Some((low, high)) = found.bounds {
                        prop_assert!(low <= found.value && found.value <= high);
                    }
                }
                values[at] = other;
                prop_assert_eq!(found[at], expected(&values, season, baseline, 0.95)[at]);
            }
        }
    }
}
