//! Sessions that stay up and get no trades.

use crate::sim::dialect::{self, Session};

impl Session {
    /// Whether the frames of a stream are sent.
    pub(in crate::sim) fn hears(&self, stream: &str) -> bool {
        !self.silent && !self.muted.iter().any(|muted| muted == stream)
    }

    /// Has the trades of a symbol sent no more until it is subscribed anew; false if it is not subscribed.
    pub(super) fn mute(&mut self, symbol: &str) -> bool {
        let dialect = dialect::of(self.protocol);
        let of_symbol = |stream: &&String| dialect.traded_symbol(stream, self.shape).as_deref() == Some(symbol);
        let streams: Vec<String> = self.streams.iter().filter(of_symbol).cloned().collect();
        let is_subscribed = !streams.is_empty();
        self.muted.retain(|muted| !streams.contains(muted));
        self.muted.extend(streams);
        is_subscribed
    }

    /// Streams that were unsubscribed are heard when they are subscribed again.
    pub(in crate::sim) fn unmute_unsubscribed(&mut self) {
        let Self { muted, streams, .. } = self;
        muted.retain(|muted| streams.contains(muted));
    }
}
