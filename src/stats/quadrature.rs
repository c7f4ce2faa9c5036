//! Integrals of smooth positive functions: Gauss–Legendre on panels, and means over a beta distribution.

/// Gauss–Legendre points and weights on (0, 1), from mpmath at 40 digits.
const TEN: [(f64, f64); 10] = [
    (0.01304673574141414, 0.03333567215434407),
    (0.06746831665550775, 0.0747256745752903),
    (0.1602952158504878, 0.10954318125799102),
    (0.2833023029353764, 0.13463335965499817),
    (0.4255628305091844, 0.14776211235737644),
    (0.5744371694908156, 0.14776211235737644),
    (0.7166976970646236, 0.13463335965499817),
    (0.8397047841495122, 0.10954318125799102),
    (0.9325316833444922, 0.0747256745752903),
    (0.9869532642585859, 0.03333567215434407),
];
const SIXTEEN: [(f64, f64); 16] = [
    (0.005299532504175033, 0.013576229705877048),
    (0.02771248846338371, 0.031126761969323947),
    (0.06718439880608412, 0.04757925584124639),
    (0.12229779582249849, 0.06231448562776694),
    (0.19106187779867811, 0.07479799440828837),
    (0.2709916111713863, 0.08457825969750127),
    (0.35919822461037054, 0.09130170752246179),
    (0.4524937450811813, 0.09472530522753425),
    (0.5475062549188188, 0.09472530522753425),
    (0.6408017753896295, 0.09130170752246179),
    (0.7290083888286137, 0.08457825969750127),
    (0.8089381222013219, 0.07479799440828837),
    (0.8777022041775016, 0.06231448562776694),
    (0.9328156011939158, 0.04757925584124639),
    (0.9722875115366163, 0.031126761969323947),
    (0.994700467495825, 0.013576229705877048),
];

/// Points and weights for an integral over (0, `length`) of a function that is analytic within π of the
/// real line and whose logarithm changes by `change` at most. 15 digits or so.
///
/// On a panel of length 3 the singularities leave 4.4^−32, and a factor of e^16 leaves 2e-15 of n = 16
/// points (the remainder of the rule for e^cx, c = 8). What changes by more falls off as fast as e^−eᵘ
/// does: its panels are of length 1.
pub fn panels(length: f64, change: f64) -> impl Iterator<Item = (f64, f64)> {
    let few = length <= 1.5 && change <= 6.0;
    let rule: &[(f64, f64)] = if few { &TEN } else { &SIXTEEN };
    let longest = if change > 16.0 { 1.0 } else { 3.0 };
    let count = if few { 1.0 } else { (length / longest).max(change / 16.0).ceil().max(1.0) };
    let width = length / count;
    (0..count as u32).flat_map(move |panel| {
        rule.iter().map(move |&(at, weight)| ((f64::from(panel) + at) * width, weight * width))
    })
}

/// A beta distribution with a shape below this has a tail on that side (in the log-odds) too long to
/// walk along.
const LONG_TAIL: f64 = 1.5;

/// The mean of f(p) over p ~ Beta(`left`, `right`), for a smooth f that is analytic off the real line and
/// beyond the ends of (0, 1). `f` gets p and 1 − p, so that neither loses digits.
///
/// In the log-odds u of p the integrand is analytic in a strip of half-width π/2 at least and falls
/// exponentially on both sides, so the trapezoidal rule has all digits at steps of 1/4, or of half a
/// standard deviation if that is less; the beta function is the sum of the weights. Where a shape is
/// small, the value of f at that end, whose mean is known, is taken off first; what remains is weighted
/// with a shape that is larger by 1.
pub fn beta_mean(left: f64, right: f64, f: impl Fn(f64, f64) -> f64) -> f64 {
    let (long_left, long_right) = (left < LONG_TAIL, right < LONG_TAIL);
    let at_zero = if long_left { f(0.0, 1.0) } else { 0.0 };
    let at_one = if long_right { f(1.0, 0.0) } else { 0.0 };
    let left_shape = if long_left { left + 1.0 } else { left };
    let right_shape = if long_right { right + 1.0 } else { right };
    let shapes = left_shape + right_shape;

    let softplus = |u: f64| u.max(0.0) + (-u.abs()).exp().ln_1p();
    let mode = (left_shape / right_shape).ln();
    let step = (0.5 * (1.0 / left_shape + 1.0 / right_shape).sqrt()).min(0.25);
    let top = left_shape * mode - shapes * softplus(mode);
    let (mut whole, mut sum) = (0.0, 0.0);
    for (start, direction) in [(0.0, -1.0), (1.0, 1.0)] {
        let mut k = start;
        loop {
            let u = mode + direction * k * step;
            let soft = softplus(u);
            let weight = (left_shape * u - shapes * soft - top).exp();
            if weight < 1e-18 * whole {
                break;
            }
            let (p, rest) = ((u - soft).exp(), (-soft).exp());
            let mut value = f(p, rest) - at_zero * rest - at_one * p;
            if long_left {
                value /= p;
            }
            if long_right {
                value /= rest;
            }
            whole += weight;
            sum += weight * value;
            k += 1.0;
        }
    }
    // The mean of what was taken off, and B(left_shape, right_shape) / B(left, right).
    let both = left + right;
    let ends = (at_zero * right + at_one * left) / both;
    let part = match (long_left, long_right) {
        (false, false) => 1.0,
        (true, false) => left / both,
        (false, true) => right / both,
        (true, true) => left * right / (both * (both + 1.0)),
    };
    ends + part * sum / whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_integrate_exponentials() {
        for rate in [-2.0, -0.1, 0.3, 1.0, 20.0, 3_000.0] {
            for length in [1e-9, 0.4, 2.0, 11.0] {
                let length: f64 = if rate > 5.0 { f64::min(length, 40.0 / rate) } else { length };
                let of = |u: f64| (-rate * u).exp();
                let sum: f64 =
                    panels(length, f64::abs(rate) * length).map(|(u, w)| w * of(u)).sum();
                let exact = -(-rate * length).exp_m1() / rate;
                assert!((sum / exact - 1.0).abs() < 5e-14, "{rate} {length}: {sum} {exact}");
            }
        }
    }

    #[test]
    fn moments_of_a_beta_distribution() {
        for left in [0.01, 0.29, 0.31, 2.0, 500.0] {
            for right in [0.02, 0.5, 40.0, 1e6] {
                let mean = left / (left + right);
                let second = mean * (left + 1.0) / (left + right + 1.0);
                let found = beta_mean(left, right, |p, _| p);
                assert!((found / mean - 1.0).abs() < 1e-11, "{left} {right} {found} {mean}");
                let found = beta_mean(left, right, |p, _| p * p);
                assert!((found / second - 1.0).abs() < 1e-11, "{left} {right} {found} {second}");
            }
        }
    }
}
