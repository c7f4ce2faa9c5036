//! The record of a run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Version of the manifest's own form.
pub(super) const MANIFEST_VERSION: u32 = 1;

/// What a run read, did and wrote; written also when it fails.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Manifest {
    pub manifest_version: u32,
    pub tenure_version: &'static str,
    pub run_id: String,
    pub pipeline: String,
    pub pipeline_file: String,
    /// The command that repeats the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// `done`, `failed` or `interrupted`.
    pub status: &'static str,
    pub exit_status: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub as_of: String,
    pub timezone: String,
    pub seed: i64,
    pub plan_hash: String,
    pub parameters: BTreeMap<String, String>,
    pub threads: usize,
    pub started: String,
    pub seconds: f64,
    pub sources: Vec<SourceRecord>,
    pub stages: Vec<StageRecord>,
    pub tables: Vec<TableRecord>,
    pub reports: Vec<FileRecord>,
    /// Those that were raised, critical ones first.
    pub alerts: Vec<AlertRecord>,
    pub checks: Vec<CheckRecord>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SourceRecord {
    pub name: String,
    pub rows: u64,
    /// Rows that break the contract, if the source was read.
    pub rows_bad: Option<u64>,
    /// Good rows before `as_of`, if the source was read.
    pub rows_seen: Option<u64>,
    /// Why rows are bad, the most frequent reason first; a row may have several.
    pub reasons: Vec<ReasonRecord>,
    /// Doubles that are not the money they became.
    pub rounded: Option<RoundedRecord>,
    /// What its files differ in.
    pub drift: Vec<String>,
    pub files: Vec<InputRecord>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReasonRecord {
    pub reason: String,
    pub rows: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RoundedRecord {
    pub rows: u64,
    /// Where the first of them stands.
    pub first: String,
    /// This and the rest are absent if the amounts are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The smallest, which does not depend on how the rows lie in files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_before: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_after: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InputRecord {
    pub path: String,
    pub bytes: u64,
    pub rows: u64,
    /// Hash of the file's footer, which holds size, place and statistics of every column chunk; of CSV
    /// the hash of the whole file.
    pub footer_hash: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StageRecord {
    pub name: String,
    pub kind: &'static str,
    pub from: String,
    /// Further tables that its metrics are measured of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Of the table `from`.
    pub rows_in: Option<u64>,
    pub rows_out: Option<u64>,
}

impl StageRecord {
    /// The tables that it reads, in words.
    pub fn reads(&self) -> String {
        let tables = std::iter::once(&self.from).chain(&self.also);
        tables.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TableRecord {
    pub name: String,
    /// The file; of a partitioned table its folder.
    pub file: String,
    /// The files of a partitioned table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<FileRecord>,
    pub grain: Vec<String>,
    pub rows: u64,
    pub bytes: u64,
    pub hash: String,
    pub columns: Vec<ColumnRecord>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ColumnRecord {
    pub name: String,
    pub r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FileRecord {
    pub file: String,
    pub bytes: u64,
    pub hash: String,
}

/// What a check found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CheckRecord {
    pub name: String,
    pub from: String,
    pub kind: &'static str,
    pub severity: &'static str,
    /// Rows looked at; 1 where the table was judged as a whole.
    pub rows: u64,
    pub failures: u64,
    pub passed: bool,
    pub message: String,
    /// The first rows that break it, if any do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_file: Option<String>,
}

/// An alert that was raised.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AlertRecord {
    pub name: String,
    pub severity: &'static str,
    pub from: String,
    /// How many rows raised it.
    pub rows: u64,
    /// What it says of the first of them.
    pub message: String,
}

impl Manifest {
    /// The manifest as text.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The JSON Schema of `manifest.json`, made from the types that write it.
pub fn manifest_schema() -> String {
    let schema = schemars::schema_for!(Manifest);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
