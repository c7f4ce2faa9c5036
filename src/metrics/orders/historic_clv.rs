//! # historic_clv
//!
//! What a customer has been worth so far.
//!
//! What it does: divides the money of sold orders by the customers who placed them, in one of three forms.
//!
//! When to use it: as the plain figure beside the forecast of `clv`. It looks back only, and young
//! customers have had less time.
//!
//! Example: `metrics: [historic_clv]`, or
//! `worth: {historic_clv: {form: lifespan, margin: 40%, cost: 12, lifespan_cap: 3 years}}`
//!
//! Formula: `total` = revenue × margin / customers − cost. `per_year` = revenue × margin / customer-years,
//! where a customer's years run from the first order in the cell to `as_of`. `lifespan` = `per_year` ×
//! lifespan − cost, the lifespan being the customers' mean time from first to last order in the cell, at
//! most `lifespan_cap` (1 / churn would grow without bound where few leave). `cost` is what it took to win
//! a customer. Columns `m`, `m_numerator` (revenue × margin), `m_denominator` (customers or
//! customer-years); null where the denominator is 0. Needs `customer`, `value`, and `time` for all forms
//! but `total`.

use crate::diagnostic::Code;
use crate::document::{Decode, Decoder, Field, Interval, Node, Options, Setting, Share, TimeUnit};
use crate::frame::{DataType, Unit, Value};
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc};
use crate::metrics::{CustomerFields, Direction, Lowering, Metric, MetricKind};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "historic_clv",
    source: include_str!("historic_clv.rs"),
    built_in: true,
    unit: "money, float64",
    direction: Direction::Higher,
    statistics: false,
    fields,
    decode,
    plain: |_| {
        Some(Box::new(HistoricClv {
            form: Setting::default_of(Form::Total),
            margin: Setting::default_of(Share(1.0)),
            cost: Setting::default_of(0.0),
            lifespan_cap: Setting::default_of(FIVE_YEARS),
        }))
    },
};

const FIVE_YEARS: Interval = Interval { months: 60, micros: 0 };

crate::choice! {
    /// What the money is divided by.
    enum Form {
        /// Customers.
        Total = "total",
        /// Years of customers.
        PerYear = "per_year",
        /// Years of customers, times their lifespan.
        Lifespan = "lifespan",
    }
}

crate::options! {
    /// Which value of a customer.
    struct HistoricClv("`historic_clv`") {
        /// What the money is divided by.
        form: Form = Form::Total,
        /// What remains of the money.
        margin: Share = Share(1.0),
        /// What it took to win a customer.
        cost: f64 = 0.0,
        /// The longest lifespan that is believed.
        lifespan_cap: Interval = FIVE_YEARS,
    }
}

fn fields() -> Vec<Field> {
    HistoricClv::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(HistoricClv::decode(node, decoder)?))
}

impl Metric for HistoricClv {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let customers = lowering.customers()?;
        let unit = lowering.money();
        let sum = Measure::of(MeasureFunc::Sum(customers.value.clone()));
        let mut revenue = lowering.measure(&customers.level(), "revenue", sum);
        if self.margin.value.0 != 1.0 {
            let kept = build::mul(revenue, Expr::float(self.margin.value.0));
            revenue = lowering.typed(kept)?;
        }
        let (value, denominator, of) = match self.form.value {
            Form::Total => {
                let count = Measure::of(MeasureFunc::CountRows);
                let count = lowering.measure(&customers.level(), "customers", count);
                let value = lowering.typed(build::div(revenue.clone(), count.clone()))?;
                (value, count, Unit::Count)
            }
            Form::PerYear | Form::Lifespan => {
                let (years, lifespan) = self.years(lowering, &customers)?;
                let mut value = lowering.typed(build::div(revenue.clone(), years.clone()))?;
                if self.form.value == Form::Lifespan {
                    value = lowering.typed(build::mul(value, lifespan))?;
                }
                (value, years, Unit::Time("year".into()))
            }
        };
        let value = match self.form.value {
            Form::Total | Form::Lifespan if self.cost.value != 0.0 => {
                lowering.typed(build::sub(value, Expr::float(self.cost.value)))?
            }
            _ => value,
        };
        lowering.draw(&value)?;
        lowering.parts(value, (revenue, unit.clone()), (denominator, of), unit)
    }
}

impl HistoricClv {
    /// The customers' years so far in all, and their mean lifespan in years.
    fn years(&self, lowering: &mut Lowering, customers: &CustomerFields) -> Option<(Expr, Expr)> {
        let Some((first, last)) = customers.first.clone().zip(customers.last.clone()) else {
            lowering.lacks("time", "time: COLUMN");
            return None;
        };
        let cap = self.lifespan_cap.value;
        let cap = f64::from(cap.months) / 12.0 + cap.micros as f64 / (8.64e10 * 365.25);
        if cap <= 0.0 {
            lowering.report(Code::InvalidValue, "`lifespan_cap` is longer than nothing");
            return None;
        }
        let as_of = Value::Timestamp(lowering.subject.as_of);
        let as_of = Expr::literal(as_of, DataType::Timestamp);
        let years = |from: Expr, to: Expr| call(Func::Elapsed(TimeUnit::Year), vec![from, to]);
        let so_far = lowering.typed(years(first.clone(), as_of))?;
        let span = lowering.typed(years(first, last))?;
        let so_far = Measure::of(MeasureFunc::Sum(so_far));
        let so_far = lowering.measure(&customers.level(), "years", so_far);
        let span = Measure::of(MeasureFunc::Mean(span));
        let span = lowering.measure(&customers.level(), "lifespan", span);
        let capped = call(Func::Least, vec![span.clone(), Expr::float(cap)]);
        // The least skips nulls; a cell without customers has no lifespan.
        let capped = capped.and_then(|capped| {
            build::choose(build::is_null(span)?, Expr::null(DataType::Float64), capped)
        });
        Some((so_far, lowering.typed(capped)?))
    }
}
