//! Columns of tables, from plain values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Int8Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int8Type, Int32Type, Schema, SchemaRef, TimeUnit,
};

use super::draws::Purpose;
use super::request::Ids;
use super::truth::Tally;
use super::world::World;

/// A table's columns: name, type, and whether there are nulls.
pub(super) type Columns = &'static [(&'static str, Kind, bool)];

/// The types of the columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// As the world's customers are identified.
    Customer,
    Int32,
    Int64,
    /// Money with two decimals.
    Money,
    Date,
    Timestamp,
    Flag,
    /// One of a few texts.
    Choice,
    Text,
}

/// The Arrow schema of a table.
pub(super) fn schema(columns: Columns, ids: Ids) -> SchemaRef {
    let fields = columns.iter().map(|(name, kind, nulls)| {
        let data_type = match kind {
            Kind::Customer if ids == Ids::String => DataType::Utf8,
            Kind::Customer | Kind::Int64 => DataType::Int64,
            Kind::Int32 => DataType::Int32,
            Kind::Money => DataType::Decimal128(12, 2),
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Flag => DataType::Boolean,
            Kind::Choice => {
                DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))
            }
            Kind::Text => DataType::Utf8,
        };
        Field::new(*name, data_type, *nulls)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Customers by their identifiers.
pub(super) fn customers(world: &World, customers: impl Iterator<Item = u32>) -> ArrayRef {
    let stream = world.stream(Purpose::Identifier);
    let number = |customer: u32| i64::from(customer) + 1;
    match world.ids {
        Ids::Dense => Arc::new(Int64Array::from_iter_values(customers.map(number))),
        Ids::Sparse => Arc::new(Int64Array::from_iter_values(customers.map(|customer| {
            let within = stream.number(u64::from(customer)) % 7;
            i64::from(customer) * 7 + within as i64 + 1
        }))),
        Ids::Random => {
            let key = stream.number(0);
            let random = customers.map(|customer| scattered(u64::from(customer) ^ (key >> 1)));
            Arc::new(Int64Array::from_iter_values(random))
        }
        Ids::String => {
            let text = customers.map(|customer| format!("C{:010}", number(customer)));
            Arc::new(StringArray::from_iter_values(text))
        }
    }
}

/// A number below 2^63 for a number below 2^63; different ones for different ones, because every step can
/// be undone.
fn scattered(number: u64) -> i64 {
    const MASK: u64 = (1 << 63) - 1;
    let mut z = number & MASK;
    z = (z ^ (z >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) & MASK;
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) & MASK;
    (z ^ (z >> 32)) as i64
}

/// Whole numbers, possibly null.
pub(super) fn int32(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}

/// Whole numbers.
pub(super) fn int64(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// Money from cents.
pub(super) fn money(cents: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let values: Decimal128Array = cents.map(|cents| cents.map(i128::from)).collect();
    Arc::new(values.with_data_type(DataType::Decimal128(12, 2)))
}

/// Days since 1970.
pub(super) fn dates(days: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(days.collect::<Date32Array>())
}

/// Instants from seconds since 1970.
pub(super) fn timestamps(seconds: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let micros = seconds.map(|second| second.map(|second| second * 1_000_000));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

/// Texts of a list, by their places in it.
pub(super) fn choices(list: &[&str], places: impl Iterator<Item = Option<u8>>) -> ArrayRef {
    let keys: Int8Array = places.map(|place| place.map(|place| place as i8)).collect();
    let texts = Arc::new(StringArray::from_iter_values(list));
    // Every place is of the list.
    Arc::new(DictionaryArray::new(keys, texts))
}

/// True or false.
pub(super) fn flags(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

/// What is true of any table: its rows, and of each column the nulls, the sum or the rows of each text.
pub(super) fn counted(columns: Columns, arrays: &[ArrayRef]) -> Tally {
    let mut tally = Tally::default();
    tally.add("rows", arrays.first().map_or(0, |array| array.len()) as i64);
    for ((name, kind, nulls), array) in columns.iter().zip(arrays) {
        if *nulls {
            tally.add(format!("{name}: null"), array.null_count() as i64);
        }
        match kind {
            Kind::Money => {
                let cents = array.as_primitive::<Decimal128Type>().iter().flatten().sum::<i128>();
                tally.add(format!("{name}: sum of cents"), cents as i64);
            }
            Kind::Int32 => {
                let whole = array.as_primitive::<Int32Type>().iter().flatten().map(i64::from);
                tally.add(format!("{name}: sum"), whole.sum());
            }
            Kind::Flag => {
                tally.add(format!("{name}: true"), array.as_boolean().true_count() as i64);
            }
            Kind::Choice => {
                let choices = array.as_dictionary::<Int8Type>();
                let texts = choices.values().as_string::<i32>();
                for key in choices.keys().iter().flatten() {
                    tally.add(format!("{name}: {}", texts.value(key as usize)), 1);
                }
            }
            Kind::Customer | Kind::Int64 | Kind::Date | Kind::Timestamp | Kind::Text => {}
        }
    }
    tally
}

/// Any texts.
pub(super) fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_numbers_differ_and_are_not_negative() {
        let mut numbers: Vec<i64> = (0..20_000).map(scattered).collect();
        assert!(numbers.iter().all(|number| *number >= 0));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 20_000);
    }
}
