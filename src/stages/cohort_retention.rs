//! # cohort_retention
//!
//! Which share of each cohort of new customers comes back, period after period.
//!
//! What it does: puts each customer into the cohort of the first order ever, and counts for every age how
//! many of the cohort are active, what they order and what it is worth.
//!
//! When to use it: to see whether customers stay, and whether newer ones stay better.
//!
//! Example:
//!
//! ```yaml
//! retention:
//!   from: orders
//!   cohort_retention: {cohort: month, age: month, returned: exactly}
//! ```
//!
//! Columns: `cohort` (first day), the dimensions of `by` as of the first order, `age`, `period` (first day
//! of the cell), `observed_share` (part of the cell before `as_of`), `size` (all of the cohort), `eligible`
//! (those who have lived through the cell), `retained`, `rate`, `rate_low`, `rate_high` (Wilson),
//! `orders`, `value`, `cumulative_value`, `cumulative_value_per_customer`. Orders and value are those of
//! the cell's own period, whatever `returned` says. A cell that is not over is null after `size`, never 0.
//!
//! Companion `_average`: the dimensions, `age`, `cohorts`, `eligible`, `retained`, `rate`, `rate_low`,
//! `rate_high`: all cohorts that have lived through an age, weighted by their customers. Companion
//! `_totals`, if `by` names more than calendar grains: the same columns without those dimensions.
//!
//! Rules: `returned: exactly` is active in the cell's period, `on_or_after` in it or later. Age 0 is the
//! cohort's own period; age k is the k-th period of the age unit after the one that holds the cohort's
//! last day, so units may differ. A stage's `where` says what counts as activity; the cohort is that of
//! the first order all the same.
//!
//! References: Fader and Hardie (2007), How to project customer retention.

use super::context::{RoleOverrides, StageContext};
use super::customer_summary::customer_roles;
use super::dimension::{Dimension, DimensionSpec};
use super::registry::{Companion, Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::Code;
use crate::document::{
    DAY_MICROS, Decode, Decoder, Expression, Field, Interval, Node, Options, PeriodUnit, TimeUnit,
};
use crate::frame::{DataType, Unit, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{CohortGrid, Expr, Func, Measure, MeasureFunc, Named, RelRef, Roles, Table, named};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "cohort_retention",
    source: include_str!("cohort_retention.rs"),
    row_level: false,
    companions: &[
        Companion {
            suffix: "average",
            sentence: "All cohorts that have lived through an age, weighted by their customers.",
        },
        Companion { suffix: "totals", sentence: "The same without the dimensions of `by`." },
    ],
    fields,
    decode,
};

crate::choice! {
    /// What counts as coming back.
    pub enum Returned {
        /// Active in the period.
        Exactly = "exactly",
        /// Active in the period or later.
        OnOrAfter = "on_or_after",
    }
}

crate::choice! {
    /// How intervals are found.
    pub enum RateInterval {
        Wilson = "wilson",
        None = "none",
    }
}

crate::choice! {
    /// Whether there is a companion without the dimensions.
    pub enum Totals {
        Rows = "rows",
        None = "none",
    }
}

crate::options! {
    /// How cohorts are followed.
    struct CohortRetention("`cohort_retention`") {
        /// Grain of the cohort.
        cohort: PeriodUnit = PeriodUnit::Month,
        /// Unit of age.
        age: PeriodUnit = PeriodUnit::Month,
        /// What counts as coming back.
        returned: Returned = Returned::Exactly,
        /// The last age; absent: the oldest cohort's last.
        max_age: Option<i64> = None,
        /// Dimensions, as of the first order.
        by: Vec<DimensionSpec> = Vec::new(),
        /// Whether `_totals` is made.
        totals: Totals = Totals::Rows,
        /// How intervals are found.
        interval: RateInterval = RateInterval::Wilson,
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    CohortRetention::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(CohortRetention::decode(node, decoder)?))
}

impl Stage for CohortRetention {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        })?;
        self.check(cx)?;
        // The first order ever decides the cohort, so `where` does not filter.
        let mut table = cx.table.clone();
        let active = cx.condition.clone();
        let dimensions = cx.dimensions(&self.by.value, &mut table);
        let (_, _) = (cx.customer(&table)?, cx.time(&table)?);
        let dimensions = dimensions?;
        let purchases = cx.purchases(&table, &dimensions, active, false)?;

        let grid = |cx: &mut StageContext, keep: &dyn Fn(&Dimension) -> bool| {
            let by: Vec<Named<Expr>> = dimensions
                .iter()
                .zip(&purchases.by)
                .filter(|(dimension, _)| keep(dimension))
                .map(|(_, by)| by.clone())
                .collect();
            let names: Vec<String> = by.iter().map(|by| by.name.clone()).collect();
            let grid = CohortGrid {
                input: purchases.rel.clone(),
                events: purchases.events.clone(),
                active: purchases.active.clone(),
                by,
                cohort: self.cohort.value.into(),
                age: self.age.value.into(),
                on_or_after: self.returned.value == Returned::OnOrAfter,
                max_age: self.max_age.value,
                last_day: cx.last_day(),
            };
            let built = grid.build().and_then(|grid| self.rates(cx, &grid, &names, &table));
            Some((cx.typed(built)?, names))
        };
        let (main, names) = grid(cx, &|_| true)?;
        let average = self.average(cx, &main, &names);
        let average = cx.typed(average)?;
        let grain = |names: &[String], first: &[&str], last: &[&str]| -> Vec<String> {
            let first = first.iter().map(|&name| name.to_owned());
            let last = last.iter().map(|&name| name.to_owned());
            first.chain(names.iter().cloned()).chain(last).collect()
        };
        let roles = Roles {
            customer: None,
            time: column(&main, "period").ok(),
            ..customer_roles(&Table { roles: Roles::default(), ..table.clone() }, &main)
        };
        let age = self.age.value.word().to_owned();
        let view = |by: Vec<String>| View::Cohorts { by, age: age.clone(), average: "average" };
        let mut outputs = vec![
            Output {
                suffix: None,
                grain: grain(&names, &["cohort"], &["age"]),
                views: vec![view(names.clone())],
                rel: main,
                roles: roles.clone(),
            },
            Output {
                suffix: Some("average"),
                grain: grain(&names, &[], &["age"]),
                views: Vec::new(),
                rel: average,
                roles: Roles::default(),
            },
        ];
        let more = dimensions.iter().any(|dimension| dimension.grain.is_none());
        if more && self.totals.value == Totals::Rows {
            let (totals, names) = grid(cx, &|dimension| dimension.grain.is_some())?;
            outputs.push(Output {
                suffix: Some("totals"),
                grain: grain(&names, &["cohort"], &["age"]),
                views: Vec::new(),
                rel: totals,
                roles,
            });
        }
        Some(outputs)
    }

    fn dimensions(&self) -> &[DimensionSpec] {
        &self.by.value
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl CohortRetention {
    fn check(&self, cx: &mut StageContext) -> Option<()> {
        if let Some(max_age) = self.max_age.value
            && !(0..=10_000).contains(&max_age)
        {
            let message = format!("`max_age` is 0 to 10000, not {max_age}");
            cx.report(Code::InvalidValue, self.max_age.span, message);
            return None;
        }
        Some(())
    }

    /// The grid with shares, rates and bounds; what is not over is null.
    fn rates(&self, cx: &StageContext, grid: &RelRef, by: &[String], table: &Table) -> Built {
        // The cell ends where the next period begins.
        let cohort = column(grid, "cohort")?;
        let next = build::add(build::period_of(self.cohort.value.into(), cohort)?, Expr::int(1))?;
        let next = build::period_start(self.cohort.value.into(), next)?;
        let day_before = Interval { months: 0, micros: -DAY_MICROS };
        let base =
            build::period_of(self.age.value.into(), call(Func::Shift(day_before), vec![next])?)?;
        let end = build::add(build::add(base, column(grid, "age")?)?, Expr::int(1))?;
        let end =
            build::cast(build::period_start(self.age.value.into(), end)?, DataType::Timestamp)?;
        let start = build::cast(column(grid, "period")?, DataType::Timestamp)?;
        let cells = relation::extend(grid, vec![named("#start", start), named("#end", end)])?;

        let as_of = Expr::literal(Value::Timestamp(cx.as_of), DataType::Timestamp);
        let start = column(&cells, "#start")?;
        let seconds = |to: Expr| call(Func::Elapsed(TimeUnit::Second), vec![start.clone(), to]);
        let part = build::div(seconds(as_of)?, seconds(column(&cells, "#end")?)?)?;
        let part = call(Func::Least, vec![Expr::float(1.0), part])?;
        let observed = call(Func::Greatest, vec![Expr::float(0.0), part])?;
        let cells = relation::extend(&cells, vec![named("observed_share", observed)])?;

        // What is not over is null.
        let over = build::ge(column(&cells, "observed_share")?, Expr::float(1.0))?;
        let mut shown = vec![named("eligible", column(&cells, "size")?)];
        for name in ["retained", "orders", "value", "cumulative_value"] {
            shown.push(named(name, column(&cells, name)?));
        }
        for column in &mut shown {
            let null = Expr::null(column.value.data_type);
            column.value = build::choose(over.clone(), column.value.clone(), null)?;
        }
        let cells = relation::extend(&cells, shown)?;

        let same = |name: &str| Ok(named(name, column(&cells, name)?));
        let mut columns = vec![same("cohort")?];
        for name in by {
            columns.push(same(name)?);
        }
        columns.extend([
            named("age", build::cast(column(&cells, "age")?, DataType::Int32)?),
            same("period")?,
            same("observed_share")?,
            same("size")?,
        ]);
        columns.extend(self.rate(cx, column(&cells, "eligible")?, column(&cells, "retained")?)?);
        let cumulative = column(&cells, "cumulative_value")?;
        columns.extend([
            same("orders")?,
            same("value")?,
            same("cumulative_value")?,
            named(
                "cumulative_value_per_customer",
                build::div(cumulative, column(&cells, "size")?)?,
            ),
        ]);
        let currency = table.roles.value.as_ref().and_then(|value| value.currency.clone());
        let money = Unit::Money(currency);
        let units = [
            ("age", Unit::Time(self.age.value.word().into())),
            ("observed_share", Unit::Share),
            ("size", Unit::Count),
            ("orders", Unit::Count),
            ("value", money.clone()),
            ("cumulative_value", money.clone()),
            ("cumulative_value_per_customer", money),
        ];
        with_units(&relation::project(&cells, columns)?, &units)
    }

    /// Columns `eligible`, `retained`, `rate`, `rate_low`, `rate_high`.
    fn rate(
        &self,
        cx: &StageContext,
        eligible: Expr,
        retained: Expr,
    ) -> Result<Vec<Named<Expr>>, TypeError> {
        let bound = |func: Func| match self.interval.value {
            RateInterval::Wilson => {
                let z = Expr::float(cx.z());
                call(func, vec![retained.clone(), eligible.clone(), z])
            }
            RateInterval::None => Ok(Expr::null(DataType::Float64)),
        };
        let (low, high) = (bound(Func::WilsonLow)?, bound(Func::WilsonHigh)?);
        let rate = build::div(retained.clone(), eligible.clone())?;
        Ok(vec![
            named("eligible", eligible),
            named("retained", retained),
            named("rate", rate),
            named("rate_low", low),
            named("rate_high", high),
        ])
    }

    /// All cohorts that have lived through an age, weighted by their customers.
    fn average(&self, cx: &StageContext, main: &RelRef, by: &[String]) -> Built {
        let mut keys = Vec::new();
        for name in by.iter().map(String::as_str).chain(["age"]) {
            keys.push(named(name, column(main, name)?));
        }
        let (eligible, retained) = (column(main, "eligible")?, column(main, "retained")?);
        let ages = relation::aggregate(
            main,
            keys,
            vec![
                named("cohorts", Measure::of(MeasureFunc::Count(eligible.clone()))),
                named("eligible", Measure::of(MeasureFunc::Sum(eligible))),
                named("retained", Measure::of(MeasureFunc::Sum(retained))),
            ],
        )?;
        let mut columns = Vec::new();
        for name in by.iter().map(String::as_str).chain(["age", "cohorts"]) {
            columns.push(named(name, column(&ages, name)?));
        }
        columns.extend(self.rate(cx, column(&ages, "eligible")?, column(&ages, "retained")?)?);
        with_units(&relation::project(&ages, columns)?, &[("cohorts", Unit::Count)])
    }
}

/// Units of the columns that rates have, and of more.
fn with_units(rel: &RelRef, more: &[(&str, Unit)]) -> Built {
    let rates = [
        ("eligible", Unit::Count),
        ("retained", Unit::Count),
        ("rate", Unit::Share),
        ("rate_low", Unit::Share),
        ("rate_high", Unit::Share),
    ];
    let units = rates.iter().chain(more).map(|(name, unit)| ((*name).to_owned(), unit.clone()));
    relation::with_units(rel, &units.collect())
}
