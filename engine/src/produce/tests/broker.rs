//! A client and its broker, as they are when things go wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::CString;
use std::os::fd::RawFd;
use std::rc::Rc;

use rdkafka::types::RDKafkaErrorCode;

use crate::kafka::{Header, Headers, Message, Refusal, Report, Topic};
use crate::produce::client::Client;

/// Most records that the broker takes in one request.
const REQUEST: usize = 16;

type KeyAndValue = (Vec<u8>, Vec<u8>);

/// What the broker has, and how it is.
#[derive(Default)]
pub(crate) struct Broker {
    /// Key and value of the records of each topic, in their order.
    pub(crate) logs: BTreeMap<String, Vec<KeyAndValue>>,
    /// Answers nothing.
    pub(crate) is_down: bool,
    /// Topics that take nothing, and why.
    pub(crate) closed: BTreeMap<String, RDKafkaErrorCode>,
    /// Requests of more records than one are too large for the topic.
    pub(crate) small: Option<String>,
    /// The client is to say that it takes no more.
    pub(crate) breaks: bool,
    /// Clients made.
    pub(crate) clients: usize,
}

/// The topic that takes everything.
pub(crate) const DEAD_LETTERS: &str = "dlq";
/// The value of a record that no other takes.
pub(crate) const POISON: &[u8] = b"poison";

struct Sent {
    tag: usize,
    key: Vec<u8>,
    value: Vec<u8>,
    headers: Vec<(CString, Vec<u8>)>,
}

pub(crate) struct FakeClient {
    broker: Rc<RefCell<Broker>>,
    topics: Vec<(String, VecDeque<Sent>)>,
    most: usize,
    fatal: Option<&'static str>,
    /// What is reported next.
    reports: VecDeque<(Sent, Option<RDKafkaErrorCode>, bool)>,
    random: fastrand::Rng,
}

// SAFETY: the tests move it to no other thread.
unsafe impl Send for FakeClient {}

impl FakeClient {
    pub(crate) fn new(broker: Rc<RefCell<Broker>>, most: usize, seed: u64) -> Self {
        broker.borrow_mut().clients += 1;
        let random = fastrand::Rng::with_seed(seed);
        FakeClient { broker, topics: Vec::new(), most, fatal: None, reports: VecDeque::new(), random }
    }

    fn queued(&self) -> usize {
        self.topics.iter().map(|(_, queue)| queue.len()).sum()
    }

    fn take(&mut self, topic: Topic, sent: Sent) -> Result<(), Refusal> {
        if self.fatal.is_some() {
            return Err(Refusal(RDKafkaErrorCode::Fatal));
        }
        if self.queued() == self.most {
            return Err(Refusal(RDKafkaErrorCode::QueueFull));
        }
        self.topics[topic.place()].1.push_back(sent);
        Ok(())
    }

    /// One request of one topic.
    fn request(&mut self, refusing: &mut BTreeSet<usize>) {
        let broker = &mut *self.broker.borrow_mut();
        let place = self.random.usize(0..self.topics.len());
        if refusing.contains(&place) {
            return;
        }
        let (name, queue) = &mut self.topics[place];
        let count = queue.len().min(self.random.usize(1..=REQUEST));
        let mut request: Vec<_> = queue.drain(..count).collect();
        let refused = match broker.closed.get(name) {
            Some(code) => Some(*code),
            None if broker.small.as_ref() == Some(name) && count > 1 => Some(RDKafkaErrorCode::MessageSizeTooLarge),
            None if name != DEAD_LETTERS && request.iter().any(|sent| sent.value == POISON) => {
                // All of its request are refused with it; those behind it are asked for again by themselves.
                match request.iter().position(|sent| sent.value == POISON) {
                    Some(0) => {
                        request.drain(1..).rev().for_each(|sent| queue.push_front(sent));
                        Some(RDKafkaErrorCode::InvalidRecord)
                    }
                    place => {
                        request.drain(place.unwrap_or(0)..).rev().for_each(|sent| queue.push_front(sent));
                        None
                    }
                }
            }
            None => None,
        };
        if refused.is_some() {
            refusing.insert(place);
        }
        for sent in request {
            if refused.is_none() {
                let log = broker.logs.entry(name.clone()).or_default();
                log.push((sent.key.clone(), sent.value.clone()));
            }
            self.reports.push_back((sent, refused, false));
        }
    }

    /// What was under way is given back; part of it has arrived.
    fn give_back(&mut self) {
        let broker = &mut *self.broker.borrow_mut();
        for (name, queue) in &mut self.topics {
            let arrived = if broker.is_down { 0 } else { self.random.usize(0..=queue.len().min(REQUEST)) };
            let arrived = if broker.closed.contains_key(name) { 0 } else { arrived };
            for (place, sent) in queue.drain(..).enumerate() {
                let has_arrived = place < arrived && (sent.value != POISON || name == DEAD_LETTERS);
                if has_arrived {
                    let log = broker.logs.entry(name.clone()).or_default();
                    log.push((sent.key.clone(), sent.value.clone()));
                }
                self.reports.push_back((sent, Some(RDKafkaErrorCode::PurgeQueue), place < arrived));
            }
        }
    }
}

impl Client for FakeClient {
    fn topic(&mut self, name: &str) -> Result<Topic, String> {
        self.topics.push((name.to_string(), VecDeque::new()));
        Ok(Topic::at(self.topics.len() - 1))
    }

    fn produce_batch<'a>(
        &mut self,
        topic: Topic,
        records: impl Iterator<Item = Message<'a>>,
        mut refused: impl FnMut(Message<'_>, Refusal),
    ) -> usize {
        let mut settled = 0;
        for message in records {
            match self.produce(topic, message, []) {
                Ok(()) => {}
                Err(refusal) if refusal.is_queue_full() => break,
                Err(refusal) => refused(message, refusal),
            }
            settled += 1;
        }
        settled
    }

    fn produce<const N: usize>(
        &mut self,
        topic: Topic,
        record: Message<'_>,
        headers: [Header<'_>; N],
    ) -> Result<(), Refusal> {
        let headers = headers.iter().map(|header| (header.name.into(), header.value.to_vec())).collect();
        self.take(topic, Sent { tag: record.tag, key: record.key.to_vec(), value: record.value.to_vec(), headers })
    }

    fn poll(&mut self, max_events: usize, mut on_report: impl FnMut(Report<'_>)) -> usize {
        let is_down = self.broker.borrow().is_down;
        let breaks = std::mem::take(&mut self.broker.borrow_mut().breaks);
        if breaks {
            self.fatal = Some("the test wishes it");
        }
        if !is_down && self.fatal.is_none() {
            // Behind a request that was refused, an idempotent producer's next ones are out of sequence: they wait.
            let mut refused = BTreeSet::new();
            (0..self.random.usize(0..=max_events)).for_each(|_| self.request(&mut refused));
        }
        let mut count = 0;
        while let Some((sent, refused, may_have_arrived)) = self.reports.pop_front() {
            let Sent { tag, key, value, headers } = &sent;
            let (refusal, headers) = (refused.map(Refusal), Headers::List(headers));
            on_report(Report { tag: *tag, refusal, place: None, may_have_arrived, key, value, headers });
            count += 1;
        }
        count
    }

    fn purge_queue(&mut self) {
        for (_, queue) in &mut self.topics {
            self.reports.extend(queue.drain(..).map(|sent| (sent, Some(RDKafkaErrorCode::PurgeQueue), false)));
        }
    }

    fn purge(&mut self) {
        self.give_back();
    }

    fn fatal(&self) -> Option<&str> {
        self.fatal
    }

    fn ring_on_report(&self, _: RawFd) {}
}
