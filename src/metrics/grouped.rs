//! Metrics of groups of rows: customers, orders, or whatever rows of a cell have in common.

use super::following::Before;
use super::lowering::{Best, Each, IntervalMethod, Level, Lowering};
use super::subject::Subject;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Expression, Portion, Several};
use crate::frame::{DataType, Unit, Value};
use crate::ir::parse::{self, Groups};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, ExprNode, Func, Measure, MeasureFunc, Named, named};

/// What begins the names of the columns that the rows of a group have in common.
pub const PER_COLUMN: &str = "#each";

/// The columns of what the rows of a group have in common.
pub fn per_columns(per: &[Expr]) -> Vec<Named<Expr>> {
    let numbered = per.iter().enumerate();
    numbered.map(|(place, expr)| named(format!("{PER_COLUMN}{place}"), expr.clone())).collect()
}

crate::options! {
    /// Which groups are measured: those in which something is highest.
    pub struct Top("`top`") {
        /// What they are ordered by, the highest first; those of which it is not known are last, and ties go by what is
        /// written under `per`.
        by: Expression,
        /// How many of a cell, or which share of them, rounded up.
        size: Portion,
    }
}

/// Groups of rows that a metric is measured of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grouped {
    groups: Groups,
    /// Which rows are put together.
    filter: Option<Expr>,
    time: Option<Expr>,
    top: Option<Best>,
}

impl<'a> Lowering<'a> {
    /// From here on expressions are over groups of the rows that pass the metric's conditions.
    pub(super) fn group(
        &mut self,
        declared: &'a super::Declared,
        per: &'a Several<Expression>,
    ) -> Option<()> {
        if !self.takes_rows(declared, per.0.first()?, "per") {
            return None;
        }
        let per: Vec<Option<Expr>> = per.0.iter().map(|written| self.parse(written)).collect();
        let per: Vec<Expr> = per.into_iter().collect::<Option<_>>()?;
        let customer = self.subject.roles.customer.as_ref();
        let of_customers = customer.is_none_or(|customer| per.contains(&customer.value));
        if self.interval.value == IntervalMethod::Bootstrap && !of_customers {
            let why = "customers are drawn, and what `per` puts together is not one customer's";
            return self.has_not(why.into(), IntervalMethod::Bootstrap);
        }
        let groups = self.typed(groups_of(self.subject, &per, Vec::new()))?;
        let filter = self.condition.take();
        let groups = Groups {
            previous: self.previous_column(&Before { condition: filter.clone() }),
            ..groups
        };
        self.grouped = Some(Grouped { groups, filter, time: None, top: None });
        if let Some(time) = &declared.time {
            let at = self.time_of(declared, time)?;
            self.has_customer(time)?;
            self.grouped.as_mut()?.time = Some(at);
        }
        let Some(Top { by, size }) = &declared.top else { return Some(()) };
        if self.interval.value == IntervalMethod::Bootstrap {
            let why =
                "who is among the top follows from all customers, not from those that are drawn";
            return self.has_not(why.into(), IntervalMethod::Bootstrap);
        }
        let by = self.parse(&by.value)?;
        self.grouped.as_mut()?.top = Some(Best { by, size: size.value });
        Some(())
    }

    /// What has a time of its own is somebody's, so that it is known how many are in a cell.
    fn has_customer(&mut self, time: &Expression) -> Option<()> {
        let Some(customer) = &self.subject.roles.customer else { return Some(()) };
        let per = &self.grouped.as_ref()?.groups.per;
        if per.iter().any(|shared| shared.value == customer.value) {
            return Some(());
        }
        let message =
            "what is put together by `per` has a `time` of its own only if it is one customer's";
        self.diagnostics.push(
            Diagnostic::at(Code::InvalidValue, time.span, message)
                .help(format!("add the customer to `per`: `per: [{}, …]`", customer.name)),
        );
        None
    }

    /// The groups, with what was asked of them so far.
    pub(super) fn groups(&self) -> Option<Level> {
        let Grouped { groups, filter, time, top } = self.grouped.clone()?;
        let per = groups.per.into_iter().map(|shared| shared.value).collect();
        let kept = groups.kept;
        Some(Level::Each(Box::new(Each { level: Level::Rows, per, filter, kept, time, top })))
    }

    /// An expression over the groups, if that is what is measured.
    pub(super) fn parse_grouped(&mut self, written: &Expression) -> Option<Option<Expr>> {
        let mut grouped = self.grouped.take()?;
        let scope = self.scope();
        let read =
            parse::expression_of_groups(written, &scope, &mut grouped.groups, self.diagnostics);
        let column = &grouped.groups.previous;
        let reads = |kept: &Named<Measure>| {
            let mut arguments = kept.value.func.arguments().into_iter();
            arguments.any(|argument| argument.as_column() == Some(column.as_str()))
        };
        let asked = match grouped.groups.kept.iter().any(reads) {
            true => self.precede(column, Before { condition: grouped.filter.clone() }),
            false => Some(()),
        };
        self.grouped = Some(grouped);
        Some(asked.and(read))
    }

    /// The unit of an expression over what is measured: that of its column, or of what a column of a group is made
    /// of.
    pub fn unit_of(&self, value: &Expr) -> Unit {
        let Some(Grouped { groups, .. }) = &self.grouped else {
            return self.subject.unit_of(value);
        };
        unit_of_group(value, &groups.kept, &|value| self.subject.unit_of(value))
    }
}

/// Groups of the rows of a table, of which something is kept.
pub(super) fn groups_of(
    subject: &Subject,
    per: &[Expr],
    kept: Vec<Named<Measure>>,
) -> Result<Groups, TypeError> {
    let mut groups = Groups { per: per_columns(per), kept, ..Groups::default() };
    if let Some(time) = subject.roles.time.clone() {
        let instant = build::cast(time, DataType::Timestamp)?;
        let as_of = Expr::literal(Value::Timestamp(subject.as_of), DataType::Timestamp);
        let age = build::elapsed_between(as_of, instant.clone())?;
        let with_keys =
            |first: Expr| [first].into_iter().chain(subject.roles.key.iter().cloned()).collect();
        groups.from_first = Some(with_keys(instant));
        groups.from_last = Some(with_keys(age));
    }
    Ok(groups)
}

/// The unit of an expression over groups of which something is kept.
pub(super) fn unit_of_group(
    value: &Expr,
    kept: &[Named<Measure>],
    of_rows: &impl Fn(&Expr) -> Unit,
) -> Unit {
    // What is one of several values has their unit.
    if let ExprNode::Call(Func::Case, parts) = &value.node {
        let (conditions, otherwise) = parts.split_at(parts.len().saturating_sub(1));
        let values = conditions.iter().skip(1).step_by(2).chain(otherwise);
        let known = values.filter(|value| !value.as_literal().is_some_and(Value::is_null));
        let mut units = known.map(|value| unit_of_group(value, kept, of_rows));
        let Some(unit) = units.next() else { return Unit::None };
        return if units.all(|other| other == unit) { unit } else { Unit::None };
    }
    let name = value.as_column().unwrap_or_default();
    let Some(kept) = kept.iter().find(|kept| kept.name == name) else { return Unit::None };
    match &kept.value.func {
        MeasureFunc::CountRows | MeasureFunc::Count(_) | MeasureFunc::CountDistinct(_) => {
            Unit::Count
        }
        MeasureFunc::Sum(of)
        | MeasureFunc::Min(of)
        | MeasureFunc::Max(of)
        | MeasureFunc::Mean(of)
        | MeasureFunc::Quantile { value: of, .. }
        | MeasureFunc::First { value: of, .. } => of_rows(of),
        MeasureFunc::Variance(_)
        | MeasureFunc::RankBound { .. }
        | MeasureFunc::LastingQuantile { .. }
        | MeasureFunc::CountReaching { .. }
        | MeasureFunc::CountVarying { .. } => Unit::None,
    }
}
