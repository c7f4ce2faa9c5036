//! Parquet files for tests.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType as ArrowType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use tenure::frame::{DataType, Field, Frame, Schema};

/// Writes a frame with row groups of so many rows.
pub fn write_parquet(path: &Path, frame: &Frame, row_group_rows: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_write_page_header_statistics(true)
        .build();
    let file = File::create(path).expect("a file");
    let mut writer =
        ArrowWriter::try_new(file, frame.batch.schema(), Some(properties)).expect("a writer");
    writer.write(&frame.batch).expect("rows");
    writer.close().expect("a footer");
}

/// The same with lists of texts as texts, such as `[a, b]`.
fn with_lists_as_texts(batch: &RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = match column.data_type() {
            ArrowType::List(_) => arrow::compute::cast(column, &ArrowType::Utf8).expect("texts"),
            _ => column.clone(),
        };
        (field.name().clone(), column)
    });
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("as many rows in each column")
}

/// Reads a file whole, as a frame; lists come as texts.
pub fn read_parquet(path: &Path) -> Frame {
    let file = File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(1 << 20).build())
        .expect("a Parquet file");
    let batches: Vec<_> = reader.map(|batch| batch.expect("rows")).collect();
    let schema = batches[0].schema();
    let batch = arrow::compute::concat_batches(&schema, &batches).expect("one table");
    let batch = with_lists_as_texts(&batch);
    let schema = batch.schema();
    let fields = schema
        .fields()
        .iter()
        .map(|field| {
            let data_type = match field.data_type() {
                ArrowType::Boolean => DataType::Bool,
                ArrowType::Int32 => DataType::Int32,
                ArrowType::Int64 => DataType::Int64,
                ArrowType::Float64 => DataType::Float64,
                ArrowType::Decimal128(precision, scale) => {
                    DataType::Decimal { precision: *precision, scale: *scale as u8 }
                }
                ArrowType::Utf8 => DataType::String,
                ArrowType::Date32 => DataType::Date,
                ArrowType::Timestamp(_, _) => DataType::Timestamp,
                other => panic!("no column of type {other} is expected"),
            };
            Field::new(field.name(), data_type)
        })
        .collect();
    Frame { schema: Arc::new(Schema::new(fields)), batch }
}
