//! The pipeline's `alerts` block, planned over its tables.

use super::pipeline::{PlannedStage, Planner, published_order};
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::frame::{DataType, Field, Schema, Unit};
use crate::ir::parse::{self, Scope};
use crate::ir::relation::{self, column};
use crate::ir::typing::TypeError;
use crate::ir::{Measure, MeasureFunc, RelRef, Table, named, personal};
use crate::spec::{AlertBlock, AlertSeverity, Piece};

/// An alert that can be looked for.
#[derive(Debug)]
pub struct PlannedAlert {
    pub name: String,
    /// The table that it watches.
    pub from: String,
    pub severity: AlertSeverity,
    /// What is said; its columns are those of `raised`.
    pub sentence: Vec<Piece>,
    /// One row: how many rows raise it.
    pub counts: RelRef,
    /// The columns of the sentence in the rows that raise it, in the order in which the table is published.
    pub raised: RelRef,
    /// True if those rows are cheap to have beside the counts, as with checks.
    pub reduced: bool,
}

/// The columns of the table `alerts`.
pub fn alerts_schema() -> Schema {
    Schema::new(vec![
        Field::new("name", DataType::String),
        Field::new("severity", DataType::String),
        Field::new("from", DataType::String),
        Field::new("rows", DataType::Int64).with_unit(Unit::Count),
        Field::new("message", DataType::String),
    ])
}

impl Planner<'_> {
    /// Plans the alerts; all tables are planned by now.
    pub(super) fn alerts(&mut self, stages: &[PlannedStage]) -> Vec<PlannedAlert> {
        let pipeline = self.pipeline;
        if let Some((name, _)) = pipeline.alerts.first()
            && let Some(taken) = self.table_called("alerts")
        {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::DuplicateName,
                    taken.span,
                    "`alerts` is the name of the table of the alerts that were raised",
                )
                .and(name.span, "which is there because of this")
                .help("rename this table"),
            );
        }
        let planned = pipeline.alerts.iter().map(|(name, block)| self.alert(name, block, stages));
        planned.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn alert(
        &mut self,
        name: &Spanned<String>,
        block: &AlertBlock,
        stages: &[PlannedStage],
    ) -> Option<PlannedAlert> {
        let from = &block.from.value;
        let table = self.table(from)?;
        if self.tells_of_single_customers(&table) {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    block.from.value.span,
                    format!("the rows of `{}` are about single customers, not groups", table.name),
                )
                .help("with `privacy.min_group_size` an alert watches a table of groups"),
            );
            return None;
        }
        let scope = Scope {
            table: &table.name,
            schema: &table.rel.schema,
            parameters: &self.parameters,
            calendar: &self.pipeline.calendar,
            as_of: self.as_of,
        };
        let condition = parse::condition(&block.when.value, &scope, self.diagnostics);
        let sentence = &block.say.value;
        let mut good = true;
        for name in sentence.columns().filter(|name| column(&table.rel, &name.value).is_err()) {
            self.diagnostics.push(Diagnostic::unknown(
                Code::UnknownColumn,
                name.span,
                format!("`{}` has no column `{}`", table.name, name.value),
                &name.value,
                table.rel.schema.names(),
            ));
            good = false;
        }
        let hidden = personal::personal(&table.rel);
        for name in sentence.columns().filter(|name| hidden.contains(&name.value)) {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::InvalidValue,
                    name.span,
                    format!(
                        "`{}` holds what is personal (`pii`), which is never printed",
                        name.value
                    ),
                )
                .help("name another column, or none"),
            );
            good = false;
        }
        let condition = condition.filter(|_| good)?;
        let mut tables = stages.iter().flat_map(|stage| &stage.tables);
        let grain = tables.find(|planned| planned.name == table.name);
        let grain = grain.map_or(&[][..], |planned| planned.grain.as_slice());
        let relations = || -> Result<[RelRef; 2], TypeError> {
            let raised = relation::filter(&table.rel, condition)?;
            let rows = vec![named("#rows", Measure::of(MeasureFunc::CountRows))];
            let counts = relation::aggregate(&raised, Vec::new(), rows)?;
            let ordered = published_order(&Table { rel: raised, ..table.clone() }, grain)?;
            let mut columns = Vec::new();
            for name in sentence.columns() {
                if !columns.iter().any(|named: &relation::Named<_>| named.name == name.value) {
                    columns.push(named(&name.value, column(&ordered, &name.value)?));
                }
            }
            Ok([counts, relation::project(&ordered, columns)?])
        };
        let [counts, raised] = match relations() {
            Ok(relations) => relations,
            Err(error) => {
                let message = format!("alert `{}`: {}", name.value, error.message);
                let diagnostic = Diagnostic::at(Code::TypeMismatch, name.span, message);
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        Some(PlannedAlert {
            name: name.value.clone(),
            from: table.name.clone(),
            severity: block.severity.value,
            sentence: sentence.pieces.clone(),
            counts,
            raised,
            reduced: !grain.is_empty(),
        })
    }
}
