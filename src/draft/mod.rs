//! A first pipeline, drafted from files: what they hold, what their columns probably mean, and the YAML
//! that says so, with a comment wherever something was guessed.
//!
//! Footers and their statistics come first; of the rows a bounded sample is read, for what no footer
//! says: how many values differ, which signs they have, whether texts are dates.
//!
//! **Invariants**
//! - Nothing is written here and nobody is asked: a [`Draft`] is text, and whoever calls decides.
//! - Every guess has its evidence in words. What cannot be guessed is an error that lists the columns.
//! - The same files and options give the same text.

mod error;
mod text;
mod words;
mod files;
mod profile;
mod roles;
mod order;
mod lookups;
mod lines;
mod pipeline;
mod stages;
mod start;

pub use error::DraftError;
pub use start::{Draft, DraftRequest, Guess, draft, shell_word};
