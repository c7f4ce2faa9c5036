//! What the tests share: random choices, small tables, and the two engines over them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tenure::engine::local::{InputFile, Local, LocalSource};
use tenure::engine::reference::Reference;
use tenure::engine::{Engine, EngineError, Unwatched};
use tenure::frame::{Frame, Schema, Value};
use tenure::ir::{BusinessHours, Calendar, RelRef, relation};

/// Runs a pipeline of a folder in that folder, to a good end.
pub fn run(folder: &Path, pipeline: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .current_dir(folder)
        .args(["run", pipeline, "--quiet"])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Decisions read off a list of numbers. When the list is used up each decision is the first and
/// simplest choice, so a shorter list is a simpler case, and proptest shrinks lists.
#[derive(Debug)]
pub struct Draw<'a> {
    choices: std::slice::Iter<'a, u16>,
}

impl<'a> Draw<'a> {
    /// The decisions of a list.
    pub fn over(choices: &'a [u16]) -> Self {
        Draw { choices: choices.iter() }
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.choices.next().map_or(0, |&choice| usize::from(choice) % count)
    }

    /// True in one of so many cases.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// All of these in some order.
    pub fn shuffled<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        for last in (1..items.len()).rev() {
            // The first choice leaves the order alone.
            let place = last - self.below(last + 1);
            items.swap(place, last);
        }
        items
    }
}

/// Enough for forty rows and what is asked of them.
const DECISIONS: std::ops::RangeInclusive<usize> = 700..=1_000;

/// Checks a law on so many random cases; the same cases each time.
#[track_caller]
pub fn law(cases: u32, check: impl Fn(&mut Draw) -> Result<(), String>) {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let choices = proptest::collection::vec(any::<u16>(), DECISIONS);
    let result = TestRunner::new_with_rng(config, rng)
        .run(&choices, |choices| check(&mut Draw::over(&choices)).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("{}", reason.message()),
        Err(TestError::Abort(reason)) => panic!("no cases: {}", reason.message()),
    }
}

/// A calendar: mostly plain, at times one of a zone whose clock changes and whose year is fiscal.
pub fn calendar(draw: &mut Draw) -> Calendar {
    use tenure::ir::calendar::{Month, Weekday};
    let calendar = match draw.below(4) {
        0 | 1 => Calendar::default(),
        2 => Calendar::new("America/New_York", Weekday::Sunday, Month::April).expect("a zone"),
        _ => Calendar::new("Pacific/Apia", Weekday::Monday, Month::January).expect("a zone"),
    };
    // Weekdays from 9 to 17.
    let open = std::array::from_fn(|day| if day < 5 { vec![(32_400, 61_200)] } else { vec![] });
    let hours = BusinessHours::new(jiff::tz::TimeZone::UTC, open, [20_000].into()).expect("a week");
    calendar.with_hours(vec![("office".to_owned(), hours)])
}

/// A table written as Parquet, in files cut into row groups.
pub struct Written {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
    shuffle: bool,
}

impl Written {
    /// Cuts the rows into files and row groups as `draw` decides.
    pub fn new(frame: &Frame, draw: &mut Draw) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let mut files = Vec::new();
        let mut first = 0;
        loop {
            let rest = frame.rows() - first;
            let count = if draw.one_in(2) { draw.below(rest + 1) } else { rest };
            let path = folder.path().join(format!("{}.parquet", files.len()));
            write(&path, frame, first, count, 1 + draw.below(count.max(1)));
            files.push(path);
            first += count;
            if first == frame.rows() {
                return Written { folder, files, shuffle: true };
            }
        }
    }

    /// The same files, always in the order of the rows: for results that keep it.
    pub fn in_order(self) -> Self {
        Written { shuffle: false, ..self }
    }

    /// The files as a source, in some order.
    pub fn source(&self, draw: &mut Draw) -> LocalSource {
        debug_assert!(self.folder.path().exists());
        let files = match self.shuffle {
            true => draw.shuffled(self.files.clone()),
            false => self.files.clone(),
        };
        let open = |path: &PathBuf| InputFile::open(SOURCE, path).expect("a file just written");
        LocalSource { files: files.iter().map(open).collect() }
    }
}

/// Writes rows of a frame as a Parquet file.
pub fn write(path: &Path, frame: &Frame, first: usize, count: usize, row_group: usize) {
    let file = File::create(path).expect("a new file");
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(row_group)).build();
    let mut writer = ArrowWriter::try_new(file, frame.batch.schema(), Some(properties))
        .expect("types of Parquet");
    writer.write(&frame.batch.slice(first, count)).expect("the rows are written");
    writer.close().expect("the footer is written");
}

/// The name of the only source.
pub const SOURCE: &str = "events";

/// The scan of the only source.
pub fn scan(schema: &Arc<Schema>) -> RelRef {
    relation::scan(SOURCE, schema.clone(), Vec::new())
}

/// What the oracle makes of a relation.
pub fn by_reference(
    rel: &RelRef,
    frame: &Frame,
    calendar: &Calendar,
) -> Result<Frame, EngineError> {
    let engine = Reference::new(calendar.clone()).with_source(SOURCE, frame.clone());
    Ok(engine.run(std::slice::from_ref(rel))?.remove(0))
}

/// What the local engine makes of relations.
pub fn by_local(
    rels: &[RelRef],
    source: LocalSource,
    calendar: &Calendar,
    threads: usize,
) -> Result<Vec<Frame>, EngineError> {
    let sources = BTreeMap::from([(SOURCE.to_owned(), source)]);
    // A few rows are many: groups are settled, and events packed.
    let engine = Local::new(sources, calendar.clone(), threads, &Unwatched)?.large_from(5);
    // On one thread everything that can be put aside is.
    if threads > 1 {
        return engine.run(rels);
    }
    let folder = tempfile::tempdir().expect("a folder");
    engine.always_aside(folder.path().to_owned()).run(rels)
}

/// Runs a relation on both engines: equal tables, or both fail. Gives the local engine's table.
pub fn agree(
    rel: &RelRef,
    frame: &Frame,
    written: &Written,
    calendar: &Calendar,
    draw: &mut Draw,
) -> Result<Option<Frame>, String> {
    let expected = by_reference(rel, frame, calendar);
    let source = written.source(draw);
    let found = by_local(std::slice::from_ref(rel), source, calendar, 1 + draw.below(3));
    let story = |what: String| {
        let text = tenure::ir::explain::explain(rel);
        format!("{what}\n{text}\nrows:\n{}", table(frame))
    };
    match (expected, found) {
        (Ok(expected), Ok(mut found)) => {
            let found = found.remove(0);
            equal(&expected, &found, 1e-12).map_err(story)?;
            Ok(Some(found))
        }
        (
            Err(EngineError::Evaluate(_)),
            Err(EngineError::Evaluate(_) | EngineError::EvaluateAt { .. }),
        ) => Ok(None),
        (expected, found) => {
            let shown = |result: Result<String, EngineError>| match result {
                Ok(text) => text,
                Err(error) => format!("error: {error}"),
            };
            let expected = shown(expected.map(|frame| table(&frame)));
            let found = shown(found.map(|frames| table(&frames[0])));
            Err(story(format!("reference:\n{expected}\nlocal:\n{found}")))
        }
    }
}

/// Fails with both tables where they differ; doubles may differ by so much of their size.
pub fn equal(expected: &Frame, found: &Frame, tolerance: f64) -> Result<(), String> {
    let same = |a: &Value, b: &Value| match (a, b) {
        (Value::Float(a), Value::Float(b)) => {
            a == b || (a - b).abs() <= tolerance * a.abs().max(b.abs())
        }
        _ => a == b,
    };
    let (left, right) = (expected.to_rows(), found.to_rows());
    let rows_agree = left.len() == right.len()
        && left.iter().zip(&right).all(|(a, b)| a.iter().zip(b).all(|(a, b)| same(a, b)));
    match rows_agree && expected.schema == found.schema {
        true => Ok(()),
        false => Err(format!("expected:\n{}\nfound:\n{}", table(expected), table(found))),
    }
}

/// A frame as text.
pub fn table(frame: &Frame) -> String {
    let fields = frame.schema.fields.iter();
    let head: Vec<String> = fields
        .map(|field| format!("{} {} ({})", field.name, field.data_type, field.unit))
        .collect();
    let mut lines = vec![head.join(" | ")];
    for row in frame.to_rows() {
        lines.push(row.iter().map(Value::to_string).collect::<Vec<_>>().join(" | "));
    }
    lines.join("\n")
}
