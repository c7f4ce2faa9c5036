//! Names, figures, and what is quoted in YAML and SQL.

use crate::document::quote::{self, Place};
use crate::frame::{DataType, Schema};
use crate::ir::sql;

/// A text as a YAML scalar that reads back as that text, also inside `{…}` and `[…]`.
pub(super) fn scalar(text: &str) -> String {
    quote::scalar(text, Place::Anywhere)
}

/// A column in an SQL expression: bare where the parser takes the bare word for the column.
pub(super) fn column(name: &str, schema: &Schema) -> String {
    let data_type = schema.field(name).map_or(DataType::String, |field| field.data_type);
    sql::identifier(name, data_type)
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
    match name.is_empty() || quote::is_word(&name) {
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
