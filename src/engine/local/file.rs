//! Parquet files: footers, and what their columns are to us.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::guard::guarded;
use crate::engine::{EngineError, Place};
use crate::frame::DataType;

/// Largest footer read, in bytes.
const MAX_FOOTER: u64 = 256 << 20;

/// A Parquet file whose footer has been read.
#[derive(Debug, Clone)]
pub struct InputFile {
    pub path: PathBuf,
    /// The path as the user knows it.
    pub name: String,
    pub bytes: u64,
    pub rows: u64,
    /// Hash of the footer, which holds the place, size and statistics of every column chunk.
    pub fingerprint: String,
    pub columns: Vec<InputColumn>,
    pub(super) metadata: ArrowReaderMetadata,
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
}

impl InputFile {
    /// Reads and checks the footer.
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

        // Text is asked for as dictionaries: one look at each distinct value instead of each row.
        let fields: Vec<ArrowField> = metadata
            .schema()
            .fields()
            .iter()
            .map(|field| match field.data_type() {
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
            })
            .collect();
        let options = options.with_schema(Arc::new(ArrowSchema::new(fields)));
        let metadata =
            guarded(|| ArrowReaderMetadata::try_new(metadata.metadata().clone(), options))
                .map_err(|panic| unreadable(format!("the schema is damaged: {panic}")))?
                .map_err(|error| unreadable(format!("the schema is damaged: {error}")))?;
        Ok(InputFile { path: path.to_owned(), name, bytes, rows, fingerprint, columns, metadata })
    }

    /// Number of row groups.
    pub fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }
}

fn reason_of(error: &std::io::Error) -> String {
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

/// What a type of a file is to us. Whole numbers are widened to int64; instants are microseconds.
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
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
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
        ArrowType::Decimal32(p, s) | ArrowType::Decimal64(p, s) | ArrowType::Decimal128(p, s) => {
            format!("decimal({p},{s})")
        }
        other => other.to_string().to_lowercase(),
    }
}
