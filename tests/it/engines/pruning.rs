//! Row groups that are left unread: nothing but time tells of them.

use std::cell::Cell;
use std::collections::BTreeMap;

use tenure::engine::local::{Local, foresee};
use tenure::engine::{Engine, EngineError, Unwatched};
use tenure::frame::{DataType, Frame};
use tenure::ir::relation::{self, BadRowAction, BadRows, Rule, Scan};
use tenure::ir::typing::call;
use tenure::ir::{Expr, Func, RelRef, SortKey, named};

use super::expr;
use super::expressions::{COLUMNS, Grammar, Take, things, value};
use crate::support::{Draw, SOURCE, Written, by_reference, calendar, equal, law, scan};

/// The rows in the order of one column, as logs are: row groups then hold different values of it.
fn in_order(frame: &Frame, draw: &mut Draw) -> (Frame, &'static str, Take, DataType) {
    let ordered: Vec<_> =
        COLUMNS.iter().filter(|(name, ..)| ["t", "d", "i", "s", "m", "b"].contains(name)).collect();
    let &(name, take, data_type) = ordered[draw.below(ordered.len())];
    let place = frame.schema.index_of(name).expect("a column");
    let mut rows = frame.to_rows();
    rows.sort_by(|a, b| a[place].cmp(&b[place]));
    let sorted = Frame::from_rows(frame.schema.clone(), &rows).expect("the same rows");
    (sorted, name, take, data_type)
}

/// A condition that holds of a part of what is in order, or any.
fn condition(
    draw: &mut Draw,
    grammar: &Grammar,
    (name, take, data_type): (&str, Take, DataType),
) -> Expr {
    let column = Expr::column(name, data_type);
    let literal = |draw: &mut Draw| {
        let value = value(draw, take);
        let data_type = value.data_type().unwrap_or(data_type);
        Expr::literal(value, data_type)
    };
    let made = match draw.below(8) {
        0 => return grammar.argument(draw, Take::Bool, 2),
        1 => call(Func::IsNull, vec![column]),
        2 => call(Func::IsNull, vec![column]).and_then(|null| call(Func::Not, vec![null])),
        3 => call(Func::In, vec![column, literal(draw), literal(draw)]),
        4 if matches!(take, Take::Date | Take::Time) => {
            let unit = tenure::document::TimeUnit::Month;
            let of = |time| call(Func::DateTrunc(unit), vec![time]);
            of(column).and_then(|a| Ok((a, of(literal(draw))?))).and_then(|(a, b)| {
                call(draw.pick(&[Func::Less, Func::Equal, Func::GreaterEqual]), vec![a, b])
            })
        }
        _ => {
            let func = draw.pick(&[
                Func::Less,
                Func::LessEqual,
                Func::Greater,
                Func::GreaterEqual,
                Func::Equal,
                Func::NotEqual,
                Func::IsDistinct,
            ]);
            let sides = [column, literal(draw)];
            let sides =
                if draw.one_in(3) { sides.into_iter().rev().collect() } else { sides.into() };
            call(func, sides)
        }
    };
    made.expect("types that compare")
}

/// The scan, with a contract at times.
fn contract(draw: &mut Draw, plain: &RelRef) -> RelRef {
    let all = [
        ("i", "a value below -99", "i < -99"),
        ("t", "a null", "t is null"),
        ("d", "a null", "d is null"),
    ];
    let rules = all
        .into_iter()
        .filter(|_| draw.one_in(3))
        .map(|(column, fault, violated)| Rule {
            column: column.into(),
            fault: fault.into(),
            violated: expr(plain, violated),
        })
        .collect();
    let bad_rows = BadRows { action: BadRowAction::Drop, tolerate: 1.0 };
    Scan { rules, bad_rows, ..Scan::of(SOURCE) }.with_schema(plain.schema.clone())
}

fn sorted(rel: &RelRef) -> RelRef {
    let keys = rel.schema.names().map(SortKey::ascending).collect();
    relation::sort(rel, keys).expect("its own columns")
}

#[test]
fn what_is_left_unread_shows_in_no_table_and_no_count() {
    let grammar = Grammar::new();
    let (pruned, read) = (Cell::new(0), Cell::new(0));
    law(400, |draw| {
        let calendar = calendar(draw);
        let frame = things(draw);
        let (frame, name, take, data_type) = in_order(&frame, draw);
        let input = contract(draw, &scan(&frame.schema));
        let extended = match draw.below(3) {
            0 => input.clone(),
            1 => relation::extend(&input, vec![named("more", expr(&input, "coalesce(i, 0) > 3"))])
                .expect("typed"),
            // This fails for some rows, whether or not they pass.
            _ => relation::extend(&input, vec![named("more", expr(&input, "i * i * i * i"))])
                .expect("typed"),
        };
        let mut chain = extended;
        for _ in 0..1 + draw.below(2) {
            let conditions: Vec<Expr> = (0..1 + draw.below(2))
                .map(|_| condition(draw, &grammar, (name, take, data_type)))
                .collect();
            let func = draw.pick(&[Func::And, Func::And, Func::Or]);
            let condition = conditions
                .into_iter()
                .reduce(|a, b| call(func, vec![a, b]).expect("conditions"))
                .expect("one at least");
            chain = relation::filter(&chain, condition).expect("a condition");
        }
        let rel = sorted(&chain);
        let written = Written::new(&frame, draw).in_order();
        let sources = BTreeMap::from([(SOURCE.to_owned(), written.source(draw))]);
        let passes = foresee(&sources, &calendar, std::slice::from_ref(&rel));
        for pass in passes.map_err(|error| error.to_string())? {
            pruned.set(pruned.get() + pass.pruned.0);
            read.set(read.get() + pass.row_groups - pass.pruned.0);
        }
        let expected = by_reference(&rel, &frame, &calendar);
        let local = Local::new(sources, calendar.clone(), 1 + draw.below(3), &Unwatched)
            .map_err(|error| error.to_string())?;
        let story = |what: String| format!("{what}\n{}", tenure::ir::explain::explain(&rel));
        match (expected, local.run(std::slice::from_ref(&rel))) {
            (Ok(expected), Ok(found)) => equal(&expected, &found[0], 1e-12).map_err(story)?,
            (
                Err(EngineError::Evaluate(_)),
                Err(EngineError::Evaluate(_) | EngineError::EvaluateAt { .. }),
            ) => return Ok(()),
            (Ok(_), Err(error)) => return Err(story(format!("only the local one fails: {error}"))),
            (Err(error), _) => return Err(story(format!("the oracle: {error}"))),
        }
        let counts = local.counts();
        for rel in [&input, &chain] {
            let expected = by_reference(rel, &frame, &calendar).map_err(|e| e.to_string())?;
            let found = counts.of(rel);
            if found != Some(expected.rows() as u64) {
                return Err(story(format!("{} rows, counted {found:?}", expected.rows())));
            }
        }
        let found = local.findings(SOURCE).expect("the source was read");
        match found.rejected.rows == frame.rows() as u64 {
            true => Ok(()),
            false => Err(story(format!("{} of {} rows seen", found.rejected.rows, frame.rows()))),
        }
    });
    // Both ways are taken often.
    let (pruned, read) = (pruned.get(), read.get());
    assert!(pruned > 100 && read > 100, "{pruned} row groups were left unread, {read} were not");
}
