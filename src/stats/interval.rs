//! Intervals of shares, means, quantiles and balances.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The two-sided normal quantile z of a `level` in (0, 1): 1.959964 for 0.95.
///
/// Wichura, M. J. (1988), algorithm AS 241 (PPND16): about 16 digits. The complementary error
/// function of the statistics library has 11, so its inverse was not taken.
pub fn normal_quantile(level: f64) -> f64 {
    const CENTRE: ([f64; 8], [f64; 8]) = (
        [
            3.387_132_872_796_366_5,
            133.141_667_891_784_38,
            1_971.590_950_306_551_3,
            13_731.693_765_509_46,
            45_921.953_931_549_87,
            67_265.770_927_008_7,
            33_430.575_583_588_13,
            2_509.080_928_730_122_7,
        ],
        [
            1.0,
            42.313_330_701_600_91,
            687.187_007_492_057_9,
            5_394.196_021_424_751,
            21_213.794_301_586_597,
            39_307.895_800_092_71,
            28_729.085_735_721_943,
            5_226.495_278_852_854,
        ],
    );
    const MIDDLE: ([f64; 8], [f64; 8]) = (
        [
            1.423_437_110_749_683_5,
            4.630_337_846_156_546,
            5.769_497_221_460_691,
            3.647_848_324_763_204_5,
            1.270_458_252_452_368_4,
            0.241_780_725_177_450_6,
            0.022_723_844_989_269_184,
            7.745_450_142_783_414e-4,
        ],
        [
            1.0,
            2.053_191_626_637_759,
            1.676_384_830_183_803_8,
            0.689_767_334_985_1,
            0.148_103_976_427_480_08,
            0.015_198_666_563_616_457,
            5.475_938_084_995_345e-4,
            1.050_750_071_644_416_9e-9,
        ],
    );
    const TAIL: ([f64; 8], [f64; 8]) = (
        [
            6.657_904_643_501_103,
            5.463_784_911_164_114,
            1.784_826_539_917_291_3,
            0.296_560_571_828_504_87,
            0.026_532_189_526_576_124,
            0.001_242_660_947_388_078_4,
            2.711_555_568_743_487_6e-5,
            2.010_334_399_292_288_1e-7,
        ],
        [
            1.0,
            0.599_832_206_555_888,
            0.136_929_880_922_735_8,
            0.014_875_361_290_850_615,
            7.868_691_311_456_133e-4,
            1.846_318_317_510_054_8e-5,
            1.421_511_758_316_446e-7,
            2.044_263_103_389_939_8e-15,
        ],
    );
    let ratio = |(above, below): ([f64; 8], [f64; 8]), x: f64| {
        let horner = |terms: [f64; 8]| terms.iter().rev().fold(0.0, |sum, term| sum * x + term);
        horner(above) / horner(below)
    };
    let half = level / 2.0;
    if half <= 0.425 {
        return half * ratio(CENTRE, 0.180_625 - half * half);
    }
    let depth = (-((1.0 - level) / 2.0).ln()).sqrt();
    if depth <= 5.0 { ratio(MIDDLE, depth - 1.6) } else { ratio(TAIL, depth - 5.0) }
}

/// The two-sided quantile of Student's t with `degrees` of freedom at a `level`; `None` for less
/// than one degree and for a level outside of (0, 1).
pub fn student_t_quantile(degrees: f64, level: f64) -> Option<f64> {
    // `statrs` asserts the level, and its search ends neither for fractions of a degree nor for
    // very many.
    if !(degrees >= 1.0 && level > 0.0 && level < 1.0) {
        return None;
    }
    if degrees > 1e6 {
        // Fisher's expansion; the next term is of the order of 1/degrees².
        let z = normal_quantile(level);
        return Some(z + (z.powi(3) + z) / (4.0 * degrees));
    }
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    let tail = (1.0 - level) / 2.0;
    let mut t = distribution.inverse_cdf(1.0 - tail);
    for _ in 0..4 {
        let error = distribution.sf(t) - tail;
        let density = statrs::distribution::Continuous::pdf(&distribution, t);
        if !(error.is_finite() && density > 0.0) {
            break;
        }
        t += error / density;
    }
    t.is_finite().then_some(t)
}

/// Wilson's score interval, without continuity correction, of `successes` in `n` trials at normal
/// quantile `z`: low and high, both in 0..=1. `None` for no trials.
///
/// ```text
/// (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)
/// ```
///
/// Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference".
pub fn wilson(successes: f64, n: f64, z: f64) -> Option<(f64, f64)> {
    if n <= 0.0 {
        return None;
    }
    let share = successes / n;
    let z2 = z * z;
    let scale = 1.0 + z2 / n;
    let centre = (share + z2 / (2.0 * n)) / scale;
    let half = z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).max(0.0).sqrt() / scale;
    // At the borders the formula gives them exactly but for rounding.
    let low = if successes <= 0.0 { 0.0 } else { (centre - half).clamp(0.0, 1.0) };
    let high = if successes >= n { 1.0 } else { (centre + half).clamp(0.0, 1.0) };
    Some((low, high))
}

/// The interval of the balance `scale · (plus − minus) / n` at normal quantile `z`, clamped to
/// ±scale. `None` for n = 0.
///
/// Variance of a multinomial difference, `((P + M)/n − ((P − M)/n)²)/n`; where all answers are in
/// one class that is 0, and Wilson's bounds of the two shares stand in.
pub fn multinomial(plus: f64, minus: f64, n: f64, scale: f64, z: f64) -> Option<(f64, f64)> {
    if n <= 0.0 {
        return None;
    }
    if plus >= n || minus >= n || plus + minus <= 0.0 {
        let (plus_low, plus_high) = wilson(plus, n, z)?;
        let (minus_low, minus_high) = wilson(minus, n, z)?;
        return Some((scale * (plus_low - minus_high), scale * (plus_high - minus_low)));
    }
    let balance = (plus - minus) / n;
    let variance = ((plus + minus) / n - balance * balance) / n;
    let half = z * scale * variance.max(0.0).sqrt();
    let clamp = |bound: f64| bound.clamp(-scale.abs(), scale.abs());
    Some((clamp(scale * balance - half), clamp(scale * balance + half)))
}

/// Which order statistics (from 1) bound the quantile `at` of `n` values at normal quantile `z`:
/// ⌊np − z√(np(1−p))⌋ and ⌈np + z√(np(1−p))⌉ + 1, `None` outside 1..=n.
pub fn rank_bounds(n: usize, at: f64, z: f64) -> (Option<usize>, Option<usize>) {
    let np = n as f64 * at;
    let half = z * (np * (1.0 - at)).max(0.0).sqrt();
    let rank = |place: f64| (place >= 1.0 && place <= n as f64).then_some(place as usize);
    (rank((np - half).floor()), rank((np + half).ceil() + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(actual: f64, expected: f64, tolerance: f64) {
        assert!((actual - expected).abs() <= tolerance, "{actual} is not {expected}");
    }

    #[test]
    fn normal_quantiles() {
        // Abramowitz and Stegun, table 26.5, to more digits.
        near(normal_quantile(0.95), 1.959_963_984_540_054, 1e-14);
        near(normal_quantile(0.90), 1.644_853_626_951_472_7, 1e-14);
        near(normal_quantile(0.999), 3.290_526_731_491_895, 1e-13);
    }

    #[test]
    fn student_quantiles_end() {
        for level in [1e-3, 0.5, 0.95, 1.0 - 1e-9] {
            let mut last = f64::INFINITY;
            for degrees in [1.0, 1.5, 30.0, 1e3, 1e5, 999_999.0, 1e6 + 1.0, 1e9, 1e300] {
                let t = student_t_quantile(degrees, level).expect("a level and degrees");
                assert!(t <= last * (1.0 + 1e-4), "{degrees} {level}: {t} after {last}");
                last = t;
            }
        }
        assert_eq!(student_t_quantile(0.5, 0.95), None);
        assert_eq!(student_t_quantile(5.0, 1.0), None);
        assert_eq!(student_t_quantile(f64::NAN, 0.9), None);
    }

    #[test]
    fn student_quantiles() {
        // SciPy 1.14: stats.t.ppf(0.975, df).
        near(student_t_quantile(1.0, 0.95).expect("df 1"), 12.706_204_736_432_095, 1e-9);
        near(student_t_quantile(5.0, 0.95).expect("df 5"), 2.570_581_835_636_314, 1e-12);
        near(student_t_quantile(1e6, 0.95).expect("df 1e6"), 1.959_966_356_851_389_3, 1e-9);
        assert_eq!(student_t_quantile(0.0, 0.95), None);
    }

    #[test]
    fn wilson_intervals() {
        let z = normal_quantile(0.95);
        let (low, high) = wilson(0.0, 10.0, z).expect("n is 10");
        assert_eq!(low, 0.0);
        near(high, 0.277_532_8, 1e-7);
        let (low, high) = wilson(81.0, 100.0, z).expect("n is 100");
        near(low, 0.722_211_5, 1e-7);
        near(high, 0.874_852_5, 1e-7);
        assert_eq!(wilson(10.0, 10.0, z).map(|bounds| bounds.1), Some(1.0));
        assert_eq!(wilson(0.0, 0.0, z), None);
    }

    #[test]
    fn balances() {
        // 50 promoters and 20 detractors of 100: NPS 30, standard error 7.810250.
        let (low, high) = multinomial(50.0, 20.0, 100.0, 100.0, 1.0).expect("n is 100");
        near(30.0 - low, 7.810_250, 1e-6);
        near(high - 30.0, 7.810_250, 1e-6);
        let z = normal_quantile(0.95);
        let (low, high) = multinomial(10.0, 0.0, 10.0, 100.0, z).expect("n is 10");
        assert!(low < 100.0 && high == 100.0);
    }

    #[test]
    fn ranks() {
        let z = normal_quantile(0.95);
        assert_eq!(rank_bounds(100, 0.5, z), (Some(40), Some(61)));
        assert_eq!(rank_bounds(2, 0.5, z), (None, None));
        assert_eq!(rank_bounds(0, 0.5, z), (None, None));
    }
}
