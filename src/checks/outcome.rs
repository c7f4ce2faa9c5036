//! What checks found.

use std::sync::Arc;

use super::spec::Severity;
use crate::frame::{DataType, Field, Frame, FrameError, Schema, Unit, Value};

/// What a check found: a row of the table `checks`.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOutcome {
    pub name: String,
    /// The table that was looked at.
    pub from: String,
    pub kind: &'static str,
    pub severity: Severity,
    /// Rows looked at; 1 where the table was judged as a whole.
    pub rows: u64,
    /// Rows that break the check.
    pub failures: u64,
    pub passed: bool,
    /// The rule and what was found, as a lowercase fragment.
    pub message: String,
}

impl CheckOutcome {
    /// Reads an outcome off the counts of a check: one row of `#rows`, `#failures` and figures.
    pub fn read(
        (name, from, kind): (&str, &str, &'static str),
        (severity, tolerate): (Severity, f64),
        rule: &str,
        counts: &Frame,
    ) -> Self {
        let count = |column: usize| match counts.rows() {
            0 => 0,
            _ => counts.value(0, column).as_i64().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        };
        let (rows, failures) = (count(0), count(1));
        let share = failures as f64 / rows as f64;
        let passed = failures == 0 || share <= tolerate;
        let figures: Vec<String> = (2..counts.schema.fields.len())
            .map(|column| {
                let value = match counts.value(0, column) {
                    Value::Null => "nothing".to_owned(),
                    value => value.to_string(),
                };
                format!("`{}` {value}", counts.schema.fields[column].name)
            })
            .collect();
        let found = match (figures.is_empty(), rows, failures) {
            (false, _, _) => format!("found {}", figures.join(", ")),
            (true, 0, _) => "there are no rows".to_owned(),
            (true, _, 0) => format!("all {rows} rows do"),
            (true, _, _) => format!("{failures} of {rows} rows do not"),
        };
        let tolerated = match (passed, failures, tolerate > 0.0) {
            (true, 1.., _) => " (tolerated)",
            (false, _, true) => " (more than tolerated)",
            _ => "",
        };
        CheckOutcome {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            severity,
            rows,
            failures,
            passed,
            message: format!("{rule}: {found}{tolerated}"),
        }
    }

    /// Failures among rows; `None` without rows.
    pub fn failure_share(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.failures as f64 / self.rows as f64)
    }

    /// True if it keeps the run from being published.
    pub fn stops(&self) -> bool {
        !self.passed && self.severity == Severity::Error
    }
}

/// As a line of a log.
impl std::fmt::Display for CheckOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = if self.passed { "passed" } else { "failed" };
        write!(f, "check `{}` of `{}` {state}: {}", self.name, self.from, self.message)
    }
}

/// The columns of the table `checks`.
pub fn checks_schema() -> Schema {
    Schema::new(vec![
        Field::new("name", DataType::String),
        Field::new("from", DataType::String),
        Field::new("kind", DataType::String),
        Field::new("severity", DataType::String),
        Field::new("rows", DataType::Int64).with_unit(Unit::Count),
        Field::new("failures", DataType::Int64).with_unit(Unit::Count),
        Field::new("failure_share", DataType::Float64).with_unit(Unit::Share),
        Field::new("passed", DataType::Bool),
        Field::new("message", DataType::String),
    ])
}

/// The table `checks`: one row per check, by name.
///
/// # Errors
/// Text of more than 2 GiB.
pub fn checks_table(outcomes: &[CheckOutcome]) -> Result<Frame, FrameError> {
    let mut sorted: Vec<&CheckOutcome> = outcomes.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Vec<Value>> = sorted
        .into_iter()
        .map(|outcome| {
            vec![
                Value::text(&outcome.name),
                Value::text(&outcome.from),
                Value::text(outcome.kind),
                Value::text(outcome.severity.word()),
                Value::Int(i64::try_from(outcome.rows).unwrap_or(i64::MAX)),
                Value::Int(i64::try_from(outcome.failures).unwrap_or(i64::MAX)),
                outcome.failure_share().map_or(Value::Null, Value::finite),
                Value::Bool(outcome.passed),
                Value::text(&outcome.message),
            ]
        })
        .collect();
    Frame::from_rows(Arc::new(checks_schema()), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rows: i64, failures: i64, tolerate: f64) -> CheckOutcome {
        let fields = ["#rows", "#failures"].map(|name| Field::new(name, DataType::Int64));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let counts = Frame::from_rows(schema, &[vec![Value::Int(rows), Value::Int(failures)]]);
        CheckOutcome::read(
            ("c", "orders", "not_null"),
            (Severity::Error, tolerate),
            "rows have an `amount`",
            &counts.expect("two columns"),
        )
    }

    #[test]
    fn a_share_is_tolerated_up_to_itself() {
        assert!(outcome(10, 0, 0.0).passed);
        assert!(!outcome(10, 1, 0.0).passed);
        assert!(outcome(10, 1, 0.1).passed);
        assert!(!outcome(10, 2, 0.1).passed);
        let empty = outcome(0, 0, 0.0);
        assert!(empty.passed);
        assert_eq!(empty.failure_share(), None);
        let message = outcome(10, 2, 0.1).message;
        assert_eq!(message, "rows have an `amount`: 2 of 10 rows do not (more than tolerated)");
    }

    #[test]
    fn the_table_is_sorted_by_name() {
        let mut first = outcome(10, 1, 0.0);
        first.name = "b".into();
        let table = checks_table(&[first, outcome(0, 0, 0.0)]).expect("it fits");
        let names = table.column("name").expect("names");
        assert_eq!(
            names,
            [Value::text("c"), Value::text("b")].into_iter().rev().collect::<Vec<_>>()
        );
        assert_eq!(table.value(0, 6), Value::Float(0.1));
        assert_eq!(table.value(1, 6), Value::Null);
    }
}
