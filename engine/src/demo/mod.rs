//! `k2-feed demo`: the whole path in one process, over real sockets, every trade checked.
//!
//! Simulated exchanges, an embedded broker and registry, the engine as `run` has it, and a consumer that reads
//! both topics while it runs and compares each record with what the exchanges sent.

mod compare;
mod market;
mod screen;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::broker::{ANY_LOOPBACK_PORT, EmbeddedBroker, EmbeddedRegistry};
use crate::config::Config;
use crate::cores::Wait;
use crate::engine::{Engine, Interval};
use crate::latency::Hop;
use crate::outcome::{Outcome, duration};
use crate::record::Kind;
use crate::report::Report;
use crate::signals::Signals;
use crate::sim::{self, Fault, Rate, Recovery, Simulator, Summary};
use crate::venue::protocol::Protocol;
use market::{Exchanges, Market};
use screen::Screen;
use verify::{Judged, Raw, Verdict, Verifier};

/// Between two looks at what happens, and two drawings of the screen.
const LOOK: Duration = Duration::from_millis(100);
/// An interval of the latency log.
const INTERVAL: Duration = Duration::from_secs(1);
/// Left out of the latencies at the beginning, in demos that last three seconds or more: the first trades wait for what
/// is done once.
pub const WARM_UP: Duration = Duration::from_secs(1);
const LONG_ENOUGH: Duration = Duration::from_secs(3);
/// Longest wait, without any progress, for trades to come out once all are sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// Least age at which connections are replaced.
const LEAST_AGE: Duration = Duration::from_secs(1);
/// Partitions of the demo's topics.
const PARTITIONS: i32 = 3;

/// Run simulator, broker, registry and engine in one process, over real sockets, and verify every trade.
///
/// A consumer reads both topics while the demo runs, decodes with apache-avro and compares each trade with what the
/// simulator sent: none missing, none twice, none made up, none out of order within its symbol, price and quantity
/// to the letter, raw frames to the byte. Where several connections carry the same symbols (--connections,
/// --rotate-every), a raw frame may come more than once, which is told. Exit code 0 only if all was verified.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Which exchanges trade, separated by commas: binance, kraken, kraken/v1 … or all, for every protocol.
    ///
    /// One that is named again gets a feed and topics of its own.
    #[arg(long, value_name = "EXCHANGES", default_value = "binance")]
    pub exchanges: Exchanges,
    /// Trades per second over all exchanges and symbols, or "max" for as many as come out again.
    #[arg(long, value_name = "RATE", default_value = "20000", value_parser = sim::parse_rate)]
    pub rate: Rate,
    /// How many symbols, on each exchange.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub symbols: u16,
    /// How long trades are sent, such as 10s or 1m.
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub run_for: Duration,
    /// Cut all connections this often, as a failing network would, such as 2s: what an exchange tells again afterwards
    /// must come out once.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub cut_every: Option<Duration>,
    /// What goes wrong on purpose on each exchange, such as cut-one@every:1s,drop=3@2s.
    #[arg(long = "fault", value_name = "FAULTS", value_delimiter = ',', long_help = Fault::help())]
    pub faults: Vec<Fault>,
    /// How many connections carry each symbol: the engine publishes what comes by the first of them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub connections: u8,
    /// Have connections replaced at this age, such as 2s, while trades go on.
    #[arg(long, value_name = "DURATION", value_parser = age)]
    pub rotate_every: Option<Duration>,
    /// Decides prices, quantities and the order of symbols [default: drawn anew, and printed].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write report.json to this folder at the end, and latency.hlog and counts.jsonl as it goes.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// What the pinned cores do while there is nothing to do.
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub wait: Wait,
}

impl DemoArgs {
    /// How often frames may come on the raw topics.
    fn raw(&self) -> Raw {
        if self.connections > 1 || self.rotate_every.is_some() { Raw::OfTwins } else { Raw::Once }
    }
}

/// The age at which a connection is replaced.
fn age(text: &str) -> Result<Duration, String> {
    let age = duration(text)?;
    match age < LEAST_AGE {
        true => {
            Err(format!("{text}: a connection needs some time to take another's place: write {LEAST_AGE:?} or more"))
        }
        false => Ok(age),
    }
}

/// Everything that runs beside the engine.
struct Surroundings {
    simulators: Vec<(Protocol, Simulator)>,
    verifier: Verifier,
    _registry: EmbeddedRegistry,
    _broker: EmbeddedBroker,
}

/// Runs the demo.
///
/// # Errors
/// If a part cannot be started.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut report = Report::new(args.report.as_deref())?;
    let signals = Signals::install()?;
    let (surroundings, config) = surround(args, seed)?;
    let mut screen = Screen::new(args, seed);
    let mut engine = Engine::start(&config)?;

    let finished = watch(&signals, &mut engine, &surroundings, &mut report, &mut screen, args);
    let plan = engine.plan().clone();
    let stopped = engine.stop();
    let Surroundings { simulators, verifier, _registry, _broker } = surroundings;
    let sent: Vec<(Protocol, Summary)> =
        simulators.into_iter().map(|(protocol, simulator)| (protocol, simulator.stop())).collect();
    let verdict = verifier.finish();
    let Interval { hops, accounting, standings } = stopped.last;
    report.add(&hops, &accounting, finished.elapsed);
    report.total_mut().replace(Hop::Recv, verdict.recv.clone());
    let mut verified = verdict.json();
    // From when an exchange accepts again until a subscription stands: of those that have dropped or refused anybody.
    for (protocol, Summary { progress, .. }) in &sent {
        if progress.recovery != Recovery::default() {
            verified["recovery"][protocol.to_string()] = json!(progress.recovery);
        }
    }
    report.write("demo", &config, &plan, &accounting, &standings, Some(verified))?;
    screen.conclude(&accounting, &standings, report.total(), &verdict, &sent, finished.interrupted);
    stopped.failures.iter().for_each(|failure| tracing::error!("{failure}"));
    let complete = accounting.is_complete() && stopped.failures.is_empty();
    let outcome = if verdict.is_clean() && complete { Outcome::Complete } else { Outcome::Lost };
    Ok(outcome.into())
}

/// Starts exchanges, broker, registry and verifier, and makes the engine's configuration of their addresses.
fn surround(args: &DemoArgs, seed: u64) -> anyhow::Result<(Surroundings, Config)> {
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT)?;
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT)?;
    let markets = market::open(args, seed)?;
    let mut config = market::configure(args, &markets, &broker.bootstrap_servers(), &registry.url())?;
    config.cores.wait = args.wait;
    config.session.max_age_s = args.rotate_every.map(|age| age.as_secs());
    let (mut simulators, mut judged) = (Vec::new(), Vec::new());
    for (Market { protocol, simulator, symbols, ledger }, feed) in markets.into_iter().zip(&config.feeds) {
        for kind in Kind::ALL {
            broker.create_topic(feed.topic(kind), PARTITIONS)?;
        }
        simulators.push((protocol, simulator));
        let (topic, topic_raw) = (feed.topic.clone(), feed.topic_raw.clone());
        judged.push(Judged { topic, topic_raw, symbols, ledger, raw: args.raw() });
    }
    let warm_up = if args.run_for >= LONG_ENOUGH { WARM_UP } else { Duration::ZERO };
    let verifier = Verifier::start(&broker.bootstrap_servers(), judged, PARTITIONS, warm_up)
        .context("the verifier cannot be started")?;
    Ok((Surroundings { simulators, verifier, _registry: registry, _broker: broker }, config))
}

/// How a demo came to its end.
struct Finished {
    elapsed: Duration,
    interrupted: bool,
}

/// Watches until all that was sent is verified, or nothing moves any more, or a signal comes.
fn watch(
    signals: &Signals,
    engine: &mut Engine,
    surroundings: &Surroundings,
    report: &mut Report,
    screen: &mut Screen,
    args: &DemoArgs,
) -> Finished {
    let Surroundings { simulators, verifier, .. } = surroundings;
    let mut market_began: Option<Instant> = None;
    let mut collected = Instant::now();
    let mut moved = (Instant::now(), 0);
    let mut warm = args.run_for < LONG_ENOUGH;
    loop {
        let interrupted = signals.wait(LOOK).is_some();
        let progress: Vec<_> = simulators.iter().map(|(_, simulator)| simulator.progress()).collect();
        let sent = progress.iter().map(|progress| progress.sent).sum();
        // Who was cut off at the end is yet to be shown what it missed: once it is back, an exchange is not done before that.
        let all_back = progress.iter().all(|progress| progress.recovery.waiting == 0);
        let is_done = simulators.iter().all(|(_, simulator)| simulator.is_done());
        let verified = verifier.verified();
        let began = *market_began.get_or_insert_with(Instant::now);
        if sent == 0 {
            market_began = None;
            collected = Instant::now();
        }
        // An exchange that nobody subscribes to would never be done.
        let all_trade = progress.iter().all(|progress| progress.sent > 0);
        if verified > moved.1 || !is_done && all_trade {
            moved = (Instant::now(), verified);
        }
        let all_out = all_back && is_done && verifier.is_level();
        if interrupted || all_out || engine.has_failed() || moved.0.elapsed() > PATIENCE {
            return Finished { elapsed: began.elapsed(), interrupted };
        }
        if collected.elapsed() >= INTERVAL {
            let interval = engine.collect();
            if std::mem::replace(&mut warm, true) {
                report.add(&interval.hops, &interval.accounting, began.elapsed());
            }
            collected = Instant::now();
            screen.draw(&interval, report.total(), sent, verified, verifier.faults());
        }
    }
}

impl Verdict {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "expected": self.expected,
            "seen": self.seen,
            "missing": self.missing,
            "duplicate": self.duplicate,
            "raw_again": self.raw_again,
            "mismatched": self.mismatched,
            "out_of_order": self.out_of_order,
            "discrepancies": self.discrepancies,
        })
    }
}
