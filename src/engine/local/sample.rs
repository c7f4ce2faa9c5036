//! Some rows of a source, for a look at it before there is a pipeline.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::decode::Decoding;
use super::engine::LocalSource;
use crate::engine::EngineError;
use crate::frame::{Schema, Value, value_at};
use crate::ir::Calendar;

/// Into so many parts a sample is cut: each comes from a row group of its own.
const PARTS: usize = 16;

/// The most row groups that are opened, where they are small.
const MOST_GROUPS: usize = 256;

/// Rows of a source, in the order of its files.
#[derive(Debug, Clone)]
pub struct Sample {
    schema: Arc<Schema>,
    batches: Vec<RecordBatch>,
    /// How many there are.
    pub rows: usize,
    /// How many of them hold something that cannot be read, and what that is: in CSV a text that is not
    /// UTF-8, or another number of cells than the header.
    pub faults: Vec<(&'static str, usize)>,
}

impl Sample {
    /// The values of a column; empty if there is none of that name.
    pub fn column(&self, name: &str) -> Vec<Value> {
        let Some(index) = self.schema.index_of(name) else { return Vec::new() };
        let values = |batch: &RecordBatch| {
            let column = batch.column(index).clone();
            (0..batch.num_rows()).map(move |row| value_at(&column, row)).collect::<Vec<_>>()
        };
        self.batches.iter().flat_map(values).collect()
    }
}

impl LocalSource {
    /// Rows from the beginnings of row groups that are spread evenly over all files; all rows, if there
    /// are no more than `most`. Values that do not fit their column's type are null.
    ///
    /// # Errors
    /// A row group that cannot be read.
    pub fn sample(
        &self,
        source: &str,
        schema: &Arc<Schema>,
        most: usize,
        calendar: &Calendar,
    ) -> Result<Sample, EngineError> {
        let names: Vec<String> = schema.names().map(str::to_owned).collect();
        let decoding =
            Decoding { source, fields: &schema.fields, finite: &[], strict: &names, calendar };
        let groups: Vec<(usize, usize)> = (0..self.files.len())
            .flat_map(|file| (0..self.files[file].row_groups()).map(move |group| (file, group)))
            .collect();
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let whole = rows <= most as u64;
        let chosen = match whole {
            true => (0..groups.len()).collect(),
            false => spread(groups.len()),
        };
        let share = if whole { most } else { most / groups.len().clamp(1, PARTS) };
        let mut parts: Vec<(usize, RecordBatch)> = Vec::new();
        let mut faults: Vec<(&'static str, usize)> = Vec::new();
        let mut taken = 0;
        for place in chosen {
            if taken >= most && !whole {
                break;
            }
            let (file, group) = groups[place];
            let mut wanted = share;
            let read = decoding.row_group(&self.files[file], group, |_, decoded| {
                let count = decoded.batch.num_rows().min(wanted);
                parts.push((place, decoded.batch.slice(0, count)));
                wanted -= count;
                taken += count;
                for fault in decoded.faults {
                    let rows = fault.rows.iter().filter(|(row, _)| *row < count).count();
                    match faults.iter_mut().find(|(known, _)| *known == fault.fault) {
                        Some((_, known)) => *known += rows,
                        None => faults.push((fault.fault, rows)),
                    }
                }
                // Nothing more is asked of this row group.
                if wanted == 0 { Err(EngineError::Interrupted) } else { Ok(()) }
            });
            match read {
                Ok(()) | Err(EngineError::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        // Stable, so that the parts of a row group stay in their order.
        parts.sort_by_key(|(place, _)| *place);
        let batches = parts.into_iter().map(|(_, batch)| batch).collect();
        faults.retain(|(_, rows)| *rows > 0);
        Ok(Sample { schema: schema.clone(), batches, rows: taken, faults })
    }
}

/// Places below `count`, the evenly spread ones first.
fn spread(count: usize) -> Vec<usize> {
    let evenly = |parts: usize| {
        let parts = parts.min(count);
        (0..parts).map(move |part| if parts < 2 { 0 } else { part * (count - 1) / (parts - 1) })
    };
    let mut places: Vec<usize> = Vec::new();
    for place in evenly(PARTS).chain(evenly(MOST_GROUPS)) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_over_all() {
        assert_eq!(spread(0), Vec::<usize>::new());
        assert_eq!(spread(1), [0]);
        assert_eq!(spread(3), [0, 1, 2]);
        let places = spread(1_001);
        assert_eq!(places[..3], [0, 66, 133]);
        assert_eq!(places[PARTS - 1], 1_000);
        assert!(places.len() <= PARTS + MOST_GROUPS);
    }
}
