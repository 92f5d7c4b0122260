//! `k2-feed run` between an exchange and a broker.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// An exchange and a broker, each a process of its own.
pub(crate) struct Runner {
    exchange: (Child, String),
    broker: (Child, String),
    registry: String,
}

impl Runner {
    pub(crate) fn start(engine: &Path, rate: u32) -> anyhow::Result<Self> {
        let (exchange, [url]) = said(engine, &["simulate", "binance", "--rate", &rate.to_string()], ["listening on "])?;
        let (broker, [servers, registry]) = said(engine, &["broker"], ["bootstrap.servers", "schema.registry.url"])?;
        Ok(Runner { exchange: (exchange, url), broker: (broker, servers), registry })
    }

    /// `k2-feed run` between them, in `folder`.
    pub(crate) fn command(
        &self,
        engine: &Path,
        folder: &Path,
        report: Option<(&PathBuf, Duration)>,
    ) -> anyhow::Result<Command> {
        let mut command = k2_real::engine::command(&fs::canonicalize(engine)?);
        command.arg("run").current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((report, run_for)) = report {
            command.arg("--report").arg(report).args(["--for", &format!("{}ms", run_for.as_millis())]);
        }
        command.env("K2_EXCHANGE", "binance").env("K2_SYMBOLS", "BTCUSDT,ETHUSDT,SOLUSDT");
        command.env("K2_BINANCE_WS_URL", &self.exchange.1).env("K2_KAFKA_BOOTSTRAP_SERVERS", &self.broker.1);
        command.env("K2_KAFKA_SCHEMA_REGISTRY_URL", &self.registry);
        Ok(command)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        for child in [&mut self.exchange.0, &mut self.broker.0] {
            // Both fail only for one that has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a command of the engine, and waits for lines that begin with these words; returns what follows them.
fn said<const N: usize>(engine: &Path, args: &[&str], wanted: [&str; N]) -> anyhow::Result<(Child, [String; N])> {
    let mut command = k2_real::engine::command(engine);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines().map_while(Result::ok);
    let words = wanted.map(|word| lines.by_ref().find_map(|line| Some(line.strip_prefix(word)?.trim().to_string())));
    std::thread::spawn(move || lines.for_each(drop));
    if words.iter().any(Option::is_none) {
        // It may have ended by itself.
        let _ = child.kill();
        bail!("{command:?} does not say where it is");
    }
    Ok((child, words.map(Option::unwrap_or_default)))
}

/// Asks a process to end, and waits until it has.
pub(crate) fn stop(child: &mut Child) -> anyhow::Result<()> {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT)?;
    child.wait()?;
    Ok(())
}
