//! The tables: what of a status is in which column.

use super::answer::Topic;
use super::seen::Seen;
use super::table::{Cell, Column, Order, Row, Table, Tone};
use crate::board::{Connection, State};
use crate::engine::view::{Address, Breaker};
use crate::http::status::{BrokerStatus, Core, KafkaStatus, SymbolStatus};
use crate::latency::readable;
use crate::readable::{bytes, seconds, thousands};

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Symbols,
    Connections,
    Cores,
    Brokers,
    Topics,
    Addresses,
}

const SYMBOLS: [Column; 8] = [
    Column::names("exchange"),
    Column::names("symbol"),
    Column::figures("trades/s", 8),
    Column::figures("last trade", 10),
    Column::figures("delay", 7),
    Column::figures("gaps", 5),
    Column::figures("missing", 7),
    Column::figures("trades", 9),
];
const CONNECTIONS: [Column; 9] = [
    Column::names("exchange"),
    Column::figures("no.", 3),
    Column::names("core"),
    Column::names("state"),
    Column::figures("symbols", 7),
    Column::figures("up", 11),
    Column::figures("heard", 8),
    Column::figures("attempts", 8),
    Column::names("url"),
];
const CORES: [Column; 8] = [
    Column::names("core"),
    Column::figures("cpu", 3),
    Column::figures("busy", 5),
    Column::names("state"),
    Column::figures("frames", 11),
    Column::figures("queue", 9),
    Column::figures("queue size", 10),
    Column::figures("on disk", 8),
];
const BROKERS: [Column; 7] = [
    Column::names("core"),
    Column::names("broker"),
    Column::names("state"),
    Column::figures("rtt p50", 7),
    Column::figures("rtt p99", 7),
    Column::figures("retries", 7),
    Column::figures("errors", 7),
];
const TOPICS: [Column; 8] = [
    Column::names("topic"),
    Column::figures("acked", 9),
    Column::figures("spilled", 7),
    Column::figures("dropped", 7),
    Column::figures("failed", 6),
    Column::figures("in flight", 9),
    Column::figures("committed", 9),
    Column::names("kind"),
];
const ADDRESSES: [Column; 3] = [Column::names("exchange"), Column::names("breaker"), Column::names("url")];

impl Which {
    /// All, in the order in which they are gone through.
    pub(super) const ALL: [Which; 6] =
        [Which::Symbols, Which::Connections, Which::Cores, Which::Brokers, Which::Topics, Which::Addresses];

    pub(super) fn name(self) -> &'static str {
        match self {
            Which::Symbols => "symbols",
            Which::Connections => "connections",
            Which::Cores => "cores",
            Which::Brokers => "brokers",
            Which::Topics => "topics",
            Which::Addresses => "addresses",
        }
    }

    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Which::Symbols => &SYMBOLS,
            Which::Connections => &CONNECTIONS,
            Which::Cores => &CORES,
            Which::Brokers => &BROKERS,
            Which::Topics => &TOPICS,
            Which::Addresses => &ADDRESSES,
        }
    }

    /// The order at first: symbols by how long nothing came of them, the rest by name.
    pub(super) fn order(self) -> Order {
        Order { column: if self == Which::Symbols { 3 } else { 0 }, reversed: false }
    }

    /// How many rows there are.
    pub(super) fn len(self, seen: &Seen) -> usize {
        let status = &seen.status;
        match self {
            Which::Symbols => status.symbols.len(),
            Which::Connections => status.connections.len(),
            Which::Cores => status.cores.len(),
            Which::Brokers => status.kafka.iter().map(|client| client.brokers.len()).sum(),
            Which::Topics => seen.accounting.topics.len(),
            Which::Addresses => status.addresses.len(),
        }
    }

    /// The table, in the given order; where that leaves it open, by the names of its first columns.
    pub(super) fn table(self, seen: &Seen, order: Order) -> Table {
        let mut rows = match self {
            Which::Symbols => symbols(seen),
            Which::Connections => seen.status.connections.iter().map(connection).collect(),
            Which::Cores => seen.status.cores.iter().map(|one| core(seen, one)).collect(),
            Which::Brokers => brokers(seen),
            Which::Topics => topics(seen),
            Which::Addresses => addresses(seen),
        };
        // Cores and connections come in the order of their numbers, which is not that of their names.
        if matches!(self, Which::Symbols | Which::Addresses) {
            rows.sort_by(|one, other| (&one[0].text, &one[1].text).cmp(&(&other[0].text, &other[1].text)));
        }
        let mut table = Table { columns: self.columns(), rows };
        if order != Which::order(self) || self == Which::Symbols {
            table.sort(order);
        }
        table
    }
}

fn symbols(seen: &Seen) -> Vec<Row> {
    let row = |one: &SymbolStatus| {
        vec![
            Cell::name(&one.exchange),
            Cell::name(&one.symbol),
            rate(seen.symbol_rate(&one.exchange, &one.symbol, one.trades)),
            match one.last_trade_s_ago {
                None => Cell::figure("never".into(), f64::INFINITY).tone(Tone::Faint),
                Some(ago) => since(ago),
            },
            one.delay_ms.map_or(Cell::unknown(), milliseconds),
            count(one.gaps, Tone::odd_if(one.gaps > 0)),
            count(one.missing, Tone::odd_if(one.missing > 0)),
            count(one.trades, Tone::Plain),
        ]
    };
    seen.status.symbols.iter().map(row).collect()
}

fn connection(one: &Connection) -> Row {
    let state = match one.state {
        State::Subscribed => Tone::Good,
        State::Connected => Tone::Odd,
        State::Connecting => Tone::Bad,
    };
    let all = one.subscribed >= one.symbols;
    let symbols = if all { thousands(one.symbols as u64) } else { format!("{}/{}", one.subscribed, one.symbols) };
    vec![
        Cell::name(&one.exchange),
        Cell::figure(one.connection.to_string(), one.connection as f64),
        Cell::name(&one.core),
        Cell::name(one.state.name()).tone(state),
        Cell::figure(symbols, one.symbols as f64).tone(Tone::odd_if(!all)),
        one.up_s.map_or(Cell::unknown(), |up| Cell::figure(seconds(up as u64), up)),
        one.heard_s_ago.map_or(Cell::unknown(), since),
        count(one.attempts, Tone::odd_if(one.attempts > 1)),
        Cell::name(&one.url),
    ]
}

fn core(seen: &Seen, one: &Core) -> Row {
    let busy = seen.core_use(&one.core, one.cpu_seconds);
    let busy = busy.map(|part| Cell::figure(format!("{:.0} %", part * 100.0), part));
    let (state, tone) = if one.stuck { ("stuck", Tone::Bad) } else { ("running", Tone::Good) };
    let known = |figure: Option<u64>| figure.map_or(Cell::unknown(), |figure| count(figure, Tone::Plain));
    let size = |figure: Option<u64>| figure.map(|figure| Cell::figure(bytes(figure), figure as f64));
    let on_disk = |cell: Cell| cell.tone(Tone::odd_if(one.spill_bytes.is_some_and(|bytes| bytes > 0)));
    vec![
        Cell::name(&one.core),
        known(Some(one.cpu as u64)),
        busy.unwrap_or(Cell::unknown()),
        Cell::name(state).tone(tone),
        known(one.frames),
        known(one.queue_records),
        size(one.queue_bytes).unwrap_or(Cell::unknown()),
        size(one.spill_bytes).map_or(Cell::unknown(), on_disk),
    ]
}

fn brokers(seen: &Seen) -> Vec<Row> {
    let each = seen.status.kafka.iter().flat_map(|client| client.brokers.iter().map(move |one| (client, one)));
    let row = |(client, one): (&KafkaStatus, &BrokerStatus)| {
        let (state, tone) = if one.up { ("up", Tone::Good) } else { ("down", Tone::Bad) };
        vec![
            Cell::name(&client.core),
            Cell::name(&one.broker),
            Cell::name(state).tone(tone),
            round_trip(one.rtt_p50_ms),
            round_trip(one.rtt_p99_ms),
            count(one.retries, Tone::odd_if(one.retries > 0)),
            count(one.errors, Tone::odd_if(one.errors > 0)),
        ]
    };
    each.map(row).collect()
}

fn topics(seen: &Seen) -> Vec<Row> {
    let row = |(name, topic): (&String, &Topic)| {
        let records = topic.records;
        vec![
            Cell::name(name),
            count(records.acked, Tone::Plain),
            count(records.spilled, Tone::odd_if(records.spilled > 0)),
            count(records.dropped, Tone::bad_if(records.dropped > 0)),
            count(records.failed, Tone::bad_if(records.failed > 0)),
            count(records.in_flight, Tone::Plain),
            count(records.committed, Tone::Plain),
            Cell::name(&topic.kind),
        ]
    };
    seen.accounting.topics.iter().map(row).collect()
}

fn addresses(seen: &Seen) -> Vec<Row> {
    let row = |one: &Address| {
        let tone = match one.breaker {
            Breaker::Closed => Tone::Good,
            Breaker::HalfOpen => Tone::Odd,
            Breaker::Open => Tone::Bad,
        };
        vec![Cell::name(&one.exchange), Cell::name(one.breaker.name()).tone(tone), Cell::name(&one.url)]
    };
    seen.status.addresses.iter().map(row).collect()
}

fn count(count: u64, tone: Tone) -> Cell {
    Cell::figure(thousands(count), count as f64).tone(tone)
}

/// So many a second; in tenths where there are few.
fn rate(rate: Option<f64>) -> Cell {
    let Some(rate) = rate else { return Cell::unknown() };
    let text = if rate > 0.0 && rate < 9.95 { format!("{rate:.1}") } else { thousands(rate.round() as u64) };
    Cell::figure(text, rate)
}

/// How long ago, compared by what is shown: what differs by less changes places at every look.
fn since(ago: f64) -> Cell {
    let whole = ago.max(0.0) as u64;
    let text = if whole == 0 { "now".into() } else { seconds(whole) };
    Cell::figure(text, whole as f64)
}

/// Of a broker that has not answered of late there is none.
fn round_trip(ms: f64) -> Cell {
    if ms > 0.0 { milliseconds(ms) } else { Cell::unknown() }
}

/// A time that can be negative where clocks differ.
fn milliseconds(ms: f64) -> Cell {
    let sign = if ms < 0.0 { "-" } else { "" };
    Cell::figure(format!("{sign}{}", readable((ms.abs() * 1e6) as u64)), ms)
}
