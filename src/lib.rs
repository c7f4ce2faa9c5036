//! `tenure`: a batch engine for customer analytics.

pub mod diagnostic;
pub mod document;
pub mod engine;
pub mod frame;
pub mod ir;
pub mod report;
pub mod stats;
