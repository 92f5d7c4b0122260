//! Canonical symbols: `BTC/USDT` whatever the exchange calls it.
//!
//! Base and quote are taken from the exchange's own naming, never guessed: where a name has no separator, the
//! quote must be in a table, and a name that ends in none of its assets is an error.

use std::fmt;

/// Assets that Binance quotes in, now or once. None ends in another, so that at most one fits a name: plain `USD`
/// is left out for that (Binance has no such pairs, and it would fit every `FDUSD`).
const BINANCE_QUOTES: [&str; 43] = [
    "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "USD1", "USDS", "USDE", "RLUSD", "EURI", "DAI", "PAX", "UST",
    "VAI", "EUR", "GBP", "AUD", "TRY", "BRL", "ARS", "COP", "MXN", "JPY", "IDRT", "BIDR", "BKRW", "BVND", "NGN", "RUB",
    "PLN", "RON", "ZAR", "UAH", "CZK", "BTC", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL",
];
/// `AEUR` was quoted in three pairs; as a table entry it would turn `ADAEUR` into AD/AEUR.
const BINANCE_AEUR_PAIRS: [(&str, &str); 3] = [("BTC", "AEUR"), ("ETH", "AEUR"), ("EUR", "AEUR")];

/// Assets that Bybit quotes in, now or once. `USD` comes last, since others end in it.
const BYBIT_QUOTES: [&str; 17] = [
    "USDT", "USDC", "USDE", "USDR", "USDQ", "USD1", "RLUSD", "DAI", "EUR", "GBP", "BRL", "TRY", "PLN", "BTC", "ETH",
    "MNT", "USD",
];
/// How Bybit's perpetual contracts that are settled in USDC end.
const BYBIT_PERPETUAL: &str = "PERP";

/// What is traded, and what it is paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// What is traded.
    pub base: &'a str,
    /// What it is paid in.
    pub quote: &'a str,
}

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.quote)
    }
}

/// Takes a symbol apart that an exchange writes as base, `separator` and quote, in capitals.
///
/// # Errors
/// That it is not in that form, and what is, where that can be told.
pub fn split_at<'a>(symbol: &'a str, separator: char, exchange: &str) -> Result<Pair<'a>, String> {
    let mut parts = symbol.split(separator);
    if let (Some(base), Some(quote), None) = (parts.next(), parts.next(), parts.next())
        && is_asset(base)
        && is_asset(quote)
    {
        return Ok(Pair { base, quote });
    }
    let capitals = symbol.to_uppercase();
    let named: Vec<&str> = capitals.split(SEPARATORS).collect();
    let meant = match named[..] {
        [base, quote] => Some(Pair { base, quote }),
        [joined] => split_binance(joined).or_else(|| split_behind(joined, "USD")),
        _ => None,
    };
    Err(match meant.filter(|pair| is_asset(pair.base) && is_asset(pair.quote)) {
        Some(Pair { base, quote }) => {
            let form = format!("{base}{separator}{quote}");
            format!("symbol {symbol:?} is not in {exchange}'s form: write {form:?}")
        }
        None => {
            let form = format!("BTC{separator}USD");
            format!("symbol {symbol:?} is not in {exchange}'s form: write base and quote, such as {form:?}")
        }
    })
}

/// What some exchange or other writes between base and quote.
const SEPARATORS: [char; 4] = ['/', '-', '_', ' '];

/// Checks a symbol that an exchange writes without separators, in capitals (not only Latin ones).
///
/// # Errors
/// That it is not in that form, and what is.
pub fn check_joined(symbol: &str, exchange: &str) -> Result<(), String> {
    let joined = symbol.replace(SEPARATORS, "").to_uppercase();
    if symbol.is_empty() || joined != symbol {
        return Err(format!("symbol {symbol:?} is not in {exchange}'s form: write {joined:?}"));
    }
    Ok(())
}

/// What to say of a symbol whose base and quote cannot be told.
pub fn unresolved(symbol: &str) -> String {
    format!(
        "symbol {symbol:?} ends in no quote asset that is known: say what it is by canonical = {{ {symbol:?} = \"BASE/QUOTE\" }}"
    )
}

fn is_asset(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() && !c.is_lowercase())
}

/// Takes a symbol apart that ends in `quote`.
fn split_behind<'a>(symbol: &'a str, quote: &str) -> Option<Pair<'a>> {
    let base = symbol.strip_suffix(quote).filter(|base| !base.is_empty())?;
    Some(Pair { base, quote: &symbol[base.len()..] })
}

/// Takes one of Bybit's symbols apart, which have no separator.
pub fn split_bybit(symbol: &str) -> Option<Pair<'_>> {
    let perpetual = symbol.strip_suffix(BYBIT_PERPETUAL).filter(|base| !base.is_empty());
    let perpetual = perpetual.map(|base| Pair { base, quote: "USDC" });
    perpetual.or_else(|| BYBIT_QUOTES.iter().find_map(|quote| split_behind(symbol, quote)))
}

/// Takes one of Binance's symbols apart, which have no separator.
pub fn split_binance(symbol: &str) -> Option<Pair<'_>> {
    let known = |(base, quote): &(&str, &str)| split_behind(symbol, quote).filter(|pair| pair.base == *base);
    let by_table = || BINANCE_QUOTES.iter().find_map(|quote| split_behind(symbol, quote));
    BINANCE_AEUR_PAIRS.iter().find_map(known).or_else(by_table)
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
            let expected = expected.map(|(base, quote)| Pair { base, quote });
            assert_eq!(split_binance(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn at_most_one_quote_fits_a_name() {
        for a in BINANCE_QUOTES {
            assert_eq!(BINANCE_QUOTES.iter().filter(|b| b.ends_with(a)).count(), 1, "{a}");
        }
    }

    #[test]
    fn bybits_names_split_at_their_quote() {
        for (symbol, expected) in [
            ("BTCUSDT", Some("BTC/USDT")),
            ("BTCUSD", Some("BTC/USD")),
            ("BTCUSDE", Some("BTC/USDE")),
            ("BTCPERP", Some("BTC/USDC")),
            ("MNTBTC", Some("MNT/BTC")),
            ("USDT", None),
            ("BTCXYZ", None),
        ] {
            assert_eq!(split_bybit(symbol).map(|pair| pair.to_string()).as_deref(), expected, "{symbol}");
        }
    }
}
