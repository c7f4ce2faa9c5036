//! Why there is no draft.

use crate::diagnostic::nearest;
use crate::engine::EngineError;

/// Why no pipeline can be drafted.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Nothing lies at an address.
    #[error("no file is found at `{address}`")]
    NotFound { address: String },
    /// An address of another kind than a path.
    #[error("`{scheme}://` addresses are not read")]
    Address { scheme: String },
    /// A file that is neither Parquet nor CSV.
    #[error("`{path}` is neither Parquet nor CSV")]
    Form { path: String },
    /// CSV whose cells are not separated by commas.
    #[error("`{path}` has one column, `{column}`: its cells are not separated by commas")]
    Separator { path: String, column: String },
    /// Files that look like one table, and that no pattern stands for.
    #[error("{files} look like one table, but no folder or pattern stands for just them")]
    Scattered { files: String },
    /// No file has a role that every pipeline needs.
    #[error("{}", no_role(.missing, .tables))]
    NoRole { missing: Vec<&'static str>, tables: Vec<String>, example: String },
    /// A role was given that is neither a column nor an expression over the columns.
    #[error("`--{role} {written}`: {reason}")]
    BadRole { role: &'static str, written: String, reason: String, columns: Vec<String> },
    /// The name of the pipeline is not one.
    #[error(
        "`--name {name}` is not a name of the form `[a-z][a-z0-9_]*` with at most 63 characters"
    )]
    Name { name: String },
    /// The files have no rows.
    #[error("`{address}` has no rows")]
    Empty { address: String },
    /// A file cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What is missing, and the columns that there are.
fn no_role(missing: &[&str], tables: &[String]) -> String {
    let words: Vec<&str> = missing
        .iter()
        .map(|role| match *role {
            "customer" => "who the customer is",
            "time" => "when something happened",
            other => other,
        })
        .collect();
    format!("no column says {}\n  {}", words.join(", or "), tables.join("\n  "))
}

impl DraftError {
    /// What to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        match self {
            DraftError::NotFound { .. } => {
                Some("give a file, a folder, or a pattern such as 'data/orders/*.parquet'".into())
            }
            DraftError::Address { .. } => {
                Some("copy or mount the files, and give their path".into())
            }
            DraftError::Form { .. } => {
                Some("Parquet files begin with PAR1, names of CSV files end with `.csv`".into())
            }
            DraftError::Separator { .. } => {
                Some("write it with commas, or as Parquet, which also knows the types".into())
            }
            DraftError::Scattered { .. } => Some("put them into a folder, and give that".into()),
            DraftError::NoRole { missing, example, .. } => {
                let flags: Vec<String> =
                    missing.iter().map(|role| format!("--{role} COLUMN")).collect();
                Some(format!("name it by hand: `tenure init {example} {}`", flags.join(" ")))
            }
            DraftError::BadRole { written, columns, .. } => {
                Some(match nearest(written, columns.iter().map(String::as_str)) {
                    Some(near) => format!("a similar name exists: `{near}`"),
                    None => format!("columns: {}", columns.join(", ")),
                })
            }
            DraftError::Name { .. } | DraftError::Empty { .. } | DraftError::Engine(_) => None,
        }
    }
}
