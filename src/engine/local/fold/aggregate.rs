//! The fold of `Aggregate`: rows into groups.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Date32Type;

use super::super::chain::PERSON;
use super::super::evaluate::Program;
use super::super::intern::{Keys, with_precision};
use super::super::lazy::can_fail;
use super::super::memory::Memory;
use super::super::people::People;
use super::arguments::{Arguments, Selected};
use super::gather::Pair;
use super::groups::Groups;
use super::state::{Accumulator, Kind, Reading};
use super::{Fold, Morsel, Persons, ScanFacts};
use crate::document::TimeUnit;
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema, Value, column_of};
use crate::ir::{
    Aggregate, Calendar, Expr, ExprNode, Func, Measure, MeasureFunc, Named, RelNode, RelRef,
};

/// Every expression an aggregate reads.
pub(super) fn expressions(aggregate: &Aggregate) -> Vec<&Expr> {
    let keys = aggregate.keys.iter().map(|key| &key.value);
    let measures = aggregate.measures.iter().flat_map(|measure| {
        measure.value.func.arguments().into_iter().chain(&measure.value.filter)
    });
    keys.chain(measures).collect()
}

/// The expressions whose values an aggregate tells apart: mostly customers.
pub(super) fn distinct(aggregate: &Aggregate) -> Vec<&Expr> {
    let of = aggregate.measures.iter().map(|measure| match &measure.value.func {
        MeasureFunc::CountDistinct(of) | MeasureFunc::CountReaching { of, .. } => Some(of),
        _ => None,
    });
    of.flatten().collect()
}

/// About how many bytes an aggregate keeps of each row.
pub(super) fn bytes_per_row(aggregate: &Aggregate, facts: &ScanFacts) -> u64 {
    let mut kept: Vec<(Kind, Vec<Expr>, Option<Expr>)> = Vec::new();
    for Named { value: Measure { func, filter }, .. } in &aggregate.measures {
        let (kind, arguments, _) = plan(func, |value| value.as_column().is_some());
        let slot = (kind, arguments, filter.clone());
        if !kept.contains(&slot) {
            kept.push(slot);
        }
    }
    let bytes = |(kind, arguments, _): &(Kind, Vec<Expr>, Option<Expr>)| match kind {
        Kind::Values if arguments[0].data_type == DataType::Float64 => 12,
        Kind::Values => 8,
        Kind::People if facts.large => 3,
        Kind::People => size_of::<Pair>() as u64,
        Kind::Distinct | Kind::Weighted | Kind::Varying => 64,
        _ => 0,
    };
    kept.iter().map(bytes).sum()
}

/// One accumulator; measures over the same thing share it.
struct Slot {
    kind: Kind,
    arguments: Vec<Expr>,
    filter: Option<Expr>,
    /// Where its arguments and filter are among the program's results.
    places: Vec<usize>,
    filter_place: Option<usize>,
    /// True if the filter only lets rows pass that have the first argument.
    present: bool,
    keys: Vec<Keys>,
}

/// Rows into groups.
pub struct AggregateFold {
    rel: RelRef,
    needs: BTreeSet<String>,
    /// Keys and arguments, evaluated on all rows.
    program: Program,
    /// The same, each argument on the rows that pass its filter: for morsels in which others fail.
    guarded: Option<Program>,
    /// True if there is no row on which they fail.
    certain: bool,
    group_keys: Keys,
    group_count: usize,
    slots: Vec<Slot>,
    /// Slot and reading of each measure.
    readings: Vec<(usize, Reading)>,
    people: Option<Arc<People>>,
    /// The key that is a period of time, and its unit: with its end a group is complete.
    period: Option<(usize, TimeUnit)>,
    calendar: Calendar,
}

impl Slot {
    /// True if it counts the rows in which these values are.
    fn counts(&self, of: &[Expr]) -> bool {
        let all = || self.arguments.iter().all(|value| asks_for(&self.filter, value));
        self.kind == Kind::Exact && (self.arguments == of || of.is_empty() && all())
    }
}

/// True if a filter only lets rows pass that have a value.
fn asks_for(filter: &Option<Expr>, value: &Expr) -> bool {
    fn asks(filter: &Expr, value: &Expr) -> bool {
        match &filter.node {
            ExprNode::Call(Func::And, both) => both.iter().any(|part| asks(part, value)),
            ExprNode::Call(Func::Not, of) => of.iter().any(|part| match &part.node {
                ExprNode::Call(Func::IsNull, of) => of.iter().any(|part| part == value),
                _ => false,
            }),
            _ => false,
        }
    }
    filter.as_ref().is_some_and(|filter| asks(filter, value))
}

/// Groups and what is kept of them.
pub struct AggregateState {
    groups: Groups,
    accumulators: Vec<Accumulator>,
    /// The day after each group's last, as far as it is known.
    ends: Vec<Option<i32>>,
    /// What the readings of each slot come to in groups that are settled.
    settled: Vec<HashMap<u32, Vec<Value>>>,
    /// The memory there is, if there are many rows.
    memory: Option<Arc<Memory>>,
    /// How many morsels were taken in.
    taken: usize,
}

/// Every so many morsels it is looked whether memory is short: of some, but few, megabytes.
const LOOK: usize = 8;

fn plan(func: &MeasureFunc, is_person: impl Fn(&Expr) -> bool) -> (Kind, Vec<Expr>, Reading) {
    let person = || vec![Expr::column(PERSON, DataType::Int64)];
    let exact = |value: &Expr| value.data_type != DataType::Float64;
    match func {
        MeasureFunc::CountRows => (Kind::Rows, vec![], Reading::Count),
        MeasureFunc::Count(value) => (Kind::Rows, vec![value.clone()], Reading::Count),
        MeasureFunc::CountDistinct(value) if is_person(value) => {
            (Kind::People, person(), Reading::Reaching(1))
        }
        MeasureFunc::CountReaching { of, weight, least }
            if is_person(of) && *weight == Expr::int(1) =>
        {
            (Kind::People, person(), Reading::Reaching(*least))
        }
        MeasureFunc::CountDistinct(value) => (Kind::Distinct, vec![value.clone()], Reading::Count),
        MeasureFunc::Sum(value) => {
            let kind = if exact(value) { Kind::Exact } else { Kind::Doubles };
            (kind, vec![value.clone()], Reading::Sum)
        }
        MeasureFunc::Mean(value) => {
            let kind = if exact(value) { Kind::Exact } else { Kind::Means };
            (kind, vec![value.clone()], Reading::Mean)
        }
        MeasureFunc::Variance(value) => (Kind::Moments, vec![value.clone()], Reading::Variance),
        MeasureFunc::Min(value) => (Kind::Least, vec![value.clone()], Reading::Value),
        MeasureFunc::Max(value) => (Kind::Greatest, vec![value.clone()], Reading::Value),
        MeasureFunc::Quantile { value, at } => {
            (Kind::Values, vec![value.clone()], Reading::Quantile(*at))
        }
        MeasureFunc::RankBound { value, at, z, upper } => {
            let reading = Reading::RankBound { at: *at, z: *z, upper: *upper };
            (Kind::Values, vec![value.clone()], reading)
        }
        MeasureFunc::LastingQuantile { value, at, bound } => {
            (Kind::Values, vec![value.clone()], Reading::Lasting { at: *at, bound: *bound })
        }
        MeasureFunc::CountReaching { of, weight, least } => {
            (Kind::Weighted, vec![of.clone(), weight.clone()], Reading::Reaching(*least))
        }
        MeasureFunc::CountVarying { of, by } => {
            (Kind::Varying, vec![of.clone(), by.clone()], Reading::Varying)
        }
        MeasureFunc::First { value, order } => {
            let arguments = std::iter::once(value).chain(order).cloned().collect();
            (Kind::First, arguments, Reading::Value)
        }
    }
}

/// An argument that is not evaluated on rows that the filter leaves out, if it can fail there.
fn guarded(argument: &Expr, filter: &Option<Expr>) -> Expr {
    match filter {
        Some(filter) if can_fail(argument) => {
            let data_type = argument.data_type;
            let arguments = vec![filter.clone(), argument.clone(), Expr::null(data_type)];
            Expr { node: ExprNode::Call(Func::Case, arguments), data_type }
        }
        _ => argument.clone(),
    }
}

/// A row of a group whose time was past.
fn goes_on() -> EngineError {
    EngineError::Internal("rows of a file lie before the least time that its footer tells".into())
}

impl AggregateFold {
    /// The fold of an `Aggregate` over an input with this schema.
    ///
    /// # Errors
    /// A relation of another kind, or a column the input does not have.
    pub fn new(rel: &RelRef, input: &Schema, calendar: &Calendar) -> Result<Self, EngineError> {
        AggregateFold::numbered(rel, input, None, calendar)
    }

    /// The same over an input whose customers are numbered.
    ///
    /// # Errors
    /// As for [`AggregateFold::new`].
    pub(super) fn numbered(
        rel: &RelRef,
        input: &Schema,
        persons: Persons,
        calendar: &Calendar,
    ) -> Result<Self, EngineError> {
        let RelNode::Aggregate(aggregate) = &rel.node else {
            return Err(EngineError::Internal("not an aggregate".into()));
        };
        let is_person = |expr: &Expr| {
            let name = expr.as_column();
            name.is_some_and(|name| {
                persons.is_some_and(|(_, names)| names.iter().any(|n| n == name))
            })
        };
        let mut slots: Vec<Slot> = Vec::new();
        let mut readings = vec![(0, Reading::Count); aggregate.measures.len()];
        // Counts come last: other accumulators may know them.
        let counts = |measure: &Measure| {
            matches!(measure.func, MeasureFunc::CountRows | MeasureFunc::Count(_))
        };
        let mut measures: Vec<usize> = (0..aggregate.measures.len()).collect();
        measures.sort_by_key(|&place| counts(&aggregate.measures[place].value));
        for place in measures {
            let measure = &aggregate.measures[place];
            let (mut kind, mut arguments, reading) = plan(&measure.value.func, is_person);
            let filter = measure.value.filter.clone();
            // Where a variance is wanted too, one accumulator has both.
            let varies = |other: &Measure| match &other.func {
                MeasureFunc::Variance(value) => arguments[0] == *value && other.filter == filter,
                _ => false,
            };
            if kind == Kind::Means && aggregate.measures.iter().any(|other| varies(&other.value)) {
                kind = Kind::Moments;
            }
            // Rows where a value is, if the filter lets no others pass, are simply rows.
            if kind == Kind::Rows && arguments.iter().all(|value| asks_for(&filter, value)) {
                arguments.clear();
            }
            let known = slots.iter().position(|slot| {
                let alike = slot.kind == kind && slot.arguments == arguments;
                (alike || kind == Kind::Rows && slot.counts(&arguments)) && slot.filter == filter
            });
            let slot = match known {
                Some(slot) => slot,
                None => {
                    let types: Vec<DataType> = arguments.iter().map(|a| a.data_type).collect();
                    let keys = match kind {
                        Kind::Distinct | Kind::Weighted => vec![Keys::new(vec![types[0]])?],
                        Kind::Varying => {
                            vec![Keys::new(vec![types[0]])?, Keys::new(vec![types[1]])?]
                        }
                        Kind::First => vec![Keys::new(types[1..].to_vec())?],
                        _ => Vec::new(),
                    };
                    let (places, filter_place) = (Vec::new(), None);
                    let present = arguments.first().is_some_and(|value| asks_for(&filter, value));
                    slots.push(Slot {
                        kind,
                        arguments,
                        filter,
                        places,
                        filter_place,
                        present,
                        keys,
                    });
                    slots.len() - 1
                }
            };
            readings[place] = (slot, reading);
        }
        // One program for all: keys, then each slot's arguments.
        let expressions: Vec<Expr> = aggregate.keys.iter().map(|key| key.value.clone()).collect();
        let mut next = expressions.len();
        // Then each filter once.
        let mut filters: Vec<Expr> = Vec::new();
        for slot in &mut slots {
            slot.places = (next..next + slot.arguments.len()).collect();
            next += slot.arguments.len();
            filters.extend(slot.filter.clone().filter(|filter| !filters.contains(filter)));
        }
        for slot in &mut slots {
            let place = |filter: &Expr| filters.iter().position(|known| known == filter);
            slot.filter_place = slot.filter.as_ref().and_then(place).map(|place| next + place);
        }
        let (mut plain, mut safe) = (expressions.clone(), expressions);
        for slot in &slots {
            plain.extend(slot.arguments.iter().cloned());
            safe.extend(slot.arguments.iter().map(|argument| guarded(argument, &slot.filter)));
        }
        plain.extend(filters.iter().cloned());
        safe.extend(filters);
        let certain = !plain.iter().any(can_fail);
        let program = Program::bind(&plain, input)?;
        let guarded = (safe != plain).then(|| Program::bind(&safe, input)).transpose()?;
        let group_keys = Keys::new(aggregate.keys.iter().map(|key| key.value.data_type).collect())?;
        let needs = super::needs(rel).map(|(_, needs)| needs).unwrap_or_default();
        Ok(AggregateFold {
            rel: Arc::clone(rel),
            needs,
            program,
            guarded,
            certain,
            group_keys,
            group_count: aggregate.keys.len(),
            slots,
            readings,
            people: persons.map(|(people, _)| people.clone()),
            period: None,
            calendar: calendar.clone(),
        })
    }

    /// The same by a period of time.
    pub(super) fn by_period(self, period: Option<(usize, TimeUnit)>) -> Self {
        AggregateFold { period, ..self }
    }

    /// The readings of a slot: their measures and what each reads, with its type.
    fn readings_of(&self, slot: usize) -> (Vec<usize>, Vec<(Reading, DataType)>) {
        let fields = &self.rel.schema.fields[self.group_count..];
        let of_slot = self.readings.iter().enumerate().filter(|(_, (of, _))| *of == slot);
        of_slot.map(|(place, (_, reading))| (place, (*reading, fields[place].data_type))).unzip()
    }

    /// The days after the last of groups that are new.
    fn note_ends(&self, state: &mut AggregateState) -> Result<(), EngineError> {
        let Some((key, unit)) = self.period else { return Ok(()) };
        let new = state.ends.len() as u32..state.groups.known.len() as u32;
        let keys = self.group_keys.decode(new.map(|group| state.groups.known.get(group)))?;
        let end = |first: i32| {
            let period = self.calendar.period_of(unit, first);
            self.calendar.period_start(unit, period + 1)
        };
        let starts = keys[key].as_primitive::<Date32Type>().iter();
        state.ends.extend(starts.map(|first| first.map(end)));
        Ok(())
    }

    fn group_types(&self) -> Vec<DataType> {
        self.rel.schema.fields[..self.group_count].iter().map(|field| field.data_type).collect()
    }
}

impl Fold for AggregateFold {
    type State = AggregateState;

    fn needs(&self) -> BTreeSet<String> {
        self.needs.clone()
    }

    /// Rows that are not there have no group, and an argument must not fail on them.
    fn selects(&self) -> bool {
        self.group_count == 0 && self.certain
    }

    fn start(&self, facts: &ScanFacts) -> AggregateState {
        let mut state = AggregateState {
            groups: Groups::new(&self.group_types()),
            accumulators: self
                .slots
                .iter()
                .map(|slot| Accumulator::new(slot.kind, facts))
                .collect(),
            ends: Vec::new(),
            settled: self.slots.iter().map(|_| HashMap::new()).collect(),
            memory: facts.large.then(|| facts.memory.clone()),
            taken: 0,
        };
        if self.group_count == 0 {
            // Without keys there is one group, even of nothing.
            state.accumulators.iter_mut().for_each(|accumulator| accumulator.grow(1));
        }
        state
    }

    fn take(&self, state: &mut AggregateState, morsel: &Morsel) -> Result<(), EngineError> {
        let rows = morsel.batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let results = match (self.program.run(morsel.batch, &self.calendar), &self.guarded) {
            (Err(_), Some(guarded)) => guarded.run(morsel.batch, &self.calendar)?,
            (results, _) => results?,
        };
        let groups = match self.group_count {
            0 => vec![0; rows],
            count => state.groups.of(&results[..count], &self.group_keys)?,
        };
        let count = if self.group_count == 0 { 1 } else { state.groups.known.len() };
        let there = morsel.selected;
        let mut selected: Vec<(Option<usize>, Option<Selected>)> = Vec::new();
        for place in self.slots.iter().map(|slot| slot.filter_place) {
            if selected.iter().any(|(known, _)| *known == place) {
                continue;
            }
            let rows = match (place, there) {
                (Some(place), _) => Selected::new(results[place].as_boolean(), there, &groups),
                (None, Some(there)) => Some(Selected::of(there, there.count_set_bits(), &groups)),
                (None, None) => None,
            };
            selected.push((place, rows));
        }
        for (slot, accumulator) in self.slots.iter().zip(&mut state.accumulators) {
            accumulator.grow(count);
            let columns: Vec<ArrayRef> =
                slot.places.iter().map(|&place| results[place].clone()).collect();
            let of_slot = selected.iter().find(|(known, _)| *known == slot.filter_place);
            accumulator.take(
                slot.kind,
                &Arguments {
                    columns: &columns,
                    selected: of_slot.and_then(|(_, selected)| selected.as_ref()),
                    present: slot.present,
                    groups: &groups,
                    keys: &slot.keys,
                },
            )?;
        }
        state.taken += 1;
        let look = state.taken.is_multiple_of(LOOK);
        if let Some(memory) = state.memory.as_ref().filter(|memory| look && memory.is_short(0)) {
            let mut kept = state.accumulators.iter_mut();
            kept.try_for_each(|kept| kept.put_aside(count, memory))?;
        }
        Ok(())
    }

    fn merge(
        &self,
        mut left: AggregateState,
        right: AggregateState,
    ) -> Result<AggregateState, EngineError> {
        let mut places = left.groups.known.absorb(&right.groups.known)?;
        if self.group_count == 0 {
            places = vec![0];
        }
        let count = if self.group_count == 0 { 1 } else { left.groups.known.len() };
        for (accumulator, other) in left.accumulators.iter_mut().zip(right.accumulators) {
            accumulator.grow(count);
            accumulator.merge(other, &places)?;
        }
        for (known, other) in left.settled.iter_mut().zip(right.settled) {
            let here = |(group, values): (u32, _)| (places[group as usize], values);
            known.extend(other.into_iter().map(here));
        }
        Ok(left)
    }

    fn settles(&self) -> bool {
        let grows = |slot: &Slot| matches!(slot.kind, Kind::Values | Kind::People);
        self.period.is_some() && self.slots.iter().any(grows)
    }

    fn settle(&self, state: &mut AggregateState, bound: i32) -> Result<(), EngineError> {
        self.note_ends(state)?;
        let over: Vec<bool> =
            state.ends.iter().map(|end| end.is_some_and(|end| end <= bound)).collect();
        let people = self.people.as_ref().map_or(0, |people| people.len());
        for (slot, accumulator) in state.accumulators.iter_mut().enumerate() {
            let (_, readings) = self.readings_of(slot);
            for (group, values) in accumulator.settle(&readings, &over, people)? {
                if state.settled[slot].insert(group, values).is_some() {
                    return Err(goes_on());
                }
            }
        }
        Ok(())
    }

    fn finish(&self, state: AggregateState) -> Result<Frame, EngineError> {
        let schema = &self.rel.schema;
        let order = if self.group_count == 0 { vec![0] } else { state.groups.known.sorted() };
        let mut columns = Vec::with_capacity(schema.fields.len());
        if self.group_count > 0 {
            let keys =
                self.group_keys.decode(order.iter().map(|&id| state.groups.known.get(id)))?;
            for (key, field) in keys.iter().zip(&schema.fields) {
                columns.push(with_precision(key, field.data_type)?);
            }
        }
        let fields = &schema.fields[self.group_count..];
        let people = self.people.as_ref().map_or(0, |people| people.len());
        // What is read off an accumulator is read at once, and the accumulator let go.
        let mut read: Vec<Option<Vec<Value>>> = vec![None; self.readings.len()];
        let settled = state.settled.into_iter();
        for (slot, (accumulator, settled)) in
            state.accumulators.into_iter().zip(settled).enumerate()
        {
            let argument = self.slots[slot].arguments.first();
            let argument = argument.map_or(DataType::Int64, |argument| argument.data_type);
            let (places, readings) = self.readings_of(slot);
            let mut found = accumulator.read(&readings, argument, order.len(), people)?;
            for (group, values) in settled {
                for (found, value) in found.iter_mut().zip(values) {
                    let there = &mut found[group as usize];
                    // Of nothing a count is 0 and everything else null.
                    if !matches!(there, Value::Null | Value::Int(0)) {
                        return Err(goes_on());
                    }
                    *there = value;
                }
            }
            for (place, values) in places.into_iter().zip(found) {
                read[place] = Some(values);
            }
        }
        for (values, field) in read.into_iter().flatten().zip(fields) {
            let ordered = order.iter().map(|&group| &values[group as usize]);
            columns.push(
                column_of(field.data_type, ordered).map_err(super::super::kernel::arrow_error)?,
            );
        }
        Ok(Frame::new(schema.clone(), columns, order.len())?)
    }
}
