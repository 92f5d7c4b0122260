//! Canonical symbols: `BTC/USDT` whatever the exchange calls it.
//!
//! Base and quote are taken from the exchange's own naming, never guessed: where a name has no separator, the
//! quote must be in a table, and a name that ends in none of its assets is an error.

/// Assets that Binance quotes in, now or once. None ends in another, so that at most one fits a name: plain `USD`
/// is left out for that (Binance has no such pairs, and it would fit every `FDUSD`).
const BINANCE_QUOTES: [&str; 43] = [
    "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "USD1", "USDS", "USDE", "RLUSD", "EURI", "DAI", "PAX", "UST",
    "VAI", "EUR", "GBP", "AUD", "TRY", "BRL", "ARS", "COP", "MXN", "JPY", "IDRT", "BIDR", "BKRW", "BVND", "NGN", "RUB",
    "PLN", "RON", "ZAR", "UAH", "CZK", "BTC", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL",
];
/// `AEUR` was quoted in three pairs; as a table entry it would turn `ADAEUR` into AD/AEUR.
const BINANCE_AEUR_PAIRS: [(&str, &str); 3] = [("BTC", "AEUR"), ("ETH", "AEUR"), ("EUR", "AEUR")];

/// Splits one of Binance's names, which have no separator, into base and quote.
pub fn split_binance(symbol: &str) -> Option<(&str, &str)> {
    let split = |quote: &str| {
        let base = symbol.strip_suffix(quote).filter(|base| !base.is_empty())?;
        Some(symbol.split_at(base.len()))
    };
    let known_pair = |(base, quote): &(&str, &str)| split(quote).filter(|(found, _)| found == base);
    BINANCE_AEUR_PAIRS.iter().find_map(known_pair).or_else(|| BINANCE_QUOTES.iter().find_map(|quote| split(quote)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binance_names_split_at_their_quote() {
        for (symbol, expected) in [
            ("BTCUSDT", Some(("BTC", "USDT"))),
            ("BTCFDUSD", Some(("BTC", "FDUSD"))),
            ("ETHBTC", Some(("ETH", "BTC"))),
            ("ADAEUR", Some(("ADA", "EUR"))),
            ("BTCAEUR", Some(("BTC", "AEUR"))),
            ("USDCUSDT", Some(("USDC", "USDT"))),
            ("USDT", None),
            ("BTCXYZ", None),
        ] {
            assert_eq!(split_binance(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn at_most_one_quote_fits_a_name() {
        for a in BINANCE_QUOTES {
            assert_eq!(BINANCE_QUOTES.iter().filter(|b| b.ends_with(a)).count(), 1, "{a}");
        }
    }
}
