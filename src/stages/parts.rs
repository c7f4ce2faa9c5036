//! The tables that a stage with metrics measures: its own, and those that its metrics name, over the same
//! dimensions.

use super::cells::Part;
use super::context::{RoleOverrides, StageContext};
use super::dimension::{Dimension, DimensionSpec};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::ir::Table;
use crate::ir::relation;
use crate::ir::typing::{build, common_type};

/// What a stage says of each table that it measures.
pub(super) struct Said<'a> {
    pub by: &'a [DimensionSpec],
    pub roles: RoleOverrides<'a>,
}

/// The tables of a stage, which metrics can be looked at with even where the dimensions are wrong.
pub(super) struct Tables {
    pub tables: Vec<Table>,
    /// The dimensions over each; absent if something is wrong, which is noted.
    pub dimensions: Option<Vec<Vec<Dimension>>>,
}

impl Tables {
    /// The tables with their dimensions, unless something is wrong.
    pub fn parts(self) -> Option<Vec<Part>> {
        let tables = self.tables.into_iter().zip(self.dimensions?);
        Some(tables.map(|(table, dimensions)| Part { table, dimensions }).collect())
    }
}

impl StageContext<'_> {
    /// The input, then each further table that metrics of the stage name: after the stage's `where`, with its
    /// roles and dimensions.
    pub(super) fn measured_tables(&mut self, metrics: &[Spanned<String>], said: &Said) -> Tables {
        let named = self.metrics.measured_of(metrics.iter().map(|name| name.value.clone()));
        let input = self.table.name.clone();
        let why = |table: &str| {
            let read = named.iter().find(|(from, _)| from.value == table);
            read.map(|(_, metric)| format!("the metric `{metric}` is measured of `{table}`"))
        };
        let further = named.iter().filter(|(from, _)| from.value != input);
        let further: Vec<Table> = further.filter_map(|(from, _)| self.other_table(from)).collect();
        let many = !further.is_empty();

        let (mut tables, mut each, mut good) = (Vec::new(), Vec::new(), true);
        let mut told: Vec<(Code, Option<Span>)> = Vec::new();
        for (number, table) in std::iter::once(self.table.clone()).chain(further).enumerate() {
            let around = std::mem::take(self.diagnostics);
            let name = table.name.clone();
            let (mut table, rows) = self.rows_of(table, number == 0, &said.roles);
            let dimensions = self.dimensions(said.by, &mut table);
            good &= rows.is_some();
            let found = std::mem::replace(self.diagnostics, around);
            // What is wrong of every table is told of the first.
            for mut diagnostic in found {
                let place = (diagnostic.code, diagnostic.primary.as_ref().map(|label| label.span));
                if number > 0 && told.contains(&place) {
                    continue;
                }
                if number == 0 {
                    told.push(place);
                }
                if many && (number > 0 || self.implied) {
                    diagnostic.notes.extend(why(&name));
                    let fix = match diagnostic.code {
                        Code::UnknownDimension => {
                            "make it a segment, or give it such a column (`derive`)"
                        }
                        Code::UnknownColumn => {
                            "give it such a column (`derive`), or say it at the metrics"
                        }
                        _ => "",
                    };
                    if number > 0 && !fix.is_empty() {
                        diagnostic = diagnostic.help(format!(
                            "every table that is measured needs it: {fix}; or measure `{name}` in a stage of its own"
                        ));
                    }
                }
                self.diagnostics.push(diagnostic);
            }
            tables.push(table);
            each.push(dimensions);
        }
        let each: Option<Vec<Vec<Dimension>>> = each.into_iter().collect();
        let mut dimensions = each.filter(|_| good);
        if let Some(each) = &mut dimensions
            && self.alike(said.by, &tables, each).is_none()
        {
            dimensions = None;
        }
        Tables { tables, dimensions }
    }

    /// The rows of a table that the stage's `where` keeps, under the stage's roles; `None` beside the table as it
    /// is if something is wrong.
    fn rows_of(
        &mut self,
        mut table: Table,
        own: bool,
        overrides: &RoleOverrides,
    ) -> (Table, Option<()>) {
        let condition = match (own, self.written_condition) {
            (_, None) => Some(None),
            (true, Some(_)) => Some(self.condition.clone()),
            (false, Some(written)) => self.parse_condition(written, &table).map(Some),
        };
        let mut roles = table.roles.clone();
        let given = self.roles_over(&table, overrides, &mut roles);
        table.roles = roles;
        let Some(condition) = condition else { return (table, None) };
        if let Some(condition) = condition {
            let Some(rel) = self.typed(relation::filter(&table.rel, condition)) else {
                return (table, None);
            };
            table.rel = rel;
        }
        (table, given)
    }

    /// Makes the dimensions of all tables alike: of one type, and periods in all of them or in none.
    fn alike(
        &mut self,
        by: &[DimensionSpec],
        tables: &[Table],
        each: &mut [Vec<Dimension>],
    ) -> Option<()> {
        let mut good = true;
        for (place, spec) in by.iter().enumerate() {
            let (first, table) = (each[0][place].clone(), &tables[0].name);
            let mut wanted = first.expr.data_type;
            for (other, dimensions) in tables.iter().zip(&*each).skip(1) {
                let (own, other) = (&dimensions[place], &other.name);
                if own.grain != first.grain {
                    let (periods, column) = match first.grain {
                        Some(_) => (table, other),
                        None => (other, table),
                    };
                    self.diagnostics.push(
                        Diagnostic::at(
                            Code::InvalidValue,
                            spec.span(),
                            format!(
                                "`{}` is a calendar grain of `{periods}`, but a column of `{column}`",
                                first.name
                            ),
                        )
                        .help(format!(
                            "give the column of `{column}` another name (`select: {{rename: …}}`), so that it is a \
                             calendar grain of both"
                        )),
                    );
                    good = false;
                    continue;
                }
                match common_type(wanted, own.expr.data_type) {
                    Some(common) => wanted = common,
                    None => {
                        let message = format!(
                            "`{}` is of type {wanted} in `{table}`, and of type {} in `{other}`",
                            first.name, own.expr.data_type
                        );
                        self.diagnostics.push(
                            Diagnostic::at(Code::TypeMismatch, spec.span(), message)
                                .help("`derive` a column of one type in both, such as with `cast(… as string)`"),
                        );
                        good = false;
                    }
                }
            }
            for dimensions in &mut *each {
                let own = &mut dimensions[place];
                if good && own.expr.data_type != wanted {
                    own.expr = self.typed(build::cast(own.expr.clone(), wanted))?;
                }
            }
        }
        good.then_some(())
    }
}
