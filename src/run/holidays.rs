//! Lists of days in files: what `holidays_file` names.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The days, since 1970-01-01, in the first column of a Parquet or CSV file; empty cells are passed over.
/// The first line of a CSV file may be a heading.
///
/// # Errors
/// What is wrong, as the end of a sentence: a file that cannot be read, or a cell that is no date.
pub(super) fn days(path: &Path) -> Result<Vec<i32>, String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => of_parquet(path),
        _ => of_csv(&std::fs::read_to_string(path).map_err(|error| unreadable(&error))?),
    }
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => error.to_string(),
    }
}

fn of_csv(text: &str) -> Result<Vec<i32>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut days = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let cell = line.split([',', ';', '\t']).next().unwrap_or_default();
        let cell = cell.trim().trim_matches('"').trim();
        if cell.is_empty() {
            continue;
        }
        match cell.parse::<jiff::civil::Date>() {
            Ok(date) => days.push((date - jiff::civil::date(1970, 1, 1)).get_days()),
            Err(_) if place == 0 => {}
            Err(_) => {
                let line = place + 1;
                return Err(format!("`{cell}` in line {line} is no date such as 2026-12-25"));
            }
        }
    }
    Ok(days)
}

fn of_parquet(path: &Path) -> Result<Vec<i32>, String> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let damaged = |error: &dyn std::fmt::Display| error.to_string();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| damaged(&e))?;
    let schema = builder.schema().clone();
    let Some(first) = schema.fields().first() else { return Err("it has no column".into()) };
    let dated = matches!(
        first.data_type(),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Utf8
    );
    if !dated {
        return Err(format!("its first column, `{}`, has no dates", first.name()));
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), [0]);
    let mut days = Vec::new();
    for batch in builder.with_projection(mask).build().map_err(|e| damaged(&e))? {
        let batch = batch.map_err(|e| damaged(&e))?;
        let column = batch.column(0);
        let dates = cast(column, &DataType::Date32).map_err(|e| damaged(&e))?;
        if dates.null_count() > column.null_count() {
            return Err(format!("a cell of `{}` is no date such as 2026-12-25", first.name()));
        }
        days.extend(dates.as_primitive::<Date32Type>().iter().flatten());
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_a_text() {
        let text = "\u{feff}day,name\n2026-12-25,Christmas\n\n\"2027-01-01\";New Year\r\n";
        assert_eq!(of_csv(text), Ok(vec![20_812, 20_819]));
        assert_eq!(of_csv("2026-12-25\n"), Ok(vec![20_812]));
        assert_eq!(of_csv(""), Ok(vec![]));
        let error = of_csv("2026-12-25\n25.12.2027\n").expect_err("no date");
        assert!(error.contains("`25.12.2027` in line 2"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        for name in ["nowhere.csv", "nowhere.parquet"] {
            assert_eq!(days(Path::new(name)), Err("there is no such file".into()));
        }
    }
}
