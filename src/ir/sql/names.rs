//! Names and texts in SQL, quoted where they must be.

use crate::frame::{DataType, Field, Schema};
use crate::ir::parse;

/// Words that a reader of SQL does not take for columns, though a parser may.
const RESERVED: &[&str] = &[
    "all", "and", "as", "as_of", "between", "by", "case", "distinct", "else", "end", "from",
    "group", "having", "in", "is", "join", "like", "limit", "not", "null", "on", "or", "order",
    "select", "table", "then", "union", "when", "where",
];

/// What a name may stand in: where a bare word is read as something else, it is in one of these.
const FORMS: &[&str] = &[
    "{}",
    "({})",
    "{} is null",
    "coalesce({}, {})",
    "{} in ({})",
    "{} = {}",
    "case when {} is null then {} else {} end",
    "cast({} as string)",
    "-{}",
    "{} - {}",
    "{} * 2",
    "not {}",
    "{} and {}",
    "{} || 'x'",
    "{} like 'x'",
    "{} + interval '1 day'",
    "extract(day from {})",
];

/// A column of a type in an expression: bare where the parser takes the bare word for the column.
pub fn identifier(name: &str, data_type: DataType) -> String {
    let quoted = quoted(name);
    let schema = Schema::new(vec![Field::new(name, data_type)]);
    let bare = !RESERVED.contains(&name.to_lowercase().as_str())
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && FORMS.iter().all(|form| {
            let read = |name| parse::from_text(&form.replace("{}", name), &schema).ok();
            let expected = read(&quoted);
            expected.is_none() || read(name) == expected
        });
    if bare { name.to_owned() } else { quoted }
}

/// A name in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal.
pub fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("user", "\"user\""),
            ("current_date", "\"current_date\""),
            ("as_of", "\"as_of\""),
            ("status", "status"),
            ("text", "text"),
        ] {
            let schema = Schema::new(vec![Field::new(name, DataType::Int64)]);
            let written = identifier(name, DataType::Int64);
            assert_eq!(written, expected);
            let read = parse::from_text(&written, &schema).expect("it is a column");
            assert_eq!(read.as_column(), Some(name));
        }
    }

    #[test]
    fn every_keyword_of_sql_may_be_a_column() {
        let types = [DataType::Bool, DataType::Int64, DataType::String, DataType::Date];
        for (place, keyword) in sqlparser::keywords::ALL_KEYWORDS.iter().enumerate() {
            let name = keyword.to_lowercase();
            let data_type = types[place % types.len()];
            let schema = Schema::new(vec![Field::new(&name, data_type)]);
            let written = identifier(&name, data_type);
            for form in FORMS {
                let read = |name: &str| parse::from_text(&form.replace("{}", name), &schema).ok();
                let expected = read(&quoted(&name));
                assert!(expected.is_none() || read(&written) == expected, "{form} of {written}");
            }
        }
    }
}
