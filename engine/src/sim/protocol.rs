//! What the rest of the simulator needs to know of an exchange's protocol.

use std::ops::Range;

use super::binance::Binance;
use super::template::Template;
use crate::venue::Exchange;

/// Which of its forms an exchange's frames have on a connection; only the exchange's own file knows the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Shape(pub(crate) u8);

/// What a client has asked for on its connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) shape: Shape,
    /// In the exchange's own names, in the order of subscription, each once.
    pub(crate) streams: Vec<String>,
}

/// Why an upgrade is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: String,
}

/// Where a recorded frame names its stream, and where its bare payload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) stream: Range<usize>,
    pub(crate) data: Range<usize>,
}

/// One exchange's protocol: pure functions, no sockets, no time.
pub(crate) trait Protocol: Send + Sync {
    /// The session that a client opens with this path and query.
    fn open(&self, path: &str, query: Option<&str>) -> Result<Session, Refusal>;

    /// Takes a client's message and returns the reply.
    fn answer(&self, session: &mut Session, text: &str) -> String;

    /// The symbol whose trades a stream carries, if it carries trades.
    fn traded_symbol(&self, stream: &str) -> Option<String>;

    /// The trade frame of a symbol.
    fn template(&self, symbol: &str, shape: Shape) -> Template;

    /// What is said before the server goes away.
    fn shutdown_notice(&self, shape: Shape, unix_ns: i64) -> String;

    /// Takes a recorded frame apart; `None` if no stream is named in it.
    fn recorded(&self, frame: &str) -> Option<Recorded>;

    /// Whether clients of this shape get the bare payload of a recorded frame.
    fn is_bare(&self, shape: Shape) -> bool;

    /// Messages that a client may send within a second; one more and it is disconnected.
    fn inbound_per_second(&self) -> usize;

    /// Where clients connect.
    fn default_path(&self) -> &'static str;
}

/// The protocol of an exchange.
pub(crate) fn of(exchange: Exchange) -> Box<dyn Protocol> {
    match exchange {
        Exchange::Binance => Box::new(Binance),
    }
}
