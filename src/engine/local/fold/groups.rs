//! Groups as numbers, found column by column.
//!
//! Each value of a key column has a code, and each pair of a number and a code a number: a row's group is
//! a few loads from small tables. The values themselves are only looked at when a group is new.

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::compute;
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use hashbrown::HashMap;

use super::super::evaluate::flat;
use super::super::intern::{Interner, Keys};
use super::super::kernel::arrow_error;
use crate::engine::EngineError;
use crate::frame::DataType;

/// A code or number that is not known yet.
const NONE: u32 = u32::MAX;

/// The code of null.
const NULL: u32 = 0;

/// The most entries of a table of pairs; beyond it they are hashed.
const DENSE: usize = 1 << 22;

/// The groups of a fold's rows.
pub(super) struct Groups {
    /// The key of each group.
    pub known: Interner,
    coders: Vec<Coder>,
    pairings: Vec<Pairing>,
    /// The group of each combination of codes.
    groups: Vec<u32>,
    /// True if the groups have the numbers of their combinations.
    alike: bool,
}

/// The codes or numbers of rows.
enum Numbered {
    /// All have this one.
    Same(u32),
    Each(Vec<u32>),
}

/// Codes of the values of one column, from 1; 0 is null.
struct Coder {
    numbers: HashMap<i64, u32>,
    bytes: Interner,
    data_type: DataType,
    /// The encoder of values that are neither numbers nor text, once it is needed.
    keys: Option<Keys>,
    /// The dictionary met last, and the codes of its values as far as they were asked for.
    dictionary: Option<(StringArray, Vec<u32>)>,
}

/// Numbers of pairs.
#[derive(Default)]
struct Pairing {
    /// How many bits of a place in the table are those of the code.
    bits: u32,
    dense: Vec<u32>,
    sparse: HashMap<(u32, u32), u32>,
    pairs: Vec<(u32, u32)>,
}

impl Groups {
    /// No groups yet, of keys of these types.
    pub fn new(types: &[DataType]) -> Self {
        let coder = |&data_type: &DataType| Coder {
            numbers: HashMap::new(),
            bytes: Interner::default(),
            data_type,
            keys: None,
            dictionary: None,
        };
        Groups {
            known: Interner::default(),
            coders: types.iter().map(coder).collect(),
            pairings: types.iter().skip(1).map(|_| Pairing::default()).collect(),
            groups: Vec::new(),
            alike: true,
        }
    }

    /// The group of each row; `keys` encodes the columns together.
    ///
    /// # Errors
    /// More groups than there are numbers.
    pub fn of(&mut self, columns: &[ArrayRef], keys: &Keys) -> Result<Vec<u32>, EngineError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut numbers = Numbered::Same(NULL);
        let mut most = 0;
        for (index, (coder, column)) in self.coders.iter_mut().zip(columns).enumerate() {
            let codes = coder.codes(column)?;
            (numbers, most) = match index.checked_sub(1) {
                None => (codes, coder.most()),
                Some(before) => {
                    let pairing = &mut self.pairings[before];
                    let numbers = pairing.numbers((&numbers, most), (&codes, coder.most()), rows);
                    (numbers, pairing.pairs.len())
                }
            };
        }
        if most > self.groups.len() {
            self.groups.resize(most, NONE);
        } else if self.alike {
            // None of them is new.
            return Ok(numbers.into_each(rows));
        }
        let groups = |known: &[u32]| numbers.of(rows, |number| known[number as usize]);
        let found = groups(&self.groups).into_each(rows);
        if !any_new(&found) {
            return Ok(found);
        }
        let mut new: Vec<u32> = Vec::new();
        for row in (0..found.len()).filter(|&row| found[row] == NONE) {
            let group = &mut self.groups[numbers.at(row) as usize];
            if *group == NONE {
                // The group is found below; until then any number that is not `NONE` will do.
                *group = 0;
                new.push(row as u32);
            }
        }
        let new_rows = UInt32Array::from(new.clone());
        let columns = columns
            .iter()
            .map(|column| compute::take(column, &new_rows, None).map_err(arrow_error))
            .collect::<Result<Vec<_>, _>>()?;
        let encoded = keys.encode(&columns)?;
        for (place, row) in new.into_iter().enumerate() {
            let group = self.known.intern(encoded.row(place).data())?;
            let number = numbers.at(row as usize);
            self.alike &= group == number;
            self.groups[number as usize] = group;
        }
        Ok(numbers.of(rows, |number| self.groups[number as usize]).into_each(rows))
    }
}

impl Numbered {
    /// That of a row.
    fn at(&self, row: usize) -> u32 {
        match self {
            Numbered::Same(number) => *number,
            Numbered::Each(numbers) => numbers[row],
        }
    }

    /// What stands for those of so many rows.
    fn of(&self, rows: usize, stands: impl Fn(u32) -> u32) -> Numbered {
        match self {
            Numbered::Same(_) if rows == 0 => Numbered::Each(Vec::new()),
            Numbered::Same(number) => Numbered::Same(stands(*number)),
            Numbered::Each(numbers) => {
                Numbered::Each(numbers.iter().map(|number| stands(*number)).collect())
            }
        }
    }

    /// Those of each of so many rows.
    fn into_each(self, rows: usize) -> Vec<u32> {
        match self {
            Numbered::Same(number) => vec![number; rows],
            Numbered::Each(numbers) => numbers,
        }
    }
}

impl Pairing {
    /// The numbers of pairs of so many rows; beside the numbers on the left and the codes stands how many there
    /// are of them at most.
    fn numbers(
        &mut self,
        (left, lefts): (&Numbered, usize),
        (codes, most): (&Numbered, usize),
        rows: usize,
    ) -> Numbered {
        if (most.max(1) - 1) >> self.bits != 0 {
            self.widen(most as u32 - 1);
        }
        // Mostly all pairs are known, and their places in the table.
        let end = lefts << self.bits;
        let mut numbers = if end <= DENSE {
            if end > self.dense.len() {
                self.dense.resize(end.next_power_of_two(), NONE);
            }
            let (dense, bits) = (&self.dense[..end], self.bits);
            match (left, codes) {
                (Numbered::Each(left), Numbered::Each(codes)) => {
                    let pairs = left.iter().zip(codes);
                    let number = |(&left, &code): (&u32, &u32)| {
                        dense[(left as usize) << bits | code as usize]
                    };
                    Numbered::Each(pairs.map(number).collect())
                }
                (left, Numbered::Same(code)) => {
                    left.of(rows, |left| dense[(left as usize) << bits | *code as usize])
                }
                (Numbered::Same(left), codes) => {
                    codes.of(rows, |code| dense[(*left as usize) << bits | code as usize])
                }
            }
        } else {
            Numbered::Each(vec![NONE; rows])
        };
        match &mut numbers {
            Numbered::Same(NONE) => return Numbered::Same(self.number(left.at(0), codes.at(0))),
            Numbered::Each(numbers) if any_new(numbers) => {
                for (row, number) in numbers.iter_mut().enumerate().filter(|(_, n)| **n == NONE) {
                    *number = self.number(left.at(row), codes.at(row));
                }
            }
            _ => {}
        }
        numbers
    }

    fn number(&mut self, left: u32, code: u32) -> u32 {
        if code >> self.bits != 0 {
            self.widen(code);
        }
        let place = (left as usize) << self.bits | code as usize;
        let known = match place < DENSE {
            true => self.dense.get(place).copied().unwrap_or(NONE),
            false => self.sparse.get(&(left, code)).copied().unwrap_or(NONE),
        };
        if known != NONE {
            return known;
        }
        let number = self.pairs.len() as u32;
        self.pairs.push((left, code));
        self.put(left, code, number);
        number
    }

    fn put(&mut self, left: u32, code: u32, number: u32) {
        let place = (left as usize) << self.bits | code as usize;
        if place < DENSE {
            if place >= self.dense.len() {
                self.dense.resize((place + 1).next_power_of_two(), NONE);
            }
            self.dense[place] = number;
        } else {
            self.sparse.insert((left, code), number);
        }
    }

    fn widen(&mut self, code: u32) {
        self.bits = u32::BITS - code.leading_zeros() + 1;
        self.dense.clear();
        self.sparse.clear();
        for (number, (left, code)) in std::mem::take(&mut self.pairs).into_iter().enumerate() {
            self.pairs.push((left, code));
            self.put(left, code, number as u32);
        }
    }
}

/// Whether a code or number is not known yet.
fn any_new(numbers: &[u32]) -> bool {
    // Whole pieces are looked at without a branch.
    let new = |piece: &[u32]| piece.iter().fold(false, |new, &number| new | (number == NONE));
    numbers.chunks(256).any(new)
}

/// The value that all are, if they are alike.
fn same<T: Copy + PartialEq>(values: &[T]) -> Option<T> {
    let first = *values.first()?;
    // Whole pieces are compared without a branch.
    let alike = |piece: &[T]| piece.iter().fold(true, |alike, value| alike & (*value == first));
    values.chunks(256).all(alike).then_some(first)
}

impl Coder {
    /// One more than the highest code.
    fn most(&self) -> usize {
        1 + self.numbers.len().max(self.bytes.len())
    }

    /// The code of each row's value.
    fn codes(&mut self, column: &ArrayRef) -> Result<Numbered, EngineError> {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        let valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        macro_rules! numbers {
            ($type:ty) => {{
                let values = column.as_primitive::<$type>().values();
                if let Some(value) = same(values).filter(|_| nulls.is_none()) {
                    let code = self.of_numbers(std::iter::once(value.into()), valid)[0];
                    return Ok(Numbered::Same(code));
                }
                self.of_numbers(values.iter().map(|&value| i64::from(value)), valid)
            }};
        }
        let codes = match column.data_type() {
            ArrowType::Int32 => numbers!(Int32Type),
            ArrowType::Int64 => numbers!(Int64Type),
            ArrowType::Date32 => numbers!(Date32Type),
            ArrowType::Timestamp(TimeUnit::Microsecond, _) => numbers!(TimestampMicrosecondType),
            ArrowType::Boolean => {
                let values = column.as_boolean().values().iter().map(i64::from);
                self.of_numbers(values, valid)
            }
            ArrowType::Dictionary(key, value)
                if **key == ArrowType::Int32 && **value == ArrowType::Utf8 =>
            {
                self.of_dictionary(column)?
            }
            _ => self.of_bytes(column)?,
        };
        Ok(Numbered::Each(codes))
    }

    fn of_numbers(
        &mut self,
        values: impl Iterator<Item = i64>,
        valid: impl Fn(usize) -> bool,
    ) -> Vec<u32> {
        let mut last = None;
        let code = |(row, value): (usize, i64)| {
            if !valid(row) {
                return NULL;
            }
            match last {
                Some((known, code)) if known == value => code,
                _ => {
                    let next = self.numbers.len() as u32 + 1;
                    let code = *self.numbers.entry(value).or_insert(next);
                    last = Some((value, code));
                    code
                }
            }
        };
        values.enumerate().map(code).collect()
    }

    fn of_dictionary(&mut self, column: &ArrayRef) -> Result<Vec<u32>, EngineError> {
        let column = column.as_dictionary::<Int32Type>();
        let values: &StringArray = column.values().as_string();
        // The batches of a row group mostly share their dictionary.
        let same = |known: &StringArray| {
            known.len() == values.len()
                && known.value_data().as_ptr() == values.value_data().as_ptr()
                && known.offsets().inner().as_ptr() == values.offsets().inner().as_ptr()
                && known.null_count() == 0
                && values.null_count() == 0
        };
        let (values, mut known) = match self.dictionary.take() {
            Some((known, codes)) if same(&known) => (known, codes),
            _ => (values.clone(), vec![NONE; values.len()]),
        };
        let nulls = column.keys().nulls().filter(|nulls| nulls.null_count() > 0);
        let keys = column.keys().values();
        // Where there is no value any code may stand, also one beyond the values.
        let code = |&key: &i32| known.get(key as usize).copied().unwrap_or(NULL);
        let mut codes: Vec<u32> = keys.iter().map(code).collect();
        if let Some(nulls) = nulls {
            (!nulls.inner()).set_indices().for_each(|row| codes[row] = NULL);
        }
        let new = match any_new(&codes) {
            true => (0..codes.len()).filter(|&row| codes[row] == NONE).collect(),
            false => Vec::new(),
        };
        for row in new {
            let key = keys[row] as usize;
            if known[key] == NONE {
                known[key] = match values.is_valid(key) {
                    true => self.bytes.intern(values.value(key).as_bytes())? + 1,
                    false => NULL,
                };
            }
            codes[row] = known[key];
        }
        self.dictionary = Some((values, known));
        Ok(codes)
    }

    fn of_bytes(&mut self, column: &ArrayRef) -> Result<Vec<u32>, EngineError> {
        let column = flat(column)?;
        if let ArrowType::Utf8 = column.data_type() {
            let values: &StringArray = column.as_string();
            let code = |value: Option<&str>| match value {
                Some(value) => Ok(self.bytes.intern(value.as_bytes())? + 1),
                None => Ok(NULL),
            };
            return values.iter().map(code).collect();
        }
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => Keys::new(vec![self.data_type])?,
        };
        let rows = self.keys.insert(keys).encode(std::slice::from_ref(&column))?;
        let code = |(row, key): (usize, arrow::row::Row)| match column.is_valid(row) {
            true => Ok(self.bytes.intern(key.data())? + 1),
            false => Ok(NULL),
        };
        rows.iter().enumerate().map(code).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Float64Array, Int64Array};
    use std::sync::Arc;

    #[test]
    fn rows_of_one_key_are_of_one_group() {
        let types = [DataType::String, DataType::Int64, DataType::Float64];
        let keys = Keys::new(types.to_vec()).expect("keys");
        let mut groups = Groups::new(&types);
        let rows = 5000_i64;
        for round in 0..3 {
            let text = |row: i64| (row % 7 != 6).then(|| format!("t{}", (row + round) % 7));
            let texts: StringArray = (0..rows).map(text).collect();
            // Text comes as a dictionary or as it is.
            let texts: ArrayRef = match round {
                1 => Arc::new(texts),
                _ => Arc::new(texts.iter().collect::<DictionaryArray<Int32Type>>()),
            };
            let numbers: ArrayRef = Arc::new(
                (0..rows).map(|row| (row % 5 != 0).then_some(row % 300)).collect::<Int64Array>(),
            );
            let doubles: ArrayRef =
                Arc::new((0..rows).map(|row| Some((row % 3) as f64)).collect::<Float64Array>());
            let columns = [texts, numbers, doubles];
            let found = groups.of(&columns, &keys).expect("few");
            let encoded = keys.encode(&columns).expect("keys");
            for (row, group) in found.into_iter().enumerate() {
                assert_eq!(groups.known.get(group), encoded.row(row).data());
            }
        }
    }

    #[test]
    fn columns_that_are_alike_in_a_morsel_are_of_the_same_groups() {
        let types = [DataType::Int64; 3];
        let keys = Keys::new(types.to_vec()).expect("keys");
        let mut groups = Groups::new(&types);
        // Columns that vary or not, in every place, with values that are new or were met before; null as well.
        for round in 0..64_i64 {
            let column = |place: i64| -> ArrayRef {
                let value = |row: i64| match round >> place & 1 {
                    0 => Some((round / 8 + place) % 3),
                    _ => (row % 4 != 3).then_some(row * (place + 1) % 5),
                };
                Arc::new((0..40).map(value).collect::<Int64Array>())
            };
            let columns = [column(0), column(1), column(2)];
            let found = groups.of(&columns, &keys).expect("few");
            let encoded = keys.encode(&columns).expect("keys");
            assert_eq!(found.len(), 40);
            for (row, group) in found.into_iter().enumerate() {
                assert_eq!(groups.known.get(group), encoded.row(row).data(), "{round}");
            }
        }
        // By one column, of which the first value is null, or another.
        for first in [None, Some(7)] {
            let keys = Keys::new(vec![DataType::Int64]).expect("keys");
            let mut groups = Groups::new(&types[..1]);
            for values in [vec![first, Some(1)], vec![Some(1); 3], vec![None, Some(2)], vec![None]]
            {
                let column: ArrayRef = Arc::new(Int64Array::from(values));
                let found = groups.of(std::slice::from_ref(&column), &keys).expect("few");
                let encoded = keys.encode(&[column]).expect("keys");
                for (row, group) in found.into_iter().enumerate() {
                    assert_eq!(groups.known.get(group), encoded.row(row).data(), "{first:?}");
                }
            }
        }
    }
}
