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
    /// Whether the data say anything of each parameter: its standard error is that of something known, or, where
    /// that has no measure, the profile likelihood bounds it on both sides as closely.
    pub identified: [bool; N],
    /// The two-sided normal quantile of the level of intervals.
    pub z: f64,
    /// Where the profile likelihood bounds the parameters whose standard errors say nothing, at that level.
    pub bounds: [Option<Bounds>; N],
    pub log_likelihood: f64,
    pub termination: Termination,
    pub iterations: u32,
    /// The Euclidean norm of the gradient in the logarithms of the parameters.
    pub gradient_norm: f64,
    /// What a Newton step would still add to the log-likelihood, twice; `None` where there is no such step.
    pub decrement: Option<f64>,
}

/// The bounds of a parameter by its profile likelihood; an end is `None` where the interval is open.
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

/// A search that ended elsewhere than on top has still arrived if the slope by the logarithms of the parameters is
/// less than this: a ridge that flattens for ever has no top to stand on, and a parameter that is moved by a
/// factor of e from here changes the log-likelihood by little beside the 1.92 that the ends of a 95% interval
/// are below a top.
const LEVEL_GROUND: f64 = 0.1;

/// The share of a log-likelihood that the rounding of its sum leaves open.
const NOISE: f64 = 1e-13;

/// How far a vague parameter is moved, in logarithms, to see whether the likelihood minds. It minds if it falls
/// by z²/2, half of the point of chi-square with 1 degree.
const FAR: [f64; 9] = [5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 90.0, 130.0, 180.0];
/// It is moved to so much from 1 on either side, and from an estimate that is farther out so much beyond: of
/// parameters without measure a likelihood has no digits left.
const AWAY: f64 = 10.0;
const BEYOND: f64 = 20.0;
/// So near, in logarithms, the place where it minds is found by halving, and then by the slope.
const COARSE: f64 = 0.05;
const NEAR: f64 = 1e-6;
/// Most steps by the slope.
const STEPS: u32 = 40;

/// Derivatives of a customer below this say nothing: they are what rounding leaves.
const NO_SLOPE: f64 = 1e-12;

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
            Termination::Converged
            | Termination::Limit
            | Termination::NoInformation
            | Termination::NoEvents => true,
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
    /// sides. Where that error says nothing it is that of the profile likelihood; where nothing bounds the
    /// parameter, it is open: `None`.
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
    let mut found = match found {
        Some(found) if found.converged() || tries.len() == starts.len() => found,
        _ => {
            let nowhere = || Fit::nowhere(z);
            best_of(&starts, likelihood).map_or_else(nowhere, |best| finish(best, z, likelihood))
        }
    };
    let customers: f64 = parts.iter().map(|(times, _)| times).sum();
    let level = |start: &[f64; N]| {
        let Derivatives { gradient, hessian, .. } = likelihood(start);
        let mut slopes = gradient.iter().chain(hessian.iter().flatten());
        slopes.all(|slope| slope.abs() <= NO_SLOPE * customers)
    };
    if starts.iter().all(level) {
        found.termination = Termination::NoInformation;
    }
    found
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

    /// The same fit, of data in which nothing happened that the model has a rate or a chance of.
    pub(super) fn without_events(mut self) -> Self {
        if self.converged() && self.termination != Termination::NoInformation {
            self.termination = Termination::NoEvents;
        }
        self
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
    let known = errors.map_or([false; N], |errors| errors.map(|error| error < VAGUE));
    let (mut identified, mut bounds) = (known, [None; N]);
    for i in (0..N).filter(|&i| !known[i]) {
        let level = value - 0.5 * z * z;
        let end = |sign| {
            (z > 0.0).then(|| profile_end(best.point, level, i, sign, &likelihood)).flatten()
        };
        let (low, high) = (end(-1.0), end(1.0));
        identified[i] = low.zip(high).is_some_and(|(low, high)| high - low < 2.0 * z * VAGUE);
        bounds[i] = Some(Bounds { low: low.map(f64::exp), high: high.map(f64::exp) });
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
        covariance: inverse.filter(|_| known == [true; N]).or_else(weak),
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
    let place = |far: f64| top[parameter] + sign * far;
    let value = |there: &Maximum<N>| there.derivatives.value;
    // From one place to the next along the ridge.
    let (mut point, mut near) = (top, 0.0);
    let mut end = None;
    let out = top[parameter].abs().min(END);
    let outward = sign * top[parameter] >= 0.0;
    let most = if outward { AWAY.max(BEYOND - out) } else { out + BEYOND };
    for far in FAR {
        let far = far.min(most);
        let there =
            held(point, parameter, place(far), |at, others| climb(at, others, level), &likelihood);
        if value(&there) < level {
            end = Some(far);
            break;
        }
        (point, near) = (there.point, far);
        if far == most {
            break;
        }
    }
    let mut far = end?;
    while far - near > COARSE {
        let middle = 0.5 * (near + far);
        let there = held(
            point,
            parameter,
            place(middle),
            |at, others| climb(at, others, level),
            &likelihood,
        );
        if value(&there) < level {
            far = middle;
        } else {
            (point, near) = (there.point, middle);
        }
    }
    // Where the others are at their best, the profile's slope is the likelihood's by the parameter alone.
    let mut at = 0.5 * (near + far);
    for _ in 0..STEPS {
        let there =
            held(point, parameter, place(at), |at, others| maximise(at, others), &likelihood);
        let beyond = value(&there) - level;
        if beyond < 0.0 {
            far = at;
        } else {
            (point, near) = (there.point, at);
        }
        let slope = sign * likelihood(&there.point).gradient[parameter];
        let by_slope = at - beyond / slope;
        let next = if near < by_slope && by_slope < far { by_slope } else { 0.5 * (near + far) };
        let step = (next - at).abs();
        at = next;
        if step < 0.5 * NEAR {
            break;
        }
    }
    Some(place(at))
}

/// What the other parameters make of one that is held where it is put, by a search among them.
fn held<const N: usize>(
    mut start: [f64; N],
    parameter: usize,
    target: f64,
    search: impl Fn([f64; N], &dyn Fn(&[f64; N]) -> Derivatives<N>) -> Maximum<N>,
    likelihood: impl Fn(&[f64; N]) -> Derivatives<N>,
) -> Maximum<N> {
    start[parameter] = target;
    let others = |at: &[f64; N]| {
        let mut here = likelihood(at);
        hold(&mut here, parameter, 1.0);
        here
    };
    let mut there = search(start, &others);
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
        for level in [0.5, 0.8, 0.95, 0.999] {
            let z = normal_quantile(level);
            let fit = fit(&[30.0, 70.0], z, &[[1.0]], &Likelihood::of(parts, nobody_left));
            assert!(fit.converged() && fit.identified == [false], "{fit:?}");
            let (low, high) = fit.interval(0);
            let expected = 0.5 * z * z / 100.0;
            let high = high.expect("it is bounded above");
            assert!(low.is_none() && (high / expected).ln().abs() < 1e-5, "{level} {fit:?}");
        }
    }

    /// So many customers that the rate's bound lies far below the estimate's neighbourhood, or so few and so
    /// shortly watched that it lies 16 above it in logarithms: between the grid's 10 and its 20.
    #[test]
    fn bounds_are_found_wherever_they_lie() {
        let z = normal_quantile(0.95);
        for customers in [1e-7, 1e-3, 1.0, 1e5] {
            let fit = fit(&[customers], z, &[[1.0]], &Likelihood::of(parts, nobody_left));
            let expected = 0.5 * z * z / customers;
            let (_, high) = fit.interval(0);
            let high = high.expect("it is bounded above");
            assert!((high / expected).ln().abs() < 1e-5, "{customers} {fit:?}");
        }
    }

    fn parts(rows: &[f64]) -> Vec<(f64, f64)> {
        rows.iter().map(|row| (1.0, *row)).collect()
    }

    fn nobody_left(customers: &f64, &[rate]: &[f64; 1]) -> Derivatives<1> {
        Derivatives { value: -customers * rate, gradient: [-customers], hessian: [[0.0]] }
    }

    /// A parameter that the likelihood does not know of makes the information singular, and nothing less of
    /// the other one: the rate at which 50 events came in 100 units of time.
    #[test]
    fn what_is_known_beside_what_is_not() {
        let term = |time: &f64, &[rate, _]: &[f64; 2]| Derivatives {
            value: 50.0 * rate.ln() - time * rate,
            gradient: [50.0 / rate - time, 0.0],
            hessian: [[-50.0 / (rate * rate), 0.0], [0.0, 0.0]],
        };
        let z = normal_quantile(0.95);
        let fit = fit(&[100.0], z, &[[1.0, 1.0]], &Likelihood::of(parts, term));
        assert!(fit.converged() && fit.identified == [true, false], "{fit:?}");
        assert_eq!((fit.standard_errors, fit.interval(1)), (None, (None, None)));
        let (low, high) = fit.interval(0);
        let fallen = |rate: f64| 50.0 * (rate / 0.5).ln() - 100.0 * (rate - 0.5) + 0.5 * z * z;
        for end in [low, high] {
            let end = end.expect("a bound");
            assert!(fallen(end).abs() < 1e-4, "{end} {fit:?}");
        }
        assert!(low < Some(0.5) && high > Some(0.5), "{fit:?}");
    }

    /// A likelihood that is the same everywhere is not one that was climbed.
    #[test]
    fn no_information_is_told_from_no_slope_at_the_end() {
        let level = |_: &f64, _: &[f64; 1]| Derivatives::default();
        let z = normal_quantile(0.95);
        let nothing = fit(&[3.0], z, &[[1.0], [4.0]], &Likelihood::of(parts, level));
        assert_eq!(nothing.termination, Termination::NoInformation);
        assert!(nothing.converged() && nothing.interval(0) == (None, None), "{nothing:?}");
        let some = fit(&[3.0], z, &[[1.0], [4.0]], &Likelihood::of(parts, nobody_left));
        assert!(some.termination != Termination::NoInformation, "{some:?}");
    }
}
