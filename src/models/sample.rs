//! Stratified samples: how many of each stratum are drawn, up to which number, and with what weight.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};
use crate::stats::allocate;

/// How many are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleSize {
    Count(u64),
    /// A share of all, above 0.
    Share(f64),
}

/// The function of `sample`. In each stratum those with the smallest numbers are drawn.
///
/// Input: [`StratifiedSample::STRATUM`] (string), [`StratifiedSample::NUMBER`] (int64, at least 0) and
/// [`StratifiedSample::UNITS`] (int64), how many of the stratum have the number. Who has the same number is drawn
/// together.
///
/// Output: for each stratum as it is in the input the largest number that is drawn, [`StratifiedSample::LARGEST`],
/// and the weight, [`StratifiedSample::WEIGHT`]; and the table of strata, with their names for readers.
#[derive(Debug, Clone)]
pub struct StratifiedSample {
    pub size: SampleSize,
    /// Equally many of each stratum, not in proportion.
    pub equal: bool,
}

impl StratifiedSample {
    pub const STRATUM: &'static str = "#stratum";
    pub const NUMBER: &'static str = "#number";
    pub const UNITS: &'static str = "#units";
    pub const LARGEST: &'static str = "#largest";
    pub const WEIGHT: &'static str = "#weight";
    /// What stands between the parts of a stratum's name, and what stands for a null among them.
    pub const BETWEEN: &'static str = "\u{1f}";
    pub const NOTHING: &'static str = "\u{1a}";

    fn fault(reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "sample", reason: reason.into() }
    }

    /// The numbers of each stratum with how many have them, ascending.
    fn strata(&self, input: &Frame) -> Result<BTreeMap<String, Vec<(i64, u64)>>, ApplyError> {
        let column = |name: &str| {
            let missing = || StratifiedSample::fault(format!("no column `{name}`"));
            let index = input.schema.index_of(name).ok_or_else(missing)?;
            Ok::<_, ApplyError>(input.batch.column(index).clone())
        };
        let (names, numbers, units) =
            (column(Self::STRATUM)?, column(Self::NUMBER)?, column(Self::UNITS)?);
        let (numbers, units) =
            (numbers.as_primitive::<Int64Type>(), units.as_primitive::<Int64Type>());
        let mut strata: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
        for row in 0..input.rows() {
            let name = match crate::frame::value_at(&names, row) {
                Value::String(name) => name.to_string(),
                _ => Self::NOTHING.to_owned(),
            };
            let count = u64::try_from(units.value(row)).unwrap_or(0);
            strata.entry(name).or_default().push((numbers.value(row), count));
        }
        strata.values_mut().for_each(|numbers| numbers.sort_unstable());
        Ok(strata)
    }

    fn tables(&self, strata: &BTreeMap<String, Vec<(i64, u64)>>) -> Result<[Frame; 2], FrameError> {
        let count = |numbers: &[(i64, u64)]| numbers.iter().map(|(_, units)| units).sum::<u64>();
        let populations: Vec<u64> = strata.values().map(|numbers| count(numbers)).collect();
        let all: u64 = populations.iter().sum();
        let size = match self.size {
            SampleSize::Count(count) => count,
            SampleSize::Share(share) => (share * all as f64).round() as u64,
        };
        let drawn = allocate(&populations, size, self.equal);
        // Of those with one number all are drawn, so it may be more.
        let cuts: Vec<(i64, u64)> = strata
            .values()
            .zip(&drawn)
            .map(|(numbers, wanted)| {
                let mut sampled = 0;
                let mut largest = -1;
                for (number, units) in numbers {
                    if sampled >= *wanted {
                        break;
                    }
                    (sampled, largest) = (sampled + units, *number);
                }
                (largest, sampled)
            })
            .collect();
        let sampled: u64 = cuts.iter().map(|(_, sampled)| sampled).sum();
        let share = |part: u64, of: u64| match of {
            0 => Value::Null,
            of => Value::finite(part as f64 / of as f64),
        };
        let (mut bounds, mut table) = (Vec::new(), Vec::new());
        for ((name, population), (largest, drawn)) in strata.keys().zip(populations).zip(cuts) {
            let weight = share(population, drawn);
            bounds.push(vec![Value::text(name), Value::Int(largest), weight.clone()]);
            table.push(vec![
                readable(name),
                Value::Int(population as i64),
                Value::Int(drawn as i64),
                share(population, all),
                share(drawn, sampled),
                weight,
            ]);
        }
        table.sort_by(|a, b| a[0].cmp(&b[0]));
        let [first, second] = schemas();
        Ok([Frame::from_rows(first, &bounds)?, Frame::from_rows(second, &table)?])
    }
}

/// The name of a stratum for readers; null for the stratum of nulls.
fn readable(name: &str) -> Value {
    let parts: Vec<&str> = name.split(StratifiedSample::BETWEEN).collect();
    match parts.as_slice() {
        [StratifiedSample::NOTHING] => Value::Null,
        parts => {
            let named = |part: &&str| match *part {
                StratifiedSample::NOTHING => "(none)".to_owned(),
                part => part.to_owned(),
            };
            Value::text(parts.iter().map(named).collect::<Vec<_>>().join(" / "))
        }
    }
}

fn schemas() -> [Arc<Schema>; 2] {
    let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
    let float = |name: &str| Field::new(name, DataType::Float64);
    let bounds = vec![
        Field::new(StratifiedSample::STRATUM, DataType::String),
        Field::new(StratifiedSample::LARGEST, DataType::Int64),
        float(StratifiedSample::WEIGHT),
    ];
    let table = vec![
        Field::new("stratum", DataType::String),
        count("population"),
        count("sampled"),
        float("share_population").with_unit(Unit::Share),
        float("share_sampled").with_unit(Unit::Share),
        float("weight"),
    ];
    [Arc::new(Schema::new(bounds)), Arc::new(Schema::new(table))]
}

impl FrameFunction for StratifiedSample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn describe(&self) -> String {
        format!("sample of {:?}, equal {}", self.size, self.equal)
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        schemas().to_vec()
    }

    fn comes_from<'a>(&'a self, column: &'a str) -> &'a str {
        if column == "stratum" { Self::STRATUM } else { column }
    }

    fn apply(&self, inputs: &[Frame], _: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let [input] = inputs else { return Err(Self::fault("it reads one table")) };
        let tables = self.tables(&self.strata(input)?);
        Ok(tables.map_err(|error| Self::fault(error.to_string()))?.to_vec())
    }
}
