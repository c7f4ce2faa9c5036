//! Morsel chains: scan, filter, project, look up.
//!
//! All chains over one scan are bound together, so that a shared part runs once per morsel and only
//! the columns that some fold or result needs are decoded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema};

use super::contract::{Admitted, Contract};
use super::evaluate::Program;
use super::fold::FirstRows;
use super::index::{Index, LookedUpColumn, PersonIndex};
use super::kernel::arrow_error;
use super::path::{beside, identity, narrowed, needs_of, rows_of};
use super::people::People;
use crate::engine::EngineError;
use crate::frame::{DataType, Field, Frame, Schema};
use crate::ir::relation::Lookup;
use crate::ir::scan::REASONS;
use crate::ir::{Calendar, Expr, RelNode, RelRef};

/// The column with the number of each row's customer, behind the columns of a node that has it.
pub(super) const PERSON: &str = "#person";

/// The customers of a pass: the column of its scan that holds them, and their numbers.
#[derive(Clone)]
pub(super) struct Numbering {
    pub column: String,
    pub people: Arc<People>,
}

/// What chains need of relations that have been computed before.
pub(super) trait Known {
    /// A table to look up in, by these columns.
    fn index(&mut self, table: &RelRef, keys: &[&str]) -> Result<Index, EngineError>;
    /// A table to look up in, by the numbers of the customers in this column.
    fn person_index(
        &mut self,
        table: &RelRef,
        key: &str,
        people: &Arc<People>,
    ) -> Result<PersonIndex, EngineError>;
    /// The rows that a `Dedupe` keeps.
    fn first_rows(&mut self, dedupe: &RelRef) -> Result<Arc<FirstRows>, EngineError>;
    /// A table whose one row stands beside others.
    fn totals(&mut self, table: &RelRef) -> Result<Frame, EngineError>;
}

/// What a bound node does to a morsel.
enum Work {
    /// The rows that were admitted.
    Start,
    /// The rows that were not, and why.
    Rejected {
        keep: Vec<usize>,
    },
    Filter {
        input: usize,
        program: Program,
        keep: Vec<usize>,
    },
    Project {
        input: usize,
        program: Program,
    },
    Lookup {
        input: usize,
        keep: Vec<usize>,
        finder: Finder,
        /// The columns of the table that are wanted.
        values: Vec<LookedUpColumn>,
    },
    Dedupe {
        input: usize,
        keep: Vec<usize>,
        first_rows: Arc<FirstRows>,
    },
    /// The same columns of one row beside every row.
    Beside {
        input: usize,
        keep: Vec<usize>,
        values: Vec<ArrayRef>,
    },
}

impl Work {
    /// The node whose rows it takes.
    fn input(&self) -> Option<usize> {
        match self {
            Work::Start | Work::Rejected { .. } => None,
            Work::Filter { input, .. }
            | Work::Project { input, .. }
            | Work::Lookup { input, .. }
            | Work::Dedupe { input, .. }
            | Work::Beside { input, .. } => Some(*input),
        }
    }
}

/// How a row of a table is found.
enum Finder {
    /// By the values of expressions.
    Keys { program: Program, index: Index },
    /// By the number of the customer, which is the last column.
    Person(PersonIndex),
}

struct BoundNode {
    identity: usize,
    work: Work,
    schema: Schema,
    /// The columns that hold the customer whose number is the last column; none if there is no number.
    persons: Vec<String>,
    /// True for a filter that leaves all rows where they are and says which pass.
    selects: bool,
    /// Rows that came out, over all morsels.
    rows: AtomicU64,
}

/// What a node gives of a morsel.
pub(super) struct Flow {
    pub batch: RecordBatch,
    /// The rows of the batch that are there, if not all are.
    pub selected: Option<BooleanBuffer>,
}

impl Flow {
    fn rows(&self) -> usize {
        self.selected.as_ref().map_or(self.batch.num_rows(), BooleanBuffer::count_set_bits)
    }
}

/// All chains over one leaf, bound.
pub(super) struct Chains {
    nodes: Vec<BoundNode>,
    /// The contract of the scan they begin at.
    contract: Option<Contract>,
    /// The columns of the leaf that are decoded.
    decoded: Vec<Field>,
    numbering: Option<Numbering>,
    calendar: Calendar,
}

impl Chains {
    /// Binds the chains that end in these relations and give these columns. They begin at a scan, or at
    /// `start`, whose rows are there. With a numbering each node has, behind its columns, the number of
    /// the row's customer, as long as one of its columns is that of the customer.
    ///
    /// # Errors
    /// A look-up table whose key is not unique; see [`Index::new`].
    pub fn bind(
        ends: &[(RelRef, BTreeSet<String>)],
        start: Option<&RelRef>,
        numbering: Option<Numbering>,
        calendar: &Calendar,
        known: &mut impl Known,
    ) -> Result<Self, EngineError> {
        let (order, needed) = needs_of(ends, start);
        let mut chains = Chains {
            nodes: Vec::new(),
            contract: None,
            decoded: Vec::new(),
            numbering,
            calendar: calendar.clone(),
        };
        for rel in &order {
            let wanted = needed.get(&identity(rel)).cloned().unwrap_or_default();
            let at_start = start.is_some_and(|start| identity(start) == identity(rel));
            let goes_on = rows_of(rel).is_some() && !at_start;
            let node = match goes_on {
                true => chains.bind_node(rel, &wanted, known)?,
                false => chains.bind_start(rel, &wanted)?,
            };
            chains.nodes.push(node);
        }
        Ok(chains)
    }

    fn bind_node(
        &self,
        rel: &RelRef,
        wanted: &BTreeSet<String>,
        known: &mut impl Known,
    ) -> Result<BoundNode, EngineError> {
        let find = |rel: &RelRef| {
            self.place(rel).ok_or_else(|| EngineError::Internal("a chain without its leaf".into()))
        };
        let keep = |from: &Schema, to: &Schema| -> Vec<usize> {
            to.fields.iter().filter_map(|field| from.index_of(&field.name)).collect()
        };
        let mut schema = narrowed(&rel.schema, wanted);
        let below = match &rel.node {
            RelNode::Rejected { .. } => None,
            _ => rel.inputs().first().and_then(|input| self.place(input)),
        };
        let persons = below.map_or_else(Vec::new, |below| self.persons_after(rel, below));
        if !persons.is_empty() {
            schema.fields.push(Field::new(PERSON, DataType::Int64));
        }
        let work = match &rel.node {
            RelNode::Filter { input, predicate } => {
                let input = find(input)?;
                let from = &self.nodes[input].schema;
                let program = Program::bind([predicate], from)?;
                Work::Filter { input, program, keep: keep(from, &schema) }
            }
            RelNode::Project { input, columns } => {
                let input = find(input)?;
                let chosen = columns.iter().filter(|column| wanted.contains(&column.name));
                let program =
                    Program::bind(chosen.map(|column| &column.value), &self.nodes[input].schema)?;
                Work::Project { input, program }
            }
            RelNode::Lookup(lookup) => {
                let input = find(&lookup.input)?;
                let from = &self.nodes[input].schema;
                let names: Vec<&str> = lookup.keys.iter().map(|(_, name)| name.as_str()).collect();
                let added = lookup.columns.iter().filter(|(_, to)| wanted.contains(to));
                let added: Vec<&str> = added.map(|(name, _)| name.as_str()).collect();
                let (finder, values) = match (self.numbered_key(lookup, input), names.as_slice()) {
                    (Some(numbering), [key]) => {
                        let index = known.person_index(&lookup.table, key, &numbering.people);
                        let index = index.map_err(|error| error.of(rel))?;
                        let values = index.table.columns(&added)?;
                        (Finder::Person(index), values)
                    }
                    _ => {
                        let index =
                            known.index(&lookup.table, &names).map_err(|error| error.of(rel))?;
                        let program = Program::bind(lookup.keys.iter().map(|(key, _)| key), from)?;
                        let values = index.table.columns(&added)?;
                        (Finder::Keys { program, index }, values)
                    }
                };
                let keep = keep(from, &narrowed(&rel.schema, wanted));
                Work::Lookup { input, keep, finder, values }
            }
            RelNode::Dedupe(dedupe) => {
                let input = find(&dedupe.input)?;
                let keep = keep(&self.nodes[input].schema, &schema);
                Work::Dedupe { input, keep, first_rows: known.first_rows(rel)? }
            }
            RelNode::Rejected { scan } => {
                let from = &self.nodes[find(scan)?].schema;
                Work::Rejected { keep: keep(from, &schema) }
            }
            RelNode::Join(_) if beside(rel).is_some() => {
                let (rows, table) = beside(rel).ok_or_else(one_row)?;
                let input = find(rows)?;
                let from = &self.nodes[input].schema;
                let totals = known.totals(table)?;
                if totals.rows() != 1 {
                    return Err(one_row());
                }
                let added = schema.fields.iter().filter(|field| from.field(&field.name).is_none());
                let added = added.filter_map(|field| totals.schema.index_of(&field.name));
                let values = added.map(|place| totals.batch.column(place).clone()).collect();
                let keep = keep(from, &narrowed(&rel.schema, wanted));
                Work::Beside { input, keep, values }
            }
            RelNode::Scan(_)
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
            | RelNode::Apply(_) => {
                return Err(EngineError::Internal("a chain through what does not stream".into()));
            }
        };
        let rows = AtomicU64::new(0);
        Ok(BoundNode { identity: identity(rel), work, schema, persons, selects: false, rows })
    }

    /// The columns of a relation that hold the numbered customer, if they do below it.
    fn persons_after(&self, rel: &RelRef, below: usize) -> Vec<String> {
        let persons = &self.nodes[below].persons;
        match &rel.node {
            RelNode::Project { columns, .. } => {
                let same = |value: &Expr| {
                    value.as_column().is_some_and(|name| persons.iter().any(|p| p == name))
                };
                let columns = columns.iter().filter(|column| same(&column.value));
                columns.map(|column| column.name.clone()).collect()
            }
            _ => persons.clone(),
        }
    }

    /// The numbering, if a look-up goes by the numbered customer.
    fn numbered_key(&self, lookup: &Lookup, input: usize) -> Option<&Numbering> {
        let [(key, of)] = lookup.keys.as_slice() else { return None };
        let name = key.as_column()?;
        let numbering = self.numbering.as_ref()?;
        let of = lookup.table.schema.field(of)?;
        let alike = of.data_type == numbering.people.data_type();
        (alike && self.nodes[input].persons.iter().any(|person| person == name))
            .then_some(numbering)
    }

    /// The numbers of the customers at a node, and the columns that hold the customers themselves.
    pub fn people_at(&self, place: usize) -> Option<(&Arc<People>, &[String])> {
        let numbering = self.numbering.as_ref()?;
        let persons = &self.nodes[place].persons;
        (!persons.is_empty()).then_some((&numbering.people, persons.as_slice()))
    }

    /// The node that a morsel enters by: a scan with its contract, or a relation whose rows are there.
    fn bind_start(
        &mut self,
        rel: &RelRef,
        wanted: &BTreeSet<String>,
    ) -> Result<BoundNode, EngineError> {
        let mut schema = match &rel.node {
            RelNode::Scan(scan) => {
                let schema = narrowed(&rel.schema, wanted);
                self.contract = Some(Contract::bind(scan, &schema)?);
                schema
            }
            _ => rel.schema.as_ref().clone(),
        };
        self.decoded.clone_from(&schema.fields);
        let mut persons = Vec::new();
        if let Some(Numbering { column, .. }) = &self.numbering
            && schema.field(column).is_some()
        {
            persons.push(column.clone());
            schema.fields.push(Field::new(PERSON, DataType::Int64));
        }
        let rows = AtomicU64::new(0);
        let work = Work::Start;
        Ok(BoundNode { identity: identity(rel), work, schema, persons, selects: false, rows })
    }

    /// The contract of the scan they begin at, if they do.
    pub fn contract(&self) -> Option<&Contract> {
        self.contract.as_ref()
    }

    /// The columns of the leaf that are decoded.
    pub fn leaf_fields(&self) -> &[Field] {
        &self.decoded
    }

    /// The place of a relation's node.
    pub fn place(&self, rel: &RelRef) -> Option<usize> {
        self.nodes.iter().position(|node| node.identity == identity(rel))
    }

    /// Has a filter that no other node reads leave the rows where they are: for who takes selections.
    pub fn select_at(&mut self, place: usize) {
        let read = self.nodes.iter().any(|node| node.work.input() == Some(place));
        let node = &mut self.nodes[place];
        node.selects = !read && matches!(node.work, Work::Filter { .. });
    }

    /// The columns a node gives.
    pub fn schema(&self, place: usize) -> &Schema {
        &self.nodes[place].schema
    }

    /// Rows that came out of each node so far, by the relation's identity.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.nodes.iter().map(|node| (node.identity, node.rows.load(Ordering::Relaxed)))
    }

    /// Runs all chains over one morsel of the leaf: what each node gives. `ordinal` is its number in the
    /// pass.
    ///
    /// # Errors
    /// A value for which an expression has no result.
    pub fn run(&self, morsel: Admitted, ordinal: u64) -> Result<Vec<Flow>, EngineError> {
        let Admitted { rows, rejected, lost: _ } = morsel;
        let mut morsel = Some(rows);
        let mut flows: Vec<Flow> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut selection = None;
            let batch = match &node.work {
                Work::Start => {
                    let rows = morsel.take().ok_or_else(|| {
                        EngineError::Internal("a pass over two leaves at once".into())
                    })?;
                    self.with_persons(node, rows)?
                }
                Work::Rejected { keep } => match &rejected {
                    None => RecordBatch::new_empty(node.schema.arrow()),
                    Some((rows, reasons)) => {
                        let mut columns = super::intern::columns_at(rows, keep);
                        if node.schema.field(REASONS).is_some() {
                            columns.push(reasons.clone());
                        }
                        batch_of(&node.schema, columns, rows.num_rows())?
                    }
                },
                Work::Filter { input, program, keep } => {
                    let input = &flows[*input].batch;
                    let selected = program.select(input, &self.calendar)?;
                    let kept = input.project(keep).map_err(arrow_error)?;
                    if selected.true_count() == kept.num_rows() {
                        kept
                    } else if node.selects {
                        selection = Some(selected.into_parts().0);
                        kept
                    } else {
                        compute::filter_record_batch(&kept, &selected).map_err(arrow_error)?
                    }
                }
                Work::Project { input, program } => {
                    let input = &flows[*input].batch;
                    let mut columns = program.run(input, &self.calendar)?;
                    let person = input.columns().last().filter(|_| !node.persons.is_empty());
                    columns.extend(person.cloned());
                    batch_of(&node.schema, columns, input.num_rows())?
                }
                Work::Dedupe { input, keep, first_rows } => {
                    let kept = flows[*input].batch.project(keep).map_err(arrow_error)?;
                    let rows = first_rows.of_morsel(ordinal);
                    if rows.len() == kept.num_rows() {
                        kept
                    } else {
                        let rows = UInt32Array::from(rows.to_vec());
                        let columns = kept
                            .columns()
                            .iter()
                            .map(|column| compute::take(column, &rows, None).map_err(arrow_error))
                            .collect::<Result<Vec<_>, _>>()?;
                        batch_of(&node.schema, columns, rows.len())?
                    }
                }
                Work::Beside { input, keep, values } => {
                    let input = &flows[*input].batch;
                    let person = input.columns().last().filter(|_| !node.persons.is_empty());
                    let mut columns = super::intern::columns_at(input, keep);
                    let rows = UInt32Array::from(vec![0; input.num_rows()]);
                    for values in values {
                        columns.push(compute::take(values, &rows, None).map_err(arrow_error)?);
                    }
                    columns.extend(person.cloned());
                    batch_of(&node.schema, columns, input.num_rows())?
                }
                Work::Lookup { input, keep, finder, values } => {
                    let input = &flows[*input].batch;
                    let person = input.columns().last().filter(|_| !node.persons.is_empty());
                    let mut found = super::intern::columns_at(input, keep);
                    if !values.is_empty() {
                        let rows = match (finder, person) {
                            (Finder::Keys { program, index }, _) => {
                                index.rows.find(&program.run(input, &self.calendar)?)?
                            }
                            (Finder::Person(index), Some(ids)) => {
                                index.rows.find(ids.as_primitive())
                            }
                            (Finder::Person(_), None) => {
                                let odd = "a look-up by a customer who has no number";
                                return Err(EngineError::Internal(odd.into()));
                            }
                        };
                        for values in values {
                            found.push(values.take(&rows)?);
                        }
                    }
                    found.extend(person.cloned());
                    batch_of(&node.schema, found, input.num_rows())?
                }
            };
            let flow = Flow { batch, selected: selection };
            node.rows.fetch_add(flow.rows() as u64, Ordering::Relaxed);
            flows.push(flow);
        }
        Ok(flows)
    }
}

impl Chains {
    /// The rows of the leaf with the numbers of their customers, if they are numbered.
    fn with_persons(
        &self,
        node: &BoundNode,
        rows: RecordBatch,
    ) -> Result<RecordBatch, EngineError> {
        let (Some(Numbering { column, people }), false) =
            (&self.numbering, node.persons.is_empty())
        else {
            return Ok(rows);
        };
        let customers = rows.column_by_name(column).ok_or_else(|| {
            EngineError::Internal(format!("no column `{column}` with the customers"))
        })?;
        let ids: ArrayRef = Arc::new(people.number(customers)?);
        let mut columns = rows.columns().to_vec();
        columns.push(ids);
        batch_of(&node.schema, columns, rows.num_rows())
    }
}

fn one_row() -> EngineError {
    EngineError::Internal("totals that are not one row".into())
}

/// Columns under a schema's names; text may stay a dictionary.
pub(super) fn batch_of(
    schema: &Schema,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, EngineError> {
    let fields: Vec<ArrowField> = schema
        .fields
        .iter()
        .zip(&columns)
        .map(|(field, column)| ArrowField::new(&field.name, column.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), columns, &options)
        .map_err(arrow_error)
}
