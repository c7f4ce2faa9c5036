//! Quantiles of durations of which some go on, as Kaplan and Meier reckon with them.

use super::lowering::{Level, Lowering};
use super::written::never_null;
use crate::frame::{DataType, Unit, Value};
use crate::ir::typing::{Typed, build, call};
use crate::ir::{Expr, ExprNode, Func, Measure, MeasureFunc};
use crate::stats::CensoredBound;

/// How long rows have lasted, and which of them go on.
pub(super) struct Lasting {
    /// The duration, of what goes on the one so far. A number; null or below 0 for rows that do not count.
    pub value: Expr,
    /// Whether it goes on. Rows for which it is null do not count.
    pub open: Expr,
    /// The rows that have one.
    pub filter: Option<Expr>,
}

impl Lasting {
    /// Durations as one column: what goes on stands as −(duration + 1), see [`crate::stats::unfinished`].
    fn coded(&self) -> Typed {
        let value = build::cast(self.value.clone(), DataType::Float64)?;
        let none = Expr::null(DataType::Float64);
        let unfinished = call(Func::Negate, vec![build::add(value.clone(), Expr::float(1.0))?])?;
        let mut cases = vec![
            build::lt(value.clone(), Expr::float(0.0))?,
            none.clone(),
            self.open.clone(),
            unfinished,
        ];
        match never_null(&self.open, &[]) {
            true => cases.push(value),
            false => cases.extend([build::not(self.open.clone())?, value, none]),
        }
        call(Func::Case, cases)
    }

    /// The durations that a column stands for, if it was made as above; without a filter.
    pub(super) fn of_column(coded: &Expr) -> Option<Lasting> {
        let ExprNode::Call(Func::Case, cases) = &coded.node else { return None };
        let [_, _, open, _, .., last] = cases.as_slice() else { return None };
        let value = match last.as_literal() {
            Some(Value::Null) => cases.get(5)?,
            _ => last,
        };
        let found = Lasting { value: value.clone(), open: open.clone(), filter: None };
        (found.coded().as_ref() == Ok(coded)).then_some(found)
    }

    /// The columns of a quantile of them.
    pub(super) fn quantile(
        self,
        lowering: &mut Lowering,
        at: f64,
        level: &Level,
        unit: Unit,
    ) -> Option<()> {
        let value = lowering.typed(self.coded())?;
        let Lasting { open, filter, .. } = self;
        let still = build::all([open].into_iter().chain(filter.clone()));
        let still = lowering.typed(still)?;
        let over = |func| Measure::filtered(func, filter.clone());
        let quantile = |bound| MeasureFunc::LastingQuantile { value: value.clone(), at, bound };
        let found = lowering.measure(level, "quantile", over(quantile(None)));
        let n = lowering.measure(level, "n", over(MeasureFunc::Count(value.clone())));
        let open = Measure::filtered(MeasureFunc::Count(value.clone()), still);
        let open = lowering.measure(level, "open", open);
        let wanted = lowering.wants_censored_bounds()?;
        lowering.column("", found, unit.clone());
        lowering.column("_n", n, Unit::Count);
        lowering.column("_open", open, Unit::Count);
        let z = crate::stats::normal_quantile(lowering.subject.level);
        for (suffix, upper) in [("low", false), ("high", true)] {
            let bound = match wanted {
                true => {
                    let bound = quantile(Some(CensoredBound { z, upper }));
                    lowering.measure(level, suffix, over(bound))
                }
                false => Expr::null(DataType::Float64),
            };
            lowering.column(&format!("_{suffix}"), bound, unit.clone());
        }
        Some(())
    }
}
