//! The fold of `History`: events per customer and period.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;

use super::super::intern::Interner;
use super::super::kernel::arrow_error;
use super::people::{Reader, add, day_of, time_value};
use super::{Fold, Morsel, ScanFacts};
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema, Value, column_of};
use crate::ir::{Calendar, History, RelNode, RelRef};

/// Events per customer and period.
pub(in super::super) struct HistoryFold {
    rel: RelRef,
    needs: BTreeSet<String>,
    reader: Reader,
    calendar: Calendar,
}

/// One customer's period.
#[derive(Clone, Copy)]
struct Cell {
    orders: i64,
    value: i128,
    first: i64,
    last: i64,
}

/// Customers, and their periods by number.
#[derive(Default)]
pub(in super::super) struct HistoryState {
    customers: Interner,
    cells: HashMap<(u32, i64), Cell>,
}

impl HistoryFold {
    pub fn new(rel: &RelRef, input: &Schema, calendar: &Calendar) -> Result<Self, EngineError> {
        let RelNode::History(history) = &rel.node else {
            return Err(EngineError::Internal("not a history".into()));
        };
        let reader = Reader::new(&history.events, &[], input, calendar)?;
        let needs = super::needs(rel).map(|(_, needs)| needs).unwrap_or_default();
        Ok(HistoryFold { rel: Arc::clone(rel), needs, reader, calendar: calendar.clone() })
    }

    fn history(&self) -> Result<&History, EngineError> {
        match &self.rel.node {
            RelNode::History(history) => Ok(history),
            _ => Err(EngineError::Internal("not a history".into())),
        }
    }
}

fn keep(
    cells: &mut HashMap<(u32, i64), Cell>,
    key: (u32, i64),
    cell: Cell,
) -> Result<(), EngineError> {
    match cells.entry(key) {
        std::collections::hash_map::Entry::Vacant(entry) => {
            entry.insert(cell);
        }
        std::collections::hash_map::Entry::Occupied(mut entry) => {
            let known = entry.get_mut();
            known.orders += cell.orders;
            known.value = add(known.value, cell.value)?;
            known.first = known.first.min(cell.first);
            known.last = known.last.max(cell.last);
        }
    }
    Ok(())
}

impl Fold for HistoryFold {
    type State = HistoryState;

    fn needs(&self) -> BTreeSet<String> {
        self.needs.clone()
    }

    fn start(&self, _facts: &ScanFacts) -> HistoryState {
        HistoryState::default()
    }

    fn take(&self, state: &mut HistoryState, morsel: &Morsel) -> Result<(), EngineError> {
        let history = self.history()?;
        let time = history.events.time.data_type;
        let events = self.reader.read(morsel.batch, false)?;
        for row in (0..events.rows()).filter(|&row| events.is_event(row)) {
            let ticks = events.ticks(row);
            let day = day_of(ticks, time, &self.calendar);
            let period = self.calendar.period_of(history.unit, day);
            let customer = state.customers.intern(events.customer(row))?;
            let value = events.value(row).unwrap_or(0);
            let cell = Cell { orders: 1, value, first: ticks, last: ticks };
            keep(&mut state.cells, (customer, period), cell)?;
        }
        Ok(())
    }

    fn merge(
        &self,
        mut left: HistoryState,
        right: HistoryState,
    ) -> Result<HistoryState, EngineError> {
        let places = left.customers.absorb(&right.customers)?;
        for ((customer, period), cell) in right.cells {
            keep(&mut left.cells, (places[customer as usize], period), cell)?;
        }
        Ok(left)
    }

    fn finish(&self, state: HistoryState) -> Result<Frame, EngineError> {
        let history = self.history()?;
        let order = state.customers.sorted();
        let mut rank = vec![0; order.len()];
        for (place, &id) in order.iter().enumerate() {
            rank[id as usize] = place as u32;
        }
        let mut cells: Vec<((u32, i64), Cell)> = state
            .cells
            .into_iter()
            .map(|((customer, period), cell)| ((rank[customer as usize], period), cell))
            .collect();
        cells.sort_unstable_by_key(|(key, _)| *key);

        let people = self.reader.customers(&state.customers, &order)?;
        let places: UInt32Array = cells.iter().map(|((customer, _), _)| Some(*customer)).collect();
        let customer = compute::take(&people, &places, None).map_err(arrow_error)?;
        let schema = &self.rel.schema;
        let time = history.events.time.data_type;
        let scale = match history.events.value_type() {
            DataType::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let column = |index: usize, of: &dyn Fn(&(u32, i64), &Cell) -> Value| {
            let values: Vec<Value> = cells.iter().map(|(key, cell)| of(key, cell)).collect();
            column_of(schema.fields[index].data_type, values.iter()).map_err(arrow_error)
        };
        let has_value = history.events.value.is_some();
        let columns: Vec<ArrayRef> = vec![
            customer,
            column(1, &|key, _| Value::Date(self.calendar.period_start(history.unit, key.1)))?,
            column(2, &|_, cell| Value::Int(cell.orders))?,
            column(3, &|_, cell| match has_value {
                true => Value::Decimal { minor: cell.value, scale },
                false => Value::Null,
            })?,
            column(4, &|_, cell| time_value(cell.first, time))?,
            column(5, &|_, cell| time_value(cell.last, time))?,
        ];
        Ok(Frame::new(schema.clone(), columns, cells.len())?)
    }
}
