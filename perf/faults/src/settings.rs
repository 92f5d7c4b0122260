//! The engine's configuration, and how much memory it may take with that.

use std::path::PathBuf;

/// The symbols that are fed.
pub(crate) const SYMBOLS: [&str; 6] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT"];
/// The topics.
pub(crate) const TOPIC: &str = "market.crypto.trades.binance";
pub(crate) const TOPIC_RAW: &str = "market.crypto.trades.binance.raw";
/// How long librdkafka keeps a record, where it does not for ever. Shorter than many faults.
pub(crate) const MESSAGE_TIMEOUT_MS: u64 = 3_000;

/// Records with librdkafka: fewer than come in a second, so that an outage soon fills the disk.
pub(crate) const QUEUE_RECORDS: u64 = 2_000;
const QUEUE_BYTES: u64 = 4 << 20;
/// The ring.
pub(crate) const RING_BYTES: u64 = 4 << 20;
/// Most bytes of journals: two minutes without a broker do not fill them, also where the machine is slow to recover.
pub(crate) const SPILL_BYTES: u64 = 384 << 20;
/// The disk, where there is one that can be full.
pub(crate) const DISK_BYTES: u64 = 416 << 20;
/// The journals where there is none: a long outage fills them.
pub(crate) const SPILL_BYTES_WITHOUT_DISK: u64 = 4 << 20;
const SHUTDOWN_TIMEOUT_S: u64 = 5;
/// A page of 1,000 trades so often. What the exchange allows, two a second, cannot catch up with a market of thousands of
/// trades a second that is not heard for a third of the time.
const REST_INTERVAL_MS: u64 = 100;

/// What the engine has in memory whatever is configured: its code, histograms, librdkafka, allocators' slack.
const FIXED_BYTES: u64 = 40 << 20;
/// Times that a queued record is in memory at most: with librdkafka, in its requests, and as one that came back.
const COPIES: u64 = 3;
/// librdkafka and the table of what is in flight have so much for a record beside its bytes.
const RECORD_BYTES: u64 = 1_024;

/// Where the engine is to find everything.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `host:port` of the proxy.
    pub(crate) servers: String,
    pub(crate) registry: String,
    /// `host:port` of the exchange.
    pub(crate) exchange: String,
    pub(crate) state: PathBuf,
    pub(crate) spill_bytes: u64,
}

impl Settings {
    /// `feed.toml`.
    pub(crate) fn feed_toml(&self, message_timeout_ms: Option<u64>) -> String {
        let Settings { servers, registry, exchange, state, spill_bytes } = self;
        let timeout = message_timeout_ms.map_or(String::new(), |ms| format!("message_timeout_ms = {ms}\n"));
        format!(
            "[[feed]]\nexchange = \"binance\"\nsymbols = {SYMBOLS:?}\nurl = \"ws://{exchange}/ws\"\n\
             rest_url = \"http://{exchange}\"\nrest_interval_ms = {REST_INTERVAL_MS}\ntopic = {TOPIC:?}\ntopic_raw = {TOPIC_RAW:?}\n\
             [kafka]\nbootstrap_servers = {servers:?}\nschema_registry_url = {registry:?}\nregistry_wait_s = 2\n\
             queue_records = {QUEUE_RECORDS}\nqueue_bytes = {QUEUE_BYTES}\nshutdown_timeout_s = {SHUTDOWN_TIMEOUT_S}\n{timeout}\
             librdkafka = {{ \"socket.timeout.ms\" = 4000, \"reconnect.backoff.max.ms\" = 1000 }}\n\
             [limits]\nring_bytes = {RING_BYTES}\n[repair]\nmax_trades = 1000000\n[state]\ndir = {state:?}\n\
             [spill]\nmax_bytes = {spill_bytes}\n"
        )
    }

    /// The most memory that the engine may have resident, in bytes, and how that is computed.
    pub(crate) fn memory_bound() -> (u64, String) {
        let bytes = FIXED_BYTES + RING_BYTES + COPIES * QUEUE_BYTES + QUEUE_RECORDS * RECORD_BYTES;
        let mib = |bytes: u64| bytes >> 20;
        let how = format!(
            "{} MiB fixed + ring_bytes {} MiB + {COPIES} x queue_bytes {} MiB + queue_records {QUEUE_RECORDS} x {RECORD_BYTES} B",
            mib(FIXED_BYTES),
            mib(RING_BYTES),
            mib(QUEUE_BYTES)
        );
        (bytes, how)
    }
}
