//! A terminal with a shell in it, in which the binary runs: its screen as it would be seen, and keys.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use vt100::Parser;

use crate::child::PATIENCE;

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has rows and columns")
}

/// A terminal. What runs in it is killed when it is dropped.
pub(crate) struct Terminal {
    shell: Child,
    pty: Arc<Pty>,
    coming: Receiver<Vec<u8>>,
    screen: Parser,
}

impl Terminal {
    /// Of so many columns and rows. A shell in it runs the binary with these arguments, says the code with which that
    /// ended, reads a line, and says that.
    pub(crate) fn start(arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let (pty, pts) = open().expect("there are terminals");
        pty.resize(Size::new(rows, columns)).unwrap();
        let script = "\"$@\"; echo \"ended with $?\"; read -r line; echo \"read $line\"";
        let command = Command::new("sh").args(["-c", script, "sh", env!("CARGO_BIN_EXE_k2-feed")]).args(arguments);
        let shell = command.env("TERM", "xterm-256color").env_remove("NO_COLOR").spawn(pts).expect("a shell starts");
        let pty = Arc::new(pty);
        let (sender, coming) = channel();
        let reader = pty.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // Once nothing runs in it any more, there is nothing to read, which is an error.
            while let Ok(count) = (&*reader).read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { shell, pty, coming, screen: Parser::new(cells(rows), cells(columns), 0) }
    }

    /// Waits until the screen is as it should be.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.screen.screen().contents();
            if is_so(&seen) {
                return seen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.coming.recv_timeout(left).unwrap_or_else(|error| panic!("no {what} ({error}):\n{seen}"));
            self.screen.process(&bytes);
        }
    }

    /// Waits until this is somewhere on the screen.
    pub(crate) fn shows(&mut self, text: &str) -> String {
        self.until(text, |seen| seen.contains(text))
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Has another size from now on.
    pub(crate) fn resize(&mut self, (columns, rows): (u16, u16)) {
        self.screen.screen_mut().set_size(cells(rows), cells(columns));
        self.pty.resize(Size::new(rows, columns)).unwrap();
    }

    /// Sends a signal to the binary.
    pub(crate) fn signal(&self, signal: i32) {
        let shell = self.shell.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        let binary: libc::pid_t = children.trim().parse().expect("the shell has one child");
        // SAFETY: the call takes two numbers; the shell waits for its child, so the number is still its own.
        unsafe { libc::kill(binary, signal) };
    }

    /// Waits until the binary has ended with this code and has left the terminal as it was: the screen is the one from
    /// before with its cursor, and what is typed is shown and read by lines.
    pub(crate) fn is_given_back(&mut self, code: i32) -> String {
        let seen = self.shows(&format!("ended with {code}"));
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{seen}");
        self.press("some words\r");
        self.until("echo and answer", |seen| {
            seen.lines().any(|line| line == "some words") && seen.lines().any(|line| line == "read some words")
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail for a shell that has ended. What runs in it ends with its terminal.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
