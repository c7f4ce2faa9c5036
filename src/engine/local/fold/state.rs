//! Accumulators: what an aggregate keeps per group.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, UInt32Array};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use super::super::cast::double_of;
use super::super::evaluate::flat;
use super::super::intern::Interner;
use super::super::memory::Memory;
use super::super::people::NOBODY;
use super::ScanFacts;
use super::arguments::{Arguments, Valid};
use super::gather::{Gather, Pair, customers_of_past, customers_with};
use super::values::{self, Values};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, Value, pow10, value_at};
use crate::stats::{CensoredBound, ExactSum, Moments};

/// What an accumulator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows; with an argument, rows where it is not null.
    Rows,
    /// Sum and count of whole numbers or decimals.
    Exact,
    /// Sum of doubles.
    Doubles,
    /// Count and sum of doubles.
    Means,
    /// Count, sum and sum of squares as doubles.
    Moments,
    /// The smallest or largest value.
    Least,
    Greatest,
    /// All values.
    Values,
    /// Rows of each customer, by number.
    People,
    /// Distinct values.
    Distinct,
    /// Distinct values with the sum of a weight each.
    Weighted,
    /// Distinct values, and whether each came with two different others.
    Varying,
    /// The value of the row that comes first in some order.
    First,
}

/// The state of an accumulator; one entry per group unless said otherwise.
pub(super) enum Accumulator {
    Rows(Vec<i64>),
    Exact(Vec<(i128, i64)>),
    Doubles(Vec<ExactSum>),
    Means(Vec<(ExactSum, u64)>),
    Moments(Vec<Moments>),
    Least(Vec<Value>),
    Greatest(Vec<Value>),
    Values(Values),
    People(Gather<Pair>),
    /// Entries are (group, value) pairs.
    Pairs(Pairs),
    First(Vec<Option<(Box<[u8]>, Value)>>),
}

/// Distinct values per group, with something kept of each.
#[derive(Default)]
pub(super) struct Pairs {
    values: Interner,
    others: Interner,
    kept: HashMap<(u32, u32), Kept>,
}

/// What is kept of a distinct value in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    Weight(i128),
    /// One of the others it came with, and whether there was a different one; no other yet.
    Other(Option<u32>, bool),
}

fn overflow(function: &str) -> EngineError {
    EvaluateError::Overflow { function: function.into() }.into()
}

fn add(left: i128, right: i128) -> Result<i128, EngineError> {
    left.checked_add(right).ok_or_else(|| overflow("sum"))
}

impl Accumulator {
    pub fn new(kind: Kind, facts: &ScanFacts) -> Self {
        match kind {
            Kind::Rows => Accumulator::Rows(Vec::new()),
            Kind::Exact => Accumulator::Exact(Vec::new()),
            Kind::Doubles => Accumulator::Doubles(Vec::new()),
            Kind::Means => Accumulator::Means(Vec::new()),
            Kind::Moments => Accumulator::Moments(Vec::new()),
            Kind::Least => Accumulator::Least(Vec::new()),
            Kind::Greatest => Accumulator::Greatest(Vec::new()),
            Kind::Values => Accumulator::Values(Values::default()),
            Kind::People => Accumulator::People(Gather::of_input(facts)),
            Kind::Distinct | Kind::Weighted | Kind::Varying => Accumulator::Pairs(Pairs::default()),
            Kind::First => Accumulator::First(Vec::new()),
        }
    }

    /// Makes room for so many groups.
    pub fn grow(&mut self, groups: usize) {
        match self {
            Accumulator::Rows(list) => list.resize(groups, 0),
            Accumulator::Exact(list) => list.resize(groups, (0, 0)),
            Accumulator::Doubles(list) => list.resize(groups, ExactSum::default()),
            Accumulator::Means(list) => list.resize(groups, Default::default()),
            Accumulator::Moments(list) => list.resize(groups, Moments::default()),
            Accumulator::Least(list) | Accumulator::Greatest(list) => {
                list.resize(groups, Value::Null);
            }
            Accumulator::Pairs(_) | Accumulator::People(_) | Accumulator::Values(_) => {}
            Accumulator::First(list) => list.resize(groups, None),
        }
    }

    /// Takes the rows of a morsel in; there is room for their groups.
    pub fn take(&mut self, kind: Kind, arguments: &Arguments) -> Result<(), EngineError> {
        let columns = arguments.columns;
        match self {
            Accumulator::Rows(counts) => arguments.for_each_valid(|_, group| counts[group] += 1),
            Accumulator::Exact(sums) => match columns[0].data_type() {
                ArrowType::Decimal128(_, _) => {
                    let values = columns[0].as_primitive::<Decimal128Type>().values();
                    let mut fits = true;
                    arguments.for_each_valid(|row, group| {
                        let (sum, count) = &mut sums[group];
                        let (more, over) = sum.overflowing_add(values[row]);
                        fits &= !over;
                        *sum = more;
                        *count += 1;
                    });
                    if !fits {
                        return Err(overflow("sum"));
                    }
                }
                ArrowType::Int64 => {
                    let values = columns[0].as_primitive::<Int64Type>().values();
                    arguments.for_each_valid(|row, group| {
                        let (sum, count) = &mut sums[group];
                        *sum += i128::from(values[row]);
                        *count += 1;
                    });
                }
                _ => {
                    for (row, group) in arguments.rows() {
                        if let Some(value) = value_at(&columns[0], row).as_i64() {
                            sums[group].0 += i128::from(value);
                            sums[group].1 += 1;
                        }
                    }
                }
            },
            Accumulator::Doubles(sums) => {
                let values = columns[0].as_primitive::<Float64Type>().values();
                arguments.for_each_valid(|row, group| sums[group].add(values[row]));
            }
            Accumulator::Means(list) => for_doubles(arguments, |group, value| {
                let (sum, count) = &mut list[group];
                sum.add(value);
                *count += 1;
            }),
            Accumulator::Moments(list) => {
                for_doubles(arguments, |group, value| list[group].add(value));
            }
            Accumulator::Values(kept) => match columns[0].data_type() {
                ArrowType::Decimal128(_, scale) => {
                    let values = columns[0].as_primitive::<Decimal128Type>().values();
                    let scale = *scale as u8;
                    match arguments.valid() {
                        Valid::All => kept.take_minor(arguments.groups, values, scale),
                        Valid::Some { rows, groups } => {
                            let values: Vec<i128> =
                                rows.iter().map(|&row| values[row as usize]).collect();
                            kept.take_minor(&groups, &values, scale);
                        }
                    }
                }
                ArrowType::Float64 => {
                    let values = columns[0].as_primitive::<Float64Type>().values();
                    match arguments.valid() {
                        Valid::All => kept.take(arguments.groups, values.to_vec()),
                        Valid::Some { rows, groups } => {
                            let values = rows.iter().map(|&row| values[row as usize]);
                            kept.take(&groups, values.collect());
                        }
                    }
                }
                _ => {
                    let (mut groups, mut values) = (Vec::new(), Vec::new());
                    for_doubles(arguments, |group, value| {
                        groups.push(group as u32);
                        values.push(value);
                    });
                    kept.take(&groups, values);
                }
            },
            Accumulator::Least(list) => {
                // Null is the greatest of all values.
                extremes(arguments, list, |value, known| value < known);
            }
            Accumulator::Greatest(list) => {
                extremes(arguments, list, |value, known| known.is_null() || value > known);
            }
            Accumulator::People(pairs) => {
                let people: &UInt32Array = columns[0].as_primitive();
                let people = people.values();
                let is_somebody = |row: u32| people[row as usize] != NOBODY;
                match arguments.those(people.contains(&NOBODY).then_some(is_somebody)) {
                    Valid::All => pairs.extend(people.len(), |row| Pair {
                        person: people[row],
                        group: arguments.groups[row],
                    })?,
                    Valid::Some { rows, groups } => pairs.extend(rows.len(), |place| Pair {
                        person: people[rows[place] as usize],
                        group: groups[place],
                    })?,
                }
            }
            Accumulator::Pairs(pairs) => pairs.take(kind, arguments)?,
            Accumulator::First(list) => {
                let (value, order) = (&columns[0], &columns[1..]);
                let order = arguments.keys[0].encode(order)?;
                for (row, group) in arguments.rows() {
                    let key = order.row(row);
                    let key: &[u8] = key.as_ref();
                    // Of rows that tie the smallest value is taken: never the first met.
                    match &mut list[group] {
                        Some((least, _)) if key > least.as_ref() => {}
                        Some((least, known)) if key == least.as_ref() => {
                            let value = value_at(value, row);
                            if value < *known {
                                *known = value;
                            }
                        }
                        entry => *entry = Some((key.into(), value_at(value, row))),
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads what depends on every single row of the groups that are over, and lets it go.
    ///
    /// # Errors
    /// A disk that is full or fails, where memory is short.
    pub fn settle(
        &mut self,
        readings: &[(Reading, DataType)],
        over: &[bool],
        people: usize,
    ) -> Result<Vec<(u32, Vec<Value>)>, EngineError> {
        Ok(match self {
            Accumulator::Values(kept) => {
                let readings: Vec<Reading> = readings.iter().map(|(reading, _)| *reading).collect();
                let past = |group: u32| over.get(group as usize).copied().unwrap_or(false);
                kept.of_past(past).read(over.len(), &readings)?
            }
            Accumulator::People(pairs) => {
                let least: Vec<i64> = readings.iter().map(least_of).collect();
                let counts = customers_of_past(pairs, people, over, &least)?;
                // Without a reading nobody asks.
                let Some(first) = counts.first() else { return Ok(Vec::new()) };
                let there =
                    (0..first.len()).filter(|&group| counts.iter().any(|counts| counts[group] > 0));
                let values = |group: usize| {
                    let counts = counts.iter().map(|counts| Value::Int(counts[group]));
                    (group as u32, counts.collect())
                };
                there.map(values).collect()
            }
            _ => Vec::new(),
        })
    }

    /// Puts aside what it keeps of each row, as far as groups, of which there are so many, have much of it.
    ///
    /// # Errors
    /// A disk that is full or fails.
    pub fn put_aside(&mut self, groups: usize, memory: &Memory) -> Result<(), EngineError> {
        match self {
            Accumulator::Values(kept) => kept.put_aside(groups, memory),
            _ => Ok(()),
        }
    }

    /// Takes in another's groups; `places` gives their numbers here.
    pub fn merge(&mut self, other: Accumulator, places: &[u32]) -> Result<(), EngineError> {
        let place = |group: usize| places[group] as usize;
        match (self, other) {
            (Accumulator::Rows(list), Accumulator::Rows(other)) => {
                for (group, count) in other.into_iter().enumerate() {
                    list[place(group)] += count;
                }
            }
            (Accumulator::Exact(list), Accumulator::Exact(other)) => {
                for (group, (sum, count)) in other.into_iter().enumerate() {
                    let entry = &mut list[place(group)];
                    *entry = (add(entry.0, sum)?, entry.1 + count);
                }
            }
            (Accumulator::Doubles(list), Accumulator::Doubles(other)) => {
                for (group, sum) in other.iter().enumerate() {
                    list[place(group)].merge(sum);
                }
            }
            (Accumulator::Means(list), Accumulator::Means(other)) => {
                for (group, (sum, count)) in other.into_iter().enumerate() {
                    let entry = &mut list[place(group)];
                    entry.0.merge(&sum);
                    entry.1 += count;
                }
            }
            (Accumulator::Moments(list), Accumulator::Moments(other)) => {
                for (group, moments) in other.iter().enumerate() {
                    list[place(group)].merge(moments);
                }
            }
            (Accumulator::Values(kept), Accumulator::Values(other)) => kept.merge(other, places),
            (Accumulator::Least(list), Accumulator::Least(other)) => {
                for (group, value) in other.into_iter().enumerate() {
                    let entry = &mut list[place(group)];
                    if value < *entry {
                        *entry = value;
                    }
                }
            }
            (Accumulator::Greatest(list), Accumulator::Greatest(other)) => {
                for (group, value) in other.into_iter().enumerate() {
                    let entry = &mut list[place(group)];
                    if !value.is_null() && (entry.is_null() || value > *entry) {
                        *entry = value;
                    }
                }
            }
            (Accumulator::People(pairs), Accumulator::People(other)) => {
                pairs.merge(other, places);
            }
            (Accumulator::Pairs(pairs), Accumulator::Pairs(other)) => {
                pairs.merge(&other, places)?
            }
            (Accumulator::First(list), Accumulator::First(other)) => {
                for (group, first) in other.into_iter().enumerate() {
                    let Some(first) = first else { continue };
                    let entry = &mut list[place(group)];
                    if entry.as_ref().is_none_or(|known| first < *known) {
                        *entry = Some(first);
                    }
                }
            }
            _ => return Err(EngineError::Internal("accumulators of different kinds".into())),
        }
        Ok(())
    }
}

/// How many rows a customer must have to be counted.
fn least_of((reading, _): &(Reading, DataType)) -> i64 {
    match reading {
        Reading::Reaching(least) => *least,
        _ => 1,
    }
}

/// Keeps of each group the value that goes beyond those known.
fn extremes(arguments: &Arguments, list: &mut [Value], beyond: impl Fn(&Value, &Value) -> bool) {
    let column = &arguments.columns[0];
    macro_rules! natives {
        ($type:ty, $value:expr) => {{
            let values = column.as_primitive::<$type>().values();
            arguments.for_each_valid(|row, group| {
                let value = $value(values[row]);
                if !value.is_null() && beyond(&value, &list[group]) {
                    list[group] = value;
                }
            });
        }};
    }
    match column.data_type() {
        ArrowType::Int32 => natives!(Int32Type, |whole: i32| Value::Int(whole.into())),
        ArrowType::Int64 => natives!(Int64Type, Value::Int),
        ArrowType::Float64 => natives!(Float64Type, Value::finite),
        ArrowType::Date32 => natives!(Date32Type, Value::Date),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
            natives!(TimestampMicrosecondType, Value::Timestamp);
        }
        ArrowType::Decimal128(_, scale) => {
            let scale = *scale as u8;
            natives!(Decimal128Type, |minor| Value::Decimal { minor, scale });
        }
        _ => {
            for (row, group) in arguments.rows() {
                let value = value_at(column, row);
                if !value.is_null() && beyond(&value, &list[group]) {
                    list[group] = value;
                }
            }
        }
    }
}

fn for_doubles(arguments: &Arguments, mut take: impl FnMut(usize, f64)) {
    let column = &arguments.columns[0];
    match column.data_type() {
        ArrowType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            arguments.for_each_valid(|row, group| take(group, values[row]));
        }
        ArrowType::Decimal128(_, scale) => {
            let unit = pow10(*scale as u8) as f64;
            let values = column.as_primitive::<Decimal128Type>().values();
            arguments.for_each_valid(|row, group| take(group, double_of(values[row]) / unit));
        }
        _ => {
            for (row, group) in arguments.rows() {
                if let Some(value) = value_at(column, row).as_f64() {
                    take(group, value);
                }
            }
        }
    }
}

impl Pairs {
    fn take(&mut self, kind: Kind, arguments: &Arguments) -> Result<(), EngineError> {
        let column = flat(&arguments.columns[0])?;
        let values = arguments.keys[0].encode(std::slice::from_ref(&column))?;
        let others = match kind {
            Kind::Varying => Some(arguments.keys[1].encode(&arguments.columns[1..2])?),
            _ => None,
        };
        for (row, group) in arguments.rows() {
            if column.is_null(row) {
                continue;
            }
            let value = self.values.intern(values.row(row).as_ref())?;
            let kept = match (&others, kind) {
                (Some(others), _) if arguments.columns[1].is_valid(row) => {
                    Kept::Other(Some(self.others.intern(others.row(row).as_ref())?), false)
                }
                (Some(_), _) => Kept::Other(None, false),
                (None, Kind::Weighted) => {
                    let weight = value_at(&arguments.columns[1], row).as_i64().unwrap_or(0);
                    Kept::Weight(weight.into())
                }
                (None, _) => Kept::Nothing,
            };
            self.keep((group as u32, value), kept)?;
        }
        Ok(())
    }

    fn keep(&mut self, pair: (u32, u32), kept: Kept) -> Result<(), EngineError> {
        let entry = self.kept.entry(pair).or_insert(match kept {
            Kept::Nothing => Kept::Nothing,
            Kept::Weight(_) => Kept::Weight(0),
            Kept::Other(_, _) => Kept::Other(None, false),
        });
        *entry = match (*entry, kept) {
            (Kept::Weight(a), Kept::Weight(b)) => Kept::Weight(add(a, b)?),
            (Kept::Other(None, _), other) => other,
            (Kept::Other(Some(a), varies), Kept::Other(b, also)) => {
                Kept::Other(Some(a), varies || also || b.is_some_and(|b| a != b))
            }
            (entry, _) => entry,
        };
        Ok(())
    }

    fn merge(&mut self, other: &Pairs, places: &[u32]) -> Result<(), EngineError> {
        let values = self.values.absorb(&other.values)?;
        let others = self.others.absorb(&other.others)?;
        for (&(group, value), &kept) in &other.kept {
            let kept = match kept {
                Kept::Other(Some(id), varies) => Kept::Other(Some(others[id as usize]), varies),
                kept => kept,
            };
            self.keep((places[group as usize], values[value as usize]), kept)?;
        }
        Ok(())
    }

    /// How many values each group has, of those that count.
    fn counts(&self, groups: usize, counts: impl Fn(Kept) -> bool) -> Vec<i64> {
        let mut result = vec![0; groups];
        for (&(group, _), &kept) in &self.kept {
            result[group as usize] += i64::from(counts(kept));
        }
        result
    }
}

/// How a measure is read off its accumulator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    Count,
    Sum,
    Mean,
    Variance,
    Value,
    Quantile(f64),
    RankBound {
        at: f64,
        z: f64,
        upper: bool,
    },
    /// Of durations of which some go on.
    Lasting {
        at: f64,
        bound: Option<CensoredBound>,
    },
    Reaching(i64),
    Varying,
}

impl Accumulator {
    /// The measures for each group, as values of the types that stand beside them; `argument` is the type
    /// of what was accumulated, `people` how many customers are numbered.
    pub fn read(
        self,
        readings: &[(Reading, DataType)],
        argument: DataType,
        groups: usize,
        people: usize,
    ) -> Result<Vec<Vec<Value>>, EngineError> {
        match self {
            Accumulator::Values(kept) => {
                let readings: Vec<Reading> = readings.iter().map(|(reading, _)| *reading).collect();
                values::order_statistics(kept, groups, &readings)
            }
            Accumulator::People(pairs) => {
                let least: Vec<i64> = readings.iter().map(least_of).collect();
                let counts = customers_with(pairs, people, groups, &least)?;
                Ok(counts.into_iter().map(|n| n.into_iter().map(Value::Int).collect()).collect())
            }
            other => readings
                .iter()
                .map(|&(reading, data_type)| other.read_one(reading, data_type, argument, groups))
                .collect(),
        }
    }

    fn read_one(
        &self,
        reading: Reading,
        data_type: DataType,
        argument: DataType,
        groups: usize,
    ) -> Result<Vec<Value>, EngineError> {
        let scale = match argument {
            DataType::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let optional = |x: Option<f64>| x.map_or(Value::Null, Value::finite);
        Ok(match (self, reading) {
            (Accumulator::Rows(counts), _) => counts.iter().map(|&n| Value::Int(n)).collect(),
            (Accumulator::Exact(sums), Reading::Mean) => sums
                .iter()
                .map(|&(sum, n)| {
                    optional((n > 0).then(|| sum as f64 / pow10(scale) as f64 / n as f64))
                })
                .collect(),
            (Accumulator::Exact(sums), Reading::Count) => {
                sums.iter().map(|&(_, n)| Value::Int(n)).collect()
            }
            (Accumulator::Exact(sums), _) => sums
                .iter()
                .map(|&(sum, _)| match data_type {
                    DataType::Decimal { scale, .. }
                        if sum.abs() < super::super::kernel::LARGEST =>
                    {
                        Ok(Value::Decimal { minor: sum, scale })
                    }
                    DataType::Decimal { .. } => Err(overflow("sum")),
                    DataType::Duration => {
                        i64::try_from(sum).map(Value::Duration).map_err(|_| overflow("sum"))
                    }
                    _ => i64::try_from(sum).map(Value::Int).map_err(|_| overflow("sum")),
                })
                .collect::<Result<_, _>>()?,
            (Accumulator::Doubles(sums), _) => {
                sums.iter().map(|sum| optional(sum.value())).collect()
            }
            (Accumulator::Means(list), _) => list
                .iter()
                .map(|(sum, count)| {
                    let sum = sum.value().filter(|_| *count > 0);
                    optional(sum.map(|sum| sum / *count as f64))
                })
                .collect(),
            (Accumulator::Moments(list), Reading::Variance) => {
                list.iter().map(|moments| optional(moments.variance())).collect()
            }
            (Accumulator::Moments(list), _) => {
                list.iter().map(|moments| optional(moments.mean())).collect()
            }
            (Accumulator::Least(list) | Accumulator::Greatest(list), _) => list.clone(),
            (Accumulator::Pairs(pairs), Reading::Reaching(least)) => pairs
                .counts(
                    groups,
                    |kept| matches!(kept, Kept::Weight(sum) if sum >= i128::from(least)),
                )
                .into_iter()
                .map(Value::Int)
                .collect(),
            (Accumulator::Pairs(pairs), Reading::Varying) => pairs
                .counts(groups, |kept| matches!(kept, Kept::Other(_, true)))
                .into_iter()
                .map(Value::Int)
                .collect(),
            (Accumulator::Pairs(pairs), _) => {
                pairs.counts(groups, |_| true).into_iter().map(Value::Int).collect()
            }
            (Accumulator::First(list), _) => list
                .iter()
                .map(|first| first.as_ref().map_or(Value::Null, |(_, value)| value.clone()))
                .collect(),
            (Accumulator::Values(_) | Accumulator::People(_), _) => {
                return Err(EngineError::Internal("an accumulator that is read as a whole".into()));
            }
        })
    }
}
