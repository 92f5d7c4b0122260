//! `decode` and `encode` of any protocol's usual frames, with what a feed core keeps from frame to frame.

use bumpalo::Bump;
use k2_feed::avro::{self, SymbolPrefix};
use k2_feed::venue::json::Json;
use k2_feed::venue::{Endpoint, Frame, Protocol, Symbols, TimeUnit, Venue, Visit};

use crate::fixture;
use crate::frames::{self, Varying};

/// Trades in one pass, however many are in a frame.
pub const TRADES: usize = 40;
/// Trades in one of the frames that have several.
pub const BATCH: usize = 10;

const SYMBOLS: usize = 4;
/// Bytes of the longest frame and record.
const MAX_BYTES: usize = 8 * 1024;

/// One pass through [`TRADES`] trades, in frames of `per_frame`.
pub fn pass(protocol: Protocol, per_frame: usize) -> Box<dyn FnMut()> {
    assert!(TRADES.is_multiple_of(per_frame));
    protocol.visit(Pass { protocol, per_frame })
}

/// Whether the exchange puts several trades into a frame.
pub fn has_batches(protocol: Protocol) -> bool {
    frames::most_trades(protocol) >= BATCH
}

struct Pass {
    protocol: Protocol,
    per_frame: usize,
}

impl Visit for Pass {
    type Output = Box<dyn FnMut()>;

    fn visit<V: Venue>(self) -> Self::Output {
        let payloads = payloads(self.protocol, self.per_frame);
        let mut core = Core::<V>::new(self.protocol);
        let trades: usize = payloads.iter().map(|payload| core.records(payload)).sum();
        assert_eq!(trades, TRADES);
        Box::new(move || {
            for payload in &payloads {
                std::hint::black_box(core.records(payload));
            }
        })
    }
}

struct Core<V> {
    venue: V,
    symbols: Symbols,
    prefixes: Vec<SymbolPrefix>,
    json: Json,
    arena: Bump,
    received: Box<[u8; MAX_BYTES]>,
    claimed: Box<[u8; MAX_BYTES]>,
}

impl<V: Venue> Core<V> {
    fn new(protocol: Protocol) -> Self {
        let instrument = |number| V::instrument(&frames::symbol(protocol, number), None).expect("the exchange's form");
        let instruments: Vec<_> = (0..SYMBOLS).map(instrument).collect();
        let url = V::FACTS.url.parse().expect("the engine's own address");
        let endpoint = Endpoint { url, time_unit: TimeUnit::Millisecond };
        let prefixes = instruments.iter();
        let prefixes =
            prefixes.map(|one| SymbolPrefix::new(fixture::SCHEMA_ID, V::FACTS.exchange, &one.symbol, &one.canonical));
        Core {
            venue: V::new(&V::subscription(&endpoint, &instruments).expect("the address is the exchange's")),
            symbols: Symbols::new(&instruments),
            prefixes: prefixes.collect(),
            json: Json::default(),
            arena: Bump::new(),
            received: Box::new([0; MAX_BYTES]),
            claimed: Box::new([0; MAX_BYTES]),
        }
    }

    /// Writes the records of all trades of a frame, each over the one before, and returns how many they are.
    #[inline]
    fn records(&mut self, payload: &[u8]) -> usize {
        self.arena.reset();
        let frame = &mut self.received[..payload.len()];
        frame.copy_from_slice(payload);
        let trades = match self.venue.decode(frame, &self.symbols, &mut self.json, &self.arena) {
            Ok(Frame::Trades(trades)) => trades,
            other => panic!("not trades: {other:?}"),
        };
        for trade in trades {
            let context = fixture::context(&self.prefixes[trade.instrument]);
            let claimed = &mut self.claimed[..avro::max_len(trade, &context)];
            let len = avro::write(trade, &context, claimed);
            std::hint::black_box(&claimed[..len]);
        }
        trades.len()
    }
}

/// Decimals of prices and quantities, as the exchange writes those of a pair in dollars.
fn decimals(protocol: Protocol) -> (usize, usize) {
    match protocol {
        Protocol::BinanceSpot => (8, 8),
        Protocol::BinanceUsdm => (2, 3),
        Protocol::KrakenV1 => (5, 8),
        Protocol::KrakenV2 | Protocol::Okx => (1, 8),
        Protocol::CoinbaseAdvanced | Protocol::CoinbaseExchange => (2, 8),
        Protocol::Bybit => (2, 6),
    }
}

/// Numbers and sides differ, so that branches are not learnt by heart; they are the same in every run.
fn payloads(protocol: Protocol, per_frame: usize) -> Vec<Vec<u8>> {
    let mut below = fixture::random();
    let (of_price, of_quantity) = decimals(protocol);
    let mut number = |whole: u64, decimals: usize| {
        let fraction = below(10_u64.pow(decimals.min(5) as u32));
        format!("{}.{fraction:0<decimals$}", whole + below(whole + 1))
    };
    let mut frame = |index: usize| {
        let symbol = frames::symbol(protocol, index % SYMBOLS);
        let numbers = |_| (number(45_000, of_price), number([0, 0, 0, 1, 12, 345][index % 6], of_quantity));
        let numbers: Vec<_> = (0..per_frame).map(numbers).collect();
        let trades = numbers.iter().zip(index / SYMBOLS * per_frame..).map(|((price, quantity), place)| Varying {
            symbol: &symbol,
            id: fixture::FIRST_ID + place as u64,
            price,
            quantity,
            taker_buys: (index * 7 + place * 5).is_multiple_of(3),
        });
        frames::frame(protocol, &trades.collect::<Vec<_>>()).into_bytes()
    };
    (0..TRADES / per_frame).map(&mut frame).collect()
}
