//! Folds: aggregates that take morsels and keep only their state.
//!
//! **Invariants**
//! - `merge` is associative and commutative: splitting the input anywhere, in any order, gives the
//!   same finished frame. The tests split at random.
//! - A state never refers to a morsel once it has taken it.

mod aggregate;
mod arguments;
mod cohort;
mod collect;
pub(super) mod days;
mod dedupe;
mod gather;
mod groups;
mod history;
mod movements;
mod pack;
mod people;
mod periods;
mod repeats;
mod state;
mod summary;
mod values;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::memory::Memory;
use super::people::People;
use crate::document::TimeUnit;
use crate::engine::EngineError;
use crate::frame::Frame;
use crate::ir::{Calendar, Expr, RelNode, RelRef};

pub use aggregate::AggregateFold;
pub(super) use cohort::CohortFold;
pub(super) use collect::CollectFold;
pub(super) use days::{Days, DaysFold, Gathered, Segments};
pub(super) use dedupe::{DedupeFold, FirstRows, needs as dedupe_needs};
pub(super) use history::HistoryFold;
pub(super) use summary::SummaryFold;

/// A batch of rows on its way through a pass.
#[derive(Debug)]
pub struct Morsel<'a> {
    pub batch: &'a RecordBatch,
    /// The rows of it that there are, if not all are: for folds that take [selections](Fold::selects).
    pub selected: Option<&'a BooleanBuffer>,
    /// Where the morsel stands in the input: the same for the same files and row groups.
    pub ordinal: u64,
}

/// What is known of the input before its first row.
#[derive(Debug, Clone, Default)]
pub struct ScanFacts {
    /// Rows of the scan, before any filter.
    pub rows: u64,
    /// True if there are so many that what is kept of each is packed.
    pub large: bool,
    /// The memory there is for what is kept of them.
    pub(super) memory: Arc<Memory>,
}

impl ScanFacts {
    /// An input of so many rows, which are not many.
    pub fn of_rows(rows: u64) -> Self {
        ScanFacts { rows, ..ScanFacts::default() }
    }
}

/// An aggregate that is fed morsels.
pub trait Fold: Sync {
    type State: Send;

    /// The columns of its input that it reads.
    fn needs(&self) -> BTreeSet<String>;

    /// The state before the first row.
    fn start(&self, facts: &ScanFacts) -> Self::State;

    /// Takes a morsel in.
    ///
    /// # Errors
    /// A value for which an expression has no result.
    fn take(&self, state: &mut Self::State, morsel: &Morsel) -> Result<(), EngineError>;

    /// The state of both inputs together. Associative and commutative.
    ///
    /// # Errors
    /// A sum that overflows, or too many keys.
    fn merge(&self, left: Self::State, right: Self::State) -> Result<Self::State, EngineError>;

    /// The table.
    ///
    /// # Errors
    /// A sum that overflows its type.
    fn finish(&self, state: Self::State) -> Result<Frame, EngineError>;

    /// True if it takes morsels of which only some rows are there.
    fn selects(&self) -> bool {
        false
    }

    /// True if groups can be settled when the days they are of are past.
    fn settles(&self) -> bool {
        false
    }

    /// Settles groups of which no row can come any more: all further ones are of this day or later.
    ///
    /// # Errors
    /// A group that was settled and went on.
    fn settle(&self, state: &mut Self::State, bound: i32) -> Result<(), EngineError> {
        let _ = (state, bound);
        Ok(())
    }
}

/// A fold's state without its type.
pub(super) type AnyState = Box<dyn Any + Send>;

/// A fold without the type of its state, so that several kinds share a pass.
pub(super) trait AnyFold: Sync + Send {
    fn start(&self, facts: &ScanFacts) -> AnyState;
    fn take(&self, state: &mut AnyState, morsel: &Morsel) -> Result<(), EngineError>;
    fn merge(&self, left: AnyState, right: AnyState) -> Result<AnyState, EngineError>;
    fn finish(&self, state: AnyState) -> Result<Frame, EngineError>;
    fn selects(&self) -> bool;
    fn settles(&self) -> bool;
    fn settle(&self, state: &mut AnyState, bound: i32) -> Result<(), EngineError>;
    /// The events of a [`DaysFold`].
    fn days(&self, state: AnyState) -> Result<(Days, Gathered), EngineError>;
}

fn foreign() -> EngineError {
    EngineError::Internal("a fold was given the state of another".into())
}

impl<F> AnyFold for F
where
    F: Fold + Send + 'static,
    F::State: 'static,
{
    fn start(&self, facts: &ScanFacts) -> AnyState {
        Box::new(Fold::start(self, facts))
    }

    fn take(&self, state: &mut AnyState, morsel: &Morsel) -> Result<(), EngineError> {
        let state = state.downcast_mut::<F::State>().ok_or_else(foreign)?;
        Fold::take(self, state, morsel)
    }

    fn merge(&self, left: AnyState, right: AnyState) -> Result<AnyState, EngineError> {
        let left = left.downcast::<F::State>().map_err(|_| foreign())?;
        let right = right.downcast::<F::State>().map_err(|_| foreign())?;
        Ok(Box::new(Fold::merge(self, *left, *right)?))
    }

    fn finish(&self, state: AnyState) -> Result<Frame, EngineError> {
        let state = state.downcast::<F::State>().map_err(|_| foreign())?;
        Fold::finish(self, *state)
    }

    fn selects(&self) -> bool {
        Fold::selects(self)
    }

    fn settles(&self) -> bool {
        Fold::settles(self)
    }

    fn settle(&self, state: &mut AnyState, bound: i32) -> Result<(), EngineError> {
        Fold::settle(self, state.downcast_mut::<F::State>().ok_or_else(foreign)?, bound)
    }

    fn days(&self, state: AnyState) -> Result<(Days, Gathered), EngineError> {
        let fold = (self as &dyn Any).downcast_ref::<DaysFold>().ok_or_else(foreign)?;
        fold.gathered(*state.downcast().map_err(|_| foreign())?)
    }
}

/// The columns that the fold of a relation reads of its input; `None` if it is not folded.
pub(super) fn needs(rel: &RelRef) -> Option<(&RelRef, BTreeSet<String>)> {
    let mut needed = BTreeSet::new();
    let mut read = |expr: &Expr| {
        expr.for_each_column(&mut |name| {
            needed.insert(name.to_owned());
        });
    };
    let input = match &rel.node {
        RelNode::Aggregate(aggregate) => {
            aggregate::expressions(aggregate).into_iter().for_each(&mut read);
            &aggregate.input
        }
        RelNode::History(history) => {
            people::expressions(&history.events).into_iter().for_each(&mut read);
            &history.input
        }
        RelNode::Summary(summary) => {
            people::expressions(&summary.events).into_iter().for_each(&mut read);
            summary.carry.iter().for_each(|carry| read(&carry.value));
            &summary.input
        }
        RelNode::CohortGrid(grid) => {
            people::expressions(&grid.events).into_iter().for_each(&mut read);
            grid.by.iter().for_each(|by| read(&by.value));
            grid.entering.iter().chain(&grid.active).for_each(&mut read);
            &grid.input
        }
        RelNode::Movements(_)
        | RelNode::Repeats(_)
        | RelNode::Scan(_)
        | RelNode::Rejected { .. }
        | RelNode::Filter { .. }
        | RelNode::Project { .. }
        | RelNode::Lookup(_)
        | RelNode::Dedupe(_)
        | RelNode::Union { .. }
        | RelNode::Window(_)
        | RelNode::Join(_)
        | RelNode::Sort { .. }
        | RelNode::Values(_)
        | RelNode::Series { .. }
        | RelNode::Apply(_) => return None,
    };
    Some((input, needed))
}

/// About how many bytes a fold keeps of each row: those of which it needs every single one.
pub(super) fn bytes_per_row(rel: &RelRef, facts: &ScanFacts) -> u64 {
    match &rel.node {
        RelNode::Aggregate(aggregate) => aggregate::bytes_per_row(aggregate, facts),
        RelNode::Summary(_) | RelNode::CohortGrid(_) => 32,
        RelNode::History(_) => 48,
        _ => 0,
    }
}

/// The expressions by which a fold tells customers apart.
pub(super) fn customers(rel: &RelRef) -> Vec<&Expr> {
    match &rel.node {
        RelNode::Aggregate(aggregate) => aggregate::distinct(aggregate),
        RelNode::History(history) => vec![&history.events.customer.value],
        RelNode::Summary(summary) => vec![&summary.events.customer.value],
        RelNode::CohortGrid(grid) => vec![&grid.events.customer.value],
        RelNode::Movements(movements) => vec![&movements.events.customer.value],
        RelNode::Repeats(repeats) => vec![&repeats.events.customer.value],
        _ => Vec::new(),
    }
}

/// The numbers of the customers of an input, and the columns that hold the customers.
pub(super) type Persons<'a> = Option<(&'a Arc<People>, &'a [String])>;

/// The fold of a relation over an input with this schema, in which customers may be numbered; `period` is
/// the key of an aggregate that is a period of time, and its unit.
pub(super) fn of(
    rel: &RelRef,
    input: &crate::frame::Schema,
    persons: Persons,
    period: Option<(usize, TimeUnit)>,
    calendar: &Calendar,
) -> Result<Option<Box<dyn AnyFold>>, EngineError> {
    Ok(Some(match &rel.node {
        RelNode::Aggregate(_) => {
            let fold = AggregateFold::numbered(rel, input, persons, calendar)?;
            Box::new(fold.by_period(period))
        }
        RelNode::History(_) => Box::new(HistoryFold::new(rel, input, calendar)?),
        RelNode::Summary(_) => Box::new(SummaryFold::new(rel, input, calendar)?),
        RelNode::CohortGrid(_) => Box::new(CohortFold::new(rel, input, calendar)?),
        RelNode::Movements(_)
        | RelNode::Repeats(_)
        | RelNode::Scan(_)
        | RelNode::Rejected { .. }
        | RelNode::Filter { .. }
        | RelNode::Project { .. }
        | RelNode::Lookup(_)
        | RelNode::Dedupe(_)
        | RelNode::Union { .. }
        | RelNode::Window(_)
        | RelNode::Join(_)
        | RelNode::Sort { .. }
        | RelNode::Values(_)
        | RelNode::Series { .. }
        | RelNode::Apply(_) => return Ok(None),
    }))
}
