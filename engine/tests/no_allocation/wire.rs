//! Prebuilt bytes of a server, which are sent again and again with new ids.

use std::ops::Range;

use fastrand::Rng;
use k2_feed::venue::Protocol;

use crate::frames::{self, Varying};

/// Frames with market data in the bytes, a multiple of the symbols.
pub(crate) const ROUND: usize = 10_000;
const SYMBOLS: usize = 50;
/// All ids have ten digits.
const FIRST_ID: u64 = 1_000_000_000;
const ID_DIGITS: usize = 10;
/// How many trades the frames have, in turn, where an exchange puts several into one.
const TRADES: [usize; 7] = [1, 1, 2, 1, 1, 10, 1];

pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    /// Trades of the market in the bytes.
    pub(crate) trades: usize,
    ids: Vec<Id>,
    /// How many ids each symbol has used.
    used: [u64; SYMBOLS],
}

/// An id in the bytes.
struct Id {
    at: usize,
    symbol: usize,
    /// Its place among those of its symbol.
    place: u64,
}

pub(crate) fn symbols(protocol: Protocol) -> Vec<String> {
    (0..SYMBOLS).map(|number| frames::symbol(protocol, number)).collect()
}

impl Wire {
    /// Trades in the forms that occur, with pings and what an exchange says of the session between them.
    pub(crate) fn new(protocol: Protocol, symbols: &[String]) -> Self {
        let mut wire = Wire { bytes: Vec::new(), trades: 0, ids: Vec::new(), used: [0; SYMBOLS] };
        let mut random = Rng::with_seed(7);
        for number in 0..ROUND {
            let symbol = number % SYMBOLS;
            let count = TRADES[number % TRADES.len()].min(frames::most_trades(protocol)) as u64;
            let places = wire.used[symbol]..wire.used[symbol] + count;
            wire.used[symbol] = places.end;
            let text = text(protocol, number, &symbols[symbol], places.clone(), &mut random);
            wire.trades += if is_outside_the_market(protocol, number) { 0 } else { count as usize };
            wire.message(&text, number % 11 == 0, symbol, places);
            if number % 97 == 0 {
                wire.frame(0x89, b"1763720000125");
            }
            if number % 500 == 0 {
                controls(protocol).iter().for_each(|control| wire.frame(0x81, control.as_bytes()));
            }
        }
        wire
    }

    fn message(&mut self, text: &str, in_fragments: bool, symbol: usize, places: Range<u64>) {
        // Not within an id, which must stay in one piece.
        let (front, back) = text.split_at(if in_fragments { 9 } else { 0 });
        if in_fragments {
            self.frame(0x01, front.as_bytes());
            self.frame(0x8A, b"between");
        }
        self.frame(if in_fragments { 0x80 } else { 0x81 }, back.as_bytes());
        let start = self.bytes.len() - back.len();
        for place in places {
            let id = (FIRST_ID + place).to_string();
            let mut found = back.match_indices(&id);
            let (at, _) = found.next().unwrap();
            assert!(found.next().is_none(), "{id} in {text}");
            self.ids.push(Id { at: start + at, symbol, place });
        }
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        match u8::try_from(payload.len()) {
            Ok(len @ 0..126) => self.bytes.extend([first, len]),
            _ => {
                self.bytes.extend([first, 126]);
                self.bytes.extend((payload.len() as u16).to_be_bytes());
            }
        }
        self.bytes.extend(payload);
    }

    /// Each symbol's ids go on where those of the last round ended.
    pub(crate) fn renumber(&mut self, round: usize) {
        for Id { at, symbol, place } in &self.ids {
            let mut id = FIRST_ID + round as u64 * self.used[*symbol] + place;
            for digit in self.bytes[*at..at + ID_DIGITS].iter_mut().rev() {
                *digit = b'0' + (id % 10) as u8;
                id /= 10;
            }
        }
    }
}

/// A frame of one symbol with the ids of these places.
fn text(protocol: Protocol, number: usize, symbol: &str, places: Range<u64>, random: &mut Rng) -> String {
    let price = match number % 100 {
        0 => format!("{}.{}", "9".repeat(40), "1".repeat(24)),
        1 => "9.2E-7".to_string(),
        _ => format!("{}.{:08}", random.u32(1..100_000), random.u32(..100_000_000)),
    };
    let quantity = format!("{}.{:08}", random.u32(..100), random.u32(..100_000_000));
    let varying =
        |place| Varying { symbol, id: FIRST_ID + place, price: &price, quantity: &quantity, taker_buys: random.bool() };
    let mut trades: Vec<_> = places.map(varying).collect();
    // As snapshots are.
    if protocol == Protocol::CoinbaseAdvanced && number.is_multiple_of(5) {
        trades.reverse();
    }
    let mut text = frames::frame(protocol, &trades);
    if protocol == Protocol::BinanceSpot {
        if number.is_multiple_of(7) {
            text = text.replace(r#""T":"#, r#""b":88,"a":99,"T":"#);
        }
        if number.is_multiple_of(3) {
            text = format!(r#"{{"stream":"x@trade","data":{text}}}"#);
        }
    }
    if is_outside_the_market(protocol, number) {
        text = text.replace("MARKET", "INSURANCE_FUND");
    }
    // The first text begins with an escape, so that the general reader has the frame.
    if number % 41 == 1 {
        let (before, text) = text.split_once('"').unwrap();
        return format!("{before}\"\\u{:04x}{}", text.as_bytes()[0], &text[1..]);
    }
    text
}

/// Whether the frame tells of no trade of the market, and yet uses up an id.
fn is_outside_the_market(protocol: Protocol, number: usize) -> bool {
    protocol == Protocol::BinanceUsdm && number % 13 == 2
}

/// What is said of a session that goes on.
fn controls(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::BinanceSpot | Protocol::BinanceUsdm => &[r#"{"result":null,"id":1}"#],
        Protocol::KrakenV2 => &[
            r#"{"channel":"heartbeat"}"#,
            r#"{"method":"subscribe","result":{"channel":"trade","snapshot":false,"symbol":"C1/USD"},"success":true}"#,
        ],
        Protocol::KrakenV1 => &[
            r#"{"event":"heartbeat"}"#,
            r#"{"channelName":"trade","event":"subscriptionStatus","pair":"C1/USD","status":"subscribed"}"#,
        ],
        Protocol::CoinbaseAdvanced => &[
            r#"{"channel":"heartbeats","sequence_num":3,"events":[{"current_time":"","heartbeat_counter":3049}]}"#,
            r#"{"channel":"subscriptions","sequence_num":1,"events":[{"subscriptions":{"market_trades":["C1-USD","C2-USD"]}}]}"#,
        ],
        Protocol::CoinbaseExchange => &[
            r#"{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"C1-USD","time":"2014-11-07T08:19:28.464459Z"}"#,
            r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["C1-USD","C2-USD"]}]}"#,
        ],
        Protocol::Bybit => &[
            r#"{"success":true,"ret_msg":"pong","conn_id":"0970e817","op":"ping"}"#,
            r#"{"success":true,"ret_msg":"","conn_id":"0970e817","req_id":"1","op":"subscribe"}"#,
        ],
        Protocol::Okx => {
            &["pong", r#"{"event":"subscribe","arg":{"channel":"trades","instId":"C1-USDT"},"connId":"a4d3ae55"}"#]
        }
    }
}
