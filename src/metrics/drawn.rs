//! Metrics whose intervals are found by drawing customers.

use super::fields::ORDER_COLUMNS;
use super::lowering::{IntervalMethod, Level, Lowering};
use crate::ir::{Expr, MeasureFunc};
use crate::stats::ValueStatistic;

/// A metric whose interval is found by drawing customers.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The metric's name; the bounds are its `_low` and `_high`.
    pub name: String,
    pub of: Estimate,
}

/// What is estimated anew from each draw.
#[derive(Debug, Clone)]
pub enum Estimate {
    /// An expression over measures that add up over customers, or are means.
    Expression(Expr),
    /// A statistic that does not follow from sums.
    Values(ValuesOf),
}

/// A statistic of the values of a level's rows that pass a condition.
#[derive(Debug, Clone)]
pub struct ValuesOf {
    pub level: Level,
    pub condition: Option<Expr>,
    pub value: Expr,
    pub statistic: ValueStatistic,
}

impl Lowering<'_> {
    /// Notes that the bounds of an expression over measures are drawn, if that is what was asked for. A
    /// measure that is no sum, count or mean of customers is a mistake.
    pub fn draw(&mut self, value: &Expr) -> Option<()> {
        if !self.draws() {
            return Some(());
        }
        self.draws_of_all()?;
        let roles = self.subject.roles;
        if roles.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
            return None;
        }
        let order = roles.order.as_ref().and_then(|order| order.id.clone());
        let customer = roles.customer.as_ref().map(|customer| customer.value.clone());
        let of_orders =
            customer.as_ref().map(|customer| Expr::column(ORDER_COLUMNS[0], customer.data_type));
        let ones: Vec<Expr> = [customer, of_orders, order].into_iter().flatten().collect();
        let read = value.columns();
        let other = self.measures.iter().map(|(_, measure)| measure).find(|measure| {
            read.contains(&measure.name.as_str()) && !adds_up(&measure.value.func, &ones)
        });
        if let Some(other) = other {
            let part = other.value.func.name();
            let why = format!("a part of it is a `{part}`, which does not add up over customers");
            return self.has_not(why, IntervalMethod::Bootstrap);
        }
        let of = Estimate::Expression(value.clone());
        self.drawn.push(Drawn { name: self.name.clone(), of });
        Some(())
    }

    /// Notes that the bounds of a statistic of values are drawn, if that is what was asked for.
    pub fn draw_values(&mut self, of: ValuesOf) -> Option<()> {
        if !self.draws() {
            return Some(());
        }
        self.draws_of_all()?;
        if self.subject.roles.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
            return None;
        }
        self.drawn.push(Drawn { name: self.name.clone(), of: Estimate::Values(of) });
        Some(())
    }

    /// Notes that the customers of a sample are not drawn again, if that is asked for.
    pub(super) fn draws_of_all(&mut self) -> Option<()> {
        if self.draws() && self.subject.roles.weight.is_some() {
            let why = "the rows are a sample, whose strata and weights draws do not know";
            return self.has_not(why.into(), IntervalMethod::Bootstrap);
        }
        Some(())
    }

    pub(super) fn draws(&self) -> bool {
        self.interval.value == IntervalMethod::Bootstrap
    }
}

/// Whether what a measure says of many customers is the sum of what it says of each, or follows from such
/// sums. What is counted once must be one customer's.
fn adds_up(func: &MeasureFunc, ones: &[Expr]) -> bool {
    match func {
        MeasureFunc::CountRows
        | MeasureFunc::Count(_)
        | MeasureFunc::Sum(_)
        | MeasureFunc::Mean(_) => true,
        MeasureFunc::CountDistinct(of)
        | MeasureFunc::CountReaching { of, .. }
        | MeasureFunc::CountVarying { of, .. } => ones.contains(of),
        MeasureFunc::Min(_)
        | MeasureFunc::Max(_)
        | MeasureFunc::Variance(_)
        | MeasureFunc::Quantile { .. }
        | MeasureFunc::RankBound { .. }
        | MeasureFunc::LastingQuantile { .. }
        | MeasureFunc::First { .. } => false,
    }
}
