//! Metrics whose intervals are found by drawing customers.

use super::fields::ORDER_COLUMNS;
use super::grouped::per_columns;
use super::lowering::{IntervalMethod, Level, Lowering};
use super::subject::{Asked, Subject};
use crate::frame::DataType;
use crate::ir::typing::common_type;
use crate::ir::{Expr, MeasureFunc};
use crate::stats::ValueStatistic;

/// A metric whose interval is found by drawing customers.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The metric's name; the bounds are its `_low` and `_high`.
    pub name: String,
    /// The place of the table that it is measured of.
    pub table: usize,
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
        let read = value.columns();
        let reads = |asked: &Asked| {
            asked.measures.iter().any(|(_, measure)| read.contains(&measure.name.as_str()))
        };
        let tables: Vec<usize> =
            (0..self.asked.len()).filter(|&table| reads(&self.asked[table])).collect();
        let mut kinds: Vec<(&str, DataType)> = Vec::new();
        for table in tables {
            let subject = &self.subjects[table];
            self.draws_of_all(subject)?;
            let Some(customer) = &subject.roles.customer else {
                self.lacked_by(subject, "customer", "customer: COLUMN");
                return None;
            };
            kinds.push((subject.table, customer.value.data_type));
            let order = subject.roles.order.as_ref().and_then(|order| order.id.clone());
            let customer = customer.value.clone();
            let of_orders = Expr::column(ORDER_COLUMNS[0], customer.data_type);
            let ones: Vec<Expr> = [customer, of_orders].into_iter().chain(order).collect();
            let other = self.asked[table].measures.iter().find(|(level, measure)| {
                let ones = || ones.iter().cloned().chain(customers_of(level, &ones));
                read.contains(&measure.name.as_str())
                    && !adds_up(&measure.value.func, &ones().collect::<Vec<_>>())
            });
            if let Some((_, other)) = other {
                let part = other.value.func.name();
                let why =
                    format!("a part of it is a `{part}`, which does not add up over customers");
                return self.has_not(why, IntervalMethod::Bootstrap);
            }
        }
        if let [(table, own), others @ ..] = kinds.as_slice()
            && let Some((other, theirs)) =
                others.iter().find(|(_, theirs)| common_type(*own, *theirs).is_none())
        {
            let why = format!(
                "the customer of `{table}` is a {own}, that of `{other}` a {theirs}, so nobody is in both"
            );
            return self.has_not(why, IntervalMethod::Bootstrap);
        }
        let of = Estimate::Expression(value.clone());
        let table = self.at.unwrap_or(0);
        self.drawn.push(Drawn { name: self.name.clone(), table, of });
        Some(())
    }

    /// Notes that the bounds of a statistic of values are drawn, if that is what was asked for.
    pub fn draw_values(&mut self, of: ValuesOf) -> Option<()> {
        if !self.draws() {
            return Some(());
        }
        self.draws_of_all(self.subject)?;
        if self.subject.roles.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
            return None;
        }
        let (table, of) = (self.at.unwrap_or(0), Estimate::Values(of));
        self.drawn.push(Drawn { name: self.name.clone(), table, of });
        Some(())
    }

    /// Notes that the customers of a sample are not drawn again, if that is asked for.
    pub(super) fn draws_of_all(&mut self, subject: &Subject) -> Option<()> {
        if self.draws() && subject.roles.weight.is_some() {
            let why = "the rows are a sample, whose strata and weights draws do not know";
            return self.has_not(why.into(), IntervalMethod::Bootstrap);
        }
        Some(())
    }

    pub(super) fn draws(&self) -> bool {
        self.interval.value == IntervalMethod::Bootstrap
    }
}

/// The columns of a level's groups that hold one of what is a customer's.
fn customers_of(level: &Level, ones: &[Expr]) -> Vec<Expr> {
    let Level::Each(each) = level else { return Vec::new() };
    let shared = per_columns(&each.per).into_iter().filter(|shared| ones.contains(&shared.value));
    shared.map(|shared| Expr::column(shared.name, shared.value.data_type)).collect()
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
