//! The instruments file, in the layout of the handler before this one.
//!
//! ```yaml
//! instruments:
//!   binance: {symbols: [BTCUSDT, ETHUSDT]}
//!   kraken:
//!     symbols: [XBT/USD]
//!     canonical: {XBT/USD: BTC/USD}   # where base and quote cannot be told from the symbol
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::file::Feed;

/// The layout of the file.
#[derive(Debug, Deserialize)]
struct InstrumentsFile {
    instruments: BTreeMap<String, Instruments>,
}

#[derive(Debug, Deserialize)]
struct Instruments {
    symbols: Vec<String>,
    #[serde(default)]
    canonical: BTreeMap<String, String>,
}

/// Takes the symbols of `feed` from the file at `path`, which `key` names.
///
/// # Errors
/// What is wrong with the file, or that it lists nothing for the feed's exchange.
pub(super) fn take(feed: &mut Feed, key: &str, path: &Path) -> Result<(), String> {
    let wrong = |what: String| format!("{key} = {:?}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let file: InstrumentsFile = serde_norway::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let exchange = feed.exchange.clone().unwrap_or_default();
    let mut instruments = file.instruments;
    let listed = instruments.remove(&exchange);
    let Instruments { symbols, canonical } =
        listed.ok_or_else(|| wrong(format!("it lists no symbols under instruments.{exchange}")))?;
    feed.symbols = symbols;
    // What feed.toml says goes before.
    feed.canonical = canonical.into_iter().chain(std::mem::take(&mut feed.canonical)).collect();
    Ok(())
}
