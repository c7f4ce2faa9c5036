//! `params`, `env`, and putting their values into the text leaves of a document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    Decode, Decoder, Instant, Interval, Node, NodeKind, Options, Share, parse_instant,
};
use crate::frame::{DataType, Value};
use crate::ir::parse::UNDECLARED;

crate::choice! {
    /// The type of a parameter.
    pub enum ParameterType {
        Path = "path",
        String = "string",
        Int = "int",
        Float = "float",
        Bool = "bool",
        Date = "date",
        Duration = "duration",
        Share = "share",
    }
}

crate::options! {
    /// A parameter.
    struct ParameterKeys("a parameter") {
        /// The type of its values.
        r#type: ParameterType,
        /// The value, unless `--set params.NAME=…` gives another.
        default: Option<Node> = None,
        /// The smallest value allowed.
        min: Option<Node> = None,
        /// The largest value allowed.
        max: Option<Node> = None,
        /// The values allowed.
        r#in: Option<Node> = None,
        /// What it is for.
        description: Option<String> = None,
    }
}

/// What a parameter takes, as a JSON Schema.
pub(super) fn json_schema() -> Json {
    ParameterKeys::json_schema()
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

    /// Reads `env` and `params`. `set` are the command line's values, `variable` looks up the
    /// environment.
    pub fn read(
        env: Option<&Node>,
        params: Option<&Node>,
        set: &BTreeMap<String, String>,
        variable: &dyn Fn(&str) -> Option<String>,
        decoder: &mut Decoder,
    ) -> Self {
        let mut parameters = Parameters::default();
        if let Some(node) = env
            && let Some(names) = Vec::<Spanned<String>>::decode(node, decoder)
        {
            for name in names {
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
            match parameter(&name, node, given, &parameters, decoder) {
                Some(value) => {
                    if node.get("type").is_some_and(|kind| kind.written == "path") {
                        parameters.paths.insert(name.value.clone());
                    }
                    parameters.values.insert(full, value);
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

fn parameter(
    name: &Spanned<String>,
    node: &Node,
    given: Option<&str>,
    so_far: &Parameters,
    decoder: &mut Decoder,
) -> Option<(String, Value, DataType)> {
    let mut reader = decoder.map(node, "a parameter")?;
    let keys = ParameterKeys::read(&mut reader, decoder);
    reader.finish(decoder);
    let keys = keys?;
    let kind = keys.r#type.value;
    let (written, span) = match (given, keys.default.value) {
        (Some(given), _) => (given.to_owned(), None),
        (None, Some(mut default)) => {
            so_far.fill(&mut default, decoder);
            (default.written.clone(), Some(default.span))
        }
        (None, None) => {
            decoder.report(
                Diagnostic::at(
                    Code::MissingKey,
                    name.span,
                    format!("the parameter `{}` has no value", name.value),
                )
                .help(format!("give it a `default`, or `--set params.{}=…`", name.value)),
            );
            return None;
        }
    };
    let wrong = |decoder: &mut Decoder, what: String| {
        let message = match span {
            Some(_) => what,
            None => format!("`--set params.{}={written}`: {what}", name.value),
        };
        let mut diagnostic = Diagnostic::new(Code::InvalidValue, message.clone());
        if let Some(span) = span {
            diagnostic = Diagnostic::at(Code::InvalidValue, span, message);
        }
        decoder.report(diagnostic);
    };
    let Some(value) = value_of(kind, &written) else {
        wrong(decoder, format!("expected a value of type {kind}, found `{written}`"));
        return None;
    };
    let bound = |node: &Option<Node>| node.as_ref().and_then(|n| value_of(kind, &n.written));
    if bound(&keys.min.value).is_some_and(|least| value < least) {
        wrong(decoder, format!("`{written}` is below the parameter's `min`"));
    }
    if bound(&keys.max.value).is_some_and(|most| value > most) {
        wrong(decoder, format!("`{written}` is above the parameter's `max`"));
    }
    if let Some(NodeKind::List(items)) = keys.r#in.value.as_ref().map(|node| &node.kind) {
        let allowed: Vec<&str> = items.iter().map(|item| item.written.as_str()).collect();
        if !items.iter().any(|item| value_of(kind, &item.written).as_ref() == Some(&value)) {
            wrong(decoder, format!("`{written}` is none of {}", crate::diagnostic::list(&allowed)));
        }
    }
    let data_type = value.data_type().unwrap_or(DataType::String);
    Some((written, value, data_type))
}

fn value_of(kind: ParameterType, written: &str) -> Option<Value> {
    Some(match kind {
        ParameterType::Path | ParameterType::String => Value::text(written),
        ParameterType::Int => Value::Int(written.parse().ok()?),
        ParameterType::Float => {
            Value::Float(written.parse::<f64>().ok().filter(|value| value.is_finite())?)
        }
        ParameterType::Bool => Value::Bool(written.parse().ok()?),
        ParameterType::Date => match parse_instant(written)? {
            Instant::Date(days) => Value::Date(days),
            _ => return None,
        },
        ParameterType::Duration => match Interval::parse(written).ok()? {
            Interval { months: 0, micros } => Value::Duration(micros),
            _ => return None,
        },
        ParameterType::Share => {
            let percent = written.strip_suffix('%')?.trim().parse::<f64>().ok()?;
            let Share(share) = Share(percent / 100.0);
            Value::finite(share)
        }
    })
}
