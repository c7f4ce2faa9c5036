//! The fold of `Repeats`: purchases by day but for each customer's first.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array};

use super::days::{DayEvent, Days, OfDays, Segments};
use super::summary::purchase_days;
use crate::engine::{EngineError, Extent, NodeId};
use crate::frame::{Frame, Value};
use crate::ir::{RelRef, Repeats};

/// The repeat purchases of customers whose events are gathered by day.
pub(super) struct RepeatsOfDays<'a> {
    rel: &'a RelRef,
    node: &'a Repeats,
    segments: &'a Segments,
    first: i32,
    /// How many days there are.
    width: usize,
}

impl<'a> RepeatsOfDays<'a> {
    /// The days that have cells.
    ///
    /// # Errors
    /// Too many of them.
    pub fn new(
        rel: &'a RelRef,
        node: &'a Repeats,
        days: &Days,
        segments: &'a Segments,
    ) -> Result<Self, EngineError> {
        let (first, last) = days.span.unwrap_or((0, -1));
        let width = usize::try_from(i64::from(last) - i64::from(first) + 1).unwrap_or(0);
        Extent {
            rows: width as u128 * segments.len() as u128,
            of: format!("the days of {} groups", segments.len()),
            span: Some((Value::Date(first), Value::Date(last))),
            first: None,
            node: NodeId::default(),
        }
        .check()?;
        Ok(RepeatsOfDays { rel, node, segments, first, width })
    }
}

impl OfDays for RepeatsOfDays<'_> {
    /// Purchases by segment and day.
    type Found = Vec<i64>;

    fn start(&self) -> Vec<i64> {
        vec![0; self.width * self.segments.len()]
    }

    fn take(
        &self,
        counts: &mut Vec<i64>,
        person: u32,
        events: &[DayEvent],
    ) -> Result<(), EngineError> {
        let rules = self.node.rules;
        let place = self.segments.of(person) as usize * self.width;
        let mut begun = false;
        for (day, orders) in purchase_days(rules.refunds, rules.zero_values, events) {
            let n = if rules.collapse { 1 } else { orders };
            let count = &mut counts[place + (day - self.first) as usize];
            if !begun {
                if !rules.counts(day) {
                    break;
                }
                begun = true;
                *count += n - 1;
            } else {
                *count += n;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.width * self.segments.len() * size_of::<i64>()
    }

    fn table(self, found: Vec<Vec<i64>>) -> Result<Frame, EngineError> {
        let RepeatsOfDays { rel, node, segments, first, width } = self;
        let mut counts = vec![0_i64; width * segments.len()];
        for part in found {
            counts.iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
        }
        let mut order: Vec<u32> = (0..segments.len() as u32).collect();
        order.sort_by(|&a, &b| segments.get(a).cmp(segments.get(b)));
        let mut rows: Vec<(u32, i32, i64)> = Vec::new();
        for segment in order {
            let of = &counts[segment as usize * width..(segment as usize + 1) * width];
            let some = (first..).zip(of).filter(|(_, repeats)| **repeats > 0);
            rows.extend(some.map(|(day, repeats)| (segment, day, *repeats)));
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        if !node.by.is_empty() {
            columns.extend(segments.keys.decode(rows.iter().map(|row| segments.get(row.0)))?);
        }
        columns.push(Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Date32Array>()));
        columns.push(Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()));
        Ok(Frame::new(rel.schema.clone(), columns, rows.len())?)
    }
}
