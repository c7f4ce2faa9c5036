//! Sources: what their files hold against what the pipeline says they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::document::Expression;
use crate::frame::{DataType, Schema, Value};
use crate::ir::parse::{self, Scope};
use crate::ir::personal::{Policy, Showing};
use crate::ir::relation;
use crate::ir::scan::{BadRowAction, BadRows, Rounding, Rule, Scan};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Calendar, Expr, Func, Mark, Money, OrderRoles, RelRef, Roles, Table, named};
use crate::spec::{ColumnRule, FileForm, Source};

use super::clauses::rules_of;
use super::spans;
use super::subjects;
use super::unite::unite;

/// The columns of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSchema {
    /// The file as the user knows it.
    pub name: String,
    pub columns: Vec<FileColumn>,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileColumn {
    pub name: String,
    /// What it is in the file, in words.
    pub found: String,
    /// What it is to us; `None` for types that are not read.
    pub data_type: Option<DataType>,
    /// True if every value also fits `int32`.
    pub narrow: bool,
    /// True if some values of the file's type have no place in ours.
    pub may_not_fit: bool,
}

/// The files of a source; none if the source could not be opened, which is known elsewhere.
pub type InputSchema = Vec<FileSchema>;

/// What sources are bound with.
pub(super) struct Binding<'a> {
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    pub as_of: i64,
    pub personal: Policy,
}

/// A source, bound to its files.
pub(super) struct Bound {
    /// Its good rows before `as_of`, with roles.
    pub table: Table,
    /// Its bad rows, if they are kept.
    pub quarantine: Option<Table>,
    /// What its files differ in, in words.
    pub drift: Vec<String>,
}

/// A source as tables. `None` if its columns are not known.
pub(super) fn bind(
    source: &Source,
    files: &[FileSchema],
    binding: &Binding,
    diagnostics: &mut Diagnostics,
) -> Option<Bound> {
    let before = diagnostics.len();
    let united = unite(source, files, diagnostics);
    let schema = united.schema;
    let name = source.name.value.as_str();
    let scope = Scope {
        table: name,
        schema: &schema,
        parameters: binding.parameters,
        calendar: binding.calendar,
        as_of: binding.as_of,
    };
    let mut read = |written: &Expression| parse::expression(written, &scope, diagnostics);

    let customer = source.customer.as_ref().map(|written| (written, read(written)));
    let time = source.time.as_ref().map(|written| (written, read(written)));
    let key: Vec<Option<Expr>> = source.key.iter().map(&mut read).collect();
    let value = source.value.as_ref().map(|role| (role, read(&role.column.value)));
    let order = source.order.as_ref().map(|block| order_roles(block, &mut read));
    let spans = source.subscription.as_ref().map(|block| spans::roles(block, &mut read));
    let mut roles = Roles { key: key.into_iter().flatten().collect(), ..Roles::default() };

    if let Some((written, Some(expr))) = &customer {
        let column = expr.as_column().map_or("customer", |column| column);
        if matches!(expr.data_type, DataType::Float64 | DataType::Duration) {
            diagnostics.push(
                Diagnostic::at(
                    Code::TypeMismatch,
                    written.span,
                    format!("a customer is a whole number or a text, not a {}", expr.data_type),
                )
                .help("`cast(… as int64)` or `cast(… as string)`"),
            );
        }
        roles.customer = Some(named(column, expr.clone()));
    }
    if let Some((written, Some(expr))) = &time {
        if matches!(expr.data_type, DataType::Date | DataType::Timestamp) {
            roles.time = Some(expr.clone());
        } else {
            diagnostics.push(
                Diagnostic::at(
                    Code::TypeMismatch,
                    written.span,
                    format!("a time is a date or a timestamp, not a {}", expr.data_type),
                )
                .help("`cast(… as date)` or `cast(… as timestamp)`"),
            );
        }
    }
    let (mut finite, mut money) = (Vec::new(), None);
    if let Some((role, Some(expr))) = value {
        let double = (expr.data_type == DataType::Float64).then(|| expr.clone());
        if expr.data_type == DataType::Float64 {
            expr.for_each_column(&mut |column| {
                if schema.field(column).is_some_and(|f| f.data_type == DataType::Float64) {
                    finite.push(column.to_owned());
                }
            });
        }
        let decimals = role.decimals.value.and_then(|decimals| u8::try_from(decimals).ok());
        let currency = role.currency.value.clone();
        match Money::of(expr, decimals, role.minor_units.value, currency) {
            Ok(value) => {
                money =
                    double.zip(scale_of(&value)).map(|(value, scale)| Rounding { value, scale });
                roles.value = Some(value);
            }
            Err(message) => diagnostics.push(Diagnostic::at(
                Code::TypeMismatch,
                role.column.value.span,
                message,
            )),
        }
    }
    roles.order = order.map(|(order, conditions)| {
        for (written, expr) in conditions {
            if expr.data_type != DataType::Bool {
                diagnostics.push(Diagnostic::at(
                    Code::TypeMismatch,
                    written.span,
                    format!("expected a condition, found a {}", expr.data_type),
                ));
            }
        }
        order
    });

    if let Some(found) = spans {
        spans::bind(found, binding, &mut roles, diagnostics);
    }
    let starts = roles.subscription.as_ref().map(|span| span.starts.clone());
    let mut parse = |written: &Expression, diagnostics: &mut Diagnostics| {
        parse::expression(written, &scope, diagnostics)
    };
    let answered_at = roles.time.clone();
    subjects::bind(source, binding, &mut parse, &mut roles, diagnostics);
    // Of a survey that was sent the time may be null: that of an answer that never came.
    let sent = roles.marks.get(&Mark::Sent).cloned();
    let dated = sent.clone().or(answered_at);

    let mut rules = Vec::new();
    let customer = roles.customer.as_ref().map(|customer| &customer.value);
    let other_start = starts.as_ref().filter(|starts| roles.time.as_ref() != Some(starts));
    for role in customer.into_iter().chain(&dated).chain(other_start) {
        // A row without customer or time is no event of anybody's. The contract may say so itself.
        let required = |rule: &ColumnRule| {
            rule.body.required.value && role.as_column() == Some(rule.name.value.as_str())
        };
        if source.columns.iter().any(required) {
            continue;
        }
        if let Ok(violated) = build::is_null(role.clone()) {
            let column = role.as_column().map_or_else(|| role.to_string(), str::to_owned);
            let fault = "a null, where every row needs a value".to_owned();
            rules.push(Rule { column, fault, violated });
        }
    }
    rules.extend(money.as_ref().and_then(too_large));
    for rule in &source.columns {
        rules_of(rule, &schema, binding.calendar, &mut rules, diagnostics);
    }
    // What reads a flawed source is looked at all the same, for its own mistakes.
    roles.flawed = source.flawed || diagnostics.len() > before;
    diagnostics.extend(united.warnings);
    let bad_rows = BadRows {
        action: source.bad_rows.action.value,
        tolerate: source.bad_rows.tolerate.value.0,
    };
    let private: Vec<String> = source
        .columns
        .iter()
        .filter(|rule| rule.body.pii.value)
        .map(|rule| rule.name.value.clone())
        .collect();
    let mut customers = Vec::new();
    if binding.personal.customers != Showing::Plain
        && let Some(customer) = &roles.customer
    {
        customer.value.for_each_column(&mut |column| customers.push(column.to_owned()));
    }
    let strict = strict(source, files, &schema, &roles);
    let scan =
        Scan { rules, finite, strict, bad_rows, money, private, customers, ..Scan::of(name) };
    let scan = scan.with_schema(Arc::new(schema));
    let quarantine = match bad_rows.action {
        BadRowAction::Quarantine => quarantine(source, &scan, &roles, binding, diagnostics),
        BadRowAction::Fail | BadRowAction::Drop => None,
    };
    let rel = match &dated {
        None => scan,
        Some(time) => {
            match before_as_of(time, binding).and_then(|seen| relation::filter(&scan, seen)) {
                Ok(rel) => rel,
                Err(error) => {
                    diagnostics.push(Diagnostic::at(
                        Code::TypeMismatch,
                        source.name.span,
                        error.message,
                    ));
                    return None;
                }
            }
        }
    };
    let rel = match starts.filter(|starts| roles.time.as_ref() != Some(starts)) {
        None => rel,
        Some(starts) => {
            let seen = before_as_of(&starts, binding).and_then(|seen| relation::filter(&rel, seen));
            seen.ok()?
        }
    };
    let table = Table { name: name.to_owned(), rel, roles };
    Some(Bound { table, quarantine, drift: united.drift })
}

/// Digits after the point of money.
fn scale_of(money: &Money) -> Option<u8> {
    match money.expr.data_type {
        DataType::Decimal { scale, .. } => Some(scale),
        _ => None,
    }
}

/// Doubles that are larger than money can be.
fn too_large(money: &Rounding) -> Option<Rule> {
    let limit = 10f64.powi(38 - i32::from(money.scale));
    let limit = Expr::literal(Value::Float(limit), DataType::Float64);
    let size = call(Func::Abs, vec![money.value.clone()]).ok()?;
    let column = money.value.as_column().map_or_else(|| money.value.to_string(), str::to_owned);
    let fault = format!("an amount too large for {} digits after the point", money.scale);
    Some(Rule { column, fault, violated: build::ge(size, limit).ok()? })
}

/// The columns in which a value that does not fit makes its row bad: those of the contract and of the
/// roles, where a file may hold such values; of CSV all.
fn strict(source: &Source, files: &[FileSchema], schema: &Schema, roles: &Roles) -> Vec<String> {
    let mut read = Vec::new();
    let customer = roles.customer.as_ref().map(|customer| &customer.value);
    let value = roles.value.as_ref().map(|value| &value.expr);
    let span = roles.subscription.as_ref().map(|span| [&span.starts, &span.ends]);
    let spans = span.into_iter().flatten();
    let roles = customer.into_iter().chain(&roles.time).chain(&roles.key).chain(value);
    for role in roles.chain(spans) {
        role.for_each_column(&mut |column| read.push(column.to_owned()));
    }
    let listed = |name: &str| {
        read.iter().any(|column| column == name)
            || source.columns.iter().any(|rule| rule.name.value == name)
    };
    let may_not_fit = |name: &str| {
        let mut columns = files.iter().flat_map(|file| &file.columns);
        columns.any(|column| column.name == name && column.may_not_fit)
    };
    let names = schema.names();
    let strict = names.filter(|name| match source.form {
        FileForm::Csv => true,
        FileForm::Parquet => listed(name) && may_not_fit(name),
    });
    strict.map(str::to_owned).collect()
}

/// The table of bad rows, without the columns that are left out where it is published.
fn quarantine(
    source: &Source,
    scan: &RelRef,
    roles: &Roles,
    binding: &Binding,
    diagnostics: &mut Diagnostics,
) -> Option<Table> {
    let whole = Table { name: String::new(), rel: scan.clone(), roles: roles.clone() };
    let hidden = binding.personal.of(&whole);
    let shown = |name: &&str| hidden.get(*name) != Some(&Showing::Dropped);
    let columns: Vec<String> = scan.schema.names().filter(shown).map(str::to_owned).collect();
    match relation::rejected(scan, &columns) {
        Ok(rel) => {
            let roles = roles.living_in(&rel.schema);
            Some(Table { name: format!("{}_quarantine", source.name.value), rel, roles })
        }
        Err(error) => {
            diagnostics.push(
                Diagnostic::at(
                    Code::DuplicateName,
                    source.bad_rows.action.place(source.name.span),
                    error.message,
                )
                .help("the quarantine adds a column of that name"),
            );
            None
        }
    }
}

/// Rows at or after `as_of` are not seen. Where `as_of` is a midnight, dates are compared as dates.
pub(super) fn before_as_of(time: &Expr, binding: &Binding) -> Result<Expr, TypeError> {
    let day = binding.calendar.date_of(binding.as_of);
    if time.data_type == DataType::Date && binding.calendar.midnight(day) == binding.as_of {
        return build::lt(time.clone(), Expr::literal(Value::Date(day), DataType::Date));
    }
    let as_of = Expr::literal(Value::Timestamp(binding.as_of), DataType::Timestamp);
    build::lt(time.clone(), as_of)
}

type Conditions<'a> = Vec<(&'a Expression, Expr)>;

fn order_roles<'a>(
    block: &'a crate::spec::OrderBlock,
    read: &mut impl FnMut(&Expression) -> Option<Expr>,
) -> (OrderRoles, Conditions<'a>) {
    let mut role = |written: &'a Option<Expression>| {
        written.as_ref().and_then(|written| Some((written, read(written)?)))
    };
    let (id, sold) = (role(&block.id.value), role(&block.sold.value));
    let (returned, quantity) = (role(&block.returned.value), role(&block.quantity.value));
    let (returned_quantity, returned_at) =
        (role(&block.returned_quantity.value), role(&block.returned_at.value));
    // Typed, so that a mistake shows; the metrics that read them come later.
    for written in [&block.margin.value, &block.category.value] {
        role(written);
    }
    let conditions = [&sold, &returned].into_iter().flatten().cloned().collect();
    let expr = |role: Option<(&Expression, Expr)>| role.map(|(_, expr)| expr);
    let roles = OrderRoles {
        id: expr(id),
        sold: expr(sold),
        returned: expr(returned),
        quantity: expr(quantity),
        returned_quantity: expr(returned_quantity),
        returned_at: expr(returned_at),
    };
    (roles, conditions)
}
