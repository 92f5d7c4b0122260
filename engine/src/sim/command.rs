//! `k2-feed simulate`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::config::{Arrivals, Burst, Rate, Replay, SimulatorConfig, Speed, Stop};
use super::fault::Fault;
use super::simulator::start;
use crate::config::ConfigErrors;

use crate::signals::Signals;
use crate::venue::protocol::Protocol;

/// Between looks whether the market is over.
const LOOK: Duration = Duration::from_millis(20);

/// Speak an exchange's WebSocket protocol on a local port, with generated or recorded trades.
///
/// Prints `listening on ws://…` when clients can connect, and a summary at the end. The clock starts with the first
/// subscription; from then on every trade is due at its own time, whether or not anybody keeps up. Ends on SIGINT or
/// SIGTERM, or with --count or --for.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Whose protocol to speak: binance, binance-usdm, kraken, coinbase, bybit or okx
    #[arg(value_name = "EXCHANGE")]
    exchange: String,

    /// Which of the exchange's protocols, where it has two: v2 or v1 of kraken (both are served, on /v2 and on /; this
    /// chooses which address is printed), advanced or exchange of coinbase [default: the first]
    #[arg(long, value_name = "NAME")]
    protocol: Option<String>,

    /// Address and port to listen on; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The symbols that exist, as the exchange writes them, separated by commas [default: whichever is subscribed]
    ///
    /// A subscription to any other is refused, or acknowledged and stays silent, as at the exchange.
    #[arg(long, value_name = "SYMBOLS", value_delimiter = ',')]
    symbols: Vec<String>,

    /// Trades per second over all symbols, or 'max' for as many as the sockets take
    #[arg(long, value_name = "RATE", default_value = "1000", value_parser = parse_rate)]
    rate: Rate,

    /// Uneven load with the same mean: FACTORx/PERIOD, e.g. 10x/1s
    ///
    /// Each PERIOD begins with a burst at FACTOR times the rate that carries half of the period's trades; the other
    /// half is spread over the rest. With --rate 5000, 10x/1s is 50 ms at 50000 per second, then 950 ms at 2632.
    #[arg(long, value_name = "FACTORx/PERIOD", value_parser = parse_burst, conflicts_with = "replay")]
    burst: Option<Burst>,

    /// Uneven load with the same mean: trades that know nothing of each other, at exponentially distributed distances
    #[arg(long, conflicts_with_all = ["replay", "burst"])]
    poisson: bool,

    /// End after so many trades (or, with --replay, frames)
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    count: Option<u64>,

    /// End so long after the first subscription, e.g. 500ms, 30s, 2m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,

    /// Send this recording (lines `<received ns> <frame>`, plain or .gz) instead of generated trades
    ///
    /// Each client gets the frames of the streams that it subscribed, byte for byte; on binance's /ws without their
    /// envelope.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,

    /// Divides the recorded spacing; 'max' sends as fast as the sockets take it
    #[arg(long, value_name = "SPEED", default_value = "1.0", value_parser = parse_speed, requires = "replay")]
    speed: Speed,

    /// Refuse trades of the past, which are told by plain HTTP at the exchange's own paths on the same port, with this
    /// status; 429 asks to be asked again after a second
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(400..=599))]
    history_status: Option<u16>,

    /// Decides prices, quantities, sides and the order of symbols
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// What goes wrong on purpose, e.g. cut@every:5s,drop=3@7s (--help has the list)
    #[arg(long = "fault", value_name = "FAULTS", value_delimiter = ',', long_help = Fault::help())]
    faults: Vec<Fault>,
}

impl SimulateArgs {
    fn config(self) -> Result<SimulatorConfig, ConfigErrors> {
        let protocol = Protocol::find(&self.exchange, self.protocol.as_deref(), None)
            .map_err(|error| ConfigErrors(vec![error]))?;
        let stop = match (self.count, self.duration) {
            (Some(count), _) => Stop::Count(count),
            (None, Some(duration)) => Stop::After(duration),
            (None, None) => Stop::Never,
        };
        let arrivals = match (self.burst, self.poisson) {
            (Some(burst), _) => Arrivals::Burst(burst),
            (None, true) => Arrivals::Poisson,
            (None, false) => Arrivals::Even,
        };
        Ok(SimulatorConfig {
            listen: self.listen,
            symbols: self.symbols,
            rate: self.rate,
            arrivals,
            stop,
            seed: self.seed,
            faults: self.faults,
            history_status: self.history_status,
            replay: self.replay.map(|file| Replay { file, speed: self.speed }),
            ..SimulatorConfig::new(protocol)
        })
    }
}

/// Runs the command until it is over or a signal ends it.
///
/// # Errors
/// If the simulator does not start, or stdout is closed.
pub fn simulate(args: SimulateArgs) -> anyhow::Result<()> {
    let signals = Signals::install()?;
    let simulator = start(args.config()?)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {}", simulator.url())
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    while !simulator.is_done() && signals.wait(LOOK).is_none() {}
    let summary = simulator.stop();
    writeln!(stdout, "{summary}").context("cannot write the summary to stdout")
}

/// A rate as it is written: trades per second, or `max`.
///
/// # Errors
/// What to write.
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    positive(text)
        .map(Rate::PerSecond)
        .ok_or_else(|| "give a positive number of trades per second, or 'max'".to_owned())
}

fn parse_speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    positive(text).map(Speed::Times).ok_or_else(|| "give a positive number, 1.0 for as recorded, or 'max'".to_owned())
}

fn parse_burst(text: &str) -> Result<Burst, String> {
    let parse = || {
        let (factor, period) = text.split_once("x/")?;
        let factor = positive(factor).filter(|factor| *factor > 1.0)?;
        let period = humantime::parse_duration(period).ok().filter(|period| !period.is_zero())?;
        Some(Burst { factor, period })
    };
    parse().ok_or_else(|| "give a factor above 1 and a period, e.g. 10x/1s or 2.5x/500ms".to_owned())
}

fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn rates_speeds_and_bursts_are_read() {
        assert_eq!(parse_rate("5000"), Ok(Rate::PerSecond(5_000.0)));
        assert_eq!(parse_rate("max"), Ok(Rate::Max));
        assert_eq!(parse_speed("2.5"), Ok(Speed::Times(2.5)));
        assert_eq!(parse_burst("10x/1s"), Ok(Burst { factor: 10.0, period: Duration::from_secs(1) }));
        for bad in ["0", "-1", "inf", "fast", ""] {
            assert!(parse_rate(bad).is_err() && parse_speed(bad).is_err(), "{bad}");
        }
        for bad in ["10x", "1x/1s", "10/1s", "10x/0s", "x/1s"] {
            assert!(parse_burst(bad).is_err(), "{bad}");
        }
    }
}
