//! What the footers of a source say of its values.

use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::convert::convert;
use super::engine::LocalSource;
use super::file::{Form, InputFile};
use super::guard::guarded;
use crate::frame::{DataType, Value, value_at};
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
            // A file without the column has only nulls there.
            let Some(found) = file.columns.iter().find(|found| found.name == column) else {
                continue;
            };
            found.data_type?;
            for value in maxima(file, column, data_type, calendar)? {
                if greatest.is_null() || (!value.is_null() && value > greatest) {
                    greatest = value;
                }
            }
        }
        Some(greatest)
    }
}

/// The greatest value in each row group, null where all are null.
fn maxima(
    file: &InputFile,
    column: &str,
    data_type: DataType,
    calendar: &Calendar,
) -> Option<Vec<Value>> {
    let Form::Parquet(metadata) = &file.form else { return None };
    if file.folder(column).is_some() {
        return None;
    }
    let groups = metadata.metadata().row_groups();
    let read = || -> Option<_> {
        let converter =
            StatisticsConverter::try_new(column, metadata.schema(), metadata.parquet_schema())
                .ok()?;
        let maxima = converter.row_group_maxes(groups).ok()?;
        let nulls = converter.row_group_null_counts(groups).ok()?;
        Some((maxima, nulls))
    };
    let (maxima, nulls) = guarded(read).ok()??;
    let (maxima, _) = convert(&maxima, data_type, calendar).ok()?;
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
