//! The engine: which passes over the input there are, and what follows from their results.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::chain::{Chains, Index, identity, leaf, lookup_tables, narrowed, rule_columns};
use super::decode::{Decoding, MORSEL_ROWS};
use super::file::InputFile;
use super::fold::{self, AnyFold, AnyState, CollectFold, Morsel, ScanFacts};
use super::frames;
use crate::engine::{Engine, EngineError, Monitor, Place};
use crate::frame::Frame;
use crate::ir::{Calendar, RelNode, RelRef};

/// A source: its files, in any order.
#[derive(Debug, Clone, Default)]
pub struct LocalSource {
    pub files: Vec<InputFile>,
}

/// The local engine over some sources.
pub struct Local<'a> {
    sources: BTreeMap<String, LocalSource>,
    calendar: Calendar,
    monitor: &'a dyn Monitor,
    pool: rayon::ThreadPool,
    /// Relations are kept alive beside their row counts, so that a pointer means one relation.
    counts: Mutex<HashMap<usize, (RelRef, u64)>>,
}

/// Rows that came out of relations during a run.
pub struct Counts<'a> {
    counts: std::sync::MutexGuard<'a, HashMap<usize, (RelRef, u64)>>,
}

impl Counts<'_> {
    /// Rows of a relation, if it was run.
    pub fn of(&self, rel: &RelRef) -> Option<u64> {
        self.counts.get(&identity(rel)).map(|(_, rows)| *rows)
    }
}

/// Something that must be computed in a pass over a scan.
struct Job {
    rel: RelRef,
    /// Where its rows come from: the input of a fold, or the chain itself.
    chain: RelRef,
    needs: BTreeSet<String>,
}

/// Folds of several kinds that share a pass.
type Folds = Vec<Box<dyn AnyFold>>;

type Frames = HashMap<usize, (RelRef, Frame)>;

impl<'a> Local<'a> {
    /// An engine on `threads` threads.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(
        sources: BTreeMap<String, LocalSource>,
        calendar: Calendar,
        threads: usize,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build()
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        Ok(Local { sources, calendar, monitor, pool, counts: Mutex::default() })
    }

    /// Rows that came out of each relation.
    pub fn counts(&self) -> Counts<'_> {
        Counts { counts: self.counts.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    fn count(&self, rel: &RelRef, rows: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.insert(identity(rel), (rel.clone(), rows));
    }

    /// The folds and chains that need a pass over a scan.
    fn jobs(&self, rel: &RelRef, jobs: &mut Vec<Job>, seen: &mut BTreeSet<usize>) {
        if !seen.insert(identity(rel)) {
            return;
        }
        let scanned = |rel: &RelRef| matches!(leaf(rel).node, RelNode::Scan(_));
        if rel.streams() && scanned(rel) {
            let needs = rel.schema.names().map(str::to_owned).collect();
            jobs.push(Job { rel: rel.clone(), chain: rel.clone(), needs });
        } else if let Some((input, needs)) = fold::needs(rel).filter(|(input, _)| scanned(input)) {
            jobs.push(Job { rel: rel.clone(), chain: input.clone(), needs });
            for table in lookup_tables(input) {
                self.jobs(table, jobs, seen);
            }
            return;
        }
        if rel.streams() && scanned(rel) {
            for table in lookup_tables(rel) {
                self.jobs(table, jobs, seen);
            }
        } else {
            for input in rel.inputs() {
                self.jobs(input, jobs, seen);
            }
        }
    }

    /// Runs passes until every job is done. A pass takes all jobs over one scan whose look-up tables
    /// are there.
    fn passes(&self, outputs: &[RelRef], frames: &mut Frames) -> Result<(), EngineError> {
        let (mut jobs, mut seen) = (Vec::new(), BTreeSet::new());
        for output in outputs {
            self.jobs(output, &mut jobs, &mut seen);
        }
        while !jobs.is_empty() {
            let mut ready: BTreeMap<usize, Vec<Job>> = BTreeMap::new();
            let mut order: Vec<usize> = Vec::new();
            let mut waiting = Vec::new();
            for job in jobs {
                let tables = lookup_tables(&job.chain);
                let can = tables.iter().all(|table| self.reachable(table, frames));
                if !can {
                    waiting.push(job);
                    continue;
                }
                let scan = identity(leaf(&job.chain));
                if !ready.contains_key(&scan) {
                    order.push(scan);
                }
                ready.entry(scan).or_default().push(job);
            }
            if ready.is_empty() {
                return Err(EngineError::Internal("look-ups that wait for each other".into()));
            }
            for scan in order {
                for table in ready[&scan].iter().flat_map(|job| lookup_tables(&job.chain)) {
                    self.frame(table, frames)?;
                }
                self.pass(&ready[&scan], frames)?;
            }
            jobs = waiting;
        }
        Ok(())
    }

    /// True if a relation can be had from the frames that are there, without a pass.
    fn reachable(&self, rel: &RelRef, frames: &Frames) -> bool {
        if frames.contains_key(&identity(rel)) {
            return true;
        }
        !matches!(rel.node, RelNode::Scan(_))
            && fold::needs(rel)
                .is_none_or(|(input, _)| !matches!(leaf(input).node, RelNode::Scan(_)))
            && !(rel.streams() && matches!(leaf(rel).node, RelNode::Scan(_)))
            && rel.inputs().iter().all(|input| self.reachable(input, frames))
    }

    /// One pass over a scan.
    fn pass(&self, jobs: &[Job], frames: &mut Frames) -> Result<(), EngineError> {
        let scan_rel = leaf(&jobs[0].chain).clone();
        let RelNode::Scan(scan) = &scan_rel.node else {
            return Err(EngineError::Internal("a pass over what is not a scan".into()));
        };
        let source = self.sources.get(scan.source.as_ref()).ok_or_else(|| {
            EngineError::Internal(format!("the source `{}` was not opened", scan.source))
        })?;
        let mut ends: Vec<_> =
            jobs.iter().map(|job| (job.chain.clone(), job.needs.clone())).collect();
        ends.push((scan_rel.clone(), rule_columns(&scan_rel)));
        let chains = self.bind(&ends, frames)?;
        let (folds, places) = self.folds(jobs, &chains)?;
        let facts = ScanFacts { rows: source.files.iter().map(|file| file.rows).sum() };

        let decoding = Decoding {
            source: &scan.source,
            fields: chains.leaf_fields(),
            finite: &scan.finite,
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
            columns = decoding.fields.len(),
            "a pass over the source"
        );
        self.monitor.begin(&scan.source, facts.rows);
        let failure = Failure::default();
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
            decoding.row_group(input, group, |first, batch| {
                if self.monitor.stopped() {
                    return Err(EngineError::Interrupted);
                }
                let rows = batch.num_rows() as u64;
                let ordinal = ((item as u64) << 32) | first as u64;
                let batches = chains.run(batch, &place, first)?;
                for ((fold, state), &place) in folds.iter().zip(states.iter_mut()).zip(&places) {
                    fold.take(state, &Morsel { batch: &batches[place], ordinal })?;
                }
                self.monitor.advance(rows);
                Ok(())
            })
        };
        // One state per thread, not one per piece of work: a state grows with the customers, and
        // merging two of them costs as much as making one.
        let next = AtomicUsize::new(0);
        let work = |_| {
            let mut states: Option<Vec<AnyState>> = None;
            loop {
                let item = next.fetch_add(1, Ordering::Relaxed);
                if item >= items.len() || failure.before(item) || self.monitor.stopped() {
                    return states;
                }
                if let Err(error) = take(states.get_or_insert_with(start), item) {
                    failure.note(item, error);
                }
            }
        };
        let threads = self.pool.current_num_threads();
        let mut parts: Vec<Vec<AnyState>> = self
            .pool
            .install(|| (0..threads).into_par_iter().with_max_len(1).filter_map(work).collect());
        self.monitor.end(&scan.source);
        if self.monitor.stopped() {
            return Err(EngineError::Interrupted);
        }
        failure.into_result()?;
        let counts: HashMap<usize, u64> = chains.counts().collect();
        for job in jobs {
            self.note_counts(&job.chain, &counts);
        }
        let mut states = parts.pop().unwrap_or_else(start);
        for part in parts {
            states = merge(&folds, states, part)?;
        }
        for (job, (fold, state)) in jobs.iter().zip(folds.iter().zip(states)) {
            if self.monitor.stopped() {
                return Err(EngineError::Interrupted);
            }
            let frame = fold.finish(state)?;
            self.keep(&job.rel, frame, frames);
        }
        Ok(())
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

    fn bind(
        &self,
        ends: &[(RelRef, BTreeSet<String>)],
        frames: &Frames,
    ) -> Result<Chains, EngineError> {
        let mut known: Vec<(usize, Vec<String>, Arc<Index>)> = Vec::new();
        Chains::bind(ends, &self.calendar, &mut |table, keys| {
            let names: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
            if let Some((_, _, index)) =
                known.iter().find(|(id, k, _)| *id == identity(table) && *k == names)
            {
                return Ok(index.clone());
            }
            let (_, frame) = frames
                .get(&identity(table))
                .ok_or_else(|| EngineError::Internal("a look-up table that is not there".into()))?;
            let title = match &leaf(table).node {
                RelNode::Scan(scan) => format!("source `{}`", scan.source),
                _ => "the table looked up in".to_owned(),
            };
            let index = Arc::new(Index::new(frame.clone(), keys, &title)?);
            known.push((identity(table), names, index.clone()));
            Ok(index)
        })
    }

    /// The folds of jobs, and the place of each one's input.
    fn folds(&self, jobs: &[Job], chains: &Chains) -> Result<(Folds, Vec<usize>), EngineError> {
        let (mut folds, mut places) = (Vec::new(), Vec::new());
        for job in jobs {
            let place = chains
                .place(&job.chain)
                .ok_or_else(|| EngineError::Internal("a job without its chain".into()))?;
            let fold = if identity(&job.rel) == identity(&job.chain) {
                let schema = Arc::new(narrowed(&job.rel.schema, &job.needs));
                Box::new(CollectFold { schema }) as Box<dyn AnyFold>
            } else {
                fold::of(&job.rel, chains.schema(place), &self.calendar)?
                    .ok_or_else(|| EngineError::Internal("a job that is no fold".into()))?
            };
            folds.push(fold);
            places.push(place);
        }
        Ok((folds, places))
    }

    fn keep(&self, rel: &RelRef, frame: Frame, frames: &mut Frames) {
        self.count(rel, frame.rows() as u64);
        frames.insert(identity(rel), (rel.clone(), frame));
    }

    /// The table of a relation, from the frames that are there.
    fn frame(&self, rel: &RelRef, frames: &mut Frames) -> Result<Frame, EngineError> {
        if let Some((_, frame)) = frames.get(&identity(rel)) {
            return Ok(frame.clone());
        }
        if self.monitor.stopped() {
            return Err(EngineError::Interrupted);
        }
        let frame = match &rel.node {
            RelNode::Scan(_) => {
                return Err(EngineError::Internal("a scan that no pass has read".into()));
            }
            RelNode::Values(frame) => frame.clone(),
            RelNode::Filter { .. } | RelNode::Project { .. } | RelNode::Lookup(_) => {
                let input = self.frame(leaf(rel), frames)?;
                for table in lookup_tables(rel) {
                    self.frame(table, frames)?;
                }
                let needs = rel.schema.names().map(str::to_owned).collect();
                let chains = self.bind(&[(rel.clone(), needs)], frames)?;
                let place = chains.place(rel).unwrap_or(0);
                let mut batches = chains.run(input.batch.clone(), &Place::default(), 0)?;
                let batch = batches.swap_remove(place);
                let rows = batch.num_rows();
                frames::finish(rel, batch.columns().to_vec(), rows)?
            }
            RelNode::Aggregate(_)
            | RelNode::History(_)
            | RelNode::Summary(_)
            | RelNode::CohortGrid(_) => self.fold_frame(rel, frames)?,
            RelNode::Window(window) => {
                let input = self.frame(&window.input, frames)?;
                frames::window(rel, window, &input)?
            }
            RelNode::Join(join) => {
                let left = self.frame(&join.left, frames)?;
                let right = self.frame(&join.right, frames)?;
                frames::join(rel, join, &left, &right)?
            }
            RelNode::Sort { input, keys } => frames::sort(&self.frame(input, frames)?, keys)?,
            RelNode::Series { input, from, to, .. } => {
                let input = self.frame(input, frames)?;
                frames::series(rel, from, to, &input, &self.calendar)?
            }
        };
        self.keep(rel, frame.clone(), frames);
        Ok(frame)
    }

    /// A fold over a frame instead of a scan.
    fn fold_frame(&self, rel: &RelRef, frames: &mut Frames) -> Result<Frame, EngineError> {
        let Some((input, _)) = fold::needs(rel) else {
            return Err(EngineError::Internal("not a fold".into()));
        };
        let input = self.frame(input, frames)?;
        let fold = fold::of(rel, &input.schema, &self.calendar)?
            .ok_or_else(|| EngineError::Internal("not a fold".into()))?;
        let facts = ScanFacts { rows: input.rows() as u64 };
        let mut state = fold.start(&facts);
        let mut first = 0;
        while first < input.rows() {
            let count = MORSEL_ROWS.min(input.rows() - first);
            let batch = input.batch.slice(first, count);
            fold.take(&mut state, &Morsel { batch: &batch, ordinal: first as u64 })?;
            first += count;
        }
        fold.finish(state)
    }
}

impl Engine for Local<'_> {
    fn run(&self, outputs: &[RelRef]) -> Result<Vec<Frame>, EngineError> {
        let mut frames = Frames::new();
        self.passes(outputs, &mut frames)?;
        outputs.iter().map(|output| self.frame(output, &mut frames)).collect()
    }
}

fn merge(
    folds: &[Box<dyn AnyFold>],
    left: Vec<AnyState>,
    right: Vec<AnyState>,
) -> Result<Vec<AnyState>, EngineError> {
    folds
        .iter()
        .zip(left.into_iter().zip(right))
        .map(|(fold, (left, right))| fold.merge(left, right))
        .collect()
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
