//! The ways of chains: where they begin, what stands along them, and which columns they need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::frame::Schema;
use crate::ir::relation::Lookup;
use crate::ir::scan::REASONS;
use crate::ir::{Expr, JoinKind, RelNode, RelRef};

/// The identity of a shared relation.
pub(super) fn identity(rel: &RelRef) -> usize {
    Arc::as_ptr(rel) as usize
}

/// What a node takes its rows from, if they stream through it.
fn streamed(rel: &RelRef) -> Option<&RelRef> {
    rel.streams().then(|| rel.inputs()).and_then(|inputs| inputs.first().copied())
}

/// The relation a chain begins with: a scan, or something that does not stream.
pub(super) fn leaf(rel: &RelRef) -> &RelRef {
    streamed(rel).map_or(rel, leaf)
}

/// The look-ups along a chain.
pub(super) fn lookups(rel: &RelRef) -> Vec<&Lookup> {
    match &rel.node {
        RelNode::Filter { input, .. } | RelNode::Project { input, .. } => lookups(input),
        RelNode::Lookup(lookup) => {
            let mut found = lookups(&lookup.input);
            found.push(lookup);
            found
        }
        RelNode::Dedupe(dedupe) => lookups(&dedupe.input),
        _ => Vec::new(),
    }
}

/// The look-up tables along a chain.
pub(super) fn lookup_tables(rel: &RelRef) -> Vec<&RelRef> {
    lookups(rel).into_iter().map(|lookup| &lookup.table).collect()
}

/// The `Dedupe` nodes along a chain.
pub(super) fn dedupes(rel: &RelRef) -> Vec<&RelRef> {
    match &rel.node {
        RelNode::Filter { input, .. } | RelNode::Project { input, .. } => dedupes(input),
        RelNode::Lookup(lookup) => dedupes(&lookup.input),
        RelNode::Dedupe(dedupe) => {
            let mut found = dedupes(&dedupe.input);
            found.push(rel);
            found
        }
        _ => Vec::new(),
    }
}

/// Where a chain over a frame begins: at the nearest relation whose rows do not simply stream.
pub(super) fn base(rel: &RelRef) -> &RelRef {
    match &rel.node {
        RelNode::Filter { input, .. } | RelNode::Project { input, .. } => base(input),
        RelNode::Lookup(lookup) => base(&lookup.input),
        _ => match beside(rel) {
            // What streams may come from a scan, of which there is no table but that of the whole chain.
            Some((rows, _)) if rows.streams() || matches!(rows.node, RelNode::Union { .. }) => rows,
            Some((rows, _)) => base(rows),
            None => rel,
        },
    }
}

/// The rows and the totals of a join that puts the one row of a table beside every row of another.
pub(super) fn beside(rel: &RelRef) -> Option<(&RelRef, &RelRef)> {
    let RelNode::Join(join) = &rel.node else { return None };
    let every = join.keys.is_empty() && matches!(join.kind, JoinKind::Inner | JoinKind::Left);
    (every && has_one_row(&join.right)).then_some((&join.left, &join.right))
}

fn has_one_row(rel: &RelRef) -> bool {
    match &rel.node {
        RelNode::Aggregate(aggregate) => aggregate.keys.is_empty(),
        RelNode::Project { input, .. } => has_one_row(input),
        RelNode::Values(frame) => frame.rows() == 1,
        _ => false,
    }
}

/// The tables that a chain over a frame looks up in or puts beside its rows.
pub(super) fn tables_along<'a>(rel: &'a RelRef, start: &RelRef) -> Vec<&'a RelRef> {
    if identity(rel) == identity(start) {
        return Vec::new();
    }
    let own = match &rel.node {
        RelNode::Lookup(lookup) => Some(&lookup.table),
        _ => beside(rel).map(|(_, table)| table),
    };
    let below = rows_of(rel).map_or_else(Vec::new, |input| tables_along(input, start));
    below.into_iter().chain(own).collect()
}

/// What a node of a chain over a frame takes its rows from.
pub(super) fn rows_of(rel: &RelRef) -> Option<&RelRef> {
    beside(rel).map_or_else(|| streamed(rel), |(rows, _)| Some(rows))
}

/// The part of a schema that is needed.
pub(super) fn narrowed(schema: &Schema, needed: &BTreeSet<String>) -> Schema {
    let fields = schema.fields.iter().filter(|field| needed.contains(&field.name));
    Schema::new(fields.cloned().collect())
}

/// Adds the columns an expression reads.
fn reads(expr: &Expr, needed: &mut BTreeSet<String>) {
    expr.for_each_column(&mut |name| {
        needed.insert(name.to_owned());
    });
}

/// The column of a chain's leaf that one of its columns is; `None` if it is something else.
pub(super) fn origin<'a>(rel: &'a RelRef, name: &'a str) -> Option<&'a str> {
    match &rel.node {
        RelNode::Filter { input, .. } => origin(input, name),
        RelNode::Dedupe(dedupe) => origin(&dedupe.input, name),
        RelNode::Lookup(lookup) => {
            let added = lookup.columns.iter().any(|(_, to)| to == name);
            if added { None } else { origin(&lookup.input, name) }
        }
        RelNode::Project { input, columns } => {
            let column = columns.iter().find(|column| column.name == name)?;
            origin(input, column.value.as_column()?)
        }
        RelNode::Scan(_) | RelNode::Values(_) => Some(name),
        _ => None,
    }
}

/// The column of the relation that a chain begins at which one of its columns is, in the same rows.
pub(super) fn carried<'a>(rel: &'a RelRef, start: &RelRef, name: &'a str) -> Option<&'a str> {
    if identity(rel) == identity(start) {
        return Some(name);
    }
    match &rel.node {
        RelNode::Project { input, columns } => {
            let column = columns.iter().find(|column| column.name == name)?;
            carried(input, start, column.value.as_column()?)
        }
        RelNode::Lookup(lookup) => {
            let added = lookup.columns.iter().any(|(_, to)| to == name);
            if added { None } else { carried(&lookup.input, start, name) }
        }
        _ => {
            let (rows, _) = beside(rel)?;
            rows.schema.field(name).and_then(|_| carried(rows, start, name))
        }
    }
}

/// The column of a chain's leaf by which it looks something up.
pub(super) fn looked_up_by(chain: &RelRef) -> Option<&str> {
    let input = chain.inputs().first().copied().filter(|_| chain.streams())?;
    if let RelNode::Lookup(lookup) = &chain.node
        && let [(key, _)] = lookup.keys.as_slice()
        && let Some(column) = key.as_column().and_then(|name| origin(input, name))
    {
        return Some(column);
    }
    looked_up_by(input)
}

/// The nodes of chains, inputs before what reads them, and the columns that are needed of each.
pub(super) type Needs = (Vec<RelRef>, BTreeMap<usize, BTreeSet<String>>);

/// What chains that end in these relations and give these columns need. They begin at a scan, or at `start`.
pub(super) fn needs_of(ends: &[(RelRef, BTreeSet<String>)], start: Option<&RelRef>) -> Needs {
    let start = start.map(identity);
    let below = |rel: &RelRef| -> Option<RelRef> {
        rows_of(rel).filter(|_| Some(identity(rel)) != start).cloned()
    };
    // What is needed of each node, from the ends down.
    let mut needed: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut order: Vec<RelRef> = Vec::new();
    for (end, columns) in ends {
        needed.entry(identity(end)).or_default().extend(columns.iter().cloned());
        let mut path = vec![end.clone()];
        while let Some(input) = path.last().and_then(&below) {
            path.push(input);
        }
        for rel in path.into_iter().rev() {
            if !order.iter().any(|known| identity(known) == identity(&rel)) {
                order.push(rel);
            }
        }
    }
    // Inputs stand before what reads them; a shared node may have been met early, so the order
    // is by depth.
    order.sort_by_key(depth);
    for rel in order.iter().rev().filter(|rel| below(rel).is_some()) {
        let wanted = needed.get(&identity(rel)).cloned().unwrap_or_default();
        let Some((input, below)) = needs_below(rel, &wanted) else { continue };
        needed.entry(identity(input)).or_default().extend(below);
    }
    (order, needed)
}

fn depth(rel: &RelRef) -> usize {
    rows_of(rel).map_or(0, |input| depth(input) + 1)
}

/// What a node needs of its input to give the wanted columns.
fn needs_below<'a>(
    rel: &'a RelRef,
    wanted: &BTreeSet<String>,
) -> Option<(&'a RelRef, BTreeSet<String>)> {
    let mut below = BTreeSet::new();
    match &rel.node {
        RelNode::Filter { input, predicate } => {
            below.extend(wanted.iter().cloned());
            reads(predicate, &mut below);
            Some((input, below))
        }
        RelNode::Project { input, columns } => {
            for column in columns.iter().filter(|column| wanted.contains(&column.name)) {
                reads(&column.value, &mut below);
            }
            Some((input, below))
        }
        RelNode::Dedupe(dedupe) => {
            below.extend(wanted.iter().cloned());
            Some((&dedupe.input, below))
        }
        RelNode::Lookup(lookup) => {
            let added: Vec<&String> = lookup.columns.iter().map(|(_, to)| to).collect();
            below.extend(wanted.iter().filter(|name| !added.contains(name)).cloned());
            for (key, _) in &lookup.keys {
                reads(key, &mut below);
            }
            Some((&lookup.input, below))
        }
        RelNode::Rejected { scan } => {
            below.extend(wanted.iter().filter(|name| *name != REASONS).cloned());
            Some((scan, below))
        }
        _ => {
            let (rows, _) = beside(rel)?;
            below.extend(wanted.iter().filter(|name| rows.schema.field(name).is_some()).cloned());
            Some((rows, below))
        }
    }
}

/// The columns that the contract of a scan reads.
pub(super) fn rule_columns(rel: &RelRef) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    if let RelNode::Scan(scan) = &rel.node {
        for rule in &scan.rules {
            reads(&rule.violated, &mut needed);
        }
        needed.extend(scan.finite.iter().chain(&scan.strict).cloned());
        if let Some(money) = &scan.money {
            reads(&money.value, &mut needed);
        }
    }
    needed
}
