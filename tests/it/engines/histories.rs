//! `Summary`, `History` and `CohortGrid`: the fold is its expansion, on both engines.

use tenure::document::{DAY_MICROS, TimeUnit};
use tenure::frame::Frame;
use tenure::ir::relation::{expand_all, filter};
use tenure::ir::{
    Ages, Calendar, CohortGrid, Events, Expr, History, Named, Refunds, RelRef, Returned, Steps,
    Summary, ZeroValues, named,
};

use super::{expr, history};
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
