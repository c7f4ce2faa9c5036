//! Unions, taken apart: a chain over a union is one chain for each of its parts.

use std::collections::HashMap;
use std::sync::Arc;

use super::path::identity;
use crate::ir::relation::Lookup;
use crate::ir::{Rel, RelNode, RelRef};

/// The parts of chains, so that a shared chain has shared parts.
#[derive(Default)]
pub(super) struct Legs {
    known: HashMap<usize, (RelRef, Option<Vec<RelRef>>)>,
}

impl Legs {
    /// Chains that each begin with a scan and together give the rows of `rel`; a chain over one scan is
    /// its own only part. `None` if some part does not begin with a scan.
    pub fn of(&mut self, rel: &RelRef) -> Option<Vec<RelRef>> {
        if let Some((_, legs)) = self.known.get(&identity(rel)) {
            return legs.clone();
        }
        let legs = self.find(rel);
        self.known.insert(identity(rel), (rel.clone(), legs.clone()));
        legs
    }

    fn find(&mut self, rel: &RelRef) -> Option<Vec<RelRef>> {
        let again = |input: &RelRef, node: &dyn Fn(RelRef) -> RelNode, legs: Vec<RelRef>| {
            // Over one part the chain stays what it is, and shared with whoever else reads it.
            if legs.len() == 1 && identity(&legs[0]) == identity(input) {
                return vec![rel.clone()];
            }
            let over = |leg| Arc::new(Rel { node: node(leg), schema: rel.schema.clone() });
            legs.into_iter().map(over).collect()
        };
        match &rel.node {
            RelNode::Scan(_) | RelNode::Rejected { .. } => Some(vec![rel.clone()]),
            RelNode::Union { inputs } => {
                let mut all = Vec::new();
                for input in inputs {
                    all.extend(self.of(input)?);
                }
                Some(all)
            }
            RelNode::Filter { input, predicate } => {
                let legs = self.of(input)?;
                let node = |leg| RelNode::Filter { input: leg, predicate: predicate.clone() };
                Some(again(input, &node, legs))
            }
            RelNode::Project { input, columns } => {
                let legs = self.of(input)?;
                let node = |leg| RelNode::Project { input: leg, columns: columns.clone() };
                Some(again(input, &node, legs))
            }
            RelNode::Lookup(lookup) => {
                let legs = self.of(&lookup.input)?;
                let node = |leg| {
                    RelNode::Lookup(Lookup {
                        input: leg,
                        table: lookup.table.clone(),
                        keys: lookup.keys.clone(),
                        columns: lookup.columns.clone(),
                    })
                };
                Some(again(&lookup.input, &node, legs))
            }
            RelNode::Dedupe(dedupe) => {
                // Which row is the first is a question to all parts at once.
                let legs = self.of(&dedupe.input)?;
                (legs.len() == 1 && identity(&legs[0]) == identity(&dedupe.input))
                    .then(|| vec![rel.clone()])
            }
            RelNode::Aggregate(_)
            | RelNode::Window(_)
            | RelNode::Join(_)
            | RelNode::Sort { .. }
            | RelNode::Values(_)
            | RelNode::Series { .. }
            | RelNode::History(_)
            | RelNode::Summary(_)
            | RelNode::CohortGrid(_)
            | RelNode::Movements(_)
            | RelNode::Repeats(_)
            | RelNode::Apply(_) => None,
        }
    }

    /// Chains with several parts.
    pub fn divided(&self) -> impl Iterator<Item = (&RelRef, &[RelRef])> {
        let several = |(rel, legs): &'_ (RelRef, Option<Vec<RelRef>>)| {
            legs.as_ref().is_some_and(|legs| legs.len() != 1 || identity(&legs[0]) != identity(rel))
        };
        let divided = self.known.values().filter(move |entry| several(entry));
        divided.filter_map(|(rel, legs)| Some((rel, legs.as_deref()?)))
    }
}
