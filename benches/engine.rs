//! What the local engine spends its time on: decoding, one expression, the `Aggregate` fold. Each
//! over one million orders; `just bench decode` runs those whose name holds the word.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, LazyLock};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use parquet::arrow::ArrowWriter;
use tenure::engine::local::{
    AggregateFold, Fold, InputFile, Local, LocalSource, Morsel, Program, ScanFacts,
};
use tenure::engine::{Engine, Unwatched};
use tenure::frame::{DataType, Field, Frame, Schema, Value};
use tenure::ir::parse::from_text;
use tenure::ir::{Calendar, Expr, Measure, MeasureFunc, RelRef, named, relation};

fn main() {
    divan::main();
}

const ROWS: usize = 1_000_000;
const MORSEL: usize = 65_536;

/// Orders of a hundred thousand customers over three years, in the order of time.
static ORDERS: LazyLock<Frame> = LazyLock::new(|| {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64),
        Field::new("ordered_on", DataType::Date),
        Field::new("amount", DataType::Decimal { precision: 12, scale: 2 }),
        Field::new("channel", DataType::String),
        Field::new("rating", DataType::Float64),
    ]);
    let channels = ["web", "shop", "phone", "partner"].map(Value::text);
    // Knuth's multiplicative hash: cheap, and the same numbers in every run.
    let mix = |row: usize, salt: usize| (row + salt).wrapping_mul(2_654_435_761) >> 7;
    let rows: Vec<Vec<Value>> = (0..ROWS)
        .map(|row| {
            vec![
                Value::Int((mix(row, 1) % 100_000) as i64),
                Value::Date(19_000 + (row * 1_096 / ROWS) as i32),
                Value::Decimal { minor: (mix(row, 2) % 20_000) as i128 - 500, scale: 2 },
                channels[mix(row, 3) % 4].clone(),
                match mix(row, 4) % 10 {
                    0 => Value::Null,
                    rating => Value::Float(rating as f64 / 2.0),
                },
            ]
        })
        .collect();
    Frame::from_rows(Arc::new(schema), &rows).expect("rows of these types")
});

fn expr(text: &str) -> Expr {
    from_text(text, &ORDERS.schema).expect("a typed expression")
}

fn sum(text: &str) -> Measure {
    Measure::of(MeasureFunc::Sum(expr(text)))
}

fn scan() -> RelRef {
    relation::scan("orders", ORDERS.schema.clone(), Vec::new())
}

/// A source of one file in ten row groups; the folder lives as long as the first of the pair.
fn written() -> (tempfile::TempDir, LocalSource) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("orders.parquet");
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROWS / 10))
        .build();
    let file = File::create(&path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, ORDERS.batch.schema(), Some(properties))
        .expect("types of Parquet");
    writer.write(&ORDERS.batch).expect("the rows are written");
    writer.close().expect("the footer is written");
    let input = InputFile::open("orders", &path).expect("a file just written");
    (folder, LocalSource { files: vec![input] })
}

/// Every column read from Parquet on one thread, and folded as cheaply as a fold can be.
#[divan::bench(sample_count = 10)]
fn decode(bencher: Bencher) {
    let (_folder, source) = written();
    let sources = BTreeMap::from([("orders".to_owned(), source)]);
    let engine = Local::new(sources, Calendar::default(), 1, &Unwatched).expect("one thread");
    let count = |text: &str| Measure::of(MeasureFunc::Count(expr(text)));
    let measures = ORDERS.schema.names().map(|name| named(name, count(name))).collect();
    let rel = relation::aggregate(&scan(), vec![], measures).expect("typed");
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench(|| engine.run(black_box(std::slice::from_ref(&rel))).expect("it runs"));
}

/// One expression over arrays in memory.
#[divan::bench(args = [
    "amount > 100 and channel = 'web'",
    "case when amount < 0 then 0 else amount * 2 end",
    "date_trunc('month', ordered_on)",
])]
fn expression(bencher: Bencher, text: &str) {
    let expr = expr(text);
    let program = Program::bind([&expr], &ORDERS.schema).expect("it binds");
    let calendar = Calendar::default();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        for first in (0..ROWS).step_by(MORSEL) {
            let batch = ORDERS.batch.slice(first, MORSEL.min(ROWS - first));
            black_box(program.run(black_box(&batch), &calendar).expect("it runs"));
        }
    });
}

/// The fold of rows in memory into few groups (channel and month) or many (customer).
#[divan::bench(args = ["channel", "customer_id"], sample_count = 10)]
fn aggregate(bencher: Bencher, key: &str) {
    let measures = vec![
        named("orders", Measure::of(MeasureFunc::CountRows)),
        named("value", sum("amount")),
        named("ratings", sum("rating")),
        named("last", Measure::of(MeasureFunc::Max(expr("ordered_on")))),
    ];
    let mut keys = vec![named(key, expr(key))];
    if key == "channel" {
        keys.push(named("month", expr("date_trunc('month', ordered_on)")));
    }
    let rel = relation::aggregate(&scan(), keys, measures).expect("typed");
    let fold = AggregateFold::new(&rel, &ORDERS.schema, &Calendar::default()).expect("it binds");
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let mut state = fold.start(&ScanFacts::of_rows(ROWS as u64));
        for first in (0..ROWS).step_by(MORSEL) {
            let batch = ORDERS.batch.slice(first, MORSEL.min(ROWS - first));
            let morsel = Morsel { batch: &batch, selected: None, ordinal: first as u64 };
            fold.take(&mut state, &morsel).expect("it takes");
        }
        fold.finish(state).expect("it finishes")
    });
}
