//! What goes out: records, what waits, what librdkafka says.

use super::families::{Families, Told};
use super::named;
use crate::accounting::{ProducerTally, Records};
use crate::engine::view::{Signs, Tally, View};
use crate::kafka::statistics::{Broker, Statistics};

/// What was collected.
pub(super) fn collected(families: &mut Families, signs: &Signs, view: &View) {
    let producers: Vec<_> = named(signs, &view.cores)
        .filter_map(|(name, core)| match &core.tally {
            Tally::Producer(tally, statistics) => Some((name, tally, statistics.as_ref())),
            Tally::Feed(_) => None,
        })
        .collect();
    records(families, view);
    waiting(families, &producers, view.limits);
    kafka(families, &producers);
}

fn records(families: &mut Families, view: &View) {
    let topics = &view.accounting.topics;
    let each = |of: fn(&Records) -> u64| {
        let labels = |topic, kind| vec![("topic", topic), ("kind", kind)];
        let counts = topics.iter().map(move |(topic, (kind, records))| (labels(&**topic, kind.name()), of(records)));
        counts.collect::<Vec<_>>()
    };
    let help = "Records to publish, those that an earlier run left on disk included.";
    families.counter("k2_feed_records_committed_total", help, each(|records| records.committed));
    let outcomes = topics.iter().flat_map(|(topic, (kind, records))| {
        let outcomes = [("acked", records.acked), ("failed", records.failed), ("dropped", records.dropped)];
        let labels = |outcome| vec![("topic", &**topic), ("kind", kind.name()), ("outcome", outcome)];
        outcomes.map(|(outcome, count)| (labels(outcome), count))
    });
    let help = "Records that are done with: acknowledged by the broker, given up, or dropped for want of room.";
    families.counter("k2_feed_records_total", help, outcomes);
    let gauges: [Told<Records>; 2] = [
        ("k2_feed_records_in_flight", "Records in the rings, or with librdkafka.", |records| records.in_flight),
        ("k2_feed_records_spilled", "Records on disk.", |records| records.spilled),
    ];
    for (name, help, of) in gauges {
        families.level(name, help, each(of));
    }
    let help = "Collections at which frames or records were in no column, or in two.";
    families.counter("k2_feed_accounting_broken_total", help, [(vec![], view.accounting.broken)]);
}

/// A producer core by its name, with what it has counted, and what librdkafka said last.
type Producer<'a> = (&'a str, &'a ProducerTally, Option<&'a Statistics>);

fn waiting(families: &mut Families, producers: &[Producer<'_>], (queue_bytes, spill_bytes): (u64, Option<u64>)) {
    let each = |of: fn(&ProducerTally) -> u64| {
        producers.iter().map(move |(core, tally, _)| (vec![("core", *core)], of(tally))).collect::<Vec<_>>()
    };
    let gauges: [Told<ProducerTally>; 3] = [
        ("k2_feed_queue_records", "Records with librdkafka, or given back by it.", |tally| tally.waiting.queue_records),
        ("k2_feed_queue_bytes", "Their bytes.", |tally| tally.waiting.queue_bytes),
        ("k2_feed_spill_bytes", "Bytes of records on disk.", |tally| tally.waiting.spill_bytes),
    ];
    for (name, help, of) in gauges {
        families.level(name, help, each(of));
    }
    let limit = |bytes: u64| producers.iter().map(move |(core, ..)| (vec![("core", *core)], bytes));
    families.level("k2_feed_queue_limit_bytes", "Most bytes with librdkafka.", limit(queue_bytes));
    let spill = spill_bytes.into_iter().flat_map(limit);
    families.level("k2_feed_spill_limit_bytes", "Most bytes on disk, where records may be put there.", spill);
    let counters: [Told<ProducerTally>; 3] = [
        ("k2_feed_queue_full_total", "Times that a record found librdkafka's queue full.", |tally| {
            tally.delivery.queue_full
        }),
        ("k2_feed_kafka_clients_total", "Times that the client was made anew.", |tally| tally.delivery.clients),
        ("k2_feed_possible_duplicates_total", "Records that may be on their topic twice.", |tally| {
            tally.delivery.possible_duplicates
        }),
    ];
    for (name, help, of) in counters {
        families.counter(name, help, each(of));
    }
}

fn kafka(families: &mut Families, producers: &[Producer<'_>]) {
    let said = || producers.iter().filter_map(|(core, _, statistics)| Some((*core, (*statistics)?)));
    let brokers = || said().flat_map(|(core, statistics)| statistics.brokers().map(move |broker| (core, broker)));
    fn labels<'a>(core: &'a str, broker: &'a Broker) -> Vec<(&'static str, &'a str)> {
        vec![("core", core), ("broker", &broker.name)]
    }
    let up = brokers().map(|(core, broker)| (labels(core, broker), broker.is_up()));
    families.flag("k2_feed_kafka_broker_up", "Whether a broker can be talked to.", up);
    let times = brokers().flat_map(|(core, broker)| {
        // Not `quantile`: that is for summaries, which count since the start.
        let percentiles = [("50", broker.round_trip.p50), ("99", broker.round_trip.p99)];
        percentiles.map(|(percentile, us)| {
            let labels = labels(core, broker).into_iter().chain([("percentile", percentile)]);
            (labels.collect(), us as f64 / 1e6)
        })
    });
    let help = "From a request to the broker's answer, in the last interval of librdkafka's statistics.";
    families.gauge("k2_feed_kafka_broker_rtt_seconds", help, times);
    let retries = brokers().map(|(core, broker)| (labels(core, broker), broker.retries));
    families.counter("k2_feed_kafka_broker_retries_total", "Requests that were sent again.", retries);
    let errors = brokers().map(|(core, broker)| (labels(core, broker), broker.errors()));
    let help = "Requests that failed, those that timed out included.";
    families.counter("k2_feed_kafka_broker_errors_total", help, errors);
    let messages = said().map(|(core, statistics)| (vec![("core", core)], statistics.messages));
    families.level("k2_feed_kafka_queue_messages", "Records in librdkafka's own queues.", messages);
    let bytes = said().map(|(core, statistics)| (vec![("core", core)], statistics.bytes));
    families.level("k2_feed_kafka_queue_bytes", "Their bytes.", bytes);
}
