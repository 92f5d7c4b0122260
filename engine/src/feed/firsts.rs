//! Which connection showed each of a symbol's last trades first, and when, where several connections carry it.

use super::Line;
use crate::clock::Nanos;
use crate::sequence::{REMEMBERED, Remembered};
use crate::twins::Twins;

/// Kept of each symbol that several connections carry, from when the second of them begins.
pub(super) struct Firsts {
    /// By the places where the tracker remembers the trades.
    trades: Box<[First]>,
    /// The connections' numbers, and their places among the measured.
    seats: Vec<(usize, usize)>,
}

/// Who showed a trade first.
#[derive(Clone, Copy, Default)]
struct First {
    received: Nanos,
    /// Tells the trade from others that have stood in its place.
    tag: u32,
    /// The place among the measured of the connection that showed it first.
    by: u16,
    /// Which connections have shown it, a bit each; none if nothing is known.
    shown_by: u16,
}

impl Firsts {
    /// Nothing is known.
    pub(super) fn new() -> Self {
        Firsts { trades: vec![First::default(); REMEMBERED].into(), seats: Vec::new() }
    }

    /// Another connection carries the symbol.
    pub(super) fn join(&mut self, exchange: &'static str, seat: usize, twins: &mut Twins) {
        if self.seats.iter().all(|(known, _)| *known != seat) {
            self.seats.push((seat, twins.place(exchange, seat)));
        }
    }

    /// A connection has shown a trade that was not shown before.
    #[inline]
    pub(super) fn shown<V>(&mut self, line: &Line<V>, Remembered { place, tag }: Remembered, received: Nanos) {
        if let Some((by, shown_by)) = self.twin(line) {
            self.trades[place] = First { received, tag, by, shown_by };
        }
    }

    /// A connection has shown a trade that was published before: it is held against the one that had shown it first. That
    /// is the one that received it first, though its frame may have waited.
    #[inline]
    pub(super) fn shown_again<V>(
        &mut self,
        twins: &mut Twins,
        line: &Line<V>,
        Remembered { place, tag }: Remembered,
        received: Nanos,
    ) {
        let Some((by, bit)) = self.twin(line) else { return };
        let first = &mut self.trades[place];
        // It came by another way, or before there were twins; or it is shown by this one again.
        if first.tag != tag || first.shown_by == 0 || first.shown_by & bit != 0 {
            return;
        }
        first.shown_by |= bit;
        if received < first.received {
            twins.record(by.into(), first.by.into(), first.received.since(received));
            (first.received, first.by) = (received, by);
        } else {
            twins.record(first.by.into(), by.into(), received.since(first.received));
        }
    }

    /// The place of the line's connection among the measured, and its bit.
    #[inline]
    fn twin<V>(&self, line: &Line<V>) -> Option<(u16, u16)> {
        let number = self.seats.iter().position(|(seat, _)| *seat == line.seat)?;
        // After as many reloads as that, two may share a bit, and one of them is then not measured.
        Some((u16::try_from(self.seats[number].1).ok()?, 1 << (number % u16::BITS as usize)))
    }
}
