//! Mathematics on `f64`: exact sums, quantiles, intervals, special functions, an optimiser.
//!
//! **Invariants**
//! - Pure functions of plain numbers: no I/O, no clock, no tables, no engine.
//! - A sum does not depend on the order of its terms ([`ExactSum`]).
//! - What has no value gives `None`; NaN is neither taken nor given.

mod bootstrap;
mod exact;
mod interval;
mod newton;
mod quantile;
mod special;
mod spread;
pub mod survival;

pub use bootstrap::{mixed, poisson_weight};
pub use exact::{ExactSum, Moments};
pub use interval::{multinomial, normal_quantile, rank_bounds, student_t_quantile, wilson};
pub use newton::{Derivatives, Maximum, Termination, covariance, maximise};
pub use quantile::{interpolate, position, quantile_of_sorted, select_all, select_quantile};
pub use special::{digamma, ln_gamma, ln_gamma_ratio, trigamma};
pub use spread::ValueStatistic;
