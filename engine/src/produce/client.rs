//! What the producer core needs of librdkafka: the simulation of its tests has another.

use std::os::fd::RawFd;

use crate::kafka::{Header, Kafka, Message, Refusal, Report, Topic};

/// A client that produces. Records that it has taken come back in reports, each once, in any order between topics.
pub trait Client: Sized {
    /// A topic to produce to.
    ///
    /// # Errors
    /// If the name is none.
    fn topic(&mut self, name: &str) -> Result<Topic, String>;

    /// Hands over records of one topic; see [`Kafka::produce_batch`].
    fn produce_batch<'a>(
        &mut self,
        topic: Topic,
        records: impl Iterator<Item = Message<'a>>,
        refused: impl FnMut(Message<'_>, Refusal),
    ) -> usize;

    /// Hands over one record with headers.
    ///
    /// # Errors
    /// Why it was not taken.
    fn produce<const N: usize>(
        &mut self,
        topic: Topic,
        record: Message<'_>,
        headers: [Header<'_>; N],
    ) -> Result<(), Refusal>;

    /// Takes reports; see [`Kafka::poll`].
    fn poll(&mut self, max_events: usize, on_report: impl FnMut(Report<'_>)) -> usize;

    /// Has the records come back by reports that are not on their way to a broker.
    fn purge_queue(&mut self);

    /// Has all records come back by reports, those on their way to a broker too.
    fn purge(&mut self);

    /// Why it takes no more records, for good.
    fn fatal(&self) -> Option<&str>;

    /// Writes to `fd` when a report comes to an empty queue.
    fn ring_on_report(&self, fd: RawFd);
}

/// Makes a client anew, when the one before takes no more.
pub type Connect<C> = Box<dyn FnMut() -> Result<C, String> + Send>;

impl Client for Kafka {
    fn topic(&mut self, name: &str) -> Result<Topic, String> {
        Kafka::topic(self, name).map_err(|error| error.to_string())
    }

    #[inline]
    fn produce_batch<'a>(
        &mut self,
        topic: Topic,
        records: impl Iterator<Item = Message<'a>>,
        refused: impl FnMut(Message<'_>, Refusal),
    ) -> usize {
        Kafka::produce_batch(self, topic, records, refused)
    }

    #[inline]
    fn produce<const N: usize>(
        &mut self,
        topic: Topic,
        record: Message<'_>,
        headers: [Header<'_>; N],
    ) -> Result<(), Refusal> {
        Kafka::produce(self, topic, record, headers)
    }

    #[inline]
    fn poll(&mut self, max_events: usize, on_report: impl FnMut(Report<'_>)) -> usize {
        Kafka::poll(self, max_events, on_report)
    }

    fn purge_queue(&mut self) {
        Kafka::purge_queue(self);
    }

    fn purge(&mut self) {
        Kafka::purge(self);
    }

    fn fatal(&self) -> Option<&str> {
        Kafka::fatal(self)
    }

    fn ring_on_report(&self, fd: RawFd) {
        Kafka::ring_on_report(self, fd);
    }
}
