//! Names that an expression may use: types and functions.

use sqlparser::ast;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{AGGREGATES, NEXT_TIME, Reader};
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::TimeUnit;
use crate::frame::DataType;
use crate::ir::function::{TABLE, is_public};
use crate::ir::{AROUND_THE_CLOCK, Expr, Func};

/// Most operators of an expression. A chain of them nests as deeply as it is long.
pub(super) const MAX_OPERATORS: usize = 500;

/// The number of operators in a text; 0 for what is no SQL, which the parser will say.
pub(super) fn operators(text: &str) -> usize {
    let counts = |token: &Token| match token {
        Token::Word(word) => {
            let word = word.value.to_lowercase();
            matches!(word.as_str(), "and" | "or" | "not" | "is" | "between")
        }
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod => true,
        Token::StringConcat | Token::DoubleColon => true,
        _ => false,
    };
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
    tokens.map_or(0, |tokens| tokens.iter().filter(|token| counts(token)).count())
}

impl Reader<'_> {
    pub(super) fn data_type(
        &mut self,
        written: &ast::DataType,
        node: &ast::Expr,
    ) -> Option<DataType> {
        let text = written.to_string().to_lowercase();
        let name = text.split('(').next().unwrap_or("").trim();
        let numbers: Vec<u8> = text
            .split_once('(')
            .map(|(_, rest)| rest.trim_end_matches(')'))
            .map(|rest| rest.split(',').filter_map(|part| part.trim().parse().ok()).collect())
            .unwrap_or_default();
        let data_type = match (name, numbers.as_slice()) {
            ("bool" | "boolean", _) => DataType::Bool,
            ("int64" | "bigint" | "int" | "integer", _) => DataType::Int64,
            ("float64" | "double" | "double precision", _) => DataType::Float64,
            ("decimal" | "numeric", [precision, scale])
                if (1..=38).contains(precision) && scale <= precision =>
            {
                DataType::Decimal { precision: *precision, scale: *scale }
            }
            ("string" | "text" | "varchar", _) => DataType::String,
            ("date", _) => DataType::Date,
            ("timestamp", _) => DataType::Timestamp,
            _ => {
                let place = self.place(node);
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::InvalidExpression,
                        place,
                        format!("`{text}` is not a type"),
                    )
                    .help("types are bool, int64, float64, decimal(p, s), string, date, timestamp"),
                );
                return None;
            }
        };
        Some(data_type)
    }

    pub(super) fn function(&mut self, function: &ast::Function, node: &ast::Expr) -> Option<Expr> {
        let name = function.name.to_string().to_lowercase();
        if function.over.is_some() {
            let place = self.place(node);
            self.error(
                Code::InvalidExpression,
                place,
                "an expression has no windows: a stage does that",
            );
            return None;
        }
        let ast::FunctionArguments::List(list) = &function.args else {
            return self.unsupported(node);
        };
        let mut nodes = Vec::new();
        for argument in &list.args {
            match argument {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => nodes.push(expr),
                // `count(*)` is `count()`.
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)
                    if name == "count" && self.within.is_some() => {}
                _ => return self.unsupported(node),
            }
        }
        if let Some(aggregate) = self.aggregate(&name, &nodes, node) {
            return aggregate;
        }
        if name == NEXT_TIME {
            return self.next_time(&nodes, node);
        }
        // Functions whose first argument is a unit.
        if matches!(name.as_str(), "date_trunc" | "date_diff" | "elapsed") {
            let (first, rest) = nodes.split_first()?;
            let unit = match first {
                ast::Expr::Value(value) => match &value.value {
                    ast::Value::SingleQuotedString(text) => TimeUnit::from_word(text),
                    _ => None,
                },
                _ => None,
            };
            let Some(unit) = unit else {
                let place = self.place(first);
                let words: Vec<&str> = TimeUnit::ALL.iter().map(|unit| unit.word()).collect();
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::InvalidExpression,
                        place,
                        format!("`{name}` takes a unit first"),
                    )
                    .help(format!("one of {}, in quotes", crate::diagnostic::list(&words))),
                );
                return None;
            };
            let func = match name.as_str() {
                "date_trunc" => Func::DateTrunc(unit),
                "date_diff" => Func::DateDiff(unit),
                _ => Func::Elapsed(unit),
            };
            return self.apply(func, rest, node);
        }
        if name == "open_hours" {
            let (first, rest) = nodes.split_first()?;
            let place = self.place(first);
            let ast::Expr::Value(ast::ValueWithSpan {
                value: ast::Value::SingleQuotedString(hours),
                ..
            }) = first
            else {
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::InvalidExpression,
                        place,
                        "`open_hours` takes the name of opening hours first",
                    )
                    .help("such as `open_hours('support', created_at, solved_at)`"),
                );
                return None;
            };
            let named = Spanned::new(hours.clone(), place);
            let known = self.scope.calendar.hours_by_name(&named, self.diagnostics);
            let func = match known {
                Some(hours) => Func::OpenHours(hours),
                None if hours == AROUND_THE_CLOCK => Func::Elapsed(TimeUnit::Hour),
                None => return None,
            };
            return self.apply(func, rest, node);
        }
        let func = match name.as_str() {
            "if" => {
                if nodes.len() != 3 {
                    let place = self.place(node);
                    self.error(
                        Code::TypeMismatch,
                        place,
                        format!("`if` takes 3 arguments, not {}", nodes.len()),
                    );
                    return None;
                }
                Func::Case
            }
            "coalesce" => Func::Coalesce,
            "nullif" => Func::NullIf,
            "abs" => Func::Abs,
            "sign" => Func::Sign,
            "round" => Func::Round,
            "floor" => Func::Floor,
            "ceil" | "ceiling" => Func::Ceil,
            "least" => Func::Least,
            "greatest" => Func::Greatest,
            "sqrt" => Func::Sqrt,
            "exp" => Func::Exp,
            "ln" => Func::Ln,
            "power" => Func::Power,
            "lower" => Func::Lower,
            "upper" => Func::Upper,
            "trim" => Func::Trim,
            "length" => Func::Length,
            "substring" => Func::Substring,
            "replace" => Func::Replace,
            "starts_with" => Func::StartsWith,
            "ends_with" => Func::EndsWith,
            "contains" => Func::Contains,
            "mentions" => Func::Mentions,
            "sentiment" => Func::Sentiment,
            "regexp_matches" => Func::RegexpMatches,
            "date" => Func::Cast(DataType::Date),
            _ => {
                let place = self.place(node);
                let known: Vec<&str> = TABLE
                    .iter()
                    .map(|row| row.0)
                    .chain(["if", "date", NEXT_TIME])
                    .chain(self.within.iter().flat_map(|_| AGGREGATES.iter().map(|row| row.0)))
                    .filter(|name| name.starts_with(char::is_alphabetic) && is_public(name))
                    .collect();
                let plain = if name == "avg" { "mean" } else { &name };
                let diagnostic = match name.as_str() {
                    _ if self.within.is_none() && AGGREGATES.iter().any(|row| row.0 == plain) => {
                        Diagnostic::at(
                            Code::InvalidExpression,
                            place,
                            format!("`{name}` is an aggregate: an expression has one row in sight"),
                        )
                        .help(match plain {
                            "any" | "first" | "last" | "median" | "previous_day" => {
                                "metrics with `per` have it, of customers or other groups of rows".to_owned()
                            }
                            _ => format!(
                                "declare a metric of the kind `{plain}`; of customers or other groups of rows with `per`"
                            ),
                        })
                    }
                    _ => Diagnostic::unknown(
                        Code::InvalidExpression,
                        place,
                        format!("there is no function `{name}`"),
                        &name,
                        known,
                    ),
                };
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        self.apply(func, &nodes, node)
    }
}
