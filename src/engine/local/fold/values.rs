//! The values of groups, all of them, for what depends on their order.
//!
//! They are kept in the order in which they came, each with the number of its group: what comes in is only
//! put behind the rest, however many groups there are. They are put in the order of their groups when they
//! are read.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::cast::double_of;
use super::super::memory::{Memory, Run, Spill};
use super::state::Reading;
use crate::engine::EngineError;
use crate::frame::{Value, pow10};
use crate::stats::{censored_quantile, interpolate, position, rank_bounds, select_all};

/// The values of all groups. Money is mostly small enough for four bytes.
#[derive(Default)]
pub(super) struct Values {
    /// Digits after the point of `minor`.
    scale: u8,
    minor: Pieces<i32>,
    doubles: Pieces<f64>,
    /// What was put aside in files, because memory was short, by group.
    aside: HashMap<u32, Vec<Aside>>,
    /// How many values there were that it was not worth to put aside.
    left: usize,
}

/// Values in a file.
struct Aside {
    spill: Arc<Spill>,
    minor: Run,
    doubles: Run,
}

/// Of a group with fewer values it would not be worth it to put them aside.
const MANY: usize = 512;

/// Values with their groups, in pieces: a list that grew as a whole would be moved again and again.
struct Pieces<T>(Vec<(Vec<u32>, Vec<T>)>);

/// Pieces with fewer values are filled up.
const PIECE: usize = 4096;

/// Values in the order of their groups.
struct ByGroup<T> {
    /// Where the values of each group begin, and where the last ones end.
    starts: Vec<usize>,
    values: Vec<T>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Pieces(Vec::new())
    }
}

impl<T: Copy + Default> Pieces<T> {
    fn len(&self) -> usize {
        self.0.iter().map(|(_, values)| values.len()).sum()
    }

    fn push(&mut self, groups: &[u32], values: Vec<T>) {
        match self.0.last_mut() {
            _ if values.is_empty() => {}
            Some((known, last)) if last.len() < PIECE => {
                known.extend_from_slice(groups);
                last.extend(values);
            }
            _ => self.0.push((groups.to_vec(), values)),
        }
    }

    /// The values of groups that `take` says, taken out.
    fn split(&mut self, take: impl Fn(u32) -> bool) -> Self {
        let (mut taken, mut left) = (Pieces::default(), Pieces::default());
        for (groups, values) in std::mem::take(&mut self.0) {
            if groups.iter().all(|&group| take(group)) {
                taken.0.push((groups, values));
                continue;
            }
            for (to, is_there) in [(&mut taken, true), (&mut left, false)] {
                let there = |group: &u32| take(*group) == is_there;
                let values = groups.iter().zip(&values).filter(|(group, _)| there(group));
                let values = values.map(|(_, value)| *value).collect();
                let groups: Vec<u32> = groups.iter().copied().filter(there).collect();
                to.push(&groups, values);
            }
        }
        *self = left;
        taken
    }

    /// In the order of their groups, of which there are so many; pieces are let go one after the other.
    fn by_group(self, groups: usize) -> ByGroup<T> {
        let mut starts = vec![0; groups + 1];
        for group in self.0.iter().flat_map(|(groups, _)| groups) {
            starts[*group as usize + 1] += 1;
        }
        for group in 0..groups {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut values = vec![T::default(); starts[groups]];
        for (groups, own) in self.0 {
            for (group, value) in groups.into_iter().zip(own) {
                let place = &mut next[group as usize];
                values[*place] = value;
                *place += 1;
            }
        }
        ByGroup { starts, values }
    }
}

impl<T> ByGroup<T> {
    /// The values of each group.
    fn each(&mut self) -> impl Iterator<Item = &mut [T]> {
        let mut left = &mut self.values[..];
        self.starts.windows(2).map(move |ends| {
            let (own, others) = std::mem::take(&mut left).split_at_mut(ends[1] - ends[0]);
            left = others;
            own
        })
    }
}

impl Values {
    /// Takes doubles of these groups.
    pub fn take(&mut self, groups: &[u32], values: Vec<f64>) {
        self.doubles.push(groups, values);
    }

    /// Takes decimals of these groups, of which all have the same digits after the point.
    pub fn take_minor(&mut self, groups: &[u32], values: &[i128], scale: u8) {
        self.scale = scale;
        let is_small = |value: &i128| i128::from(*value as i32) == *value;
        if values.iter().fold(true, |all, value| all & is_small(value)) {
            self.minor.push(groups, values.iter().map(|value| *value as i32).collect());
            return;
        }
        for small in [true, false] {
            let own = || groups.iter().zip(values).filter(|(_, value)| is_small(value) == small);
            let groups: Vec<u32> = own().map(|(group, _)| *group).collect();
            let values = own().map(|(_, value)| *value);
            if small {
                self.minor.push(&groups, values.map(|value| value as i32).collect());
            } else {
                let unit = pow10(scale) as f64;
                self.doubles.push(&groups, values.map(|value| double_of(value) / unit).collect());
            }
        }
    }

    /// Takes in another's values, whose groups have these numbers here.
    pub fn merge(&mut self, other: Values, places: &[u32]) {
        self.scale = self.scale.max(other.scale);
        self.left += other.left;
        let here = |groups: Vec<u32>| groups.iter().map(|group| places[*group as usize]).collect();
        let minor = other.minor.0.into_iter();
        self.minor.0.extend(minor.map(|(groups, values)| (here(groups), values)));
        let doubles = other.doubles.0.into_iter();
        self.doubles.0.extend(doubles.map(|(groups, values)| (here(groups), values)));
        for (group, aside) in other.aside {
            self.aside.entry(places[group as usize]).or_default().extend(aside);
        }
    }

    /// Puts the values of groups that have many aside, if so many came that it is worth it to look.
    ///
    /// # Errors
    /// A disk that is full or fails.
    pub fn put_aside(&mut self, groups: usize, memory: &Memory) -> Result<(), EngineError> {
        let held = self.minor.len() + self.doubles.len();
        if held < MANY.max(self.left * 2) {
            return Ok(());
        }
        let mut minor = std::mem::take(&mut self.minor).by_group(groups);
        let mut doubles = std::mem::take(&mut self.doubles).by_group(groups);
        self.left = 0;
        for (group, (minor, doubles)) in (0_u32..).zip(minor.each().zip(doubles.each())) {
            if minor.len() + doubles.len() < MANY {
                self.left += minor.len() + doubles.len();
                self.minor.push(&vec![group; minor.len()], minor.to_vec());
                self.doubles.push(&vec![group; doubles.len()], doubles.to_vec());
                continue;
            }
            let spill = memory.spill()?;
            let minor: Vec<u8> = minor.iter().flat_map(|value| value.to_ne_bytes()).collect();
            let doubles: Vec<u8> = doubles.iter().flat_map(|value| value.to_ne_bytes()).collect();
            let (minor, doubles) = (spill.put(&minor)?, spill.put(&doubles)?);
            self.aside.entry(group).or_default().push(Aside { spill, minor, doubles });
        }
        Ok(())
    }

    /// The values of groups that are over, taken out.
    pub fn of_past(&mut self, over: impl Fn(u32) -> bool) -> Values {
        Values {
            scale: self.scale,
            minor: self.minor.split(&over),
            doubles: self.doubles.split(&over),
            aside: self.aside.extract_if(|group, _| over(*group)).collect(),
            left: 0,
        }
    }

    /// What the readings ask for of each of so many groups that has values.
    ///
    /// # Errors
    /// A disk that fails, if values are there.
    pub fn read(
        self,
        groups: usize,
        readings: &[Reading],
    ) -> Result<Vec<(u32, Vec<Value>)>, EngineError> {
        let Values { scale, minor, doubles, mut aside, left: _ } = self;
        let (mut minor, mut doubles) = (minor.by_group(groups), doubles.by_group(groups));
        let lists = (0_u32..).zip(minor.each().zip(doubles.each()));
        let lists = lists.map(|(group, (minor, doubles))| {
            (group, OfGroup { scale, minor, doubles }, aside.remove(&group).unwrap_or_default())
        });
        let there = lists.filter(|(_, of, aside)| !of.is_empty() || !aside.is_empty());
        let read = |(group, of, aside): (u32, OfGroup, Vec<Aside>)| match aside.is_empty() {
            true => Ok((group, of.read(readings))),
            false => Ok((group, of.read_with(&aside, readings)?)),
        };
        let read: Vec<Result<_, EngineError>> =
            there.collect::<Vec<_>>().into_par_iter().map(read).collect();
        read.into_iter().collect()
    }
}

/// The values of one group.
struct OfGroup<'a> {
    scale: u8,
    minor: &'a mut [i32],
    doubles: &'a mut [f64],
}

impl OfGroup<'_> {
    fn is_empty(&self) -> bool {
        self.minor.is_empty() && self.doubles.is_empty()
    }

    /// Reads what was put aside too.
    fn read_with(&self, aside: &[Aside], readings: &[Reading]) -> Result<Vec<Value>, EngineError> {
        let (mut all, mut doubles) = (self.minor.to_vec(), self.doubles.to_vec());
        for aside in aside {
            let (minor, more) = (aside.spill.get(aside.minor)?, aside.spill.get(aside.doubles)?);
            all.extend(minor.as_chunks().0.iter().map(|value| i32::from_ne_bytes(*value)));
            doubles.extend(more.as_chunks().0.iter().map(|value| f64::from_ne_bytes(*value)));
        }
        let of = OfGroup { scale: self.scale, minor: &mut all, doubles: &mut doubles };
        Ok(of.read(readings))
    }

    /// Quantiles and bounds, one for each reading.
    fn read(self, readings: &[Reading]) -> Vec<Value> {
        let unit = pow10(self.scale) as f64;
        let double = |minor: i32| f64::from(minor) / unit;
        let lasts = |reading: &Reading| matches!(reading, Reading::Lasting { .. });
        if self.doubles.is_empty() && !readings.iter().any(lasts) {
            return statistics(self.minor, readings, i32::cmp, double);
        }
        let mut all: Vec<f64>;
        let values = match self.minor.is_empty() {
            true => self.doubles,
            false => {
                all = self.doubles.to_vec();
                all.extend(self.minor.iter().map(|&minor| double(minor)));
                &mut all
            }
        };
        let mut read = statistics(values, readings, f64::total_cmp, |value| value);
        // They go by an order of their own.
        for (read, reading) in read.iter_mut().zip(readings) {
            if let Reading::Lasting { at, bound } = *reading {
                let found = censored_quantile(values, at, bound);
                *read = found.map_or(Value::Null, Value::finite);
            }
        }
        read
    }
}

/// Quantiles and bounds of each group's values, for each reading.
///
/// # Errors
/// A disk that fails, if values are there.
pub(super) fn order_statistics(
    values: Values,
    groups: usize,
    readings: &[Reading],
) -> Result<Vec<Vec<Value>>, EngineError> {
    // Of nothing too the readings have values.
    let none = OfGroup { scale: 0, minor: &mut [], doubles: &mut [] }.read(readings);
    let mut columns: Vec<Vec<Value>> = none.into_iter().map(|value| vec![value; groups]).collect();
    for (group, values) in values.read(groups, readings)? {
        columns.iter_mut().zip(values).for_each(|(column, value)| column[group as usize] = value);
    }
    Ok(columns)
}

/// What the readings ask for of values in an order; their places are those among the sorted ones.
fn statistics<T: Copy>(
    values: &mut [T],
    readings: &[Reading],
    order: impl Fn(&T, &T) -> Ordering + Copy,
    double: impl Fn(T) -> f64,
) -> Vec<Value> {
    let n = values.len();
    let places = |reading: &Reading| match *reading {
        Reading::Quantile(at) if n > 0 => {
            let (below, _) = position(n, at);
            vec![below, (below + 1).min(n - 1)]
        }
        Reading::RankBound { at, z, upper } => {
            let (low, high) = rank_bounds(n, at, z);
            let rank = if upper { high } else { low };
            rank.map(|rank| rank - 1).into_iter().collect()
        }
        _ => Vec::new(),
    };
    let mut wanted: Vec<usize> = readings.iter().flat_map(places).collect();
    wanted.sort_unstable();
    wanted.dedup();
    select_all(values, &wanted, order);
    let read = |reading: &Reading| {
        let value = match (*reading, places(reading).as_slice()) {
            (Reading::Quantile(at), &[below, above]) => {
                let (_, fraction) = position(n, at);
                Some(interpolate(double(values[below]), double(values[above]), fraction))
            }
            (_, &[place]) => Some(double(values[place])),
            _ => None,
        };
        value.map_or(Value::Null, Value::finite)
    };
    readings.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::memory::MemoryLimit;
    use super::*;
    use crate::stats::quantile_of_sorted;

    #[test]
    fn what_was_put_aside_is_read_as_if_it_had_stayed() {
        let folder = tempfile::tempdir().expect("a folder");
        let limit = MemoryLimit { limit: u64::MAX, folder: folder.path().to_owned() };
        let memory = Memory::new(Some(limit)).always_short();
        let build = |aside: bool| {
            let mut parts = [Values::default(), Values::default()];
            for value in 0..20_000_i128 {
                let part = &mut parts[(value % 2) as usize];
                let group = (value % 3) as u32;
                part.take_minor(&[group], &[value * 7919 % 5_000], 2);
                if value % 1000 == 0 {
                    // A group that is never worth it, and values that are not small.
                    let large = i128::from(i32::MAX) + value;
                    part.take_minor(&[group, 3, group], &[large, value, 7], 2);
                }
                if aside && value % 5_000 == 0 {
                    part.put_aside(4, &memory).expect("room");
                }
            }
            let [mut all, other] = parts;
            all.merge(other, &[2, 0, 1, 3]);
            let past = all.of_past(|group| group == 1);
            let readings = [Reading::Quantile(0.25), Reading::Quantile(0.999)];
            let mut read = past.read(4, &readings).expect("it is there");
            read.extend(all.read(4, &readings).expect("it is there"));
            assert_eq!(read.iter().map(|(group, _)| *group).collect::<Vec<_>>(), [1, 0, 2, 3]);
            read
        };
        assert_eq!(build(true), build(false));
        assert!(memory.put_aside() > 0);
    }

    #[test]
    fn selecting_equals_sorting() {
        let minor = [300, 100, 200, 500, 400, i128::from(i32::MAX) + 1, -7];
        // All in one, in parts, and as doubles.
        let build = |part: &[i128], doubles: bool| {
            let mut values = Values::default();
            let groups = vec![1; part.len()];
            match doubles {
                true => {
                    let part = part.iter().map(|&minor| minor as f64 / 100.0);
                    values.take(&groups, part.collect());
                }
                false => values.take_minor(&groups, part, 2),
            }
            values
        };
        for count in 1..=minor.len() {
            let minor = &minor[..count];
            let mut sorted: Vec<f64> = minor.iter().map(|&minor| minor as f64 / 100.0).collect();
            sorted.sort_by(f64::total_cmp);
            for at in [0.0, 0.1, 0.5, 0.95, 1.0] {
                let mut parts = build(&minor[..count / 2], false);
                parts.merge(build(&minor[count / 2..], false), &[0, 1]);
                for values in [build(minor, false), build(minor, true), parts] {
                    let read = order_statistics(values, 2, &[Reading::Quantile(at)]);
                    let read = &read.expect("in memory")[0];
                    assert_eq!(read[0], Value::Null);
                    assert_eq!(read[1].as_f64(), quantile_of_sorted(&sorted, at), "{count} {at}");
                }
            }
        }
    }
}
