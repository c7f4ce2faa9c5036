use std::sync::Arc;

use super::{check, expr, lines, run, table, values};
use crate::engine::reference::Reference;
use crate::engine::{Engine, EngineError};
use crate::frame::{DataType, Field, Frame, Schema};
use crate::ir::relation::{self, Rule, join, lookup, named, project, scan, series, sort, window};
use crate::ir::{Calendar, Expr, JoinKind, RelRef, SortKey, WindowFunc};

fn orders() -> Frame {
    table("id int64, customer string, amount money", &["1,a,5", "2,,-1", "3,b,", "4,b,-2"])
}

/// Scans two of the columns of `orders`, in another order.
fn scan_orders(rules: &[(&str, &str, &str)]) -> RelRef {
    let schema = Arc::new(Schema::new(vec![
        Field::new("amount", DataType::money(2)),
        Field::new("customer", DataType::String),
    ]));
    let rel = scan("orders", schema.clone(), vec![]);
    let rules = rules.iter().map(|(column, fault, text)| Rule {
        column: (*column).into(),
        fault: (*fault).into(),
        violated: expr(&rel, text),
    });
    scan("orders", schema, rules.collect())
}

fn run_orders(rel: RelRef) -> Result<Frame, EngineError> {
    let engine = Reference::new(Calendar::default()).with_source("orders", orders());
    engine.run(&[rel]).map(|mut frames| frames.remove(0))
}

#[test]
fn scans_pick_columns() {
    assert_eq!(lines(run_orders(scan_orders(&[]))), ["5.00,a", "-1.00,", ",b", "-2.00,b"]);
    let missing = Schema::new(vec![Field::new("amount", DataType::Float64)]);
    let error = run_orders(scan("orders", Arc::new(missing), vec![])).expect_err("another type");
    assert!(matches!(error, EngineError::Internal(_)), "{error}");
    let error = run(&scan("absent", Arc::default(), vec![])).expect_err("no such source");
    assert!(matches!(error, EngineError::Internal(_)), "{error}");
}

#[test]
fn the_first_broken_rule_is_reported() {
    let rules = [
        ("amount", "a value over 100", "amount > 100"),
        ("amount", "a value below 0", "amount < 0"),
        ("customer", "a null", "customer is null"),
    ];
    assert_eq!(
        lines(run_orders(scan_orders(&rules))),
        [
            "error: source `orders`, column `amount`: 2 rows have a value below 0, first in row 1 (from 0); \
             2 of 4 rows are bad: 2: amount has a value below 0; 1: customer has a null"
        ]
    );
    assert_eq!(
        lines(run_orders(scan_orders(&rules[2..]))),
        [
            "error: source `orders`, column `customer`: 1 row has a null, first in row 1 (from 0); 1 of 4 rows is bad"
        ]
    );
}

#[test]
fn filters_keep_what_is_true() {
    let input = values("i int64", &["1", "", "3"]);
    check(&relation::filter(&input, expr(&input, "i > 1")).expect("typed"), &["3"]);
    check(&relation::filter(&input, expr(&input, "not i > 1")).expect("typed"), &["1"]);
}

#[test]
fn projections() {
    let input = values("i int64", &["1", ""]);
    let columns = vec![named("twice", expr(&input, "i * 2")), named("i", expr(&input, "i"))];
    check(&project(&input, columns).expect("typed"), &["2,1", ","]);
}

#[test]
fn values_of_another_type_stop_the_run() {
    let input = values("i int64", &["1"]);
    let wrong = Expr::column("i", DataType::String);
    let error =
        run(&project(&input, vec![named("s", wrong)]).expect("built")).expect_err("a fault");
    assert!(error.to_string().contains("Int(1) in column `s`, a string"), "{error}");
}

#[test]
fn shared_parts_give_several_outputs() {
    let input = values("i int64", &["2", "1"]);
    let sorted = sort(&input, vec![SortKey::ascending("i")]).expect("typed");
    let engine = Reference::new(Calendar::default());
    let frames = engine.run(&[sorted.clone(), input, sorted]).expect("tables");
    let first: Vec<String> = frames.iter().map(|frame| frame.value(0, 0).to_string()).collect();
    assert_eq!(first, ["1", "2", "1"]);
}

#[test]
fn lookups_add_columns() {
    let input = values("c int64", &["2", "", "9", "2"]);
    let add = |plans: &[&str]| {
        let plans = values("id int64, plan string, paid bool", plans);
        let keys = vec![(expr(&input, "c"), "id".into())];
        let columns = vec![("paid".into(), "paid".into()), ("plan".into(), "its_plan".into())];
        lookup(&input, &plans, keys, columns).expect("typed")
    };
    let plans = ["1,free,false", "2,pro,true", ",none,", ",none,"];
    check(&add(&plans), &["2,true,pro", ",,", "9,,", "2,true,pro"]);
    let error = run(&add(&["2,pro,true", "2,pro,true"])).expect_err("two rows for 2");
    assert!(matches!(&error, EngineError::NotUnique { key, .. } if key == "2"), "{error}");
}

#[test]
fn joins() {
    let left = values("k int64, l string", &["1,a", "2,b", ",c", "1,d"]);
    let right = values("id int64, r string", &["3,w", "1,x", ",y", "1,z"]);
    let on = |kind, nulls_equal| {
        join(&left, &right, vec![("k".into(), "id".into())], kind, nulls_equal).expect("typed")
    };
    check(&on(JoinKind::Inner, false), &["1,a,x", "1,a,z", "1,d,x", "1,d,z"]);
    check(&on(JoinKind::Inner, true), &["1,a,x", "1,a,z", ",c,y", "1,d,x", "1,d,z"]);
    check(&on(JoinKind::Left, false), &["1,a,x", "1,a,z", "2,b,", ",c,", "1,d,x", "1,d,z"]);
    check(&on(JoinKind::Semi, false), &["1,a", "1,d"]);
    check(&on(JoinKind::Semi, true), &["1,a", ",c", "1,d"]);
    let few = values("n int64", &["7", "8"]);
    let pairs = join(&few, &left, vec![], JoinKind::Inner, false).expect("typed");
    assert_eq!(run(&pairs).expect("pairs").rows(), 8);
    let nothing = values("m int64", &[]);
    let pairs = join(&few, &nothing, vec![], JoinKind::Left, false).expect("typed");
    check(&pairs, &["7,", "8,"]);
}

#[test]
fn sorts_are_stable_with_nulls_last() {
    let input = values("i int64, s string", &["2,a", ",b", "1,c", "2,d"]);
    let by = |key| sort(&input, vec![key]).expect("typed");
    check(&by(SortKey::ascending("i")), &["1,c", "2,a", "2,d", ",b"]);
    check(&by(SortKey::descending("i")), &["2,a", "2,d", "1,c", ",b"]);
}

#[test]
fn windows_keep_the_order_of_rows() {
    let input = values("g string, i int64", &["a,5", "b,1", "a,", "a,2", "a,9", "a,1"]);
    let over = |key, function| {
        window(&input, vec!["g".into()], vec![key], vec![named("w", function)]).expect("typed")
    };
    // Five rows of `a` in two groups: three and two, the null last.
    check(
        &over(SortKey::ascending("i"), WindowFunc::Ntile(2)),
        &["a,5,1", "b,1,1", "a,,2", "a,2,1", "a,9,2", "a,1,1"],
    );
    check(
        &over(SortKey::descending("i"), WindowFunc::Ntile(3)),
        &["a,5,1", "b,1,1", "a,,3", "a,2,2", "a,9,1", "a,1,2"],
    );
    check(
        &over(SortKey::descending("i"), WindowFunc::Ntile(9)),
        &["a,5,2", "b,1,1", "a,,5", "a,2,3", "a,9,1", "a,1,4"],
    );
    check(
        &over(SortKey::ascending("i"), WindowFunc::RunningSum("i".into())),
        &["a,5,8", "b,1,1", "a,,17", "a,2,3", "a,9,17", "a,1,1"],
    );
}

#[test]
fn series_repeat_rows() {
    let input = values("from int64, to int64", &["1,3", "2,1", ",5", "4,4"]);
    let series = |from: &str, to: &str| {
        series(&input, expr(&input, from), expr(&input, to), "n").expect("typed")
    };
    check(&series("\"from\"", "\"to\""), &["1,3,1", "1,3,2", "1,3,3", "4,4,4"]);
    let error = run(&series("1", "1000001")).expect_err("too long");
    assert_eq!(error.to_string(), "a series would have 4000004 rows, more than 4000000");
}
