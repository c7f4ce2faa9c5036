//! Dimensions: what a `by:` names.

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{Decode, Decoder, Expression, Node, NodeKind, TimeUnit, schema};
use crate::ir::{Expr, Named, named};

/// A dimension as written.
#[derive(Debug, Clone, PartialEq)]
pub enum DimensionSpec {
    /// A segment, a column, or a calendar grain of the time role.
    Named(Spanned<String>),
    /// A calendar grain of something else: `{month: renews_at}`.
    Grain { unit: TimeUnit, of: Expression, name: Option<String>, span: Span },
    /// `{expression: amount > 100, as: large}`.
    Computed { expression: Expression, name: String, span: Span },
}

impl DimensionSpec {
    /// Where it is written.
    pub fn span(&self) -> Span {
        match self {
            DimensionSpec::Named(name) => name.span,
            DimensionSpec::Grain { span, .. } | DimensionSpec::Computed { span, .. } => *span,
        }
    }

    /// The name it gives, if it is just a name.
    pub fn as_name(&self) -> Option<&Spanned<String>> {
        match self {
            DimensionSpec::Named(name) => Some(name),
            DimensionSpec::Grain { .. } | DimensionSpec::Computed { .. } => None,
        }
    }
}

impl Decode for DimensionSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if !matches!(node.kind, NodeKind::Map(_)) {
            return Spanned::<String>::decode(node, decoder).map(DimensionSpec::Named);
        }
        let mut reader = decoder.map(node, "a dimension")?;
        let name = reader.optional::<String>("as", decoder).map(|setting| setting.value);
        let expression = reader.optional::<Expression>("expression", decoder);
        let mut grain = None;
        for unit in TimeUnit::ALL {
            if let Some(of) = reader.optional::<Expression>(unit.word(), decoder) {
                grain = Some((*unit, of.value));
            }
        }
        let span = reader.span();
        reader.finish(decoder);
        match (expression, grain) {
            (Some(expression), None) => match name {
                Some(name) => {
                    Some(DimensionSpec::Computed { expression: expression.value, name, span })
                }
                None => {
                    decoder.report(
                        Diagnostic::at(Code::MissingKey, span, "a computed dimension needs a name")
                            .help("add `as: NAME`"),
                    );
                    None
                }
            },
            (None, Some((unit, of))) => Some(DimensionSpec::Grain { unit, of, name, span }),
            _ => {
                decoder.report(
                    Diagnostic::at(Code::InvalidValue, span, "a dimension has one main key")
                        .help("write `{month: COLUMN}` or `{expression: …, as: NAME}`"),
                );
                None
            }
        }
    }
    fn expects() -> String {
        "a segment, a column, a calendar grain, `{month: COLUMN}` or `{expression: …, as: NAME}`"
            .into()
    }
    fn show(&self) -> String {
        match self {
            DimensionSpec::Named(name) => name.value.clone(),
            DimensionSpec::Grain { unit, of, name, .. } => match name {
                Some(name) => format!("{{{unit}: {}, as: {name}}}", of.text),
                None => format!("{{{unit}: {}}}", of.text),
            },
            DimensionSpec::Computed { expression, name, .. } => {
                format!("{{expression: {}, as: {name}}}", expression.text)
            }
        }
    }
    fn json_schema() -> Json {
        let mut grain = json!({"type": "object", "additionalProperties": false});
        grain["properties"]["as"] = schema::text();
        for unit in TimeUnit::ALL {
            grain["properties"][unit.word()] = Expression::json_schema();
        }
        grain["oneOf"] =
            TimeUnit::ALL.iter().map(|unit| json!({"required": [unit.word()]})).collect();
        let computed = json!({
            "type": "object",
            "properties": {"expression": Expression::json_schema(), "as": schema::text()},
            "required": ["expression", "as"],
            "additionalProperties": false,
        });
        schema::any_of([schema::text(), grain, computed])
    }
}

/// A dimension over a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    pub name: String,
    pub expr: Expr,
    /// Set for calendar grains: the value is the period's start.
    pub grain: Option<TimeUnit>,
}

impl Dimension {
    /// As a key of an aggregate.
    pub fn key(&self) -> Named<Expr> {
        named(&self.name, self.expr.clone())
    }
}
