//! What an accumulator takes of a morsel: its arguments, and the rows that take part.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};

use super::super::intern::Keys;
use super::super::kernel::mask;

/// The rows of a morsel that pass a filter, found once for all accumulators that have it.
pub(super) struct Selected {
    rows: Vec<u32>,
    /// Their groups.
    groups: Vec<u32>,
}

impl Selected {
    /// The rows for which a condition is true, of those that are there; `None` if it is for all of the morsel.
    pub fn new(
        condition: &BooleanArray,
        there: Option<&BooleanBuffer>,
        groups: &[u32],
    ) -> Option<Self> {
        let passes = mask(condition).values().clone();
        let passes = there.map_or_else(|| passes.clone(), |there| &passes & there);
        let count = passes.count_set_bits();
        (count < groups.len()).then(|| Selected::of(&passes, count, groups))
    }

    /// Rows that are there, of which there are so many.
    pub fn of(there: &BooleanBuffer, count: usize, groups: &[u32]) -> Self {
        let mut rows = Vec::with_capacity(count);
        rows.extend(there.set_indices_u32());
        let groups = rows.iter().map(|&row| groups[row as usize]).collect();
        Selected { rows, groups }
    }
}

/// The rows of a morsel that an accumulator takes.
pub(super) enum Valid<'a> {
    All,
    /// Some, with their groups.
    Some {
        rows: Cow<'a, [u32]>,
        groups: Cow<'a, [u32]>,
    },
}

/// The evaluated arguments of an accumulator for one morsel.
pub(super) struct Arguments<'a> {
    pub columns: &'a [ArrayRef],
    /// The rows that take part, if not all do.
    pub selected: Option<&'a Selected>,
    /// True if all that take part have the first argument.
    pub present: bool,
    pub groups: &'a [u32],
    /// Encoders of the columns, where the kind needs bytes: one per column, or for
    /// [`Kind::First`](super::state::Kind::First) one of the order.
    pub keys: &'a [Keys],
}

impl Arguments<'_> {
    /// Calls `take` with each row that takes part and its group.
    pub fn for_each(&self, mut take: impl FnMut(usize, usize)) {
        match self.selected {
            None => (0..).zip(self.groups).for_each(|(row, &group)| take(row, group as usize)),
            Some(Selected { rows, groups }) => {
                rows.iter()
                    .zip(groups)
                    .for_each(|(&row, &group)| take(row as usize, group as usize));
            }
        }
    }

    /// Where the first argument is null, if it may be in rows that take part.
    fn nulls(&self) -> Option<&NullBuffer> {
        let nulls = self.columns.first().and_then(|column| column.nulls());
        nulls.filter(|nulls| !self.present && nulls.null_count() > 0)
    }

    /// The same, for rows where the first argument is not null.
    pub fn for_each_valid(&self, mut take: impl FnMut(usize, usize)) {
        match self.nulls() {
            None => self.for_each(take),
            Some(valid) => self.for_each(|row, group| {
                if valid.is_valid(row) {
                    take(row, group);
                }
            }),
        }
    }

    /// The rows that take part, those for which a condition holds if there is one.
    pub fn those(&self, condition: Option<impl Fn(u32) -> bool>) -> Valid<'_> {
        let Some(condition) = condition else {
            return match self.selected {
                None => Valid::All,
                Some(Selected { rows, groups }) => {
                    Valid::Some { rows: rows.into(), groups: groups.into() }
                }
            };
        };
        let (mut rows, mut groups) = (Vec::new(), Vec::new());
        self.for_each(|row, group| {
            if condition(row as u32) {
                rows.push(row as u32);
                groups.push(group as u32);
            }
        });
        Valid::Some { rows: rows.into(), groups: groups.into() }
    }

    /// The rows that take part and in which the first argument is not null.
    pub fn valid(&self) -> Valid<'_> {
        self.those(self.nulls().map(|valid| |row: u32| valid.is_valid(row as usize)))
    }

    /// Rows that take part, with their group.
    pub fn rows(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let all = self.selected.map_or(self.groups.len(), |selected| selected.rows.len());
        (0..all).map(move |place| match self.selected {
            None => (place, self.groups[place] as usize),
            Some(Selected { rows, groups }) => (rows[place] as usize, groups[place] as usize),
        })
    }
}
