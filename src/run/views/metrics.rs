//! Metrics over time and by group: lines with intervals, quantiles, groups from most to least.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Context, Segment, amount, capital, column, label, level, percent, segments, spoken, unit_of,
    written,
};
use crate::frame::Value;
use crate::report::{
    Block, Chart, Emphasis, Interval, Lines, Point, Rank, Ranking, Series, Spread, SpreadRow,
    Unit as ReportUnit,
};

/// Most groups of a chart.
const MOST: usize = 20;

type Shown = (Vec<String>, Vec<Block>);

/// A number of a metric in a sentence.
pub(super) fn told(value: f64, unit: &ReportUnit) -> String {
    match unit {
        ReportUnit::Share => percent(value),
        ReportUnit::Count => amount(&Value::Int(value.round() as i64), unit),
        ReportUnit::Named(name) if name == "hours" && value < 1.0 => {
            format!("{:.0} minutes", value * 60.0)
        }
        ReportUnit::Named(name) => format!("{value:.1} {name}"),
        ReportUnit::None | ReportUnit::Points | ReportUnit::Money { .. } => {
            amount(&Value::Float((value * 100.0).round() / 100.0), unit)
        }
    }
}

/// A number that somebody wrote.
fn aim(goal: f64, unit: &ReportUnit) -> String {
    match unit {
        ReportUnit::Share => level(goal),
        unit => told(goal, unit),
    }
}

fn unit(context: &Context, name: &str) -> ReportUnit {
    context.frame.schema.field(name).map(|field| unit_of(&field.unit)).unwrap_or_default()
}

fn number(context: &Context, name: &str) -> impl Fn(usize) -> Option<f64> {
    let of = column(context.frame, name);
    move |row| of(row).as_f64()
}

fn bounds(context: &Context, name: &str, row: usize) -> Option<Interval> {
    let end = |suffix: &str| number(context, &format!("{name}{suffix}"))(row);
    Some(Interval { low: end("_low")?, high: end("_high")? })
}

/// Whether the period of a row is over.
fn over(context: &Context, row: usize) -> bool {
    column(context.frame, "complete")(row) != Value::Bool(false)
}

/// A metric over time with its interval, and what it should be.
pub(super) fn line(
    context: &Context,
    title: &str,
    [x, y]: [&String; 2],
    by: &[String],
    goal: Option<f64>,
) -> Shown {
    let frame = context.frame;
    let (xs, value, unit) = (column(frame, x), number(context, y), unit(context, y));
    let places: Vec<Value> =
        (0..frame.rows()).map(&xs).collect::<BTreeSet<_>>().into_iter().collect();
    let (segments, more) = segments(context, by);
    let mut series: Vec<Series> = Vec::new();
    for Segment { of, rows } in &segments {
        let row_of: BTreeMap<Value, usize> = rows.iter().map(|&row| (xs(row), row)).collect();
        let point = |place: &Value| {
            let &row = row_of.get(place).filter(|&&row| over(context, row))?;
            Some(Point { value: value(row)?, interval: bounds(context, y, row) })
        };
        let name = if of.is_empty() { title } else { of.trim_start_matches(" of ") };
        series.push(Series {
            name: name.to_owned(),
            emphasis: if by.is_empty() { Emphasis::Strong } else { Emphasis::Normal },
            points: places.iter().map(point).collect(),
        });
    }
    if let Some(goal) = goal {
        series.push(Series {
            name: format!("goal {}", aim(goal, &unit)),
            emphasis: Emphasis::Normal,
            points: places.iter().map(|_| Some(Point { value: goal, interval: None })).collect(),
        });
    }
    let mut lead: Vec<String> = Vec::new();
    match by.is_empty() {
        true => lead.extend(latest(context, title, x, y)),
        false => lead.extend(apart(context, title, x, y, &segments)),
    }
    if let (Some(goal), true) = (goal, by.is_empty()) {
        lead.push(against(context, title, y, goal, &unit));
    }
    let bounded = series.iter().any(|of| of.points.iter().flatten().any(|p| p.interval.is_some()));
    let chart = Chart::Lines(Lines {
        title: format!("{} by {x}", capital(title)),
        description: bounded.then(|| format!("The band is the {} interval.", level(context.level))),
        x_label: x.clone(),
        x: places.iter().map(written(frame, x)).collect(),
        y_label: title.to_owned(),
        unit,
        steps: false,
        series,
        marker: None,
    });
    (lead, std::iter::once(Block::Chart(chart)).chain(more).collect())
}

/// The last period that is over, beside the one before.
fn latest(context: &Context, title: &str, x: &str, y: &str) -> Option<String> {
    let (value, unit) = (number(context, y), unit(context, y));
    let mut known = (0..context.frame.rows())
        .rev()
        .filter(|&row| over(context, row))
        .filter_map(|row| Some((row, value(row)?)));
    let ((row, last), before) = (known.next()?, known.next());
    let name = spoken(context.frame, x);
    let period = |row: usize| name(&column(context.frame, x)(row));
    let interval = bounds(context, y, row).map_or(String::new(), |ends| {
        format!(" ({} to {})", told(ends.low, &unit), told(ends.high, &unit))
    });
    let n = number(context, &format!("{y}_n"))(row)
        .map_or(String::new(), |n| format!(" of {}", told(n, &ReportUnit::Count)));
    let before = before.map_or(String::new(), |(row, before)| {
        format!(", after {} in {}", told(before, &unit), period(row))
    });
    Some(format!(
        "{} in {}: {}{interval}{n}{before}.",
        capital(title),
        period(row),
        told(last, &unit)
    ))
}

/// How often it was what it should be, and how often it was surely not.
fn against(context: &Context, title: &str, y: &str, goal: f64, unit: &ReportUnit) -> String {
    let value = number(context, y);
    let known: Vec<(usize, f64)> = (0..context.frame.rows())
        .filter(|&row| over(context, row))
        .filter_map(|row| Some((row, value(row)?)))
        .collect();
    let met = known.iter().filter(|(_, value)| *value >= goal).count();
    let surely = known
        .iter()
        .filter(|(row, _)| bounds(context, y, *row).is_some_and(|ends| ends.high < goal))
        .count();
    format!(
        "{} reached the goal of {} in {met} of {} periods; in {surely} it was below by more than chance.",
        capital(title),
        aim(goal, unit),
        known.len()
    )
}

/// In the last period that is over: which segment has most, which least.
fn apart(context: &Context, title: &str, x: &str, y: &str, segments: &[Segment]) -> Option<String> {
    let (xs, value, unit) = (column(context.frame, x), number(context, y), unit(context, y));
    let rows =
        || segments.iter().flat_map(|segment| segment.rows.iter().map(move |&row| (segment, row)));
    let known = || rows().filter(|(_, row)| over(context, *row) && value(*row).is_some());
    let last = known().map(|(_, row)| xs(row)).max()?;
    let mut of_last: Vec<(f64, &str)> = known()
        .filter(|(_, row)| xs(*row) == last)
        .filter_map(|(segment, row)| Some((value(row)?, segment.of.trim_start_matches(" of "))))
        .collect();
    of_last.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let (most, least) = (of_last.first()?, of_last.last()?);
    Some(format!(
        "{} in {}: highest for {} ({}), lowest for {} ({}).",
        capital(title),
        spoken(context.frame, x)(&last),
        most.1,
        told(most.0, &unit),
        least.1,
        told(least.0, &unit)
    ))
}

/// `half` of a median, `90%` of a p90.
fn part(word: &str) -> String {
    match word.strip_prefix('p') {
        Some(digits) => format!("{}%", digits.trim_start_matches('0')),
        None => "half".to_owned(),
    }
}

/// Which share ends within which time: `half within 2.0 hours, 90% within 9.0 hours`.
fn within(context: &Context, of: &[(String, String)], row: usize) -> Option<String> {
    let parts: Vec<String> = of
        .iter()
        .filter_map(|(word, name)| {
            let value = number(context, name)(row)?;
            Some(format!("{} within {}", part(word), told(value, &unit(context, name))))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub(super) fn quantiles_over_time(
    context: &Context,
    title: &str,
    x: &str,
    of: &[(String, String)],
) -> Shown {
    let frame = context.frame;
    let (xs, name) = (column(frame, x), written(frame, x));
    let series = of.iter().enumerate().map(|(index, (word, column))| {
        let value = number(context, column);
        let point = |row: usize| {
            Some(Point { value: value(row).filter(|_| over(context, row))?, interval: None })
        };
        Series {
            name: word.clone(),
            emphasis: if index == 0 { Emphasis::Strong } else { Emphasis::Normal },
            points: (0..frame.rows()).map(point).collect(),
        }
    });
    let last = (0..frame.rows()).rev().filter(|&row| over(context, row));
    let lead = last.into_iter().find_map(|row| {
        let within = within(context, of, row)?;
        Some(format!("{} in {}: {within}.", capital(title), spoken(frame, x)(&xs(row))))
    });
    let chart = Chart::Lines(Lines {
        title: format!("{} by {x}: how it is spread", capital(title)),
        description: Some(
            "Below each curve lies so large a share of the cases. Where it breaks off, too many are still open to tell."
                .to_owned(),
        ),
        x_label: x.to_owned(),
        x: (0..frame.rows()).map(|row| name(&xs(row))).collect(),
        y_label: title.to_owned(),
        unit: of.first().map(|(_, name)| unit(context, name)).unwrap_or_default(),
        steps: false,
        series: series.collect(),
        marker: None,
    });
    (lead.into_iter().collect(), vec![Block::Chart(chart)])
}

/// The rows by a number, most first; those without it last.
fn sorted(context: &Context, by: &str) -> Vec<usize> {
    let value = number(context, by);
    let mut rows: Vec<usize> = (0..context.frame.rows()).collect();
    rows.sort_by(|&a, &b| match (value(a), value(b)) {
        (Some(x), Some(y)) => y.total_cmp(&x).then(a.cmp(&b)),
        (x, y) => y.is_some().cmp(&x.is_some()).then(a.cmp(&b)),
    });
    rows
}

fn further(context: &Context) -> Option<Block> {
    let count = context.frame.rows().saturating_sub(MOST);
    (count > 0).then(|| {
        Block::Paragraph(format!("{count} further groups are in `{}.parquet`.", context.table))
    })
}

pub(super) fn quantiles_by_group(
    context: &Context,
    title: &str,
    x: &str,
    of: &[(String, String)],
) -> Shown {
    let names = column(context.frame, x);
    let rows = of.first().map(|(_, first)| sorted(context, first)).unwrap_or_default();
    let row = |&row: &usize| SpreadRow {
        label: label(&names(row)),
        values: of.iter().map(|(_, name)| number(context, name)(row)).collect(),
    };
    let known: Vec<(usize, String)> =
        rows.iter().filter_map(|&row| Some((row, within(context, of, row)?))).collect();
    let lead = match known.as_slice() {
        [] => None,
        [(_, only)] => Some(format!("{}: {only}.", capital(title))),
        [(longest, theirs), .., (shortest, other)] => Some(format!(
            "{} is longest for {}: {theirs}; shortest for {}: {other}.",
            capital(title),
            label(&names(*longest)),
            label(&names(*shortest)),
        )),
    };
    let chart = Chart::Spread(Spread {
        title: format!("{} by {}: how it is spread", capital(title), x.replace('_', " ")),
        description: Some(
            "Up to each dot lies so large a share of the cases: half up to the median. Where a dot is missing, too many \
             are still open to tell."
                .to_owned(),
        ),
        row_label: x.replace('_', " "),
        value_label: title.to_owned(),
        unit: of.first().map(|(_, name)| unit(context, name)).unwrap_or_default(),
        marks: of.iter().map(|(word, _)| word.clone()).collect(),
        rows: rows.iter().take(MOST).map(row).collect(),
    });
    (
        lead.into_iter().collect(),
        std::iter::once(Block::Chart(chart)).chain(further(context)).collect(),
    )
}

pub(super) fn ranking(context: &Context, title: &str, of: &str, y: &str) -> Shown {
    let names = column(context.frame, of);
    let (value, unit) = (number(context, y), unit(context, y));
    let beside = format!("{y}_n");
    let n = number(context, &beside);
    let rows = sorted(context, y);
    let rank = |&row: &usize| Rank {
        label: label(&names(row)),
        value: value(row),
        interval: bounds(context, y, row),
        note: n(row).map(|n| format!("of {}", told(n, &ReportUnit::Count))),
    };
    let known: Vec<(usize, f64)> =
        rows.iter().filter_map(|&row| Some((row, value(row)?))).collect();
    let lead = match known.as_slice() {
        [] | [_] => None,
        [most, .., least] => Some(format!(
            "{} is highest for {} ({}), lowest for {} ({}).",
            capital(title),
            label(&names(most.0)),
            told(most.1, &unit),
            label(&names(least.0)),
            told(least.1, &unit)
        )),
    };
    let bounded = rows.iter().any(|&row| bounds(context, y, row).is_some());
    let chart = Chart::Ranking(Ranking {
        title: format!("{} by {}", capital(title), of.replace('_', " ")),
        description: bounded
            .then(|| format!("The thin line is the {} interval.", level(context.level))),
        row_label: of.replace('_', " "),
        value_label: title.to_owned(),
        unit,
        rows: rows.iter().take(MOST).map(rank).collect(),
    });
    (
        lead.into_iter().collect(),
        std::iter::once(Block::Chart(chart)).chain(further(context)).collect(),
    )
}

/// Shares side by side: of a table of one row.
pub(super) fn compared(context: &Context, metrics: &[String]) -> Shown {
    let spoken = |name: &String| name.replace('_', " ");
    let known = |name: &String| {
        if context.frame.rows() != 1 {
            return None;
        }
        let n = number(context, &format!("{name}_n"))(0);
        Some(Rank {
            label: spoken(name),
            value: Some(number(context, name)(0)?),
            interval: bounds(context, name, 0),
            note: n.map(|n| format!("of {}", told(n, &ReportUnit::Count))),
        })
    };
    let mut rows: Vec<Rank> = metrics.iter().filter_map(known).collect();
    rows.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    let share = |rank: &Rank| percent(rank.value.unwrap_or(0.0));
    let lead = match rows.as_slice() {
        [] => None,
        [only] => Some(format!("{}: {}.", capital(&only.label), share(only))),
        [most, .., least] => Some(format!(
            "Most frequent is {} ({}), least {} ({}).",
            most.label,
            share(most),
            least.label,
            share(least)
        )),
    };
    let chart = Chart::Ranking(Ranking {
        title: "Shares from most to least".to_owned(),
        description: Some(format!("The thin line is the {} interval.", level(context.level))),
        row_label: "metric".to_owned(),
        value_label: "share".to_owned(),
        unit: ReportUnit::Share,
        rows,
    });
    (lead.into_iter().collect(), vec![Block::Chart(chart)])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::frame::{DataType, Field, Frame, Schema, Unit};

    fn kept() -> Frame {
        let float = |name: &str| Field::new(name, DataType::Float64).with_unit(Unit::Share);
        let schema = Schema::new(vec![
            Field::new("week", DataType::Date),
            Field::new("topic", DataType::String),
            Field::new("complete", DataType::Bool),
            float("kept"),
            float("kept_low"),
            float("kept_high"),
            Field::new("wait_median", DataType::Float64).with_unit(Unit::Time("hour".into())),
            Field::new("wait_p90", DataType::Float64).with_unit(Unit::Time("hour".into())),
        ]);
        let row = |day, topic: &str, over, kept: Option<f64>, median, p90: Option<f64>| {
            let number = |value: Option<f64>| value.map_or(Value::Null, Value::Float);
            let ends = [kept.map(|kept| kept - 0.1), kept.map(|kept| kept + 0.1)];
            let mut row =
                vec![Value::Date(day), Value::text(topic), Value::Bool(over), number(kept)];
            row.extend(ends.map(number));
            row.extend([Value::Float(median), number(p90)]);
            row
        };
        let rows = [
            row(20_423, "refund", true, Some(0.75), 0.5, Some(9.0)),
            row(20_430, "delivery", true, Some(0.95), 4.0, None),
            row(20_437, "other", true, None, 2.0, Some(5.0)),
            row(20_444, "late", false, Some(0.1), 1.0, Some(2.0)),
        ];
        Frame::from_rows(Arc::new(schema), &rows).expect("the rows fit")
    }

    fn context(frame: &Frame) -> Context<'_> {
        Context { table: "kept", file: "kept.parquet", frame, level: 0.95, top: 20 }
    }

    fn chart(blocks: &[Block]) -> &Chart {
        let chart = blocks.iter().find_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            _ => None,
        });
        chart.expect("a chart")
    }

    #[test]
    fn a_line_tells_of_the_last_period_that_is_over_and_of_its_goal() {
        let frame = kept();
        let names = ["week".to_owned(), "kept".to_owned()];
        let (lead, blocks) = line(&context(&frame), "kept", [&names[0], &names[1]], &[], Some(0.9));
        assert_eq!(
            lead[0],
            "Kept in the week of 2025-12-08: 95.0% (85.0% to 105.0%), after 75.0% in the week of 2025-12-01."
        );
        // 75% with bounds up to 85% is surely below.
        assert_eq!(
            lead[1],
            "Kept reached the goal of 90% in 1 of 2 periods; in 1 it was below by more than chance."
        );
        let Chart::Lines(lines) = chart(&blocks) else { panic!("a line") };
        assert_eq!(lines.x[0], "2025-12-01", "a week, and no month");
        let shown: Vec<bool> = lines.series[0].points.iter().map(Option::is_some).collect();
        assert_eq!(shown, [true, true, false, false]);
        assert_eq!(lines.series[1].name, "goal 90%");
    }

    #[test]
    fn groups_stand_from_most_to_least_and_unknown_ones_last() {
        let frame = kept();
        let (lead, blocks) = ranking(&context(&frame), "kept", "topic", "kept");
        assert_eq!(lead, ["Kept is highest for delivery (95.0%), lowest for late (10.0%)."]);
        let Chart::Ranking(ranking) = chart(&blocks) else { panic!("a ranking") };
        let order: Vec<&str> = ranking.rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(order, ["delivery", "refund", "late", "other"]);
    }

    #[test]
    fn quantiles_say_who_waits_longest() {
        let frame = kept();
        let of = [("median", "wait_median"), ("p90", "wait_p90")];
        let of = of.map(|(word, name)| (word.to_owned(), name.to_owned()));
        let (lead, blocks) = quantiles_by_group(&context(&frame), "wait", "topic", &of);
        assert_eq!(
            lead,
            [
                "Wait is longest for delivery: half within 4.0 hours; shortest for refund: half within 30 minutes, 90% \
              within 9.0 hours."
            ]
        );
        let Chart::Spread(spread) = chart(&blocks) else { panic!("a spread") };
        assert_eq!(spread.rows[0].values, [Some(4.0), None]);
        let (lead, _) = quantiles_over_time(&context(&frame), "wait", "week", &of);
        assert_eq!(
            lead,
            ["Wait in the week of 2025-12-15: half within 2.0 hours, 90% within 5.0 hours."]
        );
    }
}
