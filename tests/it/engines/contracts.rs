//! Bad rows: the same ones on both engines, whatever the files, row groups and threads.

use tenure::engine::EngineError;
use tenure::ir::relation::{self, BadRowAction, BadRows, Rule, Scan};
use tenure::ir::{RelRef, SortKey};

use super::aggregates::aggregate;
use super::{expr, history};
use crate::support::{Draw, SOURCE, Written, by_local, by_reference, calendar, equal, law, scan};

/// Some clauses of a contract over the columns of a history.
fn rules(input: &RelRef, draw: &mut Draw) -> Vec<Rule> {
    let all = [
        ("c", "a null", "c is null"),
        ("m", "a value below 0", "m < 0"),
        ("ch", "an empty text", "ch = ''"),
        ("i", "a value above 3", "i > 3"),
        ("x", "a value below its number", "x < i"),
    ];
    let count = 1 + draw.below(all.len());
    let chosen = draw.shuffled(all.to_vec()).into_iter().take(count);
    chosen
        .map(|(column, fault, violated)| Rule {
            column: column.into(),
            fault: fault.into(),
            violated: expr(input, violated),
        })
        .collect()
}

/// The scan with a contract.
fn contract(input: &RelRef, rules: Vec<Rule>, bad_rows: BadRows) -> RelRef {
    Scan { rules, bad_rows, ..Scan::of(SOURCE) }.with_schema(input.schema.clone())
}

/// Sorted by all its columns.
fn sorted(rel: &RelRef) -> RelRef {
    let keys = rel.schema.names().map(SortKey::ascending).collect();
    relation::sort(rel, keys).expect("its own columns")
}

#[test]
fn bad_rows_are_parted_alike() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let plain = scan(&frame.schema);
        let action = draw.pick(&[BadRowAction::Quarantine, BadRowAction::Drop]);
        let bad_rows = BadRows { action, tolerate: 1.0 };
        let input = contract(&plain, rules(&plain, draw), bad_rows);
        let kept: Vec<String> =
            input.schema.names().filter(|_| !draw.one_in(4)).map(str::to_owned).collect();
        let rejected = relation::rejected(&input, &kept).expect("a scan");
        // One pass with good and bad rows and a fold on it.
        let rels = vec![sorted(&input), sorted(&rejected), aggregate(draw, &input)];
        let mut first: Option<Vec<_>> = None;
        for threads in 1..=3 {
            let written = Written::new(&frame, draw);
            let found = by_local(&rels, written.source(draw), &calendar, threads);
            let Ok(found) = found else {
                // A value without a result, which the oracle does not find either.
                return match by_reference(&rels[2], &frame, &calendar) {
                    Err(EngineError::Evaluate(_)) => Ok(()),
                    _ => Err("only the local engine fails".into()),
                };
            };
            for (rel, found) in rels.iter().zip(&found) {
                let expected =
                    by_reference(rel, &frame, &calendar).map_err(|error| error.to_string())?;
                equal(&expected, found, 1e-12)?;
            }
            if first.as_ref().is_some_and(|first: &Vec<_>| {
                first
                    .iter()
                    .zip(&found)
                    .any(|(a, b): (&tenure::frame::Frame, _)| a.batch != b.batch)
            }) {
                return Err("the columns are not equal to the last bit".into());
            }
            first.get_or_insert(found);
        }
        Ok(())
    });
}

#[test]
fn what_a_contract_does_not_bear_is_counted_alike() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let plain = scan(&frame.schema);
        let bad_rows = match draw.below(3) {
            0 => BadRows::FAIL,
            1 => BadRows { action: BadRowAction::Quarantine, tolerate: 0.5 },
            _ => BadRows { action: BadRowAction::Drop, tolerate: 0.1 },
        };
        let input = contract(&plain, rules(&plain, draw), bad_rows);
        let rel = sorted(&input);
        let expected = by_reference(&rel, &frame, &calendar);
        for threads in 1..=3 {
            let written = Written::new(&frame, draw);
            let found =
                by_local(std::slice::from_ref(&rel), written.source(draw), &calendar, threads);
            match (&expected, found) {
                (Ok(expected), Ok(found)) => equal(expected, &found[0], 0.0)?,
                (Err(EngineError::Contract(a)), Err(EngineError::Contract(b))) => {
                    if a.rejected != b.rejected {
                        return Err(format!("{a}\n{b}"));
                    }
                }
                (Ok(_), Err(error)) => return Err(format!("only the local one fails: {error}")),
                (Err(error), Ok(_)) => return Err(format!("only the oracle fails: {error}")),
                (Err(a), Err(b)) => return Err(format!("{a}\n{b}")),
            }
        }
        Ok(())
    });
}
