//! Keys to consecutive numbers: every later state is an array.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::evaluate::flat;
use super::kernel::arrow_error;
use crate::engine::EngineError;
use crate::frame::DataType;

/// Distinct byte strings, numbered in the order they came.
#[derive(Default)]
pub(super) struct Interner {
    table: HashTable<u32>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    hasher: DefaultHashBuilder,
}

impl Interner {
    /// The number of a key, new or known.
    pub fn intern(&mut self, key: &[u8]) -> Result<u32, EngineError> {
        let hash = self.hasher.hash_one(key);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&id) = self.table.find(hash, |&id| slice(bytes, ends, id) == key) {
            return Ok(id);
        }
        let id = u32::try_from(self.ends.len())
            .map_err(|_| EngineError::Internal("more than four thousand million keys".into()))?;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.table.insert_unique(hash, id, |&id| hasher.hash_one(slice(bytes, ends, id)));
        Ok(id)
    }

    /// The number of a key, if it is known.
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |&id| self.get(id) == key).copied()
    }

    /// The key of a number.
    pub fn get(&self, id: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, id)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Numbers in the order of their keys.
    pub fn sorted(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..self.len() as u32).collect();
        ids.sort_unstable_by(|&a, &b| self.get(a).cmp(self.get(b)));
        ids
    }

    /// Takes in the keys of another; gives their numbers here, by their numbers there.
    pub fn absorb(&mut self, other: &Interner) -> Result<Vec<u32>, EngineError> {
        (0..other.len() as u32).map(|id| self.intern(other.get(id))).collect()
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], id: u32) -> &'a [u8] {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &bytes[start..ends[id]]
}

/// Rows of typed columns as bytes that compare as the rows do: ascending, nulls last.
pub(super) struct Keys {
    converter: RowConverter,
    types: Vec<DataType>,
}

impl Keys {
    /// An encoder of columns of these types.
    pub fn new(types: Vec<DataType>) -> Result<Self, EngineError> {
        let options = SortOptions { descending: false, nulls_first: false };
        let fields = types
            .iter()
            .map(|data_type| SortField::new_with_options(data_type.arrow(), options))
            .collect();
        Ok(Keys { converter: RowConverter::new(fields).map_err(arrow_error)?, types })
    }

    /// Encodes columns; text may come as a dictionary.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows, EngineError> {
        let columns = columns
            .iter()
            .zip(&self.types)
            .map(|(column, data_type)| with_precision(&flat(column)?, *data_type))
            .collect::<Result<Vec<_>, _>>()?;
        self.converter.convert_columns(&columns).map_err(arrow_error)
    }

    /// The columns of encoded rows.
    pub fn decode<'a>(
        &self,
        rows: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Vec<ArrayRef>, EngineError> {
        let parser = self.converter.parser();
        self.converter.convert_rows(rows.map(|row| parser.parse(row))).map_err(arrow_error)
    }
}

/// A decimal column under the precision its field states.
pub(super) fn with_precision(array: &ArrayRef, to: DataType) -> Result<ArrayRef, EngineError> {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType as A, Decimal128Type};
    match (array.data_type(), to) {
        (A::Decimal128(own, _), DataType::Decimal { precision, scale }) if *own != precision => {
            Ok(Arc::new(
                array
                    .as_primitive::<Decimal128Type>()
                    .clone()
                    .with_precision_and_scale(precision, scale as i8)
                    .map_err(arrow_error)?,
            ))
        }
        _ => Ok(array.clone()),
    }
}

/// The columns of a batch with these places.
pub(super) fn columns_at(batch: &RecordBatch, places: &[usize]) -> Vec<ArrayRef> {
    places.iter().map(|&place| batch.column(place).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_once() {
        let mut interner = Interner::default();
        let words = ["b", "a", "", "b", "a"];
        let ids: Vec<u32> =
            words.iter().map(|word| interner.intern(word.as_bytes()).expect("few")).collect();
        assert_eq!(ids, [0, 1, 2, 0, 1]);
        assert_eq!(interner.sorted(), [2, 1, 0]);
        assert_eq!(interner.find(b"c"), None);
        let mut other = Interner::default();
        other.intern(b"c").and_then(|_| other.intern(b"a")).expect("few");
        assert_eq!(interner.absorb(&other).expect("few"), [3, 1]);
    }
}
