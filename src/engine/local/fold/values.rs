//! The values of a group, all of them, for what depends on their order.

use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::cast::double_of;
use super::super::memory::{Memory, Run, Spill};
use super::state::Reading;
use crate::engine::EngineError;
use crate::frame::{Value, pow10};
use crate::stats::{censored_quantile, interpolate, position, rank_bounds, select_all};

/// The values of a group. Money is mostly small enough for four bytes.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Digits after the point of `minor`.
    scale: u8,
    minor: Vec<i32>,
    doubles: Vec<f64>,
    /// What other threads have taken in.
    others: Vec<Values>,
    /// What was put aside in files, because memory was short.
    aside: Vec<Aside>,
}

/// Values in a file.
#[derive(Debug)]
struct Aside {
    spill: Arc<Spill>,
    minor: Run,
    doubles: Run,
}

/// Of fewer values it would not be worth it to put them aside.
const MANY: usize = 512;

impl Values {
    /// Takes a double.
    pub fn push(&mut self, value: f64) {
        self.doubles.push(value);
    }

    /// Takes a decimal, of which all have the same digits after the point.
    pub fn push_minor(&mut self, minor: i128, scale: u8) {
        match i32::try_from(minor) {
            Ok(minor) => {
                self.scale = scale;
                self.minor.push(minor);
            }
            Err(_) => self.doubles.push(double_of(minor) / pow10(scale) as f64),
        }
    }

    /// Takes in another's values.
    pub fn merge(&mut self, mut other: Values) {
        if self.is_empty() {
            *self = other;
        } else if !other.is_empty() {
            let more = std::mem::take(&mut other.others);
            self.others.push(other);
            self.others.extend(more);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.minor.is_empty()
            && self.doubles.is_empty()
            && self.others.is_empty()
            && self.aside.is_empty()
    }

    /// Puts the values aside, if they are many.
    ///
    /// # Errors
    /// A disk that is full or fails.
    pub fn put_aside(&mut self, memory: &Memory) -> Result<(), EngineError> {
        if self.minor.len() + self.doubles.len() < MANY {
            return Ok(());
        }
        let (minor, doubles) = (std::mem::take(&mut self.minor), std::mem::take(&mut self.doubles));
        let spill = memory.spill()?;
        let minor: Vec<u8> = minor.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let doubles: Vec<u8> = doubles.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let (minor, doubles) = (spill.put(&minor)?, spill.put(&doubles)?);
        self.aside.push(Aside { spill, minor, doubles });
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), EngineError> {
        for Aside { spill, minor, doubles } in std::mem::take(&mut self.aside) {
            let (minor, doubles) = (spill.get(minor)?, spill.get(doubles)?);
            let (minor, _) = minor.as_chunks();
            let (doubles, _) = doubles.as_chunks();
            self.minor.extend(minor.iter().map(|value| i32::from_ne_bytes(*value)));
            self.doubles.extend(doubles.iter().map(|value| f64::from_ne_bytes(*value)));
        }
        Ok(())
    }

    /// Quantiles and bounds, one for each reading.
    ///
    /// # Errors
    /// A disk that fails, if values are there.
    pub fn read(mut self, readings: &[Reading]) -> Result<Vec<Value>, EngineError> {
        self.minor.reserve_exact(self.others.iter().map(|other| other.minor.len()).sum());
        self.doubles.reserve_exact(self.others.iter().map(|other| other.doubles.len()).sum());
        self.take_back()?;
        for mut other in std::mem::take(&mut self.others) {
            other.take_back()?;
            self.scale = self.scale.max(other.scale);
            self.minor.extend(other.minor);
            self.doubles.extend(other.doubles);
        }
        let unit = pow10(self.scale) as f64;
        let double = |minor: i32| f64::from(minor) / unit;
        if readings.iter().any(|reading| matches!(reading, Reading::Lasting { .. })) {
            self.doubles.extend(self.minor.drain(..).map(double));
        }
        if self.doubles.is_empty() {
            return Ok(statistics(&mut self.minor, readings, i32::cmp, double));
        }
        let mut values = self.doubles;
        values.extend(self.minor.into_iter().map(double));
        let mut read = statistics(&mut values, readings, f64::total_cmp, |value| value);
        // They go by an order of their own.
        for (read, reading) in read.iter_mut().zip(readings) {
            if let Reading::Lasting { at, bound } = *reading {
                let found = censored_quantile(&mut values, at, bound);
                *read = found.map_or(Value::Null, Value::finite);
            }
        }
        Ok(read)
    }
}

/// Quantiles and bounds of each group's values, for each reading.
///
/// # Errors
/// A disk that fails, if values are there.
pub(super) fn order_statistics(
    list: Vec<Values>,
    readings: &[Reading],
) -> Result<Vec<Vec<Value>>, EngineError> {
    let read: Vec<Result<Vec<Value>, EngineError>> =
        list.into_par_iter().map(|values| values.read(readings)).collect();
    let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut columns = vec![Vec::with_capacity(read.len()); readings.len()];
    for values in read {
        columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
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
                part.push_minor(value * 7919 % 5_000, 2);
                if value % 1000 == 0 {
                    part.push_minor(i128::from(i32::MAX) + value, 2);
                }
                if aside && value % 5_000 == 0 {
                    part.put_aside(&memory).expect("room");
                }
            }
            let [mut all, other] = parts;
            all.merge(other);
            all.read(&[Reading::Quantile(0.25), Reading::Quantile(0.999)]).expect("it is there")
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
            for &minor in part {
                match doubles {
                    true => values.push(minor as f64 / 100.0),
                    false => values.push_minor(minor, 2),
                }
            }
            values
        };
        for count in 1..=minor.len() {
            let minor = &minor[..count];
            let mut sorted: Vec<f64> = minor.iter().map(|&minor| minor as f64 / 100.0).collect();
            sorted.sort_by(f64::total_cmp);
            for at in [0.0, 0.1, 0.5, 0.95, 1.0] {
                let mut parts = build(&minor[..count / 2], false);
                parts.merge(build(&minor[count / 2..], false));
                for values in [build(minor, false), build(minor, true), parts] {
                    let read = values.read(&[Reading::Quantile(at)]).expect("in memory");
                    assert_eq!(read[0].as_f64(), quantile_of_sorted(&sorted, at), "{count} {at}");
                }
            }
        }
    }
}
