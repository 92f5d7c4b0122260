//! One symbol of the market: its trades, those of the past, and in which forms its frames go to whom.

use std::collections::VecDeque;

use fastrand::Rng;

use super::dialect::{self, Shape, Symbol};
use super::history::Past;
use super::market::SymbolMarket;
use super::template::{Template, TimedTrade};
use crate::venue::protocol::Protocol;

/// Trades that are remembered for snapshots.
const REMEMBERED: usize = 50;
/// The unit in which times differ where trades have no ids: no exchange tells a finer one.
const MICROSECOND: i64 = 1_000;
/// Of 16 trades that share a frame with the one before, so many share its time, too.
const SAME_TIME_OF_16: u8 = 2;

/// One form of a symbol's frame, and who gets it.
#[derive(Debug)]
pub(super) struct Form {
    protocol: Protocol,
    shape: Shape,
    pub(super) template: Template,
    /// Frames that are no trades of the market.
    pub(super) asides: Vec<Template>,
    /// Whether the text differs from connection to connection.
    pub(super) numbered: bool,
    /// The unit of the trades' times.
    pub(super) time_unit_ns: i64,
    pub(super) subscribers: Vec<usize>,
}

/// A trade of the past.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) timed: TimedTrade,
    /// Whether it was put on the wire to anybody.
    pub(super) told: bool,
}

/// One symbol.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) name: String,
    market: SymbolMarket,
    pub(super) forms: Vec<Form>,
    /// Whether it was ever subscribed: from then on it trades, heard or not.
    pub(super) trading: bool,
    /// A fault: so many of its next trades are not sent.
    pub(super) to_skip: u64,
    /// Whether its subscribers are shown trades of the past.
    remembers: bool,
    /// The last trades, from the oldest to the newest, where it remembers any.
    pub(super) history: VecDeque<Remembered>,
    /// How many trades of the market were made.
    pub(super) made: u64,
    pub(super) last_id: Option<u64>,
    last_time_ns: i64,
    /// The last trades, as they are told by HTTP.
    pub(super) past: Past,
}

impl Listing {
    pub(super) fn new(name: &str, seed: u64, first_id: Option<u64>) -> Self {
        Self {
            name: name.to_owned(),
            market: SymbolMarket::new(name, seed, first_id),
            forms: Vec::new(),
            trading: false,
            to_skip: 0,
            remembers: false,
            history: VecDeque::new(),
            made: 0,
            last_id: None,
            last_time_ns: 0,
            past: Past::default(),
        }
    }

    /// Makes the next trade, due at this time since 1970.
    #[inline]
    pub(super) fn next(&mut self, due_ns: i64) -> TimedTrade {
        let trade = self.market.next();
        self.last_id = Some(trade.id);
        TimedTrade { trade, trade_ns: due_ns, due_ns }
    }

    /// Moves a trade's time on so that it is later than that of the trade before. One that `joins` the trade before in
    /// a frame may share its time.
    pub(super) fn set_apart(&mut self, timed: &mut TimedTrade, joins: bool, dice: &mut Rng) {
        let shares = joins && dice.u8(..16) < SAME_TIME_OF_16;
        let earliest = if shares { self.last_time_ns } else { self.last_time_ns + MICROSECOND };
        let told = timed.trade_ns / MICROSECOND * MICROSECOND;
        timed.trade_ns = if shares { earliest } else { told.max(earliest) };
        self.last_time_ns = timed.trade_ns;
    }

    #[inline]
    pub(super) fn remember(&mut self, timed: TimedTrade, told: bool) {
        self.past.push(timed);
        self.made += 1;
        if !self.remembers {
            return;
        }
        if self.history.len() == REMEMBERED {
            self.history.pop_front();
        }
        self.history.push_back(Remembered { timed, told });
    }

    /// Adds a subscriber to the form that its connection has.
    pub(super) fn subscribe(&mut self, subscriber: usize, protocol: Protocol, shape: Shape) {
        self.trading = true;
        let known = self.forms.iter_mut().find(|form| form.protocol == protocol && form.shape == shape);
        if let Some(form) = known {
            return form.subscribers.push(subscriber);
        }
        let (dialect, symbol) = (dialect::of(protocol), self.symbol());
        let template = dialect.template(&symbol, shape);
        let remembers = dialect.snapshot(&symbol, shape).is_some();
        let form = Form {
            protocol,
            shape,
            asides: dialect.asides(&symbol, shape),
            numbered: template.is_numbered(),
            template,
            time_unit_ns: dialect.time_unit_ns(shape),
            subscribers: vec![subscriber],
        };
        self.forms.push(form);
        self.remembers |= remembers;
    }

    pub(super) fn symbol(&self) -> Symbol<'_> {
        let (price_decimals, quantity_decimals) = self.market.decimals();
        Symbol { name: &self.name, price_decimals, quantity_decimals }
    }
}
