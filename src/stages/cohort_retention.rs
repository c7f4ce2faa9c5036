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
//! first_days:
//!   from: orders
//!   cohort_retention: {entry_from: signups, steps: rolling, age: day, ages: [[1, 1], [7, 7], [30, 30]]}
//! ```
//!
//! Columns: `cohort` (first day), the dimensions of `by` as of the entry, `age`, for `ages` its last age
//! `age_to`, `period` (first day of the cell; null for rolling steps), `observed_share` (part of the cell
//! before `as_of`), `size` (all of the cohort), `eligible` (those who have lived through the cell),
//! `retained`, `rate`, `rate_low`, `rate_high` (Wilson), `orders`, `value`, `cumulative_value`,
//! `cumulative_value_per_customer`. Orders and value are those of the cell itself, whatever `returned` says.
//! Where nobody has lived through a cell, everything after `size` is null, never 0.
//!
//! Companion `_average`: the dimensions, `age`, for `ages` also `age_to`, `cohorts`, `eligible`, `retained`,
//! `rate`, `rate_low`, `rate_high`: all cohorts that have lived through an age, weighted by their eligible
//! customers. Companion `_totals`, if `by` names more than calendar grains: the same columns without those
//! dimensions.
//!
//! Rules: `returned: exactly` is active in the cell, `on_or_after` in it or later, `through` in every cell
//! up to it. A stage's `where` says what counts as activity; the cohort is that of the first order all the
//! same, unless `entry: first_in_range` asks for the first that `where` keeps.
//!
//! With `steps: calendar`, age 0 is the cohort's own period; age k is the k-th period of the age unit after
//! the one that holds the cohort's last day, so units may differ. All of a cohort live through a cell at
//! the same time. With `steps: rolling`, age k begins k steps after each customer's entry: 24 hours where
//! times are instants, days where they are dates. Part of a cohort may have lived through a cell: all that
//! follows `eligible` is about those customers, their `cumulative_value` too, so one more young customer
//! does not lower what an older one was worth. `observed_share` is the mean over the cohort.
//!
//! `ages: [[0, 0], [1, 3], [4, 12]]` takes ages together: active in at least one of them. Brackets may
//! leave ages out; `cumulative_value` includes those before the bracket's end.
//!
//! `entry_from` names a table with one row per customer, say of sign-ups: a cohort is everybody who entered
//! in its period, also who never ordered. `by` names columns of that table, and segments. Activity before
//! the cohort's period counts nowhere, nor do, with rolling steps, orders before the entry, and customers
//! who are not in the table. Where one of the two times is a date, the other is taken as one.
//!
//! Of a source of spans (`subscription`) a customer enters with the start of the first one, and is active in
//! a cell in whose last instant one runs: who starts and ends within a period is in the cohort and not
//! retained at age 0. `orders` counts the spans that run then, `value` is what they bring in a period of
//! the age unit: three times the monthly value in a quarter, and 7 / 30.4375 of it in a week, a part with four
//! decimals more than the value's own.
//!
//! References: Fader and Hardie (2007), How to project customer retention.

use serde_json::Value as Json;

use super::context::{RoleOverrides, StageContext};
use super::dimension::{Dimension, DimensionSpec};
use super::purchases::Purchases;
use super::registry::{Companion, Output, Stage, StageKind};
use super::suppression::Rule;
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    Decode, Decoder, Expression, Field, Node, NodeKind, Options, PeriodUnit, schema,
};
use crate::frame::{DataType, Unit};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{
    Ages, CohortGrid, Expr, Func, Measure, MeasureFunc, Named, RelRef, Returned, Roles, Steps,
    named,
};

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
    /// Which order a customer enters with.
    pub enum EntryRule {
        /// The first of all, whatever `where` says.
        FirstEver = "first_ever",
        /// The first that `where` keeps.
        FirstInRange = "first_in_range",
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
        /// What an age is counted in: periods of the calendar, or steps of 24 hours (a week 7, a month
        /// 30, a quarter 90, a year 365 days) from each customer's entry.
        steps: Steps = Steps::Calendar,
        /// What counts as coming back.
        returned: Returned = Returned::Exactly,
        /// Which order a customer enters with.
        entry: EntryRule = EntryRule::FirstEver,
        /// A table with one row per customer, in whose `time` customers enter; absent: with an order.
        entry_from: Option<Spanned<String>> = None,
        /// The last age; absent: the oldest cohort's last.
        max_age: Option<i64> = None,
        /// Ages that are taken together, each as `[first, last]`; absent: every age by itself.
        ages: Option<Vec<Bracket>> = None,
        /// Dimensions, as of the entry.
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

/// Two ages, both included, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bracket {
    low: i64,
    high: i64,
    span: Span,
}

impl Decode for Bracket {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let ends = match &node.kind {
            NodeKind::List(ends) if ends.len() == 2 => ends,
            _ => {
                decoder.wrong_type(node, &Self::expects());
                return None;
            }
        };
        let (low, high) = (i64::decode(&ends[0], decoder), i64::decode(&ends[1], decoder));
        Some(Bracket { low: low?, high: high?, span: node.span })
    }
    fn expects() -> String {
        "two ages, such as `[1, 3]`".into()
    }
    fn show(&self) -> String {
        format!("[{}, {}]", self.low, self.high)
    }
    fn json_schema() -> Json {
        schema::pair(i64::json_schema())
    }
}

/// The oldest age that may be asked for.
const OLDEST: i64 = 10_000;

/// Orders, and who enters with which of them.
struct Followed {
    purchases: Purchases,
    /// Which rows customers enter with; all if absent.
    entering: Option<Expr>,
    dimensions: Vec<Dimension>,
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
        let (ages, followed) = (self.ages(cx), self.followed(cx));
        let (ages, followed) = (ages?, followed?);
        let (purchases, dimensions) = (&followed.purchases, &followed.dimensions);
        let currency = cx.table.roles.value.as_ref().and_then(|value| value.currency.clone());

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
                entering: followed.entering.clone(),
                active: purchases.active.clone(),
                by,
                cohort: self.cohort.value.into(),
                age: self.age.value.into(),
                steps: self.steps.value,
                returned: self.returned.value,
                ages: ages.clone(),
                end: cx.as_of,
            };
            let built = grid.build().and_then(|grid| self.rates(cx, &grid, &names, &currency));
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
        // Rolling steps lie elsewhere for each customer.
        let dated = self.steps.value == Steps::Calendar;
        let time = if dated { column(&main, "period").ok() } else { None };
        let roles = Roles { time, ..Roles::default() };
        let view = View::Cohorts {
            by: names.clone(),
            age: self.age.value.into(),
            steps: self.steps.value,
            returned: self.returned.value,
            average: "average",
        };
        let mut outputs = vec![
            Output {
                suffix: None,
                grain: grain(&names, &["cohort"], &["age"]),
                views: vec![view],
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
        if cx.small_groups.is_some() {
            let of_totals = dimensions.iter().filter(|dimension| dimension.grain.is_some());
            let rule = Rule::Cohorts {
                by: dimensions.iter().map(|dimension| dimension.name.clone()).collect(),
                of_totals: of_totals.map(|dimension| dimension.name.clone()).collect(),
                nested: match self.returned.value {
                    Returned::Exactly => false,
                    Returned::OnOrAfter | Returned::Through => true,
                },
            };
            let tables = outputs.iter().map(|output| output.rel.clone()).collect();
            let brackets = self.ages.value.iter().map(|_| "age_to".to_owned());
            let kept =
                |output: &Output| output.grain.iter().cloned().chain(brackets.clone()).collect();
            let tables = cx.suppress(tables, outputs.iter().map(kept).collect(), rule)?;
            outputs.iter_mut().zip(tables).for_each(|(output, table)| output.rel = table);
        }
        Some(outputs)
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        self.entry_from.value.iter().cloned().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl CohortRetention {
    /// Who enters when, and what they did.
    fn followed(&self, cx: &mut StageContext) -> Option<Followed> {
        let in_range = self.entry.value == EntryRule::FirstInRange;
        let mut table = if in_range { cx.input()? } else { cx.table.clone() };
        // Where the first order ever decides, `where` does not filter.
        let active = if in_range { None } else { cx.condition.clone() };
        if table.roles.subscription.is_some() && self.steps.value == Steps::Rolling {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    self.steps.place(cx.kind.span),
                    format!(
                        "rolling steps count events, and the rows of `{}` are spans",
                        table.name
                    ),
                )
                .help("leave `steps` out, or follow spans day by day with a `survival` stage"),
            );
            return None;
        }
        if let Some(from) = &self.entry_from.value {
            if let Some(span) = self.entry.span {
                cx.diagnostics.push(
                    Diagnostic::at(
                        Code::InvalidValue,
                        span,
                        "`entry` and `entry_from` both say when customers enter",
                    )
                    .help("leave `entry` out: customers enter at the `time` of `entry_from`"),
                );
                return None;
            }
            let entry = cx.entry_table(from);
            let orders = match table.roles.subscription.clone() {
                None => cx.purchases(&table, &[], active, false),
                Some(span) => cx.running(&table, &span, &[], active, self.age.value.into()),
            };
            let entered = cx.entered_by(entry?, &orders?, &self.by.value)?;
            return Some(Followed {
                purchases: entered.purchases,
                entering: Some(entered.entering),
                dimensions: entered.dimensions,
            });
        }
        let dimensions = cx.dimensions(&self.by.value, &mut table);
        cx.customer_and_time(&table)?;
        let dimensions = dimensions?;
        if let Some(span) = table.roles.subscription.clone() {
            let age = self.age.value.into();
            let (purchases, entering) =
                cx.entering_and_running(&table, &span, &dimensions, active, age)?;
            return Some(Followed { purchases, entering: Some(entering), dimensions });
        }
        let purchases = cx.purchases(&table, &dimensions, active, false)?;
        Some(Followed { purchases, entering: None, dimensions })
    }

    /// The cells of a cohort.
    fn ages(&self, cx: &mut StageContext) -> Option<Ages> {
        let mut wrong = Vec::new();
        let mut note = |span: Option<Span>, message: String, help: String| {
            let span = span.unwrap_or(cx.kind.span);
            wrong.push(Diagnostic::at(Code::InvalidValue, span, message).help(help));
        };
        if let Some(last) = self.max_age.value
            && !(0..=OLDEST).contains(&last)
        {
            let message = format!("`max_age` is 0 to {OLDEST}, not {last}");
            note(self.max_age.span, message, format!("write `max_age: {}`", last.clamp(0, OLDEST)));
        }
        if let (Some(span), Some(_)) = (self.max_age.span, self.ages.span) {
            let message = "`ages` already says which is the last".to_owned();
            note(Some(span), message, "leave `max_age` out".into());
        }
        let brackets = self.ages.value.as_deref();
        if brackets.is_some_and(<[Bracket]>::is_empty) {
            let message = "`ages` needs at least one bracket".to_owned();
            note(
                self.ages.span,
                message,
                "write `[[0, 0], [1, 3], [4, 12]]`, or leave it out".into(),
            );
        }
        for bracket in brackets.unwrap_or_default() {
            let (low, high) = (bracket.low, bracket.high);
            if low > high {
                let message = format!("the bracket ends at {high}, before it begins at {low}");
                note(Some(bracket.span), message, format!("write `[{high}, {low}]`"));
            } else if low < 0 || high > OLDEST {
                let message = format!("ages are 0 to {OLDEST}, not {}", bracket.show());
                let nearest = [low, high].map(|age| age.clamp(0, OLDEST));
                note(Some(bracket.span), message, format!("write `{nearest:?}`"));
            }
        }
        for pair in brackets.unwrap_or_default().windows(2) {
            let (before, bracket) = (&pair[0], &pair[1]);
            if bracket.low > before.high || before.low > before.high {
                continue;
            }
            let message = format!("`{}` does not begin after `{}`", bracket.show(), before.show());
            let help = match before.high + 1 {
                next if next <= bracket.high => format!("write `[{next}, {}]`", bracket.high),
                _ => "list the brackets in ascending order, each age once".into(),
            };
            note(Some(bracket.span), message, help);
        }
        if !wrong.is_empty() {
            wrong.into_iter().for_each(|diagnostic| cx.diagnostics.push(diagnostic));
            return None;
        }
        Some(match brackets {
            None => Ages::Each { last: self.max_age.value },
            Some(brackets) => Ages::Brackets(brackets.iter().map(|b| (b.low, b.high)).collect()),
        })
    }

    /// The names of the columns that say which age a row is about.
    fn age_columns(&self) -> Vec<&'static str> {
        match self.ages.value {
            None => vec!["age"],
            Some(_) => vec!["age", "age_to"],
        }
    }

    /// The grid with rates and bounds.
    fn rates(
        &self,
        cx: &StageContext,
        cells: &RelRef,
        by: &[String],
        currency: &Option<String>,
    ) -> Built {
        let same = |name: &str| Ok(named(name, column(cells, name)?));
        let mut columns = vec![same("cohort")?];
        for name in by {
            columns.push(same(name)?);
        }
        for name in self.age_columns() {
            columns.push(named(name, build::cast(column(cells, name)?, DataType::Int32)?));
        }
        columns.extend([same("period")?, same("observed_share")?, same("size")?]);
        columns.extend(self.rate(cx, column(cells, "eligible")?, column(cells, "retained")?)?);
        let cumulative = column(cells, "cumulative_value")?;
        columns.extend([
            same("orders")?,
            same("value")?,
            same("cumulative_value")?,
            named(
                "cumulative_value_per_customer",
                build::div(cumulative, column(cells, "eligible")?)?,
            ),
        ]);
        let money = Unit::Money(currency.clone());
        let age = Unit::Time(self.age.value.word().into());
        let units = [
            ("age", age.clone()),
            ("age_to", age),
            ("observed_share", Unit::Share),
            ("size", Unit::Count),
            ("orders", Unit::Count),
            ("value", money.clone()),
            ("cumulative_value", money.clone()),
            ("cumulative_value_per_customer", money),
        ];
        with_units(&relation::project(cells, columns)?, &units)
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
        for name in by.iter().map(String::as_str).chain(self.age_columns()) {
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
        for name in by.iter().map(String::as_str).chain(self.age_columns()).chain(["cohorts"]) {
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
