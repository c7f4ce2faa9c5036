//! Values that hold other values.

use serde_json::{Value as Json, json};

use super::{Decode, Decoder, Node, NodeKind, schema};
use crate::diagnostic::Spanned;

/// A map from names to things, in the order of the text; a thing that is wrong is noted and left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Entries<T> {
    /// No entries.
    pub const NONE: Self = Entries(Vec::new());
}

impl<T: Decode> Decode for Entries<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let named = decoder.named(node, "their definitions");
        let read =
            named.into_iter().filter_map(|(name, node)| Some((name, T::decode(node, decoder)?)));
        Some(Entries(read.collect()))
    }
    fn expects() -> String {
        "a map from names to their definitions".into()
    }
    fn show(&self) -> String {
        let entries =
            self.0.iter().map(|(name, thing)| format!("{}: {}", name.value, thing.show()));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
    }
    fn json_schema() -> Json {
        schema::named(T::json_schema())
    }
    fn to_json(&self) -> Json {
        let entries = self.0.iter().map(|(name, thing)| (name.value.clone(), thing.to_json()));
        Json::Object(entries.collect())
    }
    fn stand_in() -> Option<Self> {
        Some(Self::NONE)
    }
}

/// One thing, or a list of things.
#[derive(Debug, Clone, PartialEq)]
pub struct Several<T>(pub Vec<T>);

impl<T: Decode> Decode for Several<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.kind {
            NodeKind::List(_) => Vec::decode(node, decoder).map(Several),
            _ => T::decode(node, decoder).map(|one| Several(vec![one])),
        }
    }
    fn expects() -> String {
        format!("{}, or a list of such", T::expects())
    }
    fn show(&self) -> String {
        match self.0.as_slice() {
            [one] => one.show(),
            several => format!("[{}]", several.iter().map(T::show).collect::<Vec<_>>().join(", ")),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([T::json_schema(), schema::list(T::json_schema())])
    }
    fn to_json(&self) -> Json {
        self.0.iter().map(T::to_json).collect()
    }
}

/// A value as it stands, to be read later.
impl Decode for Node {
    fn decode(node: &Node, _: &mut Decoder) -> Option<Self> {
        Some(node.clone())
    }
    fn expects() -> String {
        "a value".into()
    }
    fn show(&self) -> String {
        self.written.clone()
    }
    fn json_schema() -> Json {
        json!({})
    }
    fn to_json(&self) -> Json {
        Json::Null
    }
}
