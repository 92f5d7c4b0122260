//! Recordings, and what the engine makes of them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use bumpalo::Bump;
use flate2::read::MultiGzDecoder;
use k2_feed::trade::{Side, Trade};
use k2_feed::venue::json::Json;
use k2_feed::venue::{Endpoint, Frame, Instrument, Protocol, Symbols, TimeUnit, Venue, Visit};

/// A trade as its texts stand in the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) symbol: String,
    /// Empty where the exchange gives none.
    pub(crate) id: String,
    pub(crate) price: String,
    pub(crate) quantity: String,
    /// The taker's.
    pub(crate) side: Side,
    pub(crate) time_ns: i64,
}

/// What a frame was to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    Trades(Vec<Told>),
    Control,
    Rejected(String),
}

/// The frames of a recording, each line of which is a time and a frame; nothing, and a line that says so, without it.
pub(crate) fn frames(file: &str) -> Option<Vec<String>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recorded").join(file);
    let Ok(opened) = File::open(&path) else {
        eprintln!("skipped: no recording at {}", path.display());
        return None;
    };
    let bytes: Box<dyn io::Read> =
        if file.ends_with(".gz") { Box::new(MultiGzDecoder::new(opened)) } else { Box::new(opened) };
    let lines = BufReader::new(bytes).lines().map(|line| line.expect("a line"));
    Some(lines.map(|line| line.split_once(' ').expect("a time and a frame").1.to_string()).collect())
}

/// Decodes frames one after the other, as a connection does that carries `symbols`.
pub(crate) fn decode(protocol: Protocol, symbols: &[&str], frames: &[String]) -> Vec<Read> {
    protocol.visit(Decode { symbols, frames })
}

struct Decode<'a> {
    symbols: &'a [&'a str],
    frames: &'a [String],
}

impl Visit for Decode<'_> {
    type Output = Vec<Read>;

    fn visit<V: Venue>(self) -> Vec<Read> {
        let instruments: Vec<_> = self.symbols.iter().map(|symbol| V::instrument(symbol, None).unwrap()).collect();
        let endpoint = Endpoint { url: V::FACTS.url.parse().unwrap(), time_unit: TimeUnit::Millisecond };
        let venue = V::new(&V::subscription(&endpoint, &instruments).unwrap());
        let (known, mut json, mut arena) = (Symbols::new(&instruments), Json::default(), Bump::new());
        let read = |frame: &String| {
            let mut bytes = frame.clone().into_bytes();
            arena.reset();
            match venue.decode(&mut bytes, &known, &mut json, &arena) {
                Ok(Frame::Trades(trades)) => {
                    Read::Trades(trades.iter().map(|trade| told(trade, &instruments)).collect())
                }
                Ok(Frame::Control(_)) => Read::Control,
                Ok(other) => panic!("{other:?} of {frame}"),
                Err(reject) => Read::Rejected(reject.to_string()),
            }
        };
        self.frames.iter().map(read).collect()
    }
}

fn told(trade: &Trade<'_>, instruments: &[Instrument]) -> Told {
    Told {
        symbol: instruments[trade.instrument].symbol.clone(),
        id: trade.id.to_string(),
        price: trade.price.text().into(),
        quantity: trade.quantity.text().into(),
        side: trade.side,
        time_ns: trade.exchange_time_ns,
    }
}
