//! How much of the machine a run may take.

use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Decode, Decoder, Interval, Node, NodeKind, Setting, binary, schema};

crate::options! {
    /// The `limits` block.
    pub struct LimitKeys("`limits`") {
        /// Threads at work, whose number changes no result; `auto` is one per core.
        threads: Threads = Threads::Auto,
        /// The most memory that a run takes: bytes such as `4GiB`, or a share of the machine's. What does not fit
        /// is put aside in files.
        memory: MemorySize = MEMORY,
        /// The folder for what is put aside. Nothing in it outlives the run.
        spill: String = SPILL.to_owned(),
        /// How long a run may take before it gives up.
        timeout: Interval = TIMEOUT,
    }
}

const MEMORY: MemorySize = MemorySize::Share(0.8);
const SPILL: &str = ".tenure/spill";
const TIMEOUT: Interval = Interval::days(1);

impl Default for LimitKeys {
    fn default() -> Self {
        LimitKeys {
            threads: Setting::default_of(Threads::Auto),
            memory: Setting::default_of(MEMORY),
            spill: Setting::default_of(SPILL.to_owned()),
            timeout: Setting::default_of(TIMEOUT),
        }
    }
}

/// How many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One per core.
    Auto,
    Count(u16),
}

/// The most threads.
const MOST_THREADS: i64 = 1024;

/// Memory in bytes, or as a share of the machine's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemorySize {
    Bytes(u64),
    Share(f64),
}

/// Units of bytes, the longest first.
const UNITS: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl MemorySize {
    /// Reads `512MiB`, `4GiB`, `4GB`, `80%`.
    ///
    /// # Errors
    /// A fragment that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let number =
            |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
        if let Some(percent) = text.strip_suffix('%') {
            let percent = number(percent).filter(|percent| *percent <= 100.0);
            return percent
                .map(|percent| MemorySize::Share(percent / 100.0))
                .ok_or_else(|| format!("`{text}` is no share of a machine's memory"));
        }
        let unit = |(unit, bytes): &(&str, u64)| Some((text.strip_suffix(unit)?, *bytes));
        let Some((digits, bytes)) = UNITS.iter().find_map(unit) else {
            return Err(format!("`{text}` has no unit"));
        };
        let bytes = number(digits).map(|number| (number * bytes as f64) as u64);
        bytes
            .map(MemorySize::Bytes)
            .ok_or_else(|| format!("`{text}` does not begin with a number above 0"))
    }

    /// Bytes of a machine that has so many.
    pub fn bytes(self, machine: u64) -> u64 {
        match self {
            MemorySize::Bytes(bytes) => bytes,
            MemorySize::Share(share) => (machine as f64 * share) as u64,
        }
    }
}

impl Decode for MemorySize {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if let NodeKind::Map(_) | NodeKind::List(_) = &node.kind {
            decoder.wrong_type(node, &Self::expects());
            return None;
        }
        match MemorySize::parse(&node.written) {
            Ok(size) => Some(size),
            Err(reason) => {
                let message = format!("not an amount of memory: {reason}");
                decoder.report(
                    Diagnostic::at(Code::InvalidValue, node.span, message)
                        .help("write `512MiB`, `4GiB` or `80%`"),
                );
                None
            }
        }
    }
    fn expects() -> String {
        "an amount of memory such as `4GiB` or `80%`".into()
    }
    fn show(&self) -> String {
        match self {
            MemorySize::Bytes(bytes) => binary(*bytes),
            MemorySize::Share(share) => format!("{}%", share * 100.0),
        }
    }
    fn json_schema() -> Json {
        schema::matching(r"^\s*[0-9]+(\.[0-9]+)?\s*(%|[KMGT]i?B)\s*$")
    }
}

impl Decode for Threads {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Text(text) if text == "auto" => Some(Threads::Auto),
            NodeKind::Integer(count) if (1..=MOST_THREADS).contains(count) => {
                u16::try_from(*count).ok().map(Threads::Count)
            }
            NodeKind::Integer(count) => {
                let message = format!("`threads` is 1 to {MOST_THREADS}, not {count}");
                decoder.report(
                    Diagnostic::at(Code::InvalidValue, node.span, message)
                        .help("write `threads: auto` for one per core"),
                );
                None
            }
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        "a number of threads, or `auto`".into()
    }
    fn show(&self) -> String {
        match self {
            Threads::Auto => "auto".into(),
            Threads::Count(count) => count.to_string(),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([
            serde_json::json!({"const": "auto"}),
            serde_json::json!({"type": "integer", "minimum": 1, "maximum": MOST_THREADS}),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory() {
        assert_eq!(MemorySize::parse("512MiB"), Ok(MemorySize::Bytes(512 << 20)));
        assert_eq!(MemorySize::parse(" 1.5 GiB "), Ok(MemorySize::Bytes(3 << 29)));
        assert_eq!(MemorySize::parse("4GB"), Ok(MemorySize::Bytes(4_000_000_000)));
        assert_eq!(MemorySize::parse("80%").map(|size| size.bytes(1000)), Ok(800));
        for wrong in ["512", "0GiB", "-1GiB", "120%", "lots", "GiB", "infGiB"] {
            assert!(MemorySize::parse(wrong).is_err(), "{wrong}");
        }
    }
}
