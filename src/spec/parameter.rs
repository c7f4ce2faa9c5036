//! One parameter: its type, what bounds it, and its value.

use serde_json::{Value as Json, json};

use super::parameters::Parameters;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    Decode, Decoder, Instant, Interval, Node, NodeKind, Options, Share, parse_instant, schema,
};
use crate::frame::Value;

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
    pub(super) struct ParameterKeys("a parameter") {
        /// The type of its values.
        r#type: ParameterType,
        /// The value, unless `--set params.NAME=…` gives another.
        default: Option<Node> = None,
        /// The smallest value allowed.
        min: Option<Node> = None,
        /// The largest value allowed.
        max: Option<Node> = None,
        /// The values allowed, as a list.
        r#in: Option<Node> = None,
        /// What it is for.
        description: Option<String> = None,
    }
}

/// What a parameter takes, as a JSON Schema: its values are of its type.
pub(super) fn json_schema() -> Json {
    let mut schema = ParameterKeys::json_schema();
    let of_type = |kind: &ParameterType| {
        let form = kind.form();
        let values = json!({"default": form, "min": form, "max": form, "in": schema::list(form)});
        json!({
            "if": {"properties": {"type": {"const": kind.word()}}, "required": ["type"]},
            "then": {"properties": values},
        })
    };
    schema["allOf"] = ParameterType::ALL.iter().map(of_type).collect();
    schema
}

impl ParameterType {
    /// A value as it is written; `None` if it is not one of this type.
    fn value_of(self, written: &str) -> Option<Value> {
        Some(match self {
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

    /// A value to show how one is written.
    fn example(self) -> &'static str {
        match self {
            ParameterType::Path => "data/orders",
            ParameterType::String => "completed",
            ParameterType::Int => "5",
            ParameterType::Float => "0.5",
            ParameterType::Bool => "true",
            ParameterType::Date => "2026-11-01",
            ParameterType::Duration => "90d",
            ParameterType::Share => "95%",
        }
    }

    /// The form of a value, as a JSON Schema.
    fn form(self) -> Json {
        match self {
            ParameterType::Path | ParameterType::String => {
                json!({"type": ["string", "number", "boolean"]})
            }
            // A number or a truth value may also stand in quotes.
            ParameterType::Int => {
                schema::any_of([json!({"type": "integer"}), schema::matching("^[-+]?[0-9]+$")])
            }
            ParameterType::Float => {
                let written = schema::matching("^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$");
                schema::any_of([json!({"type": "number"}), written])
            }
            ParameterType::Bool => {
                schema::any_of([json!({"type": "boolean"}), schema::matching("^(true|false)$")])
            }
            ParameterType::Date => Instant::json_schema(),
            ParameterType::Duration => Interval::json_schema(),
            ParameterType::Share => Share::json_schema(),
        }
    }
}

/// What a value of a parameter must be.
struct Rule<'a> {
    name: &'a str,
    kind: ParameterType,
    least: Option<Value>,
    most: Option<Value>,
    /// The values allowed, if they are listed, and how they are written.
    allowed: Option<Vec<(Value, String)>>,
}

impl Rule<'_> {
    /// The value of a scalar of the document; anything else is noted.
    fn of_node(&self, node: &Node, decoder: &mut Decoder) -> Option<Value> {
        match node.kind {
            // What is not known is noted already.
            NodeKind::Unknown => None,
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                self.refuse(Code::WrongType, &node.describe(), Some(node.span), decoder);
                None
            }
            _ => self.of_text(&node.written, Some(node.span), decoder),
        }
    }

    /// The value that a text stands for; `span` is absent on the command line.
    fn of_text(&self, text: &str, span: Option<Span>, decoder: &mut Decoder) -> Option<Value> {
        let value = self.kind.value_of(text);
        if value.is_none() {
            let found = if text.is_empty() { "an empty text" } else { &format!("`{text}`") };
            self.refuse(Code::InvalidValue, found, span, decoder);
        }
        value
    }

    fn refuse(&self, code: Code, found: &str, span: Option<Span>, decoder: &mut Decoder) {
        let message = format!("expected a value of type `{}`, found {found}", self.kind);
        let diagnostic = self.diagnostic(code, message, span);
        decoder.report(diagnostic.help(format!("write it like `{}`", self.kind.example())));
    }

    fn diagnostic(&self, code: Code, message: String, span: Option<Span>) -> Diagnostic {
        match span {
            Some(span) => Diagnostic::at(code, span, message),
            None => Diagnostic::new(code, format!("`--set params.{}`: {message}", self.name)),
        }
    }

    /// Notes a value that is out of bounds.
    fn bound(&self, value: &Value, text: &str, span: Option<Span>, decoder: &mut Decoder) {
        let mut wrong = |message| {
            decoder.report(self.diagnostic(Code::InvalidValue, message, span));
        };
        if self.least.as_ref().is_some_and(|least| value < least) {
            wrong(format!("`{text}` is below the parameter's `min`"));
        }
        if self.most.as_ref().is_some_and(|most| value > most) {
            wrong(format!("`{text}` is above the parameter's `max`"));
        }
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|(known, _)| known == value)
        {
            let written: Vec<&str> = allowed.iter().map(|(_, written)| written.as_str()).collect();
            wrong(format!("`{text}` is none of {}", crate::diagnostic::list(&written)));
        }
    }
}

/// A value, as it is written and as expressions see it.
pub(super) struct Given {
    pub written: String,
    pub value: Value,
    /// Whether it says where something is.
    pub is_path: bool,
}

/// Reads one parameter: `set` is its value on the command line, `so_far` are those before it. `None`
/// if it has no value or a wrong one, which is noted.
pub(super) fn read(
    name: &Spanned<String>,
    node: &Node,
    set: Option<&str>,
    so_far: &Parameters,
    decoder: &mut Decoder,
) -> Option<Given> {
    let mut reader = decoder.map(node, &format!("the parameter `{}`", name.value))?;
    let keys = ParameterKeys::read(&mut reader, decoder);
    reader.finish(decoder);
    let keys = keys?;
    let kind = keys.r#type.value;
    let filled = |node: Option<Node>, decoder: &mut Decoder| {
        node.map(|mut node| {
            so_far.fill(&mut node, decoder);
            node
        })
    };
    let mut rule = Rule { name: &name.value, kind, least: None, most: None, allowed: None };
    let least = filled(keys.min.value, decoder);
    rule.least = least.and_then(|node| rule.of_node(&node, decoder));
    let most = filled(keys.max.value, decoder);
    rule.most = most.and_then(|node| rule.of_node(&node, decoder));
    rule.allowed = match filled(keys.r#in.value, decoder) {
        Some(Node { kind: NodeKind::List(items), .. }) => {
            let values = items.iter();
            let values = values
                .filter_map(|item| Some((rule.of_node(item, decoder)?, item.written.clone())));
            Some(values.collect())
        }
        Some(other) => {
            decoder.wrong_type(&other, &format!("a list of values of type `{kind}`"));
            None
        }
        None => None,
    };
    let (written, span, value) = match (set, filled(keys.default.value, decoder)) {
        (Some(text), _) => (text.to_owned(), None, rule.of_text(text, None, decoder)?),
        (None, Some(node)) => {
            let value = rule.of_node(&node, decoder)?;
            (node.written, Some(node.span), value)
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
    rule.bound(&value, &written, span, decoder);
    Some(Given { written, value, is_path: kind == ParameterType::Path })
}
