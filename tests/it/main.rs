//! All integration tests, as one program: each one more would link Polars again.

mod cases;
mod alerts;
mod canary;
mod checks;
mod cli;
mod cohorts;
mod docs;
mod door;
mod engines;
mod explain;
mod generate;
mod init;
mod input;
mod limits;
mod mistakes;
mod parquet;
mod partitions;
mod privacy;
mod reference;
mod reports;
mod schema;
mod shop;
mod support;
mod tidy;
mod value;
mod written;
