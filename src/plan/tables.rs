//! Which tables are there, and who reads which.

use std::collections::BTreeMap;

use super::pipeline::Planner;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Spanned, fewest};
use crate::ir::Table;
use crate::metrics::{Lowering, Subject};
use crate::spec::StageSpec;
use crate::stages::{self, Stage, StageKind};

type Spec = StageSpec<Box<dyn Stage>>;

impl Planner<'_> {
    /// The stage that makes a table, by the table's name.
    pub(super) fn maker(&self, table: &str) -> Option<&str> {
        self.pipeline.stages.iter().find_map(|stage| {
            let name = stage.name.value.as_str();
            if name == table {
                return Some(name);
            }
            let suffix = table.strip_prefix(name)?.strip_prefix('_')?;
            let kind = stages::find(&stage.kind.value)?;
            kind.companions.iter().any(|companion| companion.suffix == suffix).then_some(name)
        })
    }

    /// The table that a stage reads: what it says, or the first that its options or its metrics name.
    pub(super) fn input_of(&self, stage: &Spec) -> Option<Spanned<String>> {
        if let Some(from) = &stage.from {
            return Some(from.clone());
        }
        let body = stage.body.as_ref()?;
        let of_metrics = || {
            let tables = self.metrics.measured_of(names_of(body.as_ref()));
            tables.into_iter().next().map(|(table, _)| table)
        };
        body.source().or_else(of_metrics)
    }

    /// The tables that metrics of a stage are measured of, besides its input.
    pub(super) fn also_measured(&self, body: &dyn Stage, input: &str) -> Vec<String> {
        let tables = self.metrics.measured_of(names_of(body)).into_iter();
        tables.map(|(table, _)| table.value).filter(|table| table != input).collect()
    }

    /// Notes that nobody says what a stage reads.
    pub(super) fn without_input(&mut self, stage: &Spec) {
        let Some(body) = &stage.body else { return };
        let metrics = body.metrics();
        // Of a metric that is unknown or wrong nobody knows what it was to be measured of.
        let known =
            metrics.iter().map(|name| self.metrics.resolve(name, self.diagnostics).is_some());
        if known.collect::<Vec<_>>().contains(&false) {
            return;
        }
        let help = match metrics.is_empty() {
            true => {
                format!("`from` takes {}", <Spanned<String> as crate::document::Decode>::expects())
            }
            false => {
                "write `from: TABLE` at the stage, or at each of the metrics that it names".into()
            }
        };
        self.diagnostics.push(
            Diagnostic::at(
                Code::MissingKey,
                stage.span,
                format!("the stage `{}` needs the key `from`", stage.name.value),
            )
            .help(help),
        );
    }

    /// The tables that a stage reads besides its input, itself or by its metrics.
    pub(super) fn reads(&self, stage: &Spec) -> Vec<Spanned<String>> {
        let Some(body) = &stage.body else { return Vec::new() };
        body.reads().into_iter().chain(self.metrics.reads(names_of(body.as_ref()))).collect()
    }

    /// A table by name; an unknown one is noted.
    pub(super) fn table(&mut self, name: &Spanned<String>) -> Option<Table> {
        if let Some(table) = self.tables.get(&name.value) {
            return table.clone();
        }
        let of_broken = |broken: &String| {
            name.value
                .strip_prefix(broken.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        if self.pipeline.broken.iter().any(of_broken) {
            return None;
        }
        if self.maker(&name.value).is_some() {
            // Its stage failed, or a companion that this stage does not have after all.
            let stage = self.maker(&name.value).map(str::to_owned).unwrap_or_default();
            if self.tables.get(&stage).is_some_and(Option::is_some) {
                self.diagnostics.push(Diagnostic::at(
                    Code::UnknownTable,
                    name.span,
                    format!(
                        "the stage `{stage}` makes no table `{}` with these options",
                        name.value
                    ),
                ));
            }
            return None;
        }
        if self.pipeline.stages.iter().any(|stage| stage.name.value == name.value) {
            return None;
        }
        let mut known: Vec<String> =
            self.pipeline.sources.iter().map(|source| source.name.value.clone()).collect();
        for stage in &self.pipeline.stages {
            known.push(stage.name.value.clone());
            let companions =
                stages::find(&stage.kind.value).map_or(&[][..], |kind| kind.companions);
            known.extend(companions.iter().map(|c| format!("{}_{}", stage.name.value, c.suffix)));
        }
        self.diagnostics.push(Diagnostic::unknown(
            Code::UnknownTable,
            name.span,
            format!("there is no table `{}`", name.value),
            &name.value,
            known.iter().map(String::as_str),
        ));
        // What reads it is looked at with the table that was probably meant, if that is there.
        let near = crate::diagnostic::nearest(&name.value, known.iter().map(String::as_str))?;
        self.tables.get(near).cloned().flatten()
    }

    /// Whether a stage may read a table: one that does not weigh its rows refuses a sample.
    pub(super) fn weighed(
        &mut self,
        kind: &StageKind,
        from: &Spanned<String>,
        table: &Table,
    ) -> bool {
        if table.roles.weight.is_none() || stages::weighs(kind) {
            return true;
        }
        self.diagnostics.push(
            Diagnostic::at(
                Code::InvalidValue,
                from.span,
                format!("`{}` does not weigh its rows, and `{}` is a sample", kind.name, from.value),
            )
            .help(
                "read the table that it was drawn from; a `select` that leaves `sample_weight` out takes the rows \
                 of the sample for all there are",
            ),
        );
        false
    }

    /// Metrics that no stage names are lowered all the same, for their mistakes: over the tables that they name,
    /// and where they name none over whichever they have the fewest with.
    pub(super) fn unnamed_metrics(&mut self) {
        for name in self.metrics.unnamed() {
            let mut others = BTreeMap::new();
            for other in self.metrics.reads([name.value.clone()]) {
                others.extend(self.table(&other).map(|table| (other.value, table)));
            }
            let named = self.metrics.measured_of([name.value.clone()]);
            let named: Vec<&Table> =
                named.iter().filter_map(|(from, _)| others.get(&from.value)).collect();
            // Sources first: where several tables would do, they are the ones to speak of.
            let sources = self.pipeline.sources.iter().map(|source| source.name.value.as_str());
            let names = sources.chain(self.tables.keys().map(String::as_str));
            let tables = names.filter_map(|name| self.tables.get(name)?.as_ref());
            let found = tables.map(|table| {
                let subjects = std::iter::once(&table).chain(&named).map(|table| Subject {
                    table: &table.name,
                    schema: &table.rel.schema,
                    roles: &table.roles,
                    parameters: &self.parameters,
                    calendar: &self.pipeline.calendar,
                    as_of: self.as_of,
                    level: self.pipeline.level,
                    first_time: None,
                    others: &others,
                });
                let subjects: Vec<Subject> = subjects.collect();
                let mut found = Diagnostics::default();
                Lowering::of_tables(&subjects, Some(0), &self.metrics, &mut found).add(&name);
                found.into_sorted()
            });
            let found = fewest(found);
            self.diagnostics.extend(found.into_iter().flatten());
        }
    }
}

/// The names of the metrics of a stage.
fn names_of(body: &dyn Stage) -> impl Iterator<Item = String> {
    body.metrics().into_iter().map(|name| name.value)
}
