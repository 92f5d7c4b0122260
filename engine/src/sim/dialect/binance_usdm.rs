//! Binance USD-M futures.
//!
//! Source: Binance's pages, recordings of August 2024, and public issues of its users. The old addresses `/ws` and
//! `/stream` went in April 2026; they acknowledge and stay silent (reported). Trades come on `/public` (reported, but
//! some say `/market`, which is silent here). Assumed: limits, and that requests are answered as at the spot exchange.

use std::time::Duration;

use super::binance::{self, COMBINED};
use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Symbol};
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::venue::protocol::Protocol;

const INBOUND_PER_SECOND: usize = 10;
const PING_INTERVAL: Duration = Duration::from_secs(3 * 60);
const PONG_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// No trades come at this address.
const SILENT: u8 = 1 << 7;

/// Binance USD-M futures.
#[derive(Debug)]
pub(super) struct BinanceUsdm;

impl Dialect for BinanceUsdm {
    fn rules(&self) -> Rules {
        Rules {
            inbound_per_second: Some(INBOUND_PER_SECOND),
            ping_interval: Some(PING_INTERVAL),
            pong_timeout: PONG_TIMEOUT,
            ..Rules::NONE
        }
    }

    fn default_path(&self) -> &'static str {
        "/public/ws"
    }

    fn separator(&self) -> Option<char> {
        None
    }

    /// `/public` or `/market`, then what the spot exchange has; without either, the old addresses.
    fn open(&self, path: &str, query: Option<&str>) -> Result<Session, Refusal> {
        let mut session = Session::new(Protocol::BinanceUsdm);
        let path = match path.strip_prefix("/public") {
            Some(rest) => rest,
            None => {
                session.shape.0 |= SILENT;
                path.strip_prefix("/market").unwrap_or(path)
            }
        };
        binance::open(session, path, query)
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        vec![binance::answer(session, request)]
    }

    fn answers_as_a_whole(&self) -> bool {
        true
    }

    fn traded_symbol(&self, stream: &str, shape: Shape) -> Option<String> {
        if shape.0 & SILENT != 0 { None } else { binance::traded_symbol(stream) }
    }

    fn template(&self, symbol: &Symbol<'_>, shape: Shape) -> Template {
        template(symbol, shape, Kind::Market)
    }

    /// Trades of the insurance fund, and `NA` with a price of 0 (both reported).
    fn asides(&self, symbol: &Symbol<'_>, shape: Shape) -> Vec<Template> {
        vec![template(symbol, shape, Kind::InsuranceFund), template(symbol, shape, Kind::NotAvailable)]
    }

    fn time_unit_ns(&self, _shape: Shape) -> i64 {
        1_000_000
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        binance::recorded(frame)
    }

    fn is_bare(&self, shape: Shape) -> bool {
        shape.0 & COMBINED == 0
    }
}

/// What the field `X` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Market,
    InsuranceFund,
    NotAvailable,
}

fn template(symbol: &Symbol<'_>, shape: Shape, kind: Kind) -> Template {
    let name = symbol.name;
    let (word, price, quantity) = match kind {
        Kind::Market => ("MARKET", "<price>", "<quantity>"),
        Kind::InsuranceFund => ("INSURANCE_FUND", "<price>", "<quantity>"),
        Kind::NotAvailable => ("NA", "0", "0"),
    };
    let bare = format!(
        r#"{{"e":"trade","E":<event_ms>,"T":<trade_ms>,"s":"{name}","t":<id>,"p":"{price}","q":"{quantity}","X":"{word}","m":<maker true|false>}}"#
    );
    Template::new(
        &binance::wrapped(bare, &binance::trade_stream(name), shape),
        Spelling::Fixed(symbol.price_decimals),
        Spelling::Fixed(symbol.quantity_decimals),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_come_at_the_public_address_only() {
        let symbol = |path| {
            let session = BinanceUsdm.open(path, None).unwrap();
            BinanceUsdm.traded_symbol(&session.streams[0], session.shape)
        };
        assert_eq!(symbol("/public/ws/btcusdt@trade").as_deref(), Some("BTCUSDT"));
        assert_eq!(symbol("/market/ws/btcusdt@trade"), None);
        assert_eq!(symbol("/ws/btcusdt@trade"), None);
        assert_eq!(BinanceUsdm.open("/private/ws", None).unwrap_err().status, 404);
    }
}
