//! The tree.

use crate::diagnostic::{Span, Spanned};

/// A value of the document and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub kind: NodeKind,
    pub span: Span,
    /// For text: the byte of the document at which the text's first byte stands, if every byte of
    /// the text stands in the document unchanged (plain and simply quoted scalars).
    pub verbatim: Option<usize>,
    /// For scalars: the text as written, without quotes, after parameters were put in.
    pub written: String,
    /// For texts in which parameters were put in: the text before.
    pub template: Option<String>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
    /// A text that names a parameter whose value is not known, which is noted: whoever reads it is not.
    Unknown,
}

impl Node {
    /// What the node is, in words: "a map", "the number 5".
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null | NodeKind::Unknown => "nothing".into(),
            NodeKind::Bool(value) => format!("`{value}`"),
            NodeKind::Integer(_) | NodeKind::Number(_) => format!("the number {}", self.written),
            NodeKind::Text(text) if text.chars().count() <= 40 => format!("the text `{text}`"),
            NodeKind::Text(_) => "a text".into(),
            NodeKind::List(_) => "a list".into(),
            NodeKind::Map(_) => "a map".into(),
        }
    }

    /// The entry of a map under `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Map(entries) => {
                entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }
}
