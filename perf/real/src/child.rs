//! A process that says on its output where it is to be found.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Killed when dropped.
pub struct Said {
    child: Child,
    /// What followed each of the words that were waited for.
    pub words: Vec<String>,
    /// Reads on, so that it need not wait for us.
    rest: Option<JoinHandle<Vec<String>>>,
}

impl Said {
    /// Starts it, and waits for a line that begins with each of these words, in their order.
    ///
    /// # Errors
    /// If it does not start, or ends without having said them.
    pub fn start(mut command: Command, wanted: &[&str]) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        let mut said = Said { child, words: Vec::new(), rest: None };
        let mut lines = BufReader::new(said.child.stdout.take().context("no stdout")?).lines();
        for word in wanted {
            let found =
                lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.strip_prefix(word)?.trim().into()));
            said.words.push(found.with_context(|| format!("{command:?} does not say {word:?}"))?);
        }
        said.rest = Some(std::thread::spawn(move || lines.map_while(Result::ok).collect()));
        Ok(said)
    }

    /// Asks it to end, and returns the lines that it has said since.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn stop(mut self) -> anyhow::Result<Vec<String>> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM)?;
        self.child.wait()?;
        let rest = self.rest.take().context("it was not started")?;
        Ok(rest.join().unwrap_or_default())
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        // Both fail only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
