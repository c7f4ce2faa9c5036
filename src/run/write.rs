//! Frames to Parquet files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use arrow::array::{ArrayRef, AsArray, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::compute;
use arrow::datatypes::{
    DataType as ArrowType, DurationMicrosecondType, Field as ArrowField, Int64Type, Schema,
};
use arrow::error::ArrowError;
use arrow::row::{Row, RowConverter, SortField};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowWriter, ArrowWriterOptions,
    compute_leaves,
};
use parquet::basic::{BrotliLevel, Compression as Codec, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use rayon::prelude::*;

use super::error::RunError;
use crate::frame::Frame;
use crate::ir::scan::BETWEEN_REASONS;
use crate::spec::{Compression, TableOptions};

/// A file that was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub bytes: u64,
    pub hash: String,
}

/// Writes through, and hashes what it writes.
struct Hashing<W> {
    inner: W,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How a table is stored.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    pub options: Option<&'a TableOptions>,
    /// Keys and values of the file's metadata.
    pub metadata: &'a [(&'a str, String)],
    /// Columns of texts that are stored as lists of texts, parted at [`BETWEEN_REASONS`].
    pub lists: &'a [&'a str],
    /// Called when a piece is written: what was read for it can be let go.
    pub ease: &'a (dyn Fn() + Sync),
}

/// Writes a table and syncs it. Row groups are cut at fixed row numbers, threads share the columns of one,
/// and nothing of the machine or the moment is written, so the same frame gives the same bytes.
pub(super) fn table(
    path: &Path,
    frame: &Frame,
    Layout { options, metadata, lists, ease }: Layout,
) -> Result<Written, RunError> {
    let failed = |reason: String| RunError::Output { path: path.to_owned(), reason, help: None };
    let compression = options.map_or(Compression::Zstd, |options| options.compression.value);
    let rows = options.map_or(1_000_000, |options| options.row_group_rows.value);
    let batch = storable(&frame.batch, lists).map_err(|error| failed(error.to_string()))?;
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(format!("tenure {}", env!("CARGO_PKG_VERSION")))
        .set_compression(codec(compression))
        .set_max_row_group_row_count(Some(usize::try_from(rows).unwrap_or(1_000_000)))
        .set_key_value_metadata(Some(
            metadata
                .iter()
                .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()))
                .collect(),
        ));
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if mostly_differ(column).map_err(|error| failed(error.to_string()))? {
            let path = ColumnPath::from(field.name().clone());
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    let properties = properties.build();
    let file = File::create(path).map_err(|error| failed(error.to_string()))?;
    let out = Hashing { inner: BufWriter::new(file), hasher: blake3::Hasher::new(), bytes: 0 };
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let rows = usize::try_from(rows).unwrap_or(1_000_000).max(1);
    let out = ArrowWriter::try_new_with_options(out, batch.schema(), options)
        .and_then(|writer| row_groups(writer, &batch, rows, ease))
        .map_err(|error| failed(error.to_string()))?;
    let written = Written { bytes: out.bytes, hash: out.hasher.finalize().to_hex().to_string() };
    let file = out.inner.into_inner().map_err(|error| failed(error.to_string()))?;
    file.sync_all().map_err(|error| failed(error.to_string()))?;
    Ok(written)
}

/// Rows by which it is told whether values of a column repeat.
const TOLD_BY: usize = 2048;

/// Whether nearly all values of a column differ, so that a dictionary of them would be made for nothing.
fn mostly_differ(column: &ArrayRef) -> Result<bool, ArrowError> {
    if column.len() < TOLD_BY || column.data_type().is_nested() {
        return Ok(false);
    }
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let rows = converter.convert_columns(&[column.slice(0, TOLD_BY)])?;
    let distinct: HashSet<Row> = rows.iter().collect();
    Ok(distinct.len() * 10 > TOLD_BY * 9)
}

/// Writes the rows of a batch, so many in a row group, and closes the file.
fn row_groups<W: Write + Send>(
    writer: ArrowWriter<W>,
    batch: &RecordBatch,
    rows: usize,
    ease: &(dyn Fn() + Sync),
) -> Result<W, ParquetError> {
    let (mut file, factory) = writer.into_serialized_writer()?;
    for (group, first) in (0..batch.num_rows()).step_by(rows).enumerate() {
        let part = batch.slice(first, rows.min(batch.num_rows() - first));
        let mut writers = factory.create_column_writers(group)?.into_iter();
        let mut columns = Vec::new();
        for (field, column) in batch.schema().fields().iter().zip(part.columns()) {
            // A list is one column of its texts.
            for leaf in compute_leaves(field, column)? {
                columns.extend(writers.next().map(|writer| (writer, leaf)));
            }
        }
        let write = |(mut writer, leaf): (ArrowColumnWriter, ArrowLeafColumn)| {
            writer.write(&leaf)?;
            ease();
            writer.close()
        };
        let chunks: Vec<Result<ArrowColumnChunk, ParquetError>> =
            columns.into_par_iter().with_max_len(1).map(write).collect();
        let mut row_group = file.next_row_group()?;
        for chunk in chunks {
            chunk?.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
    }
    file.into_inner()
}

fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
        Compression::Snappy => Codec::SNAPPY,
        Compression::Gzip => Codec::GZIP(GzipLevel::default()),
        Compression::Lz4 => Codec::LZ4_RAW,
        Compression::Brotli => Codec::BROTLI(BrotliLevel::default()),
        Compression::None => Codec::UNCOMPRESSED,
    }
}

/// Parquet has no durations: they are stored as microseconds. Lists are texts until here.
fn storable(batch: &RecordBatch, lists: &[&str]) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<ArrowField> = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let column = match column.data_type() {
            ArrowType::Duration(_) => {
                let micros = column.as_primitive::<DurationMicrosecondType>();
                std::sync::Arc::new(micros.reinterpret_cast::<Int64Type>()) as ArrayRef
            }
            ArrowType::Dictionary(_, values) => compute::cast(column, values)?,
            ArrowType::Utf8 if lists.contains(&field.name().as_str()) => parted(column.as_string()),
            _ => column.clone(),
        };
        fields.push(ArrowField::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns)
}

/// Texts as lists of texts.
fn parted(texts: &StringArray) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for text in texts {
        match text {
            None => lists.append_null(),
            Some(text) => lists.append_value(text.split(BETWEEN_REASONS).map(Some)),
        }
    }
    std::sync::Arc::new(lists.finish())
}

/// Writes a text and syncs it.
pub(super) fn text(path: &Path, text: &str) -> Result<Written, RunError> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| RunError::Output {
        path: path.to_owned(),
        reason: error.to_string(),
        help: None,
    })?;
    Ok(Written {
        bytes: text.len() as u64,
        hash: blake3::hash(text.as_bytes()).to_hex().to_string(),
    })
}
