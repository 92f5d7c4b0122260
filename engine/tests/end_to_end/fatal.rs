//! Errors that a broker answers with, from a cluster that gives them on demand.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::Reader;
use crate::report;
use crate::world::{Broker, Exchange, Run, alone};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT";
const COUNT: usize = 10_000;

/// A client and a broker that do not agree on where they are: the client takes no more. Another takes its place, and gets what the first had, in order.
#[test]
fn a_client_that_takes_no_more_is_replaced_and_nothing_is_lost() {
    let _alone = alone();
    let cluster = MockCluster::<DefaultProducerContext>::new(1).unwrap();
    let mut broker = Broker::start();
    broker.servers = cluster.bootstrap_servers();
    let exchange = Exchange::start(&["--rate", "2000", "--count", &COUNT.to_string()]);
    let mut run = Run::start(&broker, &exchange.url, SYMBOLS).subscribed();
    let mut reader = Reader::start(&broker);
    for times in 1..=3 {
        reader.until(times * 2_000);
        let fatal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER];
        cluster.request_errors(RDKafkaApiKey::Produce, &fatal);
        run.child.next_log_line("the client was made anew");
    }
    reader.until(COUNT);
    let stopped = run.stop();
    let found = reader.into_all();
    report::flawless(&stopped.report, COUNT);
    contiguous(&same_trades(&found, MILLISECOND));
    let delivery = &stopped.report["accounting"]["delivery"];
    assert_eq!(delivery["clients"], 3, "{delivery:#}");
    assert_eq!(found.raw.len(), COUNT, "nothing is there twice: {delivery:#}");
}

#[test]
fn what_a_broker_refuses_for_a_moment_arrives_once_and_in_order() {
    use RDKafkaRespErr::*;
    let _alone = alone();
    let cluster = MockCluster::<DefaultProducerContext>::new(2).unwrap();
    let mut broker = Broker::start();
    broker.servers = cluster.bootstrap_servers();
    let exchange = Exchange::start(&["--rate", "2000", "--count", &COUNT.to_string()]);
    let run = Run::start(&broker, &exchange.url, SYMBOLS).subscribed();
    let mut reader = Reader::start(&broker);
    for (step, error) in [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
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
