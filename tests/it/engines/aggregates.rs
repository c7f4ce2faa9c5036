//! `Aggregate`: every measure under every kind of key.

use tenure::document::TimeUnit;
use tenure::frame::DataType;
use tenure::ir::typing::build::{period_of, period_start};
use tenure::ir::{Expr, Measure, MeasureFunc, Named, RelRef, named, relation};
use tenure::stats::CensoredBound;

use super::{expr, history};
use crate::support::{Draw, Written, agree, by_local, calendar, equal, law, scan};

/// An aggregate over the history: up to three keys, one to six measures.
pub fn aggregate(draw: &mut Draw, input: &RelRef) -> RelRef {
    let keys: Vec<Named<Expr>> =
        (0..draw.below(4)).map(|index| named(format!("key{index}"), key(draw, input))).collect();
    let measures: Vec<Named<Measure>> = (0..=draw.below(6))
        .map(|index| {
            let filter = match draw.below(3) {
                0 => None,
                _ => Some(expr(input, draw.pick(FILTERS))),
            };
            named(format!("measure{index}"), Measure::filtered(measure(draw, input), filter))
        })
        .collect();
    relation::aggregate(input, keys, measures).expect("a typed aggregate")
}

const FILTERS: &[&str] = &["b", "x > 0", "ch <> 'web'", "m is not null and m > 0", "i % 2 = 0"];

fn key(draw: &mut Draw, input: &RelRef) -> Expr {
    let unit = draw.pick(&[TimeUnit::Month, TimeUnit::Day, TimeUnit::Week, TimeUnit::Quarter]);
    match draw.below(11) {
        0 => expr(input, "ch"),
        1 => expr(input, "c"),
        2 => expr(input, "b"),
        3 => expr(input, "m"),
        4 => expr(input, "x"),
        5 => expr(input, "t"),
        6 => expr(input, "upper(ch)"),
        7 => expr(input, "i % 3"),
        8 => expr(input, draw.pick(&["date_trunc('month', t)", "date_trunc('week', t)"])),
        _ => {
            let period = period_of(unit, expr(input, "t")).expect("a time");
            period_start(unit, period).expect("a period")
        }
    }
}

/// Any measure over any of the columns it takes.
fn measure(draw: &mut Draw, input: &RelRef) -> MeasureFunc {
    use MeasureFunc as M;
    let any = |draw: &mut Draw| {
        expr(input, draw.pick(&["m", "x", "i", "ch", "b", "t", "c", "upper(ch)"]))
    };
    let number =
        |draw: &mut Draw| expr(input, draw.pick(&["m", "x", "i", "m * 2", "i * 0.5", "-x"]));
    match draw.below(14) {
        0 => M::CountRows,
        1 => M::Count(any(draw)),
        2 => M::CountDistinct(any(draw)),
        3 => M::Sum(number(draw)),
        4 => M::Min(any(draw)),
        5 => M::Max(any(draw)),
        6 => M::Mean(number(draw)),
        7 => M::Variance(number(draw)),
        8 => M::Quantile { value: number(draw), at: draw.pick(&[0.5, 0.0, 0.25, 0.9, 1.0]) },
        9 => M::RankBound {
            value: number(draw),
            at: draw.pick(&[0.5, 0.25, 0.9]),
            z: draw.pick(&[1.0, 0.1, 1.959963984540054]),
            upper: draw.one_in(2),
        },
        10 => M::CountReaching {
            of: any(draw),
            weight: expr(input, "i"),
            least: draw.below(5) as i64 - 1,
        },
        11 => M::LastingQuantile {
            value: number(draw),
            at: draw.pick(&[0.5, 0.25, 0.9]),
            bound: draw
                .one_in(2)
                .then(|| CensoredBound { z: draw.pick(&[1.0, 1.96]), upper: draw.one_in(2) }),
        },
        12 => M::CountVarying { of: any(draw), by: any(draw) },
        _ => {
            // At times a total order, at times one in which rows tie.
            let by = draw.pick(&["t", "m", "ch", "x", "id"]);
            M::First { value: any(draw), order: vec![any(draw), expr(input, by)] }
        }
    }
}

#[test]
fn both_engines_aggregate_alike() {
    law(150, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        let rel = aggregate(draw, &input);
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar, draw).map(|_| ())
    });
}

/// An aggregate of an aggregate, behind filters, projections and a look-up.
#[test]
fn both_engines_aggregate_chains_alike() {
    law(80, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let events = scan(&frame.schema);
        let filtered =
            relation::filter(&events, expr(&events, draw.pick(FILTERS))).expect("a bool");
        let per_customer = relation::aggregate(
            &events,
            vec![named("who", expr(&events, "c"))],
            vec![
                named("n", Measure::of(MeasureFunc::CountRows)),
                named("total", Measure::of(MeasureFunc::Sum(expr(&events, "m")))),
            ],
        )
        .expect("typed");
        let chain = match draw.one_in(2) {
            true => filtered,
            false => {
                let more = vec![named("i", expr(&filtered, "coalesce(i, 0) + 1"))];
                relation::extend(&filtered, more).expect("typed")
            }
        };
        let joined = relation::lookup(
            &chain,
            &per_customer,
            vec![(expr(&chain, "c"), "who".into())],
            vec![("n".into(), "n".into()), ("total".into(), "total".into())],
        )
        .expect("typed");
        let joined = relation::filter(&joined, expr(&joined, "n > 1")).expect("typed");
        let rel = aggregate(draw, &joined);
        let again = relation::aggregate(
            &rel,
            vec![],
            vec![named("rows", Measure::of(MeasureFunc::CountRows))],
        )
        .expect("typed");
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar, draw)?;
        agree(&again, &frame, &written, &calendar, draw).map(|_| ())
    });
}

/// Measures over the same thing share an accumulator; alone they must be the same.
#[test]
fn measures_alone_and_together() {
    law(60, |draw| {
        let (calendar, frame) = (calendar(draw), history(draw));
        let input = scan(&frame.schema);
        let rel = aggregate(draw, &input);
        let relation::RelNode::Aggregate(node) = &rel.node else { unreachable!("an aggregate") };
        let written = Written::new(&frame, draw);
        let together = by_local(std::slice::from_ref(&rel), written.source(draw), &calendar, 2);
        let Ok(mut together) = together else { return Ok(()) };
        let alone: Vec<RelRef> = node
            .measures
            .iter()
            .map(|one| relation::aggregate(&input, node.keys.clone(), vec![one.clone()]))
            .collect::<Result<_, _>>()
            .expect("typed");
        let frames = by_local(&alone, written.source(draw), &calendar, 2).expect("they ran before");
        let together = together.remove(0);
        for (frame, one) in frames.iter().zip(&node.measures) {
            let names = node.keys.iter().map(|key| &key.name).chain([&one.name]);
            let columns: Vec<usize> =
                names.filter_map(|name| together.schema.index_of(name)).collect();
            let batch = together.batch.project(&columns).map_err(|error| error.to_string())?;
            let picked = tenure::frame::Frame { schema: frame.schema.clone(), batch };
            equal(&picked, frame, 0.0)?;
        }
        Ok(())
    });
}

#[test]
fn rows_that_a_measure_leaves_out_are_not_evaluated() {
    law(60, |draw| {
        let frame = history(draw);
        let input = scan(&frame.schema);
        let number = match draw.below(3) {
            0 => expr(&input, "cast(ch as int64)"),
            1 => expr(&input, "i + case when ch = 'shop' then 9223372036854775800 else 0 end"),
            _ => expr(&input, "cast('?' as int64)"),
        };
        assert_eq!(number.data_type, DataType::Int64);
        let filter = expr(&input, draw.pick(&["ch is null", "ch not in ('web', '', 'shop')", "b"]));
        let sum = Measure::filtered(MeasureFunc::Sum(number), Some(filter));
        let keys = if draw.one_in(2) { vec![named("b", expr(&input, "b"))] } else { vec![] };
        let rel = relation::aggregate(&input, keys, vec![named("n", sum)]).expect("typed");
        let written = Written::new(&frame, draw);
        agree(&rel, &frame, &written, &calendar(draw), draw).map(|_| ())
    });
}
