//! The wish to stop, from outside.

use std::time::Duration;

use anyhow::Context;
use crossbeam::channel::{Receiver, bounded};

/// SIGINT, SIGTERM and SIGHUP.
pub struct Signals(Receiver<()>);

impl Signals {
    /// Takes the signals over. A second one while the first is being obeyed ends the process at once.
    ///
    /// # Errors
    /// If they are taken already.
    pub fn install() -> anyhow::Result<Self> {
        let (sender, receiver) = bounded(1);
        let mut asked = false;
        ctrlc::set_handler(move || {
            if asked {
                eprintln!("stopped at once: what was in flight is not known to have arrived");
                std::process::exit(1);
            }
            asked = true;
            let _ = sender.try_send(());
        })
        .context("signals cannot be handled")?;
        Ok(Signals(receiver))
    }

    /// Waits for a signal, no longer than `longest`. Whether one came.
    pub fn wait(&self, longest: Duration) -> bool {
        self.0.recv_timeout(longest).is_ok()
    }
}
