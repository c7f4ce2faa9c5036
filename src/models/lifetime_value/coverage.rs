//! Whether the intervals of customers and of totals hold what they say, by both methods.

use rayon::prelude::*;

use super::{Intervals, LifetimeValue, Purchased, Spend};
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Frame, Schema, Unit, Value};
use crate::ir::{Calendar, FrameFunction};
use crate::models::coverage::POPULATIONS;
use crate::models::simulate::simulated_spend;
use crate::models::{Ahead, GammaGamma, ModelKind, Purchases, outlooks, simulated};
use crate::stats::mixed;

/// How a customer of the simulation spends.
const SPEND: [f64; 3] = [6.0, 4.0, 15.0];

/// The last day observed.
const LAST_DAY: i32 = 20_000;

const AHEAD: Ahead = Ahead { horizon: Some(26.0), discount: 0.002 };

fn stage(kind: ModelKind, intervals: Intervals, level: f64) -> LifetimeValue {
    LifetimeValue {
        customer: Field::new("customer", DataType::Int64),
        by: Vec::new(),
        purchases: Purchased::One(kind),
        spend: Spend::GammaGamma,
        unit: TimeUnit::Week,
        horizon: AHEAD.horizon,
        discount: AHEAD.discount,
        margin: 0.3,
        holdout: None,
        decimals: None,
        min_customers: 1,
        last_day: LAST_DAY,
        money: Unit::Money(None),
        intervals,
        level,
    }
}

/// Of one simulation, how much intervals hold of what the true parameters give: of customers' expected purchases
/// and values the share of customers, of their sums 0 or 1. These populations tell enough for every interval to
/// have two ends; one that is open holds nothing.
fn held(
    kind: ModelKind,
    truth: &[f64; 4],
    customers: u32,
    of: &LifetimeValue,
    seed: u64,
) -> [f64; 4] {
    let rows = simulated(kind, truth, customers, mixed(seed));
    let means = simulated_spend(&SPEND, &rows, mixed(seed ^ 0x5eed));
    let field = |name: &str, data_type| Field::new(name, data_type);
    let schema = Schema::new(vec![
        field("customer", DataType::Int64),
        field("first_time", DataType::Date),
        field("purchases", DataType::Int64),
        field("frequency", DataType::Int64),
        field("recency", DataType::Float64),
        field("age", DataType::Float64),
        field("monetary", DataType::Float64),
    ]);
    // Opportunities are the periods after that of the first purchase; the last day observed ends one of them.
    let age = |row: &Purchases| match kind {
        ModelKind::BgBb => row.age + 6.0 / 7.0,
        _ => row.age,
    };
    let cells: Vec<Vec<Value>> = (0..)
        .zip(rows.iter().zip(&means))
        .map(|(customer, (row, mean))| {
            vec![
                Value::Int(customer),
                Value::Date(LAST_DAY - (7.0 * age(row)).round() as i32),
                Value::Int(row.frequency as i64 + 1),
                Value::Int(row.frequency as i64),
                Value::Float(row.recency),
                Value::Float(age(row)),
                mean.map_or(Value::Null, Value::Float),
            ]
        })
        .collect();
    let summary = Frame::from_rows(schema.into(), &cells).expect("the rows fit");
    let repeats = Schema::new(vec![field("day", DataType::Date), field("count", DataType::Int64)]);
    let repeats = Frame::from_rows(repeats.into(), &[]).expect("no rows fit");
    let tables = of.apply(&[summary, repeats], &Calendar::default()).expect("tables");
    let [customers, _, fits, ..] = tables.as_slice() else { panic!("five tables") };

    let spend = GammaGamma::of(SPEND);
    let expected: Vec<[f64; 2]> = outlooks(kind, truth, &rows, &AHEAD)
        .iter()
        .zip(rows.iter().zip(&means))
        .map(|(outlook, (row, mean))| {
            let (x, mean) = mean.map_or((0.0, 0.0), |mean| (row.frequency, mean));
            let spend = spend.expected_spend(x, mean).expect("a mean");
            [outlook.expected.value, of.margin * spend * outlook.discounted.value]
        })
        .collect();
    let within = |frame: &Frame, name: &str, row: usize, truth: f64| {
        let bound = |end: &str| {
            let column = frame.column(&format!("{name}_{end}")).expect("a column");
            column[row].as_f64()
        };
        bound("low").is_some_and(|low| low <= truth)
            && bound("high").is_some_and(|high| truth <= high)
    };
    let share = |name: &str, which: usize| {
        let column = |end: &str| customers.column(&format!("{name}_{end}")).expect("a column");
        let (low, high) = (column("low"), column("high"));
        let held = |row: &usize| {
            let truth = expected[*row][which];
            low[*row].as_f64().is_some_and(|low| low <= truth)
                && high[*row].as_f64().is_some_and(|high| truth <= high)
        };
        (0..rows.len()).filter(held).count() as f64 / rows.len() as f64
    };
    let sum = |which: usize| expected.iter().map(|of| of[which]).sum::<f64>();
    let model = fits.column("model").expect("a column");
    let row = model.iter().position(|of| *of == Value::text(kind.name())).expect("its row");
    [
        share("expected_purchases", 0),
        share("clv", 1),
        f64::from(u8::from(within(fits, "expected_purchases_sum", row, sum(0)))),
        f64::from(u8::from(within(fits, "clv_sum", row, sum(1)))),
    ]
}

fn coverage(
    (kind, truth): (ModelKind, [f64; 4]),
    customers: u32,
    intervals: Intervals,
    level: f64,
    repeats: u64,
) -> [f64; 4] {
    let of = stage(kind, intervals, level);
    let all: Vec<[f64; 4]> = (1..=repeats)
        .into_par_iter()
        .map(|repeat| held(kind, &truth, customers, &of, repeat))
        .collect();
    std::array::from_fn(|i| all.iter().map(|held| held[i]).sum::<f64>() / repeats as f64)
}

/// So few repeats tell a share within about three standard errors of it. The intervals are of 70%, of which so few
/// can hold too much as well as too little.
#[test]
fn intervals_of_totals_hold_the_truth_about_as_often_as_they_say() {
    let level = 0.7;
    let near = |shares: [f64; 4], repeats: f64| {
        let off = 3.0 * (level * (1.0 - level) / repeats).sqrt();
        assert!(level + off < 1.0, "{repeats} repeats cannot tell that too much is held");
        shares.iter().all(|share| (share - level).abs() < off)
    };
    let [bg, mbg, ..] = POPULATIONS;
    let shares = coverage(bg, 400, Intervals::Delta, level, 60);
    assert!(near(shares, 60.0), "delta {shares:?}");
    let drawn = Intervals::Bootstrap { draws: 40, seed: 5 };
    let shares = coverage(mbg, 200, drawn, level, 30);
    assert!(near(shares, 30.0), "bootstrap {shares:?}");
}

#[test]
#[ignore = "takes minutes without optimisation; `just verify` runs it, and a short version is always run"]
fn intervals_hold_the_truth_of_customers_and_totals() {
    let check = |population, customers, intervals| {
        let shares = coverage(population, customers, intervals, 0.9, 400);
        assert!(
            shares.iter().all(|share| (0.85..=0.95).contains(share)),
            "{population:?} {intervals:?} {shares:?}"
        );
    };
    for population in POPULATIONS {
        check(population, 2_000, Intervals::Delta);
    }
    let [bg, mbg, ..] = POPULATIONS;
    for population in [bg, mbg] {
        check(population, 500, Intervals::Bootstrap { draws: 80, seed: 5 });
    }
}
