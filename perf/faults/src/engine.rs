//! The engine under test: `k2-feed run` as a child process, started again whenever it has ended and should run.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::settings::{MESSAGE_TIMEOUT_MS, Settings};

/// How long after an end it is started again, as service managers do.
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// What the engine logs when it hears the market.
const SUBSCRIBED: &str = "\"subscribed\"";

/// The engine, over all its runs.
pub(crate) struct Engine {
    binary: PathBuf,
    settings: Settings,
    /// Has a folder for each run.
    folder: PathBuf,
    rng: fastrand::Rng,
    is_wanted: bool,
    start_at: Instant,
    running: Option<Running>,
    pub(crate) runs: Vec<Run>,
}

/// One run, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Has `log` and, if it ended by itself, `report/report.json`.
    pub(crate) folder: PathBuf,
    pub(crate) ended: Option<ExitStatus>,
    /// Whether it was killed.
    pub(crate) is_killed: bool,
    /// When it was started, in milliseconds since 1970.
    pub(crate) started_at_ms: i64,
    /// When it was told to end, or killed, in milliseconds since 1970.
    pub(crate) told_at_ms: Option<i64>,
    /// When it was seen to hear the market, in milliseconds since 1970: it has heard it for a moment by then.
    pub(crate) subscribed_at_ms: Option<i64>,
}

/// Killed when dropped.
struct Running {
    child: Child,
    log: File,
    read: String,
}

impl Engine {
    pub(crate) fn new(binary: &Path, folder: &Path, settings: Settings, seed: u64) -> Self {
        Engine {
            binary: binary.to_path_buf(),
            settings,
            folder: folder.to_path_buf(),
            rng: fastrand::Rng::with_seed(seed),
            is_wanted: false,
            start_at: Instant::now(),
            running: None,
            runs: Vec::new(),
        }
    }

    /// From now on it runs, and is started again if it ends.
    pub(crate) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Tells it to stop, and not to be started again.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Kills it, and has it not started again.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.end(Signal::SIGKILL)
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.is_wanted = false;
        let (Some(running), Some(run)) = (&self.running, self.runs.last_mut()) else { return Ok(()) };
        run.told_at_ms = Some(unix_ms());
        run.is_killed = signal == Signal::SIGKILL;
        kill(Pid::from_raw(running.child.id().cast_signed()), signal).context("the engine cannot be signalled")
    }

    /// The number of its process, if it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// Whether it hears the market, and was not told to end.
    pub(crate) fn is_subscribed(&self) -> bool {
        let hears = |run: &Run| run.has_subscribed() && run.told_at_ms.is_none();
        self.running.is_some() && self.runs.last().is_some_and(hears)
    }

    /// Starts it if it should run and does not, and sees how it does. To be called again and again, by the thread that
    /// lives longest: the engine ends with the thread that started it.
    pub(crate) fn look(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        match (&mut self.running, self.runs.last_mut()) {
            (Some(running), Some(run)) => {
                if !run.has_subscribed() && running.says(SUBSCRIBED)? {
                    run.subscribed_at_ms = Some(unix_ms());
                }
                if let Some(status) = running.child.try_wait()? {
                    run.ended = Some(status);
                    self.running = None;
                    self.start_at = now + RESTART_AFTER;
                }
            }
            _ if self.is_wanted && now >= self.start_at => self.start()?,
            _ => {}
        }
        Ok(())
    }

    /// What each of its threads waits for, if it runs: for one that hangs.
    pub(crate) fn threads(&self) -> String {
        let Some(pid) = self.pid() else { return "it does not run".into() };
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
        let said = tasks.map(|task| {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default().trim().to_string();
            format!("{}: {} (system call {})", read("comm"), read("wchan"), read("syscall"))
        });
        said.collect::<Vec<_>>().join("\n")
    }

    /// All its runs. One that goes on is killed.
    pub(crate) fn into_runs(self) -> Vec<Run> {
        self.runs
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.join(format!("run-{}", self.runs.len()));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        // With a timeout records come back, and may be there twice; without, librdkafka keeps them.
        let message_timeout_ms = self.rng.bool().then_some(MESSAGE_TIMEOUT_MS);
        fs::write(folder.join("feed.toml"), self.settings.feed_toml(message_timeout_ms))?;
        let path = folder.join("log");
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        let mut command = k2_real::engine::command(&self.binary);
        command.args(["run", "--log-format", "json", "--report", "report"]).current_dir(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // SAFETY: the closure makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into));
        }
        let started_at_ms = unix_ms();
        let child = command.spawn().with_context(|| self.binary.display().to_string())?;
        self.running = Some(Running { child, log: File::open(&path)?, read: String::new() });
        self.runs.push(Run {
            folder,
            ended: None,
            is_killed: false,
            started_at_ms,
            told_at_ms: None,
            subscribed_at_ms: None,
        });
        Ok(())
    }
}

impl Run {
    /// Whether it heard the market.
    pub(crate) fn has_subscribed(&self) -> bool {
        self.subscribed_at_ms.is_some()
    }

    /// What it has written at its end, if it has.
    pub(crate) fn report(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(self.folder.join("report/report.json")).ok()?).ok()
    }

    /// What is wrong with how it ended, if something is. One that cannot start, and says so, is not: the broker may be away.
    pub(crate) fn fault(&self) -> Option<String> {
        let wrong = match (self.ended, self.told_at_ms) {
            _ if self.is_killed => return None,
            (None, _) => "it did not end".into(),
            (Some(status), _) if !matches!(status.code(), Some(0..=2)) => format!("it ended by {status}"),
            (Some(status), None) if self.has_subscribed() => format!("it ended by itself: {status}"),
            (Some(_), Some(_)) if self.has_subscribed() && self.report().is_none() => "it left no report".into(),
            _ => return None,
        };
        Some(format!("{}: {wrong}", self.name()))
    }

    /// How it is called in what is said of it: by its folder.
    pub(crate) fn name(&self) -> String {
        format!("the engine's {}", self.folder.file_name().unwrap_or_default().display())
    }
}

impl Running {
    /// Whether a line of the log that was not looked at before says so.
    fn says(&mut self, needle: &str) -> anyhow::Result<bool> {
        let kept = self.read.len().saturating_sub(needle.len());
        let kept = (kept..=self.read.len()).find(|at| self.read.is_char_boundary(*at)).unwrap_or(0);
        self.read.drain(..kept);
        let mut bytes = Vec::new();
        self.log.read_to_end(&mut bytes)?;
        self.read.push_str(&String::from_utf8_lossy(&bytes));
        Ok(self.read.contains(needle))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    /// One that was told to end and did, with its report.
    fn run(folder: &Path) -> Run {
        let folder = folder.join("run-7");
        fs::create_dir_all(folder.join("report")).unwrap();
        fs::write(folder.join("report/report.json"), "{}").unwrap();
        Run {
            folder,
            ended: Some(ExitStatus::from_raw(0)),
            is_killed: false,
            started_at_ms: 0,
            told_at_ms: Some(2),
            subscribed_at_ms: Some(1),
        }
    }

    #[test]
    fn ends_that_nobody_wished_for_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let right = run(folder.path());
        let (lost, panicked, aborted) = (1 << 8, 101 << 8, 6);
        let status = |raw| Some(ExitStatus::from_raw(raw));
        assert_eq!(right.fault(), None);
        assert_eq!(Run { ended: status(lost), ..right.clone() }.fault(), None, "its report says what");
        assert_eq!(Run { ended: status(9), is_killed: true, ..right.clone() }.fault(), None);
        let in_vain = Run { ended: status(lost), subscribed_at_ms: None, told_at_ms: None, ..right.clone() };
        assert_eq!(in_vain.fault(), None);
        for (run, why) in [
            (Run { ended: None, ..right.clone() }, "did not end"),
            (Run { ended: status(aborted), ..right.clone() }, "by signal: 6"),
            (Run { ended: status(panicked), ..in_vain }, "exit status: 101"),
            (Run { told_at_ms: None, ..right.clone() }, "by itself"),
            (Run { folder: folder.path().join("elsewhere"), ..right }, "no report"),
        ] {
            assert!(run.fault().is_some_and(|fault| fault.contains(why)), "{:?} is not {why:?}", run.fault());
        }
    }

    #[test]
    fn a_line_is_found_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "\"message\":\"subsc").unwrap();
        let child = Command::new("true").spawn().unwrap();
        let mut running = Running { child, log: File::open(&path).unwrap(), read: String::new() };
        assert!(!running.says(SUBSCRIBED).unwrap());
        fs::write(&path, "\"message\":\"subscribed\",").unwrap();
        assert!(running.says(SUBSCRIBED).unwrap());
    }
}
