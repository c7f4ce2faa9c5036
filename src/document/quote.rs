//! Texts as YAML, quoted where they must be.

/// Where a scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After a key on a line of its own.
    Block,
    /// There, or inside `{…}` and `[…]`.
    Anywhere,
}

/// A text as a YAML scalar that reads back as that text.
pub fn scalar(text: &str, place: Place) -> String {
    if text.chars().any(is_escaped) {
        return double_quoted(text);
    }
    if is_plain(text, place) {
        return text.to_owned();
    }
    match text.contains('\'') && !text.contains(['"', '\\']) {
        true => double_quoted(text),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// What stands in a text only as an escape: control characters, and what some readers take for a line's end.
fn is_escaped(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_escaped(c) => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// True for texts that no reader of YAML takes for anything else than the text.
fn is_plain(text: &str, place: Place) -> bool {
    let block = place == Place::Block;
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    let operator = |c: char| matches!(c, ' ' | '(' | ')' | '+' | '*' | '=' | '<' | '>' | '\'');
    let of_block = |c: char| block && matches!(c, ',' | '%' | '"' | '|');
    // Operators are those of expressions, which begin with a word.
    text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/' || block && c == '(')
        && text.chars().all(|c| word(c) || operator(c) || of_block(c))
        && !text.ends_with(' ')
        && !is_word(text)
}

/// Words that some version of YAML reads as a truth value or as nothing.
pub fn is_word(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    words.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostics, SourceText};
    use crate::document::{NodeKind, parse};

    #[test]
    fn scalars_read_back_as_they_were() {
        for text in [
            "amount",
            "Customer ID",
            "a: b",
            "a #b",
            "it's",
            "\"x\" + 1",
            "yes",
            "No",
            "12",
            "1e3",
            "- a",
            "{a}",
            "a, b",
            "",
            " a ",
            "a\nb",
            "a = 'x\n\n y'",
            "a = 'x\ty'",
            "~",
            "null",
            "é",
            "#",
            "&x",
            "*x",
            "!x",
            "%a",
            "@a",
            "`a`",
            "2026-01-01",
            "a:",
            "Menge (Stück)",
            "a\\b\t",
            "a\\b's",
            "a like '%b' or \"c d\" = 'e: f'",
            "(a or b) and c in ('x', 'y')",
            "a || 'b' # c",
            "Quantity * Price",
            "=",
            "?",
            "'",
            "| a",
            "> a",
            "data/a b/*.parquet",
            "<<",
            "a'",
            "\u{2028}",
            "\u{85}a\u{feff}",
        ] {
            let (any, block) = (scalar(text, Place::Anywhere), scalar(text, Place::Block));
            let yaml = format!("a: [{any}]\nb: {{c: {any}}}\nd: {any}\ne: {block}\n");
            let mut diagnostics = Diagnostics::default();
            let source = SourceText::new("it.yaml", yaml.as_str());
            let node = parse(&source, &mut diagnostics).expect("it is YAML");
            let listed = node.get("a").map(|node| node.kind.clone());
            let Some(NodeKind::List(items)) = listed else { panic!("{yaml}") };
            let nested = node.get("b").and_then(|node| node.get("c"));
            let others = nested.into_iter().chain(node.get("d")).chain(node.get("e"));
            for found in items.iter().chain(others) {
                assert_eq!(found.kind, NodeKind::Text(text.into()), "{yaml}");
            }
        }
    }

    #[test]
    fn expressions_keep_their_look() {
        for (text, expected) in [
            ("a = 1 and b = 'x'", "a = 1 and b = 'x'"),
            ("a in (1, 2)", "a in (1, 2)"),
            ("(a or b) and c", "(a or b) and c"),
            ("'x' = a", "\"'x' = a\""),
            ("\"odd name\" > 1", "'\"odd name\" > 1'"),
            ("a = 'b: c'", "\"a = 'b: c'\""),
            ("true", "'true'"),
            ("100", "'100'"),
        ] {
            assert_eq!(scalar(text, Place::Block), expected);
        }
        assert_eq!(scalar("a in (1, 2)", Place::Anywhere), "'a in (1, 2)'");
    }
}
