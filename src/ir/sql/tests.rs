use super::*;
use crate::document::DAY_MICROS;
use crate::ir::parse::from_text;

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("b", DataType::Bool),
        Field::new("i", DataType::Int64),
        Field::new("k", DataType::Int32),
        Field::new("x", DataType::Float64),
        Field::new("m", DataType::money(2)),
        Field::new("s", DataType::String),
        Field::new("d", DataType::Date),
        Field::new("t", DataType::Timestamp),
        Field::new("user", DataType::String),
        Field::new("odd \"name\"", DataType::Bool),
    ])
}

/// What is read is written as it was.
#[test]
fn texts_stay_what_they_are() {
    for text in [
        "i",
        "k + 1",
        "i = 1 and b or not b",
        "(b or i = 1) and b",
        "i in (1, 2) and s not in ('a', 'b')",
        "i is null or s is not null",
        "s like '%it''s%' and s not like 'a'",
        "s is distinct from 'a' and d is not distinct from t",
        "i - (i - 1) - -5",
        "-(-5)",
        "-(-i)",
        "-i * -2",
        "m * 2 >= 0.5",
        "x = 0.1 and x = 1e300",
        "i / m",
        "d + 7 - i",
        "t - d",
        "t + interval '1 months' - interval '2d'",
        "t + (interval '2d')",
        "t - (t - d)",
        "d >= date '2024-02-29' and t < timestamp '2024-03-10T02:30:00.5Z'",
        "case when b then 1 when i > 2 then 2 else null end",
        "coalesce(i, null, 0)",
        "m / 2 = cast(s as int64)",
        "try_cast(s as decimal(6,1))",
        "date(t) = date(s)",
        "extract(dow from t) = date_diff('day', d, t)",
        "elapsed('hour', d, t) > 4",
        "date_trunc('month', as_of)",
        "substring(s, 2) || substring(s, 1, 3) || ('x' || 'y')",
        "round(x, 2) + floor(m)",
        "mentions(s, 'it''s', 'late') or regexp_matches(s, 'a\nb')",
        "sentiment(s, 'en') > 0",
        "\"user\" = 'x' and \"odd \"\"name\"\"\"",
    ] {
        let expr = match from_text(text, &schema()) {
            Ok(expr) => expr,
            Err(faults) => panic!("{text}: {faults:?}"),
        };
        assert_eq!(sql(&expr, &Calendar::default(), 0).as_deref(), Ok(text));
    }
}

/// What is made by metrics is written as people would.
#[test]
fn what_is_made_becomes_readable() {
    for (text, expected) in [
        ("i = 1 or i = 2 or b", "i in (1, 2) or b"),
        ("b or (i = 1 or i = 2)", "b or i in (1, 2)"),
        ("b and (b and (b and i = 1))", "b and b and b and i = 1"),
        ("cast(i as float64) >= 9", "i >= 9"),
        ("cast(k as float64) = 4 or cast(k as float64) = 5", "k in (4, 5)"),
        ("cast(i as float64) >= 9.5", "cast(i as float64) >= 9.5"),
        ("cast(i as float64) = cast(k as float64)", "i = cast(k as float64)"),
        ("cast(m as float64) >= 9", "cast(m as float64) >= 9"),
        ("cast(i as string) is null", "i is null"),
        ("cast(s as int64) is null", "cast(s as int64) is null"),
        ("try_cast(s as int64) is null", "try_cast(s as int64) is null"),
        ("d <= date '1969-12-31'", "d <= date(as_of - interval '1s')"),
    ] {
        let expr = from_text(text, &schema()).expect("an expression");
        assert_eq!(sql(&expr, &Calendar::default(), 0).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_has_no_text_is_refused() {
    let schema = schema();
    let column = |name: &str| from_text(name, &schema).expect("a column");
    let parameter = Expr::literal(Value::text("${params.x}"), DataType::String);
    let instant = Expr::literal(Value::Duration(DAY_MICROS / 7), DataType::Duration);
    for (func, arguments, expected) in [
        (Func::Equal, vec![column("s"), parameter], "a value that no literal stands for"),
        (Func::AddDuration, vec![column("t"), instant], "a value that no literal stands for"),
        (Func::Cast(DataType::Int32), vec![column("i")], "numbers of 32 bits"),
        (Func::ToMoney(2), vec![column("x")], "money that is rounded to whole cents as it is read"),
        (Func::OpenHours(3), vec![column("t"), column("t")], "opening hours that are not declared"),
    ] {
        let expr = call(func, arguments).expect("types fit");
        assert_eq!(sql(&expr, &Calendar::default(), 0), Err(NoWord(expected)));
    }
}
