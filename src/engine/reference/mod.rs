//! The oracle: every relation and every function, a row at a time, over small tables.
//!
//! A table is a `Vec` of rows, a row a `Vec` of [`Value`](crate::frame::Value)s, and each node is
//! the plainest loop that gives what its sentence in [`ir`](crate::ir) says. Faster engines are
//! tested against this one, so it shares no arithmetic with them beyond `stats` and the calendar.
//!
//! **Invariants**
//! - Clarity before speed: no column is ever looked at as a whole, nothing is cached but tables.
//! - History nodes are run by their `expand()`; the columns it gives must be those of the node.
//! - Every value of every node's table has the type its column states, or the run stops: a column
//!   would otherwise turn it into a null without a word.
//! - Arguments are evaluated before a null among them decides. Only `case`, `coalesce`, `and` and
//!   `or` leave arguments unevaluated, from left to right, once the result is certain.
//! - A measure's filter is asked first: rows it leaves out are not evaluated.

mod cast;
mod engine;
mod evaluate;
mod measure;
mod number;
mod time;

#[cfg(test)]
mod tests;

pub use engine::Reference;
