//! Binance trades as they come over the wire, and what the engine needs to read them.

use k2_feed::avro::{Context, SymbolPrefix};
use k2_feed::venue::binance::{Binance, DEFAULT_URL};
use k2_feed::venue::{Endpoint, Instrument, Subscription, Symbols, TimeUnit, Venue};

/// The symbols that trade, by turns.
pub const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"];
/// Trades of each symbol.
pub const TRADES_PER_SYMBOL: usize = 10;
/// All trades.
pub const FRAMES: usize = SYMBOLS.len() * TRADES_PER_SYMBOL;
/// The id of each symbol's first trade.
pub const FIRST_ID: u64 = 5_141_000_000;
/// Name of the connection.
pub const CONNECTION: &str = "binance-0.1";
/// Id of the schema.
pub const SCHEMA_ID: u32 = 7;
/// When the frames were received.
pub const RECEIVED_NS: i64 = 1_763_720_000_123_456_789;
/// When the records are made.
pub const NORMALIZED_MS: i64 = 1_763_720_000_123;

/// Which of Binance's endpoints the frames come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/ws`: the trade at the top level.
    Plain,
    /// `/stream`: wrapped in `stream` and `data`.
    Combined,
}

/// Numbers below a bound, the same in every run: a linear congruential generator with a fixed seed.
pub fn random() -> impl FnMut(u64) -> u64 {
    let mut random = 0x5EED_u64;
    move |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    }
}

/// The payloads of [`FRAMES`] trades: prices, quantities and sides differ, so that branches are not learnt by heart.
pub fn payloads(form: Form) -> Vec<Vec<u8>> {
    let mut below = random();
    let frame = |index: usize| {
        let symbol = SYMBOLS[index % SYMBOLS.len()];
        let id = FIRST_ID + (index / SYMBOLS.len()) as u64;
        let time = 1_763_720_000_100 + index;
        let price = match symbol {
            "BTCUSDT" => format!("{}.{:02}000000", 61_000 + below(9_000), below(100)),
            "ETHUSDT" => format!("{}.{:02}000000", 2_900 + below(400), below(100)),
            "SOLUSDT" => format!("{}.{:02}000000", 95 + below(50), below(100)),
            _ => format!("0.{:05}000", 14_000 + below(2_000)),
        };
        let quantity = format!("{}.{:05}000", [0, 0, 0, 1, 12, 345][below(6) as usize], below(100_000));
        let is_maker = below(2) == 0;
        let trade = format!(
            r#"{{"e":"trade","E":{time},"s":"{symbol}","t":{id},"p":"{price}","q":"{quantity}","T":{time},"m":{is_maker},"M":true}}"#
        );
        match form {
            Form::Plain => trade,
            Form::Combined => format!(r#"{{"stream":"{}@trade","data":{trade}}}"#, symbol.to_lowercase()),
        }
    };
    (0..FRAMES).map(frame).map(String::into_bytes).collect()
}

/// Each payload in the unmasked frame that a server sends.
pub fn wire(payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let frame = |payload: &Vec<u8>| {
        let mut frame = vec![0x81];
        match u8::try_from(payload.len()) {
            Ok(len) if len < 126 => frame.push(len),
            _ => frame.extend([126, (payload.len() >> 8) as u8, payload.len() as u8]),
        }
        frame.extend(payload);
        frame
    };
    payloads.iter().map(frame).collect()
}

/// The decoder of one connection.
pub fn binance() -> Binance {
    Binance::new(&subscription())
}

/// What the connection asks for.
pub fn subscription() -> Subscription {
    let endpoint =
        Endpoint { url: DEFAULT_URL.parse().expect("the engine's own address"), time_unit: TimeUnit::Millisecond };
    Binance::subscription(&endpoint, &instruments()).expect("the address is Binance's")
}

/// The symbols under all their names.
pub fn instruments() -> [Instrument; SYMBOLS.len()] {
    SYMBOLS.map(|symbol| Binance::instrument(symbol, None).expect("these symbols are Binance's"))
}

/// The symbols, to be found by name.
pub fn symbols() -> Symbols {
    Symbols::new(&instruments())
}

/// What the records of each symbol begin with.
pub fn prefixes() -> [SymbolPrefix; SYMBOLS.len()] {
    instruments().map(|one| SymbolPrefix::new(SCHEMA_ID, Binance::FACTS.exchange, &one.symbol, &one.canonical))
}

/// What a record says beside the trade.
pub fn context(prefix: &SymbolPrefix) -> Context<'_> {
    Context { prefix, connection: CONNECTION, received_ns: RECEIVED_NS, normalized_ms: NORMALIZED_MS }
}
