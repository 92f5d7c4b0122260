//! librdkafka's statistics: handed on by the producer core as they come, read and freed elsewhere.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use rdkafka_sys as sys;
use serde::Deserialize;

/// How often librdkafka is to give them, in milliseconds, unless `kafka.librdkafka` says otherwise.
pub(super) const INTERVAL_MS: &str = "5000";
/// Those that wait to be read; older ones give way.
const MOST_WAITING: usize = 2;

/// librdkafka's text, as it was handed over.
pub struct Text(NonNull<sys::rd_kafka_event_t>);

// SAFETY: the event is owned, and librdkafka's events may be read and destroyed by any one thread.
unsafe impl Send for Text {}

impl Text {
    /// Takes an event over.
    ///
    /// # Safety
    /// It is live, of the type STATS, and nobody else's.
    pub(super) unsafe fn of(event: NonNull<sys::rd_kafka_event_t>) -> Self {
        Text(event)
    }

    /// What it says, if it is of the form that is known.
    fn read(&self) -> Option<Statistics> {
        // SAFETY: the event is live and of that type; the text belongs to it and is a C string.
        let text = unsafe { CStr::from_ptr(sys::rd_kafka_event_stats(self.0.as_ptr())) };
        serde_json::from_slice(text.to_bytes()).ok()
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and not used again.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// Where a producer core leaves what librdkafka gives.
#[derive(Clone)]
pub struct Tray(Arc<ArrayQueue<Text>>);

impl Default for Tray {
    fn default() -> Self {
        Tray(Arc::new(ArrayQueue::new(MOST_WAITING)))
    }
}

impl Tray {
    /// Leaves the newest.
    pub(super) fn put(&self, text: Text) {
        drop(self.0.force_push(text));
    }

    /// The newest, if one came since the last call.
    pub fn take(&self) -> Option<Statistics> {
        std::iter::from_fn(|| self.0.pop()).last()?.read()
    }
}

/// What librdkafka says of itself. Source: its STATISTICS.md.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Records in its queues.
    #[serde(rename = "msg_cnt")]
    pub messages: u64,
    /// Their bytes.
    #[serde(rename = "msg_size")]
    pub bytes: u64,
    brokers: BTreeMap<String, Broker>,
}

/// What it says of a broker.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Broker {
    /// `host:port/number`.
    pub name: String,
    nodeid: i64,
    state: String,
    /// From a request to its answer.
    #[serde(rename = "rtt")]
    pub round_trip: Window,
    /// Requests sent again since the start.
    #[serde(rename = "txretries")]
    pub retries: u64,
    txerrs: u64,
    rxerrs: u64,
    req_timeouts: u64,
}

/// Times of the last interval, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Window {
    /// Half were no longer.
    pub p50: u64,
    /// 99 in 100 were no longer.
    pub p99: u64,
    /// How many there were.
    #[serde(rename = "cnt")]
    pub count: u64,
}

impl Statistics {
    /// The brokers of the cluster; addresses by which it was first asked are none.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values().filter(|broker| broker.nodeid >= 0)
    }
}

impl Broker {
    /// Whether it can be talked to.
    pub fn is_up(&self) -> bool {
        self.state == "UP"
    }

    /// Requests that failed since the start, those that timed out included.
    pub fn errors(&self) -> u64 {
        self.txerrs + self.rxerrs + self.req_timeouts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_told_from_the_addresses_that_were_given() {
        let text = r#"{"name":"k2-feed#producer-1","msg_cnt":12,"msg_size":3400,"unknown":{},"brokers":{
            "localhost:9092/bootstrap":{"name":"localhost:9092/bootstrap","nodeid":-1,"state":"UP"},
            "localhost:9092/1":{"name":"localhost:9092/1","nodeid":1,"state":"UP","txretries":3,"txerrs":1,"rxerrs":2,
                "req_timeouts":4,"rtt":{"min":1,"p50":300,"p99":900,"cnt":7}},
            "localhost:9093/2":{"name":"localhost:9093/2","nodeid":2,"state":"DOWN"}}}"#;
        let statistics: Statistics = serde_json::from_str(text).unwrap();
        assert_eq!((statistics.messages, statistics.bytes), (12, 3_400));
        let brokers: Vec<_> = statistics.brokers().collect();
        assert_eq!(brokers.iter().map(|one| one.is_up()).collect::<Vec<_>>(), [true, false]);
        assert_eq!((brokers[0].retries, brokers[0].errors()), (3, 7));
        assert_eq!(brokers[0].round_trip, Window { p50: 300, p99: 900, count: 7 });
    }
}
