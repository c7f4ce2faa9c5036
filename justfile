# Tasks of a working day. `just` alone lists them.

_list:
    @just --list --unsorted

# Format all sources
fmt:
    cargo fmt

# Lints as CI runs them
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# All tests; arguments go to the test runner: `just test cases`
test *arguments:
    cargo test --locked {{arguments}}

# Exactly what CI runs
ci:
    .ci/run

# Benchmarks: decode, one expression, the Aggregate fold; `just bench decode` for some
bench *arguments:
    cargo bench --locked {{arguments}}

# Run a pipeline with the release build
run pipeline="pipelines/cdnow.yaml" *arguments:
    cargo run --release --locked -- run {{pipeline}} {{arguments}}

# Run the CDNOW pipeline and open its report
report: run
    xdg-open out/cdnow/report.html

# Make sample_data/cdnow again from a folder with the published text files
data folder:
    cargo run --locked --example convert_cdnow -- {{quote(folder)}} sample_data/cdnow

# Compute the expected figures of CDNOW and the shop again (needs the DuckDB command line)
expected:
    duckdb < tests/expected/cdnow.sql
    duckdb < tests/expected/shop.sql

# Accept or refuse changed snapshots (needs cargo-insta)
snapshots:
    cargo insta review

# Licences, banned crates and sources of all dependencies (needs cargo-deny)
deny:
    cargo deny --locked check bans licenses sources

# How long the first release build takes, from nothing: the figure in the README
build-time:
    #!/usr/bin/env bash
    set -euo pipefail
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    time CARGO_TARGET_DIR="$folder" cargo build --release --locked

# The nightly job through tenure, DuckDB, Polars, DataFusion and chDB: `just compare 20m --layout shuffled --ids random`
compare orders="1m" *arguments:
    cargo build --release --locked
    python3 -m venv target/compare/venv
    target/compare/venv/bin/pip install --quiet --requirement benches/compare/requirements.txt
    target/compare/venv/bin/python benches/compare/compare.py --orders {{orders}} {{arguments}}

# A million simulated customers fitted by tenure and by the PyPI package lifetimes, and scored with intervals
bench-models:
    mkdir -p target/models
    cargo bench --locked --bench models -- "$PWD/target/models" > target/models/tenure.csv
    python3 -m venv target/models/venv
    target/models/venv/bin/pip install --quiet --requirement benches/models/requirements.txt
    target/models/venv/bin/python benches/models/compare.py target/models < target/models/tenure.csv

# Whether intervals hold the truth as often as they say: 400 simulated histories for each model (minutes)
verify:
    cargo test --locked --release --lib -- --ignored intervals_hold --nocapture
