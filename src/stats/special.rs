//! The gamma function and its relatives, of positive arguments.

use super::incomplete::ln_1p_less_x;

/// From here on the asymptotic series have all the digits of a double.
pub(super) const LARGE: f64 = 12.0;

/// ln Γ(x) for x > 0.
///
/// Below [`LARGE`] the argument is raised by Γ(x + 1) = x Γ(x); above, Stirling's series is summed to
/// x^−15. Source: DLMF 5.11.1.
pub fn ln_gamma(x: f64) -> f64 {
    let mut x = x;
    let mut product = 1.0;
    while x < LARGE {
        product *= x;
        x += 1.0;
    }
    let half_ln_two_pi = 0.918_938_533_204_672_8;
    (x - 0.5) * x.ln() - x + half_ln_two_pi + stirling_rest(x) - product.ln()
}

/// ln (Γ(x + a) / Γ(x)) for x > 0 and a ≥ 0, with its digits where one of them is far larger than the other.
///
/// As for [`ln_gamma`], of which it is a difference: of Stirling's formula the logarithms are taken together.
pub fn ln_gamma_ratio(x: f64, a: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < LARGE {
        shift -= (a / x).ln_1p();
        x += 1.0;
    }
    // Γ(x) = x^(x − 1/2) e^−x √(2π) e^series.
    a * x.ln() + beyond_power(x, a) + shift
}

/// ln (Γ(x + a) / Γ(x)) − ln (Γ(x + s + a) / Γ(x + s)) for x > 0 and a, s ≥ 0: what is left of the logarithm
/// of a quotient of beta functions, B(x + s, a) / B(x, a), where both are large.
pub fn ln_beta_fall(x: f64, a: f64, s: f64) -> f64 {
    // The two play the same part.
    let (a, s) = (a.min(s), a.max(s));
    let (mut x, mut shift) = (x, 0.0);
    while x < LARGE {
        // (x / (x+a)) ((x+s+a) / (x+s)) = 1 − a s / ((x+a) (x+s)).
        let less = a / (x + a) * (s / (x + s));
        shift +=
            if less < 0.5 { (-less).ln_1p() } else { (x / (x + a)).ln() + (a / (x + s)).ln_1p() };
        x += 1.0;
    }
    let far = x + s;
    beyond_power(x, a) - beyond_power(far, a) - a * (s / x).ln_1p() + shift
}

/// ln (Γ(x + a) / Γ(x)) − a ln x, for x ≥ [`LARGE`].
fn beyond_power(x: f64, a: f64) -> f64 {
    let part = a / x;
    let log = part.ln_1p();
    x * ln_1p_less_x(part) + (a - 0.5) * log + (stirling_rest(x + a) - stirling_rest(x))
}

/// What ln Γ(x) has beyond (x − ½) ln x − x + ½ ln 2π, for x ≥ [`LARGE`].
pub(super) fn stirling_rest(x: f64) -> f64 {
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    // B(2k) / (2k (2k − 1)).
    const TERMS: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1_260.0,
        -1.0 / 1_680.0,
        1.0 / 1_188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3_617.0 / 122_400.0,
    ];
    TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) * inverse
}

/// The digamma function ψ(x), the derivative of ln Γ, for x > 0. Source: DLMF 5.11.2.
pub fn digamma(x: f64) -> f64 {
    let mut x = x;
    let mut shift = 0.0;
    while x < LARGE {
        shift -= 1.0 / x;
        x += 1.0;
    }
    shift + x.ln() - 0.5 / x - digamma_rest(x)
}

/// What ψ(x) lacks of ln x − 1/2x, for x ≥ [`LARGE`].
fn digamma_rest(x: f64) -> f64 {
    let square = 1.0 / (x * x);
    // B(2k) / 2k.
    const TERMS: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        1.0 / 132.0,
        -691.0 / 32_760.0,
        1.0 / 12.0,
        -3_617.0 / 8_160.0,
    ];
    TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) * square
}

/// The trigamma function ψ′(x) for x > 0. Source: DLMF 5.15.8.
pub fn trigamma(x: f64) -> f64 {
    let mut x = x;
    let mut shift = 0.0;
    while x < LARGE {
        shift += 1.0 / (x * x);
        x += 1.0;
    }
    let inverse = 1.0 / x;
    shift + inverse + 0.5 * inverse * inverse + trigamma_rest(x)
}

/// What ψ′(x) has beyond 1/x + 1/2x², for x ≥ [`LARGE`].
fn trigamma_rest(x: f64) -> f64 {
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    // B(2k).
    const TERMS: [f64; 8] = [
        1.0 / 6.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        5.0 / 66.0,
        -691.0 / 2_730.0,
        7.0 / 6.0,
        -3_617.0 / 510.0,
    ];
    TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) * square * inverse
}

/// Up to so many factors a rising factorial is multiplied out.
const FACTORS: f64 = 64.0;

/// ln Γ(a + n) − ln Γ(a), with its first and second derivative by a, for a > 0 and n ≥ 0.
///
/// Differences of gamma functions lose what they have in common: all digits, when a is large. For a few
/// factors (n whole) the sum over them loses none; else the asymptotic series are subtracted term by term.
pub fn ln_rising(a: f64, n: f64) -> [f64; 3] {
    if n > FACTORS || n.fract() != 0.0 {
        let [slope, curve] = polygamma_differences(a, n);
        return [ln_gamma_ratio(a, n), slope, curve];
    }
    let (mut value, mut slope, mut curve) = (0.0, 0.0, 0.0);
    for k in 0..n as u32 {
        let factor = a + f64::from(k);
        value += factor.ln();
        slope += 1.0 / factor;
        curve -= 1.0 / (factor * factor);
    }
    [value, slope, curve]
}

/// ψ(a + n) − ψ(a) and ψ′(a + n) − ψ′(a).
fn polygamma_differences(mut a: f64, n: f64) -> [f64; 2] {
    let (mut slope, mut curve) = (0.0, 0.0);
    while a < LARGE {
        let both = a * (a + n);
        slope += n / both;
        curve -= n / both * ((a + n + a) / both);
        a += 1.0;
    }
    let far = a + n;
    // 1/a − 1/(a+n).
    let inverses = n / a / far;
    slope += (n / a).ln_1p() + 0.5 * inverses - (digamma_rest(far) - digamma_rest(a));
    curve += trigamma_rest(far) - trigamma_rest(a) - inverses * (1.0 + 0.5 * (1.0 / a + 1.0 / far));
    [slope, curve]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of mpmath at 30 digits: x, ln Γ(x), ψ(x), ψ′(x). `tests/expected/special.py` prints them.
    const TABLE: &str = include_str!("../../tests/expected/special.csv");

    #[test]
    fn special_functions_agree_with_the_table() {
        let mut rows = 0;
        for line in TABLE.lines().skip(1) {
            let numbers: Vec<f64> =
                line.split(',').map(|text| text.parse().expect("a number")).collect();
            let x = numbers[0];
            let found = [ln_gamma(x), digamma(x), trigamma(x)];
            for (found, expected) in found.into_iter().zip(&numbers[1..]) {
                // Near their zeros the functions are differences of larger numbers.
                let error = (found - expected).abs() / expected.abs().max(1.0);
                assert!(error < 4e-15, "at {x}: {found} is not {expected}, off by {error:e}");
            }
            rows += 1;
        }
        assert!(rows > 60);
    }

    /// Against mpmath at 240 digits.
    #[test]
    fn quotients_of_gammas_keep_their_digits() {
        for (x, a, expected) in [
            (0.3, 0.5, -0.943_738_316_418_238),
            (1e-8, 2.0, -18.420_680_733_952_365),
            (653_988.5, 1e-4, 0.001_339_084_428_172_369_7),
            (1e15, 3.5, 120.885_717_382_187_4),
            (1e200, 0.7, 322.361_913_019_166_4),
            (2.5, 1e9, 19_723_265_879.027_2),
        ] {
            let found = ln_gamma_ratio(x, a);
            assert!((found / expected - 1.0).abs() < 1e-13, "{x} {a}: {found} is not {expected}");
        }
    }

    const FALLS: [(f64, f64, f64, f64); 6] = [
        (0.3, 0.5, 1.0, -0.9808292530117263),
        (1.3, 0.76, 8.0, -1.550410688351586),
        (0.001, 100000.0, 3.0, -40.75191514770785),
        (1e+21, 51305.0, 8e+16, -4.104235832755528),
        (220000000000000.0, 61.4, 19000000000000.0, -5.086130742559086),
        (40.0, 1000000.0, 0.001, -0.01013921002620423),
    ];

    /// Against mpmath at 80 digits.
    #[test]
    fn falls_of_beta_functions_keep_their_digits() {
        for (x, a, s, expected) in FALLS {
            let found = ln_beta_fall(x, a, s);
            assert!((found / expected - 1.0).abs() < 2e-13, "{x} {a} {s}: {found} {expected}");
        }
    }

    #[test]
    fn rising_factorials_are_differences_of_gamma_functions() {
        for a in [0.1, 1.0, 7.5, 300.0] {
            for n in [0.0, 1.0, 64.0] {
                let exact = ln_rising(a, n);
                let rough = [
                    ln_gamma(a + n) - ln_gamma(a),
                    digamma(a + n) - digamma(a),
                    trigamma(a + n) - trigamma(a),
                ];
                for (exact, rough) in exact.into_iter().zip(rough) {
                    assert!((exact - rough).abs() < 1e-12 * exact.abs().max(1.0), "{a} {n}");
                }
            }
        }
        // Differences of functions of large arguments, from mpmath at 60 digits.
        for (a, n, expected) in [
            (0.3, 100.5, [361.721_744_325_669_25, 8.110_694_058_874_698, -12.235_394_538_961_861]),
            (
                2.2e14,
                61.5,
                [2_031.015_892_730_284_3, 2.795_454_545_454_161e-13, -1.270_661_157_024_444e-27],
            ),
            (
                1e9,
                1e-4,
                [0.002_072_326_583_644_646_3, 1.000_000_000_499_95e-13, -1.000_000_000_999_9e-22],
            ),
            (
                5.0,
                1e15,
                [3.353_877_639_491_084e16, 33.032_658_726_478_89, -0.221_322_955_737_114_33],
            ),
        ] {
            let found = ln_rising(a, n);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found / expected - 1.0_f64).abs() < 2e-13, "{a} {n}: {found} {expected}");
            }
        }
        // 2 factors of about 1e9.
        assert_eq!(ln_rising(1e9, 2.0)[1], 1.0 / 1e9 + 1.0 / (1e9 + 1.0));
        let [half, ..] = ln_rising(2.5, 0.5);
        assert!((half - (ln_gamma(3.0) - ln_gamma(2.5))).abs() < 4e-15);
    }
}
