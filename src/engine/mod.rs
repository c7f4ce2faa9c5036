//! Engines: what runs a relation.
//!
//! [`reference`] is the oracle: a row at a time, written for clarity, small tables only. [`local`]
//! is the product: Parquet decoded in parallel into morsels, folded, then small frames. Both give
//! the same tables for every relation; the case files and property tests hold them to it.
//!
//! **Invariants**
//! - An engine imports the ground and `ir`; it has never heard of a stage or a metric.
//! - The same relation over the same rows gives the same table, whatever the order of files, the
//!   size of row groups or the number of threads.
//! - Aggregates come out sorted by their keys, nulls last.

mod contract;
mod discreet;
pub mod local;
pub mod reference;

pub use contract::{Breach, Findings, Moved, Rejected, Rounded, RowNumber};

use crate::document::binary;
use crate::frame::{Frame, FrameError, Value};
use crate::ir::relation::MOST_CELLS;
use crate::ir::{ApplyError, RelRef};

/// Runs relations.
pub trait Engine {
    /// The tables of these relations, in their order. Parts that two of them share (by pointer) are
    /// run once.
    ///
    /// # Errors
    /// What is wrong with the input or a value in it; see [`EngineError`].
    fn run(&self, outputs: &[RelRef]) -> Result<Vec<Frame>, EngineError>;
}

/// Listens to a run, and may ask it to stop.
pub trait Monitor: Sync {
    /// A pass over a source begins; it has so many rows.
    fn begin(&self, _source: &str, _rows: u64) {}
    /// So many more rows are done.
    fn advance(&self, _rows: u64) {}
    /// The pass is over.
    fn end(&self, _source: &str) {}
    /// True if the run should stop as soon as it can.
    fn stopped(&self) -> bool {
        false
    }
    /// The exit status that whoever asked to stop wants, for the run's record.
    fn exit_status(&self) -> Option<u8> {
        None
    }
    /// The run did not stop in time and has left everything in order: whoever asked may end the
    /// process.
    fn abandon(&self) {}
}

/// A monitor that hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Monitor for Unwatched {}

/// Where in the input a fault is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub source: String,
    pub file: Option<String>,
    pub row_group: Option<usize>,
    pub column: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "source `{}`", self.source)?;
        if let Some(file) = &self.file {
            write!(f, ", file {file}")?;
        }
        if let Some(row_group) = self.row_group {
            write!(f, ", row group {row_group}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        Ok(())
    }
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file cannot be read or decoded.
    #[error("{place}: {reason}")]
    Unreadable { place: Box<Place>, reason: String },
    /// Rows break the source's contract, more than it bears.
    #[error("{0}")]
    Contract(Box<Breach>),
    /// A table that must have one row per key has several.
    #[error("{table} has more than one row for the key {key}")]
    NotUnique { table: String, key: String, node: NodeId },
    /// A value for which an expression has no result.
    #[error("{0}")]
    Evaluate(#[from] EvaluateError),
    /// The same, where the rows of a source are read.
    #[error("{place}: {error}")]
    EvaluateAt { place: Box<Place>, error: EvaluateError },
    /// A table that cannot be put together.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A table whose rows follow from a span of dates would have too many.
    #[error("{0}")]
    TooManyCells(Box<Extent>),
    /// A function of tables that has no result.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The run holds more than its limit of memory, and nothing of it can be put aside.
    #[error("the memory limit of {} is too little: about {} are needed", binary(*limit), binary(*needed))]
    Memory { limit: u64, needed: u64 },
    /// What does not fit into the memory cannot be put aside.
    #[error("cannot put aside what does not fit into the memory: {reason}")]
    Spill { reason: String },
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A fault of the program itself.
    #[error("{0}")]
    Internal(String),
}

/// Which node of a plan a fault is of, as long as the plan is there; the default is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeId(usize);

impl NodeId {
    /// The node of a relation.
    pub fn of(rel: &RelRef) -> Self {
        NodeId(std::sync::Arc::as_ptr(rel) as usize)
    }

    /// True if it is known which node it is.
    pub fn is_known(self) -> bool {
        self != NodeId::default()
    }
}

/// Rows that follow from a span of dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    pub rows: u128,
    /// What they are, in words: `periods by day of 3 groups`.
    pub of: String,
    /// The first and the last day, where they are known.
    pub span: Option<(Value, Value)>,
    /// What stands at the first day, in words.
    pub first: Option<String>,
    pub node: NodeId,
}

impl Extent {
    /// The error, if the rows are more than a table may have.
    fn check(self) -> Result<(), EngineError> {
        match self.rows > u128::from(MOST_CELLS) {
            true => Err(EngineError::TooManyCells(Box::new(self))),
            false => Ok(()),
        }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} would have {} rows, more than {MOST_CELLS}", self.of, self.rows)?;
        if let Some((first, last)) = &self.span {
            write!(f, ": they reach from {first} to {last}")?;
        }
        if let Some(first) = &self.first {
            write!(f, "; {first}")?;
        }
        Ok(())
    }
}

impl EngineError {
    /// Says which node a fault is of, if that is not known yet.
    pub(crate) fn of(mut self, rel: &RelRef) -> Self {
        let node = match &mut self {
            EngineError::NotUnique { node, .. } => node,
            EngineError::TooManyCells(extent) => &mut extent.node,
            _ => return self,
        };
        if !node.is_known() {
            *node = NodeId::of(rel);
        }
        self
    }

    /// The node that the fault is of, if it is one of a node.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            EngineError::NotUnique { node, .. } => Some(*node),
            EngineError::TooManyCells(extent) => Some(extent.node),
            _ => None,
        }
    }

    /// Says where in the input a value has no result.
    pub(crate) fn at(self, place: &Place) -> Self {
        match self {
            EngineError::Evaluate(error) => {
                EngineError::EvaluateAt { place: Box::new(place.clone()), error }
            }
            other => other,
        }
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    #[error("`{value}` cannot be cast to {to}")]
    Cast { value: String, to: String },
    #[error("`{function}` overflows")]
    Overflow { function: String },
}
