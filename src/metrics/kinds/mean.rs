//! # mean
//!
//! The mean of an expression, with its interval.
//!
//! What it does: averages the values that are not null and says how sure the mean is.
//!
//! When to use it: scores, amounts, durations whose total makes sense. Where a few large values rule,
//! take `quantile`.
//!
//! Example: `basket: {mean: amount}`, or `typical: {mean: {value: score, prior: auto}}`
//!
//! Formula: Σ v / n, from exact sums; interval mean ± t(n−1) s/√n with the sample deviation s. Columns
//! `m`, `m_n`, `m_low`, `m_high`; bounds are null for n < 2, all but n for n = 0.
//!
//! With `prior` the mean is drawn towards that of all, so that cells with few values can be sorted beside
//! cells with many: (C · m₀ + Σ v) / (C + n). m₀ is the mean of all rows of the stage, C is `prior`, or
//! with `auto` the median n of the stage's cells that have a value. The bounds are drawn in the same way;
//! m₀ and C are taken as known. Columns `m`, `m_n`, `m_prior` (C), `m_prior_mean` (m₀), `m_low`, `m_high`.

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Decode, Decoder, Expression, Field, Node, NodeKind, Setting, schema};
use crate::frame::{DataType, Unit};
use crate::ir::typing::{Typed, build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc};
use crate::metrics::{
    COUNTED_COLUMN, Direction, IntervalMethod, Level, Lowering, Metric, MetricKind, Statistic,
};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "mean",
    source: include_str!("mean.rs"),
    built_in: false,
    unit: "the expression's own, float64",
    direction: Direction::Neither,
    statistics: false,
    fields,
    decode,
    plain: |_| None,
};

/// How many values of the mean of all a cell is given.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::metrics) enum Prior {
    /// As many as the median cell has.
    Auto,
    Count(f64),
}

impl Decode for Prior {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if matches!(&node.kind, NodeKind::Text(word) if word == "auto") {
            return Some(Prior::Auto);
        }
        let wrong = |decoder: &mut Decoder| decoder.wrong_type(node, &Self::expects());
        if matches!(node.kind, NodeKind::Text(_)) {
            wrong(decoder);
            return None;
        }
        let count = f64::decode(node, decoder)?;
        if count < 0.0 {
            wrong(decoder);
            return None;
        }
        Some(Prior::Count(count))
    }
    fn expects() -> String {
        "`auto` or a number, at least 0".into()
    }
    fn show(&self) -> String {
        match self {
            Prior::Auto => "auto".into(),
            Prior::Count(count) => count.show(),
        }
    }
    fn json_schema() -> Json {
        let number = schema::scalar(json!({"type": "number", "minimum": 0}));
        schema::any_of([schema::words(&[("auto", String::new())]), number])
    }
}

crate::options! {
    /// Which mean.
    struct MeanOf("`mean`") {
        /// The expression, where other keys stand beside it.
        value: Expression,
        /// How many values of the mean of all each cell is given; absent: none, and the mean is the cell's own.
        prior: Option<Prior> = None,
    }
}

fn fields() -> Vec<Field> {
    super::alone_or_keys::<MeanOf>("an SQL expression")
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    let mean = match super::has_keys(node) {
        true => MeanOf::decode(node, decoder)?,
        false => MeanOf {
            value: Setting::default_of(Expression::decode(node, decoder)?),
            prior: Setting::default_of(None),
        },
    };
    Some(Box::new(mean))
}

impl Metric for MeanOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let value = lowering.parse(&self.value.value)?;
        let unit = lowering.unit_of(&value);
        let value = super::number(value, lowering)?;
        let filter = lowering.condition();
        let Some(prior) = &self.prior.value else {
            return lowering.statistic(Statistic::Mean, value, filter, &lowering.rows(), unit);
        };
        if lowering.rows() != Level::Rows {
            let message = "a `mean` with a `prior` takes no `time` and no `per`: it is of the rows of \
                           the stage's cells";
            let place = self.prior.place(lowering.place());
            let mistake = Diagnostic::at(Code::InvalidValue, place, message).help(
                "leave `prior` out, or the other; `time` at the stage is that of all its metrics",
            );
            lowering.diagnostics.push(mistake);
            return None;
        }
        lowering.bayesian_mean(value, filter, prior, unit)
    }
}

impl Lowering<'_> {
    /// The columns of a mean that is drawn towards that of all rows.
    pub(in crate::metrics) fn bayesian_mean(
        &mut self,
        value: Expr,
        filter: Option<Expr>,
        prior: &Prior,
        unit: Unit,
    ) -> Option<()> {
        let interval = self.wants(IntervalMethod::T)?;
        if self.draws() {
            let why = "its prior is of all cells, which draws do not know";
            return self.has_not(why.into(), IntervalMethod::Bootstrap);
        }
        let over = |func| Measure::filtered(func, filter.clone());
        let mean = MeasureFunc::Mean(value.clone());
        let own = self.measure(&Level::Rows, "mean", over(mean.clone()));
        let count = MeasureFunc::Count(value.clone());
        let n = self.measure(&Level::Rows, "n", over(count));
        let of_all = self.measure(&Level::Whole, "prior_mean", over(mean));
        let prior = match prior {
            Prior::Count(count) => Expr::float(*count),
            Prior::Auto => {
                let known = self.typed(build::is_null(value.clone()).and_then(build::not))?;
                let level = Level::Counted(self.with_condition(known)?);
                let counted = Expr::column(COUNTED_COLUMN, DataType::Int64);
                let median = Measure::of(MeasureFunc::Quantile { value: counted, at: 0.5 });
                self.measure(&level, "prior", median)
            }
        };
        let ([], n) = self.scaled([], n)?;
        let drawn = |own: Expr| -> Typed {
            let given = build::mul(prior.clone(), of_all.clone())?;
            let sum = build::add(given, build::mul(n.clone(), own)?)?;
            build::div(sum, build::add(prior.clone(), n.clone())?)
        };
        let half = match interval {
            true => {
                let variance = over(MeasureFunc::Variance(value));
                let variance = self.measure(&Level::Rows, "variance", variance);
                self.half_of_t(variance, n.clone())?
            }
            false => Expr::null(DataType::Float64),
        };
        let low = build::sub(own.clone(), half.clone()).and_then(drawn);
        let high = build::add(own.clone(), half).and_then(drawn);
        let value = self.typed(drawn(own))?;
        let (low, high) = (self.typed(low)?, self.typed(high)?);
        self.column("", value, unit.clone());
        self.column("_n", n, Unit::Count);
        self.column("_prior", prior, Unit::None);
        self.column("_prior_mean", of_all, unit.clone());
        self.column("_low", low, unit.clone());
        self.column("_high", high, unit);
        Some(())
    }

    /// Half of Student's interval of a mean.
    pub(in crate::metrics) fn half_of_t(&mut self, variance: Expr, n: Expr) -> Option<Expr> {
        let fewer = self.typed(build::sub(n.clone(), Expr::int(1)))?;
        let level = Expr::float(self.subject.level);
        let t = self.typed(call(Func::StudentT, vec![fewer, level]))?;
        let square = self.typed(build::div(variance, n))?;
        let error = self.typed(call(Func::Sqrt, vec![square]))?;
        self.typed(build::mul(t, error))
    }
}
