use super::super::engine::fits;
use super::super::evaluate::{Row, evaluate};
use super::table;
use crate::document::TimeUnit;
use crate::frame::{DataType, Schema};
use crate::ir::calendar::{Month, Weekday};
use crate::ir::typing::call;
use crate::ir::{Calendar, Expr, ExprNode, Func, parse};

/// The value of an expression, or its error, as text.
#[track_caller]
fn value_of(expr: &Expr, row: Row, calendar: &Calendar) -> String {
    match evaluate(expr, row, calendar) {
        Ok(value) => {
            assert!(fits(&value, expr.data_type), "{value:?} is not a {}", expr.data_type);
            value.to_string()
        }
        Err(error) => format!("error: {error}"),
    }
}

/// `text` over one row, given as `name type` columns and their cells.
#[track_caller]
fn check_row(calendar: &Calendar, text: &str, columns: &str, cells: &str, expected: &str) {
    let frame = table(columns, &[cells]);
    let expr = parse::from_text(text, &frame.schema).expect("a typed expression");
    let row = Row { schema: &frame.schema, values: &frame.to_rows()[0] };
    assert_eq!(value_of(&expr, row, calendar), expected, "for `{text}` of `{cells}`");
}

#[track_caller]
fn check(text: &str, columns: &str, cells: &str, expected: &str) {
    check_row(&Calendar::default(), text, columns, cells, expected);
}

/// `text` without columns.
#[track_caller]
fn check_plain(text: &str, expected: &str) {
    check(text, "unused bool", "", expected);
}

fn new_york() -> Calendar {
    Calendar::new("America/New_York", Weekday::Monday, Month::January).expect("a zone")
}

#[test]
fn logic_has_three_values() {
    let columns = "t bool, f bool, n bool";
    for (text, expected) in [
        ("t and t", "true"),
        ("t and n", "null"),
        ("n and t", "null"),
        ("n and n", "null"),
        ("n and f", "false"),
        ("f and n", "false"),
        ("t or n", "true"),
        ("n or t", "true"),
        ("n or f", "null"),
        ("f or f", "false"),
        ("not t", "false"),
        ("not n", "null"),
        ("n is null", "true"),
        ("t is not null", "true"),
        ("n is distinct from n", "false"),
        ("n is distinct from t", "true"),
        ("t is not distinct from t", "true"),
        ("n is true", "false"),
        ("n is not true", "true"),
        ("f is not true", "true"),
        ("n = n", "null"),
    ] {
        check(text, columns, "true,false,", expected);
    }
}

#[test]
fn what_is_decided_is_not_evaluated() {
    let columns = "s string, n bool";
    check("s <> 'x' and cast(s as int64) > 1", columns, "x,", "false");
    check("s = 'x' or cast(s as int64) > 1", columns, "x,", "true");
    check("n and cast(s as int64) > 1", columns, "x,", "error: `x` cannot be cast to int64");
    check("case when s = 'x' then 1 else cast(s as int64) end", columns, "x,", "1");
    check("coalesce(s, cast(cast(s as int64) as string))", columns, "x,", "x");
}

#[test]
fn comparisons_and_choices() {
    let columns = "i int64, m money, s string, n int64";
    for (text, expected) in [
        ("i = 3", "true"),
        ("m = 2.5", "true"),
        ("m < 2.501", "true"),
        ("m >= 1e0", "true"),
        ("i between 1 and 3", "true"),
        ("n between 1 and 3", "null"),
        ("s < 'é'", "true"),
        ("s > 'Z'", "true"),
        ("i in (1, 3)", "true"),
        ("i in (1, null)", "null"),
        ("i in (3, null)", "true"),
        ("i not in (1, 2)", "true"),
        ("i not in (1, null)", "null"),
        ("n in (1, 2)", "null"),
        ("case when n > 1 then 'a' when i > 1 then 'b' else 'c' end", "b"),
        ("case when i > 9 then 1 end", "null"),
        ("case i when 3 then 1.5 else 2 end", "1.5"),
        ("if(n = 1, 1, 2)", "2"),
        ("coalesce(n, i)", "3"),
        ("coalesce(n, null)", "null"),
        ("nullif(i, 3)", "null"),
        ("nullif(i, n)", "3"),
        ("nullif(n, 3)", "null"),
        ("least(i, n, 7)", "3"),
        ("greatest(i, n, 7)", "7"),
        ("greatest(m, 2)", "2.50"),
        ("least(n, n)", "null"),
    ] {
        check(text, columns, "3,2.50,e,", expected);
    }
}

#[test]
fn arithmetic() {
    let columns = "i int64, m money, x float64, j int32, n int64";
    for (text, expected) in [
        ("i + j", "12"),
        ("i - 10", "-3"),
        ("i + n", "null"),
        ("m + 1", "3.50"),
        ("m - 0.125", "2.375"),
        ("m * m", "6.2500"),
        ("m * i", "17.50"),
        ("m + x", "2.75"),
        ("i / 2", "3.5"),
        ("m / 2", "1.25"),
        ("i / 0", "null"),
        ("0 / 0", "null"),
        ("i % 4", "3"),
        ("-i % 4", "-3"),
        ("i % -4", "3"),
        ("i % 0", "null"),
        ("m % 0.4", "0.10"),
        ("m % 0.0", "null"),
        ("x % 0.1e0", "0.04999999999999999"),
        ("x % 0", "null"),
        ("-m", "-2.50"),
        ("abs(-m)", "2.50"),
        ("abs(i - 10)", "3"),
        ("sign(-m)", "-1"),
        ("sign(x)", "1"),
        ("sign(0)", "0"),
        ("sqrt(2.25)", "1.5"),
        ("sqrt(-1)", "null"),
        ("ln(0)", "null"),
        ("ln(-1)", "null"),
        ("ln(1)", "0"),
        ("exp(0)", "1"),
        ("exp(1000)", "null"),
        ("power(2, 10)", "1024"),
        ("power(-8, 0.5)", "null"),
        ("power(0, -1)", "null"),
        ("1e308 * 10", "null"),
        ("-x * 0", "0"),
    ] {
        check(text, columns, "7,2.50,0.25,5,", expected);
    }
}

#[test]
fn overflow_is_an_error() {
    let i = "9223372036854775807";
    check("a + 1", "a int64", i, "error: `+` overflows");
    check("-a - 2", "a int64", i, "error: `-` overflows");
    check("a * 2", "a int64", i, "error: `*` overflows");
    check("-(-a - 1)", "a int64", i, "error: `-` overflows");
    check("abs(-a - 1)", "a int64", i, "error: `abs` overflows");
    check("(-a - 1) % -1", "a int64", i, "0");
    let m = "999999999999999999999999999999999999.99";
    check("a + 0.00", "a money", m, m);
    check("a + 0.01", "a money", m, "error: `+` overflows");
    check("a * 1.0", "a money", m, "error: `*` overflows");
    check("a + 0.001", "a money", m, &format!("error: `{m}` cannot be cast to decimal(38,3)"));
    check("round(a, 1)", "a money", m, "1000000000000000000000000000000000000.0");
}

#[test]
fn rounding() {
    for (text, expected) in [
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.445, 2)", "2.45"),
        ("round(-2.444, 2)", "-2.44"),
        ("round(1.5, 4)", "1.5"),
        ("round(17, 1)", "17"),
        ("round(2.5e0)", "3"),
        ("round(-0.5e0)", "-1"),
        ("round(0.125e0, 2)", "0.13"),
        ("round(1e300, 20) = 1e300", "true"),
        ("floor(-2.1)", "-3"),
        ("floor(2.9)", "2"),
        ("ceil(-2.9)", "-2"),
        ("ceil(2.1)", "3"),
        ("ceil(2.0)", "2"),
        ("floor(-2.1e0)", "-3"),
        ("ceil(-0.5e0)", "0"),
        ("floor(5)", "5"),
    ] {
        check_plain(text, expected);
    }
}

#[test]
fn casts() {
    let columns = "s string";
    for (text, cell, expected) in [
        ("cast(s as int64)", " 42 ", "42"),
        ("cast(s as int64)", "4.0", "error: `4.0` cannot be cast to int64"),
        ("try_cast(s as int64)", "4.0", "null"),
        ("try_cast(s as int64)", "", "null"),
        (
            "cast(s as int64)",
            "9223372036854775808",
            "error: `9223372036854775808` cannot be cast to int64",
        ),
        ("cast(s as float64)", "1e3", "1000"),
        ("try_cast(s as float64)", "nan", "null"),
        ("try_cast(s as float64)", "1e999", "null"),
        ("cast(s as decimal(5,2))", "12.345", "12.35"),
        ("try_cast(s as decimal(5,2))", "1234", "null"),
        ("try_cast(s as decimal(5,2))", "1e2", "null"),
        ("cast(s as bool)", "True", "true"),
        ("try_cast(s as bool)", "yes", "null"),
        ("cast(s as date)", "1998-07-01", "1998-07-01"),
        ("try_cast(s as date)", "1998-02-30", "null"),
        ("try_cast(s as date)", "1998-07-01T06:00", "null"),
        ("cast(s as timestamp)", "1998-07-01", "1998-07-01T00:00:00Z"),
        ("cast(s as timestamp)", "1998-07-01 06:00+02:00", "1998-07-01T04:00:00Z"),
        ("cast(s as timestamp)", "soon", "error: `soon` cannot be cast to timestamp"),
        ("date(s)", "1998-07-01", "1998-07-01"),
    ] {
        check(text, columns, cell, expected);
    }
    for (text, expected) in [
        ("cast(2.5 as int64)", "3"),
        ("cast(-2.5e0 as int64)", "-3"),
        ("try_cast(1e19 as int64)", "null"),
        ("try_cast(-1e19 as int64)", "null"),
        ("cast(true as int64)", "1"),
        ("cast(7 as decimal(5,2))", "7.00"),
        ("try_cast(1000 as decimal(5,2))", "null"),
        ("cast(2.345 as decimal(5,2))", "2.35"),
        ("cast(-2.345 as decimal(5,2))", "-2.35"),
        ("cast(0.125e0 as decimal(5,2))", "0.13"),
        ("try_cast(1e30 as decimal(38,20))", "null"),
        ("cast(1.50 as string)", "1.50"),
        ("cast(1.5e0 as string) || '!'", "1.5!"),
        ("cast(false as string)", "false"),
        ("cast(date '1998-07-01' as string)", "1998-07-01"),
        ("cast(timestamp '1998-07-01 06:00' as string)", "1998-07-01T06:00:00Z"),
        ("cast(null as date)", "null"),
        ("cast(timestamp '1998-07-01 23:59' as date)", "1998-07-01"),
    ] {
        check_plain(text, expected);
    }
    let zone = new_york();
    check_row(&zone, "cast(d as timestamp)", "d date", "2026-07-01", "2026-07-01T04:00:00Z");
    check_row(&zone, "date(t)", "t timestamp", "2026-07-01T03:59:59Z", "2026-06-30");
    check_row(
        &zone,
        "cast(s as timestamp)",
        "s string",
        "2026-01-01 12:00",
        "2026-01-01T17:00:00Z",
    );
}

#[test]
fn texts() {
    for (text, expected) in [
        ("'a' || 'b'", "ab"),
        ("'a' || null", "null"),
        ("lower('ÄB')", "äb"),
        ("upper('straße')", "STRASSE"),
        ("trim('  a b\t')", "a b"),
        ("length('äöü')", "3"),
        ("length('')", "0"),
        ("substring('häuser', 2, 3)", "äus"),
        ("substring('abc', 2)", "bc"),
        ("substring('abc', 0, 2)", "a"),
        ("substring('abc', -1, 2)", ""),
        ("substring('abc', 2, -1)", ""),
        ("substring('abc', 9, 1)", ""),
        ("substring('abc' from 1 for 1)", "a"),
        ("replace('aaa', 'a', 'bc')", "bcbcbc"),
        ("replace('abc', '', 'x')", "abc"),
        ("starts_with('abc', 'ab')", "true"),
        ("ends_with('abc', 'ab')", "false"),
        ("contains('abc', '')", "true"),
        ("contains('abc', null)", "null"),
        ("'abc' like 'a%'", "true"),
        ("'abc' like '_b_'", "true"),
        ("'aäc' like 'a_c'", "true"),
        ("'abc' like 'b'", "false"),
        ("'abc' like '%'", "true"),
        ("'' like '_'", "false"),
        ("'a.c' not like 'a.c%'", "false"),
        ("'abcabd' like '%ab%d'", "true"),
        ("regexp_matches('order 17', '[0-9]+$')", "true"),
        ("regexp_matches('order', '^r')", "false"),
    ] {
        check_plain(text, expected);
    }
}

#[test]
fn dates() {
    let columns = "d date, e date, t timestamp";
    for (text, expected) in [
        ("d + interval '1 month'", "2026-02-28"),
        ("d - interval '11 months'", "2025-02-28"),
        ("d + interval '1 year'", "2027-01-31"),
        ("d + interval '14 days'", "2026-02-14"),
        ("d + interval '6h'", "2026-01-31T06:00:00Z"),
        ("t + interval '1 month'", "2026-02-28T22:30:15Z"),
        ("t + interval '2 days'", "2026-02-02T22:30:15Z"),
        ("t - d", "81015s"),
        ("e - d", "2505600s"),
        ("d + (t - d)", "2026-01-31T22:30:15Z"),
        ("date_trunc('week', d)", "2026-01-26"),
        ("date_trunc('month', t)", "2026-01-01"),
        ("date_trunc('quarter', e)", "2026-01-01"),
        ("date_trunc('hour', t)", "2026-01-31T22:00:00Z"),
        ("date_trunc('minute', t)", "2026-01-31T22:30:00Z"),
        ("date_trunc('hour', d)", "2026-01-31T00:00:00Z"),
        ("extract(year from t)", "2026"),
        ("extract(quarter from d)", "1"),
        ("extract(month from e)", "3"),
        ("extract(week from d)", "5"),
        ("extract(day from d)", "31"),
        ("extract(dow from d)", "6"),
        ("extract(hour from t)", "22"),
        ("extract(week from date '2027-01-03')", "53"),
        ("extract(week from date '2024-12-30')", "1"),
        ("extract(dow from date '2026-02-02')", "1"),
        ("extract(dow from date '1969-12-28')", "7"),
        ("date_diff('month', d, e)", "2"),
        ("date_diff('day', e, d)", "-29"),
        ("date_diff('year', date '2025-12-31', d)", "1"),
        ("date_diff('week', d, date '2026-02-02')", "1"),
        ("date_diff('hour', d, t)", "22"),
        ("elapsed('day', d, e)", "29"),
        ("elapsed('week', e, d)", "-4.142857142857143"),
        ("elapsed('month', d, e)", "0.9527720739219713"),
        ("elapsed('hour', d, t)", "22.504166666666666"),
        ("d < t", "true"),
        ("d < as_of", "false"),
    ] {
        check(text, columns, "2026-01-31,2026-03-01,2026-01-31T22:30:15Z", expected);
    }
}

#[test]
fn times_of_a_zone() {
    let check = |text: &str, cell: &str, expected: &str| {
        check_row(&new_york(), text, "t timestamp", cell, expected);
    };
    // 2026-03-08T02:00 is skipped there: the clock goes on at 03:00.
    check("t + interval '1 month'", "2026-02-08T07:30:00Z", "2026-03-08T07:30:00Z");
    check("t + interval '1 month'", "2026-02-08T15:00:00Z", "2026-03-08T14:00:00Z");
    check("t + interval '24h'", "2026-03-07T15:00:00Z", "2026-03-08T15:00:00Z");
    check("extract(hour from t)", "2026-07-01T03:00:00Z", "23");
    check("extract(day from t)", "2026-07-01T03:00:00Z", "30");
    check("date_trunc('day', t)", "2026-07-01T03:00:00Z", "2026-06-30");
    check("date_diff('day', t, t + interval '1h')", "2026-07-01T03:30:00Z", "1");
    check("date_diff('hour', t, t + interval '1h')", "2026-03-08T06:30:00Z", "2");

    let april = Calendar::new("UTC", Weekday::Sunday, Month::April).expect("UTC");
    let check = |text: &str, expected: &str| {
        check_row(&april, text, "d date", "2026-03-31", expected);
    };
    check("extract(quarter from d)", "4");
    check("extract(year from d)", "2026");
    check("date_trunc('year', d)", "2025-04-01");
    check("date_diff('year', d, d + interval '1 day')", "1");
    check("date_trunc('week', d)", "2026-03-29");
}

#[test]
fn functions_of_stages_and_metrics() {
    #[track_caller]
    fn check(func: Func, arguments: Vec<Expr>, expected: &str) {
        let expr = call(func, arguments).expect("a typed call");
        let row = Row { schema: &Schema::default(), values: &[] };
        assert_eq!(value_of(&expr, row, &Calendar::default()), expected, "for {expr}");
    }
    let decimal = |text: &str| parse::from_text(text, &Schema::default()).expect("a literal");
    let date = |text: &str| decimal(&format!("date '{text}'"));
    let null = || Expr::null(DataType::Float64);

    check(Func::ToMoney(2), vec![Expr::float(0.125)], "0.12");
    check(Func::ToMoney(2), vec![Expr::float(0.375)], "0.38");
    check(Func::ToMoney(2), vec![Expr::float(-19.99)], "-19.99");
    check(Func::ToMoney(2), vec![Expr::float(1e37)], "error: `to_money` overflows");
    check(Func::ToMoney(2), vec![Expr::int(3)], "3.00");
    check(Func::ToMoney(1), vec![decimal("0.25")], "0.2");
    check(Func::ToMoney(1), vec![decimal("-0.35")], "-0.4");
    check(Func::ToMoney(1), vec![decimal("0.251")], "0.3");
    check(Func::ToMoney(38), vec![Expr::int(1)], "error: `to_money` overflows");
    check(Func::ToMoney(2), vec![null()], "null");

    let month = |text| call(Func::PeriodOf(TimeUnit::Month), vec![date(text)]).expect("a date");
    let start = |period| call(Func::PeriodStart(TimeUnit::Month), vec![period]).expect("a period");
    check(Func::Equal, vec![start(month("2026-11-22")), date("2026-11-01")], "true");
    let later = call(Func::Add, vec![month("2026-11-22"), Expr::int(2)]).expect("a period");
    check(Func::PeriodStart(TimeUnit::Month), vec![later], "2027-01-01");

    let z = || Expr::float(1.0);
    check(Func::WilsonLow, vec![Expr::int(0), Expr::int(10), z()], "0");
    check(Func::WilsonHigh, vec![Expr::int(10), Expr::int(10), z()], "1");
    check(Func::WilsonLow, vec![Expr::int(0), Expr::int(0), z()], "null");
    check(Func::WilsonHigh, vec![null(), Expr::int(10), z()], "null");
    let balance = |n| vec![Expr::int(50), Expr::int(50), Expr::int(n), Expr::int(100), z()];
    check(Func::MultinomialLow, balance(100), "-10");
    check(Func::MultinomialHigh, balance(100), "10");
    check(Func::MultinomialHigh, balance(0), "null");
    check(Func::StudentT, vec![Expr::int(0), Expr::float(0.95)], "null");
}

#[test]
fn wrong_types_are_a_fault_of_the_program() {
    let expr = Expr {
        node: ExprNode::Call(Func::Add, vec![Expr::bool(true), Expr::int(1)]),
        data_type: DataType::Int64,
    };
    let row = Row { schema: &Schema::default(), values: &[] };
    let text = value_of(&expr, row, &Calendar::default());
    assert!(text.contains("`+` cannot take"), "{text}");
}
