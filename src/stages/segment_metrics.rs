//! # segment_metrics
//!
//! Metrics by any dimensions: segments, columns, calendar grains, expressions.
//!
//! What it does: folds the rows of a table into one row for each combination of the dimensions that has
//! rows, with every metric's columns.
//!
//! When to use it: the tables of every monthly report.
//!
//! Example:
//!
//! ```yaml
//! monthly:
//!   from: orders
//!   segment_metrics: {by: [month, channel], metrics: [revenue, customer_count]}
//! ```
//!
//! Columns: the dimensions in order; `complete` if a calendar grain is among them (the period ended by
//! `as_of`); then each metric's columns in order, see `tenure metrics NAME`. Null is a group of its own,
//! sorted last. `by: []` gives one row.
//!
//! Companion `_totals`, if `by` names more than calendar grains: the same columns without those
//! dimensions.

use super::cohort_retention::Totals;
use super::context::{RoleOverrides, StageContext};
use super::dimension::{Dimension, DimensionSpec};
use super::purchases::known_sum;
use super::registry::{Companion, Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::Spanned;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options, TimeUnit};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, JoinKind, Measure, MeasureFunc, Named, RelRef, Roles, Table, named};
use crate::metrics::{Level, Lowering, MetricColumn, Subject};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "segment_metrics",
    source: include_str!("segment_metrics.rs"),
    row_level: false,
    companions: &[Companion {
        suffix: "totals",
        sentence: "The same columns without the dimensions that are no calendar grains.",
    }],
    fields,
    decode,
};

crate::options! {
    /// Which metrics, by what.
    struct SegmentMetrics("`segment_metrics`") {
        /// The dimensions, in order.
        by: Vec<DimensionSpec> = Vec::new(),
        /// Names of metrics, built in or declared under `metrics:`.
        metrics: Vec<Spanned<String>>,
        /// Whether `_totals` is made.
        totals: Totals = Totals::Rows,
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    SegmentMetrics::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(SegmentMetrics::decode(node, decoder)?))
}

/// The column with the time of a customer's first order ever.
const FIRST_TIME: &str = "#first_time";

impl Stage for SegmentMetrics {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        })?;
        let mut table = cx.input()?;
        let dimensions = cx.dimensions(&self.by.value, &mut table);
        let lowered = self.lower(cx, &table);
        let (dimensions, lowered) = (dimensions?, lowered?);
        let cells = Cells { table: &table, lowered: &lowered, as_of: cx.as_of };

        let main = cells.table(cx, &dimensions)?;
        let names = |dimensions: &[Dimension]| -> Vec<String> {
            dimensions.iter().map(|dimension| dimension.name.clone()).collect()
        };
        let mut outputs = vec![Output {
            suffix: None,
            grain: names(&dimensions),
            roles: period_roles(&main, &dimensions),
            views: views(&dimensions, &lowered.columns),
            rel: main,
        }];
        let grains: Vec<Dimension> =
            dimensions.iter().filter(|dimension| dimension.grain.is_some()).cloned().collect();
        if grains.len() < dimensions.len() && self.totals.value == Totals::Rows {
            let totals = cells.table(cx, &grains)?;
            outputs.push(Output {
                suffix: Some("totals"),
                grain: names(&grains),
                roles: period_roles(&totals, &grains),
                views: Vec::new(),
                rel: totals,
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

/// What the metrics of a stage come to.
struct Lowered {
    measures: Vec<(Level, Named<Measure>)>,
    columns: Vec<MetricColumn>,
    wants_first_time: bool,
}

impl SegmentMetrics {
    fn lower(&self, cx: &mut StageContext, table: &Table) -> Option<Lowered> {
        let first_time =
            table.roles.time.as_ref().map(|time| Expr::column(FIRST_TIME, time.data_type));
        let subject = Subject {
            table: &table.name,
            schema: &table.rel.schema,
            roles: &table.roles,
            parameters: cx.parameters,
            calendar: cx.calendar,
            as_of: cx.as_of,
            level: cx.level,
            first_time,
        };
        let mut lowering = Lowering::new(&subject, cx.metrics, cx.diagnostics);
        // Every metric is lowered, so that every mistake is found.
        let lowered: Vec<Option<()>> =
            self.metrics.value.iter().map(|name| lowering.add(name)).collect();
        let lowered = lowered.into_iter().collect::<Option<Vec<()>>>();
        let Lowering { measures, columns, wants_first_time, .. } = lowering;
        lowered.map(|_| Lowered { measures, columns, wants_first_time })
    }
}

/// A table's role of time: its first period column.
fn period_roles(rel: &RelRef, dimensions: &[Dimension]) -> Roles {
    let period = dimensions.iter().find(|dimension| dimension.grain.is_some());
    Roles { time: period.and_then(|period| column(rel, &period.name).ok()), ..Roles::default() }
}

/// Bars over time where the only dimension is a period, for the first few metrics; rows otherwise.
fn views(dimensions: &[Dimension], columns: &[MetricColumn]) -> Vec<View> {
    let mut views = Vec::new();
    if let [Dimension { name, grain: Some(_), .. }] = dimensions {
        let bounds = ["_n", "_low", "_high", "_numerator", "_denominator", "_plus", "_minus"];
        let main = columns.iter().filter(|c| !bounds.iter().any(|b| c.name.ends_with(b)));
        for metric in main.take(3) {
            views.push(View::Bars {
                title: metric.name.replace('_', " "),
                x: name.clone(),
                y: metric.name.clone(),
                complete: Some("complete".into()),
            });
        }
    }
    views.push(View::Rows);
    views
}

/// The cells of a table by different dimensions.
struct Cells<'a> {
    table: &'a Table,
    lowered: &'a Lowered,
    as_of: i64,
}

impl Cells<'_> {
    fn table(&self, cx: &mut StageContext, dimensions: &[Dimension]) -> Option<RelRef> {
        let built = self.build(dimensions);
        cx.typed(built)
    }

    fn build(&self, dimensions: &[Dimension]) -> Built {
        let rows = self.with_first_time(&self.table.rel)?;
        let keys: Vec<Named<Expr>> = dimensions.iter().map(Dimension::key).collect();
        let mut cells = relation::aggregate(&rows, keys, self.measures(&Level::Rows))?;
        let mut levels: Vec<&Level> = Vec::new();
        for (level, _) in &self.lowered.measures {
            if *level != Level::Rows && !levels.contains(&level) {
                levels.push(level);
            }
        }
        for level in levels {
            cells = self.join_orders(&cells, level, dimensions)?;
        }
        let mut columns = Vec::new();
        for dimension in dimensions {
            columns.push(named(&dimension.name, column(&cells, &dimension.name)?));
        }
        if let Some(complete) = self.complete(&cells, dimensions)? {
            columns.push(named("complete", complete));
        }
        for metric in &self.lowered.columns {
            columns.push(named(&metric.name, metric.expr.clone()));
        }
        let table = relation::project(&cells, columns)?;
        let units = self.lowered.columns.iter().map(|c| (c.name.clone(), c.unit.clone()));
        relation::with_units(&table, &units.collect())
    }

    fn measures(&self, level: &Level) -> Vec<Named<Measure>> {
        let of_level = self.lowered.measures.iter().filter(|(other, _)| other == level);
        of_level.map(|(_, measure)| measure.clone()).collect()
    }

    /// Rows with the time of their customer's first sold order, if a metric asked for it.
    fn with_first_time(&self, rel: &RelRef) -> Built {
        let roles = &self.table.roles;
        let (true, Some(customer), Some(time)) =
            (self.lowered.wants_first_time, &roles.customer, &roles.time)
        else {
            return Ok(rel.clone());
        };
        let first = self.first_times(customer, time)?;
        let key = vec![(customer.value.clone(), "customer".to_owned())];
        relation::lookup(rel, &first, key, vec![("first".into(), FIRST_TIME.into())])
    }

    fn first_times(&self, customer: &Named<Expr>, time: &Expr) -> Built {
        let mut rel = self.table.rel.clone();
        if let Some(sold) = self.table.roles.order.as_ref().and_then(|order| order.sold.clone()) {
            rel = relation::filter(&rel, sold)?;
        }
        let first = Measure::of(MeasureFunc::Min(time.clone()));
        let keys = vec![named("customer", customer.value.clone())];
        relation::aggregate(&rel, keys, vec![named("first", first)])
    }

    /// The cells with measures over orders put together from their lines.
    fn join_orders(&self, cells: &RelRef, level: &Level, dimensions: &[Dimension]) -> Built {
        let Level::Orders(condition) = level else { return Ok(cells.clone()) };
        let roles = &self.table.roles;
        let order = roles.order.clone().unwrap_or_default();
        let mut rel = self.table.rel.clone();
        for condition in order.sold.iter().chain(condition) {
            rel = relation::filter(&rel, condition.clone())?;
        }
        // Lines of one customer and id are one order; a dimension that differs between them splits
        // it, but periods are those of the order's own time.
        let [customer, time, value, quantity] = crate::metrics::ORDER_COLUMNS;
        let of_time = |dimension: &Dimension| {
            dimension.grain.filter(|_| {
                roles.time.as_ref().is_some_and(|time| {
                    matches!(&dimension.expr.node, crate::ir::ExprNode::Call(_, arguments)
                        if arguments.as_slice() == std::slice::from_ref(time))
                })
            })
        };
        let mut keys: Vec<Named<Expr>> = dimensions
            .iter()
            .filter(|dimension| of_time(dimension).is_none())
            .map(Dimension::key)
            .collect();
        if let Some(id) = &order.id {
            keys.push(named("#order_id", id.clone()));
        }
        if let Some(role) = &roles.customer {
            keys.push(named(customer, role.value.clone()));
        }
        let mut measures = Vec::new();
        if let Some(role) = &roles.time {
            measures.push(named(time, Measure::of(MeasureFunc::Min(role.clone()))));
        }
        if let Some(role) = &roles.value {
            measures.push(named("#sum", Measure::of(MeasureFunc::Sum(role.expr.clone()))));
            measures.push(named("#known", Measure::of(MeasureFunc::Count(role.expr.clone()))));
        }
        if let Some(role) = &order.quantity {
            measures.push(named(quantity, Measure::of(MeasureFunc::Sum(role.clone()))));
        }
        let mut orders = relation::aggregate(&rel, keys, measures)?;
        if roles.value.is_some() {
            let known = known_sum(&orders)?;
            orders = relation::extend(&orders, vec![named(value, known)])?;
        }
        if self.lowered.wants_first_time
            && let (Some(role), Some(when)) = (&roles.customer, &roles.time)
        {
            let first = self.first_times(role, when)?;
            let key = vec![(column(&orders, customer)?, "customer".to_owned())];
            let added = vec![("first".to_owned(), FIRST_TIME.to_owned())];
            orders = relation::lookup(&orders, &first, key, added)?;
        }
        let mut keys = Vec::new();
        for dimension in dimensions {
            let key = match of_time(dimension) {
                Some(unit) => crate::ir::typing::call(
                    crate::ir::Func::DateTrunc(unit),
                    vec![column(&orders, time)?],
                )?,
                None => column(&orders, &dimension.name)?,
            };
            keys.push(named(&dimension.name, key));
        }
        let measures = self.measures(level);
        let counted = relation::aggregate(&orders, keys, measures.clone())?;
        let on = dimensions.iter().map(|d| (d.name.clone(), d.name.clone())).collect();
        let joined = relation::join(cells, &counted, on, JoinKind::Left, true)?;
        // A cell without orders: counts and sums are 0.
        let mut zeroes = Vec::new();
        for measure in &measures {
            if let MeasureFunc::CountRows
            | MeasureFunc::Count(_)
            | MeasureFunc::CountDistinct(_)
            | MeasureFunc::CountReaching { .. }
            | MeasureFunc::CountVarying { .. }
            | MeasureFunc::Sum(_) = measure.value.func
            {
                let value = column(&joined, &measure.name)?;
                let zero = build::cast(Expr::int(0), value.data_type)?;
                zeroes.push(named(&measure.name, build::coalesce(value, zero)?));
            }
        }
        relation::extend(&joined, zeroes)
    }

    /// Whether every period of a cell ended by `as_of`; nothing without periods.
    fn complete(
        &self,
        cells: &RelRef,
        dimensions: &[Dimension],
    ) -> Result<Option<Expr>, TypeError> {
        let as_of = Expr::literal(Value::Timestamp(self.as_of), DataType::Timestamp);
        let mut ended = Vec::new();
        for dimension in dimensions {
            let Some(unit) = dimension.grain else { continue };
            let start = column(cells, &dimension.name)?;
            let end = match unit {
                TimeUnit::Hour => crate::ir::typing::call(
                    crate::ir::Func::Shift(crate::document::Interval {
                        months: 0,
                        micros: 3_600_000_000,
                    }),
                    vec![start],
                )?,
                _ => {
                    let next = build::add(build::period_of(unit, start)?, Expr::int(1))?;
                    build::cast(build::period_start(unit, next)?, DataType::Timestamp)?
                }
            };
            ended.push(build::le(end, as_of.clone())?);
        }
        build::all(ended)
    }
}
