//! The simulated exchange, a process of its own.

use std::path::Path;

use anyhow::Context;
use k2_real::{Said, engine};
use serde::Serialize;

use crate::setting::Arrivals;

/// One that runs.
pub(crate) struct Exchange {
    process: Said,
}

/// How long after its due time a trade was taken by the system, in nanoseconds: what a reader leaves unread counts when it
/// is sent at last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Lateness {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
}

impl Exchange {
    /// Binance, with so many trades a second over all symbols, or `max`.
    pub(crate) fn start(binary: &Path, rate: &str, arrivals: &Arrivals) -> anyhow::Result<Self> {
        let mut command = engine::command(binary);
        command.args(["simulate", "binance", "--rate", rate]);
        command.args(arrivals.arguments());
        Ok(Exchange { process: Said::start(command, &["listening on "])? })
    }

    /// Its address; trades have their times in milliseconds there.
    pub(crate) fn url(&self) -> &str {
        &self.process.words[0]
    }

    /// The same with times in microseconds.
    pub(crate) fn url_in_microseconds(&self) -> String {
        format!("{}?timeUnit=MICROSECOND", self.url())
    }

    /// Ends it. Nothing is known of its lateness if it has none to tell of.
    pub(crate) fn stop(self) -> anyhow::Result<Lateness> {
        let said = self.process.stop()?;
        let line = said.iter().find_map(|line| line.strip_prefix("lateness"));
        lateness(line.context("the exchange does not say how late it was")?).context("its lateness is in another form")
    }
}

/// Of `p50 1.0 us, p99 2.0 us, …`.
fn lateness(line: &str) -> Option<Lateness> {
    let of = |name: &str| {
        let part = line.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_suffix(" us"))?;
        Some((part.trim().parse::<f64>().ok()? * 1e3) as u64)
    };
    Some(Lateness { p50: of("p50 ")?, p99: of("p99 ")?, p99_9: of("p99.9 ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_lateness_is_read() {
        let said = "     p50 12.5 us, p99 1234.0 us, p99.9 99999.9 us, max 100000.0 us";
        assert_eq!(lateness(said), Some(Lateness { p50: 12_500, p99: 1_234_000, p99_9: 99_999_900 }));
        assert_eq!(lateness("p50 12.5 us"), None);
    }
}
