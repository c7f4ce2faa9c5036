//! Aggregates by the same keys over the same rows, or over some of them, computed as one.
//!
//! The metrics of a stage look at its rows, at its orders, at those that were sold or came back. Where a
//! row is an order these are aggregates over filters of one chain: their measures become measures of the
//! chain's own aggregate, each with the filter as a condition, and the groups are found once.

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::compute;
use arrow::datatypes::Int64Type;

use super::kernel::arrow_error;
use super::normal::replaced;
use super::path::identity;
use crate::engine::EngineError;
use crate::frame::Frame;
use crate::ir::typing::{TypeError, build};
use crate::ir::{Aggregate, Expr, Measure, MeasureFunc, Named, RelNode, RelRef, named, relation};

/// Several aggregates as one.
pub(super) struct Fused {
    /// The aggregate that has the measures of all.
    pub rel: RelRef,
    pub parts: Vec<FusedPart>,
}

/// One of the aggregates, and where its columns are among those of all.
pub(super) struct FusedPart {
    pub rel: RelRef,
    /// Its first measure.
    first: usize,
    /// The count of its rows in a group: groups without one are not its own.
    rows: Option<usize>,
}

fn aggregate_of(rel: &RelRef) -> Option<&Aggregate> {
    match &rel.node {
        RelNode::Aggregate(aggregate) => Some(aggregate),
        _ => None,
    }
}

/// An expression over a chain as one over a node below it, with nothing but filters and projections in
/// between.
fn below(chain: &RelRef, node: &RelRef, expr: &Expr) -> Option<Expr> {
    if identity(chain) == identity(node) {
        return Some(expr.clone());
    }
    match &chain.node {
        RelNode::Filter { input, .. } => below(input, node, expr),
        RelNode::Project { input, columns } => {
            let computed = |name: &str| {
                let column = columns.iter().find(|column| column.name == name);
                column.map(|column| column.value.clone())
            };
            below(input, node, &replaced(expr, &computed))
        }
        _ => None,
    }
}

/// What a chain asks of the rows of a node below it.
fn conditions(chain: &RelRef, node: &RelRef) -> Option<Vec<Expr>> {
    if identity(chain) == identity(node) {
        return Some(Vec::new());
    }
    match &chain.node {
        RelNode::Filter { input, predicate } => {
            let mut known = conditions(input, node)?;
            known.push(below(input, node, predicate)?);
            Some(known)
        }
        RelNode::Project { input, .. } => conditions(input, node),
        _ => None,
    }
}

/// The measures of an aggregate as measures of the rows of a node below its input, and the condition of its
/// rows; `None` if its rows or its keys are others.
fn measures_over(other: &Aggregate, base: &Aggregate) -> Option<(Vec<Measure>, Option<Expr>)> {
    let both = |known: Expr, more: Expr| build::and(known, more).ok();
    let mut asked = conditions(&other.input, &base.input)?.into_iter();
    let first = asked.next();
    let condition = match first {
        Some(first) => Some(asked.try_fold(first, both)?),
        None => None,
    };
    let down = |expr: &Expr| below(&other.input, &base.input, expr);
    let keys: Vec<Expr> = other.keys.iter().map(|key| down(&key.value)).collect::<Option<_>>()?;
    if !keys.iter().eq(base.keys.iter().map(|key| &key.value)) {
        return None;
    }
    let measure = |measure: &Named<Measure>| {
        let func = measure.value.func.try_map(down)?;
        let own = match &measure.value.filter {
            Some(filter) => Some(down(filter)?),
            None => None,
        };
        let filter = match (condition.clone(), own) {
            (Some(condition), Some(own)) => Some(both(condition, own)?),
            (condition, own) => own.or(condition),
        };
        Some(Measure { func, filter })
    };
    let measures = other.measures.iter().map(measure).collect::<Option<_>>()?;
    Some((measures, condition))
}

/// An aggregate together with those of the others that are by its keys over its rows or some of them.
/// Gives the places of those that it took.
///
/// # Errors
/// Never for relations that were typed.
pub(super) fn fuse(
    rel: &RelRef,
    others: &[&RelRef],
) -> Result<Option<(Fused, Vec<usize>)>, EngineError> {
    let Some(base) = aggregate_of(rel) else { return Ok(None) };
    let typed = |error: TypeError| EngineError::Internal(error.message);
    let keys = base.keys.len();
    let mut measures: Vec<Measure> = base.measures.iter().map(|m| m.value.clone()).collect();
    let mut parts = vec![FusedPart { rel: rel.clone(), first: keys, rows: None }];
    let mut taken = Vec::new();
    for (place, other) in others.iter().enumerate() {
        let over = aggregate_of(other).and_then(|aggregate| measures_over(aggregate, base));
        let Some((own, condition)) = over else { continue };
        let first = keys + measures.len();
        measures.extend(own);
        // Without keys there is one group, whatever is in it.
        let rows = condition.filter(|_| keys > 0).map(|condition| {
            measures.push(Measure { func: MeasureFunc::CountRows, filter: Some(condition) });
            keys + measures.len() - 1
        });
        parts.push(FusedPart { rel: (*other).clone(), first, rows });
        taken.push(place);
    }
    if taken.is_empty() {
        return Ok(None);
    }
    let keys = base.keys.iter().enumerate();
    let keys = keys.map(|(place, key)| named(format!("#key{place}"), key.value.clone())).collect();
    let measures = measures.into_iter().enumerate();
    let measures = measures.map(|(place, measure)| named(format!("#{place}"), measure)).collect();
    let rel = relation::aggregate(&base.input, keys, measures).map_err(typed)?;
    Ok(Some((Fused { rel, parts }, taken)))
}

impl FusedPart {
    /// The table of this aggregate, from that of all.
    ///
    /// # Errors
    /// Never for a table of all.
    pub fn table(&self, all: &Frame) -> Result<Frame, EngineError> {
        let odd = || EngineError::Internal("not the aggregate of several".into());
        let aggregate = aggregate_of(&self.rel).ok_or_else(odd)?;
        let measures = self.first..self.first + aggregate.measures.len();
        let places = (0..aggregate.keys.len()).chain(measures);
        let columns: Vec<ArrayRef> = places.map(|place| all.batch.column(place).clone()).collect();
        let schema = self.rel.schema.clone();
        let Some(rows) = self.rows else { return Ok(Frame::new(schema, columns, all.rows())?) };
        let counts = all.batch.column(rows).as_primitive::<Int64Type>();
        let own: BooleanArray = counts.values().iter().map(|&count| Some(count > 0)).collect();
        let columns = columns
            .iter()
            .map(|column| compute::filter(column, &own).map_err(arrow_error))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Frame::new(schema, columns, own.true_count())?)
    }
}
