//! The engine: passes over the input, and what follows from their results.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use rayon::prelude::*;

use super::chain::{Chains, Known, Numbering};
use super::contract::{Admitted, Found};
use super::decode::MORSEL_ROWS;
use super::epochs::EPOCH_ROWS;
use super::file::InputFile;
use super::fold::{self, AnyFold, AnyState, DedupeFold, FirstRows, Morsel, ScanFacts};
use super::foresee::{foresee, least_memory};
use super::frames;
use super::index::{Index, LookedUp, PersonIndex, RowsByKey, RowsOfPeople, key_columns};
use super::jobs::Done;
use super::kernel::arrow_error;
use super::memory::{Memory, MemoryLimit, Sink};
use super::path::{base, beside, carried, identity, leaf, looked_up_by, tables_along};
use super::people::People;
use crate::engine::discreet::discreet;
use crate::engine::{Engine, EngineError, Findings, Monitor};
use crate::frame::{Field, Frame, Schema};
use crate::ir::{Apply, Calendar, Call, RelNode, RelRef};

/// A source: its files, in any order.
#[derive(Debug, Clone, Default)]
pub struct LocalSource {
    pub files: Vec<InputFile>,
}

impl LocalSource {
    /// About what the largest row group takes while it is decoded, in bytes.
    pub(super) fn largest(&self, columns: &[&str]) -> u64 {
        let of_file = |file: &InputFile| {
            let groups = (0..file.row_groups()).map(|group| file.bytes_of(group, columns));
            groups.map(|(stored, decoded)| stored + decoded).max().unwrap_or(0)
        };
        self.files.iter().map(of_file).max().unwrap_or(0)
    }
}

/// The local engine over some sources.
pub struct Local<'a> {
    pub(super) sources: BTreeMap<String, LocalSource>,
    pub(super) calendar: Calendar,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) pool: rayon::ThreadPool,
    /// See [`Local::large_from`].
    pub(super) epoch_rows: u64,
    large_rows: u64,
    pub(super) memory: Arc<Memory>,
    /// Relations are kept alive beside their row counts, so that a pointer means one relation.
    counts: Mutex<HashMap<usize, (RelRef, u64)>>,
    found: Mutex<Found>,
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

/// Rows of an input from which on what is kept of each is packed.
pub(super) const LARGE_ROWS: u64 = 1 << 25;

/// Rows of a table behind which it is worth to look what memory was let go.
const LARGE_TABLE: usize = 1 << 17;

/// What has been computed, by identity; what it came from is kept, so that a pointer means one thing.
#[derive(Default)]
pub(super) struct Frames {
    pub tables: HashMap<usize, (RelRef, Frame)>,
    /// The rows that a `Dedupe` keeps.
    pub first_rows: HashMap<usize, (RelRef, Arc<FirstRows>)>,
    /// All tables of a function of tables.
    calls: HashMap<usize, (Arc<Call>, Vec<Frame>)>,
    /// The numbers of customers, by the column that holds them: columns of one name mostly hold the same.
    people: Vec<(Field, Arc<People>)>,
    /// Tables that were looked up in, and their indices.
    looked_up: HashMap<usize, Arc<LookedUp>>,
    by_key: Vec<Arc<RowsByKey>>,
    by_person: Vec<Arc<RowsOfPeople>>,
}

impl Frames {
    /// The numbers of the customers of a column.
    ///
    /// # Errors
    /// A type that cannot be a key.
    pub fn people(&mut self, column: &Field) -> Result<Arc<People>, EngineError> {
        let same =
            |field: &Field| (&field.name, field.data_type) == (&column.name, column.data_type);
        if let Some((_, people)) = self.people.iter().find(|(field, _)| same(field)) {
            return Ok(people.clone());
        }
        let people = Arc::new(People::new(column.data_type)?);
        self.number_by(column, people.clone());
        Ok(people)
    }

    /// Says that the customers of a column have these numbers.
    pub fn number_by(&mut self, column: &Field, people: Arc<People>) {
        self.people.retain(|(field, _)| field.name != column.name);
        self.people.push((column.clone(), people));
    }

    /// The numbers of the customers by whom a chain looks something up, if they have some.
    fn numbering(&self, start: &RelRef, chain: &RelRef) -> Option<Numbering> {
        let column = looked_up_by(chain).and_then(|name| start.schema.field(name))?;
        let same =
            |field: &Field| (&field.name, field.data_type) == (&column.name, column.data_type);
        let (field, people) = self.people.iter().find(|(field, _)| same(field))?;
        Some(Numbering { column: field.name.clone(), people: people.clone() })
    }

    /// A table that was computed, to look up in.
    fn looked_up(&mut self, rel: &RelRef) -> Result<Arc<LookedUp>, EngineError> {
        let missing = || EngineError::Internal("a look-up table that is not there".into());
        if let Some(known) = self.looked_up.get(&identity(rel)) {
            return Ok(known.clone());
        }
        let (_, frame) = self.tables.get(&identity(rel)).ok_or_else(missing)?;
        let table = Arc::new(LookedUp::new(frame.clone()));
        self.looked_up.insert(identity(rel), table.clone());
        Ok(table)
    }
}

impl Done for Frames {
    fn table(&self, rel: &RelRef) -> bool {
        self.tables.contains_key(&identity(rel))
    }

    fn first_rows(&self, dedupe: &RelRef) -> bool {
        self.first_rows.contains_key(&identity(dedupe))
    }
}

/// What chains look up in, of what has been computed. Each index is made once.
pub(super) struct Computed<'a> {
    pub frames: &'a mut Frames,
}

/// What a table that is looked up in is called.
fn title(table: &RelRef) -> String {
    match &leaf(table).node {
        RelNode::Scan(scan) => format!("source `{}`", scan.source),
        _ => "the table looked up in".to_owned(),
    }
}

impl Known for Computed<'_> {
    fn index(&mut self, table: &RelRef, keys: &[&str]) -> Result<Index, EngineError> {
        let looked_up = self.frames.looked_up(table)?;
        let columns = key_columns(&looked_up.frame, keys);
        // Several tables may have been made of one, and share its columns.
        let same = |rows: &&Arc<RowsByKey>| {
            let both = rows.columns.iter().zip(&columns);
            rows.columns.len() == columns.len() && both.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
        };
        if let Some(rows) = self.frames.by_key.iter().find(same) {
            return Ok(Index { rows: rows.clone(), table: looked_up });
        }
        let rows = Arc::new(RowsByKey::new(&looked_up.frame, keys, &title(table))?);
        self.frames.by_key.push(rows.clone());
        Ok(Index { rows, table: looked_up })
    }

    fn person_index(
        &mut self,
        table: &RelRef,
        key: &str,
        people: &Arc<People>,
    ) -> Result<PersonIndex, EngineError> {
        let looked_up = self.frames.looked_up(table)?;
        let columns = key_columns(&looked_up.frame, &[key]);
        let same = |rows: &&Arc<RowsOfPeople>| {
            Arc::ptr_eq(&rows.people, people)
                && columns.iter().all(|c| Arc::ptr_eq(c, &rows.column))
        };
        if let Some(rows) = self.frames.by_person.iter().find(same) {
            return Ok(PersonIndex { rows: rows.clone(), table: looked_up });
        }
        let rows = Arc::new(RowsOfPeople::new(&looked_up.frame, key, people, &title(table))?);
        self.frames.by_person.push(rows.clone());
        Ok(PersonIndex { rows, table: looked_up })
    }

    fn first_rows(&mut self, dedupe: &RelRef) -> Result<Arc<FirstRows>, EngineError> {
        let known = self.frames.first_rows.get(&identity(dedupe));
        let missing = || EngineError::Internal("rows that nobody has chosen".into());
        known.map(|(_, rows)| rows.clone()).ok_or_else(missing)
    }

    fn totals(&mut self, table: &RelRef) -> Result<Frame, EngineError> {
        let missing = || EngineError::Internal("totals that nobody has computed".into());
        self.frames.tables.get(&identity(table)).map(|(_, frame)| frame.clone()).ok_or_else(missing)
    }
}

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
        Ok(Local {
            sources,
            calendar,
            monitor,
            pool,
            epoch_rows: EPOCH_ROWS,
            large_rows: LARGE_ROWS,
            memory: Arc::default(),
            counts: Mutex::default(),
            found: Mutex::default(),
        })
    }

    /// Takes an input of more than so many rows for a large one: groups whose time is past are settled after
    /// that many, and events are packed.
    pub fn large_from(self, rows: u64) -> Self {
        Local { epoch_rows: rows.max(1), large_rows: rows, ..self }
    }

    /// Keeps to a limit of memory.
    pub fn with_memory(self, limit: MemoryLimit) -> Self {
        Local { memory: Arc::new(Memory::new(Some(limit))), ..self }
    }

    /// Puts aside in a folder all that can be, whether or not memory is short.
    pub fn always_aside(self, folder: std::path::PathBuf) -> Self {
        let memory = Memory::new(Some(MemoryLimit { limit: u64::MAX, folder })).always_short();
        Local { memory: Arc::new(memory), ..self }
    }

    /// Lets go memory that can be had again, if memory is short: of use between one piece of work and the next.
    pub fn ease(&self) {
        self.memory.ease();
    }

    /// Bytes that were put aside in files because memory was short.
    pub fn put_aside(&self) -> u64 {
        self.memory.put_aside()
    }

    /// What is known of an input of so many rows.
    pub(super) fn facts(&self, rows: u64) -> ScanFacts {
        // What is kept of a row before it is packed is some thirty bytes.
        let large = rows > self.large_rows || self.memory.is_large(rows * 32);
        ScanFacts { rows, large, memory: self.memory.clone() }
    }

    /// Runs something on the engine's threads.
    pub fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Rows that came out of each relation.
    pub fn counts(&self) -> Counts<'_> {
        Counts { counts: self.counts.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// What the contract of a source has found, if the source was read.
    pub fn findings(&self, source: &str) -> Option<Findings> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    pub(super) fn note_findings(&self, source: &str, findings: Findings) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(source.to_owned(), findings);
    }

    pub(super) fn count(&self, rel: &RelRef, rows: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.insert(identity(rel), (rel.clone(), rows));
    }

    pub(super) fn keep(&self, rel: &RelRef, frame: Frame, frames: &mut Frames) {
        self.count(rel, frame.rows() as u64);
        frames.tables.insert(identity(rel), (rel.clone(), frame));
    }

    /// The table of a relation, from the frames that are there.
    pub(super) fn frame(&self, rel: &RelRef, frames: &mut Frames) -> Result<Frame, EngineError> {
        if let Some((_, frame)) = frames.tables.get(&identity(rel)) {
            return Ok(frame.clone());
        }
        if self.monitor.stopped() {
            return Err(EngineError::Interrupted);
        }
        let frame = match &rel.node {
            RelNode::Scan(_) | RelNode::Rejected { .. } => {
                return Err(EngineError::Internal("a scan that no pass has read".into()));
            }
            RelNode::Values(frame) => frame.clone(),
            RelNode::Filter { .. } | RelNode::Project { .. } | RelNode::Lookup(_) => {
                self.chain_frame(rel, frames)?
            }
            RelNode::Join(_) if beside(rel).is_some() => self.chain_frame(rel, frames)?,
            RelNode::Aggregate(_)
            | RelNode::History(_)
            | RelNode::Summary(_)
            | RelNode::CohortGrid(_) => {
                self.fold_frame(rel, frames).map_err(|error| error.of(rel))?
            }
            // Its columns have units, those of the expansion have none.
            RelNode::Movements(movements) => Frame {
                schema: rel.schema.clone(),
                batch: self.frame(movements.expand(), frames)?.batch,
            },
            RelNode::Repeats(repeats) => Frame {
                schema: rel.schema.clone(),
                batch: self.frame(repeats.expand(), frames)?.batch,
            },
            RelNode::Dedupe(dedupe) => {
                let input = self.frame(&dedupe.input, frames)?;
                let fold = DedupeFold::new(dedupe, &input.schema, &self.calendar)?;
                let first_rows = FirstRows::of(&self.fold_over(&fold, &input)?);
                frames::at(rel, &input, first_rows.all())?
            }
            RelNode::Union { inputs } => {
                let parts = inputs.iter().map(|input| self.frame(input, frames)).collect::<Result<
                    Vec<_>,
                    _,
                >>(
                )?;
                frames::union(rel, &parts)?
            }
            RelNode::Apply(apply) => self.apply(apply, frames)?,
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
            RelNode::Series { input, from, to, unit, .. } => {
                let input = self.frame(input, frames)?;
                frames::series(rel, from, to, &input, *unit, &self.calendar)
                    .map_err(|error| error.of(rel))?
            }
        };
        self.keep(rel, frame.clone(), frames);
        if frame.rows() > LARGE_TABLE {
            self.memory.release();
        }
        self.memory.check(1.0)?;
        Ok(frame)
    }

    /// A chain over a frame: each thread takes some rows of the columns that are new.
    fn chain_frame(&self, rel: &RelRef, frames: &mut Frames) -> Result<Frame, EngineError> {
        let start = base(rel);
        let input = self.frame(start, frames)?;
        for table in tables_along(rel, start) {
            self.frame(table, frames)?;
        }
        let names = rel.schema.names();
        let own = names.map(|name| input.schema.index_of(carried(rel, start, name)?));
        let own: Vec<Option<usize>> = own.collect();
        let new = rel.schema.names().zip(&own).filter(|(_, own)| own.is_none());
        let needs: BTreeSet<String> = new.map(|(name, _)| name.to_owned()).collect();
        if needs.is_empty() && !own.is_empty() {
            let columns = own.into_iter().flatten().map(|place| input.batch.column(place).clone());
            return frames::carried(rel, columns.collect(), input.rows());
        }
        let count = needs.len();
        let fields = rel.schema.fields.iter().filter(|field| needs.contains(&field.name));
        let schema = Schema::new(fields.cloned().collect());
        let mut sink = Sink::new(&schema, input.rows(), &self.memory)?;
        let mut rows = 0;
        let at_once = sink.at_once();
        self.stream(rel, needs, at_once, frames, |batch| {
            rows += batch.num_rows();
            sink.push(batch)
        })?;
        let mut new = sink.finish()?.into_iter();
        debug_assert_eq!(new.len(), count);
        let columns = own.into_iter().filter_map(|own| match own {
            Some(place) => Some(input.batch.column(place).clone()),
            None => new.next(),
        });
        frames::finish(rel, columns.collect(), rows)
    }

    /// The rows of a chain over a frame with these columns, in batches one after the other, so many of which
    /// are made at once.
    pub(super) fn stream(
        &self,
        rel: &RelRef,
        needs: BTreeSet<String>,
        at_once: usize,
        frames: &mut Frames,
        mut each: impl FnMut(RecordBatch) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let start = base(rel);
        let input = self.frame(start, frames)?;
        for table in tables_along(rel, start) {
            self.frame(table, frames)?;
        }
        let count = needs.len();
        let ends = [(rel.clone(), needs)];
        let numbering = frames.numbering(start, rel);
        let mut known = Computed { frames };
        let chains = Chains::bind(&ends, Some(start), numbering, &self.calendar, &mut known)?;
        let place = chains.place(rel).unwrap_or(0);
        // Behind the columns that are wanted may stand the number of the customer.
        let wanted: Vec<usize> = (0..count).collect();
        let run = |(first, batch): &(usize, RecordBatch)| {
            let flows = chains.run(Admitted::all(batch.clone()), *first as u64)?;
            flows[place].batch.project(&wanted).map_err(arrow_error)
        };
        for pieces in pieces(&input, MORSEL_ROWS).chunks(at_once) {
            let found: Vec<Result<RecordBatch, EngineError>> = pieces.par_iter().map(run).collect();
            for batch in found {
                each(batch?)?;
            }
            self.memory.ease();
        }
        Ok(())
    }

    /// A table of a function of tables; the others are kept for whoever asks.
    fn apply(&self, apply: &Apply, frames: &mut Frames) -> Result<Frame, EngineError> {
        let call = &apply.call;
        let id = Arc::as_ptr(call) as usize;
        if !frames.calls.contains_key(&id) {
            let inputs = call
                .inputs
                .iter()
                .map(|input| self.frame(input, frames))
                .collect::<Result<Vec<_>, _>>()?;
            let tables = self.pool.install(|| call.function.apply(&inputs, &self.calendar))?;
            frames.calls.insert(id, (call.clone(), tables));
        }
        let table = frames.calls.get(&id).and_then(|(_, tables)| tables.get(apply.output));
        let name = call.function.name();
        table
            .cloned()
            .ok_or_else(|| EngineError::Internal(format!("{name} gives no table {}", apply.output)))
    }

    /// A fold over a frame instead of a scan.
    fn fold_frame(&self, rel: &RelRef, frames: &mut Frames) -> Result<Frame, EngineError> {
        let Some((input, _)) = fold::needs(rel) else {
            return Err(EngineError::Internal("not a fold".into()));
        };
        let input = self.frame(input, frames)?;
        let fold = fold::of(rel, &input.schema, None, None, &self.calendar)?
            .ok_or_else(|| EngineError::Internal("not a fold".into()))?;
        self.fold_over(fold.as_ref(), &input)
    }

    /// A fold over a frame: each thread takes a part, a morsel at a time.
    fn fold_over(&self, fold: &dyn AnyFold, input: &Frame) -> Result<Frame, EngineError> {
        let facts = self.facts(input.rows() as u64);
        let part = |morsels: &[(usize, RecordBatch)]| {
            let mut state = fold.start(&facts);
            for (first, batch) in morsels {
                fold.take(&mut state, &Morsel { batch, selected: None, ordinal: *first as u64 })?;
                self.memory.ease();
            }
            Ok(state)
        };
        self.pool.install(|| {
            let morsels = pieces(input, MORSEL_ROWS);
            let share = morsels.len().div_ceil(self.pool.current_num_threads()).max(1);
            let states: Vec<Result<AnyState, EngineError>> =
                morsels.par_chunks(share).map(part).collect();
            let mut states = states.into_iter();
            let first = states.next().unwrap_or_else(|| Ok(fold.start(&facts)));
            let state = states.try_fold(first?, |known, state| fold.merge(known, state?))?;
            fold.finish(state)
        })
    }
}

/// The rows of a frame in batches, each with the number of its first row; at least one.
fn pieces(input: &Frame, rows: usize) -> Vec<(usize, RecordBatch)> {
    let count = input.rows();
    let firsts = (0..count.max(1)).step_by(rows);
    firsts.map(|first| (first, input.batch.slice(first, rows.min(count - first)))).collect()
}

impl Engine for Local<'_> {
    fn run(&self, outputs: &[RelRef]) -> Result<Vec<Frame>, EngineError> {
        if self.memory.has_limit() {
            let passes = foresee(&self.sources, &self.calendar, outputs)?;
            self.memory.begin_with(least_memory(&passes, self.pool.current_num_threads()))?;
        }
        let run: Result<Vec<Frame>, EngineError> = self.pool.install(|| {
            let mut frames = Frames::default();
            self.passes(outputs, &mut frames)?;
            outputs.iter().map(|output| self.frame(output, &mut frames)).collect()
        });
        run.map_err(|error| discreet(error, outputs))
    }
}
