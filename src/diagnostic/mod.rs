//! Places in a text, and what is wrong there.
//!
//! A [`Diagnostic`] says that the pipeline document, or the contract of a source, should change.
//! It is plain data: the terminal text and the JSON form are made from the same value elsewhere.
//!
//! **Invariants**
//! - Nothing here prints, reads a file, or knows what a pipeline is.
//! - Every code is listed once, in [`Code`], with a sentence that explains it.
//! - Diagnostics are gathered, never thrown: a phase adds to a list and goes on where it can.

mod code;
mod diagnostics;
mod source;
mod suggest;

pub use code::Code;
pub use diagnostics::{Diagnostic, Diagnostics, Label, Severity, fewest};
pub use source::{Position, SourceText, Span, Spanned};
pub use suggest::{list, nearest};
