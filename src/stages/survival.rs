//! # survival
//!
//! How long customers stay: which share of them is still there after each length of time.
//!
//! What it does: takes from each customer how long the relationship has lasted and whether it has ended,
//! and estimates the share that lasts longer than each time. Who is still there counts as somebody who
//! lasted at least so long, not as somebody who left.
//!
//! When to use it: where most customers are young and an average of those who left would be far too low;
//! to compare plans or countries, with a test.
//!
//! Example:
//!
//! ```yaml
//! staying:
//!   from: subscriptions
//!   survival: {by: [plan], unit: month, horizon: 24 months}
//! buying:
//!   from: orders
//!   survival: {inactive_for: 90d, unit: week}
//! ```
//!
//! Columns: the dimensions; `time` in `unit`; `at_risk` just before it, `events` (ends) and `censored` (last
//! seen) at it; `survival` with `survival_low` and `survival_high`; `cumulative_hazard` with its bounds. A
//! row for time 0 and for every time at which something happens. Bounds are null where nobody is left.
//!
//! Companions: `_summary` has the dimensions, `customers`, `events`, `median`, `median_low`, `median_high`
//! (null where not reached), `restricted_mean` (the mean time within `horizon`) with its bounds, and
//! `horizon`. `_tests` says for each of `tests` whether the curves of the dimensions differ: `test`,
//! `chi_square`, `degrees_of_freedom`, `p_value`. It has no rows where there is one curve only, and nulls
//! where nothing tells the curves apart: whenever somebody left, customers of one curve alone were there, or
//! all who were there left at once.
//!
//! Rules: of a source of spans (`subscription`) a relationship lasts from `starts` to `ends`, or is last seen
//! at `as_of`. Spans of a customer that touch or overlap are one, so a change of plan is no end; after a
//! gap a new one begins. Of events it lasts from the first to the last one, and has ended if nothing has
//! happened for `inactive_for` by `as_of`; otherwise it was last seen with the last event. Times are whole
//! days in the pipeline's time zone, divided by the unit; a month counts 30.4375 days. Dimensions are as of
//! the start. A span that ends where it starts, or before, is left out and counted in the report. With
//! `observed_from` customers are under observation only from then on, say from the day the data begin: those
//! who started before are at risk from there, in `(entry, exit]`, and who ended before is left out.
//!
//! survival is Kaplan and Meier's, with Greenwood's variance, by default on the scale ln(−ln S), which stays
//! within 0 and 1; `transform: plain` is symmetric. The hazard is Nelson and Aalen's sum of events over
//! those at risk; its variance is the sum of events over the square of those at risk, its bounds symmetric in
//! its logarithm. The median is the first time at which a half or fewer are there; its bounds are where
//! those of the curve cross a half. Where nobody is left both have crossed, as in the PyPI packages lifelines and
//! scikit-survival; R's survfit leaves them open. Without `horizon` the mean is up to the shortest of the
//! longest times of the curves. Tests weigh a difference at a time by 1 (`log_rank`), by the number at risk n (`wilcoxon`, of
//! Gehan and Breslow), by √n (`tarone_ware`), or by Peto and Peto's survival of all, the product of
//! 1 − d / (n + 1) (`peto`).
//!
//! References: Kaplan and Meier (1958), Nonparametric estimation from incomplete observations; Klein and
//! Moeschberger (2003), Survival analysis: techniques for censored and truncated data.

use std::sync::Arc;

use super::context::{RoleOverrides, StageContext};
use super::dimension::{Dimension, DimensionSpec};
use super::registry::{Companion, Output, Stage, StageKind};
use super::spans::is_empty;
use super::view::View;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{
    DAY_MICROS, Decode, Decoder, Expression, Field, Interval, Node, Options, PeriodUnit, TimeUnit,
};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{Typed, build, call};
use crate::ir::{
    Expr, Func, Measure, MeasureFunc, Named, RelRef, Roles, SortKey, SpanRoles, Table, named,
};
use crate::models::SurvivalCurves;
use crate::stats::survival::{Transform, Weights};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "survival",
    source: include_str!("survival.rs"),
    row_level: false,
    companions: &[
        Companion {
            suffix: "summary",
            sentence: "Median and restricted mean of each curve, with bounds.",
        },
        Companion { suffix: "tests", sentence: "Whether the curves of the dimensions differ." },
    ],
    fields,
    decode,
};

crate::choice! {
    /// What a test of several curves looks at.
    pub enum SurvivalTest {
        /// All differences alike.
        LogRank = "log_rank",
        /// Early ones most.
        Wilcoxon = "wilcoxon",
        /// Early ones more.
        TaroneWare = "tarone_ware",
        /// Early ones, by the survival of all.
        Peto = "peto",
    }
}

crate::choice! {
    /// On which scale intervals are symmetric.
    pub enum SurvivalTransform {
        /// That of ln(−ln S).
        LogLog = "log_log",
        /// That of S itself.
        Plain = "plain",
    }
}

crate::options! {
    /// How long what lasts.
    struct Survival("`survival`") {
        /// Unit of time.
        unit: PeriodUnit = PeriodUnit::Day,
        /// Dimensions, as of the start; each cell has a curve.
        by: Vec<DimensionSpec> = Vec::new(),
        /// Of events: after so long without one the customer has left. Spans say themselves when they end.
        inactive_for: Option<Interval> = None,
        /// Up to which time the mean is taken.
        horizon: Option<Interval> = None,
        /// The date, or the expression for one, from which on a customer was observed.
        observed_from: Option<Expression> = None,
        /// Tests of the curves being one.
        tests: Vec<SurvivalTest> = vec![SurvivalTest::LogRank],
        /// How intervals are found.
        transform: SurvivalTransform = SurvivalTransform::LogLog,
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Survival::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Survival::decode(node, decoder)?))
}

impl Stage for Survival {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &None,
        })?;
        let mut table = cx.input()?;
        let dimensions = cx.customer_dimensions(&self.by.value, &mut table);
        let entry = self.entry(cx, &table);
        let horizon = self.horizon_days(cx);
        let (dimensions, entry, horizon) = (dimensions?, entry?, horizon?);
        let spans = match table.roles.subscription.clone() {
            Some(span) => self.of_spans(cx, &table, &span, &dimensions, entry)?,
            None => self.of_events(cx, &table, &dimensions, entry)?,
        };
        let by: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let function = SurvivalCurves {
            by: by.iter().filter_map(|name| spans.schema.field(name).cloned()).collect(),
            unit: self.unit.value.into(),
            transform: match self.transform.value {
                SurvivalTransform::LogLog => Transform::LogLog,
                SurvivalTransform::Plain => Transform::Plain,
            },
            tests: self.tests.value.iter().map(|test| weights(*test)).collect(),
            horizon,
            z: cx.z(),
        };
        let tables = relation::apply(vec![spans], Arc::new(function));
        let [curves, summary, tests] = <[RelRef; 3]>::try_from(tables).ok()?;
        let output = |suffix, rel, grain: &[&str], views| Output {
            suffix,
            rel,
            grain: match suffix {
                Some("tests") => vec!["test".to_owned()],
                _ => by.iter().cloned().chain(grain.iter().map(|&name| name.to_owned())).collect(),
            },
            roles: Roles::default(),
            views,
        };
        let unit = TimeUnit::from(self.unit.value);
        let view = View::Survival { by: by.clone(), unit, summary: "summary", tests: "tests" };
        Some(vec![
            output(None, curves, &["time"], vec![view]),
            output(Some("summary"), summary, &[], vec![View::Rows]),
            output(Some("tests"), tests, &[], Vec::new()),
        ])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

fn weights(test: SurvivalTest) -> Weights {
    match test {
        SurvivalTest::LogRank => Weights::LogRank,
        SurvivalTest::Wilcoxon => Weights::Wilcoxon,
        SurvivalTest::TaroneWare => Weights::TaroneWare,
        SurvivalTest::Peto => Weights::Peto,
    }
}

fn day(expr: Expr) -> Typed {
    build::cast(expr, DataType::Date)
}

fn date(day: i32) -> Expr {
    Expr::literal(Value::Date(day), DataType::Date)
}

impl Survival {
    /// The day from which on a row's customer is observed; a null date without `observed_from`.
    fn entry(&self, cx: &mut StageContext, table: &Table) -> Option<Expr> {
        let Some(written) = &self.observed_from.value else {
            return Some(Expr::null(DataType::Date));
        };
        let expr = cx.parse(written, table)?;
        if !matches!(expr.data_type, DataType::Date | DataType::Timestamp) {
            let message = format!("a time is a date or a timestamp, not a {}", expr.data_type);
            cx.diagnostics.push(
                Diagnostic::at(Code::TypeMismatch, written.span, message)
                    .help("write a date as `date '2024-01-01'`"),
            );
            return None;
        }
        cx.typed(day(expr))
    }

    /// The horizon in days, rounded; `Some(None)` without one.
    fn horizon_days(&self, cx: &mut StageContext) -> Option<Option<i64>> {
        let Some(span) = self.horizon.value else { return Some(None) };
        let days = f64::from(span.months) * 30.4375 + span.micros as f64 / DAY_MICROS as f64;
        if days < 1.0 {
            cx.report(Code::InvalidValue, self.horizon.span, "a horizon is a day or longer");
            return None;
        }
        Some(Some(days.round() as i64))
    }

    /// Spans as they are.
    fn of_spans(
        &self,
        cx: &mut StageContext,
        table: &Table,
        span: &SpanRoles,
        by: &[Dimension],
        entry: Expr,
    ) -> Option<RelRef> {
        let (customer, _) = cx.customer_and_time(table)?;
        if self.inactive_for.value.is_some() {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    self.inactive_for.place(cx.kind.span),
                    format!("the spans of `{}` say themselves when they end", table.name),
                )
                .help("leave `inactive_for` out"),
            );
            return None;
        }
        cx.count_empty_spans(table, span)?;
        let end = cx.last_day() + 1;
        let built = (|| {
            let mut columns = vec![named(SurvivalCurves::CUSTOMER, customer.value.clone())];
            columns.extend(by.iter().map(Dimension::key));
            columns.extend([
                named(SurvivalCurves::START, day(span.starts.clone())?),
                named(SurvivalCurves::END, day(span.ends.clone())?),
                named(SurvivalCurves::SEEN, date(end)),
                named(SurvivalCurves::ENTRY, entry),
            ]);
            let (starts, ends) = (span.starts.clone(), span.ends.clone());
            let empty = is_empty(starts, ends)?;
            let held = relation::filter(&table.rel, build::not(empty)?)?;
            sorted(&relation::project(&held, columns)?)
        })();
        cx.typed(built)
    }

    /// From the first event of each customer to the last.
    fn of_events(
        &self,
        cx: &mut StageContext,
        table: &Table,
        by: &[Dimension],
        entry: Expr,
    ) -> Option<RelRef> {
        cx.customer_and_time(table)?;
        let Some(inactive) = self.inactive_for.value else {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::MissingKey,
                    cx.kind.span,
                    format!("`survival` of events, which `{}` has, needs `inactive_for`", table.name),
                )
                .help(
                    "say after how long without an event a customer has left: `inactive_for: 90d`; or say \
                     at the source that its rows are spans: `subscription: {starts: …, ends: …}`",
                ),
            );
            return None;
        };
        // The entry rides along as a dimension of the first event.
        let observed = Dimension { name: SurvivalCurves::ENTRY.into(), expr: entry, grain: None };
        let all: Vec<Dimension> = by.iter().cloned().chain([observed]).collect();
        let purchases = cx.purchases(table, &all, None, false)?;
        let as_of = Expr::literal(Value::Timestamp(cx.as_of), DataType::Timestamp);
        let built = (|| {
            let events = &purchases.events;
            let order: Vec<Expr> =
                std::iter::once(&events.time).chain(&events.tie).cloned().collect();
            let least = Measure::of(MeasureFunc::Min(events.time.clone()));
            let greatest = Measure::of(MeasureFunc::Max(events.time.clone()));
            let mut measures = vec![named("#first", least), named("#last", greatest)];
            for by in &purchases.by {
                let value = by.value.clone();
                let first = MeasureFunc::First { value, order: order.clone() };
                measures.push(named(&by.name, Measure::of(first)));
            }
            let key = named(SurvivalCurves::CUSTOMER, events.customer.value.clone());
            let each = relation::aggregate(&purchases.rel, vec![key], measures)?;
            let last = column(&each, "#last")?;
            let left = call(Func::Shift(inactive), vec![last.clone()])?;
            let left = build::le(build::cast(left, DataType::Timestamp)?, as_of)?;
            let last = day(last)?;
            let mut columns: Vec<Named<Expr>> =
                vec![named(SurvivalCurves::CUSTOMER, column(&each, SurvivalCurves::CUSTOMER)?)];
            for dimension in by {
                columns.push(named(&dimension.name, column(&each, &dimension.name)?));
            }
            columns.extend([
                named(SurvivalCurves::START, day(column(&each, "#first")?)?),
                named(
                    SurvivalCurves::END,
                    build::choose(left, last.clone(), Expr::null(DataType::Date))?,
                ),
                named(SurvivalCurves::SEEN, last),
                named(SurvivalCurves::ENTRY, column(&each, SurvivalCurves::ENTRY)?),
            ]);
            sorted(&relation::project(&each, columns)?)
        })();
        cx.typed(built)
    }
}

/// By customer and start; where two start together, the longer one comes first.
fn sorted(rel: &RelRef) -> Built {
    relation::sort(
        rel,
        vec![
            SortKey::ascending(SurvivalCurves::CUSTOMER),
            SortKey::ascending(SurvivalCurves::START),
            SortKey::descending(SurvivalCurves::END),
        ],
    )
}
