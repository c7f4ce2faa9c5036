//! The fold of `CohortGrid`: cohorts followed over ages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};

use super::super::intern::{Interner, Keys, with_precision};
use super::super::kernel::arrow_error;
use super::people::{Reader, add, day_of};
use super::{Fold, Morsel, ScanFacts};
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema, Value, column_of};
use crate::ir::{Calendar, CohortGrid, Expr, RelNode, RelRef};

/// Cohorts followed over ages.
pub(in super::super) struct CohortFold {
    rel: RelRef,
    needs: BTreeSet<String>,
    reader: Reader,
    by: Keys,
    calendar: Calendar,
}

/// One customer: the first event, and the periods with activity in order.
#[derive(Default, Clone)]
struct History {
    entry: Option<Entry>,
    periods: Vec<(i64, Activity)>,
}

#[derive(Clone)]
struct Entry {
    order: Box<[u8]>,
    day: i32,
    by: Box<[u8]>,
}

#[derive(Clone, Copy, Default)]
struct Activity {
    orders: i64,
    value: i128,
}

/// Customers and the history of each.
#[derive(Default)]
pub(in super::super) struct CohortState {
    customers: Interner,
    histories: Vec<History>,
}

/// One cohort and segment, by age.
struct Cohort {
    size: i64,
    exactly: Vec<i64>,
    /// How many were last active at this age.
    ending: Vec<i64>,
    activity: Vec<Activity>,
}

impl Entry {
    /// What the first event is the smallest of.
    fn place(&self) -> (&[u8], &[u8]) {
        (&self.order, &self.by)
    }
}

impl History {
    fn enter(&mut self, entry: Entry) {
        if self.entry.as_ref().is_none_or(|known| entry.place() < known.place()) {
            self.entry = Some(entry);
        }
    }

    fn act(&mut self, period: i64, activity: Activity) -> Result<(), EngineError> {
        // Mostly the last period or a later one.
        let place = match self.periods.last() {
            Some((last, _)) if *last < period => Err(self.periods.len()),
            _ => self.periods.binary_search_by_key(&period, |(period, _)| *period),
        };
        match place {
            Ok(place) => {
                let known = &mut self.periods[place].1;
                known.orders += activity.orders;
                known.value = add(known.value, activity.value)?;
            }
            Err(place) => self.periods.insert(place, (period, activity)),
        }
        Ok(())
    }
}

impl CohortFold {
    pub fn new(rel: &RelRef, input: &Schema, calendar: &Calendar) -> Result<Self, EngineError> {
        let RelNode::CohortGrid(grid) = &rel.node else {
            return Err(EngineError::Internal("not a cohort grid".into()));
        };
        let by: Vec<&Expr> = grid.by.iter().map(|by| &by.value).collect();
        let more: Vec<&Expr> = by.iter().copied().chain(&grid.active).collect();
        let reader = Reader::new(&grid.events, &more, input, calendar)?;
        let by = Keys::new(by.iter().map(|expr| expr.data_type).collect())?;
        let needs = super::needs(rel).map(|(_, needs)| needs).unwrap_or_default();
        Ok(CohortFold { rel: Arc::clone(rel), needs, reader, by, calendar: calendar.clone() })
    }

    fn grid(&self) -> Result<&CohortGrid, EngineError> {
        match &self.rel.node {
            RelNode::CohortGrid(grid) => Ok(grid),
            _ => Err(EngineError::Internal("not a cohort grid".into())),
        }
    }
}

impl Fold for CohortFold {
    type State = CohortState;

    fn needs(&self) -> BTreeSet<String> {
        self.needs.clone()
    }

    fn start(&self, _facts: &ScanFacts) -> CohortState {
        CohortState::default()
    }

    fn take(&self, state: &mut CohortState, morsel: &Morsel) -> Result<(), EngineError> {
        let grid = self.grid()?;
        let time = grid.events.time.data_type;
        let events = self.reader.read(morsel.batch, true)?;
        let by = match grid.by.is_empty() {
            true => None,
            false => Some(self.by.encode(&events.more[..grid.by.len()])?),
        };
        let active = grid.active.as_ref().and_then(|_| events.more.last()).map(|a| a.as_boolean());
        for row in (0..events.rows()).filter(|&row| events.is_event(row)) {
            let customer = state.customers.intern(events.customer(row))? as usize;
            if customer == state.histories.len() {
                state.histories.push(History::default());
            }
            let history = &mut state.histories[customer];
            let day = day_of(events.ticks(row), time, &self.calendar);
            let order = events.order(row);
            let segment = by.as_ref().map_or(&[][..], |by| by.row(row).data());
            let place = (order, segment);
            if history.entry.as_ref().is_none_or(|known| place < known.place()) {
                history.entry = Some(Entry { order: order.into(), day, by: segment.into() });
            }
            if active.is_none_or(|active| active.is_valid(row) && active.value(row)) {
                let value = events.value(row).unwrap_or(0);
                history
                    .act(self.calendar.period_of(grid.age, day), Activity { orders: 1, value })?;
            }
        }
        Ok(())
    }

    fn merge(&self, mut left: CohortState, right: CohortState) -> Result<CohortState, EngineError> {
        let places = left.customers.absorb(&right.customers)?;
        left.histories.resize_with(left.customers.len(), History::default);
        for (customer, other) in right.histories.into_iter().enumerate() {
            let history = &mut left.histories[places[customer] as usize];
            if let Some(entry) = other.entry {
                history.enter(entry);
            }
            for (period, activity) in other.periods {
                history.act(period, activity)?;
            }
        }
        Ok(left)
    }

    fn finish(&self, state: CohortState) -> Result<Frame, EngineError> {
        let grid = self.grid()?;
        let entered = || state.histories.iter().filter_map(|h| h.entry.as_ref().map(|e| (h, e)));
        let cohort_of = |entry: &Entry| self.calendar.period_of(grid.cohort, entry.day);
        let observed = self.calendar.period_of(grid.age, grid.last_day);
        let oldest = entered().map(|(_, e)| grid.base_period(&self.calendar, cohort_of(e))).min();
        let last_age = match (grid.max_age, oldest) {
            (Some(max_age), _) => max_age,
            (None, Some(oldest)) => (observed - oldest).max(0),
            (None, None) => -1,
        };
        let ages = usize::try_from(last_age + 1).unwrap_or(0);

        let mut cohorts: BTreeMap<(i64, &[u8]), Cohort> = BTreeMap::new();
        for (history, entry) in entered() {
            let number = cohort_of(entry);
            let base = grid.base_period(&self.calendar, number);
            let cohort = cohorts.entry((number, entry.by.as_ref())).or_insert_with(|| Cohort {
                size: 0,
                exactly: vec![0; ages],
                ending: vec![0; ages],
                activity: vec![Activity::default(); ages],
            });
            cohort.size += 1;
            let mut last: Option<usize> = None;
            for (period, activity) in &history.periods {
                let age = usize::try_from((period - base).max(0)).unwrap_or(0);
                if age < ages {
                    // Several periods fall into age 0 where ages are shorter than cohorts.
                    cohort.exactly[age] += i64::from(last != Some(age));
                    let cell = &mut cohort.activity[age];
                    cell.orders += activity.orders;
                    cell.value = add(cell.value, activity.value)?;
                }
                last = Some(age);
            }
            if let Some(last) = last
                && ages > 0
            {
                cohort.ending[last.min(ages - 1)] += 1;
            }
        }
        self.table(grid, &cohorts, ages)
    }
}

impl CohortFold {
    fn table(
        &self,
        grid: &CohortGrid,
        cohorts: &BTreeMap<(i64, &[u8]), Cohort>,
        ages: usize,
    ) -> Result<Frame, EngineError> {
        let scale = match grid.events.value_type() {
            DataType::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let money = |minor: i128| match grid.events.value {
            Some(_) => Value::Decimal { minor, scale },
            None => Value::Null,
        };
        let mut starts: Vec<Value> = Vec::new();
        let mut rows: Vec<[Value; 7]> = Vec::new();
        let mut segments: Vec<&[u8]> = Vec::new();
        for (&(number, by), cohort) in cohorts {
            let start = self.calendar.period_start(grid.cohort, number);
            let base = grid.base_period(&self.calendar, number);
            let mut cumulative = 0;
            let mut staying: i64 = cohort.ending.iter().sum();
            for age in 0..ages {
                let activity = cohort.activity[age];
                cumulative = add(cumulative, activity.value)?;
                let retained = if grid.on_or_after { staying } else { cohort.exactly[age] };
                staying -= cohort.ending[age];
                let period = match age {
                    0 => start,
                    _ => self.calendar.period_start(grid.age, base + age as i64),
                };
                starts.push(Value::Date(start));
                segments.push(by);
                rows.push([
                    Value::Int(age as i64),
                    Value::Date(period),
                    Value::Int(cohort.size),
                    Value::Int(retained),
                    Value::Int(activity.orders),
                    money(activity.value),
                    money(cumulative),
                ]);
            }
        }
        let schema = &self.rel.schema;
        let mut columns: Vec<ArrayRef> =
            vec![column_of(DataType::Date, starts.iter()).map_err(arrow_error)?];
        if !grid.by.is_empty() {
            columns.extend(self.by.decode(segments.into_iter())?);
        }
        let done = columns.len();
        for (index, field) in schema.fields[done..].iter().enumerate() {
            let values = rows.iter().map(|row| &row[index]);
            columns.push(column_of(field.data_type, values).map_err(arrow_error)?);
        }
        for (column, field) in columns.iter_mut().zip(&schema.fields) {
            *column = with_precision(column, field.data_type)?;
        }
        Ok(Frame::new(schema.clone(), columns, rows.len())?)
    }
}
