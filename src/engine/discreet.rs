//! Errors that name a value do not name one that is not told.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{EngineError, EvaluateError, NodeId};
use crate::ir::personal::personal;
use crate::ir::{Events, Expr, ExprNode, Func, Named, Rel, RelNode, RelRef};

/// What stands in place of such a value.
const WITHHELD: &str = "***";

/// An error of running some relations, without its value if that may come from a column that is not told.
pub(super) fn discreet(error: EngineError, outputs: &[RelRef]) -> EngineError {
    match error {
        EngineError::NotUnique { table, node, .. } if tells_key(outputs, node) => {
            EngineError::NotUnique { table, key: WITHHELD.into(), node }
        }
        EngineError::Evaluate(EvaluateError::Cast { to, .. }) if any(outputs, &casts_private) => {
            EvaluateError::Cast { value: WITHHELD.into(), to }.into()
        }
        EngineError::EvaluateAt { place, error: EvaluateError::Cast { to, .. } }
            if any(outputs, &casts_private) =>
        {
            EngineError::EvaluateAt {
                place,
                error: EvaluateError::Cast { value: WITHHELD.into(), to },
            }
        }
        error => error,
    }
}

/// Whether something holds of a relation below some.
fn any(outputs: &[RelRef], holds: &dyn Fn(&RelRef) -> bool) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&RelRef> = outputs.iter().collect();
    while let Some(rel) = open.pop() {
        if seen.insert(Arc::as_ptr(rel)) {
            if holds(rel) {
                return true;
            }
            open.extend(rel.inputs());
        }
    }
    false
}

/// Whether the key of a look-up comes from columns that are not told: of that one, or of any if it is none of these.
fn tells_key(outputs: &[RelRef], node: NodeId) -> bool {
    let known = any(outputs, &|rel| NodeId::of(rel) == node);
    any(outputs, &|rel| match &rel.node {
        RelNode::Lookup(lookup) if !known || NodeId::of(rel) == node => {
            let (table, input) = (personal(&lookup.table), personal(&lookup.input));
            lookup.keys.iter().any(|(key, name)| {
                table.contains(name) || key.columns().iter().any(|column| input.contains(*column))
            })
        }
        _ => false,
    })
}

/// Whether a relation casts what is not told, or what is computed from that.
fn casts_private(rel: &RelRef) -> bool {
    let mut casts = Vec::new();
    expressions(rel).into_iter().for_each(|expr| casts_of(expr, &mut casts));
    if casts.is_empty() {
        return false;
    }
    let private: BTreeSet<String> = match &rel.node {
        RelNode::Scan(scan) => scan.private.iter().chain(&scan.customers).cloned().collect(),
        _ => rel.inputs().into_iter().flat_map(personal).collect(),
    };
    casts.iter().any(|cast| cast.columns().iter().any(|column| private.contains(*column)))
}

/// The casts in an expression that can fail.
fn casts_of<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    if let ExprNode::Call(func, arguments) = &expr.node {
        if matches!(func, Func::Cast(_)) {
            found.push(expr);
        }
        arguments.iter().for_each(|argument| casts_of(argument, found));
    }
}

/// The expressions that a node evaluates.
fn expressions(rel: &Rel) -> Vec<&Expr> {
    fn of(columns: &[Named<Expr>]) -> impl Iterator<Item = &Expr> {
        columns.iter().map(|column| &column.value)
    }
    fn of_events(events: &Events) -> impl Iterator<Item = &Expr> {
        let (customer, time) = (&events.customer.value, &events.time);
        [customer, time].into_iter().chain(&events.value).chain(&events.tie)
    }
    match &rel.node {
        RelNode::Scan(scan) => {
            let rules = scan.rules.iter().map(|rule| &rule.violated);
            rules.chain(scan.money.iter().map(|money| &money.value)).collect()
        }
        RelNode::Filter { predicate, .. } => vec![predicate],
        RelNode::Project { columns, .. } => of(columns).collect(),
        RelNode::Lookup(lookup) => lookup.keys.iter().map(|(key, _)| key).collect(),
        RelNode::Dedupe(dedupe) => {
            dedupe.keys.iter().chain(dedupe.order.iter().map(|order| &order.value)).collect()
        }
        RelNode::Aggregate(aggregate) => {
            let measures = aggregate.measures.iter().map(|measure| &measure.value);
            let read = measures
                .flat_map(|measure| measure.func.arguments().into_iter().chain(&measure.filter));
            of(&aggregate.keys).chain(read).collect()
        }
        RelNode::Series { from, to, .. } => vec![from, to],
        RelNode::History(history) => of_events(&history.events).collect(),
        RelNode::Summary(summary) => of_events(&summary.events).chain(of(&summary.carry)).collect(),
        RelNode::CohortGrid(grid) => of_events(&grid.events)
            .chain(of(&grid.by))
            .chain(&grid.entering)
            .chain(&grid.active)
            .collect(),
        RelNode::Movements(movements) => {
            of_events(&movements.events).chain(of(&movements.by)).collect()
        }
        RelNode::Repeats(repeats) => of_events(&repeats.events).chain(of(&repeats.by)).collect(),
        RelNode::Rejected { .. }
        | RelNode::Union { .. }
        | RelNode::Window(_)
        | RelNode::Join(_)
        | RelNode::Sort { .. }
        | RelNode::Values(_)
        | RelNode::Apply(_) => Vec::new(),
    }
}
