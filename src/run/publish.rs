//! The output directory: runs beside each other, and a link to the one that is published.
//!
//! A run is written to `<directory>.runs/<run id>/`. `<directory>` is a relative symbolic link to it,
//! put in place by renaming a new link over the old one: all tables of a run become visible at once,
//! and a process killed between any two steps leaves the old link.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::RunError;

/// Where a run is written, and the link that will show it.
#[derive(Debug)]
pub(super) struct Staging {
    link: PathBuf,
    runs: PathBuf,
    run_id: String,
    /// Held while the run lasts. The kernel lets it go with the process, however that ends.
    _lock: File,
}

/// The file whose lock says that a run is at work here.
const LOCK: &str = ".lock";

/// Takes the lock of a folder of runs, and notes in it who has it.
fn lock(runs: &Path, run_id: &str) -> Result<File, RunError> {
    let path = runs.join(LOCK);
    let mut file = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed(&path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            return Err(RunError::Locked { path: runs.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(failed(&path, &error)),
    }
    // What is noted helps whoever waits; the lock holds without it.
    let _ = file
        .set_len(0)
        .and_then(|()| write!(file, "{run_id} (process {})", std::process::id()))
        .and_then(|()| file.flush());
    Ok(file)
}

fn failed(path: &Path, error: &io::Error) -> RunError {
    let help = match error.kind() {
        io::ErrorKind::StorageFull => Some("make room on the disk and run again".to_owned()),
        io::ErrorKind::PermissionDenied => {
            Some("the process needs the right to write there".into())
        }
        _ => None,
    };
    RunError::Output { path: path.to_owned(), reason: error.to_string(), help }
}

fn sync(directory: &Path) -> Result<(), RunError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(directory, &error))
}

impl Staging {
    /// Makes the run's folder, before the long work.
    ///
    /// # Errors
    /// If `<directory>` is something else than a link, nothing can be written beside it, or another
    /// run is at work there.
    pub fn open(directory: &Path, run_id: &str) -> Result<Self, RunError> {
        let name = directory.file_name().ok_or_else(|| RunError::Output {
            path: directory.to_owned(),
            reason: "it has no name of its own".into(),
            help: Some("`outputs: {directory: …}` names the folder to make".into()),
        })?;
        let mut runs = name.to_owned();
        runs.push(".runs");
        // Only a link into the runs beside it is ours to replace.
        let ours = fs::read_link(directory).is_ok_and(|target| target.starts_with(&runs));
        if fs::symlink_metadata(directory).is_ok() && !ours {
            return Err(RunError::Output {
                path: directory.to_owned(),
                reason: "it is there and is not a link that a run made".into(),
                help: Some(
                    "move it away, or choose another `outputs: {directory: …}`; it is never removed"
                        .into(),
                ),
            });
        }
        let runs = directory.with_file_name(runs);
        fs::create_dir_all(&runs).map_err(|error| failed(&runs, &error))?;
        let staging = Staging {
            link: directory.to_owned(),
            run_id: run_id.to_owned(),
            _lock: lock(&runs, run_id)?,
            runs,
        };
        let folder = staging.folder();
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        Ok(staging)
    }

    /// Where the run is written.
    pub fn folder(&self) -> PathBuf {
        self.runs.join(&self.run_id)
    }

    /// Shows the run: syncs its folder and swaps the link.
    pub fn publish(&self) -> Result<(), RunError> {
        sync(&self.folder())?;
        sync(&self.runs)?;
        let target = Path::new(self.runs.file_name().unwrap_or_default()).join(&self.run_id);
        let mut fresh = self.link.file_name().unwrap_or_default().to_owned();
        fresh.push(format!(".{}", self.run_id));
        let fresh = self.link.with_file_name(fresh);
        std::os::unix::fs::symlink(&target, &fresh).map_err(|error| failed(&fresh, &error))?;
        if let Err(error) = fs::rename(&fresh, &self.link) {
            let _ = fs::remove_file(&fresh);
            return Err(failed(&self.link, &error));
        }
        let parent = match self.link.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        sync(parent)
    }

    /// Removes what a failed run wrote, apart from the folder itself, which keeps its manifest.
    pub fn clear(&self) {
        let Ok(entries) = fs::read_dir(self.folder()) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }

    /// Removes the oldest finished runs beyond so many, and likewise the oldest failed ones; the
    /// published run stays, and so does what has no manifest yet: it may be another run at work. A
    /// folder that cannot be removed is left for the next run.
    pub fn keep(&self, runs: usize) {
        let published = fs::read_link(&self.link).ok();
        let published = published.as_ref().and_then(|target| target.file_name());
        let Ok(entries) = fs::read_dir(&self.runs) else { return };
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for name in entries.flatten().map(|entry| entry.file_name()) {
            let manifest = self.runs.join(&name).join("manifest.json");
            let Ok(manifest) = fs::read_to_string(manifest) else { continue };
            if Some(name.as_os_str()) == published {
                continue;
            }
            let list =
                if manifest.contains("\"status\": \"done\"") { &mut done } else { &mut failed };
            list.push(name);
        }
        let kept = runs.saturating_sub(usize::from(published.is_some()));
        for (names, kept) in [(&mut done, kept), (&mut failed, runs)] {
            // Ids begin with the time, so the newest are last.
            names.sort();
            for name in names.iter().take(names.len().saturating_sub(kept)) {
                let _ = fs::remove_dir_all(self.runs.join(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_shown_by_a_link_and_pruned() {
        let root = std::env::temp_dir().join(format!("tenure-publish-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let directory = root.join("out/shop");
        for run in ["1", "2", "3", "4"] {
            let staging = Staging::open(&directory, run).expect("it opens");
            fs::write(staging.folder().join("table"), run).expect("it writes");
            let status = if run == "3" { "failed" } else { "done" };
            let manifest = format!("{{\"status\": \"{status}\"}}");
            fs::write(staging.folder().join("manifest.json"), manifest).expect("it writes");
            if run != "3" {
                staging.publish().expect("it publishes");
            }
            let shown = fs::read_to_string(directory.join("table")).expect("something is shown");
            assert_eq!(shown, if run == "3" { "2" } else { run });
            staging.keep(2);
        }
        // A run without a manifest is at work.
        fs::create_dir(root.join("out/shop.runs/0")).expect("it is made");
        Staging::open(&directory, "4").expect("it opens").keep(2);
        let mut kept: Vec<_> = fs::read_dir(root.join("out/shop.runs"))
            .expect("the runs")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        kept.sort();
        assert_eq!(kept, [".lock", "0", "2", "3", "4"]);
        fs::remove_dir_all(&root).expect("it is ours");
    }

    #[test]
    fn one_run_at_a_time() {
        let root = std::env::temp_dir().join(format!("tenure-lock-{}", std::process::id()));
        let first = Staging::open(&root.join("out"), "1").expect("it opens");
        let error = Staging::open(&root.join("out"), "2").expect_err("it is locked");
        let RunError::Locked { holder, .. } = error else { panic!("{error}") };
        assert_eq!(holder, format!("1 (process {})", std::process::id()));
        assert!(!root.join("out.runs/2").exists(), "who must wait leaves nothing");
        drop(first);
        Staging::open(&root.join("out"), "2").expect("it is free again");
        fs::remove_dir_all(&root).expect("it is ours");
    }

    #[test]
    fn a_real_directory_is_refused() {
        let root = std::env::temp_dir().join(format!("tenure-refuse-{}", std::process::id()));
        fs::create_dir_all(root.join("out")).expect("it is made");
        let error = Staging::open(&root.join("out"), "1").expect_err("it is no link");
        assert!(matches!(error, RunError::Output { help: Some(_), .. }));
        fs::remove_dir_all(&root).expect("it is ours");
    }
}
