//! What both of Kraken's protocols share: how symbols are named.
//!
//! v1 says `XBT/USD` and `XDG/USD` where v2, like everybody else, says `BTC/USD` and `DOGE/USD`. Consumers know v1's
//! names, so either is taken with either protocol, and records carry the one that was configured.

use super::Instrument;
use crate::instruments::{self, Pair};

/// Kraken's own names of assets, and the usual ones.
const ALIASES: [(&str, &str); 2] = [("XBT", "BTC"), ("XDG", "DOGE")];

/// How a protocol calls an asset that has two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// `XBT`, as v1 does.
    Own,
    /// `BTC`, as v2 does.
    Usual,
}

/// See [`super::Venue::instrument`].
pub(super) fn instrument(symbol: &str, pair: Option<Pair<'_>>, names: Names) -> Result<Instrument, String> {
    let Pair { base, quote } = instruments::split_at(symbol, '/', "Kraken")?;
    let name = match names {
        Names::Usual => usual,
        Names::Own => own,
    };
    let framed = format!("{}/{}", name(base), name(quote));
    let canonical = pair.unwrap_or(Pair { base: usual(base), quote: usual(quote) }).to_string();
    Ok(Instrument { symbol: symbol.into(), canonical, requested: framed.clone(), framed })
}

/// What the REST API, which knows neither the slash nor all of v2's names, calls a pair.
pub(super) fn rest_name(framed: &str) -> String {
    framed.split('/').map(own).collect()
}

fn usual(asset: &str) -> &str {
    ALIASES.iter().find(|(own, _)| *own == asset).map_or(asset, |(_, usual)| usual)
}

fn own(asset: &str) -> &str {
    ALIASES.iter().find(|(_, usual)| *usual == asset).map_or(asset, |(own, _)| own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_an_asset_are_taken_and_the_configured_one_is_kept() {
        for (symbol, canonical, v1, v2) in [
            ("XBT/USD", "BTC/USD", "XBT/USD", "BTC/USD"),
            ("BTC/USD", "BTC/USD", "XBT/USD", "BTC/USD"),
            ("XDG/XBT", "DOGE/BTC", "XDG/XBT", "DOGE/BTC"),
            ("DOGE/EUR", "DOGE/EUR", "XDG/EUR", "DOGE/EUR"),
            ("ETH/USD", "ETH/USD", "ETH/USD", "ETH/USD"),
        ] {
            for (names, framed) in [(Names::Own, v1), (Names::Usual, v2)] {
                let instrument = instrument(symbol, None, names).unwrap();
                assert_eq!(instrument.symbol, symbol);
                assert_eq!(instrument.canonical, canonical);
                assert_eq!((&*instrument.framed, &*instrument.requested), (framed, framed), "{symbol}");
            }
        }
    }

    #[test]
    fn another_exchanges_form_is_refused_with_the_right_one() {
        for (symbol, expected) in [
            ("BTC-USD", "symbol \"BTC-USD\" is not in Kraken's form: write \"BTC/USD\""),
            ("btc/usd", "symbol \"btc/usd\" is not in Kraken's form: write \"BTC/USD\""),
            ("BTCUSD", "symbol \"BTCUSD\" is not in Kraken's form: write \"BTC/USD\""),
            ("BTC", "symbol \"BTC\" is not in Kraken's form: write base and quote, such as \"BTC/USD\""),
            ("/USD", "symbol \"/USD\" is not in Kraken's form: write base and quote, such as \"BTC/USD\""),
        ] {
            assert_eq!(instrument(symbol, None, Names::Usual), Err(expected.to_string()));
        }
    }
}
