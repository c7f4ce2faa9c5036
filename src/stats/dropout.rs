//! The sum that is behind every model whose customers stop after a purchase: how many purchases come
//! before the end of a time or the customer's own.

use super::quadrature::beta_mean;

/// Within these the sum is a series: its terms fall like z^k and lose few digits. Elsewhere it is
/// integrated.
const SERIES_A: f64 = 10.0;
const SERIES_EXCESS: std::ops::RangeInclusive<f64> = -11.0..=1_000.0;
const SERIES_Z: f64 = 0.98;

/// The purchases expected of a customer who stops after each with probability p ~ Beta(a, b) and would
/// otherwise make a gamma-mixed Poisson number of them:
///
/// ```text
/// ∫ g(p) Beta(p; a, b) dp,  g(p) = (1 − (1 + p ρ)^−power) / p
/// ```
///
/// `power` is the shape of the rate and `ratio` = ρ the time ahead over the scale of the rate (both of one
/// unit). Finite for all a, b, power > 0 and ρ ≥ 0.
///
/// As a series after Euler's transform: no power of a large exponent, no pole at a + b = 1, finite
/// through a = 1, and terms that fall like z^k however many purchases there were.
///
/// ```text
/// z = ρ / (1 + ρ), c = a + b − 1, d = c − power
/// c (1 − (1−z)^(a−1)) / (a−1) − (1−z)^(a−1) Σ (d)_k (a)_(k−1) / (c+1)_(k−1) z^k / k!, k ≥ 1
/// ```
///
/// Source: Fader, Hardie and Lee (2005), equation 10, where it is written with ₂F₁; DLMF 15.8.1.
pub fn purchases_before_stopping(a: f64, b: f64, power: f64, ratio: f64) -> f64 {
    if ratio <= 0.0 {
        return 0.0;
    }
    if let Some(expected) = hardly_stopping(a, b, power, ratio) {
        return expected;
    }
    let z = ratio / (1.0 + ratio);
    let (c, d) = (a + b - 1.0, a + b - 1.0 - power);
    if a > SERIES_A || !SERIES_EXCESS.contains(&d) || z > SERIES_Z {
        return by_quadrature(a, b, power, ratio);
    }
    let log = -ratio.ln_1p();
    let exponent = (a - 1.0) * log;
    let lead = if exponent.abs() < 1e-12 {
        // The limit at a = 1, with the next term of the expansion.
        -c * log * (1.0 + 0.5 * exponent)
    } else {
        -c * exponent.exp_m1() / (a - 1.0)
    };
    let (mut sum, mut term) = (0.0, d * z);
    let mut k = 1.0;
    loop {
        sum += term;
        let ratio = (d + k) * (a + k - 1.0) / ((c + k) * (k + 1.0)) * z;
        term *= ratio;
        // What is left is a geometric series at most, once the factors have passed their zeros.
        if term == 0.0 || k > -d && ratio < 1.0 && term.abs() < 1e-17 * (1.0 - z) * sum.abs() {
            break;
        }
        k += 1.0;
    }
    let expected = lead - exponent.exp() * sum;
    // What rounding leaves below zero is nothing.
    if expected.is_finite() { expected.max(0.0) } else { 0.0 }
}

/// The same where stopping hardly matters: the first terms of g in powers of pρ, each by its mean over p. `None`
/// unless the terms left out are beyond the digits of a double.
fn hardly_stopping(a: f64, b: f64, power: f64, ratio: f64) -> Option<f64> {
    const TERMS: u32 = 6;
    // (1 − (1 + y)^−n) / p = nρ (1 − (n+1)/2 y + (n+1)(n+2)/6 y² − …), y = pρ.
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..=TERMS {
        let k = f64::from(k);
        let mean = (a + k - 1.0) / (a + b + k - 1.0);
        term *= -(power + k) / (k + 1.0) * ratio * mean;
        if term.abs() > 1e-2 {
            return None;
        }
        sum += term;
    }
    (term.abs() < 1e-17).then_some(power * ratio * sum)
}

/// The same as an integral.
fn by_quadrature(a: f64, b: f64, power: f64, ratio: f64) -> f64 {
    let value = |p: f64, _| {
        if p == 0.0 { power * ratio } else { -(-power * (p * ratio).ln_1p()).exp_m1() / p }
    };
    beta_mean(a, b, value).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 40-digit arithmetic: r, α, a, b, x, T, t and the purchases expected of BG/NBD. Shapes from
    /// hundredths to millions, by series and by integral.
    #[test]
    fn expectations_of_extreme_populations() {
        let table = [
            ([0.2426, 4.4135, 0.7929, 2.4258, 2.0, 38.86, 39.0], 1.687_169_979_485_937_7),
            ([0.2426, 4.4135, 0.7929, 2.4258, 0.0, 0.0, 5_200.0], 12.136_866_180_059_059),
            ([0.2426, 4.4135, 1e3, 5e3, 2.0, 39.0, 52.0], 2.011_135_241_098_973_7),
            ([0.2426, 4.4135, 1e6, 1e7, 2.0, 39.0, 52.0], 2.275_786_708_533_908_7),
            ([0.2426, 4.4135, 0.05, 1e6, 5.0, 39.0, 52.0], 6.279_501_745_767_093),
            ([0.2426, 4.4135, 0.02, 0.1, 0.0, 39.0, 520.0], 2.420_535_466_053_720_4),
            ([30.0, 2.0, 6.0, 40.0, 3.0, 10.0, 52.0], 9.589_533_488_885_959),
            ([0.2426, 4.4135, 0.01, 2.0, 300.0, 10.0, 5_200.0], 103_139.371_307_032_2),
            ([1e5, 1e4, 0.4, 0.2, 0.0, 5.0, 52.0], 23.679_849_318_901_21),
            ([5.0, 1.0, 0.29, 0.2, 0.0, 0.0, 1_000.0], 230.582_132_031_514_8),
            ([5.0, 1.0, 0.31, 0.31, 0.0, 0.0, 1_000.0], 253.578_123_764_921_2),
            ([0.24, 4.4, 50.0, 1e4, 40.0, 39.0, 52.0], 42.782_568_581_861_15),
        ];
        for ([r, alpha, a, b, x, age, time], expected) in table {
            let ratio = time / (alpha + age);
            let check = |found: f64| {
                let error = found / expected - 1.0;
                assert!(error.abs() < 1e-11, "{r} {a} {b} {x} {age} {time}: {found}, {error:e}");
            };
            check(purchases_before_stopping(a, b + x, r + x, ratio));
            check(by_quadrature(a, b + x, r + x, ratio));
        }
    }

    /// Either side of every limit between series and integral, both give the same.
    #[test]
    fn series_and_integral_meet() {
        let mut largest = 0.0_f64;
        for (r, a, b) in [(0.3, 0.01, 0.02), (9.9, 0.5, 0.5), (9.9, 9.9, 990.0), (2.0, 1.0, 30.0)] {
            for x in [0.0, 1.0, 40.0, 2_000.0] {
                for ratio in [0.001, 0.1, 10.0, 48.0] {
                    let series = purchases_before_stopping(a, b + x, r + x, ratio);
                    let integral = by_quadrature(a, b + x, r + x, ratio);
                    largest = largest.max((series / integral - 1.0).abs());
                }
            }
        }
        assert!(largest < 1e-9, "{largest:e}");
    }
}
