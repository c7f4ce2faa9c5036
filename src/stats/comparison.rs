//! Comparisons of two figures with their uncertainty, and of many pairs at once.
//!
//! References: Newcombe, R. G. (1998), "Interval estimation for the difference between independent
//! proportions: comparison of eleven methods", method 10; Welch, B. L. (1947), "The generalization of
//! Student's problem"; Benjamini, Y. and Hochberg, Y. (1995), "Controlling the false discovery rate".

use super::{chi_square_survival, incomplete_beta, normal_quantile, student_t_quantile, wilson};

/// A figure with what is known of its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// A count or a sum without a standard error. Nothing can be said about its changes.
    Exact(f64),
    /// A value and its standard error.
    Estimate { value: f64, error: f64 },
    /// A share: successes of so many trials.
    Share { successes: f64, n: f64 },
    /// The mean of `n` values with their sample variance.
    Mean { mean: f64, variance: f64, n: f64 },
}

/// A difference of two figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    pub difference: f64,
    pub low: f64,
    pub high: f64,
    /// Two-sided, of both figures being the same.
    pub p_value: f64,
}

impl Measured {
    /// `self − before`, of independent figures of one kind, with an interval at a `level`.
    ///
    /// - Shares: Newcombe's hybrid of Wilson's intervals, and the z-test with the pooled share. Where all
    ///   trials went one way the p-value is 1.
    /// - Means: Welch's t, with Satterthwaite's degrees of freedom.
    /// - Estimates: normal, of the two standard errors.
    ///
    /// `None` for figures of different kinds or without uncertainty: no trials, fewer than two values,
    /// errors or variances that are all 0.
    pub fn minus(self, before: Measured, level: f64) -> Option<Comparison> {
        if !(level > 0.0 && level < 1.0) {
            return None;
        }
        let found = match (self, before) {
            (
                Measured::Estimate { value, error },
                Measured::Estimate { value: value_before, error: error_before },
            ) => of_estimates((value, error), (value_before, error_before), level),
            (
                Measured::Share { successes, n },
                Measured::Share { successes: successes_before, n: n_before },
            ) => of_shares((successes, n), (successes_before, n_before), level),
            (
                Measured::Mean { mean, variance, n },
                Measured::Mean { mean: mean_before, variance: variance_before, n: n_before },
            ) => of_means((mean, variance, n), (mean_before, variance_before, n_before), level),
            _ => None,
        };
        found.filter(|found| {
            [found.difference, found.low, found.high, found.p_value].iter().all(|x| x.is_finite())
        })
    }
}

fn of_estimates(now: (f64, f64), before: (f64, f64), level: f64) -> Option<Comparison> {
    let difference = now.0 - before.0;
    let error = now.1.hypot(before.1);
    if error.is_nan() || error <= 0.0 {
        return None;
    }
    let half = normal_quantile(level) * error;
    let (low, high) = (difference - half, difference + half);
    Some(Comparison { difference, low, high, p_value: normal_p_value(difference / error) })
}

fn of_shares(now: (f64, f64), before: (f64, f64), level: f64) -> Option<Comparison> {
    let z = normal_quantile(level);
    let ((x1, n1), (x2, n2)) = (now, before);
    let (low1, high1) = wilson(x1, n1, z)?;
    let (low2, high2) = wilson(x2, n2, z)?;
    let (p1, p2) = (x1 / n1, x2 / n2);
    let difference = p1 - p2;
    let low = difference - (p1 - low1).hypot(high2 - p2);
    let high = difference + (high1 - p1).hypot(p2 - low2);
    let pooled = (x1 + x2) / (n1 + n2);
    let variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2);
    let p_value = if variance > 0.0 { normal_p_value(difference / variance.sqrt()) } else { 1.0 };
    Some(Comparison { difference, low, high, p_value })
}

fn of_means(now: (f64, f64, f64), before: (f64, f64, f64), level: f64) -> Option<Comparison> {
    let ((mean1, variance1, n1), (mean2, variance2, n2)) = (now, before);
    if !(n1 >= 2.0 && n2 >= 2.0) {
        return None;
    }
    let difference = mean1 - mean2;
    let (part1, part2) = (variance1 / n1, variance2 / n2);
    let both = part1 + part2;
    if both.is_nan() || both <= 0.0 {
        return None;
    }
    // Of shares of the variance, so that no square overflows.
    let (share1, share2) = (part1 / both, part2 / both);
    let degrees = 1.0 / (share1 * share1 / (n1 - 1.0) + share2 * share2 / (n2 - 1.0));
    let error = both.sqrt();
    let half = student_t_quantile(degrees.max(1.0), level)? * error;
    let (low, high) = (difference - half, difference + half);
    Some(Comparison {
        difference,
        low,
        high,
        p_value: student_p_value(difference / error, degrees),
    })
}

/// The probability of a standard normal variable at least this far from 0.
pub fn normal_p_value(z: f64) -> f64 {
    chi_square_survival(1.0, z * z)
}

/// The probability of a variable of Student's t at least this far from 0.
pub fn student_p_value(t: f64, degrees: f64) -> f64 {
    if degrees > 1e8 {
        return normal_p_value(t);
    }
    incomplete_beta(0.5 * degrees, 0.5, degrees / (degrees + t * t))
}

/// Benjamini and Hochberg's q-values: p-values adjusted for how many there are. Calling those at most q
/// significant keeps the expected share of false ones among them at q, if the tests are independent or
/// positively dependent.
///
/// The i-th smallest of m p-values becomes the least of `p m / rank` from its rank upwards, at most 1. Equal
/// p-values get equal q-values. What was not tested stays `None` and does not count.
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut tested: Vec<(f64, usize)> = (0..)
        .zip(p_values)
        .filter_map(|(place, p)| p.filter(|p| !p.is_nan()).map(|p| (p, place)))
        .collect();
    tested.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut q_values = vec![None; p_values.len()];
    let mut least = 1.0_f64;
    for (before, &(p, place)) in tested.iter().enumerate().rev() {
        least = least.min(p * tested.len() as f64 / (before + 1) as f64);
        q_values[place] = Some(least);
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(actual: f64, expected: f64, tolerance: f64) {
        let error = (actual - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
        assert!(error <= tolerance || actual == expected, "{actual} is not {expected}");
    }

    #[track_caller]
    fn check(now: Measured, before: Measured, low: f64, high: f64, p_value: f64) {
        let found = now.minus(before, 0.95).expect("a comparison");
        near(found.low, low, 1e-10);
        near(found.high, high, 1e-10);
        near(found.p_value, p_value, 1e-10);
        let back = before.minus(now, 0.95).expect("a comparison");
        assert_eq!((back.difference, back.p_value), (-found.difference, found.p_value));
        near(back.low, -found.high, 1e-10);
    }

    #[test]
    fn shares() {
        // statsmodels 0.15: confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff")
        // and proportions_ztest([x1, x2], [n1, n2]).
        let share = |successes, n| Measured::Share { successes, n };
        check(
            share(56.0, 70.0),
            share(48.0, 80.0),
            0.052_431_472_402_364_98,
            0.333_872_654_036_906_14,
            0.008_045_081_368_196_56,
        );
        check(
            share(9.0, 10.0),
            share(3.0, 10.0),
            0.170_522_723_934_502_9,
            0.809_017_973_535_488,
            0.006_169_899_320_544_151,
        );
        check(
            share(10.0, 10.0),
            share(0.0, 20.0),
            0.679_086_037_141_914_5,
            1.0,
            4.320_463_057_827_506e-8,
        );
        check(
            share(5_000.0, 100_000.0),
            share(5_200.0, 100_000.0),
            -0.003_928_753_136_969_738,
            -7.159_069_535_952_545e-5,
            0.042_071_715_304_714_52,
        );
        // No trial succeeded: the interval is there, the test has nothing to say.
        let none = 0.277_532_799_862_889_26;
        check(share(0.0, 10.0), share(0.0, 10.0), -none, none, 1.0);
        assert_eq!(share(0.0, 0.0).minus(share(1.0, 2.0), 0.95), None);
    }

    #[test]
    fn means() {
        // SciPy 1.17: stats.ttest_ind_from_stats(…, equal_var=False), and stats.t.ppf(0.975, df) at
        // Satterthwaite's degrees.
        let mean = |mean, variance, n| Measured::Mean { mean, variance, n };
        check(
            mean(10.5, 4.0, 12.0),
            mean(9.0, 9.0, 15.0),
            -0.492_518_069_873_888_46,
            3.492_518_069_873_888_5,
            0.133_423_765_882_094_45,
        );
        check(
            mean(0.3, 2.0, 2.0),
            mean(0.1, 0.5, 2.0),
            -6.718_522_830_071_063,
            7.118_522_830_071_064,
            0.879_517_803_232_708_2,
        );
        check(
            mean(101.0, 400.0, 1_000.0),
            mean(100.0, 900.0, 2_000_000.0),
            -0.241_788_248_387_323_7,
            2.241_788_248_387_323_7,
            0.114_365_417_426_433_12,
        );
        check(
            mean(5.0, 0.0, 5.0),
            mean(4.0, 1.0, 5.0),
            -0.241_663_998_203_764,
            2.241_663_998_203_764,
            0.089_009_342_500_085_67,
        );
        check(
            mean(10.0, 1.0, 50.0),
            mean(2.0, 1.0, 60.0),
            7.620_296_577_572_424,
            8.379_703_422_427_577,
            5.169_439_163_266_824_5e-67,
        );
        assert_eq!(mean(1.0, 0.0, 9.0).minus(mean(2.0, 0.0, 9.0), 0.95), None);
        assert_eq!(mean(1.0, 0.0, 1.0).minus(mean(2.0, 1.0, 9.0), 0.95), None);
    }

    #[test]
    fn estimates() {
        // SciPy 1.17: 2 * stats.norm.sf(1.7) and 2 * stats.norm.sf(9); the errors 0.8 and 0.6 make 1.
        let estimate = |value, error| Measured::Estimate { value, error };
        let z = normal_quantile(0.95);
        let (low, high) = (1.7 - z, 1.7 + z);
        check(estimate(3.7, 0.8), estimate(2.0, 0.6), low, high, 0.089_130_925_517_086_08);
        near(normal_p_value(-9.0), 2.257_176_811_907_664_7e-19, 1e-12);
        near(student_p_value(1.7, 1e9), normal_p_value(1.7), 1e-8);
        assert_eq!(estimate(1.0, 0.0).minus(estimate(2.0, 0.0), 0.95), None);
        assert_eq!(estimate(1.0, f64::NAN).minus(estimate(2.0, 1.0), 0.95), None);
        assert_eq!(Measured::Exact(1.0).minus(Measured::Exact(2.0), 0.95), None);
        assert_eq!(estimate(1.0, 1.0).minus(Measured::Exact(2.0), 0.95), None);
        assert_eq!(estimate(1.0, 1.0).minus(estimate(2.0, 1.0), 1.0), None);
    }

    #[test]
    fn q_values() {
        // statsmodels 0.15: multipletests(p, method="fdr_bh")[1], with the untested left out.
        let p = [0.01, 0.04, 0.03, 0.005, 0.04, 0.8, 0.2, 1.0];
        let expected = [
            0.04,
            0.064,
            0.064,
            0.04,
            0.064,
            0.914_285_714_285_714_4,
            0.266_666_666_666_666_66,
            1.0,
        ];
        let mut given: Vec<Option<f64>> = p.iter().copied().map(Some).collect();
        given.insert(3, None);
        given.push(None);
        let mut found = benjamini_hochberg(&given);
        assert_eq!((found.pop(), found.remove(3)), (Some(None), None));
        for (found, expected) in found.iter().zip(expected) {
            near(found.expect("it was tested"), expected, 1e-14);
        }
        assert_eq!(benjamini_hochberg(&[None, Some(f64::NAN)]), [None, None]);
        assert_eq!(benjamini_hochberg(&[]), []);
        assert_eq!(benjamini_hochberg(&[Some(0.3), Some(0.3)]), [Some(0.3), Some(0.3)]);
    }
}
