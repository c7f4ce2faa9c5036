//! What was foretold of customers, beside what came, and who is still there.

use std::collections::BTreeMap;

use super::{Context, Segment, amount, capital, column, percent, segments, unit_of};
use crate::frame::Value;
use crate::report::{Block, Chart, Emphasis, Grid, Lines, Point, Series, Unit as ReportUnit};

/// Means by bins, foretold and come true: by purchases before the holdout, and by tenths of the forecast.
/// With segments, two charts for each.
pub(super) fn calibration(context: &Context, by: &[String]) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    if frame.rows() == 0 {
        return (Vec::new(), Vec::new());
    }
    let (segments, more) = segments(context, by);
    let bins = column(frame, "bins");
    let mut blocks = Vec::new();
    for Segment { of, rows } in segments {
        for (kind, title, x_label) in [
            (
                "frequency",
                "Purchases in the holdout, by those before it",
                "repeat purchases before it",
            ),
            (
                "decile",
                "Purchases in the holdout, by tenths of the forecast",
                "tenth, 10 the highest",
            ),
        ] {
            let rows: Vec<usize> =
                rows.iter().copied().filter(|&row| bins(row) == Value::text(kind)).collect();
            blocks.push(Block::Chart(chart(context, kind, &rows, format!("{title}{of}"), x_label)));
        }
    }
    blocks.extend(more);
    (Vec::new(), blocks)
}

fn chart(context: &Context, kind: &str, rows: &[usize], title: String, x_label: &str) -> Chart {
    let frame = context.frame;
    let (bin, customers) = (column(frame, "bin"), column(frame, "customers"));
    let label = |row: &usize| match bin(*row) {
        Value::Int(7) if kind == "frequency" => "7+".to_owned(),
        bin => bin.to_string(),
    };
    let curve = |name: &str, emphasis, of: &str| {
        let of = column(frame, of);
        Series {
            name: name.to_owned(),
            emphasis,
            points: rows
                .iter()
                .map(|&row| of(row).as_f64().map(|value| Point { value, interval: None }))
                .collect(),
        }
    };
    let all: i64 = rows.iter().filter_map(|&row| customers(row).as_i64()).sum();
    Chart::Lines(Lines {
        title,
        description: Some(format!(
            "Means over the customers of each bin, {} in all. Where the curves lie apart the forecast is \
             off for such customers.",
            amount(&Value::Int(all), &ReportUnit::Count)
        )),
        x_label: x_label.to_owned(),
        x: rows.iter().map(label).collect(),
        y_label: "purchases of a customer".to_owned(),
        unit: ReportUnit::Count,
        steps: false,
        series: vec![
            curve("actual", Emphasis::Strong, "actual_mean"),
            curve("expected", Emphasis::Normal, "expected_mean"),
        ],
        marker: None,
    })
}

/// Fifths of the probability of being alive.
const FIFTHS: i64 = 5;

/// How many customers there are by the probability of being alive and by tenths of value, and what is at risk:
/// the value of those in the best tenths who are as likely gone as not.
pub(super) fn standing(
    context: &Context,
    title: &str,
    [alive, decile, value]: [&str; 3],
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (alive_of, decile_of) = (column(frame, alive), column(frame, decile));
    let value_of = column(frame, value);
    let unit = frame.schema.field(value).map(|field| unit_of(&field.unit)).unwrap_or_default();
    let mut cells: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    let (mut all, mut unsure, mut valueless) = (0.0, 0.0, 0_u64);
    for row in 0..frame.rows() {
        valueless += u64::from(value_of(row) == Value::Null);
        let (Some(p), Some(tenth)) = (alive_of(row).as_f64(), decile_of(row).as_i64()) else {
            continue;
        };
        let fifth = ((p * FIFTHS as f64) as i64).min(FIFTHS - 1);
        *cells.entry((fifth, tenth)).or_default() += 1;
        let worth = value_of(row).as_f64().unwrap_or(0.0);
        all += worth;
        if p < 0.5 {
            unsure += worth;
        }
    }
    if cells.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let named = if value == "clv" { "lifetime value" } else { "expected purchases" };
    let at_risk = (all > 0.0).then(|| {
        format!(
            "{} of {} of the {named} lies with customers who are more likely gone than not.",
            amount(&Value::Float(unsure), &unit),
            amount(&Value::Float(all), &unit),
        )
    });
    let number = |n: u64| amount(&Value::Int(n as i64), &ReportUnit::Count);
    let without = (valueless > 0).then(|| {
        let verb = if valueless == 1 { "customer has" } else { "customers have" };
        format!(
            "{} {verb} no {named}: what a purchase will be worth cannot be told. It takes at least two customers \
             with repeat purchases of more than 0, and a model of spend that has a mean (in Gamma-Gamma, p x + q \
             above 1).",
            number(valueless)
        )
    });
    let width = 100 / FIFTHS;
    let band = |fifth: i64| format!("{}–{}%", fifth * width, (fifth + 1) * width);
    let count = |fifth, tenth| cells.get(&(fifth, tenth)).map_or(0.0, |&n| n as f64);
    let chart = Chart::Grid(Grid {
        title: capital(title),
        description: Some(format!(
            "Customers by the probability that they are still there and by tenths of value, 10 the best. {} \
             of them are more likely there than not.",
            percent(
                (0..frame.rows()).filter(|&row| alive_of(row).as_f64() >= Some(0.5)).count() as f64
                    / frame.rows() as f64
            )
        )),
        row_label: "probability of being there".to_owned(),
        column_label: decile.replace('_', " "),
        value_label: "customers".to_owned(),
        unit: ReportUnit::Count,
        rows: (0..FIFTHS).rev().map(band).collect(),
        columns: (1..=10).map(|tenth| tenth.to_string()).collect(),
        cells: (0..FIFTHS)
            .rev()
            .map(|fifth| (1..=10).map(|tenth| Some(count(fifth, tenth))).collect())
            .collect(),
    });
    let mut blocks = vec![Block::Chart(chart)];
    blocks.extend(certain(context, alive).map(|n| {
        Block::Paragraph(format!(
            "{} customers who have bought once count as there for certain. That is what BG/NBD assumes: \
             customers leave only upon a repeat purchase. `mbg_nbd` and `pareto_nbd` do not assume it.",
            number(n)
        ))
    }));
    (at_risk.into_iter().chain(without).collect(), blocks)
}

/// How many customers without a repeat purchase a model takes to be there for certain, if it does not take
/// everybody so.
fn certain(context: &Context, alive: &str) -> Option<u64> {
    let frame = context.frame;
    frame.schema.field("frequency")?;
    let (alive_of, frequency_of) = (column(frame, alive), column(frame, "frequency"));
    let of = |row: usize| alive_of(row).as_f64();
    let doubted = (0..frame.rows()).any(|row| of(row).is_some_and(|p| p < 0.999));
    let sure = (0..frame.rows())
        .filter(|&row| of(row) == Some(1.0) && frequency_of(row).as_i64() == Some(0));
    let sure = sure.count() as u64;
    (doubted && sure > 1).then_some(sure)
}
