//! The gamma function and its relatives, of positive arguments.

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
    let together = a * x.ln() + ((x + a - 0.5) * (a / x).ln_1p() - a);
    together + (stirling_rest(x + a) - stirling_rest(x)) + shift
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
    let series = TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) * square;
    shift + x.ln() - 0.5 / x - series
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
    let series = TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) * square * inverse;
    shift + inverse + 0.5 * square + series
}

/// Up to so many factors a rising factorial is multiplied out.
const FACTORS: f64 = 64.0;

/// ln Γ(a + n) − ln Γ(a), with its first and second derivative by a, for a > 0 and n ≥ 0.
///
/// Differences of gamma functions lose what they have in common: all digits, when a is large. For a few
/// factors (n whole) the sum over them loses none.
pub fn ln_rising(a: f64, n: f64) -> [f64; 3] {
    if n > FACTORS || n.fract() != 0.0 {
        return [
            ln_gamma(a + n) - ln_gamma(a),
            digamma(a + n) - digamma(a),
            trigamma(a + n) - trigamma(a),
        ];
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
        // 2 factors of about 1e9.
        assert_eq!(ln_rising(1e9, 2.0)[1], 1.0 / 1e9 + 1.0 / (1e9 + 1.0));
        let [half, ..] = ln_rising(2.5, 0.5);
        assert!((half - (ln_gamma(3.0) - ln_gamma(2.5))).abs() < 1e-15);
    }
}
