//! What the footers of a source say of its values.

use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::decode::Decoding;
use super::engine::LocalSource;
use super::file::InputFile;
use super::guard::guarded;
use crate::frame::{DataType, Field, Value, value_at};
use crate::ir::Calendar;

impl LocalSource {
    /// The greatest value of a column of dates or timestamps, null if it has none; `None` if the
    /// footers do not settle it.
    pub fn greatest(
        &self,
        column: &str,
        data_type: DataType,
        calendar: &Calendar,
    ) -> Option<Value> {
        let mut greatest = Value::Null;
        for file in &self.files {
            let fields = [Field::new(column, data_type)];
            let decoding = Decoding { source: "", fields: &fields, finite: &[], calendar };
            // A file without the column has only nulls there.
            let Some(found) = file.columns.iter().find(|found| found.name == column) else {
                continue;
            };
            found.data_type?;
            for value in maxima(file, column, &decoding)? {
                if greatest.is_null() || (!value.is_null() && value > greatest) {
                    greatest = value;
                }
            }
        }
        Some(greatest)
    }
}

/// The greatest value in each row group, null where all are null.
fn maxima(file: &InputFile, column: &str, decoding: &Decoding) -> Option<Vec<Value>> {
    let metadata = file.metadata.metadata();
    let groups = metadata.row_groups();
    let read = || -> Option<_> {
        let converter = StatisticsConverter::try_new(
            column,
            file.metadata.schema(),
            file.metadata.parquet_schema(),
        )
        .ok()?;
        let maxima = converter.row_group_maxes(groups).ok()?;
        let nulls = converter.row_group_null_counts(groups).ok()?;
        Some((maxima, nulls))
    };
    let (maxima, nulls) = guarded(read).ok()??;
    let maxima = decoding.convert(&maxima, decoding.fields[0].data_type).ok()?;
    let mut values = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let value = value_at(&maxima, place);
        let rows = u64::try_from(group.num_rows()).ok()?;
        let all_null = arrow::array::Array::is_valid(&nulls, place) && nulls.value(place) == rows;
        if value.is_null() && rows > 0 && !all_null {
            return None;
        }
        values.push(value);
    }
    Some(values)
}
