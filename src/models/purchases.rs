//! What models of purchases have in common: a history in, its forecast out.
//!
//! Symbols: x repeat purchases, t_x the time of the last of them, T the time observed, all from the first
//! purchase, in one unit.

use std::fmt::Debug;

use rayon::prelude::*;

use super::bg_bb::BgBb;
use super::bg_nbd::BgNbd;
use super::fit::Fit;
use super::mbg_nbd::MbgNbd;
use super::pareto_nbd::ParetoNbd;

/// How many customers have the same history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchases {
    /// Repeat purchases, x.
    pub frequency: f64,
    /// From the first purchase to the last, t_x.
    pub recency: f64,
    /// From the first purchase to the end of what is observed, T.
    pub age: f64,
    /// The number of customers.
    pub customers: f64,
}

impl Purchases {
    /// One customer who has just made the first purchase.
    pub const NEW: Purchases = Purchases { frequency: 0.0, recency: 0.0, age: 0.0, customers: 1.0 };
}

/// The logarithm of the odds that a customer has stopped, −∞ where it is impossible, with its gradient by
/// the logarithms of the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogOdds {
    pub value: f64,
    pub gradient: [f64; 4],
}

impl LogOdds {
    /// Nobody can have stopped.
    pub const NEVER: LogOdds = LogOdds { value: f64::NEG_INFINITY, gradient: [0.0; 4] };

    /// The probability that the customer has not stopped; 0 where the odds are beyond doubles.
    pub fn p_alive(&self) -> f64 {
        1.0 / (1.0 + self.value.exp())
    }
}

/// Stands for a rate of 0, at which what customers will ever buy may have no end: it gives large numbers
/// then, and no infinite ones.
pub(super) const NO_DISCOUNT: f64 = 1e-200;

/// A model of when customers buy and when they stop, with its four positive parameters.
///
/// Whatever the past, the future of a customer who has not stopped depends on x and T only. So
/// `expected_purchases(row, t) = p_alive(row) × expected_if_alive(x, T, t)`, and the second factor is
/// shared by many customers.
pub trait PurchaseModel: Copy + Send + Sync + Debug {
    /// The name in pipelines and tables.
    const NAME: &'static str;
    /// The names of the parameters, in the order of a fit.
    const NAMES: [&'static str; 4];

    /// The model with the parameters of a fit.
    fn of(parameters: [f64; 4]) -> Self;

    /// The parameters, in the order of [`Self::NAMES`].
    fn parameters(&self) -> [f64; 4];

    /// Fits the model. The rows should be in a fixed order: it is that of the sum. `z` is the two-sided normal
    /// quantile of the level of intervals.
    fn fit(rows: &[Purchases], z: f64) -> Fit<4>;

    /// The log-likelihood of one customer's history.
    fn log_likelihood(&self, row: &Purchases) -> f64;

    /// The odds that a customer has stopped by the end of what is observed.
    fn log_odds_of_stopped(&self, row: &Purchases) -> LogOdds;

    /// Those of many customers, in their order.
    fn log_odds(&self, rows: &[Purchases]) -> Vec<LogOdds> {
        rows.par_iter().with_min_len(1_024).map(|row| self.log_odds_of_stopped(row)).collect()
    }

    /// Purchases expected, within a time after the end of what is observed, of a customer who has not
    /// stopped. Rises from 0 with the time; never NaN.
    fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64;

    /// All purchases expected of such a customer, each discounted to the end of what is observed at the
    /// continuous rate δ ≥ 0 per unit: the discounted expected residual transactions (DERT) over P(alive).
    fn discounted_if_alive(&self, frequency: f64, age: f64, rate: f64) -> f64;

    /// The probability that a customer has not stopped.
    fn p_alive(&self, row: &Purchases) -> f64 {
        self.log_odds_of_stopped(row).p_alive()
    }

    /// Purchases expected of a customer within a time after the end of what is observed.
    fn expected_purchases(&self, row: &Purchases, time: f64) -> f64 {
        self.p_alive(row) * self.expected_if_alive(row.frequency, row.age, time)
    }

    /// Repeat purchases expected of a new customer within a time.
    fn expected_repeats(&self, time: f64) -> f64 {
        self.expected_purchases(&Purchases::NEW, time)
    }
}

/// The models by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    BgNbd,
    MbgNbd,
    ParetoNbd,
    BgBb,
}

/// Evaluates an expression with the type of a kind's model under a name.
macro_rules! with_model {
    ($kind:expr, $model:ident => $of:expr) => {
        match $kind {
            $crate::models::purchases::ModelKind::BgNbd => {
                type $model = $crate::models::bg_nbd::BgNbd;
                $of
            }
            $crate::models::purchases::ModelKind::MbgNbd => {
                type $model = $crate::models::mbg_nbd::MbgNbd;
                $of
            }
            $crate::models::purchases::ModelKind::ParetoNbd => {
                type $model = $crate::models::pareto_nbd::ParetoNbd;
                $of
            }
            $crate::models::purchases::ModelKind::BgBb => {
                type $model = $crate::models::bg_bb::BgBb;
                $of
            }
        }
    };
}
pub(super) use with_model;

impl ModelKind {
    pub const ALL: [ModelKind; 4] =
        [ModelKind::BgNbd, ModelKind::MbgNbd, ModelKind::ParetoNbd, ModelKind::BgBb];

    /// The name in pipelines and tables.
    pub fn name(self) -> &'static str {
        with_model!(self, Model => Model::NAME)
    }

    /// The model of a name.
    pub fn named(name: &str) -> Option<Self> {
        ModelKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The names of the parameters, in the order of a fit.
    pub fn parameter_names(self) -> [&'static str; 4] {
        with_model!(self, Model => <Model as PurchaseModel>::NAMES)
    }

    /// Fits the model. `z` is the two-sided normal quantile of the level of intervals. Where nobody came back
    /// the fit ends with [`NoEvents`](crate::stats::Termination::NoEvents).
    pub fn fit(self, rows: &[Purchases], z: f64) -> Fit<4> {
        let fit = with_model!(self, Model => <Model as PurchaseModel>::fit(rows, z));
        let came_back = rows.iter().any(|row| row.frequency > 0.0);
        if came_back { fit } else { fit.without_events() }
    }

    /// The model with the parameters of a fit.
    pub fn of(self, parameters: [f64; 4]) -> AnyModel {
        match self {
            ModelKind::BgNbd => AnyModel::BgNbd(BgNbd::of(parameters)),
            ModelKind::MbgNbd => AnyModel::MbgNbd(MbgNbd::of(parameters)),
            ModelKind::ParetoNbd => AnyModel::ParetoNbd(ParetoNbd::of(parameters)),
            ModelKind::BgBb => AnyModel::BgBb(BgBb::of(parameters)),
        }
    }
}

/// One of the models, with its parameters. What its methods mean is told at [`PurchaseModel`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AnyModel {
    BgNbd(BgNbd),
    MbgNbd(MbgNbd),
    ParetoNbd(ParetoNbd),
    BgBb(BgBb),
}

/// Evaluates an expression with the model, whichever it is.
macro_rules! each {
    ($any:expr, $model:ident => $of:expr) => {
        match $any {
            AnyModel::BgNbd($model) => $of,
            AnyModel::MbgNbd($model) => $of,
            AnyModel::ParetoNbd($model) => $of,
            AnyModel::BgBb($model) => $of,
        }
    };
}

impl AnyModel {
    pub fn kind(&self) -> ModelKind {
        match self {
            AnyModel::BgNbd(_) => ModelKind::BgNbd,
            AnyModel::MbgNbd(_) => ModelKind::MbgNbd,
            AnyModel::ParetoNbd(_) => ModelKind::ParetoNbd,
            AnyModel::BgBb(_) => ModelKind::BgBb,
        }
    }

    pub fn parameters(&self) -> [f64; 4] {
        each!(self, model => model.parameters())
    }

    pub fn log_likelihood(&self, row: &Purchases) -> f64 {
        each!(self, model => model.log_likelihood(row))
    }

    pub fn log_odds_of_stopped(&self, row: &Purchases) -> LogOdds {
        each!(self, model => model.log_odds_of_stopped(row))
    }

    pub fn p_alive(&self, row: &Purchases) -> f64 {
        each!(self, model => model.p_alive(row))
    }

    pub fn expected_if_alive(&self, frequency: f64, age: f64, time: f64) -> f64 {
        each!(self, model => model.expected_if_alive(frequency, age, time))
    }

    pub fn expected_purchases(&self, row: &Purchases, time: f64) -> f64 {
        each!(self, model => model.expected_purchases(row, time))
    }

    pub fn expected_repeats(&self, time: f64) -> f64 {
        each!(self, model => model.expected_repeats(time))
    }

    pub fn discounted_if_alive(&self, frequency: f64, age: f64, rate: f64) -> f64 {
        each!(self, model => model.discounted_if_alive(frequency, age, rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_of_their_own() {
        for kind in ModelKind::ALL {
            assert_eq!(ModelKind::named(kind.name()), Some(kind));
            let model = kind.of([0.3, 4.0, 0.8, 2.4]);
            assert_eq!((model.kind(), model.parameters()), (kind, [0.3, 4.0, 0.8, 2.4]));
        }
        assert_eq!(ModelKind::named("nbd"), None);
    }

    /// What all models promise of a customer, for ordinary and extreme parameters.
    #[test]
    fn forecasts_are_finite_and_rise_with_time() {
        let shapes = [1e-4, 0.3, 1.0, 1.0 + 1e-13, 2.5, 40.0, 1e4, 1e7];
        for kind in ModelKind::ALL {
            for (i, &first) in shapes.iter().enumerate() {
                for (j, &second) in shapes.iter().enumerate() {
                    let (third, fourth) = (shapes[(i + 3) % 8], shapes[(j + 5) % 8]);
                    promises(kind.of([first, fourth, second, third]));
                }
            }
        }
    }

    fn promises(model: AnyModel) {
        for (x, t_x, age) in [(0.0, 0.0, 0.0), (0.0, 0.0, 52.0), (1.0, 1.0, 1.0), (3.0, 3.0, 52.0)]
            .into_iter()
            .chain([(40.0, 50.0, 52.0), (2_000.0, 2_000.0, 2_000.0), (900.0, 1_000.0, 3_000.0)])
        {
            let row = Purchases { frequency: x, recency: t_x, age, customers: 1.0 };
            let alive = model.p_alive(&row);
            assert!((0.0..=1.0).contains(&alive), "{model:?} {row:?} {alive}");
            let odds = model.log_odds_of_stopped(&row);
            assert!(
                odds.gradient.iter().all(|slope| slope.is_finite()),
                "{model:?} {row:?} {odds:?}"
            );
            let mut before = 0.0;
            for time in [0.0, 0.5, 1.0, 52.0, 5_200.0] {
                let expected = model.expected_if_alive(x, age, time);
                let rises = expected >= before * (1.0 - 1e-9);
                assert!(
                    expected.is_finite() && rises,
                    "{model:?} {row:?} {time} {expected} {before}"
                );
                before = expected;
            }
            for rate in [0.0, 1e-9, 1e-3, 5.0] {
                let worth = model.discounted_if_alive(x, age, rate);
                assert!(worth.is_finite() && worth >= 0.0, "{model:?} {row:?} {rate} {worth}");
            }
        }
    }

    /// Likelihoods and forecasts of customers of extreme populations, from the papers' own formulas at 80
    /// digits and more. `tests/expected/purchase_models.py` makes them.
    #[test]
    fn extreme_customers_agree_with_the_table() {
        let table = include_str!("../../tests/expected/purchase_models.csv");
        let mut rows = 0;
        for line in table.lines().skip(1) {
            let (name, cells) = line.split_once(',').expect("a name");
            let cells: Vec<Option<f64>> = cells.split(',').map(|cell| cell.parse().ok()).collect();
            let number = |place: usize| cells[place].expect("a number");
            let kind = ModelKind::named(name).expect("a model");
            let model = kind.of([number(0), number(1), number(2), number(3)]);
            let (frequency, recency, age) = (number(4), number(5), number(6));
            let row = Purchases { frequency, recency, age, customers: 7.0 };
            let check = |what: &str, found: f64, expected: f64, tolerance: f64| {
                let error = (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
                assert!(error < tolerance, "{what} of {line}: {found}, off by {error:e}");
            };
            check("likelihood", model.log_likelihood(&row), number(9), 1e-11);
            check("probability", model.p_alive(&row), number(10), 1e-9);
            check("expectation", model.expected_purchases(&row, number(7)), number(11), 1e-9);
            if let Some(worth) = cells[12] {
                let found = model.discounted_if_alive(frequency, age, number(8));
                check("worth", model.p_alive(&row) * found, worth, 1e-9);
            }
            rows += 1;
        }
        assert!(rows > 200);
    }

    /// Populations that say little or much too much: all models come to an end on them.
    #[test]
    fn difficult_populations_are_fitted() {
        let row =
            |frequency, recency, age, customers| Purchases { frequency, recency, age, customers };
        let populations = [
            vec![row(0.0, 0.0, 39.0, 500.0)],
            vec![row(0.0, 0.0, 39.0, 500.0), row(1.0, 20.0, 39.0, 1.0)],
            vec![row(3.0, 5.0, 5.0, 10.0), row(1.0, 5.0, 5.0, 40.0)],
            vec![row(2.0, 30.43, 38.86, 1.0)],
            vec![row(5_000.0, 5_100.0, 5_200.0, 3.0), row(0.0, 0.0, 5_200.0, 90.0)],
            vec![
                row(4_000.0, 39.0, 39.0, 2.0),
                row(1.0, 3.0, 39.0, 50.0),
                row(0.0, 0.0, 20.0, 80.0),
            ],
            vec![row(0.0, 0.0, 0.0, 4.0), row(0.0, 0.0, 1.0, 3.0), row(1.0, 1.0, 1.0, 2.0)],
            vec![row(0.0, 0.0, 0.0, 4.0)],
            vec![],
            (0..30).map(|n| row(f64::from(n), 1.0 + f64::from(n), 40.0, 2.0)).collect(),
        ];
        for rows in populations {
            for kind in ModelKind::ALL {
                let fit = kind.fit(&rows, 1.96);
                assert!(fit.converged() || rows.is_empty(), "{kind:?} {rows:?} {fit:?}");
                assert!(fit.parameters.iter().all(|value| value.is_finite() && *value > 0.0));
                for row in &rows {
                    let model = kind.of(fit.parameters);
                    let next = model.expected_purchases(row, 39.0);
                    assert!(next.is_finite() && next >= 0.0, "{kind:?} {row:?} {next}");
                }
                for (i, known) in fit.identified.into_iter().enumerate() {
                    let (low, high) = fit.interval(i);
                    assert!(!known || low.is_some() && high.is_some(), "{kind:?} {fit:?}");
                }
            }
        }
    }
}
