//! What chains have in common: their rows and columns in terms of the relation they begin at.

use std::sync::Arc;

use super::path::identity;
use crate::engine::EngineError;
use crate::ir::relation;
use crate::ir::{Events, Expr, ExprNode, RelNode, RelRef};

/// The events of customers in terms of the leaf of their chain: chains with equal ones have the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EventsOf {
    leaf: usize,
    /// What is asked of the rows, from the leaf on.
    conditions: Vec<Condition>,
    pub customer: Expr,
    time: Expr,
    value: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Holds(Expr),
    /// The rows that a `Dedupe` keeps.
    Kept(usize),
}

impl EventsOf {
    /// The events that a chain gives.
    pub fn new(chain: &RelRef, events: &Events) -> Self {
        let mut conditions = Vec::new();
        let leaf = conditions_of(chain, &mut conditions);
        EventsOf {
            leaf,
            conditions,
            customer: resolve(chain, &events.customer.value),
            time: resolve(chain, &events.time),
            value: events.value.as_ref().map(|value| resolve(chain, value)),
        }
    }
}

/// Gathers what a chain asks of its rows; gives its leaf.
fn conditions_of(chain: &RelRef, conditions: &mut Vec<Condition>) -> usize {
    match &chain.node {
        RelNode::Filter { input, predicate } => {
            let leaf = conditions_of(input, conditions);
            conditions.push(Condition::Holds(resolve(input, predicate)));
            leaf
        }
        RelNode::Project { input, .. } => conditions_of(input, conditions),
        RelNode::Lookup(lookup) => conditions_of(&lookup.input, conditions),
        RelNode::Dedupe(dedupe) => {
            let leaf = conditions_of(&dedupe.input, conditions);
            conditions.push(Condition::Kept(identity(chain)));
            leaf
        }
        _ => identity(chain),
    }
}

/// An expression with some of its columns replaced.
pub(super) fn replaced(expr: &Expr, by: &impl Fn(&str) -> Option<Expr>) -> Expr {
    match &expr.node {
        ExprNode::Column(name) => by(name).unwrap_or_else(|| expr.clone()),
        ExprNode::Literal(_) => expr.clone(),
        ExprNode::Call(func, arguments) => {
            let arguments = arguments.iter().map(|argument| replaced(argument, by)).collect();
            Expr { node: ExprNode::Call(*func, arguments), data_type: expr.data_type }
        }
    }
}

/// An expression over a chain's columns as one over those of its leaf and of the tables it looks up in.
pub(super) fn resolve(chain: &RelRef, expr: &Expr) -> Expr {
    match &chain.node {
        RelNode::Filter { input, .. } => resolve(input, expr),
        RelNode::Dedupe(dedupe) => resolve(&dedupe.input, expr),
        RelNode::Project { input, columns } => {
            let computed = |name: &str| {
                let column = columns.iter().find(|column| column.name == name);
                column.map(|column| column.value.clone())
            };
            resolve(input, &replaced(expr, &computed))
        }
        RelNode::Lookup(lookup) => {
            let found = |name: &str| {
                let (from, _) = lookup.columns.iter().find(|(_, to)| to == name)?;
                let data_type = lookup.table.schema.field(from)?.data_type;
                let keys: Vec<String> = lookup
                    .keys
                    .iter()
                    .map(|(key, of)| format!("{of} = {}", resolve(&lookup.input, key)))
                    .collect();
                // A name that no column of the leaf has.
                let table = identity(&lookup.table);
                let name = format!("#{table:x} where {}: {from}", keys.join(", "));
                Some(Expr::column(name, data_type))
            };
            resolve(&lookup.input, &replaced(expr, &found))
        }
        _ => expr.clone(),
    }
}

/// An expression over a chain's columns as one over `people`, a relation with a row per customer, extended
/// by what is looked up for them; `None` if it depends on more than the customer.
///
/// # Errors
/// Never for relations that were typed.
pub(super) fn over_people(
    chain: &RelRef,
    expr: &Expr,
    people: &RelRef,
    customer: (&Expr, &Expr),
) -> Result<Option<(RelRef, Expr)>, EngineError> {
    let (resolved, own) = customer;
    let typed = |error: crate::ir::typing::TypeError| EngineError::Internal(error.message);
    match &chain.node {
        RelNode::Filter { input, .. } => over_people(input, expr, people, customer),
        RelNode::Dedupe(dedupe) => over_people(&dedupe.input, expr, people, customer),
        RelNode::Project { input, columns } => {
            let computed = |name: &str| {
                let column = columns.iter().find(|column| column.name == name);
                column.map(|column| column.value.clone())
            };
            over_people(input, &replaced(expr, &computed), people, customer)
        }
        RelNode::Lookup(lookup) => {
            let read = expr.columns();
            let wanted: Vec<&(String, String)> =
                lookup.columns.iter().filter(|(_, to)| read.contains(&to.as_str())).collect();
            if wanted.is_empty() {
                return over_people(&lookup.input, expr, people, customer);
            }
            let [(key, of)] = lookup.keys.as_slice() else { return Ok(None) };
            if resolve(&lookup.input, key) != *resolved {
                return Ok(None);
            }
            let depth = people.schema.fields.len();
            let name_of = |name: &str| format!("#{depth}.{name}");
            let columns = wanted.iter().map(|(from, to)| (from.clone(), name_of(to))).collect();
            let keys = vec![(own.clone(), of.clone())];
            let people = relation::lookup(people, &lookup.table, keys, columns).map_err(typed)?;
            let found = |name: &str| {
                let known = wanted.iter().any(|(_, to)| to == name);
                known.then(|| relation::column(&people, &name_of(name)).ok()).flatten()
            };
            over_people(&lookup.input, &replaced(expr, &found), &people, customer)
        }
        _ => {
            let own_name = |name: &str| (resolved.as_column() == Some(name)).then(|| own.clone());
            let expr = replaced(expr, &own_name);
            let known = expr.columns().into_iter().all(|name| people.schema.field(name).is_some());
            Ok(known.then(|| (Arc::clone(people), expr)))
        }
    }
}
