//! Same input, same bytes: neither threads nor files nor row groups show in a result.

use tenure::ir::RelRef;

use super::aggregates::aggregate;
use super::histories::{any_grid, any_history, any_summary};
use super::history;
use crate::support::{Written, by_local, calendar, equal, law, scan};

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
