//! Spans as events: who is there at the end of each period, and for how much.

use super::context::StageContext;
use super::dimension::Dimension;
use super::purchases::Purchases;
use crate::document::{DAY_MICROS, Interval, TimeUnit};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{TypeError, Typed, build, call};
use crate::ir::{Events, Expr, Func, Measure, MeasureFunc, Named, RelRef, SpanRoles, Table, named};

/// The columns of spans, and the number of a period in which one runs.
const CUSTOMER: &str = "#customer";
const STARTS: &str = "#starts";
const ENDS: &str = "#ends";
const ACTIVE: &str = "#active";
const ENTERING: &str = "#entering";
const VALUE: &str = "#value";
const PERIOD: &str = "#running";
const TIME: &str = "#time";

/// Spans with their dimensions under names of their own.
struct Spans {
    rel: RelRef,
    /// The name of the customer as it comes out.
    customer: String,
    has_value: bool,
    ties: Vec<String>,
}

impl StageContext<'_> {
    /// The spans of a table as events: a row for each period at whose last instant one runs, on the last
    /// day of the period, with the value of such a period. `active` says which spans count.
    pub(super) fn running(
        &mut self,
        table: &Table,
        span: &SpanRoles,
        by: &[Dimension],
        active: Option<Expr>,
        unit: TimeUnit,
    ) -> Option<Purchases> {
        let filtered = active.is_some();
        let spans = self.spans(table, span, by, active, unit)?;
        let running = spans.running(self.last_day(), unit);
        let rel = self.typed(running)?;
        let events = spans.events(&rel);
        let active = self.typed(column(&rel, ACTIVE)).filter(|_| filtered);
        Some(Purchases { events: self.typed(events)?, by: named_by(&rel, by), rel, active })
    }

    /// The same for cohorts: beside the rows of periods one for each span, with which a customer may enter.
    /// The second result says over the relation which those are.
    pub(super) fn entering_and_running(
        &mut self,
        table: &Table,
        span: &SpanRoles,
        by: &[Dimension],
        active: Option<Expr>,
        unit: TimeUnit,
    ) -> Option<(Purchases, Expr)> {
        let spans = self.spans(table, span, by, active, unit)?;
        let both = spans.both(self.last_day(), unit);
        let rel = self.typed(both)?;
        let events = spans.events(&rel);
        let events = self.typed(events)?;
        let (active, entering) = (self.typed(column(&rel, ACTIVE))?, column(&rel, ENTERING));
        let by = named_by(&rel, by);
        let entering = self.typed(entering)?;
        Some((Purchases { rel, events, by, active: Some(active) }, entering))
    }

    fn spans(
        &mut self,
        table: &Table,
        span: &SpanRoles,
        by: &[Dimension],
        active: Option<Expr>,
        unit: TimeUnit,
    ) -> Option<Spans> {
        let (customer, _) = self.customer_and_time(table)?;
        self.count_empty_spans(table, span)?;
        let value = table.roles.value.as_ref().map(|value| value.expr.clone());
        let has_value = value.is_some();
        let built = (|| {
            let mut columns = vec![
                named(CUSTOMER, customer.value.clone()),
                named(STARTS, span.starts.clone()),
                named(ENDS, span.ends.clone()),
                named(ACTIVE, active.unwrap_or_else(|| Expr::bool(true))),
            ];
            if let Some(value) = value {
                columns.push(named(VALUE, of_period(value, span.every, unit)?));
            }
            columns.extend(by.iter().map(Dimension::key));
            let ties = match table.roles.key.is_empty() {
                false => table.roles.key.clone(),
                true => all_columns(&table.rel).into_iter().map(|column| column.value).collect(),
            };
            let ties = ties.into_iter().enumerate();
            let ties: Vec<Named<Expr>> =
                ties.map(|(place, tie)| named(format!("#tie{place}"), tie)).collect();
            let names = ties.iter().map(|tie| tie.name.clone()).collect();
            columns.extend(ties);
            let rel = relation::project(&table.rel, columns)?;
            // A span that ends where it starts, or before, holds at no time.
            let kept = build::not(is_empty(column(&rel, STARTS)?, column(&rel, ENDS)?)?)?;
            Ok::<_, TypeError>((relation::filter(&rel, kept)?, names))
        })();
        let (rel, ties) = self.typed(built)?;
        Some(Spans { rel, customer: customer.name, has_value, ties })
    }
}

impl StageContext<'_> {
    /// Notes how many rows are left out because their span is empty.
    pub(super) fn count_empty_spans(&mut self, table: &Table, span: &SpanRoles) -> Option<()> {
        let counted = is_empty(span.starts.clone(), span.ends.clone()).and_then(|empty| {
            let count = Measure::filtered(MeasureFunc::CountRows, Some(empty));
            let measure = named("spans that end where they start, or before", count);
            relation::aggregate(&table.rel, vec![], vec![measure])
        });
        self.touched = Some(self.typed(counted)?);
        Some(())
    }
}

/// Whether a span holds at no time. One without an end is not.
pub(super) fn is_empty(starts: Expr, ends: Expr) -> Typed {
    build::coalesce(build::le(ends, starts)?, Expr::bool(false))
}

/// The dimensions, which are columns.
fn named_by(rel: &RelRef, by: &[Dimension]) -> Vec<Named<Expr>> {
    let of = |dimension: &Dimension| {
        let field = rel.schema.field(&dimension.name)?;
        Some(named(&dimension.name, Expr::column(&field.name, field.data_type)))
    };
    by.iter().filter_map(of).collect()
}

/// The decimals that a part of a value has beyond those of the value: with none, the roundings of a thousand
/// spans would add up to more than a few cents.
const MORE_DIGITS: u8 = 4;
const MOST_DIGITS: u8 = 18;

/// A value that buys so much time as the value of a period. A multiple is exact; a part is rounded half-even.
fn of_period(value: Expr, every: TimeUnit, unit: TimeUnit) -> Typed {
    let DataType::Decimal { scale, .. } = value.data_type else { return Ok(value) };
    let months = |unit| match unit {
        TimeUnit::Month => Some(1.0),
        TimeUnit::Quarter => Some(3.0),
        TimeUnit::Year => Some(12.0),
        _ => None,
    };
    let factor = match (months(every), months(unit)) {
        (Some(every), Some(unit)) => unit / every,
        _ => unit.days() / every.days(),
    };
    if factor == 1.0 {
        return Ok(value);
    }
    let scale = if factor.fract() == 0.0 {
        scale
    } else {
        scale.max((scale + MORE_DIGITS).min(MOST_DIGITS))
    };
    let double = build::cast(value, DataType::Float64)?;
    call(Func::ToMoney(scale), vec![build::mul(double, Expr::float(factor))?])
}

impl Spans {
    /// A row for each period at whose last instant a span runs.
    fn running(&self, last_day: i32, unit: TimeUnit) -> Built {
        let (starts, ends) = (column(&self.rel, STARTS)?, column(&self.rel, ENDS)?);
        // The last instant of the period of the start is in the span or behind it; that of the period of
        // the end is behind it.
        let from = build::period_of(unit, starts)?;
        let before = build::sub(build::period_of(unit, ends)?, Expr::int(1))?;
        let today = Expr::literal(Value::Date(last_day), DataType::Date);
        let to = build::coalesce(before, build::period_of(unit, today)?)?;
        let rel = relation::periods(&self.rel, from, to, PERIOD, unit)?;
        let next = build::add(column(&rel, PERIOD)?, Expr::int(1))?;
        let back = Interval { months: 0, micros: -DAY_MICROS };
        let last = call(Func::Shift(back), vec![build::period_start(unit, next)?])?;
        relation::extend(&rel, vec![named(TIME, last)])
    }

    /// Those rows, and one for each span on the day it starts.
    fn both(&self, last_day: i32, unit: TimeUnit) -> Built {
        let running = self.running(last_day, unit)?;
        let kept = |rel: &RelRef| -> Vec<Named<Expr>> {
            let gone = [STARTS, ENDS, PERIOD];
            all_columns(rel).into_iter().filter(|c| !gone.contains(&c.name.as_str())).collect()
        };
        let mut here = kept(&running);
        here.push(named(ENTERING, Expr::bool(false)));
        let first = build::cast(column(&self.rel, STARTS)?, DataType::Date)?;
        let entries = relation::extend(&self.rel, vec![named(TIME, first)])?;
        let entries = relation::extend(&entries, vec![named(ACTIVE, Expr::bool(false))])?;
        let mut enter = kept(&entries);
        enter.push(named(ENTERING, Expr::bool(true)));
        relation::union(vec![
            relation::project(&running, here)?,
            relation::project(&entries, enter)?,
        ])
    }

    fn events(&self, rel: &RelRef) -> Result<Events, TypeError> {
        Ok(Events {
            customer: named(&self.customer, column(rel, CUSTOMER)?),
            time: column(rel, TIME)?,
            value: self.has_value.then(|| column(rel, VALUE)).transpose()?,
            tie: self.ties.iter().map(|tie| column(rel, tie)).collect::<Result<_, _>>()?,
        })
    }
}
