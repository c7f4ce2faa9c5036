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
//! Several tables: metrics that say `from` under `metrics:` are measured of that table, all others of the stage's
//! own. Then the rows are the groups of all those tables over the same segments and calendar grains; where one of
//! them has no row of a group, counts and sums of it are 0, and all else is null. If every metric says `from`, the
//! stage needs none:
//!
//! ```yaml
//! metrics:
//!   written: {ticket_count: {}, from: tickets}
//!   buyers: {customer_count: {}, from: orders}
//!   tickets_per_buyer: {ratio: {numerator: written, denominator: buyers}}
//! stages:
//!   service: {segment_metrics: {by: [plan, month], metrics: [written, tickets_per_buyer]}}
//! ```
//!
//! What the stage says of its input it says of each of them: `where`, `customer`, `time` and `value` are read in
//! the columns of each, and every dimension must be there in each, a calendar grain being that of its own time.
//!
//! Companion `_totals`, if `by` names more than calendar grains: the same columns without those
//! dimensions.
//!
//! The report shows the first four: over time what has an interval as a line, a balance by its sides, sums and counts as
//! bars; by one dimension the groups from most to least; quantiles of one duration together.
//!
//! With `grouping_sets` there is no companion. Every combination has rows in the main table, told apart by
//! a first column `grouping`: the names joined by `+`, `total` for `[]`. Dimensions that a combination
//! leaves out are null in its rows, and so is `complete` where it has no calendar grain.

use super::cells::{Cells, Lowered, Part};
use super::cohort_retention::Totals;
use super::context::{RoleOverrides, StageContext};
use super::dimension::{Dimension, DimensionSpec};
use super::measured::FIRST_TIME;
use super::metric_views::{BESIDE, metric_views};
use super::parts::Said;
use super::registry::{Companion, Output, Stage, StageKind};
use super::suppression::{PEOPLE, Rule, held};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{Decode, Decoder, Expression, Field, Node, Options};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::{Expr, RelRef, Roles, Table, named};
use crate::metrics::{Level, Lowering, MetricName, Subject};

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
        metrics: Vec<Spanned<MetricName>>,
        /// Combinations of the dimensions, each with rows of its own: `[[plan, month], [plan], []]`.
        grouping_sets: Option<Vec<Vec<Spanned<String>>>> = None,
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

impl Stage for SegmentMetrics {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let said = Said {
            by: &self.by.value,
            roles: RoleOverrides {
                customer: &self.customer.value,
                time: &self.time.value,
                value: &self.value.value,
            },
        };
        let tables = cx.measured_tables(&self.metrics(), &said);
        let lowered = self.lower(cx, &tables.tables);
        let parts = tables.parts()?;
        // What comes from a table without its small groups tells no more than that.
        let open = |part: &&Part| !held(&part.table.rel);
        let hides = cx.small_groups.is_some() && parts.iter().any(|part| open(&part));
        if hides {
            for part in parts.iter().filter(open) {
                cx.customer(&part.table)?;
            }
            let whole = |level: &Level| matches!(level, Level::Whole | Level::Counted(_));
            let mut levels = lowered.asked.iter().flat_map(|asked| &asked.measures);
            if levels.any(|(level, _)| whole(level)) {
                cx.report(
                    Code::Unsupported,
                    self.metrics.span,
                    "with `privacy.min_group_size` no metric may reckon with the mean of all groups, which tells of \
                     those that are hidden (`review_rating_bayes` does)",
                );
                return None;
            }
        }
        let dimensions = parts[0].dimensions.clone();
        let cells = Cells {
            parts: &parts,
            lowered: &lowered,
            as_of: cx.as_of,
            level: cx.level,
            seed: cx.seed,
        };

        if let Some(sets) = &self.grouping_sets.value {
            return self.grouped(cx, &cells, &dimensions, sets, hides);
        }
        let main = cells.table(cx, &dimensions)?;
        let names = |dimensions: &[Dimension]| -> Vec<String> {
            dimensions.iter().map(|dimension| dimension.name.clone()).collect()
        };
        let mut outputs = vec![Output {
            suffix: None,
            grain: names(&dimensions),
            roles: cell_roles(&parts, &main, &dimensions),
            views: metric_views(&dimensions, &lowered),
            rel: main,
        }];
        let grains: Vec<Dimension> =
            dimensions.iter().filter(|dimension| dimension.grain.is_some()).cloned().collect();
        let mut levels: Vec<Vec<usize>> = vec![(0..dimensions.len()).collect()];
        if grains.len() < dimensions.len() && self.totals.value == Totals::Rows {
            let totals = cells.table(cx, &grains)?;
            outputs.push(Output {
                suffix: Some("totals"),
                grain: names(&grains),
                roles: cell_roles(&parts, &totals, &grains),
                views: Vec::new(),
                rel: totals,
            });
            let of_grains = |at: &usize| dimensions[*at].grain.is_some();
            levels.push((0..dimensions.len()).filter(of_grains).collect());
        }
        if hides {
            let mut tables = Vec::new();
            for (output, level) in outputs.iter().zip(&levels) {
                let own: Vec<Dimension> = level.iter().map(|&at| dimensions[at].clone()).collect();
                let counted = cells.with_people(&output.rel, &own);
                tables.push(cx.typed(counted)?);
            }
            let kept = outputs.iter().map(|output| output.grain.clone()).collect();
            let levels = levels.into_iter().map(|level| vec![(None, level)]).collect();
            let rule = Rule::Groups { dimensions: names(&dimensions), levels };
            let tables = cx.suppress(tables, kept, rule)?;
            outputs.iter_mut().zip(tables).for_each(|(output, table)| output.rel = table);
        }
        Some(outputs)
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn metrics(&self) -> Vec<Spanned<String>> {
        let names = self.metrics.value.iter();
        names.map(|metric| Spanned::new(metric.value.0.clone(), metric.span)).collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

/// The column that tells grouping sets apart.
const GROUPING: &str = "grouping";

impl SegmentMetrics {
    /// The cells of several combinations of the dimensions in one table.
    fn grouped(
        &self,
        cx: &mut StageContext,
        cells: &Cells,
        dimensions: &[Dimension],
        sets: &[Vec<Spanned<String>>],
        hides: bool,
    ) -> Option<Vec<Output>> {
        let mut good = true;
        let mut seen: Vec<Vec<&str>> = Vec::new();
        for set in sets {
            for name in set.iter().filter(|name| !dimensions.iter().any(|d| d.name == name.value)) {
                cx.diagnostics.push(Diagnostic::unknown(
                    Code::UnknownDimension,
                    name.span,
                    format!("`{}` is not among the dimensions of `by`", name.value),
                    &name.value,
                    dimensions.iter().map(|dimension| dimension.name.as_str()),
                ));
                good = false;
            }
            let names = dimensions.iter().map(|dimension| dimension.name.as_str());
            let set: Vec<&str> = names.filter(|n| set.iter().any(|s| s.value == *n)).collect();
            if seen.contains(&set) {
                let message = format!("the grouping set [{}] is there twice", set.join(", "));
                cx.report(Code::DuplicateName, self.grouping_sets.span, message);
                good = false;
            }
            seen.push(set);
        }
        // A day lies in its month: what the days of a month come to must not be held against the month.
        let alone = |one: &Dimension, other: &Dimension| {
            seen.iter()
                .any(|set| set.contains(&one.name.as_str()) && !set.contains(&other.name.as_str()))
        };
        let grains = || dimensions.iter().filter(|dimension| dimension.grain.is_some());
        let apart = |one| grains().any(|other| alone(one, other) && alone(other, one));
        if hides && grains().any(apart) {
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    self.grouping_sets.place(cx.kind.span),
                    "with `privacy.min_group_size` two calendar grains do not stand in grouping sets apart from \
                     each other",
                )
                .help("one holds the other's parts, which would give small groups away: make two stages"),
            );
            good = false;
        }
        if !good {
            return None;
        }
        let mut parts = Vec::new();
        let mut levels = Vec::new();
        for set in &seen {
            let own: Vec<Dimension> = dimensions
                .iter()
                .filter(|dimension| set.contains(&dimension.name.as_str()))
                .cloned()
                .collect();
            let mut table = cells.table(cx, &own)?;
            if hides {
                let counted = cells.with_people(&table, &own);
                table = cx.typed(counted)?;
            }
            let grouping = if set.is_empty() { "total".to_owned() } else { set.join("+") };
            let part = self.grouping_part(&table, &grouping, dimensions, cells);
            let places = dimensions.iter().enumerate();
            let places = places.filter(|(_, dimension)| set.contains(&dimension.name.as_str()));
            levels.push((Some(grouping), places.map(|(at, _)| at).collect()));
            parts.push(cx.typed(part)?);
        }
        let mut main = cx.typed(relation::union(parts))?;
        let names: Vec<String> =
            dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let grain: Vec<String> =
            std::iter::once(GROUPING.to_owned()).chain(names.iter().cloned()).collect();
        if hides {
            let rule = Rule::Groups { dimensions: names, levels: vec![levels] };
            main = cx.suppress(vec![main], vec![grain.clone()], rule)?.pop()?;
        }
        // Of a customer there is a row for each set, so that it identifies none.
        let roles = Roles { customer: None, ..cell_roles(cells.parts, &main, dimensions) };
        Some(vec![Output { suffix: None, rel: main, grain, roles, views: vec![View::Rows] }])
    }

    /// The cells of one combination under the columns of all.
    fn grouping_part(
        &self,
        table: &RelRef,
        grouping: &str,
        dimensions: &[Dimension],
        cells: &Cells,
    ) -> Built {
        let mut columns =
            vec![named(GROUPING, Expr::literal(Value::text(grouping), DataType::String))];
        let or_null = |name: &str, data_type: DataType| match table.schema.field(name) {
            Some(_) => column(table, name),
            None => Ok(Expr::null(data_type)),
        };
        for dimension in dimensions {
            let value = or_null(&dimension.name, dimension.expr.data_type)?;
            columns.push(named(&dimension.name, value));
        }
        if dimensions.iter().any(|dimension| dimension.grain.is_some()) {
            columns.push(named("complete", or_null("complete", DataType::Bool)?));
        }
        for metric in &cells.lowered.columns {
            columns.push(named(&metric.name, column(table, &metric.name)?));
        }
        let people = table.schema.names().filter(|name| name.starts_with(PEOPLE));
        for name in people {
            columns.push(named(name, column(table, name)?));
        }
        relation::project(table, columns)
    }

    fn lower(&self, cx: &mut StageContext, tables: &[Table]) -> Lowered {
        let first_time = |table: &Table| {
            table.roles.time.as_ref().map(|time| Expr::column(FIRST_TIME, time.data_type))
        };
        let subjects = tables.iter().map(|table| Subject {
            table: &table.name,
            schema: &table.rel.schema,
            roles: &table.roles,
            parameters: cx.parameters,
            calendar: cx.calendar,
            as_of: cx.as_of,
            level: cx.level,
            first_time: first_time(table),
            others: &cx.others,
        });
        let subjects: Vec<Subject> = subjects.collect();
        let own = (!cx.implied).then_some(0);
        let mut lowering = Lowering::of_tables(&subjects, own, cx.metrics, cx.diagnostics);
        // Every metric is lowered, so that every mistake is found. What stands in its place if it is wrong
        // keeps whoever reads it from being told of it again.
        let mut flawed: Vec<String> = Vec::new();
        for name in &self.metrics() {
            if lowering.add(name).is_some() {
                continue;
            }
            flawed.push(name.value.clone());
            // Of a name that nobody knows, nobody knows which metric it was to be.
            if !lowering.catalog.knows(&name.value) {
                flawed.extend(lowering.catalog.names());
            }
        }
        let columns_of = |name: &String| {
            let beside = BESIDE.map(|suffix| format!("{name}{suffix}"));
            std::iter::once(name.clone()).chain(beside)
        };
        let mut flawed: Vec<String> = flawed.iter().flat_map(columns_of).collect();
        flawed.sort_unstable();
        flawed.dedup();
        let Lowering { asked, columns, drawn, goals, .. } = lowering;
        Lowered { asked, columns, drawn, goals, flawed }
    }
}

/// The roles of a table of cells: its time is its first period column, its customer the dimension that is
/// the customer of the rows of every table.
fn cell_roles(parts: &[Part], cells: &RelRef, dimensions: &[Dimension]) -> Roles {
    let own = |name: &str| column(cells, name).ok();
    let period = dimensions.iter().find(|dimension| dimension.grain.is_some());
    let is_customer = |place: &usize| {
        parts.iter().all(|part| {
            let customer = part.table.roles.customer.as_ref();
            let of_part = part.own(dimensions);
            customer.is_some_and(|customer| of_part[*place].expr == customer.value)
        })
    };
    let customer = (0..dimensions.len()).find(is_customer).and_then(|place| {
        let name = &dimensions[place].name;
        Some(named(name, own(name)?))
    });
    let time = period.and_then(|period| own(&period.name));
    Roles { time, customer, ..Roles::default() }
}
