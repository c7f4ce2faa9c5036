use super::{check, expr, values};
use crate::ir::relation::{aggregate, named};
use crate::ir::{Expr, Measure, MeasureFunc, RelRef};

/// A measure of all rows of the input.
#[track_caller]
fn check_one(input: &RelRef, func: MeasureFunc, expected: &str) {
    let measure = named("m", Measure::of(func));
    let rel = aggregate(input, vec![], vec![measure]).expect("a typed aggregate");
    check(&rel, &[expected]);
}

fn numbers() -> RelRef {
    values(
        "i int64, m money, x float64, g string, c int64",
        &["4,1.10,0.1,a,1", ",,,a,2", "1,2.20,0.2,b,1", "2,3.30,0.3,,1", "2,,0.4,b,3"],
    )
}

#[test]
fn measures_of_rows() {
    use MeasureFunc as M;
    let input = numbers();
    let of = |text: &str| expr(&input, text);
    for (func, expected) in [
        (M::CountRows, "5"),
        (M::Count(of("i")), "4"),
        (M::CountDistinct(of("i")), "3"),
        (M::CountDistinct(of("g")), "2"),
        (M::Sum(of("i")), "9"),
        (M::Sum(of("m")), "6.60"),
        (M::Sum(of("x")), "1"),
        (M::Min(of("i")), "1"),
        (M::Min(of("g")), "a"),
        (M::Max(of("m")), "3.30"),
        (M::Mean(of("i")), "2.25"),
        (M::Mean(of("m")), "2.1999999999999997"),
        (M::Mean(of("x")), "0.25"),
        (M::Variance(of("i")), "1.5833333333333333"),
        (M::Quantile { value: of("i"), at: 0.5 }, "2"),
        (M::Quantile { value: of("m"), at: 0.25 }, "1.6500000000000001"),
        (M::RankBound { value: of("i"), at: 0.5, z: 0.5, upper: false }, "1"),
        (M::RankBound { value: of("i"), at: 0.5, z: 0.5, upper: true }, "4"),
        (M::RankBound { value: of("i"), at: 0.5, z: 9.0, upper: true }, ""),
        // a: 4 and null; b: 1 and 2.
        (M::CountReaching { of: of("g"), weight: of("i"), least: 4 }, "1"),
        (M::CountReaching { of: of("g"), weight: of("i"), least: 3 }, "2"),
        (M::CountVarying { of: of("g"), by: of("i") }, "1"),
        (M::CountVarying { of: of("g"), by: of("c") }, "2"),
        (M::First { value: of("m"), order: vec![of("c"), of("i")] }, "2.20"),
        (M::First { value: of("g"), order: vec![of("-i")] }, "a"),
        (M::First { value: of("i"), order: vec![of("g"), of("x")] }, "4"),
    ] {
        check_one(&input, func, expected);
    }
}

#[test]
fn a_weight_is_a_whole_number() {
    let input = numbers();
    let (of, weight) = (expr(&input, "g"), expr(&input, "m"));
    let reaching = Measure::of(MeasureFunc::CountReaching { of, weight, least: 2 });
    let refused = aggregate(&input, vec![], vec![named("m", reaching)]).expect_err("a decimal");
    assert_eq!(refused.message, "a weight is a whole number, not a decimal(38,2)");
}

#[test]
fn measures_of_nothing() {
    use MeasureFunc as M;
    let input = values("i int64, m money, x float64", &[]);
    let of = |text: &str| expr(&input, text);
    let (none, at) = ("", 0.5);
    for (func, expected) in [
        (M::CountRows, "0"),
        (M::Count(of("i")), "0"),
        (M::CountDistinct(of("i")), "0"),
        (M::Sum(of("i")), "0"),
        (M::Sum(of("m")), "0.00"),
        (M::Sum(of("x")), "0"),
        (M::Min(of("i")), none),
        (M::Max(of("i")), none),
        (M::Mean(of("m")), none),
        (M::Mean(of("x")), none),
        (M::Variance(of("i")), none),
        (M::Quantile { value: of("i"), at }, none),
        (M::RankBound { value: of("i"), at, z: 1.0, upper: true }, none),
        (M::CountReaching { of: of("i"), weight: of("i"), least: 0 }, "0"),
        (M::CountVarying { of: of("i"), by: of("m") }, "0"),
        (M::First { value: of("i"), order: vec![] }, none),
    ] {
        check_one(&input, func, expected);
    }
}

#[test]
fn sums_beyond_their_type() {
    let overflow = "error: `sum` overflows";
    let input = values(
        "i int64, x float64, m money",
        &["9223372036854775807,1e308,999999999999999999999999999999999999.99", "1,1e308,0.01"],
    );
    let of = |text: &str| expr(&input, text);
    check_one(&input, MeasureFunc::Sum(of("i")), overflow);
    check_one(&input, MeasureFunc::Sum(of("m")), overflow);
    check_one(&input, MeasureFunc::Sum(of("x")), "");
    check_one(&input, MeasureFunc::Mean(of("i")), "4611686018427388000");
    // On the way it is beyond, at the end it is not.
    let back = values("i int64", &["9223372036854775807", "1", "-1"]);
    check_one(&back, MeasureFunc::Sum(expr(&back, "i")), "9223372036854775807");
}

#[test]
fn groups_are_sorted_and_null_is_one() {
    let input = numbers();
    let of = |text: &str| expr(&input, text);
    let rows = || Measure::of(MeasureFunc::CountRows);
    let large = Measure::filtered(MeasureFunc::Sum(of("i")), Some(of("x > 0.25")));
    let keys = vec![named("g", of("g"))];
    let rel = aggregate(&input, keys, vec![named("n", rows()), named("large", large)]);
    check(&rel.expect("typed"), &["a,2,0", "b,2,2", ",1,2"]);
    let keys = vec![named("odd", of("i % 2 = 1")), named("c", of("c"))];
    let rel = aggregate(&input, keys, vec![named("n", rows())]).expect("typed");
    check(&rel, &["false,1,2", "false,3,1", "true,1,1", ",2,1"]);
    let none = crate::ir::relation::filter(&input, Expr::bool(false)).expect("typed");
    let rel = aggregate(&none, vec![named("g", of("g"))], vec![named("n", rows())]).expect("typed");
    check(&rel, &[]);
}

#[test]
fn rows_left_out_are_not_evaluated() {
    let input = values("s string", &["1", "x"]);
    let number = expr(&input, "cast(s as int64)");
    let filter = expr(&input, "s <> 'x'");
    let sum = Measure::filtered(MeasureFunc::Sum(number.clone()), Some(filter));
    check(&aggregate(&input, vec![], vec![named("n", sum)]).expect("typed"), &["1"]);
    check_one(&input, MeasureFunc::Sum(number), "error: `x` cannot be cast to int64");
}
