//! A damped Newton method for smooth functions of a few variables.

/// A function with its derivatives at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Derivatives<const N: usize> {
    pub value: f64,
    pub gradient: [f64; N],
    pub hessian: [[f64; N]; N],
}

impl<const N: usize> Default for Derivatives<N> {
    fn default() -> Self {
        Derivatives { value: 0.0, gradient: [0.0; N], hessian: [[0.0; N]; N] }
    }
}

impl<const N: usize> Derivatives<N> {
    /// Adds another function, `weight` times.
    pub fn add(&mut self, other: &Derivatives<N>, weight: f64) {
        self.value += weight * other.value;
        for i in 0..N {
            self.gradient[i] += weight * other.gradient[i];
            for j in 0..N {
                self.hessian[i][j] += weight * other.hessian[i][j];
            }
        }
    }

    /// The same function of the logarithms of its (positive) variables.
    pub fn in_logarithms(&self, point: &[f64; N]) -> Self {
        let mut log = self.clone();
        for i in 0..N {
            log.gradient[i] = point[i] * self.gradient[i];
            for j in 0..N {
                log.hessian[i][j] = point[i] * point[j] * self.hessian[i][j];
            }
            log.hessian[i][i] += log.gradient[i];
        }
        log
    }

    fn is_finite(&self) -> bool {
        self.value.is_finite()
            && self.gradient.iter().all(|x| x.is_finite())
            && self.hessian.iter().flatten().all(|x| x.is_finite())
    }
}

/// Why the search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Termination {
    /// A full Newton step would move no variable by more than 10^−10.
    Converged,
    /// No step in the direction of the gradient improves the value: the digits are used up.
    NoImprovement,
    /// Steps go on, but the value no longer rises: a ridge that the data do not tell the end of.
    Flat,
    /// So many steps were not enough.
    IterationLimit,
    /// There is no top: the function grows without end towards this point, which is known in advance.
    Limit,
    /// The function is the same wherever it was looked at.
    NoInformation,
    /// A likelihood of data in which what it is about never happened: it has no top but the rate 0.
    NoEvents,
    /// The function has no finite value at the start.
    NotFinite,
}

impl Termination {
    /// The word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Termination::Converged => "converged",
            Termination::NoImprovement => "no_improvement",
            Termination::Flat => "flat",
            Termination::IterationLimit => "iteration_limit",
            Termination::Limit => "limit",
            Termination::NoInformation => "no_information",
            Termination::NoEvents => "no_events",
            Termination::NotFinite => "not_finite",
        }
    }
}

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum<const N: usize> {
    pub point: [f64; N],
    pub derivatives: Derivatives<N>,
    pub termination: Termination,
    pub iterations: u32,
}

const MAX_ITERATIONS: u32 = 300;
const MAX_STEP: f64 = 2.0;
const SMALLEST_STEP: f64 = 1e-10;
/// A rise of a log-likelihood that says nothing, and how many of them in a row end the search.
const SMALLEST_RISE: f64 = 1e-7;
const FLAT_STEPS: u32 = 5;

/// Looks for a maximum of `function` from `start`.
///
/// Each step solves (−H + λ D) s = g, D being the diagonal of −H made positive: λ falls after a step that
/// improves the value and grows after one that does not (Levenberg and Marquardt). No variable moves by
/// more than 2 in a step.
pub fn maximise<const N: usize>(
    start: [f64; N],
    function: impl Fn(&[f64; N]) -> Derivatives<N>,
) -> Maximum<N> {
    search(start, function, MAX_ITERATIONS, |_| false)
}

/// Climbs until the function is at a level, or it is plain that it will not be: a full step promises less
/// than a tenth of what is missing, or 40 steps were not enough. The point where that ended.
pub fn climb<const N: usize>(
    start: [f64; N],
    function: impl Fn(&[f64; N]) -> Derivatives<N>,
    level: f64,
) -> Maximum<N> {
    const STEPS: u32 = 40;
    search(start, function, STEPS, |here| {
        let promise = step(here, 0.0).map(|step| {
            0.5 * step.iter().zip(&here.gradient).map(|(step, slope)| step * slope).sum::<f64>()
        });
        here.value >= level || promise.is_some_and(|gain| 10.0 * gain < level - here.value)
    })
}

fn search<const N: usize>(
    start: [f64; N],
    function: impl Fn(&[f64; N]) -> Derivatives<N>,
    iterations: u32,
    enough: impl Fn(&Derivatives<N>) -> bool,
) -> Maximum<N> {
    let mut point = start;
    let mut here = function(&point);
    let end = |point, derivatives, termination, iterations| Maximum {
        point,
        derivatives,
        termination,
        iterations,
    };
    if !here.is_finite() {
        return end(point, here, Termination::NotFinite, 0);
    }
    let mut damping = 1e-3;
    let mut flat = 0;
    for iteration in 1..=iterations {
        if enough(&here) {
            return end(point, here, Termination::Flat, iteration - 1);
        }
        if let Some(step) = step(&here, 0.0)
            && step.iter().all(|s| s.abs() < SMALLEST_STEP)
        {
            return end(point, here, Termination::Converged, iteration - 1);
        }
        let mut improved = false;
        while damping < 1e12 {
            let Some(mut step) = step(&here, damping) else {
                damping = (damping * 10.0).max(1e-6);
                continue;
            };
            let longest = step.iter().fold(0.0_f64, |longest, s| longest.max(s.abs()));
            if longest > MAX_STEP {
                step.iter_mut().for_each(|s| *s *= MAX_STEP / longest);
            }
            let mut next = point;
            next.iter_mut().zip(&step).for_each(|(x, s)| *x += s);
            let there = function(&next);
            // Near the maximum the last digits of the value are noise.
            let noise = 1e-13 * here.value.abs();
            if there.is_finite() && there.value > here.value - noise {
                let moved = step.iter().any(|s| s.abs() >= SMALLEST_STEP);
                let rises = there.value - here.value > noise.max(SMALLEST_RISE);
                flat = if rises { 0 } else { flat + 1 };
                (point, here) = (next, there);
                damping = if damping < 1e-9 { 0.0 } else { damping / 10.0 };
                improved = moved;
                break;
            }
            damping = (damping * 10.0).max(1e-6);
        }
        if !improved {
            return end(point, here, Termination::NoImprovement, iteration);
        }
        if flat == FLAT_STEPS {
            return end(point, here, Termination::Flat, iteration);
        }
    }
    end(point, here, Termination::IterationLimit, iterations)
}

/// The damped step; `None` where the damped −H is not positive definite.
fn step<const N: usize>(at: &Derivatives<N>, damping: f64) -> Option<[f64; N]> {
    let mut matrix = at.hessian.map(|row| row.map(|x| -x));
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] += damping * at.hessian[i][i].abs().max(1e-8);
    }
    let factor = cholesky(&matrix)?;
    Some(solve(&factor, &at.gradient))
}

/// The lower Cholesky factor; `None` unless the matrix is positive definite.
pub fn cholesky<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut factor = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            if i == j {
                let pivot = matrix[i][i] - sum;
                if pivot.is_nan() || pivot <= 0.0 {
                    return None;
                }
                factor[i][i] = pivot.sqrt();
            } else {
                factor[i][j] = (matrix[i][j] - sum) / factor[j][j];
            }
        }
    }
    Some(factor)
}

/// The solution of L Lᵀ x = b.
pub fn solve<const N: usize>(factor: &[[f64; N]; N], b: &[f64; N]) -> [f64; N] {
    let mut x = *b;
    for i in 0..N {
        let sum: f64 = (0..i).map(|k| factor[i][k] * x[k]).sum();
        x[i] = (x[i] - sum) / factor[i][i];
    }
    for i in (0..N).rev() {
        let sum: f64 = (i + 1..N).map(|k| factor[k][i] * x[k]).sum();
        x[i] = (x[i] - sum) / factor[i][i];
    }
    x
}

/// The inverse of −H: the covariance of a maximum-likelihood estimate. `None` where −H is not positive
/// definite.
pub fn covariance<const N: usize>(hessian: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut information = *hessian;
    information.iter_mut().flatten().for_each(|x| *x = -*x);
    let factor = cholesky(&information)?;
    let mut inverse = [[0.0; N]; N];
    for i in 0..N {
        let mut unit = [0.0; N];
        unit[i] = 1.0;
        inverse[i] = solve(&factor, &unit);
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curved_ridge_is_climbed() {
        // Minus Rosenbrock's function: the maximum is 0 at (1, 1).
        let found = maximise([-1.2, 1.0], |&[x, y]| Derivatives {
            value: -((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)),
            gradient: [2.0 * (1.0 - x) + 400.0 * x * (y - x * x), -200.0 * (y - x * x)],
            hessian: [[-2.0 + 400.0 * (y - 3.0 * x * x), 400.0 * x], [400.0 * x, -200.0]],
        });
        assert_eq!(found.termination, Termination::Converged);
        assert!(found.point.iter().all(|x| (x - 1.0).abs() < 1e-9), "{found:?}");
    }

    /// Minus e^−x rises for ever, and by less and less.
    #[test]
    fn an_endless_ridge_is_left() {
        let found = maximise([0.0], |&[x]| Derivatives {
            value: -(-x).exp(),
            gradient: [(-x).exp()],
            hessian: [[-(-x).exp()]],
        });
        assert_eq!(found.termination, Termination::Flat);
        assert!(found.point[0] > 20.0 && found.iterations < 40, "{found:?}");
    }

    #[test]
    fn a_climb_ends_at_its_level() {
        let hill = |&[x]: &[f64; 1]| Derivatives {
            value: -(x * x),
            gradient: [-2.0 * x],
            hessian: [[-2.0]],
        };
        assert!(climb([8.0], hill, -30.0).derivatives.value >= -30.0);
        // The top is at 0, as the first step knows.
        assert!(climb([0.1], hill, 5.0).iterations < 2);
    }

    #[test]
    fn covariance_inverts() {
        let inverse = covariance(&[[-4.0, -2.0], [-2.0, -3.0]]).expect("definite");
        let expected = [[0.375, -0.25], [-0.25, 0.5]];
        for (a, b) in inverse.iter().flatten().zip(expected.iter().flatten()) {
            assert!((a - b).abs() < 1e-15);
        }
        assert_eq!(covariance(&[[1.0]]), None);
    }
}
