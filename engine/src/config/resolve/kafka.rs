//! `[kafka]`: where records go.

use super::{parse_url, security};
use crate::config::error::Section;
use crate::config::{Kafka, file};
use crate::kafka::settings::check_passed_through;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::Kafka, section: &mut Section<'_>) -> Option<Kafka> {
    const PARTITIONS: i32 = 3;
    const MAX_PARTITIONS: i32 = 10_000;
    const QUEUE_RECORDS: usize = 100_000;
    const QUEUE_BYTES: usize = 64 * 1024 * 1024;
    // Against a real Kafka on the same two CPUs at 5,000 trades/s, median, p99 and CPU time are below those of 500; 2,000
    // saves another fifth of the CPU time, and costs 1 ms where less comes (perf/load/last).
    const LINGER_US: u64 = 1_000;
    const REGISTRY_WAIT_S: u64 = 30;
    const SHUTDOWN_TIMEOUT_S: u64 = 30;
    let librdkafka = file::passed_through(&given.librdkafka);
    for (key, error) in check_passed_through(&librdkafka) {
        section.said(&[&format!("librdkafka.{key}")], error);
    }
    let bootstrap_servers = given.bootstrap_servers.clone().unwrap_or_else(|| "localhost:9092".into());
    check_servers(&bootstrap_servers, section);
    let registry = given.schema_registry_url.clone().unwrap_or_else(|| "http://localhost:8081".into());
    let schema_registry_url = parse_url("kafka.schema_registry_url", &registry, &["http", "https"]);
    let schema_registry_url = schema_registry_url.map_err(|error| section.said(&["schema_registry_url"], error));
    let security = security::resolve(&given.security, &mut section.beside("kafka.security"));
    let registry_access = security::resolve_registry(given, schema_registry_url.as_ref().ok(), section);
    let compression = given.compression.unwrap_or_default();
    if let Some(fault) = compression.unavailable() {
        section.wrong("compression", format!("{:?}", compression.name()), fault);
    }
    let partitions = given.partitions.unwrap_or(PARTITIONS);
    let registry_wait_s = given.registry_wait_s.unwrap_or(REGISTRY_WAIT_S);
    let linger_us = given.linger_us.unwrap_or(LINGER_US);
    let queue_records = given.queue_records.unwrap_or(QUEUE_RECORDS);
    let queue_bytes = given.queue_bytes.unwrap_or(QUEUE_BYTES);
    let shutdown_timeout_s = given.shutdown_timeout_s.unwrap_or(SHUTDOWN_TIMEOUT_S);
    if !(1..=MAX_PARTITIONS).contains(&partitions) {
        section.wrong("partitions", partitions, format!("it must be from 1 to {MAX_PARTITIONS}"));
    }
    let mut within = |key: &str, value: u64, least: u64, most: u64| section.within(key, value, least, most, "");
    within("registry_wait_s", registry_wait_s, 0, 86_400);
    within("linger_us", linger_us, 0, 900_000_000);
    within("queue_records", queue_records as u64, 1, 10_000_000);
    within("queue_bytes", queue_bytes as u64, 1 << 20, 1 << 40);
    within("message_timeout_ms", given.message_timeout_ms.unwrap_or(1_000), 1_000, 86_400_000);
    within("shutdown_timeout_s", shutdown_timeout_s, 0, 86_400);
    Some(Kafka {
        bootstrap_servers,
        schema_registry_url: schema_registry_url.ok()?,
        registry_access,
        subject_name_strategy: given.subject_name_strategy.unwrap_or_default(),
        register_schemas: given.register_schemas.unwrap_or(true),
        registry_wait_s,
        create_topics: given.create_topics.unwrap_or(true),
        partitions,
        compression,
        linger_us,
        queue_records,
        queue_bytes,
        message_timeout_ms: given.message_timeout_ms,
        shutdown_timeout_s,
        security,
        librdkafka,
    })
}

fn check_servers(servers: &str, section: &mut Section<'_>) {
    for server in servers.split(',').map(str::trim) {
        let is_host = |host: &str| !host.is_empty() && !host.contains(|c: char| c == '/' || c.is_whitespace());
        let well_formed = server
            .rsplit_once(':')
            .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !well_formed {
            let what = format!("{server:?} is not host:port, such as \"localhost:9092\"");
            section.wrong("bootstrap_servers", format!("{servers:?}"), what);
        }
    }
}
