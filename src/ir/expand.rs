//! Relations without history nodes.

use std::sync::Arc;

use super::apply::{Apply, Call};
use super::relation::{Aggregate, Built, Dedupe, Join, Lookup, Rel, RelNode, RelRef, Window};

/// The relation with every history node replaced by its expansion, all the way down.
///
/// # Errors
/// Never for a relation built by this module; the builders' type is passed on.
pub fn expand_all(rel: &RelRef) -> Built {
    let expanded = match &rel.node {
        RelNode::History(history) => Some(history.expand()?),
        RelNode::Summary(summary) => Some(summary.expand()?),
        RelNode::CohortGrid(grid) => Some(grid.expand()?),
        RelNode::Movements(movements) => Some(movements.expand().clone()),
        RelNode::Repeats(repeats) => Some(repeats.expand().clone()),
        _ => None,
    };
    if let Some(expanded) = expanded {
        return expand_all(&expanded);
    }
    let node = match &rel.node {
        RelNode::Scan(_) | RelNode::Rejected { .. } | RelNode::Values(_) => return Ok(rel.clone()),
        RelNode::Filter { input, predicate } => {
            RelNode::Filter { input: expand_all(input)?, predicate: predicate.clone() }
        }
        RelNode::Project { input, columns } => {
            RelNode::Project { input: expand_all(input)?, columns: columns.clone() }
        }
        RelNode::Lookup(lookup) => RelNode::Lookup(Lookup {
            input: expand_all(&lookup.input)?,
            table: expand_all(&lookup.table)?,
            keys: lookup.keys.clone(),
            columns: lookup.columns.clone(),
        }),
        RelNode::Dedupe(dedupe) => RelNode::Dedupe(Dedupe {
            input: expand_all(&dedupe.input)?,
            keys: dedupe.keys.clone(),
            order: dedupe.order.clone(),
        }),
        RelNode::Union { inputs } => {
            RelNode::Union { inputs: inputs.iter().map(expand_all).collect::<Result<_, _>>()? }
        }
        RelNode::Aggregate(aggregate) => RelNode::Aggregate(Aggregate {
            input: expand_all(&aggregate.input)?,
            keys: aggregate.keys.clone(),
            measures: aggregate.measures.clone(),
        }),
        RelNode::Window(window) => RelNode::Window(Window {
            input: expand_all(&window.input)?,
            partition_by: window.partition_by.clone(),
            order_by: window.order_by.clone(),
            functions: window.functions.clone(),
        }),
        RelNode::Join(join) => RelNode::Join(Join {
            left: expand_all(&join.left)?,
            right: expand_all(&join.right)?,
            keys: join.keys.clone(),
            kind: join.kind,
            nulls_equal: join.nulls_equal,
        }),
        RelNode::Sort { input, keys } => {
            RelNode::Sort { input: expand_all(input)?, keys: keys.clone() }
        }
        RelNode::Series { input, from, to, name, unit } => RelNode::Series {
            input: expand_all(input)?,
            from: from.clone(),
            to: to.clone(),
            name: name.clone(),
            unit: *unit,
        },
        RelNode::Apply(apply) => RelNode::Apply(Apply {
            call: Arc::new(Call {
                inputs: apply.call.inputs.iter().map(expand_all).collect::<Result<_, _>>()?,
                function: apply.call.function.clone(),
            }),
            output: apply.output,
        }),
        RelNode::History(_)
        | RelNode::Summary(_)
        | RelNode::CohortGrid(_)
        | RelNode::Movements(_)
        | RelNode::Repeats(_) => return Ok(rel.clone()),
    };
    Ok(Arc::new(Rel { node, schema: rel.schema.clone() }))
}
