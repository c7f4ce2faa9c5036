//! Statistical models of customers: what is fitted, and what follows from a fit.
//!
//! A model is a likelihood with its derivatives and the predictions that its parameters give. It reads
//! plain numbers; [`LifetimeValue`] brings tables to it, as a function of frames that any engine runs.
//!
//! **Invariants**
//! - Pure: no I/O, no clock, no engine. The same rows give the same fit, whatever the threads: sums are
//!   taken over grouped rows in a fixed order.
//! - Equal customers are one term of the likelihood, weighted by their number.
//! - A fit that did not converge is told, never hidden; no prediction is NaN.

#[cfg(test)]
mod check;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod odd;
mod bg_bb;
mod bg_nbd;
mod bootstrap;
mod cells;
mod fit;
mod forecast;
mod gamma_gamma;
mod lifetime_value;
mod mbg_nbd;
mod pareto_nbd;
mod projection;
mod purchases;
mod retention_curve;
mod goodness;
mod sample;
mod simulate;
mod survival;
mod trends;
mod weighted;

pub use bg_bb::BgBb;
pub use bg_nbd::BgNbd;
pub use bootstrap::{Bootstrap, DRAW, Resampled};
pub use fit::{Bounds, Estimate, Fit};
pub use forecast::{Ahead, Outlook, Quantity, Worth, expectations, log_interval, outlooks, total};
pub use gamma_gamma::{GammaGamma, Spending};
pub use goodness::SampleGoodness;
pub use lifetime_value::{Intervals, LifetimeValue, Purchased, Spend};
pub use mbg_nbd::MbgNbd;
pub use pareto_nbd::ParetoNbd;
pub use projection::{CurveModel, RetentionProjection};
pub use purchases::{AnyModel, LogOdds, ModelKind, PurchaseModel, Purchases};
pub use retention_curve::{Renewal, RetentionCurve};
pub use sample::{SampleSize, StratifiedSample};
pub use simulate::simulated;
pub use survival::SurvivalCurves;
pub use trends::{Followed, Trends};
pub use weighted::WeightedQuantiles;
