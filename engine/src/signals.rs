//! What is wished from outside.

use std::time::Duration;

use anyhow::Context;
use crossbeam::channel::{Receiver, bounded};
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
pub struct Signals(Receiver<Wish>);

impl Signals {
    /// Takes the signals over. A second wish to stop while the first is being obeyed ends the process at once.
    ///
    /// # Errors
    /// If they cannot be taken over.
    pub fn install() -> anyhow::Result<Self> {
        let (sender, receiver) = bounded(16);
        let mut signals =
            signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be handled")?;
        let listen = move || {
            let mut stop_was_asked = false;
            for signal in signals.forever() {
                let wish = if signal == SIGHUP { Wish::Reload } else { Wish::Stop };
                if wish == Wish::Stop && std::mem::replace(&mut stop_was_asked, true) {
                    eprintln!("stopped at once: what was in flight is not known to have arrived");
                    std::process::exit(1);
                }
                // Whoever has as many wishes before it needs no further one.
                let _ = sender.try_send(wish);
            }
        };
        std::thread::Builder::new().name("k2-signals".into()).spawn(listen).context("signals cannot be handled")?;
        Ok(Signals(receiver))
    }

    /// Waits for a wish, no longer than `longest`.
    pub fn wait(&self, longest: Duration) -> Option<Wish> {
        self.0.recv_timeout(longest).ok()
    }
}
