//! Relations as text: what `tenure explain` prints and what the plan hash is taken of.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use super::Expr;
use super::cohorts::Ages;
use super::history::Events;
use super::relation::{
    BadRows, Measure, MeasureFunc, Named, Rel, RelNode, RelRef, SortKey, WindowFunc,
};

/// The tree of a relation, one node a line, inputs indented below. Projections that change nothing
/// are left out.
pub fn explain(rel: &RelRef) -> String {
    let mut text = String::new();
    write_node(rel, 0, &mut None, &mut text);
    text
}

/// Relations that were explained already; what they share is shown once.
#[derive(Debug, Default)]
pub struct Explained(BTreeSet<usize>);

impl Explained {
    /// The tree of a relation; a part that was shown before is referred to.
    pub fn explain(&mut self, rel: &RelRef) -> String {
        let mut text = String::new();
        write_node(rel, 0, &mut Some(&mut self.0), &mut text);
        text
    }
}

fn write_node(
    rel: &RelRef,
    depth: usize,
    seen: &mut Option<&mut BTreeSet<usize>>,
    text: &mut String,
) {
    if let RelNode::Project { input, columns } = &rel.node
        && columns.len() == input.schema.fields.len()
        && columns
            .iter()
            .zip(input.schema.names())
            .all(|(column, name)| column.name == name && column.value.as_column() == Some(name))
    {
        return write_node(input, depth, seen, text);
    }
    let known = match seen {
        Some(seen) => !seen.insert(Arc::as_ptr(rel) as usize),
        None => false,
    };
    let indent = "  ".repeat(depth);
    if known && !rel.inputs().is_empty() {
        let line = line(rel);
        let head = line.split_whitespace().next().unwrap_or_default();
        let _ = writeln!(text, "{indent}{head} …, as shown above");
        return;
    }
    let _ = writeln!(text, "{indent}{}", line(rel));
    for input in rel.inputs() {
        write_node(input, depth + 1, seen, text);
    }
}

fn names<T: std::fmt::Display>(parts: &[Named<T>]) -> String {
    let written: Vec<String> = parts
        .iter()
        .map(|part| {
            let value = part.value.to_string();
            if value == part.name { value } else { format!("{} = {value}", part.name) }
        })
        .collect();
    written.join(", ")
}

fn list(expressions: &[Expr]) -> String {
    expressions.iter().map(Expr::to_string).collect::<Vec<_>>().join(", ")
}

fn events(events: &Events) -> String {
    let customer = names(std::slice::from_ref(&events.customer));
    let mut text = format!("customer {customer}, time {}", events.time);
    if let Some(value) = &events.value {
        let _ = write!(text, ", value {value}");
    }
    if !events.tie.is_empty() {
        let _ = write!(text, ", tie [{}]", list(&events.tie));
    }
    text
}

fn sort_keys(keys: &[SortKey]) -> String {
    let written: Vec<String> = keys
        .iter()
        .map(|key| format!("{}{}", key.column, if key.descending { " desc" } else { "" }))
        .collect();
    written.join(", ")
}

/// One node without its inputs.
pub fn line(rel: &Rel) -> String {
    match &rel.node {
        RelNode::Scan(scan) => {
            let columns: Vec<&str> = rel.schema.names().collect();
            let rules: Vec<String> = scan
                .rules
                .iter()
                .map(|rule| format!("{} has {}", rule.column, rule.fault))
                .collect();
            let mut text = format!(
                "Scan {} [{}], refuses [{}]",
                scan.source,
                columns.join(", "),
                rules.join("; ")
            );
            if scan.bad_rows != BadRows::FAIL {
                let BadRows { action, tolerate } = scan.bad_rows;
                let _ = write!(text, ", {action} up to {tolerate}");
            }
            text
        }
        RelNode::Rejected { .. } => "Rejected".to_owned(),
        RelNode::Filter { predicate, .. } => format!("Filter {predicate}"),
        RelNode::Project { columns, .. } => format!("Project {}", names(columns)),
        RelNode::Lookup(lookup) => {
            let keys: Vec<String> =
                lookup.keys.iter().map(|(key, name)| format!("{key} = {name}")).collect();
            let columns: Vec<String> =
                lookup.columns.iter().map(|(from, to)| format!("{to} = {from}")).collect();
            format!("Lookup [{}] on {}", columns.join(", "), keys.join(", "))
        }
        RelNode::Dedupe(dedupe) => {
            let order: Vec<String> = dedupe
                .order
                .iter()
                .map(|order| {
                    format!("{}{}", order.value, if order.descending { " desc" } else { "" })
                })
                .collect();
            format!("Dedupe by [{}], first of [{}]", list(&dedupe.keys), order.join(", "))
        }
        RelNode::Union { inputs } => format!("Union of {}", inputs.len()),
        RelNode::Aggregate(aggregate) => {
            format!("Aggregate by [{}]: {}", names(&aggregate.keys), names(&aggregate.measures))
        }
        RelNode::Window(window) => {
            format!(
                "Window {} over (partition by [{}] order by {})",
                names(&window.functions),
                window.partition_by.join(", "),
                sort_keys(&window.order_by)
            )
        }
        RelNode::Join(join) => {
            let keys: Vec<String> =
                join.keys.iter().map(|(left, right)| format!("{left} = {right}")).collect();
            let nulls = if join.nulls_equal { ", nulls equal" } else { "" };
            format!("Join {:?} on [{}]{nulls}", join.kind, keys.join(", "))
        }
        RelNode::Sort { keys, .. } => {
            format!("Sort [{}]", sort_keys(keys))
        }
        RelNode::Values(frame) => format!("Values {} rows", frame.rows()),
        RelNode::Series { from, to, name, .. } => format!("Series {name} from {from} to {to}"),
        RelNode::History(history) => {
            format!("History by {}: {}", history.unit, events(&history.events))
        }
        RelNode::Summary(summary) => format!(
            "Summary in {}s, collapse {}, refunds {}, zero values {}, carry [{}], until {}: {}",
            summary.unit,
            summary.collapse,
            summary.refunds,
            summary.zero_values,
            names(&summary.carry),
            summary.end,
            events(&summary.events)
        ),
        RelNode::Apply(apply) => {
            format!("Apply {}, table {}", apply.call.function.describe(), apply.output)
        }
        RelNode::Repeats(repeats) => format!(
            "Repeats by [{}], {}, refunds {}, zero values {}, since {:?}, before {:?}: {}",
            names(&repeats.by),
            if repeats.rules.collapse { "days" } else { "orders" },
            repeats.rules.refunds,
            repeats.rules.zero_values,
            repeats.rules.since,
            repeats.rules.before,
            events(&repeats.events)
        ),
        RelNode::Movements(movements) => format!(
            "Movements by {}, by [{}], through {}: {}",
            movements.unit,
            names(&movements.by),
            crate::frame::Value::Date(movements.last_day),
            events(&movements.events)
        ),
        RelNode::CohortGrid(grid) => format!(
            "CohortGrid {} × {} {}, {}, by [{}], ages {}, until {}, entering {}, active {}: {}",
            grid.cohort,
            grid.steps,
            grid.age,
            grid.returned,
            names(&grid.by),
            ages(&grid.ages),
            grid.end,
            grid.entering.as_ref().map_or("all".into(), Expr::to_string),
            grid.active.as_ref().map_or("all".into(), Expr::to_string),
            events(&grid.events)
        ),
    }
}

fn ages(ages: &Ages) -> String {
    match ages {
        Ages::Each { last: None } => "to the oldest".into(),
        Ages::Each { last: Some(last) } => format!("to {last}"),
        Ages::Brackets(brackets) => {
            let each = brackets.iter().map(|(low, high)| format!("{low}-{high}"));
            format!("[{}]", each.collect::<Vec<_>>().join(", "))
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}({}",
            self.func.name(),
            self.func.arguments().into_iter().map(Expr::to_string).collect::<Vec<_>>().join(", ")
        )?;
        match &self.func {
            MeasureFunc::Quantile { at, .. } => write!(f, ", {at}")?,
            MeasureFunc::RankBound { at, z, upper, .. } => write!(f, ", {at}, {z}, {upper}")?,
            MeasureFunc::LastingQuantile { at, bound, .. } => write!(f, ", {at}, {bound:?}")?,
            MeasureFunc::CountReaching { least, .. } => write!(f, ", {least}")?,
            MeasureFunc::CountRows
            | MeasureFunc::Count(_)
            | MeasureFunc::CountDistinct(_)
            | MeasureFunc::Sum(_)
            | MeasureFunc::Min(_)
            | MeasureFunc::Max(_)
            | MeasureFunc::Mean(_)
            | MeasureFunc::Variance(_)
            | MeasureFunc::CountVarying { .. }
            | MeasureFunc::First { .. } => {}
        }
        f.write_str(")")?;
        match &self.filter {
            Some(filter) => write!(f, " where {filter}"),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for WindowFunc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WindowFunc::Ntile(groups) => write!(f, "ntile({groups})"),
            WindowFunc::RunningSum(column) => write!(f, "sum({column})"),
        }
    }
}
