//! Batches that become a table, in memory or in files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, RecordBatch, make_array,
    new_empty_array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType as ArrowType;
use arrow::error::ArrowError;
use bytes::Bytes;
use memmap2::Mmap;

use super::super::evaluate::flat;
use super::super::frames::concat;
use super::super::intern::with_precision;
use super::super::kernel::arrow_error;
use super::Memory;
use crate::engine::EngineError;
use crate::frame::{DataType, Schema};

/// The columns of a table, of which batches come one after the other.
pub(in super::super) enum Sink<'a> {
    Held { batches: Vec<RecordBatch>, types: Vec<DataType> },
    Aside { columns: Vec<Column>, memory: &'a Memory },
}

/// A column in files.
pub(in super::super) struct Column {
    data_type: DataType,
    rows: usize,
    /// Which values are there, from the first on that is not.
    valid: Option<BooleanBufferBuilder>,
    values: Values,
}

enum Values {
    /// Bits are few enough to be held.
    Bits(BooleanBufferBuilder),
    Fixed(BufWriter<File>),
    Texts {
        ends: BufWriter<File>,
        bytes: BufWriter<File>,
        length: usize,
    },
}

/// The bytes of a value, for an estimate.
fn width(data_type: DataType) -> u64 {
    match data_type {
        DataType::Bool => 1,
        DataType::Int32 | DataType::Date => 4,
        DataType::Decimal { .. } | DataType::String => 16,
        DataType::Int64 | DataType::Float64 | DataType::Timestamp | DataType::Duration => 8,
    }
}

impl<'a> Sink<'a> {
    /// A table of these columns with about so many rows, aside if memory is short.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn new(schema: &Schema, rows: usize, memory: &'a Memory) -> Result<Self, EngineError> {
        let types: Vec<DataType> = schema.fields.iter().map(|field| field.data_type).collect();
        let bytes = types.iter().map(|&data_type| width(data_type)).sum::<u64>() * rows as u64;
        if !memory.is_short_of(bytes) {
            return Ok(Sink::Held { batches: Vec::new(), types });
        }
        let columns = types.into_iter().map(|data_type| Column::new(data_type, memory));
        Ok(Sink::Aside { columns: columns.collect::<Result<_, _>>()?, memory })
    }

    /// How many batches to make at once: all, if they are held anyway.
    pub fn at_once(&self) -> usize {
        match self {
            Sink::Held { .. } => usize::MAX,
            Sink::Aside { .. } => rayon::current_num_threads() * 2,
        }
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// A disk that is full or fails.
    pub fn push(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        match self {
            Sink::Held { batches, .. } => batches.push(batch),
            Sink::Aside { columns, memory } => {
                for (column, array) in columns.iter_mut().zip(batch.columns()) {
                    column.push(array, memory)?;
                }
                memory.ease();
            }
        }
        Ok(())
    }

    /// The columns.
    ///
    /// # Errors
    /// Texts of more than 2 GiB in one column, or a disk that fails.
    pub fn finish(self) -> Result<Vec<ArrayRef>, EngineError> {
        match self {
            Sink::Held { batches, types } if batches.is_empty() => {
                Ok(types.iter().map(|own| new_empty_array(&own.arrow())).collect())
            }
            Sink::Held { batches, types } => concat(batches, types.len()),
            Sink::Aside { columns, memory } => {
                columns.into_iter().map(|column| column.finish(memory)).collect()
            }
        }
    }
}

impl Column {
    fn new(data_type: DataType, memory: &Memory) -> Result<Self, EngineError> {
        let file = || {
            let file = memory.file().map_err(|error| memory.failed(&error))?;
            Ok::<_, EngineError>(BufWriter::with_capacity(1 << 17, file))
        };
        let values = match data_type {
            DataType::Bool => Values::Bits(BooleanBufferBuilder::new(0)),
            DataType::String => {
                let mut ends = file()?;
                let first = ends.write_all(&0_i32.to_ne_bytes());
                first.map_err(|error| memory.failed(&error))?;
                Values::Texts { ends, bytes: file()?, length: 0 }
            }
            _ => Values::Fixed(file()?),
        };
        Ok(Column { data_type, rows: 0, valid: None, values })
    }

    fn push(&mut self, array: &ArrayRef, memory: &Memory) -> Result<(), EngineError> {
        let failed = |error| memory.failed(&error);
        let array = with_precision(&flat(array)?, self.data_type)?;
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        if nulls.is_some() && self.valid.is_none() {
            let mut valid = BooleanBufferBuilder::new(self.rows + array.len());
            valid.append_n(self.rows, true);
            self.valid = Some(valid);
        }
        if let Some(valid) = &mut self.valid {
            match nulls {
                Some(nulls) => valid.append_buffer(nulls.inner()),
                None => valid.append_n(array.len(), true),
            }
        }
        self.rows += array.len();
        match &mut self.values {
            Values::Bits(bits) => bits.append_buffer(array.as_boolean().values()),
            Values::Fixed(file) => {
                let data = array.to_data();
                let width = data.data_type().primitive_width().unwrap_or(0);
                let from = data.offset() * width;
                let values = &data.buffers()[0][from..from + data.len() * width];
                file.write_all(values).map_err(failed)?;
            }
            Values::Texts { ends, bytes, length } => {
                let texts = array.as_string::<i32>();
                let own = texts.value_offsets();
                let (first, last) = (own[0], own[texts.len()]);
                let values = &texts.value_data()[first as usize..last as usize];
                let before = i32::try_from(*length).ok();
                let fits = before.and_then(|before| before.checked_add(last - first));
                let (Some(before), Some(_)) = (before, fits) else {
                    return Err(arrow_error(ArrowError::OffsetOverflowError(*length)));
                };
                for end in &own[1..] {
                    ends.write_all(&(before + end - first).to_ne_bytes()).map_err(failed)?;
                }
                bytes.write_all(values).map_err(failed)?;
                *length += values.len();
            }
        }
        Ok(())
    }

    fn finish(mut self, memory: &Memory) -> Result<ArrayRef, EngineError> {
        if self.rows == 0 {
            return Ok(new_empty_array(&self.data_type.arrow()));
        }
        let buffers = match self.values {
            Values::Bits(mut bits) => vec![bits.finish().into_inner()],
            Values::Fixed(file) => vec![mapped(file, memory)?],
            Values::Texts { ends, bytes, .. } => {
                vec![mapped(ends, memory)?, mapped(bytes, memory)?]
            }
        };
        let data_type: ArrowType = self.data_type.arrow();
        let valid = self.valid.as_mut().map(|valid| valid.finish().into_inner());
        let data = ArrayData::builder(data_type).len(self.rows).null_bit_buffer(valid);
        let data = buffers.into_iter().fold(data, |data, buffer| data.add_buffer(buffer));
        Ok(make_array(data.build().map_err(arrow_error)?))
    }
}

/// A map of a file, by whose owner it is kept.
struct Mapped(Arc<Mmap>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What was written, as memory whose pages can be let go.
fn mapped(file: BufWriter<File>, memory: &Memory) -> Result<Buffer, EngineError> {
    let failed = |error| memory.failed(&error);
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    if file.metadata().map_err(failed)?.len() == 0 {
        return Ok(Buffer::from(Vec::<u8>::new()));
    }
    #[expect(unsafe_code, reason = "a map of a file is as sound as the file is left alone")]
    // SAFETY: the file has no name, so nobody else can change it, and nothing here writes to it any more.
    let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
    memory.note(map.len());
    let map = Arc::new(map);
    memory.watch(&map);
    Ok(Buffer::from(Bytes::from_owner(Mapped(map))))
}

#[cfg(test)]
mod tests {
    use super::super::MemoryLimit;
    use super::*;
    use crate::frame::{Field, Frame, Value};

    fn frame(rows: usize) -> Frame {
        let money = DataType::Decimal { precision: 12, scale: 2 };
        let types = [
            DataType::Bool,
            DataType::Int32,
            DataType::Int64,
            DataType::Float64,
            money,
            DataType::String,
            DataType::Date,
            DataType::Timestamp,
            DataType::Duration,
        ];
        let fields = types.iter().map(|&data_type| Field::new(data_type.to_string(), data_type));
        let value = |row: usize, data_type: DataType| {
            let number = row as i64 * 7919 % 1_000 - 500;
            match data_type {
                // The first batches have no nulls.
                _ if row > 40 && (row + data_type.to_string().len()).is_multiple_of(5) => {
                    Value::Null
                }
                DataType::Bool => Value::Bool(number % 2 == 0),
                DataType::Int32 | DataType::Int64 => Value::Int(number),
                DataType::Float64 => Value::finite(number as f64 / 3.0),
                DataType::Decimal { scale, .. } => Value::Decimal { minor: number.into(), scale },
                DataType::String => Value::text("ä".repeat(row % 4)),
                DataType::Date => Value::Date(number as i32),
                DataType::Timestamp => Value::Timestamp(number),
                DataType::Duration => Value::Duration(number),
            }
        };
        let rows: Vec<Vec<Value>> =
            (0..rows).map(|row| types.iter().map(|&of| value(row, of)).collect()).collect();
        Frame::from_rows(Arc::new(Schema::new(fields.collect())), &rows).expect("they fit")
    }

    #[test]
    fn columns_in_files_are_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let limit = MemoryLimit { limit: u64::MAX, folder: folder.path().to_owned() };
        let memory = Memory::new(Some(limit)).always_short();
        for rows in [0, 1, 100] {
            let frame = frame(rows);
            let mut sink = Sink::new(&frame.schema, rows, &memory).expect("room");
            assert!(matches!(sink, Sink::Aside { .. }));
            for first in (0..rows).step_by(17) {
                sink.push(frame.batch.slice(first, 17.min(rows - first))).expect("room");
            }
            let columns = sink.finish().expect("they are there");
            // What is let go is read again.
            memory.ease();
            let found = Frame::new(frame.schema.clone(), columns, rows).expect("the same types");
            assert_eq!(found.batch, frame.batch);
        }
        assert!(memory.put_aside() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
