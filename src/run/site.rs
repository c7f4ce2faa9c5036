//! Which stage or segment of a pipeline a fault of the engine is of.

use std::collections::HashSet;

use super::error::{RunError, Site, SiteKind};
use super::prepare::Prepared;
use crate::diagnostic::Span;
use crate::engine::{EngineError, NodeId};
use crate::ir::{RelNode, RelRef};

/// The error with what it is of and where that is written, if that can be said.
pub(super) fn located(error: EngineError, prepared: &Prepared) -> RunError {
    match error.node().and_then(|node| site(node, prepared)) {
        Some(site) => RunError::At { site, error: Box::new(error) },
        None => RunError::Engine(error),
    }
}

fn site(node: NodeId, prepared: &Prepared) -> Option<Site> {
    // The first stage whose tables come from the node; later ones may be made of its tables.
    let mut seen = HashSet::new();
    let (stage, rel) = prepared.plan.stages.iter().find_map(|stage| {
        let found = stage.tables.iter().find_map(|table| find(node, &table.rel, &mut seen))?;
        Some((stage, found))
    })?;
    let named = |what: &str, name: &str, span: Span| {
        let position = prepared.source.position(span.start);
        let (file, line, column) = (&prepared.source.name, position.line, position.column);
        format!("the {what} `{name}` ({file}:{line}:{column})")
    };
    if let RelNode::Lookup(lookup) = &rel.node
        && let [(from, to)] = lookup.columns.as_slice()
        && from == "segment"
        && let Some(segment) = prepared.pipeline.segments.iter().find(|s| s.name.value == *to)
    {
        let what = named("segment", to, segment.name.span);
        return Some(Site { what, kind: SiteKind::Segment });
    }
    let written = prepared.pipeline.stages.iter().find(|s| s.name.value == stage.name)?;
    let kind = if stage.kind == "join" { SiteKind::Join } else { SiteKind::Stage };
    Some(Site { what: named("stage", &stage.name, written.name.span), kind })
}

/// The relation of a node, if another is made of it.
fn find(node: NodeId, rel: &RelRef, seen: &mut HashSet<usize>) -> Option<RelRef> {
    if NodeId::of(rel) == node {
        return Some(rel.clone());
    }
    if !seen.insert(std::sync::Arc::as_ptr(rel) as usize) {
        return None;
    }
    if let RelNode::Movements(movements) = &rel.node
        && let Some(found) = find(node, movements.expand(), seen)
    {
        return Some(found);
    }
    rel.inputs().into_iter().find_map(|input| find(node, input, seen))
}
