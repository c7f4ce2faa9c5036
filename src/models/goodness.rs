//! Samples held against their populations: the shares of groups, and whether chance makes them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};
use crate::ir::{ApplyError, Calendar, FrameFunction};
use crate::stats::{Units, goodness_of_fit};

/// The function behind the companions `_shares` and `_tests` of `sample`.
///
/// Input: [`SampleGoodness::DIMENSION`] (string, the name of one), [`SampleGoodness::STRATUM`] and
/// [`SampleGoodness::VALUE`] (strings), [`SampleGoodness::POPULATION`] and [`SampleGoodness::SAMPLED`] (int64): for
/// each dimension how many units of each stratum have a value, and how many of them were drawn.
///
/// Output: a row for each dimension and value, and one for each dimension. The latter has besides how many units the
/// smallest stratum of a value has, [`SampleGoodness::FEWEST`].
#[derive(Debug, Clone)]
pub struct SampleGoodness;

/// What stands in one row of the input.
type Row = (Value, Value, Units);

impl SampleGoodness {
    pub const DIMENSION: &'static str = "#dimension";
    pub const STRATUM: &'static str = "#stratum";
    pub const VALUE: &'static str = "#value";
    pub const POPULATION: &'static str = "#population";
    pub const SAMPLED: &'static str = "#sampled";
    pub const FEWEST: &'static str = "#fewest";

    fn fault(reason: impl Into<String>) -> ApplyError {
        ApplyError { function: "sample_goodness", reason: reason.into() }
    }

    /// The rows of each dimension: stratum, value and units.
    fn dimensions(input: &Frame) -> Result<BTreeMap<Value, Vec<Row>>, ApplyError> {
        let place = |name: &str| {
            input.schema.index_of(name).ok_or_else(|| Self::fault(format!("no column `{name}`")))
        };
        let [dimension, stratum, value, population, sampled] =
            [Self::DIMENSION, Self::STRATUM, Self::VALUE, Self::POPULATION, Self::SAMPLED]
                .map(place);
        let (dimension, stratum, value) = (dimension?, stratum?, value?);
        let (population, sampled) = (population?, sampled?);
        let mut found: BTreeMap<Value, Vec<Row>> = BTreeMap::new();
        for row in 0..input.rows() {
            let count = |place: usize| {
                input.value(row, place).as_i64().and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
            };
            let units = Units { population: count(population), sampled: count(sampled) };
            let own = found.entry(input.value(row, dimension)).or_default();
            own.push((input.value(row, stratum), input.value(row, value), units));
        }
        Ok(found)
    }

    fn tables(dimensions: &BTreeMap<Value, Vec<Row>>) -> Result<[Frame; 2], FrameError> {
        let (mut shares, mut tests) = (Vec::new(), Vec::new());
        let count = |n: u64| Value::Int(n as i64);
        for (dimension, rows) in dimensions {
            let values: BTreeSet<&Value> = rows.iter().map(|(_, value, _)| value).collect();
            let places: BTreeMap<&Value, usize> = values.iter().copied().zip(0..).collect();
            let mut strata: BTreeMap<&Value, Vec<Units>> = BTreeMap::new();
            for (stratum, value, units) in rows {
                let none = || vec![Units::default(); values.len()];
                strata.entry(stratum).or_insert_with(none)[places[value]] = *units;
            }
            let strata: Vec<Vec<Units>> = strata.into_values().collect();
            let sum = |units: &[Units]| units.iter().fold(Units::default(), |sum, &own| sum + own);
            let all: u64 = strata.iter().map(|units| sum(units).population).sum();
            for (value, &place) in &places {
                let of_value: Vec<Units> = strata.iter().map(|units| units[place]).collect();
                // Each unit that was drawn stands for as many as its stratum has to each of its sample.
                let weighted = strata.iter().map(|units| {
                    let Units { population, sampled } = sum(units);
                    let weight = population as f64 / sampled.max(1) as f64;
                    weight * units[place].sampled as f64
                });
                let Units { population, sampled } = sum(&of_value);
                shares.push(vec![
                    dimension.clone(),
                    (*value).clone(),
                    count(population),
                    count(sampled),
                    Value::finite(population as f64 / all as f64),
                    Value::finite(weighted.sum::<f64>() / all as f64),
                ]);
            }
            let found = goodness_of_fit(&strata);
            let test = found.and_then(|found| found.test);
            let fewest = strata.iter().flatten().map(|units| units.population);
            tests.push(vec![
                dimension.clone(),
                found.map_or(Value::Null, |found| count(found.groups as u64)),
                test.map_or(Value::Null, |(statistic, _, _)| Value::finite(statistic)),
                test.map_or(Value::Null, |(_, degrees, _)| count(degrees.into())),
                test.map_or(Value::Null, |(_, _, p_value)| Value::finite(p_value)),
                found.map_or(Value::Null, |found| Value::finite(found.cohens_w)),
                count(fewest.filter(|&units| units > 0).min().unwrap_or(0)),
            ]);
        }
        let [of_shares, of_tests] = schemas();
        Ok([Frame::from_rows(of_shares, &shares)?, Frame::from_rows(of_tests, &tests)?])
    }
}

fn schemas() -> [Arc<Schema>; 2] {
    let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
    let float = |name: &str| Field::new(name, DataType::Float64);
    let dimension = || Field::new("dimension", DataType::String);
    let shares = vec![
        dimension(),
        Field::new("value", DataType::String),
        count("population"),
        count("sampled"),
        float("share_population").with_unit(Unit::Share),
        float("share_sampled").with_unit(Unit::Share),
    ];
    let tests = vec![
        dimension(),
        count("groups"),
        float("chi_square"),
        Field::new("degrees_of_freedom", DataType::Int64),
        float("p_value"),
        float("cohens_w"),
        Field::new(SampleGoodness::FEWEST, DataType::Int64),
    ];
    [Arc::new(Schema::new(shares)), Arc::new(Schema::new(tests))]
}

impl FrameFunction for SampleGoodness {
    fn name(&self) -> &'static str {
        "sample_goodness"
    }

    fn describe(&self) -> String {
        "sample_goodness".to_owned()
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        schemas().to_vec()
    }

    fn comes_from<'a>(&'a self, column: &'a str) -> &'a str {
        if column == "value" { Self::VALUE } else { column }
    }

    fn apply(&self, inputs: &[Frame], _: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let [input] = inputs else { return Err(Self::fault("it reads one table")) };
        let tables = Self::tables(&Self::dimensions(input)?);
        Ok(tables.map_err(|error| Self::fault(error.to_string()))?.to_vec())
    }
}
