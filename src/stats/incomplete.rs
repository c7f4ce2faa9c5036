//! Beta and incomplete gamma and beta functions.
//!
//! The statistics library has the incomplete functions to 11 digits and loses them all for shapes beyond
//! 10⁴; these keep 12 or more over the whole table of the tests.

use super::quadrature::panels;
use super::special::{LARGE, ln_gamma, stirling_rest};

/// Ends a series.
const EPSILON: f64 = 1e-16;
/// Ends a continued fraction: a factor of 1 to the last bit but one. Some never come nearer.
const NEAR_ONE: f64 = 3e-16;
/// Keeps the denominators of a continued fraction off zero.
const TINY: f64 = 1e-290;
const MAX_TERMS: u32 = 1_000_000;

/// ½ ln 2π.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// ln B(a, b) for a, b > 0.
///
/// ln Γ(a) + ln Γ(b) − ln Γ(a+b) cancels where an argument is large: there the leading terms of
/// Stirling's series are subtracted on paper.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if large < LARGE {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(small + large);
    }
    let both = small + large;
    let rest = stirling_rest(large) - stirling_rest(both);
    if small < LARGE {
        let shifted = (0.5 - large) * (small / large).ln_1p() - small * (both.ln() - 1.0);
        return ln_gamma(small) + shifted + rest;
    }
    HALF_LN_TWO_PI - 0.5 * large.ln() + rest + stirling_rest(small)
        - (small - 0.5) * (large / small).ln_1p()
        - large * (small / large).ln_1p()
}

/// ln(1 + x) − x for x > −1, to all digits near 0.
pub(super) fn ln_1p_less_x(x: f64) -> f64 {
    if x.abs() > 0.3 {
        return x.ln_1p() - x;
    }
    // With y = x / (2 + x): ln(1+x) = 2 (y + y³/3 + y⁵/5 + …), and 2y − x = −x y.
    let y = x / (2.0 + x);
    let square = y * y;
    let (mut sum, mut power, mut k) = (0.0, y * square, 3.0);
    while power.abs() > 1e-18 * y.abs() {
        sum += power / k;
        power *= square;
        k += 2.0;
    }
    2.0 * sum - x * y
}

/// x^a e^−x / Γ(a + 1): no cancellation for large a.
fn gamma_density(a: f64, x: f64) -> f64 {
    if a < LARGE {
        return (a * x.ln() - x - ln_gamma(a + 1.0)).exp();
    }
    let log = a * ln_1p_less_x((x - a) / a) - stirling_rest(a);
    log.exp() / (std::f64::consts::TAU * a).sqrt()
}

/// The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 − P(a, x), a > 0, x ≥ 0. The smaller
/// has all its digits too. Sources: DLMF 8.7.1 and 8.9.2.
pub fn incomplete_gamma(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    let density = gamma_density(a, x);
    if x < a + 1.0 {
        let (mut sum, mut term) = (1.0, 1.0);
        for k in 1..MAX_TERMS {
            term *= x / (a + f64::from(k));
            sum += term;
            if term < EPSILON * sum {
                break;
            }
        }
        let lower = (density * sum).min(1.0);
        return (lower, 1.0 - lower);
    }
    let upper = (density * a * upper_fraction(a, x)).min(1.0);
    (1.0 - upper, upper)
}

/// e^x x^−a Γ(a, x) by its continued fraction (DLMF 8.9.2, contracted), by the method of Lentz.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / if b == 0.0 { TINY } else { b };
    let mut value = d;
    for k in 1..MAX_TERMS {
        let k = f64::from(k);
        let numerator = -k * (k - a);
        b += 2.0;
        d = numerator * d + b;
        d = 1.0 / if d == 0.0 { TINY } else { d };
        c = b + numerator / c;
        c = if c == 0.0 { TINY } else { c };
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < NEAR_ONE {
            break;
        }
    }
    value
}

/// The scaled upper incomplete gamma function e^z z^−a Γ(a, z), z > 0, for any a ≤ 1, negative ones too:
///
/// ```text
/// ∫ e^(−zy) (1+y)^(a−1) dy over y > 0
/// ```
///
/// Neither e^z nor z^−a nor Γ(a, z) is formed, any of which may be beyond doubles. By continued fraction
/// from z = 1 on; below it converges slowly (about 86 / z terms), and the integral in u = ln(1+y) is
/// summed. The confluent form with Γ(a) split off cancels near whole a.
pub fn scaled_upper_gamma(a: f64, z: f64) -> f64 {
    if z >= 1.0 {
        return upper_fraction(a, z);
    }
    // e^(−z(eᵘ−1) + a u) falls below e^−45 of its top by the first or by the second term.
    let reach = (60.0 / z).ln_1p();
    let length = if a < 0.0 { reach.min(45.0 / -a) } else { reach };
    let change = (z * length.exp_m1()).max(a.abs() * length).max(17.0);
    panels(length, change).map(|(u, weight)| weight * (a * u - z * u.exp_m1()).exp()).sum()
}

/// The regularised incomplete beta function I_x(a, b) for a, b > 0 and x in 0..=1. Source: DLMF 8.17.22.
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let density = beta_density(a, b, x);
    if x > (a + 1.0) / (a + b + 2.0) {
        (1.0 - density / b * beta_fraction(b, a, 1.0 - x)).clamp(0.0, 1.0)
    } else {
        (density / a * beta_fraction(a, b, x)).clamp(0.0, 1.0)
    }
}

/// x^a (1−x)^b / B(a, b): no cancellation for large a and b.
fn beta_density(a: f64, b: f64, x: f64) -> f64 {
    if a.min(b) < LARGE {
        return (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    }
    let (both, mean) = (a + b, a / (a + b));
    // The first-order parts of a ln(x/mean) + b ln((1−x)/(1−mean)) cancel exactly.
    let off = (x * b - (1.0 - x) * a) / both;
    let log = a * ln_1p_less_x(off / mean) + b * ln_1p_less_x(-off / (b / both));
    let rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(both);
    (log - rest).exp() * (mean * b / std::f64::consts::TAU).sqrt()
}

/// The continued fraction of I_x(a, b), by the method of Lentz.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for k in 1..MAX_TERMS {
        let k = f64::from(k);
        let even = k * (b - k) * x / ((a + 2.0 * k - 1.0) * (a + 2.0 * k));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        value *= c * d;
        let odd = -(a + k) * (a + b + k) * x / ((a + 2.0 * k) * (a + 2.0 * k + 1.0));
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        value *= c * d;
        if (c * d - 1.0).abs() < NEAR_ONE {
            break;
        }
    }
    value
}

/// The probability that a chi-square variable with so many degrees of freedom exceeds x.
pub fn chi_square_survival(degrees: f64, x: f64) -> f64 {
    incomplete_gamma(0.5 * degrees, 0.5 * x).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Function, two or three arguments, value; of mpmath at 40 digits. `tests/expected/special.py`
    /// prints them.
    const TABLE: &str = include_str!("../../tests/expected/incomplete.csv");

    #[test]
    fn functions_agree_with_the_table() {
        let mut rows = 0;
        for line in TABLE.lines().skip(1) {
            let mut cells = line.split(',');
            let name = cells.next().expect("a name");
            let numbers: Vec<f64> = cells.map(|text| text.parse().expect("a number")).collect();
            let [x, y, z, expected] = numbers[..] else { panic!("five cells") };
            let (found, tolerance) = match name {
                "ln_beta" => (ln_beta(x, y), 2e-14),
                "gamma_p" => (incomplete_gamma(x, y).0, 2e-13),
                "gamma_q" => (incomplete_gamma(x, y).1, 2e-13),
                "scaled_upper_gamma" => (scaled_upper_gamma(x, y), 1e-13),
                "incomplete_beta" => (incomplete_beta(x, y, z), 2e-12),
                "chi_square" => (chi_square_survival(x, y), 2e-13),
                other => panic!("{other}"),
            };
            // The logarithm is a difference near its zero; of the others even tiny values have digits.
            let scale = if name == "ln_beta" { expected.abs().max(1.0) } else { expected.abs() };
            let error = (found - expected).abs() / scale.max(f64::MIN_POSITIVE);
            assert!(error < tolerance, "{line}: {found}, off by {error:e}");
            rows += 1;
        }
        assert!(rows > 400, "{rows}");
    }
}
