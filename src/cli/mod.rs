//! The command line: arguments in, text and an exit status out.
//!
//! **Invariants**
//! - Data goes to stdout, everything else to stderr. On success the last line of `run` on stdout is the
//!   path of the manifest.
//! - Diagnostics as text and as JSON are made from the same values.
//! - A closed pipe is success; a panic is exit status 70 with a word on where to report it.

mod arguments;
mod diagnostics;
mod init;
mod install;
mod manual;
mod measures;
mod progress;
mod reference;
mod refused;
mod show;
mod signals;
mod start;

pub use reference::reference;
pub use start::main;
