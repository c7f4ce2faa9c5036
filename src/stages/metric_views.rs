//! What a report shows of a table of metrics.

use super::cells::Lowered;
use super::dimension::Dimension;
use super::view::View;
use crate::frame::Unit;
use crate::metrics::{MetricColumn, Statistic};

/// Most charts of a table.
const MOST: usize = 4;

/// What the names of columns beside a metric end with.
pub(super) const BESIDE: [&str; 12] = [
    "_n",
    "_low",
    "_high",
    "_numerator",
    "_denominator",
    "_plus",
    "_minus",
    "_open",
    "_prior",
    "_prior_mean",
    "_active",
    "_coverage",
];

/// What is shown of one metric, or of several together.
enum Shown<'a> {
    Metric(&'a MetricColumn),
    /// Quantiles of one thing: its name, and word and column of each.
    Quantiles(&'a str, Vec<(String, &'a MetricColumn)>),
}

/// Charts of the first few metrics, and the rows. Over time sums and counts are bars, what has an interval is a line, a
/// balance is made of its sides, and quantiles of one thing are shown together; by one dimension groups stand in the
/// order of their values. Without dimensions shares, such as those of themes, are held side by side.
pub(super) fn metric_views(dimensions: &[Dimension], lowered: &Lowered) -> Vec<View> {
    let (grains, others): (Vec<&Dimension>, Vec<&Dimension>) =
        dimensions.iter().partition(|dimension| dimension.grain.is_some());
    let has = |metric: &MetricColumn, suffix: &str| {
        let name = format!("{}{suffix}", metric.name);
        lowered.columns.iter().any(|column| column.name == name)
    };
    let goal = |metric: &MetricColumn| {
        lowered.goals.iter().find(|(name, _)| *name == metric.name).map(|(_, goal)| *goal)
    };
    let spoken = |name: &str| name.replace('_', " ");
    let view = |shown: Shown| match (shown, grains.as_slice(), others.as_slice()) {
        (Shown::Quantiles(name, of), [x], []) | (Shown::Quantiles(name, of), [], [x]) => {
            Some(View::Quantiles {
                title: spoken(name),
                x: x.name.clone(),
                of: of.into_iter().map(|(word, column)| (word, column.name.clone())).collect(),
                over_time: x.grain.is_some(),
            })
        }
        (Shown::Metric(metric), [x], []) if has(metric, "_plus") => {
            Some(View::Balance { x: x.name.clone(), metric: metric.name.clone() })
        }
        (Shown::Metric(metric), [x], []) if has(metric, "_low") || goal(metric).is_some() => {
            Some(View::Line {
                title: spoken(&metric.name),
                x: x.name.clone(),
                y: metric.name.clone(),
                by: Vec::new(),
                goal: goal(metric),
            })
        }
        (Shown::Metric(metric), [x], []) => Some(View::Bars {
            title: spoken(&metric.name),
            x: x.name.clone(),
            y: metric.name.clone(),
            complete: Some("complete".into()),
        }),
        (Shown::Metric(metric), [], [of]) => Some(View::Ranking {
            title: spoken(&metric.name),
            of: of.name.clone(),
            y: metric.name.clone(),
        }),
        (Shown::Metric(metric), [x], by) => Some(View::Line {
            title: spoken(&metric.name),
            x: x.name.clone(),
            y: metric.name.clone(),
            by: by.iter().map(|dimension| dimension.name.clone()).collect(),
            goal: goal(metric),
        }),
        (Shown::Metric(_) | Shown::Quantiles(..), _, _) => None,
    };
    let is_share = |column: &&MetricColumn| column.unit == Unit::Share && has(column, "_numerator");
    let shares: Vec<String> = match dimensions {
        [] => lowered.columns.iter().filter(is_share).map(|column| column.name.clone()).collect(),
        _ => Vec::new(),
    };
    if shares.len() > 1 {
        return vec![View::Compared { metrics: shares }, View::Rows];
    }
    let mut views: Vec<View> =
        together(&lowered.columns).into_iter().take(MOST).filter_map(view).collect();
    views.push(View::Rows);
    views
}

/// The metrics in their order, quantiles of one duration together where the first of them stands.
fn together(columns: &[MetricColumn]) -> Vec<Shown<'_>> {
    let main = |column: &&MetricColumn| !BESIDE.iter().any(|suffix| column.name.ends_with(suffix));
    let mut shown: Vec<Shown> = Vec::new();
    for column in columns.iter().filter(main) {
        let Some((name, word)) = quantile_of(column) else {
            shown.push(Shown::Metric(column));
            continue;
        };
        let own = shown.iter_mut().find_map(|shown| match shown {
            Shown::Quantiles(known, of) if *known == name => Some(of),
            Shown::Quantiles(..) | Shown::Metric(_) => None,
        });
        let one = (word.to_owned(), column);
        match own {
            Some(of) => of.push(one),
            None => shown.push(Shown::Quantiles(name, vec![one])),
        }
    }
    // One alone is a metric like any other.
    let single = |shown| match shown {
        Shown::Quantiles(_, of) if of.len() == 1 => Shown::Metric(of[0].1),
        other => other,
    };
    shown.into_iter().map(single).collect()
}

/// What a column is a quantile of, and which: `first_response_time` and `p90`.
fn quantile_of(column: &MetricColumn) -> Option<(&str, &str)> {
    let (name, word) = column.name.rsplit_once('_')?;
    let is_quantile = matches!(Statistic::from_word(word), Some(Statistic::Quantile(_)));
    (is_quantile && matches!(column.unit, Unit::Time(_))).then_some((name, word))
}
