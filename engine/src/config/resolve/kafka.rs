//! `[kafka]`: where records go.

use super::parse_url;
use crate::config::{Kafka, file};
use crate::kafka::settings::check_passed_through;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::Kafka, errors: &mut Vec<String>) -> Option<Kafka> {
    const QUEUE_RECORDS: usize = 100_000;
    const QUEUE_BYTES: usize = 64 * 1024 * 1024;
    // As the handler before this one; the largest that is never noticed beside the network.
    const LINGER_US: u64 = 500;
    const REGISTRY_WAIT_S: u64 = 30;
    const SHUTDOWN_TIMEOUT_S: u64 = 30;
    let librdkafka = file::passed_through(&given.librdkafka);
    errors.extend(check_passed_through(&librdkafka));
    let bootstrap_servers = given.bootstrap_servers.clone().unwrap_or_else(|| "localhost:9092".into());
    check_servers(&bootstrap_servers, errors);
    let registry = given.schema_registry_url.clone().unwrap_or_else(|| "http://localhost:8081".into());
    let schema_registry_url = parse_url("kafka.schema_registry_url", &registry, &["http", "https"], errors);
    let kafka = Kafka {
        bootstrap_servers,
        schema_registry_url: schema_registry_url?,
        subject_name_strategy: given.subject_name_strategy.unwrap_or_default(),
        register_schemas: given.register_schemas.unwrap_or(true),
        registry_wait_s: given.registry_wait_s.unwrap_or(REGISTRY_WAIT_S),
        create_topics: given.create_topics.unwrap_or(true),
        partitions: given.partitions.unwrap_or(3),
        linger_us: given.linger_us.unwrap_or(LINGER_US),
        queue_records: given.queue_records.unwrap_or(QUEUE_RECORDS),
        queue_bytes: given.queue_bytes.unwrap_or(QUEUE_BYTES),
        message_timeout_ms: given.message_timeout_ms,
        shutdown_timeout_s: given.shutdown_timeout_s.unwrap_or(SHUTDOWN_TIMEOUT_S),
        librdkafka,
    };
    let mut within = |key: &str, value: u64, least: u64, most: u64| {
        if !(least..=most).contains(&value) {
            errors.push(format!("kafka.{key} = {value}: it must be from {least} to {most}"));
        }
    };
    within("registry_wait_s", kafka.registry_wait_s, 0, 86_400);
    within("partitions", kafka.partitions.max(0) as u64, 1, 10_000);
    within("linger_us", kafka.linger_us, 0, 900_000_000);
    within("queue_records", kafka.queue_records as u64, 1, 10_000_000);
    within("queue_bytes", kafka.queue_bytes as u64, 1 << 20, 1 << 40);
    within("message_timeout_ms", kafka.message_timeout_ms.unwrap_or(1_000), 1_000, 86_400_000);
    within("shutdown_timeout_s", kafka.shutdown_timeout_s, 0, 86_400);
    Some(kafka)
}

fn check_servers(servers: &str, errors: &mut Vec<String>) {
    for server in servers.split(',').map(str::trim) {
        let well_formed = server
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !well_formed {
            errors.push(format!("kafka.bootstrap_servers = {servers:?}: {server:?} is not host:port"));
        }
    }
}
