//! What is no SQL: where it goes wrong, and what was probably meant.

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::Location;

use super::Reader;
use crate::diagnostic::{Code, Diagnostic};

impl Reader<'_> {
    pub(super) fn syntax(&mut self, error: &ParserError) {
        let message = match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                message.clone()
            }
            ParserError::RecursionLimitExceeded => "the expression is nested too deeply".into(),
        };
        // The parser gives places as text: "… at Line: 1, Column: 12".
        let (message, place) = match message.split_once(" at Line: ") {
            Some((before, location)) => {
                let mut numbers =
                    location.split(", Column: ").map(|number| number.trim().parse::<u64>().ok());
                let place = numbers
                    .next()
                    .flatten()
                    .zip(numbers.next().flatten())
                    .and_then(|(line, column)| self.offset(Location::new(line, column)))
                    .map(|start| {
                        let word = self.text[start..]
                            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                            .unwrap_or(self.text.len() - start)
                            .max(self.text[start..].chars().next().map_or(0, char::len_utf8));
                        self.written.place(start, start + word)
                    });
                (before.to_owned(), place.unwrap_or(self.written.span))
            }
            None => (message, self.written.span),
        };
        let message = message
            .replace("Expected: ", "expected ")
            .replace(", found: EOF", ", found the end")
            .replace(", found: ", ", found ");
        let mut diagnostic = Diagnostic::at(
            Code::InvalidExpression,
            place,
            format!("not an SQL expression: {message}"),
        );
        if self.text.contains("==") {
            diagnostic = diagnostic.help("SQL compares with a single `=`");
        } else if self.text.contains("&&") || self.text.contains("||") && self.text.contains('=') {
            diagnostic = diagnostic.help("write `and` and `or`");
        } else if let Some(name) = self.bare_name() {
            diagnostic = diagnostic.help(format!(
                "a name that is no plain word stands in double quotes: `'\"{name}\"'`"
            ));
        }
        self.diagnostics.push(diagnostic);
    }

    /// A column that SQL cannot read without quotes, and that the text has without.
    fn bare_name(&self) -> Option<&str> {
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        let mut names = self.scope.schema.fields.iter().map(|field| field.name.as_str());
        names.find(|name| {
            let quoted = format!("\"{name}\"");
            !name.chars().all(plain) && self.text.contains(name) && !self.text.contains(&quoted)
        })
    }
}
