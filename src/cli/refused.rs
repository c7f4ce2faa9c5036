//! A command line that was refused, for a program that asked for JSON.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};

/// True if the words ask for JSON. The command line as a whole could not be read, so the flag is looked
/// for alone; after `--` there are no flags.
pub(super) fn json_asked(words: impl IntoIterator<Item = OsString>) -> bool {
    let words = words.into_iter().skip(1).take_while(|word| word != "--");
    let words: Vec<OsString> = words.collect();
    let apart = words.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    apart || words.iter().any(|word| word == "--format=json")
}

/// What is wrong, as a fragment on one line, and what may have been meant.
pub(super) fn sentences(problem: &clap::Error) -> (String, Option<String>) {
    let text = problem.render().to_string();
    // The usage and the tips come in paragraphs of their own.
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let message = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let suggested = problem.context().find_map(|(kind, value)| match (kind, value) {
        (
            ContextKind::SuggestedArg
            | ContextKind::SuggestedSubcommand
            | ContextKind::SuggestedValue,
            value,
        ) => first_of(value),
        _ => None,
    });
    (message, suggested.map(|name| format!("a similar name exists: `{name}`")))
}

fn first_of(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) => names.first().cloned(),
        _ => None,
    }
}
