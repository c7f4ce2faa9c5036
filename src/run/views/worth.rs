//! What customers are worth: by tenths, how unevenly, and how well it was foretold.

use std::collections::BTreeMap;

use super::{Context, Segment, amount, capital, column, percent, segments, unit_of, written};
use crate::frame::Value;
use crate::report::{
    Bar, Bars, Block, Chart, Emphasis, Lines, Marker, Point, Series, Unit as ReportUnit,
};

/// Equal steps of the share of customers at which a concentration curve is drawn.
const STEPS: usize = 50;

/// A column as it is spoken of.
fn spoken(column: &str) -> String {
    if column == "clv" { "lifetime value".to_owned() } else { column.replace('_', " ") }
}

pub(super) fn deciles(
    context: &Context,
    title: &str,
    decile: &str,
    value: &str,
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let (decile_of, value_of) = (column(frame, decile), column(frame, value));
    let unit = frame.schema.field(value).map(|field| unit_of(&field.unit)).unwrap_or_default();
    let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
    for row in 0..frame.rows() {
        if let (Some(decile), Some(worth)) = (decile_of(row).as_i64(), value_of(row).as_f64()) {
            *sums.entry(decile).or_default() += worth;
        }
    }
    let all: f64 = sums.values().sum();
    let lead = sums.iter().next_back().filter(|_| all > 0.0).map(|(decile, best)| {
        format!(
            "The best decile ({decile}) holds {} of {}: {} of {}.",
            percent(best / all),
            spoken(value),
            amount(&Value::Float(*best), &unit),
            amount(&Value::Float(all), &unit)
        )
    });
    let bar = |(decile, sum): (&i64, &f64)| Bar {
        label: decile.to_string(),
        value: Some(*sum),
        incomplete: false,
    };
    let chart = Chart::Bars(Bars {
        title: capital(title),
        description: Some("The sum over the customers of each decile; 10 is the best.".to_owned()),
        x_label: decile.replace('_', " "),
        y_label: spoken(value),
        unit,
        bars: sums.iter().rev().map(bar).collect(),
    });
    (lead.into_iter().collect(), vec![Block::Chart(chart)])
}

/// How a value is spread over customers.
#[derive(Debug, PartialEq)]
struct Spread {
    /// The share of the value that the poorest customers have, at each step of their share.
    curve: Vec<f64>,
    /// Twice the area between the curve and the diagonal: 0 where all have the same.
    gini: f64,
    /// What the best tenth has; a customer on the border counts in part.
    best_tenth: f64,
}

/// The Lorenz curve of values of at least 0, straight between customers. None if there is nothing to
/// share out, or if a value is below 0, where shares mean nothing.
fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mut sums = vec![0.0];
    for value in &values {
        sums.push(sums.last().copied().unwrap_or(0.0) + value);
    }
    let all = sums.last().copied().filter(|all| *all > 0.0 && all.is_finite())?;
    if values.first().is_some_and(|least| *least < 0.0) {
        return None;
    }
    let at = |share: f64| {
        let place = share * n;
        let below = (place.floor() as usize).min(values.len());
        let part = place - below as f64;
        (sums[below] + values.get(below).map_or(0.0, |value| part * value)) / all
    };
    let area: f64 = sums.windows(2).map(|ends| (ends[0] + ends[1]) / 2.0 / all / n).sum();
    Some(Spread {
        curve: (0..=STEPS).map(|step| at(step as f64 / STEPS as f64)).collect(),
        gini: 1.0 - 2.0 * area,
        best_tenth: 1.0 - at(0.9),
    })
}

/// The concentration of a value; with segments, a curve for each.
pub(super) fn lorenz(
    context: &Context,
    by: &[String],
    title: &str,
    value: &str,
) -> (Vec<String>, Vec<Block>) {
    let value_of = column(context.frame, value);
    let name = spoken(value);
    let (segments, more) = segments(context, by);
    let curve = |name: String, emphasis, values: Vec<f64>| Series {
        name,
        emphasis,
        points: values.into_iter().map(|value| Some(Point { value, interval: None })).collect(),
    };
    let steps = || (0..=STEPS).map(|step| step as f64 / STEPS as f64);
    let spreads: Vec<(String, Spread)> = segments
        .into_iter()
        .filter_map(|Segment { of, rows }| {
            let values = rows.iter().filter_map(|&row| value_of(row).as_f64()).collect();
            Some((of, spread(values)?))
        })
        .collect();
    let findings: Vec<String> = spreads
        .iter()
        .map(|(of, spread)| {
            format!(
                "The Gini coefficient of {name}{of} is {:.3}: the best tenth of the customers, one on the \
                 border counted in part, has {}.",
                spread.gini,
                percent(spread.best_tenth)
            )
        })
        .collect();
    let emphasis = if by.is_empty() { Emphasis::Strong } else { Emphasis::Normal };
    let mut series = vec![curve("all the same".to_owned(), Emphasis::Normal, steps().collect())];
    series.extend(spreads.into_iter().map(|(of, spread)| {
        let label = of.strip_prefix(" of ").unwrap_or("customers");
        curve(label.to_owned(), emphasis, spread.curve)
    }));
    if findings.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let chart = Chart::Lines(Lines {
        title: capital(title),
        description: Some(format!(
            "{} On the diagonal all would have the same.",
            findings.join(" ")
        )),
        x_label: "share of customers, the least first".to_owned(),
        x: steps().map(|share| format!("{:.0}%", share * 100.0)).collect(),
        y_label: format!("share of {name}"),
        unit: ReportUnit::Share,
        steps: false,
        series,
        marker: None,
    });
    // Of many segments one would have to be picked: they stay under their chart.
    let lead = if by.is_empty() { findings } else { Vec::new() };
    (lead, std::iter::once(Block::Chart(chart)).chain(more).collect())
}

/// A forecast beside what came; with segments, a chart for each.
pub(super) fn tracking(
    context: &Context,
    by: &[String],
    title: &str,
    columns: [&str; 4],
) -> (Vec<String>, Vec<Block>) {
    let (segments, more) = segments(context, by);
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    for Segment { of, rows } in segments {
        let title = format!("{}{of}", capital(title));
        let (sentence, chart) = track(context, &rows, title, columns);
        // Of many segments one would have to be picked: they stand above their charts.
        match by.is_empty() {
            true => lead.extend(sentence),
            false => blocks.extend(sentence.map(Block::Paragraph)),
        }
        blocks.push(Block::Chart(chart));
    }
    blocks.extend(more);
    (lead, blocks)
}

fn track(
    context: &Context,
    rows: &[usize],
    title: String,
    [x, actual, expected, holdout]: [&str; 4],
) -> (Option<String>, Chart) {
    let [x_of, actual_of, expected_of, holdout_of] =
        [x, actual, expected, holdout].map(|name| column(context.frame, name));
    let unseen = |row: usize| holdout_of(row) == Value::Bool(true);
    let lead = rows.last().and_then(|&last| {
        let actual = actual_of(last).as_f64().filter(|actual| *actual > 0.0)?;
        let expected = expected_of(last).as_f64()?;
        let difference = (expected / actual - 1.0) * 100.0;
        let how = if unseen(last) { "at the end of the holdout" } else { "at the end" };
        Some(format!(
            "{title}, {how} ({}): {} expected, {} came ({difference:+.1}%).",
            written(context.frame, x)(&x_of(last)),
            amount(&Value::Int(expected.round() as i64), &ReportUnit::Count),
            amount(&Value::Int(actual.round() as i64), &ReportUnit::Count),
        ))
    });
    let curve = |name: &str, emphasis, of: &dyn Fn(usize) -> Value| Series {
        name: name.to_owned(),
        emphasis,
        points: rows
            .iter()
            .map(|&row| of(row).as_f64().map(|value| Point { value, interval: None }))
            .collect(),
    };
    let chart = Chart::Lines(Lines {
        title,
        description: Some("Added up from the start.".to_owned()),
        x_label: x.replace('_', " "),
        x: rows.iter().map(|&row| x_of(row).to_string()).collect(),
        y_label: "total so far".to_owned(),
        unit: ReportUnit::Count,
        steps: false,
        series: vec![
            curve("actual", Emphasis::Strong, &actual_of),
            curve("expected", Emphasis::Normal, &expected_of),
        ],
        marker: rows
            .iter()
            .position(|&row| unseen(row))
            .map(|index| Marker { index, label: "holdout begins".to_owned() }),
    });
    (lead, chart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_customers_lie_on_the_diagonal() {
        let spread = spread(vec![3.0; 40]).expect("something to share out");
        assert!(spread.gini.abs() < 1e-12);
        assert!((spread.best_tenth - 0.1).abs() < 1e-12);
        assert!((spread.curve[STEPS / 2] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn one_who_has_all_of_ten_has_a_gini_of_nine_tenths() {
        let mut values = vec![0.0; 9];
        values.insert(4, 70.0);
        let spread = spread(values).expect("something to share out");
        assert!((spread.gini - 0.9).abs() < 1e-12);
        assert!((spread.best_tenth - 1.0).abs() < 1e-12);
        assert_eq!((spread.curve[0], spread.curve[45], spread.curve[STEPS]), (0.0, 0.0, 1.0));
    }

    #[test]
    fn the_curve_of_one_to_four_is_that_of_their_sums() {
        // 1, 3, 6, 10 of 10: the area under the curve is (0.5 + 2 + 4.5 + 8) / 10 / 4 = 0.375.
        let spread = spread(vec![4.0, 1.0, 3.0, 2.0]).expect("something to share out");
        assert!((spread.gini - 0.25).abs() < 1e-12);
        assert!((spread.curve[STEPS / 2] - 0.3).abs() < 1e-12);
        // The best tenth is 0.4 of the best customer.
        assert!((spread.best_tenth - 0.16).abs() < 1e-12);
    }

    #[test]
    fn nothing_and_debts_have_no_shares() {
        assert_eq!(spread(Vec::new()), None);
        assert_eq!(spread(vec![0.0, 0.0]), None);
        assert_eq!(spread(vec![-1.0, 5.0]), None);
    }
}
