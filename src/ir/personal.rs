//! Which columns hold what a source says is personal.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::expression::Expr;
use super::relation::{
    Built, MeasureFunc, Named, Rel, RelNode, RelRef, all_columns, named, project,
};
use super::typing::{Typed, build};
use crate::frame::{DataType, Value};

/// The columns of a relation that hold values of a personal column of a source, or are computed from them.
/// Counts of such values are not among them.
pub fn personal(rel: &RelRef) -> BTreeSet<String> {
    let mut known = Known::new();
    find(rel, &mut known);
    known.remove(&Arc::as_ptr(rel)).unwrap_or_default()
}

/// The personal columns of relations; a shared one is looked at once.
type Known = HashMap<*const Rel, BTreeSet<String>>;

fn find(rel: &RelRef, known: &mut Known) {
    if known.contains_key(&Arc::as_ptr(rel)) {
        return;
    }
    rel.inputs().into_iter().for_each(|input| find(input, known));
    let found = of_inputs(rel, known);
    known.insert(Arc::as_ptr(rel), found);
}

fn of_inputs(rel: &RelRef, found: &Known) -> BTreeSet<String> {
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
        RelNode::Scan(scan) => scan.private.iter().cloned().collect(),
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
        | RelNode::Series { .. }
        | RelNode::Apply(_) => of_same_name(),
    }
}

/// The relation with its personal columns masked: stars in place of a text, null in place of anything else.
///
/// # Errors
/// Never for relations that were typed.
pub fn masked(rel: &RelRef) -> Built {
    let hidden = personal(rel);
    if hidden.is_empty() {
        return Ok(rel.clone());
    }
    let mask = |value: Expr| -> Typed {
        let data_type = value.data_type;
        match data_type {
            DataType::String => {
                let stars = Expr::literal(Value::text("***"), DataType::String);
                build::choose(build::is_null(value)?, Expr::null(data_type), stars)
            }
            _ => Ok(Expr::null(data_type)),
        }
    };
    let mut columns = Vec::new();
    for column in all_columns(rel) {
        let value = match hidden.contains(&column.name) {
            true => mask(column.value)?,
            false => column.value,
        };
        columns.push(named(column.name, value));
    }
    project(rel, columns)
}
