//! Small groups are hidden as soon as a stage has made them, so that whoever reads its tables (another stage, a
//! check, an alert, the report) knows no more than what is published.
//!
//! A hidden row keeps what identifies it; every other column is null, and the last column, `suppressed`, is
//! true. Which rows those are is told by [`crate::stats::suppress`] for groups, cohorts and the steps of funnels. Where a table of
//! totals has no equations of its own there (cohorts by segment, growth), a total is hidden with any of its parts:
//! what is left of it says no more than its parts do.

mod funnels;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::nullif;

use super::context::StageContext;
use crate::diagnostic::Code;
use crate::frame::{DataType, Field, Frame, Schema, Value};
use crate::ir::relation;
use crate::ir::{ApplyError, Calendar, FrameFunction, Rel, RelNode, RelRef};
use crate::stats::suppress::{CohortCell, SmallGroups, suppressed_cells, suppressed_populations};

pub(super) use funnels::{REACHED, answered, stopped_before};

/// The name of the function, by which tables are known to be held.
const NAME: &str = "suppress";

/// The column that says that a row is hidden.
pub(crate) const SUPPRESSED: &str = "suppressed";

/// What the columns begin with that say how many customers a row is about. There may be several, for the
/// populations of its metrics; a row is hidden because of any of them.
pub(super) const PEOPLE: &str = "#people";

/// What decides which rows are hidden.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// The customers of each row, [`PEOPLE`]. Rows of several combinations of dimensions are totals of each other.
    Groups {
        /// All dimensions.
        dimensions: Vec<String>,
        /// For each table the combinations in it: the value of its first column where that tells them apart,
        /// and the places of the dimensions.
        levels: Vec<Vec<(Option<String>, Vec<usize>)>>,
    },
    /// A triangle of cohorts, all cohorts at each age together, and maybe the triangle over fewer dimensions.
    Cohorts {
        by: Vec<String>,
        /// The dimensions that the totals have too.
        of_totals: Vec<String>,
        /// Whoever is retained at an age was retained at those before.
        nested: bool,
    },
    /// Movements of customers by period, and maybe those over fewer dimensions.
    Movements { keys_of_totals: Vec<String>, counts: Vec<&'static str> },
    /// The steps of a journey in each cell, by [`REACHED`] and its companions.
    Funnels {
        by: Vec<String>,
        /// The metrics of answers.
        metrics: Vec<&'static str>,
    },
}

/// The function that hides rows of the tables of a stage.
#[derive(Debug, Clone)]
pub(super) struct Suppression {
    pub groups: SmallGroups,
    pub rule: Rule,
    /// For each table the columns that identify a row, which are kept.
    pub kept: Vec<Vec<String>>,
    /// The columns of each table as it comes in.
    pub schemas: Vec<Arc<Schema>>,
}

/// Which columns of a table lose which rows.
struct Hidden {
    rows: Vec<bool>,
    /// Columns that lose further rows.
    more: Vec<(Vec<String>, Vec<bool>)>,
}

impl StageContext<'_> {
    /// The tables without their small groups; as they are if the pipeline hides none.
    pub(super) fn suppress(
        &mut self,
        tables: Vec<RelRef>,
        kept: Vec<Vec<String>>,
        rule: Rule,
    ) -> Option<Vec<RelRef>> {
        let Some(groups) = self.small_groups else { return Some(tables) };
        if tables.iter().any(|table| table.schema.field(SUPPRESSED).is_some()) {
            let message = format!("`{SUPPRESSED}` is the column that says which groups are hidden");
            self.report(Code::DuplicateName, None, message);
            return None;
        }
        let schemas = tables.iter().map(|table| table.schema.clone()).collect();
        Some(relation::apply(tables, Arc::new(Suppression { groups, rule, kept, schemas })))
    }
}

/// Whether all that a relation says of the data went through a table of groups of which the small ones are
/// hidden.
pub fn held(rel: &RelRef) -> bool {
    fn visit(rel: &RelRef, known: &mut HashMap<*const Rel, bool>) -> bool {
        if let Some(&held) = known.get(&Arc::as_ptr(rel)) {
            return held;
        }
        let held = match &rel.node {
            RelNode::Scan(_) | RelNode::Rejected { .. } => false,
            RelNode::Apply(apply) if apply.call.function.name() == NAME => true,
            RelNode::Values(_)
            | RelNode::Filter { .. }
            | RelNode::Project { .. }
            | RelNode::Lookup(_)
            | RelNode::Dedupe(_)
            | RelNode::Union { .. }
            | RelNode::Aggregate(_)
            | RelNode::Window(_)
            | RelNode::Join(_)
            | RelNode::Sort { .. }
            | RelNode::Series { .. }
            | RelNode::History(_)
            | RelNode::Summary(_)
            | RelNode::CohortGrid(_)
            | RelNode::Movements(_)
            | RelNode::Repeats(_)
            | RelNode::Apply(_) => rel.inputs().into_iter().all(|input| visit(input, known)),
        };
        known.insert(Arc::as_ptr(rel), held);
        held
    }
    visit(rel, &mut HashMap::new())
}

impl FrameFunction for Suppression {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let SmallGroups { least, complementary } = self.groups;
        format!(
            "{NAME} least={least} complementary={complementary} {:?} {:?}",
            self.rule, self.kept
        )
    }

    fn schemas(&self) -> Vec<Arc<Schema>> {
        let with_flag = |schema: &Arc<Schema>| {
            let own = schema.fields.iter().filter(|field| !field.name.starts_with(PEOPLE)).cloned();
            let flag = Field::new(SUPPRESSED, DataType::Bool);
            Arc::new(Schema::new(own.chain([flag]).collect()))
        };
        self.schemas.iter().map(with_flag).collect()
    }

    fn apply(&self, inputs: &[Frame], _: &Calendar) -> Result<Vec<Frame>, ApplyError> {
        let hidden = match &self.rule {
            Rule::Groups { dimensions, levels } => self.groups_of(inputs, dimensions, levels),
            Rule::Cohorts { by, of_totals, nested } => self.cohorts(inputs, by, of_totals, *nested),
            Rule::Movements { keys_of_totals, counts } => {
                self.movements(inputs, keys_of_totals, counts)
            }
            Rule::Funnels { by, metrics } => {
                inputs.iter().map(|frame| self.funnels(frame, by, metrics)).collect()
            }
        };
        let tables = inputs.iter().zip(hidden).zip(self.schemas()).zip(&self.kept);
        let tables = tables.map(|(((frame, hidden), schema), kept)| {
            without(frame, &hidden, &schema, kept)
                .map_err(|reason| ApplyError { function: NAME, reason })
        });
        tables.collect()
    }
}

/// The frame without what is hidden.
fn without(
    frame: &Frame,
    hidden: &Hidden,
    schema: &Arc<Schema>,
    kept: &[String],
) -> Result<Frame, String> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in frame.schema.fields.iter().zip(frame.batch.columns()) {
        if field.name.starts_with(PEOPLE) {
            continue;
        }
        let more = hidden.more.iter().filter(|(names, _)| names.contains(&field.name));
        let mut column = column.clone();
        let masks = more.map(|(_, rows)| rows).chain([&hidden.rows]);
        for rows in masks.filter(|_| !kept.contains(&field.name)) {
            let mask = BooleanArray::from(rows.clone());
            column = nullif(&column, &mask).map_err(|error| error.to_string())?;
        }
        columns.push(column);
    }
    columns.push(Arc::new(BooleanArray::from(hidden.rows.clone())));
    Frame::new(schema.clone(), columns, frame.rows()).map_err(|error| error.to_string())
}

/// The values of some columns in each row; those that are not there are left out.
fn keys(frame: &Frame, names: &[String]) -> Vec<Vec<Value>> {
    let places: Vec<usize> = names.iter().filter_map(|name| frame.schema.index_of(name)).collect();
    let row = |row| places.iter().map(|&place| frame.value(row, place)).collect();
    (0..frame.rows()).map(row).collect()
}

/// A column of whole numbers; those that are null, and all of a column that is not there, are `None`.
fn numbers(frame: &Frame, name: &str) -> Vec<Option<u64>> {
    let place = frame.schema.index_of(name);
    let number = |row| u64::try_from(frame.value(row, place?).as_i64()?).ok();
    (0..frame.rows()).map(number).collect()
}

/// The customers of each row in each of the populations with these names. A row of nobody known is about
/// somebody all the same.
fn people(frame: &Frame, names: &[&str]) -> Vec<Vec<u64>> {
    let columns: Vec<_> = names.iter().map(|name| numbers(frame, name)).collect();
    let of_row = |row: usize| -> Vec<u64> {
        let people: Vec<u64> = columns.iter().map(|column| column[row].unwrap_or(0)).collect();
        let nobody = people.iter().all(|&people| people == 0);
        people.into_iter().map(|people| if nobody { 1 } else { people }).collect()
    };
    (0..frame.rows()).map(of_row).collect()
}

/// A number for each value, in ascending order of values.
fn numbered<K: Ord + Clone>(values: impl Iterator<Item = K>) -> BTreeMap<K, u32> {
    let distinct: BTreeSet<K> = values.collect();
    distinct.into_iter().zip(0..).collect()
}

impl Suppression {
    fn few(&self, people: u64) -> bool {
        (1..self.groups.least).contains(&people)
    }

    fn groups_of(
        &self,
        inputs: &[Frame],
        dimensions: &[String],
        levels: &[Vec<(Option<String>, Vec<usize>)>],
    ) -> Vec<Hidden> {
        let names = inputs.iter().flat_map(|frame| frame.schema.names());
        let names: BTreeSet<&str> = names.filter(|name| name.starts_with(PEOPLE)).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut rows: Vec<Vec<Option<Value>>> = Vec::new();
        let mut populations: Vec<Vec<u64>> = vec![Vec::new(); names.len().max(1)];
        for (frame, levels) in inputs.iter().zip(levels) {
            let people = people(frame, &names);
            let places: Vec<_> =
                dimensions.iter().map(|name| frame.schema.index_of(name)).collect();
            for (row, people) in people.into_iter().enumerate() {
                let level = levels.iter().find(|(name, _)| match name {
                    None => true,
                    Some(name) => frame.value(row, 0) == Value::text(name),
                });
                let set = level.map_or(&[][..], |(_, set)| set.as_slice());
                let value = |(at, place): (usize, &Option<usize>)| {
                    place.filter(|_| set.contains(&at)).map(|place| frame.value(row, place))
                };
                rows.push(places.iter().enumerate().map(value).collect());
                for (at, population) in populations.iter_mut().enumerate() {
                    population.push(people.get(at).copied().unwrap_or(1));
                }
            }
        }
        let codes: Vec<BTreeMap<Value, u32>> = (0..dimensions.len())
            .map(|at| numbered(rows.iter().filter_map(|values| values[at].clone())))
            .collect();
        let coded = |values: &Vec<Option<Value>>| -> Vec<Option<u32>> {
            let coded = values.iter().zip(&codes);
            coded.map(|(value, codes)| codes.get(value.as_ref()?).copied()).collect()
        };
        let hidden: Vec<bool> = match self.groups.complementary {
            true => {
                let rows: Vec<_> = rows.iter().map(coded).collect();
                suppressed_populations(&rows, &populations, self.groups.least)
            }
            false => {
                let few = |row: usize| populations.iter().any(|people| self.few(people[row]));
                (0..rows.len()).map(few).collect()
            }
        };
        let mut hidden = hidden.into_iter();
        let of_table = |frame: &Frame| Hidden {
            rows: hidden.by_ref().take(frame.rows()).collect(),
            more: Vec::new(),
        };
        inputs.iter().map(of_table).collect()
    }

    /// Totals are hidden if they are small, or with any of their parts.
    fn totals(&self, totals: &[Vec<Value>], parts: &[Vec<Value>], hidden: &[bool]) -> Vec<bool> {
        let gone: BTreeSet<&Vec<Value>> =
            parts.iter().zip(hidden).filter(|(_, hidden)| **hidden).map(|(key, _)| key).collect();
        totals.iter().map(|key| self.groups.complementary && gone.contains(key)).collect()
    }

    fn movements(
        &self,
        inputs: &[Frame],
        keys_of_totals: &[String],
        counts: &[&'static str],
    ) -> Vec<Hidden> {
        let small = |frame: &Frame| {
            let mut hidden = vec![false; frame.rows()];
            for name in counts {
                for (hidden, people) in hidden.iter_mut().zip(numbers(frame, name)) {
                    *hidden |= people.is_some_and(|people| self.few(people));
                }
            }
            hidden
        };
        let mut tables: Vec<Vec<bool>> = inputs.iter().map(small).collect();
        if let ([main, totals], [of_main, of_totals]) = (inputs, tables.as_mut_slice()) {
            let parts = keys(main, keys_of_totals);
            let gone = self.totals(&keys(totals, keys_of_totals), &parts, of_main);
            of_totals.iter_mut().zip(gone).for_each(|(hidden, gone)| *hidden |= gone);
        }
        tables.into_iter().map(|rows| Hidden { rows, more: Vec::new() }).collect()
    }

    fn cohorts(
        &self,
        inputs: &[Frame],
        by: &[String],
        of_totals: &[String],
        nested: bool,
    ) -> Vec<Hidden> {
        let [main, average, rest @ ..] = inputs else { return Vec::new() };
        let (of_main, of_average) = self.triangles(main, Some(average), by, nested);
        let mut tables = vec![of_main, of_average];
        if let [totals] = rest {
            let (mut own, _) = self.triangles(totals, None, of_totals, nested);
            let key: Vec<String> = ["cohort"]
                .iter()
                .map(|&name| name.to_owned())
                .chain(of_totals.iter().cloned())
                .collect();
            let key: Vec<String> = key.into_iter().chain(["age".to_owned()]).collect();
            let gone = self.totals(&keys(totals, &key), &keys(main, &key), &tables[0]);
            own.iter_mut().zip(gone).for_each(|(hidden, gone)| *hidden |= gone);
            tables.push(own);
        }
        let names = [by, by, of_totals];
        let hidden = inputs.iter().zip(tables).zip(names);
        hidden.map(|((frame, rows), by)| self.with_amounts(frame, rows, by, nested)).collect()
    }

    /// Which cells of the triangles of a table, one for each value of its dimensions, are hidden, and which
    /// rows of all cohorts together.
    fn triangles(
        &self,
        main: &Frame,
        average: Option<&Frame>,
        by: &[String],
        nested: bool,
    ) -> (Vec<bool>, Vec<bool>) {
        let cohorts = keys(main, &["cohort".to_owned()]);
        let codes = numbered(cohorts.iter().cloned());
        let cells_of = |frame: &Frame, cohort: &dyn Fn(usize) -> Option<u32>| {
            let columns = ["age", "eligible", "retained"].map(|name| numbers(frame, name));
            let cell = |row: usize| {
                Some(CohortCell {
                    cohort: cohort(row),
                    age: u32::try_from(columns[0][row]?).ok()?,
                    eligible: columns[1][row]?,
                    retained: columns[2][row].unwrap_or(0),
                })
            };
            (0..frame.rows()).map(cell).collect::<Vec<_>>()
        };
        let of_main = cells_of(main, &|row| codes.get(&cohorts[row]).copied());
        let of_average = average.map_or(Vec::new(), |average| cells_of(average, &|_| None));
        // The rows of each triangle: of the table, and of all cohorts together.
        let mut triangles: BTreeMap<Vec<Value>, [Vec<usize>; 2]> = BTreeMap::new();
        for (row, key) in keys(main, by).into_iter().enumerate() {
            triangles.entry(key).or_default()[0].push(row);
        }
        for (row, key) in average.map_or(Vec::new(), |it| keys(it, by)).into_iter().enumerate() {
            triangles.entry(key).or_default()[1].push(row);
        }
        let sizes = numbers(main, "size");
        let mut hidden = (vec![false; of_main.len()], vec![false; of_average.len()]);
        for [rows, all] in triangles.values() {
            let lived: Vec<usize> =
                rows.iter().copied().filter(|&row| of_main[row].is_some()).collect();
            let all: Vec<usize> =
                all.iter().copied().filter(|&row| of_average[row].is_some()).collect();
            let cells: Vec<CohortCell> = lived
                .iter()
                .filter_map(|&row| of_main[row])
                .chain(all.iter().filter_map(|&row| of_average[row]))
                .collect();
            let gone = match self.groups.complementary {
                true => suppressed_cells(&cells, nested, self.groups.least),
                false => cells
                    .iter()
                    .map(|cell| {
                        [cell.eligible, cell.retained, cell.lost()].into_iter().any(|n| self.few(n))
                    })
                    .collect(),
            };
            let (of_lived, of_all) = gone.split_at(lived.len());
            lived.iter().zip(of_lived).for_each(|(&row, &gone)| hidden.0[row] = gone);
            all.iter().zip(of_all).for_each(|(&row, &gone)| hidden.1[row] = gone);
            // Cells that are not lived through tell the size of their cohort.
            let mut shown: BTreeMap<&Vec<Value>, bool> = BTreeMap::new();
            for &row in &lived {
                *shown.entry(&cohorts[row]).or_default() |= !hidden.0[row];
            }
            for &row in rows.iter().filter(|&&row| of_main[row].is_none()) {
                let small = sizes[row].is_some_and(|size| self.few(size));
                hidden.0[row] = small || shown.get(&cohorts[row]).is_some_and(|shown| !shown);
            }
        }
        hidden
    }

    /// What must go besides the rows that are hidden: what adds up over ages, from the first hidden one on, and
    /// amounts where those who are retained are not those whose amounts they are.
    fn with_amounts(&self, frame: &Frame, rows: Vec<bool>, by: &[String], nested: bool) -> Hidden {
        let names = ["cohort"].iter().map(|&name| name.to_owned()).chain(by.iter().cloned());
        let cohorts = keys(frame, &names.collect::<Vec<_>>());
        let ages = numbers(frame, "age");
        let mut first: BTreeMap<&Vec<Value>, Option<u64>> = BTreeMap::new();
        for row in (0..rows.len()).filter(|&row| rows[row]) {
            let first = first.entry(&cohorts[row]).or_insert(ages[row]);
            *first = (*first).min(ages[row]);
        }
        let later = |row: usize| first.get(&cohorts[row]).is_some_and(|first| ages[row] >= *first);
        let later = (0..rows.len()).map(|row| later(row) && self.groups.complementary).collect();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let cumulative = ["cumulative_value", "cumulative_value_per_customer"];
        let mut more = vec![(names(&cumulative), later)];
        if nested {
            let amounts = [&["orders", "value"], &cumulative[..]].concat();
            more.push((names(&amounts), vec![true; rows.len()]));
        }
        Hidden { rows, more }
    }
}
