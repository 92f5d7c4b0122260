//! What the exchanges' archives have in common: what is kept, how it is picked, and HTTP as far as it is needed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Write;

use super::desk::{Found, Question};
use crate::sim::market::Trade;
use crate::sim::template::TimedTrade;

/// How one exchange tells trades of the past.
pub(super) trait Archive: Sync {
    /// Whether a path is one of its own.
    fn owns(&self, path: &str) -> bool;

    /// What a request asks for, or the exchange's refusal.
    fn question(&self, asked: &Asked<'_>) -> Result<Question, Reply>;

    /// Tells what was found.
    fn reply(&self, asked: &Asked<'_>, found: &Found) -> Reply;

    /// The refusal of a symbol that does not exist.
    fn no_such_symbol(&self) -> Reply;
}

/// A request.
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    head: &'a str,
}

impl<'a> Asked<'a> {
    /// Of a request's target and its whole head.
    pub(super) fn new(target: &'a str, head: &'a str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Asked { path, parameters: url::form_urlencoded::parse(query.as_bytes()).collect(), head }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// A parameter that is a whole number; if it is none, that is the error.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, &str> {
        self.parameter(name).map(|text| text.parse().map_err(|_| text)).transpose()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn ok(body: String) -> Self {
        Reply { status: 200, headers: String::new(), body }
    }

    pub(super) fn refusal(status: u16, body: &str) -> Self {
        let headers = if status == 429 { "Retry-After: 1\r\n" } else { "" };
        Reply { status, headers: headers.into(), body: body.into() }
    }

    pub(super) fn to_http(&self) -> String {
        let Reply { status, headers, body } = self;
        let reason = tungstenite::http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
        let mut text = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Unknown"));
        let length = body.len();
        let _ = write!(text, "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n");
        text + headers + "\r\n" + body
    }
}

/// Which trades are picked, up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// From this id on, the oldest first.
    From(u64),
    /// Before this id, the newest first.
    Before(u64),
    /// After this time in nanoseconds since 1970, the oldest first.
    After(i64),
    /// From one time to before another, in nanoseconds since 1970, the newest first.
    Between(i64, i64),
    /// The last ones, the oldest first.
    Last,
    /// The last ones, the newest first.
    Newest,
}

/// The last trades of a symbol.
#[derive(Debug, Default)]
pub(crate) struct Past {
    trades: VecDeque<TimedTrade>,
    most: usize,
}

impl Past {
    /// Nothing yet, and never more than so many.
    pub(crate) fn of(most: usize) -> Self {
        Past { trades: VecDeque::new(), most }
    }

    /// Keeps a trade.
    #[inline]
    pub(crate) fn push(&mut self, timed: TimedTrade) {
        if self.most == 0 {
            return;
        }
        if self.trades.len() == self.most {
            self.trades.pop_front();
        }
        self.trades.push_back(timed);
    }

    /// Picks trades.
    pub(crate) fn pick(&self, pick: Pick, limit: usize) -> Vec<TimedTrade> {
        let from_id = |id: u64| self.trades.partition_point(|timed| timed.trade.id < id);
        let from_time = |at: i64| self.trades.partition_point(|timed| timed.trade_ns < at);
        let all = self.trades.len();
        let (from, to, is_newest_first) = match pick {
            Pick::From(id) => (from_id(id), all, false),
            Pick::Before(id) => (0, from_id(id), true),
            Pick::After(at) => (from_time(at.saturating_add(1)), all, false),
            Pick::Between(from, to) => (from_time(from), from_time(to), true),
            Pick::Last => (all.saturating_sub(limit), all, false),
            Pick::Newest => (0, all, true),
        };
        let picked = self.trades.range(from.min(to)..to).copied();
        if is_newest_first { picked.rev().take(limit).collect() } else { picked.take(limit).collect() }
    }
}

/// A list in JSON's brackets, each trade written by `write`.
pub(super) fn list(trades: &[TimedTrade], write: impl Fn(&Trade, i64, &mut String)) -> String {
    let mut text = String::from("[");
    for (place, timed) in trades.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        write(&timed.trade, timed.trade_ns, &mut text);
    }
    text.push(']');
    text
}

/// A number of units of 1e-8 in this spelling.
pub(super) fn spelled(spelling: crate::sim::number::Spelling, units: u64) -> String {
    let mut bytes = Vec::new();
    spelling.write(units, 1, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Trades with the ids from 1 on, one each second of 1970, of 1.5 at 20, every other sold by the taker.
    pub(in crate::sim::history) fn past(count: u64) -> Past {
        let mut past = Past::of(100);
        for id in 1..=count {
            let trade = Trade { id, price: 2_000_000_000, quantity: 150_000_000, buyer_is_maker: id % 2 == 0 };
            let at = id as i64 * 1_000_000_000 + 123_456_789;
            past.push(TimedTrade { trade, trade_ns: at, due_ns: at });
        }
        past
    }

    /// What an archive with three trades says of a symbol to a request.
    pub(in crate::sim::history) fn told(
        archive: &dyn Archive,
        name: &str,
        target: &str,
        header: &str,
    ) -> (u16, String) {
        let head = format!("GET {target} HTTP/1.1\r\n{header}\r\n\r\n");
        let asked = Asked::new(target, &head);
        assert!(archive.owns(asked.path), "{target}");
        let Reply { status, body, .. } = match archive.question(&asked) {
            Ok(question) if (question.is_meant)(name) => {
                let trades = past(3).pick(question.pick, question.limit);
                archive.reply(&asked, &Found { name: name.into(), price_decimals: 2, trades })
            }
            Ok(_) => archive.no_such_symbol(),
            Err(refusal) => refusal,
        };
        (status, body)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::past;
    use super::*;

    #[test]
    fn trades_are_picked_in_order_and_no_more_than_asked_for() {
        let past = past(9);
        let ids = |pick, limit| past.pick(pick, limit).iter().map(|timed| timed.trade.id).collect::<Vec<_>>();
        let second = |second: i64| second * 1_000_000_000;
        assert_eq!(ids(Pick::From(7), 100), [7, 8, 9]);
        assert_eq!(ids(Pick::From(0), 2), [1, 2]);
        assert!(ids(Pick::From(10), 2).is_empty());
        assert_eq!(ids(Pick::Before(4), 2), [3, 2]);
        assert_eq!(ids(Pick::Before(100), 1), [9]);
        assert_eq!(ids(Pick::After(second(7) + 123_456_789), 5), [8, 9]);
        assert_eq!(ids(Pick::Between(second(2), second(5)), 2), [4, 3]);
        assert!(ids(Pick::Between(second(5), second(2)), 2).is_empty());
        assert_eq!((ids(Pick::Last, 2), ids(Pick::Newest, 2)), (vec![8, 9], vec![9, 8]));
    }

    #[test]
    fn no_more_is_kept_than_the_most() {
        let mut past = past(0);
        past.most = 2;
        let timed = super::testing::past(3).pick(Pick::Last, 3);
        timed.iter().for_each(|timed| past.push(*timed));
        assert_eq!(past.pick(Pick::Last, 9), timed[1..]);
        let mut none = Past::default();
        none.push(timed[0]);
        assert_eq!(none.pick(Pick::Last, 9), []);
    }
}
