//! SIGINT and SIGTERM: the first asks the run to stop, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::run::ExitStatus;

/// The signal received, if there was one.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    received: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens from now on. Where that is not possible, signals end the process as they do by default.
    pub fn listen() -> Self {
        let signals = Signals::default();
        for (signal, status) in
            [(SIGINT, ExitStatus::Interrupted), (SIGTERM, ExitStatus::Terminated)]
        {
            let seen = Arc::new(AtomicBool::new(false));
            // In this order: a second signal finds the flag that the first one set.
            let _ = signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(status.code()),
                seen.clone(),
            );
            let _ = signal_hook::flag::register(signal, seen);
            let _ = signal_hook::flag::register_usize(
                signal,
                signals.received.clone(),
                usize::from(status.code()),
            );
        }
        signals
    }

    /// The exit status that the signal asks for.
    pub fn received(&self) -> Option<ExitStatus> {
        match self.received.load(Ordering::Relaxed) {
            130 => Some(ExitStatus::Interrupted),
            143 => Some(ExitStatus::Terminated),
            _ => None,
        }
    }
}
