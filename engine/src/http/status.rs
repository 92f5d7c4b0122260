//! What a running engine is at, for people and scripts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::exposed::Exposed;
use crate::board::{Connection, Symbol};
use crate::clock::{Nanos, unix_now_ns};
use crate::engine::view::{Address, Signs, Tally, View};
use crate::kafka::statistics::Broker;
use crate::report::{Latency, accounting_json};

/// What `/status` answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// When the process began, in UTC.
    pub started: String,
    /// Seconds since then.
    pub uptime_s: f64,
    /// Whether the cores make progress.
    pub live: bool,
    /// Whether trades are subscribed and can be published.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// The seconds that rates and hops are of.
    pub interval_s: f64,
    /// What came in a second.
    pub rates: Rates,
    /// The times of each hop, in nanoseconds.
    pub hops: BTreeMap<String, Latency>,
    /// The pinned cores.
    pub cores: Vec<Core>,
    /// What became of everything since the start, as in `report.json`.
    pub accounting: Value,
    /// The connections to exchanges.
    pub connections: Vec<Connection>,
    /// Where they go, and what is left alone.
    pub addresses: Vec<Address>,
    /// The symbols that are fed.
    pub symbols: Vec<SymbolStatus>,
    /// What librdkafka says, of each producer core.
    pub kafka: Vec<KafkaStatus>,
}

/// What came in a second, in the last interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Messages received.
    pub frames: f64,
    /// Trades decoded.
    pub trades: f64,
    /// Records of all kinds that the broker has acknowledged.
    pub acked: f64,
}

/// A pinned core.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Core {
    /// Its name: `feed-0`, `producer-0`.
    pub core: String,
    /// Where it is.
    pub cpu: usize,
    /// How long it has had that since the start.
    pub cpu_seconds: Option<f64>,
    /// How much of that it had something to do, as far as it measures that: see `k2_feed_core_busy_seconds_total`.
    pub busy_seconds: Option<f64>,
    /// Whether it makes no progress.
    pub stuck: bool,
    /// Messages received; of a feed core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Records with librdkafka; of a producer core, as what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_records: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_bytes: Option<u64>,
    /// Bytes on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spill_bytes: Option<u64>,
}

/// A symbol that is fed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SymbolStatus {
    /// Of which exchange.
    pub exchange: String,
    /// As the exchange writes it.
    pub symbol: String,
    /// Trades decoded since the start, those that came again included.
    pub trades: u64,
    /// Jumps in its sequence.
    pub gaps: u64,
    /// Trades that are missing in them, those repaired since included.
    pub missing: u64,
    /// How long ago its last trade was received, in seconds.
    pub last_trade_s_ago: Option<f64>,
    /// How long after its own time that was, by clocks that may differ, in milliseconds.
    pub delay_ms: Option<f64>,
}

/// What librdkafka says of a producer core's client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KafkaStatus {
    /// Which.
    pub core: String,
    /// Records in its queues.
    pub queue_messages: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// The brokers of the cluster.
    pub brokers: Vec<BrokerStatus>,
}

/// A broker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrokerStatus {
    /// `host:port/number`.
    pub broker: String,
    /// Whether it can be talked to.
    pub up: bool,
    /// From a request to its answer, of half of the last ones no more, in milliseconds.
    pub rtt_p50_ms: f64,
    /// The same of 99 in 100.
    pub rtt_p99_ms: f64,
    /// Requests sent again since the start.
    pub retries: u64,
    /// Requests that failed since the start.
    pub errors: u64,
}

impl Status {
    /// As of now.
    pub fn of(exposed: &Exposed) -> Self {
        let reasons = exposed.why_not_ready();
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            started: humantime::format_rfc3339_seconds(exposed.started).to_string(),
            uptime_s: exposed.uptime_s(),
            live: exposed.why_not_live().is_empty(),
            ready: reasons.is_empty(),
            reasons,
            ..Status::default()
        };
        let Some(signs) = exposed.signs() else { return status };
        status.connections = signs.board.connections(Nanos::now());
        status.symbols = signs.board.symbols().into_iter().map(SymbolStatus::of).collect();
        status.cores = signs
            .cores
            .iter()
            .map(|(name, cpu, pulse)| Core {
                core: name.clone(),
                cpu: *cpu,
                cpu_seconds: pulse.cpu_time().map(|time| time.as_secs_f64()),
                stuck: pulse.stuck(Nanos::now()).is_some(),
                ..Core::default()
            })
            .collect();
        if let Some(view) = exposed.view() {
            status.take(&signs, &view);
        }
        status
    }

    fn take(&mut self, signs: &Signs, view: &View) {
        self.interval_s = view.interval.as_secs_f64();
        let rate = |count: u64| (view.a_second(count) * 10.0).round() / 10.0;
        let counts = &view.counts;
        self.rates =
            Rates { frames: rate(counts.frames), trades: rate(counts.trades), acked: rate(counts.acked_records) };
        self.hops = view.hops.iter().map(|(hop, latency)| (hop.name().to_string(), *latency)).collect();
        self.accounting = accounting_json(&view.accounting);
        self.addresses.clone_from(&view.addresses);
        for (shown, core) in self.cores.iter_mut().zip(&view.cores) {
            shown.busy_seconds = Some(core.tally.busy_ns() as f64 / 1e9);
            match &core.tally {
                Tally::Feed(tally) => shown.frames = Some(tally.frames.received),
                Tally::Producer(tally, _) => {
                    shown.queue_records = Some(tally.waiting.queue_records);
                    shown.queue_bytes = Some(tally.waiting.queue_bytes);
                    shown.spill_bytes = Some(tally.waiting.spill_bytes);
                }
            }
        }
        let cores = signs.cores.iter().zip(&view.cores);
        self.kafka = cores.filter_map(|((name, ..), core)| KafkaStatus::of(name, &core.tally)).collect();
    }
}

impl SymbolStatus {
    fn of(symbol: Symbol) -> Self {
        let has_traded = symbol.received_unix_ns > 0;
        let to = |ns: i64, unit: f64| (ns as f64 / unit * 1e3).round() / 1e3;
        SymbolStatus {
            exchange: symbol.exchange.into(),
            symbol: symbol.symbol,
            trades: symbol.counts.trades,
            gaps: symbol.counts.gaps,
            missing: symbol.counts.missing,
            last_trade_s_ago: has_traded.then(|| to(unix_now_ns() - symbol.received_unix_ns, 1e9)),
            delay_ms: has_traded.then(|| to(symbol.delay_ns, 1e6)),
        }
    }
}

impl KafkaStatus {
    /// Of a producer core, once librdkafka has said something.
    fn of(core: &str, tally: &Tally) -> Option<Self> {
        let Tally::Producer(_, Some(statistics)) = tally else { return None };
        let broker = |broker: &Broker| BrokerStatus {
            broker: broker.name.clone(),
            up: broker.is_up(),
            rtt_p50_ms: broker.round_trip.p50 as f64 / 1e3,
            rtt_p99_ms: broker.round_trip.p99 as f64 / 1e3,
            retries: broker.retries,
            errors: broker.errors(),
        };
        Some(KafkaStatus {
            core: core.to_string(),
            queue_messages: statistics.messages,
            queue_bytes: statistics.bytes,
            brokers: statistics.brokers().map(broker).collect(),
        })
    }
}
