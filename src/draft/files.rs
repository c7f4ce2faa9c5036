//! Which of the files given are one source, and the address that stands for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::DraftError;
use super::text;
use crate::engine::local::{InputFile, LocalSource};
use crate::run::files::{file, find};
use crate::spec::FileForm;

/// The share of columns that files of one source have in common, at least.
const ALIKE: f64 = 0.7;

/// Files that are one source.
#[derive(Debug, Clone)]
pub(super) struct FileSet {
    /// A name for the source.
    pub name: String,
    /// The path, folder or pattern that stands for the files.
    pub address: String,
    pub form: FileForm,
    pub source: LocalSource,
}

impl FileSet {
    pub fn rows(&self) -> u64 {
        self.source.files.iter().map(|file| file.rows).sum()
    }
}

/// A file and the place among the addresses given that stands for it.
struct Found {
    path: PathBuf,
    given: usize,
    form: FileForm,
    opened: InputFile,
}

/// Opens everything at these addresses, and divides it into sources.
///
/// # Errors
/// Addresses without files, and files that cannot be read.
pub(super) fn sets(given: &[String], root: &Path) -> Result<Vec<FileSet>, DraftError> {
    let mut found: Vec<Found> = Vec::new();
    for (place, address) in given.iter().enumerate() {
        for (path, form) in at(address, root)? {
            if found.iter().any(|known| known.path == path) {
                continue;
            }
            let opened = file(&shown(&path, root), form, &path, address, root)?;
            found.push(Found { path, given: place, form, opened });
        }
    }
    let mut groups: Vec<Vec<Found>> = Vec::new();
    for file in found {
        let alike = groups
            .iter_mut()
            .find(|group| group[0].form == file.form && alike(&group[0].opened, &file.opened));
        match alike {
            Some(group) => group.push(file),
            None => groups.push(vec![file]),
        }
    }
    // Addresses with files of several sources.
    let of = |group: &Vec<Found>| group.iter().map(|file| file.given).collect::<BTreeSet<_>>();
    let of: Vec<BTreeSet<usize>> = groups.iter().map(of).collect();
    let mixed =
        (0..given.len()).filter(|place| of.iter().filter(|of| of.contains(place)).count() > 1);
    let mixed: BTreeSet<usize> = mixed.collect();
    let mut sets: Vec<FileSet> = Vec::new();
    for group in groups {
        let form = group[0].form;
        let address = address(&group, given, &mixed, root)?;
        let mut name = text::name(stem(&address), form.word());
        if super::stages::is_stage_name(&name) {
            name.push_str("_data");
        }
        let taken = |name: &str| sets.iter().any(|set| set.name == name);
        if taken(&name) {
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            name = numbered.into_iter().find(|name| !taken(name)).unwrap_or_default();
        }
        let files = group
            .iter()
            .map(|found| file(&name, form, &found.path, &address, root))
            .collect::<Result<Vec<_>, _>>()?;
        sets.push(FileSet { name, address, form, source: LocalSource { files } });
    }
    Ok(sets)
}

/// The files at an address, with their forms.
fn at(address: &str, root: &Path) -> Result<Vec<(PathBuf, FileForm)>, DraftError> {
    if let Some((scheme, _)) = address.split_once("://") {
        return Err(DraftError::Address { scheme: scheme.to_owned() });
    }
    let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
    for form in [FileForm::Parquet, FileForm::Csv] {
        paths.extend(find(address, root, form).unwrap_or_default());
    }
    if paths.is_empty() {
        return Err(DraftError::NotFound { address: address.to_owned() });
    }
    paths
        .into_iter()
        .map(|path| {
            let form = form_of(&path);
            form.map(|form| (path.clone(), form))
                .ok_or_else(|| DraftError::Form { path: shown(&path, root) })
        })
        .collect()
}

/// How a file holds its rows: by its ending, else by its first bytes.
fn form_of(path: &Path) -> Option<FileForm> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("parquet" | "parq" | "pq") => Some(FileForm::Parquet),
        Some("csv") => Some(FileForm::Csv),
        _ => {
            let mut first = [0; 4];
            let mut file = std::fs::File::open(path).ok()?;
            std::io::Read::read_exact(&mut file, &mut first).ok()?;
            (&first == b"PAR1").then_some(FileForm::Parquet)
        }
    }
}

/// A path as the user would write it.
fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// True for files whose columns are mostly the same.
fn alike(a: &InputFile, b: &InputFile) -> bool {
    let names = |file: &InputFile| -> BTreeSet<String> {
        file.columns.iter().map(|column| column.name.clone()).collect()
    };
    let (a, b) = (names(a), names(b));
    let common = a.intersection(&b).count() as f64;
    common >= ALIKE * a.len().max(b.len()) as f64
}

/// The address that stands for just these files: one that was given, if all of its files are among them.
fn address(
    group: &[Found],
    given: &[String],
    mixed: &BTreeSet<usize>,
    root: &Path,
) -> Result<String, DraftError> {
    let form = group[0].form;
    let mut own: Vec<PathBuf> = group.iter().map(|found| found.path.clone()).collect();
    own.sort();
    let fits = |address: &str| find(address, root, form).is_some_and(|found| found == own);
    let first = &group[0];
    let one_given = group.iter().all(|found| found.given == first.given);
    if one_given && !mixed.contains(&first.given) && fits(&given[first.given]) {
        return Ok(given[first.given].trim_end_matches('/').to_owned());
    }
    if let [one] = group
        && one.opened.folders.is_empty()
    {
        return Ok(shown(&one.path, root));
    }
    let folder = shown(&common_folder(&own), root);
    let escaped = glob::Pattern::escape(&folder);
    let in_folder = |name: &str| match folder.is_empty() {
        true => name.to_owned(),
        false => format!("{escaped}/{name}"),
    };
    let names: Vec<String> = own
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let patterns = [
        in_folder(&format!("*.{}", form.word())),
        in_folder(&format!("{}*{}", prefix(&names), suffix(&names))),
        folder,
    ];
    let fitting = patterns.into_iter().find(|pattern| !pattern.is_empty() && fits(pattern));
    fitting.ok_or_else(|| {
        let shown: Vec<String> = own.iter().map(|path| shown(path, root)).collect();
        DraftError::Scattered { files: shown.join(", ") }
    })
}

/// The innermost folder that holds all files and gives no column.
fn common_folder(paths: &[PathBuf]) -> PathBuf {
    let mut folder = paths[0].parent().map(Path::to_owned).unwrap_or_default();
    let gives_column =
        |folder: &Path| folder.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
    while !paths.iter().all(|path| path.starts_with(&folder)) || gives_column(&folder) {
        if !folder.pop() {
            break;
        }
    }
    folder
}

fn prefix(names: &[String]) -> String {
    let common = |a: String, b: &String| -> String {
        a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    };
    names[1..].iter().fold(names[0].clone(), common)
}

fn suffix(names: &[String]) -> String {
    let reversed: Vec<String> = names.iter().map(|name| name.chars().rev().collect()).collect();
    prefix(&reversed).chars().rev().collect()
}

/// What an address is about: the last part of it that has letters of its own.
fn stem(address: &str) -> &str {
    let mut stem = "";
    for part in address.rsplit('/') {
        let part = part.rsplit_once('.').map_or(part, |(name, _)| name);
        let part = part.split('*').next().unwrap_or_default();
        if part.chars().any(char::is_alphabetic) && !part.contains('=') {
            stem = part.trim_end_matches(|c: char| !c.is_alphabetic() && !c.is_ascii_digit());
            break;
        }
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_in_it() {
        assert_eq!(stem("data/orders.parquet"), "orders");
        assert_eq!(stem("data/orders/*.parquet"), "orders");
        assert_eq!(stem("data/orders_20*.csv"), "orders_20");
        assert_eq!(stem("/lake/shop/year=*/*.parquet"), "shop");
        assert_eq!(stem("online retail.csv"), "online retail");
        assert_eq!(stem("data/2024/*.parquet"), "data");
    }
}
