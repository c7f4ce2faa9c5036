//! The fold of `Dedupe`: which rows are the first of their key.
//!
//! It does not keep the rows, only their places: the chain runs a second time and lets those through.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::SortOptions;
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, SortField};

use super::super::evaluate::{Program, flat};
use super::super::intern::{Interner, Keys, with_precision};
use super::super::kernel::arrow_error;
use super::{Fold, Morsel, ScanFacts};
use crate::engine::EngineError;
use crate::frame::{DataType, Field, Frame, Schema, Value};
use crate::ir::{Calendar, Dedupe, Expr};

/// Finds the first row of each key. Its table has the columns `morsel` and `row`.
pub(in super::super) struct DedupeFold {
    program: Program,
    keys: Keys,
    key_count: usize,
    order: RowConverter,
    order_types: Vec<DataType>,
    calendar: Calendar,
}

/// The best row of a key so far.
struct Best {
    order: Box<[u8]>,
    place: (u64, u32),
}

/// Keys and the best row of each.
#[derive(Default)]
pub(in super::super) struct DedupeState {
    keys: Interner,
    best: Vec<Best>,
}

impl DedupeState {
    fn offer(&mut self, key: u32, order: &[u8], place: (u64, u32)) {
        match self.best.get_mut(key as usize) {
            None => self.best.push(Best { order: order.into(), place }),
            // Rows of the same order are alike; their places decide, so that one of them stays.
            Some(known) if (order, place) < (&known.order, known.place) => {
                *known = Best { order: order.into(), place };
            }
            Some(_) => {}
        }
    }
}

/// The columns that a `Dedupe` reads to find the first rows.
pub(in super::super) fn needs(dedupe: &Dedupe) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for expr in dedupe.keys.iter().chain(dedupe.order.iter().map(|order| &order.value)) {
        expr.for_each_column(&mut |name| {
            needed.insert(name.to_owned());
        });
    }
    needed
}

impl DedupeFold {
    pub fn new(dedupe: &Dedupe, input: &Schema, calendar: &Calendar) -> Result<Self, EngineError> {
        let order: Vec<&Expr> = dedupe.order.iter().map(|order| &order.value).collect();
        let program = Program::bind(dedupe.keys.iter().chain(order.iter().copied()), input)?;
        let fields = dedupe.order.iter().map(|order| {
            let options = SortOptions { descending: order.descending, nulls_first: false };
            SortField::new_with_options(order.value.data_type.arrow(), options)
        });
        Ok(DedupeFold {
            program,
            keys: Keys::new(dedupe.keys.iter().map(|key| key.data_type).collect())?,
            key_count: dedupe.keys.len(),
            order: RowConverter::new(fields.collect()).map_err(arrow_error)?,
            order_types: order.iter().map(|order| order.data_type).collect(),
            calendar: calendar.clone(),
        })
    }
}

impl Fold for DedupeFold {
    type State = DedupeState;

    fn needs(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn start(&self, _facts: &ScanFacts) -> DedupeState {
        DedupeState::default()
    }

    fn take(&self, state: &mut DedupeState, morsel: &Morsel) -> Result<(), EngineError> {
        let rows = morsel.batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let columns = self.program.run(morsel.batch, &self.calendar)?;
        let (keys, order) = columns.split_at(self.key_count);
        let keys = if keys.is_empty() { None } else { Some(self.keys.encode(keys)?) };
        let order = order
            .iter()
            .zip(&self.order_types)
            .map(|(column, data_type)| with_precision(&flat(column)?, *data_type))
            .collect::<Result<Vec<_>, _>>()?;
        let order = match order.is_empty() {
            true => None,
            false => Some(self.order.convert_columns(&order).map_err(arrow_error)?),
        };
        for row in 0..rows {
            let key = keys.as_ref().map(|keys| keys.row(row));
            let key = state.keys.intern(key.as_ref().map_or(&[][..], |key| key.data()))?;
            let order = order.as_ref().map(|order| order.row(row));
            let order = order.as_ref().map_or(&[][..], |order| order.data());
            state.offer(key, order, (morsel.ordinal, row as u32));
        }
        Ok(())
    }

    fn merge(&self, mut left: DedupeState, right: DedupeState) -> Result<DedupeState, EngineError> {
        let places = left.keys.absorb(&right.keys)?;
        for (best, place) in right.best.into_iter().zip(places) {
            left.offer(place, &best.order, best.place);
        }
        Ok(left)
    }

    fn finish(&self, state: DedupeState) -> Result<Frame, EngineError> {
        let mut places: Vec<(u64, u32)> = state.best.iter().map(|best| best.place).collect();
        places.sort_unstable();
        let schema = Schema::new(vec![
            Field::new("morsel", DataType::Int64),
            Field::new("row", DataType::Int64),
        ]);
        let rows: Vec<Vec<Value>> = places
            .into_iter()
            .map(|(morsel, row)| vec![Value::Int(morsel as i64), Value::Int(row.into())])
            .collect();
        Ok(Frame::from_rows(Arc::new(schema), &rows)?)
    }
}

/// The rows that are the first of their key, by morsel, ascending.
#[derive(Debug, Default)]
pub(in super::super) struct FirstRows(HashMap<u64, Vec<u32>>);

impl FirstRows {
    /// Reads the table that a [`DedupeFold`] gives.
    pub fn of(frame: &Frame) -> Self {
        let mut rows: HashMap<u64, Vec<u32>> = HashMap::new();
        if let [morsels, places] = frame.batch.columns() {
            let places = places.as_primitive::<Int64Type>().values();
            for (morsel, &row) in morsels.as_primitive::<Int64Type>().values().iter().zip(places) {
                rows.entry(*morsel as u64).or_default().push(row as u32);
            }
        }
        FirstRows(rows)
    }

    /// All of them, where a table was folded in slices that are numbered by their first row.
    pub fn all(&self) -> Vec<u32> {
        let absolute = self.0.iter().flat_map(|(first, rows)| {
            rows.iter().map(move |row| (*first as u32).saturating_add(*row))
        });
        let mut all: Vec<u32> = absolute.collect();
        all.sort_unstable();
        all
    }

    /// Those of a morsel.
    pub fn of_morsel(&self, ordinal: u64) -> &[u32] {
        self.0.get(&ordinal).map_or(&[], Vec::as_slice)
    }
}
