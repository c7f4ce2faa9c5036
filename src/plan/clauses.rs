//! The clauses of a contract as rules that no row may break.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::document::Scalar;
use crate::frame::{DataType, Schema, Value};
use crate::ir::parse::{bound_of, crossed, scalar_of};
use crate::ir::scan::Rule;
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Calendar, Expr, Func};
use crate::spec::{ColumnRule, ColumnType};

/// The rules of one clause of the contract.
pub(super) fn rules_of(
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
    if rule.body.r#type.value == Some(ColumnType::Uint64) {
        let zero = Expr::literal(Value::Int(0), DataType::Int64);
        let fault = "a value below 0, where the type is uint64".to_owned();
        add(fault, build::lt(column.clone(), zero), rule.name.span, diagnostics);
    }
    let title = format!("`{name}`");
    let bound = |scalar: &Scalar, diagnostics: &mut Diagnostics| {
        let bound = bound_of(scalar, &title, field.data_type, calendar);
        bound.map_err(|diagnostic| diagnostics.push(*diagnostic)).ok()
    };
    let (low, high) = (rule.body.min.value.as_ref(), rule.body.max.value.as_ref());
    let low = low.and_then(|low| Some((low, bound(low, diagnostics)?)));
    let high = high.and_then(|high| Some((high, bound(high, diagnostics)?)));
    if let (Some((low, least)), Some((high, most))) = (&low, &high) {
        diagnostics.extend(crossed((low, least), (high, most)));
    }
    if let Some((least, bound)) = low {
        let fault = format!("a value below {}", least.written);
        add(fault, build::lt(column.clone(), bound), least.span, diagnostics);
    }
    if let Some((most, bound)) = high {
        let fault = format!("a value above {}", most.written);
        add(fault, build::gt(column.clone(), bound), most.span, diagnostics);
    }
    if let Some(allowed) = &rule.body.r#in.value {
        let literal = |scalar| {
            let value = scalar_of(scalar, &title, field.data_type, calendar);
            value.map_err(|diagnostic| diagnostics.push(*diagnostic)).ok()
        };
        let values: Vec<Expr> = allowed.iter().filter_map(literal).collect();
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
