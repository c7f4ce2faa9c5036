//! The files of the orders: by month or by day in order of time, or one that is shuffled.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::ArrowColumnWriter;
use parquet::errors::ParquetError;
use rayon::prelude::*;

use super::clock::DAY;
use super::columns::schema;
use super::draws::Purpose;
use super::order_rows::{Baskets, COLUMNS};
use super::orders::{Orders, Record};
use super::request::{GenerateError, Layout};
use super::sink::{Encoded, Sink, encode};
use super::truth::Tally;
use super::world::World;

/// Rows of a row group, at most.
const GROUP: usize = 250_000;

/// Files and row groups that are open at a time.
const OPEN: usize = 64;

/// Parts of the orders while they are shuffled, at most: each is an open file.
const PARTS: u64 = 400;

/// Writes the orders; gives what was counted.
///
/// # Errors
/// Files that cannot be written.
pub(super) fn write(
    world: &World,
    layout: Layout,
    directory: &Path,
) -> Result<Tally, GenerateError> {
    let schema = schema(COLUMNS, world.ids);
    let baskets = Baskets::new(world);
    match layout {
        Layout::Shuffled => shuffled(world, &baskets, &schema, directory),
        Layout::Month | Layout::Day => {
            let folder = directory.join("orders");
            ordered(world, &baskets, &schema, layout, folder)
        }
    }
}

fn ordered(
    world: &World,
    baskets: &Baskets,
    schema: &SchemaRef,
    layout: Layout,
    folder: PathBuf,
) -> Result<Tally, GenerateError> {
    let months = &world.clock.months;
    let mut orders =
        Orders::new(world, |before, day| layout == Layout::Month && months[before] != months[day]);
    let mut files =
        Files { world, baskets, schema, layout, folder, open: None, tally: Tally::default() };
    let mut span = orders.next();
    while let Some((days, records)) = span {
        // The next span is drawn while this one is written.
        let (written, next) = rayon::join(|| files.span(days, &records), || orders.next());
        written?;
        span = next;
    }
    if let Some((_, sink)) = files.open {
        sink.close()?;
    }
    Ok(files.tally)
}

/// Files in order of time.
struct Files<'a> {
    world: &'a World,
    baskets: &'a Baskets<'a>,
    schema: &'a SchemaRef,
    layout: Layout,
    folder: PathBuf,
    /// The last file, which the next span may go on with.
    open: Option<(PathBuf, Sink)>,
    tally: Tally,
}

impl Files<'_> {
    fn path(&self, day: usize) -> PathBuf {
        let date = self.world.clock.date(day);
        match self.layout {
            Layout::Day => self.folder.join(format!("ordered_on={date}")).join("part-0.parquet"),
            _ => self.folder.join(format!("{:04}-{:02}.parquet", date.year(), date.month())),
        }
    }

    /// The rows of each file, cut into row groups of about the same size.
    fn groups<'r>(
        &self,
        days: Range<usize>,
        records: &'r [Record],
    ) -> Vec<(PathBuf, &'r [Record])> {
        let mut files: Vec<(PathBuf, Range<usize>)> = Vec::new();
        for day in days {
            let path = self.path(day);
            let end = (day as u32 + 1) * DAY as u32;
            let end = records.partition_point(|record| record.second() < end);
            match files.last_mut() {
                Some((last, range)) if *last == path => range.end = end,
                Some((_, range)) => {
                    let start = range.end;
                    files.push((path, start..end));
                }
                None => files.push((path, 0..end)),
            }
        }
        let mut groups = Vec::new();
        for (path, range) in files {
            let rows = &records[range];
            let size = rows.len().div_ceil(rows.len().div_ceil(GROUP).max(1)).max(1);
            groups.extend(rows.chunks(size).map(|rows| (path.clone(), rows)));
        }
        groups
    }

    /// Writes a span of days.
    fn span(&mut self, days: Range<usize>, records: &[Record]) -> Result<(), GenerateError> {
        for groups in self.groups(days, records).chunks(OPEN) {
            let mut sinks: Vec<(PathBuf, Sink)> = self.open.take().into_iter().collect();
            let mut begun: Vec<(usize, &[Record], Vec<ArrowColumnWriter>)> = Vec::new();
            for (path, rows) in groups {
                if sinks.last().is_none_or(|(last, _)| last != path) {
                    sinks.push((path.clone(), Sink::create(path, self.schema)?));
                }
                let place = sinks.len() - 1;
                begun.push((place, rows, sinks[place].1.begin()?));
            }
            let encoded: Vec<(usize, Encoded, Tally)> = begun
                .into_par_iter()
                .map(|(place, rows, columns)| {
                    let (encoded, tally) = group(self.baskets, rows, self.schema, columns);
                    (place, encoded, tally)
                })
                .collect();
            for (place, encoded, tally) in encoded {
                sinks[place].1.append(encoded)?;
                self.tally.merge(tally);
            }
            self.open = sinks.pop();
            for (_, sink) in sinks {
                sink.close()?;
            }
        }
        Ok(())
    }
}

/// A row group and what is true of it.
fn group(
    baskets: &Baskets,
    records: &[Record],
    schema: &SchemaRef,
    columns: Vec<ArrowColumnWriter>,
) -> (Encoded, Tally) {
    match baskets.rows(records, schema) {
        Ok((batch, tally)) => (encode(&batch, columns), tally),
        Err(error) => (Err(ParquetError::from(error)), Tally::default()),
    }
}

/// One file in no order. The records go to parts by chance, through files of their own; then each part,
/// small enough for memory, is shuffled.
fn shuffled(
    world: &World,
    baskets: &Baskets,
    schema: &SchemaRef,
    directory: &Path,
) -> Result<Tally, GenerateError> {
    let expected: f64 = world.expected.iter().sum();
    let count = (expected as u64 / GROUP as u64 + 1).min(PARTS);
    let mut parts = Parts::create(directory.join(".shuffling"), count)?;
    let chance = world.stream(Purpose::Shuffle);
    let place =
        |record: Record| chance.number((record.id() as u64) << 1 | u64::from(record.again()));
    let mut orders = Orders::new(world, |_, _| false);
    let mut span = orders.next();
    while let Some((_, records)) = span {
        let part = |record: Record| (place(record) % count) as usize;
        let (written, next) = rayon::join(|| parts.add(&records, part), || orders.next());
        written?;
        span = next;
    }
    drop(orders);
    let mut sink = Sink::create(&directory.join("orders.parquet"), schema)?;
    let mut tally = Tally::default();
    for part in 0..parts.files.len() {
        let mut records = parts.read(part)?;
        // The remainder chose the part; the rest of the number is as good as new.
        records.par_sort_unstable_by_key(|record| (place(*record) / count, *record));
        let size = records.len().div_ceil(records.len().div_ceil(GROUP / 2).max(1)).max(1);
        let begun: Vec<(&[Record], Vec<ArrowColumnWriter>)> = records
            .chunks(size)
            .map(|rows| Ok((rows, sink.begin()?)))
            .collect::<Result<_, GenerateError>>()?;
        let encoded: Vec<(Encoded, Tally)> = begun
            .into_par_iter()
            .map(|(rows, columns)| group(baskets, rows, schema, columns))
            .collect();
        for (encoded, counted) in encoded {
            sink.append(encoded)?;
            tally.merge(counted);
        }
    }
    sink.close()?;
    parts.remove()?;
    Ok(tally)
}

/// Records that wait in files.
struct Parts {
    folder: PathBuf,
    files: Vec<(PathBuf, File)>,
}

impl Parts {
    fn create(folder: PathBuf, count: u64) -> Result<Self, GenerateError> {
        fs::create_dir_all(&folder).map_err(|error| GenerateError::output(&folder, &error))?;
        let file = |part: u64| {
            let path = folder.join(part.to_string());
            let file = OpenOptions::new().create_new(true).append(true).open(&path);
            match file {
                Ok(file) => Ok((path, file)),
                Err(error) => Err(GenerateError::output(&path, &error)),
            }
        };
        let files = (0..count).map(file).collect::<Result<_, _>>()?;
        Ok(Parts { folder, files })
    }

    fn add(
        &mut self,
        records: &[Record],
        part: impl Fn(Record) -> usize,
    ) -> Result<(), GenerateError> {
        let mut waiting: Vec<Vec<u8>> = vec![Vec::new(); self.files.len()];
        for record in records {
            waiting[part(*record)].extend_from_slice(&record.0.to_le_bytes());
        }
        for ((path, file), bytes) in self.files.iter_mut().zip(waiting) {
            file.write_all(&bytes).map_err(|error| GenerateError::output(path, &error))?;
        }
        Ok(())
    }

    fn read(&self, part: usize) -> Result<Vec<Record>, GenerateError> {
        let path = &self.files[part].0;
        let bytes = fs::read(path).map_err(|error| GenerateError::output(path, &error))?;
        let (records, _) = bytes.as_chunks::<16>();
        Ok(records.iter().map(|bytes| Record(u128::from_le_bytes(*bytes))).collect())
    }

    fn remove(self) -> Result<(), GenerateError> {
        let Parts { folder, files } = self;
        drop(files);
        fs::remove_dir_all(&folder).map_err(|error| GenerateError::output(&folder, &error))
    }
}
