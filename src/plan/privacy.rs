//! What a stage may show where small groups are hidden.

use super::pipeline::Planner;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::Table;
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

    /// Whether small groups are hidden, and a table is none of groups.
    pub(super) fn tells_of_single_customers(&self, table: &Table) -> bool {
        self.pipeline.small_groups.is_some() && !held(&table.rel)
    }
}
