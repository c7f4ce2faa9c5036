//! The fold of `Summary`: one row per customer.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::ArrayRef;

use super::super::intern::{Interner, Keys, with_precision};
use super::super::kernel::arrow_error;
use super::super::temporal::in_units;
use super::people::{Reader, add, day_of, time_value};
use super::{Fold, Morsel, ScanFacts};
use crate::document::DAY_MICROS;
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema, Value, column_of, pow10};
use crate::ir::{Calendar, Expr, Refunds, RelNode, RelRef, Summary, ZeroValues};

/// One row per customer.
pub(in super::super) struct SummaryFold {
    rel: RelRef,
    needs: BTreeSet<String>,
    reader: Reader,
    carry: Keys,
    calendar: Calendar,
}

/// One customer's day or instant.
#[derive(Clone)]
struct Bucket {
    orders: i64,
    total: i128,
    /// The part of the total that was given back, where refunds are no orders; at most 0.
    refunds: i128,
    day: i32,
    /// The first order in it, where that matters.
    first: Option<Box<First>>,
}

#[derive(Clone)]
struct First {
    order: Box<[u8]>,
    value: i128,
    carry: Box<[u8]>,
}

/// A customer's buckets in order of their day or instant.
type Buckets = Vec<(i64, Bucket)>;

/// Customers, and the buckets of each in order.
#[derive(Default)]
pub(in super::super) struct SummaryState {
    customers: Interner,
    buckets: Vec<Buckets>,
}

impl SummaryFold {
    pub fn new(rel: &RelRef, input: &Schema, calendar: &Calendar) -> Result<Self, EngineError> {
        let RelNode::Summary(summary) = &rel.node else {
            return Err(EngineError::Internal("not a summary".into()));
        };
        let carry: Vec<&Expr> = summary.carry.iter().map(|carry| &carry.value).collect();
        let reader = Reader::new(&summary.events, &carry, input, calendar)?;
        let carry = Keys::new(carry.iter().map(|expr| expr.data_type).collect())?;
        let needs = super::needs(rel).map(|(_, needs)| needs).unwrap_or_default();
        Ok(SummaryFold { rel: Arc::clone(rel), needs, reader, carry, calendar: calendar.clone() })
    }

    fn summary(&self) -> Result<&Summary, EngineError> {
        match &self.rel.node {
            RelNode::Summary(summary) => Ok(summary),
            _ => Err(EngineError::Internal("not a summary".into())),
        }
    }
}

impl First {
    /// What the first order is the smallest of.
    fn place(&self) -> (&[u8], &[u8]) {
        (&self.order, &self.carry)
    }
}

impl Bucket {
    fn merge(&mut self, other: Bucket) -> Result<(), EngineError> {
        self.orders += other.orders;
        self.total = add(self.total, other.total)?;
        self.refunds = add(self.refunds, other.refunds)?;
        self.day = self.day.min(other.day);
        if let Some(first) = other.first
            && self.first.as_ref().is_none_or(|known| first.place() < known.place())
        {
            self.first = Some(first);
        }
        Ok(())
    }
}

fn keep(buckets: &mut Buckets, at: i64, bucket: Bucket) -> Result<(), EngineError> {
    // Mostly the last bucket or a later one.
    let place = match buckets.last() {
        Some((last, _)) if *last < at => Err(buckets.len()),
        _ => buckets.binary_search_by_key(&at, |(at, _)| *at),
    };
    match place {
        Ok(place) => buckets[place].1.merge(bucket),
        Err(place) => {
            buckets.insert(place, (at, bucket));
            Ok(())
        }
    }
}

/// Buckets after refunds: a day left below 0 is no purchase, and an instant that only gives back is
/// taken from the first purchase of its day.
fn net_by_day(buckets: Buckets) -> Result<Buckets, EngineError> {
    let mut kept = Buckets::with_capacity(buckets.len());
    for day in buckets.chunk_by(|(_, left), (_, right)| left.day == right.day) {
        let (mut total, mut refunds) = (0, 0);
        for (_, bucket) in day {
            total = add(total, bucket.total)?;
            refunds = add(refunds, bucket.refunds)?;
        }
        if total < 0 {
            continue;
        }
        let first = kept.len();
        kept.extend(day.iter().filter(|(_, bucket)| bucket.orders > 0).cloned());
        for (_, bucket) in &mut kept[first..] {
            bucket.total -= bucket.refunds;
            bucket.refunds = 0;
        }
        if let Some((_, bucket)) = kept.get_mut(first) {
            bucket.total = add(bucket.total, refunds)?;
            bucket.refunds = refunds;
        }
    }
    Ok(kept)
}

impl Fold for SummaryFold {
    type State = SummaryState;

    fn needs(&self) -> BTreeSet<String> {
        self.needs.clone()
    }

    fn start(&self, _facts: &ScanFacts) -> SummaryState {
        SummaryState::default()
    }

    fn take(&self, state: &mut SummaryState, morsel: &Morsel) -> Result<(), EngineError> {
        let summary = self.summary()?;
        let time = summary.events.time.data_type;
        // What the first order was matters for carried columns, and for the mean of the others
        // where orders do not fall into days.
        let with_first = !summary.carry.is_empty() || !summary.collapse;
        let events = self.reader.read(morsel.batch, with_first)?;
        let carried = match summary.carry.is_empty() {
            true => None,
            false => Some(self.carry.encode(&events.more)?),
        };
        for row in (0..events.rows()).filter(|&row| events.is_event(row)) {
            let value = events.value(row);
            let refund = value.is_some_and(|value| value < 0);
            if refund && summary.refunds == Refunds::Drop
                || value == Some(0) && summary.zero_values == ZeroValues::Drop
            {
                continue;
            }
            let is_order = !(refund && summary.refunds == Refunds::Net);
            let ticks = events.ticks(row);
            let day = day_of(ticks, time, &self.calendar);
            let first = (with_first && is_order).then(|| {
                Box::new(First {
                    order: events.order(row).into(),
                    value: value.unwrap_or(0),
                    carry: carried
                        .as_ref()
                        .map_or_else(Default::default, |carried| carried.row(row).data().into()),
                })
            });
            let customer = state.customers.intern(events.customer(row))? as usize;
            if customer == state.buckets.len() {
                state.buckets.push(Buckets::new());
            }
            let at = if summary.collapse { i64::from(day) } else { ticks };
            let total = value.unwrap_or(0);
            let refunds = if is_order { 0 } else { total };
            let bucket = Bucket { orders: is_order.into(), total, refunds, day, first };
            keep(&mut state.buckets[customer], at, bucket)?;
        }
        Ok(())
    }

    fn merge(
        &self,
        mut left: SummaryState,
        right: SummaryState,
    ) -> Result<SummaryState, EngineError> {
        let places = left.customers.absorb(&right.customers)?;
        left.buckets.resize_with(left.customers.len(), Buckets::new);
        for (customer, buckets) in right.buckets.into_iter().enumerate() {
            let known = &mut left.buckets[places[customer] as usize];
            for (at, bucket) in buckets {
                keep(known, at, bucket)?;
            }
        }
        Ok(left)
    }

    fn finish(&self, mut state: SummaryState) -> Result<Frame, EngineError> {
        let summary = self.summary()?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let mut carried: Vec<Box<[u8]>> = Vec::new();
        let mut people: Vec<u32> = Vec::new();
        for id in state.customers.sorted() {
            let mut buckets = std::mem::take(&mut state.buckets[id as usize]);
            if summary.refunds == Refunds::Net {
                buckets = net_by_day(buckets)?;
            }
            let Some(row) = self.row(summary, &buckets)? else { continue };
            if !summary.carry.is_empty() {
                let first = buckets.into_iter().next().and_then(|(_, bucket)| bucket.first);
                carried.push(first.map_or_else(Default::default, |first| first.carry));
            }
            people.push(id);
            rows.push(row);
        }
        let schema = &self.rel.schema;
        let mut columns: Vec<ArrayRef> = vec![self.reader.customers(&state.customers, &people)?];
        if !summary.carry.is_empty() {
            columns.extend(self.carry.decode(carried.iter().map(|row| row.as_ref()))?);
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

impl SummaryFold {
    /// The columns after the carried ones; `None` for a customer without a purchase.
    fn row(
        &self,
        summary: &Summary,
        buckets: &[(i64, Bucket)],
    ) -> Result<Option<Vec<Value>>, EngineError> {
        let (Some((first, first_bucket)), Some((last, _))) = (buckets.first(), buckets.last())
        else {
            return Ok(None);
        };
        let (first, last) = (*first, *last);
        let (mut orders, mut value) = (0, 0);
        for (_, bucket) in buckets {
            orders += bucket.orders;
            value = add(value, bucket.total)?;
        }
        let mut days: Vec<i32> = buckets.iter().map(|(_, bucket)| bucket.day).collect();
        days.dedup();
        let days = days.len() as i64;
        let frequency = if summary.collapse { days } else { orders } - 1;
        let first_value = match &first_bucket.first {
            Some(first) if !summary.collapse => add(first.value, first_bucket.refunds)?,
            _ => first_bucket.total,
        };
        let bucket_type = summary.bucket_type();
        let instant = |at: i64| match bucket_type {
            DataType::Date if summary.collapse => at.saturating_mul(DAY_MICROS),
            DataType::Date => self.calendar.midnight(at as i32),
            _ => at,
        };
        let end = match summary.collapse {
            true => i64::from(summary.last_day).saturating_mul(DAY_MICROS),
            false => summary.end,
        };
        // Two dates are whole days apart, whatever the zone's clock did in between.
        let recency = match bucket_type {
            DataType::Date => last.saturating_sub(first).saturating_mul(DAY_MICROS),
            _ => last.saturating_sub(first),
        };
        let time = |micros: i64| Value::finite(in_units(micros.into(), summary.unit));
        let scale = match summary.events.value_type() {
            DataType::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let per = |minor: i128, count: i64| {
            let amount = minor as f64 / pow10(scale) as f64;
            if count == 0 { Value::Null } else { Value::finite(amount / count as f64) }
        };
        let (value, average, monetary) = match summary.events.value {
            None => (Value::Null, Value::Null, Value::Null),
            Some(_) => (
                Value::Decimal { minor: value, scale },
                per(value, orders),
                per(value - first_value, frequency),
            ),
        };
        Ok(Some(vec![
            time_value(first, bucket_type),
            time_value(last, bucket_type),
            Value::Int(orders),
            Value::Int(days),
            Value::Int(frequency),
            time(recency),
            time(end.saturating_sub(instant(first))),
            time(end.saturating_sub(instant(last))),
            value,
            average,
            monetary,
        ]))
    }
}
