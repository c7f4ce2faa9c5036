//! Diagnostics as text and as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Severity, SourceText, Span};
use crate::run::{ExitStatus, FailedCheck, RunError, exit_status_of};

/// A diagnostic as text with the lines it is about.
pub(super) fn render(diagnostic: &Diagnostic, source: Option<&SourceText>, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.name());
    let mut group = Group::with_title(title);
    if let (Some(source), Some(primary)) = (source, &diagnostic.primary) {
        let within = |span: Span| {
            let end = source.text.len();
            span.start.min(end)..span.end.min(end)
        };
        let mut snippet = Snippet::source(&source.text).path(&source.name).fold(true);
        snippet = snippet
            .annotation(AnnotationKind::Primary.span(within(primary.span)).label(&primary.text));
        for label in &diagnostic.secondary {
            snippet = snippet
                .annotation(AnnotationKind::Context.span(within(label.span)).label(&label.text));
        }
        group = group.element(snippet);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// A failure as text.
pub(super) fn render_error(error: &RunError, source: Option<&SourceText>, colour: bool) -> String {
    if let RunError::Diagnostics(list) = error {
        let mut parts: Vec<String> =
            list.iter().map(|diagnostic| render(diagnostic, source, colour)).collect();
        let errors = list.iter().filter(|d| d.severity == Severity::Error).count();
        let plural = if errors == 1 { "" } else { "s" };
        let status = exit_status_of(error).code();
        parts.push(format!("{errors} error{plural}; nothing was run (exit {status})"));
        return parts.join("\n\n");
    }
    if let RunError::Checks(broken) = error {
        let mut parts: Vec<String> =
            broken.iter().map(|check| failed_check(check, colour)).collect();
        let status = exit_status_of(error).code();
        let count = broken.iter().filter(|check| check.outcome.stops()).count();
        let plural = if count == 1 { "" } else { "s" };
        parts.push(format!("{count} check{plural} failed; nothing was published (exit {status})"));
        return parts.join("\n\n");
    }
    let message = error.to_string();
    let mut group = Group::with_title(Level::ERROR.primary_title(&message));
    let help = error.help();
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// Failing rows that a terminal shows, and the widest cell.
const ROWS_SHOWN: usize = 10;
const CELL_WIDTH: usize = 30;

/// A check that failed, with the first rows that break it.
fn failed_check(check: &FailedCheck, colour: bool) -> String {
    let title = check.outcome.to_string();
    let level = if check.outcome.stops() { Level::ERROR } else { Level::WARNING };
    let group = Group::with_title(level.primary_title(&title));
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&[group]);
    let names = check.rows.schema.names().map(str::to_owned).collect();
    let shown = check.rows.rows().min(ROWS_SHOWN);
    let cell = |value: crate::frame::Value| match value {
        crate::frame::Value::Null => "null".to_owned(),
        value => value.to_string(),
    };
    let row = |at: usize| -> Vec<String> {
        (0..check.rows.schema.fields.len()).map(|c| cell(check.rows.value(at, c))).collect()
    };
    let mut lines: Vec<Vec<String>> = vec![names];
    lines.extend((0..shown).map(row));
    for cell in lines.iter_mut().flatten() {
        if cell.chars().count() > CELL_WIDTH {
            *cell = cell.chars().take(CELL_WIDTH - 1).chain(['…']).collect();
        }
        // One line is one row, whatever the values hold.
        *cell = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        text.push_str("\n  | ");
        text.push_str(cells.join("  ").trim_end());
    }
    let more = check.outcome.failures.saturating_sub(shown as u64);
    if more > 0 && check.rows.rows() > shown {
        text.push_str(&format!(
            "\n  | and more: `checks_rows/{}.parquet` beside the manifest has the first {}",
            check.outcome.name,
            check.rows.rows()
        ));
    }
    text
}

fn place(span: Span, source: Option<&SourceText>) -> Value {
    match source {
        None => Value::Null,
        Some(source) => {
            let (start, end) = (source.position(span.start), source.position(span.end));
            json!({
                "file": source.name,
                "start": {"offset": span.start, "line": start.line, "column": start.column},
                "end": {"offset": span.end, "line": end.line, "column": end.column},
            })
        }
    }
}

fn to_json(diagnostic: &Diagnostic, source: Option<&SourceText>) -> Value {
    let labels = diagnostic
        .primary
        .iter()
        .map(|label| (label, true))
        .chain(diagnostic.secondary.iter().map(|label| (label, false)));
    json!({
        "code": diagnostic.code.name(),
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "labels": labels.map(|(label, primary)| json!({
            "primary": primary,
            "text": label.text,
            "place": place(label.span, source),
        })).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    })
}

/// One error that has no place in a document, as one JSON document.
pub(super) fn refused(message: &str, help: Option<&str>, status: ExitStatus) -> String {
    let diagnostic = json!({
        "code": null,
        "severity": "error",
        "message": message,
        "labels": [],
        "notes": [],
        "help": help,
    });
    let document = json!({"exit_status": status.code(), "diagnostics": [diagnostic]});
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Everything found, as one JSON document.
pub(super) fn document(
    warnings: &[Diagnostic],
    error: Option<&RunError>,
    source: Option<&SourceText>,
) -> String {
    let status = error.map_or(ExitStatus::Done, exit_status_of);
    let mut diagnostics: Vec<Value> = warnings.iter().map(|d| to_json(d, source)).collect();
    match error {
        Some(RunError::Diagnostics(list)) => {
            diagnostics.extend(list.iter().map(|d| to_json(d, source)));
        }
        Some(RunError::Checks(broken)) => {
            let stopping = broken.iter().filter(|check| check.outcome.stops());
            diagnostics.extend(stopping.map(|check| {
                json!({
                    "code": null,
                    "severity": "error",
                    "message": check.outcome.to_string(),
                    "labels": [],
                    "notes": [],
                    "help": null,
                })
            }));
        }
        Some(error) => diagnostics.push(json!({
            "code": null,
            "severity": "error",
            "message": error.to_string(),
            "labels": [],
            "notes": [],
            "help": error.help(),
        })),
        None => {}
    }
    let document = json!({"exit_status": status.code(), "diagnostics": diagnostics});
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
