//! Progress: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::signals::Signals;
use crate::document::Interval;
use crate::engine::Monitor;
use crate::run::{ExitStatus, RunError};

/// How often a plain line is printed during a long pass.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Listens to the engine and tells the user.
pub(super) struct Progress {
    signals: Signals,
    begun: Instant,
    timeout: Option<Duration>,
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
        let (rows, plain) = (AtomicU64::new(0), Mutex::default());
        Progress { signals, begun: now(), timeout: None, quiet, bar, rows, plain }
    }

    /// Asks the run to stop after a time.
    pub fn until(self, timeout: Duration) -> Self {
        Progress { timeout: Some(timeout), ..self }
    }

    /// True if the run has taken longer than it may.
    pub fn is_late(&self) -> bool {
        self.timeout.is_some_and(|timeout| self.begun.elapsed() > timeout)
    }

    /// How long the run may take, in words.
    pub fn limit(&self) -> String {
        let micros = self.timeout.map_or(0, |timeout| timeout.as_micros());
        Interval { months: 0, micros: i64::try_from(micros).unwrap_or(i64::MAX) }.to_string()
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
        self.signals.received().is_some() || self.is_late()
    }

    fn exit_status(&self) -> Option<u8> {
        let late = || self.is_late().then_some(ExitStatus::Limit);
        self.signals.received().or_else(late).map(ExitStatus::code)
    }

    fn abandon(&self) {
        let (error, status) = match self.signals.received() {
            Some(status) => (RunError::Signal(status), status),
            None if self.is_late() => {
                (RunError::Timeout { limit: self.limit() }, ExitStatus::Limit)
            }
            None => return,
        };
        write_line(&format!("error: {error}"));
        std::process::exit(status.code().into());
    }
}
