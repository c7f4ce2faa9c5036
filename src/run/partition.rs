//! Tables whose files lie in folders named by values: `TABLE/channel=web/part-0.parquet`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute;

use super::error::RunError;
use super::write::{self, Layout, Written};
use crate::frame::{Frame, Schema, Value};

/// The folder name of null, as Hive has it.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Writes a table in parts, one for each combination of the values of `by`, which leave the files. Gives
/// the files with their paths inside `folder`, in the order of the values; rows keep theirs.
///
/// # Errors
/// If something cannot be written.
pub(super) fn table(
    folder: &Path,
    name: &str,
    frame: &Frame,
    by: &[&str],
    layout: Layout,
) -> Result<Vec<(String, Written)>, RunError> {
    let places: Vec<usize> = by.iter().filter_map(|name| frame.schema.index_of(name)).collect();
    let mut rows: BTreeMap<Vec<Value>, Vec<u32>> = BTreeMap::new();
    for row in 0..frame.rows() {
        let key = places.iter().map(|&place| frame.value(row, place)).collect();
        rows.entry(key).or_default().push(row as u32);
    }
    let mut written = Vec::new();
    for (key, rows) in rows {
        let mut path = name.to_owned();
        for (name, value) in by.iter().zip(&key) {
            path.push_str(&format!("/{}={}", escaped(name), folder_of(value)));
        }
        let inside = folder.join(&path);
        let failed = |reason: String| RunError::Output { path: inside.clone(), reason, help: None };
        fs::create_dir_all(&inside).map_err(|error| failed(error.to_string()))?;
        let part = part(frame, &places, rows).map_err(failed)?;
        let file = inside.join("part-0.parquet");
        written.push((format!("{path}/part-0.parquet"), write::table(&file, &part, layout)?));
        sync(folder, &inside).map_err(|error| failed(error.to_string()))?;
    }
    Ok(written)
}

/// The size and hash of all parts together.
pub(super) fn whole(parts: &[(String, Written)]) -> Written {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    for (path, part) in parts {
        hasher.update(path.as_bytes());
        hasher.update(part.hash.as_bytes());
        bytes += part.bytes;
    }
    Written { bytes, hash: hasher.finalize().to_hex().to_string() }
}

/// Some rows, without the columns that became folders.
fn part(frame: &Frame, places: &[usize], rows: Vec<u32>) -> Result<Frame, String> {
    let count = rows.len();
    let rows = UInt32Array::from(rows);
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (place, field) in frame.schema.fields.iter().enumerate() {
        if places.contains(&place) {
            continue;
        }
        let column = compute::take(frame.batch.column(place), &rows, None);
        columns.push(column.map_err(|error| error.to_string())?);
        fields.push(field.clone());
    }
    Frame::new(Arc::new(Schema::new(fields)), columns, count).map_err(|error| error.to_string())
}

/// Syncs the folders from the innermost up to, but not including, `outermost`.
fn sync(outermost: &Path, innermost: &Path) -> std::io::Result<()> {
    let mut inside = innermost.ancestors().take_while(|path| *path != outermost);
    inside.try_for_each(|path| File::open(path)?.sync_all())
}

fn folder_of(value: &Value) -> String {
    match value {
        Value::Null => NULL.to_owned(),
        value => escaped(&value.to_string()),
    }
}

/// The columns and values that the folders of a path are named by; null has its own folder.
pub(super) fn values_of(path: &str) -> BTreeMap<String, Option<String>> {
    let folders = path.split('/').filter_map(|folder| folder.split_once('='));
    let value = |text: &str| if text == NULL { None } else { Some(unescaped(text)) };
    folders.map(|(name, text)| (unescaped(name), value(text))).collect()
}

/// What [`escaped`] was given.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let code = match (first, others) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text as a part of a path: what means something to a file system or to Hive becomes `%XX`.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        let special = character.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(character);
        match special {
            true => safe.push_str(&format!("%{:02X}", u32::from(character))),
            false => safe.push(character),
        }
    }
    // `.` and `..` are other folders.
    if safe.chars().all(|character| character == '.') { safe.replace('.', "%2E") } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_folders() {
        let check = |value: Value, expected: &str| assert_eq!(folder_of(&value), expected);
        check(Value::Null, NULL);
        check(Value::text("a/b=c"), "a%2Fb%3Dc");
        check(Value::text(".."), "%2E%2E");
        check(Value::text("zürich"), "zürich");
        check(Value::Date(10_408), "1998-07-01");
        check(Value::Timestamp(0), "1970-01-01T00%3A00%3A00Z");
    }

    #[test]
    fn folders_become_values() {
        let values = values_of(
            "monthly/a%3Db=z%2Fürich 5%/channel=__HIVE_DEFAULT_PARTITION__/part-0.parquet",
        );
        let expected =
            [("a=b".to_owned(), Some("z/ürich 5%".to_owned())), ("channel".to_owned(), None)];
        assert_eq!(values, BTreeMap::from(expected));
    }
}
