//! Same input, same bytes: neither threads nor files nor row groups show in a result.

use std::collections::BTreeMap;

use tenure::engine::local::Local;
use tenure::engine::{Engine, Unwatched};
use tenure::ir::RelRef;

use super::aggregates::aggregate;
use super::histories::{any_grid, any_history, any_movements, any_summary};
use super::history;
use crate::support::{SOURCE, Written, by_local, calendar, equal, law, scan};

#[test]
fn the_way_rows_are_stored_does_not_show() {
    law(60, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        // One pass with several folds on it.
        let rels: Vec<RelRef> = vec![
            aggregate(draw, &input),
            any_summary(draw, input.clone(), &calendar),
            any_history(draw, input.clone()),
            any_grid(draw, input, &calendar),
        ];
        let mut first = None;
        for threads in 1..=3 {
            let written = Written::new(&frame, draw);
            let run = by_local(&rels, written.source(draw), &calendar, threads);
            let Ok(frames) = run else {
                if first.is_some() {
                    return Err("one way fails, another does not".into());
                }
                return Ok(());
            };
            match &first {
                None => first = Some(frames),
                Some(first) => {
                    for (a, b) in first.iter().zip(&frames) {
                        equal(a, b, 0.0)?;
                        // Equal to the last bit, which comparing values would not tell of decimals.
                        if a.batch != b.batch {
                            return Err("the values are equal, the columns are not".into());
                        }
                    }
                }
            }
        }
        Ok(())
    });
}

#[test]
fn what_does_not_fit_is_put_aside_and_does_not_show() {
    law(30, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        let rels = [any_summary(draw, input.clone(), &calendar), any_movements(draw, input)];
        let written = Written::new(&frame, draw);
        let engine = |draw: &mut _| {
            let sources = BTreeMap::from([(SOURCE.to_owned(), written.source(draw))]);
            let engine = Local::new(sources, calendar.clone(), 2, &Unwatched);
            engine.expect("threads").large_from(5)
        };
        let folder = tempfile::tempdir().expect("a folder");
        let aside = engine(draw).always_aside(folder.path().to_owned());
        let (held, found) = (engine(draw).run(&rels), aside.run(&rels));
        let (Ok(held), Ok(found)) = (held, found) else { return Ok(()) };
        held.iter().zip(&found).try_for_each(|(held, found)| equal(held, found, 0.0))?;
        match aside.put_aside() {
            // Of few rows nothing is gathered.
            0 if frame.rows() > 5 => Err("nothing was put aside".into()),
            _ => Ok(()),
        }
    });
}
