//! The nearest name to a misspelt one.

/// Words that other tools use, and ours; near in meaning, not in letters.
const SYNONYMS: &[(&str, &str)] = &[
    ("datetime", "timestamp"),
    ("text", "string"),
    ("varchar", "string"),
    ("str", "string"),
    ("integer", "int64"),
    ("integer", "int"),
    ("int", "int64"),
    ("bigint", "int64"),
    ("number", "float64"),
    ("number", "float"),
    ("double", "float64"),
    ("double", "float"),
    ("float", "float64"),
    ("numeric", "decimal"),
    ("money", "decimal"),
    ("boolean", "bool"),
    ("avg", "mean"),
    ("average", "mean"),
    ("median", "quantile"),
    ("percentile", "quantile"),
    ("nunique", "count_distinct"),
    ("distinct", "count_distinct"),
    ("dedup", "deduplicate"),
    ("distinct_on", "deduplicate"),
    ("concat", "union"),
    ("append", "union"),
    ("merge", "join"),
    ("lookup", "join"),
    ("transform", "derive"),
    ("mutate", "derive"),
    ("project", "select"),
    ("group_by", "by"),
    ("dimensions", "by"),
    ("measures", "metrics"),
    ("input", "from"),
    ("source", "from"),
    ("table", "from"),
    ("condition", "where"),
    ("when", "where"),
    ("user", "customer"),
    ("user_id", "customer"),
    ("date", "time"),
    ("timestamp", "time"),
    ("amount", "value"),
    ("price", "value"),
    ("file", "parquet"),
    ("path", "parquet"),
    ("files", "parquet"),
    ("nullable", "optional"),
    ("not_null", "required"),
    ("minimum", "min"),
    ("maximum", "max"),
    ("enum", "in"),
    ("values", "in"),
    ("pattern", "matches"),
    ("regex", "matches"),
];

/// The name of `known` that `name` was probably meant to be, if one is near enough.
///
/// Near is a Damerau-Levenshtein distance of at most a third of the longer name (at least 1), or
/// equality but for case and for `-` and spaces in place of `_`. Ties go to the first in order. A word
/// that other tools use for one of them comes before all that.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let folded = fold(name);
    let meant = SYNONYMS.iter().filter(|(word, _)| *word == folded).map(|(_, name)| *name);
    if let Some(meant) = meant.filter_map(|name| known.iter().find(|k| **k == name)).next() {
        return Some(meant);
    }
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in known {
        let other = fold(candidate);
        let distance = strsim::damerau_levenshtein(&folded, &other);
        let longest = folded.chars().count().max(other.chars().count());
        if distance <= (longest / 3).max(1) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

/// Names in backticks, in their given order; at most twelve, then a count.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let known = ["customer_id", "ordered_at", "amount"];
        assert_eq!(nearest("custmer_id", known), Some("customer_id"));
        assert_eq!(nearest("Ordered-At", known), Some("ordered_at"));
        assert_eq!(nearest("amuont", known), Some("amount"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest("datetime", ["date", "timestamp"]), Some("timestamp"));
        assert_eq!(nearest("datetime", ["date_time"]), Some("date_time"));
    }
}
