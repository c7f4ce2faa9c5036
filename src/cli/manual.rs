//! Manual pages: the doc comments of the files, and the options their types declare.

use std::fmt::Write;

use crate::checks::{CheckSpec, Place};
use crate::diagnostic::nearest;
use crate::document::{Field, manual_of, summary_of};
use crate::metrics::{Catalog, Direction};
use crate::{checks, metrics, stages};

/// The list of stages, or the page of one.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn stages(name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else {
        let rows = stages::registry().iter().map(|kind| (kind.name, summary_of(kind.source)));
        return Ok(table(rows, "tenure stages NAME"));
    };
    let Some(kind) = stages::find(name) else {
        let known = stages::registry().iter().map(|kind| kind.name);
        return Err(unknown("stage", name, known));
    };
    let mut page = manual_of(kind.source);
    options(&mut page, "Options", &(kind.fields)());
    if !kind.companions.is_empty() {
        page.push_str("\n\nCompanion tables:\n");
        for companion in kind.companions {
            let _ = writeln!(page, "  NAME_{}: {}", companion.suffix, companion.sentence);
        }
    }
    Ok(page.trim_end().to_owned())
}

/// The list of metrics, or the page of one.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn metrics(name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else {
        let built_in = |wanted: bool| {
            let kinds = metrics::registry().iter().filter(move |kind| kind.built_in == wanted);
            kinds.map(|kind| (kind.name, summary_of(kind.source)))
        };
        return Ok(format!(
            "Built-in metrics, to be named in `metrics: […]`:\n{}\n\nKinds, to declare metrics of:\n{}",
            table(built_in(true), "").trim_end(),
            table(built_in(false), "tenure metrics NAME")
        ));
    };
    let stem = name.rsplit_once('_').map(|(stem, _)| stem);
    let with_statistic = || stem.and_then(metrics::find).filter(|kind| kind.statistics);
    let Some(kind) = metrics::find(name).or_else(with_statistic) else {
        let known = metrics::registry().iter().map(|kind| kind.name);
        return Err(unknown("metric", name, known));
    };
    let mut page = manual_of(kind.source);
    let _ = write!(page, "\n\nUnit: {}.", kind.unit);
    if kind.direction != Direction::Neither {
        let _ = write!(page, " Good: {}.", kind.direction);
    }
    options(&mut page, "Options", &(kind.fields)());
    if !kind.built_in {
        options(&mut page, "Keys beside the kind", &Catalog::common_fields());
    }
    Ok(page.trim_end().to_owned())
}

/// The list of checks, or the page of one.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn checks(name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else {
        let rows = checks::registry().iter().map(|kind| (kind.name, summary_of(kind.source)));
        return Ok(table(rows, "tenure checks NAME"));
    };
    let Some(kind) = checks::find(name) else {
        let known = checks::registry().iter().map(|kind| kind.name);
        return Err(unknown("check", name, known));
    };
    let mut page = manual_of(kind.source);
    options(&mut page, "Options", &(kind.fields)());
    options(&mut page, "Keys beside the kind", &CheckSpec::common_fields(Place::Block));
    Ok(page.trim_end().to_owned())
}

fn options(page: &mut String, heading: &str, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    page.truncate(page.trim_end().len());
    let _ = write!(page, "\n\n{heading}:\n");
    for field in fields {
        let default = match &field.default {
            Some(default) => format!("default {default}"),
            None => "required".into(),
        };
        let _ =
            writeln!(page, "  {}: {} ({default})\n      {}", field.key, field.expects, field.doc);
    }
}

fn table(rows: impl Iterator<Item = (&'static str, String)>, more: &str) -> String {
    let rows: Vec<(&str, String)> = rows.collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, summary) in rows {
        let _ = writeln!(text, "  {name:width$}  {summary}");
    }
    if !more.is_empty() {
        let _ = write!(text, "\nMore on one: {more}");
    }
    text
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} `{name}`; a similar name exists: `{near}`"),
        None => format!("there is no {what} `{name}`; known: {}", crate::diagnostic::list(&known)),
    }
}
