//! What librdkafka says besides delivery reports: errors, and lines of its log.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::ptr;

use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

/// The level of syslog up to which a line is worth a warning.
const WARNING: i32 = 4;

/// Something that librdkafka said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// What kind of error it is; none of its log's lines has one.
    pub(super) error: Option<RDKafkaErrorCode>,
    /// Its own words.
    pub(super) words: String,
    /// Whether it is more than a notice.
    pub(super) is_warning: bool,
    /// Whether the client takes no more records after it.
    pub(super) is_fatal: bool,
}

impl Said {
    /// What an event says, if it says something.
    ///
    /// # Safety
    /// `event` is live.
    pub(super) unsafe fn of(event: *mut sys::rd_kafka_event_t) -> Option<Self> {
        // SAFETY: by this function's own condition; the texts belong to the event and are copied.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_ERROR => {
                    let words = text(sys::rd_kafka_event_error_string(event)).into_owned();
                    let error = Some(sys::rd_kafka_event_error(event).into());
                    // The error is what it came of, not that it is fatal.
                    let is_fatal = sys::rd_kafka_event_error_is_fatal(event) != 0;
                    Some(Said { error, words, is_warning: true, is_fatal })
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut words, mut level) = (ptr::null(), ptr::null(), 0);
                    if sys::rd_kafka_event_log(event, &mut facility, &mut words, &mut level) != 0 {
                        return None;
                    }
                    let words = format!("{}: {}", text(facility), text(words));
                    Some(Said { error: None, words, is_warning: level <= WARNING, is_fatal: false })
                }
                _ => None,
            }
        }
    }

    /// Passes it on to our own log.
    pub(super) fn log(&self) {
        let words = &self.words;
        match self.error {
            Some(kind) => tracing::warn!(?kind, "kafka: {words}"),
            None if self.is_warning => tracing::warn!("kafka: {words}"),
            None => tracing::debug!("kafka: {words}"),
        }
    }
}

/// # Safety
/// `words` is null or a C string.
pub(super) unsafe fn text<'a>(words: *const c_char) -> Cow<'a, str> {
    if words.is_null() {
        return "".into();
    }
    // SAFETY: by this function's own condition.
    unsafe { CStr::from_ptr(words) }.to_string_lossy()
}
