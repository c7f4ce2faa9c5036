//! What each customer is expected to buy and to be worth, with intervals.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};
use rayon::prelude::*;

use super::customers::{Customers, together};
use super::fitting::{CellFit, Fits};
use super::{Intervals, LifetimeValue, Spend};
use crate::models::forecast::plain_outlooks;
use crate::models::{
    Ahead, GammaGamma, Outlook, Purchases, Quantity, Worth, log_interval, outlooks,
};
use crate::stats::{mixed, poisson_weight, quantile_of_sorted};

/// A value with the bounds of its interval, if it has one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bounded {
    pub value: f64,
    pub bounds: Option<(f64, f64)>,
}

/// The forecast of one customer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Score {
    pub p_alive: f64,
    pub expected: Bounded,
    /// The value expected of a purchase.
    pub spend: Option<f64>,
    pub clv: Option<Bounded>,
}

/// The forecasts of all customers, and the totals of cells.
pub(super) struct Scores {
    pub customers: Vec<Score>,
    /// Expected purchases and lifetime value of each cell.
    pub totals: Vec<(Bounded, Option<Bounded>)>,
}

/// Rows that are taken in at a time: fixed, so that sums are the same on any number of threads.
const CHUNK: usize = 16_384;

/// Of the parameters of a draw no intervals are told.
const NO_BOUNDS: f64 = 0.0;

/// Bounds farther apart than this factor say nothing: the interval is open.
const OPEN: f64 = 1e8;

/// The bounds of an interval, unless it is open.
fn told((low, high): (f64, f64)) -> Option<(f64, f64)> {
    (high <= OPEN * low && high.is_finite() || high == 0.0).then_some((low, high))
}

/// What is expected of a purchase, with its gradient by the parameters of the spend model.
struct SpendOf<'a> {
    of: Spend,
    model: Option<GammaGamma>,
    /// The mean over all customers who have one.
    mean: Option<f64>,
    customers: &'a Customers,
}

impl SpendOf<'_> {
    fn row(&self, row: usize) -> Option<(f64, [f64; 3])> {
        let own = self.customers.monetary[row].filter(|&value| value > 0.0);
        match (self.of, self.model) {
            (Spend::None, _) | (Spend::GammaGamma, None) => None,
            (Spend::Mean, _) => Some((own.or(self.mean)?, [0.0; 3])),
            (Spend::GammaGamma, Some(model)) => {
                let (x, mean) = own.map_or((0.0, 0.0), |own| (self.customers.frequency[row], own));
                let gradient = model.expected_spend_gradient(x, mean)?;
                Some((model.expected_spend(x, mean)?, gradient))
            }
        }
    }
}

impl LifetimeValue {
    /// The forecasts of all customers.
    pub(super) fn scores(&self, customers: &Customers, fits: &Fits) -> Scores {
        let mut scores = vec![Score::default(); customers.len()];
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); fits.cells.len()];
        for (row, &cell) in customers.cells.of_row.iter().enumerate() {
            members[cell as usize].push(row);
        }
        let known: Vec<f64> =
            customers.monetary.iter().flatten().copied().filter(|&value| value > 0.0).collect();
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let mut totals = Vec::new();
        for (cell, (fit, rows)) in fits.cells.iter().zip(&members).enumerate() {
            let spend = SpendOf { of: self.spend, model: fit.spend_model(), mean, customers };
            let (found, total) = self.score_cell(customers, cell, fit, rows, &spend);
            rows.iter().zip(found).for_each(|(&row, score)| scores[row] = score);
            totals.push(total);
        }
        let mut scores = Scores { customers: scores, totals };
        if let Intervals::Bootstrap { draws, seed } = self.intervals {
            self.draw(customers, fits, &members, mean, &mut scores, (draws, seed));
        }
        scores
    }

    fn ahead(&self) -> Ahead {
        Ahead { horizon: self.horizon, discount: self.discount }
    }

    fn score_cell(
        &self,
        customers: &Customers,
        cell: usize,
        fit: &CellFit,
        rows: &[usize],
        spend: &SpendOf,
    ) -> (Vec<Score>, (Bounded, Option<Bounded>)) {
        let range = customers.of_cell[cell].clone();
        let chosen = fit.chosen();
        let histories = &customers.histories[range.clone()];
        let delta = self.intervals == Intervals::Delta;
        let outlooks = if delta { outlooks } else { plain_outlooks };
        let found = outlooks(chosen.kind, &chosen.fit.parameters, histories, &self.ahead());
        let covariance = chosen.fit.covariance.filter(|_| delta);
        let of_spend = fit.spend.as_ref().and_then(|fit| fit.covariance).filter(|_| delta);
        // Of a spend model without a covariance nothing is known of what it says.
        let known = covariance.filter(|_| fit.spend.is_none() || of_spend.is_some());
        let bounds = |quantity: &Quantity<4>| {
            covariance.and_then(|covariance| told(quantity.interval(&covariance, self.z())))
        };
        let expected: Vec<Bounded> = found
            .par_iter()
            .map(|of| Bounded { value: of.expected.value, bounds: bounds(&of.expected) })
            .collect();
        let part = |rows: &[usize]| -> (Vec<Score>, Option<Worth>) {
            let mut sum: Option<Worth> = None;
            let score = |&row: &usize| {
                let place = customers.history_of[row] as usize - range.start;
                let outlook: &Outlook = &found[place];
                let spend = spend.row(row);
                let worth = spend.map(|(value, gradient)| {
                    Worth::of(&outlook.discounted, value, gradient, self.margin)
                });
                if let Some(worth) = &worth {
                    sum.get_or_insert_default().add(worth, 1.0);
                }
                let interval = |worth: &Worth| {
                    known
                        .and_then(|known| told(worth.interval(&known, of_spend.as_ref(), self.z())))
                };
                Score {
                    p_alive: outlook.p_alive,
                    expected: expected[place],
                    spend: spend.map(|(value, _)| value),
                    clv: worth.map(|w| Bounded { value: w.value, bounds: interval(&w) }),
                }
            };
            (rows.iter().map(score).collect(), sum)
        };
        let parts: Vec<(Vec<Score>, Option<Worth>)> = rows.par_chunks(CHUNK).map(part).collect();
        let mut scores = Vec::with_capacity(rows.len());
        let mut worth: Option<Worth> = None;
        for (found, sum) in parts {
            scores.extend(found);
            if let Some(sum) = sum {
                worth.get_or_insert_default().add(&sum, 1.0);
            }
        }
        let sum = crate::models::total(histories, &found).expected;
        let clv = worth.map(|worth| Bounded {
            value: worth.value,
            bounds: known
                .and_then(|known| told(worth.interval(&known, of_spend.as_ref(), self.z()))),
        });
        (scores, (Bounded { value: sum.value, bounds: bounds(&sum) }, clv))
    }

    /// Intervals by drawing customers: models are fitted to each draw, and all customers are scored again.
    /// Of a customer the interval is `z` standard deviations of the logarithm to both sides; of a total it lies
    /// between the draws' quantiles.
    fn draw(
        &self,
        customers: &Customers,
        fits: &Fits,
        members: &[Vec<usize>],
        mean: Option<f64>,
        scores: &mut Scores,
        (draws, seed): (u32, u64),
    ) {
        let units = units(customers);
        let mut expected = vec![Spread::default(); customers.len()];
        let mut worth = vec![Spread::default(); customers.len()];
        let mut totals: Vec<[Vec<f64>; 2]> = vec![Default::default(); fits.cells.len()];
        for draw in 0..draws {
            let weights: Vec<u32> =
                units.par_iter().map(|&unit| poisson_weight(seed, draw, unit)).collect();
            let all: Vec<usize> = (0..customers.len()).collect();
            let mut pooled: Vec<(CellFit, CellFit)> = Vec::new();
            for (cell, (fit, rows)) in fits.cells.iter().zip(members).enumerate() {
                // Cells that share a fit share it in a draw too.
                let same = |known: &&(CellFit, CellFit)| {
                    known.0.chosen().fit.parameters == fit.chosen().fit.parameters
                };
                let known = pooled.iter().find(same).filter(|_| fit.pooled);
                let again = match known {
                    Some((_, again)) => again.clone(),
                    None => {
                        let rows = if fit.pooled { &all } else { rows };
                        self.fit_again(customers, fit, rows, &weights)
                    }
                };
                if fit.pooled && known.is_none() {
                    pooled.push((fit.clone(), again.clone()));
                }
                let spend = SpendOf { of: self.spend, model: again.spend_model(), mean, customers };
                let plain = LifetimeValue { intervals: Intervals::None, ..self.clone() };
                let (found, _) = plain.score_cell(customers, cell, &again, rows, &spend);
                let mut sums = [0.0; 2];
                for (&row, score) in rows.iter().zip(&found) {
                    expected[row].take(score.expected.value);
                    sums[0] += score.expected.value;
                    if let Some(clv) = score.clv {
                        worth[row].take(clv.value);
                        sums[1] += clv.value;
                    }
                }
                totals[cell].iter_mut().zip(sums).for_each(|(totals, sum)| totals.push(sum));
            }
        }
        for (row, score) in scores.customers.iter_mut().enumerate() {
            score.expected.bounds = expected[row].interval(score.expected.value, self.z());
            if let Some(clv) = &mut score.clv {
                clv.bounds = worth[row].interval(clv.value, self.z());
            }
        }
        let tail = (1.0 - self.level) / 2.0;
        for ((expected, clv), [purchases, money]) in scores.totals.iter_mut().zip(totals) {
            expected.bounds = quantiles(purchases, tail);
            if let Some(clv) = clv {
                clv.bounds = quantiles(money, tail);
            }
        }
    }

    /// The fit of some customers, each so many times.
    fn fit_again(
        &self,
        customers: &Customers,
        fit: &CellFit,
        rows: &[usize],
        weights: &[u32],
    ) -> CellFit {
        let mut counts = vec![0.0; customers.histories.len()];
        for &row in rows {
            counts[customers.history_of[row] as usize] += f64::from(weights[row]);
        }
        let drawn = customers.histories.iter().zip(counts).filter(|(_, count)| *count > 0.0);
        let histories: Vec<Purchases> =
            drawn.map(|(row, customers)| Purchases { customers, ..*row }).collect();
        let mut again = fit.clone();
        again.candidates.truncate(1);
        let candidate = &mut again.candidates[0];
        candidate.fit = candidate.kind.fit(&together(histories), NO_BOUNDS);
        if again.spend.is_some() {
            let drawn = rows.iter().filter(|&&row| weights[row] > 0);
            let drawn = drawn.map(|&row| (row, f64::from(weights[row])));
            again.spend = Some(GammaGamma::fit(&customers.spendings(drawn), NO_BOUNDS));
        }
        again
    }
}

/// A number for each customer that depends on the name alone.
fn units(customers: &Customers) -> Vec<u64> {
    let names = &customers.names;
    if let Some(keys) = names.as_primitive_opt::<Int64Type>() {
        return keys.values().iter().map(|&key| mixed(key as u64)).collect();
    }
    if let Some(keys) = names.as_primitive_opt::<Int32Type>() {
        return keys.values().iter().map(|&key| mixed(i64::from(key) as u64)).collect();
    }
    (0..names.len())
        .map(|row| {
            let text = crate::frame::value_at(names, row).to_string();
            let hash = blake3::hash(text.as_bytes());
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hash.as_bytes()[..8]);
            u64::from_le_bytes(bytes)
        })
        .collect()
}

/// Mean and squared deviations of logarithms, one after the other (Welford).
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn take(&mut self, value: f64) {
        if value > 0.0 {
            let log = value.ln();
            self.count += 1.0;
            let off = log - self.mean;
            self.mean += off / self.count;
            self.squares += off * (log - self.mean);
        }
    }

    fn interval(&self, value: f64, z: f64) -> Option<(f64, f64)> {
        let deviation = (self.count > 1.0).then(|| (self.squares / (self.count - 1.0)).sqrt())?;
        told(log_interval(value, value * deviation, z))
    }
}

/// The quantiles of draws at a tail on both sides.
fn quantiles(mut draws: Vec<f64>, tail: f64) -> Option<(f64, f64)> {
    draws.sort_by(f64::total_cmp);
    quantile_of_sorted(&draws, tail).zip(quantile_of_sorted(&draws, 1.0 - tail))
}
