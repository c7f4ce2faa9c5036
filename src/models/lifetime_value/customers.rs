//! The customers of a summary: their columns, and the distinct histories among them.

use std::ops::Range;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use rayon::prelude::*;

use super::super::cells::Cells;
use super::LifetimeValue;
use crate::frame::Frame;
use crate::ir::ApplyError;
use crate::models::{ModelKind, Purchases, Spending};

/// Customers of a summary, in its order.
pub(super) struct Customers {
    pub names: ArrayRef,
    /// The dimensions as columns.
    pub by: Vec<ArrayRef>,
    pub cells: Cells,
    /// Day of the first purchase.
    pub first: Vec<i32>,
    /// All purchases, the first included.
    pub purchases: Vec<i64>,
    pub frequency: Vec<f64>,
    pub recency: Vec<f64>,
    pub age: Vec<f64>,
    pub monetary: Vec<Option<f64>>,
    /// The distinct histories of all cells, one cell after the other, each in the order of the numbers.
    pub histories: Vec<Purchases>,
    /// The histories of each cell.
    pub of_cell: Vec<Range<usize>>,
    /// The history of each customer.
    pub history_of: Vec<u32>,
}

impl Customers {
    /// Reads a summary, as a model sees it.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn of(frame: &Frame, clv: &LifetimeValue) -> Result<Self, ApplyError> {
        let column = |name: &str| {
            let place = frame.schema.index_of(name);
            let column = place.map(|place| frame.batch.column(place).clone());
            column.ok_or_else(|| clv.fault(format!("no column `{name}`")))
        };
        let floats = |name: &str| -> Result<Vec<Option<f64>>, ApplyError> {
            Ok(column(name)?.as_primitive::<Float64Type>().iter().collect())
        };
        let whole = |name: &str| -> Result<Vec<i64>, ApplyError> {
            let column = column(name)?;
            Ok(column.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect())
        };
        let number = |value: Option<f64>| value.unwrap_or(0.0);
        let opportunities = clv.purchases == super::Purchased::One(ModelKind::BgBb);
        let recency = |value: Option<f64>| match opportunities {
            true => number(value).round(),
            false => clv.rounded(number(value)),
        };
        // The last day observed is the last of a period: a day more is a whole number of them.
        let day = 1.0 / clv.unit.days();
        let age = |value: Option<f64>| match opportunities {
            true => ((number(value) + day).round() - 1.0).max(0.0),
            false => clv.rounded(number(value)),
        };
        let cells = Cells::of(frame, &clv.by).map_err(|error| clv.fault(error.to_string()))?;
        let first = column("first_time")?;
        let monetary = floats("monetary")?;
        let mut customers = Customers {
            names: column(&clv.customer.name)?,
            by: clv.by.iter().map(|by| column(&by.name)).collect::<Result<_, _>>()?,
            cells,
            first: first.as_primitive::<Date32Type>().values().to_vec(),
            purchases: whole("purchases")?,
            frequency: whole("frequency")?.into_iter().map(|x| x as f64).collect(),
            recency: floats("recency")?.into_iter().map(recency).collect(),
            age: floats("age")?.into_iter().map(age).collect(),
            monetary: monetary.into_iter().map(|m| Some(clv.rounded(m?))).collect(),
            histories: Vec::new(),
            of_cell: Vec::new(),
            history_of: Vec::new(),
        };
        customers.group();
        Ok(customers)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.frequency.len()
    }

    /// Finds the distinct histories.
    fn group(&mut self) {
        // Times are not below 0, so their bits are in their order.
        let key = |row: usize| {
            let numbers = [self.frequency[row], self.recency[row], self.age[row]];
            (self.cells.of_row[row], numbers.map(f64::to_bits))
        };
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.par_sort_unstable_by_key(|&row| key(row as usize));
        let mut history_of = vec![0; self.len()];
        let mut histories: Vec<Purchases> = Vec::new();
        let mut ends = vec![0; self.cells.len()];
        let mut before = None;
        for &row in &order {
            let row = row as usize;
            let here = key(row);
            if before != Some(here) {
                histories.push(Purchases {
                    frequency: self.frequency[row],
                    recency: self.recency[row],
                    age: self.age[row],
                    customers: 0.0,
                });
                before = Some(here);
            }
            let place = histories.len() - 1;
            histories[place].customers += 1.0;
            history_of[row] = place as u32;
            ends[here.0 as usize] = place + 1;
        }
        let mut start = 0;
        self.of_cell = ends
            .into_iter()
            .map(|end| {
                let range = start..end.max(start);
                start = range.end;
                range
            })
            .collect();
        (self.histories, self.history_of) = (histories, history_of);
    }

    /// The histories of all cells together, alike ones as one.
    pub fn pooled(&self) -> Vec<Purchases> {
        together(self.histories.clone())
    }

    /// Customers of each cell.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.cells.len()];
        self.cells.of_row.iter().for_each(|&cell| counts[cell as usize] += 1);
        counts
    }

    /// Repeat purchases and their mean of a customer whose spend the model sees.
    pub fn spending(&self, row: usize) -> Option<(f64, f64)> {
        let mean = self.monetary[row].filter(|&mean| mean > 0.0)?;
        (self.frequency[row] >= 1.0).then_some((self.frequency[row], mean))
    }

    /// What the spend model sees of some customers, each so many times: alike ones as one.
    pub fn spendings(&self, rows: impl Iterator<Item = (usize, f64)>) -> Vec<Spending> {
        let spending = |(row, times): (usize, f64)| {
            let (purchases, mean) = self.spending(row)?;
            Some(Spending { purchases, mean, customers: times })
        };
        let mut found: Vec<Spending> = rows.filter_map(spending).collect();
        let key = |row: &Spending| (row.purchases.to_bits(), row.mean.to_bits());
        found.par_sort_unstable_by_key(key);
        found.dedup_by(|next, known| {
            let same = key(next) == key(known);
            if same {
                known.customers += next.customers;
            }
            same
        });
        found
    }
}

/// Alike histories as one, in the order of their numbers.
pub(super) fn together(mut histories: Vec<Purchases>) -> Vec<Purchases> {
    let key = |row: &Purchases| [row.frequency, row.recency, row.age].map(f64::to_bits);
    histories.par_sort_by_key(key);
    histories.dedup_by(|next, known| {
        let same = key(next) == key(known);
        if same {
            known.customers += next.customers;
        }
        same
    });
    histories
}
