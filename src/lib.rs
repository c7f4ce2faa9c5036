//! `tenure`: a batch engine for customer analytics.

pub mod report;
