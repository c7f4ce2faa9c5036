//! Mathematics on `f64`: exact sums, quantiles, intervals, special functions, integrals, an optimiser.
//!
//! **Invariants**
//! - Pure functions of plain numbers: no I/O, no clock, no tables, no engine.
//! - A sum does not depend on the order of its terms ([`ExactSum`]).
//! - What has no value gives `None`; NaN is neither taken nor given.

mod bootstrap;
mod censored;
mod comparison;
mod exact;
mod goodness;
mod interval;
mod newton;
mod quantile;
mod sampling;
mod spread;
mod special;
mod incomplete;
mod quadrature;
mod dropout;
pub mod survival;
pub mod trend;
pub mod suppress;

pub use bootstrap::{mixed, poisson_weight};
pub use censored::{CensoredBound, censored_quantile, unfinished};
pub use comparison::{Comparison, Measured, benjamini_hochberg, normal_p_value, student_p_value};
pub use dropout::purchases_before_stopping;
pub use exact::{ExactSum, Moments};
pub use goodness::{Goodness, Units, goodness_of_fit};
pub use incomplete::{
    chi_square_survival, incomplete_beta, incomplete_gamma, ln_beta, scaled_upper_gamma,
};
pub use interval::{multinomial, normal_quantile, rank_bounds, student_t_quantile, wilson};
pub use newton::{Derivatives, Maximum, Termination, climb, covariance, maximise};
pub use quadrature::{beta_mean, panels};
pub use quantile::{interpolate, position, quantile_of_sorted, select_all, select_quantile};
pub use sampling::{Weighted, allocate, effective_size};
pub use special::{digamma, ln_beta_fall, ln_gamma, ln_gamma_ratio, ln_rising, trigamma};
pub use spread::ValueStatistic;
