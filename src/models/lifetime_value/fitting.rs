//! Fits by cell, and the choice among models.

use super::accuracy::{Test, tests};
use super::customers::Customers;
use super::{LifetimeValue, Purchased, Spend};
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

    /// The model that is used instead.
    fn take(&mut self, kind: ModelKind) {
        if let Some(place) = self.candidates.iter().position(|candidate| candidate.kind == kind) {
            self.candidates.swap(0, place);
        }
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

/// The fits before the holdout, and the test of each candidate of each cell.
pub(super) struct Tested {
    pub fits: Fits,
    pub tests: Vec<Vec<Test>>,
}

impl LifetimeValue {
    /// Fits the calibration, if there is one, and all data. With a choice of models the calibration makes
    /// it; without one Akaike's criterion.
    pub(super) fn fits(
        &self,
        whole: &Customers,
        before: Option<&Customers>,
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
        for (cell, of_cell) in calibration.cells.iter_mut().zip(&mut tested) {
            // The smallest root of the mean squared error; of equals, the first.
            let errors: Vec<f64> =
                of_cell.iter().map(|test| test.accuracy().rmse.unwrap_or(f64::INFINITY)).collect();
            let best = (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
            if let Some(best) = best {
                of_cell.swap(0, best);
                let kind = cell.candidates[best].kind;
                cell.take(kind);
            }
        }
        // Cells without anybody before the holdout are of customers who came in it.
        let choice = |cell: usize| {
            let known = before.cells.values.iter().position(|of| *of == whole.cells.values[cell]);
            let known = known.map(|known| calibration.cells[known].chosen().kind);
            known.map_or_else(|| vec![all[0]], |kind| vec![kind])
        };
        let fits = self.fit(whole, choice);
        (fits, Some(Tested { fits: calibration, tests: tested }))
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
