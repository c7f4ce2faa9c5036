//! Relations, one node at a time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::evaluate::{Row, evaluate};
use super::measure::{self, Group};
use crate::engine::discreet::discreet;
use crate::engine::{Breach, Engine, EngineError, Extent, NodeId, Place, Rejected, RowNumber};
use crate::frame::{DataType, Frame, Schema, Value, pow10};
use crate::ir::relation::{Built, Lookup};
use crate::ir::scan::{BETWEEN_REASONS, Rule, Scan, reason};
use crate::ir::{
    Aggregate, Apply, Calendar, Dedupe, Join, JoinKind, Rel, RelNode, RelRef, SortKey, Window,
    WindowFunc, explain,
};

/// The engine that evaluates relations a row at a time, over sources held in memory.
#[derive(Debug, Clone)]
pub struct Reference {
    sources: BTreeMap<String, Frame>,
    calendar: Calendar,
}

impl Reference {
    /// An engine without sources.
    pub fn new(calendar: Calendar) -> Self {
        Reference { sources: BTreeMap::new(), calendar }
    }

    /// The same engine with the rows of a source.
    pub fn with_source(mut self, name: impl Into<String>, frame: Frame) -> Self {
        self.sources.insert(name.into(), frame);
        self
    }
}

impl Engine for Reference {
    fn run(&self, outputs: &[RelRef]) -> Result<Vec<Frame>, EngineError> {
        let mut run = Run { engine: self, done: BTreeMap::new() };
        let tables = outputs.iter().map(|rel| {
            let table = run.table(rel)?;
            Ok(Frame::from_rows(rel.schema.clone(), &table.rows)?)
        });
        tables.collect::<Result<_, _>>().map_err(|error| discreet(error, outputs))
    }
}

/// Rows under a schema.
#[derive(Debug)]
struct Table {
    schema: Arc<Schema>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { schema: &self.schema, values })
    }

    /// The places of columns.
    fn places<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<Vec<usize>, EngineError> {
        names.into_iter().map(|name| self.place(name)).collect()
    }

    fn place(&self, name: &str) -> Result<usize, EngineError> {
        self.schema.index_of(name).ok_or_else(|| internal(format!("there is no column `{name}`")))
    }
}

fn internal(message: String) -> EngineError {
    EngineError::Internal(message)
}

/// A source's rows, and those that break its contract, with all their reasons.
struct Parted {
    good: Vec<Vec<Value>>,
    bad: Vec<(Vec<Value>, Vec<String>)>,
}

/// One run and the tables it has finished.
struct Run<'a> {
    engine: &'a Reference,
    /// By the relation's address; the relation is held so that its address stays its own.
    done: BTreeMap<*const Rel, (RelRef, Rc<Table>)>,
}

impl Run<'_> {
    fn table(&mut self, rel: &RelRef) -> Result<Rc<Table>, EngineError> {
        let address = Arc::as_ptr(rel);
        if let Some((_, table)) = self.done.get(&address) {
            return Ok(table.clone());
        }
        let rows = self.rows(rel)?;
        check_types(rel, &rows)?;
        let table = Rc::new(Table { schema: rel.schema.clone(), rows });
        self.done.insert(address, (rel.clone(), table.clone()));
        Ok(table)
    }

    fn rows(&mut self, rel: &RelRef) -> Result<Vec<Vec<Value>>, EngineError> {
        let calendar = &self.engine.calendar;
        match &rel.node {
            RelNode::Scan(scan) => Ok(self.scan(scan, &rel.schema)?.good),
            RelNode::Rejected { scan } => self.rejected(rel, scan),
            RelNode::Filter { input, predicate } => {
                let input = self.table(input)?;
                let mut rows = Vec::new();
                for row in input.iter() {
                    if evaluate(predicate, row, calendar)? == Value::Bool(true) {
                        rows.push(row.values.to_vec());
                    }
                }
                Ok(rows)
            }
            RelNode::Project { input, columns } => {
                let input = self.table(input)?;
                let project = |row| {
                    columns.iter().map(|column| evaluate(&column.value, row, calendar)).collect()
                };
                input.iter().map(project).collect()
            }
            RelNode::Lookup(node) => {
                let (input, table) = (self.table(&node.input)?, self.table(&node.table)?);
                lookup(node, &input, &table, calendar)
            }
            RelNode::Dedupe(node) => dedupe(node, &*self.table(&node.input)?, calendar),
            RelNode::Union { inputs } => {
                let mut rows = Vec::new();
                for input in inputs {
                    rows.extend(self.table(input)?.rows.iter().cloned());
                }
                Ok(rows)
            }
            RelNode::Aggregate(node) => aggregate(node, &*self.table(&node.input)?, calendar),
            RelNode::Window(node) => window(node, &*self.table(&node.input)?),
            RelNode::Join(node) => {
                let (left, right) = (self.table(&node.left)?, self.table(&node.right)?);
                join(node, &left, &right)
            }
            RelNode::Sort { input, keys } => {
                let input = self.table(input)?;
                let order = Order::new(&input, keys)?;
                let mut rows = input.rows.clone();
                rows.sort_by(|a, b| order.compare(a, b));
                Ok(rows)
            }
            RelNode::Values(frame) => Ok(frame.to_rows()),
            RelNode::Series { input, from, to, name: _, unit: _ } => {
                let input = self.table(input)?;
                let mut rows = Vec::new();
                let mut count = 0;
                for row in input.iter() {
                    let ends = (evaluate(from, row, calendar)?, evaluate(to, row, calendar)?);
                    let (Value::Int(from), Value::Int(to)) = ends else { continue };
                    count += (i128::from(to) - i128::from(from) + 1).max(0).unsigned_abs();
                    let of = "a series".to_owned();
                    Extent { rows: count, of, span: None, first: None, node: NodeId::default() }
                        .check()?;
                    for number in from..=to {
                        rows.push([row.values, &[Value::Int(number)]].concat());
                    }
                }
                Ok(rows)
            }
            RelNode::History(history) => self.expansion(rel, history.expand()),
            RelNode::Summary(summary) => self.expansion(rel, summary.expand()),
            RelNode::CohortGrid(grid) => self.expansion(rel, grid.expand()),
            RelNode::Movements(movements) => self.expansion(rel, Ok(movements.expand().clone())),
            RelNode::Repeats(repeats) => self.expansion(rel, Ok(repeats.expand().clone())),
            RelNode::Apply(apply) => self.apply(apply),
        }
    }

    /// The source's rows, parted by its contract.
    fn scan(&self, scan: &Scan, schema: &Arc<Schema>) -> Result<Parted, EngineError> {
        let source = &scan.source;
        let frame = self.engine.sources.get(source.as_ref());
        let frame = frame.ok_or_else(|| internal(format!("there is no source `{source}`")))?;
        let mut places = Vec::new();
        for field in &schema.fields {
            let found = frame.schema.index_of(&field.name);
            let place =
                found.filter(|&place| frame.schema.fields[place].data_type == field.data_type);
            places.push(place.ok_or_else(|| {
                let (name, data_type) = (&field.name, field.data_type);
                internal(format!("source `{source}` has no column `{name}` of type {data_type}"))
            })?);
        }
        let row = |row| places.iter().map(|&place| frame.value(row, place)).collect();
        let table = Table { schema: schema.clone(), rows: (0..frame.rows()).map(row).collect() };

        let mut parted = Parted { good: Vec::new(), bad: Vec::new() };
        let mut first: Option<(usize, &Rule)> = None;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (index, row) in table.iter().enumerate() {
            let mut reasons = Vec::new();
            for rule in &scan.rules {
                if evaluate(&rule.violated, row, &self.engine.calendar)? == Value::Bool(true) {
                    reasons.push(reason(Some(&rule.column), &rule.fault));
                    first.get_or_insert((index, rule));
                }
            }
            for reason in &reasons {
                *counts.entry(reason.clone()).or_default() += 1;
            }
            match reasons.is_empty() {
                true => parted.good.push(row.values.to_vec()),
                false => parted.bad.push((row.values.to_vec(), reasons)),
            }
        }
        let mut reasons: Vec<(String, u64)> = counts.into_iter().collect();
        reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        let (rows, bad) = (table.rows.len() as u64, parted.bad.len() as u64);
        match first.filter(|_| !scan.bad_rows.bears(bad, rows)) {
            None => Ok(parted),
            Some((index, rule)) => Err(EngineError::Contract(Box::new(Breach {
                place: Place {
                    source: source.to_string(),
                    column: Some(rule.column.clone()),
                    ..Place::default()
                },
                fault: rule.fault.clone(),
                row: RowNumber::Row(index as u64),
                rejected: Rejected { rows, bad, reasons },
                bad_rows: scan.bad_rows,
            }))),
        }
    }

    /// A source's bad rows, with the reasons as one text.
    fn rejected(&self, rel: &Rel, scanned: &RelRef) -> Result<Vec<Vec<Value>>, EngineError> {
        let RelNode::Scan(scan) = &scanned.node else {
            return Err(internal("only a source has bad rows".into()));
        };
        let kept: Vec<usize> =
            rel.schema.names().filter_map(|name| scanned.schema.index_of(name)).collect();
        let parted = self.scan(scan, &scanned.schema)?;
        let row = |(row, reasons): (Vec<Value>, Vec<String>)| {
            let mut row = pick(&row, &kept);
            row.push(Value::text(reasons.join(BETWEEN_REASONS)));
            row
        };
        Ok(parted.bad.into_iter().map(row).collect())
    }

    /// The rows of a table of a function of tables.
    fn apply(&mut self, apply: &Apply) -> Result<Vec<Vec<Value>>, EngineError> {
        let call = &apply.call;
        let mut inputs = Vec::new();
        for input in &call.inputs {
            let table = self.table(input)?;
            inputs.push(Frame::from_rows(input.schema.clone(), &table.rows)?);
        }
        let tables = call.function.apply(&inputs, &self.engine.calendar)?;
        let name = call.function.name();
        let table = tables.get(apply.output);
        let table = table.ok_or_else(|| internal(format!("{name} gives too few tables")))?;
        Ok(table.to_rows())
    }

    /// The rows of a history node: those of its definition.
    fn expansion(&mut self, rel: &RelRef, expanded: Built) -> Result<Vec<Vec<Value>>, EngineError> {
        let node = || explain::line(rel);
        let expanded = expanded.map_err(|error| internal(format!("{}: {error}", node())))?;
        let columns = |schema: &Schema| -> Vec<(String, DataType)> {
            schema.fields.iter().map(|field| (field.name.clone(), field.data_type)).collect()
        };
        let (stated, given) = (columns(&rel.schema), columns(&expanded.schema));
        if stated != given {
            return Err(internal(format!("{}: expands to {given:?}, not {stated:?}", node())));
        }
        Ok(self.table(&expanded)?.rows.clone())
    }
}

fn check_types(rel: &Rel, rows: &[Vec<Value>]) -> Result<(), EngineError> {
    let fields = &rel.schema.fields;
    for row in rows {
        if row.len() != fields.len() {
            return Err(internal(format!("{}: a row of {} values", explain::line(rel), row.len())));
        }
        for (field, value) in fields.iter().zip(row) {
            if !fits(value, field.data_type) {
                let (name, data_type) = (&field.name, field.data_type);
                let line = explain::line(rel);
                return Err(internal(format!(
                    "{line}: {value:?} in column `{name}`, a {data_type}"
                )));
            }
        }
    }
    Ok(())
}

/// Whether a column of the type can hold the value as it is.
pub(super) fn fits(value: &Value, data_type: DataType) -> bool {
    match (value, data_type) {
        (Value::Null, _)
        | (Value::Bool(_), DataType::Bool)
        | (Value::Int(_), DataType::Int64)
        | (Value::String(_), DataType::String)
        | (Value::Date(_), DataType::Date)
        | (Value::Timestamp(_), DataType::Timestamp)
        | (Value::Duration(_), DataType::Duration) => true,
        (Value::Int(value), DataType::Int32) => i32::try_from(*value).is_ok(),
        (Value::Float(value), DataType::Float64) => value.is_finite(),
        (Value::Decimal { minor, scale: own }, DataType::Decimal { precision, scale }) => {
            *own <= scale
                && minor
                    .checked_mul(pow10(scale - own))
                    .is_some_and(|minor| minor.unsigned_abs() < pow10(precision).unsigned_abs())
        }
        _ => false,
    }
}

/// The values in these places of a row.
fn pick(row: &[Value], places: &[usize]) -> Vec<Value> {
    places.iter().map(|&place| row[place].clone()).collect()
}

/// The order of rows by some of their columns, nulls last.
struct Order(Vec<(usize, bool)>);

impl Order {
    fn new(table: &Table, keys: &[SortKey]) -> Result<Self, EngineError> {
        let place = |key: &SortKey| Ok((table.place(&key.column)?, key.descending));
        keys.iter().map(place).collect::<Result<_, EngineError>>().map(Order)
    }

    fn compare(&self, left: &[Value], right: &[Value]) -> Ordering {
        let by_key = self.0.iter().map(|&(place, descending)| {
            let (a, b) = (&left[place], &right[place]);
            let nulls_last = a.is_null().cmp(&b.is_null());
            nulls_last.then_with(|| if descending { b.cmp(a) } else { a.cmp(b) })
        });
        by_key.fold(Ordering::Equal, Ordering::then)
    }
}

fn lookup(
    node: &Lookup,
    input: &Table,
    table: &Table,
    calendar: &Calendar,
) -> Result<Vec<Vec<Value>>, EngineError> {
    let keys = table.places(node.keys.iter().map(|(_, name)| name))?;
    let columns = table.places(node.columns.iter().map(|(from, _)| from))?;
    let mut by_key = BTreeMap::new();
    for row in &table.rows {
        let key = pick(row, &keys);
        if key.iter().any(Value::is_null) {
            continue;
        }
        if by_key.insert(key.clone(), row).is_some() {
            let key: Vec<String> = key.iter().map(Value::to_string).collect();
            return Err(EngineError::NotUnique {
                table: describe(&node.table),
                key: key.join(", "),
                node: NodeId::default(),
            });
        }
    }
    let mut rows = Vec::new();
    for row in input.iter() {
        let key = node.keys.iter().map(|(key, _)| evaluate(key, row, calendar));
        // A key with a null is not in the map.
        let found = by_key.get(&key.collect::<Result<Vec<_>, _>>()?);
        let more = match found {
            Some(found) => pick(found, &columns),
            None => vec![Value::Null; columns.len()],
        };
        rows.push([row.values, &more].concat());
    }
    Ok(rows)
}

fn describe(rel: &Rel) -> String {
    match &rel.node {
        RelNode::Scan(scan) => format!("source `{}`", scan.source),
        RelNode::Rejected { .. }
        | RelNode::Filter { .. }
        | RelNode::Project { .. }
        | RelNode::Lookup(_)
        | RelNode::Dedupe(_)
        | RelNode::Union { .. }
        | RelNode::Aggregate(_)
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
        | RelNode::Apply(_) => format!("the table `{}`", explain::line(rel)),
    }
}

fn dedupe(
    node: &Dedupe,
    input: &Table,
    calendar: &Calendar,
) -> Result<Vec<Vec<Value>>, EngineError> {
    let mut order = node.order.iter().map(|order| order.descending);
    let descending: Vec<bool> = order.by_ref().collect();
    let first = |a: &[Value], b: &[Value]| {
        let parts = a.iter().zip(b).zip(&descending).map(|((a, b), &descending)| {
            let nulls_last = a.is_null().cmp(&b.is_null());
            nulls_last.then_with(|| if descending { b.cmp(a) } else { a.cmp(b) })
        });
        parts.fold(Ordering::Equal, Ordering::then) == Ordering::Less
    };
    let mut firsts: BTreeMap<Vec<Value>, (Vec<Value>, &[Value])> = BTreeMap::new();
    for row in input.iter() {
        let key = node.keys.iter().map(|key| evaluate(key, row, calendar));
        let key = key.collect::<Result<Vec<_>, _>>()?;
        let order = node.order.iter().map(|order| evaluate(&order.value, row, calendar));
        let order = order.collect::<Result<Vec<_>, _>>()?;
        if firsts.get(&key).is_none_or(|(known, _)| first(&order, known)) {
            firsts.insert(key, (order, row.values));
        }
    }
    Ok(firsts.into_values().map(|(_, row)| row.to_vec()).collect())
}

fn aggregate(
    node: &Aggregate,
    input: &Table,
    calendar: &Calendar,
) -> Result<Vec<Vec<Value>>, EngineError> {
    let mut groups: BTreeMap<Vec<Value>, Group> = BTreeMap::new();
    if node.keys.is_empty() {
        groups.insert(vec![], vec![]);
    }
    for row in input.iter() {
        let key = node.keys.iter().map(|key| evaluate(&key.value, row, calendar));
        groups.entry(key.collect::<Result<_, _>>()?).or_default().push(row);
    }
    let mut rows = Vec::new();
    for (mut row, group) in groups {
        for measure in &node.measures {
            row.push(measure::measure(&measure.value, &group, calendar)?);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn window(node: &Window, input: &Table) -> Result<Vec<Vec<Value>>, EngineError> {
    let partition_by = input.places(&node.partition_by)?;
    let order = Order::new(input, &node.order_by)?;
    let mut partitions: BTreeMap<Vec<Value>, Vec<usize>> = BTreeMap::new();
    for (index, row) in input.rows.iter().enumerate() {
        partitions.entry(pick(row, &partition_by)).or_default().push(index);
    }
    for partition in partitions.values_mut() {
        partition.sort_by(|&a, &b| order.compare(&input.rows[a], &input.rows[b]));
    }

    let mut rows = input.rows.clone();
    for function in &node.functions {
        for partition in partitions.values() {
            let results = match &function.value {
                WindowFunc::Ntile(groups) => ntiles(partition.len(), *groups)?,
                WindowFunc::RunningSum(column) => {
                    let place = input.place(column)?;
                    let values = partition.iter().map(|&index| &input.rows[index][place]);
                    measure::running_sums(values, input.schema.fields[place].data_type)?
                }
            };
            for (&index, result) in partition.iter().zip(results) {
                rows[index].push(result);
            }
        }
    }
    Ok(rows)
}

/// `1, 1, …, 2, 2, …`: so many rows in so many groups, the first `rows % groups` with one more.
fn ntiles(rows: usize, groups: i64) -> Result<Vec<Value>, EngineError> {
    let count = usize::try_from(groups).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| internal(format!("an ntile of {groups} groups")))?;
    let (size, larger) = (rows / count, rows % count);
    let numbers = (1..=groups).zip(0..count).flat_map(|(number, index)| {
        let size = size + usize::from(index < larger);
        std::iter::repeat_n(Value::Int(number), size)
    });
    Ok(numbers.take(rows).collect())
}

fn join(node: &Join, left: &Table, right: &Table) -> Result<Vec<Vec<Value>>, EngineError> {
    let left_keys = left.places(node.keys.iter().map(|(name, _)| name))?;
    let right_keys = right.places(node.keys.iter().map(|(_, name)| name))?;
    let columns: Vec<usize> =
        (0..right.schema.fields.len()).filter(|place| !right_keys.contains(place)).collect();
    let matches = |key: &[Value]| node.nulls_equal || !key.iter().any(Value::is_null);

    let mut by_key: BTreeMap<Vec<Value>, Vec<&Vec<Value>>> = BTreeMap::new();
    for row in &right.rows {
        by_key.entry(pick(row, &right_keys)).or_default().push(row);
    }
    let mut rows = Vec::new();
    for row in &left.rows {
        let key = pick(row, &left_keys);
        let partners = by_key.get(&key).filter(|_| matches(&key)).map_or(&[][..], Vec::as_slice);
        let pairs = partners.iter().map(|partner| [&row[..], &pick(partner, &columns)].concat());
        match node.kind {
            JoinKind::Inner => rows.extend(pairs),
            JoinKind::Left | JoinKind::Full if partners.is_empty() => {
                rows.push([&row[..], &vec![Value::Null; columns.len()]].concat());
            }
            JoinKind::Left | JoinKind::Full => rows.extend(pairs),
            JoinKind::Semi if partners.is_empty() => {}
            JoinKind::Semi => rows.push(row.clone()),
            JoinKind::Anti if partners.is_empty() => rows.push(row.clone()),
            JoinKind::Anti => {}
        }
    }
    if node.kind == JoinKind::Full {
        let known: BTreeSet<Vec<Value>> =
            left.rows.iter().map(|row| pick(row, &left_keys)).filter(|key| matches(key)).collect();
        for row in &right.rows {
            let key = pick(row, &right_keys);
            if known.contains(&key) {
                continue;
            }
            let mut alone = vec![Value::Null; left.schema.fields.len()];
            for (&place, value) in left_keys.iter().zip(key) {
                alone[place] = value;
            }
            alone.extend(pick(row, &columns));
            rows.push(alone);
        }
    }
    Ok(rows)
}
