//! Alerts as written.

use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{Decode, Decoder, Expression, Node, schema};

crate::choice! {
    /// How much an alert matters.
    pub enum AlertSeverity {
        /// Somebody has to act.
        Critical = "critical",
        /// It may need to be looked into.
        Warn = "warn",
        /// It is worth knowing.
        Info = "info",
    }
}

crate::options! {
    /// One entry of `alerts`.
    pub struct AlertBlock("an alert") {
        /// The table that is watched: a source, a stage or a companion.
        from: Spanned<String>,
        /// The alert is raised by each row for which this is true; null is not true.
        when: Expression,
        /// How much it matters. No severity changes what is published or the exit status.
        severity: AlertSeverity = AlertSeverity::Warn,
        /// What is said. `{column}` stands for the value in the first row that raised it, as the report
        /// writes it; `{{` and `}}` are braces. A column that is personal (`pii`) cannot be named.
        say: Sentence,
    }
}

/// A sentence with columns in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    pub pieces: Vec<Piece>,
    text: String,
}

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// The name of a column, and where it stands.
    Column(Spanned<String>),
}

impl Sentence {
    /// The columns that are named, each with its place.
    pub fn columns(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name),
            Piece::Text(_) => None,
        })
    }
}

/// The pieces of a text that begins at some place in the document.
///
/// Errors: a brace without its partner, or nothing between two.
fn pieces(text: &str, place: &dyn Fn(usize, usize) -> Span) -> Result<Vec<Piece>, Spanned<String>> {
    let fault = |at: usize, length: usize, message: &str| {
        Err(Spanned::new(message.to_owned(), place(at, at + length)))
    };
    let (mut found, mut words, mut at) = (Vec::new(), String::new(), 0);
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        match next {
            '{' | '}' if rest[1..].starts_with(next) => {
                words.push(next);
                at += 2;
            }
            '}' => return fault(at, 1, "a `}` without a `{` before it"),
            '{' => {
                let Some(length) = rest.find('}') else {
                    return fault(at, 1, "a `{` without a `}` after it");
                };
                let name = rest[1..length].trim();
                if name.is_empty() {
                    return fault(at, length + 1, "no column between `{` and `}`");
                }
                if !words.is_empty() {
                    found.push(Piece::Text(std::mem::take(&mut words)));
                }
                let name = Spanned::new(name.to_owned(), place(at, at + length + 1));
                found.push(Piece::Column(name));
                at += length + 1;
            }
            _ => {
                words.push(next);
                at += next.len_utf8();
            }
        }
    }
    if !words.is_empty() {
        found.push(Piece::Text(words));
    }
    Ok(found)
}

impl Decode for Sentence {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        // A text into which parameters were put does not stand in the document as it is.
        let verbatim = node.verbatim.filter(|_| node.template.is_none());
        let place = |start: usize, end: usize| match verbatim {
            Some(at) => Span::new(at + start, at + end),
            None => node.span,
        };
        match pieces(&text, &place) {
            Ok(pieces) => Some(Sentence { pieces, text }),
            Err(fault) => {
                decoder.report(
                    Diagnostic::at(Code::InvalidValue, fault.span, fault.value)
                        .help("`{column}` stands for a value; `{{` and `}}` are braces"),
                );
                None
            }
        }
    }
    fn expects() -> String {
        "a sentence such as `\"NPS fell by {change} in {week}\"`".into()
    }
    fn show(&self) -> String {
        self.text.clone()
    }
    fn json_schema() -> Json {
        schema::text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], (usize, usize)>) {
        let found = pieces(text, &Span::new);
        let shown = found.map(|pieces| {
            let shown = pieces.into_iter().map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Column(name) => format!("<{}>", name.value),
            });
            shown.collect::<Vec<_>>()
        });
        match (shown, expected) {
            (Ok(shown), Ok(expected)) => assert_eq!(shown, expected, "{text}"),
            (Err(fault), Err((start, end))) => {
                assert_eq!(fault.span, Span::new(start, end), "{text}");
            }
            (shown, expected) => panic!("{text}: {shown:?}, not {expected:?}"),
        }
    }

    #[test]
    fn columns_stand_between_braces() {
        check(
            "NPS fell by {change} in { week }",
            Ok(&["NPS fell by ", "<change>", " in ", "<week>"]),
        );
        check("{a}{b}", Ok(&["<a>", "<b>"]));
        check("a {{set}} of {n}", Ok(&["a {set} of ", "<n>"]));
        check("é {n}!", Ok(&["é ", "<n>", "!"]));
        check("", Ok(&[]));
        check("a } b", Err((2, 3)));
        check("a {b", Err((2, 3)));
        check("a { } b", Err((2, 5)));
    }
}
