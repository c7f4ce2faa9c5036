//! # sample
//!
//! Some of the rows, with weights that say what each stands for.
//!
//! What it does: draws customers with all their rows, or rows, from each of some strata, and adds the weight with which
//! later metrics count them.
//!
//! When to use it: for a look at a large table; for a survey or a test with the same number of each plan.
//!
//! Example:
//!
//! ```yaml
//! some:
//!   from: orders
//!   sample: {size: 5%, strata: [plan]}
//! monthly:
//!   from: some
//!   segment_metrics: {by: [month], metrics: [revenue, order_count]}
//! ```
//!
//! Columns: those of the input and `sample_weight`, how many customers (or rows) of the population each of the
//! sample stands for. Published only with `publish: true`.
//!
//! Companion `_strata`, published: `stratum` (parts joined by ` / `; null for customers of none; `all` without
//! `strata`), `population` and `sampled`, `share_population` and `share_sampled` of all, and `weight`, which is
//! population / sampled.
//!
//! With `compare`, dimensions over which the sample is held against the population, two more companions. `_shares` has a
//! row for each `dimension` and `value`: `population` and `sampled`, `share_population`, and `share_sampled`, the weighted
//! share of the sample. `_tests` has a row for each `dimension`: whether those shares differ by more than chance, with
//! `groups`, `chi_square`, `degrees_of_freedom`, `p_value` and the size of the difference, `cohens_w`.
//!
//! Rules: each customer, or row by its `key`, has a number that follows from it and the pipeline's `seed`; in each stratum
//! those with the smallest numbers are drawn. So the same are drawn in whatever order rows come, and more of them with a
//! larger size. `size` is a number of customers (with `customers: false` of rows), or a share of them. With `weights:
//! proportional` each stratum gives its share of the sample, by largest remainders; with `equal` all give the same number,
//! and what a small one does not have the others give. Every stratum gives at least one, so there may be a few more
//! than `size`. All are drawn where `size` is as large as the population; an empty table gives an empty sample.
//!
//! A stratum is as in `by`: of a customer the value on the first row by time, then by key; `since` is measured at
//! `as_of`. Rows without a customer are left out, and counted in the report. Without a `key` rows are told apart by all
//! columns, and those that are alike in all are drawn together.
//!
//! Over its strata a sample agrees with the population by its weights, whatever was drawn; so `compare` names other
//! dimensions, and a stratum among them is a mistake. The test is of Wald's kind: the weighted shares less those of the
//! population, by the variances that follow from the strata and from drawing without replacement, which are known as the
//! population is. Without strata it is Pearson's goodness of fit times (N − 1)/(N − n). Values of which fewer
//! than 5 are expected in the sample are one group, together with the next larger if they are fewer than 5 even so. With one
//! group all is null; where the drawing leaves nothing to chance, as when all are drawn, so are statistic, degrees of
//! freedom and p-value. Of independent dimensions one in twenty has a p-value below 0.05 by chance. Cohen's w is
//! √Σ (p̂ − P)²/P over the groups; it does not grow with the sample, and by convention 0.1 is small, 0.3 medium, 0.5 large.
//! Values are those on which strata are decided: of a customer that on the first row.
//!
//! With `privacy.min_group_size` a value of few customers is hidden in `_shares`, and others with it, as the shares tell
//! the whole. A test is hidden where one of its values has few customers, in all or in one stratum. Drawn by rows, a
//! sample has no companions then.
//!
//! Later metrics reckon with the weights. Counts and sums are those of the population, as doubles or money rounded to
//! its digits. Shares, means, ratios and quantiles are weighted; `n` beside them is the effective size of the sample,
//! (Σ w)² / Σ w², `numerator`, `plus` and `minus` are the parts of that, and intervals are found from them. They take rows to be
//! independent, as without weights. Minimum and maximum are those of the sample. A metric that cannot be weighted is
//! refused: `top_decile_value_share`, `historic_clv`, `gap_days`, `pulse`, waiting times with open cases, intervals by
//! bootstrap; of rows that were drawn one by one also what counts customers, puts orders together or looks for a
//! customer's next row. So is a stage that
//! does not weigh its rows, such as `clv`.
//!
//! References: Kish (1965), Survey sampling; Cochran (1954), Some methods for strengthening the common χ² tests; Cochran
//! (1977), Sampling techniques; Rao and Scott (1981), The analysis of categorical data from complex sample surveys; Cohen
//! (1988), Statistical power analysis for the behavioral sciences.

mod compared;

use std::sync::Arc;

use super::context::{RoleOverrides, StageContext};
use super::dimension::{Dimension, DimensionSpec};
use super::registry::{Companion, Output, Stage, StageKind};
use super::suppression::{PEOPLE, Rule};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Decode, Decoder, Expression, Field, Node, Options, Portion};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, all_columns, column};
use crate::ir::typing::{TypeError, Typed, build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc, RelRef, Roles, Table, Weight, named};
use crate::models::{SampleSize, StratifiedSample};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "sample",
    source: include_str!("sample.rs"),
    row_level: true,
    companions: &[
        Companion {
            suffix: "strata",
            sentence: "How many of each stratum there are and were drawn, and with what weight.",
        },
        Companion {
            suffix: "shares",
            sentence: "With `compare`: the shares of each value in the population and in the sample.",
        },
        Companion {
            suffix: "tests",
            sentence: "With `compare`: whether the shares differ by more than chance, and by how much.",
        },
    ],
    fields,
    decode,
};

/// The column of weights.
const WEIGHT: &str = "sample_weight";
const CUSTOMER: &str = "#customer";

crate::choice! {
    /// How the sample is shared out among the strata.
    pub enum Allotment {
        /// Each stratum has the part of the sample that it has of the population.
        Proportional = "proportional",
        /// Each has the same number.
        Equal = "equal",
    }
}

crate::options! {
    /// How many are drawn, of what.
    struct Sample("`sample`") {
        /// How many, or which share of all.
        size: Portion,
        /// Dimensions from each of whose cells some are drawn; absent: from all together.
        strata: Vec<DimensionSpec> = Vec::new(),
        /// How the sample is shared out among the strata.
        weights: Allotment = Allotment::Proportional,
        /// Dimensions, besides the strata, over which the sample is held against the population.
        compare: Vec<DimensionSpec> = Vec::new(),
        /// Whether customers are drawn, each with all rows; else rows are.
        customers: bool = true,
        /// Another customer than the input's.
        customer: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Sample::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Sample::decode(node, decoder)?))
}

impl Stage for Sample {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &None,
            value: &None,
        })?;
        let input = cx.input()?;
        if input.rel.schema.field(WEIGHT).is_some() {
            let message = format!("`{}` has a column `{WEIGHT}` already", input.name);
            let wrong = Diagnostic::at(Code::DuplicateName, cx.kind.span, message);
            cx.diagnostics.push(wrong.help("draw once, from what the first sample is drawn from"));
            return None;
        }
        let mut table = input.clone();
        let (compare, good) = self.compared(cx);
        let all: Vec<DimensionSpec> = self.strata.value.iter().cloned().chain(compare).collect();
        let dimensions = match self.customers.value {
            true => cx.customer_dimensions(&all, &mut table),
            false => cx.dimensions(&all, &mut table),
        };
        let customer = match self.customers.value {
            true if table.roles.customer.is_none() => {
                if !table.roles.flawed {
                    let message = format!(
                        "`sample` draws customers, and `{}` does not say which column they are",
                        table.name
                    );
                    cx.diagnostics.push(
                        Diagnostic::at(Code::MissingRole, cx.kind.span, message).help(
                            "write `customers: false` to draw rows, or say at the source: `customer: COLUMN`",
                        ),
                    );
                }
                return None;
            }
            true => table.roles.customer.clone().map(|customer| customer.value),
            false => None,
        };
        let mut dimensions = dimensions.filter(|_| good)?;
        let compare = dimensions.split_off(self.strata.value.len());
        let label = cx.typed(stratum(&dimensions))?;
        let drawing = StratifiedSample {
            size: match self.size.value {
                Portion::Count(count) => SampleSize::Count(count),
                Portion::Share(share) => SampleSize::Share(share),
            },
            equal: self.weights.value == Allotment::Equal,
        };
        let draw = Draw { table: &table, seed: cx.seed, label, drawing, compare: &compare };
        let built = match &customer {
            Some(customer) => draw.customers(customer),
            None => draw.rows(),
        };
        let Drawn { rows, strata, compared } = cx.typed(built)?;
        // Of rows it is not known how many customers a stratum has: such a table is not shown.
        let strata = match self.customers.value {
            true => held_strata(cx, strata)?,
            false => strata,
        };
        if let Some(customer) = &customer {
            let nobody = build::is_null(customer.clone()).and_then(|nobody| {
                let count = Measure::filtered(MeasureFunc::CountRows, Some(nobody));
                relation::aggregate(
                    &table.rel,
                    Vec::new(),
                    vec![named("rows without a customer", count)],
                )
            });
            cx.touched = Some(cx.typed(nobody)?);
        }
        let mut columns = all_columns(&input.rel);
        let weight = cx.typed(column(&rows, StratifiedSample::WEIGHT))?;
        columns.push(named(WEIGHT, weight));
        let rel = cx.typed(relation::project(&rows, columns))?;
        let weight =
            Weight { expr: cx.typed(column(&rel, WEIGHT))?, of_customers: self.customers.value };
        let roles = Roles { weight: Some(weight), ..input.roles };
        let who = if self.customers.value { "customers" } else { "rows" };
        let compared = match compared {
            Some(compared) => compared::outputs(cx, compared, self.customers.value)?,
            None => Vec::new(),
        };
        let mut outputs = vec![
            Output { suffix: None, rel, grain: Vec::new(), roles, views: vec![View::Rows] },
            Output {
                suffix: Some("strata"),
                rel: strata,
                grain: vec!["stratum".to_owned()],
                roles: Roles::default(),
                views: vec![View::Strata { who }, View::Rows],
            },
        ];
        outputs.extend(compared);
        Some(outputs)
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.strata.value.iter().chain(&self.compare.value).collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl Sample {
    /// What the sample is compared by, without strata, over which there is nothing to compare; and whether there were
    /// none among it.
    fn compared(&self, cx: &mut StageContext) -> (Vec<DimensionSpec>, bool) {
        let names = self.strata.value.iter().filter_map(|spec| spec.as_name());
        let strata: Vec<&str> = names.map(|name| name.value.as_str()).collect();
        let is_stratum = |spec: &&DimensionSpec| {
            spec.as_name().is_some_and(|name| strata.contains(&name.value.as_str()))
        };
        let (settled, compare): (Vec<_>, Vec<_>) = self.compare.value.iter().partition(is_stratum);
        for spec in &settled {
            let message = format!(
                "`{}` is a stratum, over which the weighted sample has the shares of the population anyway",
                spec.show()
            );
            let wrong = Diagnostic::at(Code::InvalidValue, spec.span(), message);
            cx.diagnostics
                .push(wrong.help("compare the sample by a dimension that is none of `strata`"));
        }
        (compare.into_iter().cloned().collect(), settled.is_empty())
    }
}

/// The table of strata without those of few customers. It adds up to the population, which the shares tell.
fn held_strata(cx: &mut StageContext, strata: RelRef) -> Option<RelRef> {
    if cx.small_groups.is_none() {
        return Some(strata);
    }
    let counted = (|| {
        let people = column(&strata, "population")?;
        let counted = relation::extend(&strata, vec![named(PEOPLE, people.clone())])?;
        let all = vec![named(PEOPLE, Measure::of(MeasureFunc::Sum(people)))];
        Ok::<_, TypeError>([counted, relation::aggregate(&strata, Vec::new(), all)?])
    })();
    let tables = cx.typed(counted)?.to_vec();
    let dimensions = vec!["stratum".to_owned()];
    let levels = vec![vec![(None, vec![0])], vec![(None, Vec::new())]];
    let kept = vec![dimensions.clone(), Vec::new()];
    cx.suppress(tables, kept, Rule::Groups { dimensions, levels })?.into_iter().next()
}

/// The name of a row's stratum: never null, and different for different values.
fn stratum(dimensions: &[Dimension]) -> Typed {
    let text = |text: &str| Expr::literal(Value::text(text), DataType::String);
    let mut name: Option<Expr> = None;
    for dimension in dimensions {
        let value = build::cast(dimension.expr.clone(), DataType::String)?;
        let value = build::coalesce(value, text(StratifiedSample::NOTHING))?;
        name = Some(match name {
            None => value,
            Some(name) => {
                let name = call(Func::Concat, vec![name, text(StratifiedSample::BETWEEN)])?;
                call(Func::Concat, vec![name, value])?
            }
        });
    }
    Ok(name.unwrap_or_else(|| text("all")))
}

/// What is drawn, from what.
struct Draw<'a> {
    table: &'a Table,
    seed: i64,
    label: Expr,
    drawing: StratifiedSample,
    compare: &'a [Dimension],
}

/// What was drawn.
struct Drawn {
    /// Rows with their weight.
    rows: RelRef,
    /// The table of strata.
    strata: RelRef,
    /// The sample held against the population: shares and tests.
    compared: Option<[RelRef; 2]>,
}

impl Draw<'_> {
    fn number(&self, of: Vec<Expr>) -> Typed {
        call(Func::DrawNumber(self.seed), of)
    }

    /// What identifies a row: its key, or all columns.
    fn key(&self) -> Vec<Expr> {
        match self.table.roles.key.is_empty() {
            false => self.table.roles.key.clone(),
            true => all_columns(&self.table.rel).into_iter().map(|column| column.value).collect(),
        }
    }

    /// Bounds and strata for units with their stratum and number.
    fn bounds(&self, units: &RelRef) -> Result<[RelRef; 2], TypeError> {
        let tables = relation::apply(vec![units.clone()], Arc::new(self.drawing.clone()));
        let wrong =
            |_| TypeError { message: "a sample has two tables".into(), argument: None, help: None };
        <[RelRef; 2]>::try_from(tables).map_err(wrong)
    }

    /// Rows with a stratum and a number, with their weight, and which of them are drawn.
    fn judged(&self, rows: &RelRef, bounds: &RelRef) -> Result<(RelRef, Expr), TypeError> {
        let key =
            vec![(column(rows, StratifiedSample::STRATUM)?, StratifiedSample::STRATUM.to_owned())];
        let names = [StratifiedSample::LARGEST, StratifiedSample::WEIGHT];
        let added = names.map(|name| (name.to_owned(), name.to_owned())).to_vec();
        let found = relation::lookup(rows, bounds, key, added)?;
        let number = column(&found, StratifiedSample::NUMBER)?;
        let within = build::le(number, column(&found, StratifiedSample::LARGEST)?)?;
        Ok((found, within))
    }

    fn customers(&self, customer: &Expr) -> Result<Drawn, TypeError> {
        let known = build::not(build::is_null(customer.clone())?)?;
        let rows = relation::filter(&self.table.rel, known)?;
        let order: Vec<Expr> =
            self.table.roles.time.clone().into_iter().chain(self.key()).collect();
        let first = |value: Expr| Measure::of(MeasureFunc::First { value, order: order.clone() });
        let who = vec![named(CUSTOMER, customer.clone())];
        let mut labels = vec![named(StratifiedSample::STRATUM, first(self.label.clone()))];
        for compared in self.compared()? {
            labels.push(named(compared.name, first(compared.value)));
        }
        let each = relation::aggregate(&rows, who, labels)?;
        let number = self.number(vec![column(&each, CUSTOMER)?])?;
        let each = relation::extend(&each, vec![named(StratifiedSample::NUMBER, number)])?;
        let units = relation::project(
            &each,
            vec![
                named(StratifiedSample::STRATUM, column(&each, StratifiedSample::STRATUM)?),
                named(StratifiedSample::NUMBER, column(&each, StratifiedSample::NUMBER)?),
                named(StratifiedSample::UNITS, Expr::int(1)),
            ],
        )?;
        let [bounds, strata] = self.bounds(&units)?;
        let (judged, is_drawn) = self.judged(&each, &bounds)?;
        let compared = self.against(&judged, &is_drawn)?;
        let drawn = relation::filter(&judged, is_drawn)?;
        let weight = StratifiedSample::WEIGHT;
        let key = vec![(customer.clone(), CUSTOMER.to_owned())];
        let found = relation::lookup(&rows, &drawn, key, vec![(weight.into(), weight.into())])?;
        let is_drawn = build::not(build::is_null(column(&found, weight)?)?)?;
        Ok(Drawn { rows: relation::filter(&found, is_drawn)?, strata, compared })
    }

    fn rows(&self) -> Result<Drawn, TypeError> {
        let mut columns = vec![
            named(StratifiedSample::STRATUM, self.label.clone()),
            named(StratifiedSample::NUMBER, self.number(self.key())?),
        ];
        columns.extend(self.compared()?);
        let rows = relation::extend(&self.table.rel, columns)?;
        let keys = [StratifiedSample::STRATUM, StratifiedSample::NUMBER];
        let keys = keys.map(|name| Ok(named(name, column(&rows, name)?)));
        let keys = keys.into_iter().collect::<Result<_, TypeError>>()?;
        let count = named(StratifiedSample::UNITS, Measure::of(MeasureFunc::CountRows));
        let units = relation::aggregate(&rows, keys, vec![count])?;
        let [bounds, strata] = self.bounds(&units)?;
        let (judged, is_drawn) = self.judged(&rows, &bounds)?;
        let compared = self.against(&judged, &is_drawn)?;
        Ok(Drawn { rows: relation::filter(&judged, is_drawn)?, strata, compared })
    }
}
