//! Row groups to morsels: guarded, projected, checked.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::convert::{self, convert, value_of_text};
use super::csv::{CsvFile, Records};
use super::file::{Form, InputFile};
use super::guard::guarded;
use super::page::check_pages;
use crate::engine::{EngineError, Place};
use crate::frame::{DataType, Field, Value, column_of};
use crate::ir::Calendar;

/// Rows of a morsel: small enough for the caches, large enough that per-morsel work is nothing.
pub(super) const MORSEL_ROWS: usize = 16_384;

/// The most characters of a cell that are told with its fault.
const SHOWN: usize = 40;

/// A morsel as it was read.
pub(super) struct Decoded {
    pub batch: RecordBatch,
    pub faults: Vec<Fault>,
    /// The line on which each row begins, in files that have lines.
    pub lines: Option<Vec<u64>>,
    /// Columns whose doubles come from `float32`.
    pub single: Vec<String>,
}

/// Rows with a value that has no place in its column's type; in the morsel it is null.
pub(super) struct Fault {
    /// `None` if the row as a whole is at fault.
    pub column: Option<String>,
    pub fault: &'static str,
    /// In ascending order, with the text that was found, where there was one.
    pub rows: Vec<(usize, Option<String>)>,
}

/// The chunks of one row group in memory, as a file that holds nothing else.
#[derive(Clone)]
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
    /// Columns whose values must fit, or else their rows are at fault.
    pub strict: &'a [String],
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

    /// Decodes a row group, or a piece of CSV, and hands over its morsels, each with the number of its
    /// first row.
    ///
    /// # Errors
    /// A row group that cannot be read, or what `take` gives.
    pub fn row_group(
        &self,
        file: &InputFile,
        row_group: usize,
        take: impl FnMut(usize, Decoded) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        match &file.form {
            Form::Parquet(metadata) => self.parquet(file, metadata, row_group, take),
            Form::Csv(csv) => self.csv(file, csv, row_group, take),
        }
    }

    fn parquet(
        &self,
        file: &InputFile,
        metadata: &ArrowReaderMetadata,
        row_group: usize,
        mut take: impl FnMut(usize, Decoded) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let unreadable = |column: Option<&str>, reason: String| EngineError::Unreadable {
            place: self.place(file, row_group, column),
            reason,
        };
        let group = metadata.metadata().row_group(row_group);
        let wanted = |name: &str| {
            file.folder(name).is_none() && self.fields.iter().any(|field| field.name == name)
        };
        let roots = metadata.schema().fields().iter().enumerate();
        let wanted: Vec<usize> =
            roots.filter(|(_, field)| wanted(field.name())).map(|(root, _)| root).collect();
        let rows = usize::try_from(group.num_rows())
            .map_err(|_| unreadable(None, "a negative number of rows".into()))?;
        if wanted.is_empty() {
            // Only counting: no column need be read.
            let mut start = 0;
            while start < rows {
                let count = (rows - start).min(MORSEL_ROWS);
                take(start, self.normalise(file, row_group, None, count)?)?;
                start += count;
            }
            return Ok(());
        }

        let described = metadata.parquet_schema();
        let mask = ProjectionMask::roots(described, wanted.iter().copied());
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
            // Read into what is set aside for it and not into zeros, which would be written first.
            let mut bytes = Vec::with_capacity(length as usize);
            let read = input
                .seek(SeekFrom::Start(start))
                .and_then(|_| (&mut input).take(length).read_to_end(&mut bytes))
                .map_err(|error| unreadable(Some(&path), error.to_string()))?;
            if read as u64 != length {
                return Err(unreadable(Some(&path), "the file ends before its bytes do".into()));
            }
            let uncompressed = u64::try_from(column.uncompressed_size()).unwrap_or(0);
            check_pages(&bytes, uncompressed).map_err(|reason| unreadable(Some(&path), reason))?;
            chunks.push((start, Bytes::from(bytes)));
        }
        let chunks = Chunks { length: file.bytes, chunks };
        let reader = |roots: &[usize]| {
            let mask = ProjectionMask::roots(described, roots.iter().copied());
            guarded(|| {
                ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), metadata.clone())
                    .with_row_groups(vec![row_group])
                    .with_projection(mask)
                    .with_batch_size(MORSEL_ROWS)
                    .build()
            })
            .and_then(|built| built.map_err(|error| error.to_string()))
        };
        let read = |roots: &[usize],
                    take: &mut dyn FnMut(RecordBatch) -> Result<(), EngineError>|
         -> Result<(), Stop> {
            let mut reader = reader(roots).map_err(Stop::Damaged)?;
            let mut count = 0;
            while let Some(batch) = guarded(|| reader.next()).map_err(Stop::Damaged)? {
                let batch = batch.map_err(|error| Stop::Damaged(error.to_string()))?;
                count += batch.num_rows();
                take(batch).map_err(Stop::Taken)?;
            }
            match count == rows {
                true => Ok(()),
                false => {
                    Err(Stop::Damaged(format!("{count} rows, where the footer states {rows}")))
                }
            }
        };
        let mut start = 0;
        let result = read(&wanted, &mut |batch| {
            let count = batch.num_rows();
            take(start, self.normalise(file, row_group, Some(&batch), count)?)?;
            start += count;
            Ok(())
        });
        match result {
            Ok(()) => Ok(()),
            Err(Stop::Taken(error)) => Err(error),
            Err(Stop::Damaged(reason)) => {
                // Which column it is shows when each is read by itself.
                let fails = |root: &usize| match read(&[*root], &mut |_| Ok(())) {
                    Err(Stop::Damaged(reason)) => Some((*root, reason)),
                    Ok(()) | Err(Stop::Taken(_)) => None,
                };
                let culprit = wanted.iter().find_map(fails);
                let name = culprit.as_ref().map(|(root, _)| metadata.schema().field(*root).name());
                let reason = culprit.as_ref().map_or(&reason, |(_, reason)| reason);
                Err(unreadable(name.map(String::as_str), format!("the data is damaged: {reason}")))
            }
        }
    }

    fn csv(
        &self,
        file: &InputFile,
        csv: &CsvFile,
        piece: usize,
        mut take: impl FnMut(usize, Decoded) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let place = csv.pieces[piece];
        let bytes = csv.read(&file.path, place).map_err(|error| EngineError::Unreadable {
            place: self.place(file, piece, None),
            reason: error.to_string(),
        })?;
        let mut start = 0;
        let mut records = Records::new(&bytes, place.first_line);
        loop {
            let morsel: Vec<_> = records.by_ref().take(MORSEL_ROWS).collect();
            if morsel.is_empty() {
                return Ok(());
            }
            let width = csv.header.len();
            let ragged = morsel.iter().enumerate().filter(|(_, r)| r.cells.len() != width);
            let ragged: Vec<(usize, Option<String>)> = ragged.map(|(row, _)| (row, None)).collect();
            let mut faults = Vec::new();
            if !ragged.is_empty() {
                let fault = "another number of cells than the header";
                faults.push(Fault { column: None, fault, rows: ragged });
            }
            let mut columns = Vec::with_capacity(self.fields.len());
            for field in self.fields {
                if let Some(value) = file.folder(&field.name) {
                    columns.push(self.constant(file, piece, field, value, morsel.len())?);
                    continue;
                }
                let Some(at) = csv.header.iter().position(|name| *name == field.name) else {
                    columns.push(new_null_array(&field.data_type.arrow(), morsel.len()));
                    continue;
                };
                let mut values = Vec::with_capacity(morsel.len());
                let mut unfit: Vec<(&'static str, usize, String)> = Vec::new();
                for (row, record) in morsel.iter().enumerate() {
                    let cell = record.cells.get(at).filter(|_| record.cells.len() == width);
                    let Some(cell) = cell else {
                        values.push(Value::Null);
                        continue;
                    };
                    let read = match cell.text() {
                        Err(()) => Err(("a text that is not UTF-8", String::new())),
                        // Nothing between two commas is null; an empty text has quotes.
                        Ok(text) if text.is_empty() && !cell.quoted => Ok(Value::Null),
                        Ok(text) if text.is_empty() && field.data_type != DataType::String => {
                            Ok(Value::Null)
                        }
                        Ok(text) => value_of_text(&text, field.data_type, self.calendar)
                            .map_err(|fault| (fault, text.chars().take(SHOWN).collect())),
                    };
                    values.push(read.unwrap_or_else(|(fault, text)| {
                        unfit.push((fault, row, text));
                        Value::Null
                    }));
                }
                for (fault, row, text) in unfit {
                    let column = Some(field.name.clone());
                    let known = |known: &&mut Fault| known.fault == fault && known.column == column;
                    match faults.iter_mut().find(known) {
                        Some(known) => known.rows.push((row, Some(text))),
                        None => faults.push(Fault { column, fault, rows: vec![(row, Some(text))] }),
                    }
                }
                columns.push(
                    column_of(field.data_type, values.iter())
                        .map_err(super::kernel::arrow_error)?,
                );
            }
            let lines = Some(morsel.iter().map(|record| record.line).collect());
            let batch = self.batch(columns, morsel.len())?;
            let decoded = Decoded { batch, faults, lines, single: Vec::new() };
            take(start, decoded)?;
            start += morsel.len();
        }
    }

    /// The wanted columns in our types.
    fn normalise(
        &self,
        file: &InputFile,
        row_group: usize,
        batch: Option<&RecordBatch>,
        rows: usize,
    ) -> Result<Decoded, EngineError> {
        let mut columns = Vec::with_capacity(self.fields.len());
        let (mut faults, mut single) = (Vec::new(), Vec::new());
        for field in self.fields {
            let name = &field.name;
            if let Some(value) = file.folder(name) {
                columns.push(self.constant(file, row_group, field, value, rows)?);
                continue;
            }
            let Some(column) = batch.and_then(|batch| batch.column_by_name(name)) else {
                columns.push(new_null_array(&field.data_type.arrow(), rows));
                continue;
            };
            let found = column;
            let mut fault = |fault: &'static str, rows: Vec<usize>| {
                let rows = convert::written(found, rows);
                faults.push(Fault { column: Some(name.clone()), fault, rows });
            };
            let (column, endless) = convert::finite(found);
            if !endless.is_empty() && self.finite.contains(name) {
                fault("NaN or an infinity, which is no amount", endless);
            }
            let unreadable = |reason: String| EngineError::Unreadable {
                place: self.place(file, row_group, Some(name)),
                reason,
            };
            let (column, unfit) =
                convert(&column, field.data_type, self.calendar).map_err(unreadable)?;
            if let Some(unfit) = unfit {
                if !self.strict.contains(name) {
                    return Err(unreadable(format!(
                        "{} row(s) have {}",
                        unfit.rows.len(),
                        unfit.fault
                    )));
                }
                fault(unfit.fault, unfit.rows);
            }
            if file.columns.iter().any(|known| known.name == *name && known.single) {
                single.push(name.clone());
            }
            columns.push(column);
        }
        Ok(Decoded { batch: self.batch(columns, rows)?, faults, lines: None, single })
    }

    /// The value that a folder's name gives to every row.
    fn constant(
        &self,
        file: &InputFile,
        row_group: usize,
        field: &Field,
        value: Option<&str>,
        rows: usize,
    ) -> Result<ArrayRef, EngineError> {
        let value = match value {
            None => Value::Null,
            Some(text) => value_of_text(text, field.data_type, self.calendar).map_err(|fault| {
                EngineError::Unreadable {
                    place: self.place(file, row_group, Some(&field.name)),
                    reason: format!("its folder has {fault}: `{text}`"),
                }
            })?,
        };
        column_of(field.data_type, std::iter::repeat_n(&value, rows))
            .map_err(super::kernel::arrow_error)
    }

    fn batch(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, EngineError> {
        let fields: Vec<ArrowField> = self
            .fields
            .iter()
            .zip(&columns)
            .map(|(field, column)| ArrowField::new(&field.name, column.data_type().clone(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), columns, &options)
            .map_err(super::kernel::arrow_error)
    }
}

/// Why reading a row group ended early.
enum Stop {
    Damaged(String),
    /// What whoever took the morsels said.
    Taken(EngineError),
}
