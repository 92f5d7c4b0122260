//! What surrounds a run: broker, registry and exchange, each a child process on ports that the system chose.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::child::{Child, Ended, k2_feed};

/// One engine at a time: they pin themselves to CPUs, of which there may be two.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind: its children are gone.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `k2-feed broker`.
pub(crate) struct Broker {
    pub(crate) child: Child,
    pub(crate) servers: String,
    pub(crate) registry: String,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let mut child = Child::start(k2_feed(&["broker"]));
        let mut setting = |name: &str| {
            let line = child.stdout_line(name);
            line.strip_prefix(name).unwrap().trim().to_string()
        };
        let (servers, registry) = (setting("bootstrap.servers"), setting("schema.registry.url"));
        Broker { child, servers, registry }
    }
}

/// `k2-feed simulate binance`.
pub(crate) struct Exchange {
    pub(crate) child: Child,
    /// As printed: the address of raw streams.
    pub(crate) url: String,
}

impl Exchange {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Child::start(k2_feed(&[&["simulate", "binance"], arguments].concat()));
        let url = child.stdout_line("listening on ").strip_prefix("listening on ").unwrap().to_string();
        Exchange { child, url }
    }

    /// The address without its path.
    pub(crate) fn base(&self) -> &str {
        self.url.strip_suffix("/ws").unwrap()
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.base().strip_prefix("ws://").unwrap()
    }
}

/// `k2-feed run`, in a folder of its own.
pub(crate) struct Run {
    pub(crate) child: Child,
    folder: TempDir,
}

/// How a run ended.
pub(crate) struct Stopped {
    pub(crate) ended: Ended,
    pub(crate) report: Value,
    pub(crate) latency_log: Vec<u8>,
}

impl Run {
    /// Configured by the five variables alone.
    pub(crate) fn start(broker: &Broker, url: &str, symbols: &str) -> Self {
        Run::with(&variables(broker, url, symbols), None, &[])
    }

    /// Configured by `variables` and, if given, by a `feed.toml` in its folder.
    pub(crate) fn with(variables: &[(&str, &str)], file: Option<&str>, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join("feed.toml"), text).unwrap();
        }
        let mut command = k2_feed(&[&["run", "--report", "report"], arguments].concat());
        // Of several at a time, none has the usual address.
        command.env("K2_HTTP_LISTEN", "127.0.0.1:0");
        command.current_dir(folder.path()).envs(variables.iter().copied());
        Run { child: Child::start(command), folder }
    }

    /// Writes another `feed.toml`.
    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("feed.toml"), text).unwrap();
    }

    /// Waits until the exchange has acknowledged what was asked for.
    pub(crate) fn subscribed(mut self) -> Self {
        self.child.log_line("subscribed");
        self
    }

    /// Sends SIGTERM and waits for the end, which must be with code 0.
    pub(crate) fn stop(self) -> Stopped {
        self.child.terminate();
        self.ended()
    }

    /// Waits for the end, which must be with code 0.
    pub(crate) fn ended(self) -> Stopped {
        self.ended_with(0)
    }

    /// Waits for the end, which must be with this code.
    pub(crate) fn ended_with(self, code: i32) -> Stopped {
        let ended = self.child.ended().expect(code);
        let folder = self.folder.path().join("report");
        let read = |path: &Path| std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let report = serde_json::from_slice(&read(&folder.join("report.json"))).expect("report.json is JSON");
        Stopped { ended, report, latency_log: read(&folder.join("latency.hlog")) }
    }
}

/// The five variables that are enough.
pub(crate) fn variables<'a>(broker: &'a Broker, url: &'a str, symbols: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("K2_EXCHANGE", "binance"),
        ("K2_SYMBOLS", symbols),
        ("K2_BINANCE_WS_URL", url),
        ("K2_KAFKA_BOOTSTRAP_SERVERS", &broker.servers),
        ("K2_KAFKA_SCHEMA_REGISTRY_URL", &broker.registry),
    ]
}
