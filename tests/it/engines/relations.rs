//! Chains through unions and through rows chosen by key, and joins of every kind.

use tenure::ir::relation::{self, Order};
use tenure::ir::{Expr, JoinKind, Measure, MeasureFunc, RelRef, SortKey, named};

use super::aggregates::aggregate;
use super::{expr, history};
use crate::support::{Draw, Written, agree, calendar, law, scan};

/// One row per key, in an order in which rows may tie.
fn deduped(draw: &mut Draw, input: &RelRef) -> RelRef {
    let count = draw.below(3);
    let keys: Vec<Expr> =
        (0..count).map(|_| expr(input, draw.pick(&["c", "t", "ch", "i % 2", "m"]))).collect();
    let order = (0..draw.below(3))
        .map(|_| Order {
            value: expr(input, draw.pick(&["t", "m", "x", "ch"])),
            descending: draw.one_in(2),
        })
        .collect();
    relation::dedupe(input, keys, order).expect("typed")
}

/// Some rows of the input, or all.
fn some(draw: &mut Draw, input: &RelRef) -> RelRef {
    let text = draw.pick(&["i > 0", "ch <> 'web'", "m is not null", "true"]);
    relation::filter(input, expr(input, text)).expect("a bool")
}

/// A union of parts of one source: scanned apart, chosen by key, or reduced.
fn united(draw: &mut Draw, input: &RelRef) -> RelRef {
    let parts = (0..=draw.below(3))
        .map(|_| {
            let part = some(draw, input);
            match draw.below(4) {
                0 => deduped(draw, &part),
                1 => relation::sort(&part, vec![SortKey::ascending("id")]).expect("a column"),
                _ => part,
            }
        })
        .collect();
    relation::union(parts).expect("the same columns")
}

/// All columns in order: where rows come from does not show.
fn ordered(rel: &RelRef) -> RelRef {
    let keys = rel.schema.names().map(SortKey::ascending).collect();
    relation::sort(rel, keys).expect("its own columns")
}

#[test]
fn both_engines_choose_the_same_rows() {
    law(120, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = some(draw, &scan(&frame.schema));
        let chosen = deduped(draw, &input);
        let again = some(draw, &chosen);
        let rel = match draw.below(3) {
            0 => ordered(&chosen),
            1 => ordered(&deduped(draw, &again)),
            _ => aggregate(draw, &again),
        };
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar, draw).map(|_| ())
    });
}

#[test]
fn both_engines_unite_alike() {
    law(120, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        let whole = united(draw, &input);
        let more = vec![named("i", expr(&whole, "coalesce(i, 0) + 1"))];
        let chain = relation::extend(&some(draw, &whole), more).expect("typed");
        let rel = match draw.below(3) {
            0 => ordered(&chain),
            1 => ordered(&deduped(draw, &chain)),
            _ => aggregate(draw, &chain),
        };
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar, draw).map(|_| ())
    });
}

#[test]
fn both_engines_put_totals_beside_rows_alike() {
    law(120, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        let rows = match draw.below(4) {
            0 => input.clone(),
            1 => some(draw, &input),
            2 => united(draw, &input),
            _ => ordered(&deduped(draw, &input)),
        };
        let counted = if draw.one_in(2) { &rows } else { &input };
        let totals = relation::aggregate(
            &some(draw, counted),
            vec![],
            vec![
                named("rows", Measure::of(MeasureFunc::CountRows)),
                named("most", Measure::of(MeasureFunc::Max(expr(counted, "i")))),
            ],
        );
        let totals = totals.expect("typed");
        let beside = relation::join(&rows, &totals, vec![], JoinKind::Inner, false).expect("typed");
        // Totals beside totals, and what reads both.
        let beside = match draw.below(2) {
            0 => beside,
            _ => {
                let more = vec![named("all", Measure::of(MeasureFunc::CountRows))];
                let more = relation::aggregate(&beside, vec![], more).expect("typed");
                relation::join(&beside, &more, vec![], JoinKind::Left, false).expect("typed")
            }
        };
        let rel = match draw.below(3) {
            0 => ordered(&beside),
            1 => {
                let share = vec![named("share", expr(&beside, "coalesce(i, 0) + rows"))];
                ordered(&relation::extend(&some(draw, &beside), share).expect("typed"))
            }
            _ => aggregate(draw, &beside),
        };
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar, draw).map(|_| ())
    });
}

#[test]
fn both_engines_join_alike() {
    law(120, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let left = scan(&frame.schema);
        let per_channel = relation::aggregate(
            &some(draw, &left),
            vec![named("channel", expr(&left, "ch")), named("who", expr(&left, "c"))],
            vec![named("n", Measure::of(MeasureFunc::CountRows))],
        )
        .expect("typed");
        let keys = match draw.below(3) {
            0 => vec![("ch", "channel")],
            1 => vec![("c", "who")],
            _ => vec![("ch", "channel"), ("c", "who")],
        };
        let keys = keys.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        let kind = draw.pick(&[
            JoinKind::Inner,
            JoinKind::Left,
            JoinKind::Full,
            JoinKind::Semi,
            JoinKind::Anti,
        ]);
        let joined = relation::join(&left, &per_channel, keys, kind, draw.one_in(2));
        let rel = ordered(&joined.expect("distinct names"));
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar, draw).map(|_| ())
    });
}
