//! The memory that a run may take, and the disk it takes instead.
//!
//! Most of what a run holds is small: states grow with groups and customers, not with rows. What can grow large
//! can be put aside. Events that are packed go to a file as they are ([`Spill::put`]), and the columns of large
//! tables are written to files and mapped back ([`Sink`]): such a page can be let go at any time, because it can
//! be read again. Both happen only when the memory is mostly taken, and neither changes a byte of what comes out.
//!
//! **Invariants**
//! - What is put aside comes back as it was, or the run fails.
//! - Files have no names, so nothing is left of them whatever ends the process.
//! - Whoever waits for the disk holds no lock that another thread needs.

mod sink;
mod spill;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use memmap2::{Mmap, UncheckedAdvice};

use crate::engine::EngineError;

pub(super) use sink::Sink;
pub(super) use spill::{Run, Spill};

/// From which share of the limit on things are put aside, in per cent: what is in the air goes on growing while
/// they are.
const MOSTLY_TAKEN: u64 = 60;

/// How far above the limit a run may be for a moment, in per cent.
const TOLERATED: u64 = 122;

/// See [`Memory::least`].
const LEAST: u64 = 1 << 20;

/// How much memory a run may take, and where it puts what does not fit.
#[derive(Debug, Clone)]
pub struct MemoryLimit {
    /// Bytes.
    pub limit: u64,
    /// The folder for what is put aside; made when it is needed.
    pub folder: PathBuf,
}

/// What is known of the memory of a run; by default there is no limit.
#[derive(Debug, Default)]
pub(super) struct Memory {
    limit: Option<MemoryLimit>,
    /// Bytes from which on memory is short.
    short_from: u64,
    /// Bytes of the smallest table that is put aside: of less, files would only be work.
    least: u64,
    spill: OnceLock<io::Result<Arc<Spill>>>,
    maps: Mutex<Vec<Weak<Mmap>>>,
    /// Bytes that were put aside.
    aside: AtomicU64,
    /// What was taken when the work began that is under way, with what it takes however many rows there are.
    before: AtomicU64,
}

impl Memory {
    pub fn new(limit: Option<MemoryLimit>) -> Self {
        let short_from = limit.as_ref().map_or(0, |limit| limit.limit / 100 * MOSTLY_TAKEN);
        Memory { limit, short_from, least: LEAST, ..Memory::default() }
    }

    /// The same, always short of memory: everything that can be is put aside.
    pub fn always_short(self) -> Self {
        Memory { short_from: 0, least: 0, ..self }
    }

    /// True if there is a limit.
    pub fn has_limit(&self) -> bool {
        self.limit.is_some()
    }

    /// Work begins that takes so many bytes however many rows there are.
    pub fn begin(&self, bytes: u64) {
        self.release();
        let before = if self.limit.is_some() { resident().unwrap_or(0) } else { 0 };
        self.before.store(before + bytes, Ordering::Relaxed);
    }

    /// True if things are to be put aside when this many more bytes are wanted.
    pub fn is_short(&self, more: u64) -> bool {
        self.limit.is_some()
            && resident().is_some_and(|taken| taken.saturating_add(more) > self.short_from)
    }

    /// True if a table of so many bytes is to be put aside.
    pub fn is_short_of(&self, table: u64) -> bool {
        table >= self.least && self.is_short(table)
    }

    /// True if so many bytes are a large part of the limit.
    pub fn is_large(&self, bytes: u64) -> bool {
        self.limit.as_ref().is_some_and(|limit| bytes > limit.limit / 16)
    }

    /// Bytes that were put aside so far.
    pub fn put_aside(&self) -> u64 {
        let runs = self.spill.get().and_then(|spill| spill.as_ref().ok()).map_or(0, |s| s.bytes());
        self.aside.load(Ordering::Relaxed) + runs
    }

    fn note(&self, bytes: usize) {
        self.aside.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A file of its own in the folder for what is put aside. It has no name, so that nothing is left of it
    /// whatever happens to the process.
    fn file(&self) -> io::Result<File> {
        let folder = self.folder();
        std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder))
    }

    fn folder(&self) -> PathBuf {
        let folder = self.limit.as_ref().map(|limit| limit.folder.clone());
        folder.unwrap_or_else(std::env::temp_dir)
    }

    fn failed(&self, error: &io::Error) -> EngineError {
        failed(&self.folder(), error)
    }

    /// The file for what is put aside.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn spill(&self) -> Result<Arc<Spill>, EngineError> {
        let open = || self.file().map(|file| Arc::new(Spill::new(self.folder(), file)));
        let spill = self.spill.get_or_init(open).as_ref();
        spill.cloned().map_err(|error| self.failed(error))
    }

    fn watch(&self, map: &Arc<Mmap>) {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        maps.retain(|map| map.strong_count() > 0);
        maps.push(Arc::downgrade(map));
    }

    /// Lets go the pages of files if memory is short; they are read again when they are wanted.
    pub fn ease(&self) {
        if !self.is_short(0) {
            return;
        }
        let maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        for map in maps.iter().filter_map(Weak::upgrade) {
            #[expect(unsafe_code, reason = "memmap2 cannot know that the map is of a file")]
            // SAFETY: the map is shared, read only, and of a file that nobody else can open, so its pages come
            // back as they were.
            let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        }
    }

    /// Gives back to the system what was let go, if memory is short: of use behind large pieces of work.
    pub fn release(&self) {
        if self.is_short(0) {
            self.ease();
            give_back();
        }
    }

    /// Refuses to begin what needs more than the limit.
    ///
    /// # Errors
    /// It needs more.
    pub fn begin_with(&self, needed: u64) -> Result<(), EngineError> {
        match self.limit {
            Some(MemoryLimit { limit, .. }) if limit < needed => {
                Err(EngineError::Memory { limit, needed: round_up(needed) })
            }
            _ => Ok(()),
        }
    }

    /// Refuses to go on above the limit. `done` is the share of the work that is done.
    ///
    /// # Errors
    /// More is held than may be, and nothing of it can be put aside.
    pub fn check(&self, done: f64) -> Result<(), EngineError> {
        let Some(MemoryLimit { limit, .. }) = self.limit else { return Ok(()) };
        let above = |taken: u64| taken > (limit / 100).saturating_mul(TOLERATED);
        if !resident().is_some_and(above) {
            return Ok(());
        }
        self.ease();
        give_back();
        match resident() {
            Some(taken) if above(taken) => {
                // What grows, grows with the rows.
                let grown = taken.saturating_sub(self.before.load(Ordering::Relaxed)) as f64;
                let rest = grown * (1.0 - done) / done.max(0.01);
                let needed = (taken as f64 + rest) as u64;
                Err(EngineError::Memory { limit, needed: round_up(needed / 4 * 5) })
            }
            _ => Ok(()),
        }
    }
}

/// The next 64 MiB.
pub(super) fn round_up(bytes: u64) -> u64 {
    bytes.div_ceil(64 << 20) * (64 << 20)
}

fn failed(folder: &Path, error: &io::Error) -> EngineError {
    EngineError::Spill { reason: format!("{}: {error}", folder.display()) }
}

/// Bytes of memory that the process takes, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_bytes())
}

fn page_bytes() -> u64 {
    static BYTES: OnceLock<u64> = OnceLock::new();
    *BYTES.get_or_init(|| {
        #[expect(unsafe_code, reason = "a call into the C library that takes a number")]
        // SAFETY: `sysconf` may be called at any time, by any thread.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        u64::try_from(bytes).unwrap_or(4096)
    })
}

/// Gives free pages back to the system. The allocator keeps those between what is still in use, and after a
/// pass there are many: the pieces of lists that are tables now.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "a call into the C library that takes a number")]
        // SAFETY: `malloc_trim` may be called at any time, by any thread.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(limit: u64) -> Memory {
        Memory::new(Some(MemoryLimit { limit, folder: std::env::temp_dir() }))
    }

    #[test]
    fn a_run_above_its_limit_ends() {
        let Some(taken) = resident() else { return };
        let enough = memory(taken * 100);
        assert!(!enough.is_short(0) && enough.is_short(taken * 100));
        assert!(enough.check(0.5).is_ok() && enough.begin_with(taken).is_ok());
        let little = memory(taken / 100);
        assert!(little.is_short(0));
        let needed = |result: Result<(), EngineError>| match result {
            Err(EngineError::Memory { limit, needed }) => (limit == taken / 100).then_some(needed),
            _ => None,
        };
        // All of it was taken in the first twentieth of the work.
        let first = needed(little.check(0.05)).expect("it is above");
        let whole = needed(little.check(1.0)).expect("it is above");
        assert!(whole >= taken / 2 && first > 10 * taken, "{taken}: {first}, {whole}");
        assert_eq!(needed(little.begin_with(100 << 20)), Some(128 << 20));
        assert!(Memory::default().check(0.5).is_ok() && !Memory::default().is_short(u64::MAX));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let folder = file.path().join("aside");
        let memory = Memory::new(Some(MemoryLimit { limit: 1, folder: folder.clone() }));
        let error = memory.spill().expect_err("a file is no folder").to_string();
        assert!(error.contains(&folder.display().to_string()), "{error}");
    }
}
