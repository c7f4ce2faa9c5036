//! From a file's path to a plan: all that `check` does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceText};
use crate::document::Instant;
use crate::engine::local::{Local, LocalSource};
use crate::engine::{Engine, EngineError, Unwatched};
use crate::frame::Value;
use crate::plan::{self, InputSchema, Plan};
use crate::spec::{self, AsOf, Inputs, Pipeline, StageBody};
use crate::stages::{self, Stage};

use super::error::RunError;
use super::files;
use super::holidays;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The pipeline's path.
    pub pipeline: PathBuf,
    /// What relative paths in the pipeline are relative to.
    pub root: PathBuf,
    /// Instead of the pipeline's `as_of`.
    pub as_of: Option<AsOf>,
    /// Values of parameters.
    pub set: BTreeMap<String, String>,
    /// Variables that win over those of the process's environment; asked only for names listed under `env:`.
    pub variables: BTreeMap<String, String>,
}

/// A pipeline that can be run.
pub struct Prepared {
    /// What was asked for.
    pub request: Request,
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
    /// `None` if the text is not understood.
    pub pipeline: Option<Pipeline<Box<dyn Stage>>>,
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
        Box::new(Failure { error, source: None, pipeline: None })
    })?;
    let source = SourceText::new(path.display().to_string(), text);
    match prepare_text(&source, request) {
        Ok((pipeline, (plan, inputs, warnings))) => {
            Ok(Prepared { request: request.clone(), source, pipeline, plan, inputs, warnings })
        }
        Err((error, pipeline)) => {
            Err(Box::new(Failure { error, source: Some(source), pipeline: pipeline.map(|p| *p) }))
        }
    }
}

type Document = Pipeline<Box<dyn Stage>>;
/// Why there is no plan, and what was read, if it could be.
type Unplanned = (RunError, Option<Box<Document>>);
type Parts = (Plan, BTreeMap<String, LocalSource>, Vec<Diagnostic>);

fn prepare_text(source: &SourceText, request: &Request) -> Result<(Document, Parts), Unplanned> {
    let mut diagnostics = Diagnostics::default();
    #[expect(
        clippy::disallowed_methods,
        reason = "asked only for names the pipeline lists under `env:`"
    )]
    let of_process = |name: &str| std::env::var(name).ok();
    let variable = |name: &str| request.variables.get(name).cloned().or_else(|| of_process(name));
    let days = |path: &str| holidays::days(&request.root.join(path));
    let inputs =
        Inputs { set: &request.set, as_of: request.as_of, variable: &variable, days: &days };
    let bodies = StageBody {
        kinds: stages::registry().iter().map(|kind| kind.name).collect(),
        decode: &plan::body,
        names_its_tables: &stages::names_its_tables,
    };
    let Some(pipeline) = spec::parse(source, &inputs, &bodies, &mut diagnostics) else {
        return Err((RunError::Diagnostics(diagnostics.into_sorted()), None));
    };
    let mut pipeline = pipeline;
    match plan_over_files(&mut pipeline, request, diagnostics) {
        Ok(parts) => Ok((pipeline, parts)),
        Err(error) => Err((error, Some(Box::new(pipeline)))),
    }
}

fn plan_over_files(
    pipeline: &mut Document,
    request: &Request,
    mut diagnostics: Diagnostics,
) -> Result<Parts, RunError> {
    let mut opened = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    let mut unreadable = None;
    for source in &pipeline.sources {
        match files::open(source, &request.root, &pipeline.calendar, &mut diagnostics) {
            Ok(None) => {}
            Ok(Some((files, columns))) => {
                schemas.insert(source.name.value.clone(), columns);
                opened.insert(source.name.value.clone(), LocalSource { files });
            }
            Err(error) => {
                unreadable.get_or_insert(error);
            }
        }
    }
    let mut empty = None;
    if let Some(span) = pipeline.latest {
        match latest(pipeline, &schemas, &opened) {
            Ok(Latest::Day(day)) => resolve_as_of(pipeline, day),
            Ok(Latest::NoTime) => diagnostics.push(
                Diagnostic::at(
                    Code::MissingRole,
                    span,
                    "`as_of: latest` needs a source with the role `time`, and none has it",
                )
                .help("say which column it is at a source, `time: COLUMN`, or write a date here"),
            ),
            Ok(Latest::NoEvent { source_name, files }) => {
                empty = Some(RunError::NoRows { source_name, files });
            }
            // A source that is wrong is told of by the plan.
            Ok(Latest::Unknown) => {}
            Err(error) => {
                unreadable.get_or_insert(error);
            }
        }
    }
    let planned = plan::plan(pipeline, &schemas, &mut diagnostics);
    // Mistakes in the document come first: they can be mended at the desk.
    if diagnostics.has_errors() {
        return Err(RunError::Diagnostics(diagnostics.into_sorted()));
    }
    if let Some(error) = unreadable {
        return Err(error.into());
    }
    if let Some(error) = empty {
        return Err(error);
    }
    let Some(planned) = planned else {
        return Err(EngineError::Internal("no plan and no reason".into()).into());
    };
    Ok((planned, opened, diagnostics.into_sorted()))
}

/// The day after the last event, or why there is none.
enum Latest {
    Day(i32),
    /// No source has the role `time`.
    NoTime,
    /// Sources have it, and none of them a row with a time.
    NoEvent {
        source_name: String,
        files: usize,
    },
    /// Nothing can be said as long as a source is wrong.
    Unknown,
}

fn latest(
    pipeline: &Document,
    schemas: &BTreeMap<String, InputSchema>,
    opened: &BTreeMap<String, LocalSource>,
) -> Result<Latest, EngineError> {
    let timed = pipeline
        .sources
        .iter()
        .filter(|source| source.time.is_some() || source.subscription.is_some());
    if timed.clone().next().is_none() {
        return Ok(match pipeline.broken.is_empty() {
            true => Latest::NoTime,
            false => Latest::Unknown,
        });
    }
    let events = plan::last_events(pipeline, schemas);
    if events.len() < timed.count() {
        return Ok(Latest::Unknown);
    }
    let calendar = &pipeline.calendar;
    let mut last: Option<i32> = None;
    let mut passes = Vec::new();
    let mut note = |value: &Value| {
        let day = match value {
            Value::Date(day) => *day,
            Value::Timestamp(at) => calendar.date_of(*at),
            _ => return,
        };
        last = last.max(Some(day));
    };
    for event in &events {
        let source = opened.get(&event.source);
        let settled =
            event.column.as_ref().zip(source).and_then(|((column, data_type), source)| {
                source.greatest(column, *data_type, calendar)
            });
        match settled {
            Some(value) => note(&value),
            None => passes.push(event.rel.clone()),
        }
    }
    if !passes.is_empty() {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let engine = Local::new(opened.clone(), calendar.clone(), threads, &Unwatched)?;
        for frame in engine.run(&passes)? {
            note(&frame.value(0, 0));
        }
    }
    Ok(match (last, events.first()) {
        (Some(day), _) => Latest::Day(day.saturating_add(1)),
        (None, Some(event)) => Latest::NoEvent {
            source_name: event.source.clone(),
            files: opened.get(&event.source).map_or(0, |source| source.files.len()),
        },
        (None, None) => Latest::Unknown,
    })
}

/// Puts the day in place of `latest`, also among the settings that a report prints.
fn resolve_as_of(pipeline: &mut Document, day: i32) {
    use crate::document::Decode;
    pipeline.as_of = Instant::Date(day);
    for (_, value, _) in pipeline.settings.iter_mut().filter(|(key, _, _)| key == "as_of") {
        *value = pipeline.as_of.show();
    }
}
