//! The charts as values: all their numbers, without how they are drawn.

use serde::Serialize;

use super::document::Unit;

/// A chart. Each carries all its numbers, so that a renderer without graphics can print them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chart {
    /// Retention by cohort and age.
    CohortTriangle(CohortTriangle),
    /// Curves over a common axis.
    Lines(Lines),
    /// One bar per period or group.
    Bars(Bars),
    /// One bar per period, made of parts above and below the axis.
    Stacks(Stacks),
    /// Values by two ordered scores.
    Grid(Grid),
    /// One bar below the other: steps in order, or groups from most to least.
    Ranking(Ranking),
    /// Quantiles or other marks of the values of each group.
    Spread(Spread),
}

impl Chart {
    /// What the chart shows.
    pub fn title(&self) -> &str {
        match self {
            Chart::CohortTriangle(chart) => &chart.title,
            Chart::Lines(chart) => &chart.title,
            Chart::Bars(chart) => &chart.title,
            Chart::Stacks(chart) => &chart.title,
            Chart::Grid(chart) => &chart.title,
            Chart::Ranking(chart) => &chart.title,
            Chart::Spread(chart) => &chart.title,
        }
    }

    /// How to read it, in a sentence.
    pub fn description(&self) -> Option<&str> {
        match self {
            Chart::CohortTriangle(chart) => chart.description.as_deref(),
            Chart::Lines(chart) => chart.description.as_deref(),
            Chart::Bars(chart) => chart.description.as_deref(),
            Chart::Stacks(chart) => chart.description.as_deref(),
            Chart::Grid(chart) => chart.description.as_deref(),
            Chart::Ranking(chart) => chart.description.as_deref(),
            Chart::Spread(chart) => chart.description.as_deref(),
        }
    }
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Retention by cohort and age as a heat map.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CohortTriangle {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// The name of the age axis, for instance `Months since first purchase`.
    pub age_label: String,
    /// The name of each cell's age: `0`, `1`, or `1–3` where ages are taken together.
    pub ages: Vec<String>,
    /// The cohorts, oldest first.
    pub rows: Vec<CohortRow>,
    /// The average over the cohorts by age, weighted by eligible customers; empty if there is none.
    pub average: Vec<Option<RetentionCell>>,
}

/// One cohort.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CohortRow {
    /// The name of the cohort, for instance `1997-01`.
    pub label: String,
    /// All customers of the cohort.
    pub size: i64,
    /// A cell for each age; `None` where the cohort has not lived through the age.
    pub cells: Vec<Option<RetentionCell>>,
}

/// The retention of one cohort at one age.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RetentionCell {
    /// Retained divided by eligible.
    pub rate: f64,
    /// The confidence interval of the rate.
    pub interval: Option<Interval>,
    /// Customers who were active.
    pub retained: i64,
    /// Customers who have lived through the age.
    pub eligible: i64,
}

impl CohortTriangle {
    /// The same numbers as curves over age: a thin line per cohort and the average in front.
    ///
    /// Age 0 is left out when every cohort stands at 100 % there: it says nothing and flattens the rest.
    pub fn curves(&self, title: impl Into<String>) -> Lines {
        let first = usize::from(self.first_age_is_trivial());
        let ages = self.ages.len();
        let points = |cells: &[Option<RetentionCell>]| -> Vec<Option<Point>> {
            let point = |cell: &RetentionCell| Point { value: cell.rate, interval: cell.interval };
            (first..ages).map(|age| cells.get(age).and_then(Option::as_ref).map(point)).collect()
        };
        let mut series: Vec<Series> = self
            .rows
            .iter()
            .map(|row| Series {
                name: row.label.clone(),
                emphasis: Emphasis::Muted,
                points: points(&row.cells),
            })
            .filter(|series| series.points.iter().any(Option::is_some))
            .collect();
        if self.average.iter().any(Option::is_some) {
            let points = points(&self.average);
            series.push(Series {
                name: "All cohorts".to_owned(),
                emphasis: Emphasis::Strong,
                points,
            });
        }
        Lines {
            title: title.into(),
            description: None,
            x_label: self.age_label.clone(),
            x: self.ages.iter().skip(first).cloned().collect(),
            y_label: "Retained".to_owned(),
            unit: Unit::Share,
            steps: false,
            series,
            marker: None,
        }
    }

    /// The first cell that is not about the entry itself.
    pub fn first_return(&self) -> usize {
        usize::from(self.ages.first().is_some_and(|age| age == "0"))
    }

    /// Whether every cohort stands at exactly 100 % at age 0, as it does when entry and activity are the same events.
    pub(super) fn first_age_is_trivial(&self) -> bool {
        let mut first =
            self.rows.iter().filter_map(|row| row.cells.first().copied().flatten()).peekable();
        self.ages.len() > 1 && first.peek().is_some() && first.all(|cell| cell.rate == 1.0)
    }
}

/// Curves over a common axis.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lines {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// The name of the horizontal axis.
    pub x_label: String,
    /// The positions on the horizontal axis, evenly spaced.
    pub x: Vec<String>,
    /// The name of the vertical axis.
    pub y_label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// Whether each value holds until the next position, as that of a survival curve does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub steps: bool,
    /// The curves; the order of muted ones is the order of their colours.
    pub series: Vec<Series>,
    /// A position to point out, such as the end of the calibration period.
    pub marker: Option<Marker>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// The name of the curve.
    pub name: String,
    /// How much it stands out.
    pub emphasis: Emphasis,
    /// A point for each position; `None` interrupts the curve.
    pub points: Vec<Option<Point>>,
}

/// How much a curve stands out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Emphasis {
    /// The one the chart is about: thick, labelled, with its band.
    Strong,
    /// One of a few: its own colour and dash, labelled, with its band.
    #[default]
    Normal,
    /// One of many: thin, without label and band.
    Muted,
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The value.
    pub value: f64,
    /// The confidence interval of the value.
    pub interval: Option<Interval>,
}

/// A position on the horizontal axis that is pointed out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Marker {
    /// The index of the position.
    pub index: usize,
    /// What happens there.
    pub label: String,
}

/// One bar per period or group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Bars {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// The name of the horizontal axis.
    pub x_label: String,
    /// The name of the vertical axis.
    pub y_label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The bars in order.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// The period or group.
    pub label: String,
    /// The value, if there is one.
    pub value: Option<f64>,
    /// Whether the period had not ended, so that the value will still grow. Such a bar is hatched.
    pub incomplete: bool,
}

/// One bar per period, made of parts above and below the axis, such as customers gained and lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stacks {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// The name of the horizontal axis.
    pub x_label: String,
    /// The name of the vertical axis.
    pub y_label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The periods in order.
    pub x: Vec<String>,
    /// The parts, from the axis outwards.
    pub parts: Vec<Part>,
    /// Whether the parts are those who are for, neither and against, which have colours of their own.
    pub balance: bool,
}

/// One part of every bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What is counted.
    pub name: String,
    /// Whether the part hangs below the axis.
    pub below: bool,
    /// A value of at least 0 for each period; `None` where the period is not over.
    pub values: Vec<Option<f64>>,
}

/// Values by two ordered scores, such as customers by recency and frequency score.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Grid {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// The name of the score that runs downwards.
    pub row_label: String,
    /// The name of the score that runs to the right.
    pub column_label: String,
    /// The name of the values.
    pub value_label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The row scores in order, top first.
    pub rows: Vec<String>,
    /// The column scores in order.
    pub columns: Vec<String>,
    /// A value for each row and column; `None` where there is none.
    pub cells: Vec<Vec<Option<f64>>>,
}

/// Bars one below the other, such as the steps of a way or topics from most to least.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Ranking {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// What the rows are.
    pub row_label: String,
    /// The name of the values.
    pub value_label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The rows, top first.
    pub rows: Vec<Rank>,
}

/// One row of a [`Ranking`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rank {
    /// The step or group.
    pub label: String,
    /// The value, if there is one.
    pub value: Option<f64>,
    /// The confidence interval of the value.
    pub interval: Option<Interval>,
    /// What is said beside the value.
    pub note: Option<String>,
}

/// How values are spread in each group, such as waiting times by topic.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Spread {
    /// What the chart shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub description: Option<String>,
    /// What the rows are.
    pub row_label: String,
    /// The name of the values.
    pub value_label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The names of the marks, such as `median` and `p90`, ascending.
    pub marks: Vec<String>,
    /// The groups, top first.
    pub rows: Vec<SpreadRow>,
}

/// One group of a [`Spread`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpreadRow {
    /// The group.
    pub label: String,
    /// A value for each mark; `None` where it is not reached.
    pub values: Vec<Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_leave_a_trivial_age_out() {
        let cell =
            |rate: f64| Some(RetentionCell { rate, interval: None, retained: 1, eligible: 1 });
        let row = |cells| CohortRow { label: "1997-01".to_owned(), size: 1, cells };
        let mut triangle = CohortTriangle {
            ages: vec!["0".to_owned(), "1–3".to_owned()],
            rows: vec![row(vec![cell(1.0), cell(0.2)])],
            ..Default::default()
        };
        assert_eq!(triangle.curves("").x, ["1–3"]);
        triangle.rows.push(row(vec![cell(0.9)]));
        assert_eq!(triangle.curves("").x, ["0", "1–3"]);
    }
}
