//! The producer core: drains the rings of the feed cores into librdkafka and reads its delivery reports.
//!
//! One pinned thread. A lap takes a bounded batch from each ring, hands it over, and polls for reports. A record
//! stays in its ring until librdkafka has taken it; what librdkafka holds is bounded in number and bytes. A record that
//! finds no room there waits on disk, if there is a folder for that, else in its ring, which is the feed core's to see.
//! What librdkafka gives back is offered again. In all this the records of a symbol keep their order: those that came
//! back go first, then those on disk, then those in the ring.

mod backlog;
mod client;
mod desk;
mod divert;
mod hand_over;
mod hold;
mod in_flight;
mod lane;
mod pressure;
mod reached;
mod renew;
mod replay;
mod route;
mod stop;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::Receiver;

use crate::accounting::ProducerTally;
use crate::bell::Bell;
use crate::clock::Nanos;
use crate::config::RingFull;
use crate::cores::Wait;
use crate::interval::Recorder;
use crate::pulse::Pulse;
use crate::resume::Progress;
use crate::session::backoff::Bounds;
pub use client::{Client, Connect};
use desk::Desk;
use in_flight::InFlight;
use pressure::Pressure;
use reached::Table;
pub use reached::{Counted, Shown};
use renew::Renewals;
use replay::Allowance;
pub use route::{NewRoute, RouteSpec};
use store::Store;
pub use store::StoreSettings;

/// Most records taken from a ring in one lap.
const MAX_BATCH: usize = 256;
/// Most events taken from librdkafka in one lap; one holds the reports of a whole request.
const MAX_EVENTS: usize = 16;
/// Longest sleep: measurements are asked for, and the wish to stop is looked at.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);

/// How a producer core is to work.
pub struct ProducerSettings {
    /// Most records with the client at a time.
    pub max_records: usize,
    /// Most bytes with the client at a time.
    pub max_bytes: usize,
    /// What becomes of records for which there is no room anywhere.
    pub when_full: RingFull,
    /// Where records wait that the client has no room for, if they may.
    pub store: Option<StoreSettings>,
    /// How far each symbol is, if that is kept.
    pub reached: Option<Resume>,
    /// The waits before records that came back are offered again.
    pub waits: Bounds,
    /// What it does while there is nothing to do.
    pub wait: Wait,
    /// How long records gather in the rings before they are taken.
    pub gather: Duration,
    /// Longest wait for the broker at the end.
    pub shutdown_timeout: Duration,
}

/// How far each symbol is.
pub struct Resume {
    /// Where the core is to show it.
    pub shown: Arc<Shown>,
    /// What is known of it at the start.
    pub known: Progress,
    /// Topics of which it is not kept.
    pub mixed: BTreeSet<String>,
}

/// What a producer core works with.
pub struct ProducerCore<C> {
    client: C,
    connect: Connect<C>,
    renewals: Renewals,
    /// Whether the client has given back what it had, and is heard no more.
    is_dead: bool,
    rings: Vec<k2_ring::Consumer>,
    /// Routes to add, in the order of the feeds' numbers.
    new_routes: Receiver<NewRoute>,
    desk: Desk,
    allowance: Allowance,
    /// Whether a ring holds records that can go nowhere.
    is_stuck: bool,
    bell: Arc<Bell>,
    wait: Wait,
    gather: Duration,
    /// When those that gather are taken, if there are some.
    due: Option<Nanos>,
    shutdown_timeout: Duration,
}

/// What is left when a producer core has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder {
    /// Records in the rings.
    pub in_rings: usize,
    /// Records handed over, or given back, that are not on disk.
    pub in_flight: usize,
    /// Records on disk.
    pub on_disk: u64,
}

impl<C: Client + Send + 'static> ProducerCore<C> {
    /// A producer core over `rings`, to the topics of `routes`, with a `client` and, when that takes no more, those that
    /// `connect` makes. What an earlier process has left on disk is read.
    ///
    /// # Errors
    /// If a topic's name is none.
    pub fn new(
        mut client: C,
        connect: Connect<C>,
        rings: Vec<k2_ring::Consumer>,
        (routes, new_routes): (&[RouteSpec], Receiver<NewRoute>),
        recorder: Recorder<ProducerTally>,
        bell: Arc<Bell>,
        settings: ProducerSettings,
    ) -> Result<Self, String> {
        let ProducerSettings {
            max_records,
            max_bytes,
            when_full,
            store,
            reached,
            waits,
            wait,
            gather,
            shutdown_timeout,
        } = settings;
        let (known, mixed) = reached.as_ref().map(|one| (one.known.clone(), one.mixed.clone())).unwrap_or_default();
        if wait == Wait::Park {
            client.ring_on_report(bell.fd());
        }
        let allowance = Allowance::new(store.as_ref().map_or(0, |store| store.replay_per_s));
        let mut desk = Desk {
            routes: Vec::new(),
            lanes: Vec::new(),
            in_flight: InFlight::new(max_records, max_bytes),
            recorder,
            store: store.map(Store::new),
            when_full,
            clock: Nanos::now,
            is_obstructed: false,
            pressure: Pressure::new(),
            reached: reached.map(|one| Table::new(one.shown)),
            mixed,
            purge_at: Nanos(0),
            waits,
        };
        for route in routes {
            let route = desk.route(&mut client, route)?;
            desk.routes.push(route);
        }
        desk.recover(&mut client, &known)?;
        Ok(ProducerCore {
            client,
            connect,
            renewals: Renewals::new(),
            is_dead: false,
            rings,
            new_routes,
            desk,
            allowance,
            is_stuck: false,
            bell,
            wait,
            gather,
            due: None,
            shutdown_timeout,
        })
    }

    /// Starts the core on `cpu`, a thread of its own. Once `stop` is set it empties the rings, waits for the
    /// broker, and returns what is left.
    ///
    /// # Errors
    /// If no thread can be made.
    pub fn start(
        self,
        number: usize,
        cpu: usize,
        stop: Arc<AtomicBool>,
        pulse: Pulse,
    ) -> Result<JoinHandle<Remainder>, String> {
        let thread = std::thread::Builder::new().name(format!("k2-produce-{number}")).spawn(move || {
            if !core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
                tracing::warn!(number, cpu, "the producer core cannot be bound to its CPU");
            }
            self.run(&stop, &pulse)
        });
        thread.map_err(|error| format!("producer core {number} cannot be started: {error}"))
    }

    /// Runs until told to stop, and to the end. The end may have to wait for the broker or the disk: that is no sign of trouble
    /// with the core.
    fn run(mut self, stop: &AtomicBool, pulse: &Pulse) -> Remainder {
        let beating = pulse.begin();
        let mut began = pulse.beat();
        while !stop.load(Ordering::Acquire) {
            let done = self.lap();
            if done == 0 {
                self.rest();
            }
            let now = pulse.beat();
            if done > 0 {
                self.desk.recorder.now.tally.busy_ns += now.since(began);
            }
            began = now;
        }
        drop(beating);
        self.shut_down()
    }

    /// Adds the routes that are wanted.
    fn add_routes(&mut self) {
        while let Ok(NewRoute { feed, route, done }) = self.new_routes.try_recv() {
            let added = self.desk.route(&mut self.client, &route).map(|route| {
                self.desk.routes.truncate(feed);
                self.desk.routes.push(route);
            });
            // Whoever asked may have given up.
            let _ = done.send(added);
        }
    }

    /// One lap of those that the thread of [`Self::start`] runs: every ring once, then the reports, then what has waited.
    /// Returns how much was done.
    #[inline]
    pub fn lap(&mut self) -> usize {
        let mut done = 0;
        self.is_stuck = false;
        if self.is_due() {
            let mut is_more = false;
            for ring in 0..self.rings.len() {
                let taken = self.drain(ring);
                is_more |= taken == MAX_BATCH;
                done += taken;
            }
            if !is_more {
                self.due = None;
            }
        }
        if !self.is_dead {
            done += self.take_reports();
        }
        if self.client.fatal().is_some() {
            self.renew();
        }
        if self.desk.is_obstructed {
            done += self.desk.offer(&mut self.client, &mut self.allowance);
        }
        self.add_routes();
        if self.desk.recorder.is_asked() {
            self.desk.count();
            self.desk.recorder.pass_on_if_asked();
        }
        done
    }

    /// Whether records have gathered for long enough; they begin to with the first.
    #[inline]
    fn is_due(&mut self) -> bool {
        if self.gather.is_zero() {
            return true;
        }
        match self.due {
            Some(due) => Nanos::now() >= due,
            None => {
                if self.rings.iter_mut().any(|ring| !ring.is_empty()) {
                    self.due = Some(Nanos::now().plus(self.gather));
                }
                false
            }
        }
    }

    /// Hands a batch of one ring over. Returns how many records left the ring.
    fn drain(&mut self, ring: usize) -> usize {
        let Self { client, rings, desk, .. } = self;
        let batch = rings[ring].batch(MAX_BATCH);
        if batch.is_empty() {
            return 0;
        }
        let taken = hand_over::take(client, desk, &batch);
        batch.release(taken);
        self.is_stuck |= taken == 0;
        taken
    }

    fn take_reports(&mut self) -> usize {
        let Self { client, desk, .. } = self;
        let mut now = None;
        client.poll(MAX_EVENTS, |report| {
            let now = *now.get_or_insert_with(Nanos::now);
            desk.settle(&report, now);
        })
    }

    /// Waits for work in the way that was chosen.
    fn rest(&mut self) {
        match self.wait {
            Wait::Spin => std::hint::spin_loop(),
            Wait::Park => {
                let Self { rings, bell, is_stuck, .. } = self;
                if let Some(due) = self.due {
                    return bell.doze(due.time_since(Nanos::now()).min(LONGEST_SLEEP));
                }
                // What waits for room is no work: a report will ring.
                bell.sleep(LONGEST_SLEEP, || !*is_stuck && rings.iter_mut().any(|ring| !ring.is_empty()));
            }
        }
    }
}
