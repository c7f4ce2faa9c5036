//! Rows put together by their customers, whatever order they came in.
//!
//! Rows go to one of [`PARTITIONS`] lists by the number of their customer. In the end each list is
//! small enough for the caches, and is put in the order of its customers by counting. Of a list that
//! grows long the rows so far are packed: by customer they are like their neighbours, and a few bytes say
//! how they differ. If memory is short, what is packed goes to a file.

use std::sync::Arc;

use rayon::prelude::*;

use super::super::memory::{Memory, Run, Spill};
use super::ScanFacts;
use super::pack::{self, Bytes, Chunks};
use crate::engine::EngineError;

/// How many lists there are; a customer's is the remainder of the number.
pub(super) const PARTITIONS: usize = 256;

/// Rows of a piece: lists grow by whole pieces, and nothing is moved.
const PIECE: usize = 2048;

/// Bytes of rows that are put in the order of their partitions before they go there. One by one they would go to
/// as many places of memory as there are partitions, which is more than processors keep track of.
const STAGED: usize = 64 << 10;

/// Pieces of a list that are packed together.
const PACKED: usize = 6;

/// Something that a customer did.
pub(super) trait OfPerson: Copy + Send + Sync {
    /// The number of the customer.
    fn person(&self) -> u32;

    /// Writes all but the customer, as numbers that are small if it is like the row before.
    fn pack(&self, before: Option<&Self>, bytes: &mut Vec<u8>);

    /// Reads what was packed.
    fn unpack(person: u32, before: Option<&Self>, bytes: &mut Bytes) -> Self;

    /// The same with another number for its group, if it has one.
    fn renumbered(self, places: &[u32]) -> Self {
        let _ = places;
        self
    }
}

/// Rows by customer.
pub(super) struct Gather<T> {
    /// Rows that have not gone to their partition yet, and room to put them in order.
    staged: Vec<T>,
    ordered: Vec<T>,
    /// The piece that each partition's rows go to.
    open: Vec<Vec<T>>,
    /// Pieces that are full.
    full: Vec<Vec<Vec<T>>>,
    packed: Vec<Vec<Packed>>,
    /// Rows are packed if it is known what memory there is.
    memory: Option<Arc<Memory>>,
}

/// Rows of a partition, packed.
struct Packed {
    bytes: Stored,
    rows: usize,
    /// New numbers of groups that apply to what is read, one after the other.
    places: Vec<Arc<[u32]>>,
}

/// Packed bytes, here or in a file.
enum Stored {
    Held(Chunks),
    Aside(Arc<Spill>, Run),
}

/// The rows of a partition, in any order.
struct Rows<T> {
    pieces: Vec<Vec<T>>,
    packed: Vec<Packed>,
}

/// The rows of a partition in the order of its customers.
pub(super) struct Grouped<T> {
    partition: usize,
    /// Where the rows of each customer begin, and where the last ones end.
    starts: Vec<u32>,
    pub rows: Vec<T>,
}

impl<T> Default for Gather<T> {
    fn default() -> Self {
        Gather {
            staged: Vec::new(),
            ordered: Vec::new(),
            open: (0..PARTITIONS).map(|_| Vec::new()).collect(),
            full: (0..PARTITIONS).map(|_| Vec::new()).collect(),
            packed: (0..PARTITIONS).map(|_| Vec::new()).collect(),
            memory: None,
        }
    }
}

impl<T: OfPerson> Gather<T> {
    const STAGED: usize = STAGED / size_of::<T>();

    /// No rows yet, of an input: the rows of a large one are packed.
    pub fn of_input(facts: &ScanFacts) -> Self {
        Gather { memory: facts.large.then(|| facts.memory.clone()), ..Gather::default() }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// A disk that is full or fails, where memory is short.
    pub fn push(&mut self, row: T) -> Result<(), EngineError> {
        self.staged.push(row);
        if self.staged.len() >= Self::STAGED { self.spread() } else { Ok(()) }
    }

    /// Takes so many rows.
    ///
    /// # Errors
    /// A disk that is full or fails, where memory is short.
    pub fn extend(&mut self, count: usize, row: impl Fn(usize) -> T) -> Result<(), EngineError> {
        let mut taken = 0;
        while taken < count {
            let end = count.min(taken + Self::STAGED - self.staged.len());
            self.staged.extend((taken..end).map(&row));
            taken = end;
            if self.staged.len() == Self::STAGED {
                self.spread()?;
            }
        }
        Ok(())
    }

    /// Moves the staged rows to their partitions.
    fn spread(&mut self) -> Result<(), EngineError> {
        let Some(&any) = self.staged.first() else { return Ok(()) };
        let partition = |row: &T| row.person() as usize % PARTITIONS;
        let mut ends = [0_usize; PARTITIONS];
        self.staged.iter().for_each(|row| ends[partition(row)] += 1);
        let mut next = [0; PARTITIONS];
        let mut begin = 0;
        for (next, end) in next.iter_mut().zip(&mut ends) {
            *next = begin;
            begin += *end;
            *end = begin;
        }
        self.ordered.resize(self.staged.len(), any);
        for row in self.staged.drain(..) {
            let place = &mut next[partition(&row)];
            self.ordered[*place] = row;
            *place += 1;
        }
        let ordered = std::mem::take(&mut self.ordered);
        let mut begin = 0;
        for (partition, end) in ends.into_iter().enumerate() {
            let mut rows = &ordered[begin..end];
            begin = end;
            while !rows.is_empty() {
                let room = self.open[partition].capacity() - self.open[partition].len();
                if room == 0 {
                    self.next_piece(partition)?;
                    continue;
                }
                let (now, later) = rows.split_at(room.min(rows.len()));
                self.open[partition].extend_from_slice(now);
                rows = later;
            }
        }
        self.ordered = ordered;
        Ok(())
    }

    #[cold]
    fn next_piece(&mut self, partition: usize) -> Result<(), EngineError> {
        let piece = std::mem::replace(&mut self.open[partition], Vec::with_capacity(PIECE));
        if !piece.is_empty() {
            self.full[partition].push(piece);
        }
        if let Some(memory) = &self.memory
            && self.full[partition].len() == PACKED
        {
            let pieces = std::mem::take(&mut self.full[partition]);
            self.packed[partition].push(Packed::of(partition, pieces, memory)?);
        }
        Ok(())
    }

    /// The memory there is, if rows are packed.
    pub fn packs(&self) -> Option<Arc<Memory>> {
        self.memory.clone()
    }

    /// Takes the rows of another, whose groups have these numbers here.
    pub fn merge(&mut self, other: Gather<T>, places: &[u32]) {
        let shared: Arc<[u32]> = places.into();
        for (partition, rows) in other.into_partitions() {
            for mut piece in rows.pieces {
                piece.iter_mut().for_each(|row| *row = row.renumbered(places));
                self.full[partition].push(piece);
            }
            for mut packed in rows.packed {
                packed.places.push(shared.clone());
                self.packed[partition].push(packed);
            }
        }
    }

    fn into_partitions(mut self) -> impl Iterator<Item = (usize, Rows<T>)> {
        for row in std::mem::take(&mut self.staged) {
            self.open[row.person() as usize % PARTITIONS].push(row);
        }
        let all = self.full.into_iter().zip(self.open).zip(self.packed);
        all.enumerate().map(|(partition, ((mut pieces, open), packed))| {
            pieces.push(open);
            (partition, Rows { pieces, packed })
        })
    }

    /// The rows of each partition by customer, of so many customers; what was gathered is let go.
    ///
    /// # Errors
    /// What `each` has, and a disk that fails.
    pub fn into_grouped<R: Send>(
        self,
        people: usize,
        each: impl Fn(Grouped<T>) -> Result<R, EngineError> + Sync + Send,
    ) -> Result<Vec<R>, EngineError> {
        let partitions: Vec<(usize, Rows<T>)> = self.into_partitions().collect();
        let found: Vec<Result<R, EngineError>> = partitions
            .into_par_iter()
            .map(|(partition, rows)| each(grouped(partition, rows, people)?))
            .collect();
        found.into_iter().collect()
    }

    /// The same on one thread, and one after the other.
    ///
    /// # Errors
    /// What `each` has, and a disk that fails.
    pub fn each_grouped(
        self,
        people: usize,
        mut each: impl FnMut(Grouped<T>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        for (partition, rows) in self.into_partitions() {
            each(grouped(partition, rows, people)?)?;
        }
        Ok(())
    }
}

impl Packed {
    fn of<T: OfPerson>(
        partition: usize,
        pieces: Vec<Vec<T>>,
        memory: &Memory,
    ) -> Result<Self, EngineError> {
        let most = pieces.iter().flatten().map(OfPerson::person).max().unwrap_or(0);
        let rows = Rows { pieces, packed: Vec::new() };
        Packed::of_ordered(&grouped(partition, rows, most as usize + 1)?.rows, memory)
    }

    /// Rows in the order of their customers.
    fn of_ordered<T: OfPerson>(rows: &[T], memory: &Memory) -> Result<Self, EngineError> {
        let mut chunks = Chunks::default();
        let mut before: Option<&T> = None;
        for row in rows {
            let local = |row: &T| row.person() as usize / PARTITIONS;
            let bytes = chunks.next();
            pack::number((local(row) - before.map_or(0, local)) as u64, bytes);
            row.pack(before.filter(|before| before.person() == row.person()), bytes);
            before = Some(row);
        }
        let bytes = match memory.is_short(0) {
            true => {
                let spill = memory.spill()?;
                let run = spill.put(&chunks.bytes())?;
                Stored::Aside(spill, run)
            }
            false => {
                chunks.end();
                Stored::Held(chunks)
            }
        };
        Ok(Packed { bytes, rows: rows.len(), places: Vec::new() })
    }

    /// Puts the rows behind others.
    fn unpack<T: OfPerson>(&self, partition: usize, rows: &mut Vec<T>) -> Result<(), EngineError> {
        let read;
        let mut bytes = match &self.bytes {
            Stored::Held(chunks) => chunks.read(),
            Stored::Aside(spill, run) => {
                read = spill.get(*run)?;
                Bytes::of(&read)
            }
        };
        let mut local = 0;
        let mut before: Option<T> = None;
        for _ in 0..self.rows {
            local += bytes.number() as usize;
            let person = (local * PARTITIONS + partition) as u32;
            let like = before.as_ref().filter(|before| before.person() == person);
            let row = T::unpack(person, like, &mut bytes);
            before = Some(row);
            rows.push(self.places.iter().fold(row, |row, places| row.renumbered(places)));
        }
        Ok(())
    }
}

fn grouped<T: OfPerson>(
    partition: usize,
    rows: Rows<T>,
    people: usize,
) -> Result<Grouped<T>, EngineError> {
    let Rows { mut pieces, packed } = rows;
    for packed in packed {
        let mut rows = Vec::with_capacity(packed.rows);
        packed.unpack(partition, &mut rows)?;
        pieces.push(rows);
    }
    let local = |row: &T| row.person() as usize / PARTITIONS;
    let count = people.saturating_sub(partition).div_ceil(PARTITIONS);
    let mut starts = vec![0_u32; count + 1];
    for row in pieces.iter().flatten() {
        starts[local(row) + 1] += 1;
    }
    for place in 1..starts.len() {
        starts[place] += starts[place - 1];
    }
    let mut next = starts.clone();
    let mut rows = match pieces.iter().flatten().next() {
        Some(row) => vec![*row; starts.last().map_or(0, |&end| end as usize)],
        None => Vec::new(),
    };
    for piece in pieces {
        for row in piece {
            let place = &mut next[local(&row)];
            rows[*place as usize] = row;
            *place += 1;
        }
    }
    Ok(Grouped { partition, starts, rows })
}

/// The rows of a partition in the order of its customers, packed.
pub(super) struct PackedGrouped {
    partition: usize,
    starts: Vec<u32>,
    rows: Packed,
}

impl PackedGrouped {
    /// The rows as they were.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn unpack<T: OfPerson>(&self) -> Result<Grouped<T>, EngineError> {
        let mut rows = Vec::with_capacity(self.rows.rows);
        self.rows.unpack(self.partition, &mut rows)?;
        Ok(Grouped { partition: self.partition, starts: self.starts.clone(), rows })
    }
}

impl<T: OfPerson> Grouped<T> {
    /// The same in fewer bytes.
    ///
    /// # Errors
    /// A disk that is full or fails, where memory is short.
    pub fn pack(self, memory: &Memory) -> Result<PackedGrouped, EngineError> {
        let rows = Packed::of_ordered(&self.rows, memory)?;
        Ok(PackedGrouped { partition: self.partition, starts: self.starts, rows })
    }
}

impl<T> Grouped<T> {
    /// The customers who have rows, with where theirs are.
    pub fn people(&self) -> impl Iterator<Item = (u32, std::ops::Range<usize>)> + use<'_, T> {
        self.starts.windows(2).enumerate().filter(|(_, ends)| ends[0] < ends[1]).map(
            |(local, ends)| {
                let person = (local * PARTITIONS + self.partition) as u32;
                (person, ends[0] as usize..ends[1] as usize)
            },
        )
    }
}

/// A customer in a group, once per row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub person: u32,
    pub group: u32,
}

impl OfPerson for Pair {
    fn person(&self) -> u32 {
        self.person
    }

    fn pack(&self, _before: Option<&Self>, bytes: &mut Vec<u8>) {
        pack::number(self.group.into(), bytes);
    }

    fn unpack(person: u32, _before: Option<&Self>, bytes: &mut Bytes) -> Self {
        Pair { person, group: bytes.number() as u32 }
    }

    fn renumbered(self, places: &[u32]) -> Self {
        Pair { group: places[self.group as usize], ..self }
    }
}

/// Counts the customers of one partition after the other.
struct Counting<'a> {
    least: &'a [i64],
    groups: usize,
    /// The place in `found` of who has so many rows, for numbers that are mostly asked for.
    places: [usize; FEW],
    /// Whose rows were counted last in a group, and how many there were.
    counted: Vec<(u32, u32)>,
    /// How many customers have enough rows in each group, for each of `least`, and behind them what nobody asks
    /// for.
    found: Vec<u32>,
}

/// Numbers of rows whose places are looked up.
const FEW: usize = 16;

impl<'a> Counting<'a> {
    fn new(groups: usize, least: &'a [i64]) -> Self {
        let mut counting = Counting {
            least,
            groups,
            places: [0; FEW],
            counted: vec![(u32::MAX, 0); groups],
            found: vec![0; groups * (least.len() + 1)],
        };
        for count in 0..FEW {
            counting.places[count] = counting.place_of(count as i64);
        }
        counting
    }

    /// The place of those who have so many rows.
    fn place_of(&self, count: i64) -> usize {
        let asked = self.least.iter().position(|&least| least.max(1) == count);
        asked.unwrap_or(self.least.len()) * self.groups
    }

    fn count(&mut self, pair: &Pair) {
        let group = pair.group as usize;
        let (last, count) = &mut self.counted[group];
        *count = if *last == pair.person { *count + 1 } else { 1 };
        *last = pair.person;
        let place = match (*count, self.places.get(*count as usize)) {
            (_, Some(&place)) => place,
            (count, None) => self.place_of(count.into()),
        };
        self.found[place + group] += 1;
    }

    /// What was found, for each of `least`: the same for those that are alike.
    fn into_found(self) -> Vec<Vec<u32>> {
        let of = |&least: &i64| {
            let place = self.place_of(least.max(1));
            self.found[place..place + self.groups].to_vec()
        };
        self.least.iter().map(of).collect()
    }
}

/// How many customers have at least so many rows in each group, for each of `least`.
///
/// # Errors
/// A disk that fails, if rows are there.
pub(super) fn customers_with(
    pairs: Gather<Pair>,
    people: usize,
    groups: usize,
    least: &[i64],
) -> Result<Vec<Vec<i64>>, EngineError> {
    let count = |grouped: Grouped<Pair>| {
        let mut counting = Counting::new(groups, least);
        grouped.rows.iter().for_each(|pair| counting.count(pair));
        Ok(counting.into_found())
    };
    let mut totals = vec![vec![0_i64; groups]; least.len()];
    for found in pairs.into_grouped(people, count)? {
        for (totals, found) in totals.iter_mut().zip(found) {
            totals.iter_mut().zip(found).for_each(|(total, found)| *total += i64::from(found));
        }
    }
    Ok(totals)
}

/// The same for the groups that are over, on this thread; the rows of all others are left.
///
/// # Errors
/// A disk that fails, if rows are there.
pub(super) fn customers_of_past(
    pairs: &mut Gather<Pair>,
    people: usize,
    over: &[bool],
    least: &[i64],
) -> Result<Vec<Vec<i64>>, EngineError> {
    let mut counting = Counting::new(over.len(), least);
    let mut left = Gather { memory: pairs.packs(), ..Gather::default() };
    std::mem::take(pairs).each_grouped(people, |grouped| {
        for pair in &grouped.rows {
            match over[pair.group as usize] {
                true => counting.count(pair),
                false => left.push(*pair)?,
            }
        }
        Ok(())
    })?;
    *pairs = left;
    let found = counting.into_found().into_iter();
    Ok(found.map(|counts| counts.into_iter().map(i64::from).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_together_by_customer() {
        let mut first = Gather::default();
        let mut second = Gather::default();
        for number in 0..100_000_u32 {
            let pair = Pair { person: number * 7 % 1000, group: number % 3 };
            let list = if number % 5 == 0 { &mut second } else { &mut first };
            list.push(pair).expect("in memory");
        }
        let mut all = Gather::default();
        all.merge(first, &[1, 2, 3]);
        all.merge(second, &[1, 2, 3]);
        let first = all;
        let seen = first.into_grouped(1001, |grouped| {
            for (person, rows) in grouped.people() {
                assert_eq!(rows.len(), 100);
                assert!(grouped.rows[rows].iter().all(|row| row.person == person && row.group > 0));
            }
            Ok(grouped.people().count())
        });
        assert_eq!(seen.expect("in memory").into_iter().sum::<usize>(), 1000);
    }

    #[test]
    fn rows_that_were_packed_are_the_same() {
        // So many that each list is packed more than once.
        let rows = (PACKED * 2 + 1) * PIECE * PARTITIONS;
        let mut pairs = Gather::of_input(&ScanFacts { large: true, ..ScanFacts::default() });
        for number in 0..rows as u32 {
            pairs.push(Pair { person: number % 1000, group: number % 3 }).expect("in memory");
        }
        assert!(pairs.packed.iter().any(|packed| packed.len() > 1));
        let mut all = Gather::default();
        all.merge(pairs, &[2, 0, 1]);
        let counts: Vec<[usize; 3]> = all
            .into_grouped(1000, |grouped| {
                let mut counts = [0; 3];
                for (person, rows) in grouped.people() {
                    for pair in &grouped.rows[rows] {
                        assert_eq!(pair.person, person);
                        counts[pair.group as usize] += 1;
                    }
                }
                Ok(counts)
            })
            .expect("in memory");
        let expected = |group: usize| (0..rows).filter(|n| [2, 0, 1][n % 3] == group).count();
        for group in 0..3 {
            assert_eq!(counts.iter().map(|of| of[group]).sum::<usize>(), expected(group));
        }
    }

    #[test]
    fn customers_of_groups_that_are_over_are_counted_apart() {
        let mut pairs = Gather::default();
        for (person, group) in [(0, 0), (0, 1), (300, 0), (0, 0), (5, 2), (0, 1), (5, 1)] {
            pairs.push(Pair { person, group }).expect("in memory");
        }
        let past =
            customers_of_past(&mut pairs, 301, &[true, false, true], &[1, 2]).expect("in memory");
        assert_eq!(past, [[2, 0, 1], [1, 0, 0]]);
        let left = customers_with(pairs, 301, 3, &[1, 2]).expect("in memory");
        assert_eq!(left, [[0, 2, 0], [0, 1, 0]]);
    }

    #[test]
    fn customers_are_counted_once() {
        let mut pairs = Gather::default();
        for (person, group) in [(0, 0), (0, 1), (300, 0), (0, 0), (300, 0), (5, 0), (0, 0)] {
            pairs.push(Pair { person, group }).expect("in memory");
        }
        let found = customers_with(pairs, 301, 3, &[1, 2, 3]).expect("in memory");
        assert_eq!(found, [[3, 1, 0], [2, 0, 0], [1, 0, 0]]);
    }
}
