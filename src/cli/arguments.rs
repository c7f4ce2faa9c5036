//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::generate::{Ids, Layout};
use crate::spec::MemorySize;

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
  tenure init data/orders.parquet data/customers.parquet
  tenure run pipelines/cdnow.yaml
  tenure check pipelines/cdnow.yaml --format json
  tenure show pipelines/cdnow.yaml monthly --rows 5
  tenure stages cohort_retention

Exit status:
  0 done   1 a stage failed   2 command line or pipeline   3 a check failed   4 input
  5 no input rows   6 output   8 locked by another run   70 bug   130 interrupted   143 terminated";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draft a pipeline from files: what they hold, what their columns mean, and first tables
    #[command(after_help = INIT_HELP)]
    Init(InitArguments),
    /// Write a synthetic world of any size: orders, customers, tickets, …, and what is true of them
    #[command(after_help = GENERATE_HELP)]
    Generate(GenerateArguments),
    /// Run a pipeline and publish its tables and report
    Run(RunArguments),
    /// Find mistakes in a pipeline, reading no more than the footers of its Parquet files
    Check(PipelineArguments),
    /// Print the schema, the row count and the first rows of any table, publishing nothing
    Show(ShowArguments),
    /// Show what a run would do: columns, relations, rules
    Explain(ExplainArguments),
    /// List the kinds of stages, or print the manual page of one
    Stages { name: Option<String> },
    /// List the metrics, print the manual page of one, or one in the terms of users' metrics
    #[command(after_help = METRICS_HELP)]
    Metrics(MetricsArguments),
    /// List the kinds of checks, or print the manual page of one
    Checks { name: Option<String> },
    /// Print the JSON Schema of pipelines, with which an editor completes keys and marks mistakes
    #[command(after_help = SCHEMA_HELP)]
    Schema,
    /// Compare the tables of two runs: rows by their grain, cell by cell
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArguments),
    /// Print what a shell needs to complete commands and options
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of the program, or write one for each command
    #[command(after_help = MAN_HELP)]
    Man {
        /// Write `tenure.1`, `tenure-run.1`, … into a directory, which is made if it is not there
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
    },
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
pub struct InitArguments {
    /// Files, folders (also of the form `name=value`) and patterns, of Parquet or CSV: a log of events and
    /// tables to look up in, such as customers and products
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Where the pipeline is written [default: NAME.yaml in the working directory]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The pipeline's name [default: what the events are called]
    #[arg(long)]
    pub name: Option<String>,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
    /// The column that says who, or an expression; likewise below
    #[arg(long, value_name = "COLUMN")]
    pub customer: Option<String>,
    /// The column that says when
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// The column that says how much
    #[arg(long, value_name = "COLUMN")]
    pub value: Option<String>,
}

const INIT_HELP: &str = "\
Examples:
  tenure init data/orders.parquet
  tenure init data/orders/ data/customers.csv --name shop
  tenure init 'data/orders/*.parquet' --output pipelines/shop.yaml
  tenure init log.parquet --customer card --time day --value 'units * price'

What was guessed, and why, is printed to stderr, and the path of the pipeline to stdout. No file is
overwritten without --force.

Exit status:
  0 written   2 command line, or no column says who or when   4 a file is unreadable   5 no rows
  6 the pipeline cannot be written";

#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// Where the tables are written; it must be empty, or not there
    pub directory: PathBuf,
    /// About how many orders: 500, 20k, 1.5m
    #[arg(long, value_name = "N", default_value = "100k", value_parser = amount)]
    pub orders: u64,
    /// Another seed gives another world
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How the files of the orders are cut
    #[arg(long, value_enum, default_value_t = Layout::Month)]
    pub layout: Layout,
    /// What identifies a customer
    #[arg(long, value_enum, default_value_t = Ids::Dense)]
    pub ids: Ids,
    /// Only these tables, separated by commas [default: all]
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// The first day that is not in the world
    #[arg(long, value_name = "DATE", default_value = "2026-01-01")]
    pub until: jiff::civil::Date,
    /// How many years it lasts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub years: u16,
    /// Threads at work; the files are the same with any number [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

const GENERATE_HELP: &str = "\
Examples:
  tenure generate world
  tenure generate world --orders 20m --seed 7
  tenure generate world --orders 1m --layout shuffled --ids random --tables orders,customers

The customers buy as BG/NBD and Gamma-Gamma say, with seasons, discounts, returns, cancellations, rows that
stand there twice, and a few nulls. Beside them: tickets, surveys, follow_ups, subscriptions, invoices,
usage, reviews, mentions, sends, touchpoints, costs. `truth.json` holds what they were drawn with and exact
counts and sums of what was written. The same options give the same bytes on any number of threads.

Exit status:
  0 written   2 command line   6 the directory is not empty, or cannot be written";

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Threads that decode and fold [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// The most memory it takes, instead of the pipeline's: 512MiB, 4GiB, 80%; what does not fit is put aside
    /// in files
    #[arg(long, value_name = "SIZE", value_parser = MemorySize::parse)]
    pub memory_limit: Option<MemorySize>,
    /// The folder for what is put aside, instead of the pipeline's
    #[arg(long, value_name = "DIR")]
    pub spill: Option<PathBuf>,
    /// Print nothing but errors and the manifest's path
    #[arg(long, short)]
    pub quiet: bool,
    /// Publish this stage only, computing what it needs; may be given several times
    #[arg(long, value_name = "STAGE")]
    pub select: Vec<String>,
}

#[derive(Debug, Args)]
pub struct MetricsArguments {
    /// A metric or a kind of metrics
    pub name: Option<String>,
    /// Print the metric as a block of `metrics:`, to be pasted and changed
    #[arg(long, requires = "name")]
    pub as_yaml: bool,
    /// Write it over the columns of this pipeline's tables, where it gives the same numbers; the pipeline's own
    /// metrics may be named too
    #[arg(long, value_name = "PIPELINE", requires = "as_yaml")]
    pub pipeline: Option<PathBuf>,
    /// The table that is measured where the metric names none [default: that of a stage with the metric, or the
    /// source whose rows it is about]
    #[arg(long, value_name = "TABLE", requires = "pipeline")]
    pub from: Option<String>,
    /// First day or instant not seen, as for `run`
    #[arg(long, value_name = "DATE", requires = "pipeline")]
    pub as_of: Option<String>,
    /// Set a parameter: params.NAME=VALUE
    #[arg(long, value_name = "params.NAME=VALUE", requires = "pipeline")]
    pub set: Vec<String>,
    /// What relative paths in the pipeline are relative to [default: the working directory]
    #[arg(long, value_name = "DIR", requires = "pipeline")]
    pub root: Option<PathBuf>,
}

const METRICS_HELP: &str = "\
Examples:
  tenure metrics
  tenure metrics csat
  tenure metrics csat --as-yaml
  tenure metrics reply_in_4h --as-yaml --pipeline pipelines/support_sla.yaml

Without a pipeline the columns of the block stand for roles, which comments name: it holds for a source
that has those roles and no others.

Exit status:
  0 printed   2 command line or pipeline, no such metric, or one that users' metrics cannot say, with
  what they lack   4 a file is unreadable";

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The pipeline
    pub pipeline: PathBuf,
    /// A source, a stage or a companion table
    pub table: String,
    /// How many rows are printed
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rows: usize,
    /// How the table is printed
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    /// First day or instant not seen, as for `run`
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Set a parameter: params.NAME=VALUE
    #[arg(long, value_name = "params.NAME=VALUE")]
    pub set: Vec<String>,
    /// What relative paths in the pipeline are relative to [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    Table,
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub struct ExplainArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Only this stage
    pub stage: Option<String>,
}

#[derive(Debug, Args)]
pub struct DiffArguments {
    /// A run: its directory, a link to it, or its manifest
    #[arg(value_name = "RUN_A")]
    pub a: PathBuf,
    /// The run to compare it with
    #[arg(value_name = "RUN_B")]
    pub b: PathBuf,
    /// How far doubles may differ, absolutely or relative to the larger; all else is compared exactly
    #[arg(long, value_name = "NUMBER", default_value = "1e-9", value_parser = tolerance)]
    pub tolerance: f64,
    /// How differences are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

const DIFF_HELP: &str = "\
Examples:
  tenure diff out.runs/20261101T060000Z out
  tenure diff before/manifest.json after/manifest.json --tolerance 0
  tenure diff yesterday today --format json

Exit status:
  0 equal   1 different   2 command line   4 not a run, or a table is unreadable";

const SCHEMA_HELP: &str = "\
Examples:
  tenure schema > tenure.schema.json

The first line of a pipeline in the same folder tells editors with a YAML language server:
  # yaml-language-server: $schema=tenure.schema.json";

const COMPLETIONS_HELP: &str = "\
Examples:
  tenure completions bash > ~/.local/share/bash-completion/completions/tenure
  tenure completions zsh > ~/.zfunc/_tenure
  tenure completions fish > ~/.config/fish/completions/tenure.fish";

const MAN_HELP: &str = "\
Examples:
  tenure man | man -l -
  tenure man --directory ~/.local/share/man/man1";

/// A whole number, with `k` for thousands, `m` for millions, `b` for thousands of millions.
fn amount(text: &str) -> Result<u64, String> {
    let suffixes = [('k', 1e3), ('m', 1e6), ('b', 1e9)];
    let found =
        suffixes.into_iter().find(|(suffix, _)| text.to_ascii_lowercase().ends_with(*suffix));
    let (digits, times) = match found {
        Some((_, times)) => (&text[..text.len() - 1], times),
        None => (text, 1.0),
    };
    let number: Option<f64> = digits.parse().ok();
    number
        .map(|number| number * times)
        .filter(|number| (1.0..1e12).contains(number))
        .map(|number| number.round() as u64)
        .ok_or_else(|| "a number of orders is of the form 500, 20k or 1.5m".to_owned())
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| "a tolerance is a number from 0".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}
