//! What is varied: who does the work, and under which load.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::brokers::Kind;

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) subject: Subject,
    pub(crate) broker: Kind,
    /// Trades per second over all symbols, or `max`.
    pub(crate) rate: String,
    pub(crate) arrivals: Arrivals,
    pub(crate) symbols: usize,
    /// Connections that the symbols are dealt out to.
    pub(crate) connections: usize,
    pub(crate) linger_us: u64,
    pub(crate) batch_bytes: u64,
    pub(crate) wait: Wait,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            subject: Subject::Engine,
            broker: Kind::Embedded,
            rate: "max".into(),
            arrivals: Arrivals::Even,
            symbols: 1,
            connections: 1,
            linger_us: 0,
            batch_bytes: DEFAULT_BATCH_BYTES,
            wait: Wait::Park,
        }
    }
}

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Subject {
    /// `k2-feed run`.
    Engine,
    /// `perf/conventional`.
    Conventional,
    /// `perf/floor`.
    Floor,
    /// Any program that takes the environment of the engine.
    #[value(skip)]
    Command(String),
}

/// When trades come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// At even distances.
    Even,
    /// Each whenever it does, independently of all others.
    Poisson,
    /// As `k2-feed simulate --burst` has it.
    Burst(String),
}

/// What the engine's cores do while there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    Park,
    Spin,
}

impl Setting {
    /// Trades a second, unless the exchange waits for its readers.
    pub(crate) fn per_second(&self) -> Option<f64> {
        self.rate.parse().ok()
    }

    /// Binance's names of the symbols: the first three trade there.
    pub(crate) fn symbols(&self) -> Vec<String> {
        let first = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(str::to_string).into_iter();
        first.chain((3..).map(|number| format!("K{number:03}USDT"))).take(self.symbols).collect()
    }
}

impl Arrivals {
    /// Of `even`, `poisson` or a burst.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        match text {
            "even" => Ok(Arrivals::Even),
            "poisson" => Ok(Arrivals::Poisson),
            burst if burst.contains("x/") => Ok(Arrivals::Burst(burst.into())),
            _ => Err("give even, poisson, or a burst such as 10x/1s".into()),
        }
    }

    /// What the simulator is told.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        match self {
            Arrivals::Even => Vec::new(),
            Arrivals::Poisson => vec!["--poisson"],
            Arrivals::Burst(burst) => vec!["--burst", burst],
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Arrivals::Even => "even",
            Arrivals::Poisson => "poisson",
            Arrivals::Burst(burst) => burst,
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Subject::Engine => "engine",
            Subject::Conventional => "conventional",
            Subject::Floor => "floor",
            Subject::Command(command) => command,
        })
    }
}

impl Serialize for Arrivals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { subject, broker, rate, arrivals, symbols, connections, linger_us, batch_bytes, wait } = self;
        let broker = match broker {
            Kind::Embedded => "embedded",
            Kind::Real => "real",
        };
        write!(
            f,
            "{subject:12} {broker:8} {rate:>6}/s {arrivals:7} {symbols:3} on {connections:2}  linger {linger_us:5} us"
        )?;
        if *batch_bytes != DEFAULT_BATCH_BYTES {
            write!(f, "  batch {batch_bytes} B")?;
        }
        if *wait == Wait::Spin {
            write!(f, "  spin")?;
        }
        Ok(())
    }
}

/// librdkafka's own batch.size.
pub(crate) const DEFAULT_BATCH_BYTES: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_read() {
        assert_eq!(Arrivals::read("even"), Ok(Arrivals::Even));
        assert_eq!(Arrivals::read("10x/1s").unwrap().arguments(), ["--burst", "10x/1s"]);
        assert!(Arrivals::read("odd").is_err());
    }
}
