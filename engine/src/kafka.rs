//! librdkafka as the producer core uses it: batches in, delivery reports out, nothing allocated on our side.
//!
//! rdkafka's `BaseProducer` takes 262 ns a record and allocates for each record and report; `rd_kafka_produce_batch`
//! takes half. So records go in and reports come out through rdkafka-sys here, the one file of the engine that talks
//! C besides `said`, `statistics` and `rights`; configuration, client and metadata are rdkafka's.

pub mod heard;
pub mod inspect;
mod message;
mod probe;
mod reach;
mod rights;
mod said;
pub mod security;
pub mod settings;
pub mod statistics;
pub mod topics;
mod trouble;

use std::ffi::{CStr, CString, c_void};
use std::os::fd::RawFd;
use std::{mem, ptr, slice};

use rdkafka::ClientConfig;
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{IsError, KafkaError, KafkaResult};
use rdkafka::types::RDKafkaType;
use rdkafka_sys as sys;

use crate::bell;
pub use message::{Header, Headers, Message, Refusal, Report, Topic};
use said::Said;
use statistics::{Text, Tray};

/// `RD_KAFKA_PARTITION_UA`, a macro of `rdkafka.h`: the partitioner decides.
const PARTITION_UNASSIGNED: i32 = -1;

/// A client that produces, for one thread.
pub struct Kafka {
    client: Client<DefaultClientContext>,
    queue: ptr::NonNull<sys::rd_kafka_queue_t>,
    topics: Vec<ptr::NonNull<sys::rd_kafka_topic_t>>,
    /// Reused for every batch, empty in between.
    messages: Vec<sys::rd_kafka_message_t>,
    /// librdkafka's words, once it takes no more for good.
    fatal: Option<String>,
    /// Where its statistics are left, if they are wanted.
    tray: Option<Tray>,
}

// SAFETY: librdkafka's handles may be used from any thread, and `messages` is empty outside `produce_batch`.
unsafe impl Send for Kafka {}

impl<'a> Headers<'a> {
    /// The value of the header of this name; empty if there is none.
    pub fn value(self, name: &CStr) -> &'a [u8] {
        match self {
            Headers::Native(message) => native_header(message, name),
            Headers::List(list) => {
                list.iter().find(|(other, _)| other.as_c_str() == name).map_or(&[], |(_, value)| value)
            }
        }
    }
}

impl Kafka {
    /// Creates the client. Its threads run on the CPUs of the thread that calls this.
    ///
    /// # Errors
    /// librdkafka's words about the setting that is wrong.
    pub fn new(config: &ClientConfig) -> KafkaResult<Self> {
        let native = config.create_native_config()?;
        let events = sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR | sys::RD_KAFKA_EVENT_STATS;
        // SAFETY: `native` is a live configuration.
        unsafe { sys::rd_kafka_conf_set_events(native.ptr(), events) };
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, DefaultClientContext)?;
        // SAFETY: the client is live; the queue is ours to destroy, which `drop` does before the client goes.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) };
        let queue = ptr::NonNull::new(queue).ok_or(KafkaError::ClientCreation("it has no main queue".into()))?;
        Ok(Kafka { client, queue, topics: Vec::new(), messages: Vec::new(), fatal: None, tray: None })
    }

    /// The client, for metadata and administration.
    pub fn client(&self) -> &Client<DefaultClientContext> {
        &self.client
    }

    /// Leaves librdkafka's statistics in `tray` from now on, when it is polled.
    pub fn leave_statistics(&mut self, tray: Tray) {
        self.tray = Some(tray);
    }

    /// A topic to produce to.
    ///
    /// # Errors
    /// If the name is none.
    pub fn topic(&mut self, name: &str) -> KafkaResult<Topic> {
        let invalid = |what: &str| KafkaError::ClientCreation(format!("topic {name:?}: {what}"));
        let text = CString::new(name).map_err(|_| invalid("the name has a zero byte"))?;
        // SAFETY: the client is live, the name is a C string, and a null configuration means the client's own. The
        // topic is destroyed in `drop`.
        let topic = unsafe { sys::rd_kafka_topic_new(self.client.native_ptr(), text.as_ptr(), ptr::null_mut()) };
        self.topics.push(ptr::NonNull::new(topic).ok_or_else(|| invalid("librdkafka does not take it"))?);
        Ok(Topic(self.topics.len() - 1))
    }

    /// Lets librdkafka write [`bell::RING`] to `fd` when a delivery report comes to an empty queue.
    pub fn ring_on_report(&self, fd: RawFd) {
        let ring = bell::RING.to_ne_bytes();
        // SAFETY: the queue is live; the payload is copied by librdkafka.
        unsafe { sys::rd_kafka_queue_io_event_enable(self.queue.as_ptr(), fd, ring.as_ptr().cast(), ring.len()) };
    }

    /// Hands over `records` of one topic in one call, copying them. Returns how many are settled, in order: taken, or
    /// refused for good and told to `refused`. The rest found librdkafka's queue full and is to be offered again.
    pub fn produce_batch<'a>(
        &mut self,
        topic: Topic,
        records: impl Iterator<Item = Message<'a>>,
        mut refused: impl FnMut(Message<'_>, Refusal),
    ) -> usize {
        self.messages.clear();
        self.messages.extend(records.map(|record| {
            // SAFETY: all-zero is a valid rd_kafka_message_t: numbers and null pointers.
            let mut message: sys::rd_kafka_message_t = unsafe { mem::zeroed() };
            message.payload = record.value.as_ptr().cast_mut().cast();
            message.len = record.value.len();
            message.key = key_pointer(record.key);
            message.key_len = record.key.len();
            message._private = record.tag as *mut c_void;
            message
        }));
        let topic = self.topics[topic.0].as_ptr();
        let count = self.messages.len();
        // SAFETY: the topic is live; the messages point to slices that live through 'a and thus through this call,
        // which copies them (MSG_F_COPY) and writes only to the messages' own fields.
        let taken = unsafe {
            sys::rd_kafka_produce_batch(
                topic,
                PARTITION_UNASSIGNED,
                sys::RD_KAFKA_MSG_F_COPY,
                self.messages.as_mut_ptr(),
                count as i32,
            )
        };
        // What they point to is only borrowed: they do not outlive this call.
        let messages = mem::take(&mut self.messages);
        let settled = if taken as usize == count { count } else { Self::refused(&messages, &mut refused) };
        self.messages = messages;
        self.messages.clear();
        settled
    }

    /// Tells of the records refused for good, up to the first that found the queue full. Returns how many are settled.
    fn refused(messages: &[sys::rd_kafka_message_t], refused: &mut impl FnMut(Message<'_>, Refusal)) -> usize {
        for (index, message) in messages.iter().enumerate() {
            if message.err.is_error() {
                let refusal = Refusal(message.err.into());
                if refusal.is_queue_full() {
                    return index;
                }
                refused(read(message), refusal);
            }
        }
        messages.len()
    }

    /// Hands over one record with headers, copying it.
    ///
    /// # Errors
    /// Why librdkafka did not take it.
    pub fn produce<const N: usize>(
        &mut self,
        topic: Topic,
        record: Message<'_>,
        headers: [Header<'_>; N],
    ) -> Result<(), Refusal> {
        const FIXED: usize = 5;
        // SAFETY: all-zero is a valid rd_kafka_vu_t: a number and a union of numbers and pointers.
        let mut parts: [sys::rd_kafka_vu_t; 16] = unsafe { mem::zeroed() };
        assert!(FIXED + N <= parts.len());
        parts[0].vtype = sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT;
        parts[0].u.rkt = self.topics[topic.0].as_ptr();
        parts[1].vtype = sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE;
        parts[1].u.mem = memory(record.value);
        parts[2].vtype = sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY;
        parts[2].u.mem =
            sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: key_pointer(record.key), size: record.key.len() };
        parts[3].vtype = sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE;
        parts[3].u.ptr = record.tag as *mut c_void;
        parts[4].vtype = sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS;
        parts[4].u.i = sys::RD_KAFKA_MSG_F_COPY;
        for (part, header) in parts[FIXED..].iter_mut().zip(headers) {
            part.vtype = sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADER;
            part.u.header = sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: header.name.as_ptr(),
                val: header.value.as_ptr().cast(),
                size: header.value.len() as isize,
            };
        }
        // SAFETY: the client and topic are live; each part's union holds the field that its type names, and what they
        // point to lives through the call, which copies it. A returned error is ours to destroy.
        unsafe {
            let error = sys::rd_kafka_produceva(self.client.native_ptr(), parts.as_ptr(), FIXED + N);
            if error.is_null() {
                return Ok(());
            }
            let code = sys::rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            Err(Refusal(code.into()))
        }
    }

    /// Has librdkafka give back the records that are not on their way to a broker, by delivery reports.
    pub fn purge_queue(&self) {
        let queue = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is live. The call fails for consumers and unknown flags only.
        unsafe { sys::rd_kafka_purge(self.client.native_ptr(), queue) };
    }

    /// Has librdkafka give back all records that it has, those on their way to a broker too, by delivery reports.
    pub fn purge(&self) {
        let all = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is live. The call fails for consumers and unknown flags only.
        unsafe { sys::rd_kafka_purge(self.client.native_ptr(), all) };
    }

    /// The next thing that librdkafka has said, as long as nothing was produced: else reports would be lost.
    fn said(&self) -> Option<Said> {
        loop {
            // SAFETY: the queue is live; the event is ours and not used after it is destroyed.
            unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue.as_ptr(), 0);
                if event.is_null() {
                    return None;
                }
                let said = Said::of(event);
                sys::rd_kafka_event_destroy(event);
                if said.is_some() {
                    return said;
                }
            }
        }
    }

    /// Why librdkafka takes no more records, for good: it has lost the order or the identity of those in flight.
    pub fn fatal(&self) -> Option<&str> {
        self.fatal.as_deref()
    }

    /// The same, asked of librdkafka itself: what it said before anybody listened for it, too.
    pub fn why_broken(&self) -> Option<String> {
        let mut words = [0; 512];
        // SAFETY: the client is live, and the place is as large as is said.
        let code = unsafe { sys::rd_kafka_fatal_error(self.client.native_ptr(), words.as_mut_ptr(), words.len()) };
        // SAFETY: the call has ended the text, or not touched the zeros.
        code.is_error().then(|| unsafe { CStr::from_ptr(words.as_ptr()) }.to_string_lossy().into_owned())
    }

    /// Takes up to `max_events` batches of delivery reports, and logs what else librdkafka has to say. Returns how
    /// many reports there were.
    pub fn poll(&mut self, max_events: usize, mut on_report: impl FnMut(Report<'_>)) -> usize {
        let mut reports = 0;
        for _ in 0..max_events {
            // SAFETY: the queue is live. The event is ours and destroyed below; messages and texts that belong to it
            // are used only before that.
            unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue.as_ptr(), 0);
                if event.is_null() {
                    break;
                }
                match sys::rd_kafka_event_type(event) {
                    sys::RD_KAFKA_EVENT_DR => {
                        while let Some(message) = sys::rd_kafka_event_message_next(event).as_ref() {
                            let refusal = message.err.is_error().then(|| Refusal(message.err.into()));
                            let may_have_arrived = refusal.is_some()
                                && sys::rd_kafka_message_status(message)
                                    != sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
                            let place = refusal.is_none().then_some((message.partition, message.offset));
                            let Message { key, value, tag } = read(message);
                            let headers = Headers::Native(message);
                            on_report(Report { tag, refusal, place, may_have_arrived, key, value, headers });
                            reports += 1;
                        }
                    }
                    sys::RD_KAFKA_EVENT_STATS => {
                        if let (Some(tray), Some(event)) = (&self.tray, ptr::NonNull::new(event)) {
                            tray.put(Text::of(event));
                            continue;
                        }
                    }
                    _ => match Said::of(event) {
                        Some(Said { is_fatal: true, words, .. }) => self.fatal = Some(words),
                        Some(said) => said.log(),
                        None => {}
                    },
                }
                sys::rd_kafka_event_destroy(event);
            }
        }
        reports
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // SAFETY: both were made by this client, which still lives, and are not used again.
        unsafe {
            self.topics.drain(..).for_each(|topic| sys::rd_kafka_topic_destroy(topic.as_ptr()));
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// No key is a null pointer, else all records without one would share a partition.
fn key_pointer(key: &[u8]) -> *mut c_void {
    if key.is_empty() { ptr::null_mut() } else { key.as_ptr().cast_mut().cast() }
}

fn memory(bytes: &[u8]) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: bytes.as_ptr().cast_mut().cast(), size: bytes.len() }
}

/// A message's parts, as long as it lives.
fn read(message: &sys::rd_kafka_message_t) -> Message<'_> {
    Message {
        key: bytes(message.key, message.key_len),
        value: bytes(message.payload, message.len),
        tag: message._private as usize,
    }
}

/// The value of a header of a message that librdkafka gives back; empty if there is none.
fn native_header<'a>(message: &'a sys::rd_kafka_message_t, name: &CStr) -> &'a [u8] {
    let (mut headers, mut start, mut len) = (ptr::null_mut(), ptr::null(), 0);
    // SAFETY: the message is librdkafka's own and live, as are its headers, which the second call only reads; the places
    // are live and written where the call says so.
    unsafe {
        let none = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        if sys::rd_kafka_message_headers(message, &mut headers) == none
            && sys::rd_kafka_header_get_last(headers, name.as_ptr(), &mut start, &mut len) == none
        {
            return bytes(start.cast_mut(), len);
        }
    }
    &[]
}

fn bytes<'a>(start: *mut c_void, len: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: only called through `read`, for messages of librdkafka or made above from slices: pointer and length
    // belong together, and the caller ties 'a to the message.
    unsafe { slice::from_raw_parts(start.cast(), len) }
}
