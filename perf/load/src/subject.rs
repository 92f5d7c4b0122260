//! The program that does the work, as a process of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use k2_real::engine;
use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::brokers::Broker;
use crate::exchange::Exchange;
use crate::halves;
use crate::setting::{Setting, Subject, Wait};
use crate::topics::Topics;

/// Longest time to end when asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);

/// Where the programs are.
pub(crate) struct Programs {
    /// The folder that cargo builds to.
    pub(crate) folder: PathBuf,
    pub(crate) engine: PathBuf,
}

/// One that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    /// Its working directory, with its output and what it leaves.
    pub(crate) folder: PathBuf,
}

impl Programs {
    /// The program of a setting, told by its own means what to do.
    fn command(
        &self,
        setting: &Setting,
        exchange: &Exchange,
        broker: &Broker,
        topics: &Topics,
        report: &Path,
    ) -> Command {
        let own = |name: &str| engine::command(&self.folder.join(name));
        let mut command = match &setting.subject {
            Subject::Engine => {
                let mut command = engine::command(&self.engine);
                command.args(["run", "--report"]).arg(report);
                return command;
            }
            Subject::Floor => return own("k2-floor"),
            Subject::Conventional => own("k2-conventional"),
            Subject::Command(words) => {
                let mut command = engine::command(Path::new("sh"));
                // In the shell's place: what is measured is the program.
                command.args(["-c", &format!("exec {words}")]);
                command
            }
        };
        let url = match setting.subject {
            Subject::Command(_) => exchange.url().to_string(),
            _ => exchange.url_in_microseconds(),
        };
        command.env("K2_EXCHANGE", "binance").env("K2_SYMBOLS", setting.symbols().join(","));
        command.env("K2_BINANCE_WS_URL", url).env("K2_LINGER_US", setting.linger_us.to_string());
        command.env("K2_KAFKA_BOOTSTRAP_SERVERS", &broker.servers);
        command.env("K2_KAFKA_SCHEMA_REGISTRY_URL", &broker.registry);
        command.env("K2_KAFKA_TOPIC_RAW", &topics.raw).env("K2_KAFKA_TOPIC_NORMALIZED", &topics.normalized);
        command
    }

    /// Starts it in `folder`, which is emptied before; the engine reports to `report`.
    pub(crate) fn start(
        &self,
        setting: &Setting,
        exchange: &Exchange,
        broker: &Broker,
        topics: &Topics,
        folder: &Path,
        report: &Path,
    ) -> anyhow::Result<Running> {
        // There is none the first time.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        fs::write(folder.join("feed.toml"), feed_toml(setting, exchange, broker, topics))?;
        let mut command = self.command(setting, exchange, broker, topics, report);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(folder.join("log"))?);
        let child = halves::on_first(|| command.spawn()).with_context(|| format!("{command:?}"))?;
        Ok(Running { child, folder: folder.into() })
    }
}

impl Running {
    /// Time that CPUs have given to it.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        Ok(clock_getcpuclockid(self.pid())?.now()?.into())
    }

    /// Its resident memory in bytes: now, and at most so far.
    pub(crate) fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no memory in its status")?;
            anyhow::Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
        };
        Ok((of("VmRSS:")?, of("VmHWM:")?))
    }

    /// Whether it has ended by itself; the error says so.
    pub(crate) fn look(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended with {status}: {}", self.said()),
            None => Ok(()),
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        kill(self.pid(), Signal::SIGTERM)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
        bail!("it does not end within {STOP_TIMEOUT:?}: {}", self.said())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// The last lines of its log.
    fn said(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn feed_toml(setting: &Setting, exchange: &Exchange, broker: &Broker, topics: &Topics) -> String {
    let Setting { linger_us, batch_bytes, connections, wait, .. } = setting;
    let (symbols, url, Topics { raw, normalized, .. }) = (setting.symbols(), exchange.url_in_microseconds(), topics);
    let wait = match wait {
        Wait::Park => "park",
        Wait::Spin => "spin",
    };
    let mut text = format!(
        "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\nlinger_us = {linger_us}\n\
         librdkafka = {{ \"batch.size\" = \"{batch_bytes}\" }}\n[cores]\nwait = \"{wait}\"\n",
        broker.servers, broker.registry
    );
    for symbols in symbols.chunks(symbols.len().div_ceil(*connections)) {
        text += &format!(
            "[[feed]]\nexchange = \"binance\"\nsymbols = {symbols:?}\nurl = {url:?}\ntopic = {normalized:?}\n\
             topic_raw = {raw:?}\n"
        );
    }
    text
}
