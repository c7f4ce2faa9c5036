//! How long it takes to fit the purchase models to a million customers, and to score them with intervals.
//!
//! `just bench-models` runs this beside the PyPI package lifetimes on the same histories. A line for each
//! measurement: what, seconds, and for fits the log-likelihood. The first argument is a folder for the
//! histories, distinct ones with their counts, as CSV.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use tenure::models::{Ahead, ModelKind, Purchases, outlooks, simulated, total};

const CUSTOMERS: u32 = 1_000_000;

/// The models that the other side has too, with the parameters of the simulated customers.
const MODELS: [(ModelKind, [f64; 4]); 2] =
    [(ModelKind::BgNbd, [0.6, 5.0, 0.8, 2.5]), (ModelKind::ParetoNbd, [0.8, 8.0, 0.7, 10.0])];

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn main() -> std::io::Result<()> {
    // Cargo adds an argument of its own.
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(2);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(std::io::Error::other)?;
    for (kind, truth) in MODELS {
        let customers = rounded(simulated(kind, &truth, CUSTOMERS, 1));
        let distinct = grouped(&customers);
        let (fit, seconds) = pool.install(|| {
            let start = Instant::now();
            (kind.fit(&distinct, 1.96), start.elapsed().as_secs_f64())
        });
        tell(kind.name(), "fit", seconds, &format!("{:.6}", fit.log_likelihood));
        if let Some(folder) = &folder {
            std::fs::write(
                PathBuf::from(folder).join(format!("{}.csv", kind.name())),
                csv(&distinct),
            )?;
        }
        let ahead = Ahead { horizon: Some(52.0), discount: 0.002 };
        let covariance = fit.covariance.unwrap_or_default();
        let (sum, seconds) = pool.install(|| {
            let start = Instant::now();
            let found = outlooks(kind, &fit.parameters, &customers, &ahead);
            let bounds: Vec<(f64, f64)> =
                found.iter().map(|of| of.discounted.interval(&covariance, 1.96)).collect();
            assert!(bounds.iter().all(|(low, high)| low <= high));
            (total(&customers, &found).expected.value, start.elapsed().as_secs_f64())
        });
        tell(kind.name(), "score with intervals", seconds, &format!("{sum:.3}"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it measures is its output")]
fn tell(model: &str, what: &str, seconds: f64, figure: &str) {
    println!("{model},{what},{seconds:.3},{figure}");
}

/// Times as a source of daily dates has them: whole days of a week.
fn rounded(customers: Vec<Purchases>) -> Vec<Purchases> {
    let days = |time: f64| (time * 7.0).ceil() / 7.0;
    customers
        .into_iter()
        .map(|row| Purchases { recency: days(row.recency).min(row.age), ..row })
        .collect()
}

/// Distinct histories with their counts, in the order of their numbers.
fn grouped(customers: &[Purchases]) -> Vec<Purchases> {
    let mut counts: BTreeMap<[u64; 3], f64> = BTreeMap::new();
    for row in customers {
        let key = [row.frequency, row.recency, row.age].map(f64::to_bits);
        *counts.entry(key).or_default() += 1.0;
    }
    let row = |([frequency, recency, age], customers): ([u64; 3], f64)| Purchases {
        frequency: f64::from_bits(frequency),
        recency: f64::from_bits(recency),
        age: f64::from_bits(age),
        customers,
    };
    counts.into_iter().map(row).collect()
}

fn csv(rows: &[Purchases]) -> String {
    let mut text = "frequency,recency,T,customers\n".to_owned();
    for row in rows {
        let _ = writeln!(text, "{},{},{},{}", row.frequency, row.recency, row.age, row.customers);
    }
    text
}
