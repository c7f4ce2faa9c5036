//! Diagnostics as text and as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Severity, SourceText, Span};
use crate::run::{ExitStatus, RunError, exit_status_of};

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
    let message = error.to_string();
    let mut group = Group::with_title(Level::ERROR.primary_title(&message));
    let help = error.help();
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
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
