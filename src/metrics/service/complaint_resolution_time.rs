//! # complaint_resolution_time
//!
//! How long it takes to close a complaint.
//!
//! What it does: measures the hours from the opening of each complaint to its last solution, and takes a
//! statistic of them. The name carries the statistic: `complaint_resolution_time_mean`,
//! `complaint_resolution_time_median`, `complaint_resolution_time_max`, `complaint_resolution_time_p01` to
//! `complaint_resolution_time_p99`.
//!
//! When to use it: complaints are few and matter: look at the longest too.
//!
//! Example: `metrics: [complaint_resolution_time_median, complaint_resolution_time_p90]`, or
//! `ended: {complaint_resolution_time: {statistic: median, open_cases: drop}}`
//!
//! Formula: hours from `time` to `ticket.closed`, of rows with `ticket.complaint`. They are hours of the
//! calendar, or with `hours` (or the source's `ticket.hours`) those in which a business is open. An open one
//! has lasted until `as_of` at least, and counts so in medians and other quantiles, which are Kaplan and
//! Meier's (with `open_cases: censor`, the default): the first time by which the share has ended, null where
//! it is not reached; bounds from the band that is symmetric in ln(−ln S), and at 0 where none is left.
//! Where nothing is open they are the plain ones (type 7, rank intervals), and so they are of ended ones with
//! `open_cases: drop`. The mean, with its t interval, and the longest are of ended ones. A quantile of which
//! the wait is open has the columns `m`, `m_n` (all of them), `m_open`, `m_low`, `m_high`; the others those
//! of their kind. Of nothing: null. Needs `time`, `ticket.closed` and `ticket.complaint`.
//!
//! References: Kaplan and Meier (1958), Nonparametric estimation from incomplete observations.

use super::{Wait, waiting};
use crate::ir::Mark;
use crate::metrics::MetricKind;

/// The registry's entry.
pub const KIND: MetricKind =
    waiting::<ComplaintResolution>(include_str!("complaint_resolution_time.rs"));

#[derive(Debug)]
struct ComplaintResolution;

impl Wait for ComplaintResolution {
    const NAME: &str = "complaint_resolution_time";
    const ENDED: Mark = Mark::Closed;
    const AMONG: Option<Mark> = Some(Mark::Complaint);
}
