//! Makes the Parquet files of this folder from the published CDNOW text files.
//!
//! ```text
//! cargo run --example convert_cdnow -- FOLDER_WITH_TEXT_FILES OUTPUT_FOLDER
//! ```
//!
//! The rows stay as published, in the order of the text: orders of value zero and repeated rows are part of the log.
//!
//! # Invariants
//! - Money never passes through a float: `77.00` becomes 7,700 hundredths by its digits.
//! - The same text gives the same bytes.
//! - Both files are read completely before the first one is written.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::types::Date32Type;
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let mut stderr = std::io::stderr();
    let [input, output] = arguments.as_slice() else {
        let _ = writeln!(stderr, "usage: convert_cdnow FOLDER_WITH_TEXT_FILES OUTPUT_FOLDER");
        return ExitCode::from(2);
    };
    match convert(input, output) {
        Ok(summary) => {
            let _ = write!(stderr, "{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(stderr, "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Converts both files and says what was written.
fn convert(input: &Path, output: &Path) -> Result<String, Box<dyn Error>> {
    let mut ready = Vec::new();
    for layout in [&MASTER, &SAMPLE] {
        let path = input.join(layout.text_file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let orders =
            parse(&text, layout).map_err(|problem| format!("{}:{problem}", path.display()))?;
        ready.push((output.join(layout.parquet_file), orders.len(), to_parquet(&orders)?));
    }
    std::fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    let mut written = Vec::new();
    for (path, rows, bytes) in ready {
        std::fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        written.push(format!("{}: {rows} orders\n", path.display()));
    }
    Ok(written.concat())
}

/// How one of the published text files is laid out: fields separated by spaces, one order a line.
struct Layout {
    text_file: &'static str,
    parquet_file: &'static str,
    /// The words of the first line, if the file has such a line.
    header: Option<&'static [&'static str]>,
    /// The fields of a line, in order.
    fields: &'static [&'static str],
    /// Where in `fields` the four columns stand: customer, date, CDs, dollars.
    columns: [usize; 4],
}

const MASTER: Layout = Layout {
    text_file: "CDNOW_master.txt",
    parquet_file: "orders.parquet",
    header: Some(&["customer_id", "date", "number_of_cds", "dollar_value"]),
    fields: &["customer id", "date", "number of CDs", "dollars"],
    columns: [0, 1, 2, 3],
};

/// The sample numbers its customers anew in its second field; the master's id is kept, so that the two files join.
const SAMPLE: Layout = Layout {
    text_file: "CDNOW_sample.txt",
    parquet_file: "sample_orders.parquet",
    header: None,
    fields: &["master customer id", "sample customer id", "date", "number of CDs", "dollars"],
    columns: [0, 2, 3, 4],
};

#[derive(Debug, PartialEq)]
struct Order {
    customer_id: i64,
    /// Days since 1970-01-01.
    ordered_at: i32,
    cds: i64,
    /// Hundredths of a dollar.
    amount: i128,
}

/// What is wrong with a text file, and on which line (counted from 1).
#[derive(Debug, PartialEq)]
struct Problem {
    line: usize,
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

fn parse(text: &str, layout: &Layout) -> Result<Vec<Order>, Problem> {
    let mut lines = text.lines().enumerate();
    if let Some(header) = layout.header {
        let first = lines.next().map_or("", |(_, line)| line);
        if !first.split_ascii_whitespace().eq(header.iter().copied()) {
            let message =
                format!("expected the header `{}`, found `{}`", header.join(" "), first.trim());
            return Err(Problem { line: 1, message });
        }
    }
    let orders = lines
        .map(|(index, line)| {
            parse_order(line, layout).map_err(|message| Problem { line: index + 1, message })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if orders.is_empty() {
        return Err(Problem { line: text.lines().count(), message: "no orders".to_owned() });
    }
    Ok(orders)
}

fn parse_order(line: &str, layout: &Layout) -> Result<Order, String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if words.len() != layout.fields.len() {
        let expected = layout.fields.join(", ");
        return Err(format!(
            "expected {} fields ({expected}), found {}",
            layout.fields.len(),
            words.len()
        ));
    }
    let column =
        |place: usize| (layout.fields[layout.columns[place]], words[layout.columns[place]]);
    Ok(Order {
        customer_id: whole_number(column(0))?,
        ordered_at: date(column(1))?,
        cds: whole_number(column(2))?,
        amount: hundredths(column(3))?,
    })
}

fn whole_number((field, word): (&str, &str)) -> Result<i64, String> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| format!("{field} `{word}` is not a whole number"))
}

/// `yyyymmdd` as days since 1970-01-01.
fn date((field, word): (&str, &str)) -> Result<i32, String> {
    let digits = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| format!("{}-{}-{}", &word[..4], &word[4..6], &word[6..]))
        .and_then(|dashed| Date32Type::parse(&dashed))
        .ok_or_else(|| format!("{field} `{word}` is not a day of the form yyyymmdd"))
}

/// `29.33` as 2,933: up to seven digits, a point, two digits, which is what `decimal(9, 2)` holds.
fn hundredths((field, word): (&str, &str)) -> Result<i128, String> {
    let exact = |(whole, cents): (&str, &str)| {
        let digits = [whole, cents].concat();
        let fits = (1..=7).contains(&whole.len()) && cents.len() == 2;
        (fits && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse().ok())
            .flatten()
    };
    word.split_once('.').and_then(exact).ok_or_else(|| {
        format!("{field} `{word}` is not an amount with two decimals, such as `29.33`")
    })
}

fn to_parquet(orders: &[Order]) -> Result<Vec<u8>, Box<dyn Error>> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("ordered_at", DataType::Date32, false),
        Field::new("cds", DataType::Int64, false),
        Field::new("amount", DataType::Decimal128(9, 2), false),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(orders.iter().map(|order| order.customer_id))),
        Arc::new(Date32Array::from_iter_values(orders.iter().map(|order| order.ordered_at))),
        Arc::new(Int64Array::from_iter_values(orders.iter().map(|order| order.cds))),
        Arc::new(
            Decimal128Array::from_iter_values(orders.iter().map(|order| order.amount))
                .with_precision_and_scale(9, 2)?,
        ),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_each_file_gives_the_same_order() {
        // 1997-01-18 is day 9,879.
        let order = Order { customer_id: 4, ordered_at: 9_879, cds: 2, amount: 2_973 };
        assert_eq!(parse_order(" 00004 19970118  2   29.73\r", &MASTER), Ok(order));
        let order = Order { customer_id: 4, ordered_at: 9_879, cds: 2, amount: 2_973 };
        assert_eq!(parse_order(" 00004 0001 19970118  2   29.73\r", &SAMPLE), Ok(order));
    }

    #[test]
    fn a_broken_line_says_what_is_wrong_and_where() {
        let check = |second_line: &str, expected: &str| {
            let text =
                format!(" customer_id  date number_of_cds  dollar_value\r\n{second_line}\r\n");
            let found = parse(&text, &MASTER).map_err(|problem| problem.to_string());
            assert_eq!(found, Err(expected.to_owned()));
        };
        check(
            "1 19970101 1",
            "2: expected 4 fields (customer id, date, number of CDs, dollars), found 3",
        );
        check("+1 19970101 1 11.77", "2: customer id `+1` is not a whole number");
        check("1 19970230 1 11.77", "2: date `19970230` is not a day of the form yyyymmdd");
        check(
            "1 19970101 1 11.7",
            "2: dollars `11.7` is not an amount with two decimals, such as `29.33`",
        );
        check(
            "1 19970101 1 12345678.00",
            "2: dollars `12345678.00` is not an amount with two decimals, such as `29.33`",
        );
        check(
            "1 19970101 1 -1.00",
            "2: dollars `-1.00` is not an amount with two decimals, such as `29.33`",
        );
    }

    #[test]
    fn a_missing_header_or_an_empty_file_is_an_error() {
        let missing = parse("1 19970101 1 11.77", &MASTER).map_err(|problem| problem.to_string());
        let expected = "1: expected the header `customer_id date number_of_cds dollar_value`, found `1 19970101 1 11.77`";
        assert_eq!(missing, Err(expected.to_owned()));
        assert_eq!(
            parse("", &SAMPLE).map_err(|problem| problem.message),
            Err("no orders".to_owned())
        );
    }
}
