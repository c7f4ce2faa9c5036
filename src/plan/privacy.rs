//! What a stage may show: no small groups where those are hidden, and nothing that is personal.

use super::pipeline::Planner;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::personal::Showing;
use crate::ir::typing::TypeError;
use crate::ir::{RelRef, Table};
use crate::spec::StageSpec;
use crate::stages::{Output, Stage, held};

impl Planner<'_> {
    /// The tables of a stage that may be shown: those without their small groups, and those whose rows are single
    /// customers or rows as they come. Companions that are neither are left out; a main table that is neither is
    /// a mistake.
    pub(super) fn without_small_groups(
        &mut self,
        stage: &StageSpec<Box<dyn Stage>>,
        mut outputs: Vec<Output>,
    ) -> Option<Vec<Output>> {
        if self.pipeline.small_groups.is_none() {
            return Some(outputs);
        }
        let of_customers = |output: &Output| {
            let customer = output.roles.customer.as_ref();
            customer.is_some_and(|customer| output.grain.contains(&customer.name))
        };
        outputs
            .retain(|output| output.grain.is_empty() || of_customers(output) || held(&output.rel));
        if outputs.first().is_some_and(|output| output.suffix.is_none()) {
            return Some(outputs);
        }
        self.diagnostics.push(
            Diagnostic::at(
                Code::Unsupported,
                stage.kind.span,
                format!(
                    "`{}` cannot hide its small groups, as `privacy.min_group_size` asks",
                    stage.kind.value
                ),
            )
            .help("let it read a stage whose small groups are hidden, or move it to a pipeline of its own"),
        );
        None
    }

    /// A table as it is shown, without what is personal, and the columns that identify a row of it. Groups that only
    /// a column tells apart which is left out are a mistake where they are published.
    pub(super) fn without_personal(
        &mut self,
        stage: &StageSpec<Box<dyn Stage>>,
        table: &Table,
        grain: Vec<String>,
        published: bool,
    ) -> (Result<Table, TypeError>, Vec<String>) {
        let policy = self.pipeline.personal;
        let hidden = policy.of(table);
        let customer = table.roles.customer.as_ref().map(|customer| &customer.name);
        let showing = |name: &String| hidden.get(name).copied().unwrap_or(Showing::Plain);
        let group = grain
            .iter()
            .find(|name| showing(name) == Showing::Dropped && Some(*name) != customer)
            .filter(|_| published);
        if let Some(group) = group {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    stage.kind.span,
                    format!(
                        "`{}` is told apart by `{group}`, which is personal (`pii`) and not published",
                        table.name
                    ),
                )
                .help(
                    "group by another column, write `publish: false`, or let `privacy: {pii: hash, key: …}` put \
                     pseudonyms in its place",
                ),
            );
        }
        // Without one of them the others identify nothing.
        let told = |name: &String| matches!(showing(name), Showing::Plain | Showing::Hashed(_));
        let grain = if grain.iter().all(told) { grain } else { Vec::new() };
        (policy.published(table).map(|rel| renewed(table, rel)), grain)
    }

    /// Whether small groups are hidden, and a table is none of groups.
    pub(super) fn tells_of_single_customers(&self, table: &Table) -> bool {
        self.pipeline.small_groups.is_some() && !held(&table.rel)
    }
}

/// The table with other columns.
pub(super) fn renewed(table: &Table, rel: RelRef) -> Table {
    let roles = table.roles.living_in(&rel.schema);
    Table { name: table.name.clone(), rel, roles }
}
