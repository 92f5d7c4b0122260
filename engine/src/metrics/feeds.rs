//! What comes in: frames, trades, gaps, connections.

use std::collections::BTreeMap;

use super::families::{Families, Labels, Told};
use super::named;
use crate::accounting::FeedTally;
use crate::board::{State, Symbol};
use crate::clock::Nanos;
use crate::engine::view::{Breaker, Signs, Tally, View};
use crate::repair::Reason;

/// Symbols of an exchange that are told apart; the rest are told together, so that series are bounded.
const MOST_SYMBOLS: usize = 500;
/// What those are called.
const OTHERS: &str = "others";

/// What the cores show at any time.
pub(super) fn shown(families: &mut Families, signs: &Signs) {
    let symbols = bounded(signs.board.symbols());
    let each =
        |of: fn(&Symbol) -> u64| symbols.iter().map(move |symbol| (labels(symbol), of(symbol))).collect::<Vec<_>>();
    let help = "Trades decoded, those that came again included.";
    families.counter("k2_feed_trades_total", help, each(|symbol| symbol.counts.trades));
    families.counter("k2_feed_gaps_total", "Jumps in a symbol's sequence.", each(|symbol| symbol.counts.gaps));
    let help = "Trades that are missing in gaps, those repaired since included.";
    families.counter("k2_feed_missing_trades_total", help, each(|symbol| symbol.counts.missing));
    let help = "When a symbol's last trade was received, since 1970; 0 before the first.";
    let received = symbols.iter().map(|symbol| (labels(symbol), symbol.received_unix_ns as f64 / 1e9));
    families.gauge("k2_feed_last_trade_timestamp_seconds", help, received);

    let mut connections: BTreeMap<String, [usize; State::ALL.len()]> = BTreeMap::new();
    for connection in signs.board.connections(Nanos::now()) {
        connections.entry(connection.exchange).or_default()[connection.state as usize] += 1;
    }
    let counts = connections.iter().flat_map(|(exchange, counts)| {
        let of = |state: State| (vec![("exchange", exchange.as_str()), ("state", state.name())], state);
        State::ALL.map(of).map(|(labels, state)| (labels, counts[state as usize] as u64))
    });
    families.level("k2_feed_connections", "Connections to exchanges, by how far they are.", counts);
}

/// What was collected.
pub(super) fn collected(families: &mut Families, signs: &Signs, view: &View) {
    let feeds: Vec<_> = named(signs, &view.cores)
        .filter_map(|(name, core)| match &core.tally {
            Tally::Feed(tally) => Some((name, tally)),
            Tally::Producer(..) => None,
        })
        .collect();
    let each = |of: fn(&FeedTally) -> u64| {
        feeds.iter().map(move |(core, tally)| (vec![("core", *core)], of(tally))).collect::<Vec<_>>()
    };
    let frames = feeds.iter().flat_map(|(core, tally)| {
        let outcomes =
            [("decoded", tally.frames.decoded), ("control", tally.frames.control), ("rejected", tally.frames.rejected)];
        outcomes.map(|(outcome, count)| (vec![("core", *core), ("outcome", outcome)], count))
    });
    families.counter("k2_feed_frames_total", "Messages received, by what became of them.", frames);
    let help = "Trades that came again and were not published twice.";
    families.counter("k2_feed_duplicates_total", help, each(|tally| tally.duplicates));
    let help = "Trades that came behind later ones of their symbol.";
    families.counter("k2_feed_late_trades_total", help, each(|tally| tally.late));
    let repairs = feeds.iter().flat_map(|(core, tally)| {
        let (repairs, core) = (tally.repairs, *core);
        let done = [("repaired", repairs.gaps), ("filled", repairs.filled)];
        let given_up = Reason::ALL.map(|reason| (reason.name(), repairs.given_up(reason)));
        let outcomes = done.into_iter().chain(given_up);
        outcomes.map(move |(outcome, count)| (vec![("core", core), ("outcome", outcome)], count))
    });
    let help = "Gaps by what became of them: repaired from the exchange's history, filled by another connection, or why \
                they were given up.";
    families.counter("k2_feed_repairs_total", help, repairs);
    let sessions: [Told<FeedTally>; 5] = [
        ("k2_feed_reconnects_total", "Connections that were made anew after one broke.", |tally| tally.reconnects),
        ("k2_feed_failed_connects_total", "Attempts to connect, or to get market data, that failed.", |tally| {
            tally.sessions.failed
        }),
        (
            "k2_feed_breakers_opened_total",
            "Times that an address was left alone for having failed for long.",
            |tally| tally.sessions.breakers_opened,
        ),
        (
            "k2_feed_connections_replaced_total",
            "Connections whose place another has taken while they were up.",
            |tally| tally.sessions.replaced,
        ),
        ("k2_feed_resubscribed_total", "Subscriptions that were made anew for their silence.", |tally| {
            tally.sessions.resubscribed
        }),
    ];
    for (name, help, of) in sessions {
        families.counter(name, help, each(of));
    }
    let breakers = view.addresses.iter().flat_map(|address| {
        Breaker::ALL.map(|state| {
            let labels = vec![
                ("exchange", address.exchange.as_str()),
                ("address", address.url.as_str()),
                ("state", state.name()),
            ];
            (labels, state == address.breaker)
        })
    });
    families.flag("k2_feed_breaker_state", "How an address's breaker is: 1 for the state that it is in.", breakers);
}

fn labels(symbol: &Symbol) -> Labels<'_> {
    vec![("exchange", symbol.exchange), ("symbol", &symbol.symbol)]
}

/// The same, with those of an exchange that are too many put together. They are in order, exchange by exchange.
fn bounded(symbols: Vec<Symbol>) -> Vec<Symbol> {
    let (mut kept, mut of_exchange): (Vec<Symbol>, usize) = (Vec::new(), 0);
    for mut symbol in symbols {
        let is_new = kept.last().is_none_or(|last| last.exchange != symbol.exchange);
        of_exchange = if is_new { 1 } else { of_exchange + 1 };
        match kept.last_mut() {
            Some(others) if of_exchange > MOST_SYMBOLS + 1 => others.add(&symbol),
            _ if of_exchange > MOST_SYMBOLS => {
                symbol.symbol = OTHERS.into();
                kept.push(symbol);
            }
            _ => kept.push(symbol),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::SymbolCounts;

    #[test]
    fn so_many_symbols_of_each_exchange_are_told_apart() {
        let symbol = |exchange, number: usize| Symbol {
            exchange,
            symbol: format!("S{number:04}"),
            counts: SymbolCounts { trades: 1, gaps: 0, missing: 0 },
            received_unix_ns: number as i64,
            delay_ns: 0,
        };
        let many = (0..MOST_SYMBOLS + 3).map(|number| symbol("binance", number));
        let few = (0..2).map(|number| symbol("kraken", number));
        let bounded = bounded(many.chain(few).collect());
        assert_eq!(bounded.len(), MOST_SYMBOLS + 1 + 2);
        let others = &bounded[MOST_SYMBOLS];
        assert_eq!((others.symbol.as_str(), others.counts.trades), (OTHERS, 3));
        assert_eq!(others.received_unix_ns, MOST_SYMBOLS as i64 + 2, "the latest of them");
        assert_eq!(bounded[MOST_SYMBOLS + 1].exchange, "kraken");
    }
}
