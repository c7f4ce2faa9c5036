//! Row groups to morsels: guarded, projected, checked.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute;
use arrow::datatypes::{
    DataType as ArrowType, Field as ArrowField, Float64Type, Int64Type, Schema as ArrowSchema,
    TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::file::InputFile;
use super::guard::guarded;
use super::page::check_pages;
use crate::engine::{EngineError, Place};
use crate::frame::{DataType, Field};
use crate::ir::Calendar;

/// Rows of a morsel: small enough for the caches, large enough that per-morsel work is nothing.
pub(super) const MORSEL_ROWS: usize = 65_536;

/// The chunks of one row group in memory, as a file that holds nothing else.
struct Chunks {
    length: u64,
    chunks: Vec<(u64, Bytes)>,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        use bytes::Buf;
        for (at, bytes) in &self.chunks {
            if (*at..*at + bytes.len() as u64).contains(&start) {
                return Ok(bytes.slice((start - at) as usize..).reader());
            }
        }
        Err(ParquetError::EOF(format!("byte {start} is in none of the columns asked for")))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        for (at, bytes) in &self.chunks {
            if start >= *at && start + length as u64 <= at + bytes.len() as u64 {
                let from = (start - at) as usize;
                return Ok(bytes.slice(from..from + length));
            }
        }
        Err(ParquetError::EOF(format!(
            "bytes {start} to {} are in no column",
            start + length as u64
        )))
    }
}

/// What to read of a source's row groups.
pub(super) struct Decoding<'a> {
    pub source: &'a str,
    /// The columns wanted and the types wanted; a column the file lacks reads as null.
    pub fields: &'a [Field],
    /// Columns of doubles that must be finite.
    pub finite: &'a [String],
    pub calendar: &'a Calendar,
}

impl Decoding<'_> {
    fn place(&self, file: &InputFile, row_group: usize, column: Option<&str>) -> Box<Place> {
        Box::new(Place {
            source: self.source.to_owned(),
            file: Some(file.name.clone()),
            row_group: Some(row_group),
            column: column.map(str::to_owned),
        })
    }

    /// Decodes a row group and hands over its morsels, each with the number of its first row.
    ///
    /// # Errors
    /// A row group that cannot be read, or what `take` gives.
    pub fn row_group(
        &self,
        file: &InputFile,
        row_group: usize,
        mut take: impl FnMut(usize, RecordBatch) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let unreadable = |column: Option<&str>, reason: String| EngineError::Unreadable {
            place: self.place(file, row_group, column),
            reason,
        };
        let group = file.metadata.metadata().row_group(row_group);
        let wanted: Vec<usize> = file
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| self.fields.iter().any(|field| field.name == column.name))
            .map(|(index, _)| index)
            .collect();
        let rows = usize::try_from(group.num_rows())
            .map_err(|_| unreadable(None, "a negative number of rows".into()))?;
        if wanted.is_empty() {
            // Only counting: no column need be read.
            let mut start = 0;
            while start < rows {
                let count = (rows - start).min(MORSEL_ROWS);
                take(start, self.normalise(file, row_group, start, None, count)?)?;
                start += count;
            }
            return Ok(());
        }

        let mask = ProjectionMask::roots(file.metadata.parquet_schema(), wanted);
        let mut input = File::open(&file.path).map_err(|e| unreadable(None, e.to_string()))?;
        let mut chunks = Vec::new();
        for (leaf, column) in group.columns().iter().enumerate() {
            if !mask.leaf_included(leaf) {
                continue;
            }
            let path = column.column_path().string();
            let (start, length) = guarded(|| column.byte_range())
                .map_err(|reason| unreadable(Some(&path), reason))?;
            if start.checked_add(length).is_none_or(|end| end > file.bytes) {
                return Err(unreadable(Some(&path), "its bytes reach beyond the file".into()));
            }
            let mut bytes = vec![0; length as usize];
            input
                .seek(SeekFrom::Start(start))
                .and_then(|_| input.read_exact(&mut bytes))
                .map_err(|error| unreadable(Some(&path), error.to_string()))?;
            let uncompressed = u64::try_from(column.uncompressed_size()).unwrap_or(0);
            check_pages(&bytes, uncompressed).map_err(|reason| unreadable(Some(&path), reason))?;
            chunks.push((start, Bytes::from(bytes)));
        }
        let chunks = Chunks { length: file.bytes, chunks };
        let damaged = |reason: String| unreadable(None, format!("the data is damaged: {reason}"));
        let mut reader = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, file.metadata.clone())
                .with_row_groups(vec![row_group])
                .with_projection(mask)
                .with_batch_size(MORSEL_ROWS)
                .build()
        })
        .map_err(&damaged)?
        .map_err(|error| damaged(error.to_string()))?;
        let mut start = 0;
        loop {
            let next = guarded(|| reader.next()).map_err(&damaged)?;
            let Some(batch) = next else { break };
            let batch = batch.map_err(|error| damaged(error.to_string()))?;
            let count = batch.num_rows();
            take(start, self.normalise(file, row_group, start, Some(&batch), count)?)?;
            start += count;
        }
        if start != rows {
            return Err(damaged(format!("{start} rows, where the footer states {rows}")));
        }
        Ok(())
    }

    /// The wanted columns in our types.
    fn normalise(
        &self,
        file: &InputFile,
        row_group: usize,
        start: usize,
        batch: Option<&RecordBatch>,
        rows: usize,
    ) -> Result<RecordBatch, EngineError> {
        let mut columns = Vec::with_capacity(self.fields.len());
        for field in self.fields {
            let column = match batch.and_then(|batch| batch.column_by_name(&field.name)) {
                None => new_null_array(&field.data_type.arrow(), rows),
                Some(column) => {
                    let place = || self.place(file, row_group, Some(&field.name));
                    let finite = self.finite.contains(&field.name);
                    let column = finite_only(column, finite).map_err(|(rows, row)| {
                        EngineError::Contract {
                            place: place(),
                            fault: "NaN or an infinity, which is no amount".into(),
                            rows,
                            first_row: start + row,
                        }
                    })?;
                    self.convert(&column, field.data_type)
                        .map_err(|reason| EngineError::Unreadable { place: place(), reason })?
                }
            };
            columns.push(column);
        }
        let arrow_fields: Vec<ArrowField> = self
            .fields
            .iter()
            .zip(&columns)
            .map(|(field, column)| ArrowField::new(&field.name, column.data_type().clone(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(
            Arc::new(ArrowSchema::new(arrow_fields)),
            columns,
            &options,
        )
        .map_err(super::kernel::arrow_error)
    }

    pub(super) fn convert(&self, column: &ArrayRef, to: DataType) -> Result<ArrayRef, String> {
        let cast = |column: &ArrayRef, to: &ArrowType| {
            compute::cast(column, to).map_err(|error| error.to_string())
        };
        match (column.data_type(), to) {
            (found, _) if *found == to.arrow() => Ok(column.clone()),
            (ArrowType::Dictionary(_, values), DataType::String)
                if values.as_ref() == &ArrowType::Utf8 =>
            {
                Ok(column.clone())
            }
            (ArrowType::UInt64, DataType::Int64) => {
                let values = column.as_primitive::<UInt64Type>();
                if values.iter().flatten().any(|value| i64::try_from(value).is_err()) {
                    return Err("a whole number is larger than int64 holds".into());
                }
                cast(column, &ArrowType::Int64)
            }
            (ArrowType::Timestamp(unit, zone), DataType::Timestamp) => {
                let ticks = cast(column, &ArrowType::Int64)?;
                let (times, over) = match unit {
                    TimeUnit::Second => (1_000_000, 1),
                    TimeUnit::Millisecond => (1_000, 1),
                    TimeUnit::Microsecond => (1, 1),
                    TimeUnit::Nanosecond => (1, 1_000),
                };
                let ticks_array = ticks.as_primitive::<Int64Type>();
                if ticks_array.iter().flatten().any(|tick| tick.checked_mul(times).is_none()) {
                    return Err("a timestamp is beyond the range of microseconds".into());
                }
                let local = zone.is_none();
                let micros: TimestampMicrosecondArray =
                    ticks.as_primitive::<Int64Type>().unary(|tick: i64| {
                        let micros = tick.saturating_mul(times).div_euclid(over);
                        if local { self.calendar.instant_of_local(micros) } else { micros }
                    });
                Ok(Arc::new(micros.with_timezone("UTC")))
            }
            (ArrowType::Date32 | ArrowType::Date64, DataType::Timestamp) => {
                let days = cast(column, &ArrowType::Date32)?;
                let micros = super::kernel::dates(&days)
                    .unary::<_, TimestampMicrosecondType>(|day| self.calendar.midnight(day));
                Ok(Arc::new(micros.with_timezone("UTC")))
            }
            (found, DataType::Decimal { .. }) if found.is_integer() => {
                let whole = cast(column, &ArrowType::Int64)?;
                cast(&whole, &to.arrow())
            }
            _ => cast(column, &to.arrow()),
        }
    }
}

/// A column of doubles without NaN, infinities and the negative zero: the former refused (how many, and the first) or null.
fn finite_only(column: &ArrayRef, refuse: bool) -> Result<ArrayRef, (usize, usize)> {
    if !column.data_type().is_floating() {
        return Ok(column.clone());
    }
    let Ok(doubles) = compute::cast(column, &ArrowType::Float64) else {
        return Ok(column.clone());
    };
    let values = doubles.as_primitive::<Float64Type>();
    let bad: Vec<usize> = (0..values.len())
        .filter(|&row| values.is_valid(row) && !values.value(row).is_finite())
        .collect();
    match bad.first() {
        // Zero has one sign, so that equal values are one key.
        None => Ok(Arc::new(values.unary::<_, Float64Type>(|x| x + 0.0))),
        Some(&first) if refuse => Err((bad.len(), first)),
        Some(_) => Ok(Arc::new(
            values
                .iter()
                .map(|x| x.filter(|x| x.is_finite()).map(|x| x + 0.0))
                .collect::<Float64Array>(),
        )),
    }
}
