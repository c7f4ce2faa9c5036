//! `tenure`: a batch engine for customer analytics.

pub mod diagnostic;
pub mod document;
pub mod frame;
pub mod ir;
pub mod engine;
pub mod stats;
pub mod metrics;
pub mod plan;
pub mod report;
pub mod run;
pub mod spec;
pub mod stages;
