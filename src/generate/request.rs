//! What is asked for, and what may go wrong.

use std::path::PathBuf;

use clap::ValueEnum;
use jiff::civil::Date;

/// A world to generate. The same values give the same bytes, whatever `threads` is.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where the tables are written; it must be empty, or not there.
    pub directory: PathBuf,
    /// About how many orders.
    pub orders: u64,
    /// Another seed gives another world.
    pub seed: u64,
    /// How the files of the orders are cut.
    pub layout: Layout,
    /// What identifies a customer.
    pub ids: Ids,
    /// The tables that are written; all if it is empty.
    pub tables: Vec<String>,
    /// The first day that is not in the world.
    pub until: Date,
    /// How many years it lasts.
    pub years: u16,
    /// Threads at work.
    pub threads: usize,
}

impl Default for Asked {
    fn default() -> Self {
        Asked {
            directory: PathBuf::new(),
            orders: 100_000,
            seed: 1,
            layout: Layout::Month,
            ids: Ids::Dense,
            tables: Vec::new(),
            until: jiff::civil::date(2026, 1, 1),
            years: 5,
            threads: 1,
        }
    }
}

/// How the files of the orders are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// A file for each month, `orders/2025-01.parquet`, in order of time
    Month,
    /// A folder for each day, `orders/ordered_on=2025-01-31/`, in order of time
    Day,
    /// One file, `orders.parquet`, in no order
    Shuffled,
}

/// What identifies a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// 1, 2, 3, …
    Dense,
    /// Whole numbers up to seven times as many as customers
    Sparse,
    /// Whole numbers up to 2^63
    Random,
    /// Texts such as C0000000001
    String,
}

/// Why no world was written, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Something is in the way.
    #[error("{path} is not empty, and is left as it is")]
    NotEmpty {
        /// The directory.
        path: String,
    },
    /// A table that is not known.
    #[error("there is no table `{name}`; known: {known}")]
    UnknownTable {
        /// What was asked for.
        name: String,
        /// All tables.
        known: String,
    },
    /// More years than the calendar has before the end.
    #[error("{years} years before the end the calendar has not begun")]
    TooLong {
        /// What was asked for.
        years: u16,
    },
    /// More customers than can be numbered.
    #[error("{orders} orders are too many: their customers cannot be numbered")]
    TooMany {
        /// What was asked for.
        orders: u64,
    },
    /// A file or folder that cannot be written.
    #[error("cannot write {path}: {reason}")]
    Output {
        /// The file.
        path: String,
        /// What the system or the writer says.
        reason: String,
    },
    /// The threads do not start.
    #[error("the threads do not start: {0}")]
    Threads(String),
}

impl GenerateError {
    /// A file that cannot be written.
    pub(super) fn output(path: &std::path::Path, reason: &dyn std::fmt::Display) -> Self {
        GenerateError::Output { path: path.display().to_string(), reason: reason.to_string() }
    }
}
