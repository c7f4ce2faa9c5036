//! Customers as numbers, for all folds of a pass at once.
//!
//! A customer's number is the place at which the customer was met first, so it differs from run to run
//! and never shows in a result: tables are put in the order of the customers themselves.

use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, UInt32Array};
use arrow::datatypes::{Int32Type, Int64Type};
use rayon::prelude::*;

use super::intern::{Interner, Keys};
use crate::engine::EngineError;
use crate::frame::DataType;

/// The number of a row without a customer.
pub(super) const NOBODY: u32 = u32::MAX;

/// Rows whose places in the table are found before any is read: the loads overlap.
const AHEAD: usize = 32;

/// The customers of a pass, numbered.
pub(super) struct People {
    data_type: DataType,
    known: RwLock<Known>,
}

enum Known {
    Numbers(Numbers),
    Bytes { interner: Interner, keys: Keys },
}

/// Whole numbers in a table with open places.
pub(super) struct Numbers {
    /// The key and the number of who has it; [`NOBODY`] where the place is free. A power of two.
    places: Vec<(i64, u32)>,
    keys: Vec<i64>,
}

impl Numbers {
    /// No keys yet, and room for so many.
    pub fn with_room(keys: usize) -> Self {
        let places = vec![(0, NOBODY); (keys * 2).next_power_of_two().max(1 << 12)];
        Numbers { places, keys: Vec::with_capacity(keys) }
    }

    /// Makes room for so many more keys, if they are more than a few.
    fn reserve(&mut self, more: usize) {
        let wanted = ((self.keys.len() + more) * 2).next_power_of_two();
        if wanted > self.places.len() && more > self.keys.len() {
            self.grow(wanted);
        }
    }

    fn grow(&mut self, places: usize) {
        self.places = vec![(0, NOBODY); places];
        for id in 0..self.keys.len() {
            self.occupy(self.keys[id], id as u32);
        }
    }

    fn place_of(&self, key: i64) -> usize {
        // Fibonacci hashing (Knuth, TAOCP 6.4): consecutive keys lie far apart, and the top bits depend on
        // all others, the upper half folded in first.
        let key = key as u64;
        let mixed = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - self.places.len().trailing_zeros())) as usize
    }

    /// Who has the key, looking on from a place.
    fn find(&self, key: i64, mut place: usize) -> u32 {
        loop {
            let (known, id) = self.places[place];
            if id == NOBODY || known == key {
                return id;
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }

    /// The number of a key, a new one if it has none.
    ///
    /// # Errors
    /// More keys than there are numbers.
    pub fn insert(&mut self, key: i64) -> Result<u32, EngineError> {
        let known = self.find(key, self.place_of(key));
        if known != NOBODY {
            return Ok(known);
        }
        if self.keys.len() * 2 >= self.places.len() {
            self.grow(self.places.len() * 2);
        }
        let id =
            u32::try_from(self.keys.len()).ok().filter(|&id| id < NOBODY).ok_or_else(|| {
                EngineError::Internal("more than four thousand million customers".into())
            })?;
        self.keys.push(key);
        self.occupy(key, id);
        Ok(id)
    }

    fn occupy(&mut self, key: i64, id: u32) {
        let mut place = self.place_of(key);
        while self.places[place].1 != NOBODY {
            place = (place + 1) & (self.places.len() - 1);
        }
        self.places[place] = (key, id);
    }

    /// The numbers of keys, [`NOBODY`] for those that are not known.
    pub fn find_all(&self, keys: &[i64], ids: &mut Vec<u32>) {
        let mut places = [0; AHEAD];
        let mut met = [(0, NOBODY); AHEAD];
        for keys in keys.chunks(AHEAD) {
            for (place, &key) in places.iter_mut().zip(keys) {
                *place = self.place_of(key);
            }
            for (met, &place) in met.iter_mut().zip(&places).take(keys.len()) {
                *met = self.places[place];
            }
            for ((&key, &(known, id)), &place) in keys.iter().zip(&met).zip(&places) {
                let settled = known == key || id == NOBODY;
                ids.push(if settled { id } else { self.find(key, place) });
            }
        }
    }
}

impl People {
    /// Nobody yet, of customers of this type.
    ///
    /// # Errors
    /// A type that cannot be a key.
    pub fn new(data_type: DataType) -> Result<Self, EngineError> {
        let known = match data_type {
            DataType::Int32 | DataType::Int64 => Known::Numbers(Numbers::with_room(0)),
            _ => Known::Bytes { interner: Interner::default(), keys: Keys::new(vec![data_type])? },
        };
        Ok(People { data_type, known: RwLock::new(known) })
    }

    /// The type of a customer.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Makes room for so many more.
    pub fn reserve(&self, more: usize) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Known::Numbers(numbers) = &mut *known {
            numbers.reserve(more);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &*self.known.read().unwrap_or_else(PoisonError::into_inner) {
            Known::Numbers(numbers) => numbers.keys.len(),
            Known::Bytes { interner, .. } => interner.len(),
        }
    }

    /// The numbers of a column of customers, new or known; [`NOBODY`] where it is null.
    ///
    /// # Errors
    /// More customers than there are numbers.
    pub fn number(&self, column: &ArrayRef) -> Result<UInt32Array, EngineError> {
        let mut ids: Vec<u32> = Vec::with_capacity(column.len());
        let numbers: Vec<i64>;
        let keys = match column.data_type() {
            arrow::datatypes::DataType::Int32 => {
                numbers =
                    column.as_primitive::<Int32Type>().values().iter().map(|&n| n.into()).collect();
                &numbers
            }
            arrow::datatypes::DataType::Int64 => &column.as_primitive::<Int64Type>().values()[..],
            _ => return self.number_bytes(column),
        };
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let Known::Numbers(known) = &*known else { return Err(foreign()) };
            known.find_all(keys, &mut ids);
        }
        let nobody = |row: usize| column.is_null(row);
        let has_nulls = column.null_count() > 0;
        if has_nulls {
            (0..ids.len()).filter(|&row| nobody(row)).for_each(|row| ids[row] = NOBODY);
        }
        let new = |row: &usize| ids[*row] == NOBODY && !(has_nulls && nobody(*row));
        let missing: Vec<usize> = (0..ids.len()).filter(new).collect();
        if !missing.is_empty() {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let Known::Numbers(known) = &mut *known else { return Err(foreign()) };
            for row in missing {
                ids[row] = known.insert(keys[row])?;
            }
        }
        Ok(UInt32Array::from(ids))
    }

    fn number_bytes(&self, column: &ArrayRef) -> Result<UInt32Array, EngineError> {
        let mut ids: Vec<u32> = Vec::with_capacity(column.len());
        let mut missing: Vec<usize> = Vec::new();
        let rows = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let Known::Bytes { interner, keys } = &*known else { return Err(foreign()) };
            let rows = keys.encode(std::slice::from_ref(column))?;
            for (place, row) in rows.iter().enumerate() {
                let known = interner.find(row.data()).filter(|_| column.is_valid(place));
                if known.is_none() && column.is_valid(place) {
                    missing.push(place);
                }
                ids.push(known.unwrap_or(NOBODY));
            }
            rows
        };
        if !missing.is_empty() {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let Known::Bytes { interner, .. } = &mut *known else { return Err(foreign()) };
            for place in missing {
                ids[place] = interner.intern(rows.row(place).data())?;
            }
        }
        Ok(UInt32Array::from(ids))
    }

    /// The customers with these numbers, as a column of their type.
    ///
    /// # Errors
    /// Never for numbers it has given.
    pub fn column(&self, ids: &[u32]) -> Result<ArrayRef, EngineError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Known::Numbers(numbers) => {
                let keys = ids.iter().map(|&id| numbers.keys[id as usize]);
                Ok(match self.data_type {
                    DataType::Int32 => Arc::new(keys.map(|key| key as i32).collect::<Int32Array>()),
                    _ => Arc::new(keys.collect::<Int64Array>()),
                })
            }
            Known::Bytes { interner, keys } => {
                let mut columns = keys.decode(ids.iter().map(|&id| interner.get(id)))?;
                columns.pop().ok_or_else(foreign)
            }
        }
    }

    /// Puts numbers in the order of their customers.
    pub fn sort(&self, ids: &mut [u32]) {
        match &*self.known.read().unwrap_or_else(PoisonError::into_inner) {
            Known::Numbers(numbers) => {
                ids.par_sort_unstable_by_key(|&id| numbers.keys[id as usize]);
            }
            Known::Bytes { interner, .. } => {
                ids.par_sort_unstable_by(|&a, &b| interner.get(a).cmp(interner.get(b)));
            }
        }
    }
}

fn foreign() -> EngineError {
    EngineError::Internal("a customer of another type".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;

    #[test]
    fn everybody_has_one_number() {
        let people = People::new(DataType::Int64).expect("a key");
        let first: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(7), None, Some(-3), Some(7), Some(0)]));
        assert_eq!(people.number(&first).expect("few").values(), &[0, NOBODY, 1, 0, 2]);
        // So many that the table grows.
        let many: ArrayRef = Arc::new(Int64Array::from_iter_values((0..50_000).map(|n| n * 97)));
        let ids = people.number(&many).expect("few");
        assert_eq!(people.number(&many).expect("few"), ids);
        assert_eq!(ids.value(0), 2);
        assert_eq!(people.len(), 50_002);
        assert_eq!(&people.column(ids.values()).expect("known"), &many);

        let mut order = vec![0, 1, 2];
        people.sort(&mut order);
        assert_eq!(order, [1, 2, 0]);
    }

    #[test]
    fn texts_are_numbered_like_numbers() {
        let people = People::new(DataType::String).expect("a key");
        let column: ArrayRef =
            Arc::new(StringArray::from(vec![Some("b"), None, Some(""), Some("b")]));
        assert_eq!(people.number(&column).expect("few").values(), &[0, NOBODY, 1, 0]);
        let mut order = vec![0, 1];
        people.sort(&mut order);
        assert_eq!(order, [1, 0]);
    }
}
