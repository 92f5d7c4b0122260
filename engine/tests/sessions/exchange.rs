//! An exchange that speaks Binance's protocol, and the network before it, with their faults.

use std::collections::{BTreeSet, VecDeque};

use crate::fault::{Fault, Refusal};
use crate::wire::{self, Said};
use crate::world::MS;

/// The symbols that are traded.
pub(crate) const SYMBOLS: [&str; 3] = ["AAAUSDT", "BBBUSDT", "CCCUSDT"];
/// Mean time between two trades of each, milliseconds.
const INTERVALS_MS: [f64; 3] = [100.0, 300.0, 1_500.0];
/// How often the exchange pings.
const PING_MS: u64 = 20_000;
/// From the notice to the end of a connection.
const NOTICE_MS: u64 = 10_000;

pub(crate) struct Exchange {
    random: fastrand::Rng,
    now: u64,
    markets: Vec<Market>,
    connections: Vec<Connection>,
    faults: VecDeque<(u64, Fault)>,
    next_ping: u64,
    refusal: (u64, Refusal),
    mute_until: u64,
    no_answer_until: u64,
    refuse_first_until: u64,
    partly_until: u64,
    drip: (u64, usize),
    delay: (u64, u64),
    /// When the last fault was over.
    pub(crate) calm_since: u64,
    /// From the end of what kept connections away until one was subscribed again, milliseconds.
    pub(crate) recoveries_ms: Vec<u64>,
    away_since: Option<u64>,
}

struct Market {
    next_id: u64,
    next_at: u64,
    /// So many trades are not sent to anybody.
    left_out: u64,
    /// Those that an engine has received whole on a sound connection.
    delivered: BTreeSet<u64>,
    /// When each was made.
    made_at: Vec<(u64, u64)>,
}

#[derive(Default)]
struct Connection {
    /// What is under way, with the time of its arrival.
    wire: VecDeque<(u64, Vec<u8>)>,
    /// What comes behind it: the end, by a reset or not.
    ended: Option<bool>,
    /// When the exchange ends it.
    ends_at: Option<u64>,
    stalled_until: u64,
    is_dead: bool,
    is_mute: bool,
    subscribed: [bool; SYMBOLS.len()],
    said: Vec<u8>,
    /// Bytes put on the wire, and taken from it.
    queued: u64,
    taken: u64,
    /// Trades under way, by where their frames end.
    trades: VecDeque<(u64, usize, u64)>,
    corrupt_next: bool,
    duplicate_next: bool,
    /// From here on nothing is to be understood.
    spoilt: bool,
}

/// What a connection had for its reader.
pub(crate) struct Taken {
    pub(crate) bytes: Vec<u8>,
    /// Whether it has ended, and whether by a reset.
    pub(crate) ended: Option<bool>,
}

impl Exchange {
    pub(crate) fn new(seed: u64, faults: Vec<(u64, Fault)>, start: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let market = |interval: f64| Market {
            next_id: random.u64(1..1_000_000),
            next_at: start + (interval * random.f64() * MS as f64) as u64,
            left_out: 0,
            delivered: BTreeSet::new(),
            made_at: Vec::new(),
        };
        let markets = INTERVALS_MS.map(market).into();
        Exchange {
            random,
            now: start,
            markets,
            connections: Vec::new(),
            faults: faults.into_iter().map(|(at, fault)| (start + at * MS, fault)).collect(),
            next_ping: start + PING_MS * MS,
            refusal: (0, Refusal::Tcp),
            mute_until: 0,
            no_answer_until: 0,
            refuse_first_until: 0,
            partly_until: 0,
            drip: (0, 1),
            delay: (0, 0),
            calm_since: start,
            recoveries_ms: Vec::new(),
            away_since: None,
        }
    }

    /// When something happens next of itself.
    pub(crate) fn next_at(&self) -> u64 {
        let trade = self.markets.iter().map(|market| market.next_at).min();
        let end = self.connections.iter().filter_map(|connection| connection.ends_at).min();
        let fault = self.faults.front().map(|(at, _)| *at);
        [trade, end, fault, Some(self.next_ping)].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Time has gone on. Returns how long the engine does not run from now on, if it does not.
    pub(crate) fn go_on(&mut self, now: u64) -> Option<u64> {
        while self.next_at() <= now {
            self.now = self.next_at();
            if let Some((_, fault)) = self.faults.pop_front_if(|(at, _)| *at <= self.now)
                && let Some(jump) = self.strike(fault)
            {
                self.now = now;
                return Some(jump);
            }
            (0..SYMBOLS.len())
                .filter(|symbol| self.markets[*symbol].next_at <= self.now)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|symbol| self.trade(symbol));
            self.end_due();
            if self.next_ping <= self.now {
                self.next_ping = self.now + PING_MS * MS;
                (0..self.connections.len()).for_each(|number| self.queue(number, wire::ping(), None));
            }
        }
        self.now = now;
        None
    }

    fn trade(&mut self, symbol: usize) {
        let now = self.now;
        let market = &mut self.markets[symbol];
        let id = market.next_id;
        market.next_id += 1;
        let wait = -(1.0 - self.random.f64()).ln() * INTERVALS_MS[symbol];
        market.next_at = now + 1 + (wait * MS as f64) as u64;
        if market.left_out > 0 {
            market.left_out -= 1;
            return;
        }
        market.made_at.push((id, now));
        let (name, ms) = (SYMBOLS[symbol], now / MS);
        let frame = wire::text(&format!(
            r#"{{"e":"trade","E":{ms},"s":"{name}","t":{id},"p":"1.50","q":"2","T":{ms},"m":true,"M":true}}"#
        ));
        for number in 0..self.connections.len() {
            let connection = &self.connections[number];
            if connection.subscribed[symbol] && !connection.is_mute {
                self.queue(number, frame.clone(), Some((symbol, id)));
            }
        }
    }

    /// Puts a frame on the wire.
    fn queue(&mut self, number: usize, mut frame: Vec<u8>, trade: Option<(usize, u64)>) {
        let connection = &mut self.connections[number];
        if connection.ended.is_some() {
            return;
        }
        let delay = if self.now < self.delay.0 { self.delay.1 } else { 0 };
        let at = self.now + self.random.u64(MS..20 * MS) + delay;
        let at = at.max(connection.wire.back().map_or(0, |(at, _)| *at));
        if std::mem::take(&mut connection.corrupt_next) {
            connection.spoilt = true;
            match self.random.bool() {
                true => frame[0] |= 0x70,
                // Behind the header: no JSON, no UTF-8.
                false => *frame.last_mut().unwrap() = 0xff,
            }
        }
        let again = trade.is_some() && std::mem::take(&mut connection.duplicate_next);
        for frame in std::iter::repeat_n(frame, 1 + usize::from(again)) {
            connection.queued += frame.len() as u64;
            connection.wire.push_back((at, frame));
            if let Some((symbol, id)) = trade.filter(|_| !connection.spoilt) {
                connection.trades.push_back((connection.queued, symbol, id));
            }
        }
    }

    fn strike(&mut self, fault: Fault) -> Option<u64> {
        let now = self.now;
        let until = |ms: u64| now + ms * MS;
        let lasts = |ms: u64, calm: u64| calm.max(until(ms));
        let live: Vec<_> =
            (0..self.connections.len()).filter(|number| self.connections[*number].ended.is_none()).collect();
        let one = (!live.is_empty()).then(|| live[self.random.usize(0..live.len())]);
        let some = |all: bool| if all { live.clone() } else { Vec::from_iter(one) };
        self.calm_since = self.calm_since.max(self.now);
        match fault {
            Fault::Cut { all } => {
                let is_reset = self.random.bool();
                some(all).into_iter().for_each(|number| self.cut(number, is_reset));
            }
            Fault::Close(code) => {
                // 1006 is never sent: it means that there was no close at all.
                let close = (code != 1006).then(|| wire::close(code));
                for number in live {
                    close.iter().for_each(|close| self.queue(number, close.clone(), None));
                    self.connections[number].ended = Some(false);
                }
                self.look_whether_all_are_away();
            }
            Fault::Corrupt => one.into_iter().for_each(|number| self.connections[number].corrupt_next = true),
            Fault::Duplicate => one.into_iter().for_each(|number| self.connections[number].duplicate_next = true),
            Fault::Stall { all, ms } => {
                let at = until(ms);
                some(all).into_iter().for_each(|number| self.connections[number].stalled_until = at);
                self.calm_since = lasts(ms, self.calm_since);
            }
            Fault::Dead => one.into_iter().for_each(|number| self.connections[number].is_dead = true),
            Fault::Drip { bytes, ms } => {
                (self.drip, self.calm_since) = ((until(ms), bytes), lasts(ms, self.calm_since))
            }
            Fault::Delay { by_ms, ms } => {
                (self.delay, self.calm_since) = ((until(ms), by_ms * MS), lasts(ms + by_ms, self.calm_since))
            }
            Fault::Refuse { how, ms } => {
                (self.refusal, self.calm_since) = ((until(ms), how), lasts(ms, self.calm_since))
            }
            Fault::AckThenSilence { ms } => {
                (self.mute_until, self.calm_since) = (until(ms), lasts(ms, self.calm_since));
                live.into_iter().for_each(|number| self.connections[number].is_mute = true);
            }
            Fault::NoAnswer { ms } => (self.no_answer_until, self.calm_since) = (until(ms), lasts(ms, self.calm_since)),
            Fault::RefuseFirst { ms } => {
                (self.refuse_first_until, self.calm_since) = (until(ms), lasts(ms, self.calm_since))
            }
            Fault::PartlyFollowed { ms } => {
                (self.partly_until, self.calm_since) = (until(ms), lasts(ms, self.calm_since));
            }
            Fault::Drop { trades } => {
                let symbol = self.random.usize(0..SYMBOLS.len());
                self.markets[symbol].left_out = trades;
            }
            Fault::Announce => {
                let notice = wire::text(r#"{"e":"serverShutdown","E":1}"#);
                for number in live {
                    self.queue(number, notice.clone(), None);
                    self.connections[number].ends_at = Some(until(NOTICE_MS));
                }
                self.calm_since = lasts(NOTICE_MS, self.calm_since);
            }
            Fault::Jump { ms } => {
                self.calm_since = lasts(ms, self.calm_since);
                return Some(ms * MS);
            }
        }
        None
    }

    fn cut(&mut self, number: usize, is_reset: bool) {
        let connection = &mut self.connections[number];
        connection.ended = Some(is_reset);
        // Any part of what is under way may still arrive.
        let arrives = self.random.usize(0..=connection.wire.len());
        connection.wire.truncate(arrives);
        if let Some((_, last)) = connection.wire.back_mut() {
            last.truncate(self.random.usize(0..=last.len()));
        }
        self.look_whether_all_are_away();
    }

    fn end_due(&mut self) {
        for connection in &mut self.connections {
            if connection.ends_at.is_some_and(|at| at <= self.now) {
                connection.ends_at = None;
                connection.ended.get_or_insert(false);
            }
        }
        self.look_whether_all_are_away();
    }

    fn look_whether_all_are_away(&mut self) {
        if self.away_since.is_none() && self.connections.iter().all(|connection| connection.ended.is_some()) {
            self.away_since = Some(self.now);
        }
    }

    /// Whether a new connection is refused at this time.
    pub(crate) fn refusal(&mut self) -> Option<Refusal> {
        (self.now < self.refusal.0).then_some(self.refusal.1)
    }

    pub(crate) fn accept(&mut self) -> usize {
        let is_mute = self.now < self.mute_until;
        self.connections.push(Connection { is_mute, ..Connection::default() });
        self.connections.len() - 1
    }

    /// The engine has left.
    pub(crate) fn leave(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        connection.ended.get_or_insert(false);
        connection.wire.clear();
        connection.trades.clear();
        connection.is_dead = false;
        connection.stalled_until = 0;
        self.look_whether_all_are_away();
    }

    /// When the reader of a connection has something to look at, if ever.
    pub(crate) fn readable_at(&self, number: usize) -> Option<u64> {
        let connection = &self.connections[number];
        if connection.is_dead {
            return None;
        }
        let at = match connection.wire.front() {
            Some((at, _)) => *at,
            None => connection.ended.map(|_| 0)?,
        };
        Some(at.max(connection.stalled_until))
    }

    /// What has arrived on a connection, up to `room` bytes.
    pub(crate) fn take(&mut self, number: usize, now: u64, room: usize) -> Taken {
        let nothing = Taken { bytes: Vec::new(), ended: None };
        if self.readable_at(number).is_none_or(|at| at > now) {
            return nothing;
        }
        let room = if now < self.drip.0 { room.min(self.drip.1) } else { room };
        let connection = &mut self.connections[number];
        let mut bytes = Vec::new();
        while let Some((at, frame)) = connection.wire.front_mut() {
            if *at > now || bytes.len() == room {
                break;
            }
            let count = frame.len().min(room - bytes.len());
            bytes.extend(frame.drain(..count));
            if frame.is_empty() {
                connection.wire.pop_front();
            }
        }
        connection.taken += bytes.len() as u64;
        while let Some((_, symbol, id)) = connection.trades.pop_front_if(|(end, ..)| *end <= connection.taken) {
            self.markets[symbol].delivered.insert(id);
        }
        let ended = if connection.wire.is_empty() { connection.ended } else { None };
        Taken { bytes, ended }
    }

    /// The engine says something.
    pub(crate) fn hear(&mut self, number: usize, now: u64, bytes: &[u8]) {
        self.now = self.now.max(now);
        self.connections[number].said.extend_from_slice(bytes);
        while let Some(said) = wire::next(&mut self.connections[number].said) {
            match said {
                Said::Text(text) => self.answer(number, &text),
                Said::Close | Said::Pong => {}
            }
        }
    }

    fn answer(&mut self, number: usize, request: &str) {
        if self.connections[number].ended.is_some() || self.now < self.no_answer_until {
            return;
        }
        let request: serde_json::Value = serde_json::from_str(request).unwrap();
        let id = &request["id"];
        let streams = request["params"].as_array().unwrap().iter().map(|stream| stream.as_str().unwrap());
        let place =
            |stream: &str| SYMBOLS.iter().position(|symbol| stream == format!("{}@trade", symbol.to_lowercase()));
        let places: Vec<_> = streams.map(|stream| place(stream).unwrap()).collect();
        if self.now < self.refuse_first_until && places.contains(&0) {
            let refusal = format!(r#"{{"error":{{"code":2,"msg":"Invalid request"}},"id":{id}}}"#);
            return self.queue(number, wire::text(&refusal), None);
        }
        let subscribes = request["method"] == "SUBSCRIBE";
        self.queue(number, wire::text(&format!(r#"{{"result":null,"id":{id}}}"#)), None);
        let followed = places.len() - usize::from(subscribes && self.now < self.partly_until);
        places[..followed].iter().for_each(|place| self.connections[number].subscribed[*place] = subscribes);
        if subscribes && let Some(since) = self.away_since.take() {
            let since = since.max(self.refusal.0.min(self.now));
            self.recoveries_ms.push((self.now - since) / MS);
        }
    }

    /// What an engine has received of a symbol.
    pub(crate) fn delivered(&self, symbol: usize) -> &BTreeSet<u64> {
        &self.markets[symbol].delivered
    }

    /// What was sent of a symbol since then.
    pub(crate) fn made_since(&self, symbol: usize, since: u64) -> impl Iterator<Item = u64> {
        self.markets[symbol].made_at.iter().filter(move |(_, at)| *at >= since).map(|(id, _)| *id)
    }
}
