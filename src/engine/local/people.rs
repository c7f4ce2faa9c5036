//! Customers as numbers, for all folds of a pass at once.
//!
//! A customer's number is the place at which the customer was met first, so it differs from run to run
//! and never shows in a result: tables are put in the order of the customers themselves.

use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, UInt32Array};
use arrow::datatypes::{DataType as ArrowType, Int32Type, Int64Type};
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

/// How many numbers a table may have places for to each that is there, to be addressed by the numbers
/// themselves. A table with open places takes as much.
const SPARSE: u64 = 8;

/// How many keys a set may have room for to each that is in it, to give their ranks.
const SCATTERED: u64 = 64;

/// A set of whole numbers that lie close together, which gives the rank of each: a bit for every number from the
/// least on, and beside each word how many come before it. It takes a twentieth of a table of the ranks, so that
/// more of it is in the caches.
#[derive(Default)]
struct Ranks {
    low: i64,
    words: Vec<(u64, u32)>,
}

impl Ranks {
    /// The ranks of numbers in ascending order; `None` if they are in none, or lie far apart.
    fn of(keys: &[i64]) -> Option<Self> {
        let (&low, &high) = keys.first().zip(keys.last())?;
        let close = high.abs_diff(low) < (keys.len() as u64).saturating_mul(SCATTERED);
        if !close || !keys.is_sorted_by(|one, next| one < next) {
            return None;
        }
        let words = (high.abs_diff(low) / 64) as usize + 1;
        let mut ranks = Ranks { low, words: vec![(0, 0); words] };
        for key in keys {
            let place = key.abs_diff(low);
            ranks.words[(place / 64) as usize].0 |= 1 << (place % 64);
        }
        let mut before = 0;
        for (bits, rank) in &mut ranks.words {
            *rank = before;
            before += bits.count_ones();
        }
        Some(ranks)
    }

    /// The rank of a key, [`NOBODY`] if it is not among them.
    fn find(&self, key: i64) -> u32 {
        let place = key.wrapping_sub(self.low) as u64;
        match self.words.get((place / 64) as usize) {
            Some((bits, rank)) if bits >> (place % 64) & 1 == 1 => {
                rank + (bits & ((1 << (place % 64)) - 1)).count_ones()
            }
            _ => NOBODY,
        }
    }
}

/// Whole numbers, in the order in which they were met.
pub(super) struct Numbers {
    keys: Vec<i64>,
    /// The first keys, if they came in ascending order, and how many they are.
    ranks: Ranks,
    ranked: usize,
    /// The keys from `low` on, where they lie close together: one more than the number of who has each, or 0.
    /// Pages in which nobody is take no memory.
    low: i64,
    direct: Vec<u32>,
    /// All others in a table with open places: the key and the number of who has it, [`NOBODY`] where the
    /// place is free. A power of two of places, of which at most half are taken.
    places: Vec<(i64, u32)>,
    taken: usize,
}

impl Numbers {
    /// No keys yet.
    pub fn new() -> Self {
        let places = vec![(0, NOBODY); 1 << 10];
        let (keys, ranks, direct) = (Vec::new(), Ranks::default(), Vec::new());
        Numbers { keys, ranks, ranked: 0, low: 0, direct, places, taken: 0 }
    }

    /// Makes finding fast, once most keys are there.
    pub fn settle(&mut self) {
        if self.ranked < self.keys.len()
            && let Some(ranks) = Ranks::of(&self.keys)
        {
            (self.ranks, self.ranked) = (ranks, self.keys.len());
            self.make_room(&[]);
        }
    }

    /// Makes room for more keys.
    pub fn reserve(&mut self, more: &[i64]) {
        if more.len() > self.keys.len() {
            self.make_room(more);
        }
    }

    /// Puts the keys where they are found fastest, these that are still to come among them.
    fn make_room(&mut self, more: &[i64]) {
        if self.keys.len() + more.len() > self.ranked * 2 {
            // Most come in no order.
            (self.ranks, self.ranked) = (Ranks::default(), 0);
        }
        let count = (self.keys.len() - self.ranked + more.len()) as u64;
        let all = || self.keys[self.ranked..].iter().chain(more).copied();
        let (low, high) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        // Whoever comes after those with ranks is one of few.
        let close = self.ranked == 0 && high.abs_diff(low) < count.saturating_mul(SPARSE);
        let direct = if close { high.abs_diff(low) + 1 } else { 0 };
        // Later keys are mostly higher.
        (self.low, self.direct) = (low, vec![0; (direct + direct / 2) as usize]);
        let open = if close { 0 } else { count as usize * 2 };
        self.places = vec![(0, NOBODY); (open + 1).next_power_of_two().max(1 << 10)];
        self.taken = 0;
        for id in self.ranked..self.keys.len() {
            self.put(self.keys[id], id as u32);
        }
    }

    fn direct_place(&self, key: i64) -> usize {
        key.wrapping_sub(self.low) as u64 as usize
    }

    fn place_of(&self, key: i64) -> usize {
        // Fibonacci hashing (Knuth, TAOCP 6.4): consecutive keys lie far apart, and the top bits depend on
        // all others, the upper half folded in first.
        let key = key as u64;
        let mixed = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - self.places.len().trailing_zeros())) as usize
    }

    /// Who has the key, looking on from a place.
    fn find_from(&self, key: i64, mut place: usize) -> u32 {
        loop {
            let (known, id) = self.places[place];
            if id == NOBODY || known == key {
                return id;
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }

    fn find(&self, key: i64) -> u32 {
        let ranked = self.ranks.find(key);
        if ranked != NOBODY {
            return ranked;
        }
        match self.direct.get(self.direct_place(key)) {
            Some(&next) => next.wrapping_sub(1),
            None => self.find_from(key, self.place_of(key)),
        }
    }

    /// The number of a key, a new one if it has none.
    ///
    /// # Errors
    /// More keys than there are numbers.
    pub fn insert(&mut self, key: i64) -> Result<u32, EngineError> {
        let known = self.find(key);
        if known != NOBODY {
            return Ok(known);
        }
        if self.taken * 2 >= self.places.len() {
            self.make_room(&[]);
        }
        let id =
            u32::try_from(self.keys.len()).ok().filter(|&id| id < NOBODY).ok_or_else(|| {
                EngineError::Internal("more than four thousand million customers".into())
            })?;
        self.keys.push(key);
        self.put(key, id);
        Ok(id)
    }

    fn put(&mut self, key: i64, id: u32) {
        let place = self.direct_place(key);
        if let Some(entry) = self.direct.get_mut(place) {
            *entry = id + 1;
            return;
        }
        let mut place = self.place_of(key);
        while self.places[place].1 != NOBODY {
            place = (place + 1) & (self.places.len() - 1);
        }
        self.places[place] = (key, id);
        self.taken += 1;
    }

    /// The numbers of keys, [`NOBODY`] for those that are not known.
    pub fn find_all(&self, keys: &[i64], ids: &mut Vec<u32>) {
        if !self.direct.is_empty() || self.ranked > 0 {
            ids.extend(keys.iter().map(|&key| self.find(key)));
            return;
        }
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
                ids.push(if settled { id } else { self.find_from(key, place) });
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
            DataType::Int32 | DataType::Int64 => Known::Numbers(Numbers::new()),
            _ => Known::Bytes { interner: Interner::default(), keys: Keys::new(vec![data_type])? },
        };
        Ok(People { data_type, known: RwLock::new(known) })
    }

    /// The type of a customer.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Makes room for the customers of a column.
    pub fn reserve(&self, column: &ArrayRef) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let (Known::Numbers(numbers), Some(keys)) = (&mut *known, whole(column)) {
            numbers.reserve(keys.values());
        }
    }

    /// Makes finding fast, once most customers are there.
    pub fn settle(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Known::Numbers(numbers) = &mut *known {
            numbers.settle();
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
        let Some(keys) = whole(column) else { return self.number_bytes(column) };
        let keys = &keys.values()[..];
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

/// The values of a column of whole numbers.
pub(super) fn whole(column: &ArrayRef) -> Option<Int64Array> {
    match column.data_type() {
        ArrowType::Int64 => Some(column.as_primitive::<Int64Type>().clone()),
        ArrowType::Int32 => Some(column.as_primitive::<Int32Type>().unary(i64::from)),
        _ => None,
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
    fn numbers_do_not_depend_on_how_close_keys_lie() {
        for step in [1, 5, 97, i64::MAX / 10_000] {
            let close: Vec<i64> = (0..3_000).map(|n| n * 7 % 3_000 * step - 50).collect();
            let far = [i64::MIN, i64::MAX, 1 << 40, -1_000_000];
            let mut numbers = Numbers::new();
            if step % 2 == 1 {
                numbers.reserve(&close);
            }
            let keys: Vec<i64> = close.iter().chain(&far).copied().collect();
            for (place, &key) in keys.iter().enumerate() {
                assert_eq!(numbers.insert(key).expect("few"), place as u32);
            }
            numbers.settle();
            assert_eq!(numbers.ranked, 0, "they came in no order");
            let mut ids = Vec::new();
            numbers.find_all(&keys, &mut ids);
            assert_eq!(ids, (0..keys.len() as u32).collect::<Vec<_>>());
            ids.clear();
            numbers.find_all(&[12_345_678_901, -51], &mut ids);
            assert_eq!(ids, [NOBODY, NOBODY]);
        }
    }

    fn put_all(numbers: &mut Numbers, keys: &[i64]) -> Vec<u32> {
        keys.iter().map(|&key| numbers.insert(key).expect("few")).collect()
    }

    #[test]
    fn keys_that_came_in_order_have_ranks() {
        for step in [1, 7, 63, 64, 65, 1000] {
            let first: Vec<i64> = (0..3_000).map(|n| n * step - 1_000).collect();
            let others: Vec<i64> =
                (0..500).map(|n| n * 6_007 + 1).filter(|key| !first.contains(key)).collect();
            let mut numbers = Numbers::new();
            put_all(&mut numbers, &first);
            numbers.settle();
            assert_eq!(numbers.ranked > 0, step <= 64);
            put_all(&mut numbers, &others);
            assert_eq!(numbers.ranked > 0, step <= 64, "they are few");
            let keys: Vec<i64> = first.iter().chain(&others).copied().collect();
            let expected: Vec<u32> = (0..keys.len() as u32).collect();
            assert_eq!(put_all(&mut numbers, &keys), expected);
            let mut ids = Vec::new();
            numbers.find_all(&keys, &mut ids);
            assert_eq!(ids, expected);
            ids.clear();
            numbers.find_all(&[i64::MIN, -1_001, 3_000 * step - 1_000, i64::MAX], &mut ids);
            assert_eq!(ids, [NOBODY; 4]);
        }
        // More others than there were at first.
        let mut numbers = Numbers::new();
        put_all(&mut numbers, &[1, 2, 3]);
        numbers.settle();
        let others: Vec<i64> = (4..5_000).map(|n| n * 3 % 5_000 + 4).collect();
        let ids = put_all(&mut numbers, &others);
        assert_eq!((numbers.ranked, put_all(&mut numbers, &others)), (0, ids));
        assert_eq!(put_all(&mut numbers, &[1, 2, 3]), [0, 1, 2]);
        let mut none = Numbers::new();
        none.settle();
        assert_eq!(none.insert(5).expect("few"), 0);
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
