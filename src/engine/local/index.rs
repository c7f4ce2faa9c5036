//! Tables to look up in.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute;
use arrow::datatypes::{DataType as ArrowType, Int32Type};

use super::intern::{Interner, Keys, columns_at};
use super::kernel::arrow_error;
use super::people::{NOBODY, Numbers, People, whole};
use crate::engine::{EngineError, NodeId};
use crate::frame::{DataType, Frame};

/// A table with its columns as they are looked up.
pub(super) struct LookedUp {
    pub frame: Frame,
    /// Each column, once somebody asked for it.
    columns: Vec<OnceLock<LookedUpColumn>>,
}

/// A column that is looked up.
#[derive(Clone)]
pub(super) struct LookedUpColumn {
    values: ArrayRef,
    /// Of few texts the code of each row, [`NO_TEXT`] where there is none: rows are asked for in any order, and
    /// of one byte each more of them are in the caches.
    codes: Option<Arc<[u8]>>,
}

/// The code of no text.
const NO_TEXT: u8 = u8::MAX;

impl LookedUpColumn {
    fn new(values: ArrayRef) -> Self {
        let codes = values.as_dictionary_opt::<Int32Type>().and_then(|dictionary| {
            let few = dictionary.values().len() < NO_TEXT.into();
            (few && dictionary.values().null_count() == 0).then(|| {
                let code = |key: Option<i32>| key.map_or(NO_TEXT, |key| key as u8);
                dictionary.keys().iter().map(code).collect()
            })
        });
        LookedUpColumn { values, codes }
    }

    /// What stands in these rows; null where there is no row.
    ///
    /// # Errors
    /// Rows that are not there.
    pub fn take(&self, rows: &UInt32Array) -> Result<ArrayRef, EngineError> {
        let (Some(codes), 0) = (&self.codes, rows.null_count()) else {
            return compute::take(&self.values, rows, None).map_err(arrow_error);
        };
        let codes: Vec<u8> = rows.values().iter().map(|&row| codes[row as usize]).collect();
        let text = |code: u8| code != NO_TEXT;
        let all = codes.iter().fold(true, |all, &code| all & text(code));
        let nulls = (!all).then(|| {
            NullBuffer::new(BooleanBuffer::collect_bool(codes.len(), |row| text(codes[row])))
        });
        let key = |&code: &u8| if text(code) { code.into() } else { 0 };
        let keys = Int32Array::new(codes.iter().map(key).collect(), nulls);
        let values = self.values.as_dictionary::<Int32Type>().values().clone();
        Ok(Arc::new(DictionaryArray::try_new(keys, values).map_err(arrow_error)?))
    }
}

impl LookedUp {
    pub fn new(frame: Frame) -> Self {
        let columns = frame.schema.fields.iter().map(|_| OnceLock::new()).collect();
        LookedUp { frame, columns }
    }

    /// The columns that are looked up; text as a dictionary, so that only codes are copied.
    ///
    /// # Errors
    /// More texts than a dictionary has codes.
    pub fn columns(&self, names: &[&str]) -> Result<Vec<LookedUpColumn>, EngineError> {
        let places = names.iter().filter_map(|name| self.frame.schema.index_of(name));
        let column = |place: usize| {
            if let Some(known) = self.columns[place].get() {
                return Ok(known.clone());
            }
            let column = self.frame.batch.column(place);
            let column = match self.frame.schema.fields[place].data_type {
                DataType::String => {
                    let dictionary =
                        ArrowType::Dictionary(ArrowType::Int32.into(), ArrowType::Utf8.into());
                    compute::cast(column, &dictionary).map_err(arrow_error)?
                }
                _ => column.clone(),
            };
            Ok(self.columns[place].get_or_init(|| LookedUpColumn::new(column)).clone())
        };
        places.map(column).collect()
    }
}

/// A table to look up in, by its unique key.
pub(super) struct Index {
    pub rows: Arc<RowsByKey>,
    pub table: Arc<LookedUp>,
}

/// The rows of tables that have these columns as their key.
pub(super) struct RowsByKey {
    pub columns: Vec<ArrayRef>,
    known: Known,
    /// The row of each key.
    rows: Vec<u32>,
}

/// The keys, numbered.
enum Known {
    /// One column of whole numbers.
    Whole(Numbers),
    Bytes {
        keys: Keys,
        interner: Interner,
    },
}

/// Two rows with the same key.
fn not_unique(frame: &Frame, places: &[usize], row: usize, title: &str) -> EngineError {
    let key: Vec<String> =
        places.iter().map(|&place| frame.value(row, place).to_string()).collect();
    let (table, key) = (title.to_owned(), key.join(", "));
    EngineError::NotUnique { table, key, node: NodeId::default() }
}

/// The places of columns in a table.
fn places_of(frame: &Frame, names: &[&str]) -> Vec<usize> {
    names.iter().filter_map(|name| frame.schema.index_of(name)).collect()
}

/// The columns of a table that are its key.
pub(super) fn key_columns(frame: &Frame, names: &[&str]) -> Vec<ArrayRef> {
    columns_at(&frame.batch, &places_of(frame, names))
}

impl RowsByKey {
    /// Indexes a table by some of its columns; rows with a null in one are left out.
    ///
    /// # Errors
    /// Two rows with the same key.
    pub fn new(frame: &Frame, names: &[&str], title: &str) -> Result<Self, EngineError> {
        let places = places_of(frame, names);
        let columns = columns_at(&frame.batch, &places);
        let mut rows = Vec::new();
        let mut note = |row: usize, id: u32| {
            if (id as usize) < rows.len() {
                return Err(not_unique(frame, &places, row, title));
            }
            rows.push(row as u32);
            Ok(())
        };
        let known = match columns.as_slice() {
            [column] if matches!(column.data_type(), ArrowType::Int64 | ArrowType::Int32) => {
                let mut numbers = Numbers::new();
                let keys = whole(column);
                keys.iter().for_each(|keys| numbers.reserve(keys.values()));
                for (row, key) in keys.iter().flatten().enumerate() {
                    if let Some(key) = key {
                        note(row, numbers.insert(key)?)?;
                    }
                }
                Known::Whole(numbers)
            }
            _ => {
                let types =
                    places.iter().map(|&place| frame.schema.fields[place].data_type).collect();
                let (keys, mut interner) = (Keys::new(types)?, Interner::default());
                let encoded = keys.encode(&columns)?;
                for row in 0..frame.rows() {
                    if !columns.iter().any(|column| column.is_null(row)) {
                        note(row, interner.intern(encoded.row(row).as_ref())?)?;
                    }
                }
                Known::Bytes { keys, interner }
            }
        };
        Ok(RowsByKey { columns, known, rows })
    }

    /// The row of the table for each row of key columns.
    ///
    /// # Errors
    /// Columns of other types than those of the keys.
    pub fn find(&self, columns: &[ArrayRef]) -> Result<UInt32Array, EngineError> {
        match &self.known {
            Known::Whole(numbers) => {
                let column = columns.first().and_then(whole);
                let foreign = || EngineError::Internal("a key of another type".into());
                let column = column.ok_or_else(foreign)?;
                let mut ids = Vec::with_capacity(column.len());
                numbers.find_all(column.values(), &mut ids);
                let row = |(row, &id): (usize, &u32)| {
                    (id != NOBODY && column.is_valid(row)).then(|| self.rows[id as usize])
                };
                Ok(ids.iter().enumerate().map(row).collect())
            }
            Known::Bytes { keys, interner } => {
                let encoded = keys.encode(columns)?;
                let rows = (0..encoded.num_rows()).map(|row| {
                    if columns.iter().any(|column| column.is_null(row)) {
                        return None;
                    }
                    let id = interner.find(encoded.row(row).as_ref())?;
                    Some(self.rows[id as usize])
                });
                Ok(rows.collect())
            }
        }
    }
}

/// A table to look up in by a customer's number.
pub(super) struct PersonIndex {
    pub rows: Arc<RowsOfPeople>,
    pub table: Arc<LookedUp>,
}

/// The rows of tables that have this column of customers.
pub(super) struct RowsOfPeople {
    pub column: ArrayRef,
    pub people: Arc<People>,
    /// The row of each customer who has one, else [`NOBODY`]; empty where the rows are numbered like the
    /// customers.
    rows: Vec<u32>,
    /// How many customers have rows by their own numbers.
    alike: usize,
}

impl RowsOfPeople {
    /// Indexes a table by the column of its customers, who are numbered with it; rows without one are
    /// left out.
    ///
    /// # Errors
    /// Two rows of one customer.
    pub fn new(
        frame: &Frame,
        key: &str,
        people: &Arc<People>,
        title: &str,
    ) -> Result<Self, EngineError> {
        let places = places_of(frame, &[key]);
        let column = frame.batch.column(places[0]).clone();
        people.reserve(&column);
        let ids = people.number(&column)?;
        people.settle();
        let mut rows = vec![NOBODY; people.len()];
        for (row, &id) in ids.values().iter().enumerate().filter(|(_, id)| **id != NOBODY) {
            if rows[id as usize] != NOBODY {
                return Err(not_unique(frame, &places, row, title));
            }
            rows[id as usize] = row as u32;
        }
        let mut alike = 0;
        // Whoever is met first in this table is in the order of its rows.
        if rows.iter().zip(0..).all(|(row, id)| *row == id) {
            alike = rows.len();
            rows = Vec::new();
        }
        Ok(RowsOfPeople { column, people: people.clone(), rows, alike })
    }

    /// The row of the table for each customer.
    pub fn find(&self, ids: &UInt32Array) -> UInt32Array {
        if self.alike > 0 {
            let all = ids.values().iter().fold(true, |all, &id| all & ((id as usize) < self.alike));
            let known = |&id: &u32| ((id as usize) < self.alike).then_some(id);
            return if all { ids.clone() } else { ids.values().iter().map(known).collect() };
        }
        let row = |&id: &u32| self.rows.get(id as usize).copied().unwrap_or(NOBODY);
        let rows: Vec<u32> = ids.values().iter().map(row).collect();
        if rows.contains(&NOBODY) {
            return rows.into_iter().map(|row| (row != NOBODY).then_some(row)).collect();
        }
        UInt32Array::from(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;

    #[test]
    fn few_texts_and_many_are_taken_alike() {
        for texts in [3, 254, 255, 300] {
            let text = |row: u32| (row % 7 != 6).then(|| format!("t{}", row % texts));
            let column: StringArray = (0..1000).map(text).collect();
            let column: DictionaryArray<Int32Type> = column.iter().collect();
            let column: ArrayRef = Arc::new(column);
            let looked_up = LookedUpColumn::new(column.clone());
            assert_eq!(looked_up.codes.is_some(), texts < 255);
            let row = |place: u32| place * 7919 % 1000;
            let everywhere = UInt32Array::from_iter_values((0..2000).map(row));
            let somewhere: UInt32Array =
                (0..2000).map(|place| (place % 5 != 0).then_some(row(place))).collect();
            let there = UInt32Array::from_iter_values((0..50).map(|place| place * 7));
            for rows in [everywhere, somewhere, there, UInt32Array::from(vec![0_u32; 0])] {
                let taken = looked_up.take(&rows).expect("rows that are there");
                let plain = compute::take(&column, &rows, None).expect("rows that are there");
                let text = |array: &ArrayRef| {
                    compute::cast(array, &ArrowType::Utf8).expect("texts are texts")
                };
                assert_eq!(&text(&taken), &text(&plain));
            }
        }
    }
}
