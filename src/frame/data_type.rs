//! Types and units of columns.

use std::fmt;

use arrow::datatypes::{DataType as ArrowType, TimeUnit};

/// The type of a column or expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    Bool,
    /// Stored only; expressions compute it as `int64`.
    Int32,
    Int64,
    Float64,
    /// An exact number with `scale` digits after the point and at most `precision` digits in all.
    Decimal {
        precision: u8,
        scale: u8,
    },
    String,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01T00:00Z.
    Timestamp,
    /// Microseconds.
    Duration,
}

impl DataType {
    /// The widest decimal with `scale` digits after the point: what sums of money have.
    pub const fn money(scale: u8) -> Self {
        DataType::Decimal { precision: 38, scale }
    }

    /// The Arrow type that holds it.
    pub fn arrow(self) -> ArrowType {
        match self {
            DataType::Bool => ArrowType::Boolean,
            DataType::Int32 => ArrowType::Int32,
            DataType::Int64 => ArrowType::Int64,
            DataType::Float64 => ArrowType::Float64,
            DataType::Decimal { precision, scale } => ArrowType::Decimal128(precision, scale as i8),
            DataType::String => ArrowType::Utf8,
            DataType::Date => ArrowType::Date32,
            DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Duration => ArrowType::Duration(TimeUnit::Microsecond),
        }
    }

    /// True for the types that arithmetic takes.
    pub fn is_numeric(self) -> bool {
        matches!(
            self,
            DataType::Int32 | DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }
        )
    }

    /// True for whole numbers.
    pub fn is_integer(self) -> bool {
        matches!(self, DataType::Int32 | DataType::Int64)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataType::Bool => f.write_str("bool"),
            DataType::Int32 => f.write_str("int32"),
            DataType::Int64 => f.write_str("int64"),
            DataType::Float64 => f.write_str("float64"),
            DataType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            DataType::String => f.write_str("string"),
            DataType::Date => f.write_str("date"),
            DataType::Timestamp => f.write_str("timestamp"),
            DataType::Duration => f.write_str("duration"),
        }
    }
}

/// What a number counts or measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    #[default]
    None,
    /// A fraction of one, printed as per cent.
    Share,
    /// Money, with its currency if the source names it.
    Money(Option<String>),
    /// A number of things.
    Count,
    /// Points on a stated scale.
    Points,
    /// A span of time in this unit: `day`, `week`, ….
    Time(String),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::None => f.write_str("none"),
            Unit::Share => f.write_str("share"),
            Unit::Money(Some(currency)) => write!(f, "money {currency}"),
            Unit::Money(None) => f.write_str("money"),
            Unit::Count => f.write_str("count"),
            Unit::Points => f.write_str("points"),
            Unit::Time(unit) => f.write_str(unit),
        }
    }
}
