//! Expressions: every function, over whatever arguments it takes, nested at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure::diagnostic::{Diagnostics, Span};
use tenure::document::{DAY_MICROS, Expression, Interval, TimeUnit};
use tenure::frame::{DataType, Field, Frame, Schema, Value};
use tenure::ir::function::{Part, TABLE, is_public};
use tenure::ir::parse::{self, Scope};
use tenure::ir::sql::{readable, sql};
use tenure::ir::typing::call;
use tenure::ir::{Calendar, Expr, ExprNode, Func, PseudonymKey, RelRef, named, relation};

use super::optional;
use crate::support::{Draw, Written, agree, by_reference, calendar, equal, law, scan};

/// What a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    Bool,
    Int,
    Float,
    Money,
    Text,
    Date,
    Time,
    Duration,
    /// A literal of the type.
    Fixed(&'static Take),
    /// A literal number of digits.
    Digits,
    /// A literal regular expression.
    Pattern,
    /// A literal word.
    Word,
    /// The number of a period that exists.
    Period,
}

use Take::{
    Bool, Date, Digits, Duration, Fixed, Float, Int, Money, Pattern, Period, Text, Time, Word,
};

const TYPES: &[Take] = &[Bool, Int, Float, Money, Text, Date, Time];

/// The columns of each type, and a table of them.
pub(super) const COLUMNS: &[(&str, Take, DataType)] = &[
    ("b", Bool, DataType::Bool),
    ("i", Int, DataType::Int64),
    ("j", Int, DataType::Int64),
    ("x", Float, DataType::Float64),
    ("y", Float, DataType::Float64),
    ("m", Money, DataType::Decimal { precision: 12, scale: 2 }),
    ("n", Money, DataType::Decimal { precision: 38, scale: 4 }),
    ("s", Text, DataType::String),
    ("r", Text, DataType::String),
    ("d", Date, DataType::Date),
    ("t", Time, DataType::Timestamp),
    ("u", Time, DataType::Timestamp),
];

pub(super) fn things(draw: &mut Draw) -> Frame {
    let fields = COLUMNS.iter().map(|(name, _, data_type)| Field::new(*name, *data_type));
    let schema = Arc::new(Schema::new(fields.collect()));
    let rows: Vec<Vec<Value>> = (0..draw.below(14))
        .map(|_| {
            let columns = COLUMNS.iter();
            columns.map(|(_, take, _)| optional(draw, 7, |draw| value(draw, *take))).collect()
        })
        .collect();
    Frame::from_rows(schema, &rows).expect("rows of these types")
}

/// A value, often one on which functions differ.
pub(super) fn value(draw: &mut Draw, take: Take) -> Value {
    const TEXTS: &[&str] = &[
        "x",
        "",
        "12",
        " -3 ",
        "1.5",
        "1e3",
        "true",
        "FALSE",
        "2024-02-29",
        "2024-03-10T02:30",
        "2024-03-10T02:30Z",
        "straße",
        "A%b_c",
        "aXb",
        "ÉÈ",
        "x x",
        "0012.50",
        "99999999999999999999",
    ];
    match take {
        Bool => Value::Bool(draw.one_in(2)),
        Int => match draw.below(6) {
            0 => Value::Int(draw.pick(&[0, 1, -1, i64::MAX, i64::MIN, i64::MAX - 1])),
            _ => Value::Int(draw.below(60) as i64 - 20),
        },
        Float => match draw.below(6) {
            0 => Value::Float(draw.pick(&[0.0, 0.5, -0.5, 2.5, 1e300, -1e-300, 1e18, 0.125])),
            _ => Value::Float(draw.below(400) as f64 / 8.0 - 20.0),
        },
        Money => match draw.below(6) {
            0 => Value::Decimal { minor: draw.pick(&[0, 50, -50, 150, 9_999_999_999]), scale: 2 },
            _ => Value::Decimal { minor: draw.below(4_000) as i128 - 1_500, scale: 2 },
        },
        Text => Value::text(draw.pick(TEXTS)),
        Date => Value::Date(day(draw)),
        Time => {
            let clock = draw.pick(&[0, 1, 7_200_000_000, 25_200_123_456, 86_399_999_999]);
            Value::Timestamp(i64::from(day(draw)) * 86_400_000_000 + clock)
        }
        Duration => Value::Duration(draw.below(9) as i64 * 3_600_000_000 - 7),
        Fixed(take) => value(draw, *take),
        Digits => Value::Int(draw.below(4) as i64),
        Pattern => Value::text(draw.pick(&["^x", "[0-9]+", "a.b", "", "(?i)true|é"])),
        Word => Value::text(draw.pick(&["x", "TRUE", "é", "a b", "2024", "en"])),
        Period => Value::Int(draw.below(300) as i64 - 40),
    }
}

fn day(draw: &mut Draw) -> i32 {
    match draw.below(4) {
        // A leap day, both changes of New York's clock, days around the one Apia left out, and
        // days whose ISO week is of another year.
        0 => draw.pick(&[19_782, 19_792, 20_030, 15_337, 15_338, 15_339, 16_800, 18_627]),
        1 => draw.below(40_000) as i32 - 10_000,
        _ => 19_662 + draw.below(400) as i32,
    }
}

const UNITS: &[TimeUnit] = &[
    TimeUnit::Second,
    TimeUnit::Minute,
    TimeUnit::Hour,
    TimeUnit::Day,
    TimeUnit::Week,
    TimeUnit::Month,
    TimeUnit::Quarter,
    TimeUnit::Year,
];

/// Every function with every combination of arguments that is worth a case.
fn signatures() -> Vec<(Func, Vec<Take>)> {
    let mut all: Vec<(Func, Vec<Take>)> = Vec::new();
    let mut row = |func: Func, takes: &[Take]| all.push((func, takes.to_vec()));
    for func in [
        Func::Equal,
        Func::NotEqual,
        Func::Less,
        Func::LessEqual,
        Func::Greater,
        Func::GreaterEqual,
        Func::IsDistinct,
    ] {
        TYPES.iter().for_each(|&take| row(func, &[take, take]));
        TYPES.iter().for_each(|take| row(func, &[*take, Fixed(take)]));
        row(func, &[Int, Money]);
        row(func, &[Money, Float]);
        row(func, &[Date, Time]);
        row(func, &[Duration, Duration]);
    }
    for func in [Func::And, Func::Or] {
        row(func, &[Bool, Bool]);
    }
    row(Func::Not, &[Bool]);
    for take in TYPES {
        let (a, literal) = (*take, Fixed(take));
        row(Func::IsNull, &[a]);
        row(Func::In, &[a, literal, literal, literal]);
        row(Func::Case, &[Bool, a, Bool, a, a]);
        row(Func::Case, &[Bool, a]);
        row(Func::Coalesce, &[a, a, literal]);
        row(Func::NullIf, &[a, a]);
        row(Func::Least, &[a, a, a]);
        row(Func::Greatest, &[a, a]);
    }
    let pairs = [[Int, Int], [Float, Float], [Money, Money], [Int, Money], [Money, Float]];
    for func in [Func::Add, Func::Subtract, Func::Multiply, Func::Divide, Func::Modulo] {
        pairs.iter().for_each(|pair| row(func, pair));
    }
    for take in [Int, Float, Money] {
        for func in [
            Func::Negate,
            Func::Abs,
            Func::Sign,
            Func::Floor,
            Func::Ceil,
            Func::Sqrt,
            Func::Exp,
            Func::Ln,
        ] {
            row(func, &[take]);
        }
        row(Func::Round, &[take, Digits]);
        row(Func::Power, &[take, Float]);
        row(Func::ToMoney(2), &[take]);
        row(Func::ToMoney(0), &[take]);
    }
    row(Func::Negate, &[Duration]);
    row(Func::Abs, &[Duration]);
    let targets = [
        DataType::Bool,
        DataType::Int32,
        DataType::Int64,
        DataType::Float64,
        DataType::money(2),
        DataType::Decimal { precision: 6, scale: 1 },
        DataType::String,
        DataType::Date,
        DataType::Timestamp,
    ];
    for to in targets {
        for &take in TYPES {
            row(Func::Cast(to), &[take]);
            row(Func::TryCast(to), &[take]);
        }
    }
    for func in [Func::Concat, Func::StartsWith, Func::EndsWith, Func::Contains, Func::Like] {
        row(func, &[Text, Text]);
        row(func, &[Text, Fixed(&Text)]);
    }
    for func in [Func::Lower, Func::Upper, Func::Trim, Func::Length] {
        row(func, &[Text]);
    }
    row(Func::Substring, &[Text, Int, Int]);
    row(Func::Substring, &[Text, Int]);
    row(Func::Replace, &[Text, Text, Text]);
    row(Func::Mentions, &[Text, Word]);
    row(Func::Mentions, &[Text, Word, Word]);
    row(Func::Sentiment, &[Text, Word]);
    row(Func::Sentiment, &[Word, Word]);
    row(Func::RegexpMatches, &[Text, Pattern]);
    for take in [Date, Time] {
        for &unit in UNITS {
            row(Func::DateTrunc(unit), &[take]);
            row(Func::Elapsed(unit), &[take, take]);
            row(Func::DateDiff(unit), &[take, take]);
            row(Func::Steps(unit.micros().unwrap_or(30 * DAY_MICROS)), &[take, take]);
            row(Func::PeriodOf(unit), &[take]);
            row(Func::PeriodStart(unit), &[Period]);
        }
        let parts =
            [Part::Year, Part::Quarter, Part::Month, Part::Week, Part::Day, Part::Dow, Part::Hour];
        parts.iter().for_each(|&part| row(Func::Extract(part), &[take]));
        for (months, micros) in [(1, 0), (-13, 0), (0, 86_400_000_000), (0, -90_000_000_000)] {
            row(Func::Shift(Interval { months, micros }), &[take]);
        }
        row(Func::AddDuration, &[take, Duration]);
        row(Func::Between, &[take, take]);
    }
    row(Func::AddDays, &[Date, Int]);
    for func in [Func::WilsonLow, Func::WilsonHigh] {
        row(func, &[Int, Int, Fixed(&Float)]);
    }
    for func in [Func::MultinomialLow, Func::MultinomialHigh] {
        row(func, &[Int, Int, Int, Fixed(&Float), Fixed(&Float)]);
    }
    row(Func::OpenHours(0), &[Time, Time]);
    for take in [Bool, Int, Float, Text, Time] {
        row(Func::DrawNumber(7), &[take]);
        row(Func::DrawNumber(-1), &[Text, take]);
    }
    row(Func::Pseudonym(PseudonymKey::new("a key that is long enough")), &[Text]);
    row(Func::StudentT, &[Int, Float]);
    row(Func::StudentT, &[Int, Fixed(&Float)]);
    all
}

/// What an expression of the type may stand for.
fn class(data_type: DataType) -> Take {
    match data_type {
        DataType::Bool => Bool,
        DataType::Int32 | DataType::Int64 => Int,
        DataType::Float64 => Float,
        DataType::Decimal { .. } => Money,
        DataType::String => Text,
        DataType::Date => Date,
        DataType::Timestamp => Time,
        DataType::Duration => Duration,
    }
}

/// Functions with the class of their results.
pub(super) struct Grammar(Vec<(Func, Vec<Take>, Take)>);

impl Grammar {
    /// The combinations that typing accepts.
    pub(super) fn new() -> Self {
        let typed = signatures().into_iter().filter_map(|(func, takes)| {
            let sample = takes.iter().map(|&take| simple(&mut Draw::over(&[]), take)).collect();
            Some((func, takes, class(call(func, sample).ok()?.data_type)))
        });
        Grammar(typed.collect())
    }

    /// An argument, with calls nested so deep.
    pub(super) fn argument(&self, draw: &mut Draw, take: Take, depth: usize) -> Expr {
        let nested =
            depth > 0 && matches!(take, Bool | Int | Float | Money | Text | Date | Time | Duration);
        if !nested || draw.one_in(3) {
            return simple(draw, take);
        }
        let fitting: Vec<_> = self.0.iter().filter(|(_, _, gives)| *gives == take).collect();
        let (func, takes, _) = fitting[draw.below(fitting.len())];
        // Scales of products may add up to more than there are digits.
        self.call(draw, *func, takes, depth - 1).unwrap_or_else(|| simple(draw, take))
    }

    fn call(&self, draw: &mut Draw, func: Func, takes: &[Take], depth: usize) -> Option<Expr> {
        let arguments = takes.iter().map(|&take| self.argument(draw, take, depth)).collect();
        call(func, arguments).ok()
    }
}

/// A column or a literal.
fn simple(draw: &mut Draw, take: Take) -> Expr {
    let literal = |value: Value| {
        let data_type = value.data_type().expect("not null");
        Expr::literal(value, data_type)
    };
    match take {
        Digits | Pattern | Word | Fixed(_) => literal(value(draw, take)),
        Period if draw.one_in(2) => {
            let of = simple(draw, Date);
            call(Func::PeriodOf(TimeUnit::Month), vec![of]).expect("a date")
        }
        Period => literal(value(draw, take)),
        // There are no columns of durations.
        Duration => {
            call(Func::Between, vec![simple(draw, Time), simple(draw, Time)]).expect("times")
        }
        _ if draw.one_in(5) => literal(value(draw, take)),
        _ => {
            let columns: Vec<_> = COLUMNS.iter().filter(|(_, class, _)| *class == take).collect();
            let (name, _, data_type) = columns[draw.below(columns.len())];
            Expr::column(name, *data_type)
        }
    }
}

fn projection(input: &RelRef, expr: Expr) -> RelRef {
    relation::project(input, vec![named("value", expr)]).expect("a typed expression")
}

/// Whether both engines give an expression the same values, or both none.
fn alike(expr: Expr, frame: &Frame, draw: &mut Draw) -> Result<(), String> {
    // A projection keeps the order of the rows, so the files must stay in it.
    let written = Written::new(frame, draw).in_order();
    alike_on(&written, expr, frame, draw)
}

fn alike_on(written: &Written, expr: Expr, frame: &Frame, draw: &mut Draw) -> Result<(), String> {
    let (calendar, input) = (calendar(draw), scan(&frame.schema));
    agree(&projection(&input, expr), frame, written, &calendar, draw).map(|_| ())
}

#[test]
fn every_function_has_a_signature() {
    let covered: BTreeSet<&str> = Grammar::new().0.iter().map(|(func, _, _)| func.name()).collect();
    let missing: Vec<&str> =
        TABLE.iter().map(|(name, ..)| *name).filter(|name| !covered.contains(name)).collect();
    assert!(missing.is_empty(), "no signature for {missing:?}");
}

/// Each signature on plain arguments.
#[test]
fn every_function_is_the_same_on_both_engines() {
    let grammar = Grammar::new();
    law(3, |draw| {
        let frame = things(draw);
        let written = Written::new(&frame, draw).in_order();
        for (func, takes, _) in &grammar.0 {
            if let Some(expr) = grammar.call(draw, *func, takes, 0) {
                alike_on(&written, expr, &frame, draw)?;
            }
        }
        Ok(())
    });
}

/// Functions of functions.
#[test]
fn expressions_are_the_same_on_both_engines() {
    let grammar = Grammar::new();
    law(500, |draw| {
        let take = draw.pick(TYPES);
        let expr = grammar.argument(draw, take, 4);
        let frame = things(draw);
        alike(expr, &frame, draw)
    });
}

/// Conditions that guard what would fail: the heart of lazy evaluation.
#[test]
fn conditions_are_lazy_on_both_engines() {
    let grammar = Grammar::new();
    law(250, |draw| {
        let take = draw.pick(TYPES);
        let lazy = [
            (Func::And, vec![Bool, Bool]),
            (Func::Or, vec![Bool, Bool]),
            (Func::Case, vec![Bool, take, Bool, take, take]),
            (Func::Coalesce, vec![take, take, take]),
        ];
        let (func, takes) = &lazy[draw.below(4)];
        let expr = grammar.call(draw, *func, takes, 3);
        let frame = things(draw);
        expr.map_or(Ok(()), |expr| alike(expr, &frame, draw))
    });
}

/// The first instant that is not seen: the night before it is the evening of a day in New York.
const AS_OF: i64 = 1_709_265_600_000_000;

/// The expression that the text of another is read as; `None` where there is no text for it.
fn written_and_read(
    expr: &Expr,
    schema: &Schema,
    calendar: &Calendar,
) -> Result<Option<Expr>, String> {
    let Ok(text) = sql(expr, calendar, AS_OF) else { return Ok(None) };
    let parameters = BTreeMap::new();
    let scope = Scope { table: "things", schema, parameters: &parameters, calendar, as_of: AS_OF };
    let written = Expression { text: text.clone(), span: Span::default(), verbatim: None };
    let mut faults = Diagnostics::default();
    let read = parse::expression(&written, &scope, &mut faults);
    let readable = readable(expr, calendar, AS_OF);
    if read.as_ref() == Some(&readable) {
        return Ok(read);
    }
    let faults = faults.into_sorted();
    Err(format!("{expr}\nis written as\n{text}\nand read as\n{read:?}\n{faults:?}"))
}

/// What is written as SQL is read back as it was, and has the same values.
#[test]
fn what_is_written_is_read_back() {
    let grammar = Grammar::new();
    law(400, |draw| {
        let (take, frame, calendar) = (draw.pick(TYPES), things(draw), calendar(draw));
        let expr = grammar.argument(draw, take, 4);
        let Some(read) = written_and_read(&expr, &frame.schema, &calendar)? else { return Ok(()) };
        let input = scan(&frame.schema);
        let run = |expr: &Expr| by_reference(&projection(&input, expr.clone()), &frame, &calendar);
        match (run(&expr), run(&read)) {
            (Ok(expected), Ok(found)) => {
                equal(&expected, &found, 0.0).map_err(|why| format!("{expr}\n{read}\n{why}"))
            }
            (Err(_), Err(_)) => Ok(()),
            (expected, found) => Err(format!(
                "{expr}: {:?}\n{read}: {:?}",
                expected.map(|_| "a value"),
                found.map(|_| "a value")
            )),
        }
    });
}

/// A text there is for every function that the language offers.
#[test]
fn every_public_function_is_written() {
    let grammar = Grammar::new();
    let mut written: BTreeSet<&str> = BTreeSet::new();
    let calendar = calendar(&mut Draw::over(&[]));
    let fields = COLUMNS.iter().map(|(name, _, data_type)| Field::new(*name, *data_type));
    let schema = Schema::new(fields.collect());
    for (func, takes, _) in &grammar.0 {
        let expr = grammar.call(&mut Draw::over(&[]), *func, takes, 0).expect("types that fit");
        let read = written_and_read(&expr, &schema, &calendar);
        if let Some(read) = read.unwrap_or_else(|why| panic!("{why}"))
            && matches!(read.node, ExprNode::Call(..))
        {
            written.insert(func.name());
        }
    }
    let public = TABLE.iter().map(|(name, ..)| *name).filter(|name| is_public(name));
    let missing: Vec<&str> = public.filter(|name| !written.contains(name)).collect();
    assert!(missing.is_empty(), "no text for {missing:?}");
    let private: Vec<&&str> = written.iter().filter(|name| !is_public(name)).collect();
    assert!(private.is_empty(), "a text for {private:?}");
}
