//! `Summary`, `History`, `CohortGrid`, `Movements` and `Repeats`: the fold is its expansion, on both engines.

use tenure::document::{DAY_MICROS, TimeUnit};
use tenure::frame::{DataType, Field, Frame, Schema, Value};
use tenure::ir::relation::{expand_all, filter, lookup, project, values};
use tenure::ir::{
    Ages, Calendar, CohortGrid, Events, Expr, History, Movements, Named, Refunds, RelRef,
    RepeatRules, Repeats, Returned, Steps, Summary, ZeroValues, named,
};

use super::{expr, history, optional};
use crate::support::{Draw, Written, agree, by_local, calendar, equal, law, scan};

fn events(draw: &mut Draw, input: &RelRef) -> Events {
    Events {
        customer: named("customer", expr(input, "c")),
        time: expr(input, "t"),
        value: (!draw.one_in(5)).then(|| expr(input, "m")),
        tie: if draw.one_in(3) { vec![] } else { vec![expr(input, "id")] },
    }
}

fn segments(draw: &mut Draw, input: &RelRef) -> Vec<Named<Expr>> {
    let columns = draw.shuffled(vec!["ch", "b", "x", "m"]);
    let count = draw.below(3);
    columns.iter().take(count).map(|name| named(format!("s_{name}"), expr(input, name))).collect()
}

const UNITS: &[TimeUnit] =
    &[TimeUnit::Month, TimeUnit::Day, TimeUnit::Week, TimeUnit::Quarter, TimeUnit::Year];

/// Some rows of the scan.
fn some(draw: &mut Draw, input: RelRef) -> RelRef {
    match draw.below(3) {
        0 => filter(&input, expr(&input, "b is distinct from true")).expect("a bool"),
        _ => input,
    }
}

/// The first day not observed: mostly after the last event.
fn end(draw: &mut Draw) -> i32 {
    19_662 + draw.pick(&[401, 40, 3, 700])
}

pub fn any_summary(draw: &mut Draw, input: RelRef, calendar: &Calendar) -> RelRef {
    let end = end(draw);
    let node = Summary {
        events: events(draw, &input),
        carry: segments(draw, &input),
        unit: draw.pick(UNITS),
        collapse: draw.one_in(2),
        refunds: draw.pick(&[Refunds::Net, Refunds::Drop, Refunds::Keep]),
        zero_values: draw.pick(&[ZeroValues::Keep, ZeroValues::Drop]),
        end: calendar.midnight(end),
        last_day: end - 1,
        input,
    };
    debug_assert!(node.end / DAY_MICROS - i64::from(end) <= 1);
    node.build().expect("distinct names")
}

pub fn any_history(draw: &mut Draw, input: RelRef) -> RelRef {
    let node = History { events: events(draw, &input), unit: draw.pick(UNITS), input };
    node.build().expect("distinct names")
}

pub fn any_grid(draw: &mut Draw, input: RelRef, calendar: &Calendar) -> RelRef {
    let flags = ["m > 0", "b", "ch <> 'web'"];
    let ages = match draw.below(3) {
        0 => Ages::Each { last: None },
        1 => Ages::Each { last: Some(draw.below(6) as i64) },
        _ => any_brackets(draw),
    };
    let end = calendar.midnight(end(draw));
    let node = CohortGrid {
        events: events(draw, &input),
        entering: draw.one_in(3).then(|| expr(&input, draw.pick(&flags))),
        active: draw.one_in(2).then(|| expr(&input, draw.pick(&flags))),
        by: segments(draw, &input),
        cohort: draw.pick(UNITS),
        age: draw.pick(UNITS),
        steps: draw.pick(Steps::ALL),
        returned: draw.pick(Returned::ALL),
        ages,
        // Mostly a midnight.
        end: end + draw.pick(&[0, 0, 0, 7 * DAY_MICROS / 24]),
        input,
    };
    node.build().expect("distinct names")
}

pub fn any_movements(draw: &mut Draw, input: RelRef) -> RelRef {
    let (events, by) = (events(draw, &input), segments(draw, &input));
    let last_day = end(draw) - 1;
    Movements::build(input, events, by, draw.pick(UNITS), last_day).expect("distinct names")
}

fn repeat_rules(draw: &mut Draw) -> RepeatRules {
    let day = end(draw);
    RepeatRules {
        collapse: draw.one_in(2),
        refunds: draw.pick(Refunds::ALL),
        zero_values: draw.pick(ZeroValues::ALL),
        since: draw.one_in(3).then(|| day - 400),
        before: draw.one_in(3).then(|| day - 30),
    }
}

pub fn any_repeats(draw: &mut Draw, input: RelRef) -> RelRef {
    let (events, by) = (events(draw, &input), segments(draw, &input));
    let rules = repeat_rules(draw);
    Repeats::build(input, events, by, rules).expect("distinct names")
}

/// One to four brackets, with gaps or without.
fn any_brackets(draw: &mut Draw) -> Ages {
    let mut next = draw.below(2) as i64;
    let mut brackets = Vec::new();
    for _ in 0..1 + draw.below(4) {
        let low = next + draw.pick(&[0, 0, 0, 2]);
        let high = low + draw.pick(&[0, 0, 1, 3]);
        brackets.push((low, high));
        next = high + 1;
    }
    Ages::Brackets(brackets)
}

/// Fold and expansion, on both engines.
fn one_definition(
    rel: &RelRef,
    frame: &Frame,
    calendar: &Calendar,
    draw: &mut Draw,
) -> Result<(), String> {
    let written = Written::new(frame, draw);
    let Some(folded) = agree(rel, frame, &written, calendar, draw)? else { return Ok(()) };
    let expanded = expand_all(rel).map_err(|error| error.to_string())?;
    let run = by_local(&[expanded], written.source(draw), calendar, 1 + draw.below(3));
    let run = run.map_err(|error| format!("the expansion: {error}"))?.remove(0);
    // The expansion's columns carry no units.
    let run = Frame { schema: folded.schema.clone(), batch: run.batch };
    equal(&folded, &run, 1e-12).map_err(|tables| format!("the expansion on local:\n{tables}"))
}

#[test]
fn a_summary_is_its_expansion() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = some(draw, scan(&frame.schema));
        let rel = any_summary(draw, input, &calendar);
        one_definition(&rel, &frame, &calendar, draw)
    });
}

#[test]
fn repeats_are_their_expansion() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = some(draw, scan(&frame.schema));
        let rel = any_repeats(draw, input);
        one_definition(&rel, &frame, &calendar, draw)
    });
}

#[test]
fn a_history_is_its_expansion() {
    law(120, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = some(draw, scan(&frame.schema));
        let rel = any_history(draw, input);
        one_definition(&rel, &frame, &calendar, draw)
    });
}

#[test]
fn a_cohort_grid_is_its_expansion() {
    law(200, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = some(draw, scan(&frame.schema));
        let rel = any_grid(draw, input, &calendar);
        one_definition(&rel, &frame, &calendar, draw)
    });
}

#[test]
fn movements_are_their_expansion() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = some(draw, scan(&frame.schema));
        let rel = any_movements(draw, input);
        one_definition(&rel, &frame, &calendar, draw)
    });
}

/// A table of customers, with some that nobody knows and some unknown; the plan may be null.
fn customers(draw: &mut Draw, frame: &Frame) -> RelRef {
    let data_type = frame.schema.fields[1].data_type;
    let schema = Schema::new(vec![
        Field::new("who", data_type),
        Field::new("plan", DataType::String),
        Field::new("seats", DataType::Int64),
    ]);
    let mut rows = Vec::new();
    for number in 0..6 {
        let who = match data_type {
            DataType::Int64 => Value::Int(number * 7 - 9),
            _ => Value::text(format!("k{number}")),
        };
        let plan = optional(draw, 3, |draw| Value::text(draw.pick(&["free", "paid"])));
        if !draw.one_in(4) {
            rows.push(vec![who, plan, Value::Int(draw.below(3) as i64)]);
        }
    }
    values(Frame::from_rows(schema.into(), &rows).expect("rows of these types"))
}

/// The history with the columns of a table of customers, by a chain of its own.
fn with_customers(draw: &mut Draw, events: &RelRef, table: &RelRef) -> RelRef {
    let rel = some(draw, events.clone());
    let columns = vec![("plan".into(), "plan".into()), ("seats".into(), "seats".into())];
    let rel = lookup(&rel, table, vec![(expr(&rel, "c"), "who".into())], columns).expect("typed");
    let rel = match draw.one_in(3) {
        true => filter(&rel, expr(&rel, draw.pick(&["m > 0", "seats > 0"]))).expect("a bool"),
        false => rel,
    };
    let names = ["id", "c", "t", "m", "plan", "seats"];
    let columns = names.map(|name| named(name, expr(&rel, name)));
    if draw.one_in(2) { project(&rel, columns.to_vec()).expect("typed") } else { rel }
}

/// Folds over the same events share them; what a customer is comes from a table, mostly.
#[test]
fn folds_of_one_history_are_the_same_together() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let (scanned, table) = (scan(&frame.schema), customers(draw, &frame));
        let end = end(draw);
        let unit = draw.pick(UNITS);
        let mut rels = Vec::new();
        for number in 0..4 {
            let input = with_customers(draw, &scanned, &table);
            let segments = ["plan", "seats > 1", "seats", "c"];
            let by: Vec<Named<Expr>> = (0..draw.below(3))
                .map(|index| named(format!("s{index}"), expr(&input, draw.pick(&segments))))
                .collect();
            let events = Events { tie: vec![expr(&input, "id")], ..events(draw, &input) };
            rels.push(match number {
                0 => Movements::build(input, events, by, unit, end - 1).expect("distinct names"),
                1 => CohortGrid {
                    input,
                    events,
                    entering: None,
                    active: None,
                    by,
                    cohort: unit,
                    age: draw.pick(UNITS),
                    steps: Steps::Calendar,
                    returned: draw.pick(Returned::ALL),
                    ages: Ages::Each { last: None },
                    end: calendar.midnight(end),
                }
                .build()
                .expect("distinct names"),
                2 => Repeats::build(input, events, by, repeat_rules(draw)).expect("distinct names"),
                _ => Summary {
                    input,
                    events,
                    carry: by,
                    unit,
                    collapse: true,
                    refunds: draw.pick(Refunds::ALL),
                    zero_values: draw.pick(ZeroValues::ALL),
                    end: calendar.midnight(end),
                    last_day: end - 1,
                }
                .build()
                .expect("distinct names"),
            });
        }
        let written = Written::new(&frame, draw);
        let threads = 1 + draw.below(3);
        let together = by_local(&rels, written.source(draw), &calendar, threads);
        let mut alone = Vec::new();
        for rel in &rels {
            match agree(rel, &frame, &written, &calendar, draw)? {
                Some(frame) => alone.push(frame),
                None => return Ok(()),
            }
        }
        let together = together.map_err(|error| error.to_string())?;
        alone.iter().zip(&together).try_for_each(|(alone, one)| equal(alone, one, 0.0))
    });
}

/// A run may tell customers apart by several columns, all over one scan.
#[test]
fn folds_by_several_customers_are_the_same_together() {
    law(60, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        let mut rels = vec![any_movements(draw, input.clone())];
        for column in draw.shuffled(vec!["c", "i", "ch"]) {
            let customer = named("customer", expr(&input, column));
            let events = Events { customer, ..events(draw, &input) };
            let unit = draw.pick(UNITS);
            let last_day = end(draw) - 1;
            let movements = Movements::build(input.clone(), events, Vec::new(), unit, last_day);
            rels.push(movements.expect("distinct names"));
        }
        let written = Written::new(&frame, draw);
        let together = by_local(&rels, written.source(draw), &calendar, 1 + draw.below(3));
        let together = together.map_err(|error| error.to_string())?;
        for (rel, one) in rels.iter().zip(&together) {
            if let Some(alone) = agree(rel, &frame, &written, &calendar, draw)? {
                equal(&alone, one, 0.0)?;
            }
        }
        Ok(())
    });
}
