//! # journey
//!
//! How far customers come on a way of several steps, where they drop off, how long the next step takes, and how
//! content they are on the way.
//!
//! What it does: follows each customer from the first step on. A step is reached if it comes after the one
//! before it and within `window` of the entry; the table has a row for each step.
//!
//! When to use it: from visit to basket to purchase, from sign-up to first order to second order, from ticket to
//! solution; to see which step loses most.
//!
//! Example:
//!
//! ```yaml
//! buying:
//!   journey:
//!     steps:
//!       visit: {from: visits}
//!       basket: {from: baskets, where: items > 0}
//!       purchase: {from: orders}
//!     window: 30d
//!     surveys: surveys
//!     by: [plan]
//! ```
//!
//! Columns: the dimensions; `position` from 1 and `step`; `customers` who reached it; `share_of_first` with
//! `share_of_first_low` and `share_of_first_high`; `drop_off`, the share of them who did not reach the next
//! step, with `drop_off_low` and `drop_off_high`; `hours_to_next_median` of those who did. With `surveys` then
//! `csat`, `nps` and `ces_low_effort`, each with its columns (`tenure metrics csat`).
//!
//! Rules: a step reads its own `from`, or else that of the stage, after the stage's `where`. Of a table with an
//! `order` block the sold orders are events; rows without customer or time are not. A customer counts once per
//! step and entry: the step is reached with the first of its events later than the step before. An event at the
//! very moment of the step before is not after it, and a date counts as its midnight, so of two steps of one day
//! that are known by their dates the second is not reached. A step that comes too early or is left out ends
//! the way, whatever follows. The window is half-open: an event exactly `window` after the entry is too late.
//!
//! `entry: first` follows each customer from the first event of the first step; `every` from each, events of one
//! time being one entry. Then `customers` counts entries: an order may follow several, and the intervals, which
//! take entries to be independent, are too narrow where customers enter often. Entries whose window is still
//! open at `as_of` are left out, and counted in the report: late steps may still come. Dimensions are as of the
//! entry; events of one time are told apart by the source's `key`.
//!
//! Shares have Wilson's interval. They are null where nobody entered the cell or, for `drop_off`, reached the step;
//! `drop_off` is null at the last step. `hours_to_next_median` is the linear quantile, null where nobody went on. Every
//! cell has a row for every step, also one that nobody reached; without entries there are no cells, but for
//! `by: []`, which has one.
//!
//! Of `surveys`, a table with the roles `survey.score` and `survey.touchpoint`, an answer belongs to the step whose
//! name is its touchpoint. For each entry that reached the step the first answer to each question since counts; it
//! may come after the window. Answers of other customers, without a customer or before the step do not count.
//! Without `survey.question` the answers are of one survey, and all three read it.
//!
//! With `privacy.min_group_size` the last column is `suppressed`, and rows for which it is true say nothing but dimensions,
//! `position` and `step`. Those are all steps of a cell that few customers entered, steps that few reached, and steps that
//! stand too close to another: of two that are shown no customer or enough stopped in between. The first step
//! stays rather than the last, the last rather than those in the middle, of those the earlier. `drop_off` and
//! `hours_to_next_median` are null where the next step is hidden, and `csat`, `nps` and `ces_low_effort` where few
//! customers answered. With `entry: every` it is the customers behind the entries who are counted. Those who reached a
//! step and did not answer, and those with one kind of answer, make no group of their own.
//!
//! References: Wilson (1927), Probable inference, the law of succession, and statistical inference.

mod answers;
mod ways;

use self::answers::Answers;
use self::ways::{POSITION, Ways};
use super::context::StageContext;
use super::dimension::{Dimension, DimensionSpec};
use super::registry::{Output, Stage, StageKind};
use super::suppression::{REACHED, Rule, answered, stopped_before};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    DAY_MICROS, Decode, Decoder, Entries, Expression, Field, Interval, Node, Options,
};
use crate::frame::{DataType, Unit, Value};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, Typed, build, call, common_type};
use crate::ir::{Expr, Func, Measure, MeasureFunc, Named, RelRef, Roles, Table, named};
use crate::metrics::{Level, MetricColumn};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "journey",
    source: include_str!("journey.rs"),
    row_level: false,
    companions: &[],
    fields,
    decode,
};

crate::choice! {
    /// From which events of the first step customers are followed.
    pub enum Entry {
        /// From each customer's first.
        First = "first",
        /// From every one.
        Every = "every",
    }
}

crate::options! {
    /// The steps and whom to follow.
    struct Journey("`journey`") {
        /// The steps in order, each with the table of its events.
        steps: Entries<Step>,
        /// How long after the entry a step may come.
        window: Interval = Interval { months: 0, micros: 30 * DAY_MICROS },
        /// From which events of the first step customers are followed.
        entry: Entry = Entry::First,
        /// A table of surveys whose touchpoints are steps.
        surveys: Option<Spanned<String>> = None,
        /// Dimensions, as of the entry.
        by: Vec<DimensionSpec> = Vec::new(),
    }
}

crate::options! {
    /// A step.
    pub struct Step("a step") {
        /// The table of its events; absent: that of the stage.
        from: Option<Spanned<String>> = None,
        /// Rows of it for which this is not true are not events of the step.
        r#where: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Journey::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Journey::decode(node, decoder)?))
}

impl Stage for Journey {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let window = self.window(cx);
        let tables = self.tables(cx);
        let surveys = match &self.surveys.value {
            None => Some(None),
            Some(name) => answers::table(cx, name).map(Some),
        };
        let (window, tables, surveys) = (window?, tables?, surveys?);
        let customer = self.common_customer(cx, &tables, surveys.as_ref())?;

        let mut steps = tables.into_iter().map(|(table, _)| table);
        let mut first = steps.next()?;
        let dimensions = cx.dimensions(&self.by.value, &mut first)?;
        let entries = cx.purchases(&first, &dimensions, None, true)?;
        let events: Vec<_> =
            steps.map(|table| cx.purchases(&table, &[], None, false)).collect::<Option<_>>()?;
        let ways = Ways {
            every: self.entry.value == Entry::Every,
            window,
            as_of: cx.as_of,
            customer,
            by: dimensions.iter().map(|dimension| dimension.name.clone()).collect(),
        };
        let entered = cx.typed(ways.entries(&entries))?;
        let open = ways.still_open(&entered, cx.small_groups.map_or(0, |groups| groups.least));
        cx.touched = Some(cx.typed(open)?);
        let followed = cx.typed(ways.follow(&entered, &events))?;

        let mut metrics = None;
        if let Some(table) = &surveys {
            let names: Vec<&str> =
                self.steps.value.0.iter().map(|(name, _)| name.value.as_str()).collect();
            let answers = Answers { table, steps: &names };
            let given = cx.typed(answers.given(&ways, &followed))?;
            metrics = Some(answers.measured(cx, &ways, &given)?);
        }
        let main = self.table(cx, &ways, &followed, &dimensions, metrics.as_ref());
        let mut main = cx.typed(main)?;
        let grain: Vec<String> = ways.by.iter().cloned().chain(["position".to_owned()]).collect();
        if cx.small_groups.is_some() {
            let kept = grain.iter().cloned().chain(["step".to_owned()]).collect();
            let metrics = metrics.iter().flat_map(|_| answers::METRICS.map(|(metric, _)| metric));
            let rule = Rule::Funnels { by: ways.by.clone(), metrics: metrics.collect() };
            main = cx.suppress(vec![main], vec![kept], rule)?.pop()?;
        }
        let view = View::Funnel { by: ways.by.clone(), every: ways.every };
        let roles = Roles::default();
        Some(vec![Output { suffix: None, rel: main, grain, roles, views: vec![view, View::Rows] }])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        let steps = self.steps.value.0.iter().filter_map(|(_, step)| step.from.value.clone());
        steps.chain(self.surveys.value.clone()).collect()
    }

    fn source(&self) -> Option<Spanned<String>> {
        let mut tables = self.steps.value.0.iter().map(|(_, step)| step.from.value.as_ref());
        let first = tables.next()??;
        tables.all(|table| table.is_some()).then(|| first.clone())
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

/// What is measured of the answers of each cell and step.
pub(super) struct Satisfaction {
    /// A row per cell and step with the measures.
    rel: RelRef,
    measures: Vec<(Level, Named<Measure>)>,
    columns: Vec<MetricColumn>,
}

impl Journey {
    fn window(&self, cx: &mut StageContext) -> Option<Interval> {
        let window = self.window.value;
        if window.months <= 0 && window.micros <= 0 {
            let place = self.window.place(cx.kind.span);
            let message = "a window is longer than nothing";
            let wrong = Diagnostic::at(Code::InvalidValue, place, message);
            cx.diagnostics.push(wrong.help("such as `window: 30d`"));
            return None;
        }
        Some(window)
    }

    /// The table of each step's events, and where it is named; mistakes are noted, all of them.
    fn tables(&self, cx: &mut StageContext) -> Option<Vec<(Table, Span)>> {
        let steps = &self.steps.value.0;
        if steps.len() < 2 && !self.steps.flawed {
            let place = self.steps.place(cx.kind.span);
            let message = "a journey has at least two steps";
            cx.diagnostics.push(
                Diagnostic::at(Code::InvalidValue, place, message)
                    .help("such as `steps: {visit: {from: visits}, purchase: {from: orders}}`"),
            );
        }
        let own = steps.iter().all(|(_, step)| step.from.value.is_some());
        let named_here = self.source().is_some_and(|table| table.value == cx.table.name);
        if own && !steps.is_empty() && (cx.condition.is_some() || !named_here) {
            let message = format!(
                "every step of `{}` names its own table, so that no step reads `from` and `where` of the stage",
                cx.name
            );
            cx.diagnostics.push(
                Diagnostic::at(Code::InvalidValue, cx.kind.span, message)
                    .help("leave them out; a step takes a `where` of its own: `{from: baskets, where: items > 0}`"),
            );
            return None;
        }
        let input = cx.input()?;
        let mut tables = Vec::new();
        for (name, step) in steps {
            let table = match &step.from.value {
                None => Some(input.clone()),
                Some(from) => cx.other_table(from),
            };
            let span = step.from.value.as_ref().map_or(name.span, |from| from.span);
            tables.push(table.and_then(|table| step_table(cx, table, step, span)));
        }
        let tables: Option<Vec<_>> = tables.into_iter().collect();
        tables.filter(|tables| tables.len() >= 2)
    }

    /// The type that the customers of all tables have in common.
    fn common_customer(
        &self,
        cx: &mut StageContext,
        tables: &[(Table, Span)],
        surveys: Option<&Table>,
    ) -> Option<DataType> {
        let of = |table: &Table| table.roles.customer.as_ref().map(|who| who.value.data_type);
        let surveys = surveys.zip(self.surveys.value.as_ref().map(|name| name.span));
        let mut common = of(&tables.first()?.0)?;
        let others = tables.iter().skip(1).map(|(table, span)| (table, *span));
        for (table, span) in others.chain(surveys) {
            let own = of(table)?;
            let Some(wider) = common_type(common, own) else {
                let message = format!(
                    "the customer is a {common} in the steps before and a {own} in `{}`",
                    table.name
                );
                cx.report(Code::TypeMismatch, Some(span), message);
                return None;
            };
            common = wider;
        }
        Some(common)
    }

    /// A row per cell and step.
    fn table(
        &self,
        cx: &StageContext,
        ways: &Ways,
        followed: &RelRef,
        dimensions: &[Dimension],
        metrics: Option<&Satisfaction>,
    ) -> Result<RelRef, TypeError> {
        let steps = &self.steps.value.0;
        let own = |rel: &RelRef| -> Result<Vec<Named<Expr>>, TypeError> {
            dimensions.iter().map(|d| Ok(named(&d.name, column(rel, &d.name)?))).collect()
        };
        let mut measures = Vec::new();
        for step in 1..=steps.len() {
            let at = column(followed, &ways::reached(step))?;
            let count = Measure::of(MeasureFunc::Count(at.clone()));
            measures.push(named(format!("#customers{step}"), count));
            if step < steps.len() {
                let next = column(followed, &ways::reached(step + 1))?;
                let value = call(Func::Elapsed(crate::document::TimeUnit::Hour), vec![at, next])?;
                let median = Measure::of(MeasureFunc::Quantile { value, at: 0.5 });
                measures.push(named(format!("#hours{step}"), median));
            }
        }
        let hides = cx.small_groups.is_some();
        if hides && ways.every {
            measures.extend(ways.people(followed, steps.len())?);
        }
        let wide = relation::aggregate(followed, own(followed)?, measures)?;
        let last = steps.len() as i64;
        let mut long = relation::series(&wide, Expr::int(1), Expr::int(last), POSITION)?;
        if let Some(metrics) = metrics {
            let on = ways.by.iter().cloned().chain([POSITION.to_owned()]);
            let on = on.map(|name| (name.clone(), name)).collect();
            long = relation::join(&long, &metrics.rel, on, crate::ir::JoinKind::Left, true)?;
            long = super::measured::without_gaps(&long, &metrics.measures)?;
        }

        let each = |of: &dyn Fn(usize) -> Typed| ways::by_position(&long, steps.len(), of);
        let count = |step: usize| column(&long, &format!("#customers{step}"));
        let customers = each(&count)?;
        let next = each(&|step| match step < steps.len() {
            true => count(step + 1),
            false => Ok(Expr::null(DataType::Int64)),
        })?;
        let hours = each(&|step| match step < steps.len() {
            true => column(&long, &format!("#hours{step}")),
            false => Ok(Expr::null(DataType::Float64)),
        })?;
        let name = each(&|step| {
            let name = steps.get(step - 1).map_or("", |(name, _)| name.value.as_str());
            Ok(Expr::literal(Value::text(name), DataType::String))
        })?;
        let z = Expr::float(cx.z());
        let share = |suffix: &str, part: &Expr, of: &Expr| -> Result<[Named<Expr>; 3], TypeError> {
            let arguments = || vec![part.clone(), of.clone(), z.clone()];
            Ok([
                named(suffix, build::div(part.clone(), of.clone())?),
                named(format!("{suffix}_low"), call(Func::WilsonLow, arguments())?),
                named(format!("{suffix}_high"), call(Func::WilsonHigh, arguments())?),
            ])
        };
        let lost = build::sub(customers.clone(), next)?;
        let mut columns = own(&long)?;
        columns.push(named("position", build::cast(column(&long, POSITION)?, DataType::Int32)?));
        columns.push(named("step", name));
        columns.push(named("customers", customers.clone()));
        columns.extend(share("share_of_first", &customers, &count(1)?)?);
        columns.extend(share("drop_off", &lost, &customers)?);
        columns.push(named("hours_to_next_median", hours));
        let mut units: std::collections::BTreeMap<String, Unit> = ["share_of_first", "drop_off"]
            .iter()
            .flat_map(|name| ["", "_low", "_high"].map(|suffix| format!("{name}{suffix}")))
            .map(|name| (name, Unit::Share))
            .collect();
        units.insert("customers".into(), Unit::Count);
        units.insert("hours_to_next_median".into(), Unit::Time("hour".into()));
        if hides && metrics.is_some() {
            for (metric, _) in answers::METRICS {
                columns.push(named(answered(metric), column(&long, &answered(metric))?));
            }
        }
        let metrics = metrics.map_or(&[][..], |metrics| metrics.columns.as_slice());
        for metric in metrics {
            columns.push(named(&metric.name, metric.expr.clone()));
            units.insert(metric.name.clone(), metric.unit.clone());
        }
        if hides && ways.every {
            columns.push(named(REACHED, each(&|step| column(&long, &ways::people_at(step)))?));
            for later in 2..=steps.len() {
                let stopped = each(&|step| match step < later {
                    true => column(&long, &ways::stopped_between(step, later)),
                    false => Ok(Expr::int(0)),
                })?;
                columns.push(named(stopped_before(later), stopped));
            }
        } else if hides {
            columns.push(named(REACHED, customers));
        }
        let table = relation::with_units(&relation::project(&long, columns)?, &units)?;
        relation::with_means(&table, &MetricColumn::means(metrics))
    }
}

/// The rows of a table that are events of a step; roles that it lacks are noted where it is named.
fn step_table(
    cx: &mut StageContext,
    mut table: Table,
    step: &Step,
    span: Span,
) -> Option<(Table, Span)> {
    let mut good = true;
    let roles = &table.roles;
    for (role, absent) in [("customer", roles.customer.is_none()), ("time", roles.time.is_none())] {
        if absent {
            good = false;
            if !roles.flawed {
                let message = format!(
                    "a step needs the roles `customer` and `time`, and `{}` has no `{role}`",
                    table.name
                );
                cx.diagnostics.push(
                    Diagnostic::at(Code::MissingRole, span, message)
                        .help(format!("say which column it is at the source: `{role}: COLUMN`")),
                );
            }
        }
    }
    if let Some(written) = &step.r#where.value {
        let condition = cx.parse_condition(written, &table)?;
        table.rel = cx.typed(relation::filter(&table.rel, condition))?;
    }
    good.then_some((table, span))
}
