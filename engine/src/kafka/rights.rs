//! What our user may do with topics, in the brokers' words.
//!
//! Kafka tells it with a topic's description, where it is asked for ([KIP-430]). rdkafka has no call for that, so that this
//! file, which `check` alone uses, talks C as `kafka` does.
//!
//! [KIP-430]: https://cwiki.apache.org/confluence/display/KAFKA/KIP-430+-+Return+Authorized+Operations+in+Describe+Responses

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::error::IsError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;
use sys::rd_kafka_AclOperation_t::{RD_KAFKA_ACL_OPERATION_ALL, RD_KAFKA_ACL_OPERATION_WRITE};

use super::Kafka;
use super::said::text;

/// Something of librdkafka's, and how it is given back.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    /// # Safety
    /// `made` is null or live and nobody else's, and `destroy` is what gives it back.
    unsafe fn of(made: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self, String> {
        let made = NonNull::new(made).ok_or("librdkafka made nothing")?;
        Ok(Owned(made, destroy))
    }

    fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the condition of `of`; it is not used again.
        unsafe { (self.1)(self.as_ptr()) };
    }
}

/// Whether our user may write to each of `topics`; those of which the broker does not tell are left out.
///
/// # Errors
/// Why nothing was told.
pub(super) fn may_write(kafka: &Kafka, topics: &[&str], limit: Duration) -> Result<HashMap<String, bool>, String> {
    let names: Vec<_> = topics.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let client = kafka.client().native_ptr();
    let limit = limit.as_millis() as c_int;
    // SAFETY: the client outlives all that is made of it here. Each constructor's result goes to its own destructor. The
    // names live until the collection has copied them; collection and options are copied by `rd_kafka_DescribeTopics`.
    // The event is ours, and what is read of it is copied before it is given back.
    unsafe {
        let asked = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let asked = Owned::of(asked, sys::rd_kafka_TopicCollection_destroy)?;
        let describe = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = sys::rd_kafka_AdminOptions_new(client, describe);
        let options = Owned::of(options, sys::rd_kafka_AdminOptions_destroy)?;
        let mut why: [c_char; 256] = [0; 256];
        let set = sys::rd_kafka_AdminOptions_set_request_timeout(options.as_ptr(), limit, why.as_mut_ptr(), why.len());
        if set.is_error() {
            return Err(text(why.as_ptr()).into_owned());
        }
        told(sys::rd_kafka_AdminOptions_set_include_authorized_operations(options.as_ptr(), 1))?;
        let queue = Owned::of(sys::rd_kafka_queue_new(client), sys::rd_kafka_queue_destroy)?;
        sys::rd_kafka_DescribeTopics(client, asked.as_ptr(), options.as_ptr(), queue.as_ptr());
        // The request ends by its own limit; librdkafka's word on that is better than ours.
        let event = sys::rd_kafka_queue_poll(queue.as_ptr(), 2 * limit);
        read(&Owned::of(event, sys::rd_kafka_event_destroy)?)
    }
}

/// # Safety
/// `error` is null or live, and nobody else's.
unsafe fn told(error: *mut sys::rd_kafka_error_t) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: by this function's own condition; the text belongs to the error and is copied.
    unsafe {
        let error = Owned::of(error, sys::rd_kafka_error_destroy)?;
        Err(text(sys::rd_kafka_error_string(error.as_ptr())).into_owned())
    }
}

/// # Safety
/// `event` is what `rd_kafka_DescribeTopics` left.
unsafe fn read(event: &Owned<sys::rd_kafka_event_t>) -> Result<HashMap<String, bool>, String> {
    // SAFETY: by this function's own condition. Topics, names and operations belong to the event and are copied; the
    // counts are those that come with the pointers. Operations are read as the numbers that they are in C.
    unsafe {
        let code = sys::rd_kafka_event_error(event.as_ptr());
        if code.is_error() {
            return Err(RDKafkaErrorCode::from(code).to_string());
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        if result.is_null() {
            return Err("librdkafka answered something else".into());
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let mut rights = HashMap::new();
        for &topic in items(topics.cast_const(), count) {
            let operations = sys::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
            let mut operations = items(operations.cast::<u32>(), count).iter().peekable();
            // A broker that does not know the question leaves them out; one that lets us see a topic lets us describe it.
            if operations.peek().is_some() {
                let name = text(sys::rd_kafka_TopicDescription_name(topic));
                let writes = [RD_KAFKA_ACL_OPERATION_WRITE as u32, RD_KAFKA_ACL_OPERATION_ALL as u32];
                rights.insert(name.into_owned(), operations.any(|operation| writes.contains(operation)));
            }
        }
        Ok(rights)
    }
}

/// # Safety
/// There are `count` at `start` for `'a`, or `start` is null.
unsafe fn items<'a, T>(start: *const T, count: usize) -> &'a [T] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: by this function's own condition.
    unsafe { std::slice::from_raw_parts(start, count) }
}
