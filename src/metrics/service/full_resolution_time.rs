//! # full_resolution_time
//!
//! How long it takes until a ticket is closed for good.
//!
//! What it does: measures the hours from the opening of each ticket to its last solution, and takes a
//! statistic of them. The name carries the statistic: `full_resolution_time_mean`,
//! `full_resolution_time_median`, `full_resolution_time_max`, `full_resolution_time_p01` to
//! `full_resolution_time_p99`.
//!
//! When to use it: beside `resolution_time`: what reopened tickets add.
//!
//! Example: `metrics: [full_resolution_time_median, full_resolution_time_p90]`, or
//! `ended: {full_resolution_time: {statistic: median, open_cases: drop}}`
//!
//! Formula: hours from `time` to `ticket.closed`. They are hours of the calendar, or with `hours` (or the
//! source's `ticket.hours`) those in which a business is open. An open one has lasted until `as_of` at least,
//! and counts so in medians and other quantiles, which are Kaplan and Meier's (with `open_cases: censor`, the
//! default): the first time by which the share has ended, null where it is not reached; bounds from the band
//! that is symmetric in ln(−ln S), and at 0 where none is left. Where nothing is open they are the plain
//! ones (type 7, rank intervals), and so they are of ended ones with `open_cases: drop`. The mean, with its t
//! interval, and the longest are of ended ones. A quantile of which the wait is open has the columns `m`,
//! `m_n` (all of them), `m_open`, `m_low`, `m_high`; the others those of their kind. Of nothing: null. Needs
//! `time` and `ticket.closed`.
//!
//! References: Kaplan and Meier (1958), Nonparametric estimation from incomplete observations.

use super::{Wait, waiting};
use crate::ir::Mark;
use crate::metrics::MetricKind;

/// The registry's entry.
pub const KIND: MetricKind = waiting::<FullResolution>(include_str!("full_resolution_time.rs"));

#[derive(Debug)]
struct FullResolution;

impl Wait for FullResolution {
    const NAME: &str = "full_resolution_time";
    const ENDED: Mark = Mark::Closed;
}
