//! A process that says on its output where it is to be found.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Killed when dropped.
pub(crate) struct Said {
    child: Child,
    /// What followed each of the words that were waited for.
    pub(crate) words: Vec<String>,
}

impl Said {
    /// Starts it, and waits for a line that begins with each of these words, in their order.
    pub(crate) fn start(mut command: Command, wanted: &[&str]) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut said = Said { child: command.spawn().with_context(|| format!("{command:?}"))?, words: Vec::new() };
        let mut lines = BufReader::new(said.child.stdout.take().context("no stdout")?).lines();
        for word in wanted {
            let found =
                lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.strip_prefix(word)?.trim().into()));
            said.words.push(found.with_context(|| format!("{command:?} does not say {word:?}"))?);
        }
        // It must not wait for us.
        std::thread::spawn(move || {
            let mut rest = lines;
            rest.by_ref().map_while(Result::ok).for_each(drop);
        });
        Ok(said)
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        // Both fail only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
