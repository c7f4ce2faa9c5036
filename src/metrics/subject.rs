//! What metrics are measured of: one table, or several beside each other.

use std::collections::BTreeMap;

use super::following::Following;
use super::lowering::{Level, Lowering};
use super::weights::WeightedValue;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::frame::{DataType, Schema, Unit, Value};
use crate::ir::typing::build;
use crate::ir::{Calendar, Expr, Measure, Named, Roles, Table};

/// What a stage's input offers to metrics.
pub struct Subject<'a> {
    /// What the input is called in messages.
    pub table: &'a str,
    pub schema: &'a Schema,
    pub roles: &'a Roles,
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    pub as_of: i64,
    /// The level of intervals, such as 0.95.
    pub level: f64,
    /// The time of a customer's first order ever, as a column of the input or of its orders, if a
    /// metric asked for it; see [`Lowering::first_time`].
    pub first_time: Option<Expr>,
    /// The tables that metrics name besides the input.
    pub others: &'a BTreeMap<String, Table>,
}

impl Subject<'_> {
    /// The unit of its money.
    pub fn money(&self) -> Unit {
        Unit::Money(self.roles.value.as_ref().and_then(|value| value.currency.clone()))
    }

    /// The unit of an expression over its rows: that of its column, or money if it is the role `value`.
    pub fn unit_of(&self, value: &Expr) -> Unit {
        if self.roles.value.as_ref().is_some_and(|money| money.expr == *value) {
            return self.money();
        }
        let column = value.as_column().and_then(|name| self.schema.field(name));
        column.map_or(Unit::None, |field| field.unit.clone())
    }
}

/// What metrics ask of one table.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Measures by level, in the order added.
    pub measures: Vec<(Level, Named<Measure>)>,
    /// True once a metric asked for [`Subject::first_time`].
    pub wants_first_time: bool,
    /// What comes after the rows, if a metric asked for it.
    pub following: Vec<Following>,
    /// Quantiles of samples.
    pub weighted_values: Vec<WeightedValue>,
}

impl<'a> Lowering<'a> {
    /// The place among the tables of the one that a metric's `from` names; whoever looked for one that is not
    /// there has noted it.
    pub(super) fn table_of(&self, from: &Spanned<String>) -> Option<usize> {
        self.subjects.iter().position(|subject| subject.table == from.value)
    }

    /// Goes on over another table: what is required of the rows is read anew in its columns.
    pub(super) fn enter(&mut self, at: usize) -> Option<()> {
        self.at = Some(at);
        self.subject = &self.subjects[at];
        let around = std::mem::take(self.diagnostics);
        let wheres = self.wheres.clone();
        let conditions = wheres.into_iter().map(|written| self.parse_condition(written));
        let conditions: Option<Vec<Expr>> = conditions.collect();
        let (metric, table) = (self.stack.last().cloned().unwrap_or_default(), self.subject.table);
        for diagnostic in std::mem::replace(self.diagnostics, around) {
            self.diagnostics.push(
                diagnostic
                    .note(format!(
                        "it is part of a ratio, and the metric `{metric}` is measured of `{table}`"
                    ))
                    .help("write `where` at the metrics that the ratio is made of"),
            );
        }
        self.condition = self.typed(build::all(conditions?))?;
        Some(())
    }

    /// The value of another metric, as a part of this one of which what this one requires of its rows is not
    /// required.
    pub(super) fn other_alone(
        &mut self,
        name: &Spanned<String>,
        part: &str,
    ) -> Option<(Expr, Unit)> {
        let (wheres, condition) = (std::mem::take(&mut self.wheres), self.condition.take());
        let other = self.other(name, part);
        (self.wheres, self.condition) = (wheres, condition);
        other
    }

    /// What is asked of the table at hand.
    pub(super) fn asked(&mut self) -> &mut Asked {
        &mut self.asked[self.at.unwrap_or(0)]
    }

    /// Notes that nobody says which table the metric is measured of.
    pub(super) fn without_table(&mut self, declared: Option<&Spanned<String>>) {
        let name = self.stack.last().cloned().unwrap_or_default();
        let message = format!("neither the metric `{name}` nor the stage says `from`");
        let missing = Diagnostic::at(Code::MissingKey, self.place(), message);
        self.diagnostics.push(match declared {
            Some(declared) => missing
                .and(declared.span, "the metric is declared here")
                .help(format!("add `from: TABLE` to `{name}`, or to the stage")),
            None => missing.help(format!(
                "add `from: TABLE` to the stage; or declare a metric under `metrics:`, such as `my_{name}: \
                 {{{name}: {{}}, from: TABLE}}`, and name that"
            )),
        });
    }
}
