//! `as_of: latest`: where the last event of the sources is found.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::{self, Binding, InputSchema};
use crate::diagnostic::Diagnostics;
use crate::frame::DataType;
use crate::ir::relation::{self, Measure, MeasureFunc};
use crate::ir::typing::build;
use crate::ir::{Expr, RelNode, RelRef, named};
use crate::spec::Pipeline;

/// Where the last event of a source is found.
#[derive(Debug)]
pub struct LastEvent {
    pub source: String,
    /// The `time` role, if it is a plain column that no clause of the contract limits: then the
    /// statistics of the files settle it.
    pub column: Option<(String, DataType)>,
    /// One row with one column: the greatest `time` among the rows whose `time` obeys its clause of
    /// the contract.
    pub rel: RelRef,
}

/// The sources that have a `time`. What is wrong with one is left to [`super::plan`] to say.
pub fn last_events<S>(
    pipeline: &Pipeline<S>,
    files: &BTreeMap<String, InputSchema>,
) -> Vec<LastEvent> {
    let parameters = pipeline.parameters.typed();
    let personal = pipeline.personal;
    let calendar = &pipeline.calendar;
    let binding = Binding { parameters: &parameters, calendar, as_of: 0, personal };
    let mut events = Vec::new();
    for source in &pipeline.sources {
        let Some(files) = files.get(&source.name.value) else { continue };
        let unsaid = &mut Diagnostics::default();
        let Some(bound) = inputs::bind(source, files, &binding, unsaid) else { continue };
        let table = bound.table;
        let Some(time) = table.roles.time else { continue };
        events.extend(last_event(&table.name, &table.rel, &time));
    }
    events
}

fn last_event(source: &str, table: &RelRef, time: &Expr) -> Option<LastEvent> {
    let mut scan = table;
    while let Some(input) = scan.inputs().first() {
        scan = input;
    }
    let RelNode::Scan(contract) = &scan.node else { return None };
    let mut read = BTreeSet::new();
    time.for_each_column(&mut |name| {
        read.insert(name.to_owned());
    });
    let mut rel = relation::scan(source, scan.schema.clone(), Vec::new());
    let mut limited = false;
    // A null is no event, with or without a clause that says so.
    let limits = contract.rules.iter().filter(|rule| read.contains(&rule.column));
    for rule in limits.filter(|rule| !rule.violated.is_null_test()) {
        limited = true;
        rel = relation::filter(&rel, build::not(rule.violated.clone()).ok()?).ok()?;
    }
    let last = Measure::of(MeasureFunc::Max(time.clone()));
    Some(LastEvent {
        source: source.to_owned(),
        column: time
            .as_column()
            .filter(|_| !limited)
            .map(|column| (column.to_owned(), time.data_type)),
        rel: relation::aggregate(&rel, Vec::new(), vec![named("last", last)]).ok()?,
    })
}
