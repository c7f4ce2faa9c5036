//! The fold of `Repeats`: purchases by day but for each customer's first.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array};

use super::days::{DayEvent, Days, Segments};
use super::summary::purchase_days;
use crate::engine::{EngineError, Extent, NodeId};
use crate::frame::{Frame, Value};
use crate::ir::{RelRef, Repeats};

/// The repeat purchases of customers whose events are gathered by day.
pub(super) fn of_days(
    rel: &RelRef,
    node: &Repeats,
    days: &Days,
    segments: &Segments,
) -> Result<Frame, EngineError> {
    let rules = node.rules;
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
    let cells = width * segments.len();
    let start = || vec![0_i64; cells];
    let follow = |counts: &mut Vec<i64>, person: u32, events: &[DayEvent]| {
        let place = segments.of(person) as usize * width;
        let mut begun = false;
        for (day, orders) in purchase_days(rules.refunds, rules.zero_values, events) {
            let n = if rules.collapse { 1 } else { orders };
            if !begun {
                if !rules.counts(day) {
                    break;
                }
                begun = true;
                counts[place + (day - first) as usize] += n - 1;
            } else {
                counts[place + (day - first) as usize] += n;
            }
        }
        Ok(())
    };
    let mut counts = start();
    for part in days.fold(cells * size_of::<i64>(), start, follow)? {
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
