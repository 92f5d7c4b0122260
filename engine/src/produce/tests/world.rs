//! A producer core, what is around it, and what must hold.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::unbounded;
use rdkafka::types::RDKafkaErrorCode;
use tempfile::TempDir;

use super::broker::{Broker, FakeClient, POISON};
use crate::accounting::ProducerTally;
use crate::bell::Bell;
use crate::clock::Nanos;
use crate::config::RingFull;
use crate::cores::Wait;
use crate::interval::{self, Collector, ProducerMeasured};
use crate::produce::lane::Lane;
use crate::produce::{ProducerCore, ProducerSettings, Remainder, RouteSpec, StoreSettings};
use crate::record::{Head, Kind, whole};
use crate::session::backoff::Bounds;
use crate::spill::{self, Fsync};

thread_local! {
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}
/// How long a lap takes.
const LAP_NS: u64 = 50_000;

const SYMBOLS: [&str; 5] = ["A", "B", "C", "D", "E"];
const TOPICS: [&str; 3] = ["raw", "trades", "dlq"];
/// Laps in which all must be over once nothing goes wrong any more.
const PATIENCE: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Journal,
    Ring,
    DropOldest,
}

pub(super) struct World {
    policy: Policy,
    random: fastrand::Rng,
    broker: Rc<RefCell<Broker>>,
    folder: TempDir,
    core: Option<ProducerCore<FakeClient>>,
    collector: Collector<ProducerTally>,
    ring: k2_ring::Producer,
    /// The number of each key's next record.
    next: BTreeMap<(usize, &'static str), i64>,
    /// Records made since the core began, by kind.
    made: [u64; 3],
    poisoned: u64,
    /// Of the cores that have ended.
    past: ProducerTally,
}

fn settings(policy: Policy, folder: &TempDir) -> ProducerSettings {
    let folder = folder.path().to_path_buf();
    // Segments of a few records, room for a few hundred.
    let max_bytes = if policy == Policy::DropOldest { 64 << 10 } else { 64 << 20 };
    let journal = spill::Settings { folder: folder.clone(), max_bytes, segment_bytes: 2 << 10, fsync: Fsync::Never };
    let store = StoreSettings { folder, max_bytes, journal, replay_per_s: 100_000_000 };
    ProducerSettings {
        max_records: 40,
        max_bytes: 1 << 20,
        when_full: if policy == Policy::DropOldest { RingFull::DropOldest } else { RingFull::StopReading },
        store: (policy != Policy::Ring).then_some(store),
        reached: None,
        waits: Bounds { min: Duration::from_micros(50), max: Duration::from_micros(400) },
        gather: Duration::ZERO,
        wait: Wait::Spin,
        shutdown_timeout: Duration::ZERO,
    }
}

impl World {
    pub(super) fn new(seed: u64, policy: Policy) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        CLOCK.set(0);
        let (broker, folder) = (Rc::new(RefCell::new(Broker::default())), tempfile::tempdir().unwrap());
        let (ring, _) = k2_ring::ring(64 << 10).unwrap();
        let (_, collector) = interval::pair(ProducerMeasured::producer(), ProducerMeasured::producer());
        let next = BTreeMap::new();
        let past = ProducerTally::default();
        let mut world = World {
            policy,
            random,
            broker,
            folder,
            core: None,
            collector,
            ring,
            next,
            made: [0; 3],
            poisoned: 0,
            past,
        };
        world.start();
        world
    }

    /// A core, as after a start of the process.
    fn start(&mut self) {
        let (ring, consumer) = k2_ring::ring(64 << 10).unwrap();
        self.ring = ring;
        self.made = [0; 3];
        let (recorder, collector) = interval::pair(ProducerMeasured::producer(), ProducerMeasured::producer());
        self.collector = collector;
        let route = RouteSpec { exchange: "venue".into(), topics: TOPICS.map(String::from) };
        let (broker, seed) = (self.broker.clone(), self.random.u64(..));
        // More than the core's own bound, as with librdkafka.
        let client = FakeClient::new(broker.clone(), 50, seed);
        struct Local(Rc<RefCell<Broker>>);
        // SAFETY: the tests move it to no other thread.
        unsafe impl Send for Local {}
        let local = Local(broker);
        let connect = Box::new(move || {
            let Local(broker) = &{ &local };
            Ok(FakeClient::new(broker.clone(), 50, seed + 1))
        });
        let (_, new_routes) = unbounded();
        let bell = Arc::new(Bell::new().unwrap());
        let settings = settings(self.policy, &self.folder);
        let core = ProducerCore::new(client, connect, vec![consumer], (&[route], new_routes), recorder, bell, settings);
        let mut core = core.unwrap();
        core.desk.clock = || Nanos(CLOCK.get());
        self.core = Some(core);
    }

    /// Something happens, and the core runs a few laps.
    pub(super) fn step(&mut self) {
        match self.random.u32(0..100) {
            0..50 => self.make(),
            50..56 => self.broker.borrow_mut().is_down = true,
            56..66 => self.broker.borrow_mut().is_down = false,
            66..70 => {
                let code = self.random.choice([
                    RDKafkaErrorCode::TopicAuthorizationFailed,
                    RDKafkaErrorCode::UnknownTopicOrPartition,
                    RDKafkaErrorCode::MessageTimedOut,
                ]);
                let topic = TOPICS[self.random.usize(..3)].to_string();
                self.broker.borrow_mut().closed.insert(topic, code.unwrap());
            }
            70..80 => self.broker.borrow_mut().closed.clear(),
            80..82 => self.broker.borrow_mut().small = Some(TOPICS[self.random.usize(..3)].to_string()),
            82..86 => self.broker.borrow_mut().small = None,
            86..88 => self.broker.borrow_mut().breaks = true,
            88..90 if self.policy != Policy::Ring => self.restart(),
            _ => {}
        }
        for _ in 0..self.random.usize(0..6) {
            self.lap();
        }
    }

    fn lap(&mut self) -> usize {
        let core = self.core.as_mut().unwrap();
        CLOCK.set(CLOCK.get() + LAP_NS);
        let done = core.lap();
        core.desk.count();
        let tally = &core.desk.recorder.now.tally;
        assert!(tally.holds(), "{tally:?}");
        done
    }

    /// Puts a few records into the ring, if there is room.
    fn make(&mut self) {
        for _ in 0..self.random.usize(1..30) {
            let kind = Kind::ALL[self.random.usize(..2)];
            let symbol = SYMBOLS[self.random.usize(..SYMBOLS.len())];
            let is_poison = self.random.u32(0..200) == 0;
            let next = self.next.entry((kind as usize, symbol)).or_insert(1);
            let value = next.to_string();
            let value = if is_poison { POISON } else { value.as_bytes() };
            let head = Head { number: Some(*next), ..Head::of(kind) };
            let connection: &[u8] = if kind == Kind::Raw { b"venue-0.1" } else { b"" };
            let record = whole(head, value, symbol.as_bytes(), connection, b"");
            let Ok(mut claim) = self.ring.claim(record.len()) else { return };
            claim.copy_from_slice(&record);
            claim.commit(record.len());
            self.made[kind as usize] += 1;
            if is_poison { self.poisoned += 1 } else { *next += 1 }
        }
    }

    /// The process is told to stop, whatever the broker's state, and starts again.
    fn restart(&mut self) {
        let left = self.stop();
        if self.policy == Policy::Journal {
            assert_eq!((left.in_rings, left.in_flight), (0, 0), "there was room on disk");
        }
        self.start();
    }

    fn stop(&mut self) -> Remainder {
        let mut core = self.core.take().unwrap();
        core.desk.count();
        // What is still in the ring is taken at the end.
        let before = taken(&core.desk.recorder.now.tally);
        let rings = self.made[0] + self.made[1] - before;
        let left = core.shut_down();
        let last =
            self.collector.collect(|measured| measured.tally.clone()).expect("it passes on its counts at the end");
        assert!(last.holds(), "{last:?}");
        assert_eq!(taken(&last) + left.in_rings as u64, before + rings);
        self.past += &last;
        left
    }

    /// Nothing goes wrong any more: all must arrive.
    pub(super) fn end(mut self) -> ProducerTally {
        {
            let mut broker = self.broker.borrow_mut();
            (broker.is_down, broker.breaks, broker.small) = (false, false, None);
            broker.closed.clear();
        }
        let is_over = |core: &mut ProducerCore<FakeClient>| {
            core.desk.in_flight.len() == 0
                && !core.desk.is_obstructed
                && core.rings.iter_mut().all(|ring| ring.is_empty())
        };
        let mut laps = 0;
        while !is_over(self.core.as_mut().unwrap()) {
            self.lap();
            laps += 1;
            assert!(laps < PATIENCE, "it does not come to an end: {:#?}", self.state());
        }
        let left = self.stop();
        assert_eq!(left, Remainder { in_rings: 0, in_flight: 0, on_disk: 0 });
        self.judge();
        self.past
    }

    /// What stands in the way of each topic.
    fn state(&self) -> Vec<String> {
        let lanes = &self.core.as_ref().unwrap().desk.lanes;
        let state = |lane: &Lane| {
            let hold = lane.hold.as_ref().map(|hold| (hold.len(), hold.is_on_disk, hold.rewind, hold.until));
            format!("{}: with client {}, on disk {}, hold {hold:?}", lane.name, lane.with_client, lane.spilled())
        };
        let desk = &self.core.as_ref().unwrap().desk;
        let all = format!("in flight {}, obstructed {}", desk.in_flight.len(), desk.is_obstructed);
        lanes.iter().map(state).chain([all]).collect()
    }

    /// What is on the topics is what was made, in its order.
    fn judge(&self) {
        let broker = self.broker.borrow();
        let mut twice = 0;
        let mut missing = 0;
        for (kind, topic) in TOPICS.iter().enumerate().take(2) {
            let none = Vec::new();
            let log = broker.logs.get(*topic).unwrap_or(&none);
            for symbol in SYMBOLS {
                let last = self.next.get(&(kind, symbol)).map_or(0, |next| next - 1);
                let (mut seen, mut highest) = (BTreeSet::new(), 0);
                for (_, value) in log.iter().filter(|(key, _)| key == symbol.as_bytes()) {
                    let number: i64 = std::str::from_utf8(value).unwrap().parse().unwrap();
                    if !seen.insert(number) {
                        twice += 1;
                        continue;
                    }
                    assert!(number > highest, "{topic} {symbol}: {number} came after {highest}");
                    highest = number;
                }
                missing += last - seen.len() as i64;
                assert!(highest <= last);
            }
        }
        let tally = &self.past;
        let dropped: u64 = tally.topics.iter().map(|topic| topic.dropped).sum();
        // Those that are dead letters were dropped or arrived as such.
        assert!(missing as u64 <= dropped, "{missing} are missing: {tally:?}");
        assert!(self.policy == Policy::DropOldest || dropped == 0);
        assert!(twice <= tally.delivery.possible_duplicates, "{twice} are there twice: {tally:?}");
        let none = Vec::new();
        let dead = broker.logs.get(TOPICS[2]).unwrap_or(&none);
        let poison = dead.iter().filter(|(_, value)| value == POISON).count() as u64;
        if self.policy != Policy::DropOldest {
            assert!((self.poisoned..=self.poisoned + tally.delivery.possible_duplicates).contains(&poison));
        }
        assert_eq!(tally.delivery.damaged, 0);
    }
}

/// Records that left the rings.
fn taken(tally: &ProducerTally) -> u64 {
    tally.topics.iter().map(|topic| topic.taken).sum()
}
