//! Names of columns, and scalars whose type depends on the column they are about.

use serde_json::{Value as Json, json};

use super::{Decode, Decoder, Node, NodeKind, schema};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};

/// A column of a table, written `TABLE.COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnOf {
    pub table: Spanned<String>,
    pub column: Spanned<String>,
}

impl Decode for ColumnOf {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let Some((table, column)) = text.split_once('.') else {
            decoder.report(
                Diagnostic::at(
                    Code::InvalidValue,
                    node.span,
                    format!("`{text}` does not name a column of a table"),
                )
                .help("write `TABLE.COLUMN`, such as `customers.plan`"),
            );
            return None;
        };
        let place = |start: usize, end: usize| match node.verbatim {
            Some(at) => Span::new(at + start, at + end),
            None => node.span,
        };
        let dot = table.len();
        Some(ColumnOf {
            table: Spanned::new(table.to_owned(), place(0, dot)),
            column: Spanned::new(column.to_owned(), place(dot + 1, text.len())),
        })
    }
    fn expects() -> String {
        "a column of a table such as `customers.plan`".into()
    }
    fn show(&self) -> String {
        format!("{}.{}", self.table.value, self.column.value)
    }
    fn json_schema() -> Json {
        schema::matching(r"^[^.]+\..+$")
    }
}

/// One or several columns: `c`, or `[a, b]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(pub Vec<Spanned<String>>);

impl Decode for Columns {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::List(items) if items.is_empty() => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
            NodeKind::List(_) => Vec::decode(node, decoder).map(Columns),
            NodeKind::Text(_) => Some(Columns(vec![Spanned::decode(node, decoder)?])),
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        "a column, or a list of columns".into()
    }
    fn show(&self) -> String {
        match self.0.as_slice() {
            [one] => one.value.clone(),
            several => Decode::show(&several.to_vec()),
        }
    }
    fn json_schema() -> Json {
        let mut several = schema::list(schema::text());
        several["minItems"] = json!(1);
        schema::any_of([schema::text(), several])
    }
}

/// A scalar whose type depends on the column it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    pub written: String,
    pub quoted_text: bool,
    pub span: Span,
}

impl Decode for Scalar {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) | NodeKind::Unknown => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
            kind => Some(Scalar {
                written: node.written.clone(),
                quoted_text: matches!(kind, NodeKind::Text(_)),
                span: node.span,
            }),
        }
    }
    fn expects() -> String {
        "a number, a text or a date".into()
    }
    fn show(&self) -> String {
        self.written.clone()
    }
    fn json_schema() -> Json {
        json!({"type": ["string", "number", "boolean"]})
    }
}
