//! What a maximum-likelihood fit is, and how models are fitted.

use rayon::prelude::*;

use super::purchases::Purchases;
use crate::stats::{Derivatives, Maximum, Termination, climb, covariance, maximise};

/// A fitted set of positive parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit<const N: usize> {
    pub parameters: [f64; N],
    /// From the inverse of the observed information; `None` where it is singular.
    pub standard_errors: Option<[f64; N]>,
    /// Of the logarithms of the parameters, for the delta method. Where a parameter is not identified, that
    /// of the information with a weak prior added, whose standard deviation is a factor of e^10: along a
    /// flat direction forecasts do not change, and their differences are noise. `None` where even that is
    /// no covariance.
    pub covariance: Option<[[f64; N]; N]>,
    /// Whether the data say anything of each parameter.
    pub identified: [bool; N],
    /// The two-sided normal quantile of the level of intervals.
    pub z: f64,
    /// Where the profile likelihood bounds the parameters that are not identified, at that level.
    pub bounds: [Option<Bounds>; N],
    pub log_likelihood: f64,
    pub termination: Termination,
    pub iterations: u32,
    /// The Euclidean norm of the gradient in the logarithms of the parameters.
    pub gradient_norm: f64,
    /// What a Newton step would still add to the log-likelihood, twice; `None` where there is no such step.
    pub decrement: Option<f64>,
}

/// The bounds of a parameter that is not identified; an end is `None` where the interval is open.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// A parameter, for tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub name: &'static str,
    pub estimate: f64,
    pub standard_error: Option<f64>,
    pub identified: bool,
}

/// A parameter whose logarithm is known to less than this is as good as not known: a factor of e^5.
const VAGUE: f64 = 5.0;

/// A log-likelihood that changes by less than this when a parameter changes by a factor of e has nowhere
/// to go: on a ridge that flattens for ever there is no top to stand on. (The ends of a 95% interval are
/// 1.92 below the top.)
const LEVEL_GROUND: f64 = 0.1;

/// The share of a log-likelihood that the rounding of its sum leaves open.
const NOISE: f64 = 1e-13;

/// How far a parameter that is not identified is moved, in logarithms, to see whether the likelihood minds.
/// It minds if it falls by z²/2, half of the point of chi-square with 1 degree.
const FAR: [f64; 5] = [5.0, 10.0, 20.0, 30.0, 40.0];
/// It is not moved away from 1 by more than so much, nor beyond so much from 1 at all: of parameters without
/// measure a likelihood has no digits left.
const AWAY: f64 = 10.0;
const BEYOND: f64 = 20.0;
/// So near, in logarithms, the place where it minds is known.
const NEAR: f64 = 0.05;

/// The logarithms of parameters end here, e^160 or 10^69: a ridge that goes on for ever is not followed to
/// where doubles end. Beyond, the likelihood is as at the end, and nearly no information holds the parameter.
const END: f64 = 160.0;
const NEARLY_NONE: f64 = 1e-6;

/// The information of a weak prior; the larger ones are tried in turn where that of the data has a wrong
/// sign.
const WEAK: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

/// With more rows than this, the starts run on a sample of so many, and the best goes on with all.
const SAMPLE: usize = 4_000;

/// Terms that are summed at a time, where a term is soon computed.
const CHUNK: usize = 4_096;

impl<const N: usize> Fit<N> {
    /// True if the search found the top, or could not tell it from where it stood, or ran out along a
    /// ridge that no longer rises, or there is only a limit; `identified` tells the last two.
    pub fn converged(&self) -> bool {
        match self.termination {
            Termination::Converged | Termination::Limit => true,
            Termination::NoImprovement | Termination::Flat | Termination::IterationLimit => {
                let noise = (NOISE * self.log_likelihood.abs()).max(1e-8);
                self.decrement.is_some_and(|left| left < noise) || self.gradient_norm < LEVEL_GROUND
            }
            Termination::NotFinite => false,
        }
    }

    /// Akaike's criterion: 2 × parameters − 2 × log-likelihood.
    pub fn aic(&self) -> f64 {
        2.0 * N as f64 - 2.0 * self.log_likelihood
    }

    /// The parameters under their names.
    pub fn estimates(&self, names: [&'static str; N]) -> Vec<Estimate> {
        (0..N)
            .map(|i| Estimate {
                name: names[i],
                estimate: self.parameters[i],
                standard_error: self.standard_errors.map(|errors| errors[i]),
                identified: self.identified[i],
            })
            .collect()
    }
}

impl<const N: usize> Fit<N> {
    /// The interval of a parameter at the level of the fit: z standard errors of its logarithm to both
    /// sides. Of a parameter that is not identified it is that of the profile likelihood; where nothing
    /// bounds it, it is open: `None`.
    pub fn interval(&self, parameter: usize) -> (Option<f64>, Option<f64>) {
        if let Some(Bounds { low, high }) = self.bounds[parameter] {
            return (low, high);
        }
        let value = self.parameters[parameter];
        let error = self.standard_errors.map(|errors| errors[parameter] / value);
        let end = |sign: f64| error.map(|error| value * (sign * self.z * error).exp());
        (end(-1.0), end(1.0))
    }
}

/// A model as data: what its likelihood is a sum of.
pub(super) struct Likelihood<Parts, Term> {
    /// Splits rows into the terms of the log-likelihood, each with how often it is there. Terms that many
    /// rows share are there once.
    pub parts: Parts,
    /// A term with its derivatives by the parameters.
    pub term: Term,
    /// Terms that are summed at a time: fixed, so that the sum is the same on any number of threads.
    pub chunk: usize,
}

impl<Parts, Term> Likelihood<Parts, Term> {
    /// One whose terms are soon computed.
    pub fn of(parts: Parts, term: Term) -> Self {
        Likelihood { parts, term, chunk: CHUNK }
    }
}

/// Fits a model to grouped rows by maximum likelihood, from several starts. The rows should be in a fixed
/// order: it is that of the sum. `z` is the two-sided normal quantile of the level of intervals; with 0 no bounds
/// are looked for.
pub(super) fn fit<const N: usize, Row: Clone, Part: Sync>(
    rows: &[Row],
    z: f64,
    starts: &[[f64; N]],
    of: &Likelihood<
        impl Fn(&[Row]) -> Vec<(f64, Part)> + Sync,
        impl Fn(&Part, &[f64; N]) -> Derivatives<N> + Sync,
    >,
) -> Fit<N> {
    let mut starts: Vec<[f64; N]> = starts.iter().map(|start| start.map(f64::ln)).collect();
    if rows.len() > 2 * SAMPLE {
        // Evenly through the rows, which are in the order of their histories: a stratified sample.
        let sample: Vec<Row> = rows.iter().step_by(rows.len() / SAMPLE).cloned().collect();
        let parts = (of.parts)(&sample);
        if let Some(best) = best_of(&starts, |point| sum(&parts, of, point)) {
            starts.insert(0, best.point);
        }
    }
    let parts = (of.parts)(rows);
    let likelihood = |point: &[f64; N]| sum(&parts, of, point);
    // The start that the sample found needs the others only if it leads nowhere.
    let tries = if rows.len() > 2 * SAMPLE { &starts[..1] } else { &starts[..] };
    let found = best_of(tries, likelihood).map(|best| finish(best, z, likelihood));
    match found {
        Some(found) if found.converged() || tries.len() == starts.len() => found,
        _ => {
            let nowhere = || Fit::nowhere(z);
            best_of(&starts, likelihood).map_or_else(nowhere, |best| finish(best, z, likelihood))
        }
    }
}

/// The log-likelihood of one customer's history.
pub(super) fn log_likelihood<const N: usize, Part>(
    of: &Likelihood<
        impl Fn(&[Purchases]) -> Vec<(f64, Part)>,
        impl Fn(&Part, &[f64; N]) -> Derivatives<N>,
    >,
    row: &Purchases,
    parameters: &[f64; N],
) -> f64 {
    let one = Purchases { customers: 1.0, ..*row };
    (of.parts)(&[one]).iter().map(|(times, part)| times * (of.term)(part, parameters).value).sum()
}

/// The log-likelihood as a function of the logarithms of the parameters.
fn sum<const N: usize, Part: Sync>(
    parts: &[(f64, Part)],
    of: &Likelihood<impl Sync, impl Fn(&Part, &[f64; N]) -> Derivatives<N> + Sync>,
    logarithms: &[f64; N],
) -> Derivatives<N> {
    let parameters = logarithms.map(|logarithm| logarithm.clamp(-END, END).exp());
    let sums: Vec<Derivatives<N>> = parts
        .par_chunks(of.chunk)
        .map(|parts| {
            let mut sum = Derivatives::default();
            parts.iter().for_each(|(times, part)| sum.add(&(of.term)(part, &parameters), *times));
            sum
        })
        .collect();
    let mut sum = Derivatives::default();
    sums.iter().for_each(|part| sum.add(part, 1.0));
    let mut sum = sum.in_logarithms(&parameters);
    for i in (0..N).filter(|&i| logarithms[i].abs() > END) {
        hold(&mut sum, i, NEARLY_NONE);
    }
    sum
}

/// The best maximum from several starts; of two that are as good, the first: a later one must be better by
/// more than noise.
fn best_of<const N: usize>(
    starts: &[[f64; N]],
    likelihood: impl Fn(&[f64; N]) -> Derivatives<N>,
) -> Option<Maximum<N>> {
    let mut best: Option<Maximum<N>> = None;
    for start in starts {
        let found = maximise(*start, &likelihood);
        let better = |known: &Maximum<N>| {
            found.derivatives.value > known.derivatives.value + 1e-9 * known.derivatives.value.abs()
                || !known.derivatives.value.is_finite() && found.derivatives.value.is_finite()
        };
        if best.as_ref().is_none_or(better) {
            best = Some(found);
        }
    }
    best
}

impl<const N: usize> Fit<N> {
    /// A limit that the likelihood climbs to without end. Its forecasts have no error: nothing that was seen
    /// differs from them.
    pub(super) fn limit(parameters: [f64; N], z: f64) -> Self {
        Fit {
            parameters,
            covariance: Some([[0.0; N]; N]),
            termination: Termination::Limit,
            log_likelihood: f64::INFINITY,
            decrement: Some(0.0),
            ..Fit::nowhere(z)
        }
    }

    /// What is said when there was no start.
    fn nowhere(z: f64) -> Self {
        Fit {
            parameters: [1.0; N],
            standard_errors: None,
            covariance: None,
            identified: [false; N],
            z,
            bounds: [Some(Bounds::default()); N],
            log_likelihood: 0.0,
            termination: Termination::NotFinite,
            iterations: 0,
            gradient_norm: 0.0,
            decrement: None,
        }
    }
}

/// What a maximum says of the parameters.
fn finish<const N: usize>(
    best: Maximum<N>,
    z: f64,
    likelihood: impl Fn(&[f64; N]) -> Derivatives<N>,
) -> Fit<N> {
    let parameters = best.point.map(|logarithm| logarithm.clamp(-END, END).exp());
    let Derivatives { value, gradient, hessian } = best.derivatives;
    let inverse = covariance(&hessian);
    let errors = inverse.map(|inverse| {
        let mut errors = [0.0; N];
        (0..N).for_each(|i| errors[i] = inverse[i][i].sqrt());
        errors
    });
    let mut standard_errors = errors;
    if let Some(errors) = &mut standard_errors {
        errors.iter_mut().zip(&parameters).for_each(|(error, parameter)| *error *= parameter);
    }
    let decrement = inverse.map(|inverse| {
        let step = inverse.map(|row| row.iter().zip(&gradient).map(|(c, g)| c * g).sum::<f64>());
        step.iter().zip(&gradient).map(|(s, g)| s * g).sum::<f64>()
    });
    let identified = errors.map_or([false; N], |errors| errors.map(|error| error < VAGUE));
    let mut bounds = [None; N];
    for i in (0..N).filter(|&i| !identified[i]) {
        let level = value - 0.5 * z * z;
        let end = |sign| {
            let end = (z > 0.0).then(|| profile_end(best.point, level, i, sign, &likelihood));
            end.flatten().map(f64::exp)
        };
        bounds[i] = Some(Bounds { low: end(-1.0), high: end(1.0) });
    }
    let weak = || {
        WEAK.iter().find_map(|weak| {
            let mut hessian = hessian;
            (0..N).for_each(|i| hessian[i][i] -= weak);
            covariance(&hessian)
        })
    };
    Fit {
        parameters,
        standard_errors,
        covariance: inverse.filter(|_| identified == [true; N]).or_else(weak),
        identified,
        z,
        bounds,
        log_likelihood: value,
        termination: best.termination,
        iterations: best.iterations,
        gradient_norm: gradient.iter().map(|g| g * g).sum::<f64>().sqrt(),
        decrement,
    }
}

/// Where the profile likelihood falls to a level on one side of a parameter, in logarithms; `None` if
/// nowhere that it can be told.
fn profile_end<const N: usize>(
    top: [f64; N],
    level: f64,
    parameter: usize,
    sign: f64,
    likelihood: impl Fn(&[f64; N]) -> Derivatives<N>,
) -> Option<f64> {
    // From one place to the next along the ridge.
    let (mut point, mut near) = (top, 0.0);
    let mut end = None;
    let reach = (top[parameter].abs() + AWAY).max(BEYOND);
    for far in FAR {
        if (top[parameter] + sign * far).abs() > reach {
            break;
        }
        let there = held(point, parameter, top[parameter] + sign * far, level, &likelihood);
        if there.derivatives.value < level {
            end = Some(far);
            break;
        }
        (point, near) = (there.point, far);
    }
    let mut far = end?;
    while far - near > NEAR {
        let middle = 0.5 * (near + far);
        let there = held(point, parameter, top[parameter] + sign * middle, level, &likelihood);
        if there.derivatives.value < level {
            far = middle;
        } else {
            (point, near) = (there.point, middle);
        }
    }
    Some(top[parameter] + sign * 0.5 * (near + far))
}

/// What the other parameters make of one that is held where it is put: a level, or less if they cannot.
fn held<const N: usize>(
    mut start: [f64; N],
    parameter: usize,
    target: f64,
    level: f64,
    likelihood: impl Fn(&[f64; N]) -> Derivatives<N>,
) -> Maximum<N> {
    start[parameter] = target;
    let others = |at: &[f64; N]| {
        let mut here = likelihood(at);
        hold(&mut here, parameter, 1.0);
        here
    };
    let mut there = climb(start, others, level);
    if !there.derivatives.value.is_finite() {
        there.derivatives.value = f64::NEG_INFINITY;
    }
    there
}

/// Takes a parameter's slope and its relation to the others away, so that it takes no step.
fn hold<const N: usize>(at: &mut Derivatives<N>, parameter: usize, information: f64) {
    at.gradient[parameter] = 0.0;
    for i in 0..N {
        at.hessian[i][parameter] = 0.0;
        at.hessian[parameter][i] = 0.0;
    }
    at.hessian[parameter][parameter] = -information;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::normal_quantile;

    /// Nobody of so many who were watched for a unit of time left, at a rate that has no lower end: its
    /// likelihood is e^(−n λ), and n λ is at most z²/2 at the level of z.
    #[test]
    fn bounds_of_what_is_not_identified_follow_the_level() {
        let term = |customers: &f64, &[rate]: &[f64; 1]| Derivatives {
            value: -customers * rate,
            gradient: [-customers],
            hessian: [[0.0]],
        };
        let parts = |rows: &[f64]| rows.iter().map(|row| (1.0, *row)).collect();
        for level in [0.5, 0.8, 0.95, 0.999] {
            let z = normal_quantile(level);
            let fit = fit(&[30.0, 70.0], z, &[[1.0]], &Likelihood::of(parts, term));
            assert!(fit.converged() && fit.identified == [false], "{fit:?}");
            let (low, high) = fit.interval(0);
            let expected = 0.5 * z * z / 100.0;
            let high = high.expect("it is bounded above");
            assert!(low.is_none() && (high / expected).ln().abs() < NEAR, "{level} {fit:?}");
        }
    }
}
