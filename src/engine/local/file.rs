//! Files: footers and headers, and what their columns are to us.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{
    DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema, TimeUnit,
};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;

use super::csv::CsvFile;
use super::guard::guarded;
use crate::engine::{EngineError, Place};
use crate::frame::DataType;

/// Largest footer read, in bytes.
const MAX_FOOTER: u64 = 256 << 20;

/// A file whose footer has been read, or whose records have been counted.
#[derive(Debug, Clone)]
pub struct InputFile {
    pub path: PathBuf,
    /// The path as the user knows it.
    pub name: String,
    pub bytes: u64,
    pub rows: u64,
    /// Hash of a Parquet footer, which holds the place, size and statistics of every column chunk; of
    /// CSV the hash of the whole file.
    pub fingerprint: String,
    pub columns: Vec<InputColumn>,
    /// Columns that the names of its folders give, the same value in every row.
    pub folders: Vec<(String, Option<String>)>,
    pub(super) form: Form,
}

/// How a file holds its rows.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Parquet(ArrowReaderMetadata),
    Csv(CsvFile),
}

/// A top-level column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputColumn {
    pub name: String,
    /// What it is in the file, in words.
    pub found: String,
    /// What it is to us; `None` for types that are not read.
    pub data_type: Option<DataType>,
    /// True if every value also fits `int32`.
    pub narrow: bool,
    /// True if some values of the file's type have no place in ours.
    pub may_not_fit: bool,
    /// True for `float32`: a value stands for a shorter decimal than a double's digits show.
    pub single: bool,
}

impl InputColumn {
    /// A column of texts that become values of another type.
    fn of_text(name: &str, found: &str) -> Self {
        InputColumn {
            name: name.to_owned(),
            found: found.to_owned(),
            data_type: Some(DataType::String),
            narrow: false,
            may_not_fit: true,
            single: false,
        }
    }
}

impl InputFile {
    /// Walks a CSV file and counts its records.
    ///
    /// # Errors
    /// A file that cannot be read, without a header, or whose quotes do not end.
    pub fn open_csv(source: &str, path: &Path) -> Result<Self, EngineError> {
        let name = path.display().to_string();
        let csv = CsvFile::open(path).map_err(|reason| EngineError::Unreadable {
            place: Box::new(Place {
                source: source.into(),
                file: Some(name.clone()),
                ..Place::default()
            }),
            reason,
        })?;
        let column = |name: &String| InputColumn::of_text(name, "text");
        Ok(InputFile {
            path: path.to_owned(),
            name,
            bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            rows: csv.records,
            fingerprint: csv.hash.clone(),
            columns: csv.header.iter().map(column).collect(),
            folders: Vec::new(),
            form: Form::Csv(csv),
        })
    }

    /// The same file with the columns that its folders give. A column of that name in the file itself
    /// is not read.
    pub fn with_folders(mut self, folders: Vec<(String, Option<String>)>) -> Self {
        for (name, _) in &folders {
            self.columns.retain(|column| column.name != *name);
            self.columns.push(InputColumn::of_text(name, "a folder's name"));
        }
        self.folders = folders;
        self
    }

    /// Reads and checks the footer of a Parquet file.
    ///
    /// # Errors
    /// A file that cannot be opened, is not Parquet, or whose footer is damaged.
    pub fn open(source: &str, path: &Path) -> Result<Self, EngineError> {
        let name = path.display().to_string();
        let unreadable = |reason: String| EngineError::Unreadable {
            place: Box::new(Place {
                source: source.into(),
                file: Some(name.clone()),
                ..Place::default()
            }),
            reason,
        };
        let mut file = File::open(path).map_err(|error| unreadable(reason_of(&error)))?;
        let bytes = file.metadata().map_err(|error| unreadable(reason_of(&error)))?.len();
        let footer = footer(&mut file, bytes).map_err(unreadable)?;
        let fingerprint = blake3::hash(&footer).to_hex().to_string();

        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, options.clone()))
            .map_err(|panic| unreadable(format!("the footer is damaged: {panic}")))?
            .map_err(|error| unreadable(format!("the footer is damaged: {error}")))?;
        let rows: i64 = metadata.metadata().row_groups().iter().map(|group| group.num_rows()).sum();
        let rows = u64::try_from(rows)
            .map_err(|_| unreadable("the footer states a negative number of rows".into()))?;

        // Old timestamps of 96 bits are asked for in microseconds, which reach further than the
        // nanoseconds they hold. They are instants: those who still write them write UTC.
        let described = metadata.parquet_schema();
        let int96 = |root: usize| {
            (0..described.num_columns()).any(|leaf| {
                described.get_column_root_idx(leaf) == root
                    && described.column(leaf).physical_type() == PhysicalType::INT96
            })
        };
        // Text is asked for as dictionaries: one look at each distinct value instead of each row.
        let fields: Vec<ArrowField> = metadata
            .schema()
            .fields()
            .iter()
            .enumerate()
            .map(|(root, field)| match field.data_type() {
                ArrowType::Timestamp(TimeUnit::Nanosecond, None) if int96(root) => {
                    let instant = ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                    field.as_ref().clone().with_data_type(instant)
                }
                ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => {
                    let dictionary =
                        ArrowType::Dictionary(ArrowType::Int32.into(), ArrowType::Utf8.into());
                    field.as_ref().clone().with_data_type(dictionary)
                }
                _ => field.as_ref().clone(),
            })
            .collect();
        let columns = metadata
            .schema()
            .fields()
            .iter()
            .map(|field| InputColumn {
                name: field.name().clone(),
                found: describe(field.data_type()),
                data_type: data_type(field.data_type()),
                narrow: matches!(
                    field.data_type(),
                    ArrowType::Int8
                        | ArrowType::Int16
                        | ArrowType::Int32
                        | ArrowType::UInt8
                        | ArrowType::UInt16
                ),
                may_not_fit: matches!(
                    field.data_type(),
                    ArrowType::UInt64
                        | ArrowType::Date64
                        | ArrowType::Decimal256(_, _)
                        | ArrowType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _)
                ),
                single: matches!(field.data_type(), ArrowType::Float16 | ArrowType::Float32),
            })
            .collect();
        let options = options.with_schema(Arc::new(ArrowSchema::new(fields)));
        let metadata =
            guarded(|| ArrowReaderMetadata::try_new(metadata.metadata().clone(), options))
                .map_err(|panic| unreadable(format!("the schema is damaged: {panic}")))?
                .map_err(|error| unreadable(format!("the schema is damaged: {error}")))?;
        Ok(InputFile {
            path: path.to_owned(),
            name,
            bytes,
            rows,
            fingerprint,
            columns,
            folders: Vec::new(),
            form: Form::Parquet(metadata),
        })
    }

    /// Number of row groups; for CSV, of pieces that are read by themselves.
    pub fn row_groups(&self) -> usize {
        match &self.form {
            Form::Parquet(metadata) => metadata.metadata().num_row_groups(),
            Form::Csv(csv) => csv.pieces.len(),
        }
    }

    /// The rows of a row group of Parquet; 0 of a piece of CSV.
    pub(super) fn rows_of(&self, group: usize) -> u64 {
        match &self.form {
            Form::Parquet(metadata) => {
                let groups = metadata.metadata().row_groups();
                groups.get(group).map_or(0, |group| group.num_rows().unsigned_abs())
            }
            Form::Csv(_) => 0,
        }
    }

    /// The bytes that these columns of a row group take in the file, and decoded from its pages; a piece of CSV is
    /// read whole.
    pub(super) fn bytes_of(&self, group: usize, columns: &[&str]) -> (u64, u64) {
        let metadata = match &self.form {
            Form::Parquet(metadata) => metadata.metadata(),
            Form::Csv(csv) => {
                let bytes = csv.pieces.get(group).map_or(0, |piece| piece.bytes);
                return (bytes, bytes);
            }
        };
        let chunks = metadata.row_groups().get(group).map_or(&[][..], |group| group.columns());
        let read = chunks.iter().filter(|chunk| {
            let path = chunk.column_path().parts();
            path.first().is_some_and(|name| columns.contains(&name.as_str()))
        });
        read.fold((0, 0), |(stored, decoded), chunk| {
            (
                stored + chunk.compressed_size().unsigned_abs(),
                decoded + chunk.uncompressed_size().unsigned_abs(),
            )
        })
    }

    /// The value that its folders give to a column, if they give it one.
    pub(super) fn folder(&self, column: &str) -> Option<Option<&str>> {
        let (_, value) = self.folders.iter().find(|(name, _)| name == column)?;
        Some(value.as_deref())
    }
}

pub(super) fn reason_of(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// The footer's bytes, after a look at the marks around it.
fn footer(file: &mut File, bytes: u64) -> Result<Vec<u8>, String> {
    let io = |error: std::io::Error| reason_of(&error);
    if bytes == 0 {
        return Err("the file is empty".into());
    }
    if bytes < 12 {
        return Err(format!("not a Parquet file: it has only {bytes} bytes"));
    }
    let mut head = [0; 4];
    file.read_exact(&mut head).map_err(io)?;
    let mut tail = [0; 8];
    file.seek(SeekFrom::End(-8)).map_err(io)?;
    file.read_exact(&mut tail).map_err(io)?;
    match (&head, &tail[4..]) {
        (b"PAR1", b"PAR1") => {}
        (b"PARE", _) | (_, b"PARE") => {
            return Err("the file is encrypted, which is not read".into());
        }
        (b"PAR1", _) => {
            return Err("the file is cut short: it does not end with a Parquet footer".into());
        }
        _ => return Err("not a Parquet file".into()),
    }
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if length > MAX_FOOTER || length + 12 > bytes {
        return Err(format!("the footer claims {length} bytes of a file of {bytes}"));
    }
    file.seek(SeekFrom::End(-8 - length as i64)).map_err(io)?;
    let mut footer = vec![0; length as usize];
    file.read_exact(&mut footer).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    Ok(footer)
}

/// What a type of a file is to us. Whole numbers are widened to int64; instants are microseconds; bytes
/// are text of hexadecimal digits.
pub(super) fn data_type(found: &ArrowType) -> Option<DataType> {
    Some(match found {
        ArrowType::Boolean => DataType::Bool,
        ArrowType::Int8
        | ArrowType::Int16
        | ArrowType::Int32
        | ArrowType::Int64
        | ArrowType::UInt8
        | ArrowType::UInt16
        | ArrowType::UInt32
        | ArrowType::UInt64 => DataType::Int64,
        ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 => DataType::Float64,
        ArrowType::Decimal32(precision, scale)
        | ArrowType::Decimal64(precision, scale)
        | ArrowType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal { precision: *precision, scale: *scale as u8 }
        }
        ArrowType::Decimal256(_, scale) if (0..=38).contains(scale) => {
            DataType::money(*scale as u8)
        }
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_) => DataType::String,
        ArrowType::Dictionary(_, values) => return data_type(values),
        ArrowType::Date32 | ArrowType::Date64 => DataType::Date,
        ArrowType::Timestamp(_, _) => DataType::Timestamp,
        _ => return None,
    })
}

fn describe(found: &ArrowType) -> String {
    match found {
        ArrowType::Boolean => "bool".into(),
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => "string".into(),
        ArrowType::Date32 | ArrowType::Date64 => "date".into(),
        ArrowType::Timestamp(_, Some(_)) => "timestamp".into(),
        ArrowType::Timestamp(_, None) => "timestamp without zone".into(),
        ArrowType::Decimal32(p, s)
        | ArrowType::Decimal64(p, s)
        | ArrowType::Decimal128(p, s)
        | ArrowType::Decimal256(p, s) => format!("decimal({p},{s})"),
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView => "bytes".into(),
        ArrowType::FixedSizeBinary(length) => format!("{length} bytes"),
        other => other.to_string().to_lowercase(),
    }
}
