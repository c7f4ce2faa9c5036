//! # trend
//!
//! What has changed, whether it is more than chance, and what comes next.
//!
//! What it does: holds each period of a metric against the one before and the one a year ago, with intervals and
//! tests that know how many they are; takes the season out; flags periods that are not as the others make one
//! expect; and carries the metric on.
//!
//! When to use it: to read a monthly table without seeing changes where there are none.
//!
//! Example:
//!
//! ```yaml
//! monthly:
//!   from: orders
//!   segment_metrics: {by: [month], metrics: [revenue, repeat_purchase_rate]}
//! changes:
//!   from: monthly
//!   trend: {metrics: [revenue, repeat_purchase_rate], forecast: 3}
//! ```
//!
//! Columns: the dimensions, `metric`, the column of the period; `value`, `n`; `previous`, `change`,
//! `change_share` (of the size of what was), `change_low`, `change_high`, `p_value`, `q_value`, `significant`;
//! `year_ago` and the same with the prefix `year_ago_`; `seasonal_index`, `adjusted`; `expected` with
//! `expected_low` and `expected_high`, `anomaly`; `forecast` (then `value` is null and `expected` the forecast);
//! `suppressed` if the input has it: the period is one of few customers, its `value` is null and it is a gap.
//!
//! Rules: the input has a row for each period and cell, as `segment_metrics` by a calendar grain and `growth` give
//! it; `metrics` are its columns. Periods with `complete` false are left out, and one without a row is a gap. What a
//! metric has beside it says how sure it is: `_numerator` and `_n` make it a share (difference with Newcombe's
//! interval, p by the pooled test); a mean that a stage of the pipeline measured with Student's interval is held
//! against another by Welch's t, of both variances; any other with `_low` and `_high`, a mean that is read from a
//! source too, is an estimate whose error follows from how far the bounds are (z test of the difference); without any
//! only the change is told. `q_value` is the p-value adjusted for all tests of the table of that sort, by Benjamini and
//! Hochberg; `significant` is q ≤ 1 − level.
//!
//! The season is taken out by classical decomposition, multiplicative if all values are positive, else additive;
//! with fewer than two seasons its columns are null. A period is expected to be what the robust line of Theil and
//! Sen through the adjusted values of up to `baseline` periods before and after it says, itself left out of
//! everything; bounds come from the median absolute deviation, and `anomaly` is a value outside them. With fewer
//! than 8 other periods nothing is expected. The forecast carries the last such line on. Of a share whose values lie
//! between 0 and 1, what is expected and foretold does too.
//!
//! References: Newcombe (1998), Interval estimation for the difference between independent proportions; Welch (1947),
//! The generalization of Student's problem; Benjamini and Hochberg (1995), Controlling the false discovery rate; Sen (1968), Estimates of the regression coefficient
//! based on Kendall's tau.

use std::sync::Arc;

use super::context::StageContext;
use super::dimension::DimensionSpec;
use super::registry::{Output, Stage, StageKind};
use super::suppression::SUPPRESSED;
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{Decode, Decoder, Field, Node, Options, PeriodUnit, TimeUnit};
use crate::frame::{DataType, Unit};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, JoinKind, RelRef, Roles, SortKey, named};
use crate::models::{Followed, Trends};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "trend",
    source: include_str!("trend.rs"),
    row_level: false,
    companions: &[],
    fields,
    decode,
};

crate::choice! {
    /// What a period is held against.
    pub enum Against {
        /// The period before.
        Previous = "previous",
        /// The same period a year ago.
        YearAgo = "year_ago",
    }
}

crate::choice! {
    /// How p-values are adjusted for how many there are.
    pub enum Correction {
        BenjaminiHochberg = "benjamini_hochberg",
        None = "none",
    }
}

crate::options! {
    /// What is followed.
    struct Trend("`trend`") {
        /// The length of a period.
        period: PeriodUnit = PeriodUnit::Month,
        /// Dimensions: columns of the input.
        by: Vec<DimensionSpec> = Vec::new(),
        /// The metrics: columns of the input.
        metrics: Vec<Spanned<String>>,
        /// What each period is held against.
        compare: Vec<Against> = vec![Against::Previous, Against::YearAgo],
        /// Periods of a season; absent: 12 months, 4 quarters, 52 weeks, 7 days.
        season: Option<i64> = None,
        /// Periods to carry on.
        forecast: i64 = 3,
        /// How p-values are adjusted for how many there are.
        correct: Correction = Correction::BenjaminiHochberg,
        /// Periods on either side that say what a value should be.
        baseline: i64 = 24,
    }
}

fn fields() -> Vec<Field> {
    Trend::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Trend::decode(node, decoder)?))
}

impl Stage for Trend {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let mut table = cx.input()?;
        let dimensions = cx.dimensions(&self.by.value, &mut table);
        let time = cx.time(&table)?;
        let Some(period) = time.as_column().filter(|_| time.data_type == DataType::Date) else {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::TypeMismatch,
                    cx.kind.span,
                    format!("the time of `{}` is no column of periods", table.name),
                )
                .help("read from a stage that has a row for each period: `segment_metrics: {by: [month], …}`"),
            );
            return None;
        };
        let period = period.to_owned();
        let mut columns = Vec::new();
        let mut good = self.check(cx).is_some();
        for metric in &self.metrics.value {
            // What is wrong with it is noted where it is made.
            if table.rel.schema.field(&metric.value).is_some_and(|field| field.flawed) {
                good = false;
                continue;
            }
            match cx.column(metric, &table) {
                Some(expr) if expr.data_type.is_numeric() => columns.push(metric.value.clone()),
                Some(expr) => {
                    let message =
                        format!("`{}` is a {}, not a number", metric.value, expr.data_type);
                    cx.report(Code::TypeMismatch, Some(metric.span), message);
                    good = false;
                }
                None => good = false,
            }
        }
        let dimensions = dimensions?;
        if !good {
            return None;
        }
        let by: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let suffixes = ["", "_n", "_numerator", "_plus", "_low", "_high"];
        let built = (|| {
            let mut kept: Vec<_> = dimensions.iter().map(|dimension| dimension.key()).collect();
            let beside = columns
                .iter()
                .flat_map(|name| suffixes.iter().map(move |suffix| format!("{name}{suffix}")));
            for name in [period.clone(), "complete".to_owned()].into_iter().chain(beside) {
                let known = kept.iter().any(|column: &crate::ir::Named<Expr>| column.name == name);
                if table.rel.schema.field(&name).is_some() && !known {
                    kept.push(named(&name, column(&table.rel, &name)?));
                }
            }
            let rel = relation::project(&table.rel, kept)?;
            let keys = by.iter().chain([&period]).map(SortKey::ascending).collect();
            relation::sort(&rel, keys)
        })();
        let rel = cx.typed(built)?;
        let unit = TimeUnit::from(self.period.value);
        let year = match unit {
            TimeUnit::Day => 365,
            TimeUnit::Week => 52,
            TimeUnit::Month => 12,
            TimeUnit::Quarter => 4,
            _ => 1,
        };
        let usual = match unit {
            TimeUnit::Day => 7,
            TimeUnit::Year => 1,
            _ => year,
        };
        let field = |name: &str| rel.schema.field(name).cloned();
        let unit_of = |name: &String| field(name).map_or(Unit::None, |field| field.unit);
        let told = columns.iter().map(|name| (name.clone(), unit_of(name))).collect();
        let followed = |name: String| Followed {
            is_mean: field(&name).is_some_and(|field| field.mean),
            is_share: unit_of(&name) == Unit::Share,
            name,
        };
        let function = Trends {
            by: by.iter().filter_map(|name| field(name)).collect(),
            period: field(&period)?,
            unit,
            metrics: columns.into_iter().map(followed).collect(),
            previous: self.compare.value.contains(&Against::Previous),
            year_ago: self.compare.value.contains(&Against::YearAgo),
            season: self.season.value.map_or(usual, |season| season as usize),
            year,
            ahead: self.forecast.value as usize,
            baseline: self.baseline.value as usize,
            adjusts: self.correct.value == Correction::BenjaminiHochberg,
            level: cx.level,
        };
        let tables = relation::apply(vec![rel], Arc::new(function));
        let [main] = <[RelRef; 1]>::try_from(tables).ok()?;
        let keys: Vec<&str> = by.iter().chain([&period]).map(String::as_str).collect();
        let main = cx.typed(with_hidden(&main, &table.rel, &keys))?;
        let roles = Roles { time: column(&main, &period).ok(), ..Roles::default() };
        let grain = by.iter().cloned().chain(["metric".to_owned(), period.clone()]).collect();
        let view = View::Trend { by: by.clone(), period, metrics: told };
        Some(vec![Output { suffix: None, rel: main, grain, roles, views: vec![view] }])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

/// The table with the column that says which periods are hidden, if those that it is made of have it.
fn with_hidden(main: &RelRef, input: &RelRef, keys: &[&str]) -> Built {
    if input.schema.field(SUPPRESSED).is_none() {
        return Ok(main.clone());
    }
    let hidden = relation::filter(input, column(input, SUPPRESSED)?)?;
    let key = |name: &&str| Ok(named(format!("#{name}"), column(&hidden, name)?));
    let mut columns = keys.iter().map(key).collect::<Result<Vec<_>, TypeError>>()?;
    columns.push(named(SUPPRESSED, Expr::bool(true)));
    let hidden = relation::project(&hidden, columns)?;
    let pairs = keys.iter().map(|name| ((*name).to_owned(), format!("#{name}"))).collect();
    let joined = relation::join(main, &hidden, pairs, JoinKind::Left, true)?;
    let mut columns = relation::all_columns(main);
    let flag = build::coalesce(column(&joined, SUPPRESSED)?, Expr::bool(false))?;
    columns.push(named(SUPPRESSED, flag));
    relation::project(&joined, columns)
}

impl Trend {
    fn check(&self, cx: &mut StageContext) -> Option<()> {
        let mut good = true;
        let mut within =
            |cx: &mut StageContext, name: &str, value: i64, span, least: i64, most: i64| {
                if !(least..=most).contains(&value) {
                    let message = format!("`{name}` is {least} to {most}, not {value}");
                    cx.report(Code::InvalidValue, span, message);
                    good = false;
                }
            };
        if let Some(season) = self.season.value {
            within(cx, "season", season, self.season.span, 1, 400);
        }
        within(cx, "forecast", self.forecast.value, self.forecast.span, 0, 400);
        within(cx, "baseline", self.baseline.value, self.baseline.span, 4, 1_000);
        if self.metrics.value.is_empty() {
            cx.report(Code::InvalidValue, self.metrics.span, "`metrics` names at least one column");
            good = false;
        }
        good.then_some(())
    }
}
