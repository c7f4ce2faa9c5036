//! What is found when the rows of a source meet its contract.

use std::fmt;

use super::Place;
use crate::ir::scan::{BadRowAction, BadRows, reason};

/// What a pass over a source has found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    pub rejected: Rejected,
    /// Doubles that are not the money they became.
    pub rounded: Option<Rounded>,
}

/// Bad rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// All rows of the source.
    pub rows: u64,
    pub bad: u64,
    /// How many rows each reason is about, the most frequent first; a row may have several.
    pub reasons: Vec<(String, u64)>,
}

/// Doubles that rounding to money has moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounded {
    pub rows: u64,
    /// Where the first of them stands.
    pub place: Place,
    pub row: RowNumber,
    /// Absent if the value is not told.
    pub first: Option<Moved>,
    /// The smallest of them, which does not depend on how the rows lie in files. Absent if the value is not told.
    pub least: Option<Moved>,
}

/// A double and the money it became.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub before: f64,
    pub after: String,
}

/// Which row of its row group or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowNumber {
    /// Counted from 0 in its row group (or table).
    Row(u64),
    /// The line of a file on which it begins, counted from 1.
    Line(u64),
}

impl fmt::Display for RowNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowNumber::Row(row) => write!(f, "row {row} (from 0)"),
            RowNumber::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// More bad rows than a source's contract bears.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// The first bad row, and the column that is at fault, if it is one.
    pub place: Place,
    /// What that row has.
    pub fault: String,
    pub row: RowNumber,
    pub rejected: Rejected,
    pub bad_rows: BadRows,
}

/// Reasons shown in a message.
const SHOWN: usize = 5;

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejected { rows, bad, reasons } = &self.rejected;
        let own = reason(self.place.column.as_deref(), &self.fault);
        let count = reasons.iter().find(|(reason, _)| *reason == own).map_or(1, |(_, rows)| *rows);
        let have = if count == 1 { "row has" } else { "rows have" };
        // In CSV the line says where; a row group is ours, not the file's.
        let place = match self.row {
            RowNumber::Row(_) => self.place.clone(),
            RowNumber::Line(_) => Place { row_group: None, ..self.place.clone() },
        };
        write!(f, "{place}: {count} {have} {}, first in {}", self.fault, self.row)?;
        let is = if *bad == 1 { "is" } else { "are" };
        write!(f, "; {bad} of {rows} rows {is} bad")?;
        if self.bad_rows.action != BadRowAction::Fail {
            write!(f, ", more than the {}% tolerated", round(self.bad_rows.tolerate * 100.0))?;
        }
        if reasons.len() > 1 {
            let shown: Vec<String> = reasons
                .iter()
                .take(SHOWN)
                .map(|(reason, rows)| format!("{rows}: {reason}"))
                .collect();
            write!(f, ": {}", shown.join("; "))?;
            if reasons.len() > SHOWN {
                write!(f, "; …")?;
            }
        }
        Ok(())
    }
}

/// A percentage without the dust of its computation.
fn round(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}
