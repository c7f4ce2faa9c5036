//! Mathematics on `f64`: exact sums, quantiles, intervals.
//!
//! **Invariants**
//! - Pure functions of plain numbers: no I/O, no clock, no tables, no engine.
//! - A sum does not depend on the order of its terms ([`ExactSum`]).
//! - What has no value gives `None`; NaN is neither taken nor given.

mod exact;
mod interval;
mod quantile;

pub use exact::{ExactSum, Moments};
pub use interval::{multinomial, normal_quantile, rank_bounds, student_t_quantile, wilson};
pub use quantile::{position, quantile_of_sorted, select_quantile};
