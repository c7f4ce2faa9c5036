//! What a report shows of a table, as plain data.

use crate::document::TimeUnit;
use crate::frame::Unit;
use crate::ir::{Returned, Steps};

/// A way to look at a table; columns are named.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// The first rows.
    Rows,
    /// A bar per row; rows where `complete` is false are marked as not over.
    Bars { title: String, x: String, y: String, complete: Option<String> },
    /// The two sides of a balance and what lies between, for each row; the columns are those of the metric.
    /// Rows where `complete` is false are left blank.
    Balance { x: String, metric: String },
    /// A metric with its interval over time, one curve for each value of `by`; rows where `complete` is false are left
    /// blank. `goal` is what it should be.
    Line { title: String, x: String, y: String, by: Vec<String>, goal: Option<f64> },
    /// Quantiles of one thing over time or by group, each with its name. Rows where `complete` is false are left blank.
    Quantiles { title: String, x: String, of: Vec<(String, String)>, over_time: bool },
    /// A metric with its interval by group, from most to least.
    Ranking { title: String, of: String, y: String },
    /// Shares of a table of one row side by side, from most to least; the columns are those of the metrics.
    Compared { metrics: Vec<String> },
    /// Cohorts by age as a heat map and as curves; the columns are those of `cohort_retention`.
    /// With segments, one heat map for each value of `by`.
    Cohorts {
        by: Vec<String>,
        age: TimeUnit,
        steps: Steps,
        returned: Returned,
        average: &'static str,
    },
    /// Customers and value gained and lost by period; the columns are those of `growth`. With
    /// segments, one chart for each value of `by`.
    Growth { by: Vec<String> },
    /// What each tenth of the customers is worth; 10 is the best.
    Deciles { title: String, decile: String, value: String },
    /// How a value is spread over the rows: the share of it that the best have. With segments, a curve
    /// for each value of `by`.
    Lorenz { by: Vec<String>, title: String, value: String },
    /// A forecast beside what came, over time; `holdout` is true where the forecast had not seen. With
    /// segments, one chart for each value of `by`.
    Tracking {
        by: Vec<String>,
        title: String,
        x: String,
        actual: String,
        expected: String,
        holdout: String,
    },
    /// Survival curves with their bands and numbers at risk; the columns are those of `survival`.
    Survival { by: Vec<String>, unit: TimeUnit, summary: &'static str, tests: &'static str },
    /// Retention curves and how they go on; the columns are those of `project_retention`.
    Projection { by: Vec<String>, unit: TimeUnit, fits: &'static str },
    /// Metrics over time beside what was expected, and what comes next; the columns are those of `trend`.
    /// `metrics` are in order, each with its unit.
    Trend { by: Vec<String>, period: String, metrics: Vec<(String, Unit)> },
    /// The steps of a journey, how many reach them and how many drop off; the columns are those of `journey`.
    /// With dimensions, one chart for each value of `by`. `every`: entries are counted, not customers.
    Funnel { by: Vec<String>, every: bool },
    /// How a sample stands to its population; the columns are those of `sample`'s `_strata`. `who` was drawn.
    Strata { who: &'static str },
    /// Whether a sample has the shares of its population; the columns are those of `sample`'s `_tests`.
    SampleTests { shares: &'static str },
    /// Whether the fits of `clv` can be relied on, and how they fared: what its companions say.
    Fits { by: Vec<String>, fits: &'static str, parameters: &'static str },
    /// What was foretold beside what came, by bins; the columns are those of `clv`'s `_calibration`.
    Calibration { by: Vec<String> },
    /// How many customers, and what value, by the probability of being alive and by tenths of value.
    Standing { title: String, alive: String, decile: String, value: String },
    /// How many rows fall into each cell of two scores.
    Grid { title: String, rows: String, columns: String },
    /// How many rows have each value, and a sum over them.
    Counts { title: String, of: String, sum: String },
}
