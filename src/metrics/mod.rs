//! Metrics: how a name becomes measures of groups and columns of a table.
//!
//! A metric is lowered twice removed from data: to [`Measure`](crate::ir::Measure)s that an
//! aggregate computes, and to expressions over them that are its columns. Every metric is one file,
//! whose doc comment is its manual page, and one line in [`registry`].
//!
//! **Invariants**
//! - Pure: a metric reads no data and knows no engine.
//! - What has a numerator and an n shows both; n = 0 gives null, never 0.
//! - A metric never guesses a role: what its input lacks is a diagnostic.

mod catalog;
mod drawn;
mod fields;
mod following;
mod grouped;
pub mod kinds;
mod lasting;
mod lowering;
pub mod orders;
pub mod payments;
mod placed;
mod registry;
mod rows;
pub mod service;
mod statistic;
mod subject;
pub mod survey;
pub mod voice;
mod weights;
mod written;

pub use catalog::{Catalog, Declared, Direction, MetricName};
pub use drawn::{Drawn, Estimate, ValuesOf};
pub use fields::{
    CustomerFields, GAP_COLUMN, ORDER_COLUMNS, OrderFields, PLACED_COLUMNS, PlacedFields,
    WEIGHT_COLUMN,
};
pub use following::{Before, COUNTED_COLUMN, Following};
pub use grouped::{PER_COLUMN, Top, per_columns};
pub use lowering::{Best, Dated, Each, IntervalMethod, Level, Lowering, MetricColumn};
pub use placed::PlacedRows;
pub(crate) use registry::no_options;
pub use registry::{Metric, MetricKind, block_of, find, meant, registry};
pub use statistic::Statistic;
pub use subject::{Asked, Subject};
pub use weights::WeightedValue;
pub use written::{Entry, Lacking, block};
