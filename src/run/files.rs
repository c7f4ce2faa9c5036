//! The files of a source: which there are, what their folders are called, and what their columns are.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::document::{Instant, parse_instant};
use crate::engine::EngineError;
use crate::engine::local::{InputFile, fault_of_text};
use crate::frame::DataType;
use crate::ir::Calendar;
use crate::plan::{FileColumn, FileSchema, contract_type};
use crate::spec::{ColumnType, FileForm, Source};

/// What Hive writes where a folder's value is null.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// Files, and their columns as the plan sees them.
type Opened = (Vec<InputFile>, Vec<FileSchema>);

/// The files of a source, by name, and their columns; nothing if there are none, which is noted.
pub(super) fn open(
    source: &Source,
    root: &Path,
    calendar: &Calendar,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Opened>, EngineError> {
    let text = source.path.text.as_str();
    if let Some((scheme, _)) = text.split_once("://") {
        diagnostics.push(
            Diagnostic::at(
                Code::Unsupported,
                source.path.span,
                format!("`{scheme}://` addresses are not read"),
            )
            .help("copy or mount the files, and give their path"),
        );
        return Ok(None);
    }
    let Some(paths) = find(text, root, source.form) else {
        diagnostics.push(Diagnostic::at(
            Code::InvalidValue,
            source.path.span,
            format!("`{text}` is not a pattern of paths"),
        ));
        return Ok(None);
    };
    if paths.is_empty() {
        diagnostics.push(
            Diagnostic::at(
                Code::InputNotFound,
                source.path.span,
                format!("no file of source `{}` is found at `{text}`", source.name.value),
            )
            .note("paths are relative to the working directory, or to `--root`"),
        );
        return Ok(None);
    }
    let files = paths
        .iter()
        .map(|path| file(&source.name.value, source.form, path, text, root))
        .collect::<Result<Vec<_>, _>>()?;
    let types = folder_types(source, &files, calendar, diagnostics);
    let schemas = files.iter().map(|file| schema_of(source, file, &types)).collect();
    Ok(Some((files, schemas)))
}

/// One of the files that `text` stands for, with the columns that its folders give.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn file(
    source: &str,
    form: FileForm,
    path: &Path,
    text: &str,
    root: &Path,
) -> Result<InputFile, EngineError> {
    let mut file = match form {
        FileForm::Parquet => InputFile::open(source, path)?,
        FileForm::Csv => InputFile::open_csv(source, path)?,
    };
    if let Ok(shown) = path.strip_prefix(root) {
        file.name = shown.display().to_string();
    }
    Ok(file.with_folders(folders(path, text, root)))
}

/// The files that a path, a pattern or a folder stands for, in order; `None` for a bad pattern.
pub(crate) fn find(text: &str, root: &Path, form: FileForm) -> Option<Vec<PathBuf>> {
    let path = root.join(text);
    if path.is_file() {
        return Some(vec![path]);
    }
    let folder = path.is_dir();
    let pattern = match folder {
        true => {
            let escaped = glob::Pattern::escape(&path.to_string_lossy());
            format!("{}/**/*.{}", escaped.trim_end_matches('/'), form.word())
        }
        false => path.to_string_lossy().into_owned(),
    };
    let mut found: Vec<PathBuf> = glob::glob(&pattern)
        .ok()?
        .filter_map(Result::ok)
        // What is no file after all, such as a broken link, fails when it is opened.
        .filter(|found| !found.is_dir())
        .filter(|found| !folder || !set_aside(found.strip_prefix(&path).unwrap_or(found)))
        .collect();
    found.sort();
    found.dedup();
    Some(found)
}

/// True for what writers set aside within a folder: names that begin with `_` or `.`, such as
/// `_temporary`, unless they give a column.
fn set_aside(below: &Path) -> bool {
    below.components().any(|component| {
        let name = component.as_os_str().to_string_lossy();
        name.starts_with(['_', '.']) && !name.contains('=')
    })
}

/// The columns that the folders of a file give: those of the form `name=value` along the path as it
/// stands in the pipeline; of an absolute path, those from the first that a pattern stands for.
fn folders(path: &Path, text: &str, root: &Path) -> Vec<(String, Option<String>)> {
    let plain =
        |component: &Component| !component.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let below = if Path::new(text).is_absolute() {
        let literal: PathBuf = Path::new(text).components().take_while(plain).collect();
        path.strip_prefix(&literal).map(Path::to_owned).unwrap_or_default()
    } else {
        path.strip_prefix(root).unwrap_or(path).to_owned()
    };
    let mut folders: Vec<(String, Option<String>)> = Vec::new();
    for component in below.parent().into_iter().flat_map(Path::components) {
        let name = component.as_os_str().to_string_lossy();
        let Some((key, value)) = name.split_once('=') else { continue };
        let key = decoded(key);
        if !key.is_empty() {
            let value = (value != NULL_FOLDER).then(|| decoded(value));
            // Of two folders of one name, the inner one is nearer to the rows.
            folders.retain(|(known, _)| *known != key);
            folders.push((key, value));
        }
    }
    folders
}

/// Text with its `%20` and the like decoded; as it stands where that is no text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The types of the columns that folders give: as the contract says, else int64 or date if all values
/// are written as such, else string.
fn folder_types(
    source: &Source,
    files: &[InputFile],
    calendar: &Calendar,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, DataType> {
    let mut values: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for file in files {
        for (name, value) in &file.folders {
            let values = values.entry(name).or_default();
            values.extend(value.as_deref().map(|value| (value, file.name.as_str())));
        }
    }
    let mut types = BTreeMap::new();
    for (name, values) in values {
        let rule = source.columns.iter().find(|rule| rule.name.value == name);
        if let Some(rule) = rule.filter(|rule| rule.body.pii.value) {
            let message = format!(
                "`{name}` is personal (`pii`), and stands in the names of folders, which plans, errors and the manifest tell"
            );
            diagnostics.push(
                Diagnostic::at(Code::InvalidValue, rule.body.pii.place(rule.name.span), message)
                    .help(format!(
                        "write the files anew without `{name}=…` in their paths, or leave `pii` out"
                    )),
            );
        }
        let wanted = rule.and_then(|rule| rule.body.r#type.value);
        let data_type = match wanted {
            Some(wanted) => text_type(source, wanted),
            None => guessed(values.iter().map(|(value, _)| *value)),
        };
        let wrong = values.iter().find_map(|(value, file)| {
            Some((*value, *file, fault_of_text(value, data_type, calendar)?))
        });
        if let (Some((value, file, fault)), Some(rule)) = (wrong, rule)
            && !rule.body.pii.value
        {
            diagnostics.push(Diagnostic::at(
                Code::SchemaMismatch,
                rule.body.r#type.place(rule.name.span),
                format!("the folder of {file} gives `{name}` {fault}: `{value}`"),
            ));
        }
        types.insert(name.to_owned(), data_type);
    }
    types
}

/// The type of what folders of one name are called.
pub(crate) fn guessed<'a>(values: impl Iterator<Item = &'a str> + Clone) -> DataType {
    // `007` is a name rather than a number: as a number it would lose its zeros.
    let whole = |value: &str| value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    let date = |value: &str| matches!(parse_instant(value), Some(Instant::Date(_)));
    match () {
        () if values.clone().next().is_none() => DataType::String,
        () if values.clone().all(whole) => DataType::Int64,
        () if values.clone().all(date) => DataType::Date,
        () => DataType::String,
    }
}

/// The type that a text becomes. A decimal has as many digits after the point as the source's value
/// says, or two.
fn text_type(source: &Source, wanted: ColumnType) -> DataType {
    match wanted {
        ColumnType::Decimal => {
            let decimals = source.value.as_ref().and_then(|value| value.decimals.value);
            DataType::money(decimals.and_then(|decimals| u8::try_from(decimals).ok()).unwrap_or(2))
        }
        wanted => contract_type(wanted),
    }
}

/// The columns of a file as the plan sees them.
fn schema_of(
    source: &Source,
    file: &InputFile,
    folders: &BTreeMap<String, DataType>,
) -> FileSchema {
    let columns = file.columns.iter().map(|column| {
        let given = file.folders.iter().any(|(name, _)| *name == column.name);
        let data_type = match (given, source.form) {
            (true, _) => folders.get(&column.name).copied(),
            (false, FileForm::Parquet) => column.data_type,
            (false, FileForm::Csv) if source.columns.is_empty() => Some(DataType::String),
            // What the contract does not list is a text of which nothing is known, and is not read.
            (false, FileForm::Csv) => {
                let rule = source.columns.iter().find(|rule| rule.name.value == column.name);
                rule.map(|rule| {
                    let wanted = rule.body.r#type.value.unwrap_or(ColumnType::String);
                    text_type(source, wanted)
                })
            }
        };
        FileColumn {
            name: column.name.clone(),
            found: column.found.clone(),
            data_type,
            narrow: column.narrow || data_type == Some(DataType::Int32),
            may_not_fit: column.may_not_fit && !given,
        }
    });
    FileSchema { name: file.name.clone(), columns: columns.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_columns() {
        let of = |path: &str, text: &str| {
            let given = folders(Path::new(path), text, Path::new(""));
            let shown = given
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.as_deref().unwrap_or("null")));
            shown.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(of("data/year=2024/month=01/a.parquet", "data"), "year: 2024, month: 01");
        assert_eq!(of("data/city=S%C3%A3o%20Paulo/a=b.parquet", "data/*/*"), "city: São Paulo");
        assert_eq!(of("data/shop=__HIVE_DEFAULT_PARTITION__/a.parquet", "data"), "shop: null");
        assert_eq!(of("/run=5/data/year=2024/a.parquet", "/run=5/data"), "year: 2024");
        assert_eq!(of("/run=5/data/year=2024/a.parquet", "/run=5/d*/*/*.parquet"), "year: 2024");
        assert_eq!(of("data/a%zz=%4/x.parquet", "data"), "a%zz: %4");
    }

    #[test]
    fn folders_are_typed_by_all_their_values() {
        assert_eq!(guessed(["2024", "-3"].into_iter()), DataType::Int64);
        assert_eq!(guessed(["2024", "007"].into_iter()), DataType::String);
        assert_eq!(guessed(["2024-01-31", "2024-02-01"].into_iter()), DataType::Date);
        assert_eq!(guessed(["2024-01-31", "2024"].into_iter()), DataType::String);
        assert_eq!(guessed([].into_iter()), DataType::String);
    }
}
