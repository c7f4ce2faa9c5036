//! What a maximum-likelihood fit is.

use rayon::prelude::*;

use crate::stats::{Derivatives, Maximum, Termination, covariance, maximise};

/// A fitted set of positive parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit<const N: usize> {
    pub parameters: [f64; N],
    /// From the inverse of the observed information; `None` where it is singular.
    pub standard_errors: Option<[f64; N]>,
    /// Whether the data say anything of each parameter.
    pub identified: [bool; N],
    pub log_likelihood: f64,
    pub termination: Termination,
    pub iterations: u32,
    /// The Euclidean norm of the gradient in the logarithms of the parameters.
    pub gradient_norm: f64,
    /// What a Newton step would still add to the log-likelihood, twice; `None` where there is no such step.
    pub decrement: Option<f64>,
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

/// Rows of the likelihood that are summed at a time: fixed, so that the sum is the same on any number of
/// threads.
const CHUNK: usize = 4_096;

impl<const N: usize> Fit<N> {
    /// True if the search found the top, or could not tell it from where it stood, or ran out along a
    /// ridge that no longer rises; `identified` tells the last case.
    pub fn converged(&self) -> bool {
        match self.termination {
            Termination::Converged => true,
            Termination::NoImprovement | Termination::Flat => {
                self.decrement.is_some_and(|left| left < 1e-8) || self.gradient_norm < LEVEL_GROUND
            }
            Termination::IterationLimit | Termination::NotFinite => false,
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

/// Fits a model to grouped rows by maximum likelihood, from several starts. `term` gives the
/// log-likelihood of one customer of a row, or a part of it, with its derivatives by the parameters;
/// `weight` how many customers the row stands for.
pub(super) fn fit<const N: usize, Row: Sync>(
    rows: &[Row],
    starts: &[[f64; N]],
    weight: fn(&Row) -> f64,
    term: impl Fn(&Row, &[f64; N]) -> Derivatives<N> + Sync,
) -> Fit<N> {
    let likelihood = |logarithms: &[f64; N]| {
        let parameters = logarithms.map(f64::exp);
        let parts: Vec<Derivatives<N>> = rows
            .par_chunks(CHUNK)
            .map(|rows| {
                let mut sum = Derivatives::default();
                rows.iter().for_each(|row| sum.add(&term(row, &parameters), weight(row)));
                sum
            })
            .collect();
        let mut sum = Derivatives::default();
        parts.iter().for_each(|part| sum.add(part, 1.0));
        sum.in_logarithms(&parameters)
    };
    let mut best: Option<Maximum<N>> = None;
    for start in starts {
        let found = maximise(start.map(f64::ln), likelihood);
        let better = |known: &Maximum<N>| {
            // Of two that are as good, the first: a later one must be better by more than noise.
            found.derivatives.value > known.derivatives.value + 1e-9 * known.derivatives.value.abs()
                || !known.derivatives.value.is_finite() && found.derivatives.value.is_finite()
        };
        if best.as_ref().is_none_or(better) {
            best = Some(found);
        }
    }
    let best = best.unwrap_or(Maximum {
        point: [0.0; N],
        derivatives: Derivatives::default(),
        termination: Termination::NotFinite,
        iterations: 0,
    });
    let parameters = best.point.map(f64::exp);
    let errors = covariance(&best.derivatives.hessian).map(|covariance| {
        let mut errors = [0.0; N];
        (0..N).for_each(|i| errors[i] = covariance[i][i].sqrt());
        errors
    });
    let mut standard_errors = errors;
    if let Some(errors) = &mut standard_errors {
        errors.iter_mut().zip(&parameters).for_each(|(error, parameter)| *error *= parameter);
    }
    let gradient = best.derivatives.gradient;
    let decrement = covariance(&best.derivatives.hessian).map(|covariance| {
        let step = covariance.map(|row| row.iter().zip(&gradient).map(|(c, g)| c * g).sum::<f64>());
        step.iter().zip(&gradient).map(|(s, g)| s * g).sum::<f64>()
    });
    Fit {
        parameters,
        standard_errors,
        identified: errors.map_or([false; N], |errors| errors.map(|error| error < VAGUE)),
        log_likelihood: best.derivatives.value,
        termination: best.termination,
        iterations: best.iterations,
        gradient_norm: gradient.iter().map(|g| g * g).sum::<f64>().sqrt(),
        decrement,
    }
}
