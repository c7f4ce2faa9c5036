//! Any table of a pipeline, looked at without publishing it.

use super::error::RunError;
use super::prepare::Prepared;
use crate::engine::local::Local;
use crate::engine::{Engine, EngineError, Monitor};
use crate::frame::Frame;
use crate::plan::PlannedTable;

/// A table as it came out.
#[derive(Debug)]
pub struct Shown {
    pub name: String,
    /// The columns that identify a row; empty for rows as they come.
    pub grain: Vec<String>,
    pub frame: Frame,
}

/// The names of all tables: sources, quarantines, stages and their companions.
pub fn tables(prepared: &Prepared) -> Vec<&str> {
    let sources = prepared.plan.sources.iter().map(|table| table.name.as_str());
    sources.chain(made(prepared).map(|table| table.name.as_str())).collect()
}

/// The tables that are made, as they are published.
fn made(prepared: &Prepared) -> impl Iterator<Item = &PlannedTable> {
    let plan = &prepared.plan;
    plan.quarantines.iter().chain(plan.stages.iter().flat_map(|stage| &stage.tables))
}

/// Computes a table and what it needs; `None` if there is none of that name.
///
/// # Errors
/// Why it has no rows to show.
pub fn show(
    prepared: &Prepared,
    name: &str,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Option<Shown>, RunError> {
    let source = prepared.plan.sources.iter().find(|table| table.name == name);
    let (rel, grain) = match (source, made(prepared).find(|table| table.name == name)) {
        (Some(table), _) => {
            let masked = prepared.pipeline.personal.masked(table);
            (masked.map_err(|error| EngineError::Internal(error.message))?, &[][..])
        }
        (None, Some(table)) => (table.rel.clone(), table.grain.as_slice()),
        (None, None) => return Ok(None),
    };
    let calendar = prepared.pipeline.calendar.clone();
    let engine = Local::new(prepared.inputs.clone(), calendar, threads, monitor)?;
    let frame = engine.run(&[rel])?.remove(0);
    Ok(Some(Shown { name: name.to_owned(), grain: grain.to_vec(), frame }))
}

impl Prepared {
    /// Leaves only these stages to be published, with the checks and alerts of their tables and of sources. What
    /// they need is computed all the same.
    ///
    /// # Errors
    /// The first name that is no stage.
    pub fn select<'a>(&mut self, stages: &'a [String]) -> Result<(), &'a str> {
        let plan = &mut self.plan;
        for name in stages {
            if !plan.stages.iter().any(|stage| stage.name == *name) {
                return Err(name);
            }
        }
        plan.stages.retain(|stage| stages.contains(&stage.name));
        for stage in &mut plan.stages {
            // Who asks for a stage wants to see it.
            stage.tables.iter_mut().take(1).for_each(|table| table.published = true);
        }
        let kept: Vec<&str> = plan
            .stages
            .iter()
            .flat_map(|stage| &stage.tables)
            .map(|table| table.name.as_str())
            .chain(plan.sources.iter().map(|source| source.name.as_str()))
            .collect();
        plan.checks.retain(|check| kept.contains(&check.from.as_str()));
        plan.alerts.retain(|alert| kept.contains(&alert.from.as_str()));
        Ok(())
    }
}
