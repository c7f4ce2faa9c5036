//! What is true of the tables: what they were drawn with, and what was counted while they were written.

use std::collections::BTreeMap;

/// Counts and sums of whole numbers, by name. They add up, whatever the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, i64>);

impl Tally {
    /// Adds to a count, which is there from then on.
    pub fn add(&mut self, name: impl Into<String>, count: i64) {
        *self.0.entry(name.into()).or_default() += count;
    }

    /// All counts, by name.
    pub fn counts(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// Adds all counts of another part.
    pub fn merge(&mut self, other: Tally) {
        for (name, count) in other.0 {
            self.add(name, count);
        }
    }

    /// A count; 0 if nothing was counted.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

/// What is true of one table.
#[derive(Debug, Clone, Default)]
pub struct TableTruth {
    /// The parameters of the distributions.
    pub drawn_with: Vec<(&'static str, f64)>,
    /// Exact counts and sums of what was written.
    pub counted: Tally,
}

/// What is true of a world.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The seed it was drawn with.
    pub seed: u64,
    /// The first day.
    pub from: String,
    /// The day after the last.
    pub until: String,
    /// By table.
    pub tables: BTreeMap<&'static str, TableTruth>,
}

impl Truth {
    /// As JSON, with the keys in order.
    pub fn to_json(&self) -> String {
        let tables: serde_json::Map<String, serde_json::Value> = self
            .tables
            .iter()
            .map(|(name, table)| {
                let drawn_with: BTreeMap<_, _> = table.drawn_with.iter().copied().collect();
                let value = serde_json::json!({
                    "drawn_with": drawn_with,
                    "counted": table.counted.0,
                });
                ((*name).to_owned(), value)
            })
            .collect();
        let whole = serde_json::json!({
            "seed": self.seed,
            "from": self.from,
            "until": self.until,
            "tables": tables,
        });
        format!("{whole:#}\n")
    }
}
