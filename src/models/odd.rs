//! Odd populations: whatever the customers did, each model ends with a fit, and each customer with finite
//! values.

use rayon::prelude::*;

use super::forecast::{Ahead, outlooks};
use super::gamma_gamma::{GammaGamma, Spending};
use super::purchases::{ModelKind, Purchases};
use super::retention_curve::{Renewal, RetentionCurve};
use crate::stats::mixed;

fn row(frequency: f64, recency: f64, age: f64, customers: f64) -> Purchases {
    Purchases { frequency, recency, age, customers }
}

/// Few customers, customers without a difference, at the ends of what can be observed, and heavy ones.
fn populations() -> Vec<(String, Vec<Purchases>)> {
    let mut all: Vec<(String, Vec<Purchases>)> = Vec::new();
    let mut add = |name: &str, rows: &[(f64, f64, f64, f64)]| {
        let rows = rows.iter().map(|&(x, last, age, n)| row(x, last, age, n)).collect();
        all.push((name.to_owned(), rows));
    };
    add("one one-time buyer", &[(0.0, 0.0, 20.0, 1.0)]);
    add("one buyer", &[(3.0, 12.0, 20.0, 1.0)]);
    add("one buyer until the end", &[(3.0, 20.0, 20.0, 1.0)]);
    add("two buyers", &[(1.0, 4.0, 20.0, 1.0), (7.0, 19.0, 30.0, 1.0)]);
    add("one-time buyers", &[(0.0, 0.0, 20.0, 600.0), (0.0, 0.0, 40.0, 400.0)]);
    add("one of them came back", &[(0.0, 0.0, 20.0, 600.0), (1.0, 3.0, 40.0, 1.0)]);
    add("all alike", &[(2.0, 9.0, 20.0, 1_000.0)]);
    add("all alike until the end", &[(2.0, 20.0, 20.0, 1_000.0)]);
    add("age 0", &[(0.0, 0.0, 0.0, 100.0)]);
    add("age 0 and others", &[(0.0, 0.0, 0.0, 100.0), (1.0, 3.0, 9.0, 20.0)]);
    add("all stopped at once", &[(5.0, 1.0, 200.0, 300.0), (0.0, 0.0, 200.0, 500.0)]);
    add(
        "one very heavy",
        &[(0.0, 0.0, 52.0, 900.0), (1.0, 9.0, 52.0, 90.0), (3_365.0, 51.0, 52.0, 1.0)],
    );
    add(
        "heavy ones",
        &[
            (0.0, 0.0, 52.0, 500.0),
            (2.0, 30.0, 52.0, 90.0),
            (3_365.0, 51.9, 52.0, 9.0),
            (8_000.0, 52.0, 52.0, 2.0),
            (5_000.0, 3.0, 40.0, 1.0),
        ],
    );
    add(
        "heavy ones only",
        &[(3_365.0, 51.0, 52.0, 5.0), (2_000.0, 52.0, 52.0, 9.0), (4_000.0, 20.0, 52.0, 2.0)],
    );
    add("long ages", &[(0.0, 0.0, 1e6, 50.0), (2.0, 5e5, 1e6, 9.0), (9.0, 9e5, 1e6, 3.0)]);
    add("short ages", &[(0.0, 0.0, 1e-4, 50.0), (1.0, 5e-5, 1e-4, 9.0), (2.0, 9e-5, 1e-4, 3.0)]);
    add(
        "many customers",
        &[
            (0.0, 0.0, 52.0, 1e8),
            (1.0, 9.0, 52.0, 3e7),
            (2.0, 30.0, 52.0, 1e7),
            (5.0, 50.0, 52.0, 4e6),
        ],
    );
    // Drawn ones, with a few whose rates are far from the others'.
    for seed in 0..6_u64 {
        let mut at = seed * 1_000;
        let mut uniform = || {
            at += 1;
            (mixed(at) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let scale = [3.0, 40.0, 3_400.0][seed as usize % 3];
        let customers = 5 + (uniform() * 400.0) as u32;
        let rows: Vec<Purchases> = (0..customers)
            .map(|_| {
                let age = 5.0 + (60.0 * uniform()).floor();
                let x = (scale * uniform().powi(6)).floor();
                let last = if x == 0.0 { 0.0 } else { age * uniform().powf(0.3) };
                row(x, last, age, 1.0)
            })
            .collect();
        all.push((format!("drawn {seed}"), rows));
    }
    all
}

#[test]
fn every_population_has_a_fit_and_every_customer_finite_values() {
    let kinds = [ModelKind::BgNbd, ModelKind::MbgNbd, ModelKind::ParetoNbd, ModelKind::BgBb];
    let populations = populations();
    let tasks: Vec<_> = populations
        .iter()
        .flat_map(|(name, rows)| kinds.map(|kind| (name, rows, kind)))
        // Each opportunity is a term of its likelihood.
        .filter(|(name, _, kind)| *kind != ModelKind::BgBb || *name != "long ages")
        .collect();
    let wrong: Vec<String> = tasks
        .par_iter()
        .flat_map_iter(|&(name, rows, kind)| {
            let fit = kind.fit(rows, 1.96);
            let mut wrong = Vec::new();
            if !fit.converged() || !fit.parameters.iter().all(|p| p.is_finite() && *p > 0.0) {
                wrong.push(format!("{kind:?}, {name}: {fit:?}"));
            }
            // No step up: none of a tenth of a parameter, but for what a ridge or the last digits leave.
            let value = |parameters: [f64; 4]| -> f64 {
                let model = kind.of(parameters);
                rows.iter().map(|row| row.customers * model.log_likelihood(row)).sum()
            };
            let top = value(fit.parameters);
            for (i, by) in (0..4).flat_map(|i| [(i, 0.1_f64), (i, -0.1)]) {
                let mut moved = fit.parameters;
                moved[i] *= by.exp();
                let rise = value(moved) - top;
                if rise > 1e-2 + 1e-9 * top.abs() {
                    wrong.push(format!("{kind:?}, {name}: {i} by {by} rises {rise}: {fit:?}"));
                }
            }
            for horizon in [Some(52.0), None] {
                let ahead = Ahead { horizon, discount: 0.002 };
                for (row, outlook) in rows.iter().zip(outlooks(kind, &fit.parameters, rows, &ahead))
                {
                    if !outlook.expected.value.is_finite() || outlook.expected.value < 0.0 {
                        wrong.push(format!("{kind:?}, {name}: {row:?} {outlook:?}"));
                    }
                }
            }
            wrong
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_spend_has_a_fit() {
    let spend =
        |(purchases, mean, customers): (f64, f64, f64)| Spending { purchases, mean, customers };
    let all: [&[(f64, f64, f64)]; 8] = [
        &[(1.0, 10.0, 1.0)],
        &[(1.0, 10.0, 1.0), (2.0, 30.0, 1.0)],
        &[(3.0, 10.0, 1.0), (5.0, 10.0, 1.0), (1.0, 10.0, 1.0)],
        &[(1.0, 9.99, 1e6)],
        &[(1.0, 1e-6, 3.0), (1.0, 1e9, 2.0)],
        &[(1.0, 10.0, 100.0), (1.0, 10.0 + 1e-9, 100.0)],
        &[(8_000.0, 25.0, 1.0), (5_000.0, 26.0, 1.0), (1.0, 90.0, 4.0)],
        &[(1.0, 0.01, 500.0), (3_000.0, 0.01, 1.0), (2.0, 0.02, 3.0)],
    ];
    let mut wrong = Vec::new();
    for rows in all {
        let rows: Vec<Spending> = rows.iter().copied().map(spend).collect();
        let fit = GammaGamma::fit(&rows, 1.96);
        if !fit.converged() || !fit.parameters.iter().all(|p| p.is_finite() && *p > 0.0) {
            wrong.push(format!("{rows:?}: {fit:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_curve_has_a_fit() {
    let all: [&[(f64, bool, f64)]; 10] = [
        &[(1.0, true, 1.0), (2.0, false, 1.0)],
        &[(1.0, true, 2.0)],
        &[(1.0, false, 2.0)],
        &[(3.0, true, 1.0), (1.0, true, 1.0)],
        &[(2.0, true, 2.0)],
        &[(1.0, true, 50.0), (2.0, true, 50.0), (3.0, true, 50.0)],
        &[(5.0, true, 100.0), (5.0, false, 1.0)],
        &[(1.0, true, 1.0), (40.0, false, 1e6)],
        &[(1.0, true, 5e8), (2.0, true, 2e8), (3.0, false, 1e9)],
        &[(200.0, true, 1.0), (400.0, false, 3.0), (1.0, true, 9.0)],
    ];
    let mut wrong = Vec::new();
    for rows in all {
        let rows: Vec<Renewal> =
            rows.iter().map(|&(age, left, customers)| Renewal { age, left, customers }).collect();
        let sbg = RetentionCurve::fit_sbg(&rows, 1.96);
        if !sbg.converged() || !sbg.parameters.iter().all(|p| p.is_finite() && *p > 0.0) {
            wrong.push(format!("sbg {rows:?}: {sbg:?}"));
        }
        let bdw = RetentionCurve::fit_bdw(&rows, 1.96);
        if !bdw.converged() || !bdw.parameters.iter().all(|p| p.is_finite() && *p > 0.0) {
            wrong.push(format!("bdw {rows:?}: {bdw:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
