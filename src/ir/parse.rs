//! SQL expression text to typed [`Expr`].

mod groups;
mod literals;
mod names;
mod next;
mod parameters;
mod syntax;

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlparser::ast::{self, Spanned as _};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use self::groups::Within;
pub use self::groups::{AGGREGATES, Groups, PREVIOUS_COLUMN, expression_of_groups, previous_day};
pub use self::literals::{bound_of, crossed, scalar_of};
use self::names::{MAX_OPERATORS, operators};
pub use self::next::{NEXT_TIME, NextTime, next_column, next_of, next_tables};
pub use self::parameters::UNDECLARED;
use self::parameters::replace_parameters;
use super::calendar::Calendar;
use super::expression::Expr;
use super::function::{Func, Part};
use super::typing::{TypeError, call};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::document::{Expression, Interval, parse_instant};
use crate::frame::{DataType, Schema, Value};

/// What an expression may name.
pub struct Scope<'a> {
    /// What the table is called in messages.
    pub table: &'a str,
    pub schema: &'a Schema,
    /// Typed values of `${params.x}` and `${env.X}`, under `params.x` and `env.X`.
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    /// The pipeline's `as_of` in microseconds since 1970-01-01T00:00Z.
    pub as_of: i64,
}

/// Parses and types an expression; every mistake in it is noted at its place.
pub fn expression(
    written: &Expression,
    scope: &Scope,
    diagnostics: &mut Diagnostics,
) -> Option<Expr> {
    read(written, scope, (None, None), diagnostics).map(|(expr, _)| expr)
}

/// The same for an expression of a metric, which may ask for next rows, and where it does. What they are is in
/// columns that [`next_column`] names.
pub fn expression_of_metric(
    written: &Expression,
    scope: &Scope,
    diagnostics: &mut Diagnostics,
) -> Option<(Expr, Vec<NextTime>)> {
    read(written, scope, (None, Some(Vec::new())), diagnostics)
}

/// An expression over rows, or over groups of them; with the next rows that it asks for, if it may.
fn read(
    written: &Expression,
    scope: &Scope,
    (groups, next): (Option<&mut Groups>, Option<Vec<NextTime>>),
    diagnostics: &mut Diagnostics,
) -> Option<(Expr, Vec<NextTime>)> {
    let (text, placeholders) = replace_parameters(written, scope, diagnostics)?;
    let within = groups.map(|groups| Within { groups, aggregate: None });
    let mut reader =
        Reader { written, text: &text, placeholders, scope, within, next, diagnostics };
    if operators(&text) > MAX_OPERATORS {
        reader.error(
            Code::InvalidExpression,
            written.span,
            format!("the expression has more than {MAX_OPERATORS} operators"),
        );
        return None;
    }
    let parser = Parser::new(&GenericDialect {}).with_recursion_limit(50);
    let parsed = parser.try_with_sql(&text).and_then(|mut parser| {
        let parsed = parser.parse_expr()?;
        let next = parser.peek_token();
        if next.token != Token::EOF {
            return Err(ParserError::ParserError(format!(
                "unexpected `{}` after the end of the expression at Line: {}, Column: {}",
                next.token, next.span.start.line, next.span.start.column
            )));
        }
        Ok(parsed)
    });
    match parsed {
        Ok(parsed) => {
            let expr = reader.read(&parsed)?;
            Some((expr, reader.next.unwrap_or_default()))
        }
        Err(error) => {
            reader.syntax(&error);
            None
        }
    }
}

/// Like [`expression`], and the result must be of type bool.
pub fn condition(
    written: &Expression,
    scope: &Scope,
    diagnostics: &mut Diagnostics,
) -> Option<Expr> {
    let expr = expression(written, scope, diagnostics)?;
    is_condition(expr, written, diagnostics)
}

/// An expression of type bool; any other is noted.
pub fn is_condition(
    expr: Expr,
    written: &Expression,
    diagnostics: &mut Diagnostics,
) -> Option<Expr> {
    if expr.data_type != DataType::Bool {
        diagnostics.push(
            Diagnostic::at(
                Code::TypeMismatch,
                written.span,
                format!("expected a condition, found a {}", expr.data_type),
            )
            .help("compare it with something, such as `amount > 0`"),
        );
        return None;
    }
    Some(expr)
}

struct Reader<'a> {
    written: &'a Expression,
    text: &'a str,
    placeholders: BTreeMap<String, Expr>,
    scope: &'a Scope<'a>,
    /// Where groups of rows are in sight.
    within: Option<Within<'a>>,
    /// Where next rows are asked for, if that may be.
    next: Option<Vec<NextTime>>,
    diagnostics: &'a mut Diagnostics,
}

/// The byte of a text at a place that the parser tells.
fn offset(text: &str, location: Location) -> Option<usize> {
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let start = match line {
        0 => 0,
        _ => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let rest = &text[start..];
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}

impl Reader<'_> {
    fn offset(&self, location: Location) -> Option<usize> {
        offset(self.text, location)
    }

    fn place(&self, node: &ast::Expr) -> Span {
        let span = node.span();
        match (self.offset(span.start), self.offset(span.end)) {
            (Some(start), Some(mut end)) if start < end => {
                // The parser leaves a call's closing parenthesis out of its span.
                if matches!(node, ast::Expr::Function(_)) && self.text[end..].starts_with(')') {
                    end += 1;
                }
                self.written.place(start, end)
            }
            _ => self.written.span,
        }
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::at(code, span, message));
    }

    fn unsupported(&mut self, node: &ast::Expr) -> Option<Expr> {
        let place = self.place(node);
        let what = match node {
            ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => {
                "a subquery has no place in an expression".to_owned()
            }
            other => format!("`{other}` is not part of the expression language"),
        };
        self.error(Code::InvalidExpression, place, what);
        None
    }

    /// Types a call; a mistake is noted at the argument at fault.
    fn call(
        &mut self,
        func: Func,
        nodes: &[&ast::Expr],
        args: Vec<Expr>,
        whole: Span,
    ) -> Option<Expr> {
        match call(func, args) {
            Ok(expr) => Some(expr),
            Err(TypeError { message, argument, help }) => {
                let place =
                    argument.and_then(|index| nodes.get(index)).map(|node| self.place(node));
                let mut diagnostic =
                    Diagnostic::at(Code::TypeMismatch, place.unwrap_or(whole), message);
                diagnostic.help = help;
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// Reads all arguments, so that every mistake among them is noted, then calls.
    fn apply(&mut self, func: Func, nodes: &[&ast::Expr], whole: &ast::Expr) -> Option<Expr> {
        let args: Vec<Option<Expr>> = nodes.iter().map(|node| self.read(node)).collect();
        let args = args.into_iter().collect::<Option<Vec<_>>>()?;
        let place = self.place(whole);
        self.call(func, nodes, args, place)
    }

    fn negate_if(&mut self, negated: bool, expr: Option<Expr>, node: &ast::Expr) -> Option<Expr> {
        let expr = expr?;
        if !negated {
            return Some(expr);
        }
        let place = self.place(node);
        self.call(Func::Not, &[], vec![expr], place)
    }

    fn read(&mut self, node: &ast::Expr) -> Option<Expr> {
        use ast::Expr as E;
        match node {
            E::Identifier(name) => self.identifier(&name.value, node),
            E::CompoundIdentifier(parts) => {
                let name: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
                match name.as_slice() {
                    [table, column] if *table == self.scope.table => self.identifier(column, node),
                    _ => self.identifier(&name.join("."), node),
                }
            }
            E::Nested(inner) => self.read(inner),
            E::Value(value) => self.literal(&value.value, node),
            E::TypedString(typed) => self.typed_string(typed, node),
            E::UnaryOp { op, expr } => match op {
                ast::UnaryOperator::Plus => self.read(expr),
                ast::UnaryOperator::Minus => {
                    if let E::Value(value) = expr.as_ref()
                        && let ast::Value::Number(number, _) = &value.value
                    {
                        return self.number(&format!("-{number}"), node);
                    }
                    self.apply(Func::Negate, &[expr], node)
                }
                ast::UnaryOperator::Not => self.apply(Func::Not, &[expr], node),
                _ => self.unsupported(node),
            },
            E::BinaryOp { left, op, right } => self.binary(left, op, right, node),
            E::IsNull(inner) => self.apply(Func::IsNull, &[inner], node),
            E::IsNotNull(inner) => {
                let inner = self.apply(Func::IsNull, &[inner], node);
                self.negate_if(true, inner, node)
            }
            E::IsTrue(inner) | E::IsNotFalse(inner) | E::IsFalse(inner) | E::IsNotTrue(inner) => {
                let inner = self.read(inner)?;
                let wanted = matches!(node, E::IsTrue(_) | E::IsNotTrue(_));
                let negated = matches!(node, E::IsNotTrue(_) | E::IsNotFalse(_));
                let place = self.place(node);
                let distinct =
                    self.call(Func::IsDistinct, &[], vec![inner, Expr::bool(wanted)], place);
                self.negate_if(!negated, distinct, node)
            }
            E::IsDistinctFrom(left, right) => self.apply(Func::IsDistinct, &[left, right], node),
            E::IsNotDistinctFrom(left, right) => {
                let distinct = self.apply(Func::IsDistinct, &[left, right], node);
                self.negate_if(true, distinct, node)
            }
            E::InList { expr, list, negated } => {
                let nodes: Vec<&ast::Expr> = std::iter::once(expr.as_ref()).chain(list).collect();
                let member = self.apply(Func::In, &nodes, node);
                self.negate_if(*negated, member, node)
            }
            E::Between { expr, negated, low, high } => {
                let above = self.apply(Func::GreaterEqual, &[expr, low], node);
                let below = self.apply(Func::LessEqual, &[expr, high], node);
                let place = self.place(node);
                let inside = self.call(Func::And, &[], vec![above?, below?], place);
                self.negate_if(*negated, inside, node)
            }
            E::Like { negated, any: false, expr, pattern, escape_char: None } => {
                let fits = self.apply(Func::Like, &[expr, pattern], node);
                self.negate_if(*negated, fits, node)
            }
            E::Case { operand, conditions, else_result, .. } => {
                let mut args = Vec::new();
                for when in conditions {
                    args.push(match operand {
                        Some(operand) => self.apply(Func::Equal, &[operand, &when.condition], node),
                        None => self.read(&when.condition),
                    });
                    args.push(self.read(&when.result));
                }
                if let Some(otherwise) = else_result {
                    args.push(self.read(otherwise));
                }
                let args = args.into_iter().collect::<Option<Vec<_>>>()?;
                let place = self.place(node);
                self.call(Func::Case, &[], args, place)
            }
            E::Cast { kind, expr, data_type, .. } => {
                let to = self.data_type(data_type, node);
                let inner = self.read(expr);
                let func = match kind {
                    ast::CastKind::TryCast | ast::CastKind::SafeCast => Func::TryCast(to?),
                    ast::CastKind::Cast | ast::CastKind::DoubleColon => Func::Cast(to?),
                };
                let place = self.place(node);
                self.call(func, &[expr], vec![inner?], place)
            }
            E::Extract { field, expr, .. } => {
                let word = field.to_string().to_lowercase();
                let word = if word == "dayofweek" || word == "isodow" { "dow" } else { &word };
                match Part::from_word(word) {
                    Some(part) => self.apply(Func::Extract(part), &[expr], node),
                    None => {
                        let place = self.place(node);
                        self.diagnostics.push(Diagnostic::unknown(
                            Code::InvalidExpression,
                            place,
                            format!("`extract` has no part `{word}`"),
                            word,
                            Part::ALL.iter().map(|part| part.word()),
                        ));
                        None
                    }
                }
            }
            E::Floor { expr, .. } => self.apply(Func::Floor, &[expr], node),
            E::Ceil { expr, .. } => self.apply(Func::Ceil, &[expr], node),
            E::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => {
                self.apply(Func::Trim, &[expr], node)
            }
            E::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut nodes: Vec<&ast::Expr> = vec![expr, from];
                nodes.extend(substring_for.as_deref());
                self.apply(Func::Substring, &nodes, node)
            }
            E::Interval(_) => {
                let interval = self.interval(node)?;
                if interval.months != 0 {
                    let place = self.place(node);
                    self.error(
                        Code::TypeMismatch,
                        place,
                        "months have no fixed length: add the interval to a time",
                    );
                    return None;
                }
                Some(Expr::literal(Value::Duration(interval.micros), DataType::Duration))
            }
            E::Function(function) => self.function(function, node),
            _ => self.unsupported(node),
        }
    }

    fn identifier(&mut self, name: &str, node: &ast::Expr) -> Option<Expr> {
        if let Some(field) = self.scope.schema.field(name) {
            // What is wrong with it is noted where it is made.
            if field.flawed {
                return None;
            }
            let column = Expr::column(name, field.data_type);
            return self.of_group(&column, node).unwrap_or(Some(column));
        }
        if name == "as_of" {
            return Some(Expr::literal(Value::Timestamp(self.scope.as_of), DataType::Timestamp));
        }
        let place = self.place(node);
        self.diagnostics.push(
            Diagnostic::unknown(
                Code::UnknownColumn,
                place,
                format!("`{}` has no column `{name}`", self.scope.table),
                name,
                self.scope.schema.names(),
            )
            .label(format!("not a column of `{}`", self.scope.table)),
        );
        None
    }

    fn typed_string(&mut self, typed: &ast::TypedString, node: &ast::Expr) -> Option<Expr> {
        let ast::Value::SingleQuotedString(text) = &typed.value.value else {
            return self.unsupported(node);
        };
        let instant = parse_instant(text);
        let kind = typed.data_type.to_string().to_lowercase();
        let calendar = self.scope.calendar;
        let value = match (kind.as_str(), instant) {
            ("date", Some(crate::document::Instant::Date(days))) => Some(Value::Date(days)),
            ("date", _) => None,
            (_, Some(instant)) if kind.starts_with("timestamp") => {
                Some(Value::Timestamp(calendar.resolve(instant)))
            }
            _ => None,
        };
        match value {
            Some(value) => {
                let data_type = value.data_type().unwrap_or(DataType::Date);
                Some(Expr::literal(value, data_type))
            }
            None => {
                let place = self.place(node);
                self.error(
                    Code::InvalidExpression,
                    place,
                    format!("`{text}` is not a {kind}: write `1998-07-01` or `1998-07-01 06:00`"),
                );
                None
            }
        }
    }

    fn interval(&mut self, node: &ast::Expr) -> Option<Interval> {
        let ast::Expr::Interval(interval) = node else { return None };
        let text = match interval.value.as_ref() {
            ast::Expr::Value(value) => match &value.value {
                ast::Value::SingleQuotedString(text) => text.clone(),
                ast::Value::Number(text, _) => text.clone(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        let text = match &interval.leading_field {
            Some(field) => format!("{text} {}", field.to_string().to_lowercase()),
            None => text,
        };
        match Interval::parse(&text) {
            Ok(interval) => Some(interval),
            Err(reason) => {
                let place = self.place(node);
                self.error(Code::InvalidExpression, place, format!("not an interval: {reason}"));
                None
            }
        }
    }

    fn binary(
        &mut self,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
        node: &ast::Expr,
    ) -> Option<Expr> {
        use ast::BinaryOperator as B;
        if matches!(op, B::Plus | B::Minus) {
            if matches!(right, ast::Expr::Interval(_)) {
                let interval = self.interval(right);
                let time = self.read(left);
                let (interval, time) = (interval?, time?);
                let interval = if *op == B::Minus { interval.negated() } else { interval };
                let place = self.place(node);
                return self.call(Func::Shift(interval), &[left], vec![time], place);
            }
            let (a, b) = (self.read(left), self.read(right));
            let (a, b) = (a?, b?);
            let is_time =
                |expr: &Expr| matches!(expr.data_type, DataType::Date | DataType::Timestamp);
            let days = |time: &Expr, days: &Expr| {
                time.data_type == DataType::Date && days.data_type.is_integer()
            };
            let func = match op {
                B::Plus if days(&a, &b) => Func::AddDays,
                B::Plus if days(&b, &a) => {
                    let place = self.place(node);
                    return self.call(Func::AddDays, &[right, left], vec![b, a], place);
                }
                B::Minus if days(&a, &b) => {
                    let place = self.place(node);
                    let back = self.call(Func::Negate, &[right], vec![b], place)?;
                    return self.call(Func::AddDays, &[left, right], vec![a, back], place);
                }
                B::Minus if is_time(&a) && is_time(&b) => Func::Between,
                B::Plus if is_time(&a) && b.data_type == DataType::Duration => Func::AddDuration,
                B::Minus if is_time(&a) && b.data_type == DataType::Duration => {
                    let place = self.place(node);
                    let back = self.call(Func::Negate, &[right], vec![b], place)?;
                    return self.call(Func::AddDuration, &[left, right], vec![a, back], place);
                }
                B::Plus => Func::Add,
                _ => Func::Subtract,
            };
            let place = self.place(node);
            return self.call(func, &[left, right], vec![a, b], place);
        }
        let func = match op {
            B::Multiply => Func::Multiply,
            B::Divide => Func::Divide,
            B::Modulo => Func::Modulo,
            B::Eq => Func::Equal,
            B::NotEq => Func::NotEqual,
            B::Lt => Func::Less,
            B::LtEq => Func::LessEqual,
            B::Gt => Func::Greater,
            B::GtEq => Func::GreaterEqual,
            B::And => Func::And,
            B::Or => Func::Or,
            B::StringConcat => Func::Concat,
            _ => {
                self.unknown_operator(left, op, right);
                return None;
            }
        };
        self.apply(func, &[left, right], node)
    }

    fn unknown_operator(&mut self, left: &ast::Expr, op: &ast::BinaryOperator, right: &ast::Expr) {
        let sign = op.to_string();
        let between = self.offset(left.span().end).zip(self.offset(right.span().start));
        let at = between.and_then(|(from, to)| {
            let at = from + self.text.get(from..to)?.find(&sign)?;
            Some(self.written.place(at, at + sign.len()))
        });
        let mut diagnostic = Diagnostic::at(
            Code::InvalidExpression,
            at.unwrap_or(self.written.span),
            format!("`{sign}` is not an operator of the expression language"),
        );
        if sign == "&&" {
            diagnostic = diagnostic.help("write `and`");
        }
        self.diagnostics.push(diagnostic);
    }
}

/// An expression from plain text over a schema, for tests and examples.
///
/// # Errors
/// What is wrong with it.
pub fn from_text(text: &str, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    let calendar = Calendar::default();
    let parameters = BTreeMap::new();
    let scope =
        Scope { table: "table", schema, parameters: &parameters, calendar: &calendar, as_of: 0 };
    let written =
        Expression { text: text.to_owned(), span: Span::new(0, text.len()), verbatim: Some(0) };
    let mut diagnostics = Diagnostics::default();
    expression(&written, &scope, &mut diagnostics).ok_or_else(|| diagnostics.into_sorted())
}

/// Shared empty schema.
pub fn no_columns() -> Arc<Schema> {
    Arc::new(Schema::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Field;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("customer_id", DataType::Int64),
            Field::new("amount", DataType::money(2)),
            Field::new("status", DataType::String),
            Field::new("ordered_at", DataType::Date),
            Field::new("odd name", DataType::Bool),
        ])
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let actual = match from_text(text, &schema()) {
            Ok(expr) => format!("{expr}: {}", expr.data_type),
            Err(diagnostics) => diagnostics
                .iter()
                .map(|d| {
                    let place = d.primary.as_ref().map_or("", |label| &text[label.span.range()]);
                    format!("[{place}] {}", d.message)
                })
                .collect::<Vec<_>>()
                .join("; "),
        };
        assert_eq!(actual, expected, "for `{text}`");
    }

    #[test]
    fn names_that_need_quotes_are_shown_with_them() {
        let faults = from_text("odd name and amount > 1", &schema()).expect_err("no expression");
        let help = faults[0].help.clone().unwrap_or_default();
        assert!(help.contains("`'\"odd name\"'`"), "{help}");
        let faults = from_text("\"odd name\" twice", &schema()).expect_err("no expression");
        assert!(faults[0].help.is_none(), "{faults:?}");
    }

    #[test]
    fn expressions_are_typed() {
        check("amount > 100", "(amount > 100.00): bool");
        check("status = 'a' and not \"odd name\"", "((status = 'a') and (not odd name)): bool");
        check("amount / 2", "(cast(amount as float64) / 2.0): float64");
        check(
            "ordered_at < as_of",
            "(cast(ordered_at as timestamp) < timestamp '1970-01-01T00:00:00Z'): bool",
        );
        check("ordered_at + interval '1 month'", "(ordered_at + interval '1 months'): date");
        check("date_trunc('month', ordered_at)", "date_trunc('month', ordered_at): date");
        check("if(amount > 0, 1, 0)", "case_when((amount > 0.00), 1, 0): int64");
        check("ordered_at + customer_id", "(ordered_at + customer_id): date");
        check("7 + ordered_at", "(ordered_at + 7): date");
        check("ordered_at - 7", "(ordered_at + (-7)): date");
        check("amount between 1 and 2.5", "((amount >= 1.00) and (amount <= 2.50)): bool");
        check("status in ('a', 'b')", "(status in ('a', 'b')): bool");
        check("ordered_at >= date '1998-07-01'", "(ordered_at >= date '1998-07-01'): bool");
        check("extract(year from ordered_at)", "extract(year from ordered_at): int64");
        check("-1.5e1", "-15.0: float64");
        check("substring(status, 1, 2) || 'x'", "(substring(status, 1, 2) || 'x'): string");
    }

    #[test]
    fn mistakes_point_at_the_word() {
        check(
            "custmer_id > 1 and amuont = 2",
            "[custmer_id] `table` has no column `custmer_id`; [amuont] `table` has no column `amuont`",
        );
        check(
            "ordered_at > '1998-07-01'",
            "['1998-07-01'] `>` cannot combine a date with a string",
        );
        check("amount + status", "[status] `+` takes numbers, not a string");
        check(
            "sum(amount) > 1",
            "[sum(amount)] `sum` is an aggregate: an expression has one row in sight",
        );
        check("lenght(status)", "[lenght(status)] there is no function `lenght`");
        check("regexp_matches(status, '(')", "['('] not a regular expression: unclosed group");
        check("(select 1)", "[select 1] a subquery has no place in an expression");
        check(
            "amount >",
            "[amount >] not an SQL expression: expected an expression, found the end",
        );
        check("amount = = 1", "[=] not an SQL expression: expected an expression, found =");
    }
}
