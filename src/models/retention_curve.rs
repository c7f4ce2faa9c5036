//! Retention curves of customers who renew or leave at known times: the shifted beta-geometric and the
//! beta-discrete-Weibull distribution.
//!
//! ```text
//! A customer leaves at each renewal with probability θ ~ Beta(α, β), and the share that is still there
//! after t renewals is S(t) = B(α, β + t^c) / B(α, β).
//! c = 1 is the shifted beta-geometric; with c above 1 a customer's own risk grows with time.
//! ```
//!
//! References: Fader and Hardie (2007), How to project customer retention; Fader and Hardie (2010),
//! Customer-base valuation in a contractual setting; Fader, Hardie, Liu, Davin and Steenburgh (2018), "How to
//! project customer retention" revisited: the role of duration dependence.

use super::fit::{Fit, Likelihood, fit};
use crate::stats::{Derivatives, ln_beta_fall, ln_rising, trigamma};

/// How many customers left between an age and the one before, or are still there at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Renewal {
    /// The number of renewals, at least 1.
    pub age: f64,
    pub left: bool,
    pub customers: f64,
}

/// A curve with its parameters; `c` is 1 for the shifted beta-geometric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetentionCurve {
    pub alpha: f64,
    pub beta: f64,
    pub c: f64,
}

/// ln S with its derivatives by α, β and c.
#[derive(Debug, Clone, Copy, Default)]
struct LogShare {
    value: f64,
    gradient: [f64; 3],
    hessian: [[f64; 3]; 3],
}

impl RetentionCurve {
    /// The names of the parameters, in the order of a fit; the shifted beta-geometric has the first two.
    pub const NAMES: [&'static str; 3] = ["alpha", "beta", "c"];

    /// Fits the shifted beta-geometric distribution. `z` is the two-sided normal quantile of the level of
    /// intervals. Where nobody left the fit ends with [`NoEvents`](crate::stats::Termination::NoEvents).
    pub fn fit_sbg(rows: &[Renewal], z: f64) -> Fit<2> {
        let starts = [[1.0, 1.0], [0.5, 5.0], [5.0, 20.0]];
        let term = |row: &Renewal, &[alpha, beta]: &[f64; 2]| {
            let full = term(row, &RetentionCurve { alpha, beta, c: 1.0 });
            Derivatives {
                value: full.value,
                gradient: [full.gradient[0], full.gradient[1]],
                hessian: [
                    [full.hessian[0][0], full.hessian[0][1]],
                    [full.hessian[1][0], full.hessian[1][1]],
                ],
            }
        };
        marked(rows, fit(rows, z, &starts, &Likelihood::of(parts, term)))
    }

    /// Fits the beta-discrete-Weibull distribution. `z` is the two-sided normal quantile of the level of
    /// intervals. Where nobody left it ends as the other does.
    pub fn fit_bdw(rows: &[Renewal], z: f64) -> Fit<3> {
        let starts = [[1.0, 1.0, 1.0], [0.5, 1.0, 1.5], [2.0, 10.0, 0.7]];
        let term = |row: &Renewal, &[alpha, beta, c]: &[f64; 3]| {
            term(row, &RetentionCurve { alpha, beta, c })
        };
        marked(rows, fit(rows, z, &starts, &Likelihood::of(parts, term)))
    }

    /// ln S(t).
    fn ln_share(&self, age: f64) -> f64 {
        let (a, b, s) = (self.alpha, self.beta, age.powf(self.c));
        if age <= 0.0 {
            return 0.0;
        }
        ln_beta_fall(b, a, s).min(0.0)
    }

    /// ln S(t) − ln S(t − 1), with all its digits where few leave.
    fn ln_kept(&self, age: f64) -> f64 {
        if self.c == 1.0 {
            return -(self.alpha / (self.beta + age - 1.0)).ln_1p();
        }
        self.ln_share(age) - self.ln_share(age - 1.0)
    }

    /// The share of customers who are still there after so many renewals, S(t).
    pub fn share(&self, age: f64) -> f64 {
        self.ln_share(age).exp()
    }

    /// The share of those there at the age before who leave before this one.
    pub fn hazard(&self, age: f64) -> f64 {
        -self.ln_kept(age).exp_m1()
    }

    /// S(t) and its derivatives by the logarithms of the parameters.
    pub fn share_gradient(&self, age: f64) -> (f64, [f64; 3]) {
        let log = self.log_share(age);
        let share = log.value.exp();
        let by = [self.alpha, self.beta, self.c];
        let mut gradient = [0.0; 3];
        (0..3).for_each(|i| gradient[i] = share * log.gradient[i] * by[i]);
        (share, gradient)
    }

    fn log_share(&self, age: f64) -> LogShare {
        if age <= 0.0 {
            return LogShare::default();
        }
        let (a, b, s) = (self.alpha, self.beta, age.powf(self.c));
        let (log, both) = (age.ln(), a + b);
        let (slope, curve) = (s * log, s * log * log);
        let [_, by_s, by_s_s] = ln_rising(b + s, a).map(|part| -part);
        let [_, by_a, by_a_a] = ln_rising(both, s).map(|part| -part);
        let by_a_s = -trigamma(both + s);
        // ∂β, ψ(β+s) − ψ(β) − ψ(α+β+s) + ψ(α+β), and its slope: the nearer ones are subtracted first.
        let [by_b, by_b_b] = if a < s {
            let [_, near, near_slope] = ln_rising(b, a);
            [near + by_s, near_slope + by_s_s]
        } else {
            let [_, own, own_slope] = ln_rising(b, s);
            [own + by_a, own_slope + by_a_a]
        };
        let (a_c, b_c) = (by_a_s * slope, by_s_s * slope);
        LogShare {
            value: self.ln_share(age),
            gradient: [by_a, by_b, by_s * slope],
            hessian: [
                [by_a_a, by_a_a, a_c],
                [by_a_a, by_b_b, b_c],
                [a_c, b_c, by_s_s * slope * slope + by_s * curve],
            ],
        }
    }

    /// The mean number of periods that a customer pays for, the first included: Σ S(t) over t ≥ 0. `None`
    /// where it has no end: the share falls like t^(−αc).
    pub fn expected_lifetime(&self) -> Option<f64> {
        if self.c == 1.0 {
            return (self.alpha > 1.0).then(|| (self.alpha + self.beta - 1.0) / (self.alpha - 1.0));
        }
        (self.alpha * self.c > 1.0 + 1e-9).then(|| self.discounted(0.0))
    }

    /// The same with each period's payment discounted to the first one, Σ S(t) / (1 + d)^t.
    pub fn discounted_expected_lifetime(&self, discount: f64) -> Option<f64> {
        if discount <= 0.0 { self.expected_lifetime() } else { Some(self.discounted(discount)) }
    }

    /// Term by term, and from [`DIRECT`] on by Euler and Maclaurin: ∫ f + f/2 − f′/12. The third derivative
    /// is less than 10⁻⁹ of f there. The integral is taken over ln t by the trapezoidal rule, in steps that
    /// grow double exponentially.
    fn discounted(&self, discount: f64) -> f64 {
        const DIRECT: f64 = 1_000.0;
        let rate = discount.ln_1p();
        let term = |t: f64| (self.ln_share(t) - rate * t).exp();
        let direct: f64 = (0..DIRECT as u32).map(|t| term(t.into())).sum();
        // Of a curve that has come to nothing nothing is left, whatever the last digits of a logarithm say.
        if term(DIRECT) < 1e-18 * direct {
            return direct;
        }
        let step = 1.0 / 32.0;
        let mut integral = 0.0;
        for k in -130..=130 {
            let x = f64::from(k) * step;
            let half = std::f64::consts::FRAC_PI_2 * x.sinh();
            // ln t = ln DIRECT + e^half.
            let beyond = half.exp();
            let t = DIRECT * beyond.exp();
            let weight = t * beyond * std::f64::consts::FRAC_PI_2 * x.cosh() * step;
            let value = if t.is_finite() { term(t) } else { 0.0 };
            if value > 0.0 && weight.is_finite() {
                integral += weight * value;
            }
        }
        let slope = (term(DIRECT + 0.5) - term(DIRECT - 0.5)).min(0.0);
        direct + integral + term(DIRECT) / 2.0 - slope / 12.0
    }
}

/// The fit, marked where nobody left.
fn marked<const N: usize>(rows: &[Renewal], fit: Fit<N>) -> Fit<N> {
    let left = rows.iter().any(|row| row.left && row.customers > 0.0);
    if left { fit } else { fit.without_events() }
}

fn parts(rows: &[Renewal]) -> Vec<(f64, Renewal)> {
    rows.iter().map(|row| (row.customers, *row)).collect()
}

/// The log-likelihood of one customer: ln S(t) of those who are there, ln (S(t − 1) − S(t)) of those who left.
fn term(row: &Renewal, curve: &RetentionCurve) -> Derivatives<3> {
    let now = curve.log_share(row.age);
    if !row.left {
        return Derivatives { value: now.value, gradient: now.gradient, hessian: now.hessian };
    }
    let before = curve.log_share(row.age - 1.0);
    // D = ln S(t) − ln S(t − 1); ln P = ln S(t − 1) + ln (1 − e^D).
    let d = curve.ln_kept(row.age);
    let odds = 1.0 / (-d).exp_m1();
    let mut total =
        Derivatives::<3> { value: before.value + (-d.exp_m1()).ln(), ..Derivatives::default() };
    for i in 0..3 {
        let by_i = now.gradient[i] - before.gradient[i];
        total.gradient[i] = before.gradient[i] - odds * by_i;
        for j in 0..3 {
            let by_j = now.gradient[j] - before.gradient[j];
            let both = now.hessian[i][j] - before.hessian[i][j];
            total.hessian[i][j] =
                before.hessian[i][j] - odds * both - odds * (1.0 + odds) * by_i * by_j;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 1,000 customers of a regular subscription, those there after so many renewals (Fader and Hardie
    /// 2007, figure 1).
    const REGULAR: [f64; 8] = [1_000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0];

    fn rows(there: &[f64]) -> Vec<Renewal> {
        let mut rows: Vec<Renewal> = (1..there.len())
            .map(|age| Renewal {
                age: age as f64,
                left: true,
                customers: there[age - 1] - there[age],
            })
            .collect();
        let last = there.len() - 1;
        rows.push(Renewal { age: last as f64, left: false, customers: there[last] });
        rows
    }

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found / expected - 1.0).abs() < tolerance, "{found} is not {expected}");
    }

    /// Optima of the published likelihoods to seven digits.
    #[test]
    fn curves_of_the_literature() {
        for (years, sbg, bdw) in [
            (5, [0.7636651, 1.295830, -1401.5594], [0.5230293, 0.8942827, 1.196399, -1401.3831]),
            (8, [0.7040773, 1.182043, -1680.2652], [0.4556140, 0.7793256, 1.283451, -1679.6028]),
        ] {
            let rows = rows(&REGULAR[..years]);
            let found = RetentionCurve::fit_sbg(&rows, 1.96);
            assert!(found.converged(), "{found:?}");
            found.parameters.iter().zip(sbg).for_each(|(a, b)| close(*a, b, 1e-6));
            assert!((found.log_likelihood - sbg[2]).abs() < 1e-4);
            let found = RetentionCurve::fit_bdw(&rows, 1.96);
            assert!(found.converged(), "{found:?}");
            found.parameters.iter().zip(bdw).for_each(|(a, b)| close(*a, b, 1e-5));
            assert!((found.log_likelihood - bdw[3]).abs() < 1e-4);
        }
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let at = [0.6, 1.3, 1.2];
        let of = |[alpha, beta, c]: [f64; 3]| RetentionCurve { alpha, beta, c };
        for (age, left) in [(1.0, true), (4.0, true), (4.0, false)] {
            let row = Renewal { age, left, customers: 1.0 };
            let exact = term(&row, &of(at));
            for i in 0..3 {
                let step = 1e-5 * at[i];
                let (mut up, mut down) = (at, at);
                up[i] += step;
                down[i] -= step;
                let (up, down) = (term(&row, &of(up)), term(&row, &of(down)));
                let slope = (up.value - down.value) / (2.0 * step);
                assert!((slope - exact.gradient[i]).abs() < 1e-7, "{i}: {slope} {exact:?}");
                for j in 0..3 {
                    let slope = (up.gradient[j] - down.gradient[j]) / (2.0 * step);
                    assert!((slope - exact.hessian[i][j]).abs() < 1e-6, "{i} {j}: {slope}");
                }
            }
        }
    }

    /// The sum in closed form: of a geometric curve (a large α with a fixed α / β), and of the shifted
    /// beta-geometric, (α + β − 1) / (α − 1).
    #[test]
    fn lifetimes_add_up() {
        let sbg = RetentionCurve { alpha: 3.0, beta: 8.0, c: 1.0 };
        close(sbg.expected_lifetime().expect("α > 1"), 5.0, 1e-12);
        close(sbg.discounted(0.0), 5.0, 1e-9);
        let heavy = RetentionCurve { alpha: 1.3, ..sbg };
        close(heavy.discounted(0.0), heavy.expected_lifetime().expect("α > 1"), 1e-8);
        let geometric = RetentionCurve { alpha: 0.2e9, beta: 0.8e9, c: 1.0 };
        close(geometric.discounted_expected_lifetime(0.1).expect("some"), 1.1 / 0.3, 1e-6);
        // A discount so small that thousands of periods count: against the plain sum.
        let slow = RetentionCurve { alpha: 0.7, beta: 1.2, c: 1.1 };
        let plain: f64 = (0..200_000).map(|t| slow.share(t.into()) * 1.0005_f64.powi(-t)).sum();
        close(slow.discounted_expected_lifetime(0.0005).expect("some"), plain, 1e-9);
        assert_eq!(RetentionCurve { alpha: 0.9, ..sbg }.expected_lifetime(), None);
    }

    /// Nobody leaves, everybody leaves, or so few that a share is a difference of equals.
    #[test]
    fn odd_curves_have_values() {
        for there in [
            vec![50.0, 50.0, 50.0, 50.0],
            vec![50.0, 0.0, 0.0],
            vec![1e9, 1e9 - 1.0, 1e9 - 2.0, 1e9 - 3.0],
            vec![10.0, 9.0],
        ] {
            let rows: Vec<Renewal> =
                rows(&there).into_iter().filter(|row| row.customers > 0.0).collect();
            let sbg = RetentionCurve::fit_sbg(&rows, 1.96);
            assert!(sbg.log_likelihood.is_finite(), "{there:?} {sbg:?}");
            let [alpha, beta] = sbg.parameters;
            let curve = RetentionCurve { alpha, beta, c: 1.0 };
            assert!((0..100).all(|t| (0.0..=1.0).contains(&curve.share(t.into()))), "{sbg:?}");
            let bdw = RetentionCurve::fit_bdw(&rows, 1.96);
            assert!(bdw.log_likelihood.is_finite(), "{there:?} {bdw:?}");
        }
    }
}
