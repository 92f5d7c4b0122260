//! A start while the schema registry is away, and who registers what.

use std::net::TcpListener;

use k2_feed::avro::{NORMALIZED_TRADE, RECORD_NAME};
use k2_feed::registry::{Missing, RegistryClient, RegistryError};

use crate::child::{Child, k2_feed};
use crate::reader::TOPIC;
use crate::world::{Broker, Exchange, Run, alone, variables};

/// Nobody listens there yet: it was free a moment ago, and the system does not hand it out again so soon.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_registry_that_comes_later_is_waited_for() {
    let _alone = alone();
    let (mut broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "500"]));
    let address = free_address();
    broker.registry = format!("http://{address}");
    let mut run = Run::start(&broker, &exchange.url, "BTCUSDT");
    run.child.log_line("the schema registry is asked again");
    let _late = Child::start(k2_feed(&["broker", "--registry-listen", &address]));
    let stopped = run.subscribed().stop();
    assert!(stopped.ended.stderr.contains("schema subject="), "{}", stopped.ended.stderr);
}

#[test]
fn the_wait_for_a_registry_ends_by_a_signal() {
    let _alone = alone();
    let mut broker = Broker::start();
    broker.registry = format!("http://{}", free_address());
    let mut run = Run::start(&broker, "ws://127.0.0.1:1/ws", "BTCUSDT");
    run.child.log_line("the schema registry is asked again");
    run.child.terminate();
    run.child.ended().expect(0).says(&["stopped while the schema registry was waited for"]);
}

#[test]
fn an_id_that_was_kept_is_enough_for_a_start() {
    let _alone = alone();
    let (mut broker, mut other, exchange) = (Broker::start(), Broker::start(), Exchange::start(&["--rate", "500"]));
    broker.registry.clone_from(&other.registry);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let variables = [&variables(&broker, &exchange.url, "BTCUSDT")[..], &[("K2_STATE_DIR", state)]].concat();
    Run::with(&variables, None, &[]).subscribed().stop();
    other.child.kill();
    let stopped = Run::with(&variables, None, &["--for", "1s"]).ended();
    let log = &stopped.ended.stderr;
    let line = log.lines().find(|line| line.contains("started with the schema's id as it was kept")).unwrap();
    assert!(line.contains(&format!("{TOPIC}-value")) && line.contains("id=1") && line.contains("age="), "{line}");
    assert!(!log.contains("is asked again"), "one failed round is enough: {log}");
    assert!(stopped.report["accounting"]["trades"].as_u64() > Some(10), "{}", stopped.report["accounting"]);
}

#[test]
fn schemas_that_others_register_are_looked_up_under_the_subject_of_the_strategy() {
    let _alone = alone();
    let broker = Broker::start();
    let variables = variables(&broker, "ws://127.0.0.1:1/ws", "BTCUSDT");
    let client = RegistryClient::new(&broker.registry).unwrap();
    for (strategy, subject) in [
        ("topic", format!("{TOPIC}-value")),
        ("record", RECORD_NAME.to_string()),
        ("topic-record", format!("{TOPIC}-{RECORD_NAME}")),
    ] {
        let file = format!("[kafka]\nregister_schemas = false\nsubject_name_strategy = \"{strategy}\"\n");
        let refused = Run::with(&variables, Some(&file), &[]).child.ended().expect(1);
        refused.says(&[&subject, "is not registered", "kafka.register_schemas is false", "curl"]);
        let missing = client.id(&subject, NORMALIZED_TRADE, Missing::Refuse);
        assert!(matches!(missing, Err(RegistryError::NotRegistered { .. })), "{missing:?}");
        client.ensure(&subject, NORMALIZED_TRADE).unwrap();
        let mut run = Run::with(&variables, Some(&file), &[]);
        let line = run.child.log_line("schema");
        assert!(line.contains(&subject), "{line}");
        run.stop();
    }
}
