//! Errors that a broker answers with, from a cluster that gives them on demand.

use std::collections::HashSet;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::oracle::{MILLISECOND, contiguous, field, same_trades, text, trade_of};
use crate::reader::{Found, Normalized, Reader};
use crate::report;
use crate::world::{Broker, Exchange, Run, alone, variables};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT";
const COUNT: usize = 10_000;
/// The mock looks at the sequence numbers of transactions only: behind a request that it refuses it takes the next, where a
/// broker would not.
const ONE_BY_ONE: &str = "[kafka]\nlibrdkafka = { \"max.in.flight\" = \"1\" }\n";

/// A run to a mock cluster, and a reader of what arrives there.
struct Mocked {
    cluster: MockCluster<'static, DefaultProducerContext>,
    /// For its registry.
    _broker: Broker,
    _exchange: Exchange,
    run: Run,
    reader: Reader,
}

impl Mocked {
    fn start(brokers: i32) -> Self {
        let cluster = MockCluster::new(brokers).unwrap();
        let mut broker = Broker::start();
        broker.servers = cluster.bootstrap_servers();
        let exchange = Exchange::start(&["--rate", "2000", "--count", &COUNT.to_string()]);
        let run = Run::with(&variables(&broker, &exchange.url, SYMBOLS), Some(ONE_BY_ONE), &[]).subscribed();
        let reader = Reader::start(&broker);
        Mocked { cluster, _broker: broker, _exchange: exchange, run, reader }
    }
}

/// A client and a broker that do not agree on where they are: the client takes no more. Another takes its place, and gets
/// all that the first had.
#[test]
fn a_client_that_takes_no_more_is_replaced_and_nothing_is_lost() {
    let _alone = alone();
    let Mocked { cluster, _broker, _exchange, mut run, mut reader } = Mocked::start(1);
    for times in 1..=3 {
        reader.until(times * 2_000);
        let fatal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER];
        cluster.request_errors(RDKafkaApiKey::Produce, &fatal);
        run.child.next_log_line("the client was made anew");
    }
    reader.until(COUNT);
    let stopped = run.stop();
    let (found, twice) = first_ones(reader.into_all());
    report::flawless(&stopped.report, COUNT);
    contiguous(&same_trades(&found, MILLISECOND));
    let delivery = &stopped.report["accounting"]["delivery"];
    assert_eq!(delivery["clients"], 3, "{delivery:#}");
    assert!(
        twice <= delivery["possible_duplicates"].as_u64().expect("a number") as usize,
        "{twice} twice: {delivery:#}"
    );
}

/// What was found without what is there again, by id, and how much that was. The order shows nothing here: behind the request
/// that it refuses, the mock takes one that a broker would refuse, too.
fn first_ones(mut found: Found) -> (Found, usize) {
    let all = found.raw.len() + found.normalized.len();
    let (mut raw, mut normalized) = (HashSet::new(), HashSet::new());
    found.raw.retain(|record| raw.insert((record.key.clone(), trade_of(record)["t"].as_u64())));
    let id = |record: &Normalized| text(field(&record.fields, "trade_id")).to_string();
    found.normalized.retain(|record| normalized.insert((record.key.clone(), id(record))));
    let twice = all - found.raw.len() - found.normalized.len();
    found.raw.sort_by_key(|record| trade_of(record)["t"].as_u64());
    found.normalized.sort_by_cached_key(id);
    (found, twice)
}

#[test]
fn what_a_broker_refuses_for_a_moment_arrives_once_and_in_order() {
    use RDKafkaRespErr::*;
    let _alone = alone();
    let Mocked { cluster, _broker, _exchange, run, mut reader } = Mocked::start(2);
    for (step, error) in [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    ]
    .into_iter()
    .enumerate()
    {
        reader.until((step + 1) * 1_000);
        cluster.request_errors(RDKafkaApiKey::Produce, &[error, error]);
    }
    reader.until(COUNT);
    let stopped = run.stop();
    let found = reader.into_all();
    report::flawless(&stopped.report, COUNT);
    contiguous(&same_trades(&found, MILLISECOND));
}
