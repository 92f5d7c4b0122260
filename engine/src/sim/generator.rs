//! Generated trades: which symbol trades next, and in which forms its frame goes to whom.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fastrand::Rng;

use super::config::{Rate, SimulatorConfig};
use super::connection::lock;
use super::driver::Source;
use super::ledger::{Batch, Ledger, SentTrade};
use super::market::SymbolMarket;
use super::protocol::Shape;
use super::schedule::Schedule;
use super::template::{Template, TimedTrade};
use super::wire::Wire;

/// Between looks whether the simulator stops while the ledger's reader keeps the market waiting.
const LEDGER_PATIENCE: Duration = Duration::from_millis(50);
/// Room for any trade frame.
const FRAME_BYTES: usize = 512;

/// One form of a symbol's frame, and who gets it.
#[derive(Debug)]
struct Form {
    shape: Shape,
    template: Template,
    subscribers: Vec<usize>,
}

#[derive(Debug)]
struct Listing {
    market: SymbolMarket,
    forms: Vec<Form>,
    /// Whether it was ever subscribed: from then on it trades, heard or not.
    trading: bool,
}

/// The market of all symbols. The rate is shared evenly, in a seeded order, by the symbols that trade.
pub(crate) struct Generator {
    schedule: Schedule,
    seed: u64,
    first_trade_id: Option<u64>,
    /// Whether only the symbols listed at the start exist.
    closed: bool,
    listings: Vec<Listing>,
    indexes: HashMap<String, usize>,
    trading: Vec<usize>,
    /// Whether any trading symbol has a subscriber.
    heard: bool,
    order: Rng,
    frame: Vec<u8>,
    ledger: Option<Ledger>,
    batch: Batch,
    recorded: u64,
    warned: HashSet<String>,
}

impl Generator {
    pub(crate) fn new(config: &SimulatorConfig) -> Self {
        let schedule = match config.rate {
            Rate::PerSecond(rate) => Schedule::new(rate, config.burst),
            Rate::Max => Schedule::new(f64::INFINITY, None),
        };
        let mut generator = Self {
            schedule,
            seed: config.seed,
            first_trade_id: config.first_trade_id,
            closed: !config.symbols.is_empty(),
            listings: Vec::new(),
            indexes: HashMap::new(),
            trading: Vec::new(),
            heard: false,
            order: Rng::with_seed(config.seed),
            frame: Vec::with_capacity(FRAME_BYTES),
            ledger: config.ledger.clone(),
            batch: Batch::default(),
            recorded: 0,
            warned: HashSet::new(),
        };
        for symbol in &config.symbols {
            generator.list(symbol);
        }
        generator
    }

    fn list(&mut self, symbol: &str) -> usize {
        let market = SymbolMarket::new(symbol, self.seed, self.first_trade_id);
        self.listings.push(Listing { market, forms: Vec::new(), trading: false });
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

    fn record(&mut self, symbol: usize, timed: &TimedTrade, written: super::template::Written) {
        let start = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(&self.frame);
        self.batch.trades.push(SentTrade {
            symbol: symbol as u32,
            id: timed.trade.id,
            due_unix_ns: timed.trade_ns,
            frame: start..self.batch.bytes.len(),
            price: start + written.price.start..start + written.price.end,
            quantity: start + written.quantity.start..start + written.quantity.end,
            is_buyer_maker: timed.trade.buyer_is_maker,
        });
    }
}

impl Source for Generator {
    fn resubscribe(&mut self, wire: &Wire) -> usize {
        let mut wanted: Vec<(usize, Shape, String)> = Vec::new();
        wire.for_each_session(|subscriber, session| {
            let symbols = session.streams.iter().filter_map(|stream| wire.hub().protocol.traded_symbol(stream));
            wanted.extend(symbols.map(|symbol| (subscriber, session.shape, symbol)));
        });
        for listing in &mut self.listings {
            listing.forms.clear();
        }
        self.heard = false;
        for (subscriber, shape, symbol) in wanted {
            let Some(index) = self.index(&symbol, wire) else {
                continue;
            };
            self.heard = true;
            let listing = &mut self.listings[index];
            listing.trading = true;
            match listing.forms.iter_mut().find(|form| form.shape == shape) {
                Some(form) => form.subscribers.push(subscriber),
                None => {
                    let template = wire.hub().protocol.template(&symbol, shape);
                    listing.forms.push(Form { shape, template, subscribers: vec![subscriber] });
                }
            }
        }
        self.trading = (0..self.listings.len()).filter(|index| self.listings[*index].trading).collect();
        self.trading.len()
    }

    fn due_ns(&self, k: u64) -> Option<i64> {
        Some(self.schedule.due_ns(k))
    }

    fn room(&self) -> u64 {
        if !self.heard {
            return 0;
        }
        self.ledger.as_ref().map_or(u64::MAX, |ledger| ledger.room(self.recorded))
    }

    fn emit(&mut self, _k: u64, due_ns: i64, now_ns: i64, wire: &mut Wire) -> bool {
        let symbol = self.trading[self.order.usize(..self.trading.len())];
        let trade = self.listings[symbol].market.next();
        let Some(clock) = wire.hub().clock.get().copied() else {
            return false;
        };
        let timed = TimedTrade { trade, trade_ns: clock.unix_ns(due_ns), event_ns: clock.unix_ns(now_ns) };
        let mut recorded = self.ledger.is_none();
        for form in 0..self.listings[symbol].forms.len() {
            self.frame.clear();
            let written = self.listings[symbol].forms[form].template.write(&timed, &mut self.frame);
            if !recorded {
                self.record(symbol, &timed, written);
                recorded = true;
            }
            for subscriber in &self.listings[symbol].forms[form].subscribers {
                wire.stage(*subscriber, &self.frame, due_ns);
            }
        }
        !self.listings[symbol].forms.is_empty()
    }

    fn publish(&mut self, wire: &Wire) -> bool {
        let Some(ledger) = &self.ledger else {
            return true;
        };
        if self.batch.trades.is_empty() {
            return true;
        }
        self.recorded += self.batch.trades.len() as u64;
        let mut batch = std::mem::replace(&mut self.batch, ledger.spare());
        while let Some(refused) = ledger.hand_over(batch, LEDGER_PATIENCE) {
            if wire.hub().is_stopping() {
                return false;
            }
            batch = refused;
        }
        true
    }
}
