//! Metrics of samples: measures that reckon with weights.
//!
//! A measure of plain rows becomes an expression over weighted sums, so that what a metric makes of it need not know of
//! weights. What follows from no such sums is refused.

use super::fields::{ORDER_COLUMNS, WEIGHT_COLUMN};
use super::lowering::{Each, IntervalMethod, Level, Lowering};
use crate::diagnostic::{Code, Diagnostic};
use crate::frame::{DataType, Unit};
use crate::ir::typing::{TypeError, Typed, build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc, Named, Weight, named};

/// What is kept of each customer of a cell: the weight, and what a condition looks at.
const SUM: &str = "#each_sum";
const LEAST: &str = "#each_least";
const MOST: &str = "#each_most";

/// A quantile of weighted values.
#[derive(Debug, Clone)]
pub struct WeightedValue {
    /// What the columns of its value, its effective size and its bounds begin with.
    pub name: String,
    pub level: Level,
    pub condition: Option<Expr>,
    pub value: Expr,
    pub at: f64,
    /// The weight of a row of the level.
    pub weight: Expr,
}

impl WeightedValue {
    /// The columns of the value, the effective size and the bounds.
    pub fn columns(&self) -> [String; 4] {
        ["quantile", "size", "low", "high"].map(|column| format!("{}.{column}", self.name))
    }
}

impl Lowering<'_> {
    /// True if the rows are a sample.
    pub(super) fn is_weighted(&self) -> bool {
        self.subject.roles.weight.is_some()
    }

    /// Notes that the metric cannot be had of a sample.
    pub(super) fn unweighable(&mut self, why: &str) {
        let named = self.stack.first().cloned().unwrap_or_else(|| self.name.clone());
        let message = format!(
            "the metric `{named}` cannot be weighted, and the rows of `{}` are a sample: {why}",
            self.subject.table
        );
        self.unweighable = true;
        let place = self.place();
        self.diagnostics.push(Diagnostic::at(Code::InvalidValue, place, message).help(
            "measure it of the table that the sample was drawn from; a `select` that leaves `sample_weight` out takes \
             the rows of the sample for all there are",
        ));
    }

    /// The weight of a row of a level; `None` if it has none, which is noted.
    fn weight_of(&mut self, weight: &Weight, level: &Level) -> Option<Expr> {
        let put_together =
            self.subject.roles.order.as_ref().is_some_and(|order| order.id.is_some());
        match level {
            Level::Rows | Level::Dated(_) | Level::Whole => Some(weight.expr.clone()),
            Level::Orders(_) | Level::Placed(_) | Level::CameBack(_) => {
                if put_together && !weight.of_customers {
                    self.unweighable(
                        "orders are put together from rows, which were drawn one by one",
                    );
                    return None;
                }
                Some(Expr::column(WEIGHT_COLUMN, DataType::Float64))
            }
            Level::Gaps(_) => {
                self.unweighable("it is about the time between purchase days");
                None
            }
            Level::Each(_) => {
                self.unweighable("it is about customers or other groups of rows already");
                None
            }
            Level::Counted(_) => {
                self.unweighable("it compares how many rows the cells have");
                None
            }
        }
    }

    /// A measure of a sample, as an expression over weighted sums.
    pub(super) fn weighted(
        &mut self,
        weight: &Weight,
        level: &Level,
        part: &str,
        measure: Measure,
    ) -> Expr {
        let data_type = measure.func.data_type();
        let found = self.weight_of(weight, level).and_then(|w| {
            let found = self.over_sums(weight, &w, level, part, measure);
            self.typed(found).flatten()
        });
        found.unwrap_or_else(|| Expr::null(data_type))
    }

    fn over_sums(
        &mut self,
        weight: &Weight,
        w: &Expr,
        level: &Level,
        part: &str,
        measure: Measure,
    ) -> Result<Option<Expr>, TypeError> {
        let Measure { func, filter } = measure;
        let double = |value: &Expr| build::cast(value.clone(), DataType::Float64);
        // Weights of the rows in which a value is known.
        let known = |value: &Expr| -> Typed {
            let absent = build::is_null(value.clone())?;
            build::choose(absent, Expr::null(DataType::Float64), w.clone())
        };
        let mut sum = |suffix: &str, of: Expr| {
            let sum = Measure::filtered(MeasureFunc::Sum(of), filter.clone());
            self.plain_measure(level, &format!("{part}{suffix}"), sum)
        };
        Ok(Some(match &func {
            MeasureFunc::CountRows => {
                let squares = sum(".squares", build::mul(w.clone(), w.clone())?);
                let count = sum("", w.clone());
                self.squares.push((count.clone(), squares));
                count
            }
            MeasureFunc::Count(value) => {
                let own = known(value)?;
                let squares = sum(".squares", build::mul(own.clone(), own.clone())?);
                let count = sum("", own);
                self.squares.push((count.clone(), squares));
                count
            }
            MeasureFunc::Sum(value) => {
                if value.data_type == DataType::Duration {
                    self.unweighable("it is a sum of durations");
                    return Ok(None);
                }
                let total = sum("", build::mul(double(value)?, w.clone())?);
                match func.data_type() {
                    DataType::Decimal { scale, .. } => call(Func::ToMoney(scale), vec![total])?,
                    _ => total,
                }
            }
            MeasureFunc::Mean(value) => {
                let total = sum(".sum", build::mul(double(value)?, w.clone())?);
                build::div(total, sum(".weight", known(value)?))?
            }
            MeasureFunc::Variance(value) => {
                let (value, own) = (double(value)?, known(value)?);
                let all = sum(".weight", own.clone());
                let squares = sum(".squares", build::mul(own.clone(), own.clone())?);
                let weighed = build::mul(value.clone(), own)?;
                let total = sum(".sum", weighed.clone());
                let second = sum(".second", build::mul(weighed, value)?);
                let mean = build::div(total, all.clone())?;
                let spread =
                    build::sub(build::div(second, all.clone())?, build::mul(mean.clone(), mean)?)?;
                // The last digits may leave a little less than nothing.
                let zero = Expr::float(0.0);
                let none = build::lt(spread.clone(), zero.clone())?;
                let spread = build::choose(none, zero, spread)?;
                let size = build::div(build::mul(all.clone(), all)?, squares)?;
                let fewer = build::sub(size.clone(), Expr::float(1.0))?;
                build::div(build::mul(spread, size)?, fewer)?
            }
            MeasureFunc::Min(_) | MeasureFunc::Max(_) | MeasureFunc::First { .. } => {
                self.plain_measure(level, part, Measure { func, filter })
            }
            MeasureFunc::CountDistinct(of) => {
                let of = of.clone();
                return self.weighted_customers(
                    weight,
                    w,
                    level,
                    part,
                    (of, filter),
                    Vec::new(),
                    None,
                );
            }
            MeasureFunc::CountReaching { of, weight: what, least } => {
                let kept = vec![named(SUM, Measure::of(MeasureFunc::Sum(what.clone())))];
                let reached = build::ge(Expr::column(SUM, DataType::Int64), Expr::int(*least))?;
                let of = of.clone();
                return self.weighted_customers(
                    weight,
                    w,
                    level,
                    part,
                    (of, filter),
                    kept,
                    Some(reached),
                );
            }
            MeasureFunc::CountVarying { of, by } => {
                let kept = vec![
                    named(LEAST, Measure::of(MeasureFunc::Min(by.clone()))),
                    named(MOST, Measure::of(MeasureFunc::Max(by.clone()))),
                ];
                let end = |name: &str| Expr::column(name, by.data_type);
                let varies = build::ne(end(LEAST), end(MOST))?;
                let of = of.clone();
                return self.weighted_customers(
                    weight,
                    w,
                    level,
                    part,
                    (of, filter),
                    kept,
                    Some(varies),
                );
            }
            MeasureFunc::LastingQuantile { .. } => {
                self.unweighable(
                    "quantiles in which open cases count have no weights; `open_cases: drop`, or a `quantile` without \
                     `open`, does without them",
                );
                return Ok(None);
            }
            MeasureFunc::Quantile { .. } | MeasureFunc::RankBound { .. } => {
                self.unweighable("a part of it is a quantile");
                return Ok(None);
            }
        }))
    }

    /// The weight of the customers of a cell, or of those that meet a condition over what is kept of each.
    #[expect(clippy::too_many_arguments, reason = "all of them are parts of one measure")]
    fn weighted_customers(
        &mut self,
        weight: &Weight,
        w: &Expr,
        level: &Level,
        part: &str,
        (of, filter): (Expr, Option<Expr>),
        mut kept: Vec<Named<Measure>>,
        condition: Option<Expr>,
    ) -> Result<Option<Expr>, TypeError> {
        let customer = self.subject.roles.customer.as_ref().map(|customer| &customer.value);
        let is_customer = customer.is_some_and(|customer| {
            of == *customer || of == Expr::column(ORDER_COLUMNS[0], customer.data_type)
        });
        if !is_customer {
            self.unweighable("how many different values there are does not follow from a sample");
            return Ok(None);
        }
        if !weight.of_customers {
            self.unweighable("it counts customers, and rows were drawn one by one");
            return Ok(None);
        }
        // A customer has one weight.
        kept.push(named(WEIGHT_COLUMN, Measure::of(MeasureFunc::Max(w.clone()))));
        let (level, per) = (level.clone(), vec![of]);
        let each = Each { level, per, filter, kept, time: None, top: None };
        let each = Level::Each(Box::new(each));
        let own = Expr::column(WEIGHT_COLUMN, DataType::Float64);
        let mut sum = |suffix: &str, of: Expr| {
            let sum = Measure::filtered(MeasureFunc::Sum(of), condition.clone());
            self.plain_measure(&each, &format!("{part}{suffix}"), sum)
        };
        let squares = sum(".squares", build::mul(own.clone(), own.clone())?);
        let count = sum("", own);
        self.squares.push((count.clone(), squares));
        Ok(Some(count))
    }

    /// The effective size of what a weighted count counts, 0 for nothing: (Σ w)² / Σ w².
    pub(super) fn size_of(&mut self, count: &Expr) -> Option<Expr> {
        let squares = self.squares.iter().find(|(known, _)| known == count);
        let Some((_, squares)) = squares.cloned() else {
            self.unweighable("it is not known how many rows its n stands for");
            return None;
        };
        let size = build::mul(count.clone(), count.clone())
            .and_then(|square| build::div(square, squares))
            .and_then(|size| build::coalesce(size, Expr::float(0.0)));
        self.typed(size)
    }

    /// Parts of a count and the count, of a sample scaled so that the count is the effective size.
    pub(super) fn scaled<const N: usize>(
        &mut self,
        parts: [Expr; N],
        n: Expr,
    ) -> Option<([Expr; N], Expr)> {
        if !self.is_weighted() {
            return Some((parts, n));
        }
        if self.unweighable {
            return None;
        }
        let size = self.size_of(&n)?;
        let mut scaled = parts;
        for part in &mut scaled {
            let share = build::div(part.clone(), n.clone());
            let of_size = share
                .and_then(|share| build::mul(share, size.clone()))
                .and_then(|part| build::coalesce(part, Expr::float(0.0)));
            *part = self.typed(of_size)?;
        }
        Some((scaled, size))
    }

    /// The columns of a quantile of a sample.
    pub(super) fn weighted_quantile(
        &mut self,
        weight: &Weight,
        at: f64,
        value: Expr,
        filter: Option<Expr>,
        level: &Level,
        unit: Unit,
    ) -> Option<()> {
        let interval = self.wants(IntervalMethod::Rank)?;
        let weight = self.weight_of(weight, level)?;
        let name = format!("#{}", self.name);
        let value =
            WeightedValue { name, level: level.clone(), condition: filter, value, at, weight };
        let [quantile, size, low, high] =
            value.columns().map(|name| Expr::column(name, DataType::Float64));
        self.asked().weighted_values.push(value);
        self.column("", quantile, unit.clone());
        let size = build::coalesce(size, Expr::float(0.0));
        let size = self.typed(size)?;
        self.column("_n", size, Unit::Count);
        for (suffix, bound) in [("_low", low), ("_high", high)] {
            let bound = if interval { bound } else { Expr::null(DataType::Float64) };
            self.column(suffix, bound, unit.clone());
        }
        Some(())
    }
}
