//! How much of the machine a run may take: what the pipeline says, and what the command line says instead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::Interval;
use crate::engine::local::MemoryLimit;
use crate::spec::{LimitKeys, MemorySize, Threads};

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct AskedLimits {
    pub threads: Option<u16>,
    pub memory: Option<MemorySize>,
    pub spill: Option<PathBuf>,
}

/// What a run may take.
#[derive(Debug, Clone)]
pub struct Limits {
    pub threads: usize,
    /// `None` where neither a number of bytes is given nor the machine tells what it has.
    pub memory: Option<MemoryLimit>,
    pub timeout: Duration,
}

impl Limits {
    /// The limits of a pipeline. Relative folders are relative to `root`.
    pub fn new(keys: Option<&LimitKeys>, asked: &AskedLimits, root: &Path) -> Self {
        let default = LimitKeys::default();
        let keys = keys.unwrap_or(&default);
        let threads = match (asked.threads, keys.threads.value) {
            (Some(count), _) | (None, Threads::Count(count)) => usize::from(count),
            (None, Threads::Auto) => cores(),
        };
        let limit = match asked.memory.unwrap_or(keys.memory.value) {
            MemorySize::Bytes(bytes) => Some(bytes),
            share => machine().map(|machine| share.bytes(machine)),
        };
        let folder = asked.spill.clone().unwrap_or_else(|| PathBuf::from(&keys.spill.value));
        let folder = root.join(folder);
        let Interval { months, micros } = keys.timeout.value;
        // A month is at least 28 days.
        let days = u64::try_from(months).unwrap_or(0) * 28 * 24 * 3600;
        let timeout = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        Limits {
            threads,
            memory: limit.map(|limit| MemoryLimit { limit, folder }),
            timeout: timeout + Duration::from_secs(days),
        }
    }
}

/// How many threads the machine has for this process.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory that the machine has, or the group of processes that this one is in, where the system tells.
fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let of_group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let of_group = of_group.and_then(|text| text.trim().parse::<u64>().ok());
    Some((kib << 10).min(of_group.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins() {
        let keys = LimitKeys::default();
        let asked = AskedLimits {
            threads: Some(3),
            memory: Some(MemorySize::Bytes(1 << 30)),
            spill: Some("aside".into()),
        };
        let limits = Limits::new(Some(&keys), &asked, Path::new("/data"));
        let memory = limits.memory.expect("bytes were given");
        assert_eq!((limits.threads, memory.limit), (3, 1 << 30));
        assert_eq!(memory.folder, Path::new("/data/aside"));
        assert_eq!(limits.timeout, Duration::from_secs(24 * 3600));
    }
}
