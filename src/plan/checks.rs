//! The pipeline's `checks` block, planned over its tables.

use std::collections::BTreeMap;

use super::pipeline::{PlannedStage, Planner, published_order, sorted_by};
use super::privacy::renewed;
use crate::checks::{CheckContext, CheckOutcome, CheckSpec, Place, Severity, Test};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Spanned};
use crate::document::{Decoder, Node};
use crate::frame::Frame;
use crate::ir::{RelRef, Table};

/// A check that can be run.
#[derive(Debug)]
pub struct PlannedCheck {
    pub name: String,
    /// The table it looks at.
    pub from: String,
    pub kind: &'static str,
    pub severity: Severity,
    /// The share of rows that may break it.
    pub tolerate: f64,
    pub description: Option<String>,
    /// Kind and options as YAML.
    pub written: String,
    /// What holds where it passes.
    pub rule: String,
    /// One row: `#rows`, `#failures`, then figures.
    pub counts: RelRef,
    /// The rows that break it, in the order in which tables are published.
    pub failing: RelRef,
    /// True if those rows are cheap to have beside the counts: the table is small already. Otherwise
    /// they cost another pass, which only a check that failed is worth.
    pub reduced: bool,
}

impl PlannedCheck {
    /// What the counts say.
    pub fn outcome(&self, counts: &Frame) -> CheckOutcome {
        let what = (self.name.as_str(), self.from.as_str(), self.kind);
        CheckOutcome::read(what, (self.severity, self.tolerate), &self.rule, counts)
    }
}

/// Reads the `checks` block.
pub(super) fn read(
    entries: &[(Spanned<String>, Node)],
    diagnostics: &mut Diagnostics,
) -> Vec<CheckSpec> {
    let mut decoder = Decoder::new(diagnostics);
    entries
        .iter()
        .filter_map(|(name, node)| CheckSpec::decode(name, node, Place::Block, &mut decoder))
        .collect()
}

impl Planner<'_> {
    /// Plans the checks; all tables are planned by now.
    pub(super) fn checks(
        &mut self,
        specs: &[CheckSpec],
        stages: &[PlannedStage],
    ) -> Vec<PlannedCheck> {
        if let Some(spec) = specs.first()
            && let Some(taken) = self.table_called("checks")
        {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::DuplicateName,
                    taken.span,
                    "`checks` is the name of the table of what the checks found",
                )
                .and(spec.name.span, "which is there because of this")
                .help("rename this table"),
            );
        }
        specs.iter().filter_map(|spec| self.check(spec, stages)).collect()
    }

    fn check(&mut self, spec: &CheckSpec, stages: &[PlannedStage]) -> Option<PlannedCheck> {
        let from = spec.from.clone()?;
        let table = self.table(&from);
        let mut others: BTreeMap<String, Table> = BTreeMap::new();
        for name in spec.check.reads() {
            if let Some(other) = self.table(&name) {
                others.insert(name.value, other);
            }
        }
        let table = table?;
        let mut cx = CheckContext {
            name: &spec.name.value,
            kind: Spanned::new(spec.kind.value.name.to_owned(), spec.kind.span),
            table: table.clone(),
            others: &others,
            parameters: &self.parameters,
            calendar: &self.pipeline.calendar,
            as_of: self.as_of,
            diagnostics: self.diagnostics,
        };
        let tested = cx.plan(spec)?;
        let counted = tested.test.counted();
        let counted = cx.typed(counted)?;
        let mut failing = Table { rel: counted.failing, ..table };
        failing.roles = failing.roles.living_in(&failing.rel.schema);
        // Masked before they are put in order, which would tell of what is not shown.
        let masked = self.pipeline.personal.masked(&failing);
        let ordered = masked.and_then(|rel| match &tested.test {
            Test::Groups { keys, .. } => sorted_by(&rel, keys.iter().cloned()),
            _ => published_order(&renewed(&failing, rel), &[]),
        });
        let failing = cx.typed(ordered)?;
        let whole = matches!(tested.test, Test::Whole { .. });
        let grain = |name: &str| {
            let tables = stages.iter().flat_map(|stage| &stage.tables);
            tables.filter(|table| table.name == name).any(|table| !table.grain.is_empty())
        };
        Some(PlannedCheck {
            name: spec.name.value.clone(),
            from: from.value.clone(),
            kind: spec.kind.value.name,
            severity: spec.severity.value,
            tolerate: spec.tolerate.value.0,
            description: spec.description.clone(),
            written: spec.written(),
            rule: tested.rule,
            counts: counted.counts,
            failing,
            reduced: whole || grain(&from.value),
        })
    }

    /// Where a table of the pipeline is named so.
    pub(super) fn table_called(&self, name: &str) -> Option<Spanned<String>> {
        let sources = self.pipeline.sources.iter().map(|source| &source.name);
        let stages = self.pipeline.stages.iter().map(|stage| &stage.name);
        sources.chain(stages).find(|known| known.value == name).cloned()
    }
}
