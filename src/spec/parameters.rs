//! `params`, `env`, and putting their values into the text leaves of a document.

use std::collections::{BTreeMap, BTreeSet};

use super::parameter::{self, Given};
use super::privacy::KeyVariable;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{Decode, Decoder, Node, NodeKind};
use crate::frame::{DataType, Value};
use crate::ir::PseudonymKey;
use crate::ir::parse::UNDECLARED;

/// The key of pseudonyms, as the environment has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Secret {
    Key(PseudonymKey),
    /// The variable is not set, or empty.
    Missing,
    TooShort,
}

impl Secret {
    /// The fewest characters of a key.
    pub const LEAST: usize = 16;

    fn read(value: Option<String>) -> Self {
        match value.unwrap_or_default() {
            text if text.is_empty() => Secret::Missing,
            text if text.chars().count() < Self::LEAST => Secret::TooShort,
            text => Secret::Key(PseudonymKey::new(&text)),
        }
    }
}

/// Values of `params.x` and `env.X`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// Under `params.x` and `env.X`: the value as it is written, and as expressions see it.
    values: BTreeMap<String, (String, Value, DataType)>,
    /// Names of those that are paths.
    paths: BTreeSet<String>,
    /// Names whose value is wrong, which is noted.
    broken: BTreeSet<String>,
    /// The variable that holds the key of pseudonyms. It is none of the values, so that nothing can print it.
    secret: Option<(String, Secret)>,
}

impl Parameters {
    /// Typed values for expressions; a value that is wrong is null, which fits everywhere.
    pub fn typed(&self) -> BTreeMap<String, (Value, DataType)> {
        let typed = |(name, (_, value, data_type)): (&String, &(String, Value, DataType))| {
            (name.clone(), (value.clone(), *data_type))
        };
        let broken = self.broken.iter().map(|name| (name.clone(), (Value::Null, DataType::String)));
        self.values.iter().map(typed).chain(broken).collect()
    }

    /// Whether a parameter says where something is, and not what is computed.
    pub fn is_path(&self, name: &str) -> bool {
        self.paths.contains(name)
    }

    /// Names and written values, for the manifest.
    pub fn written(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, (written, _, _))| (name.as_str(), written.as_str()))
    }

    /// The key of pseudonyms, if `env` lists its variable.
    pub(super) fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref().map(|(_, secret)| secret)
    }

    /// Reads `env` and `params` of a document. `set` are the command line's values, `variable` looks up the
    /// environment.
    pub fn read(
        document: &Node,
        set: &BTreeMap<String, String>,
        variable: &dyn Fn(&str) -> Option<String>,
        decoder: &mut Decoder,
    ) -> Self {
        let mut parameters = Parameters::default();
        let secret = document.get("privacy").and_then(|privacy| privacy.get("key"));
        let secret = secret.and_then(|key| match &key.kind {
            NodeKind::Text(text) => KeyVariable::named_in(text),
            _ => None,
        });
        let params = document.get("params");
        if let Some(node) = document.get("env")
            && let Some(names) = Vec::<Spanned<String>>::decode(node, decoder)
        {
            for name in names {
                if secret == Some(name.value.as_str()) {
                    let value = Secret::read(variable(&name.value));
                    parameters.secret = Some((format!("env.{}", name.value), value));
                    continue;
                }
                let value = variable(&name.value).unwrap_or_default();
                let typed = (value.clone(), Value::text(value), DataType::String);
                parameters.values.insert(format!("env.{}", name.value), typed);
            }
        }
        let mut known = Vec::new();
        for (name, node) in params.map(|node| decoder.named(node, "parameters")).unwrap_or_default()
        {
            known.push(name.value.clone());
            let given = set.get(&name.value).map(String::as_str);
            let full = format!("params.{}", name.value);
            match parameter::read(&name, node, given, &parameters, decoder) {
                Some(Given { written, value, is_path }) => {
                    if is_path {
                        parameters.paths.insert(name.value.clone());
                    }
                    let data_type = value.data_type().unwrap_or(DataType::String);
                    parameters.values.insert(full, (written, value, data_type));
                }
                None => drop(parameters.broken.insert(full)),
            }
        }
        for name in set.keys().filter(|name| !known.contains(name)) {
            let mut diagnostic = Diagnostic::new(
                Code::UnknownParameter,
                format!("`--set params.{name}` names a parameter that the pipeline does not have"),
            );
            let near = crate::diagnostic::nearest(name, known.iter().map(String::as_str));
            diagnostic.help = near.map(|near| format!("a similar name exists: `params.{near}`"));
            decoder.report(diagnostic);
        }
        parameters
    }

    /// Puts values into the text leaves of a document, but for `params`, which was filled as it was read, each
    /// value from those before it, and for the key of pseudonyms, which is put into no text.
    pub fn fill_document(&self, document: &mut Node, decoder: &mut Decoder) {
        let NodeKind::Map(entries) = &mut document.kind else { return };
        for (name, value) in entries.iter_mut().filter(|(key, _)| key.value != "params") {
            match &mut value.kind {
                NodeKind::Map(keys) if name.value == "privacy" => {
                    let keys = keys.iter_mut().filter(|(key, _)| key.value != "key");
                    keys.for_each(|(_, value)| self.fill(value, decoder));
                }
                _ => self.fill(value, decoder),
            }
        }
    }

    /// Puts values into the text leaves of a tree.
    pub fn fill(&self, node: &mut Node, decoder: &mut Decoder) {
        match &mut node.kind {
            NodeKind::List(items) => items.iter_mut().for_each(|item| self.fill(item, decoder)),
            NodeKind::Map(entries) => {
                entries.iter_mut().for_each(|(_, value)| self.fill(value, decoder));
            }
            NodeKind::Text(text) if text.contains("${") => {
                let template = text.clone();
                let (filled, whole, known) =
                    self.replace(&template, node.span, node.verbatim, decoder);
                node.kind = match whole {
                    _ if !known => NodeKind::Unknown,
                    Some(Value::Int(value)) => NodeKind::Integer(value),
                    Some(Value::Float(value)) if !filled.ends_with('%') => NodeKind::Number(value),
                    Some(Value::Bool(value)) => NodeKind::Bool(value),
                    _ => NodeKind::Text(filled.clone()),
                };
                node.written = filled;
                node.template = Some(template);
            }
            _ => {}
        }
    }

    /// The text with values put in; if it is nothing but one parameter, that parameter's value; and
    /// whether all values are known.
    fn replace(
        &self,
        text: &str,
        span: Span,
        verbatim: Option<usize>,
        decoder: &mut Decoder,
    ) -> (String, Option<Value>, bool) {
        let mut filled = String::new();
        let (mut whole, mut known) = (None, true);
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            filled.push_str(&rest[..start]);
            let at = text.len() - rest.len() + start;
            let Some(length) = rest[start..].find('}') else {
                decoder.report(
                    Diagnostic::at(Code::InvalidValue, span, "`${` without its `}`")
                        .help("write `${params.NAME}` or `${env.NAME}`"),
                );
                return (filled, None, false);
            };
            let inner = &rest[start + 2..start + length];
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            let place = match verbatim {
                Some(first) => Span::new(first + at, first + at + length + 1),
                None => span,
            };
            match (self.values.get(name), default) {
                (Some((written, _, _)), Some(default)) if written.is_empty() => {
                    filled.push_str(default);
                }
                (Some((written, value, _)), _) => {
                    filled.push_str(written);
                    whole = (text.len() == length + 1).then(|| value.clone());
                }
                (None, _) if self.broken.contains(name) => known = false,
                (None, _) if self.secret.as_ref().is_some_and(|(secret, _)| secret == name) => {
                    known = false;
                    decoder.report(
                        Diagnostic::at(
                            Code::InvalidValue,
                            place,
                            format!("`{name}` is the key of pseudonyms, which nothing may show"),
                        )
                        .help("name another variable; only `privacy.key` reads this one"),
                    );
                }
                (None, _) => {
                    known = false;
                    decoder.report(
                        Diagnostic::unknown(
                            Code::UnknownParameter,
                            place,
                            format!("`{name}` is not declared"),
                            name,
                            self.values.keys().map(String::as_str),
                        )
                        .note(UNDECLARED),
                    )
                }
            }
            rest = &rest[start + length + 1..];
        }
        filled.push_str(rest);
        (filled, whole, known)
    }
}
