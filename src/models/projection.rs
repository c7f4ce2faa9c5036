//! Retention curves carried on: fits of the cohorts of a table, and what follows from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fit::{Estimate, Fit};
use super::retention_curve::{Renewal, RetentionCurve};
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};

/// Which curve is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveModel {
    /// The shifted beta-geometric.
    Sbg,
    /// The beta-discrete-Weibull.
    Bdw,
    /// The one with the smaller Akaike criterion.
    Auto,
}

/// The function of `project_retention`: from retained customers by cohort and age to its three tables.
///
/// Input: rows with `cohort`, the dimensions, `age` (int64), `eligible` and `retained` (int64), each cohort
/// and age once, sorted by them.
#[derive(Debug, Clone)]
pub struct RetentionProjection {
    pub cohort: Field,
    pub by: Vec<Field>,
    pub model: CurveModel,
    /// The last age of the projection.
    pub until_age: i64,
    /// The unit of age, as a word, for units of columns.
    pub unit: String,
    /// Effective, per age.
    pub discount: f64,
    /// The last age that the fit sees; absent: all.
    pub fit_ages: Option<i64>,
    /// The two-sided normal quantile of the level of intervals.
    pub z: f64,
}

/// A cohort's customers at each age from 0 on that all of them have lived through.
struct Cohort {
    cohort: Value,
    cell: Vec<Value>,
    eligible: i64,
    retained: Vec<i64>,
}

/// Curves fitted to the same rows.
struct Fits {
    customers: i64,
    sbg: Option<Fit<2>>,
    bdw: Option<Fit<3>>,
}

/// A cohort that has lived through so many ages after the first has a curve of its own; younger ones take that of
/// all cohorts of their cell.
const OWN_AGES: usize = 3;

impl Fits {
    fn of(rows: Vec<Renewal>, customers: i64, model: CurveModel, z: f64) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let sbg = (model != CurveModel::Bdw).then(|| RetentionCurve::fit_sbg(&rows, z));
        let bdw = (model != CurveModel::Sbg).then(|| RetentionCurve::fit_bdw(&rows, z));
        Some(Fits { customers, sbg, bdw })
    }

    /// True if the beta-discrete-Weibull curve is taken.
    fn takes_bdw(&self) -> bool {
        match (&self.sbg, &self.bdw) {
            (Some(sbg), Some(bdw)) => bdw.converged() && bdw.aic() < sbg.aic(),
            (None, Some(_)) => true,
            _ => false,
        }
    }

    fn curve(&self) -> RetentionCurve {
        match (&self.sbg, &self.bdw) {
            (_, Some(fit)) if self.takes_bdw() => {
                let [alpha, beta, c] = fit.parameters;
                RetentionCurve { alpha, beta, c }
            }
            (Some(fit), _) => {
                let [alpha, beta] = fit.parameters;
                RetentionCurve { alpha, beta, c: 1.0 }
            }
            _ => RetentionCurve { alpha: 1.0, beta: 1.0, c: 1.0 },
        }
    }

    /// The variance of a function of the parameters' logarithms with this gradient.
    fn variance(&self, gradient: [f64; 3]) -> Option<f64> {
        fn of<const N: usize>(covariance: &[[f64; N]; N], gradient: &[f64]) -> f64 {
            let row = |i: usize| (0..N).map(|j| covariance[i][j] * gradient[j]).sum::<f64>();
            (0..N).map(|i| gradient[i] * row(i)).sum()
        }
        match (self.takes_bdw(), &self.sbg, &self.bdw) {
            (true, _, Some(fit)) => Some(of(fit.covariance.as_ref()?, &gradient)),
            (false, Some(fit), _) => Some(of(fit.covariance.as_ref()?, &gradient)),
            _ => None,
        }
    }
}

impl Cohort {
    /// What the likelihood sees of it, up to an age.
    fn rows(&self, until: Option<i64>) -> Vec<Renewal> {
        let last = self.retained.len() - 1;
        let last = until.map_or(last, |until| last.min(usize::try_from(until).unwrap_or(0)));
        let mut rows = Vec::new();
        let mut add = |age: usize, left: bool, customers: i64| {
            if customers > 0 && age > 0 {
                rows.push(Renewal { age: age as f64, left, customers: customers as f64 });
            }
        };
        for age in 1..=last {
            add(age, true, self.retained[age - 1] - self.retained[age]);
        }
        add(last, false, self.retained[last]);
        rows
    }
}

impl RetentionProjection {
    fn fault(reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "project_retention", reason: reason.into() }
    }

    fn cohorts(&self, input: &Frame) -> Result<Vec<Cohort>, ApplyError> {
        let column = |name: &str| {
            let missing = || RetentionProjection::fault(format!("no column `{name}`"));
            input.column(name).ok_or_else(missing)
        };
        let cohort = column(&self.cohort.name)?;
        let by = self.by.iter().map(|by| column(&by.name)).collect::<Result<Vec<_>, _>>()?;
        let (age, eligible, retained) = (column("age")?, column("eligible")?, column("retained")?);
        let mut cohorts: Vec<Cohort> = Vec::new();
        let number = |value: &Value| value.as_i64();
        for row in 0..input.rows() {
            let numbers = [&age[row], &eligible[row], &retained[row]].map(number);
            let [Some(age), Some(eligible), Some(retained)] = numbers else { continue };
            let cell: Vec<Value> = by.iter().map(|column| column[row].clone()).collect();
            let of = |known: &Cohort| known.cohort == cohort[row] && known.cell == cell;
            let known = match cohorts.last_mut().filter(|known| of(known)) {
                Some(known) => known,
                None if age == 0 && eligible > 0 => {
                    let (cohort, retained) = (cohort[row].clone(), Vec::new());
                    cohorts.push(Cohort { cohort, cell, eligible, retained });
                    let last = cohorts.len() - 1;
                    &mut cohorts[last]
                }
                None => continue,
            };
            // Behind a gap, or where not all have lived through an age, nothing more is known.
            if age != known.retained.len() as i64 || eligible != known.eligible {
                continue;
            }
            if retained > eligible {
                return Err(RetentionProjection::fault(format!(
                    "of cohort {} {retained} customers are retained at age {age}, and only {eligible} are \
                     eligible",
                    known.cohort
                )));
            }
            if let Some(&before) = known.retained.last()
                && retained > before
            {
                return Err(RetentionProjection::fault(format!(
                    "of cohort {} {before} customers are retained at age {} and {retained} at age {age}, and a \
                     retention curve never rises: count with `returned: through`",
                    known.cohort,
                    age - 1
                )));
            }
            known.retained.push(retained);
        }
        Ok(cohorts)
    }

    fn tables(&self, cohorts: &[Cohort]) -> Result<Vec<Frame>, FrameError> {
        let mut pooled: BTreeMap<&Vec<Value>, (Vec<Renewal>, i64)> = BTreeMap::new();
        for cohort in cohorts {
            let (rows, customers) = pooled.entry(&cohort.cell).or_default();
            rows.extend(cohort.rows(self.fit_ages));
            *customers += cohort.retained[0];
        }
        let pooled: BTreeMap<&Vec<Value>, Option<Fits>> = pooled
            .into_iter()
            .map(|(cell, (rows, customers))| {
                (cell, Fits::of(together(rows), customers, self.model, self.z))
            })
            .collect();
        let (mut curves, mut parameters, mut fits) = (Vec::new(), Vec::new(), Vec::new());
        for cohort in cohorts {
            let own = cohort.rows(self.fit_ages);
            let ages = own.iter().filter(|row| row.left).count();
            let own = (ages >= OWN_AGES)
                .then(|| Fits::of(own, cohort.retained[0], self.model, self.z))
                .flatten();
            let used = own.as_ref().or(pooled.get(&cohort.cell).and_then(Option::as_ref));
            self.project(cohort, used, &mut curves);
            if let Some(used) = used {
                let mut key = vec![cohort.cohort.clone()];
                key.extend(cohort.cell.iter().cloned());
                self.tell(&key, used, own.is_none(), &mut parameters, &mut fits);
            }
        }
        let frames = [curves, parameters, fits];
        frames.iter().zip(self.schemas()).map(|(rows, of)| Frame::from_rows(of, rows)).collect()
    }

    fn project(&self, cohort: &Cohort, fits: Option<&Fits>, rows: &mut Vec<Vec<Value>>) {
        let start = cohort.retained[0] as f64 / cohort.eligible as f64;
        let last = self.until_age.max(cohort.retained.len() as i64 - 1);
        for age in 0..=last {
            let mut row = vec![cohort.cohort.clone()];
            row.extend(cohort.cell.iter().cloned());
            let retained = usize::try_from(age).ok().and_then(|age| cohort.retained.get(age));
            let observed = retained.map(|&retained| retained as f64 / cohort.eligible as f64);
            row.extend([Value::Int(age), observed.map_or(Value::Null, Value::finite)]);
            match fits {
                None => row.extend([Value::Null, Value::Null, Value::Null, Value::Null]),
                Some(fits) => {
                    let (curve, t) = (fits.curve(), age as f64);
                    let (share, gradient) = curve.share_gradient(t);
                    let bounds = self.bounds(share, fits.variance(gradient));
                    let scaled = |share: f64| Value::finite(start * share);
                    row.extend([
                        scaled(share),
                        bounds.map_or(Value::Null, |(low, _)| scaled(low)),
                        bounds.map_or(Value::Null, |(_, high)| scaled(high)),
                        if age == 0 { Value::Null } else { Value::finite(curve.hazard(t)) },
                    ]);
                }
            }
            rows.push(row);
        }
    }

    /// Symmetric in ln(−ln S).
    fn bounds(&self, share: f64, variance: Option<f64>) -> Option<(f64, f64)> {
        let log = share.ln();
        if log == 0.0 {
            return Some((share, share));
        }
        let spread = self.z * variance?.sqrt() / (share * -log);
        let (low, high) = ((log * spread.exp()).exp(), (log * (-spread).exp()).exp());
        (low.is_finite() && high.is_finite()).then_some((low, high))
    }

    fn tell(
        &self,
        key: &[Value],
        used: &Fits,
        pooled: bool,
        parameters: &mut Vec<Vec<Value>>,
        fits: &mut Vec<Vec<Value>>,
    ) {
        let takes_bdw = used.takes_bdw();
        let (sbg, bdw) = (used.sbg.as_ref(), used.bdw.as_ref());
        let names = RetentionCurve::NAMES;
        let bounds = |fit: &dyn Fn(usize) -> (Option<f64>, Option<f64>), count: usize| {
            (0..count).map(fit).collect::<Vec<_>>()
        };
        let (model, estimates, bounds): (&str, Vec<Estimate>, Vec<_>) = match (takes_bdw, sbg, bdw)
        {
            (true, _, Some(fit)) => ("bdw", fit.estimates(names), bounds(&|i| fit.interval(i), 3)),
            (_, Some(fit), _) => {
                let names = [names[0], names[1]];
                ("sbg", fit.estimates(names), bounds(&|i| fit.interval(i), 2))
            }
            _ => return,
        };
        let optional = |value: Option<f64>| value.map_or(Value::Null, Value::finite);
        for (estimate, (low, high)) in estimates.into_iter().zip(bounds) {
            let mut row = key.to_vec();
            row.extend([
                Value::text("final"),
                Value::text(model),
                Value::text(estimate.name),
                Value::finite(estimate.estimate),
                optional(estimate.standard_error),
                optional(low),
                optional(high),
                Value::Bool(estimate.identified),
            ]);
            parameters.push(row);
        }
        let mut add = |name: &str, chosen: bool, told: Told, curve: RetentionCurve| {
            let mut row = key.to_vec();
            row.extend([
                Value::text("final"),
                Value::text(name),
                Value::Int(used.customers),
                Value::Bool(pooled),
                Value::finite(told.log_likelihood),
                Value::finite(told.aic),
                Value::Bool(told.converged),
                Value::text(told.termination),
                Value::Int(told.iterations.into()),
                Value::finite(told.gradient_norm),
                optional(curve.expected_lifetime()),
                optional(curve.discounted_expected_lifetime(self.discount)),
                Value::Bool(chosen),
            ]);
            fits.push(row);
        };
        if let Some(fit) = bdw {
            let [alpha, beta, c] = fit.parameters;
            add("bdw", takes_bdw, Told::of(fit), RetentionCurve { alpha, beta, c });
        }
        if let Some(fit) = sbg {
            let [alpha, beta] = fit.parameters;
            add("sbg", !takes_bdw, Told::of(fit), RetentionCurve { alpha, beta, c: 1.0 });
        }
    }
}

/// What is told of a fit, whatever its parameters.
struct Told {
    log_likelihood: f64,
    aic: f64,
    converged: bool,
    termination: &'static str,
    iterations: u32,
    gradient_norm: f64,
}

impl Told {
    fn of<const N: usize>(fit: &Fit<N>) -> Self {
        Told {
            log_likelihood: fit.log_likelihood,
            aic: fit.aic(),
            converged: fit.converged(),
            termination: fit.termination.word(),
            iterations: fit.iterations,
            gradient_norm: fit.gradient_norm,
        }
    }
}

/// Rows of the same age as one.
fn together(rows: Vec<Renewal>) -> Vec<Renewal> {
    let mut counts: BTreeMap<(u64, bool), f64> = BTreeMap::new();
    for row in rows {
        *counts.entry((row.age as u64, row.left)).or_default() += row.customers;
    }
    counts
        .into_iter()
        .map(|((age, left), customers)| Renewal { age: age as f64, left, customers })
        .collect()
}

impl FrameFunction for RetentionProjection {
    fn name(&self) -> &'static str {
        "project_retention"
    }

    fn describe(&self) -> String {
        let by: Vec<&str> = self.by.iter().map(|field| field.name.as_str()).collect();
        format!(
            "project_retention {:?} of `{}` by [{}] until age {}, fitted to {:?}, discount {}, z {}",
            self.model,
            self.cohort.name,
            by.join(", "),
            self.until_age,
            self.fit_ages,
            self.discount,
            self.z
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let float = |name: &str| Field::new(name, DataType::Float64);
        let text = |name: &str| Field::new(name, DataType::String);
        let flag = |name: &str| Field::new(name, DataType::Bool);
        let share = |name: &str| float(name).with_unit(Unit::Share);
        let time = |name: &str| float(name).with_unit(Unit::Time(self.unit.clone()));
        let keyed = |rest: Vec<Field>| {
            let first = std::iter::once(self.cohort.clone()).chain(self.by.iter().cloned());
            Arc::new(Schema::new(first.chain(rest).collect()))
        };
        vec![
            keyed(vec![
                Field::new("age", DataType::Int32).with_unit(Unit::Time(self.unit.clone())),
                share("observed"),
                share("projected"),
                share("projected_low"),
                share("projected_high"),
                share("hazard"),
            ]),
            keyed(vec![
                text("fit"),
                text("model"),
                text("parameter"),
                float("estimate"),
                float("standard_error"),
                float("low"),
                float("high"),
                flag("identified"),
            ]),
            keyed(vec![
                text("fit"),
                text("model"),
                Field::new("customers", DataType::Int64).with_unit(Unit::Count),
                flag("pooled"),
                float("log_likelihood"),
                float("aic"),
                flag("converged"),
                text("termination"),
                Field::new("iterations", DataType::Int64),
                float("gradient_norm"),
                time("expected_lifetime"),
                time("discounted_expected_lifetime"),
                flag("chosen"),
            ]),
        ]
    }

    fn apply(&self, inputs: &[Frame], _calendar: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let [input] = inputs else {
            return Err(RetentionProjection::fault("it reads one table"));
        };
        let cohorts = self.cohorts(input)?;
        self.tables(&cohorts).map_err(|error| RetentionProjection::fault(error.to_string()))
    }
}
