//! Parquet files for tests.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tenure::frame::Frame;

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
