//! Laws of the engines: the oracle and the local engine give the same tables, whatever the files,
//! row groups and threads.

mod aggregates;
mod bytes;
mod contracts;
mod expressions;
mod histories;
mod pruning;
mod relations;

use std::sync::Arc;

use tenure::frame::{DataType, Field, Frame, Schema, Unit, Value};
use tenure::ir::parse::from_text;
use tenure::ir::{Expr, RelRef};

use crate::support::Draw;

/// A small history: `id`, who (`c`), when (`t`), how much (`m`), and `ch`, `x`, `b`, `i` beside it.
/// Times tie, amounts are negative and zero, and everything but `id` is null at times.
fn history(draw: &mut Draw) -> Frame {
    let customer = draw.pick(&[DataType::Int64, DataType::String]);
    let time = draw.pick(&[DataType::Date, DataType::Timestamp]);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64),
        Field::new("c", customer),
        Field::new("t", time),
        Field::new("m", DataType::Decimal { precision: 12, scale: 2 })
            .with_unit(Unit::Money(Some("EUR".into()))),
        Field::new("ch", DataType::String),
        Field::new("x", DataType::Float64),
        Field::new("b", DataType::Bool),
        Field::new("i", DataType::Int64),
    ]));
    let customers = 1 + draw.below(6);
    let days = draw.pick(&[3, 40, 400]);
    let mut rows: Vec<Vec<Value>> = (0..draw.below(40))
        .map(|id| {
            vec![
                Value::Int(id as i64),
                optional(draw, 12, |draw| {
                    let number = draw.below(customers) as i64;
                    match customer {
                        DataType::Int64 => Value::Int(number * 7 - 9),
                        _ => Value::text(format!("k{number}")),
                    }
                }),
                optional(draw, 15, |draw| {
                    // 2023-11-01 and later: a summer, two winters, a leap day.
                    let day = 19_662 + draw.below(days) as i32;
                    match time {
                        DataType::Date => Value::Date(day),
                        _ => Value::Timestamp(i64::from(day) * 86_400_000_000 + clock(draw)),
                    }
                }),
                optional(draw, 8, |draw| Value::Decimal { minor: amount(draw), scale: 2 }),
                optional(draw, 6, |draw| Value::text(draw.pick(&["web", "shop", ""]))),
                optional(draw, 8, |draw| Value::Float(double(draw))),
                optional(draw, 8, |draw| Value::Bool(draw.one_in(2))),
                optional(draw, 8, |draw| Value::Int(draw.below(9) as i64 - 3)),
            ]
        })
        .collect();
    // At times in the order of time, as logs mostly are.
    if draw.one_in(2) {
        rows.sort_by(|left, right| left[2].cmp(&right[2]));
    }
    Frame::from_rows(schema, &rows).expect("rows of these types")
}

/// Null in one of so many cases.
fn optional(draw: &mut Draw, one_in: usize, value: impl FnOnce(&mut Draw) -> Value) -> Value {
    if draw.one_in(one_in) { Value::Null } else { value(draw) }
}

/// A time of day in microseconds, on few different ticks.
fn clock(draw: &mut Draw) -> i64 {
    draw.pick(&[0, 1, 3_600_000_000, 43_200_000_000, 86_399_999_999])
}

/// Cents.
fn amount(draw: &mut Draw) -> i128 {
    match draw.below(5) {
        0 => 0,
        1 => -(draw.below(5_000) as i128),
        2 => draw.pick(&[100, 100, -100]),
        _ => draw.below(9_999) as i128,
    }
}

fn double(draw: &mut Draw) -> f64 {
    let small = draw.below(1_000) as f64 / 7.0 - 50.0;
    match draw.below(8) {
        0 => 0.0,
        1 => -0.0,
        2 => small * 1e300,
        3 => small * 1e-300,
        4 => 0.1,
        _ => small,
    }
}

/// An expression over the columns of a relation.
#[track_caller]
fn expr(rel: &RelRef, text: &str) -> Expr {
    from_text(text, &rel.schema).expect("a typed expression")
}
