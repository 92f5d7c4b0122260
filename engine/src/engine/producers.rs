//! The producer cores.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::Receiver;
use rdkafka::ClientConfig;

use super::rings::Rings;
use crate::config::{Config, Feed, Fsync};
use crate::cores::Plan;
use crate::interval::{self, ProducerMeasured};
use crate::kafka::Kafka;
use crate::kafka::statistics::Tray;
use crate::produce::{Connect, NewRoute, ProducerCore, ProducerSettings, Remainder, Resume, RouteSpec, StoreSettings};
use crate::pulse::Pulse;
use crate::session::backoff::Bounds;
use crate::spill;

/// A journal of `spill.max_bytes` has so many segments: what is given up at once where the oldest are dropped.
const SEGMENTS: u64 = 64;
/// The waits before records that came back are offered again.
const WAITS: Bounds = Bounds { min: Duration::from_millis(100), max: Duration::from_secs(10) };
/// The folder of the journals in `state.dir`, with one of its own for each producer core.
pub(crate) const FOLDER: &str = "spill";

/// Starts a producer core, first with the client `kafka`.
pub(super) fn start(
    number: usize,
    (mut kafka, new_routes): (Kafka, Receiver<NewRoute>),
    plan: &Plan,
    config: &Config,
    rings: &mut Rings,
    reached: Option<Resume>,
    (stop, pulse, tray): (&Arc<AtomicBool>, Pulse, &Tray),
) -> anyhow::Result<JoinHandle<Remainder>> {
    let (recorder, collector) = interval::pair(ProducerMeasured::producer(), ProducerMeasured::producer());
    rings.producer_collectors.push(collector);
    let routes: Vec<_> = config.feeds.iter().map(route).collect();
    let consumers = std::mem::take(&mut rings.consumers[number]);
    let bell = rings.bells[number].clone();
    kafka.leave_statistics(tray.clone());
    let connect = connect(config, plan, tray.clone());
    // Threads that are started here inherit the CPUs.
    let core = plan.housekeeping.run(|| {
        let settings = settings((number, plan.producer.len()), config, reached);
        ProducerCore::new(kafka, connect, consumers, (&routes, new_routes), recorder, bell, settings)
    });
    let core = core.map_err(anyhow::Error::msg)?;
    core.start(number, plan.producer[number], stop.clone(), pulse).map_err(anyhow::Error::msg)
}

/// Where a feed's records go.
pub(super) fn route(feed: &Feed) -> RouteSpec {
    RouteSpec { exchange: feed.protocol.exchange().to_string(), topics: feed.routes().map(str::to_string) }
}

/// A client for each producer core.
pub(super) fn clients(plan: &Plan, config: &ClientConfig) -> anyhow::Result<Vec<Kafka>> {
    Ok(plan.producer.iter().map(|_| plan.housekeeping.run(|| Kafka::new(config))).collect::<Result<_, _>>()?)
}

/// Makes clients after the first, which leave their statistics in `tray`.
fn connect(config: &Config, plan: &Plan, tray: Tray) -> Connect<Kafka> {
    let (client_config, plan) = (config.producer_settings().client_config(), plan.clone());
    Box::new(move || {
        let mut kafka = plan.housekeeping.run(|| Kafka::new(&client_config)).map_err(|error| error.to_string())?;
        kafka.leave_statistics(tray.clone());
        Ok(kafka)
    })
}

/// `of` is the core's number, and how many there are.
fn settings(of: (usize, usize), config: &Config, reached: Option<Resume>) -> ProducerSettings {
    let dir = config.state.dir.as_deref().filter(|_| config.spill.enabled);
    ProducerSettings {
        max_records: config.kafka.queue_records,
        max_bytes: config.kafka.queue_bytes,
        when_full: config.limits.ring_full,
        store: dir.map(|dir| store(dir, of, config)),
        reached,
        waits: WAITS,
        wait: config.cores.wait,
        gather: config.gather(),
        shutdown_timeout: Duration::from_secs(config.kafka.shutdown_timeout_s),
    }
}

fn store(dir: &Path, (number, count): (usize, usize), config: &Config) -> StoreSettings {
    let folder = dir.join(FOLDER).join(number.to_string());
    let fsync = match config.spill.fsync {
        Fsync::Never => spill::Fsync::Never,
        Fsync::Interval => spill::Fsync::Interval(Duration::from_millis(config.spill.fsync_interval_ms)),
        Fsync::Always => spill::Fsync::Always,
    };
    // Each producer core has its part of what may be there.
    let max_bytes = config.spill.max_bytes / count as u64;
    let journal = spill::Settings { folder: folder.clone(), max_bytes, segment_bytes: max_bytes / SEGMENTS, fsync };
    StoreSettings { folder, max_bytes, journal, replay_per_s: config.spill.replay_per_s }
}
