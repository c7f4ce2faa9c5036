//! Survival curves with their bands, and who is left to judge by.

use super::{Context, Segment, amount, capital, column, segments};
use crate::document::TimeUnit;
use crate::frame::{Frame, Value};
use crate::report::{
    Block, Cell, Chart, Column, Emphasis, Interval, Lines, Point, Series, Table, Unit as ReportUnit,
};

/// Most positions along the time of a chart, and most columns of the table under it.
const POSITIONS: usize = 100;
const AT_RISK: usize = 9;

/// One curve, as steps.
struct Curve {
    name: String,
    rows: Vec<usize>,
    times: Vec<f64>,
}

impl Curve {
    /// The row that holds at a time, unless the time lies behind the last one.
    fn at(&self, time: f64) -> Option<usize> {
        if self.times.last().is_none_or(|last| time > *last) {
            return None;
        }
        let place = self.times.partition_point(|step| *step <= time);
        self.rows.get(place.checked_sub(1)?).copied()
    }
}

pub(super) fn curves(
    context: &Context,
    by: &[String],
    unit: TimeUnit,
    [summary, tests]: [Option<&Frame>; 2],
) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let time_of = column(frame, "time");
    let (segments, more) = segments(context, by);
    let curves: Vec<Curve> = segments
        .into_iter()
        .map(|Segment { of, rows }| {
            let name = of.strip_prefix(" of ").unwrap_or("all customers").to_owned();
            let times = rows.iter().map(|&row| time_of(row).as_f64().unwrap_or(0.0)).collect();
            Curve { name, rows, times }
        })
        .collect();
    let longest =
        curves.iter().filter_map(|curve| curve.times.last()).fold(0.0, |a: f64, b| a.max(*b));
    if longest <= 0.0 {
        let lead = vec!["Nobody has been observed for a day.".to_owned()];
        return (lead, more.into_iter().collect());
    }
    let step = step_of(longest);
    let positions: Vec<f64> = (0..)
        .map(|place| f64::from(place) * step)
        .take_while(|time| *time <= longest + 1e-9)
        .collect();
    let shown = |time: &f64| if step < 1.0 { format!("{time:.1}") } else { format!("{time:.0}") };
    let number = |name: &'static str| {
        let of = column(frame, name);
        move |row: usize| of(row).as_f64()
    };
    let (survival, low, high) =
        (number("survival"), number("survival_low"), number("survival_high"));
    let series = curves.iter().map(|curve| Series {
        name: curve.name.clone(),
        emphasis: if by.is_empty() { Emphasis::Strong } else { Emphasis::Normal },
        points: positions
            .iter()
            .map(|&time| {
                let row = curve.at(time)?;
                let interval = low(row).zip(high(row)).map(|(low, high)| Interval { low, high });
                Some(Point { value: survival(row)?, interval })
            })
            .collect(),
    });
    let chart = Lines {
        title: format!("{} still there", if by.is_empty() { "Customers" } else { "Segments" }),
        description: Some(
            "The share of customers whose relationship lasts longer than the time; the band holds it at \
             the level of the pipeline. A curve ends with the last time anybody was observed."
                .to_owned(),
        ),
        x_label: format!("{}s since the start", unit.word()),
        x: positions.iter().map(shown).collect(),
        y_label: "still there".to_owned(),
        unit: ReportUnit::Share,
        steps: true,
        series: series.collect(),
        marker: None,
    };
    let mut blocks = vec![Block::Chart(Chart::Lines(chart))];
    blocks.push(Block::Table(at_risk(frame, &curves, &positions, &shown)));
    blocks.extend(more);
    let mut lead = summary.map(|summary| medians(summary, by, unit)).unwrap_or_default();
    lead.extend(tests.map(differences).unwrap_or_default());
    (lead, blocks)
}

/// A step of 1, 2 or 5 times a power of ten, down to a tenth.
fn step_of(longest: f64) -> f64 {
    if longest < 10.0 {
        return 0.1;
    }
    let mut power = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if longest / (factor * power) < POSITIONS as f64 {
                return factor * power;
            }
        }
        power *= 10.0;
    }
}

/// How many were at risk just before some of the times.
fn at_risk(
    frame: &Frame,
    curves: &[Curve],
    positions: &[f64],
    shown: &dyn Fn(&f64) -> String,
) -> Table {
    let every = positions.len().div_ceil(AT_RISK).max(1);
    let some: Vec<f64> = positions.iter().copied().step_by(every).collect();
    let at_risk = column(frame, "at_risk");
    let mut columns = vec![Column::new("segment", "", ReportUnit::None)];
    columns
        .extend(some.iter().map(|time| Column::new(shown(time), shown(time), ReportUnit::Count)));
    let row = |curve: &Curve| {
        let next = |time: f64| {
            let place = curve.times.partition_point(|step| *step < time);
            curve.rows.get(place).and_then(|&row| at_risk(row).as_i64())
        };
        let cells = some.iter().map(|&time| Cell::Integer(next(time).unwrap_or(0)));
        std::iter::once(Cell::Text(curve.name.clone())).chain(cells).collect()
    };
    Table {
        caption: "Numbers at risk".to_owned(),
        columns,
        rows: curves.iter().map(row).collect(),
        note: Some("Customers under observation just before each time.".to_owned()),
        total_rows: None,
        last_rows: false,
    }
}

/// A sentence for each curve, of a few.
fn medians(summary: &Frame, by: &[String], unit: TimeUnit) -> Vec<String> {
    const MOST: usize = 4;
    let at = |name: &str, row: usize| column(summary, name)(row);
    let time = |name: &str, row: usize| at(name, row).as_f64().map(|time| format!("{time:.1}"));
    let sentence = |row: usize| {
        let of: Vec<String> = by.iter().map(|name| super::label(&at(name, row))).collect();
        let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
        let customers = amount(&at("customers", row), &ReportUnit::Count);
        let (mean, horizon) = (time("restricted_mean", row)?, time("horizon", row)?);
        let median = match time("median", row) {
            None => "more than a half are still there at the end".to_owned(),
            Some(median) => {
                let open = || "open".to_owned();
                let (low, high) = (time("median_low", row), time("median_high", row));
                let (low, high) = (low.unwrap_or_else(open), high.unwrap_or_else(open));
                format!("the median is {median} {}s ({low} to {high})", unit.word())
            }
        };
        Some(format!(
            "{customers} customers{of}: {median}; of the first {horizon} {}s they stay {mean} on average.",
            unit.word()
        ))
    };
    (0..summary.rows().min(MOST)).filter_map(sentence).collect()
}

/// What the tests say.
fn differences(tests: &Frame) -> Vec<String> {
    let at = |name: &str, row: usize| column(tests, name)(row);
    let sentence = |row: usize| {
        let name = at("test", row).to_string().replace('_', "-");
        let Some(p) = at("p_value", row).as_f64() else {
            return Some(format!(
                "{} test of the curves being one: none. Whenever somebody left, customers of one curve alone were \
                 there, or all who were there left at once.",
                capital(&name)
            ));
        };
        let p = if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") };
        let degrees = match at("degrees_of_freedom", row) {
            Value::Int(1) => "1 degree".to_owned(),
            degrees => format!("{degrees} degrees"),
        };
        Some(format!(
            "{} test of the curves being one: {p} (χ² = {:.2}, {degrees} of freedom).",
            capital(&name),
            at("chi_square", row).as_f64()?
        ))
    };
    (0..tests.rows()).filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        assert_eq!([5.0, 12.0, 99.0, 150.0, 730.0].map(step_of), [0.1, 1.0, 1.0, 2.0, 10.0]);
    }
}
