//! From arguments to an exit status.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::Parser;

use super::arguments::{
    Arguments, Command, DiffArguments, Format, GenerateArguments, InitArguments, MetricsArguments,
    PipelineArguments, RunArguments, ShowArguments,
};
use super::progress::Progress;
use super::signals::Signals;
use super::{diagnostics, init, install, manual, refused};
use crate::diagnostic::SourceText;
use crate::document::{Instant, parse_instant};
use crate::engine::EngineError;
use crate::generate::{Asked, GenerateError};
use crate::run::{
    self, AskedLimits, ExitStatus, Failure, Limits, Prepared, Request, RunError, exit_status_of,
};
use crate::spec::AsOf;

/// Runs the program and gives its exit status.
pub fn main() -> ExitStatus {
    start_log();
    match catch_unwind(AssertUnwindSafe(|| given().map_or_else(|status| status, dispatch))) {
        Ok(status) => status,
        Err(_) => {
            error("this is a bug of tenure: please report it with the lines above");
            ExitStatus::Bug
        }
    }
}

/// Logs for developers, on stderr, if `RUST_LOG` asks for them.
fn start_log() {
    #[expect(
        clippy::disallowed_methods,
        reason = "RUST_LOG is the one variable the program itself reads"
    )]
    let Ok(filter) = std::env::var("RUST_LOG") else { return };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .try_init();
}

/// The arguments, or what became of help, the version and mistakes.
fn given() -> Result<Arguments, ExitStatus> {
    Arguments::try_parse().map_err(|problem| {
        if !problem.use_stderr() || !refused::json_asked(std::env::args_os()) {
            let printed = problem.print();
            return match (problem.use_stderr(), printed) {
                (false, Err(cause)) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
                    ExitStatus::Output
                }
                (false, _) => ExitStatus::Done,
                (true, _) => ExitStatus::Pipeline,
            };
        }
        let (message, help) = refused::sentences(&problem);
        print(&diagnostics::refused(&message, help.as_deref(), ExitStatus::Pipeline));
        ExitStatus::Pipeline
    })
}

fn dispatch(arguments: Arguments) -> ExitStatus {
    match arguments.command {
        Command::Init(arguments) => draft(&arguments),
        Command::Generate(arguments) => generate(arguments),
        Command::Run(arguments) => run(&arguments),
        Command::Check(arguments) => check(&arguments),
        Command::Show(arguments) => show(arguments),
        Command::Explain(arguments) => explain(&arguments.pipeline, arguments.stage.as_deref()),
        Command::Stages { name } => page(manual::stages(name.as_deref())),
        Command::Metrics(arguments) => metrics(arguments),
        Command::Checks { name } => page(manual::checks(name.as_deref())),
        Command::Schema => print(crate::plan::json_schema().trim_end()),
        Command::Diff(arguments) => diff(&arguments),
        Command::Completions { shell } => print(install::completions(shell).trim_end()),
        Command::Man { directory: None } => print(install::page().trim_end()),
        Command::Man { directory: Some(directory) } => match install::pages(&directory) {
            Ok(()) => ExitStatus::Done,
            Err(reason) => {
                error(&reason);
                ExitStatus::Output
            }
        },
        Command::Crash => {
            let everything: usize = ExitStatus::ALL.len();
            assert!(everything == 0, "this command is there to fail");
            ExitStatus::Bug
        }
    }
}

/// Prints to stdout. A closed pipe is success: whoever reads has seen enough.
fn print(text: &str) -> ExitStatus {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitStatus::Done,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitStatus::Done,
        Err(_) => ExitStatus::Output,
    }
}

fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

fn colour() -> bool {
    std::io::stderr().is_terminal()
        && anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

fn draft(arguments: &InitArguments) -> ExitStatus {
    let mut say = |line: &str| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    match init::init(arguments, &mut say) {
        Ok(path) => print(&path),
        Err(refused) => {
            error(&refused.message);
            if let Some(help) = refused.help {
                say(&format!("  = help: {help}"));
            }
            refused.status
        }
    }
}

fn generate(arguments: GenerateArguments) -> ExitStatus {
    let GenerateArguments { directory, orders, seed, layout, ids, tables, until, years, threads } =
        arguments;
    let asked = Asked {
        directory,
        orders,
        seed,
        layout,
        ids,
        tables,
        until,
        years,
        threads: threads_of(threads),
    };
    match crate::generate::generate(&asked) {
        Ok(truth) => {
            for (name, table) in &truth.tables {
                let rows = table.counted.get("rows");
                let _ = writeln!(std::io::stderr(), "wrote {name}: {rows} rows");
            }
            print(&asked.directory.join("truth.json").display().to_string())
        }
        Err(reason) => {
            error(&reason.to_string());
            match reason {
                GenerateError::NotEmpty { .. }
                | GenerateError::Output { .. }
                | GenerateError::Threads(_) => ExitStatus::Output,
                GenerateError::UnknownTable { .. }
                | GenerateError::TooLong { .. }
                | GenerateError::TooMany { .. } => ExitStatus::Pipeline,
            }
        }
    }
}

/// The threads asked for, or one per core.
fn threads_of(asked: Option<u16>) -> usize {
    asked.map_or_else(run::cores, usize::from)
}

fn page(page: Result<String, String>) -> ExitStatus {
    match page {
        Ok(page) => print(&page),
        Err(reason) => {
            error(&reason);
            ExitStatus::Pipeline
        }
    }
}

fn metrics(arguments: MetricsArguments) -> ExitStatus {
    let MetricsArguments { name, as_yaml, pipeline, from, as_of, set, root } = arguments;
    let (name, pipeline) = match (name, pipeline) {
        (Some(name), Some(pipeline)) => (name, pipeline),
        (Some(name), None) if as_yaml => return page(run::metric_as_yaml(&name)),
        (name, _) => return page(manual::metrics(name.as_deref())),
    };
    let asked = PipelineArguments { pipeline, as_of, set, root, format: Format::Text };
    match prepared(&asked, &|_| {}) {
        Ok(prepared) => page(run::metric_of_pipeline(&name, &prepared, from.as_deref())),
        Err(status) => status,
    }
}

fn request(arguments: &PipelineArguments) -> Result<Request, String> {
    let mut set = BTreeMap::new();
    for given in &arguments.set {
        let parts = given.strip_prefix("params.").and_then(|rest| rest.split_once('='));
        let Some((name, value)) = parts else {
            return Err(format!("`--set {given}` is not of the form `--set params.NAME=VALUE`"));
        };
        set.insert(name.to_owned(), value.to_owned());
    }
    let as_of = match arguments.as_of.as_deref() {
        None => None,
        Some("today") => Some(AsOf::At(today())),
        Some("latest") => Some(AsOf::Latest),
        Some(text) => Some(AsOf::At(parse_instant(text).ok_or_else(|| {
            format!(
                "`--as-of {text}` is not a date such as 2026-11-01, a timestamp, `today` or `latest`"
            )
        })?)),
    };
    Ok(Request {
        pipeline: arguments.pipeline.clone(),
        root: arguments.root.clone().unwrap_or_default(),
        as_of,
        set,
        variables: BTreeMap::new(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "`--as-of today` is resolved here and kept in the manifest"
)]
fn today() -> Instant {
    let date = jiff::Timestamp::now().to_string();
    parse_instant(date.get(..10).unwrap_or_default()).unwrap_or(Instant::Date(0))
}

/// Reads and plans; a failure is recorded, printed, and becomes an exit status.
fn prepared(
    arguments: &PipelineArguments,
    record: &dyn Fn(&Failure),
) -> Result<Prepared, ExitStatus> {
    let request = request(arguments).map_err(|reason| {
        say(&reason, ExitStatus::Pipeline, arguments.format);
        ExitStatus::Pipeline
    })?;
    match run::prepare(&request) {
        Ok(prepared) => {
            if arguments.format == Format::Text {
                for warning in &prepared.warnings {
                    let text = diagnostics::render(warning, Some(&prepared.source), colour());
                    let _ = writeln!(std::io::stderr(), "{text}\n");
                }
            }
            Ok(prepared)
        }
        Err(failure) => {
            record(&failure);
            fail(&failure.error, failure.source.as_ref(), arguments.format);
            Err(exit_status_of(&failure.error))
        }
    }
}

fn fail(failure: &RunError, source: Option<&SourceText>, format: Format) {
    match format {
        Format::Text => {
            let text = diagnostics::render_error(failure, source, colour());
            let _ = writeln!(std::io::stderr(), "{text}");
        }
        Format::Json => {
            print(&diagnostics::document(&[], Some(failure), source));
        }
    }
}

fn check(arguments: &PipelineArguments) -> ExitStatus {
    let prepared = match prepared(arguments, &|_| {}) {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    match arguments.format {
        Format::Json => {
            print(&diagnostics::document(&prepared.warnings, None, Some(&prepared.source)))
        }
        Format::Text => {
            let tables: usize = prepared
                .plan
                .stages
                .iter()
                .flat_map(|stage| &stage.tables)
                .chain(&prepared.plan.quarantines)
                .filter(|table| table.published)
                .count();
            print(&format!(
                "{}: {} source(s), {} stage(s), {tables} table(s); no mistakes found",
                prepared.source.name,
                prepared.plan.sources.len(),
                prepared.plan.stages.len(),
            ))
        }
    }
}

fn diff(arguments: &DiffArguments) -> ExitStatus {
    let found = match run::diff(&arguments.a, &arguments.b, arguments.tolerance) {
        Ok(found) => found,
        Err(reason) => {
            say(&reason.to_string(), ExitStatus::Input, arguments.format);
            return ExitStatus::Input;
        }
    };
    let printed = print(&match arguments.format {
        Format::Text => found.to_text(),
        Format::Json => serde_json::to_string_pretty(&found).unwrap_or_default(),
    });
    match printed {
        ExitStatus::Done if !found.equal => ExitStatus::StageFailed,
        status => status,
    }
}

/// Prints an error that is not of a run, in the form that was asked for.
fn say(message: &str, status: ExitStatus, format: Format) {
    match format {
        Format::Text => error(message),
        Format::Json => {
            print(&diagnostics::refused(message, None, status));
        }
    }
}

fn explain(arguments: &PipelineArguments, stage: Option<&str>) -> ExitStatus {
    let prepared = match prepared(arguments, &|_| {}) {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    match run::explain(&prepared, stage) {
        Some(text) => print(text.trim_end()),
        None => {
            let stages: Vec<&str> =
                prepared.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
            let message = format!(
                "there is no stage `{}`; known: {}",
                stage.unwrap_or_default(),
                crate::diagnostic::list(&stages)
            );
            say(&message, ExitStatus::Pipeline, arguments.format);
            ExitStatus::Pipeline
        }
    }
}

/// What is said of a name that is not there.
fn unknown<S: AsRef<str>>(what: &str, name: &str, known: &[S]) -> String {
    match crate::diagnostic::nearest(name, known.iter().map(S::as_ref)) {
        Some(near) => format!("there is no {what} `{name}`; a similar name exists: `{near}`"),
        None => format!("there is no {what} `{name}`; known: {}", crate::diagnostic::list(known)),
    }
}

fn show(arguments: ShowArguments) -> ExitStatus {
    let signals = Signals::listen();
    let ShowArguments { pipeline, table, rows, format, as_of, set, root } = arguments;
    let pipeline = PipelineArguments { pipeline, as_of, set, root, format: Format::Text };
    let prepared = match prepared(&pipeline, &|_| {}) {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    let threads = threads_of(None);
    let progress = Progress::new(true, signals);
    match run::show(&prepared, &table, threads, &progress) {
        Ok(Some(shown)) => print(&super::show::render(&shown, rows, format)),
        Ok(None) => {
            error(&unknown("table", &table, &run::tables(&prepared)));
            ExitStatus::Pipeline
        }
        Err(failure) => {
            fail(&failure, Some(&prepared.source), Format::Text);
            exit_status_of(&failure)
        }
    }
}

fn run(arguments: &RunArguments) -> ExitStatus {
    let signals = Signals::listen();
    let threads = threads_of(arguments.threads);
    let root: PathBuf = arguments.pipeline.root.clone().unwrap_or_default();
    let recorded = |failure: &Failure| run::record_failure(failure, &root, threads);
    let mut prepared = match prepared(&arguments.pipeline, &recorded) {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    let stages: Vec<String> = prepared.plan.stages.iter().map(|stage| stage.name.clone()).collect();
    if !arguments.select.is_empty()
        && let Err(name) = prepared.select(&arguments.select)
    {
        let message = unknown("stage", name, &stages);
        say(&message, ExitStatus::Pipeline, arguments.pipeline.format);
        return ExitStatus::Pipeline;
    }
    let asked = AskedLimits {
        threads: arguments.threads,
        memory: arguments.memory_limit,
        spill: arguments.spill.clone(),
    };
    let limits = Limits::new(prepared.pipeline.limits.as_ref(), &asked, &root);
    let progress = Progress::new(arguments.quiet, signals.clone()).until(limits.timeout);
    match run::execute(&prepared, &root, &limits, &progress) {
        Ok(executed) => {
            for (table, rows) in &executed.tables {
                progress.say(&format!("wrote {table}: {rows} rows"));
            }
            for warning in &executed.warnings {
                progress.say(&format!("warning: {warning}"));
            }
            for alert in &executed.alerts {
                progress.say(alert);
            }
            if let Some(report) = &executed.report {
                progress.say(&format!("report: {}", report.display()));
            }
            progress.say(&format!("done in {:.2} s", executed.seconds));
            print(&executed.manifest.display().to_string())
        }
        Err(failure) => {
            let failure = match (failure, signals.received()) {
                (RunError::Engine(EngineError::Interrupted), Some(status)) => {
                    RunError::Signal(status)
                }
                (RunError::Engine(EngineError::Interrupted), None) if progress.is_late() => {
                    RunError::Timeout { limit: progress.limit() }
                }
                (failure, _) => failure,
            };
            fail(&failure, Some(&prepared.source), arguments.pipeline.format);
            exit_status_of(&failure)
        }
    }
}
