//! Where the time goes: a histogram for each hop and core.
//!
//! Histograms have fixed bounds and are allocated before the first frame; recording one value neither locks nor
//! allocates. A pinned core owns what it writes to and hands it over whole, once an interval (see
//! [`crate::interval`]); merging happens off the path.

use std::fmt;

use hdrhistogram::Histogram;

use crate::clock::Nanos;

/// The hops of the flow, in its order. One word each, in code, metrics, report and README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// From bytes readable in the kernel (or the simulator's intended send time) to bytes in the receive buffer.
    Recv,
    /// From bytes in the buffer to the frame parsed.
    Decode,
    /// From the trade borrowed to its record committed to the ring.
    Encode,
    /// From the record committed to the record seen by the producer core.
    Ring,
    /// From the record seen to the record handed to librdkafka.
    Produce,
    /// From the record handed over to its delivery report.
    Ack,
    /// From bytes in the buffer to the delivery report.
    Total,
}

impl Hop {
    /// All hops, in the order of the flow.
    pub const ALL: [Hop; 7] = [Hop::Recv, Hop::Decode, Hop::Encode, Hop::Ring, Hop::Produce, Hop::Ack, Hop::Total];

    /// The hop's name.
    pub fn name(self) -> &'static str {
        match self {
            Hop::Recv => "recv",
            Hop::Decode => "decode",
            Hop::Encode => "encode",
            Hop::Ring => "ring",
            Hop::Produce => "produce",
            Hop::Ack => "ack",
            Hop::Total => "total",
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The longest time that is told apart, in nanoseconds; longer ones count as this.
pub const MAX_LATENCY_NS: u64 = 60_000_000_000;
/// Significant decimal digits of a recorded time.
const PRECISION: u8 = 3;

/// An empty histogram with the bounds that all hops share.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_NS, PRECISION).expect("the bounds are constants that are in order")
}

/// Histograms of some of the hops.
pub struct Hops([Option<Histogram<u64>>; Hop::ALL.len()]);

impl Hops {
    /// Empty histograms of `hops`.
    pub fn of(hops: &[Hop]) -> Self {
        Hops(Hop::ALL.map(|hop| hops.contains(&hop).then(histogram)))
    }

    /// Records that `hop` took from `from` to `to`.
    #[inline]
    pub fn record(&mut self, hop: Hop, from: Nanos, to: Nanos) {
        if let Some(histogram) = &mut self.0[hop as usize] {
            histogram.saturating_record(to.since(from));
        }
    }

    /// The histogram of `hop`, if it is among these.
    pub fn get(&self, hop: Hop) -> Option<&Histogram<u64>> {
        self.0[hop as usize].as_ref()
    }

    /// Puts another histogram in the place of `hop`'s.
    pub fn replace(&mut self, hop: Hop, histogram: Histogram<u64>) {
        self.0[hop as usize] = Some(histogram);
    }

    /// Adds all values of `other`.
    pub fn add(&mut self, other: &Hops) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if let (Some(mine), Some(theirs)) = (mine, theirs) {
                mine.add(theirs).expect("all histograms share their bounds");
            }
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.0.iter_mut().flatten().for_each(Histogram::reset);
    }
}

/// Nanoseconds as a person reads them: three digits and a unit.
pub fn readable(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}
