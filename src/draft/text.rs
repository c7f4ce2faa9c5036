//! YAML scalars and SQL names, quoted where they must be.

use crate::frame::Schema;
use crate::ir::parse;

/// A text as a YAML scalar that reads back as that text, also inside `{…}` and `[…]`.
pub(super) fn scalar(text: &str) -> String {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return double_quoted(text);
    }
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// True for texts that no reader of YAML takes for anything else than the text.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    let operator = |c: char| matches!(c, ' ' | '(' | ')' | '+' | '*' | '=' | '<' | '>' | '\'');
    // Operators are those of expressions, which begin with a word.
    text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/')
        && text.chars().all(|c| word(c) || operator(c))
        && !text.ends_with(' ')
        && !is_yaml_word(text)
}

/// Words that some version of YAML reads as a truth value or as nothing.
fn is_yaml_word(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    words.contains(&text.to_lowercase().as_str())
}

/// Words that a reader of SQL does not take for columns, though a parser may.
const RESERVED: &[&str] = &[
    "all", "and", "as", "between", "by", "case", "distinct", "else", "end", "from", "group",
    "having", "in", "is", "join", "like", "limit", "not", "null", "on", "or", "order", "select",
    "table", "then", "union", "when", "where",
];

/// A column in an SQL expression: bare where the parser takes the bare word for the column.
pub(super) fn column(name: &str, schema: &Schema) -> String {
    let bare = !RESERVED.contains(&name.to_lowercase().as_str())
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && ["{} is null", "coalesce({}, {})", "{} in ({})"].iter().all(|form| {
            let names = |quoted: &str| form.replace("{}", quoted);
            let read = |text: String| parse::from_text(&text, schema).ok();
            let quoted = read(names(&format!("\"{name}\"")));
            quoted.is_none() || read(names(name)) == quoted
        });
    if bare { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text literal of SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name of the pipeline language, `[a-z][a-z0-9_]*`, made of any text.
pub(super) fn name(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => name.push(c),
            _ if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            _ => {}
        }
    }
    let name = name.trim_matches('_');
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name: String = name.chars().take(50).collect();
    match name.is_empty() || is_yaml_word(&name) {
        true => otherwise.to_owned(),
        false => name,
    }
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as `12%` or `0.3%`: never 0% or 100% of what is neither.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match () {
        () if percent <= 0.0 => "0%".into(),
        () if percent < 0.1 => "<0.1%".into(),
        () if percent < 10.0 => format!("{percent:.1}%"),
        () if percent < 100.0 => format!("{:.0}%", percent.min(99.0)),
        () => "100%".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostics, SourceText};
    use crate::document::{NodeKind, parse as parse_yaml};
    use crate::frame::{DataType, Field};

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
        ] {
            let yaml = format!("a: [{0}]\nb: {{c: {0}}}\nd: {0}\n", scalar(text));
            let mut diagnostics = Diagnostics::default();
            let source = SourceText::new("it.yaml", yaml.as_str());
            let node = parse_yaml(&source, &mut diagnostics).expect("it is YAML");
            let listed = node.get("a").map(|node| node.kind.clone());
            let Some(NodeKind::List(items)) = listed else { panic!("{yaml}") };
            let nested = node.get("b").and_then(|node| node.get("c"));
            for found in items.iter().chain(nested).chain(node.get("d")) {
                assert_eq!(found.kind, NodeKind::Text(text.into()), "{yaml}");
            }
        }
    }

    #[test]
    fn columns_are_bare_where_that_is_understood() {
        for (name, expected) in [
            ("amount", "amount"),
            ("Quantity", "Quantity"),
            ("Customer ID", "\"Customer ID\""),
            ("order", "\"order\""),
            ("a\"b", "\"a\"\"b\""),
            ("2nd", "\"2nd\""),
            ("day", "day"),
            ("select", "\"select\""),
            ("case", "\"case\""),
        ] {
            let schema = Schema::new(vec![Field::new(name, DataType::Int64)]);
            let written = column(name, &schema);
            assert_eq!(written, expected);
            let read = parse::from_text(&written, &schema).expect("it is a column");
            assert_eq!(read.as_column(), Some(name));
        }
    }

    #[test]
    fn names_are_names() {
        assert_eq!(name("Online Retail (2)", "x"), "online_retail_2");
        assert_eq!(name("2024 orders", "x"), "orders");
        assert_eq!(name("Заказы", "x"), "x");
        assert_eq!(name("Yes", "x"), "x");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(percent(0.2277), "23%");
        assert_eq!(percent(0.999), "99%");
        assert_eq!(percent(0.0001), "<0.1%");
    }
}
