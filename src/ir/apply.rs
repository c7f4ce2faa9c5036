//! Functions of whole tables: what relational nodes cannot say.
//!
//! The fit of a model and a bootstrap read small frames and give small frames. They are pure, so a
//! relation that holds one can be planned, typed and hashed like any other, and whatever reads its
//! tables (a stage, a segment, a check) need not know of it.

use std::fmt::Debug;
use std::sync::Arc;

use super::calendar::Calendar;
use super::relation::RelRef;
use crate::frame::{Frame, Schema};

/// A pure function of tables.
///
/// It must give the same tables for the same rows. Frames that come from folds are sorted by their
/// keys; a function that depends on the order of rows has a `Sort` under its input.
pub trait FrameFunction: Debug + Send + Sync {
    /// A short name for messages.
    fn name(&self) -> &'static str;
    /// The name with every option: what `explain` prints and the plan's hash is taken of.
    fn describe(&self) -> String;
    /// The columns of each table it gives.
    fn schemas(&self) -> Vec<Arc<Schema>>;
    /// The column of its inputs whose values, or texts made of them, are in a column that it gives: that of the same
    /// name, if there is one. By this what is personal is followed.
    fn comes_from<'a>(&'a self, column: &'a str) -> &'a str {
        column
    }
    /// The tables, in the order of [`FrameFunction::schemas`].
    ///
    /// # Errors
    /// Input for which there is no result.
    fn apply(&self, inputs: &[Frame], calendar: &Calendar) -> Result<Vec<Frame>, ApplyError>;
}

/// Why a function of tables has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: {reason}")]
pub struct ApplyError {
    pub function: &'static str,
    /// A lowercase fragment.
    pub reason: String,
}

/// A function and the tables it reads. Relations that share a call by pointer share its run.
#[derive(Debug)]
pub struct Call {
    pub inputs: Vec<RelRef>,
    pub function: Arc<dyn FrameFunction>,
}

/// One table of a call.
#[derive(Debug, Clone)]
pub struct Apply {
    pub call: Arc<Call>,
    /// Which of the function's tables.
    pub output: usize,
}
