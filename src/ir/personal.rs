//! Which columns hold what a source says is personal, and how they are shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::expression::Expr;
use super::pseudonym::PseudonymKey;
use super::relation::{
    Built, MeasureFunc, Named, Rel, RelNode, RelRef, Scan, all_columns, named, project,
};
use super::typing::{Typed, build, call};
use super::{Func, Table};
use crate::frame::{DataType, Value};

/// How a column is shown, the openest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// As it is.
    Plain,
    /// As a text that stands for the value: [`PseudonymKey`].
    Hashed(PseudonymKey),
    /// As stars.
    Masked,
    /// Not at all.
    Dropped,
}

impl Showing {
    /// The one of two that says less.
    fn or_less(self, other: Showing) -> Showing {
        let closed = |showing: &Showing| match showing {
            Showing::Plain => 0,
            Showing::Hashed(_) => 1,
            Showing::Masked => 2,
            Showing::Dropped => 3,
        };
        if closed(&self) < closed(&other) { other } else { self }
    }
}

/// How what is personal is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Columns that are personal (`pii`), and those computed from them.
    pub pii: Showing,
    /// Columns that identify customers, and those computed from them.
    pub customers: Showing,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { pii: Showing::Dropped, customers: Showing::Plain }
    }
}

impl Policy {
    /// The columns of a table that are not shown as they are. For the column of the customer it is `customers`
    /// that says how, if it says anything; a column of both kinds is shown as the closer of them has it.
    pub fn of(&self, table: &Table) -> BTreeMap<String, Showing> {
        let mut found: BTreeMap<String, Showing> = BTreeMap::new();
        let mut note = |name: String, showing: Showing| {
            let known = found.entry(name).or_insert(Showing::Plain);
            *known = known.or_less(showing);
        };
        for name in from(&table.rel, |scan| &scan.private) {
            note(name, self.pii);
        }
        for name in from(&table.rel, |scan| &scan.customers) {
            note(name, self.customers);
        }
        if let Some(customer) = &table.roles.customer
            && self.customers != Showing::Plain
            && let Some(showing) = found.get_mut(&customer.name)
        {
            *showing = self.customers;
        }
        found.retain(|_, showing| *showing != Showing::Plain);
        found
    }

    /// The table as it may be looked at by whoever looks for a fault: what would be left out is masked, stars in
    /// place of a text and null in place of anything else.
    ///
    /// # Errors
    /// Never for relations that were typed.
    pub fn masked(&self, table: &Table) -> Built {
        shown(&table.rel, &self.of(table), true)
    }

    /// The table as it is published.
    ///
    /// # Errors
    /// Never for relations that were typed.
    pub fn published(&self, table: &Table) -> Built {
        shown(&table.rel, &self.of(table), false)
    }
}

/// A relation with these of its columns shown so; what is to be left out is masked instead, if that is wanted.
fn shown(rel: &RelRef, hidden: &BTreeMap<String, Showing>, keep: bool) -> Built {
    if hidden.is_empty() {
        return Ok(rel.clone());
    }
    let stars = |value: Expr| -> Typed {
        let stars = Expr::literal(Value::text("***"), DataType::String);
        build::choose(build::is_null(value)?, Expr::null(DataType::String), stars)
    };
    let mut columns = Vec::new();
    for column in all_columns(rel) {
        let data_type = column.value.data_type;
        let value = match hidden.get(&column.name).copied().unwrap_or(Showing::Plain) {
            Showing::Plain => column.value,
            Showing::Hashed(key) => {
                call(Func::Pseudonym(key), vec![build::cast(column.value, DataType::String)?])?
            }
            Showing::Masked => stars(column.value)?,
            Showing::Dropped if !keep => continue,
            Showing::Dropped if data_type == DataType::String => stars(column.value)?,
            Showing::Dropped => Expr::null(data_type),
        };
        columns.push(named(column.name, value));
    }
    project(rel, columns)
}

/// The columns of a relation that hold values that are not told, or are computed from them: those of personal
/// columns of a source and of customers who are not shown as they are. Counts of such values are not among them.
pub fn personal(rel: &RelRef) -> BTreeSet<String> {
    let mut names = from(rel, |scan| &scan.private);
    names.extend(from(rel, |scan| &scan.customers));
    names
}

/// The columns of a relation that hold values of some columns of sources, or are computed from them.
fn from(rel: &RelRef, of: impl Fn(&Scan) -> &[String]) -> BTreeSet<String> {
    let mut known = Known::new();
    find(rel, &of, &mut known);
    known.remove(&Arc::as_ptr(rel)).unwrap_or_default()
}

/// The personal columns of relations; a shared one is looked at once.
type Known = HashMap<*const Rel, BTreeSet<String>>;

fn find(rel: &RelRef, of: &dyn Fn(&Scan) -> &[String], known: &mut Known) {
    if known.contains_key(&Arc::as_ptr(rel)) {
        return;
    }
    rel.inputs().into_iter().for_each(|input| find(input, of, known));
    let found = of_inputs(rel, of, known);
    known.insert(Arc::as_ptr(rel), found);
}

fn of_inputs(rel: &RelRef, of: &dyn Fn(&Scan) -> &[String], found: &Known) -> BTreeSet<String> {
    let personal = |rel: &RelRef| found.get(&Arc::as_ptr(rel)).cloned().unwrap_or_default();
    let among = |columns: &[Named<Expr>], known: &BTreeSet<String>| -> BTreeSet<String> {
        let reads = |expr: &Expr| expr.columns().iter().any(|name| known.contains(*name));
        columns.iter().filter(|c| reads(&c.value)).map(|c| c.name.clone()).collect()
    };
    let of_same_name = || -> BTreeSet<String> {
        let names = rel.inputs().into_iter().flat_map(&personal);
        names.filter(|name| rel.schema.field(name).is_some()).collect()
    };
    match &rel.node {
        RelNode::Scan(scan) => of(scan).iter().cloned().collect(),
        RelNode::Values(_) => BTreeSet::new(),
        RelNode::Project { input, columns } => among(columns, &personal(input)),
        RelNode::Lookup(lookup) => {
            let found = personal(&lookup.table);
            let added = lookup.columns.iter().filter(|(from, _)| found.contains(from));
            let mut names = personal(&lookup.input);
            names.extend(added.map(|(_, to)| to.clone()));
            names
        }
        RelNode::Aggregate(aggregate) => {
            let known = personal(&aggregate.input);
            let mut names = among(&aggregate.keys, &known);
            for measure in &aggregate.measures {
                let value = match &measure.value.func {
                    MeasureFunc::Min(value)
                    | MeasureFunc::Max(value)
                    | MeasureFunc::First { value, .. } => value,
                    _ => continue,
                };
                names.extend(among(&[named(&measure.name, value.clone())], &known));
            }
            names
        }
        RelNode::History(history) => {
            among(std::slice::from_ref(&history.events.customer), &personal(&history.input))
        }
        RelNode::Summary(summary) => {
            let known = personal(&summary.input);
            let mut names = among(std::slice::from_ref(&summary.events.customer), &known);
            names.extend(among(&summary.carry, &known));
            names
        }
        RelNode::CohortGrid(grid) => among(&grid.by, &personal(&grid.input)),
        RelNode::Movements(movements) => among(&movements.by, &personal(&movements.input)),
        RelNode::Repeats(repeats) => among(&repeats.by, &personal(&repeats.input)),
        // Of these a column keeps its name.
        RelNode::Rejected { .. }
        | RelNode::Filter { .. }
        | RelNode::Dedupe(_)
        | RelNode::Union { .. }
        | RelNode::Window(_)
        | RelNode::Join(_)
        | RelNode::Sort { .. }
        | RelNode::Series { .. } => of_same_name(),
        RelNode::Apply(apply) => {
            let names: BTreeSet<String> = rel.inputs().into_iter().flat_map(&personal).collect();
            let function = &apply.call.function;
            let holds = |name: &&str| names.contains(function.comes_from(name));
            rel.schema.names().filter(holds).map(str::to_owned).collect()
        }
    }
}
