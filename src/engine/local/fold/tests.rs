//! The law of folds: however the morsels are cut, dealt out and merged, the finished table is that
//! of one pass.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{AnyFold, AnyState, Morsel, ScanFacts, of};
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Frame, Schema, Value};
use crate::ir::parse::from_text;
use crate::ir::relation::{aggregate, scan};
use crate::ir::{
    Ages, Calendar, CohortGrid, Events, Expr, History, Measure, MeasureFunc, Refunds, RelRef,
    Returned, Steps, Summary, ZeroValues, named,
};

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("c", DataType::String),
        Field::new("t", DataType::Date),
        Field::new("m", DataType::money(2)),
        Field::new("x", DataType::Float64),
        Field::new("i", DataType::Int64),
    ]))
}

/// A row from five numbers; every seventh value or so is null.
fn row(numbers: [u16; 5]) -> Vec<Value> {
    let [c, t, m, x, i] = numbers;
    let or_null = |number: u16, value: Value| if number % 7 == 6 { Value::Null } else { value };
    vec![
        or_null(c, Value::text(format!("k{}", c % 5))),
        or_null(t, Value::Date(19_700 + i32::from(t % 90))),
        or_null(m, Value::Decimal { minor: i128::from(m % 900) - 200, scale: 2 }),
        // Doubles whose sum depends on the order, were it not exact.
        or_null(x, Value::finite(f64::from(x) / 7.0 * 10f64.powi(i32::from(x % 40) - 20))),
        or_null(i, Value::Int(i64::from(i % 5) - 1)),
    ]
}

fn expr(text: &str) -> Expr {
    from_text(text, &schema()).expect("a typed expression")
}

/// An aggregate with every measure, with and without keys, and each history node.
fn relations() -> Vec<RelRef> {
    use MeasureFunc as M;
    let input = scan("events", schema(), Vec::new());
    let (value, x) = (|| expr("m"), || expr("x"));
    let funcs = [
        M::CountRows,
        M::Count(x()),
        M::CountDistinct(value()),
        M::Sum(value()),
        M::Sum(x()),
        M::Min(expr("c")),
        M::Max(x()),
        M::Mean(value()),
        M::Mean(x()),
        M::Variance(x()),
        M::Quantile { value: x(), at: 0.3 },
        M::RankBound { value: value(), at: 0.5, z: 1.0, upper: true },
        M::CountReaching { of: expr("c"), weight: expr("i"), least: 2 },
        M::CountVarying { of: expr("c"), by: expr("i") },
        // Rows tie: the smallest value is the first.
        M::First { value: value(), order: vec![expr("t")] },
    ];
    let measures = || -> Vec<_> {
        let filters = [None, Some(expr("i > 0"))];
        let pairs = funcs.iter().flat_map(|func| filters.iter().map(move |filter| (func, filter)));
        pairs
            .enumerate()
            .map(|(index, (func, filter))| {
                named(format!("m{index}"), Measure::filtered(func.clone(), filter.clone()))
            })
            .collect()
    };
    let events = || Events {
        customer: named("who", expr("c")),
        time: expr("t"),
        value: Some(expr("m")),
        tie: vec![],
    };
    let summary = |collapse, refunds| Summary {
        input: input.clone(),
        events: events(),
        carry: vec![named("first_x", expr("x"))],
        unit: TimeUnit::Week,
        collapse,
        refunds,
        zero_values: ZeroValues::Keep,
        end: 19_800 * crate::document::DAY_MICROS,
        last_day: 19_799,
    };
    let grid = |steps, returned, ages, entering| CohortGrid {
        input: input.clone(),
        events: events(),
        entering,
        active: Some(expr("m > 0")),
        by: vec![named("entry_i", expr("i"))],
        cohort: TimeUnit::Month,
        age: TimeUnit::Week,
        steps,
        returned,
        ages,
        end: 19_800 * crate::document::DAY_MICROS,
    };
    let brackets = || Ages::Brackets(vec![(0, 0), (2, 5)]);
    let history = History { input: input.clone(), events: events(), unit: TimeUnit::Week };
    [
        aggregate(&input, vec![named("i", expr("i")), named("c", expr("c"))], measures()),
        aggregate(&input, vec![], measures()),
        summary(true, Refunds::Net).build(),
        summary(false, Refunds::Keep).build(),
        grid(Steps::Calendar, Returned::OnOrAfter, Ages::Each { last: None }, None).build(),
        grid(Steps::Calendar, Returned::Exactly, brackets(), Some(expr("i = 1"))).build(),
        grid(Steps::Rolling, Returned::Through, brackets(), None).build(),
        history.build(),
    ]
    .into_iter()
    .map(|rel| rel.expect("a typed relation"))
    .collect()
}

/// The fold of parts of the rows, each in a state of its own, merged two by two as `order` says.
fn folded(fold: &dyn AnyFold, frame: &Frame, cuts: &[usize], order: &[usize]) -> Frame {
    let facts = ScanFacts { rows: frame.rows() as u64, ..ScanFacts::default() };
    let mut states: Vec<AnyState> = Vec::new();
    let mut first = 0;
    for (index, &cut) in cuts.iter().chain([&frame.rows()]).enumerate() {
        let batch = frame.batch.slice(first, cut.max(first) - first);
        // Now and then two parts go into one state, as they do on one thread.
        if index % 3 != 2 {
            states.push(fold.start(&facts));
        }
        let state = states.last_mut().expect("the first part has begun one");
        let morsel = Morsel { batch: &batch, selected: None, ordinal: first as u64 };
        fold.take(state, &morsel).expect("it takes");
        first = cut.max(first);
    }
    let mut order = order.iter().cycle();
    let mut next = |count: usize| order.next().map_or(0, |place| place % count);
    while states.len() > 1 {
        let left = states.swap_remove(next(states.len()));
        let right = states.swap_remove(next(states.len()));
        states.push(fold.merge(left, right).expect("it merges"));
    }
    fold.finish(states.remove(0)).expect("it finishes")
}

#[test]
fn cuts_and_merges_do_not_show() {
    let relations = relations();
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let cases = (
        prop::collection::vec(any::<[u16; 5]>(), 0..60),
        prop::collection::vec(0usize..60, 0..8),
        prop::collection::vec(any::<usize>(), 1..8),
    );
    let result = TestRunner::new_with_rng(config, rng).run(&cases, |(rows, mut cuts, order)| {
        let rows: Vec<Vec<Value>> = rows.into_iter().map(row).collect();
        let frame = Frame::from_rows(schema(), &rows).expect("rows of these types");
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(frame.rows()));
        cuts.sort_unstable();
        for rel in &relations {
            let fold = of(rel, &frame.schema, None, None, &Calendar::default()).expect("it binds");
            let fold = fold.expect("a relation that is folded");
            let whole = folded(fold.as_ref(), &frame, &[], &[0]);
            let parts = folded(fold.as_ref(), &frame, &cuts, &order);
            prop_assert_eq!(&whole.batch, &parts.batch);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// The fold of one morsel, of which some rows may be left where they are without being there.
fn folded_one(fold: &dyn AnyFold, batch: &RecordBatch, selected: Option<&BooleanBuffer>) -> Frame {
    let mut state = fold.start(&ScanFacts::of_rows(batch.num_rows() as u64));
    fold.take(&mut state, &Morsel { batch, selected, ordinal: 0 }).expect("it takes");
    fold.finish(state).expect("it finishes")
}

#[test]
fn rows_that_are_not_selected_are_not_there() {
    let rows: Vec<Vec<Value>> =
        (0..500_u16).map(|n| row([n * 3, n * 7, n * 11, n * 13, n * 5])).collect();
    let frame = Frame::from_rows(schema(), &rows).expect("rows of these types");
    let mut selecting = 0;
    for rel in relations() {
        let fold = of(&rel, &frame.schema, None, None, &Calendar::default()).expect("it binds");
        let fold = fold.expect("a relation that is folded");
        if !fold.selects() {
            continue;
        }
        selecting += 1;
        for every in [1, 2, 3, 1000] {
            let there: BooleanBuffer =
                (0..rows.len()).map(|row| row % every == every - 1).collect();
            let mask = BooleanArray::new(there.clone(), None);
            let kept = filter_record_batch(&frame.batch, &mask).expect("of one length");
            let selected = folded_one(fold.as_ref(), &frame.batch, Some(&there));
            assert_eq!(selected.batch, folded_one(fold.as_ref(), &kept, None).batch, "{every}");
        }
    }
    assert_eq!(selecting, 1, "the aggregate without keys");
}
