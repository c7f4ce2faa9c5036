//! The cells of a table: the distinct values of its dimensions.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::row::{RowConverter, SortField};

use crate::frame::{Field, Frame, FrameError, Value, value_at};

/// The rows of a table by cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells {
    /// The values of each cell, in order.
    pub values: Vec<Vec<Value>>,
    /// The cell of each row.
    pub of_row: Vec<u32>,
}

impl Cells {
    /// The cells of a table by some of its columns. Without columns there is one, even of no rows.
    ///
    /// # Errors
    /// A column that the table does not have, or whose values have no order.
    pub fn of(frame: &Frame, by: &[Field]) -> Result<Self, FrameError> {
        if by.is_empty() {
            return Ok(Cells { values: vec![Vec::new()], of_row: vec![0; frame.rows()] });
        }
        let columns: Vec<ArrayRef> = by
            .iter()
            .filter_map(|field| Some(frame.batch.column(frame.schema.index_of(&field.name)?)))
            .cloned()
            .collect();
        let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
        let rows = RowConverter::new(fields.collect())?.convert_columns(&columns)?;
        let mut numbers: HashMap<&[u8], u32> = HashMap::new();
        let mut values: Vec<Vec<Value>> = Vec::new();
        let mut of_row = Vec::with_capacity(frame.rows());
        let keys: Vec<_> = rows.iter().collect();
        for (row, key) in keys.iter().enumerate() {
            let next = values.len() as u32;
            let number = *numbers.entry(key.data()).or_insert(next);
            if number == next {
                values.push(columns.iter().map(|column| value_at(column, row)).collect());
            }
            of_row.push(number);
        }
        // In the order of their values.
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by(|&a, &b| values[a as usize].cmp(&values[b as usize]));
        let mut place = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(&number, at)| place[number as usize] = at);
        of_row.iter_mut().for_each(|number| *number = place[*number as usize]);
        values.sort();
        Ok(Cells { values, of_row })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }
}
