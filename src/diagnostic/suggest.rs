//! The nearest name to a misspelt one.

/// The name of `known` that `name` was probably meant to be, if one is near enough.
///
/// Near is a Damerau-Levenshtein distance of at most a third of the longer name (at least 1), or
/// equality but for case and for `-` and spaces in place of `_`. Ties go to the first in order.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(name);
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
    }
}
