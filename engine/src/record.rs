//! What lies in the ring between a feed core and its producer core: one Kafka record each.
//!
//! A fixed head, then the value, then the short texts that go with it. The value comes first because it is
//! written first: its length is known only once it stands in claimed memory, those of the rest before.

use crate::clock::Nanos;

/// Bytes of the head.
pub const HEAD_LEN: usize = 48;

/// Which of a feed's topics a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The frame as received.
    Raw = 0,
    /// A trade as Avro.
    Normalized = 1,
    /// A frame that could not be decoded, with the reason.
    Dlq = 2,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Kind; 3] = [Kind::Raw, Kind::Normalized, Kind::Dlq];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Raw => "raw",
            Kind::Normalized => "normalized",
            Kind::Dlq => "dlq",
        }
    }
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// When the frame's bytes were in the receive buffer.
    pub received: Nanos,
    /// When the record was committed.
    pub committed: Nanos,
    /// `received` on the wall clock, nanoseconds since the Unix epoch.
    pub received_unix_ns: i64,
    /// The feed, an index into the plan's feeds: it names the topics.
    pub feed: u16,
    /// Which of the feed's topics.
    pub kind: Kind,
    /// The trade's number among those of its symbol, where the exchange counts them; a normalized trade's only.
    pub number: Option<i64>,
    /// How many numbers just below that one are of what is not published, such as trades that are not the market's: nobody
    /// need look for them. At most 255 are told.
    pub passed: u8,
    /// Whether it is a trade of the exchange's REST API rather than of a connection: a header says so.
    pub from_rest: bool,
    /// Length of the value in bytes.
    pub value_len: u32,
    /// Length of the key (the exchange's symbol) in bytes; 0 for none.
    pub key_len: u16,
    /// Length of the connection's name in bytes.
    pub connection_len: u16,
    /// Length of the reason (dead letters only) in bytes.
    pub reason_len: u16,
}

/// The texts that follow the value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tail<'a> {
    /// The exchange's symbol.
    pub key: &'a str,
    /// The connection's name.
    pub connection: &'a str,
    /// Why a dead letter is one.
    pub reason: &'a str,
}

impl Tail<'_> {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.key.len() + self.connection.len() + self.reason.len()
    }

    /// Whether all texts are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A record read back from the ring.
#[derive(Debug, Clone, Copy)]
pub struct Record<'ring> {
    /// The fixed part.
    pub head: Head,
    /// The Kafka record's value.
    pub value: &'ring [u8],
    /// The Kafka record's key, the exchange's symbol.
    pub key: &'ring [u8],
    /// The connection's name.
    pub connection: &'ring [u8],
    /// Why a dead letter is one.
    pub reason: &'ring [u8],
}

/// A whole record of its parts, as it would lie in the ring.
pub fn whole(mut head: Head, value: &[u8], key: &[u8], connection: &[u8], reason: &[u8]) -> Box<[u8]> {
    head.value_len = value.len() as u32;
    head.key_len = key.len() as u16;
    head.connection_len = connection.len() as u16;
    head.reason_len = reason.len() as u16;
    let mut bytes = vec![0; HEAD_LEN];
    head.write(&mut bytes);
    [value, key, connection, reason].into_iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.into()
}

/// Completes a record in `claimed`, whose value already stands at [`HEAD_LEN`]: writes the tail behind the value
/// and the head before it. Returns the record's length. The lengths in `head` are taken from `value_len` and `tail`.
#[inline]
pub fn seal(claimed: &mut [u8], mut head: Head, value_len: usize, tail: Tail<'_>) -> usize {
    head.value_len = value_len as u32;
    head.key_len = tail.key.len() as u16;
    head.connection_len = tail.connection.len() as u16;
    head.reason_len = tail.reason.len() as u16;
    let mut at = HEAD_LEN + value_len;
    for text in [tail.key, tail.connection, tail.reason] {
        claimed[at..at + text.len()].copy_from_slice(text.as_bytes());
        at += text.len();
    }
    head.write(&mut claimed[..HEAD_LEN]);
    at
}

impl Head {
    /// A head of this kind with nothing else in it.
    pub fn of(kind: Kind) -> Self {
        let (received, committed) = (Nanos(0), Nanos(0));
        Head {
            received,
            committed,
            received_unix_ns: 0,
            number: None,
            passed: 0,
            feed: 0,
            kind,
            from_rest: false,
            value_len: 0,
            key_len: 0,
            connection_len: 0,
            reason_len: 0,
        }
    }

    #[inline]
    fn write(&self, out: &mut [u8]) {
        out[0..8].copy_from_slice(&self.received.0.to_le_bytes());
        out[8..16].copy_from_slice(&self.committed.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.received_unix_ns.to_le_bytes());
        out[24..28].copy_from_slice(&self.value_len.to_le_bytes());
        out[28..30].copy_from_slice(&self.feed.to_le_bytes());
        out[30..32].copy_from_slice(&self.key_len.to_le_bytes());
        out[32..34].copy_from_slice(&self.connection_len.to_le_bytes());
        out[34..36].copy_from_slice(&self.reason_len.to_le_bytes());
        out[36] = self.kind as u8;
        out[37] = self.from_rest.into();
        out[38] = self.number.is_some().into();
        out[39] = self.passed;
        out[40..48].copy_from_slice(&self.number.unwrap_or_default().to_le_bytes());
    }

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let u64_at = |at: usize| u64::from_le_bytes(array(bytes, at));
        let u16_at = |at: usize| u16::from_le_bytes(array(bytes, at));
        Head {
            received: Nanos(u64_at(0)),
            committed: Nanos(u64_at(8)),
            received_unix_ns: u64_at(16) as i64,
            value_len: u32::from_le_bytes(array(bytes, 24)),
            feed: u16_at(28),
            key_len: u16_at(30),
            connection_len: u16_at(32),
            reason_len: u16_at(34),
            kind: Kind::ALL[usize::from(bytes[36])],
            from_rest: bytes[37] != 0,
            passed: bytes[39],
            number: (bytes[38] != 0).then(|| u64_at(40) as i64),
        }
    }
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl<'ring> Record<'ring> {
    /// Reads a record that [`seal`] completed.
    ///
    /// # Panics
    /// If `bytes` is not such a record, which a ring never hands out.
    #[inline]
    pub fn read(bytes: &'ring [u8]) -> Self {
        let head = Head::read(bytes);
        let (value, rest) = bytes[HEAD_LEN..].split_at(head.value_len as usize);
        let (key, rest) = rest.split_at(head.key_len.into());
        let (connection, rest) = rest.split_at(head.connection_len.into());
        let (reason, _) = rest.split_at(head.reason_len.into());
        Record { head, value, key, connection, reason }
    }

    /// Bytes that it takes in the ring.
    pub fn bytes(&self) -> usize {
        HEAD_LEN + self.value.len() + self.key.len() + self.connection.len() + self.reason.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_record_reads_back() {
        let (received, committed) = (Nanos(1), Nanos(2));
        let head = Head {
            received,
            committed,
            received_unix_ns: -3,
            feed: 4,
            from_rest: true,
            number: Some(-5),
            passed: 6,
            ..Head::of(Kind::Dlq)
        };
        let mut claimed = [0xAA; 128];
        claimed[HEAD_LEN..HEAD_LEN + 5].copy_from_slice(b"value");
        let tail = Tail { key: "BTCUSDT", connection: "binance-0.1", reason: "p: is empty" };
        let len = seal(&mut claimed, head, 5, tail);
        assert_eq!(len, HEAD_LEN + 5 + tail.len());
        let record = Record::read(&claimed[..len]);
        let again = whole(record.head, record.value, record.key, record.connection, record.reason);
        assert_eq!(*again, claimed[..len]);
        assert_eq!((record.value, record.key), (&b"value"[..], &b"BTCUSDT"[..]));
        assert_eq!((record.connection, record.reason), (&b"binance-0.1"[..], &b"p: is empty"[..]));
        assert_eq!(record.head, Head { value_len: 5, key_len: 7, connection_len: 11, reason_len: 11, ..head });
    }
}
