//! What goes wrong on purpose, and when.
//!
//! | file | what it knows |
//! |-|-|
//! | `parse` | how a fault is written, and whether it makes sense here |
//! | `strike` | the agenda: which fault strikes when, and what is done then |
//! | `entrance` | what newcomers meet: a shut door, a held or dripping connection |
//! | `requests` | subscriptions that are refused or never answered |
//! | `silence` | sessions that get no trades |
//! | `recovery` | how long clients take to come back |

mod entrance;
mod parse;
mod recovery;
mod requests;
mod silence;
mod strike;

use std::fmt;
use std::time::Duration;

pub(super) use entrance::Entrance;
pub(super) use parse::check;
pub(super) use recovery::Recoveries;
pub use recovery::Recovery;
pub(super) use requests::Requests;
pub(super) use strike::Striker;

/// A fault, and when it strikes. Written `<what>[=<value>][@<when>]`, e.g. `cut@every:5s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub what: What,
    /// When it does.
    pub when: When,
}

/// When a fault strikes, counted from the market's opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From the start on: not written.
    Always,
    /// Once, so long after the market opened: `@5s`.
    Once(Duration),
    /// After so long, and again and again: `@every:5s`.
    Every(Duration),
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Every connection is dropped without a goodbye.
    Cut,
    /// One connection at a time is dropped, in turn.
    CutOne,
    /// For so long new connections are reset at once.
    Refuse(Duration),
    /// The upgrade is answered with an HTTP status.
    Status {
        /// The status.
        code: u16,
        /// For how long.
        lasts: Duration,
    },
    /// Every connection is closed with this close code.
    Close(u16),
    /// Nothing is sent for so long; what is due meanwhile follows.
    Stall(Duration),
    /// Connections that stand get no trades any more.
    Silent,
    /// Connections that stand get no trades of this symbol any more, until it is subscribed anew.
    Mute(String),
    /// Bytes go out in pieces of at most so many.
    Drip(usize),
    /// One text frame that is no JSON on each connection.
    Garbage,
    /// So many trades of each symbol are made and not sent.
    Drop(u64),
    /// The exchange's notice that it goes away, and so long after it the cut.
    Shutdown(Duration),
    /// Subscriptions to this symbol are refused.
    Reject(String),
    /// Subscriptions to this symbol are never answered.
    NoAck(String),
}

/// How many kinds of faults there are.
const KINDS: usize = 14;

/// How a kind of fault is written and told of.
struct Word {
    name: &'static str,
    example: &'static str,
    says: &'static str,
    /// What is counted each time it strikes.
    touches: &'static str,
}

impl Word {
    const fn new(name: &'static str, example: &'static str, touches: &'static str, says: &'static str) -> Self {
        Self { name, example, says, touches }
    }
}

/// In the order of [`What::place`].
const WORDS: [Word; KINDS] = [
    Word::new("cut", "cut@5s", "connections", "every connection is dropped without a goodbye"),
    Word::new("cut-one", "cut-one@every:5s", "connections", "one connection at a time is dropped, in turn"),
    Word::new("refuse", "refuse=3s@5s", "turned away", "for 3 s, new connections are reset at once"),
    Word::new("status", "status=503/3s@5s", "turned away", "for 3 s, upgrades are answered with HTTP status 503"),
    Word::new("close", "close=1001@5s", "connections", "every connection is closed with this code (1000 to 4999)"),
    Word::new("stall", "stall=3s@5s", "connections", "nothing is sent for 3 s; trades due meanwhile follow then"),
    Word::new("silent", "silent@5s", "connections", "standing connections get all but trades, until made anew"),
    Word::new(
        "mute",
        "mute=BTCUSDT@5s",
        "connections",
        "no more trades of it on standing connections, until subscribed anew",
    ),
    Word::new("drip", "drip=64", "connections", "bytes go out in pieces of at most 64 (from the start, or @5s)"),
    Word::new("garbage", "garbage@5s", "connections", "each connection gets a text frame that is no JSON"),
    Word::new("drop", "drop=3@5s", "trades", "the next 3 trades of each symbol are made, but not sent: a gap in ids"),
    Word::new("shutdown", "shutdown@5s", "connections", "the exchange's notice, and the cut 10 s after it (=3s: 3 s)"),
    Word::new("reject", "reject=BTCUSDT", "requests", "subscriptions to a symbol are refused, in the exchange's words"),
    Word::new("noack", "noack=BTCUSDT", "requests", "subscriptions to a symbol are never answered"),
];

impl What {
    /// Its place among the words.
    fn place(&self) -> usize {
        match self {
            What::Cut => 0,
            What::CutOne => 1,
            What::Refuse(_) => 2,
            What::Status { .. } => 3,
            What::Close(_) => 4,
            What::Stall(_) => 5,
            What::Silent => 6,
            What::Mute(_) => 7,
            What::Drip(_) => 8,
            What::Garbage => 9,
            What::Drop(_) => 10,
            What::Shutdown(_) => 11,
            What::Reject(_) => 12,
            What::NoAck(_) => 13,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WORDS[self.what.place()].name)?;
        let time = humantime::format_duration;
        match &self.what {
            What::Cut | What::CutOne | What::Silent | What::Garbage => {}
            What::Refuse(lasts) | What::Stall(lasts) | What::Shutdown(lasts) => write!(f, "={}", time(*lasts))?,
            What::Status { code, lasts } => write!(f, "={code}/{}", time(*lasts))?,
            What::Close(code) => write!(f, "={code}")?,
            What::Drip(bytes) => write!(f, "={bytes}")?,
            What::Drop(trades) => write!(f, "={trades}")?,
            What::Mute(symbol) | What::Reject(symbol) | What::NoAck(symbol) => write!(f, "={symbol}")?,
        }
        match self.when {
            When::Always => Ok(()),
            When::Once(after) => write!(f, "@{}", time(after)),
            When::Every(every) => write!(f, "@every:{}", time(every)),
        }
    }
}

/// How often each kind of fault struck.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Struck([Count; KINDS]);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    times: u64,
    touched: u64,
}

impl Struck {
    /// Notes that a fault struck, or how much more it touched.
    pub(super) fn note(&mut self, place: usize, times: u64, touched: u64) {
        let count = &mut self.0[place];
        count.times += times;
        count.touched += touched;
    }

    /// How often the fault of this name (`cut`, `drop` …) struck; 0 of a name that is none.
    pub fn times(&self, name: &str) -> u64 {
        self.count(name).times
    }

    /// How many connections (for `refuse` and `status`: clients turned away, for `drop`: trades, for `reject` and
    /// `noack`: requests) it touched.
    pub fn touched(&self, name: &str) -> u64 {
        self.count(name).touched
    }

    /// Whether none has struck.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn count(&self, name: &str) -> Count {
        WORDS.iter().position(|word| word.name == name).map_or_else(Count::default, |place| self.0[place])
    }
}

impl fmt::Display for Struck {
    /// `cut 4 (8 connections), drop 1 (6 trades)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let struck = WORDS.iter().zip(&self.0).filter(|(_, count)| **count != Count::default());
        for (place, (Word { name, touches, .. }, Count { times, touched })) in struck.enumerate() {
            write!(f, "{}{name} {times} ({touched} {touches})", if place > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
