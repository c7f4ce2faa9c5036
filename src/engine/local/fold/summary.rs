//! The fold of `Summary`: one row per customer.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray,
};
use rayon::prelude::*;

use super::super::intern::{Interner, Keys, with_precision};
use super::super::kernel::arrow_error;
use super::super::memory::{Memory, Sink};
use super::super::temporal::in_units;
use super::days::{DayEvent, Days, OfDays, Segments};
use super::pack::{self, Bytes};
use super::people::{Reader, add, day_of};
use super::{Fold, Morsel, ScanFacts};
use crate::document::DAY_MICROS;
use crate::engine::EngineError;
use crate::frame::{DataType, Frame, Schema, pow10};
use crate::ir::{Calendar, Expr, Refunds, RelNode, RelRef, Summary, ZeroValues};

/// Rows of the table that one thread makes at a time.
const ROWS: usize = 16_384;

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

/// How many orders an event is, and what it is worth; `None` if it is left out.
fn counted(
    (refunds, zero_values): (Refunds, ZeroValues),
    value: Option<i128>,
) -> Option<(i64, i128)> {
    let refund = value.is_some_and(|value| value < 0);
    if refund && refunds == Refunds::Drop || value == Some(0) && zero_values == ZeroValues::Drop {
        return None;
    }
    let is_order = !(refund && refunds == Refunds::Net);
    Some((is_order.into(), value.unwrap_or(0)))
}

/// One event as a bucket; `None` if it is left out.
fn bucket(rules: (Refunds, ZeroValues), value: Option<i128>, day: i32) -> Option<Bucket> {
    let (orders, total) = counted(rules, value)?;
    let refunds = if orders > 0 { 0 } else { total };
    Some(Bucket { orders, total, refunds, day, first: None })
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
            let ticks = events.ticks(row);
            let day = day_of(ticks, time, &self.calendar);
            let Some(mut bucket) = bucket((summary.refunds, summary.zero_values), value, day)
            else {
                continue;
            };
            bucket.first = (with_first && bucket.orders > 0).then(|| {
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
        let mut rows: Vec<Row> = Vec::new();
        let mut carried: Vec<Box<[u8]>> = Vec::new();
        let mut people: Vec<u32> = Vec::new();
        for id in state.customers.sorted() {
            let mut buckets = std::mem::take(&mut state.buckets[id as usize]);
            if summary.refunds == Refunds::Net {
                buckets = net_by_day(buckets)?;
            }
            let Some(purchases) = purchases(summary, &buckets)? else { continue };
            if !summary.carry.is_empty() {
                let first = buckets.into_iter().next().and_then(|(_, bucket)| bucket.first);
                carried.push(first.map_or_else(Default::default, |first| first.carry));
            }
            people.push(id);
            rows.push(row(summary, &purchases, &self.calendar));
        }
        let mut columns: Vec<ArrayRef> = vec![self.reader.customers(&state.customers, &people)?];
        if !summary.carry.is_empty() {
            columns.extend(self.carry.decode(carried.iter().map(|row| row.as_ref()))?);
        }
        table(&self.rel, summary, columns, &rows)
    }
}

/// What is told of a customer, after the carried columns.
struct Row {
    /// In ticks of the bucket's type.
    first: i64,
    last: i64,
    orders: i64,
    days: i64,
    frequency: i64,
    recency: f64,
    age: f64,
    since_last: f64,
    value: i128,
    average: Option<f64>,
    monetary: Option<f64>,
}

/// The table of rows, behind the columns of the customer and of what is carried.
fn table(
    rel: &RelRef,
    summary: &Summary,
    mut columns: Vec<ArrayRef>,
    rows: &[Row],
) -> Result<Frame, EngineError> {
    let int =
        |of: fn(&Row) -> i64| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let time = |of: fn(&Row) -> i64| -> ArrayRef {
        match summary.bucket_type() {
            DataType::Date => {
                Arc::new(rows.iter().map(|row| Some(of(row) as i32)).collect::<Date32Array>())
            }
            _ => {
                let times = rows.iter().map(|row| Some(of(row)));
                Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
            }
        }
    };
    // A double without a value has no place in a table.
    let double = |of: fn(&Row) -> Option<f64>| -> ArrayRef {
        let of = |row: &Row| of(row).filter(|value| value.is_finite());
        Arc::new(rows.iter().map(of).collect::<Float64Array>())
    };
    let scale = match summary.events.value_type() {
        DataType::Decimal { scale, .. } => scale as i8,
        _ => 0,
    };
    let has_value = summary.events.value.is_some();
    let values = rows.iter().map(|row| has_value.then_some(row.value));
    let values = values.collect::<Decimal128Array>().with_precision_and_scale(38, scale);
    let values: ArrayRef = Arc::new(values.map_err(arrow_error)?);
    columns.extend([
        time(|row| row.first),
        time(|row| row.last),
        int(|row| row.orders),
        int(|row| row.days),
        int(|row| row.frequency),
        double(|row| Some(row.recency)),
        double(|row| Some(row.age)),
        double(|row| Some(row.since_last)),
        values,
        double(|row| row.average),
        double(|row| row.monetary),
    ]);
    for (column, field) in columns.iter_mut().zip(&rel.schema.fields) {
        *column = with_precision(column, field.data_type)?;
    }
    Ok(Frame::new(rel.schema.clone(), columns, rows.len())?)
}

/// What the purchases of a customer come to.
pub(super) struct Purchases {
    /// In ticks of the bucket's type.
    first: i64,
    last: i64,
    orders: i64,
    days: i64,
    value: i128,
    /// The part of the value that is that of the first purchase.
    first_value: i128,
}

/// The purchases in buckets; `None` without one.
fn purchases(
    summary: &Summary,
    buckets: &[(i64, Bucket)],
) -> Result<Option<Purchases>, EngineError> {
    let (Some((first, first_bucket)), Some((last, _))) = (buckets.first(), buckets.last()) else {
        return Ok(None);
    };
    let (mut orders, mut value, mut days) = (0, 0, 0);
    let mut known = None;
    for (_, bucket) in buckets {
        orders += bucket.orders;
        value = add(value, bucket.total)?;
        if known != Some(bucket.day) {
            known = Some(bucket.day);
            days += 1;
        }
    }
    let first_value = match &first_bucket.first {
        Some(first) if !summary.collapse => add(first.value, first_bucket.refunds)?,
        _ => first_bucket.total,
    };
    let (first, last) = (*first, *last);
    Ok(Some(Purchases { first, last, orders, days, value, first_value }))
}

/// The days on which a customer whose events are in the order of their days bought something, with the orders
/// and the total of each.
fn bought(
    refunds: Refunds,
    zero_values: ZeroValues,
    events: &[DayEvent],
) -> impl Iterator<Item = (i32, i64, i128)> + '_ {
    let days = events.chunk_by(|left, right| left.day == right.day);
    days.filter_map(move |of_day| {
        let (mut orders, mut total) = (0, 0);
        for event in of_day {
            if let Some((order, value)) = counted((refunds, zero_values), event.value()) {
                orders += order;
                total += value;
            }
        }
        // A day left below 0 is no purchase, and neither is one that only gives back.
        let is_purchase = orders > 0 && !(total < 0 && refunds == Refunds::Net);
        is_purchase.then_some((of_day[0].day, orders, total))
    })
}

/// The days of purchases with the orders of each.
pub(super) fn purchase_days(
    refunds: Refunds,
    zero_values: ZeroValues,
    events: &[DayEvent],
) -> impl Iterator<Item = (i32, i64)> + '_ {
    bought(refunds, zero_values, events).map(|(day, orders, _)| (day, orders))
}

/// The purchases of a customer whose events are in the order of their days, each day being one; `None`
/// without one.
fn purchases_of_days(summary: &Summary, events: &[DayEvent]) -> Option<Purchases> {
    let mut found: Option<Purchases> = None;
    for (day, orders, total) in bought(summary.refunds, summary.zero_values, events) {
        let day = i64::from(day);
        let known = found.get_or_insert(Purchases {
            first: day,
            last: day,
            orders: 0,
            days: 0,
            value: 0,
            first_value: total,
        });
        known.last = day;
        known.orders += orders;
        known.days += 1;
        known.value += total;
    }
    found
}

/// What is told of a customer.
fn row(summary: &Summary, purchases: &Purchases, calendar: &Calendar) -> Row {
    let &Purchases { first, last, orders, days, value, first_value } = purchases;
    let frequency = if summary.collapse { days } else { orders } - 1;
    let bucket_type = summary.bucket_type();
    let instant = |at: i64| match bucket_type {
        DataType::Date if summary.collapse => at.saturating_mul(DAY_MICROS),
        DataType::Date => calendar.midnight(at as i32),
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
    let time = |micros: i64| in_units(micros.into(), summary.unit);
    let scale = match summary.events.value_type() {
        DataType::Decimal { scale, .. } => scale,
        _ => 0,
    };
    let per = |minor: i128, count: i64| {
        let amount = minor as f64 / pow10(scale) as f64;
        (count != 0 && summary.events.value.is_some()).then(|| amount / count as f64)
    };
    Row {
        first,
        last,
        orders,
        days,
        frequency,
        recency: time(recency),
        age: time(end.saturating_sub(instant(first))),
        since_last: time(end.saturating_sub(instant(last))),
        value,
        average: per(value, orders),
        monetary: per(value - first_value, frequency),
    }
}

impl Purchases {
    fn pack(&self, bytes: &mut Vec<u8>) {
        pack::signed(self.first, bytes);
        pack::number(self.last.abs_diff(self.first), bytes);
        pack::signed(self.orders, bytes);
        pack::signed(self.days, bytes);
        pack::wide(self.value, bytes);
        pack::wide(self.first_value, bytes);
    }

    fn unpack(bytes: &mut Bytes) -> Self {
        let first = bytes.signed();
        Purchases {
            first,
            last: first + bytes.number() as i64,
            orders: bytes.signed(),
            days: bytes.signed(),
            value: bytes.wide(),
            first_value: bytes.wide(),
        }
    }
}

/// The summaries of customers whose events are gathered by day.
pub(super) struct SummaryOfDays<'a> {
    rel: &'a RelRef,
    summary: &'a Summary,
    days: &'a Days,
    segments: &'a Segments,
    calendar: &'a Calendar,
    memory: &'a Memory,
    /// The numbers of the customers, in the order of the table.
    people: Vec<u32>,
    /// The place of each customer in that order.
    places: Vec<u32>,
}

impl<'a> SummaryOfDays<'a> {
    /// The customers in the order of the table.
    pub fn new(
        rel: &'a RelRef,
        summary: &'a Summary,
        days: &'a Days,
        segments: &'a Segments,
        (calendar, memory): (&'a Calendar, &'a Memory),
    ) -> Self {
        let mut people: Vec<u32> = days.firsts().map(|(person, _)| person).collect();
        days.people.sort(&mut people);
        let mut places = vec![0_u32; days.people.len()];
        people.iter().zip(0..).for_each(|(&person, place)| places[person as usize] = place);
        SummaryOfDays { rel, summary, days, segments, calendar, memory, people, places }
    }
}

impl OfDays for SummaryOfDays<'_> {
    /// What the purchases of customers come to, packed, for each [`ROWS`] of them in the order of the table.
    type Found = Vec<Vec<u8>>;

    fn start(&self) -> Vec<Vec<u8>> {
        vec![Vec::new(); self.people.len().div_ceil(ROWS)]
    }

    fn take(
        &self,
        found: &mut Vec<Vec<u8>>,
        person: u32,
        events: &[DayEvent],
    ) -> Result<(), EngineError> {
        if let Some(purchases) = purchases_of_days(self.summary, events) {
            let place = self.places[person as usize] as usize;
            let bytes = &mut found[place / ROWS];
            pack::number((place % ROWS) as u64, bytes);
            purchases.pack(bytes);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        0
    }

    fn table(self, shares: Vec<Vec<Vec<u8>>>) -> Result<Frame, EngineError> {
        let SummaryOfDays { rel, summary, days, segments, calendar, memory, people, places } = self;
        drop(places);
        let piece = |number: usize| -> Result<Frame, EngineError> {
            let own = &people[number * ROWS..people.len().min((number + 1) * ROWS)];
            let mut purchases: Vec<Option<Purchases>> = Vec::new();
            purchases.resize_with(own.len(), || None);
            for share in &shares {
                let mut bytes = Bytes::of(&share[number]);
                while !bytes.is_empty() {
                    let place = bytes.number() as usize;
                    purchases[place] = Some(Purchases::unpack(&mut bytes));
                }
            }
            let found = own.iter().zip(&purchases).filter_map(|(&person, purchases)| {
                Some((person, row(summary, purchases.as_ref()?, calendar)))
            });
            let (people, rows): (Vec<u32>, Vec<Row>) = found.unzip();
            let mut columns = vec![days.people.column(&people)?];
            if !summary.carry.is_empty() {
                let carried = people.iter().map(|&person| segments.get(segments.of(person)));
                columns.extend(segments.keys.decode(carried)?);
            }
            table(rel, summary, columns, &rows)
        };
        let mut sink = Sink::new(&rel.schema, people.len(), memory)?;
        let mut rows = 0;
        let numbers: Vec<usize> = (0..people.len().div_ceil(ROWS)).collect();
        for numbers in numbers.chunks(sink.at_once()) {
            let pieces: Vec<Result<Frame, EngineError>> =
                numbers.par_iter().with_max_len(1).map(|&number| piece(number)).collect();
            for piece in pieces {
                let piece = piece?;
                rows += piece.rows();
                sink.push(piece.batch)?;
            }
        }
        Ok(Frame::new(rel.schema.clone(), sink.finish()?, rows)?)
    }
}
