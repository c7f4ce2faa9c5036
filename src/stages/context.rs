//! What a stage is planned with.

use std::collections::BTreeMap;

use super::dimension::{Dimension, DimensionSpec};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, Spanned};
use crate::document::{Expression, Interval, TimeUnit};
use crate::frame::{DataType, Value};
use crate::ir::parse::{self, Scope};
use crate::ir::relation::{self, Built};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Calendar, Expr, Func, Money, Named, RelRef, Roles, Table};
use crate::metrics::Catalog;
use crate::stats::suppress::SmallGroups;

/// A segment: a label for each customer of a table.
#[derive(Debug, Clone)]
pub struct SegmentTable {
    /// Columns `customer` and `segment`: the label, or the moment that `since` counts from.
    pub rel: RelRef,
    pub table: String,
    /// Set where the label depends on the time that has passed.
    pub since: Option<Since>,
    /// The label of customers without one.
    pub unknown: Option<String>,
}

/// Cells of the time since a moment: below each cut, and beyond the last.
#[derive(Debug, Clone)]
pub struct Since {
    pub cuts: Vec<Interval>,
    pub labels: Vec<String>,
}

/// When the time since a moment is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measured {
    /// At the event.
    AtEvent,
    /// At `as_of`: in tables of customers.
    AtEnd,
}

/// Segments by name; `None` for one that is there but wrong, which is noted.
pub type Segments = BTreeMap<String, Option<SegmentTable>>;

/// The options `customer`, `time` and `value` that kinds have in common.
pub(super) struct RoleOverrides<'a> {
    pub customer: &'a Option<Expression>,
    pub time: &'a Option<Expression>,
    pub value: &'a Option<Expression>,
}

impl Since {
    /// The label of the time from a moment to another; null where one is not known.
    fn label(&self, since: Expr, at: Expr) -> Result<Expr, TypeError> {
        let unknown = build::or(build::is_null(since.clone())?, build::is_null(at.clone())?)?;
        let text = |label: &str| Expr::literal(Value::text(label), DataType::String);
        let mut arguments = vec![unknown, Expr::null(DataType::String)];
        for (&cut, label) in self.cuts.iter().zip(&self.labels) {
            let end = call(Func::Shift(cut), vec![since.clone()])?;
            arguments.push(build::lt(at.clone(), end)?);
            arguments.push(text(label));
        }
        arguments.push(text(self.labels.last().map_or("", String::as_str)));
        call(Func::Case, arguments)
    }
}

/// What a stage is planned with.
pub struct StageContext<'a> {
    /// The stage's name.
    pub name: &'a str,
    /// The kind's name and place.
    pub kind: Spanned<String>,
    /// The input, before `where`.
    pub table: Table,
    /// True if the stage says no `from`, and its input is the first table that its options name.
    pub implied: bool,
    /// The stage's `where`, typed over the input.
    pub condition: Option<Expr>,
    /// The same as it is written.
    pub written_condition: Option<&'a Expression>,
    pub segments: &'a Segments,
    pub metrics: &'a Catalog,
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    /// The first instant not seen, in microseconds since 1970-01-01T00:00Z.
    pub as_of: i64,
    /// The level of intervals.
    pub level: f64,
    /// What draws are made with.
    pub seed: i64,
    /// Which groups are too small to be shown.
    pub small_groups: Option<SmallGroups>,
    pub diagnostics: &'a mut Diagnostics,
    /// The tables that the stage names besides its input; one that is wrong is absent, and noted.
    pub others: BTreeMap<String, Table>,
    /// One row: how many rows of the input each rule of the stage is about, by the rule's name.
    pub touched: Option<RelRef>,
}

impl StageContext<'_> {
    /// The last day seen: that of the instant before `as_of`.
    pub fn last_day(&self) -> i32 {
        self.calendar.date_of(self.as_of - 1)
    }

    /// The two-sided normal quantile of the level of intervals.
    pub fn z(&self) -> f64 {
        crate::stats::normal_quantile(self.level)
    }

    /// The input after `where`.
    pub fn input(&mut self) -> Option<Table> {
        let mut table = self.table.clone();
        if let Some(condition) = self.condition.clone() {
            table.rel = self.typed(relation::filter(&table.rel, condition))?;
        }
        Some(table)
    }

    /// The value of a typed thing; a fault is noted at the stage's kind.
    pub fn typed<T>(&mut self, result: Result<T, TypeError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let mut diagnostic = Diagnostic::at(
                    Code::TypeMismatch,
                    self.kind.span,
                    format!("stage `{}`: {}", self.name, error.message),
                );
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

    /// A table that the stage names besides its input (see `Stage::reads`).
    pub fn other_table(&self, name: &Spanned<String>) -> Option<Table> {
        self.others.get(&name.value).cloned()
    }

    /// A column of a table by its name; an unknown one is noted.
    pub fn column(&mut self, name: &Spanned<String>, table: &Table) -> Option<Expr> {
        let field = table.rel.schema.field(&name.value);
        if field.is_none() {
            self.diagnostics.push(Diagnostic::unknown(
                Code::UnknownColumn,
                name.span,
                format!("`{}` has no column `{}`", table.name, name.value),
                &name.value,
                table.rel.schema.names(),
            ));
        }
        field.map(|field| Expr::column(&name.value, field.data_type))
    }

    /// An expression over a table.
    pub fn parse(&mut self, written: &Expression, table: &Table) -> Option<Expr> {
        let (parameters, calendar, as_of) = (self.parameters, self.calendar, self.as_of);
        let scope =
            Scope { table: &table.name, schema: &table.rel.schema, parameters, calendar, as_of };
        parse::expression(written, &scope, self.diagnostics)
    }

    /// A condition over a table.
    pub fn parse_condition(&mut self, written: &Expression, table: &Table) -> Option<Expr> {
        let (parameters, calendar, as_of) = (self.parameters, self.calendar, self.as_of);
        let scope =
            Scope { table: &table.name, schema: &table.rel.schema, parameters, calendar, as_of };
        parse::condition(written, &scope, self.diagnostics)
    }

    /// Whether both tables are samples or neither is; if not, that is noted at the other's name.
    pub(super) fn weighed_alike(
        &mut self,
        name: &Spanned<String>,
        own: &Table,
        other: &Table,
    ) -> bool {
        let (sample, whole) = match (&own.roles.weight, &other.roles.weight) {
            (Some(_), None) => (own, other),
            (None, Some(_)) => (other, own),
            (Some(_), Some(_)) | (None, None) => return true,
        };
        let message = format!(
            "`{}` is a sample and `{}` is none: together their rows would not be weighed alike",
            sample.name, whole.name
        );
        self.diagnostics.push(
            Diagnostic::at(Code::InvalidValue, name.span, message)
                .help(format!("`sample` what comes of `{}`", self.name)),
        );
        false
    }

    fn lacks(&mut self, table: &Table, role: &str, help: &str) {
        self.lacks_for(&self.kind.clone(), table, role, help);
    }

    /// Notes that a table lacks a role that something needs: the stage's kind, or a dimension.
    fn lacks_for(&mut self, what: &Spanned<String>, table: &Table, role: &str, help: &str) {
        if table.roles.flawed {
            return;
        }
        self.diagnostics.push(
            Diagnostic::at(
                Code::MissingRole,
                what.span,
                format!(
                    "`{}` needs the role `{role}`, which `{}` does not have",
                    what.value, table.name
                ),
            )
            .help(format!("say which column it is at the source: `{help}`")),
        );
    }

    /// Puts expressions of the stage's own in place of roles of its input.
    pub(super) fn override_roles(&mut self, overrides: &RoleOverrides) -> Option<()> {
        let mut roles = self.table.roles.clone();
        let given = self.roles_over(&self.table.clone(), overrides, &mut roles);
        self.table.roles = roles;
        given
    }

    /// Puts expressions over a table in place of roles. Those that are wrong are noted.
    pub(super) fn roles_over(
        &mut self,
        table: &Table,
        overrides: &RoleOverrides,
        roles: &mut Roles,
    ) -> Option<()> {
        let mut read = |written: &Option<Expression>| match written {
            None => Some(None),
            Some(written) => self.parse(written, table).map(|expr| Some((written.span, expr))),
        };
        let (customer, time, value) =
            (read(overrides.customer), read(overrides.time), read(overrides.value));
        let mut good = customer.is_some() && time.is_some() && value.is_some();
        if let Some((_, expr)) = customer.flatten() {
            let name = expr.as_column().unwrap_or("customer").to_owned();
            roles.customer = Some(crate::ir::named(name, expr));
        }
        if let Some((span, expr)) = time.flatten() {
            if matches!(expr.data_type, DataType::Date | DataType::Timestamp) {
                roles.time = Some(expr);
            } else {
                let message = format!("a time is a date or a timestamp, not a {}", expr.data_type);
                self.report(Code::TypeMismatch, Some(span), message);
                good = false;
            }
        }
        if let Some((span, expr)) = value.flatten() {
            let currency = roles.value.as_ref().and_then(|value| value.currency.clone());
            match Money::of(expr, None, false, currency) {
                Ok(money) => roles.value = Some(money),
                Err(message) => {
                    self.report(Code::TypeMismatch, Some(span), message);
                    good = false;
                }
            }
        }
        good.then_some(())
    }

    /// The customer role; its absence is noted.
    pub fn customer(&mut self, table: &Table) -> Option<Named<Expr>> {
        if table.roles.customer.is_none() {
            self.lacks(table, "customer", "customer: COLUMN");
        }
        table.roles.customer.clone()
    }

    /// Both roles; where both are absent, both are noted.
    pub fn customer_and_time(&mut self, table: &Table) -> Option<(Named<Expr>, Expr)> {
        let (customer, time) = (self.customer(table), self.time(table));
        Some((customer?, time?))
    }

    /// The time role; its absence is noted.
    pub fn time(&mut self, table: &Table) -> Option<Expr> {
        if table.roles.time.is_none() {
            self.lacks(table, "time", "time: COLUMN");
        }
        table.roles.time.clone()
    }

    /// The value role; its absence is noted.
    pub fn value(&mut self, table: &Table) -> Option<Money> {
        if table.roles.value.is_none() {
            self.lacks(table, "value", "value: COLUMN");
        }
        table.roles.value.clone()
    }

    /// Resolves dimensions over a table. Segments are looked up, so the table gains columns.
    pub fn dimensions(
        &mut self,
        specs: &[DimensionSpec],
        table: &mut Table,
    ) -> Option<Vec<Dimension>> {
        self.resolve(specs, table, Measured::AtEvent)
    }

    /// Dimensions of a table of customers: the time since a moment is measured at `as_of`.
    pub fn customer_dimensions(
        &mut self,
        specs: &[DimensionSpec],
        table: &mut Table,
    ) -> Option<Vec<Dimension>> {
        self.resolve(specs, table, Measured::AtEnd)
    }

    fn resolve(
        &mut self,
        specs: &[DimensionSpec],
        table: &mut Table,
        measured: Measured,
    ) -> Option<Vec<Dimension>> {
        let mut dimensions: Vec<Dimension> = Vec::new();
        let mut good = true;
        for spec in specs {
            match self.dimension(spec, table, measured) {
                Some(dimension) if dimensions.iter().any(|d| d.name == dimension.name) => {
                    self.report(
                        Code::DuplicateName,
                        Some(spec.span()),
                        format!("two dimensions are called `{}`", dimension.name),
                    );
                    good = false;
                }
                Some(dimension) => dimensions.push(dimension),
                None => good = false,
            }
        }
        good.then_some(dimensions)
    }

    fn dimension(
        &mut self,
        spec: &DimensionSpec,
        table: &mut Table,
        measured: Measured,
    ) -> Option<Dimension> {
        match spec {
            DimensionSpec::Named(name) => self.named_dimension(name, table, measured),
            DimensionSpec::Grain { unit, of, name, span } => {
                let of = self.parse(of, table)?;
                let name = name.clone().unwrap_or_else(|| unit.word().to_owned());
                self.grain(*unit, of, name, *span)
            }
            DimensionSpec::Computed { expression, name, .. } => {
                let expr = self.parse(expression, table)?;
                Some(Dimension { name: name.clone(), expr, grain: None })
            }
        }
    }

    fn named_dimension(
        &mut self,
        name: &Spanned<String>,
        table: &mut Table,
        measured: Measured,
    ) -> Option<Dimension> {
        let column = table.rel.schema.field(&name.value).map(|field| field.data_type);
        let segment = match self.segments.get(&name.value) {
            Some(None) => return None,
            known => known.cloned().flatten(),
        };
        match (segment, column) {
            (Some(_), Some(_)) => {
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::AmbiguousName,
                        name.span,
                        format!("`{}` is a segment and a column of `{}`", name.value, table.name),
                    )
                    .help("rename the segment"),
                );
                None
            }
            (Some(segment), None) => {
                let expr = self.attach(name, &segment, table, measured)?;
                Some(Dimension { name: name.value.clone(), expr, grain: None })
            }
            (None, Some(data_type)) => {
                let expr = Expr::column(&name.value, data_type);
                Some(Dimension { name: name.value.clone(), expr, grain: None })
            }
            (None, None) => match TimeUnit::from_word(&name.value) {
                Some(unit) => {
                    let time = self.time_for(name, table)?;
                    self.grain(unit, time, name.value.clone(), name.span)
                }
                None => {
                    let units = TimeUnit::ALL.iter().map(|unit| unit.word());
                    let known: Vec<&str> = self
                        .segments
                        .keys()
                        .map(String::as_str)
                        .chain(table.rel.schema.names())
                        .chain(units)
                        .collect();
                    self.diagnostics.push(Diagnostic::unknown(
                        Code::UnknownDimension,
                        name.span,
                        format!(
                            "`{}` is neither a segment, a column of `{}` nor a calendar grain",
                            name.value, table.name
                        ),
                        &name.value,
                        known,
                    ));
                    None
                }
            },
        }
    }

    /// Looks a segment up; gives its label over the table, which gains a column.
    fn attach(
        &mut self,
        name: &Spanned<String>,
        segment: &SegmentTable,
        table: &mut Table,
        measured: Measured,
    ) -> Option<Expr> {
        if table.roles.customer.is_none() {
            self.lacks_for(name, table, "customer", "customer: COLUMN");
        }
        let customer = table.roles.customer.clone()?.value;
        let key = segment.rel.schema.field("customer").map(|field| field.data_type)?;
        let customer = match (customer.data_type, key) {
            (a, b) if a == b => customer,
            (a, b) if crate::ir::typing::common_type(a, b) == Some(b) => {
                self.typed(build::cast(customer, b))?
            }
            (found, wanted) => {
                self.report(
                    Code::TypeMismatch,
                    Some(name.span),
                    format!(
                        "the customer of `{}` is a {found}, that of `{}` a {wanted}",
                        table.name, segment.table
                    ),
                );
                return None;
            }
        };
        let looked_up: Built = relation::lookup(
            &table.rel,
            &segment.rel,
            vec![(customer, "customer".to_owned())],
            vec![("segment".to_owned(), name.value.clone())],
        );
        table.rel = self.typed(looked_up)?;
        let value = self.typed(relation::column(&table.rel, &name.value))?;
        let label = match &segment.since {
            None => value,
            Some(since) => {
                let at = match measured {
                    Measured::AtEvent => self.time_for(name, table)?,
                    Measured::AtEnd => {
                        Expr::literal(Value::Timestamp(self.as_of), DataType::Timestamp)
                    }
                };
                let label = since.label(value, at);
                self.typed(label)?
            }
        };
        match &segment.unknown {
            None => Some(label),
            Some(unknown) => {
                let unknown = Expr::literal(Value::text(unknown), DataType::String);
                let label = build::coalesce(label, unknown);
                self.typed(label)
            }
        }
    }

    /// The time role, for a dimension; its absence is noted there.
    fn time_for(&mut self, name: &Spanned<String>, table: &Table) -> Option<Expr> {
        if table.roles.time.is_none() {
            self.lacks_for(name, table, "time", "time: COLUMN");
        }
        table.roles.time.clone()
    }

    fn grain(&mut self, unit: TimeUnit, of: Expr, name: String, span: Span) -> Option<Dimension> {
        if !matches!(of.data_type, DataType::Date | DataType::Timestamp) {
            self.report(
                Code::TypeMismatch,
                Some(span),
                format!("`{unit}` needs a date or timestamp, not a {}", of.data_type),
            );
            return None;
        }
        if matches!(unit, TimeUnit::Second | TimeUnit::Minute) {
            self.report(
                Code::InvalidValue,
                Some(span),
                format!("`{unit}` is no calendar grain: the shortest is `hour`"),
            );
            return None;
        }
        let expr = self.typed(call(Func::DateTrunc(unit), vec![of]))?;
        Some(Dimension { name, expr, grain: Some(unit) })
    }
}
