//! What the history folds share: customers as numbers, and a morsel's events in plain arrays.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType};
use arrow::row::Rows;

use super::super::evaluate::Program;
use super::super::intern::{Interner, Keys};
use crate::engine::{EngineError, EvaluateError};
use crate::frame::{DataType, Schema};
use crate::ir::{Calendar, Events, Expr};

/// Every expression of a set of events.
pub(super) fn expressions(events: &Events) -> Vec<&Expr> {
    [&events.customer.value, &events.time]
        .into_iter()
        .chain(&events.value)
        .chain(&events.tie)
        .collect()
}

/// Reads events, and further columns with them, off morsels.
pub(super) struct Reader {
    program: Program,
    customer: Keys,
    /// Encodes time, ties and value: the order of a customer's events.
    order: Keys,
    ties: usize,
    has_value: bool,
    calendar: Calendar,
}

/// One morsel's events.
pub(super) struct Batch {
    customers: Rows,
    customer: ArrayRef,
    time: ArrayRef,
    value: Option<ArrayRef>,
    order: Option<Rows>,
    /// The further columns, in the order asked for.
    pub more: Vec<ArrayRef>,
}

impl Reader {
    /// A reader of `events` and of `more` expressions over an input with this schema.
    pub fn new(
        events: &Events,
        more: &[&Expr],
        input: &Schema,
        calendar: &Calendar,
    ) -> Result<Self, EngineError> {
        let program =
            Program::bind(expressions(events).into_iter().chain(more.iter().copied()), input)?;
        let mut order = vec![events.time.data_type];
        order.extend(events.tie.iter().map(|tie| tie.data_type));
        order.extend(events.value.iter().map(|value| value.data_type));
        Ok(Reader {
            program,
            customer: Keys::new(vec![events.customer.value.data_type])?,
            order: Keys::new(order)?,
            ties: events.tie.len(),
            has_value: events.value.is_some(),
            calendar: calendar.clone(),
        })
    }

    /// The events of a morsel; their order is encoded only if it is wanted.
    pub fn read(&self, batch: &RecordBatch, with_order: bool) -> Result<Batch, EngineError> {
        let mut columns = self.program.run(batch, &self.calendar)?.into_iter();
        let mut next = || {
            columns.next().ok_or_else(|| EngineError::Internal("an event without a column".into()))
        };
        let (customer, time) = (next()?, next()?);
        let value = self.has_value.then(&mut next).transpose()?;
        let ties = (0..self.ties).map(|_| next()).collect::<Result<Vec<_>, _>>()?;
        let more: Vec<ArrayRef> = columns.collect();
        let order = with_order
            .then(|| {
                let mut parts = vec![time.clone()];
                parts.extend(ties);
                parts.extend(value.clone());
                self.order.encode(&parts)
            })
            .transpose()?;
        let customers = self.customer.encode(std::slice::from_ref(&customer))?;
        Ok(Batch { customers, customer, time, value, order, more })
    }

    /// The customer column of interned customers, in this order.
    pub fn customers(&self, known: &Interner, order: &[u32]) -> Result<ArrayRef, EngineError> {
        let mut columns = self.customer.decode(order.iter().map(|&id| known.get(id)))?;
        columns.pop().ok_or_else(|| EngineError::Internal("a key without a column".into()))
    }
}

impl Batch {
    /// True if the row is an event: customer and time are there.
    pub fn is_event(&self, row: usize) -> bool {
        self.customer.is_valid(row) && self.time.is_valid(row)
    }

    pub fn rows(&self) -> usize {
        self.customer.len()
    }

    /// The customer's key.
    pub fn customer(&self, row: usize) -> &[u8] {
        self.customers.row(row).data()
    }

    /// The time as days or microseconds, whatever its type is.
    pub fn ticks(&self, row: usize) -> i64 {
        match self.time.data_type() {
            arrow::datatypes::DataType::Date32 => {
                i64::from(self.time.as_primitive::<Date32Type>().value(row))
            }
            _ => self.time.as_primitive::<TimestampMicrosecondType>().value(row),
        }
    }

    /// The value in minor units; null and absent are `None`.
    pub fn value(&self, row: usize) -> Option<i128> {
        let values = self.value.as_ref()?.as_primitive::<Decimal128Type>();
        values.is_valid(row).then(|| values.value(row))
    }

    /// The event's place among its customer's, as bytes that compare so.
    pub fn order(&self, row: usize) -> &[u8] {
        self.order.as_ref().map_or(&[], |order| order.row(row).data())
    }
}

/// The day of a time in ticks of its type.
pub(super) fn day_of(ticks: i64, time: DataType, calendar: &Calendar) -> i32 {
    match time {
        DataType::Date => ticks as i32,
        _ => calendar.date_of(ticks),
    }
}

/// An exact sum.
pub(super) fn add(left: i128, right: i128) -> Result<i128, EngineError> {
    left.checked_add(right)
        .filter(|sum| sum.abs() < super::super::kernel::LARGEST)
        .ok_or_else(overflow)
}

pub(super) fn overflow() -> EngineError {
    EvaluateError::Overflow { function: "sum".into() }.into()
}

/// A value of a time column from its ticks.
pub(super) fn time_value(ticks: i64, time: DataType) -> crate::frame::Value {
    match time {
        DataType::Date => crate::frame::Value::Date(ticks as i32),
        _ => crate::frame::Value::Timestamp(ticks),
    }
}
