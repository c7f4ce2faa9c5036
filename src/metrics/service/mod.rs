//! Metrics of support tickets: how many, how long they take, what is promised and kept.
//!
//! **Invariants**
//! - A ticket counts in the cell of its `time`, when it was opened, whatever happens to it later.
//! - What has not happened by `as_of` is not known: such tickets are left out by a rule that is told, and never
//!   counted as good.

pub mod abandonment_rate;
pub mod handling_time;
pub mod reopen_rate;
pub mod resolution_rate;
pub mod sla_compliance;
pub mod ticket_count;
pub mod tickets_per_customer;
