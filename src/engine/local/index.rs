//! Tables to look up in.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use arrow::datatypes::DataType as ArrowType;

use super::intern::{Interner, Keys};
use super::kernel::arrow_error;
use super::people::{NOBODY, People};
use crate::engine::{EngineError, NodeId};
use crate::frame::{DataType, Frame};

/// A table to look up in, by its unique key.
pub(super) struct Index {
    keys: Keys,
    interner: Interner,
    /// The row of each key.
    rows: Vec<u32>,
    pub frame: Frame,
}

impl Index {
    /// Indexes a table by some of its columns; rows with a null in one are left out.
    ///
    /// # Errors
    /// Two rows with the same key.
    pub fn new(frame: Frame, names: &[&str], table: &str) -> Result<Self, EngineError> {
        let places: Vec<usize> =
            names.iter().filter_map(|name| frame.schema.index_of(name)).collect();
        let types = places.iter().map(|&place| frame.schema.fields[place].data_type).collect();
        let keys = Keys::new(types)?;
        let columns = super::intern::columns_at(&frame.batch, &places);
        let encoded = keys.encode(&columns)?;
        let (mut interner, mut rows) = (Interner::default(), Vec::new());
        for row in 0..frame.rows() {
            if columns.iter().any(|column| arrow::array::Array::is_null(column, row)) {
                continue;
            }
            let id = interner.intern(encoded.row(row).as_ref())? as usize;
            if id < rows.len() {
                let key: Vec<String> =
                    places.iter().map(|&place| frame.value(row, place).to_string()).collect();
                return Err(EngineError::NotUnique {
                    table: table.to_owned(),
                    key: key.join(", "),
                    node: NodeId::default(),
                });
            }
            rows.push(row as u32);
        }
        Ok(Index { keys, interner, rows, frame })
    }

    /// The row of the table for each row of key columns.
    pub fn find(&self, columns: &[ArrayRef]) -> Result<UInt32Array, EngineError> {
        let encoded = self.keys.encode(columns)?;
        let rows = (0..encoded.num_rows()).map(|row| {
            if columns.iter().any(|column| arrow::array::Array::is_null(column, row)) {
                return None;
            }
            let id = self.interner.find(encoded.row(row).as_ref())?;
            Some(self.rows[id as usize])
        });
        Ok(rows.collect())
    }
}

/// A table to look up in by a customer's number.
pub(super) struct PersonIndex {
    /// The row of each customer who has one, else [`NOBODY`].
    rows: Vec<u32>,
    pub frame: Frame,
}

impl PersonIndex {
    /// Indexes a table by the column of its customers, who are numbered with it; rows without one are
    /// left out.
    ///
    /// # Errors
    /// Two rows of one customer.
    pub fn new(frame: Frame, key: &str, people: &People, table: &str) -> Result<Self, EngineError> {
        let place = frame.schema.index_of(key).unwrap_or(0);
        let ids = people.number(frame.batch.column(place))?;
        let mut rows = vec![NOBODY; people.len()];
        for (row, &id) in ids.values().iter().enumerate().filter(|(_, id)| **id != NOBODY) {
            if rows[id as usize] != NOBODY {
                let key = frame.value(row, place).to_string();
                let (table, node) = (table.to_owned(), NodeId::default());
                return Err(EngineError::NotUnique { table, key, node });
            }
            rows[id as usize] = row as u32;
        }
        Ok(PersonIndex { rows, frame })
    }

    /// The row of the table for each customer.
    pub fn find(&self, ids: &UInt32Array) -> UInt32Array {
        let row = |&id: &u32| self.rows.get(id as usize).copied().unwrap_or(NOBODY);
        let rows: Vec<u32> = ids.values().iter().map(row).collect();
        if rows.contains(&NOBODY) {
            return rows.into_iter().map(|row| (row != NOBODY).then_some(row)).collect();
        }
        UInt32Array::from(rows)
    }
}

/// The columns of a table that are looked up; text as a dictionary, so that only codes are copied.
pub(super) fn looked_up(frame: &Frame, names: &[&str]) -> Result<Vec<ArrayRef>, EngineError> {
    let places = names.iter().filter_map(|name| frame.schema.index_of(name));
    let column = |place: usize| {
        let column = frame.batch.column(place);
        match frame.schema.fields[place].data_type {
            DataType::String => {
                let dictionary =
                    ArrowType::Dictionary(ArrowType::Int32.into(), ArrowType::Utf8.into());
                compute::cast(column, &dictionary).map_err(arrow_error)
            }
            _ => Ok(column.clone()),
        }
    };
    places.map(column).collect()
}
