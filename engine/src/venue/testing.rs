//! What the tests of all venues share: a connection without a network, trades as lines that can be held against an
//! exchange's documents, and the tables of a venue checked line by line.

use std::fmt::Write;

use super::*;
use crate::clock::Nanos;
use crate::session::Subscriptions;

/// Ids as the exchanges count them begin somewhere.
const FIRST_ID: usize = 5_000;
/// More than one would expect.
const MOST_TRADES: usize = 5_000;

/// A connection of a venue, as the feed core has it.
pub(super) struct Connection<V> {
    venue: V,
    subscription: Subscription,
    symbols: Symbols,
}

impl<V: Venue> Connection<V> {
    /// At the protocol's own address.
    pub(super) fn of(symbols: &[&str]) -> Self {
        Self::at(V::FACTS.url, symbols)
    }

    pub(super) fn at(url: &str, symbols: &[&str]) -> Self {
        Self::with(url, &symbols.iter().map(|symbol| (*symbol, None)).collect::<Vec<_>>())
    }

    /// With base and quote of symbols, where they are configured.
    pub(super) fn with(url: &str, symbols: &[(&str, Option<Pair<'_>>)]) -> Self {
        let instruments: Vec<_> = symbols.iter().map(|(symbol, pair)| V::instrument(symbol, *pair).unwrap()).collect();
        let endpoint = Endpoint { url: url.parse().unwrap(), time_unit: TimeUnit::Millisecond };
        let subscription = V::subscription(&endpoint, &instruments).unwrap();
        Connection { venue: V::new(&subscription), symbols: Symbols::new(&instruments), subscription }
    }

    /// The address with its path.
    pub(super) fn url(&self) -> &str {
        self.subscription.endpoint.url.as_str()
    }

    /// The requests that are sent, one after the other.
    pub(super) fn requests(&self) -> Vec<String> {
        let Subscription { endpoint, instruments, by_address } = &self.subscription;
        let names = instruments.iter().map(|one| one.requested.clone());
        let requests = Requests::of::<V>(endpoint.clone());
        let mut subscriptions = Subscriptions::new(requests, names, *by_address, Nanos(0));
        std::iter::from_fn(|| subscriptions.next_request(Nanos(0))).collect()
    }

    /// All is asked for by one request, which says `verb` and `more` where the one against it says `other` and nothing.
    pub(super) fn asks(&self, request: &str, verb: (&str, &str), more: &str) {
        let Subscription { endpoint, instruments, .. } = &self.subscription;
        let names: Vec<_> = instruments.iter().map(|one| one.requested.as_str()).collect();
        assert_eq!(self.requests(), [request]);
        let unsubscribe = request.replace(verb.0, verb.1).replace(more, "");
        assert_eq!(V::request(endpoint, Verb::Unsubscribe, 1, &names), unsubscribe);
    }

    pub(super) fn decode<R>(&self, frame: &str, look: impl FnOnce(Result<Frame<'_>, Reject>) -> R) -> R {
        let (mut json, arena, mut bytes) = (Json::default(), Bump::new(), frame.as_bytes().to_vec());
        look(self.venue.decode(&mut bytes, &self.symbols, &mut json, &arena))
    }

    /// The trades of a frame, one a line, or the reason against it. It is the same however the frame is written.
    pub(super) fn read(&self, frame: &str) -> Result<Vec<String>, String> {
        let as_sent = self.read_once(frame);
        for other in [spaced(frame), escaped(frame)] {
            let read = self.read_once(&other);
            // Places in a text that is no JSON are other ones.
            if !as_sent.as_ref().is_err_and(|reason| reason.contains("is not JSON")) {
                assert_eq!(read, as_sent, "{other}");
            }
        }
        as_sent
    }

    fn read_once(&self, frame: &str) -> Result<Vec<String>, String> {
        self.decode(frame, |decoded| match decoded {
            Ok(Frame::Trades(trades)) => {
                assert!(trades.len() <= 1 + frame.len() / V::MIN_TRADE_BYTES, "the ring's room is for fewer: {frame}");
                Ok(trades.iter().map(|trade| line(trade, &self.subscription.instruments)).collect())
            }
            Ok(other) => panic!("{other:?} of {frame}"),
            Err(reject) => Err(reject.to_string()),
        })
    }

    /// Each frame has these trades.
    pub(super) fn has_trades(&self, table: &[(&str, &[&str])]) {
        for (frame, trades) in table {
            assert_eq!(self.read(frame), Ok(trades.iter().map(ToString::to_string).collect()), "{frame}");
        }
    }

    /// Each frame is this for the session.
    pub(super) fn has_controls(&self, table: &[(&str, Control<'_>)]) {
        for (frame, control) in table {
            for frame in [frame.to_string(), spaced(frame), escaped(frame)] {
                self.decode(&frame, |decoded| assert_eq!(decoded, Ok(Frame::Control(*control)), "{frame}"));
            }
        }
    }

    /// Each frame is refused for this reason.
    pub(super) fn refuses(&self, table: &[(&str, &str)]) {
        for (frame, reason) in table {
            assert_eq!(self.read(frame), Err(reason.to_string()), "{frame}");
        }
    }

    /// `frame`, which is well, is refused for the reason once its first text is replaced by the second.
    pub(super) fn refuses_changed(&self, frame: &str, table: &[(&str, &str, &str)]) {
        assert!(self.read(frame).is_ok(), "{frame}");
        for (from, to, reason) in table {
            assert_eq!(frame.matches(from).count(), 1, "{from} in {frame}");
            assert_eq!(self.read(&frame.replacen(from, to, 1)), Err(reason.to_string()), "{from} -> {to}");
        }
    }

    /// `frame`, which is well, is refused without any of the fields, each of which is written as a key, a colon and a
    /// value that is a text, a number or a word.
    pub(super) fn needs(&self, frame: &str, fields: &[&str]) {
        assert!(self.read(frame).is_ok(), "{frame}");
        for field in fields {
            let start = frame.rfind(&format!("\"{field}\":")).unwrap();
            let end = start + frame[start..].find([',', '}']).unwrap();
            // The comma behind it, or before it.
            let without = match &frame[end..=end] {
                "," => format!("{}{}", &frame[..start], &frame[end + 1..]),
                _ => format!("{}{}", frame[..start].trim_end_matches(','), &frame[end..]),
            };
            assert_eq!(self.read(&without), Err(format!("{field}: is missing")), "{without}");
        }
    }

    /// A frame of so many elements is decoded to as many trades, in its order. `element` writes one of an id.
    pub(super) fn carries(&self, count: usize, around: (&str, &str), element: impl Fn(usize) -> String) {
        let ids = FIRST_ID..FIRST_ID + count;
        let elements: Vec<_> = ids.clone().map(element).collect();
        let frame = format!("{}{}{}", around.0, elements.join(","), around.1);
        let trades = self.read(&frame).unwrap();
        assert_eq!(trades.len(), count);
        for (trade, id) in trades.iter().zip(ids) {
            assert!(trade.contains(&format!(" {id} ")), "{id}: {trade}");
        }
    }

    /// The room that the ring is asked for holds as many trades as a frame can have, each of them the shortest `element`.
    pub(super) fn has_room_for(&self, around: (&str, &str), element: &str) {
        let frame = format!("{}{}{}", around.0, vec![element; MOST_TRADES].join(","), around.1);
        assert_eq!(self.read_once(&frame).map(|trades| trades.len()), Ok(MOST_TRADES));
    }

    /// Of so many symbols, made by `symbol`, each request asks for so many.
    pub(super) fn splits(symbol: impl Fn(usize) -> String, count: usize, sizes: &[usize]) {
        let symbols: Vec<_> = (0..count).map(symbol).collect();
        let names: Vec<_> = symbols.iter().map(String::as_str).collect();
        let connection = Self::of(&names);
        let requests = connection.requests();
        assert_eq!(requests.len(), sizes.len());
        let mut instruments = connection.subscription.instruments.iter();
        for (text, size) in requests.iter().zip(sizes) {
            let mine: Vec<_> = instruments.by_ref().take(*size).collect();
            assert_eq!(mine.len(), *size);
            for instrument in &connection.subscription.instruments {
                // In quotes, or before the name of a channel, or behind it.
                let name = &instrument.requested;
                let asks = [format!("\"{name}\""), format!("\"{name}@"), format!(".{name}\"")];
                let is_asked = asks.iter().any(|name| text.contains(name));
                assert_eq!(is_asked, mine.contains(&instrument), "{name} in {text}");
            }
        }
    }
}

/// Symbols in a wrong form are refused with these words.
pub(super) fn refuses_symbols<V: Venue>(table: &[(&str, &str)]) {
    for (symbol, words) in table {
        assert_eq!(V::instrument(symbol, None), Err(words.to_string()));
    }
}

/// A trade on one line: `BTC/USD (BTC/USD) 72823289 SELL 0.00022946 @ 59121.80 at 1723491510575191000 ns`, then its
/// number, and whose the maker's side was, where the exchange says so.
fn line(trade: &Trade<'_>, instruments: &[Instrument]) -> String {
    let Instrument { symbol, canonical, .. } = &instruments[trade.instrument];
    let side = match trade.side {
        crate::trade::Side::Buy => "BUY",
        crate::trade::Side::Sell => "SELL",
    };
    let (price, quantity, time) = (trade.price.text(), trade.quantity.text(), trade.exchange_time_ns);
    let mut line = format!("{symbol} ({canonical}) {} {side} {quantity} @ {price} at {time} ns", trade.id);
    if let Some(number) = trade.sequence {
        write!(line, ", number {number}").unwrap();
    }
    match trade.is_buyer_maker {
        Some(true) => line += ", maker bought",
        Some(false) => line += ", maker sold",
        None => {}
    }
    assert_eq!((trade.buyer_order_id, trade.seller_order_id), (None, None));
    line
}

/// A frame with white space around every token that is no text.
fn spaced(frame: &str) -> String {
    let mut is_text = false;
    let mut spaced = String::new();
    for c in frame.chars() {
        is_text ^= c == '"';
        match c {
            '{' | '}' | '[' | ']' | ':' | ',' if !is_text && !frame.contains('\\') => {
                spaced.extend([' ', '\t', c, '\n', '\r']);
            }
            c => spaced.push(c),
        }
    }
    spaced
}

/// A frame whose first text begins with an escape, so that the general reader takes it.
fn escaped(frame: &str) -> String {
    match frame.split_once('"') {
        Some((before, text)) if text.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
            format!("{before}\"\\u{:04x}{}", text.as_bytes()[0], &text[1..])
        }
        _ => frame.to_string(),
    }
}
