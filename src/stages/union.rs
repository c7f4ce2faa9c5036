//! # union
//!
//! The rows of several tables under one name.
//!
//! What it does: puts the rows of the tables in `with` after those of `from`. Columns go by their names.
//! Roles are those of `from`.
//!
//! When to use it: for one log that is kept in several tables: shop and web, old system and new.
//!
//! Example:
//!
//! ```yaml
//! all_orders:
//!   from: web_orders
//!   union: {with: [shop_orders], columns: all, origin: channel}
//! ```
//!
//! Columns: those of `from`. With `columns: same` every table has the same names and types; with `all`
//! further columns follow in the order they are met, and what a table lacks is null. `origin` adds a
//! last column with the name of the table that a row came from. Published only with `publish: true`.

use super::context::StageContext;
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{Decode, Decoder, Field as OptionField, Node, Options};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built};
use crate::ir::typing::{build, common_type};
use crate::ir::{Expr, Table, named};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "union",
    source: include_str!("union.rs"),
    row_level: true,
    companions: &[],
    fields,
    decode,
};

crate::choice! {
    /// Which columns there are.
    pub enum UnionColumns {
        /// Those of every table, which must be the same.
        Same = "same",
        /// Those of any table.
        All = "all",
    }
}

crate::options! {
    /// Which tables are put together.
    struct Union("`union`") {
        /// The further tables.
        with: Vec<Spanned<String>>,
        /// Which columns there are.
        columns: UnionColumns = UnionColumns::Same,
        /// A column for the name of the table that a row came from.
        origin: Option<Spanned<String>> = None,
    }
}

fn fields() -> Vec<OptionField> {
    Union::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Union::decode(node, decoder)?))
}

/// The columns of the union so far.
type Columns = Vec<(String, DataType)>;

impl Stage for Union {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let first = cx.input()?;
        if self.with.value.is_empty() && !self.with.flawed {
            let message = "`with` names no table to put behind the first";
            let place = self.with.place(cx.kind.span);
            let diagnostic = Diagnostic::at(Code::InvalidValue, place, message);
            cx.diagnostics.push(diagnostic.help("name the further ones: `with: [TABLE]`"));
            return None;
        }
        let mut columns: Columns =
            first.rel.schema.fields.iter().map(|f| (f.name.clone(), f.data_type)).collect();
        let mut tables = vec![first.clone()];
        let mut good = true;
        for name in &self.with.value {
            match cx.other_table(name) {
                Some(table) => {
                    good &= self.fits(cx, name, &table, &mut columns);
                    good &= cx.weighed_alike(name, &first, &table);
                    tables.push(table);
                }
                None => good = false,
            }
        }
        if let Some(origin) = &self.origin.value
            && columns.iter().any(|(name, _)| *name == origin.value)
        {
            let message = format!("there is a column `{}` already", origin.value);
            cx.report(Code::DuplicateName, Some(origin.span), message);
            good = false;
        }
        if !good {
            return None;
        }
        let parts = tables.iter().map(|table| self.part(table, &columns));
        let parts = parts.collect::<Result<Vec<_>, _>>();
        let parts = cx.typed(parts)?;
        let rel = cx.typed(relation::union(parts))?;
        let (grain, views) = (Vec::new(), vec![View::Rows]);
        Some(vec![Output { suffix: None, rel, grain, roles: first.roles, views }])
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        self.with.value.clone()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl Union {
    /// Takes in a table's columns; what does not fit is noted.
    fn fits(
        &self,
        cx: &mut StageContext,
        name: &Spanned<String>,
        table: &Table,
        columns: &mut Columns,
    ) -> bool {
        let mut good = true;
        let first = cx.table.name.clone();
        let mut odd = |message: String| {
            let help = "`select` and `derive` give a table other columns; `columns: all` fills missing ones with null";
            cx.diagnostics
                .push(Diagnostic::at(Code::SchemaMismatch, name.span, message).help(help));
            good = false;
        };
        let schema = &table.rel.schema;
        // Where it is not known which columns were meant, none is missed.
        let all = self.columns.value == UnionColumns::All || self.columns.flawed;
        for field in &schema.fields {
            match columns.iter_mut().find(|(known, _)| *known == field.name) {
                Some((_, known)) if *known == field.data_type => {}
                Some((known_name, known)) => match common_type(*known, field.data_type) {
                    Some(common) if all => *known = common,
                    _ => odd(format!(
                        "`{known_name}` is a {known} in `{first}` and a {} in `{}`",
                        field.data_type, name.value
                    )),
                },
                None if all => {
                    columns.push((field.name.clone(), field.data_type));
                }
                None => odd(format!(
                    "`{}` has a column `{}`, which `{first}` does not have",
                    name.value, field.name
                )),
            }
        }
        if !all {
            for (column, _) in columns.iter().filter(|(column, _)| schema.field(column).is_none()) {
                odd(format!("`{}` has no column `{column}`, which `{first}` has", name.value));
            }
        }
        good
    }

    /// A table under the columns of the union.
    fn part(&self, table: &Table, columns: &Columns) -> Built {
        let mut part = Vec::new();
        for (name, data_type) in columns {
            let value = match table.rel.schema.field(name) {
                Some(field) => build::cast(Expr::column(name, field.data_type), *data_type)?,
                None => Expr::null(*data_type),
            };
            part.push(named(name, value));
        }
        if let Some(origin) = &self.origin.value {
            let value = Expr::literal(Value::text(&table.name), DataType::String);
            part.push(named(&origin.value, value));
        }
        relation::project(&table.rel, part)
    }
}
