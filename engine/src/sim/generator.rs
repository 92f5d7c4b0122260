//! Generated trades: which symbol trades next, how many of its trades share a frame, and who gets the frame.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use fastrand::Rng;

use super::config::{Arrivals, Rate, SimulatorConfig};
use super::dialect::{self, Shape, Snapshot};
use super::driver::Source;
use super::history::{Found, Past, Question};
use super::listing::Listing;
use super::lock::lock;
use super::recorder::Recorder;
use super::schedule::{Schedule, unix_ns};
use super::template::{Envelope, Pen, TimedTrade, Written};
use super::wire::Wire;
use crate::venue::protocol::Protocol;

/// Of 16 frames, so many have several trades, where frames can.
const SEVERAL_OF_16: u8 = 5;
/// Of 256 frames, before so many comes one that is no trade, where there are such.
const ASIDES_OF_256: u8 = 4;

/// A subscription to a symbol's trades.
struct Wanted {
    subscriber: usize,
    protocol: Protocol,
    shape: Shape,
    symbol: String,
    /// Whether trades of the past are to be shown first.
    owed: bool,
}

/// The market of all symbols. The rate is shared evenly, in a seeded order, by the symbols that trade.
pub(crate) struct Generator {
    schedule: Schedule,
    unpaced: bool,
    seed: u64,
    first_trade_id: Option<u64>,
    /// How many trades of a symbol's past are kept.
    history_trades: usize,
    /// Whether only the symbols listed at the start exist.
    closed: bool,
    /// Most trades in a frame.
    trades_per_frame: u64,
    /// Whether times differ because some protocol has no ids.
    times_differ: bool,
    listings: Vec<Listing>,
    indexes: HashMap<String, usize>,
    trading: Vec<usize>,
    /// Whether any trading symbol has a subscriber.
    heard: bool,
    order: Rng,
    /// The trades of one frame.
    run: Vec<TimedTrade>,
    pen: Pen,
    recorder: Recorder,
    warned: HashSet<String>,
}

impl Generator {
    pub(crate) fn new(config: &SimulatorConfig) -> Self {
        let schedule = match config.rate {
            Rate::PerSecond(rate) => Schedule::new(rate, config.arrivals, config.seed),
            Rate::Max => Schedule::new(f64::INFINITY, Arrivals::Even, config.seed),
        };
        let mut served = dialect::served_with(config.protocol).iter().map(|protocol| dialect::of(*protocol));
        let mut generator = Self {
            schedule,
            unpaced: config.waits_for_readers(),
            seed: config.seed,
            first_trade_id: config.first_trade_id,
            history_trades: config.history_trades,
            closed: !config.symbols.is_empty(),
            trades_per_frame: dialect::of(config.protocol).trades_per_frame(),
            times_differ: served.any(|dialect| !dialect.has_ids()),
            listings: Vec::new(),
            indexes: HashMap::new(),
            trading: Vec::new(),
            heard: false,
            order: Rng::with_seed(config.seed),
            run: Vec::new(),
            pen: Pen::default(),
            recorder: Recorder::new(config.ledger.clone()),
            warned: HashSet::new(),
        };
        for symbol in &config.symbols {
            generator.list(symbol);
        }
        generator
    }

    fn list(&mut self, symbol: &str) -> usize {
        let mut listing = Listing::new(symbol, self.seed, self.first_trade_id);
        listing.past = Past::of(self.history_trades);
        self.listings.push(listing);
        let index = self.listings.len() - 1;
        self.indexes.insert(symbol.to_owned(), index);
        index
    }

    /// The index of a symbol that is being subscribed; `None` if it does not exist.
    fn index(&mut self, symbol: &str, wire: &Wire) -> Option<usize> {
        if let Some(index) = self.indexes.get(symbol) {
            return Some(*index);
        }
        if self.closed {
            if self.warned.insert(symbol.to_owned()) {
                tracing::warn!(symbol, "subscribed, but no such symbol exists here: acknowledged, and silent");
            }
            return None;
        }
        lock(&wire.hub().symbols).push(symbol.to_owned());
        Some(self.list(symbol))
    }

    /// What all connections want; their replies are staged on the way.
    fn wanted(&self, wire: &mut Wire) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let last_id = |symbol: &str| self.indexes.get(symbol).and_then(|index| self.listings[*index].last_id);
        wire.for_each_session(&last_id, |subscriber, session| {
            let owed = std::mem::take(&mut session.owed);
            let (protocol, shape) = (session.protocol, session.shape);
            let dialect = dialect::of(protocol);
            let heard = session.streams.iter().filter(|stream| session.hears(stream));
            let symbols = heard.filter_map(|stream| dialect.traded_symbol(stream, shape));
            wanted.extend(symbols.map(|symbol| {
                let owed = owed.contains(&symbol);
                Wanted { subscriber, protocol, shape, symbol, owed }
            }));
        });
        wanted
    }

    /// Makes the trades of a frame.
    #[inline]
    fn make_run(&mut self, symbol: usize, trades: Range<u64>, now_ns: i64, to_unix_ns: impl Fn(i64) -> i64) {
        let listing = &mut self.listings[symbol];
        self.run.clear();
        for k in trades {
            let due_ns = if self.unpaced { now_ns } else { self.schedule.due_ns(k) };
            let mut timed = listing.next(to_unix_ns(due_ns));
            if self.times_differ {
                listing.set_apart(&mut timed, !self.run.is_empty(), &mut self.order);
            }
            self.run.push(timed);
        }
    }

    /// Takes the trades that are to be skipped out of the run; whether none is left of it.
    #[cold]
    fn skip_run(&mut self, symbol: usize) -> bool {
        let listing = &mut self.listings[symbol];
        let skipped = self.run.len().min(usize::try_from(listing.to_skip).unwrap_or(usize::MAX));
        listing.to_skip -= skipped as u64;
        for timed in self.run.drain(..skipped) {
            listing.remember(timed, false);
        }
        self.run.is_empty()
    }

    /// Sends the run's trades, or else a frame of this kind that is no trade of the market, to whoever wants it.
    fn send_run(&mut self, symbol: usize, aside: Option<usize>, due_ns: i64, event_ns: i64, wire: &mut Wire) {
        let Self { listings, run, pen, recorder, .. } = self;
        let due_unix_ns = run.last().map_or(event_ns, |timed| timed.due_ns);
        let listing = &listings[symbol];
        let told = if aside.is_some() { &run[..0] } else { &run[..] };
        let tells = listing.made..listing.made + told.len() as u64;
        let mut recorded = false;
        for form in &listing.forms {
            let template = aside.map_or(&form.template, |kind| &form.asides[kind]);
            for (place, subscriber) in form.subscribers.iter().enumerate() {
                let is_written = place == 0 || form.numbered;
                if is_written {
                    let sequence = if form.numbered { wire.next_number(*subscriber) } else { 0 };
                    pen.write(template, &*run, &Envelope { event_ns, sequence });
                }
                if !std::mem::replace(&mut recorded, true) {
                    let trades = told.iter().zip(&pen.written);
                    recorder.add(symbol, due_unix_ns, &pen.frame, tells.clone(), form.time_unit_ns, trades);
                } else if is_written && recorder.is_recording() {
                    recorder.vary(&pen.frame);
                }
                wire.stage(*subscriber, &pen.frame, Some(due_ns));
            }
        }
    }

    /// Now and then, sends a frame that is no trade of the market, where the exchange does.
    #[inline]
    fn step_aside(
        &mut self,
        symbol: usize,
        due_ns: i64,
        now_ns: i64,
        to_unix_ns: impl Fn(i64) -> i64,
        wire: &mut Wire,
    ) {
        let kinds = self.listings[symbol].forms.first().map_or(0, |form| form.asides.len());
        if kinds > 0 && self.order.u8(..) < ASIDES_OF_256 {
            let kind = self.order.usize(..kinds);
            self.run.clear();
            let timed = self.listings[symbol].next(to_unix_ns(due_ns));
            self.run.push(timed);
            self.send_run(symbol, Some(kind), due_ns, to_unix_ns(now_ns), wire);
        }
    }

    /// Shows a new subscriber the trades of the past, and writes down those that nobody had been shown.
    fn show_history(&mut self, wanted: &Wanted, symbol: usize, wire: &mut Wire) {
        let Self { listings, pen, recorder, .. } = self;
        let listing = &mut listings[symbol];
        let dialect = dialect::of(wanted.protocol);
        let Some(Snapshot { template, trades, newest_first }) = dialect.snapshot(&listing.symbol(), wanted.shape)
        else {
            return;
        };
        let shown = listing.history.len().min(trades);
        let tells = listing.made - shown as u64..listing.made;
        let mut history: Vec<_> = listing.history.iter_mut().rev().take(shown).collect();
        if history.is_empty() {
            return;
        }
        if !newest_first {
            history.reverse();
        }
        let event_ns = unix_ns();
        let sequence = if template.is_numbered() { wire.next_number(wanted.subscriber) } else { 0 };
        pen.write(&template, history.iter().map(|known| &known.timed), &Envelope { event_ns, sequence });
        let mut new: Vec<(&TimedTrade, &Written)> = history
            .iter_mut()
            .zip(&pen.written)
            .filter_map(|(known, written)| {
                let is_new = !std::mem::replace(&mut known.told, true);
                is_new.then_some((&known.timed, written))
            })
            .collect();
        if newest_first {
            new.reverse();
        }
        wire.hub().meter.heard_late(new.len() as u64);
        let unit_ns = dialect.time_unit_ns(wanted.shape);
        recorder.add(symbol, event_ns, &pen.frame, tells, unit_ns, new.into_iter());
        wire.stage(wanted.subscriber, &pen.frame, None);
    }
}

impl Source for Generator {
    fn resubscribe(&mut self, wire: &mut Wire) -> usize {
        let wanted = self.wanted(wire);
        for form in self.listings.iter_mut().flat_map(|listing| &mut listing.forms) {
            form.subscribers.clear();
        }
        self.heard = false;
        for wanted in wanted {
            let Some(index) = self.index(&wanted.symbol, wire) else {
                continue;
            };
            self.heard = true;
            self.listings[index].subscribe(wanted.subscriber, wanted.protocol, wanted.shape);
            if wanted.owed {
                self.show_history(&wanted, index, wire);
            }
        }
        for listing in &mut self.listings {
            listing.forms.retain(|form| !form.subscribers.is_empty());
        }
        self.trading = (0..self.listings.len()).filter(|index| self.listings[*index].trading).collect();
        self.trading.len()
    }

    fn due_ns(&self, k: u64) -> Option<i64> {
        Some(self.schedule.due_ns(k))
    }

    fn room(&self) -> u64 {
        if self.heard { self.recorder.room() } else { 0 }
    }

    fn next_run(&mut self) -> u64 {
        let several = self.trades_per_frame > 1 && self.order.u8(..16) < SEVERAL_OF_16;
        if several { self.order.u64(2..=self.trades_per_frame) } else { 1 }
    }

    fn emit(&mut self, trades: Range<u64>, due_ns: i64, now_ns: i64, wire: &mut Wire) -> u64 {
        let Some(clock) = wire.hub().clock.get().copied() else {
            return 0;
        };
        let symbol = self.trading[self.order.usize(..self.trading.len())];
        let to_unix_ns = |ns: i64| clock.unix_ns(ns);
        self.step_aside(symbol, due_ns, now_ns, to_unix_ns, wire);
        self.make_run(symbol, trades, now_ns, to_unix_ns);
        if self.listings[symbol].to_skip > 0 && self.skip_run(symbol) {
            return 0;
        }
        self.send_run(symbol, None, due_ns, to_unix_ns(now_ns), wire);
        let listing = &mut self.listings[symbol];
        let heard = !listing.forms.is_empty();
        for timed in &self.run {
            listing.remember(*timed, heard);
        }
        if heard { self.run.len() as u64 } else { 0 }
    }

    fn skip(&mut self, trades: u64) -> u64 {
        for index in &self.trading {
            self.listings[*index].to_skip += trades;
        }
        trades * self.trading.len() as u64
    }

    fn look_up(&self, question: &Question) -> Option<Found> {
        let listing = self.listings.iter().find(|listing| (question.is_meant)(&listing.name))?;
        let (name, price_decimals) = (listing.name.clone(), listing.symbol().price_decimals);
        Some(Found { name, price_decimals, trades: listing.past.pick(question.pick, question.limit) })
    }

    fn publish(&mut self, wire: &Wire) -> bool {
        self.recorder.publish(wire)
    }
}
