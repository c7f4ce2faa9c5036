//! Reading typed values out of the tree.

use serde_json::{Value as Json, json};

use super::{Node, NodeKind, schema};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, Spanned, nearest};

/// A type that can be read from a [`Node`].
pub trait Decode: Sized {
    /// Reads the value, or notes why it cannot and gives `None`.
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self>;
    /// What the key takes, in words: "a unit of time", "`exactly` or `on_or_after`".
    fn expects() -> String;
    /// The value as it would be written in YAML.
    fn show(&self) -> String;
    /// What the key takes, as a JSON Schema; see [`schema`](super::schema).
    fn json_schema() -> Json;
    /// The value for programs; null for one that is not written.
    fn to_json(&self) -> Json {
        Json::String(self.show())
    }
    /// What takes the place of a required value that is missing or wrong, which is noted, so that the
    /// rest can be looked at.
    fn stand_in() -> Option<Self> {
        None
    }
}

/// Collects what is wrong while a tree is read.
pub struct Decoder<'a> {
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Decoder<'a> {
    /// A decoder that adds to `diagnostics`.
    pub fn new(diagnostics: &'a mut Diagnostics) -> Self {
        Decoder { diagnostics }
    }

    /// How many mistakes are noted so far.
    pub fn count(&self) -> usize {
        self.diagnostics.len()
    }

    /// Notes a mistake.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Notes that `node` is not what a key takes; of a value that is not known nothing is noted.
    pub fn wrong_type(&mut self, node: &Node, expected: &str) {
        if node.kind == NodeKind::Unknown {
            return;
        }
        let mut diagnostic = Diagnostic::at(
            Code::WrongType,
            node.span,
            format!("expected {expected}, found {}", node.describe()),
        );
        if let NodeKind::Bool(_) = node.kind {
            diagnostic = diagnostic.help("put the word in quotes if it is meant as text");
        }
        if let NodeKind::Text(text) = &node.kind
            && expected.ends_with("number")
            && let Some(number) = number_meant(text)
        {
            diagnostic = diagnostic.help(format!("write `{number}`, without quotes"));
        }
        self.report(diagnostic);
    }

    /// Notes a key that nothing reads, with the nearest that exists. A piece of a text that was not
    /// quoted inside `{…}` looks like a key without a value, and is told so.
    pub fn unknown_key<'k>(
        &mut self,
        code: Code,
        what: &str,
        name: &Spanned<String>,
        value: &Node,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let message = match code {
            Code::UnknownStageKind => format!("there is no kind of stage `{}`", name.value),
            _ => format!("{what} has no key `{}`", name.value),
        };
        let mut diagnostic = Diagnostic::unknown(code, name.span, message, &name.value, known);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if value.kind == NodeKind::Null && !name.value.chars().all(plain) {
            diagnostic = diagnostic.help(
                "inside `{…}` and `[…]` quote a text that holds `,`, `{`, `}`, `[`, `]` or `: `",
            );
        }
        self.report(diagnostic);
    }

    /// The entries of a map, to be asked for key by key.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<MapReader<'n>> {
        match &node.kind {
            NodeKind::Map(entries) => Some(MapReader {
                entries,
                span: node.span,
                what: what.to_owned(),
                asked: Vec::new(),
                missing: Vec::new(),
            }),
            // `rfm:` with nothing behind it means `rfm: {}`.
            NodeKind::Null => Some(MapReader {
                entries: &[],
                span: node.span,
                what: what.to_owned(),
                asked: Vec::new(),
                missing: Vec::new(),
            }),
            _ => {
                self.wrong_type(node, &format!("a map with the keys of {what}"));
                None
            }
        }
    }

    /// The entries of a map from names to things: each name checked, in the order of the text.
    pub fn named<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(Spanned<String>, &'n Node)> {
        let entries = match &node.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null => return Vec::new(),
            _ => {
                self.wrong_type(node, &format!("a map from names to {what}"));
                return Vec::new();
            }
        };
        let mut named = Vec::new();
        for (name, value) in entries {
            if name.value.starts_with("x-") {
                continue;
            }
            if !is_name(&name.value) {
                self.report(
                    Diagnostic::at(
                        Code::InvalidName,
                        name.span,
                        format!("`{}` is not a name", name.value),
                    )
                    .help("a name has lower-case letters, digits and `_`, begins with a letter, and has at most 63 characters"),
                );
                continue;
            }
            named.push((name.clone(), value));
        }
        named
    }
}

/// True for `[a-z][a-z0-9_]*` of at most 63 characters.
pub fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A map whose keys are asked for one by one; what nobody asked for is unknown.
pub struct MapReader<'n> {
    entries: &'n [(Spanned<String>, Node)],
    span: Span,
    what: String,
    asked: Vec<String>,
    /// Keys that must be there and are not, with what they take.
    missing: Vec<(String, String)>,
}

impl<'n> MapReader<'n> {
    /// The place of the map.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The raw value of a key.
    pub fn take(&mut self, key: &str) -> Option<&'n Node> {
        self.asked.push(key.to_owned());
        self.entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The value of a key that may be absent.
    pub fn optional<T: Decode>(&mut self, key: &str, decoder: &mut Decoder) -> Option<Setting<T>> {
        let node = self.take(key)?;
        let value = T::decode(node, decoder)?;
        Some(Setting { value, span: Some(node.span), flawed: false })
    }

    /// The value of a key that must be there; [`MapReader::finish`] or [`MapReader::note_missing`] notes its absence.
    pub fn required<T: Decode>(&mut self, key: &str, decoder: &mut Decoder) -> Option<Setting<T>> {
        if self.entries.iter().any(|(name, _)| name.value == key) {
            return self.optional(key, decoder);
        }
        self.asked.push(key.to_owned());
        self.missing.push((key.to_owned(), T::expects()));
        None
    }

    /// The entries nobody asked for so far, `x-…` keys aside.
    pub fn rest(&self) -> impl Iterator<Item = &'n (Spanned<String>, Node)> {
        self.entries
            .iter()
            .filter(|(name, _)| !name.value.starts_with("x-") && !self.asked.contains(&name.value))
    }

    /// Notes every key that must be there and is not. One that is there under a name that is nearly right, of all
    /// that may stand here, is told as a key that is unknown.
    pub fn note_missing(&self, known: &[&str], decoder: &mut Decoder) {
        let meant: Vec<Option<&str>> =
            self.rest().map(|(name, _)| nearest(&name.value, known.iter().copied())).collect();
        for (key, takes) in &self.missing {
            if meant.contains(&Some(key.as_str())) {
                continue;
            }
            decoder.report(
                Diagnostic::at(
                    Code::MissingKey,
                    self.span,
                    format!("{} needs the key `{key}`", self.what),
                )
                .help(format!("`{key}` takes {takes}")),
            );
        }
    }

    /// Notes every key that must be there and is not, and every one that nobody asked for.
    pub fn finish(self, decoder: &mut Decoder) {
        let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        self.note_missing(&known, decoder);
        for (name, node) in self.rest() {
            let known = known.iter().copied();
            decoder.unknown_key(Code::UnknownKey, &self.what, name, node, known);
        }
    }
}

/// An option's value and the place it was set at; no place means the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub span: Option<Span>,
    /// True if something else was written, which is noted, and the value only stands in for it.
    pub flawed: bool,
}

impl<T> Setting<T> {
    /// A value nobody wrote.
    pub fn default_of(value: T) -> Self {
        Setting { value, span: None, flawed: false }
    }

    /// A value in place of a wrong one.
    pub fn instead_of(value: T) -> Self {
        Setting { value, span: None, flawed: true }
    }

    /// The place, or `fallback` for a default.
    pub fn place(&self, fallback: Span) -> Span {
        self.span.unwrap_or(fallback)
    }

    /// True if nobody wrote it.
    pub fn is_default(&self) -> bool {
        self.span.is_none()
    }
}

impl Decode for String {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Text(text) => Some(text.clone()),
            _ => {
                decoder.wrong_type(node, "a text");
                None
            }
        }
    }
    fn expects() -> String {
        "a text".into()
    }
    fn show(&self) -> String {
        self.clone()
    }
    fn json_schema() -> Json {
        schema::text()
    }
}

impl Decode for bool {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.kind {
            NodeKind::Bool(value) => Some(value),
            _ => {
                decoder.wrong_type(node, "`true` or `false`");
                None
            }
        }
    }
    fn expects() -> String {
        "`true` or `false`".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn json_schema() -> Json {
        schema::scalar(json!({"type": "boolean"}))
    }
    fn to_json(&self) -> Json {
        json!(self)
    }
}

/// The number that a text stands for: `five` is 5, and a number in quotes itself.
fn number_meant(text: &str) -> Option<String> {
    const WORDS: &[&str] = &[
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let text = text.trim();
    let word = WORDS.iter().position(|word| text.eq_ignore_ascii_case(word));
    let number = || text.parse::<f64>().is_ok_and(f64::is_finite).then(|| text.to_owned());
    word.map(|number| number.to_string()).or_else(number)
}

impl Decode for i64 {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.kind {
            NodeKind::Integer(value) => Some(value),
            _ => {
                decoder.wrong_type(node, "a whole number");
                None
            }
        }
    }
    fn expects() -> String {
        "a whole number".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn json_schema() -> Json {
        schema::scalar(json!({"type": "integer"}))
    }
    fn to_json(&self) -> Json {
        json!(self)
    }
}

impl Decode for f64 {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.kind {
            NodeKind::Integer(value) => Some(value as f64),
            NodeKind::Number(value) if value.is_finite() => Some(value),
            _ => {
                decoder.wrong_type(node, "a number");
                None
            }
        }
    }
    fn expects() -> String {
        "a number".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn json_schema() -> Json {
        schema::scalar(json!({"type": "number"}))
    }
    fn to_json(&self) -> Json {
        json!(self)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(Some)
    }
    fn expects() -> String {
        T::expects()
    }
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), Decode::show)
    }
    fn json_schema() -> Json {
        T::json_schema()
    }
    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, Decode::to_json)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let NodeKind::List(items) = &node.kind else {
            decoder.wrong_type(node, &format!("a list, each entry {}", T::expects()));
            return None;
        };
        // Every entry is read, so that every mistake in the list is found.
        let read: Vec<Option<T>> = items.iter().map(|item| T::decode(item, decoder)).collect();
        read.into_iter().collect()
    }
    fn expects() -> String {
        format!("a list, each entry {}", T::expects())
    }
    fn show(&self) -> String {
        format!("[{}]", self.iter().map(Decode::show).collect::<Vec<_>>().join(", "))
    }
    fn json_schema() -> Json {
        schema::list(T::json_schema())
    }
    fn to_json(&self) -> Json {
        self.iter().map(Decode::to_json).collect()
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Some(Spanned::new(T::decode(node, decoder)?, node.span))
    }
    fn expects() -> String {
        T::expects()
    }
    fn show(&self) -> String {
        self.value.show()
    }
    fn json_schema() -> Json {
        T::json_schema()
    }
    fn to_json(&self) -> Json {
        self.value.to_json()
    }
}
