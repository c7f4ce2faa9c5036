//! What a check is planned with, and what it comes to.

use std::collections::BTreeMap;

use super::spec::CheckSpec;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, Spanned};
use crate::document::{Expression, Scalar};
use crate::frame::{DataType, Value};
use crate::ir::parse::{self, Scope, bound_of, scalar_of};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Calendar, Expr, Measure, MeasureFunc, RelRef, Table, named};

/// What a check is planned with.
pub struct CheckContext<'a> {
    pub name: &'a str,
    /// The kind's name and place.
    pub kind: Spanned<String>,
    /// What is looked at, after `where`.
    pub table: Table,
    /// The tables that checks name besides; one that is wrong is absent, and noted.
    pub others: &'a BTreeMap<String, Table>,
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    /// The first instant not seen, in microseconds since 1970-01-01T00:00Z.
    pub as_of: i64,
    pub diagnostics: &'a mut Diagnostics,
}

/// What a check looks at.
#[derive(Debug, Clone)]
pub enum Test {
    /// Each row by itself. `rel` has the columns of the table, and further ones whose names begin
    /// with `#`.
    Rows { rel: RelRef, fails: Expr },
    /// The table as a whole: one row of figures.
    Whole { figures: RelRef, fails: Expr },
    /// Groups of rows that have the `keys` in common. `counts` is one row of `#rows` and `#failures`.
    Groups { counts: RelRef, failing: RelRef, keys: Vec<String> },
}

/// What a check comes to over a table.
#[derive(Debug, Clone)]
pub struct Tested {
    /// What holds where it passes: "`amount` is never null".
    pub rule: String,
    pub test: Test,
}

/// The relations behind an outcome.
#[derive(Debug, Clone)]
pub struct Counted {
    /// One row: `#rows`, `#failures` (int64), then the figures of a table as a whole.
    pub counts: RelRef,
    /// The rows that break the check, as they come.
    pub failing: RelRef,
}

impl Test {
    /// The relations that count the rows and give those that fail, over a table with these columns.
    ///
    /// # Errors
    /// A figure under the name of another.
    pub fn counted(&self) -> Result<Counted, TypeError> {
        match self {
            Test::Rows { rel, fails } => {
                let measures = vec![
                    named("#rows", Measure::of(MeasureFunc::CountRows)),
                    named(
                        "#failures",
                        Measure::filtered(MeasureFunc::CountRows, Some(fails.clone())),
                    ),
                ];
                let counts = relation::aggregate(rel, Vec::new(), measures)?;
                let failing = relation::filter(rel, fails.clone())?;
                Ok(Counted { counts, failing: without_helpers(&failing)? })
            }
            Test::Whole { figures, fails } => {
                let failures = build::choose(fails.clone(), Expr::int(1), Expr::int(0))?;
                let mut columns = vec![named("#rows", Expr::int(1)), named("#failures", failures)];
                columns.extend(relation::all_columns(figures));
                let counts = relation::project(figures, columns)?;
                Ok(Counted { counts, failing: relation::filter(figures, fails.clone())? })
            }
            Test::Groups { counts, failing, .. } => {
                Ok(Counted { counts: counts.clone(), failing: failing.clone() })
            }
        }
    }
}

/// A relation without the columns that a check added.
pub(crate) fn without_helpers(rel: &RelRef) -> relation::Built {
    let own = |name: &str| !name.starts_with('#');
    let columns = relation::all_columns(rel).into_iter().filter(|column| own(&column.name));
    relation::project(rel, columns.collect())
}

impl CheckContext<'_> {
    /// Plans a check whose `table` is there before its `where`.
    pub fn plan(&mut self, spec: &CheckSpec) -> Option<Tested> {
        if let Some(condition) = &spec.condition {
            let condition = self.condition(condition)?;
            self.table.rel = self.typed(relation::filter(&self.table.rel, condition))?;
        }
        spec.check.plan(self)
    }

    /// The value of a typed thing; a fault is noted at the check's kind.
    pub fn typed<T>(&mut self, result: Result<T, TypeError>) -> Option<T> {
        let span = self.kind.span;
        self.typed_at(span, result)
    }

    /// The value of a typed thing; a fault is noted at a place.
    pub fn typed_at<T>(&mut self, span: Span, result: Result<T, TypeError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("check `{}`: {}", self.name, error.message);
                let mut diagnostic = Diagnostic::at(Code::TypeMismatch, span, message);
                diagnostic.help = error.help;
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// Notes a mistake.
    pub fn report(&mut self, code: Code, span: Option<Span>, message: impl Into<String>) {
        let span = span.unwrap_or(self.kind.span);
        self.diagnostics.push(Diagnostic::at(code, span, message));
    }

    /// A column of the table that is looked at; an unknown one is noted.
    pub fn column(&mut self, name: &Spanned<String>) -> Option<Expr> {
        let table = self.table.clone();
        self.column_of(name, &table)
    }

    /// A column of a table; an unknown one is noted.
    pub fn column_of(&mut self, name: &Spanned<String>, table: &Table) -> Option<Expr> {
        match column(&table.rel, &name.value) {
            Ok(column) => Some(column),
            Err(_) => {
                let schema = &table.rel.schema;
                let known = schema.names().filter(|name| !name.starts_with('#'));
                self.diagnostics.push(Diagnostic::unknown(
                    Code::UnknownColumn,
                    name.span,
                    format!("`{}` has no column `{}`", table.name, name.value),
                    &name.value,
                    known,
                ));
                None
            }
        }
    }

    /// A table that the check names besides its own.
    pub fn other(&self, name: &Spanned<String>) -> Option<Table> {
        self.others.get(&name.value).cloned()
    }

    /// An expression over the table that is looked at.
    pub fn expression(&mut self, written: &Expression) -> Option<Expr> {
        let table = self.table.clone();
        self.expression_over(written, &table)
    }

    /// An expression over a table.
    pub fn expression_over(&mut self, written: &Expression, table: &Table) -> Option<Expr> {
        let scope = Scope {
            table: &table.name,
            schema: &table.rel.schema,
            parameters: self.parameters,
            calendar: self.calendar,
            as_of: self.as_of,
        };
        parse::expression(written, &scope, self.diagnostics)
    }

    /// A condition over the table that is looked at.
    pub fn condition(&mut self, written: &Expression) -> Option<Expr> {
        let table = self.table.clone();
        self.condition_over(written, &table)
    }

    /// A condition over a table.
    pub fn condition_over(&mut self, written: &Expression, table: &Table) -> Option<Expr> {
        let scope = Scope {
            table: &table.name,
            schema: &table.rel.schema,
            parameters: self.parameters,
            calendar: self.calendar,
            as_of: self.as_of,
        };
        parse::condition(written, &scope, self.diagnostics)
    }

    /// A value of a column's type; one of another type is noted.
    pub fn literal(&mut self, scalar: &Scalar, name: &str, data_type: DataType) -> Option<Expr> {
        let value = scalar_of(scalar, &format!("`{name}`"), data_type, self.calendar);
        value.map_err(|diagnostic| self.diagnostics.push(*diagnostic)).ok()
    }

    /// A value that those of a column are held against; one of another type is noted.
    pub fn bound(&mut self, scalar: &Scalar, name: &str, data_type: DataType) -> Option<Expr> {
        let bound = bound_of(scalar, &format!("`{name}`"), data_type, self.calendar);
        bound.map_err(|diagnostic| self.diagnostics.push(*diagnostic)).ok()
    }
}
