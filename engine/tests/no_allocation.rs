//! The feed core does not allocate for a message that is well: counted from the receive buffer to the ring.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use k2_feed::accounting::FeedTally;
use k2_feed::avro::SymbolPrefix;
use k2_feed::bell::Bell;
use k2_feed::clock::unix_now_ns;
use k2_feed::feed::{FeedCore, Line, Outcome};
use k2_feed::interval::{self, Collector, FeedMeasured};
use k2_feed::record::{Kind, Record};
use k2_feed::venue::binance::{Binance, DEFAULT_URL};
use k2_feed::venue::{Endpoint, TimeUnit, Venue};
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message};

/// Calls of the allocator by one thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Calls {
    allocations: u64,
    deallocations: u64,
    reallocations: u64,
}

thread_local! {
    static CALLS: Cell<Calls> = const { Cell::new(Calls { allocations: 0, deallocations: 0, reallocations: 0 }) };
}

fn count(change: impl FnOnce(&mut Calls)) {
    // A thread that is ending has no count any more, and is not of interest.
    let _ = CALLS.try_with(|calls| {
        let mut now = calls.get();
        change(&mut now);
        calls.set(now);
    });
}

/// The system's allocator, counting.
struct Counting;

// SAFETY: each call is handed to the system's allocator unchanged; the count is a thread's own cell and allocates
// nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|calls| calls.allocations += 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(|calls| calls.allocations += 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(|calls| calls.deallocations += 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(|calls| calls.reallocations += 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SYMBOLS: usize = 50;
/// Trades in the prebuilt bytes, a multiple of the symbols; they are sent again with new ids.
const ROUND: usize = 10_000;
const WARM_UP_ROUNDS: usize = 2;
const COUNTED_ROUNDS: usize = 100;
const MAX_FRAME: usize = 128 * 1024;
/// All ids have ten digits.
const FIRST_ID: usize = 1_000_000_000;
/// Bytes of the receives, in turn: frames are cut anywhere.
const RECEIVES: [usize; 5] = [1_448, 190, 7, 16_384, 4_001];

fn symbol(number: usize) -> String {
    format!("C{number}USDT")
}

/// Prebuilt bytes of a server, and where in them the ids stand.
struct Wire {
    bytes: Vec<u8>,
    ids: Vec<usize>,
}

impl Wire {
    /// Trades in the forms that occur, with pings and an acknowledgement between them.
    fn new() -> Self {
        let mut wire = Wire { bytes: Vec::new(), ids: Vec::new() };
        let mut random = fastrand::Rng::with_seed(7);
        for number in 0..ROUND {
            let price = match number % 100 {
                0 => format!("{}.{}", "9".repeat(40), "1".repeat(24)),
                1 => "9.2E-7".to_string(),
                _ => format!("{}.{:08}", random.u32(1..100_000), random.u32(..100_000_000)),
            };
            let quantity = format!("{}.{:08}", random.u32(..100), random.u32(..100_000_000));
            let orders = if number % 7 == 0 { r#""b":88,"a":99,"# } else { "" };
            let (symbol, maker) = (symbol(number % SYMBOLS), random.bool());
            let trade = format!(
                r#"{{"e":"trade","E":1763720000124,"s":"{symbol}","t":{FIRST_ID},"p":"{price}","q":"{quantity}",{orders}"T":1763720000123,"m":{maker},"M":true}}"#
            );
            let text = match number % 3 {
                0 => format!(r#"{{"stream":"x@trade","data":{trade}}}"#),
                _ => trade,
            };
            wire.message(text.as_bytes(), number % 11 == 0);
            if number % 97 == 0 {
                wire.frame(0x89, b"1763720000125");
            }
            if number % 1_000 == 0 {
                wire.frame(0x81, br#"{"result":null,"id":1}"#);
            }
        }
        wire
    }

    fn message(&mut self, text: &[u8], in_fragments: bool) {
        // Not within the id, which must stay in one piece.
        let (front, back) = text.split_at(if in_fragments { 9 } else { 0 });
        if in_fragments {
            self.frame(0x01, front);
            self.frame(0x8A, b"between");
        }
        self.frame(if in_fragments { 0x80 } else { 0x81 }, back);
        let from_end = back.windows(4).position(|window| window == b"\"t\":").unwrap() + 4;
        self.ids.push(self.bytes.len() - back.len() + from_end);
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        match u8::try_from(payload.len()) {
            Ok(len @ 0..126) => self.bytes.extend([first, len]),
            _ => {
                self.bytes.extend([first, 126]);
                self.bytes.extend((payload.len() as u16).to_be_bytes());
            }
        }
        self.bytes.extend(payload);
    }

    /// Each symbol's trades go on counting where those of the last round ended.
    fn renumber(&mut self, round: usize) {
        for (number, at) in self.ids.iter().enumerate() {
            let mut id = FIRST_ID + round * (ROUND / SYMBOLS) + number / SYMBOLS;
            for digit in self.bytes[*at..at + 10].iter_mut().rev() {
                *digit = b'0' + (id % 10) as u8;
                id /= 10;
            }
        }
    }
}

/// What a connection has, without its socket.
struct Rig {
    core: FeedCore,
    line: Line<Binance>,
    buffer: ReceiveBuffer,
    deframer: Deframer,
    consumer: k2_ring::Consumer,
    collector: Collector<FeedTally>,
    controls: usize,
    drained: [usize; Kind::ALL.len()],
}

impl Rig {
    fn new() -> Self {
        let (ring, consumer) = k2_ring::ring(4 * 1024 * 1024).unwrap();
        let (recorder, collector) = interval::pair(FeedMeasured::feed(), FeedMeasured::feed());
        let mut core = FeedCore::new(ring, Arc::new(Bell::new().unwrap()), recorder);
        let symbols: Vec<_> = (0..SYMBOLS).map(symbol).collect();
        let instruments: Vec<_> = symbols.iter().map(|symbol| Binance::instrument(symbol, None).unwrap()).collect();
        let prefixes = symbols.iter().map(|symbol| SymbolPrefix::new(7, "binance", symbol, "C/USDT")).collect();
        let endpoint = Endpoint { url: DEFAULT_URL.parse().unwrap(), time_unit: TimeUnit::Millisecond };
        let subscription = Binance::subscription(&endpoint, &instruments).unwrap();
        let line = core.line(&subscription, 0, "binance-0.1".into(), prefixes, false);
        let buffer = ReceiveBuffer::new(64 * 1024, Deframer::buffer_needed(MAX_FRAME));
        let deframer = Deframer::new(MAX_FRAME);
        Rig { core, line, buffer, deframer, consumer, collector, controls: 0, drained: [0; Kind::ALL.len()] }
    }

    /// Receives all of `bytes`, as a connection's loop does, and drains the ring.
    fn round(&mut self, bytes: &[u8]) {
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
        assert!(self.collector.collect(|_| ()).is_some());
    }

    fn process(&mut self) {
        let received = self.core.received(Some(unix_now_ns()));
        while let Some(message) = self.deframer.next(&mut self.buffer).unwrap() {
            match message {
                Message::Text(payload) => {
                    assert!(self.core.has_room(&self.line, payload.len()));
                    match self.core.text(&mut self.line, payload, received) {
                        Outcome::Data => {}
                        Outcome::Control(_) => self.controls += 1,
                        Outcome::Rejected(reject) => panic!("{reject}"),
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

#[test]
fn a_million_frames_take_no_allocation() {
    let (mut wire, mut rig) = (Wire::new(), Rig::new());
    for round in 0..WARM_UP_ROUNDS {
        wire.renumber(round);
        rig.round(&wire.bytes);
    }
    let before = CALLS.get();
    for round in WARM_UP_ROUNDS..WARM_UP_ROUNDS + COUNTED_ROUNDS {
        wire.renumber(round);
        rig.round(&wire.bytes);
    }
    let after = CALLS.get();
    assert_eq!(after, before, "the feed core called the allocator");

    let trades = ROUND * (WARM_UP_ROUNDS + COUNTED_ROUNDS);
    assert_eq!(rig.drained, [trades, trades, 0]);
    assert!(rig.controls > 0);
    let tally = *rig.core.tally();
    assert_eq!((tally.trades, tally.frames.decoded), (trades as u64, trades as u64));
    assert_eq!((tally.gaps, tally.duplicates, tally.dropped), (0, 0, [0; Kind::ALL.len()]));
}

#[test]
fn the_counter_counts_this_thread_and_no_other() {
    let before = CALLS.get();
    let mut bytes = std::hint::black_box(Vec::<u8>::with_capacity(1));
    bytes.reserve_exact(1_000);
    drop(std::hint::black_box(bytes));
    let after = CALLS.get();
    assert_eq!(after.allocations - before.allocations, 1);
    assert_eq!(after.reallocations - before.reallocations, 1);
    assert_eq!(after.deallocations - before.deallocations, 1);

    let (sender, receiver) = std::sync::mpsc::sync_channel(0);
    let busy = std::thread::spawn(move || {
        let () = receiver.recv().unwrap();
        let before = CALLS.get();
        (0..1_000).for_each(|size| drop(std::hint::black_box(vec![0u8; size + 1])));
        CALLS.get().allocations - before.allocations
    });
    sender.send(()).unwrap();
    let before = CALLS.get().allocations;
    while !busy.is_finished() {
        std::hint::spin_loop();
    }
    assert_eq!(CALLS.get().allocations, before);
    assert_eq!(busy.join().unwrap(), 1_000);
}
