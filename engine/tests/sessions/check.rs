//! One run, and what must hold at its end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k2_feed::accounting::FeedTally;
use k2_feed::avro::SymbolPrefix;
use k2_feed::bell::Bell;
use k2_feed::feed::FeedCore;
use k2_feed::feed::assignment::{Assignment, Limits};
use k2_feed::feed::outside::Outside;
use k2_feed::feed::seat::{Seat, Seated};
use k2_feed::interval::{self, FeedMeasured};
use k2_feed::pace::Pace;
use k2_feed::session::backoff::Bounds;
use k2_feed::session::breaker::{Addresses, Patience};
use k2_feed::venue::binance::Binance;
use k2_feed::venue::{Endpoint, Protocol, TimeUnit, Venue};

use crate::exchange::{Exchange, SYMBOLS};
use crate::fault::{self, DRILL_MS, Fault};
use crate::outcome::{Counted, Published};
use crate::world::{MS, World};

/// When runs begin.
pub(crate) const START: u64 = 1_000 * MS;
/// How often the engine's core ticks.
const TICK: u64 = 50 * MS;
/// After the last fault, everything is well again by then: a dead connection is noticed after 70 s without a ping, what was
/// refused is asked for again after 30 s, a silent subscription is made anew after 15 s and its connection after 30.
const BACK_WITHIN_MS: u64 = 110_000;
/// Where it is known at once that a connection is gone, another stands so soon after the exchange accepts it.
const RECOVERED_WITHIN_MS: u64 = 1_000;
/// So many trades are seen of a symbol before its silence is noticed.
const FEWEST_TRADES: usize = 25;
/// Then all that is made is published for so long.
const WELL_FOR_MS: u64 = 10_000;

/// What several runs came to.
#[derive(Default)]
pub(crate) struct Summary {
    runs: u64,
    published: u64,
    raw: u64,
    tally: FeedTally,
    recoveries_ms: Vec<u64>,
    pub(crate) failed: Vec<u64>,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Summary) {
        self.runs += other.runs;
        self.published += other.published;
        self.raw += other.raw;
        self.tally += &other.tally;
        self.recoveries_ms.extend(&other.recoveries_ms);
        self.failed.extend(&other.failed);
    }

    pub(crate) fn print(&mut self) {
        self.recoveries_ms.sort_unstable();
        let at = |quantile: f64| {
            let last = self.recoveries_ms.len().saturating_sub(1);
            self.recoveries_ms.get((last as f64 * quantile) as usize).copied().unwrap_or_default()
        };
        let FeedTally { gaps, missing, late, duplicates, reconnects, .. } = self.tally;
        println!(
            "{} runs: {} trades published; {gaps} gaps with {missing} missing, {duplicates} duplicates dropped, {late} late, \
             {reconnects} reconnects; after cuts and refusals back within {} ms in the median, {} at p99, {} at most",
            self.runs,
            self.published,
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

/// Which connections carry what.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    /// One connection carries all.
    One,
    /// Two carry all.
    Twins,
    /// Two carry a part each, until at this time, in milliseconds, the first carries all.
    Split(u64),
    /// One carries all; at the first time the last symbol goes, at the second it comes back.
    Changing(u64, u64),
}

impl Layout {
    fn draw(random: &mut fastrand::Rng) -> Self {
        match random.u32(0..4) {
            0 => Layout::One,
            1 => Layout::Twins,
            2 => {
                let goes = random.u64(5_000..DRILL_MS);
                let away = if random.bool() { 400 } else { 20_000 };
                Layout::Changing(goes, goes + random.u64(0..away))
            }
            _ => Layout::Split(random.u64(5_000..DRILL_MS)),
        }
    }

    /// The symbols of each connection.
    fn carried(self) -> Vec<&'static [&'static str]> {
        match self {
            Layout::One | Layout::Changing(..) => vec![&SYMBOLS],
            Layout::Twins => vec![&SYMBOLS, &SYMBOLS],
            Layout::Split(_) => vec![&SYMBOLS[..1], &SYMBOLS[1..]],
        }
    }
}

fn assignment(
    number: usize,
    symbols: &[&str],
    shared: &(Pace, Arc<Mutex<Addresses>>),
    max_age: Option<Duration>,
) -> Assignment {
    let endpoint = Endpoint { url: "wss://x.example/ws".parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let instruments: Vec<_> = symbols.iter().map(|symbol| Binance::instrument(symbol, None).unwrap()).collect();
    Assignment {
        feed: 0,
        protocol: Protocol::BinanceSpot,
        number,
        ways: vec![Binance::subscription(&endpoint, &instruments).unwrap()],
        prefixes: instruments.iter().map(|one| SymbolPrefix::new(1, "binance", &one.symbol, &one.canonical)).collect(),
        keeps_raw: true,
        pace: shared.0.clone(),
        addresses: shared.1.clone(),
        backoff: Bounds::default(),
        max_age,
    }
}

/// Runs a seed.
pub(crate) fn seed(seed: u64) -> Summary {
    let mut random = fastrand::Rng::with_seed(seed);
    let faults = fault::draw(&mut random);
    let layout = Layout::draw(&mut random);
    let max_age = random.bool().then(|| Duration::from_secs(random.u64(5..30)));
    tracing::info!(seed, ?layout, ?max_age, ?faults, "run");
    let world = World::new(seed, Exchange::new(seed, faults.clone(), START));

    let (ring, mut consumer) = k2_ring::ring(256 * 1024).unwrap();
    let (recorder, collector) = interval::pair(FeedMeasured::feed(), FeedMeasured::feed());
    let core = Rc::new(RefCell::new(FeedCore::new(ring, Arc::new(Bell::new().unwrap()), recorder)));
    let limits = Limits { max_frame_bytes: 64 * 1024, stop_reading: true };
    let shared = (Pace::default(), Arc::new(Mutex::new(Addresses::new(1, Patience::default()))));
    let seat = |(number, symbols): (usize, &&[&str])| {
        let assignment = assignment(number, symbols, &shared, max_age);
        Seat::<Binance, _>::new(assignment, limits, core.clone(), world.clone())
    };
    let seats: Vec<_> = layout.carried().iter().enumerate().map(seat).collect();
    seats.iter().for_each(|seat| seat.connect());

    let mut tasks = Vec::new();
    let mut published = Published::default();
    let mut next_tick = world.now().0 + TICK;
    let until = |world: &World| {
        let drill = START + DRILL_MS * MS;
        world.exchange(|exchange| exchange.calm_since).max(drill) + (BACK_WITHIN_MS + WELL_FOR_MS) * MS
    };
    let (mut moves_at, mut goes_at, mut comes_at) = match layout {
        Layout::Split(at) => (Some(START + at * MS), None, None),
        Layout::Changing(goes, comes) => (None, Some(START + goes * MS), Some(START + comes * MS)),
        Layout::One | Layout::Twins => (None, None, None),
    };
    while world.now().0 < until(&world) {
        world.settle(&mut tasks);
        if goes_at.take_if(|at| *at <= world.now().0).is_some() {
            seats[0].clone().change(assignment(0, &SYMBOLS[..2], &shared, max_age), &[]);
        }
        if comes_at.take_if(|at| *at <= world.now().0).is_some() {
            seats[0].clone().change(assignment(0, &SYMBOLS, &shared, max_age), &[]);
        }
        if moves_at.take_if(|at| *at <= world.now().0).is_some() {
            let moved: Vec<_> = SYMBOLS[1..].iter().map(ToString::to_string).collect();
            seats[0].clone().change(assignment(0, &SYMBOLS, &shared, max_age), &[]);
            seats[1].clone().change(assignment(1, &[], &shared, max_age), &moved);
        }
        published.drain(&mut consumer);
        if world.now().0 >= next_tick {
            next_tick = world.now().0 + TICK;
            seats.iter().for_each(|seat| seat.clone().tick(world.now()));
            core.borrow_mut().tick();
        } else {
            world.advance(next_tick);
        }
    }
    seats.iter().for_each(|seat| seat.stop());
    world.settle(&mut tasks);
    published.drain(&mut consumer);
    assert!(seats.iter().all(|seat| !seat.is_taken()), "all connections end with the engine");
    let tally = core.borrow_mut().tally().clone();
    core.borrow_mut().finish();
    assert!(collector.collect(|_| ()).is_some());
    judge(&world, &published, &tally, &faults, layout);
    let recoveries_ms = world.exchange(|exchange| std::mem::take(&mut exchange.recoveries_ms));
    let at_once = faults.iter().all(|(_, fault)| fault.is_noticed_at_once());
    if at_once {
        let too_late: Vec<_> = recoveries_ms.iter().filter(|ms| **ms > RECOVERED_WITHIN_MS).collect();
        assert!(too_late.is_empty(), "back after {too_late:?} ms: {faults:?}");
    }
    Summary {
        runs: 1,
        published: tally.committed()[1],
        raw: published.raw,
        tally,
        recoveries_ms: if at_once { recoveries_ms } else { Vec::new() },
        failed: Vec::new(),
    }
}

fn judge(world: &World, published: &Published, tally: &FeedTally, faults: &[(u64, Fault)], layout: Layout) {
    let mut counted = Counted { gaps: 0, missing: 0, late: 0 };
    let well_since = world.now().0 - WELL_FOR_MS * MS;
    let under_way = world.now().0 - 100 * MS;
    let is_partly_followed = |(_, fault): &(u64, Fault)| matches!(fault, Fault::PartlyFollowed { .. });
    for (symbol, ids) in published.ids.iter().enumerate() {
        let name = SYMBOLS[symbol];
        let unique: BTreeSet<_> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "{name}: a trade was published twice: {faults:?}");
        world.exchange(|exchange| {
            let lost: Vec<_> = exchange.delivered(symbol).difference(&unique).collect();
            assert!(lost.is_empty(), "{name}: received but not published: {lost:?}: {faults:?}");
            let made = exchange
                .made_since(symbol, well_since)
                .filter(|id| !exchange.made_since(symbol, under_way).any(|other| other == *id));
            // Who has seen little of a symbol cannot know that it is silent.
            let is_new = matches!(layout, Layout::Changing(..)) && faults.iter().any(is_partly_followed);
            let is_known = exchange.delivered(symbol).len() >= FEWEST_TRADES && !is_new;
            let missing: Vec<_> = made.filter(|id| is_known && !unique.contains(id)).collect();
            assert!(missing.is_empty(), "{name}: not back in time: {missing:?}: {faults:?}");
        });
        let of_symbol = Counted::of(ids);
        counted.gaps += of_symbol.gaps;
        counted.missing += of_symbol.missing;
        counted.late += of_symbol.late;
    }
    assert!(tally.frames.received == tally.frames.decoded + tally.frames.control + tally.frames.rejected);
    if matches!(layout, Layout::Changing(..)) {
        // What was not wanted for a while is no gap.
        return;
    }
    assert_eq!((tally.gaps, tally.missing), (counted.gaps, counted.missing), "gaps are named: {faults:?}");
    assert_eq!(tally.late, counted.late, "{faults:?}");
    // One that is behind its twin or successor is waited for for two seconds, or for 100 ms if both have just begun.
    let is_long = |(_, fault): &(u64, Fault)| match fault {
        Fault::Stall { ms, .. } => *ms > 1_900,
        Fault::Delay { by_ms, .. } => *by_ms > 80,
        _ => false,
    };
    assert!(counted.late == 0 || faults.iter().any(is_long), "order is kept: {faults:?}");
    if faults.is_empty() {
        // Connections come, go and are replaced, symbols move.
        assert_eq!((tally.gaps, tally.late, tally.frames.rejected), (0, 0, 0));
    }
}
