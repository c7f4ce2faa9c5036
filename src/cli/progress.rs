//! Progress: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::signals::Signals;
use crate::engine::Monitor;

/// How often a plain line is printed during a long pass.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Listens to the engine and tells the user.
pub(super) struct Progress {
    signals: Signals,
    quiet: bool,
    bar: Option<ProgressBar>,
    rows: AtomicU64,
    plain: Mutex<Plain>,
}

#[derive(Default)]
struct Plain {
    source: String,
    total: u64,
    begun: Option<Instant>,
    last: Option<Instant>,
}

impl Progress {
    pub fn new(quiet: bool, signals: Signals) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(
                "{prefix:>12} {bar:24} {human_pos}/{human_len} rows  {rate}  {eta} left",
            );
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.with_key(
                "rate",
                |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = write!(out, "{:.0} rows/s", state.per_sec());
                },
            ));
            bar
        });
        Progress { signals, quiet, bar, rows: AtomicU64::new(0), plain: Mutex::default() }
    }

    /// A line for people, on stderr.
    pub fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| write_line(line)),
            None => write_line(line),
        }
    }

    fn plain(&self) -> std::sync::MutexGuard<'_, Plain> {
        self.plain.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn write_line(line: &str) {
    // Nobody listens on a closed stderr; that is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[expect(clippy::disallowed_methods, reason = "progress shows rates and the time left")]
fn now() -> Instant {
    Instant::now()
}

impl Monitor for Progress {
    fn begin(&self, source: &str, rows: u64) {
        self.rows.store(0, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_length(rows);
            bar.set_prefix(source.to_owned());
        } else {
            self.say(&format!("reading {source}: {rows} rows"));
        }
        let begun = Some(now());
        *self.plain() = Plain { source: source.to_owned(), total: rows, begun, last: begun };
    }

    fn advance(&self, rows: u64) {
        let done = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &self.bar {
            bar.inc(rows);
            return;
        }
        let mut plain = self.plain();
        if plain.last.is_some_and(|last| last.elapsed() >= PLAIN_EVERY) {
            plain.last = Some(now());
            let share = 100 * done / plain.total.max(1);
            let line = format!("reading {}: {done} rows, {share}%", plain.source);
            drop(plain);
            self.say(&line);
        }
    }

    fn end(&self, source: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let rows = self.rows.load(Ordering::Relaxed);
        let begun = self.plain().begun;
        let seconds = begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
        self.say(&format!("read {source}: {rows} rows in {seconds:.2} s"));
    }

    fn stopped(&self) -> bool {
        self.signals.received().is_some()
    }

    fn exit_status(&self) -> Option<u8> {
        self.signals.received().map(|status| status.code())
    }

    fn abandon(&self) {
        if let Some(status) = self.signals.received() {
            write_line("error: stopped by a signal; nothing was published");
            std::process::exit(status.code().into());
        }
    }
}
