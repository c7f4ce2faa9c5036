//! Builders of relations that combine rows or tables: look-ups, joins, unions, one row per key, and
//! functions of whole tables.

use std::sync::Arc;

use super::apply::{Apply, Call, FrameFunction};
use super::expression::Expr;
use super::relation::{
    Built, Dedupe, Join, JoinKind, Lookup, Order, Rel, RelNode, RelRef, all_columns, check, column,
    distinct, fault,
};
use crate::frame::{Field, Schema};

/// Columns of another table, found under its unique key.
///
/// # Errors
/// Unknown columns, keys of another type, or a name that exists.
pub fn lookup(
    input: &RelRef,
    table: &RelRef,
    keys: Vec<(Expr, String)>,
    columns: Vec<(String, String)>,
) -> Built {
    for (key, name) in &keys {
        check(key, &input.schema)?;
        let found = column(table, name)?.data_type;
        if found != key.data_type {
            return Err(fault(format!("the key is a {}, `{name}` a {found}", key.data_type)));
        }
    }
    let mut fields = input.schema.fields.clone();
    for (from, to) in &columns {
        let field = table.schema.field(from);
        let field = field.ok_or_else(|| fault(format!("there is no column `{from}`")))?;
        fields.push(Field { name: to.clone(), ..field.clone() });
    }
    let schema = distinct(fields)?;
    let node =
        RelNode::Lookup(Lookup { input: input.clone(), table: table.clone(), keys, columns });
    Ok(Arc::new(Rel { node, schema }))
}

/// One row per key: the first by `order`, then by every column from left to right, ascending, so that
/// rows that tie are alike.
///
/// # Errors
/// An unknown column.
pub fn dedupe(input: &RelRef, keys: Vec<Expr>, mut order: Vec<Order>) -> Built {
    keys.iter()
        .chain(order.iter().map(|order| &order.value))
        .try_for_each(|expr| check(expr, &input.schema))?;
    for column in all_columns(input) {
        if !order.iter().any(|known| known.value == column.value) && !keys.contains(&column.value) {
            order.push(Order { value: column.value, descending: false });
        }
    }
    let schema = input.schema.clone();
    Ok(Arc::new(Rel {
        node: RelNode::Dedupe(Dedupe { input: input.clone(), keys, order }),
        schema,
    }))
}

/// The rows of several relations. Columns must have the same names and types in the same order; units
/// are those of the first, and a column is a mean if it is one in each.
///
/// # Errors
/// No input, or columns that differ.
pub fn union(inputs: Vec<RelRef>) -> Built {
    let first = inputs.first().ok_or_else(|| fault("a union of nothing".into()))?;
    let mut schema = Schema::clone(&first.schema);
    for input in &inputs[1..] {
        let same = input.schema.fields.len() == schema.fields.len()
            && input
                .schema
                .fields
                .iter()
                .zip(&schema.fields)
                .all(|(a, b)| a.name == b.name && a.data_type == b.data_type);
        if !same {
            return Err(fault("the parts of a union have different columns".into()));
        }
        schema.fields.iter_mut().zip(&input.schema.fields).for_each(|(a, b)| a.mean &= b.mean);
    }
    Ok(Arc::new(Rel { node: RelNode::Union { inputs }, schema: schema.into() }))
}

/// Pairs of rows. The right's key columns are left out of the result.
///
/// # Errors
/// Unknown columns, keys of different types, or a name in both tables.
pub fn join(
    left: &RelRef,
    right: &RelRef,
    keys: Vec<(String, String)>,
    kind: JoinKind,
    nulls_equal: bool,
) -> Built {
    for (a, b) in &keys {
        let (a, b) = (column(left, a)?, column(right, b)?);
        if a.data_type != b.data_type {
            return Err(fault(format!("keys `{a}` and `{b}` have different types")));
        }
    }
    let mut fields = left.schema.fields.clone();
    if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        let right_keys: Vec<&String> = keys.iter().map(|(_, name)| name).collect();
        fields.extend(
            right.schema.fields.iter().filter(|field| !right_keys.contains(&&field.name)).cloned(),
        );
    }
    let schema = distinct(fields)?;
    let node =
        RelNode::Join(Join { left: left.clone(), right: right.clone(), keys, kind, nulls_equal });
    Ok(Arc::new(Rel { node, schema }))
}

/// The tables of a pure function of tables, which is run once for all of them.
pub fn apply(inputs: Vec<RelRef>, function: Arc<dyn FrameFunction>) -> Vec<RelRef> {
    let schemas = function.schemas();
    let call = Arc::new(Call { inputs, function });
    let table = |(output, schema)| {
        let node = RelNode::Apply(Apply { call: call.clone(), output });
        Arc::new(Rel { node, schema })
    };
    schemas.into_iter().enumerate().map(table).collect()
}
