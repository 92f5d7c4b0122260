//! Frames of a raw topic as trades, by the engine's own decoders: of an exchange's protocols, the first that finds trades.

use std::collections::BTreeMap;

use bumpalo::Bump;

use crate::consume::Record;
use crate::consume::trade::{Side, Trade};
use crate::trade::Side as Taker;
use crate::venue::json::Json;
use crate::venue::{Endpoint, Frame, Instrument, Protocol, Symbols, TimeUnit, Venue, Visit};

/// Decodes the frames of one exchange. Symbols are known by the records' keys.
pub(super) struct Frames {
    exchange: &'static str,
    /// Those of the exchange, that of the last frame first.
    protocols: Vec<Protocol>,
    /// For each of the protocols, what it knows the symbols as.
    instruments: BTreeMap<&'static str, Vec<Instrument>>,
    symbols: Vec<String>,
    json: Json,
    arena: Bump,
}

impl Frames {
    /// Of the exchange of this name.
    ///
    /// # Errors
    /// That there is none, and which there are.
    pub(super) fn of(exchange: &str) -> anyhow::Result<Self> {
        let known = Protocol::find(exchange, None, None).map_err(anyhow::Error::msg)?;
        let exchange = known.exchange();
        let protocols: Vec<_> = Protocol::ALL.iter().copied().filter(|other| other.exchange() == exchange).collect();
        let instruments = protocols.iter().map(|protocol| (protocol.name(), Vec::new())).collect();
        Ok(Frames { exchange, protocols, instruments, symbols: Vec::new(), json: Json::default(), arena: Bump::new() })
    }

    /// Gives each trade of a frame, or why it is none that can be read.
    pub(super) fn trades(&mut self, record: &Record, mut give: impl FnMut(Result<Trade<'_>, String>)) {
        if let Err(unknown) = self.know(&String::from_utf8_lossy(&record.key)) {
            return give(Err(unknown));
        }
        let mut first_error = None;
        for place in 0..self.protocols.len() {
            let protocol = self.protocols[place];
            let decode = Decode {
                exchange: self.exchange,
                frame: &record.value,
                instruments: &self.instruments[protocol.name()],
                json: &mut self.json,
                arena: &self.arena,
                give: &mut give,
            };
            let outcome = protocol.visit(decode);
            self.arena.reset();
            match outcome {
                Ok(true) => return self.protocols.swap(0, place),
                Ok(false) => {}
                Err(reason) => first_error = first_error.or(Some(reason)),
            }
        }
        if let Some(reason) = first_error {
            give(Err(reason));
        }
    }

    /// Adds a symbol, where it is new.
    fn know(&mut self, symbol: &str) -> Result<(), String> {
        if self.symbols.iter().any(|known| known == symbol) {
            return Ok(());
        }
        let mut refused = None;
        for protocol in &self.protocols {
            match protocol.instrument(symbol, None) {
                Ok(instrument) => self.instruments.entry(protocol.name()).or_default().push(instrument),
                Err(error) => refused = Some(error),
            }
        }
        if self.instruments.values().all(|known| known.iter().all(|one| one.symbol != symbol)) {
            return Err(refused.unwrap_or_default());
        }
        self.symbols.push(symbol.into());
        Ok(())
    }
}

/// Decodes one frame: whether there was market data in it.
struct Decode<'a, G> {
    exchange: &'static str,
    frame: &'a [u8],
    instruments: &'a [Instrument],
    json: &'a mut Json,
    arena: &'a Bump,
    give: &'a mut G,
}

impl<G: FnMut(Result<Trade<'_>, String>)> Visit for Decode<'_, G> {
    type Output = Result<bool, String>;

    fn visit<V: Venue>(self) -> Self::Output {
        let url = V::FACTS.url.parse().map_err(|error| format!("{}: {error}", V::FACTS.url))?;
        let endpoint = Endpoint { url, time_unit: TimeUnit::Millisecond };
        let venue = V::new(&V::subscription(&endpoint, self.instruments)?);
        let mut payload = self.frame.to_vec();
        let symbols = Symbols::new(self.instruments);
        match venue.decode(&mut payload, &symbols, self.json, self.arena) {
            Ok(Frame::Trades(trades)) => {
                for trade in trades {
                    let Instrument { symbol, canonical, .. } = &self.instruments[trade.instrument];
                    (self.give)(Ok(Trade {
                        exchange: self.exchange,
                        symbol,
                        canonical_symbol: canonical,
                        trade_id: &trade.id.to_string(),
                        price: trade.price.text(),
                        quantity: trade.quantity.text(),
                        quote_volume: "",
                        side: if trade.side == Taker::Buy { Side::Buy } else { Side::Sell },
                        timestamp: 0,
                        exchange_timestamp: trade.exchange_time_ns.div_euclid(1_000_000),
                        exchange_timestamp_ns: Some(trade.exchange_time_ns),
                        received_timestamp_ns: None,
                        connection: None,
                    }));
                }
                Ok(true)
            }
            Ok(Frame::NoTrade { .. }) => Ok(true),
            Ok(Frame::Control(_)) => Ok(false),
            Err(reject) => Err(reject.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(exchange: &str, symbol: &str, frame: &str) -> Vec<Result<(String, String, Side), String>> {
        let record = Record { key: symbol.into(), value: frame.into(), ..Record::default() };
        let mut all = Vec::new();
        Frames::of(exchange).unwrap().trades(&record, |trade| {
            all.push(trade.map(|trade| (trade.trade_id.to_string(), trade.price.to_string(), trade.side)));
        });
        all
    }

    #[test]
    fn frames_of_both_of_krakens_protocols_are_read() {
        let v1 = r#"[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""]],"trade","XBT/USD"]"#;
        let found = told("kraken", "XBT/USD", v1);
        assert!(matches!(&found[..], [Ok((_, price, Side::Sell))] if price == "5541.20000"), "{found:?}");
        let v2 = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":87119.9,"qty":0.5,"ord_type":"limit","trade_id":77,"timestamp":"2026-11-22T10:00:00.123456Z"}]}"#;
        let found = told("kraken", "XBT/USD", v2);
        assert_eq!(found, [Ok(("77".into(), "87119.9".into(), Side::Buy))]);
    }

    #[test]
    fn what_is_no_frame_is_told() {
        let found = told("binance", "BTCUSDT", "{");
        assert!(matches!(&found[..], [Err(_)]), "{found:?}");
        assert!(Frames::of("nobody").is_err_and(|error| error.to_string().contains("binance")));
    }
}
