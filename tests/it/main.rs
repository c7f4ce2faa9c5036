//! All integration tests, as one program: each one more would link Polars again.

mod engines;
mod support;
mod tidy;
