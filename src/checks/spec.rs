//! A check as written.

use super::registry::{Check, CheckKind, find, registry};
use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{
    Decoder, Expression, Field, Node, Options, Setting, Share, schema, summary_of,
};

crate::choice! {
    /// What a check that does not hold means for the run.
    pub enum Severity {
        /// Nothing is published.
        Error = "error",
        /// The tables are published, and it is said.
        Warn = "warn",
    }
}

crate::options! {
    /// What every check takes besides its kind.
    struct CommonKeys("a check") {
        /// Rows for which this is not true are not looked at.
        r#where: Option<Expression> = None,
        /// What it is for.
        description: Option<String> = None,
    }
}

crate::options! {
    /// What a check of the `checks` block takes besides.
    struct BlockKeys("a check") {
        /// The table that is looked at: a source, a stage or a companion.
        from: Spanned<String>,
        /// What a failure means: an error ends the run with exit status 3.
        severity: Severity = Severity::Error,
        /// The share of rows that may fail.
        tolerate: Share = Share(0.0),
    }
}

/// Where a check is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the pipeline's `checks` block: about the table that its `from` names.
    Block,
    /// In a stage: about the stage's input, whose rows it sorts.
    Stage,
}

/// A check as written.
#[derive(Debug)]
pub struct CheckSpec {
    pub name: Spanned<String>,
    /// Always there in the `checks` block, never in a stage.
    pub from: Option<Spanned<String>>,
    /// Rows for which this is not true are not looked at.
    pub condition: Option<Expression>,
    /// The kind, and the place of its key.
    pub kind: Spanned<&'static CheckKind>,
    pub check: Box<dyn Check>,
    pub severity: Setting<Severity>,
    /// The share of rows that may break it.
    pub tolerate: Setting<Share>,
    pub description: Option<String>,
}

/// The kinds of checks that a place takes.
fn fitting(place: Place) -> impl Iterator<Item = &'static CheckKind> {
    registry().iter().filter(move |kind| place == Place::Block || kind.row_level)
}

impl CheckSpec {
    /// The keys beside the kind.
    pub fn common_fields(place: Place) -> Vec<Field> {
        match place {
            Place::Block => BlockKeys::fields().into_iter().chain(CommonKeys::fields()).collect(),
            Place::Stage => CommonKeys::fields(),
        }
    }

    /// What a check takes, as a JSON Schema.
    pub fn json_schema(place: Place) -> Json {
        let kinds =
            fitting(place).map(|kind| (kind.name, summary_of(kind.source), (kind.fields)()));
        schema::one_kind(&Self::common_fields(place), kinds)
    }

    /// Reads one check; `None` if it cannot be used, which is noted.
    pub fn decode(
        name: &Spanned<String>,
        node: &Node,
        place: Place,
        decoder: &mut Decoder,
    ) -> Option<Self> {
        let what = format!("the check `{}`", name.value);
        let mut reader = decoder.map(node, &what)?;
        let common = CommonKeys::read(&mut reader, decoder);
        let block = match place {
            Place::Block => BlockKeys::read(&mut reader, decoder),
            Place::Stage => None,
        };
        if let Some(Setting { value: Share(share), span, .. }) = block.as_ref().map(|b| b.tolerate)
            && !(0.0..=1.0).contains(&share)
        {
            decoder.report(Diagnostic::at(
                Code::InvalidValue,
                span.unwrap_or(name.span),
                "`tolerate` lies between 0% and 100%",
            ));
        }
        let keys = Self::common_fields(place);
        let keys = keys.iter().map(|field| field.key.as_str());
        let known: Vec<&str> = fitting(place).map(|kind| kind.name).chain(keys).collect();
        reader.note_missing(&known, decoder);
        let (kinds, others): (Vec<_>, Vec<_>) =
            reader.rest().partition(|(key, _)| find(&key.value).is_some());
        for (key, value) in &others {
            if key.value == "drift" {
                decoder.report(
                    Diagnostic::at(
                        Code::Unsupported,
                        key.span,
                        "the check `drift` against the previous run is not there yet",
                    )
                    .help("`range` or `every_row` over a table of metrics bounds a figure"),
                );
                continue;
            }
            let common = Self::common_fields(place);
            let common = common.iter().map(|field| field.key.as_str());
            let known = fitting(place).map(|kind| kind.name).chain(common);
            decoder.unknown_key(Code::UnknownKey, &what, key, value, known);
        }
        let (kind, check) = match kinds.as_slice() {
            [(key, body)] => {
                let kind = find(&key.value)?;
                (Spanned::new(kind, key.span), (kind.decode)(body, decoder))
            }
            [] => {
                if others.is_empty() {
                    let names: Vec<&str> = fitting(place).map(|kind| kind.name).collect();
                    decoder.report(
                        Diagnostic::at(Code::MissingKey, name.span, format!("{what} has no kind"))
                            .help(format!("give it one of {}", crate::diagnostic::list(&names))),
                    );
                }
                return None;
            }
            [(first, _), (second, _), ..] => {
                decoder.report(
                    Diagnostic::at(
                        Code::InvalidValue,
                        second.span,
                        format!("{what} has two kinds"),
                    )
                    .and(first.span, "the first is here")
                    .help("make two checks of it"),
                );
                return None;
            }
        };
        if place == Place::Block && block.is_none() {
            return None;
        }
        let CommonKeys { r#where, description } = common?;
        let severity = block.as_ref().map(|block| block.severity);
        let tolerate = block.as_ref().map(|block| block.tolerate);
        Some(CheckSpec {
            name: name.clone(),
            from: block.map(|block| block.from.value),
            condition: r#where.value,
            kind,
            check: check?,
            severity: severity.unwrap_or(Setting::default_of(Severity::Error)),
            tolerate: tolerate.unwrap_or(Setting::default_of(Share(0.0))),
            description: description.value,
        })
    }

    /// Kind and options as YAML.
    pub fn written(&self) -> String {
        format!("{}: {}", self.kind.value.name, self.check.written())
    }
}
