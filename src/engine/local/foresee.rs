//! The passes of a run, before anything is read.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::{LARGE_ROWS, LocalSource};
use super::epochs::{EPOCH_ROWS, Epochs};
use super::fold::{ScanFacts, bytes_per_row, days};
use super::jobs::{Done, Job, Jobs, Part, Task, by_numbering, numbered, period_of};
use super::path::{identity, leaf, needs_of, rule_columns};
use super::prune::Pruned;
use crate::engine::EngineError;
use crate::ir::{Calendar, RelNode, RelRef};

/// A pass over a source.
#[derive(Debug, Clone)]
pub struct PlannedPass {
    pub source: String,
    pub files: usize,
    pub row_groups: usize,
    /// The rows that are read.
    pub rows: u64,
    /// The row groups of all that are not read, as their footers tell that no row passes, and their rows.
    pub pruned: (usize, u64),
    /// The columns that are decoded, in the order of the source.
    pub columns: Vec<String>,
    /// What they take in the files, and in pages that are decompressed.
    pub stored_bytes: u64,
    pub decoded_bytes: u64,
    pub consumers: Vec<Consumer>,
}

/// What takes the rows of a pass in.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// The relations whose tables it gives.
    pub rels: Vec<RelRef>,
    pub kind: ConsumerKind,
    /// About how many bytes it keeps of the rows.
    pub bytes: u64,
}

/// What becomes of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerKind {
    /// They are a table, which is looked up in.
    Collected,
    /// They are put into groups.
    Grouped,
    /// The same, and groups are complete when their period is past.
    GroupedByTime,
    /// They are events, gathered by customer once for all the tables.
    Gathered,
    /// The row of each key is chosen.
    Chosen,
}

/// What earlier passes would have computed.
#[derive(Default)]
struct Foreseen {
    tables: BTreeSet<usize>,
    first_rows: BTreeSet<usize>,
}

impl Done for Foreseen {
    fn table(&self, rel: &RelRef) -> bool {
        self.tables.contains(&identity(rel))
    }

    fn first_rows(&self, dedupe: &RelRef) -> bool {
        self.first_rows.contains(&identity(dedupe))
    }
}

/// The passes that a run for these relations takes, in order.
///
/// # Errors
/// Never for relations that were planned over these sources.
pub fn foresee(
    sources: &BTreeMap<String, LocalSource>,
    calendar: &Calendar,
    outputs: &[RelRef],
) -> Result<Vec<PlannedPass>, EngineError> {
    let mut jobs = Jobs::default();
    for output in outputs {
        jobs.find(output);
    }
    jobs.fuse()?;
    let (mut done, mut passes) = (Foreseen::default(), Vec::new());
    while jobs.open() {
        for parts in jobs.ready(&done)? {
            for parts in by_numbering(parts, &jobs.list) {
                passes.extend(planned(&parts, &jobs.list, sources, calendar));
                for part in &parts {
                    let job = &mut jobs.list[part.job];
                    job.open -= 1;
                    if job.open > 0 {
                        continue;
                    }
                    match job.task {
                        Task::FirstRows => done.first_rows.insert(identity(&job.rel)),
                        _ => {
                            done.tables.extend(tables_of(job).iter().map(identity));
                            true
                        }
                    };
                }
            }
        }
    }
    Ok(passes)
}

/// What the program takes of itself, with what its threads have in hand.
const PROGRAM: u64 = 80 << 20;

/// Bytes of each customer that stay in memory: the number, how it is found, the first day, the place in a table.
const OF_CUSTOMER: u64 = 48;

/// Rows of a customer, where no table tells how many customers there are.
const ROWS_OF_CUSTOMER: u64 = 20;

/// About the least memory in which these passes run on so many threads, in bytes, when all that can be put aside
/// is: tables to look up in and the numbers of customers stay, with a share of what is in hand.
pub fn least_memory(passes: &[PlannedPass], threads: usize) -> u64 {
    let of_kind = |pass: &PlannedPass, kinds: &[ConsumerKind]| -> u64 {
        let consumers = pass.consumers.iter().filter(|consumer| kinds.contains(&consumer.kind));
        consumers.map(|consumer| consumer.bytes).sum()
    };
    let looked_up = |pass: &&PlannedPass| of_kind(pass, &[ConsumerKind::Collected]) > 0;
    let tables: u64 = passes.iter().map(|pass| of_kind(pass, &[ConsumerKind::Collected])).sum();
    let known = passes.iter().filter(looked_up).map(|pass| pass.rows).max();
    let told_apart = |pass: &&PlannedPass| {
        let kinds = [ConsumerKind::Gathered, ConsumerKind::Grouped, ConsumerKind::GroupedByTime];
        of_kind(pass, &kinds) > 0
    };
    let most = passes.iter().filter(told_apart).map(|pass| pass.rows / ROWS_OF_CUSTOMER).max();
    let customers = known.or(most).unwrap_or(0);
    let in_hand = |pass: &PlannedPass| {
        let read = (pass.row_groups - pass.pruned.0).max(1) as u64;
        let row_group = (pass.stored_bytes + pass.decoded_bytes) / read;
        row_group * 2 * threads as u64 + of_kind(pass, &[ConsumerKind::GroupedByTime]) / 4
    };
    let in_hand = passes.iter().map(in_hand).max().unwrap_or(0);
    // A run that would do is not to be refused: of texts that repeat only codes are kept.
    PROGRAM + tables / 3 * 2 + customers * OF_CUSTOMER + in_hand
}

/// The relations whose tables a job gives.
fn tables_of(job: &Job) -> Vec<RelRef> {
    if !job.fused.is_empty() {
        return job.fused.iter().map(|part| part.rel.clone()).collect();
    }
    std::iter::once(&job.rel).chain(&job.also).cloned().collect()
}

fn planned(
    parts: &[Part],
    jobs: &[Job],
    sources: &BTreeMap<String, LocalSource>,
    calendar: &Calendar,
) -> Option<PlannedPass> {
    let scan_rel = leaf(&parts.first()?.chain);
    let RelNode::Scan(scan) = &scan_rel.node else { return None };
    let source = sources.get(scan.source.as_ref())?;
    let mut ends: Vec<(RelRef, BTreeSet<String>)> =
        parts.iter().map(|part| (part.chain.clone(), jobs[part.job].needs.clone())).collect();
    let mut of_scan = rule_columns(scan_rel);
    of_scan.extend(numbered(parts, jobs).map(|field| field.name));
    ends.push((scan_rel.clone(), of_scan));
    let (_, needed) = needs_of(&ends, None);
    let needed = needed.get(&identity(scan_rel)).cloned().unwrap_or_default();
    let columns: Vec<&str> =
        scan_rel.schema.names().filter(|name| needed.contains(*name)).collect();

    let row_groups: usize = source.files.iter().map(|file| file.row_groups()).sum();
    let chains: Vec<&RelRef> = parts.iter().map(|part| &part.chain).collect();
    let pruned = Pruned::of(scan_rel, &chains, source, calendar);
    let rows = source.files.iter().map(|file| file.rows).sum::<u64>() - pruned.rows;
    let facts = ScanFacts { rows, large: rows > LARGE_ROWS, ..ScanFacts::default() };
    let items: Vec<(usize, usize)> = (0..)
        .zip(&source.files)
        .flat_map(|(file, input)| (0..input.row_groups()).map(move |group| (file, group)))
        .collect();
    let read = items.iter().enumerate().filter(|(place, _)| !pruned.leaves(*place));
    let (stored_bytes, decoded_bytes) = read
        .map(|(_, &(file, group))| source.files[file].bytes_of(group, &columns))
        .fold((0, 0), |(stored, decoded), (own, more)| (stored + own, decoded + more));
    let consumer = |part: &Part| {
        let job = &jobs[part.job];
        let past = period_of(part, jobs)
            .and_then(|(_, _, (column, data_type))| {
                Epochs::by_time(source, &items, (&column, data_type), calendar, EPOCH_ROWS)
            })
            .is_some_and(|epochs| epochs.past() > 0);
        let kind = match job.task {
            Task::Collect => ConsumerKind::Collected,
            Task::FirstRows => ConsumerKind::Chosen,
            Task::Days => ConsumerKind::Gathered,
            Task::Fold if past => ConsumerKind::GroupedByTime,
            Task::Fold => ConsumerKind::Grouped,
        };
        let per_row = match job.task {
            Task::Days => days::bytes_per_row(&facts),
            Task::Fold => bytes_per_row(&job.rel, &facts),
            Task::Collect | Task::FirstRows => 12 * job.needs.len() as u64,
        };
        let kept = if past { rows.min(Epochs::rows_at_once()) } else { rows };
        Consumer { rels: tables_of(job), kind, bytes: kept * per_row }
    };
    Some(PlannedPass {
        source: scan.source.to_string(),
        files: source.files.len(),
        row_groups,
        rows,
        pruned: (pruned.groups(), pruned.rows),
        consumers: parts.iter().map(consumer).collect(),
        columns: columns.into_iter().map(str::to_owned).collect(),
        stored_bytes,
        decoded_bytes,
    })
}
