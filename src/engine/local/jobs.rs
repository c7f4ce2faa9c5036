//! What must be computed in passes, as it is found in the relations that are asked for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};

use super::fold::{self, AnyState, days};
use super::fuse::{Fused, FusedPart, fuse};
use super::legs::Legs;
use super::normal::{EventsOf, over_people, resolve};
use super::path::{dedupes, identity, leaf, looked_up_by, lookup_tables, lookups, origin};
use crate::document::TimeUnit;
use crate::engine::EngineError;
use crate::frame::{DataType, Field, Frame, Schema};
use crate::ir::relation::{self, Lookup};
use crate::ir::{Events, Expr, ExprNode, Func, Named, RelNode, RelRef};

/// Something that must be computed in passes over scans.
pub(super) struct Job {
    pub rel: RelRef,
    pub task: Task,
    /// The events that are gathered, and other folds of them.
    pub events: Option<EventsOf>,
    pub also: Vec<RelRef>,
    /// The aggregates that `rel` is made of, if it is several.
    pub fused: Vec<FusedPart>,
    pub needs: BTreeSet<String>,
    /// The texts of a table that is only looked up in, which may stay codes.
    pub coded: BTreeSet<String>,
    /// The chains it takes in that no pass has run yet, each over one scan, with their numbers.
    pub legs: Vec<(u64, RelRef)>,
    /// How many of its chains are not taken in yet.
    pub open: usize,
    /// True if there is one chain, and so one pass: each pass numbers customers anew.
    pub single: bool,
    /// What the passes so far have come to.
    pub state: Option<AnyState>,
}

/// What becomes of the rows of a job's chains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// They are the table.
    Collect,
    /// They are folded.
    Fold,
    /// They are events, gathered for one or more folds of days.
    Days,
    /// The places of those that a `Dedupe` keeps are noted.
    FirstRows,
}

/// A job's part in a pass.
pub(super) struct Part {
    pub job: usize,
    pub leg: u64,
    pub chain: RelRef,
}

/// What has been computed.
pub(super) trait Done {
    /// True if the table of a relation is there.
    fn table(&self, rel: &RelRef) -> bool;
    /// True if the rows that a `Dedupe` keeps are known.
    fn first_rows(&self, dedupe: &RelRef) -> bool;
}

/// The jobs of a run, as they are found.
#[derive(Default)]
pub(super) struct Jobs {
    pub list: Vec<Job>,
    pub legs: Legs,
    seen: BTreeSet<usize>,
    seen_dedupes: BTreeSet<usize>,
}

impl Jobs {
    /// The folds and chains that need a pass over a scan.
    pub fn find(&mut self, rel: &RelRef) {
        if !self.seen.insert(identity(rel)) {
            return;
        }
        if self.days(rel).is_some() {
            return;
        }
        let streams = rel.streams() || matches!(rel.node, RelNode::Union { .. });
        let work = if streams {
            let needs = rel.schema.names().map(str::to_owned).collect();
            self.legs.of(rel).map(|legs| (Task::Collect, needs, legs))
        } else {
            fold::needs(rel)
                .and_then(|(input, needs)| Some((Task::Fold, needs, self.legs.of(input)?)))
        };
        match work {
            Some((Task::Collect, needs, _)) if self.collected(rel).is_some() => {
                // So far it was only looked up in.
                if let Some(job) = self.collected(rel) {
                    job.needs = needs;
                    job.coded.clear();
                }
            }
            Some((task, needs, legs)) => self.push(rel, task, needs, legs),
            None => match &rel.node {
                RelNode::Movements(movements) => self.find(movements.expand()),
                RelNode::Repeats(repeats) => self.find(repeats.expand()),
                _ => rel.inputs().into_iter().for_each(|input| self.find(input)),
            },
        }
    }

    /// A fold of days over one scan: with another one over the same events, if there is one.
    fn days(&mut self, rel: &RelRef) -> Option<()> {
        let (input, events, by) = days::events_of(rel)?;
        let legs = self.legs.of(input)?;
        let [chain] = legs.as_slice() else { return None };
        origin(chain, events.customer.value.as_column()?)?;
        let of = EventsOf::new(chain, events);
        let people = people_of(events, None).ok()?;
        by.iter()
            .try_for_each(|by| by_customer(chain, &by.value, &people, events, &of).map(|_| ()))?;
        // What must be computed first could depend on the very events.
        let plain = |chain: &RelRef| {
            lookup_tables(chain).iter().all(|table| {
                matches!(leaf(table).node, RelNode::Scan(_) | RelNode::Values(_))
                    && lookup_tables(table).is_empty()
            })
        };
        let chain = chain.clone();
        let same = |job: &Job| job.events.as_ref() == Some(&of);
        match self.list.iter().position(same).filter(|_| plain(&chain)) {
            Some(place) => {
                self.find_tables(&chain);
                self.list[place].also.push(rel.clone());
            }
            None => {
                self.push(rel, Task::Days, days::needs(events), vec![chain]);
                if let Some(job) = self.list.last_mut() {
                    job.events = Some(of);
                }
            }
        }
        Some(())
    }

    fn find_tables(&mut self, leg: &RelRef) {
        for lookup in lookups(leg) {
            if self.columns_of_scan(lookup).is_none() {
                self.find(&lookup.table);
            }
        }
        for rel in dedupes(leg) {
            self.first_rows(rel);
        }
    }

    /// The job that collects the rows of a relation, if there is one.
    fn collected(&mut self, rel: &RelRef) -> Option<&mut Job> {
        let same =
            |job: &&mut Job| job.task == Task::Collect && identity(&job.rel) == identity(rel);
        self.list.iter_mut().find(same)
    }

    /// Several tables to look up in are mostly columns of one scan, which is collected once.
    fn columns_of_scan(&mut self, lookup: &Lookup) -> Option<()> {
        let RelNode::Project { input, columns } = &lookup.table.node else { return None };
        if !matches!(input.node, RelNode::Scan(_) | RelNode::Dedupe(_)) {
            return None;
        }
        let of_scan = |name: &String| -> Option<String> {
            let column = columns.iter().find(|column| column.name == *name)?;
            column.value.as_column().map(str::to_owned)
        };
        let all: BTreeSet<String> =
            columns.iter().map(|column| of_scan(&column.name)).collect::<Option<_>>()?;
        let keys: BTreeSet<String> = lookup.keys.iter().filter_map(|(_, to)| of_scan(to)).collect();
        let coded: BTreeSet<String> = all.difference(&keys).cloned().collect();
        match self.collected(input) {
            Some(job) => {
                // What somebody wants as it is stays so.
                let plain: BTreeSet<String> = job.needs.difference(&job.coded).cloned().collect();
                job.needs.extend(all);
                job.coded.extend(coded);
                job.coded.retain(|name| !plain.contains(name) && !keys.contains(name));
            }
            None => {
                let legs = self.legs.of(input)?;
                self.push(input, Task::Collect, all, legs);
                if let Some(job) = self.collected(input) {
                    job.coded = coded;
                }
            }
        }
        Some(())
    }

    fn push(&mut self, rel: &RelRef, task: Task, needs: BTreeSet<String>, legs: Vec<RelRef>) {
        for leg in &legs {
            self.find_tables(leg);
        }
        let open = legs.len();
        let single = open == 1;
        let legs = (0..).zip(legs).collect();
        self.list.push(Job {
            rel: rel.clone(),
            task,
            events: None,
            also: Vec::new(),
            fused: Vec::new(),
            needs,
            coded: BTreeSet::new(),
            legs,
            open,
            single,
            state: None,
        });
    }

    fn first_rows(&mut self, rel: &RelRef) {
        if !self.seen_dedupes.insert(identity(rel)) {
            return;
        }
        if let RelNode::Dedupe(dedupe) = &rel.node {
            let needs = fold::dedupe_needs(dedupe);
            self.push(rel, Task::FirstRows, needs, vec![dedupe.input.clone()]);
        }
    }

    /// Aggregates by the same keys over the same rows become one job.
    pub fn fuse(&mut self) -> Result<(), EngineError> {
        let mut place = 0;
        while place < self.list.len() {
            let alike = |job: &Job| {
                job.task == Task::Fold && job.single && job.fused.is_empty() && !job.legs.is_empty()
            };
            let candidates: Vec<usize> =
                (0..self.list.len()).filter(|&n| n != place && alike(&self.list[n])).collect();
            let others: Vec<&RelRef> = candidates.iter().map(|&n| &self.list[n].rel).collect();
            let base = &self.list[place];
            // The chain of a job over one scan is its input.
            let whole = alike(base)
                && base
                    .rel
                    .inputs()
                    .first()
                    .zip(base.legs.first())
                    .is_some_and(|(input, (_, leg))| identity(input) == identity(leg));
            if whole && let Some((Fused { rel, parts }, taken)) = fuse(&base.rel, &others)? {
                let needs = fold::needs(&rel).map(|(_, needs)| needs).unwrap_or_default();
                let job = &mut self.list[place];
                (job.rel, job.needs, job.fused) = (rel, needs, parts);
                for number in taken.into_iter().rev() {
                    let number = candidates[number];
                    self.list.remove(number);
                    place -= usize::from(number < place);
                }
            }
            place += 1;
        }
        Ok(())
    }

    /// True if there is something that no pass has run yet.
    pub fn open(&self) -> bool {
        self.list.iter().any(|job| !job.legs.is_empty())
    }

    /// What passes can take next, by scan: the chains whose look-up tables are there.
    ///
    /// # Errors
    /// Never for relations that were planned.
    pub fn ready(&mut self, done: &dyn Done) -> Result<Vec<Vec<Part>>, EngineError> {
        let pending = self.pending();
        let mut order: Vec<usize> = Vec::new();
        let mut ready: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        for (number, job) in self.list.iter_mut().enumerate() {
            let others = job.also.iter().filter_map(|rel| days::events_of(rel));
            let others: Vec<&RelRef> =
                others.flat_map(|(input, ..)| lookup_tables(input)).collect();
            let waits = |leg: &RelRef| {
                let tables = lookup_tables(leg).into_iter().chain(others.iter().copied());
                tables.into_iter().any(|table| !reachable(table, done, &pending))
                    || dedupes(leg).iter().any(|rel| !done.first_rows(rel))
            };
            let (waiting, can) =
                std::mem::take(&mut job.legs).into_iter().partition(|(_, leg)| waits(leg));
            job.legs = waiting;
            let can: Vec<(u64, RelRef)> = can;
            for (leg, chain) in can {
                let scan = identity(leaf(&chain));
                if !ready.contains_key(&scan) {
                    order.push(scan);
                }
                ready.entry(scan).or_default().push(Part { job: number, leg, chain });
            }
        }
        if ready.is_empty() {
            return Err(EngineError::Internal("look-ups that wait for each other".into()));
        }
        // A scan is read once if it can be: not before all that is to be had of it is ready, as long as
        // another one is.
        let legs = self.list.iter().flat_map(|job| &job.legs);
        let waiting: BTreeSet<usize> = legs.map(|(_, leg)| identity(leaf(leg))).collect();
        if order.iter().any(|scan| !waiting.contains(scan)) {
            order.retain(|scan| !waiting.contains(scan));
            let (now, later): (BTreeMap<_, _>, BTreeMap<_, _>) =
                ready.into_iter().partition(|(scan, _)| order.contains(scan));
            ready = now;
            for part in later.into_values().flatten() {
                self.list[part.job].legs.push((part.leg, part.chain));
            }
        }
        Ok(order.iter().map(|scan| ready.remove(scan).unwrap_or_default()).collect())
    }

    /// Relations whose tables wait for a pass.
    fn pending(&self) -> HashSet<usize> {
        let open = self.list.iter().filter(|job| job.task != Task::FirstRows);
        let open = open.filter(|job| job.open > 0);
        let tables = |job: &'_ Job| {
            let parts = job.fused.iter().map(|part| &part.rel);
            let rels = std::iter::once(&job.rel).chain(&job.also).chain(parts);
            rels.map(identity).collect::<Vec<_>>()
        };
        open.flat_map(tables).collect()
    }
}

/// The column of the customers of a fold of days.
pub(super) const CUSTOMER: &str = "#customer";

/// A relation of customers, or of none as yet.
pub(super) fn people_of(
    events: &Events,
    customers: Option<ArrayRef>,
) -> Result<RelRef, EngineError> {
    let data_type = events.customer.value.data_type;
    let schema = Arc::new(Schema::new(vec![Field::new(CUSTOMER, data_type)]));
    let rows = customers.as_ref().map_or(0, |customers| customers.len());
    let column = customers.unwrap_or_else(|| arrow::array::new_empty_array(&data_type.arrow()));
    Ok(relation::values(Frame::new(schema, vec![column], rows)?))
}

/// An expression over a chain as one over its customers; `None` if it depends on more than them.
pub(super) fn by_customer(
    chain: &RelRef,
    expr: &Expr,
    people: &RelRef,
    events: &Events,
    of: &EventsOf,
) -> Option<(RelRef, Expr)> {
    let own = Expr::column(CUSTOMER, events.customer.value.data_type);
    over_people(chain, expr, people, (&of.customer, &own)).ok().flatten()
}

/// The column of a scan that holds the customers of events that are gathered.
fn gathered_by<'a>(part: &'a Part, jobs: &'a [Job]) -> Option<&'a str> {
    let job = &jobs[part.job];
    let (_, events, _) = days::events_of(&job.rel).filter(|_| job.task == Task::Days)?;
    origin(&part.chain, events.customer.value.as_column()?)
}

/// A pass numbers one column, so events of other customers are gathered in passes of their own.
pub(super) fn by_numbering(parts: Vec<Part>, jobs: &[Job]) -> Vec<Vec<Part>> {
    let mut passes: Vec<(Option<String>, Vec<Part>)> = Vec::new();
    for part in parts {
        let column = gathered_by(&part, jobs).map(str::to_owned);
        let fits = |known: &Option<String>| known.is_none() || column.is_none() || *known == column;
        match passes.iter_mut().find(|(known, _)| fits(known)) {
            Some((known, parts)) => {
                *known = known.take().or(column);
                parts.push(part);
            }
            None => passes.push((column, vec![part])),
        }
    }
    passes.into_iter().map(|(_, parts)| parts).collect()
}

/// The column of a scan whose customers are numbered in a pass: that of gathered events, or one by which
/// a fold tells customers apart or a chain looks something up.
pub(super) fn numbered(parts: &[Part], jobs: &[Job]) -> Option<Field> {
    let of_part = |part: &Part| -> Option<Field> {
        let of_fold = match jobs[part.job].task {
            Task::Fold => fold::customers(&jobs[part.job].rel),
            Task::Days | Task::Collect | Task::FirstRows => Vec::new(),
        };
        let of_fold = of_fold.into_iter().filter_map(Expr::as_column);
        let mut columns = of_fold.filter_map(|name| origin(&part.chain, name));
        let column = columns.next().or_else(|| looked_up_by(&part.chain))?;
        leaf(&part.chain).schema.field(column).cloned()
    };
    let gathered = parts
        .iter()
        .find_map(|part| leaf(&part.chain).schema.field(gathered_by(part, jobs)?).cloned());
    gathered.or_else(|| parts.iter().find_map(of_part))
}

/// The key of an aggregate that is a period of a column of the scan: its place, its unit and the column.
pub(super) fn period_of(
    part: &Part,
    jobs: &[Job],
) -> Option<(usize, TimeUnit, (String, DataType))> {
    let job = &jobs[part.job];
    let RelNode::Aggregate(aggregate) = &job.rel.node else { return None };
    let of_key = |key: &Named<Expr>| {
        let ExprNode::Call(Func::DateTrunc(unit), arguments) =
            resolve(&part.chain, &key.value).node
        else {
            return None;
        };
        let column = arguments.first()?.as_column()?;
        let field = leaf(&part.chain).schema.field(column)?;
        Some((unit, (field.name.clone(), field.data_type)))
    };
    let periods =
        aggregate.keys.iter().enumerate().filter(|_| job.single && job.task == Task::Fold);
    let days = |(_, key): &(usize, &Named<Expr>)| key.value.data_type == DataType::Date;
    periods.filter(days).find_map(|(place, key)| of_key(key).map(|(unit, of)| (place, unit, of)))
}

/// True if a relation can be had from the tables that are there, without a pass.
fn reachable(rel: &RelRef, done: &dyn Done, pending: &HashSet<usize>) -> bool {
    let expansion = match &rel.node {
        RelNode::Movements(movements) => Some(movements.expand()),
        RelNode::Repeats(repeats) => Some(repeats.expand()),
        _ => None,
    };
    if let Some(expansion) = expansion {
        return done.table(rel) || reachable(expansion, done, pending);
    }
    done.table(rel)
        || !pending.contains(&identity(rel))
            && !matches!(rel.node, RelNode::Scan(_))
            && rel.inputs().iter().all(|input| reachable(input, done, pending))
}
