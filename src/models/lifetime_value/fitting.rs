//! Fits by cell, and the choice among models.

use super::accuracy::{Test, tests};
use super::customers::Customers;
use super::tracking::{Step, Tracking, mape};
use super::{LifetimeValue, Purchased, Spend};
use crate::frame::Frame;
use crate::models::{AnyModel, Fit, GammaGamma, ModelKind, Purchases};

/// The models that `auto` chooses from. BG/BB counts opportunities instead of time: its likelihood is of
/// other data, and cannot be compared.
const CANDIDATES: [ModelKind; 3] = [ModelKind::BgNbd, ModelKind::MbgNbd, ModelKind::ParetoNbd];

/// A fitted model of purchases.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub kind: ModelKind,
    pub fit: Fit<4>,
}

impl Candidate {
    pub fn model(&self) -> AnyModel {
        self.kind.of(self.fit.parameters)
    }
}

/// The fits of one cell.
#[derive(Debug, Clone)]
pub(super) struct CellFit {
    /// Those that were fitted, the first being the one that is used.
    pub candidates: Vec<Candidate>,
    pub spend: Option<Fit<3>>,
    /// The correlation of spend and frequency among repeat customers.
    pub spend_correlation: Option<f64>,
    /// Customers of the cell itself, and those of them with a spend to fit.
    pub customers: u64,
    pub spenders: u64,
    /// Whether the fit is that of all customers.
    pub pooled: bool,
}

impl CellFit {
    pub fn chosen(&self) -> &Candidate {
        &self.candidates[0]
    }

    pub fn spend_model(&self) -> Option<GammaGamma> {
        self.spend.as_ref().map(|fit| GammaGamma::of(fit.parameters))
    }
}

/// Pearson's correlation; `None` where one side does not vary.
pub(super) fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let xy = sum(&|p| (p.0 - mx) * (p.1 - my));
    let xx = sum(&|p| (p.0 - mx).powi(2));
    let yy = sum(&|p| (p.1 - my).powi(2));
    let found = xy / (xx * yy).sqrt();
    found.is_finite().then_some(found)
}

/// The fit of each cell; a cell of few customers has that of all.
pub(super) struct Fits {
    pub cells: Vec<CellFit>,
}

/// The fits before the holdout, and the test and the curve of each candidate of each cell.
pub(super) struct Tested {
    pub fits: Fits,
    pub tests: Vec<Vec<Test>>,
    pub tracks: Vec<Vec<Vec<Step>>>,
}

/// The place of the best of some candidates of one cell, by their tests and the errors of their cumulative curves.
///
/// It is the one with the smallest squared error, or of those that this does not tell from it at the level of
/// `z` the one with the nearest curve. A few heavy buyers make most of the squared error, so what it says of two
/// models is often chance; and it says nothing of whether a model has the population right.
fn best(tests: &[Test], curves: &[Option<f64>], z: f64) -> Option<usize> {
    let error = |place: &usize| tests[*place].accuracy().rmse.unwrap_or(f64::INFINITY);
    let errors: Vec<f64> = (0..tests.len()).map(|place| error(&place)).collect();
    let first = (0..tests.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]))?;
    let off = |place: usize| curves[place].unwrap_or(f64::INFINITY);
    (0..tests.len())
        .filter(|&place| tests[place].is_as_good_as(&tests[first], z))
        .min_by(|&a, &b| off(a).total_cmp(&off(b)).then(errors[a].total_cmp(&errors[b])))
}

impl LifetimeValue {
    /// Fits the calibration, if there is one, and all data. With a choice of models the calibration makes
    /// it; without one Akaike's criterion. `repeats` has the repeat purchases by cell and day.
    pub(super) fn fits(
        &self,
        whole: &Customers,
        before: Option<&Customers>,
        repeats: &Frame,
    ) -> (Fits, Option<Tested>) {
        let all = match self.purchases {
            Purchased::One(kind) => vec![kind],
            Purchased::Best => CANDIDATES.to_vec(),
        };
        let Some(before) = before else {
            let mut fits = self.fit(whole, |_| all.clone());
            for cell in &mut fits.cells {
                cell.candidates.sort_by(|a, b| {
                    let unfinished = |of: &Candidate| !of.fit.converged();
                    unfinished(a).cmp(&unfinished(b)).then(a.fit.aic().total_cmp(&b.fit.aic()))
                });
            }
            return (fits, None);
        };
        let mut calibration = self.fit(before, |_| all.clone());
        let mut tested = tests(self, whole, before, &calibration);
        let tracking = Tracking::of(self, before, repeats);
        let curves = |(cell, fit): (usize, &CellFit)| -> Vec<Vec<Step>> {
            fit.candidates.iter().map(|candidate| tracking.curve(cell, candidate)).collect()
        };
        let mut tracks: Vec<Vec<Vec<Step>>> =
            calibration.cells.iter().enumerate().map(curves).collect();
        let of_cells = calibration.cells.iter_mut().zip(&mut tested).zip(&mut tracks);
        for ((cell, tests), tracks) in of_cells {
            let curves: Vec<Option<f64>> = tracks.iter().map(|steps| mape(steps)).collect();
            if let Some(best) = best(tests, &curves, self.z()) {
                cell.candidates.swap(0, best);
                tests.swap(0, best);
                tracks.swap(0, best);
            }
        }
        // Cells without anybody before the holdout are of customers who came in it.
        let choice = |cell: usize| {
            let known = before.cells.values.iter().position(|of| *of == whole.cells.values[cell]);
            let known = known.map(|known| calibration.cells[known].chosen().kind);
            known.map_or_else(|| vec![all[0]], |kind| vec![kind])
        };
        let fits = self.fit(whole, choice);
        (fits, Some(Tested { fits: calibration, tests: tested, tracks }))
    }

    /// Fits every cell, the small ones with all customers.
    fn fit(&self, customers: &Customers, kinds: impl Fn(usize) -> Vec<ModelKind>) -> Fits {
        let counts = customers.counts();
        let small = |cell: usize| (counts[cell] as i64) < self.min_customers;
        let rows_of = |cell: Option<usize>| {
            let of = customers.cells.of_row.iter().enumerate();
            of.filter(move |(_, of)| cell.is_none_or(|cell| **of as usize == cell))
                .map(|(row, _)| row)
                .collect::<Vec<usize>>()
        };
        let mut pooled: Option<CellFit> = None;
        let several = counts.len() > 1;
        let cells = (0..counts.len()).map(|cell| {
            let own = &customers.histories[customers.of_cell[cell].clone()];
            let rows = rows_of(Some(cell));
            if !(several && small(cell)) {
                return self.fit_rows(customers, own, &rows, &kinds(cell));
            }
            let kinds = kinds(cell);
            let known = pooled.take().filter(|known| {
                kinds.iter().all(|kind| known.candidates.iter().any(|c| c.kind == *kind))
            });
            let of_all = known.unwrap_or_else(|| {
                self.fit_rows(customers, &customers.pooled(), &rows_of(None), &kinds)
            });
            let spenders = rows.iter().filter(|row| customers.spending(**row).is_some());
            let mut fit = CellFit {
                pooled: true,
                customers: rows.len() as u64,
                spenders: spenders.count() as u64,
                ..of_all.clone()
            };
            fit.candidates.retain(|candidate| kinds.contains(&candidate.kind));
            pooled = Some(of_all);
            fit
        });
        Fits { cells: cells.collect() }
    }

    fn fit_rows(
        &self,
        customers: &Customers,
        histories: &[Purchases],
        rows: &[usize],
        kinds: &[ModelKind],
    ) -> CellFit {
        let spending: Vec<(f64, f64)> =
            rows.iter().filter_map(|&row| customers.spending(row)).collect();
        let spend = (self.spend == Spend::GammaGamma && spending.len() > 1).then(|| {
            GammaGamma::fit(&customers.spendings(rows.iter().map(|&row| (row, 1.0))), self.z())
        });
        let candidate = |&kind: &ModelKind| Candidate { kind, fit: kind.fit(histories, self.z()) };
        CellFit {
            candidates: kinds.iter().map(candidate).collect(),
            spend,
            spend_correlation: (self.spend != Spend::None)
                .then(|| correlation(&spending))
                .flatten(),
            customers: rows.len() as u64,
            spenders: spending.len() as u64,
            pooled: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test of a forecast that is off by so much for each customer, all of whom bought 10 times.
    fn test(off: &[f64]) -> Test {
        Test { pairs: off.iter().map(|off| (10.0, 10.0 + off)).collect(), ..Test::default() }
    }

    #[test]
    fn squared_errors_choose_where_they_tell_forecasts_apart() {
        let steady = |by: f64| test(&[by, -by].repeat(100));
        let tests = [steady(1.0), steady(0.9), steady(2.0)];
        // The curves say otherwise, and are not asked.
        assert_eq!(best(&tests, &[Some(0.01), Some(0.5), Some(0.0)], 1.96), Some(1));
    }

    /// One customer of a hundred makes the difference: it may be chance, and the curve decides.
    #[test]
    fn curves_choose_among_forecasts_that_squared_errors_do_not_tell_apart() {
        let mut heavy = vec![1.0; 100];
        heavy[7] = 30.0;
        let mut lucky = vec![1.1; 100];
        lucky[7] = 2.0;
        let far = vec![40.0; 100];
        let tests = [test(&heavy), test(&lucky), test(&far)];
        let error = |test: &Test| test.accuracy().rmse.expect("customers");
        assert!(error(&tests[0]) > 2.0 * error(&tests[1]));
        assert_eq!(best(&tests, &[Some(0.03), Some(0.5), Some(0.0)], 1.96), Some(0));
        assert_eq!(best(&tests, &[Some(0.5), Some(0.03), Some(0.0)], 1.96), Some(1));
        // At a level that asks for next to nothing one customer is enough.
        assert_eq!(best(&tests, &[Some(0.03), Some(0.5), Some(0.0)], 0.1), Some(1));
        // Without a curve the errors choose alone.
        assert_eq!(best(&tests, &[None; 3], 1.96), Some(1));
        assert_eq!(best(&[], &[], 1.96), None);
    }
}
