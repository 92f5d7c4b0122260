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

use super::error::Errors;
use super::file::{Feed, File};
use super::source::Source;
use crate::nearest::nearest;

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

/// Takes the symbols of feeds whose `instruments` names a file from there.
pub(super) fn take_all(file: &mut File, errors: &mut Errors) {
    for feed in &mut file.feed {
        let Some(path) = feed.instruments.clone() else { continue };
        if !feed.symbols.is_empty() {
            let symbols = feed.origins.of("symbols");
            let what = format!("instruments = {:?}: symbols ({symbols}) are given, too: keep one", path.display());
            feed.wrong("instruments", what, errors);
            continue;
        }
        if let Err(error) = take(feed, &path) {
            feed.wrong("instruments", error, errors);
        }
    }
}

fn take(feed: &mut Feed, path: &Path) -> Result<(), String> {
    let named = feed.origins.of("instruments").clone();
    let wrong = |what: String| format!("instruments = {:?}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let file: InstrumentsFile = serde_norway::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let exchange = feed.exchange.clone().unwrap_or_default();
    let mut instruments = file.instruments;
    let Some(Instruments { symbols, canonical }) = instruments.remove(&exchange) else {
        let meant = nearest(&exchange, instruments.keys().map(String::as_str));
        let meant = meant.map_or(String::new(), |meant| format!(", did you mean instruments.{meant}?"));
        return Err(wrong(format!("it lists no symbols under instruments.{exchange}{meant}")));
    };
    if symbols.is_empty() {
        return Err(wrong(format!("the list instruments.{exchange}.symbols is empty")));
    }
    let source = Source::Instruments { file: path.display().to_string(), named: Box::new(named) };
    feed.symbols = symbols;
    feed.origins.set("symbols", source.clone());
    for (symbol, pair) in canonical {
        // What feed.toml says goes before.
        feed.canonical.entry(symbol).or_insert_with_key(|symbol| {
            feed.origins.set(format!("canonical.{symbol}"), source.clone());
            pair
        });
    }
    Ok(())
}
