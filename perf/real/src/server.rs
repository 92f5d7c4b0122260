//! The real broker and the real registry, each a child process by the scripts of this folder.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest wait until one that was fetched is ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between looks whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// A server that can be killed and started again on its data.
pub struct Server {
    script: &'static str,
    folder: PathBuf,
    arguments: Vec<String>,
    running: Option<Running>,
}

/// Killed when dropped.
struct Running {
    child: Child,
    /// The script ends when this does, however this process ends.
    _stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    is_ready: bool,
}

impl Server {
    /// A broker with all in `folder`, on this port, with more lines for its `server.properties`, and more listeners, such as
    /// `SSL://127.0.0.1:9093`.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn broker(folder: &Path, port: u16, properties: &str, listeners: &[String]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("more.properties");
        std::fs::write(&file, properties).with_context(|| file.display().to_string())?;
        let folder = folder.join("data");
        let named = |path: &Path| path.display().to_string();
        let mut arguments = vec![port.to_string(), named(&folder), named(&file)];
        arguments.extend_from_slice(listeners);
        Ok(Server { script: "kafka.sh", folder, arguments, running: None })
    }

    /// A registry with all in `folder`, on this port, and its URL.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn registry(folder: &Path, port: u16) -> anyhow::Result<(Self, String)> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.join("data");
        let arguments = vec![port.to_string(), folder.display().to_string()];
        let url = format!("http://127.0.0.1:{port}/apis/ccompat/v7");
        Ok((Server { script: "registry.sh", folder, arguments, running: None }, url))
    }

    /// Has Maven get the program, if that was not done before.
    ///
    /// # Errors
    /// What is missing, in the script's words on the standard error.
    pub fn fetch(&self) -> anyhow::Result<()> {
        let script = script(self.script);
        let status = Command::new(&script).arg("fetch").status().with_context(|| script.display().to_string())?;
        if status.success() { Ok(()) } else { bail!("{} fetch: {status}", script.display()) }
    }

    /// Starts it; it is ready later.
    ///
    /// # Errors
    /// If its script cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let script = script(self.script);
        let said = self.folder.with_extension("said");
        let log = File::options().create(true).append(true).open(&said);
        let log = log.with_context(|| said.display().to_string())?;
        let mut command = Command::new(&script);
        command.arg("run").args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().with_context(|| script.display().to_string())?;
        let (sender, lines) = channel();
        let stdout = child.stdout.take().context("no stdout")?;
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        self.running = Some(Running { _stdin: child.stdin.take(), child, lines, is_ready: false });
        Ok(())
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// If it ends, in its own words, or takes too long.
    pub fn start_and_wait(&mut self) -> anyhow::Result<()> {
        self.start()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready()? {
            if Instant::now() > deadline {
                bail!("{} is not ready after {PATIENCE:?}, see {}", self.script, self.folder.display());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Whether it answers by now.
    ///
    /// # Errors
    /// If it has ended, in its own words.
    pub fn is_ready(&mut self) -> anyhow::Result<bool> {
        let Some(running) = &mut self.running else { return Ok(false) };
        while !running.is_ready {
            match running.lines.try_recv() {
                Ok(line) => running.is_ready = line.starts_with("ready at "),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    let said = std::fs::read_to_string(self.folder.with_extension("said")).unwrap_or_default();
                    bail!("{} does not start: {}", self.script, said.lines().last().unwrap_or("it says nothing"));
                }
            }
        }
        Ok(running.is_ready)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Has it stand still, or go on.
    ///
    /// # Errors
    /// If it cannot be signalled.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        kill(Pid::from_raw(running.child.id().cast_signed()), signal)
            .with_context(|| format!("{}: {signal}", self.script))
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free address for a server that comes and goes. Below the ports that the system gives to clients: one that asks for it
/// while nobody listens could be given the same port for its own end, be connected to itself, and keep the port.
///
/// # Errors
/// If none is free.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let mut rng = fastrand::Rng::new();
    for _ in 0..1_000 {
        let address = SocketAddr::from(([127, 0, 0, 1], rng.u16(10_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port between 10000 and 30000 is free on 127.0.0.1")
}
