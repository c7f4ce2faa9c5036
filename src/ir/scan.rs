//! The rows of a source: its contract, and what becomes of rows that break it.

use std::sync::Arc;

use super::expression::Expr;
use super::relation::{Built, Rel, RelNode, RelRef, distinct};
use super::typing::TypeError;
use crate::frame::{DataType, Field, Schema};

/// A source's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    pub source: Arc<str>,
    /// What no row may do.
    pub rules: Vec<Rule>,
    /// Columns of doubles in which NaN or an infinity makes the row bad. In other columns those read
    /// as null.
    pub finite: Vec<String>,
    /// Columns in which a value that does not fit the column's type makes the row bad. In other columns
    /// it makes the file unreadable. They are read in every pass, so that every pass finds the same
    /// bad rows.
    pub strict: Vec<String>,
    pub bad_rows: BadRows,
    /// Doubles that are read as money.
    pub money: Option<Rounding>,
    /// Personal columns, whose values are not told.
    pub private: Vec<String>,
    /// The columns that identify customers, if these are not shown as they are.
    pub customers: Vec<String>,
}

/// A clause of a source's contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The column it is about.
    pub column: String,
    /// What a row that breaks it has: "a null", "a value below 0".
    pub fault: String,
    /// True for rows that break it.
    pub violated: Expr,
}

/// What becomes of bad rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadRows {
    pub action: BadRowAction,
    /// The share of bad rows among all rows of the source up to which a run goes on.
    pub tolerate: f64,
}

impl BadRows {
    /// None is borne.
    pub const FAIL: BadRows = BadRows { action: BadRowAction::Fail, tolerate: 0.0 };

    /// True if a run goes on with so many bad rows.
    pub fn bears(self, bad: u64, rows: u64) -> bool {
        bad == 0 || self.action != BadRowAction::Fail && bad as f64 <= self.tolerate * rows as f64
    }
}

crate::choice! {
    /// What becomes of rows that break the contract.
    pub enum BadRowAction {
        /// The run fails, naming the first and counting all.
        Fail = "fail",
        /// They go to the table `SOURCE_quarantine`, with reasons.
        Quarantine = "quarantine",
        /// They are left out and counted.
        Drop = "drop",
    }
}

/// Doubles rounded half to even to so many digits: what an engine counts the moved values of.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounding {
    /// A double.
    pub value: Expr,
    pub scale: u8,
}

/// The companion table of rows that were set aside.
pub const QUARANTINE: &str = "quarantine";

/// The column of a quarantine that says why a row is there.
pub const REASONS: &str = "reasons";

/// What stands between two reasons of a row, and in none of them.
pub const BETWEEN_REASONS: &str = "; ";

/// Why a row is bad, in the words of tables and reports.
pub fn reason(column: Option<&str>, fault: &str) -> String {
    let reason = match column {
        Some(column) => format!("{column} has {fault}"),
        None => format!("the row has {fault}"),
    };
    reason.replace(BETWEEN_REASONS, ", ")
}

impl Scan {
    /// A source without a contract.
    pub fn of(source: impl Into<Arc<str>>) -> Self {
        Scan {
            source: source.into(),
            rules: Vec::new(),
            finite: Vec::new(),
            strict: Vec::new(),
            bad_rows: BadRows::FAIL,
            money: None,
            private: Vec::new(),
            customers: Vec::new(),
        }
    }

    /// Whether values of a column are not told.
    pub fn is_private(&self, column: &str) -> bool {
        self.private.iter().chain(&self.customers).any(|private| private == column)
    }

    /// Its rows, under a schema.
    pub fn with_schema(self, schema: Arc<Schema>) -> RelRef {
        Arc::new(Rel { node: RelNode::Scan(self), schema })
    }
}

/// The rows of a source.
pub fn scan(source: impl Into<Arc<str>>, schema: Arc<Schema>, rules: Vec<Rule>) -> RelRef {
    Scan { rules, ..Scan::of(source) }.with_schema(schema)
}

/// The bad rows of a scan, with these of its columns and one more, [`REASONS`].
///
/// # Errors
/// Something else than a scan, or a scan with a column of that name.
pub fn rejected(scan: &RelRef, columns: &[String]) -> Built {
    if !matches!(scan.node, RelNode::Scan(_)) {
        let message = "only a source has bad rows".to_owned();
        return Err(TypeError { message, argument: None, help: None });
    }
    let kept = scan.schema.fields.iter().filter(|field| columns.contains(&field.name));
    let mut fields: Vec<Field> = kept.cloned().collect();
    fields.push(Field::new(REASONS, DataType::String));
    let schema = distinct(fields)?;
    Ok(Arc::new(Rel { node: RelNode::Rejected { scan: scan.clone() }, schema }))
}
