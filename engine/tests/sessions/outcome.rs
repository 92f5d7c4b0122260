//! What the engine has published: read from its ring, in order.

use k2_feed::record::{Kind, Record};

use crate::exchange::SYMBOLS;

/// The ids of each symbol in the order in which they were published.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) ids: [Vec<u64>; SYMBOLS.len()],
    pub(crate) raw: u64,
}

impl Published {
    /// Takes all that is in the ring.
    pub(crate) fn drain(&mut self, ring: &mut k2_ring::Consumer) {
        let batch = ring.batch(usize::MAX);
        for bytes in batch.iter() {
            let record = Record::read(bytes);
            match record.head.kind {
                Kind::Raw => self.raw += 1,
                Kind::Normalized => {
                    let key = std::str::from_utf8(record.key).unwrap();
                    let symbol = SYMBOLS.iter().position(|symbol| *symbol == key).unwrap();
                    self.ids[symbol].push(trade_id(record.value));
                }
                Kind::Dlq => {}
            }
        }
        let all = batch.len();
        batch.release(all);
    }
}

/// The fifth text of a normalized trade. Whether the rest is right is tested elsewhere, by other readers of Avro.
fn trade_id(value: &[u8]) -> u64 {
    let mut rest = &value[5..];
    let mut text = &rest[..0];
    for _ in 0..5 {
        // Lengths below 64 are one byte, zigzag.
        let len = usize::from(rest[0] / 2);
        (text, rest) = rest[1..].split_at(len);
    }
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// Gaps, and what is missing in them, as an independent reader of what was published counts them.
pub(crate) struct Counted {
    pub(crate) gaps: u64,
    pub(crate) missing: u64,
    pub(crate) late: u64,
}

impl Counted {
    pub(crate) fn of(ids: &[u64]) -> Self {
        let mut counted = Counted { gaps: 0, missing: 0, late: 0 };
        let mut highest: Option<u64> = None;
        for id in ids {
            if let Some(highest) = highest {
                counted.gaps += u64::from(*id > highest + 1);
                counted.missing += id.saturating_sub(highest + 1);
                counted.late += u64::from(*id < highest);
            }
            highest = highest.max(Some(*id));
        }
        counted
    }
}
