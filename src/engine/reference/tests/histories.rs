use super::{check, expr, lines, run, values};
use crate::document::{DAY_MICROS, TimeUnit};
use crate::frame::Value;
use crate::ir::{
    Ages, CohortGrid, Events, History, Refunds, RelRef, Returned, Steps, Summary, ZeroValues, named,
};

fn events(input: &RelRef) -> Events {
    Events {
        customer: named("customer_id", expr(input, "c")),
        time: expr(input, "t"),
        value: Some(expr(input, "v")),
        tie: vec![expr(input, "id")],
    }
}

/// Days since 1970-01-01.
fn day(text: &str) -> i32 {
    match expr(&values("unused bool", &[]), &format!("date '{text}'")).as_literal() {
        Some(Value::Date(days)) => *days,
        other => unreachable!("{other:?} is not a date"),
    }
}

#[test]
fn a_history() {
    let input = values(
        "id int64, c int64, t date, v money",
        &[
            "1,2,2026-02-07,20",
            "2,1,2026-01-05,10",
            "3,1,2026-01-30,-3",
            "4,,2026-01-30,5",
            "5,1,,5",
            "6,1,2026-02-09,",
        ],
    );
    let by_month = |input: &RelRef, events| {
        History { input: input.clone(), events, unit: TimeUnit::Month }
            .build()
            .expect("distinct names")
    };
    check(
        &by_month(&input, events(&input)),
        &[
            "1,2026-01-01,2,7.00,2026-01-05,2026-01-30",
            "1,2026-02-01,1,0.00,2026-02-09,2026-02-09",
            "2,2026-02-01,1,20.00,2026-02-07,2026-02-07",
        ],
    );
    let plain = Events { value: None, ..events(&input) };
    check(
        &by_month(&input, plain),
        &[
            "1,2026-01-01,2,,2026-01-05,2026-01-30",
            "1,2026-02-01,1,,2026-02-09,2026-02-09",
            "2,2026-02-01,1,,2026-02-07,2026-02-07",
        ],
    );
}

/// The example of the pipeline reference, as of 2026-03-15, with a segment by customer.
fn grid(end: &str, change: impl FnOnce(&RelRef, &mut CohortGrid)) -> RelRef {
    let input = values(
        "id int64, c int64, t date, v money, s string",
        &["1,1,2026-01-05,10,x", "2,1,2026-02-09,15,y", "3,2,2026-02-07,20,"],
    );
    let mut grid = CohortGrid {
        input: input.clone(),
        events: events(&input),
        entering: None,
        active: None,
        by: vec![],
        cohort: TimeUnit::Month,
        age: TimeUnit::Month,
        steps: Steps::Calendar,
        returned: Returned::Exactly,
        ages: Ages::Each { last: None },
        end: i64::from(day(end)) * DAY_MICROS,
    };
    change(&input, &mut grid);
    grid.build().expect("distinct names")
}

#[test]
fn a_cohort_grid() {
    check(
        &grid("2026-03-15", |_, _| {}),
        &[
            "2026-01-01,0,2026-01-01,1,1,1,1,1,10.00,10.00",
            "2026-01-01,1,2026-02-01,1,1,1,1,1,15.00,25.00",
            // 14 of 31 days.
            "2026-01-01,2,2026-03-01,0.45161290322580644,1,,,,,",
            "2026-02-01,0,2026-02-01,1,1,1,1,1,20.00,20.00",
            "2026-02-01,1,2026-03-01,0.45161290322580644,1,,,,,",
            "2026-02-01,2,2026-04-01,0,1,,,,,",
        ],
    );
}

#[test]
fn a_cohort_grid_by_the_segment_of_entry() {
    let by = |input: &RelRef, grid: &mut CohortGrid| {
        grid.by = vec![named("segment", expr(input, "s"))];
        grid.returned = Returned::OnOrAfter;
        grid.ages = Ages::Each { last: Some(1) };
    };
    check(
        &grid("2026-03-15", by),
        &[
            "2026-01-01,x,0,2026-01-01,1,1,1,1,1,10.00,10.00",
            "2026-01-01,x,1,2026-02-01,1,1,1,1,1,15.00,25.00",
            "2026-02-01,,0,2026-02-01,1,1,1,1,1,20.00,20.00",
            "2026-02-01,,1,2026-03-01,0.45161290322580644,1,,,,,",
        ],
    );
}

#[test]
fn coming_back_later_counts_on_or_after() {
    let input = values(
        "id int64, c int64, t date, v money",
        &["1,1,2026-01-05,1", "2,1,2026-03-05,2", "3,2,2026-01-09,4"],
    );
    let retained = |returned| {
        let rel = CohortGrid {
            input: input.clone(),
            events: events(&input),
            entering: None,
            active: None,
            by: vec![],
            cohort: TimeUnit::Quarter,
            age: TimeUnit::Month,
            steps: Steps::Calendar,
            returned,
            ages: Ages::Each { last: Some(1) },
            end: i64::from(day("2026-07-01")) * DAY_MICROS,
        };
        lines(run(&rel.build().expect("distinct names")))
    };
    // Age 0 is the whole first quarter.
    assert_eq!(
        retained(Returned::Exactly),
        [
            "2026-01-01,0,2026-01-01,1,2,2,2,3,7.00,7.00",
            "2026-01-01,1,2026-04-01,1,2,2,0,0,0.00,7.00"
        ]
    );
    let monthly = |returned| {
        let rel = CohortGrid {
            input: input.clone(),
            events: events(&input),
            entering: None,
            active: None,
            by: vec![],
            cohort: TimeUnit::Month,
            age: TimeUnit::Month,
            steps: Steps::Calendar,
            returned,
            ages: Ages::Each { last: Some(1) },
            end: i64::from(day("2026-04-01")) * DAY_MICROS,
        };
        lines(run(&rel.build().expect("distinct names")))
    };
    assert_eq!(monthly(Returned::Exactly)[1], "2026-01-01,1,2026-02-01,1,2,2,0,0,0.00,5.00");
    assert_eq!(monthly(Returned::OnOrAfter)[1], "2026-01-01,1,2026-02-01,1,2,2,1,0,0.00,5.00");
    assert_eq!(monthly(Returned::OnOrAfter)[0], "2026-01-01,0,2026-01-01,1,2,2,2,2,5.00,5.00");
}

#[test]
fn inactive_events_enter_but_do_not_retain() {
    let active = |input: &RelRef, grid: &mut CohortGrid| {
        grid.active = Some(expr(input, "v > 10"));
        grid.ages = Ages::Each { last: Some(1) };
    };
    check(
        &grid("2026-03-15", active),
        &[
            "2026-01-01,0,2026-01-01,1,1,1,0,0,0.00,0.00",
            "2026-01-01,1,2026-02-01,1,1,1,1,1,15.00,15.00",
            "2026-02-01,0,2026-02-01,1,1,1,1,1,20.00,20.00",
            "2026-02-01,1,2026-03-01,0.45161290322580644,1,,,,,",
        ],
    );
}

#[test]
fn brackets_steps_and_other_entries() {
    let input = values(
        "id int64, c int64, t date, v money, entry bool",
        &[
            "1,1,2026-01-05,,true",
            "2,1,2026-01-04,9,false", // The day before the entry.
            "3,1,2026-01-05,1,false",
            "4,1,2026-01-07,2,false",
            "5,1,2026-01-10,4,false",
            "6,2,2026-01-08,,true",
            "7,2,2026-01-12,8,false",
            "8,3,2026-01-06,7,false", // Never enters.
        ],
    );
    let grid = |steps, returned, ages| {
        let rel = CohortGrid {
            input: input.clone(),
            events: events(&input),
            entering: Some(expr(&input, "entry")),
            active: Some(expr(&input, "not entry")),
            by: vec![],
            cohort: TimeUnit::Week,
            age: TimeUnit::Day,
            steps,
            returned,
            ages,
            end: i64::from(day("2026-01-11")) * DAY_MICROS,
        };
        lines(run(&rel.build().expect("distinct names")))
    };
    // The week ends on the 11th, whose event is not seen yet by anyone's age 0.
    assert_eq!(
        grid(Steps::Calendar, Returned::Exactly, Ages::Each { last: Some(0) }),
        ["2026-01-05,0,2026-01-05,0.8571428571428571,2,,,,,"]
    );
    let brackets = || Ages::Brackets(vec![(0, 0), (2, 4)]);
    // Customer 1 has lived six days, customer 2 three: one of the three days of the bracket.
    assert_eq!(
        grid(Steps::Rolling, Returned::Exactly, brackets()),
        [
            "2026-01-05,0,0,,1,2,2,1,1,1.00,1.00",
            "2026-01-05,2,4,,0.6666666666666666,2,1,1,1,2.00,3.00",
        ]
    );
    let retained =
        |returned| -> Vec<String> { grid(Steps::Rolling, returned, Ages::Each { last: None }) };
    assert_eq!(
        retained(Returned::OnOrAfter),
        [
            "2026-01-05,0,,1,2,2,2,1,1.00,1.00",
            "2026-01-05,1,,1,2,2,2,0,0.00,1.00",
            "2026-01-05,2,,1,2,2,2,1,2.00,3.00",
            "2026-01-05,3,,0.5,2,1,1,0,0.00,3.00",
            "2026-01-05,4,,0.5,2,1,1,0,0.00,3.00",
            "2026-01-05,5,,0.5,2,1,1,1,4.00,7.00",
        ]
    );
    assert_eq!(
        retained(Returned::Through)[..2],
        ["2026-01-05,0,,1,2,2,1,1,1.00,1.00", "2026-01-05,1,,1,2,2,0,0,0.00,1.00"]
    );
}

fn summary(rows: &[&str], change: impl FnOnce(&RelRef, &mut Summary)) -> RelRef {
    let input = values("id int64, c int64, t timestamp, v money, s string", rows);
    let mut summary = Summary {
        input: input.clone(),
        events: events(&input),
        carry: vec![named("channel", expr(&input, "s"))],
        unit: TimeUnit::Day,
        collapse: true,
        refunds: Refunds::Net,
        zero_values: ZeroValues::Keep,
        end: i64::from(day("2026-02-01")) * DAY_MICROS,
        last_day: day("2026-01-31"),
    };
    change(&input, &mut summary);
    summary.build().expect("distinct names")
}

const PURCHASES: &[&str] = &[
    "1,1,2026-01-05T10:00Z,10,web",
    "2,1,2026-01-05T18:00Z,6,shop",
    "3,1,2026-01-11T09:00Z,8,web",
    "4,1,2026-01-11T10:00Z,-3,web", // Nets to 5 on the 11th.
    "5,1,2026-01-20T10:00Z,-4,web", // A day below 0 is no purchase.
    "6,2,2026-01-31T10:00Z,7,",
    "7,3,2026-01-09T10:00Z,-7,web", // Never bought.
    "8,4,2026-01-10T10:00Z,0,web",
    "9,4,2026-01-12T10:00Z,9,shop",
];

#[test]
fn a_summary_by_day() {
    check(
        &summary(PURCHASES, |_, _| {}),
        &[
            // first, last, orders, days, x, t_x, T, since, value, average, monetary
            "1,web,2026-01-05,2026-01-11,3,2,1,6,26,20,21.00,7,5",
            "2,,2026-01-31,2026-01-31,1,1,0,0,0,0,7.00,7,",
            "4,web,2026-01-10,2026-01-12,2,2,1,2,21,19,9.00,4.5,9",
        ],
    );
}

#[test]
fn a_summary_without_refunds_and_zero_values() {
    let change = |_: &RelRef, summary: &mut Summary| {
        summary.refunds = Refunds::Drop;
        summary.zero_values = ZeroValues::Drop;
        summary.unit = TimeUnit::Week;
    };
    let lines = lines(run(&summary(PURCHASES, change)));
    assert_eq!(
        lines[0],
        format!(
            "1,web,2026-01-05,2026-01-11,3,2,1,{},{},{},24.00,8,8",
            6.0 / 7.0,
            26.0 / 7.0,
            20.0 / 7.0
        )
    );
    assert_eq!(
        lines[2],
        format!("4,shop,2026-01-12,2026-01-12,1,1,0,0,{},{},9.00,9,", 19.0 / 7.0, 19.0 / 7.0)
    );
}

#[test]
fn a_summary_by_order() {
    let change = |_: &RelRef, summary: &mut Summary| {
        summary.collapse = false;
        summary.refunds = Refunds::Keep;
        summary.carry.clear();
    };
    let lines = lines(run(&summary(PURCHASES, change)));
    assert_eq!(
        lines[0],
        format!(
            "1,2026-01-05T10:00:00Z,2026-01-20T10:00:00Z,5,3,4,15,{},{},17.00,3.4,1.75",
            26.0 + 14.0 / 24.0,
            11.0 + 14.0 / 24.0
        )
    );
    assert_eq!(
        lines[2],
        format!(
            "3,2026-01-09T10:00:00Z,2026-01-09T10:00:00Z,1,1,0,0,{0},{0},-7.00,-7,",
            22.0 + 14.0 / 24.0
        )
    );
}

#[test]
fn summaries_without_values_and_without_events() {
    let change = |_: &RelRef, summary: &mut Summary| summary.events.value = None;
    let lines = lines(run(&summary(PURCHASES, change)));
    assert_eq!(lines[0], "1,web,2026-01-05,2026-01-20,5,3,2,15,26,11,,,");
    assert_eq!(lines.len(), 4);
    check(&summary(&[], |_, _| {}), &[]);
    let nobody = |input: &RelRef, grid: &mut CohortGrid| {
        grid.input = crate::ir::relation::filter(input, expr(input, "c > 9")).expect("typed");
    };
    check(&grid("2026-03-15", nobody), &[]);
}
