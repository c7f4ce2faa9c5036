//! Sources: what their files hold against what the pipeline says they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::document::{Expression, Scalar, TimeUnit};
use crate::frame::{DataType, Field, Schema, Unit, Value};
use crate::ir::parse::{self, Scope, literal_of};
use crate::ir::relation;
use crate::ir::scan::{Rule, Scan};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Calendar, Expr, Func, Money, OrderRoles, Roles, Table, named};
use crate::spec::{ColumnRule, ColumnType, Source};

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
}

/// The files of a source; none if the source could not be opened, which is known elsewhere.
pub type InputSchema = Vec<FileSchema>;

/// What sources are bound with.
pub(super) struct Binding<'a> {
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    pub as_of: i64,
}

/// A source as a table: its rows before `as_of`, with roles. `None` if its columns are not known.
pub(super) fn bind(
    source: &Source,
    files: &[FileSchema],
    binding: &Binding,
    diagnostics: &mut Diagnostics,
) -> Option<Table> {
    let before = diagnostics.len();
    let schema = unite(source, files, diagnostics);
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
    let mut finite = Vec::new();
    if let Some((role, Some(expr))) = value {
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
            Ok(value) => roles.value = Some(value),
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

    let mut rules = Vec::new();
    for role in
        [roles.customer.as_ref().map(|c| &c.value), roles.time.as_ref()].into_iter().flatten()
    {
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
    for rule in &source.columns {
        contract(rule, &schema, binding.calendar, &mut rules, diagnostics);
    }
    // What reads a flawed source is looked at all the same, for its own mistakes.
    roles.flawed = source.flawed || diagnostics.len() > before;
    let scan = Scan { rules, finite, ..Scan::of(name) }.with_schema(Arc::new(schema));
    let rel = match &roles.time {
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
    Some(Table { name: name.to_owned(), rel, roles })
}

/// Rows at or after `as_of` are not seen. Where `as_of` is a midnight, dates are compared as dates.
fn before_as_of(time: &Expr, binding: &Binding) -> Result<Expr, TypeError> {
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

/// The columns of a source over all its files, as the contract wants them.
fn unite(source: &Source, files: &[FileSchema], diagnostics: &mut Diagnostics) -> Schema {
    let mut names: Vec<&str> = Vec::new();
    for column in files.iter().flat_map(|file| &file.columns) {
        if !names.contains(&column.name.as_str()) {
            names.push(&column.name);
        }
    }
    let mut fields = Vec::new();
    for name in &names {
        let rule = source.columns.iter().find(|rule| rule.name.value == *name);
        if let Some(field) = unite_column(source, name, rule, files, diagnostics) {
            fields.push(field);
        }
    }
    for rule in &source.columns {
        if names.contains(&rule.name.value.as_str()) {
            continue;
        }
        match (rule.body.optional.value, rule.body.r#type.value) {
            (true, data_type) => {
                let data_type = data_type.map_or(DataType::String, wanted_type);
                fields.push(Field::new(&rule.name.value, data_type));
            }
            (false, _) if files.is_empty() => {}
            (false, _) => diagnostics.push(
                Diagnostic::unknown(
                    Code::UnknownColumn,
                    rule.name.span,
                    format!(
                        "no file of `{}` has the column `{}`",
                        source.name.value, rule.name.value
                    ),
                    &rule.name.value,
                    names.iter().copied(),
                )
                .note("a column that may be absent has `optional: true`"),
            ),
        }
    }
    Schema::new(fields)
}

fn unite_column(
    source: &Source,
    name: &str,
    rule: Option<&ColumnRule>,
    files: &[FileSchema],
    diagnostics: &mut Diagnostics,
) -> Option<Field> {
    let place = rule.map_or(source.parquet.span, |rule| rule.name.span);
    let mut united: Option<(DataType, &str)> = None;
    let mut lacking = Vec::new();
    let mut unread = None;
    for file in files {
        let Some(column) = file.columns.iter().find(|column| column.name == name) else {
            lacking.push(file.name.as_str());
            continue;
        };
        let Some(found) = column.data_type else {
            unread = Some(column);
            continue;
        };
        if let Some(wanted) = rule.and_then(|rule| rule.body.r#type.value)
            && !widens(found, column.narrow, wanted)
        {
            diagnostics.push(Diagnostic::at(
                Code::SchemaMismatch,
                rule.map_or(place, |rule| rule.body.r#type.place(place)),
                format!(
                    "column `{name}` of {} is {}, which does not widen to {wanted}",
                    file.name, column.found
                ),
            ));
            // As the contract wants it, so that nothing else complains of it.
            return Some(Field::new(name, wanted_type(wanted)));
        }
        united = Some(match united {
            None => (found, &file.name),
            Some((known, first)) => match common(known, found) {
                Some(common) => (common, first),
                None => {
                    diagnostics.push(
                        Diagnostic::at(
                            Code::SchemaMismatch,
                            place,
                            format!(
                                "column `{name}` is {known} in {first} and {} in {}",
                                column.found, file.name
                            ),
                        )
                        .help("write the files with one type"),
                    );
                    return Some(Field::new(name, known));
                }
            },
        });
    }
    let Some((mut data_type, _)) = united else {
        // Columns of types that are not read are left out; a contract that lists one says so.
        if let (Some(rule), Some(column)) = (rule, unread) {
            diagnostics.push(Diagnostic::at(
                Code::SchemaMismatch,
                rule.name.span,
                format!("column `{name}` is {}, a type that is not read", column.found),
            ));
        }
        return None;
    };
    if !lacking.is_empty() && !rule.is_some_and(|rule| rule.body.optional.value) {
        // Only a column that the pipeline names is missed; others may come and go.
        if named_by(source, name) || rule.is_some() {
            diagnostics.push(
                Diagnostic::at(
                    Code::SchemaMismatch,
                    place,
                    format!(
                        "column `{name}` is absent from {} of {} files, first from {}",
                        lacking.len(),
                        files.len(),
                        lacking[0]
                    ),
                )
                .help(format!("if it may be absent: `columns: {{{name}: {{optional: true}}}}`")),
            );
        }
    }
    if let Some(wanted) = rule.and_then(|rule| rule.body.r#type.value) {
        data_type = match (wanted, data_type) {
            (ColumnType::Decimal, DataType::Decimal { .. }) => data_type,
            (ColumnType::Decimal, _) => DataType::money(0),
            (wanted, _) => wanted_type(wanted),
        };
    }
    let mut field = Field::new(name, data_type);
    if let Some(unit) = rule.and_then(|rule| rule.body.unit.value.as_ref()) {
        field.unit = match unit.as_str() {
            "share" => Unit::Share,
            "count" => Unit::Count,
            "points" => Unit::Points,
            word if TimeUnit::from_word(word).is_some() => Unit::Time(word.into()),
            word => Unit::Money(Some(word.into())),
        };
    }
    Some(field)
}

/// True if a role of the source is this very column.
fn named_by(source: &Source, name: &str) -> bool {
    let value = source.value.as_ref().map(|role| &role.column.value);
    [source.customer.as_ref(), source.time.as_ref(), value]
        .into_iter()
        .flatten()
        .chain(&source.key)
        .any(|written| written.text.trim() == name)
}

fn common(a: DataType, b: DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a),
        (DataType::Decimal { scale: s, .. }, DataType::Decimal { scale: t, .. }) => {
            Some(DataType::money(s.max(t)))
        }
        (DataType::Decimal { scale, .. }, DataType::Int64)
        | (DataType::Int64, DataType::Decimal { scale, .. }) => Some(DataType::money(scale)),
        (DataType::Date, DataType::Timestamp) | (DataType::Timestamp, DataType::Date) => {
            Some(DataType::Timestamp)
        }
        _ => None,
    }
}

fn wanted_type(wanted: ColumnType) -> DataType {
    match wanted {
        ColumnType::Bool => DataType::Bool,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 | ColumnType::Uint64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal => DataType::money(0),
        ColumnType::String => DataType::String,
        ColumnType::Date => DataType::Date,
        ColumnType::Timestamp => DataType::Timestamp,
    }
}

/// True if a file's type becomes the contract's without loss.
fn widens(found: DataType, narrow: bool, wanted: ColumnType) -> bool {
    match (found, wanted) {
        (DataType::Bool, ColumnType::Bool)
        | (DataType::Int64, ColumnType::Int64 | ColumnType::Uint64 | ColumnType::Decimal)
        | (DataType::Float64, ColumnType::Float64)
        | (DataType::Decimal { .. }, ColumnType::Decimal)
        | (DataType::String, ColumnType::String)
        | (DataType::Date, ColumnType::Date | ColumnType::Timestamp)
        | (DataType::Timestamp, ColumnType::Timestamp) => true,
        (DataType::Int64, ColumnType::Int32 | ColumnType::Float64) => narrow,
        _ => false,
    }
}

/// The rules of one clause of the contract.
fn contract(
    rule: &ColumnRule,
    schema: &Schema,
    calendar: &Calendar,
    rules: &mut Vec<Rule>,
    diagnostics: &mut Diagnostics,
) {
    let name = rule.name.value.as_str();
    let Some(field) = schema.field(name) else { return };
    let column = Expr::column(name, field.data_type);
    let mut add = |fault: String,
                   violated: Result<Expr, TypeError>,
                   span: Span,
                   diagnostics: &mut Diagnostics| {
        match violated {
            Ok(violated) => rules.push(Rule { column: name.to_owned(), fault, violated }),
            Err(error) => {
                diagnostics.push(Diagnostic::at(Code::TypeMismatch, span, error.message));
            }
        }
    };
    if rule.body.required.value {
        let fault = "a null, where a value is required".to_owned();
        add(fault, build::is_null(column.clone()), rule.name.span, diagnostics);
    }
    let literal = |scalar: &Scalar, diagnostics: &mut Diagnostics| {
        let value = literal_of(&scalar.written, field.data_type, calendar);
        if value.is_none() {
            let mut diagnostic = Diagnostic::at(
                Code::TypeMismatch,
                scalar.span,
                format!("`{}` is not a {}, which `{name}` is", scalar.written, field.data_type),
            );
            diagnostic.help = example(field.data_type).map(|text| format!("write {text}"));
            diagnostics.push(diagnostic);
        }
        value
    };
    if let Some(least) = &rule.body.min.value
        && let Some(bound) = literal(least, diagnostics)
    {
        let fault = format!("a value below {}", least.written);
        add(fault, build::lt(column.clone(), bound), least.span, diagnostics);
    }
    if let Some(most) = &rule.body.max.value
        && let Some(bound) = literal(most, diagnostics)
    {
        let fault = format!("a value above {}", most.written);
        add(fault, build::gt(column.clone(), bound), most.span, diagnostics);
    }
    if let Some(allowed) = &rule.body.r#in.value {
        let values: Vec<Expr> =
            allowed.iter().filter_map(|scalar| literal(scalar, diagnostics)).collect();
        if values.len() == allowed.len() && !values.is_empty() {
            let mut arguments = vec![column.clone()];
            arguments.extend(values);
            let words: Vec<&str> = allowed.iter().map(|scalar| scalar.written.as_str()).collect();
            let fault = format!("a value that is none of {}", crate::diagnostic::list(&words));
            let violated = call(Func::In, arguments).and_then(build::not);
            add(fault, violated, rule.name.span, diagnostics);
        }
    }
    if let Some(pattern) = &rule.body.matches.value {
        let span = rule.body.matches.place(rule.name.span);
        let literal = Expr::literal(Value::text(pattern), DataType::String);
        let violated = call(Func::RegexpMatches, vec![column, literal]).and_then(build::not);
        add(format!("a value that does not fit `{pattern}`"), violated, span, diagnostics);
    }
}

/// A value of a type as it is written.
fn example(data_type: DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Bool => "`true` or `false`",
        DataType::Int32 | DataType::Int64 => "a whole number such as `5`",
        DataType::Float64 | DataType::Decimal { .. } => "a number such as `0.5`",
        DataType::Date => "a date such as `2026-11-01`",
        DataType::Timestamp => "a timestamp such as `2026-11-01T06:00`",
        DataType::String | DataType::Duration => return None,
    })
}
