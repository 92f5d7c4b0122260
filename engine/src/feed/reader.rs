//! Reads one connection, from its upgrade to its end.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::assignment::Limits;
use super::leg::{Ended, Leg};
use super::outside::{ByteStream, Outside, Readable};
use super::{FeedCore, Outcome};
use crate::clock::Nanos;
use crate::throttle::Throttle;
use crate::venue::{Reject, Venue};
use crate::ws::buffer::ReceiveBuffer;
use crate::ws::deframe::{Deframer, Message, Violation};
use crate::ws::frame;

/// Bytes of a connection's receive buffer at first; it grows for a frame that needs more.
const BUFFER_INITIAL: usize = 64 * 1024;
/// How long a connection rests when the ring has no room, before it looks again.
const RING_FULL_REST: Duration = Duration::from_micros(100);
/// Rejected frames are logged no more often than this, the first of them with its reason.
const REJECT_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Reads one connection.
pub(super) struct Reader<V, O: Outside> {
    core: Rc<RefCell<FeedCore>>,
    outside: O,
    leg: Rc<RefCell<Leg<V, O::Stream>>>,
    limits: Limits,
    buffer: ReceiveBuffer,
    deframer: Deframer,
    throttle: Throttle,
}

/// How far the receive buffer was processed.
enum Progress {
    Drained,
    RingFull,
}

impl<V: Venue, O: Outside> Reader<V, O> {
    /// A reader of `leg`, behind whose upgrade `leftover` came already.
    pub(super) fn new(
        core: Rc<RefCell<FeedCore>>,
        outside: O,
        leg: Rc<RefCell<Leg<V, O::Stream>>>,
        limits: Limits,
        leftover: &[u8],
    ) -> Self {
        let mut buffer = ReceiveBuffer::new(BUFFER_INITIAL, Deframer::buffer_needed(limits.max_frame_bytes));
        buffer.extend(leftover);
        let deframer = Deframer::new(limits.max_frame_bytes);
        Reader { core, outside, leg, limits, buffer, deframer, throttle: Throttle::new(REJECT_LOG_INTERVAL) }
    }

    /// Reads until the connection ends. This is the loop that everything else serves.
    pub(super) async fn read(&mut self, mut waiter: O::Waiter) -> Ended {
        let (mut received_at, mut is_all) = (self.outside.now(), false);
        loop {
            match self.process(received_at) {
                Ok(Progress::Drained) => {}
                Ok(Progress::RingFull) => {
                    if let Err(ended) = self.hold() {
                        return ended;
                    }
                    self.outside.sleep(RING_FULL_REST).await;
                    continue;
                }
                Err(ended) => return ended,
            }
            if is_all {
                is_all = false;
                waiter.readable().await;
            }
            match self.receive() {
                Ok(Some(received)) => {
                    (received_at, is_all) = received;
                    // A connection that always has more must not keep the others, and the clock, from their turn.
                    self.outside.yield_if_needed().await;
                }
                Ok(None) => waiter.readable().await,
                Err(ended) => return ended,
            }
        }
    }

    /// The ring is full, so the connection is not read: that it is not heard is not the exchange's silence. Whoever
    /// could make room may be gone, so the wish to end counts here, too.
    fn hold(&mut self) -> Result<(), Ended> {
        let leg = &mut *self.leg.borrow_mut();
        leg.session.held(self.outside.now());
        leg.gone.take().map_or(Ok(()), Err)
    }

    /// Receives what is there: when it came, and whether it is known to be all; or `None` if nothing was.
    #[inline]
    fn receive(&mut self) -> Result<Option<(Nanos, bool)>, Ended> {
        let leg = &mut *self.leg.borrow_mut();
        if let Some(ended) = leg.gone.take() {
            return Err(ended);
        }
        match leg.stream.receive(&mut self.buffer) {
            Ok(received) if received.bytes == 0 => Err(Ended::Closed(None, String::new())),
            Ok(received) => {
                let now = self.outside.now();
                self.core.borrow_mut().received(received.kernel_ns, now);
                leg.session.heard(now);
                Ok(Some((now, received.is_all)))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(Ended::Io(error)),
        }
    }

    /// Takes all whole messages out of the receive buffer, and tells the producer core.
    #[inline]
    fn process(&mut self, received: Nanos) -> Result<Progress, Ended> {
        let progress = self.take_messages(received);
        self.core.borrow_mut().batch_done();
        progress
    }

    #[inline]
    fn take_messages(&mut self, received: Nanos) -> Result<Progress, Ended> {
        let core = &mut *self.core.borrow_mut();
        let leg = &mut *self.leg.borrow_mut();
        if !leg.line.held.is_empty() {
            core.release(&mut leg.line, received);
        }
        while let Some(message) = self.deframer.next(&mut self.buffer).map_err(Ended::Violation)? {
            if let Message::Text(payload) | Message::Binary(payload) = &message
                && self.limits.stop_reading
                && !core.has_room(&leg.line, payload)
            {
                self.deframer.put_back();
                core.tally().ring_full += 1;
                return Ok(Progress::RingFull);
            }
            match message {
                Message::Text(payload) => match core.text(&mut leg.line, payload, received) {
                    Outcome::Data => leg.is_proven = true,
                    Outcome::Control(control) => leg.control(control, received),
                    Outcome::Rejected(reject) => {
                        log_reject(&mut self.throttle, leg.line.name(), &reject, received);
                        if reject.is_not_utf8() {
                            return Err(Ended::Violation(Violation::Utf8));
                        }
                    }
                },
                Message::Binary(payload) => {
                    let reject = core.binary(&leg.line, payload, received);
                    log_reject(&mut self.throttle, leg.line.name(), &reject, received);
                }
                Message::Ping(payload) => leg.stream.send(&frame::pong(payload)).map_err(Ended::Io)?,
                Message::Pong(_) => {}
                Message::Close(code, words) => return Err(Ended::Closed(code, words.to_string())),
            }
        }
        Ok(Progress::Drained)
    }
}

#[cold]
fn log_reject(throttle: &mut Throttle, connection: &str, reject: &Reject, now: Nanos) {
    if let Some(held_back) = throttle.pass(now) {
        tracing::warn!(connection, held_back, "frame rejected, see the dead-letter topic: {reject}");
    }
}
