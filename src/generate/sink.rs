//! Parquet files whose row groups are encoded in parallel and appended in order.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions,
    compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;

use super::request::GenerateError;

/// A file that is being written.
pub(super) struct Sink {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    groups: usize,
}

impl Sink {
    /// Opens a file, and makes the folder it lies in.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path, schema: &SchemaRef) -> Result<Self, GenerateError> {
        let failed = |reason: &dyn std::fmt::Display| GenerateError::output(path, reason);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        let file = File::create_new(path).map_err(|error| failed(&error))?;
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(format!("tenure {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .build();
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)
            .and_then(ArrowWriter::into_serialized_writer);
        let (writer, factory) = writer.map_err(|error| failed(&error))?;
        Ok(Sink { path: path.to_owned(), writer, factory, groups: 0 })
    }

    /// What encodes the next row group; groups are appended in the order in which they were begun.
    ///
    /// # Errors
    /// What the writer says.
    pub fn begin(&mut self) -> Result<Vec<ArrowColumnWriter>, GenerateError> {
        let columns = self.factory.create_column_writers(self.groups);
        self.groups += 1;
        columns.map_err(|error| GenerateError::output(&self.path, &error))
    }

    /// Appends an encoded row group.
    ///
    /// # Errors
    /// What the writer says.
    pub fn append(&mut self, encoded: Encoded) -> Result<(), GenerateError> {
        let append = || {
            let mut group = self.writer.next_row_group()?;
            for column in encoded? {
                column.append_to_row_group(&mut group)?;
            }
            group.close()
        };
        append().map_err(|error| GenerateError::output(&self.path, &error)).map(drop)
    }

    /// Writes the footer.
    ///
    /// # Errors
    /// What the writer says.
    pub fn close(self) -> Result<(), GenerateError> {
        let path = self.path;
        self.writer.close().map_err(|error| GenerateError::output(&path, &error)).map(drop)
    }
}

/// The columns of a row group, or why there are none.
pub(super) type Encoded = Result<Vec<ArrowColumnChunk>, ParquetError>;

/// Encodes and compresses a row group.
pub(super) fn encode(batch: &RecordBatch, columns: Vec<ArrowColumnWriter>) -> Encoded {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    let encoded = columns.into_iter().zip(fields).map(|(mut column, (field, array))| {
        for leaf in compute_leaves(field, array)? {
            column.write(&leaf)?;
        }
        column.close()
    });
    encoded.collect()
}
