//! The pipeline as written: every value with its place, nothing resolved yet.
//!
//! **Invariants**
//! - Reading stops only where the text is not YAML; every other mistake is noted and passed by.
//! - Generic over the body of a stage, so that this room knows no stage.
//! - No files and no environment: the caller hands in the variables that `env:` may name.

mod alert;
mod blocks;
mod business;
mod limits;
mod parameter;
mod parameters;
mod pipeline;
mod privacy;
mod segment;
mod source;
mod subjects;

pub use alert::{AlertBlock, AlertSeverity, Piece, Sentence};
pub use blocks::{Block, blocks};
pub use business::HoursBlock;
pub use limits::{LimitKeys, MemorySize, Threads};
pub use parameter::ParameterType;
pub use parameters::Parameters;
pub use pipeline::{
    AsOf, Compression, Inputs, Outputs, Pipeline, ReportFormat, ReportOptions, StageBody,
    StageSpec, TableOptions, json_schema, parse, stage_json_schema,
};
pub use privacy::{Customers, KeyVariable, Pii, PrivacyBlock, Suppress};
pub(crate) use segment::ascending as segment_cuts_ascend;
pub use segment::{Membership, Segment, SegmentForm};
pub use source::{
    AbsentColumns, BadRowsBlock, ColumnRule, ColumnType, DriftBlock, ExtraColumns, FileForm,
    OrderBlock, Source, SubscriptionBlock, ValueRole, WiderTypes,
};
pub use subjects::{
    DurationRole, InvoiceBlock, ReviewBlock, ScalesBlock, SurveyBlock, TicketBlock,
};
