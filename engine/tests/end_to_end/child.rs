//! A child process of the real binary: its lines as they come, its end by a signal, its exit code.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything that a child is to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// The binary with these arguments, in an environment without settings of ours.
pub(crate) fn k2_feed(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k2-feed"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("K2_")) {
        command.env_remove(name);
    }
    command
}

/// A running child, killed when dropped.
pub(crate) struct Child {
    process: std::process::Child,
    stdout: Lines,
    stderr: Lines,
}

/// How a child ended, and all it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails the test unless the child ended with this code.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless all `parts` are somewhere on stderr.
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in:\n{}", self.stderr);
        }
        self
    }
}

impl Child {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.spawn().expect("the binary starts");
        let stdout = Lines::of(process.stdout.take().unwrap());
        let stderr = Lines::of(process.stderr.take().unwrap());
        Child { process, stdout, stderr }
    }

    /// The first line on stdout that contains `needle`.
    pub(crate) fn stdout_line(&mut self, needle: &str) -> String {
        let found = self.stdout.find(needle);
        found.unwrap_or_else(|| {
            panic!("no {needle:?} on stdout: {:?}; stderr: {:#?}", self.stdout.seen, self.stderr.all())
        })
    }

    /// The first line on stderr that contains `needle`.
    pub(crate) fn log_line(&mut self, needle: &str) -> String {
        let found = self.stderr.find(needle);
        found.unwrap_or_else(|| panic!("no {needle:?} in the log: {:#?}", self.stderr.seen))
    }

    /// As [`Self::log_line`], but later than those that were looked for before.
    pub(crate) fn next_log_line(&mut self, needle: &str) -> String {
        let from = self.stderr.seen.len();
        let found = self.stderr.find_from(from, needle);
        found.unwrap_or_else(|| panic!("no more {needle:?} in the log: {:#?}", self.stderr.seen))
    }

    /// The kernel's number of the child.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks the child to stop.
    pub(crate) fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: the call takes two numbers; the child has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.process.id() as libc::pid_t, signal) };
    }

    /// Ends the child without asking.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// Waits until the child has ended by itself.
    pub(crate) fn ended(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let closed = self.stdout.drain(deadline) && self.stderr.drain(deadline);
        assert!(closed, "the child does not end; stdout: {:#?}, stderr: {:#?}", self.stdout.seen, self.stderr.seen);
        let code = self.process.wait().unwrap().code();
        Ended { code, stdout: self.stdout.seen.join("\n"), stderr: self.stderr.seen.join("\n") }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail for a child that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a pipe, read by a thread of its own, so that the child never waits for us.
struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(pipe).lines();
            lines.map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        Lines { coming, seen: Vec::new() }
    }

    /// The first line that contains `needle`, among those seen or yet to come.
    fn find(&mut self, needle: &str) -> Option<String> {
        self.find_from(0, needle)
    }

    /// The same, not among the first `at` lines.
    fn find_from(&mut self, mut at: usize, needle: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.seen[at..].iter().find(|line| line.contains(needle)) {
                return Some(line.clone());
            }
            at = self.seen.len();
            let left = deadline.saturating_duration_since(Instant::now());
            self.seen.push(self.coming.recv_timeout(left).ok()?);
        }
    }

    /// Takes in all lines up to the end of the pipe. Whether that came before the deadline.
    fn drain(&mut self, deadline: Instant) -> bool {
        loop {
            match self.coming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// What has come so far.
    fn all(&mut self) -> &[String] {
        self.seen.extend(self.coming.try_iter());
        &self.seen
    }
}
