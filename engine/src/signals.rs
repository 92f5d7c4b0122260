//! What is wished from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use crossbeam::channel::{Receiver, bounded, select};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// A wish from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// SIGINT or SIGTERM.
    Stop,
    /// SIGHUP: read the configuration again. Whoever has none stops.
    Reload,
}

/// SIGINT, SIGTERM and SIGHUP.
pub struct Signals {
    stop: Receiver<()>,
    reload: Receiver<()>,
    /// What would be left by now.
    left: Arc<Mutex<String>>,
}

impl Signals {
    /// Takes the signals over. A second wish to stop while the first is being obeyed ends the process at once.
    ///
    /// # Errors
    /// If they cannot be taken over.
    pub fn install() -> anyhow::Result<Self> {
        // One wish of a kind that waits is enough.
        let ((to_stop, stop), (to_reload, reload)) = (bounded(1), bounded(1));
        let mut signals =
            signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be handled")?;
        let left = Arc::new(Mutex::new("what was in flight is not known to have arrived".to_string()));
        let left_then = left.clone();
        let listen = move || {
            let mut stop_was_asked = false;
            for signal in signals.forever() {
                let wished = if signal == SIGHUP { &to_reload } else { &to_stop };
                if signal != SIGHUP && std::mem::replace(&mut stop_was_asked, true) {
                    let left = left_then.lock().unwrap_or_else(PoisonError::into_inner);
                    eprintln!("stopped at once: {left}");
                    std::process::exit(1);
                }
                let _ = wished.try_send(());
            }
        };
        std::thread::Builder::new().name("k2-signals".into()).spawn(listen).context("signals cannot be handled")?;
        Ok(Signals { stop, reload, left })
    }

    /// Brings the wish to stop, for those that wait for something else.
    pub fn stop(&self) -> &Receiver<()> {
        &self.stop
    }

    /// Says what would be left if a second signal came now.
    pub fn tell_left(&self, left: String) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }

    /// Waits for a wish, no longer than `longest`. The wish to stop goes first.
    pub fn wait(&self, longest: Duration) -> Option<Wish> {
        if self.stop.try_recv().is_ok() {
            return Some(Wish::Stop);
        }
        select! {
            recv(self.stop) -> _ => Some(Wish::Stop),
            recv(self.reload) -> _ => Some(Wish::Reload),
            default(longest) => None,
        }
    }
}
