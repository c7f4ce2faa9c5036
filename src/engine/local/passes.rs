//! Passes over the input: which there are, what each feeds, and how the threads share one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::chain::{Chains, Flow, Numbering};
use super::contract::{Admitted, Contract};
use super::decode::Decoding;
use super::engine::{Computed, Frames, Local};
use super::epochs::{Epochs, Settled};
use super::fold::{
    self, AnyFold, AnyState, CollectFold, Days, DaysFold, DedupeFold, FirstRows, Morsel, Segments,
    days,
};
use super::jobs::{
    CUSTOMER, Job, Jobs, Part, Task, by_customer, by_numbering, numbered, people_of, period_of,
};
use super::memory;
use super::normal::EventsOf;
use super::path::{identity, leaf, lookup_tables, narrowed, rule_columns};
use super::prune::Pruned;
use crate::engine::{EngineError, NodeId, Place};
use crate::frame::{DataType, Field};
use crate::ir::relation;
use crate::ir::typing::TypeError;
use crate::ir::{Events, Expr, Named, RelNode, RelRef, named};

type Folds = Vec<Box<dyn AnyFold>>;

/// The last look-up of a chain.
fn chain_lookup(chain: &RelRef) -> Option<&RelRef> {
    match &chain.node {
        RelNode::Lookup(_) => Some(chain),
        _ => {
            chain.inputs().first().filter(|_| chain.streams()).and_then(|input| chain_lookup(input))
        }
    }
}

impl Local<'_> {
    /// Runs passes until every job is done. A pass takes all chains over one scan whose look-up tables
    /// are there.
    pub(super) fn passes(
        &self,
        outputs: &[RelRef],
        frames: &mut Frames,
    ) -> Result<(), EngineError> {
        let mut jobs = Jobs::default();
        for output in outputs {
            jobs.find(output);
        }
        jobs.fuse()?;
        while jobs.open() {
            for parts in jobs.ready(frames)? {
                for table in parts.iter().flat_map(|part| lookup_tables(&part.chain)) {
                    self.frame(table, frames)?;
                }
                for parts in by_numbering(parts, &jobs.list) {
                    self.pass(&parts, &mut jobs.list, frames)?;
                }
            }
        }
        // A chain over a union has the rows of its parts.
        for (rel, legs) in jobs.legs.divided() {
            let counts = self.counts();
            let rows = legs.iter().map(|leg| counts.of(leg)).sum::<Option<u64>>();
            drop(counts);
            if let Some(rows) = rows {
                self.count(rel, rows);
            }
        }
        Ok(())
    }

    /// One pass over a scan.
    fn pass(
        &self,
        parts: &[Part],
        jobs: &mut [Job],
        frames: &mut Frames,
    ) -> Result<(), EngineError> {
        let scan_rel = leaf(&parts[0].chain).clone();
        let RelNode::Scan(scan) = &scan_rel.node else {
            return Err(EngineError::Internal("a pass over what is not a scan".into()));
        };
        let source = self.sources.get(scan.source.as_ref()).ok_or_else(|| {
            EngineError::Internal(format!("the source `{}` was not opened", scan.source))
        })?;
        let mut ends: Vec<_> =
            parts.iter().map(|part| (part.chain.clone(), jobs[part.job].needs.clone())).collect();
        let numbering = match numbered(parts, jobs) {
            Some(field) => {
                let people = frames.people(&field)?;
                Some(Numbering { column: field.name, people })
            }
            None => None,
        };
        let mut of_scan = rule_columns(&scan_rel);
        of_scan.extend(numbering.as_ref().map(|numbering| numbering.column.clone()));
        ends.push((scan_rel.clone(), of_scan));
        let mut known = Computed { frames };
        let mut chains = Chains::bind(&ends, None, numbering, &self.calendar, &mut known)?;
        let period = parts.iter().find_map(|part| period_of(part, jobs).map(|(_, _, of)| of));
        let (folds, places) = self.folds(parts, jobs, &chains, period.as_ref())?;
        for &place in &places {
            let mut there = folds.iter().zip(&places).filter(|(_, at)| **at == place);
            if there.all(|(fold, _)| fold.selects()) {
                chains.select_at(place);
            }
        }
        let chains = chains;
        let ways: Vec<&RelRef> = parts.iter().map(|part| &part.chain).collect();
        let pruned = Pruned::of(&scan_rel, &ways, source, &self.calendar);
        let rows = source.files.iter().map(|file| file.rows).sum::<u64>();
        let facts = self.facts(rows - pruned.rows);

        let decoding = Decoding {
            source: &scan.source,
            fields: chains.leaf_fields(),
            finite: &scan.finite,
            strict: &scan.strict,
            calendar: &self.calendar,
        };
        let items: Vec<(usize, usize)> = source
            .files
            .iter()
            .enumerate()
            .flat_map(|(file, input)| (0..input.row_groups()).map(move |group| (file, group)))
            .collect();
        tracing::debug!(
            source = %scan.source,
            folds = folds.len(),
            row_groups = items.len(),
            pruned = pruned.groups(),
            columns = decoding.fields.len(),
            "a pass over the source"
        );
        self.monitor.begin(&scan.source, rows);
        self.monitor.advance(pruned.rows);
        let names: Vec<&str> = decoding.fields.iter().map(|field| field.name.as_str()).collect();
        self.memory.begin(source.largest(&names) * self.pool.current_num_threads() as u64);
        let (failure, late) = (Failure::default(), Failure::default());
        let contract = chains.contract();
        let start = || -> Vec<AnyState> { folds.iter().map(|fold| fold.start(&facts)).collect() };
        let take = |states: &mut Vec<AnyState>, item: usize| -> Result<(), EngineError> {
            let (file, group) = items[item];
            let input = &source.files[file];
            let place = Place {
                source: scan.source.to_string(),
                file: Some(input.name.clone()),
                row_group: Some(group),
                column: None,
            };
            decoding.row_group(input, group, |first, decoded| {
                if self.monitor.stopped() {
                    return Err(EngineError::Interrupted);
                }
                let rows = decoded.batch.num_rows() as u64;
                let ordinal = ((item as u64) << 32) | first as u64;
                let admitted = match contract {
                    Some(contract) => {
                        contract.admit(decoded, &place, first, ordinal, &self.calendar)
                    }
                    None => Ok(Admitted::all(decoded.batch)),
                };
                let admitted = admitted.map_err(|error| error.at(&place))?;
                // Of a run that fails already only the bad rows are still counted.
                if !admitted.lost && !late.before(ordinal as usize) {
                    let fold = || -> Result<(), EngineError> {
                        let flows = chains.run(admitted, ordinal)?;
                        for (number, part) in parts.iter().enumerate() {
                            let Flow { batch, selected } = &flows[places[number]];
                            let ordinal = (part.leg << 56) | ordinal;
                            let morsel = Morsel { batch, selected: selected.as_ref(), ordinal };
                            folds[number].take(&mut states[number], &morsel)?;
                        }
                        Ok(())
                    };
                    if let Err(error) = fold() {
                        let error = error.at(&place);
                        if !contract.is_some_and(Contract::counts_on) {
                            return Err(error);
                        }
                        late.note(ordinal as usize, error);
                    }
                }
                self.monitor.advance(rows);
                Ok(())
            })
        };
        // One state per thread, not one per piece of work: a state grows with the customers, and
        // merging two of them costs as much as making one.
        let threads = self.pool.current_num_threads();
        let epochs = period
            .and_then(|(column, data_type)| {
                Epochs::by_time(
                    source,
                    &items,
                    (&column, data_type),
                    &self.calendar,
                    self.epoch_rows,
                )
            })
            .unwrap_or_else(|| Epochs::one(items.len()))
            .without(&pruned);
        let settled = Settled::new(&epochs, &folds, threads);
        let next = AtomicUsize::new(0);
        let work = |_| {
            let mut states: Option<Vec<AnyState>> = None;
            let mut epoch = 0;
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                // Behind the last row group a thread is through with all epochs but the last.
                let now = epochs.of(place);
                let passed =
                    settled.pass(epoch, now, states.as_mut(), |fold| folds[fold].start(&facts));
                epoch = now;
                let Some(&item) = epochs.order.get(place) else {
                    if let Err(error) = passed {
                        failure.note(usize::MAX, error);
                    }
                    return states;
                };
                if failure.before(item) {
                    continue;
                }
                if self.monitor.stopped() {
                    return states;
                }
                let done = (place + 1) as f64 / epochs.order.len() as f64;
                let taken = passed
                    .and_then(|()| take(states.get_or_insert_with(start), item))
                    .and_then(|()| self.memory.check(done));
                if let Err(error) = taken {
                    failure.note(item, error);
                }
            }
        };
        let mut results: Vec<Vec<AnyState>> = self
            .pool
            .install(|| (0..threads).into_par_iter().with_max_len(1).filter_map(work).collect());
        self.monitor.end(&scan.source);
        if self.monitor.stopped() {
            return Err(EngineError::Interrupted);
        }
        failure.into_result()?;
        if let Some(contract) = contract {
            self.note_findings(&scan.source, contract.findings(pruned.rows));
            // The first fault of the input is told, be it a bad row or a value without a result.
            if let Some((ordinal, breach)) = contract.breach(pruned.rows)
                && !late.before(ordinal as usize)
            {
                return Err(EngineError::Contract(Box::new(breach)));
            }
        }
        late.into_result()?;
        let counts: HashMap<usize, u64> = chains
            .counts()
            .map(|(node, rows)| (node, rows + pruned.counts.get(&node).copied().unwrap_or(0)))
            .collect();
        for part in parts {
            self.note_counts(&part.chain, &counts);
        }
        let mut states = results.pop().unwrap_or_else(start);
        for result in results {
            states = self.pool.install(|| merge(&folds, states, result))?;
        }
        settled.join(&mut states)?;
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for (number, (part, state)) in parts.iter().zip(states).enumerate() {
            let job = &mut jobs[part.job];
            job.open -= 1;
            job.state = Some(match job.state.take() {
                None => state,
                Some(known) => folds[number].merge(known, state)?,
            });
            last.insert(part.job, number);
        }
        for (job, number) in last {
            if self.monitor.stopped() {
                return Err(EngineError::Interrupted);
            }
            self.finish(&mut jobs[job], folds[number].as_ref(), frames)?;
        }
        Ok(())
    }

    /// Keeps what a job comes to, once it has seen all its rows.
    fn finish(
        &self,
        job: &mut Job,
        fold: &dyn AnyFold,
        frames: &mut Frames,
    ) -> Result<(), EngineError> {
        if job.open > 0 {
            return Ok(());
        }
        let Some(state) = job.state.take() else { return Ok(()) };
        if job.task == Task::Days {
            return self.finish_days(job, state, fold, frames);
        }
        let of = job.fused.first().map_or(&job.rel, |part| &part.rel);
        let frame = self.pool.install(|| fold.finish(state)).map_err(|error| error.of(of))?;
        for part in &job.fused {
            self.keep(&part.rel, part.table(&frame)?, frames);
        }
        if job.task == Task::FirstRows {
            let rows = Arc::new(FirstRows::of(&frame));
            frames.first_rows.insert(identity(&job.rel), (job.rel.clone(), rows));
        } else {
            self.keep(&job.rel, frame, frames);
        }
        Ok(())
    }

    /// The tables of folds over events that were gathered together.
    fn finish_days(
        &self,
        job: &Job,
        state: AnyState,
        fold: &dyn AnyFold,
        frames: &mut Frames,
    ) -> Result<(), EngineError> {
        let odd = |what: &str| EngineError::Internal(what.into());
        let (days, events) = self.pool.install(|| fold.days(state))?;
        // What has a row for each customer comes last.
        let mut rels: Vec<&RelRef> = std::iter::once(&job.rel).chain(&job.also).collect();
        rels.sort_by_key(|rel| matches!(rel.node, RelNode::Summary(_)));
        let mut segments = Vec::with_capacity(rels.len());
        for rel in &rels {
            let (input, events, by) =
                days::events_of(rel).ok_or_else(|| odd("a fold of days of no days"))?;
            segments.push(self.segments(input, events, by, &days, frames)?);
        }
        let with = (&self.calendar, self.memory.as_ref());
        let tables = rels.iter().zip(&segments).map(|(rel, segments)| {
            days::of(rel, &days, segments, with).map_err(|error| error.of(rel))
        });
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let found = self.pool.install(|| events.fold(&tables));
        let found = found.map_err(|(place, error)| error.of(rels[place]))?;
        self.memory.check(1.0)?;
        for ((rel, table), found) in rels.iter().zip(tables).zip(found) {
            let frame = self.pool.install(|| table.table(found)).map_err(|error| error.of(rel))?;
            self.keep(rel, frame, frames);
            self.memory.check(1.0)?;
        }
        // Of a few rows it would cost more than it gives.
        if days.were_packed() {
            drop(days);
            memory::give_back();
        }
        Ok(())
    }

    /// What each customer is by the expressions of a fold.
    fn segments(
        &self,
        chain: &RelRef,
        events: &Events,
        by: &[Named<Expr>],
        days: &Days,
        frames: &mut Frames,
    ) -> Result<Segments, EngineError> {
        let types: Vec<DataType> = by.iter().map(|by| by.value.data_type).collect();
        let mut segments = Segments::new(types)?;
        if by.is_empty() {
            return Ok(segments);
        }
        let odd = || EngineError::Internal("a segment that is not the customer's".into());
        let people = people_of(events, Some(days.customers()?))?;
        let column = Field::new(CUSTOMER, events.customer.value.data_type);
        frames.number_by(&column, days.people.clone());
        let of = EventsOf::new(chain, events);
        let (mut rel, mut columns) = (people.clone(), Vec::new());
        for by in by {
            let (over, expr) = by_customer(chain, &by.value, &rel, events, &of).ok_or_else(odd)?;
            rel = over;
            columns.push(named(format!("by{}", columns.len()), expr));
        }
        let typed = |error: TypeError| EngineError::Internal(error.message);
        let rel = relation::project(&rel, columns).map_err(typed)?;
        let needs = rel.schema.names().map(str::to_owned).collect();
        let pushed =
            self.stream(&rel, needs, self.pool.current_num_threads() * 4, frames, |batch| {
                segments.push(batch.columns())
            });
        pushed.map_err(|error| match (error, chain_lookup(chain)) {
            // The look-up of the plan that this one stands for.
            (EngineError::NotUnique { table, key, .. }, Some(lookup)) => {
                EngineError::NotUnique { table, key, node: NodeId::of(lookup) }
            }
            (error, _) => error,
        })?;
        Ok(segments)
    }

    fn note_counts(&self, chain: &RelRef, counts: &HashMap<usize, u64>) {
        if let Some(&rows) = counts.get(&identity(chain)) {
            self.count(chain, rows);
        }
        if chain.streams()
            && let Some(input) = chain.inputs().first()
        {
            self.note_counts(input, counts);
        }
    }

    /// The folds of parts, and the place of each one's input.
    fn folds(
        &self,
        parts: &[Part],
        jobs: &[Job],
        chains: &Chains,
        period: Option<&(String, DataType)>,
    ) -> Result<(Folds, Vec<usize>), EngineError> {
        let (mut folds, mut places) = (Vec::new(), Vec::new());
        let odd = |what: &str| EngineError::Internal(what.into());
        for part in parts {
            let job = &jobs[part.job];
            let place = chains.place(&part.chain).ok_or_else(|| odd("a job without its chain"))?;
            folds.push(match (job.task, &job.rel.node) {
                (Task::Collect, _) => {
                    let schema = narrowed(&job.rel.schema, &job.needs);
                    let input = chains.schema(place);
                    Box::new(CollectFold::new(schema, input, &job.coded)) as Box<dyn AnyFold>
                }
                (Task::FirstRows, RelNode::Dedupe(dedupe)) => {
                    Box::new(DedupeFold::new(dedupe, chains.schema(place), &self.calendar)?)
                }
                (Task::Days, _) => {
                    let (people, _) = chains
                        .people_at(place)
                        .ok_or_else(|| odd("events whose customers have no numbers"))?;
                    let (_, events, _) = days::events_of(&job.rel).ok_or_else(|| odd("no days"))?;
                    Box::new(DaysFold::new(events, chains.schema(place), people, &self.calendar)?)
                }
                _ => {
                    let persons = chains.people_at(place).filter(|_| job.single);
                    let own = period_of(part, jobs).filter(|(_, _, of)| Some(of) == period);
                    let own = own.map(|(key, unit, _)| (key, unit));
                    fold::of(&job.rel, chains.schema(place), persons, own, &self.calendar)?
                        .ok_or_else(|| odd("a job that is no fold"))?
                }
            });
            places.push(place);
        }
        Ok((folds, places))
    }
}

fn merge(
    folds: &[Box<dyn AnyFold>],
    left: Vec<AnyState>,
    right: Vec<AnyState>,
) -> Result<Vec<AnyState>, EngineError> {
    let merge = |(fold, (left, right)): (&dyn AnyFold, _)| fold.merge(left, right);
    let folds = folds.iter().map(|fold| fold.as_ref());
    let pairs: Vec<_> = folds.zip(left.into_iter().zip(right)).collect();
    let merged: Vec<Result<AnyState, EngineError>> =
        pairs.into_par_iter().with_max_len(1).map(merge).collect();
    merged.into_iter().collect()
}

/// The fault of the first row group that has one, whichever thread met it first.
struct Failure {
    item: AtomicU64,
    error: Mutex<Option<(usize, EngineError)>>,
}

impl Default for Failure {
    fn default() -> Self {
        Failure { item: AtomicU64::new(u64::MAX), error: Mutex::new(None) }
    }
}

impl Failure {
    /// True if an earlier row group failed, so that this one no longer matters.
    fn before(&self, item: usize) -> bool {
        self.item.load(Ordering::Relaxed) < item as u64
    }

    fn note(&self, item: usize, error: EngineError) {
        let mut known = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|(first, _)| item < *first) {
            *known = Some((item, error));
            self.item.fetch_min(item as u64, Ordering::Relaxed);
        }
    }

    fn into_result(self) -> Result<(), EngineError> {
        match self.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some((_, error)) => Err(error),
        }
    }
}
