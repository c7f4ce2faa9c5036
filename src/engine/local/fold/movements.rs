//! The fold of `Movements`: customers from one period to the next.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array};

use super::super::intern::with_precision;
use super::super::kernel::arrow_error;
use super::days::{DayEvent, Days, OfDays, Segments};
use super::people::add;
use super::periods::{Active, Activity, Periods, by_period};
use crate::engine::{EngineError, Extent, NodeId};
use crate::frame::{DataType, Frame, Value};
use crate::ir::{Calendar, Movements, RelRef};

const COUNTS: usize = Movements::COUNTS.len();
const MONEY: usize = Movements::MONEY.len() + 1;

/// A period of a segment: counts and sums in the order of the columns, `value` last.
#[derive(Clone, Copy, Default)]
struct Cell {
    counts: [i64; COUNTS],
    money: [i128; MONEY],
}

impl Cell {
    fn count(&mut self, places: &[usize]) {
        places.iter().for_each(|&place| self.counts[place] += 1);
    }

    fn pay(&mut self, place: usize, value: i128) -> Result<(), EngineError> {
        self.money[place] = add(self.money[place], value)?;
        Ok(())
    }
}

// The places of the columns.
const START: usize = 0;
const NEW: usize = 1;
const RETAINED: usize = 2;
const RESURRECTED: usize = 3;
const CHURNED: usize = 4;
const START_VALUE: usize = 0;
const NEW_VALUE: usize = 1;
const RESURRECTED_VALUE: usize = 2;
const EXPANSION: usize = 3;
const CONTRACTION: usize = 4;
const CHURNED_VALUE: usize = 5;
const VALUE: usize = 6;

/// Cells by period and segment, those between the first and the last period of all.
pub(super) struct Cells {
    first: i64,
    segments: usize,
    cells: Vec<Cell>,
}

impl Cells {
    fn new(first: i64, last: i64, segments: usize) -> Self {
        let periods = usize::try_from(last - first + 1).unwrap_or(0);
        Cells { first, segments, cells: vec![Cell::default(); periods * segments] }
    }

    fn at(&mut self, period: i64, segment: u32) -> &mut Cell {
        &mut self.cells[(period - self.first) as usize * self.segments + segment as usize]
    }

    fn merge(mut self, other: Cells) -> Result<Cells, EngineError> {
        for (cell, other) in self.cells.iter_mut().zip(other.cells) {
            cell.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
            for (place, sum) in other.money.into_iter().enumerate() {
                cell.pay(place, sum)?;
            }
        }
        Ok(self)
    }

    /// Follows a customer through the periods with events, each with its money.
    fn follow(
        &mut self,
        segment: u32,
        periods: &[(i64, Activity)],
        last: i64,
    ) -> Result<(), EngineError> {
        let mut before: Option<(i64, i128)> = None;
        for &(period, Activity { value, .. }) in periods {
            let stayed = before.filter(|(earlier, _)| earlier + 1 == period);
            if stayed.is_none() {
                self.leave(segment, before, last)?;
            }
            let cell = self.at(period, segment);
            cell.pay(VALUE, value)?;
            match (before, stayed) {
                (None, _) => {
                    cell.count(&[NEW]);
                    cell.pay(NEW_VALUE, value)?;
                }
                (Some(_), None) => {
                    cell.count(&[RESURRECTED]);
                    cell.pay(RESURRECTED_VALUE, value)?;
                }
                (Some(_), Some((_, was))) => {
                    cell.count(&[START, RETAINED]);
                    cell.pay(START_VALUE, was)?;
                    cell.pay(EXPANSION, (value - was).max(0))?;
                    cell.pay(CONTRACTION, (was - value).max(0))?;
                }
            }
            before = Some((period, value));
        }
        self.leave(segment, before, last)
    }

    /// A customer who was there is no more, if the next period is still seen.
    fn leave(
        &mut self,
        segment: u32,
        before: Option<(i64, i128)>,
        last: i64,
    ) -> Result<(), EngineError> {
        let Some((period, was)) = before.filter(|(period, _)| *period < last) else {
            return Ok(());
        };
        let cell = self.at(period + 1, segment);
        cell.count(&[START, CHURNED]);
        cell.pay(START_VALUE, was)?;
        cell.pay(CHURNED_VALUE, was)
    }
}

/// The movements of customers whose events are gathered.
pub(super) struct MovementsOfDays<'a> {
    rel: &'a RelRef,
    node: &'a Movements,
    segments: &'a Segments,
    calendar: &'a Calendar,
    periods: Periods,
    /// The last period that is seen to its end, or is going on.
    last: i64,
    /// The first and the last period that has cells.
    span: (i64, i64),
}

impl<'a> MovementsOfDays<'a> {
    /// The periods that have cells.
    ///
    /// # Errors
    /// Too many of them.
    pub fn new(
        rel: &'a RelRef,
        node: &'a Movements,
        days: &Days,
        segments: &'a Segments,
        calendar: &'a Calendar,
    ) -> Result<Self, EngineError> {
        let last = calendar.period_of(node.unit, node.last_day);
        let periods = Periods::new(days.span, calendar, node.unit);
        let span = days.span.map(|(first, end)| {
            (calendar.period_of(node.unit, first), calendar.period_of(node.unit, end).max(last))
        });
        let (first, end) = span.unwrap_or((0, -1));
        let groups = days.used(segments).into_iter().filter(|used| *used).count();
        let count = u128::try_from(last - first + 1).unwrap_or(0);
        Extent {
            rows: count * groups as u128,
            of: format!("the {}s of {groups} groups", node.unit),
            span: Some((
                Value::Date(calendar.period_start(node.unit, first)),
                Value::Date(calendar.period_start(node.unit, last + 1).saturating_sub(1)),
            )),
            first: None,
            node: NodeId::default(),
        }
        .check()?;
        let span = (first, end);
        Ok(MovementsOfDays { rel, node, segments, calendar, periods, last, span })
    }
}

impl OfDays for MovementsOfDays<'_> {
    /// Cells, and the periods of the customer at hand.
    type Found = (Cells, Active);

    fn start(&self) -> Self::Found {
        (Cells::new(self.span.0, self.span.1, self.segments.len()), Vec::new())
    }

    fn take(
        &self,
        (cells, active): &mut Self::Found,
        person: u32,
        events: &[DayEvent],
    ) -> Result<(), EngineError> {
        let period_of = |day: i32| self.periods.of(day, self.calendar, self.node.unit);
        let active = by_period(events, active, period_of);
        cells.follow(self.segments.of(person), active, self.last)
    }

    fn bytes(&self) -> usize {
        let periods = usize::try_from(self.span.1 - self.span.0 + 1).unwrap_or(0);
        periods * self.segments.len() * size_of::<Cell>()
    }

    fn table(self, found: Vec<Self::Found>) -> Result<Frame, EngineError> {
        let MovementsOfDays { rel, node, segments, .. } = self;
        let mut parts = found.into_iter().map(|(cells, _)| cells);
        let first = parts.next().unwrap_or_else(|| Cells::new(0, -1, segments.len()));
        let cells = parts.try_fold(first, Cells::merge)?;

        // In the order of period and segment, and of those in which something happened.
        let mut order: Vec<u32> = (0..segments.len() as u32).collect();
        order.sort_by(|&a, &b| segments.get(a).cmp(segments.get(b)));
        let mut rows: Vec<(i64, u32, &Cell)> = Vec::new();
        for (place, of_period) in cells.cells.chunks(segments.len().max(1)).enumerate() {
            for &segment in &order {
                let cell = &of_period[segment as usize];
                if cell.counts.iter().any(|&count| count > 0) {
                    rows.push((cells.first + place as i64, segment, cell));
                }
            }
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(rows.iter().map(|(period, _, _)| *period).collect::<Int64Array>())];
        if !node.by.is_empty() {
            let keys = rows.iter().map(|(_, segment, _)| segments.get(*segment));
            columns.extend(segments.keys.decode(keys)?);
        }
        for place in 0..COUNTS {
            let counts = rows.iter().map(|(_, _, cell)| cell.counts[place]);
            columns.push(Arc::new(counts.collect::<Int64Array>()));
        }
        let scale = match node.events.value_type() {
            DataType::Decimal { scale, .. } => scale as i8,
            _ => 0,
        };
        for place in 0..MONEY {
            let sums = rows.iter().map(|(_, _, cell)| Some(cell.money[place]));
            let sums = sums.collect::<Decimal128Array>().with_precision_and_scale(38, scale);
            columns.push(Arc::new(sums.map_err(arrow_error)?));
        }
        for (column, field) in columns.iter_mut().zip(&rel.schema.fields) {
            *column = with_precision(column, field.data_type)?;
        }
        Ok(Frame::new(rel.schema.clone(), columns, rows.len())?)
    }
}
