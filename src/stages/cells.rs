//! The cells of `segment_metrics`: groups of one table, or of several tables over the same dimensions, and the
//! columns of metrics over what is measured of each.

use super::context::StageContext;
use super::dimension::Dimension;
use super::measured::{Measuring, without_gaps};
use super::suppression::PEOPLE;
use crate::document::{Interval, TimeUnit};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Expr, Func, JoinKind, Named, RelRef, Table, named};
use crate::metrics::{Asked, Drawn, MetricColumn};

/// A table that is measured, with the dimensions over it.
#[derive(Clone)]
pub(super) struct Part {
    pub table: Table,
    pub dimensions: Vec<Dimension>,
}

impl Part {
    /// Its own dimensions of those names.
    pub fn own(&self, dimensions: &[Dimension]) -> Vec<Dimension> {
        let own = |dimension: &Dimension| {
            self.dimensions.iter().find(|own| own.name == dimension.name).cloned()
        };
        dimensions.iter().filter_map(own).collect()
    }
}

/// The cells of some tables by different dimensions.
pub(super) struct Cells<'a> {
    pub parts: &'a [Part],
    pub lowered: &'a Lowered,
    pub as_of: i64,
    /// The level of intervals, and what draws are made with.
    pub level: f64,
    pub seed: i64,
}

/// What the metrics of a stage come to.
pub(super) struct Lowered {
    /// What is asked of each table.
    pub asked: Vec<Asked>,
    pub columns: Vec<MetricColumn>,
    pub drawn: Vec<Drawn>,
    /// What metrics should be, by name.
    pub goals: Vec<(String, f64)>,
    /// Columns that there would be if a metric were not wrong, which is noted.
    pub flawed: Vec<String>,
}

impl Cells<'_> {
    pub fn table(&self, cx: &mut StageContext, dimensions: &[Dimension]) -> Option<RelRef> {
        let built = self.build(dimensions).and_then(|cells| self.with_draws(cells, dimensions));
        let table = cx.typed(built)?;
        let missing = |name: &&String| table.schema.field(name).is_none();
        let flawed: Vec<String> = self.lowered.flawed.iter().filter(missing).cloned().collect();
        match flawed.is_empty() {
            true => Some(table),
            false => cx.typed(relation::with_flaws(&table, &flawed)),
        }
    }

    /// The cells of these dimensions, with the columns of the metrics.
    pub(super) fn build(&self, dimensions: &[Dimension]) -> Built {
        let cells = self.together(dimensions)?;
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
        let table = relation::with_units(&table, &units.collect())?;
        relation::with_means(&table, &MetricColumn::means(&self.lowered.columns))
    }

    /// Each table with what is asked of it.
    pub(super) fn measuring(&self) -> impl Iterator<Item = (&Part, Measuring<'_>)> {
        let (as_of, level) = (self.as_of, self.level);
        let parts = self.parts.iter().zip(&self.lowered.asked);
        parts
            .map(move |(part, asked)| (part, Measuring { table: &part.table, asked, as_of, level }))
    }

    /// The groups of all tables with what is measured in them: where a table has no row of a group, its counts
    /// and sums are 0 and all else of it null.
    fn together(&self, dimensions: &[Dimension]) -> Built {
        let mut groups = Vec::new();
        for (part, measuring) in self.measuring() {
            groups.push(measuring.groups(&part.own(dimensions))?);
        }
        if let [only] = groups.as_slice() {
            return Ok(only.clone());
        }
        let on: Vec<(String, String)> =
            dimensions.iter().map(|d| (d.name.clone(), d.name.clone())).collect();
        let keys_of = |rel: &RelRef| -> Result<Vec<Named<Expr>>, TypeError> {
            on.iter().map(|(name, _)| Ok(named(name, column(rel, name)?))).collect()
        };
        let mut keys = Vec::new();
        for rel in &groups {
            keys.push(relation::project(rel, keys_of(rel)?)?);
        }
        let all = relation::union(keys)?;
        let mut cells = relation::aggregate(&all, keys_of(&all)?, Vec::new())?;
        for (rel, asked) in groups.iter().zip(&self.lowered.asked) {
            let joined = relation::join(&cells, rel, on.clone(), JoinKind::Left, true)?;
            cells = without_gaps(&joined, &asked.measures)?;
        }
        Ok(cells)
    }

    /// The cells with how many customers each of them is about: one column for each population of each table.
    pub(super) fn with_people(&self, cells: &RelRef, dimensions: &[Dimension]) -> Built {
        let mut counted = cells.clone();
        for (number, (part, measuring)) in self.measuring().enumerate() {
            let name = |place| match number {
                0 => format!("{PEOPLE}_{place}"),
                _ => format!("{PEOPLE}_{number}_{place}"),
            };
            counted = measuring.with_people(&counted, &part.own(dimensions), name)?;
        }
        Ok(counted)
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
                TimeUnit::Hour => {
                    call(Func::Shift(Interval { months: 0, micros: 3_600_000_000 }), vec![start])?
                }
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
