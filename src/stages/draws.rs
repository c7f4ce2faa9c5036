//! Intervals by drawing customers: bounds of what each draw comes to.

use super::cells::{Cells, Lowered, Part};
use super::dimension::Dimension;
use super::measured::Measuring;
use crate::frame::{DataType, Unit};
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{TypeError, build, common_type};
use crate::ir::{Expr, JoinKind, Measure, MeasureFunc, Named, RelRef, named};
use crate::metrics::{Asked, Drawn, Estimate, Level, MetricColumn, ORDER_COLUMNS, ValuesOf};
use crate::models::{Bootstrap, Resampled};

/// How often customers are drawn for an interval.
pub(super) const DRAWS: u32 = 200;

/// The column of the customer who is drawn.
const DRAWN: &str = "#drawn";

/// The columns of a value and of how often a customer has it.
const VALUE: &str = "#value";
const COUNT: &str = "#count";

/// Percentile bounds per cell: `NAME_low` and `NAME_high` of each expression over the columns of `draws`.
/// Draws in which it is null are left out.
pub(super) fn bounds(draws: &RelRef, keys: &[String], of: Vec<Named<Expr>>, level: f64) -> Built {
    let tail = (1.0 - level) / 2.0;
    let names: Vec<String> = of.iter().map(|of| of.name.clone()).collect();
    let mut columns: Vec<Named<Expr>> =
        all_columns(draws).into_iter().filter(|column| keys.contains(&column.name)).collect();
    for of in of {
        columns.push(named(of.name, build::cast(of.value, DataType::Float64)?));
    }
    let values = relation::project(draws, columns)?;
    let mut cell = Vec::new();
    for key in keys {
        cell.push(named(key, column(&values, key)?));
    }
    let mut measures = Vec::new();
    for name in names {
        for (bound, at) in [("low", tail), ("high", 1.0 - tail)] {
            let quantile = MeasureFunc::Quantile { value: column(&values, &name)?, at };
            measures.push(named(format!("{name}_{bound}"), Measure::of(quantile)));
        }
    }
    relation::aggregate(&values, cell, measures)
}

impl Cells<'_> {
    /// The cells with the bounds that are found by drawing customers.
    pub(super) fn with_draws(&self, cells: RelRef, dimensions: &[Dimension]) -> Built {
        let has_customers = |drawn: &&Drawn| {
            self.parts.get(drawn.table).is_some_and(|part| part.table.roles.customer.is_some())
        };
        let all_drawn: Vec<&Drawn> = self.lowered.drawn.iter().filter(has_customers).collect();
        if all_drawn.is_empty() {
            return Ok(cells);
        }
        let names: Vec<String> = dimensions.iter().map(|d| d.name.clone()).collect();
        let mut joined = cells.clone();
        let mut join = |bounds: RelRef| -> Result<(), TypeError> {
            let on = names.iter().map(|name| (name.clone(), name.clone())).collect();
            joined = relation::join(&joined, &bounds, on, JoinKind::Left, true)?;
            Ok(())
        };
        let mut expressions = Vec::new();
        for drawn in &all_drawn {
            let name = bounds_of(&drawn.name);
            match &drawn.of {
                Estimate::Expression(value) => expressions.push(named(name, value.clone())),
                Estimate::Values(of) => {
                    let Some((part, measuring)) = self.measuring().nth(drawn.table) else {
                        continue;
                    };
                    let each = values(of, part, &measuring, dimensions)?;
                    let (value, count) = (VALUE.into(), COUNT.into());
                    let of = Resampled::Values { value, count, statistic: of.statistic };
                    let draws = self.bootstrap(&each, &names, of);
                    let of = vec![named(name, column(&draws, VALUE)?)];
                    join(bounds(&draws, &names, of, self.level)?)?;
                }
            }
        }
        if !expressions.is_empty() {
            let draws = self.drawn_measures(&expressions, dimensions, &names)?;
            join(bounds(&draws, &names, expressions, self.level)?)?;
        }
        let is_bound = |name: &str| {
            let rest = |drawn: &Drawn| name.strip_prefix(drawn.name.as_str()).map(str::to_owned);
            let mut rests = all_drawn.iter().filter_map(|drawn| rest(drawn));
            rests.any(|rest| rest == "_low" || rest == "_high")
        };
        let mut columns = Vec::new();
        for field in &cells.schema.fields {
            let name = match is_bound(&field.name) {
                true => bounds_of(&field.name),
                false => field.name.clone(),
            };
            columns.push(named(&field.name, column(&joined, &name)?));
        }
        let table = relation::project(&joined, columns)?;
        let units =
            cells.schema.fields.iter().map(|field| (field.name.clone(), field.unit.clone()));
        relation::with_units(&table, &units.collect())
    }

    fn bootstrap(&self, each: &RelRef, keys: &[String], of: Resampled) -> RelRef {
        let keys = keys.iter().filter_map(|name| each.schema.field(name).cloned()).collect();
        Bootstrap { keys, unit: DRAWN.into(), of, seed: self.seed, draws: DRAWS }.over(each)
    }

    /// What the measures that expressions read come to in each draw.
    fn drawn_measures(
        &self,
        expressions: &[Named<Expr>],
        dimensions: &[Dimension],
        names: &[String],
    ) -> Built {
        let read = |name: &str| {
            expressions.iter().any(|expression| expression.value.columns().contains(&name))
        };
        let mut lowered = Lowered {
            asked: Vec::new(),
            columns: Vec::new(),
            drawn: Vec::new(),
            goals: Vec::new(),
            flawed: Vec::new(),
        };
        // Sums and counts are whole numbers and money, which come out of the draws as doubles.
        let mut rebuilt: Vec<(&str, Vec<(String, DataType)>)> = Vec::new();
        let mut drawn: Vec<(&Part, Named<Expr>)> = Vec::new();
        for (part, asked) in self.parts.iter().zip(&self.lowered.asked) {
            let mut measures = Vec::new();
            for (level, measure) in asked.measures.iter().filter(|(_, m)| read(&m.name)) {
                let filtered = |func| Measure::filtered(func, measure.value.filter.clone());
                let parts = match &measure.value.func {
                    MeasureFunc::Mean(value) => vec![
                        (format!("{}.sum", measure.name), MeasureFunc::Sum(value.clone())),
                        (format!("{}.n", measure.name), MeasureFunc::Count(value.clone())),
                    ],
                    other => vec![(measure.name.clone(), other.clone())],
                };
                let typed =
                    parts.iter().map(|(name, func)| (name.clone(), func.data_type())).collect();
                rebuilt.push((&measure.name, typed));
                for (name, func) in parts {
                    let expr = Expr::column(&name, func.data_type());
                    lowered.columns.push(MetricColumn {
                        name: name.clone(),
                        expr,
                        unit: Unit::None,
                        mean: false,
                    });
                    measures.push((level.clone(), named(name, filtered(func))));
                }
            }
            // A metric whose customers are drawn has some.
            let customer = part.table.roles.customer.clone().filter(|_| !measures.is_empty());
            if let Some(customer) = customer {
                drawn.push((part, customer));
                lowered.asked.push(Asked {
                    measures,
                    weighted_values: Vec::new(),
                    ..asked.clone()
                });
            }
        }
        // The same cells for each customer alone: what is drawn adds up over them.
        let types = drawn.iter().map(|(_, customer)| Some(customer.value.data_type));
        let who = types.reduce(|one, other| common_type(one?, other?)).flatten();
        let mut parts = Vec::new();
        for (part, customer) in drawn {
            let mut part = part.clone();
            let expr = match who {
                Some(who) => build::cast(customer.value, who)?,
                None => customer.value,
            };
            part.dimensions.push(Dimension { name: DRAWN.into(), expr, grain: None });
            parts.push(part);
        }
        let mut each = dimensions.to_vec();
        let customer = Expr::null(who.unwrap_or(DataType::String));
        each.push(Dimension { name: DRAWN.into(), expr: customer, grain: None });
        let each = Cells { parts: &parts, lowered: &lowered, ..*self }.build(&each)?;
        let sums = lowered.columns.into_iter().map(|column| column.name).collect();
        let draws = self.bootstrap(&each, names, Resampled::Sums(sums));

        let mut columns = Vec::new();
        for name in names {
            columns.push(named(name, column(&draws, name)?));
        }
        for (name, parts) in rebuilt {
            let mut value = None;
            for (part, data_type) in parts {
                let part = build::cast(column(&draws, &part)?, data_type)?;
                value = Some(match value {
                    None => part,
                    Some(sum) => build::div(sum, part)?,
                });
            }
            columns.extend(value.map(|value| named(name, value)));
        }
        relation::project(&draws, columns)
    }
}

/// The values of each customer in each cell of a table, and how often they have them.
fn values(of: &ValuesOf, part: &Part, measuring: &Measuring, dimensions: &[Dimension]) -> Built {
    let measured = measuring.measured(&of.level, &part.own(dimensions))?;
    let who = match (&of.level, &part.table.roles.customer) {
        (Level::Rows | Level::Dated(_), Some(customer)) => customer.value.clone(),
        (Level::Each(each), _) if let Some(customer) = measuring.customer_of(each) => customer,
        _ => column(&measured.rel, ORDER_COLUMNS[0])?,
    };
    let known = build::not(build::is_null(of.value.clone())?)?;
    let mut rows = relation::filter(&measured.rel, known)?;
    if let Some(condition) = &of.condition {
        rows = relation::filter(&rows, condition.clone())?;
    }
    let mut keys = measured.keys;
    keys.push(named(DRAWN, who));
    keys.push(named(VALUE, build::cast(of.value.clone(), DataType::Float64)?));
    relation::aggregate(&rows, keys, vec![named(COUNT, Measure::of(MeasureFunc::CountRows))])
}

/// The name of drawn bounds, or what they begin with.
fn bounds_of(metric: &str) -> String {
    format!("#draw.{metric}")
}
