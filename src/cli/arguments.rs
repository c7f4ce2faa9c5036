//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Batch analytics of customer histories: Parquet and a YAML pipeline in; metrics, retention and value
/// out, as Parquet and a report.
#[derive(Debug, Parser)]
#[command(name = "tenure", version, about, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  tenure run pipelines/cdnow.yaml
  tenure check pipelines/cdnow.yaml --format json
  tenure stages cohort_retention

Exit status:
  0 done   1 a stage failed   2 command line or pipeline   3 a check failed   4 input
  5 no input rows   6 output   8 locked by another run   70 bug   130 interrupted   143 terminated";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline and publish its tables and report
    Run(RunArguments),
    /// Find mistakes in a pipeline, reading no more than the footers of its Parquet files
    Check(PipelineArguments),
    /// Show what a run would do: columns, relations, rules
    Explain(ExplainArguments),
    /// List the kinds of stages, or print the manual page of one
    Stages { name: Option<String> },
    /// List the metrics, or print the manual page of one
    Metrics { name: Option<String> },
    /// List the kinds of checks, or print the manual page of one
    Checks { name: Option<String> },
    /// Fail as a bug would, to try how a job scheduler takes it
    #[command(hide = true)]
    Crash,
}

#[derive(Debug, Args)]
pub struct PipelineArguments {
    /// The pipeline
    pub pipeline: PathBuf,
    /// First day or instant not seen, instead of the pipeline's: 2026-11-01, 2026-11-01T06:00, today,
    /// latest (the day after the last event)
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Set a parameter: params.NAME=VALUE
    #[arg(long, value_name = "params.NAME=VALUE")]
    pub set: Vec<String>,
    /// What relative paths in the pipeline are relative to [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Threads that decode and fold [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print nothing but errors and the manifest's path
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Only this stage
    pub stage: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}
