//! The order of time in a scan: where no earlier row can come any more.
//!
//! Footers mostly tell which times a row group holds. Where the row groups of a scan, in the order of
//! their first times, reach little into each other, a group of rows by month is complete long before
//! the scan is: its distinct customers and medians can be had, and what they are made of let go.

use std::sync::{Mutex, PoisonError};

use super::engine::LocalSource;
use super::fold::{AnyFold, AnyState};
use super::prune::Pruned;
use crate::engine::EngineError;
use crate::frame::{DataType, Value};
use crate::ir::Calendar;

/// Rows of an epoch: of so many a fold keeps all that it must keep of each row.
pub(super) const EPOCH_ROWS: u64 = 1 << 22;

/// The row groups of a scan in the order in which they are read.
pub(super) struct Epochs {
    /// Places in the order of the files.
    pub order: Vec<usize>,
    /// The epoch of each, ascending.
    epochs: Vec<usize>,
    /// The first day on which a row of a later epoch can be, for each epoch but the last.
    bounds: Vec<i32>,
}

impl Epochs {
    /// All in one.
    pub fn one(row_groups: usize) -> Self {
        Epochs { order: (0..row_groups).collect(), epochs: vec![0; row_groups], bounds: Vec::new() }
    }

    /// By the times in a column, if the footers tell them: `items` are file and row group.
    pub fn by_time(
        source: &LocalSource,
        items: &[(usize, usize)],
        (column, data_type): (&str, DataType),
        calendar: &Calendar,
        epoch_rows: u64,
    ) -> Option<Self> {
        let first_day = |value: &Value| match value {
            Value::Null => Some(i32::MAX),
            Value::Date(day) => Some(*day),
            Value::Timestamp(at) => Some(calendar.date_of(*at)),
            _ => None,
        };
        let mut days = Vec::with_capacity(items.len());
        for file in &source.files {
            let least = file.least_of_row_groups(column, data_type, calendar)?;
            days.extend(least.iter().map(first_day).collect::<Option<Vec<i32>>>()?);
        }
        if days.len() != items.len() {
            return None;
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&place| days[place]);
        let (mut rows, mut epochs) = (0, Vec::with_capacity(items.len()));
        for &place in &order {
            epochs.push((rows / epoch_rows) as usize);
            let (file, group) = items[place];
            rows += source.files[file].rows_of(group);
        }
        // Epochs without a row group of their own have no number.
        epochs = epochs
            .iter()
            .scan((0, 0), |(last, number), &epoch| {
                *number += usize::from(epoch != *last);
                *last = epoch;
                Some(*number)
            })
            .collect();
        let begins = |&place: &usize| place > 0 && epochs[place] != epochs[place - 1];
        let begins = (0..epochs.len()).filter(begins);
        let bounds = begins.map(|place| days[order[place]]).collect();
        Some(Epochs { order, epochs, bounds })
    }

    /// Without the row groups that need not be read.
    pub fn without(mut self, pruned: &Pruned) -> Self {
        let read = |place: usize| !pruned.leaves(place);
        let kept = self.order.iter().zip(&self.epochs).filter(|(place, _)| read(**place));
        (self.order, self.epochs) = kept.map(|(&place, &epoch)| (place, epoch)).unzip();
        self
    }

    /// The most rows of which everything is kept where groups are settled: those of the epochs that threads
    /// are in, and of the one before.
    pub fn rows_at_once() -> u64 {
        2 * EPOCH_ROWS
    }

    /// How many epochs there are but the last.
    pub fn past(&self) -> usize {
        self.bounds.len()
    }

    /// The epoch of a place in the order.
    pub fn of(&self, place: usize) -> usize {
        self.epochs.get(place).copied().unwrap_or(self.bounds.len())
    }
}

/// What the threads have come to in the epochs that are over.
pub(super) struct Settled<'a> {
    epochs: &'a Epochs,
    folds: &'a [Box<dyn AnyFold>],
    /// The folds that can settle groups, by number.
    settling: Vec<usize>,
    threads: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// For each epoch how many threads are through with it, and what they have come to.
    passed: Vec<(usize, Vec<Vec<AnyState>>)>,
    /// The states of all epochs that every thread is through with, in the order of `settling`.
    states: Option<Vec<AnyState>>,
}

impl<'a> Settled<'a> {
    pub fn new(epochs: &'a Epochs, folds: &'a [Box<dyn AnyFold>], threads: usize) -> Self {
        let settling = (0..folds.len()).filter(|&fold| folds[fold].settles()).collect();
        let passed = (0..epochs.past()).map(|_| Default::default()).collect();
        let inner = Mutex::new(Inner { passed, states: None });
        Settled { epochs, folds, settling, threads, inner }
    }

    /// Notes that a thread goes on from an epoch to a later one: what it has come to is taken from it.
    /// The last thread settles what is complete.
    ///
    /// # Errors
    /// What merging states has, and a group that goes on after its end.
    pub fn pass(
        &self,
        from: usize,
        to: usize,
        states: Option<&mut Vec<AnyState>>,
        start: impl Fn(usize) -> AnyState,
    ) -> Result<(), EngineError> {
        if from >= to || self.settling.is_empty() {
            return Ok(());
        }
        let mut own: Option<Vec<AnyState>> = states.map(|states| {
            let take = |&fold: &usize| std::mem::replace(&mut states[fold], start(fold));
            self.settling.iter().map(take).collect()
        });
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for epoch in from..to {
            let (passed, kept) = &mut inner.passed[epoch];
            *passed += 1;
            kept.extend(own.take());
            if *passed == self.threads {
                let kept = std::mem::take(kept);
                self.settle(&mut inner, kept, self.epochs.bounds[epoch])?;
            }
        }
        Ok(())
    }

    fn settle(
        &self,
        inner: &mut Inner,
        kept: Vec<Vec<AnyState>>,
        bound: i32,
    ) -> Result<(), EngineError> {
        for states in kept {
            inner.states = Some(match inner.states.take() {
                None => states,
                Some(known) => self
                    .settling
                    .iter()
                    .zip(known.into_iter().zip(states))
                    .map(|(&fold, (known, more))| self.folds[fold].merge(known, more))
                    .collect::<Result<_, _>>()?,
            });
        }
        for (&fold, state) in self.settling.iter().zip(inner.states.iter_mut().flatten()) {
            self.folds[fold].settle(state, bound)?;
        }
        Ok(())
    }

    /// The states of the epochs that are over together with those of the last one.
    ///
    /// # Errors
    /// What merging states has.
    pub fn join(self, states: &mut [AnyState]) -> Result<(), EngineError> {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (&fold, known) in self.settling.iter().zip(inner.states.into_iter().flatten()) {
            let last = std::mem::replace(&mut states[fold], Box::new(()));
            states[fold] = self.folds[fold].merge(known, last)?;
        }
        Ok(())
    }
}
