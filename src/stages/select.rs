//! # select
//!
//! Some of the columns, in another order or under other names.
//!
//! What it does: gives the columns listed, in the order listed; `rename` gives columns another name.
//! Without `columns` all stay. Roles are handed on while their columns live, under the new names too.
//!
//! When to use it: to publish a narrow table, or to give two tables the same columns before a `union`.
//!
//! Example:
//!
//! ```yaml
//! narrow:
//!   from: orders
//!   select: {columns: [customer_id, ordered_at, amount], rename: {amount: value}}
//! ```
//!
//! Columns: as listed. `rename` names columns by their old names, and only columns that are listed.
//! Published only with `publish: true`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::context::StageContext;
use super::registry::{Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{Decode, Decoder, Field, Node, NodeKind, Options, schema};
use crate::ir::{named, relation};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "select",
    source: include_str!("select.rs"),
    row_level: true,
    companions: &[],
    fields,
    decode,
};

crate::options! {
    /// Which columns stay.
    struct Select("`select`") {
        /// The columns, in order; absent: all.
        columns: Option<Vec<Spanned<String>>> = None,
        /// New names by old names.
        rename: Renames = Renames::default(),
    }
}

/// New names by old names, as written.
#[derive(Debug, Clone, Default, PartialEq)]
struct Renames(Vec<(Spanned<String>, Spanned<String>)>);

impl Decode for Renames {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            decoder.wrong_type(node, &Self::expects());
            return None;
        };
        let read = entries
            .iter()
            .map(|(old, new)| Some((old.clone(), Spanned::<String>::decode(new, decoder)?)));
        read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>().map(Renames)
    }
    fn expects() -> String {
        "a map from old names to new ones".into()
    }
    fn show(&self) -> String {
        let pairs = self.0.iter().map(|(old, new)| format!("{}: {}", old.value, new.value));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    }
    fn json_schema() -> Json {
        schema::map_of(schema::text())
    }
    fn to_json(&self) -> Json {
        let pairs = self.0.iter().map(|(old, new)| (old.value.clone(), Json::from(&*new.value)));
        Json::Object(pairs.collect())
    }
}

fn fields() -> Vec<Field> {
    Select::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Select::decode(node, decoder)?))
}

impl Stage for Select {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let table = cx.input()?;
        let listed: Vec<String> = match &self.columns.value {
            None => table.rel.schema.names().map(str::to_owned).collect(),
            Some(names) => {
                let found: Vec<Option<String>> = names
                    .iter()
                    .map(|name| cx.column(name, &table).map(|_| name.value.clone()))
                    .collect();
                found.into_iter().flatten().collect()
            }
        };
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        for (old, new) in &self.rename.value.0 {
            if cx.column(old, &table).is_none() {
                continue;
            }
            if !listed.contains(&old.value) {
                cx.diagnostics.push(
                    Diagnostic::at(
                        Code::UnknownColumn,
                        old.span,
                        format!("`{}` is renamed and not among `columns`", old.value),
                    )
                    .help(format!("add `{}` to `columns`", old.value)),
                );
            }
            renamed.insert(old.value.clone(), new.value.clone());
        }
        let mut columns = Vec::new();
        for name in &listed {
            let value = cx.typed(relation::column(&table.rel, name))?;
            columns.push(named(renamed.get(name).unwrap_or(name), value));
        }
        let rel = cx.typed(relation::project(&table.rel, columns))?;
        let kept = |name: &str| -> Option<String> {
            let listed = listed.iter().any(|column| column == name);
            listed.then(|| renamed.get(name).cloned().unwrap_or_else(|| name.to_owned()))
        };
        let roles = table.roles.renamed(&kept);
        if table.roles.weight.is_some() && roles.weight.is_none() {
            let message = format!(
                "the weights of the sample `{}` are left out: what reads `{}` takes its rows for all there are",
                table.name, cx.name
            );
            let place = self.columns.place(cx.kind.span);
            cx.diagnostics.push(
                Diagnostic::at(Code::InvalidValue, place, message)
                    .warning()
                    .help("add `sample_weight` to `columns`, unless that is meant"),
            );
        }
        let (grain, views) = (Vec::new(), vec![View::Rows]);
        Some(vec![Output { suffix: None, rel, grain, roles, views }])
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}
