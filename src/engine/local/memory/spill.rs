//! Bytes in a file without a name.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::failed;
use crate::engine::EngineError;

/// A file that takes runs of bytes from any thread.
#[derive(Debug)]
pub(in super::super) struct Spill {
    folder: PathBuf,
    file: File,
    end: AtomicU64,
}

/// Where bytes are in a file.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Run {
    start: u64,
    length: usize,
}

impl Spill {
    pub fn new(folder: PathBuf, file: File) -> Self {
        Spill { folder, file, end: AtomicU64::new(0) }
    }

    /// How many bytes were put aside.
    pub fn bytes(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Puts bytes aside.
    ///
    /// # Errors
    /// A disk that is full or fails.
    pub fn put(&self, bytes: &[u8]) -> Result<Run, EngineError> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let written = self.file.write_all_at(bytes, start);
        written.map_err(|error| failed(&self.folder, &error))?;
        Ok(Run { start, length: bytes.len() })
    }

    /// The bytes of a run.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn get(&self, run: Run) -> Result<Vec<u8>, EngineError> {
        let mut bytes = vec![0; run.length];
        let read = self.file.read_exact_at(&mut bytes, run.start);
        read.map_err(|error| failed(&self.folder, &error))?;
        Ok(bytes)
    }
}
