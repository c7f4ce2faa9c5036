//! Tables that are written customer by customer.

use std::ops::Range;
use std::path::Path;

use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use parquet::arrow::arrow_writer::ArrowColumnWriter;
use parquet::errors::ParquetError;
use rayon::prelude::*;

use super::columns::{self, Columns, schema};
use super::request::GenerateError;
use super::sink::{Encoded, Sink, encode};
use super::truth::{TableTruth, Tally};
use super::world::World;

/// A table: what it is called, what it holds, and how its rows are made.
pub(super) struct Table {
    /// Also the name of its file.
    pub name: &'static str,
    pub columns: Columns,
    /// How many customers' rows make a row group.
    pub customers: u32,
    pub drawn_with: fn() -> Vec<(&'static str, f64)>,
    /// The rows of some customers.
    pub rows: fn(&World, Range<u32>) -> Vec<ArrayRef>,
}

/// Row groups that are in memory at a time.
const AT_ONCE: usize = 8;

impl Table {
    /// Writes the table; gives what is true of it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, world: &World, directory: &Path) -> Result<TableTruth, GenerateError> {
        let schema = schema(self.columns, world.ids);
        let path = directory.join(self.name).with_extension("parquet");
        let mut sink = Sink::create(&path, &schema)?;
        let mut counted = Tally::default();
        let starts: Vec<u32> = (0..world.customers).step_by(self.customers as usize).collect();
        for starts in starts.chunks(AT_ONCE) {
            let begun: Vec<(u32, Vec<ArrowColumnWriter>)> = starts
                .iter()
                .map(|start| Ok((*start, sink.begin()?)))
                .collect::<Result<_, GenerateError>>()?;
            let encoded: Vec<(Encoded, Tally)> = begun
                .into_par_iter()
                .map(|(start, writers)| {
                    let end = start.saturating_add(self.customers).min(world.customers);
                    let arrays = (self.rows)(world, start..end);
                    let tally = columns::counted(self.columns, &arrays);
                    let batch = RecordBatch::try_new(schema.clone(), arrays);
                    let encoded = batch.map_err(ParquetError::from);
                    (encoded.and_then(|batch| encode(&batch, writers)), tally)
                })
                .collect();
            for (encoded, tally) in encoded {
                sink.append(encoded)?;
                counted.merge(tally);
            }
        }
        sink.close()?;
        Ok(TableTruth { drawn_with: (self.drawn_with)(), counted })
    }
}
