//! What customers did on which day, gathered once for all folds over the same events.
//!
//! Summaries, cohorts and movements that look at days need no more of an event than its customer, day
//! and value. The events of a customer come together in the end, in the order of their days, and each
//! fold reads them customer by customer. Its `merge` is then a matter of lists.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, UInt32Array};
use arrow::datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType};

use rayon::prelude::*;

use super::super::chain::PERSON;
use super::super::evaluate::Program;
use super::super::intern::Keys;
use super::super::memory::Memory;
use super::super::people::{NOBODY, People};
use super::gather::{Gather, Grouped, OfPerson, PackedGrouped};
use super::groups::Groups;
use super::pack::{self, Bytes};
use super::people::{day_of, overflow};
use super::{Fold, Morsel, ScanFacts, cohort, foreign, movements, repeats, summary};
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema};
use crate::ir::{Calendar, Events, Expr, Named, RelNode, RelRef, Steps};

/// The value of an event that has none.
const NO_VALUE: i64 = i64::MIN;

/// An event.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayEvent {
    person: u32,
    pub day: i32,
    value: i64,
}

impl OfPerson for DayEvent {
    fn person(&self) -> u32 {
        self.person
    }

    fn pack(&self, before: Option<&Self>, bytes: &mut Vec<u8>) {
        let day = before.map_or(0, |before| before.day);
        pack::signed(i64::from(self.day) - i64::from(day), bytes);
        pack::signed(self.value, bytes);
    }

    fn unpack(person: u32, before: Option<&Self>, bytes: &mut Bytes) -> Self {
        let day = i64::from(before.map_or(0, |before| before.day)) + bytes.signed();
        DayEvent { person, day: day as i32, value: bytes.signed() }
    }
}

impl DayEvent {
    /// The value in minor units.
    pub fn value(&self) -> Option<i128> {
        (self.value != NO_VALUE).then(|| self.value.into())
    }
}

/// The events of a fold that looks at nothing finer than days, and the columns it has as of some event.
pub(in super::super) fn events_of(rel: &RelRef) -> Option<(&RelRef, &Events, &[Named<Expr>])> {
    let (input, events, by) = match &rel.node {
        RelNode::Summary(summary) if summary.collapse => {
            (&summary.input, &summary.events, &summary.carry)
        }
        RelNode::CohortGrid(grid)
            if grid.steps == Steps::Calendar
                && grid.entering.is_none()
                && grid.active.is_none() =>
        {
            (&grid.input, &grid.events, &grid.by)
        }
        RelNode::Movements(movements) => (&movements.input, &movements.events, &movements.by),
        RelNode::Repeats(repeats) => (&repeats.input, &repeats.events, &repeats.by),
        _ => return None,
    };
    let is_money = |value: &Expr| matches!(value.data_type, DataType::Decimal { .. });
    events.value.as_ref().is_none_or(is_money).then_some((input, events, by.as_slice()))
}

/// About how many bytes are kept of each event.
pub(in super::super) fn bytes_per_row(facts: &ScanFacts) -> u64 {
    if facts.large { 6 } else { size_of::<DayEvent>() as u64 }
}

/// The columns of its input that such a fold needs of each event; the customer's number stands beside
/// them.
pub(in super::super) fn needs(events: &Events) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for expr in std::iter::once(&events.time).chain(&events.value) {
        expr.for_each_column(&mut |name| {
            needed.insert(name.to_owned());
        });
    }
    needed
}

/// Gathers the events of customers.
pub(in super::super) struct DaysFold {
    program: Program,
    time: DataType,
    has_value: bool,
    people: Arc<People>,
    calendar: Calendar,
}

/// Events so far.
pub(in super::super) struct DaysState {
    events: Gather<DayEvent>,
    days: Option<(i32, i32)>,
}

/// Customers and when they had events.
pub(in super::super) struct Days {
    pub people: Arc<People>,
    packed: bool,
    /// The first day with an event of each customer who has one, else [`NEVER`].
    first_days: Vec<i32>,
    /// The first and the last day with an event.
    pub(super) span: Option<(i32, i32)>,
}

/// The day of nothing.
const NEVER: i32 = i32::MIN;

/// The events of a partition, by customer and day.
enum Kept {
    Rows(Grouped<DayEvent>),
    Packed(PackedGrouped),
}

/// Events of customers, in the order of their days.
pub(in super::super) struct Gathered {
    partitions: Vec<Kept>,
}

/// The segment of each customer, by number.
pub(in super::super) struct Segments {
    /// Empty if all are of one segment.
    codes: Vec<u32>,
    groups: Groups,
    pub(super) keys: Keys,
}

impl Days {
    /// The customers, in the order of their numbers.
    ///
    /// # Errors
    /// Never.
    pub fn customers(&self) -> Result<ArrayRef, EngineError> {
        let ids: Vec<u32> = (0..self.people.len() as u32).collect();
        self.people.column(&ids)
    }

    /// True if there were so many events that they were packed.
    pub fn were_packed(&self) -> bool {
        self.packed
    }

    /// The customers who have an event, with the day of their first.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (u32, i32)> {
        let days = (0..).zip(self.first_days.iter().copied());
        days.filter(|(_, day)| *day != NEVER)
    }

    /// True for each segment that has a customer with an event.
    pub(super) fn used(&self, segments: &Segments) -> Vec<bool> {
        let mut used = vec![false; segments.len()];
        self.firsts().for_each(|(person, _)| used[segments.of(person) as usize] = true);
        used
    }
}

impl Gathered {
    /// Takes the events of one customer after the other, in the order of their days, into all folds, and lets
    /// them go: what the pieces of work found, for each fold. There are more pieces than threads, but few
    /// enough that what they find takes no more than some hundred megabytes.
    ///
    /// # Errors
    /// What the first fold that has an error says, with its place.
    pub fn fold(self, folds: &[TableOfDays]) -> Result<Vec<Vec<Found>>, (usize, EngineError)> {
        let bytes: usize = folds.iter().map(|fold| fold.0.bytes()).sum();
        let pieces = (rayon::current_num_threads() * 4).min((1 << 28) / bytes.max(1)).max(1);
        let share = self.partitions.len().div_ceil(pieces).max(1);
        let part = |partitions: Vec<Kept>| -> Result<Vec<Found>, (usize, EngineError)> {
            let mut found: Vec<Found> = folds.iter().map(|fold| fold.0.start()).collect();
            for kept in partitions {
                let grouped = match kept {
                    Kept::Rows(grouped) => grouped,
                    Kept::Packed(packed) => packed.unpack().map_err(|error| (0, error))?,
                };
                for (place, (fold, found)) in folds.iter().zip(&mut found).enumerate() {
                    fold.0.take(found, &grouped).map_err(|error| (place, error))?;
                }
            }
            Ok(found)
        };
        let mut parts: Vec<Vec<Kept>> = Vec::new();
        let mut left = self.partitions.into_iter();
        while left.len() > 0 {
            parts.push(left.by_ref().take(share).collect());
        }
        let parts: Vec<_> = parts.into_par_iter().with_max_len(1).map(part).collect();
        let mut all: Vec<Vec<Found>> = folds.iter().map(|_| Vec::new()).collect();
        let mut failed: Option<(usize, EngineError)> = None;
        for part in parts {
            match part {
                Ok(found) => all.iter_mut().zip(found).for_each(|(all, found)| all.push(found)),
                Err(error) if failed.as_ref().is_none_or(|known| error.0 < known.0) => {
                    failed = Some(error);
                }
                Err(_) => {}
            }
        }
        failed.map_or(Ok(all), Err)
    }
}

/// Puts the events of customers in the order of their days, one customer after the other.
///
/// Threads mostly read files in the order of time, so that the events of a customer come as a few ascending
/// runs. Those are merged (Knuth, TAOCP 5.2.4, algorithm N); of many short ones a sort makes less work.
#[derive(Default)]
struct ByDay {
    /// Where the runs begin, and where the last one ends.
    runs: Vec<usize>,
    merged: Vec<DayEvent>,
}

/// More runs than this are sorted.
const MOST_RUNS: usize = 8;

impl ByDay {
    fn sort(&mut self, events: &mut [DayEvent]) {
        self.runs.clear();
        self.runs.push(0);
        let steps = events.windows(2).enumerate();
        self.runs.extend(steps.filter(|(_, two)| two[1].day < two[0].day).map(|(at, _)| at + 1));
        if self.runs.len() > MOST_RUNS {
            events.sort_unstable_by_key(|event| event.day);
            return;
        }
        self.runs.push(events.len());
        while self.runs.len() > 2 {
            self.merged.clear();
            let (mut read, mut written) = (0, 0);
            while read + 1 < self.runs.len() {
                let (begin, middle) = (self.runs[read], self.runs[read + 1]);
                let end = self.runs.get(read + 2).copied().unwrap_or(middle);
                merge(&events[begin..middle], &events[middle..end], &mut self.merged);
                (read, written) = (read + 2, written + 1);
                self.runs[written] = end;
            }
            self.runs.truncate(written + 1);
            events.copy_from_slice(&self.merged);
        }
    }
}

/// Puts two lists in the order of their days behind others, as one.
fn merge(mut left: &[DayEvent], mut right: &[DayEvent], merged: &mut Vec<DayEvent>) {
    while let (Some(first), Some(other)) = (left.first(), right.first()) {
        if other.day < first.day {
            merged.push(*other);
            right = &right[1..];
        } else {
            merged.push(*first);
            left = &left[1..];
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
}

impl DaysFold {
    /// A fold of events over a numbered input.
    ///
    /// # Errors
    /// A column that the input does not have.
    pub fn new(
        events: &Events,
        input: &Schema,
        people: &Arc<People>,
        calendar: &Calendar,
    ) -> Result<Self, EngineError> {
        let person = Expr::column(PERSON, DataType::Int64);
        let read = [&person, &events.time].into_iter().chain(&events.value);
        Ok(DaysFold {
            program: Program::bind(read, input)?,
            time: events.time.data_type,
            has_value: events.value.is_some(),
            people: people.clone(),
            calendar: calendar.clone(),
        })
    }

    /// The events of a state, by customer and day.
    ///
    /// # Errors
    /// A disk that is full or fails, where memory is short.
    pub fn gathered(&self, state: DaysState) -> Result<(Days, Gathered), EngineError> {
        let memory = state.events.packs();
        let found = state.events.into_grouped(self.people.len(), |mut grouped| {
            let people: Vec<_> = grouped.people().collect();
            let mut firsts = Vec::with_capacity(people.len());
            let mut sorter = ByDay::default();
            for (person, rows) in people {
                let events = &mut grouped.rows[rows];
                sorter.sort(events);
                firsts.push((person, events[0].day));
            }
            let kept = match &memory {
                None => Kept::Rows(grouped),
                Some(memory) => Kept::Packed(grouped.pack(memory)?),
            };
            Ok((kept, firsts))
        })?;
        let mut first_days = vec![NEVER; self.people.len()];
        let mut partitions = Vec::with_capacity(found.len());
        for (kept, firsts) in found {
            firsts.into_iter().for_each(|(person, day)| first_days[person as usize] = day);
            partitions.push(kept);
        }
        let days = Days {
            people: self.people.clone(),
            packed: memory.is_some(),
            first_days,
            span: state.days,
        };
        Ok((days, Gathered { partitions }))
    }
}

impl Fold for DaysFold {
    type State = DaysState;

    fn needs(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Values of rows that are not there may have no result.
    fn selects(&self) -> bool {
        self.program.is_plain()
    }

    fn start(&self, facts: &ScanFacts) -> DaysState {
        DaysState { events: Gather::of_input(facts), days: None }
    }

    fn take(&self, state: &mut DaysState, morsel: &Morsel) -> Result<(), EngineError> {
        if morsel.batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = self.program.run(morsel.batch, &self.calendar)?;
        let people: &UInt32Array = columns[0].as_primitive();
        let people = people.values();
        let days = self.days(&columns[1]);
        let values = match self.has_value {
            true => minor_units(columns[2].as_primitive()),
            false => (vec![NO_VALUE; people.len()], false),
        };
        let (values, some_too_large) = values;
        let no_time = columns[1].nulls().filter(|nulls| nulls.null_count() > 0);
        let is_event = |row: &u32| {
            let row = *row as usize;
            people[row] != NOBODY && no_time.is_none_or(|nulls| nulls.is_valid(row))
        };
        let all = no_time.is_none() && !people.contains(&NOBODY);
        let rows: Option<Vec<u32>> = match (morsel.selected, all) {
            (None, true) => None,
            (None, false) => Some((0..people.len() as u32).filter(is_event).collect()),
            (Some(selected), true) => Some(selected.set_indices_u32().collect()),
            (Some(selected), false) => Some(selected.set_indices_u32().filter(is_event).collect()),
        };
        if some_too_large {
            let values = columns[2].as_primitive::<Decimal128Type>();
            let fits =
                |row: usize| values.is_null(row) || in_minor_units(values.value(row)).is_some();
            let all = match &rows {
                None => (0..people.len()).all(fits),
                Some(rows) => rows.iter().all(|&row| fits(row as usize)),
            };
            if !all {
                return Err(overflow());
            }
        }
        let (mut first, mut last) = state.days.unwrap_or((i32::MAX, i32::MIN));
        let mut see = |day: i32| (first, last) = (first.min(day), last.max(day));
        let event =
            |row: usize| DayEvent { person: people[row], day: days[row], value: values[row] };
        match &rows {
            None => {
                days.iter().for_each(|day| see(*day));
                state.events.extend(people.len(), event)?;
            }
            Some(rows) => {
                rows.iter().for_each(|&row| see(days[row as usize]));
                state.events.extend(rows.len(), |place| event(rows[place] as usize))?;
            }
        }
        state.days = (first <= last).then_some((first, last));
        Ok(())
    }

    fn merge(&self, mut left: DaysState, right: DaysState) -> Result<DaysState, EngineError> {
        left.events.merge(right.events, &[]);
        left.days = match (left.days, right.days) {
            (Some((first, last)), Some((other, end))) => Some((first.min(other), last.max(end))),
            (one, other) => one.or(other),
        };
        Ok(left)
    }

    fn finish(&self, _state: DaysState) -> Result<Frame, EngineError> {
        Err(EngineError::Internal("days are no table".into()))
    }
}

impl DaysFold {
    /// The day of each row's time; any day where there is none.
    fn days(&self, time: &ArrayRef) -> Vec<i32> {
        if let arrow::datatypes::DataType::Date32 = time.data_type() {
            return time.as_primitive::<Date32Type>().values().to_vec();
        }
        // Neighbours mostly share their day; where a day begins and ends depends on the zone.
        let (mut begin, mut end, mut day) = (0, 0, 0);
        let nulls = time.nulls().filter(|nulls| nulls.null_count() > 0);
        let times = time.as_primitive::<TimestampMicrosecondType>().values().iter().enumerate();
        times
            .map(|(row, &ticks)| {
                let known = begin <= ticks && ticks < end;
                if !known && nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                    day = day_of(ticks, self.time, &self.calendar);
                    (begin, end) = (self.calendar.midnight(day), self.calendar.midnight(day + 1));
                }
                day
            })
            .collect()
    }
}

/// An amount as it is kept of an event, if it is not too large for that.
fn in_minor_units(value: i128) -> Option<i64> {
    i64::try_from(value).ok().filter(|&value| value != NO_VALUE)
}

/// Amounts as they are kept of events, and whether there are some too large for that.
fn minor_units(values: &Decimal128Array) -> (Vec<i64>, bool) {
    let mut some_too_large = false;
    // Without a branch for each: there are none.
    let minor = |&value: &i128| {
        let minor = value as i64;
        some_too_large |= i128::from(minor) != value || minor == NO_VALUE;
        minor
    };
    let mut minor: Vec<i64> = values.values().iter().map(minor).collect();
    if let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) {
        (!nulls.inner()).set_indices().for_each(|row| minor[row] = NO_VALUE);
    }
    (minor, some_too_large)
}

impl Segments {
    /// The segments of customers by columns of these types; nobody's are known yet.
    ///
    /// # Errors
    /// Types that cannot be keys.
    pub fn new(types: Vec<DataType>) -> Result<Self, EngineError> {
        let mut groups = Groups::new(&types);
        if types.is_empty() {
            groups.known.intern(&[])?;
        }
        Ok(Segments { codes: Vec::new(), groups, keys: Keys::new(types)? })
    }

    /// Takes the columns of the next customers, in the order of their numbers.
    ///
    /// # Errors
    /// More segments than there are numbers.
    pub fn push(&mut self, columns: &[ArrayRef]) -> Result<(), EngineError> {
        self.codes.extend(self.groups.of(columns, &self.keys)?);
        Ok(())
    }

    /// The number of a customer's segment.
    pub(super) fn of(&self, person: u32) -> u32 {
        self.codes.get(person as usize).copied().unwrap_or(0)
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.groups.known.len()
    }

    /// The encoded segment with a number.
    pub(super) fn get(&self, code: u32) -> &[u8] {
        self.groups.known.get(code)
    }
}

/// A table that is made from the events of customers, one customer after the other.
pub(super) trait OfDays: Sync + Send {
    /// What a piece of work comes to.
    type Found: Send + 'static;

    /// The state before the first customer.
    fn start(&self) -> Self::Found;

    /// Takes in the events of a customer, in the order of their days.
    ///
    /// # Errors
    /// A sum that overflows.
    fn take(
        &self,
        found: &mut Self::Found,
        person: u32,
        events: &[DayEvent],
    ) -> Result<(), EngineError>;

    /// About how many bytes a piece of work comes to, if they are many.
    fn bytes(&self) -> usize;

    /// The table, from what all pieces of work came to.
    ///
    /// # Errors
    /// A sum that overflows.
    fn table(self, found: Vec<Self::Found>) -> Result<Frame, EngineError>;
}

/// What a piece of work comes to, without its type.
pub(in super::super) type Found = Box<dyn Any + Send>;

/// A table of the events of customers, so that several kinds share a sweep over them.
trait AnyOfDays: Sync + Send {
    fn start(&self) -> Found;
    fn take(&self, found: &mut Found, of: &Grouped<DayEvent>) -> Result<(), EngineError>;
    fn bytes(&self) -> usize;
    fn table(self: Box<Self>, found: Vec<Found>) -> Result<Frame, EngineError>;
}

impl<T: OfDays> AnyOfDays for T {
    fn start(&self) -> Found {
        Box::new(OfDays::start(self))
    }

    fn take(&self, found: &mut Found, of: &Grouped<DayEvent>) -> Result<(), EngineError> {
        let found = found.downcast_mut::<T::Found>().ok_or_else(foreign)?;
        of.people().try_for_each(|(person, rows)| OfDays::take(self, found, person, &of.rows[rows]))
    }

    fn bytes(&self) -> usize {
        OfDays::bytes(self)
    }

    fn table(self: Box<Self>, found: Vec<Found>) -> Result<Frame, EngineError> {
        let own = |found: Found| found.downcast().map(|found| *found).map_err(|_| foreign());
        let found = found.into_iter().map(own).collect::<Result<Vec<T::Found>, _>>()?;
        OfDays::table(*self, found)
    }
}

/// How the table of a relation is made from the events of customers.
pub(in super::super) struct TableOfDays<'a>(Box<dyn AnyOfDays + 'a>);

impl TableOfDays<'_> {
    /// The table, from what all pieces of work came to.
    ///
    /// # Errors
    /// A sum that overflows.
    pub fn table(self, found: Vec<Found>) -> Result<Frame, EngineError> {
        self.0.table(found)
    }
}

/// How the table of a relation is made from the events of [`events_of`].
///
/// # Errors
/// Too many cells, or a relation that is none of those.
pub(in super::super) fn of<'a>(
    rel: &'a RelRef,
    days: &'a Days,
    segments: &'a Segments,
    (calendar, memory): (&'a Calendar, &'a Memory),
) -> Result<TableOfDays<'a>, EngineError> {
    Ok(TableOfDays(match &rel.node {
        RelNode::Summary(node) => {
            Box::new(summary::SummaryOfDays::new(rel, node, days, segments, (calendar, memory)))
        }
        RelNode::CohortGrid(node) => {
            Box::new(cohort::GridOfDays::new(rel, node, days, segments, calendar)?)
        }
        RelNode::Movements(node) => {
            Box::new(movements::MovementsOfDays::new(rel, node, days, segments, calendar)?)
        }
        RelNode::Repeats(node) => Box::new(repeats::RepeatsOfDays::new(rel, node, days, segments)?),
        _ => return Err(EngineError::Internal("not a fold of days".into())),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_merged_into_the_order_of_days() {
        let mut sorter = ByDay::default();
        for runs in 1..=2 * MOST_RUNS {
            for longest in [1, 2, 7, 40] {
                let mut events: Vec<DayEvent> = Vec::new();
                for run in 0..runs {
                    let days = 0..1 + (run * 5 + longest) % longest.max(2);
                    let event = |day: usize| DayEvent {
                        person: 3,
                        day: (day * (run + 1)) as i32 - 20,
                        value: (run * 100 + day) as i64,
                    };
                    events.extend(days.map(event));
                }
                let key = |event: &DayEvent| (event.day, event.value);
                let mut expected: Vec<_> = events.iter().map(key).collect();
                sorter.sort(&mut events);
                assert!(events.is_sorted_by_key(|event| event.day), "{runs} runs");
                let mut found: Vec<_> = events.iter().map(key).collect();
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected);
            }
        }
    }
}
