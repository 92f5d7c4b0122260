//! `k2-feed run` between an exchange and a broker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k2_real::{Said, engine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// An exchange and a broker, each a process of its own.
pub(crate) struct Runner {
    exchange: Said,
    broker: Said,
}

impl Runner {
    pub(crate) fn start(binary: &Path, rate: u32) -> anyhow::Result<Self> {
        let command = |args: &[&str]| {
            let mut command = engine::command(binary);
            command.args(args);
            command
        };
        let exchange = Said::start(command(&["simulate", "binance", "--rate", &rate.to_string()]), &["listening on "])?;
        let broker = Said::start(command(&["broker"]), &["bootstrap.servers", "schema.registry.url"])?;
        Ok(Runner { exchange, broker })
    }

    /// `k2-feed run` between them, in `folder`.
    pub(crate) fn command(
        &self,
        engine: &Path,
        folder: &Path,
        report: Option<(&PathBuf, Duration)>,
    ) -> anyhow::Result<Command> {
        let mut command = engine::command(&fs::canonicalize(engine)?);
        command.arg("run").current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((report, run_for)) = report {
            command.arg("--report").arg(report).args(["--for", &format!("{}ms", run_for.as_millis())]);
        }
        command.env("K2_EXCHANGE", "binance").env("K2_SYMBOLS", "BTCUSDT,ETHUSDT,SOLUSDT");
        command
            .env("K2_BINANCE_WS_URL", &self.exchange.words[0])
            .env("K2_KAFKA_BOOTSTRAP_SERVERS", &self.broker.words[0]);
        command.env("K2_KAFKA_SCHEMA_REGISTRY_URL", &self.broker.words[1]);
        Ok(command)
    }
}

/// Asks a process to end, and waits until it has.
pub(crate) fn stop(child: &mut Child) -> anyhow::Result<()> {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT)?;
    child.wait()?;
    Ok(())
}
