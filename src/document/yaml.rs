//! YAML text to tree.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Budget, DuplicateKeyPolicy, Options as YamlOptions};

use super::{Node, NodeKind};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceText, Span, Spanned};

/// Largest document read, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most nodes after aliases and merge keys are expanded.
const MAX_NODES: usize = 10_000;
/// Most aliases.
const MAX_ALIASES: usize = 100;

/// Reads one YAML document. Duplicate keys are noted and the first one kept; `None` if the text is
/// not YAML at all or exceeds the limits.
pub fn parse(source: &SourceText, diagnostics: &mut Diagnostics) -> Option<Node> {
    if source.text.len() > MAX_BYTES {
        diagnostics.push(
            Diagnostic::at(
                Code::InvalidYaml,
                Span::new(0, 0),
                format!("the document has {} bytes, more than {MAX_BYTES}", source.text.len()),
            )
            .help("a pipeline is small; data belongs into Parquet files"),
        );
        return None;
    }
    let mut budget = Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.max_nodes = MAX_NODES;
    budget.max_aliases = MAX_ALIASES;
    budget.max_documents = 1;
    budget.flow_nesting_limit = MAX_DEPTH;
    let mut options = YamlOptions::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = MAX_NODES;
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.strict_booleans = true;
    options.with_snippet = false;
    match serde_yaml::from_str_with_options::<serde_yaml::Spanned<Raw>>(&source.text, options) {
        Ok(raw) => {
            let mut builder = Builder { text: &source.text, diagnostics, nodes: 0 };
            let node = builder.node(raw);
            (builder.nodes <= MAX_NODES).then_some(node)
        }
        Err(error) => {
            diagnostics.push(failure(source, &error));
            None
        }
    }
}

fn failure(source: &SourceText, error: &serde_yaml::Error) -> Diagnostic {
    let message = error.without_snippet().render();
    let message = message.split(" at line ").next().unwrap_or(&message).trim().to_owned();
    let span = error.location().map(|location| {
        let offset = match location.span().byte_offset() {
            Some(offset) => offset as usize,
            None => offset_of(&source.text, location.line(), location.column()),
        };
        point(&source.text, offset)
    });
    let mut diagnostic = match span {
        Some(span) => Diagnostic::at(Code::InvalidYaml, span, message.clone()),
        None => Diagnostic::new(Code::InvalidYaml, message.clone()),
    };
    if message.contains("budget") || message.contains("recursion") || message.contains("limit") {
        diagnostic = diagnostic.help(format!(
            "a pipeline may have {MAX_NODES} nodes, {MAX_DEPTH} levels and {MAX_ALIASES} aliases"
        ));
    } else if let Some(line) = span.map(|span| line_at(&source.text, span.start)) {
        if line.contains('{') && line.contains(['\'', '(', '$']) {
            diagnostic = diagnostic.help(
                "inside `{…}` and `[…]` quote a text that holds `,`, `{`, `}`, `[`, `]` or `: `",
            );
        } else if line.starts_with('\t') {
            diagnostic = diagnostic.help("indent with spaces, not with tabs");
        }
    }
    diagnostic
}

/// The byte at a line and column, both counted from 1, in characters.
fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let skipped: usize =
        text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
    let rest = &text[skipped..];
    let column = column.saturating_sub(1) as usize;
    skipped + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

fn point(text: &str, offset: usize) -> Span {
    let start = offset.min(text.len());
    let width = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Span::new(start, start + width)
}

fn line_at(text: &str, offset: usize) -> &str {
    let offset = offset.min(text.len());
    let start = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("")
}

/// The tree as `serde` hands it over.
enum Raw {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<serde_yaml::Spanned<Raw>>),
    Map(Vec<(serde_yaml::Spanned<Raw>, serde_yaml::Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a YAML value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Integer(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(i64::try_from(value).map_or(Raw::Number(value as f64), Raw::Integer))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Number(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = access.next_element()? {
                    list.push(item);
                }
                Ok(Raw::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}

/// Turns the raw tree into ours, resolving places against the text.
struct Builder<'a> {
    text: &'a str,
    diagnostics: &'a mut Diagnostics,
    nodes: usize,
}

impl Builder<'_> {
    fn node(&mut self, raw: serde_yaml::Spanned<Raw>) -> Node {
        self.nodes += 1;
        let span = self.span(&raw.referenced);
        let mut span = self.trim(span);
        let defined = self.trim(self.span(&raw.defined));
        let source = &self.text[defined.range()];
        let mut node = Node {
            kind: NodeKind::Null,
            span,
            verbatim: None,
            written: String::new(),
            template: None,
        };
        node.kind = match raw.value {
            Raw::Null => NodeKind::Null,
            Raw::Bool(value) => NodeKind::Bool(value),
            Raw::Integer(value) => NodeKind::Integer(value),
            Raw::Number(value) => NodeKind::Number(value),
            Raw::Text(text) => {
                // Plain scalars stand as they are; in quotes, the text begins one byte later.
                if defined == span && source == text {
                    node.verbatim = Some(span.start);
                } else if defined == span && source.get(1..source.len().max(1) - 1) == Some(&text) {
                    node.verbatim = Some(span.start + 1);
                }
                node.written = text.clone();
                NodeKind::Text(text)
            }
            Raw::List(items) => {
                NodeKind::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Map(entries) => self.map(entries),
        };
        match &node.kind {
            NodeKind::Bool(_) | NodeKind::Integer(_) | NodeKind::Number(_) => {
                node.written = source.to_owned();
            }
            // A collection is pointed at by its first line only.
            NodeKind::List(_) | NodeKind::Map(_) => {
                let first = self.text[span.range()].lines().next().unwrap_or("").len();
                span.end = span.start + first;
                node.span = span;
            }
            NodeKind::Null | NodeKind::Text(_) | NodeKind::Unknown => {}
        }
        node
    }

    fn map(&mut self, raw: Vec<(serde_yaml::Spanned<Raw>, serde_yaml::Spanned<Raw>)>) -> NodeKind {
        let mut entries: Vec<(Spanned<String>, Node)> = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let key = self.node(key);
            let value = self.node(value);
            let name = match &key.kind {
                NodeKind::List(_) | NodeKind::Map(_) => {
                    self.diagnostics.push(Diagnostic::at(
                        Code::InvalidYaml,
                        key.span,
                        format!("a key must be a name, not {}", key.describe()),
                    ));
                    continue;
                }
                NodeKind::Null => "null".to_owned(),
                _ => key.written.clone(),
            };
            if let Some((first, _)) = entries.iter().find(|(other, _)| other.value == name) {
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::DuplicateKey,
                        key.span,
                        format!("the key `{name}` stands twice in one map"),
                    )
                    .label("again here")
                    .and(first.span, "first here"),
                );
                continue;
            }
            entries.push((Spanned::new(name, key.span), value));
        }
        NodeKind::Map(entries)
    }

    fn span(&self, location: &serde_yaml::Location) -> Span {
        let start = location.span().byte_offset().unwrap_or(0) as usize;
        let length = location.span().byte_len().unwrap_or(0) as usize;
        let mut start = start.min(self.text.len());
        let mut end = (start + length).min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Span::new(start, end)
    }

    fn trim(&self, span: Span) -> Span {
        let text = &self.text[span.range()];
        Span::new(span.start, span.start + text.trim_end().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
        let mut diagnostics = Diagnostics::default();
        let node = parse(&SourceText::new("t.yaml", text), &mut diagnostics);
        (node, diagnostics.into_sorted())
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "a: hello\nb: {c: 'x y', d: [1, 2.50]}\n";
        let (node, diagnostics) = read(text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let node = node.expect("it is YAML");
        let a = node.get("a").expect("a");
        assert_eq!((&text[a.span.range()], a.verbatim), ("hello", Some(3)));
        let c = node.get("b").and_then(|b| b.get("c")).expect("c");
        assert_eq!(c.kind, NodeKind::Text("x y".into()));
        assert_eq!(c.verbatim.map(|at| &text[at..at + 3]), Some("x y"));
        let Some(NodeKind::List(d)) = node.get("b").and_then(|b| b.get("d")).map(|d| &d.kind)
        else {
            panic!("d is a list");
        };
        assert_eq!(d[1].written, "2.50");
        assert_eq!(&text[d[0].span.range()], "1");
    }

    #[test]
    fn every_duplicate_is_reported() {
        let (node, diagnostics) = read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
        assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::DuplicateKey; 2]);
        assert_eq!(node.and_then(|n| n.get("a").map(|a| a.written.clone())), Some("1".into()));
    }

    #[test]
    fn aliases_point_at_their_use() {
        let text = "x-a: &a [1, 2]\nb: *a\n";
        let (node, _) = read(text);
        let node = node.expect("it is YAML");
        let b = node.get("b").expect("b");
        assert!(matches!(&b.kind, NodeKind::List(items) if items.len() == 2));
        assert_eq!(&text[b.span.range()], "*a");
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        let (node, diagnostics) = read(&bomb);
        assert!(node.is_none() && diagnostics.len() == 1);
        let (node, _) = read(&"[".repeat(1000));
        assert!(node.is_none());
        let (node, _) = read(&format!("a: {}", "x".repeat(MAX_BYTES)));
        assert!(node.is_none());
    }

    #[test]
    fn words_of_yaml_1_1_are_texts() {
        let (node, _) = read("a: no\nb: on\nc: true\n");
        let node = node.expect("it is YAML");
        assert_eq!(node.get("a").map(|a| &a.kind), Some(&NodeKind::Text("no".into())));
        assert_eq!(node.get("c").map(|a| &a.kind), Some(&NodeKind::Bool(true)));
    }

    #[test]
    fn broken_text_has_a_place() {
        let (node, diagnostics) = read("a: {b: status in ('x', 'y')}\nc: [1, 2\n");
        assert!(node.is_none());
        assert_eq!(diagnostics[0].code, Code::InvalidYaml);
        assert!(diagnostics[0].primary.is_some(), "{diagnostics:?}");
    }
}
