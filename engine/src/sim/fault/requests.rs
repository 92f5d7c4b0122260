//! Subscriptions that are refused or never answered.

use std::borrow::Cow;

use serde_json::Value;

use super::{Fault, What};
use crate::sim::connection::Hub;
use crate::sim::dialect::{self, Dialect, Refusal, Session, Shape};

/// The symbols whose subscriptions go wrong.
#[derive(Debug)]
pub(in crate::sim) struct Requests {
    pub(in crate::sim) rejected: Vec<String>,
    unanswered: Vec<String>,
}

impl Requests {
    pub(in crate::sim) fn new(faults: &[Fault]) -> Self {
        let (mut rejected, mut unanswered) = (Vec::new(), Vec::new());
        for fault in faults {
            match &fault.what {
                What::Reject(symbol) => rejected.push(symbol.clone()),
                What::NoAck(symbol) => unanswered.push(symbol.clone()),
                _ => {}
            }
        }
        Self { rejected, unanswered }
    }

    /// Refuses a session whose path or query names a symbol that is rejected.
    pub(super) fn judge(&self, session: &Session) -> Result<(), Refusal> {
        let (dialect, shape) = (dialect::of(session.protocol), session.shape);
        let rejected = session.streams.iter().find(|stream| names(stream, &self.rejected, dialect, shape));
        rejected.map_or(Ok(()), |stream| Err(Refusal::new(400, format!("invalid stream: {stream}"))))
    }
}

impl Hub {
    /// What the exchange hears of a request: without what it never answers, and nothing if that leaves nothing.
    pub(in crate::sim) fn heard<'a>(&self, text: &'a str, dialect: &dyn Dialect, shape: Shape) -> Option<Cow<'a, str>> {
        let Requests { rejected, unanswered } = &self.requests;
        if rejected.is_empty() && unanswered.is_empty() {
            return Some(Cow::Borrowed(text));
        }
        let Ok(mut request) = serde_json::from_str::<Value>(text) else { return Some(Cow::Borrowed(text)) };
        let is_rejected = |value: &Value| is_named(value, rejected, dialect, shape);
        if take_out(&mut request.clone(), &is_rejected) != Left::Everything {
            self.note_requests(&What::Reject(String::new()));
        }
        let left = take_out(&mut request, &|value| is_named(value, unanswered, dialect, shape));
        if left != Left::Everything {
            self.note_requests(&What::NoAck(String::new()));
        }
        match left {
            Left::Everything => Some(Cow::Borrowed(text)),
            Left::Something if !dialect.answers_as_a_whole() => Some(Cow::Owned(request.to_string())),
            Left::Something | Left::Nothing => None,
        }
    }

    fn note_requests(&self, kind: &What) {
        self.meter.fault_struck(kind.place(), 1);
    }
}

/// What is left of a request's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    Everything,
    Something,
    /// A list has become empty.
    Nothing,
}

/// Takes the elements that are meant out of all lists in a request.
fn take_out(value: &mut Value, is_meant: &dyn Fn(&Value) -> bool) -> Left {
    match value {
        Value::Array(elements) => {
            let before = elements.len();
            elements.retain(|element| !is_meant(element));
            let here = match elements.len() {
                0 if before > 0 => Left::Nothing,
                after if after < before => Left::Something,
                _ => Left::Everything,
            };
            let inside = elements.iter_mut().map(|element| take_out(element, is_meant)).max();
            here.max(inside.unwrap_or(Left::Everything))
        }
        Value::Object(fields) => {
            fields.values_mut().map(|field| take_out(field, is_meant)).max().unwrap_or(Left::Everything)
        }
        _ => Left::Everything,
    }
}

/// Whether an element of a list names one of the symbols: by itself, as a stream, or in a field.
fn is_named(element: &Value, symbols: &[String], dialect: &dyn Dialect, shape: Shape) -> bool {
    match element {
        Value::String(text) => names(text, symbols, dialect, shape),
        Value::Object(fields) => {
            fields.values().filter_map(Value::as_str).any(|text| names(text, symbols, dialect, shape))
        }
        _ => false,
    }
}

fn names(text: &str, symbols: &[String], dialect: &dyn Dialect, shape: Shape) -> bool {
    let traded = |symbol: &String| dialect.traded_symbol(text, shape).as_ref() == Some(symbol);
    symbols.iter().any(|symbol| text == symbol || traded(symbol))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::config::SimulatorConfig;
    use crate::venue::protocol::Protocol;

    fn heard(protocol: Protocol, symbol: &str, request: &str) -> Option<String> {
        let faults = vec![format!("noack={symbol}").parse().unwrap()];
        let hub = Hub::new(SimulatorConfig { faults, ..SimulatorConfig::new(protocol) });
        hub.heard(request, dialect::of(protocol), Shape::default()).map(Cow::into_owned)
    }

    #[test]
    fn exchanges_that_answer_each_symbol_hear_of_the_others() {
        for (protocol, symbol, request, left) in [
            (
                Protocol::KrakenV2,
                "BTC/USD",
                r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"]}}"#,
                r#"{"method":"subscribe","params":{"channel":"trade","symbol":["ETH/USD"]}}"#,
            ),
            (
                Protocol::KrakenV1,
                "XBT/USD",
                r#"{"event":"subscribe","pair":["XBT/USD","ETH/USD"],"subscription":{"name":"trade"}}"#,
                r#"{"event":"subscribe","pair":["ETH/USD"],"subscription":{"name":"trade"}}"#,
            ),
            (
                Protocol::Okx,
                "BTC-USDT",
                r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"},{"channel":"trades","instId":"A-B"}]}"#,
                r#"{"op":"subscribe","args":[{"channel":"trades","instId":"A-B"}]}"#,
            ),
            (
                Protocol::CoinbaseExchange,
                "BTC-USD",
                r#"{"type":"subscribe","channels":[{"name":"matches","product_ids":["BTC-USD","A-USD"]}]}"#,
                r#"{"type":"subscribe","channels":[{"name":"matches","product_ids":["A-USD"]}]}"#,
            ),
        ] {
            assert_eq!(heard(protocol, symbol, request).as_deref(), Some(left), "{protocol}");
            assert_eq!(heard(protocol, "ZZZ", request).as_deref(), Some(request), "{protocol}");
        }
        let alone = r#"{"event":"subscribe","pair":["XBT/USD"],"subscription":{"name":"trade"}}"#;
        assert_eq!(heard(Protocol::KrakenV1, "XBT/USD", alone), None);
    }

    #[test]
    fn exchanges_that_answer_a_request_as_a_whole_hear_none_of_it() {
        let binance = r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}"#;
        assert_eq!(heard(Protocol::BinanceSpot, "BTCUSDT", binance), None);
        assert_eq!(heard(Protocol::BinanceUsdm, "ETHUSDT", binance), None);
        assert_eq!(heard(Protocol::BinanceSpot, "SOLUSDT", binance).as_deref(), Some(binance));
        let bybit = r#"{"op":"subscribe","args":["publicTrade.BTCUSDT","publicTrade.ETHUSDT"]}"#;
        assert_eq!(heard(Protocol::Bybit, "BTCUSDT", bybit), None);
    }
}
