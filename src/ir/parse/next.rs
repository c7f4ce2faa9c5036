//! `next_time()`: when the same customer has the next row. Only the expressions of metrics look at other rows.

use sqlparser::ast;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{Reader, offset};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::Expression;
use crate::frame::DataType;
use crate::ir::Expr;

/// What the function is called in an expression.
pub const NEXT_TIME: &str = "next_time";

const OWN: &str = "#next";
const OTHER: &str = "#first.";

/// Where an expression asks for a next row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTime {
    /// The table whose first row is meant, at the time of this row or later; absent: the row's own, and later.
    pub table: Option<Spanned<String>>,
    pub place: Span,
}

/// The column that holds the time of the next row of a table, or of the rows' own.
pub fn next_column(table: Option<&str>) -> String {
    table.map_or_else(|| OWN.to_owned(), |table| format!("{OTHER}{table}"))
}

/// What such a column holds the next row of: `Some(None)` for the rows' own table.
pub fn next_of(column: &str) -> Option<Option<&str>> {
    match column {
        OWN => Some(None),
        _ => column.strip_prefix(OTHER).map(Some),
    }
}

/// The tables that an expression names in `next_time(TABLE)`, without understanding the rest of it.
pub fn next_tables(written: &Expression) -> Vec<Spanned<String>> {
    let mut text = written.text.clone();
    // A parameter is a value, whatever it is.
    while let Some(start) = text.find("${") {
        let end = text[start..].find('}').map_or(text.len(), |end| start + end + 1);
        text.replace_range(start..end, &"0".repeat(end - start));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, &text).tokenize_with_location();
    let mut tokens = tokens.unwrap_or_default();
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let named = tokens.windows(4).filter_map(|window| {
        let [function, open, table, close] = window else { return None };
        let (Token::Word(function), Token::Word(name)) = (&function.token, &table.token) else {
            return None;
        };
        let is_call = function.value.eq_ignore_ascii_case(NEXT_TIME)
            && open.token == Token::LParen
            && close.token == Token::RParen;
        let start = offset(&text, table.span.start)?;
        let end = offset(&text, table.span.end)?;
        is_call.then(|| Spanned::new(name.value.clone(), written.place(start, end)))
    });
    named.collect()
}

impl Reader<'_> {
    /// The time of the next row, as the column that will hold it.
    pub(super) fn next_time(&mut self, arguments: &[&ast::Expr], node: &ast::Expr) -> Option<Expr> {
        let place = self.place(node);
        let table = match arguments {
            [] => None,
            [ast::Expr::Identifier(name)] => {
                Some(Spanned::new(name.value.clone(), self.place(arguments[0])))
            }
            [first, ..] => {
                let mistake = Diagnostic::at(
                    Code::InvalidExpression,
                    self.place(first),
                    format!("`{NEXT_TIME}` takes the name of a table, or nothing"),
                )
                .help("such as `next_time() - created_at` or `next_time(orders) is null`");
                self.diagnostics.push(mistake);
                return None;
            }
        };
        if self.within.is_some() {
            let mistake = Diagnostic::at(
                Code::InvalidExpression,
                place,
                format!("`{NEXT_TIME}` is of rows, and with `per` a metric is of groups of them"),
            )
            .help("it may stand in `where`, or leave `per` out");
            self.diagnostics.push(mistake);
            return None;
        }
        let Some(next) = &mut self.next else {
            let mistake = Diagnostic::at(
                Code::InvalidExpression,
                place,
                format!("`{NEXT_TIME}` looks at another row, which only expressions of metrics do"),
            )
            .help("declare a metric under `metrics:` whose `where` or value has it");
            self.diagnostics.push(mistake);
            return None;
        };
        let column = next_column(table.as_ref().map(|table| table.value.as_str()));
        next.push(NextTime { table, place });
        Some(Expr::column(column, DataType::Timestamp))
    }
}
