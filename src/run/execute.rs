//! A whole run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

use rayon::prelude::*;

use super::error::{ExitStatus, RunError, exit_status_of};
use super::limits::Limits;
use super::manifest::{
    ColumnRecord, FileRecord, InputRecord, MANIFEST_VERSION, Manifest, SourceRecord, StageRecord,
    TableRecord,
};
use super::prepare::{Failure, Prepared};
use super::publish::Staging;
use super::quality;
use super::write::{self, Layout};
use super::{alerts, checks, partition, report};
use crate::checks::CheckOutcome;
use crate::diagnostic::Severity;
use crate::engine::local::Local;
use crate::engine::{Engine, EngineError, Monitor};
use crate::frame::{Frame, Unit, Value};
use crate::ir::scan::{QUARANTINE, REASONS};
use crate::plan::PlannedTable;
use crate::report::Report;
use crate::spec::ReportFormat;

/// What a run left behind.
#[derive(Debug)]
pub struct Executed {
    pub manifest: PathBuf,
    pub report: Option<PathBuf>,
    /// Name and rows of each published table.
    pub tables: Vec<(String, u64)>,
    /// What went wrong without stopping the run: checks of severity `warn` that failed, bad rows that were
    /// borne, doubles that money moved.
    pub warnings: Vec<String>,
    /// The alerts that were raised, critical ones first.
    pub alerts: Vec<String>,
    pub seconds: f64,
}

/// Runs a prepared pipeline and publishes its tables and report. `root` is what the output directory is
/// relative to.
///
/// # Errors
/// Why nothing was published; the manifest of the failed run says the same.
pub fn execute(
    prepared: &Prepared,
    root: &Path,
    limits: &Limits,
    monitor: &dyn Monitor,
) -> Result<Executed, RunError> {
    let threads = limits.threads;
    #[expect(
        clippy::disallowed_methods,
        reason = "the run's id and timings, for the manifest only"
    )]
    let (started, clock) = (jiff::Timestamp::now(), Clock::now());
    let run_id = run_id(started, &prepared.plan.hash);
    let directory = root.join(&prepared.pipeline.outputs.directory.value);
    let staging = Staging::open(&directory, &run_id)?;
    let mut manifest = begin(prepared, &run_id, started, threads);
    let prepared_warnings = manifest.warnings.len();
    let interrupted = begin(prepared, &run_id, started, threads);
    let done = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(monitor, &done, &staging, interrupted));
        let result = work(prepared, &staging, limits, monitor, &mut manifest);
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        result
    });
    manifest.seconds = clock.elapsed().as_secs_f64();
    let result = result.and_then(|()| {
        if monitor.stopped() {
            return Err(EngineError::Interrupted.into());
        }
        manifest.status = "done";
        write::text(&staging.folder().join("manifest.json"), &manifest.to_json())?;
        staging.publish()
    });
    if let Err(error) = &result {
        staging.clear();
        let status = exit_status_of(error);
        let signal = matches!(status, ExitStatus::Interrupted | ExitStatus::Terminated);
        manifest.status = if signal { "interrupted" } else { "failed" };
        manifest.exit_status = match monitor.exit_status() {
            Some(asked) if signal => asked,
            _ => status.code(),
        };
        manifest.error = Some(error.to_string());
        manifest.tables.clear();
        manifest.reports.clear();
        if let RunError::Checks(failed) = error {
            // The rows help to mend the data; that they could not be written changes nothing.
            let _ = checks::write_rows(&staging.folder(), failed);
        }
        // The error stands, whether or not its record can be written.
        let _ = write::text(&staging.folder().join("manifest.json"), &manifest.to_json());
    }
    let keep = usize::try_from(prepared.pipeline.outputs.keep_runs.value).unwrap_or(3);
    staging.keep(keep);
    result?;
    Ok(Executed {
        manifest: directory.join("manifest.json"),
        report: manifest.reports.first().map(|report| directory.join(&report.file)),
        tables: manifest.tables.iter().map(|table| (table.name.clone(), table.rows)).collect(),
        warnings: manifest.warnings.split_off(prepared_warnings.min(manifest.warnings.len())),
        alerts: alerts::lines(&manifest.alerts),
        seconds: manifest.seconds,
    })
}

/// Leaves a manifest of a run that failed before its data was read: a file that is missing or damaged,
/// or that breaks its contract by its columns. A mistake in the pipeline leaves nothing, because
/// nothing was run.
pub fn record_failure(failure: &Failure, root: &Path, threads: usize) {
    let status = exit_status_of(&failure.error);
    let Some(pipeline) = &failure.pipeline else { return };
    if !matches!(status, ExitStatus::Input | ExitStatus::NoRows) {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "the run's id, for the manifest only")]
    let started = jiff::Timestamp::now();
    let run_id = run_id(started, &pipeline.name);
    // The failure itself is what is told; that its record could not be written is not.
    let Ok(staging) = Staging::open(&root.join(&pipeline.outputs.directory.value), &run_id) else {
        return;
    };
    let messages = match &failure.error {
        RunError::Diagnostics(list) => {
            let errors = list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
            errors.map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>().join("; ")
        }
        error => error.to_string(),
    };
    let manifest = Manifest {
        manifest_version: MANIFEST_VERSION,
        tenure_version: env!("CARGO_PKG_VERSION"),
        run_id,
        pipeline: pipeline.name.clone(),
        pipeline_file: failure.source.as_ref().map(|text| text.name.clone()).unwrap_or_default(),
        status: "failed",
        exit_status: status.code(),
        error: Some(messages),
        as_of: match pipeline.latest {
            Some(_) => "latest".to_owned(),
            None => Value::Timestamp(pipeline.calendar.resolve(pipeline.as_of)).to_string(),
        },
        timezone: pipeline.calendar.zone_name().to_owned(),
        seed: pipeline.seed,
        parameters: pipeline
            .parameters
            .written()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        threads,
        started: started.to_string(),
        ..Manifest::default()
    };
    let _ = write::text(&staging.folder().join("manifest.json"), &manifest.to_json());
    staging.keep(usize::try_from(pipeline.outputs.keep_runs.value).unwrap_or(3));
}

/// How long a run may take to stop by itself.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Waits for the run to end. If it was asked to stop and is deep in something long, clears up in its
/// stead and lets whoever asked end the process; a run that was asked to stop never publishes.
fn watch(monitor: &dyn Monitor, done: &AtomicBool, staging: &Staging, interrupted: Manifest) {
    const STEP: Duration = Duration::from_millis(50);
    let mut asked = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(STEP);
        if !monitor.stopped() {
            continue;
        }
        asked += STEP;
        if asked > PATIENCE {
            staging.clear();
            let manifest = stopped(interrupted, monitor);
            let _ = write::text(&staging.folder().join("manifest.json"), &manifest);
            monitor.abandon();
            return;
        }
    }
}

fn stopped(mut manifest: Manifest, monitor: &dyn Monitor) -> String {
    manifest.status = "interrupted";
    manifest.exit_status = monitor.exit_status().unwrap_or(ExitStatus::Interrupted.code());
    manifest.error = Some("stopped by a signal".into());
    manifest.to_json()
}

/// Ids sort by time; the rest tells apart runs of the same millisecond.
fn run_id(started: jiff::Timestamp, salt: &str) -> String {
    let text = started.to_string();
    let time: String = text.chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    let salt = format!("{salt} {} {text}", std::process::id());
    let hash = blake3::hash(salt.as_bytes()).to_hex();
    format!("{:.18}Z-{}", format!("{time:0<18}"), &hash[..6])
}

fn begin(prepared: &Prepared, run_id: &str, started: jiff::Timestamp, threads: usize) -> Manifest {
    let pipeline = &prepared.pipeline;
    let warnings = prepared.warnings.iter().filter(|d| d.severity == Severity::Warning);
    Manifest {
        manifest_version: MANIFEST_VERSION,
        tenure_version: env!("CARGO_PKG_VERSION"),
        run_id: run_id.to_owned(),
        pipeline: pipeline.name.clone(),
        pipeline_file: prepared.source.name.clone(),
        command: report::whole_command(prepared),
        status: "started",
        as_of: Value::Timestamp(prepared.plan.as_of).to_string(),
        timezone: pipeline.calendar.zone_name().to_owned(),
        seed: pipeline.seed,
        plan_hash: prepared.plan.hash.clone(),
        parameters: pipeline
            .parameters
            .written()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        threads,
        started: started.to_string(),
        sources: prepared
            .inputs
            .iter()
            .map(|(name, source)| SourceRecord {
                name: name.clone(),
                rows: source.files.iter().map(|file| file.rows).sum(),
                rows_bad: None,
                rows_seen: None,
                reasons: Vec::new(),
                rounded: None,
                drift: prepared.plan.drift.get(name).cloned().unwrap_or_default(),
                files: source
                    .files
                    .iter()
                    .map(|file| InputRecord {
                        path: file.name.clone(),
                        bytes: file.bytes,
                        rows: file.rows,
                        footer_hash: file.fingerprint.clone(),
                    })
                    .collect(),
            })
            .collect(),
        warnings: warnings.map(|warning| warning.message.clone()).collect(),
        ..Manifest::default()
    }
}

/// A form of the report, its file and its renderer.
type Form = (ReportFormat, &'static str, fn(&Report) -> String);

/// The forms of the report: their files and renderers, the one for people first.
const FORMATS: &[Form] = &[
    (ReportFormat::Html, "report.html", crate::report::html),
    (ReportFormat::Markdown, "report.md", crate::report::markdown),
    (ReportFormat::Json, "report.json", crate::report::json),
];

fn work(
    prepared: &Prepared,
    staging: &Staging,
    limits: &Limits,
    monitor: &dyn Monitor,
    manifest: &mut Manifest,
) -> Result<(), RunError> {
    for (name, source) in &prepared.inputs {
        if source.files.iter().all(|file| file.rows == 0) {
            let files = source.files.len();
            return Err(RunError::NoRows { source_name: name.clone(), files });
        }
    }
    let calendar = prepared.pipeline.calendar.clone();
    let threads = limits.threads;
    let engine = Local::new(prepared.inputs.clone(), calendar, threads, monitor)?;
    let engine = match &limits.memory {
        Some(limit) => engine.with_memory(limit.clone()),
        None => engine,
    };
    let tables: Vec<&PlannedTable> = prepared
        .plan
        .stages
        .iter()
        .flat_map(|stage| &stage.tables)
        .chain(&prepared.plan.quarantines)
        .filter(|table| table.published)
        .collect();
    let touched: Vec<_> = prepared
        .plan
        .stages
        .iter()
        .filter_map(|stage| Some((stage.name.as_str(), stage.touched.clone()?)))
        .collect();
    let rels: Vec<_> = tables
        .iter()
        .map(|table| table.rel.clone())
        .chain(touched.iter().map(|(_, rel)| rel.clone()))
        .chain(checks::relations(&prepared.plan))
        .chain(alerts::relations(&prepared.plan))
        .collect();
    tracing::debug!(tables = rels.len(), threads, plan = %prepared.plan.hash, "the engine begins");
    let frames = match engine.run(&rels) {
        Ok(frames) => frames,
        Err(error) => {
            let error = checks::or_of_sources(prepared, error, &engine);
            quality::note(prepared, &engine, manifest);
            if let RunError::Checks(failed) = &error {
                manifest.checks = failed.iter().map(|c| checks::record(&c.outcome)).collect();
            }
            return Err(error);
        }
    };
    quality::note(prepared, &engine, manifest);
    tracing::debug!(bytes = engine.put_aside(), "put aside in files");
    let of_checks = &frames[tables.len() + touched.len()..];
    let (of_checks, of_alerts) = of_checks.split_at(checks::relations(&prepared.plan).len());
    let touched: Vec<(&str, &Frame)> =
        touched.iter().map(|(name, _)| *name).zip(&frames[tables.len()..]).collect();
    let published: Vec<(&PlannedTable, &Frame)> = tables.into_iter().zip(&frames).collect();

    let counts = engine.counts();
    for (record, table) in manifest.sources.iter_mut().filter_map(|record| {
        let table = prepared.plan.sources.iter().find(|table| table.name == record.name)?;
        Some((record, table))
    }) {
        record.rows_seen = counts.of(&table.rel);
    }
    for stage in &prepared.plan.stages {
        let main = stage.tables.first();
        let frame = published.iter().find(|(table, _)| table.name == stage.name);
        manifest.stages.push(StageRecord {
            name: stage.name.clone(),
            kind: stage.kind,
            from: stage.from.clone(),
            also: stage.also.clone(),
            rows_in: counts.of(&stage.input),
            rows_out: frame
                .map(|(_, frame)| frame.rows() as u64)
                .or_else(|| counts.of(main?.rel.inputs().first()?)),
        });
    }
    drop(counts);
    let found = checks::find(&prepared.plan, of_checks, &engine)?;
    manifest.checks = found.records();
    if found.outcomes.iter().any(CheckOutcome::stops) {
        return Err(RunError::Checks(found.broken));
    }
    let warned = found.outcomes.iter().filter(|outcome| !outcome.passed);
    manifest.warnings.extend(warned.map(CheckOutcome::to_string));
    let of_checks = found.table()?;
    let raised = alerts::find(&prepared.plan, of_alerts, &engine)?;
    manifest.alerts = raised.iter().map(alerts::record).collect();
    let of_alerts = alerts::table(&prepared.plan, &raised)?;
    checks::write_rows(&staging.folder(), &found.broken)?;

    let further = of_checks.iter().chain(&of_alerts).map(|(table, frame)| (table, frame));
    let written: Vec<(&PlannedTable, &Frame)> = published.iter().copied().chain(further).collect();
    let record = |(table, frame): (&PlannedTable, &Frame)| match monitor.stopped() {
        true => Err(EngineError::Interrupted.into()),
        false => write_table(prepared, staging, table, frame, &|| engine.ease()),
    };
    let records = || -> Vec<Result<TableRecord, RunError>> {
        written.into_par_iter().with_max_len(1).map(record).collect()
    };
    let texts = || -> Vec<(&str, String)> {
        let report = report::build(prepared, &published, &touched, manifest);
        let formats = &prepared.pipeline.report.formats.value;
        let wanted = FORMATS.iter().filter(|(format, ..)| formats.contains(format));
        wanted.map(|(_, file, render)| (*file, render(&report))).collect()
    };
    let (texts, records) = engine.on_threads(|| rayon::join(texts, records));
    for record in records {
        manifest.tables.push(record?);
    }
    for (file, text) in texts {
        let written = write::text(&staging.folder().join(file), &text)?;
        let (file, bytes, hash) = (file.to_owned(), written.bytes, written.hash);
        manifest.reports.push(FileRecord { file, bytes, hash });
    }
    Ok(())
}

/// Writes a table to its file or its folder.
fn write_table(
    prepared: &Prepared,
    staging: &Staging,
    table: &PlannedTable,
    frame: &Frame,
    ease: &(dyn Fn() + Sync),
) -> Result<TableRecord, RunError> {
    let options = prepared.pipeline.outputs.tables.iter();
    let options = options.filter(|(name, _)| name.value == table.name).map(|(_, o)| o).next();
    let metadata = metadata(prepared, table, frame);
    let lists: &[&str] = if table.suffix == Some(QUARANTINE) { &[REASONS] } else { &[] };
    let layout = Layout { options, metadata: &metadata, lists, ease };
    let by: Vec<&str> = options.map_or(Vec::new(), |options| {
        options.partition_by.value.iter().map(|name| name.value.as_str()).collect()
    });
    let (file, parts, written) = if by.is_empty() {
        let file = format!("{}.parquet", table.name);
        let written = write::table(&staging.folder().join(&file), frame, layout)?;
        (file, Vec::new(), written)
    } else {
        let parts = partition::table(&staging.folder(), &table.name, frame, &by, layout)?;
        let written = partition::whole(&parts);
        let record = |(file, written): (String, write::Written)| FileRecord {
            file,
            bytes: written.bytes,
            hash: written.hash,
        };
        (table.name.clone(), parts.into_iter().map(record).collect(), written)
    };
    Ok(TableRecord {
        name: table.name.clone(),
        file,
        parts,
        grain: table.grain.clone(),
        rows: frame.rows() as u64,
        bytes: written.bytes,
        hash: written.hash,
        columns: frame
            .schema
            .fields
            .iter()
            .map(|field| ColumnRecord {
                name: field.name.clone(),
                r#type: match lists.contains(&field.name.as_str()) {
                    true => format!("list of {}", field.data_type),
                    false => field.data_type.to_string(),
                },
                unit: (field.unit != Unit::None).then(|| field.unit.to_string()),
            })
            .collect(),
    })
}

/// What stands in a table's file beside its columns.
fn metadata(
    prepared: &Prepared,
    table: &PlannedTable,
    frame: &Frame,
) -> Vec<(&'static str, String)> {
    let units: serde_json::Map<String, serde_json::Value> = frame
        .schema
        .fields
        .iter()
        .filter(|field| field.unit != Unit::None)
        .map(|field| (field.name.clone(), field.unit.to_string().into()))
        .collect();
    vec![
        ("tenure.table", table.name.clone()),
        ("tenure.grain", table.grain.join(",")),
        ("tenure.units", serde_json::Value::Object(units).to_string()),
        ("tenure.plan_hash", prepared.plan.hash.clone()),
        ("tenure.as_of", Value::Timestamp(prepared.plan.as_of).to_string()),
        ("tenure.version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}
