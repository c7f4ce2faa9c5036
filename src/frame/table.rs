//! Schemas and frames.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Field as ArrowField, Float64Type,
    Int32Type, Int64Type, Schema as ArrowSchema, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::{DataType, Unit, Value};

/// What can go wrong when columns are put together.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("column `{column}` has type {found}, expected {expected}")]
    Type { column: String, expected: String, found: String },
    #[error("the table is too large to hold in memory as one piece")]
    Arrow(#[from] ArrowError),
}

/// One column of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub data_type: DataType,
    pub unit: Unit,
    /// True of a mean with Student's bounds: how many values it is of and the bounds stand beside it, as `_n`, `_low`
    /// and `_high`.
    pub mean: bool,
    /// True if what makes the column is wrong, which is noted: a plan with such a column is never run.
    pub flawed: bool,
}

impl Field {
    /// A column without a unit.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Field { name: name.into(), data_type, unit: Unit::None, mean: false, flawed: false }
    }

    /// The same column with a unit.
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }
}

/// Columns in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    pub fields: Vec<Field>,
}

impl Schema {
    /// A schema of these columns; their names are distinct.
    pub fn new(fields: Vec<Field>) -> Self {
        Schema { fields }
    }

    /// The column called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The place of the column called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// The Arrow schema of a frame with these columns.
    pub fn arrow(&self) -> Arc<ArrowSchema> {
        let fields: Vec<ArrowField> = self
            .fields
            .iter()
            .map(|field| ArrowField::new(&field.name, field.data_type.arrow(), true))
            .collect();
        Arc::new(ArrowSchema::new(fields))
    }
}

/// A table in memory: a schema and as many Arrow arrays of the same length.
#[derive(Debug, Clone)]
pub struct Frame {
    pub schema: Arc<Schema>,
    pub batch: RecordBatch,
}

impl Frame {
    /// A frame of these columns, each of the type its field states.
    ///
    /// # Errors
    /// A column of another type or length.
    pub fn new(
        schema: Arc<Schema>,
        columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<Self, FrameError> {
        for (field, column) in schema.fields.iter().zip(&columns) {
            if column.data_type() != &field.data_type.arrow() {
                return Err(FrameError::Type {
                    column: field.name.clone(),
                    expected: field.data_type.arrow().to_string(),
                    found: column.data_type().to_string(),
                });
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema.arrow(), columns, &options)?;
        Ok(Frame { schema, batch })
    }

    /// A frame of rows of values; a value that does not fit its column's type becomes null.
    ///
    /// # Errors
    /// Text of more than 2 GiB in one column.
    pub fn from_rows(schema: Arc<Schema>, rows: &[Vec<Value>]) -> Result<Self, FrameError> {
        let columns = schema
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| column_of(field.data_type, rows.iter().map(|row| &row[index])))
            .collect::<Result<Vec<_>, _>>()?;
        Frame::new(schema, columns, rows.len())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The value in a row of a column.
    pub fn value(&self, row: usize, column: usize) -> Value {
        value_at(self.batch.column(column), row)
    }

    /// The values of the column called `name`, or nothing if there is none.
    pub fn column(&self, name: &str) -> Option<Vec<Value>> {
        let index = self.schema.index_of(name)?;
        Some((0..self.rows()).map(|row| self.value(row, index)).collect())
    }

    /// All rows as values.
    pub fn to_rows(&self) -> Vec<Vec<Value>> {
        (0..self.rows())
            .map(|row| {
                (0..self.schema.fields.len()).map(|column| self.value(row, column)).collect()
            })
            .collect()
    }
}

/// The value at `row` of an array of one of our types or a dictionary of one.
pub(crate) fn value_at(array: &ArrayRef, row: usize) -> Value {
    use arrow::datatypes::DataType as A;
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        A::Boolean => Value::Bool(array.as_boolean().value(row)),
        A::Int32 => Value::Int(i64::from(array.as_primitive::<Int32Type>().value(row))),
        A::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        A::Float64 => Value::finite(array.as_primitive::<Float64Type>().value(row)),
        A::Decimal128(_, scale) => Value::Decimal {
            minor: array.as_primitive::<Decimal128Type>().value(row),
            scale: *scale as u8,
        },
        A::Utf8 => Value::text(array.as_string::<i32>().value(row)),
        A::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        A::Timestamp(_, _) => {
            Value::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        A::Duration(_) => {
            Value::Duration(array.as_primitive::<DurationMicrosecondType>().value(row))
        }
        A::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            // One key: `normalized_keys` would copy all of them for each row.
            match dictionary.keys().as_primitive_opt::<Int32Type>() {
                Some(keys) => value_at(dictionary.values(), keys.value(row) as usize),
                None => value_at(dictionary.values(), dictionary.normalized_keys()[row]),
            }
        }
        _ => Value::Null,
    }
}

/// An array of `data_type` from values; what does not fit becomes null.
pub(crate) fn column_of<'a>(
    data_type: DataType,
    values: impl Iterator<Item = &'a Value>,
) -> Result<ArrayRef, ArrowError> {
    Ok(match data_type {
        DataType::Bool => Arc::new(
            values
                .map(|value| match value {
                    Value::Bool(value) => Some(*value),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        DataType::Int32 => Arc::new(
            values
                .map(|value| value.as_i64().and_then(|value| i32::try_from(value).ok()))
                .collect::<Int32Array>(),
        ),
        DataType::Int64 => Arc::new(
            values
                .map(|value| match value {
                    Value::Int(value) => Some(*value),
                    _ => None,
                })
                .collect::<Int64Array>(),
        ),
        DataType::Float64 => Arc::new(values.map(Value::as_f64).collect::<Float64Array>()),
        DataType::Decimal { precision, scale } => Arc::new(
            values
                .map(|value| match value {
                    Value::Decimal { minor, scale: own } if *own <= scale => {
                        minor.checked_mul(super::pow10(scale - own))
                    }
                    Value::Int(value) => i128::from(*value).checked_mul(super::pow10(scale)),
                    _ => None,
                })
                .collect::<Decimal128Array>()
                .with_precision_and_scale(precision, scale as i8)?,
        ),
        DataType::String => Arc::new(
            values
                .map(|value| match value {
                    Value::String(value) => Some(value.as_ref()),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
        DataType::Date => Arc::new(
            values
                .map(|value| match value {
                    Value::Date(value) => Some(*value),
                    _ => None,
                })
                .collect::<Date32Array>(),
        ),
        DataType::Timestamp => Arc::new(
            values
                .map(|value| match value {
                    Value::Timestamp(value) => Some(*value),
                    _ => None,
                })
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        DataType::Duration => Arc::new(
            values
                .map(|value| match value {
                    Value::Duration(value) => Some(*value),
                    _ => None,
                })
                .collect::<DurationMicrosecondArray>(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_in_and_come_out() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int32),
            Field::new("b", DataType::money(2)),
            Field::new("c", DataType::String),
            Field::new("d", DataType::Date),
        ]));
        let rows = vec![
            vec![
                Value::Int(1),
                Value::Decimal { minor: 5, scale: 1 },
                Value::text("x"),
                Value::Date(3),
            ],
            vec![Value::Null, Value::Null, Value::Null, Value::Null],
        ];
        let frame = Frame::from_rows(schema, &rows).expect("the rows fit");
        assert_eq!(frame.to_rows(), rows);
        assert_eq!(frame.column("c"), Some(vec![Value::text("x"), Value::Null]));
    }
}
