//! Rows put together by their customers, whatever order they came in.
//!
//! Rows go to one of [`PARTITIONS`] lists by the number of their customer. In the end each list is
//! small enough for the caches, and is put in the order of its customers by counting.

use rayon::prelude::*;

/// How many lists there are; a customer's is the remainder of the number.
pub(super) const PARTITIONS: usize = 256;

/// Rows of a piece: lists grow by whole pieces, and nothing is moved.
const PIECE: usize = 2048;

/// Something that a customer did.
pub(super) trait OfPerson: Copy + Send + Sync {
    /// The number of the customer.
    fn person(&self) -> u32;
}

/// Rows by customer.
pub(super) struct Gather<T> {
    /// The piece that each partition's rows go to.
    open: Vec<Vec<T>>,
    /// Pieces that are full.
    full: Vec<Vec<Vec<T>>>,
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
        let none = || (0..PARTITIONS).map(|_| Vec::new());
        Gather { open: none().collect(), full: (0..PARTITIONS).map(|_| Vec::new()).collect() }
    }
}

impl<T: OfPerson> Gather<T> {
    /// Takes a row.
    pub fn push(&mut self, row: T) {
        let partition = row.person() as usize % PARTITIONS;
        let piece = &mut self.open[partition];
        if piece.len() == piece.capacity() {
            self.next_piece(partition);
        }
        self.open[partition].push(row);
    }

    #[cold]
    fn next_piece(&mut self, partition: usize) {
        let piece = std::mem::replace(&mut self.open[partition], Vec::with_capacity(PIECE));
        if !piece.is_empty() {
            self.full[partition].push(piece);
        }
    }

    /// Takes the rows of another.
    pub fn merge(&mut self, other: Gather<T>) {
        for (partition, pieces) in other.into_partitions() {
            self.full[partition].extend(pieces);
        }
    }

    /// Changes every row.
    pub fn for_each_mut(&mut self, change: impl Fn(&mut T)) {
        self.full.iter_mut().flatten().chain(&mut self.open).flatten().for_each(change);
    }

    fn into_partitions(self) -> impl Iterator<Item = (usize, Vec<Vec<T>>)> {
        let all = self.full.into_iter().zip(self.open);
        all.enumerate().map(|(partition, (mut pieces, open))| {
            pieces.push(open);
            (partition, pieces)
        })
    }

    /// The rows of each partition by customer, of so many customers; what was gathered is let go.
    pub fn into_grouped<R: Send>(
        self,
        people: usize,
        each: impl Fn(Grouped<T>) -> R + Sync + Send,
    ) -> Vec<R> {
        let partitions: Vec<(usize, Vec<Vec<T>>)> = self.into_partitions().collect();
        partitions
            .into_par_iter()
            .map(|(partition, pieces)| each(grouped(partition, pieces, people)))
            .collect()
    }
}

fn grouped<T: OfPerson>(partition: usize, pieces: Vec<Vec<T>>, people: usize) -> Grouped<T> {
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
    Grouped { partition, starts, rows }
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
}

/// How many customers have at least so many rows in each group, for each of `least`.
pub(super) fn customers_with(
    pairs: Gather<Pair>,
    people: usize,
    groups: usize,
    least: &[i64],
) -> Vec<Vec<i64>> {
    /// Whose rows were counted last in a group, and how many there were.
    type Counted = (u32, u32);
    let count = |grouped: Grouped<Pair>| {
        let mut counted: Vec<Counted> = vec![(u32::MAX, 0); groups];
        let mut found: Vec<Vec<u32>> = vec![vec![0; groups]; least.len()];
        for (person, rows) in grouped.people() {
            for pair in &grouped.rows[rows] {
                let (last, count) = &mut counted[pair.group as usize];
                *count = if *last == person { *count + 1 } else { 1 };
                *last = person;
                for (found, &least) in found.iter_mut().zip(least) {
                    found[pair.group as usize] += u32::from(i64::from(*count) == least.max(1));
                }
            }
        }
        found
    };
    let mut totals = vec![vec![0_i64; groups]; least.len()];
    for found in pairs.into_grouped(people, count) {
        for (totals, found) in totals.iter_mut().zip(found) {
            totals.iter_mut().zip(found).for_each(|(total, found)| *total += i64::from(found));
        }
    }
    totals
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
            if number % 5 == 0 { second.push(pair) } else { first.push(pair) }
        }
        first.merge(second);
        first.for_each_mut(|pair| pair.group += 1);
        let seen = first.into_grouped(1001, |grouped| {
            for (person, rows) in grouped.people() {
                assert_eq!(rows.len(), 100);
                assert!(grouped.rows[rows].iter().all(|row| row.person == person && row.group > 0));
            }
            grouped.people().count()
        });
        assert_eq!(seen.into_iter().sum::<usize>(), 1000);
    }

    #[test]
    fn customers_are_counted_once() {
        let mut pairs = Gather::default();
        for (person, group) in [(0, 0), (0, 1), (300, 0), (0, 0), (300, 0), (5, 0), (0, 0)] {
            pairs.push(Pair { person, group });
        }
        assert_eq!(customers_with(pairs, 301, 3, &[1, 2, 3]), [[3, 1, 0], [2, 0, 0], [1, 0, 0]]);
    }
}
