//! From a file's path to a plan: all that `check` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceText};
use crate::document::Instant;
use crate::engine::EngineError;
use crate::engine::local::{InputFile, LocalSource};
use crate::plan::{self, FileColumn, FileSchema, Plan};
use crate::spec::{self, Inputs, Pipeline, Source, StageBody};
use crate::stages::{self, Stage};

use super::error::RunError;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The pipeline's path.
    pub pipeline: PathBuf,
    /// What relative paths in the pipeline are relative to.
    pub root: PathBuf,
    /// Instead of the pipeline's `as_of`.
    pub as_of: Option<Instant>,
    /// Values of parameters.
    pub set: BTreeMap<String, String>,
}

/// A pipeline that can be run.
pub struct Prepared {
    pub source: SourceText,
    pub pipeline: Pipeline<Box<dyn Stage>>,
    pub plan: Plan,
    pub inputs: BTreeMap<String, LocalSource>,
    /// Warnings; there are no errors.
    pub warnings: Vec<Diagnostic>,
}

/// Why a pipeline cannot be run, and its text, for diagnostics to point into.
#[derive(Debug)]
pub struct Failure {
    pub error: RunError,
    /// `None` if the text itself cannot be read.
    pub source: Option<SourceText>,
}

/// Reads the pipeline and the footers of its sources, and plans it.
///
/// # Errors
/// Everything wrong with the pipeline, or a file that cannot be read.
pub fn prepare(request: &Request) -> Result<Prepared, Box<Failure>> {
    let path = &request.pipeline;
    let text = std::fs::read_to_string(path).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
            _ => error.to_string(),
        };
        let error = RunError::Pipeline { path: path.clone(), reason };
        Box::new(Failure { error, source: None })
    })?;
    let source = SourceText::new(path.display().to_string(), text);
    match prepare_text(&source, request) {
        Ok((pipeline, plan, inputs, warnings)) => {
            Ok(Prepared { source, pipeline, plan, inputs, warnings })
        }
        Err(error) => Err(Box::new(Failure { error, source: Some(source) })),
    }
}

type Parts = (Pipeline<Box<dyn Stage>>, Plan, BTreeMap<String, LocalSource>, Vec<Diagnostic>);

fn prepare_text(source: &SourceText, request: &Request) -> Result<Parts, RunError> {
    let mut diagnostics = Diagnostics::default();
    #[expect(
        clippy::disallowed_methods,
        reason = "asked only for names the pipeline lists under `env:`"
    )]
    let variable = |name: &str| std::env::var(name).ok();
    let inputs = Inputs { set: &request.set, as_of: request.as_of, variable: &variable };
    let bodies = StageBody {
        kinds: stages::registry().iter().map(|kind| kind.name).collect(),
        decode: &plan::body,
    };
    let Some(pipeline) = spec::parse(source, &inputs, &bodies, &mut diagnostics) else {
        return Err(RunError::Diagnostics(diagnostics.into_sorted()));
    };
    let mut opened = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    let mut unreadable = None;
    for source in &pipeline.sources {
        match open(source, &request.root, &mut diagnostics) {
            Ok(files) => {
                if let Some(files) = files {
                    let schema = files.iter().map(schema_of).collect();
                    schemas.insert(source.name.value.clone(), schema);
                    opened.insert(source.name.value.clone(), LocalSource { files });
                }
            }
            Err(error) => {
                unreadable.get_or_insert(error);
            }
        }
    }
    let planned = plan::plan(&pipeline, &schemas, &mut diagnostics);
    // Mistakes in the document come first: they can be mended at the desk.
    if diagnostics.has_errors() {
        return Err(RunError::Diagnostics(diagnostics.into_sorted()));
    }
    if let Some(error) = unreadable {
        return Err(error.into());
    }
    let Some(planned) = planned else {
        return Err(EngineError::Internal("no plan and no reason".into()).into());
    };
    Ok((pipeline, planned, opened, diagnostics.into_sorted()))
}

fn schema_of(file: &InputFile) -> FileSchema {
    let columns = file.columns.iter().map(|column| FileColumn {
        name: column.name.clone(),
        found: column.found.clone(),
        data_type: column.data_type,
        narrow: column.narrow,
    });
    FileSchema { name: file.name.clone(), columns: columns.collect() }
}

/// The files of a source, by name; nothing if there are none, which is noted.
fn open(
    source: &Source,
    root: &Path,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Vec<InputFile>>, EngineError> {
    let text = source.parquet.text.as_str();
    if let Some((scheme, _)) = text.split_once("://") {
        diagnostics.push(
            Diagnostic::at(
                Code::Unsupported,
                source.parquet.span,
                format!("`{scheme}://` addresses are not read"),
            )
            .help("copy or mount the files, and give their path"),
        );
        return Ok(None);
    }
    let Some(paths) = find(text, root) else {
        diagnostics.push(Diagnostic::at(
            Code::InvalidValue,
            source.parquet.span,
            format!("`{text}` is not a pattern of paths"),
        ));
        return Ok(None);
    };
    if paths.is_empty() {
        diagnostics.push(
            Diagnostic::at(
                Code::InputNotFound,
                source.parquet.span,
                format!("no file of source `{}` is found at `{text}`", source.name.value),
            )
            .note("paths are relative to the working directory, or to `--root`"),
        );
        return Ok(None);
    }
    let hive = |path: &&PathBuf| {
        let folders = path.strip_prefix(root).unwrap_or(path).parent();
        folders.is_some_and(|folders| folders.to_string_lossy().contains('='))
    };
    if let Some(path) = paths.iter().find(hive) {
        diagnostics.push(
            Diagnostic::at(
                Code::Unsupported,
                source.parquet.span,
                format!(
                    "folders named `key=value` are not read yet, such as that of {}",
                    path.display()
                ),
            )
            .help("list the files by a pattern that has no such folder"),
        );
        return Ok(None);
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let mut file = InputFile::open(&source.name.value, &path)?;
        if let Ok(shown) = path.strip_prefix(root) {
            file.name = shown.display().to_string();
        }
        files.push(file);
    }
    Ok(Some(files))
}

/// The files that a path, a pattern or a folder stands for, in order; `None` for a bad pattern.
fn find(text: &str, root: &Path) -> Option<Vec<PathBuf>> {
    let path = root.join(text);
    if path.is_file() {
        return Some(vec![path]);
    }
    let pattern = if path.is_dir() { path.join("**/*.parquet") } else { path };
    let mut found: Vec<PathBuf> = glob::glob(&pattern.to_string_lossy())
        .ok()?
        .filter_map(Result::ok)
        // What is no file after all, such as a broken link, fails when it is opened.
        .filter(|path| !path.is_dir())
        .collect();
    found.sort();
    found.dedup();
    Some(found)
}
