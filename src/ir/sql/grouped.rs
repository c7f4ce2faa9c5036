//! An expression over groups of rows as somebody would write it.

use std::collections::BTreeMap;

use super::{NoWord, columns, quoted, readable, sql};
use crate::diagnostic::{Diagnostics, Span};
use crate::document::Expression;
use crate::frame::{DataType, Schema};
use crate::ir::parse::{Groups, PREVIOUS_COLUMN, Scope, expression_of_groups};
use crate::ir::typing::build;
use crate::ir::{Calendar, Expr, ExprNode, Measure, MeasureFunc};

/// The text of an expression over groups, in which what is kept of them is written as aggregates.
///
/// # Errors
/// What there is no word for.
pub fn sql_of_groups(
    expr: &Expr,
    groups: &Groups,
    calendar: &Calendar,
    as_of: i64,
) -> Result<String, NoWord> {
    let expr = readable(expr, calendar, as_of);
    let mut read = Vec::new();
    columns(&expr, &mut read);
    let mut fields = Vec::new();
    let mut text = sql(&expr, calendar, as_of)?;
    for column in &read {
        let shared = groups.per.iter().find(|shared| shared.name == column.name);
        let kept = groups.kept.iter().find(|kept| kept.name == column.name);
        let word = match (shared, kept) {
            (Some(shared), _) if shared.value.as_column().is_some() => {
                columns(&shared.value, &mut fields);
                sql(&shared.value, calendar, as_of)?
            }
            (_, Some(kept)) => {
                of_measure(&kept.value, &mut fields);
                if let (MeasureFunc::Max(of), None) = (&kept.value.func, &kept.value.filter)
                    && of.data_type == DataType::Bool
                {
                    let any = format!("any({})", sql(of, calendar, as_of)?);
                    text = text.replace(&format!("coalesce({}, false)", quoted(&kept.name)), &any);
                }
                aggregate(&kept.value, groups, calendar, as_of)?
            }
            _ => return Err(NoWord("what groups of rows have in common, if that is no column")),
        };
        text = text.replace(&quoted(&column.name), &word);
    }
    let mut own = Groups { kept: Vec::new(), ..groups.clone() };
    let kept = groups.kept.iter().flat_map(|kept| kept.value.func.arguments());
    if let Some(name) = kept.filter(|expr| is_previous(expr)).find_map(Expr::as_column) {
        own.previous = name.to_owned();
    }
    let schema = Schema::new(fields);
    let parameters = BTreeMap::new();
    let scope = Scope { table: "table", schema: &schema, parameters: &parameters, calendar, as_of };
    let written = Expression { text: text.clone(), span: Span::default(), verbatim: None };
    let back = expression_of_groups(&written, &scope, &mut own, &mut Diagnostics::default());
    match back.is_some_and(|back| same((&back, &own), (&expr, groups), calendar, as_of)) {
        true => Ok(text),
        false => Err(NoWord("a value that no literal stands for")),
    }
}

/// Whether an expression is the column of the last day before.
fn is_previous(expr: &Expr) -> bool {
    expr.as_column().is_some_and(|name| name.starts_with(PREVIOUS_COLUMN))
}

fn of_measure(measure: &Measure, fields: &mut Vec<crate::frame::Field>) {
    for expr in measure.func.arguments().into_iter().chain(&measure.filter) {
        columns(expr, fields);
    }
}

/// An aggregate with what it is of.
fn aggregate(
    measure: &Measure,
    groups: &Groups,
    calendar: &Calendar,
    as_of: i64,
) -> Result<String, NoWord> {
    let no_word = Err(NoWord("a part of groups of rows"));
    let (name, of) = match &measure.func {
        MeasureFunc::First { value, order } if is_previous(value) => {
            let by_time = groups.from_first.as_ref() == Some(order);
            return if by_time { Ok("previous_day()".to_owned()) } else { no_word };
        }
        MeasureFunc::First { value, order } => {
            let known = build::is_null(value.clone()).and_then(build::not).ok();
            let goes = |by: &Option<Vec<Expr>>| {
                by.as_ref().is_some_and(|by| {
                    let order = order.split_last().filter(|(last, _)| *last == value);
                    order.is_some_and(|(_, rest)| rest == by.as_slice())
                })
            };
            if measure.filter != known {
                return no_word;
            }
            match (goes(&groups.from_first), goes(&groups.from_last)) {
                (true, _) => ("first", Some(value)),
                (false, true) => ("last", Some(value)),
                (false, false) => return no_word,
            }
        }
        _ if measure.filter.is_some() => return no_word,
        MeasureFunc::CountRows => ("count", None),
        MeasureFunc::Count(value) => ("count", Some(value)),
        MeasureFunc::CountDistinct(value) => ("count_distinct", Some(value)),
        MeasureFunc::Sum(value) => ("sum", Some(value)),
        MeasureFunc::Min(value) => ("min", Some(value)),
        MeasureFunc::Max(value) => ("max", Some(value)),
        MeasureFunc::Mean(value) => ("mean", Some(value)),
        MeasureFunc::Quantile { value, at } if *at == 0.5 => ("median", Some(value)),
        MeasureFunc::Quantile { .. }
        | MeasureFunc::Variance(_)
        | MeasureFunc::RankBound { .. }
        | MeasureFunc::LastingQuantile { .. }
        | MeasureFunc::CountReaching { .. }
        | MeasureFunc::CountVarying { .. } => return no_word,
    };
    let of = of.map(|of| sql(of, calendar, as_of)).transpose()?;
    Ok(format!("{name}({})", of.unwrap_or_default()))
}

/// Whether two expressions over groups give the same values, whatever their columns are called.
fn same(left: (&Expr, &Groups), right: (&Expr, &Groups), calendar: &Calendar, as_of: i64) -> bool {
    if left.0.data_type != right.0.data_type {
        return false;
    }
    match (&left.0.node, &right.0.node) {
        (ExprNode::Column(one), ExprNode::Column(other)) => {
            let of = |groups: &Groups, name: &str| {
                let kept = groups.kept.iter().find(|kept| kept.name == name);
                let shared = groups.per.iter().find(|shared| shared.name == name);
                (kept.map(|kept| plain(&kept.value, calendar, as_of)), shared.cloned())
            };
            let (one, other) = (of(left.1, one), of(right.1, other));
            one == other && one != (None, None)
        }
        (ExprNode::Call(one, of_one), ExprNode::Call(other, of_other)) => {
            one == other
                && of_one.len() == of_other.len()
                && of_one
                    .iter()
                    .zip(of_other)
                    .all(|(one, other)| same((one, left.1), (other, right.1), calendar, as_of))
        }
        (one, other) => one == other,
    }
}

/// What is measured, as people would put it.
fn plain(
    measure: &Measure,
    calendar: &Calendar,
    as_of: i64,
) -> (String, Vec<Expr>, Option<DataType>) {
    let read = |expr: &Expr| readable(expr, calendar, as_of);
    let arguments = measure.func.arguments().into_iter().chain(&measure.filter).map(read).collect();
    let data_type = match measure.func {
        MeasureFunc::Min(_) | MeasureFunc::Max(_) | MeasureFunc::First { .. } => None,
        _ => Some(measure.func.data_type()),
    };
    (measure.func.name().to_owned(), arguments, data_type)
}
