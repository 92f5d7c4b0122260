//! A client in librdkafka's place that has every record delivered at once: what is left is the producer core's own.

use std::ops::Range;
use std::os::fd::RawFd;

use k2_feed::kafka::{Header, Headers, Message, Refusal, Report, Topic};
use k2_feed::produce::Client;

/// Copies what it is given, as librdkafka does, and reports it at the next poll.
#[derive(Default)]
pub(crate) struct Echo {
    topics: usize,
    bytes: Vec<u8>,
    sent: Vec<Sent>,
    /// Records so far.
    offset: i64,
}

struct Sent {
    tag: usize,
    key: Range<usize>,
    value: Range<usize>,
}

impl Echo {
    fn take(&mut self, Message { key, value, tag }: Message<'_>) {
        let mut copied = |bytes: &[u8]| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            start..self.bytes.len()
        };
        let (key, value) = (copied(key), copied(value));
        self.sent.push(Sent { tag, key, value });
    }
}

impl Client for Echo {
    fn topic(&mut self, _: &str) -> Result<Topic, String> {
        self.topics += 1;
        Ok(Topic::at(self.topics - 1))
    }

    fn produce_batch<'a>(
        &mut self,
        _: Topic,
        records: impl Iterator<Item = Message<'a>>,
        _: impl FnMut(Message<'_>, Refusal),
    ) -> usize {
        let before = self.sent.len();
        records.for_each(|record| self.take(record));
        self.sent.len() - before
    }

    fn produce<const N: usize>(&mut self, _: Topic, record: Message<'_>, _: [Header<'_>; N]) -> Result<(), Refusal> {
        self.take(record);
        Ok(())
    }

    fn poll(&mut self, _: usize, mut on_report: impl FnMut(Report<'_>)) -> usize {
        let reports = self.sent.len();
        for Sent { tag, key, value } in self.sent.drain(..) {
            self.offset += 1;
            on_report(Report {
                tag,
                refusal: None,
                place: Some((0, self.offset)),
                may_have_arrived: false,
                key: &self.bytes[key],
                value: &self.bytes[value],
                headers: Headers::List(&[]),
            });
        }
        self.bytes.clear();
        reports
    }

    fn purge_queue(&mut self) {}

    fn purge(&mut self) {}

    fn fatal(&self) -> Option<&str> {
        None
    }

    fn ring_on_report(&self, _: RawFd) {}
}
