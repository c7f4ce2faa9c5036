//! What the footers of a source say of its values.

use arrow::datatypes::DataType as ArrowType;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::RowGroupMetaData;

use super::convert::{convert, value_of_text};
use super::engine::LocalSource;
use super::file::{Form, InputFile};
use super::guard::guarded;
use crate::document::DAY_MICROS;
use crate::frame::{DataType, Value, value_at};
use crate::ir::Calendar;

/// The values that a column may have in a row group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    /// The ends, between which every value is; null if there is no value.
    pub least: Value,
    pub greatest: Value,
    /// Whether some may be null.
    pub nulls: bool,
}

impl Range {
    /// One value, or null, in every row.
    pub fn of(value: Value) -> Self {
        Range { nulls: value.is_null(), least: value.clone(), greatest: value }
    }

    /// A range of instants that is a day longer at both ends: a clock that is set back shows times again, and some
    /// set it back over midnight.
    pub fn widened(self) -> Self {
        let shifted = |value: Value, by: i64| match value {
            Value::Timestamp(at) => Value::Timestamp(at.saturating_add(by)),
            value => value,
        };
        Range {
            least: shifted(self.least, -DAY_MICROS),
            greatest: shifted(self.greatest, DAY_MICROS),
            nulls: self.nulls,
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.least.is_null()
    }
}

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
    /// The least value of a column in each row group, null where it has none; `None` if neither the footer nor
    /// a folder settles it.
    pub(super) fn least_of_row_groups(
        &self,
        column: &str,
        data_type: DataType,
        calendar: &Calendar,
    ) -> Option<Vec<Value>> {
        if let Some(value) = self.of_folder(column, data_type, calendar) {
            return Some(vec![value?; self.row_groups()]);
        }
        self.columns.iter().find(|found| found.name == column)?.data_type?;
        extremes(self, column, data_type, calendar, End::Least)
    }

    /// The value that its folders give to a column, if they do; `None` of a text that is none.
    fn of_folder(
        &self,
        column: &str,
        data_type: DataType,
        calendar: &Calendar,
    ) -> Option<Option<Value>> {
        let value = self.folder(column)?;
        let value = value.map(|text| value_of_text(text, data_type, calendar)).transpose();
        Some(value.ok().map(|value| value.unwrap_or(Value::Null)))
    }

    /// What a column may be in each row group, as a type; `None` if that is not known.
    pub(super) fn ranges(
        &self,
        column: &str,
        data_type: DataType,
        calendar: &Calendar,
    ) -> Option<Vec<Range>> {
        let everywhere = |range: Range| Some(vec![range; self.row_groups()]);
        if let Some(value) = self.of_folder(column, data_type, calendar) {
            return everywhere(Range::of(value?));
        }
        let Form::Parquet(metadata) = &self.form else { return None };
        let Some(found) = self.columns.iter().find(|found| found.name == column) else {
            return everywhere(Range::of(Value::Null));
        };
        // Doubles in the file may be NaN, of which footers say nothing, and texts that become something
        // else have another order.
        if found.data_type? != data_type || found.data_type == Some(DataType::Float64) {
            return None;
        }
        let trusted = |group: &RowGroupMetaData| {
            let mut chunks = group.columns().iter();
            let chunk = chunks.find(|chunk| chunk.column_path().string() == column)?;
            let statistics = chunk.statistics()?;
            (chunk.column_type() != PhysicalType::INT96 && !statistics.is_min_max_deprecated())
                .then_some(())
        };
        metadata.metadata().row_groups().iter().try_for_each(trusted)?;
        let least = extremes(self, column, data_type, calendar, End::Least)?;
        let greatest = extremes(self, column, data_type, calendar, End::Greatest)?;
        let (_, nulls) = read_statistics(self, column, |converter, groups| {
            converter.row_group_null_counts(groups).ok()
        })?;
        let field = metadata.schema().field_with_name(column).ok()?;
        let local = matches!(field.data_type(), ArrowType::Timestamp(_, None));
        let none =
            |place: usize| arrow::array::Array::is_valid(&nulls, place) && nulls.value(place) == 0;
        let ends = least.into_iter().zip(greatest).enumerate();
        // Local times around a change of clocks are not in the order of their instants.
        let range = |(place, (least, greatest))| {
            let range = Range { least, greatest, nulls: !none(place) };
            if local { range.widened() } else { range }
        };
        Some(ends.map(range).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_tell_what_is_in_every_row() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.csv");
        std::fs::write(&path, "id\n1\n2\n").expect("written");
        let of = |text: Option<&str>| {
            let file = InputFile::open_csv("orders", &path).expect("a header and two records");
            let file = file.with_folders(vec![("day".to_owned(), text.map(str::to_owned))]);
            let calendar = Calendar::default();
            let least = file.least_of_row_groups("day", DataType::Date, &calendar);
            (least, file.ranges("day", DataType::Date, &calendar))
        };
        let day = Value::Date(20_455);
        assert_eq!(of(Some("2026-01-02")), (Some(vec![day.clone()]), Some(vec![Range::of(day)])));
        let nothing = Range { least: Value::Null, greatest: Value::Null, nulls: true };
        assert_eq!(of(None), (Some(vec![Value::Null]), Some(vec![nothing])));
        assert_eq!(of(Some("tomorrow")), (None, None));
    }
}
