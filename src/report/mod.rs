//! Reports as plain data, and their renderers.
//!
//! A stage or a model describes what it found as a [`Report`]: sentences, tables with units, charts with
//! their intervals. What a person sees is decided here, once, by small renderers: [`html()`], [`markdown()`] and [`json()`].
//!
//! **Invariants**
//! - A report is data: it knows no stage, no engine and no file, and its JSON is the machine output.
//! - Same report, same bytes: no clock, no environment, no iteration over hash maps.
//! - The document makes no request and runs no script. Its one style sheet is allowed by hash.
//! - Every text is escaped where it is written; no caller passes markup.
//! - Every chart carries a table with the same numbers, and a cell nobody has observed is blank, never 0.
//! - Colour is never the only carrier of a meaning, and text on a coloured cell keeps a contrast of 4.5 : 1.

mod document;
mod figure;

mod html;
mod json;
mod markdown;
mod security;
mod table;

mod chart;
mod format;

pub use document::{
    Align, Block, Cell, Column, Fact, Notice, Origin, Report, Rule, Section, Severity, Table, Unit,
};
pub use figure::{
    Bar, Bars, Chart, CohortRow, CohortTriangle, Emphasis, Grid, Interval, Lines, Marker, Part,
    Point, Rank, Ranking, RetentionCell, Series, Spread, SpreadRow, Stacks,
};
pub use format::fact as with_unit;
pub use html::html;
pub use json::json;
pub use markdown::markdown;
