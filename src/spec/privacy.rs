//! What must not be read from what is published, as written.

use serde_json::Value as Json;

use super::parameters::{Parameters, Secret};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{Decode, Decoder, Node, NodeKind, Setting};
use crate::ir::PseudonymKey;
use crate::ir::parse::UNDECLARED;
use crate::ir::personal::{Policy, Showing};
use crate::stats::suppress::SmallGroups;

crate::choice! {
    /// Which groups are hidden.
    pub enum Suppress {
        /// The small ones, and others with them where a total would reveal them.
        Complementary = "complementary",
        /// The small ones only: a total less the other groups gives them away.
        Plain = "plain",
    }
}

crate::choice! {
    /// How the column of the customer is shown.
    pub enum Customers {
        /// As it is.
        Plain = "plain",
        /// As pseudonyms.
        Hashed = "hashed",
        /// As stars.
        Masked = "masked",
    }
}

crate::choice! {
    /// What becomes of personal columns.
    pub enum Pii {
        /// They are left out.
        Drop = "drop",
        /// Pseudonyms take their place.
        Hash = "hash",
    }
}

/// The variable of the environment that holds the key of pseudonyms, `${env.NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVariable(Spanned<String>);

impl KeyVariable {
    /// The variable that a text names, if it names one and nothing else.
    pub(super) fn named_in(text: &str) -> Option<&str> {
        let name = text.trim().strip_prefix("${env.")?.strip_suffix('}')?;
        (!name.is_empty() && !name.contains([':', '}', '$'])).then_some(name)
    }
}

impl Decode for KeyVariable {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if let NodeKind::Text(text) = &node.kind
            && let Some(name) = Self::named_in(text)
        {
            return Some(KeyVariable(Spanned::new(name.to_owned(), node.span)));
        }
        // Without its place, whose line would be printed: it may be a secret.
        decoder.report(
            Diagnostic::new(
                Code::InvalidValue,
                "`privacy.key` names a variable of the environment and nothing else: a secret has no place in the \
                 pipeline",
            )
            .help(HOW),
        );
        None
    }
    fn expects() -> String {
        "a variable of the environment, such as `${env.TENURE_KEY}`".to_owned()
    }
    fn show(&self) -> String {
        format!("${{env.{}}}", self.0.value)
    }
    fn json_schema() -> Json {
        serde_json::json!({"type": "string", "pattern": r"^\$\{env\.[^}:]+\}$"})
    }
}

/// How a key is given.
const HOW: &str = "write `env: [TENURE_KEY]` at the top and `key: ${env.TENURE_KEY}` here";

crate::options! {
    /// The `privacy` block.
    pub struct PrivacyBlock("`privacy`") {
        /// The least number of customers of a group that is shown; absent: all groups are.
        min_group_size: Option<i64> = None,
        /// Which groups are hidden.
        suppress: Suppress = Suppress::Complementary,
        /// How customers are shown: the columns that identify them and what is computed from those, in published
        /// tables, in the report, in rows that break a check and by `tenure show`. Of a column of the customer that is
        /// also `pii`, this says how it is shown, unless it is `plain`.
        customers: Customers = Customers::Plain,
        /// What becomes of columns marked `pii`, and of what is computed from them.
        pii: Pii = Pii::Drop,
        /// The variable with the key of pseudonyms, `${env.NAME}`, which `env` lists. It has 16 characters or more. It
        /// is not printed and stands in no output; the pipeline may name it nowhere else.
        key: Option<KeyVariable> = None,
    }
}

impl PrivacyBlock {
    /// Which groups are too small; a size that is none is noted.
    pub(super) fn small_groups(&self, around: Span, decoder: &mut Decoder) -> Option<SmallGroups> {
        let written = self.min_group_size.value?;
        let least = u64::try_from(written).ok().filter(|&least| least > 1);
        if least.is_none() {
            let message = format!("`min_group_size` is at least 2, not {written}");
            let place = self.min_group_size.place(around);
            decoder.report(
                Diagnostic::at(Code::InvalidValue, place, message)
                    .help("write `min_group_size: 10`, or leave it out to show every group"),
            );
        }
        let complementary = self.suppress.value == Suppress::Complementary;
        Some(SmallGroups { least: least?, complementary })
    }

    /// How what is personal is shown; a key that is needed and not there is noted.
    pub(super) fn policy(
        &self,
        parameters: &Parameters,
        around: Span,
        decoder: &mut Decoder,
    ) -> Policy {
        let key = self.pseudonym_key(parameters, decoder);
        let hashed = |written: Option<Span>, what: &str, decoder: &mut Decoder| match key {
            Ok(Some(key)) => Showing::Hashed(key),
            // Nothing is shown in its place, and nothing is run.
            Err(Noted) => Showing::Dropped,
            Ok(None) => {
                let message = format!("`{what}` needs the key of pseudonyms, `key`");
                let place = written.unwrap_or(around);
                decoder.report(Diagnostic::at(Code::MissingKey, place, message).help(HOW));
                Showing::Dropped
            }
        };
        Policy {
            pii: match self.pii.value {
                Pii::Drop => Showing::Dropped,
                Pii::Hash => hashed(self.pii.span, "pii: hash", decoder),
            },
            customers: match self.customers.value {
                Customers::Plain => Showing::Plain,
                Customers::Masked => Showing::Masked,
                Customers::Hashed => hashed(self.customers.span, "customers: hashed", decoder),
            },
        }
    }

    fn pseudonym_key(
        &self,
        parameters: &Parameters,
        decoder: &mut Decoder,
    ) -> Result<Option<PseudonymKey>, Noted> {
        let Setting { value: Some(KeyVariable(variable)), .. } = &self.key else {
            return if self.key.flawed { Err(Noted) } else { Ok(None) };
        };
        let name = &variable.value;
        let wrong = |message: String| Diagnostic::at(Code::InvalidValue, variable.span, message);
        let diagnostic = match parameters.secret() {
            Some(Secret::Key(key)) => return Ok(Some(*key)),
            Some(Secret::Missing) => {
                wrong(format!("the variable `{name}` is not set, and it is the key of pseudonyms"))
                    .help(format!(
                        "set it for the run and keep it, for with another key the pseudonyms are others: \
                         `export {name}=$(openssl rand -hex 32)` makes one"
                    ))
            }
            Some(Secret::TooShort) => wrong(format!(
                "the key of pseudonyms in the variable `{name}` has fewer than {} characters and can be guessed",
                Secret::LEAST
            ))
            .help(format!("`export {name}=$(openssl rand -hex 32)` makes one that cannot")),
            None => Diagnostic::at(
                Code::UnknownParameter,
                variable.span,
                format!("`env.{name}` is not declared"),
            )
            .note(UNDECLARED)
            .help(format!("write `env: [{name}]` at the top")),
        };
        decoder.report(diagnostic);
        Err(Noted)
    }
}

/// There is no key, and it is noted why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Noted;
