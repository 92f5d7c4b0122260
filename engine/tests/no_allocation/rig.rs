//! The feed core from the receive buffer to the ring, and the ring's other end.

use std::sync::Arc;

use crossbeam::channel::bounded;
use k2_feed::accounting::FeedTally;
use k2_feed::avro::SymbolPrefix;
use k2_feed::bell::Bell;
use k2_feed::clock::{Nanos, unix_now_ns};
use k2_feed::feed::{FeedCore, Line, Outcome};
use k2_feed::interval::{self, Collector, FeedMeasured};
use k2_feed::record::{Kind, Record};
use k2_feed::repair::{Link, Source};
use k2_feed::twins::Twins;
use k2_feed::venue::{Endpoint, Instrument, Subscription, TimeUnit, Venue};
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message};

const MAX_FRAME: usize = 128 * 1024;
/// Bytes of the receives, in turn: frames are cut anywhere.
const RECEIVES: [usize; 5] = [1_448, 190, 7, 16_384, 4_001];

/// What a connection has, without its socket.
pub(crate) struct Rig<V> {
    pub(crate) core: FeedCore,
    subscription: Subscription,
    prefixes: Vec<SymbolPrefix>,
    keeps_raw: bool,
    /// The connections, each of which shows every message.
    lines: Vec<Line<V>>,
    /// A message, as it is shown to one of them.
    shown: Box<[u8; MAX_FRAME]>,
    buffer: ReceiveBuffer,
    deframer: Deframer,
    consumer: k2_ring::Consumer,
    collector: Collector<FeedTally>,
    won: Twins,
    pub(crate) controls: usize,
    /// Records of each kind.
    pub(crate) drained: [usize; Kind::ALL.len()],
}

/// What repairs gaps, though there are none: with its other end gone, whoever asked would be told so.
fn link<V: Venue>() -> Link {
    let ((wanted, _), (reply, answers)) = (bounded(1), bounded(1));
    let url = "http://localhost".parse().unwrap();
    let source = move |history| Source { exchange: V::FACTS.exchange, history, url, unit: TimeUnit::Millisecond };
    let sources = Arc::new([V::HISTORY.map(|history| Arc::new(source(history)))]);
    Link { sources, max_trades: 10_000, wanted, reply, answers }
}

impl<V: Venue> Rig<V> {
    pub(crate) fn new(symbols: &[String], keeps_raw: bool) -> Self {
        let (ring, consumer) = k2_ring::ring(4 * 1024 * 1024).unwrap();
        let (recorder, collector) = interval::pair(FeedMeasured::feed(), FeedMeasured::feed());
        let core = FeedCore::new(ring, Arc::new(Bell::new().unwrap()), recorder).repairing(link::<V>());
        let instruments: Vec<_> = symbols.iter().map(|symbol| V::instrument(symbol, None).unwrap()).collect();
        let prefix = |one: &Instrument| SymbolPrefix::new(7, V::FACTS.exchange, &one.symbol, &one.canonical);
        let prefixes: Vec<_> = instruments.iter().map(prefix).collect();
        let endpoint = Endpoint { url: V::FACTS.url.parse().unwrap(), time_unit: TimeUnit::Millisecond };
        let subscription = V::subscription(&endpoint, &instruments).unwrap();
        let buffer = ReceiveBuffer::new(64 * 1024, Deframer::buffer_needed(MAX_FRAME));
        let deframer = Deframer::new(MAX_FRAME);
        let (lines, shown, won) = (Vec::new(), Box::new([0; MAX_FRAME]), Twins::default());
        let (controls, drained) = (0, [0; Kind::ALL.len()]);
        let mut rig = Rig {
            core,
            subscription,
            prefixes,
            keeps_raw,
            lines,
            shown,
            buffer,
            deframer,
            consumer,
            collector,
            won,
            controls,
            drained,
        };
        rig.join();
        rig
    }

    /// One more connection, which shows everything again.
    pub(crate) fn join(&mut self) {
        let seat = self.lines.len();
        let line = self.core.line(&self.subscription, 0, seat, format!("venue-{seat}.1"), &self.prefixes);
        self.lines.push(line.keeping_raw(self.keeps_raw));
    }

    /// How often each connection was first, and second.
    pub(crate) fn won(&self) -> Vec<(u64, u64)> {
        self.won.standings().iter().map(|one| (one.first, one.second)).collect()
    }

    /// Receives all of `bytes`, as a connection's loop does, and drains the ring.
    pub(crate) fn round(&mut self, bytes: &[u8]) {
        let (mut rest, mut lengths) = (bytes, RECEIVES.into_iter().cycle());
        while !rest.is_empty() {
            let room = self.buffer.unfilled();
            let wanted = lengths.next().unwrap_or(1).min(room.len()).min(rest.len());
            room[..wanted].copy_from_slice(&rest[..wanted]);
            self.buffer.fill(wanted);
            rest = &rest[wanted..];
            self.process();
            self.drain();
        }
        self.core.tick();
        self.collector.ask();
        self.core.batch_done();
        assert!(self.collector.collect(|measured| self.won.add(&measured.twins)).is_some());
    }

    fn process(&mut self) {
        let received = Nanos::now();
        self.core.received(Some(unix_now_ns()), received);
        while let Some(message) = self.deframer.next(&mut self.buffer).unwrap() {
            match message {
                Message::Text(payload) => {
                    for line in &mut self.lines {
                        let shown = &mut self.shown[..payload.len()];
                        shown.copy_from_slice(payload);
                        assert!(self.core.has_room(line, shown));
                        match self.core.text(line, shown, received) {
                            Outcome::Data => {}
                            Outcome::Control(_) => self.controls += 1,
                            Outcome::Rejected(reject) => panic!("{reject}"),
                        }
                    }
                }
                Message::Ping(_) | Message::Pong(_) => self.controls += 1,
                other => panic!("{other:?}"),
            }
        }
        self.core.batch_done();
    }

    fn drain(&mut self) {
        loop {
            let batch = self.consumer.batch(256);
            if batch.is_empty() {
                return;
            }
            for record in batch.iter().map(Record::read) {
                self.drained[record.head.kind as usize] += 1;
                assert!(!record.value.is_empty() && !record.key.is_empty());
            }
            let taken = batch.len();
            batch.release(taken);
        }
    }
}
