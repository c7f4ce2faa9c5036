//! What a stage may show: no small groups where those are hidden, and nothing that is personal.

use super::pipeline::Planner;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::relation;
use crate::ir::typing::TypeError;
use crate::ir::{Table, personal};
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

    /// A table as it is shown, without its personal columns, and the columns that identify a row of it. Groups
    /// that only a personal column tells apart are a mistake where they are published.
    pub(super) fn without_personal(
        &mut self,
        stage: &StageSpec<Box<dyn Stage>>,
        table: &Table,
        grain: Vec<String>,
        published: bool,
    ) -> (Result<Table, TypeError>, Vec<String>) {
        let hidden = personal::personal(&table.rel);
        if hidden.is_empty() {
            return (Ok(table.clone()), grain);
        }
        let customer = table.roles.customer.as_ref().map(|customer| customer.name.clone());
        let (lost, grain): (Vec<String>, Vec<String>) =
            grain.into_iter().partition(|name| hidden.contains(name));
        let group = lost.iter().find(|name| Some(*name) != customer.as_ref());
        if let Some(group) = group.filter(|_| published) {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    stage.kind.span,
                    format!(
                        "`{}` is told apart by `{group}`, which is personal (`pii`) and not published",
                        table.name
                    ),
                )
                .help("group by another column, or write `publish: false`"),
            );
        }
        let columns = relation::all_columns(&table.rel);
        let columns = columns.into_iter().filter(|column| !hidden.contains(&column.name));
        let shown = relation::project(&table.rel, columns.collect()).map(|rel| {
            let roles = table.roles.living_in(&rel.schema);
            Table { name: table.name.clone(), rel, roles }
        });
        (shown, grain)
    }

    /// Whether small groups are hidden, and a table is none of groups.
    pub(super) fn tells_of_single_customers(&self, table: &Table) -> bool {
        self.pipeline.small_groups.is_some() && !held(&table.rel)
    }
}
