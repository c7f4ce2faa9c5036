//! `${params.x}` in an expression: a typed value, never text.

use std::collections::BTreeMap;

use super::Scope;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::document::Expression;
use crate::frame::{DataType, Value};
use crate::ir::Expr;

/// What is said of a `${…}` that names nothing.
pub const UNDECLARED: &str =
    "parameters are declared under `params:`, variables listed under `env:`";

/// Puts `$params_x` in place of `${params.x}`, padded to the same length so that places stay right.
pub(super) fn replace_parameters(
    written: &Expression,
    scope: &Scope,
    diagnostics: &mut Diagnostics,
) -> Option<(String, BTreeMap<String, Expr>)> {
    let mut text = String::with_capacity(written.text.len());
    let mut placeholders = BTreeMap::new();
    let mut good = true;
    let mut quoted = false;
    let mut rest = written.text.as_str();
    while let Some(next) = rest.chars().next() {
        let at = written.text.len() - rest.len();
        if next == '\'' {
            quoted = !quoted;
        }
        let Some((name, after)) = rest.strip_prefix("${").and_then(|tail| tail.split_once('}'))
        else {
            text.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        let length = rest.len() - after.len();
        let place = written.place(at, at + length);
        if quoted {
            diagnostics.push(
                Diagnostic::at(
                    Code::InvalidExpression,
                    place,
                    "a parameter inside a quoted text is not replaced",
                )
                .help(format!(
                    "a parameter is a value of its own: use `${{{name}}}` without quotes"
                )),
            );
            good = false;
        } else if let Some((value, data_type)) = value_of(name, scope) {
            // With a default the same name may have several values.
            let placeholder = match name.contains(":-") {
                true => format!("$d{}", placeholders.len()),
                false => format!("${}", name.replace('.', "_")),
            };
            placeholders.insert(placeholder.clone(), Expr::literal(value, data_type));
            text.push_str(&placeholder);
            text.extend(std::iter::repeat_n(' ', length - placeholder.len()));
            rest = after;
            continue;
        } else {
            diagnostics.push(
                Diagnostic::unknown(
                    Code::UnknownParameter,
                    place,
                    format!("`{name}` is not declared"),
                    name,
                    scope.parameters.keys().map(String::as_str),
                )
                .note(UNDECLARED),
            );
            good = false;
        }
        text.extend(std::iter::repeat_n(' ', length));
        rest = after;
    }
    good.then_some((text, placeholders))
}

/// The value of `params.x`, `env.X` or `env.X:-default`; the default is for one that is empty or not set.
fn value_of(name: &str, scope: &Scope) -> Option<(Value, DataType)> {
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    let (value, data_type) = scope.parameters.get(name)?;
    match default {
        Some(default) if *value == Value::text("") => Some((Value::text(default), *data_type)),
        _ => Some((value.clone(), *data_type)),
    }
}
