//! What the footers of a source say of its values.

use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::RowGroupMetaData;

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
            for value in extremes(file, column, data_type, calendar, End::Greatest)? {
                if greatest.is_null() || (!value.is_null() && value > greatest) {
                    greatest = value;
                }
            }
        }
        Some(greatest)
    }

    /// The least value of a column, likewise.
    pub fn least(&self, column: &str, data_type: DataType, calendar: &Calendar) -> Option<Value> {
        // Null is the greatest of all values.
        let mut least = Value::Null;
        for file in &self.files {
            let Some(found) = file.columns.iter().find(|found| found.name == column) else {
                continue;
            };
            found.data_type?;
            let values = extremes(file, column, data_type, calendar, End::Least)?;
            least = values.into_iter().fold(least, Value::min);
        }
        Some(least)
    }

    /// How many rows have no value in a column; `None` if the footers do not settle it.
    pub fn nulls(&self, column: &str) -> Option<u64> {
        let mut count = 0;
        for file in &self.files {
            match file.columns.iter().any(|found| found.name == column) {
                true => count += nulls(file, column)?,
                false => count += file.rows,
            }
        }
        Some(count)
    }
}

impl InputFile {
    /// The least value of a column in each row group, null where it has none; `None` if the footer does
    /// not settle it.
    pub(super) fn least_of_row_groups(
        &self,
        column: &str,
        data_type: DataType,
        calendar: &Calendar,
    ) -> Option<Vec<Value>> {
        self.columns.iter().find(|found| found.name == column)?.data_type?;
        extremes(self, column, data_type, calendar, End::Least)
    }
}

/// Which end of the values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Least,
    Greatest,
}

/// The row groups of a file, and what `read` makes of a column's statistics in them.
fn read_statistics<'a, T>(
    file: &'a InputFile,
    column: &str,
    read: impl Fn(&StatisticsConverter, &[RowGroupMetaData]) -> Option<T>,
) -> Option<(&'a [RowGroupMetaData], T)> {
    let Form::Parquet(metadata) = &file.form else { return None };
    if file.folder(column).is_some() {
        return None;
    }
    let groups = metadata.metadata().row_groups();
    let found = guarded(|| {
        let (schema, parquet) = (metadata.schema(), metadata.parquet_schema());
        read(&StatisticsConverter::try_new(column, schema, parquet).ok()?, groups)
    });
    Some((groups, found.ok()??))
}

/// How many rows of a file have no value in a column.
fn nulls(file: &InputFile, column: &str) -> Option<u64> {
    let (groups, nulls) = read_statistics(file, column, |converter, groups| {
        converter.row_group_null_counts(groups).ok()
    })?;
    (0..groups.len())
        .map(|place| arrow::array::Array::is_valid(&nulls, place).then(|| nulls.value(place)))
        .sum()
}

/// The least or greatest value in each row group, null where all are null.
fn extremes(
    file: &InputFile,
    column: &str,
    data_type: DataType,
    calendar: &Calendar,
    end: End,
) -> Option<Vec<Value>> {
    let (groups, (found, nulls)) = read_statistics(file, column, |converter, groups| {
        let found = match end {
            End::Least => converter.row_group_mins(groups).ok()?,
            End::Greatest => converter.row_group_maxes(groups).ok()?,
        };
        Some((found, converter.row_group_null_counts(groups).ok()?))
    })?;
    let (found, _) = convert(&found, data_type, calendar).ok()?;
    let mut values = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let value = value_at(&found, place);
        let rows = u64::try_from(group.num_rows()).ok()?;
        let all_null = arrow::array::Array::is_valid(&nulls, place) && nulls.value(place) == rows;
        if value.is_null() && rows > 0 && !all_null {
            return None;
        }
        values.push(value);
    }
    Some(values)
}
