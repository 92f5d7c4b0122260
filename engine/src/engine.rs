//! Puts the parts together: plan, topics, schema, producer cores, feed cores; and takes them apart again.

mod producers;
mod progress;
mod readings;
mod register;
mod reload;
mod repair;
mod replan;
mod rings;
mod roster;
pub mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, never, unbounded};

use crate::accounting::Accounting;
use crate::bell::Bell;
use crate::board::Board;
use crate::config::{Config, ConfigErrors, Misconfigured, RingFull, shown};
use crate::cores::{CpuSet, Plan};
use crate::feed::assignment::Limits;
use crate::feed::executor::{Duty, Order};
use crate::feed::outside::Machine;
use crate::feed::{FeedCore, executor, io_uring};
use crate::kafka::Kafka;
use crate::kafka::security::Security;
use crate::kafka::statistics::Tray;
use crate::kafka::topics::BATCH_SIZE;
use crate::latency::{Hop, Hops};
use crate::net::{is_loopback, tls};
use crate::produce::{NewRoute, Remainder};
use crate::pulse::{Pulse, Watch};
use crate::repair::Repairer;
use crate::state::StateFolder;
pub(crate) use producers::FOLDER as SPILL_FOLDER;
use progress::Keeper;
pub use readings::Interval;
use readings::{COLLECT_TIMEOUT, Readings};
pub(crate) use register::topic_specs;
use register::{Registered, Wait, register};
use rings::Rings;
use roster::Roster;
use view::{Signs, Viewer};

/// How often the end is looked for while it is waited for.
const STOP_INTERVAL: Duration = Duration::from_millis(5);

/// A running engine.
pub struct Engine {
    plan: Plan,
    /// What is in force.
    config: Config,
    roster: Roster,
    feed_threads: Vec<JoinHandle<()>>,
    feed_orders: Vec<Sender<Order>>,
    producer_threads: Vec<JoinHandle<Remainder>>,
    new_routes: Vec<(Sender<NewRoute>, Arc<Bell>)>,
    stop_feeding: Arc<AtomicBool>,
    stop_producing: Arc<AtomicBool>,
    readings: Readings,
    viewer: Viewer,
    keeper: Keeper,
    /// Requests to the broker are kept to so many bytes, because a topic takes no more.
    most_bytes: Option<u64>,
    /// Tells of feed cores that do not run, to the end.
    _watch: Watch,
    /// Ends with the engine.
    _repairer: Option<Repairer>,
    /// No other engine's as long as this one runs.
    state: Option<StateFolder>,
}

/// What an engine has left when it has stopped.
pub struct Stopped {
    /// All that was measured since the last collection.
    pub last: Interval,
    /// What went wrong with the engine itself.
    pub failures: Vec<String>,
}

impl Engine {
    /// Starts everything that `config` asks for. Connections are made in the background, for as long as it takes.
    ///
    /// # Errors
    /// What is missing, with its value and the way out: io_uring, broker, registry, topic, certificate, CPU.
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        Engine::start_unless(config, &never())
    }

    /// As [`Engine::start`], unless a word comes by `stop` while the schema registry is waited for.
    ///
    /// # Errors
    /// As [`Engine::start`]; [`StartError::Stopped`](crate::registry::start::StartError::Stopped) then.
    pub fn start_unless(config: &Config, stop: &Receiver<()>) -> anyhow::Result<Self> {
        let wrong = anyhow::Error::msg;
        io_uring::probe().map_err(wrong)?;
        let misconfigured = |error| ConfigErrors(vec![error]);
        let plan = Plan::fit(&config.wish(), &CpuSet::available().map_err(wrong)?).map_err(misconfigured)?;
        for note in &plan.notes {
            tracing::warn!("{note}");
        }
        tracing::info!(feed = ?plan.feed, producer = ?plan.producer, housekeeping = %plan.housekeeping, wait = ?config.cores.wait, "cores");
        let state = open_state(config).map_err(|what| Misconfigured { key: "state.dir", what })?;
        warn_of_plain_text(config);
        // Plain connections, such as the demo's, work where no root certificates are installed.
        let uses_tls = config.feeds.iter().any(|feed| feed.endpoint.url.scheme() == "wss");
        let tls = tls::client_config(config.extra_ca.as_deref(), uses_tls).map_err(|error| match config.extra_ca {
            Some(_) => misconfigured(error).into(),
            None => wrong(error),
        })?;
        // First of all: librdkafka asks for the producer id, without which an idempotent client sends nothing, half a
        // second after it is made, or when it gets metadata, for which the topics are looked up next.
        let client_config = config.producer_settings().client_config();
        let mut clients = producers::clients(&plan, &client_config)?;
        let wait = Wait { longest: Duration::from_secs(config.kafka.registry_wait_s), stop };
        let feeds: Vec<_> = config.feeds.iter().collect();
        let Registered { schema_ids, most_bytes } = register(config, &feeds, &clients[0], state.as_ref(), wait)?;
        let mut tuned = config.clone();
        if let Some(most) = most_bytes {
            tracing::info!("requests have at most {most} bytes ({BATCH_SIZE}), since a topic takes no more");
            tuned.kafka.librdkafka.insert(BATCH_SIZE.into(), most.to_string());
            clients = producers::clients(&plan, &tuned.producer_settings().client_config())?;
        }
        if let Some(words) = clients.iter().find_map(Kafka::why_broken) {
            anyhow::bail!("Kafka takes no records of ours: {words}: see whether our user may write to the topics");
        }
        let roster = Roster::new(config, &schema_ids, plan.feed.len());
        let mut keeper = Keeper::open(config, state.as_ref());

        let (stop_feeding, stop_producing) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let machine = Machine { tls, housekeeping: plan.housekeeping.clone(), wait: config.cores.wait };
        let limits = Limits {
            max_frame_bytes: config.limits.max_frame_bytes,
            stop_reading: config.limits.ring_full != RingFull::DropNewest,
        };
        let mut rings = Rings::new(&plan, config)?;
        let pulses = |cores: &[usize]| cores.iter().map(|_| Pulse::none()).collect::<Vec<_>>();
        let (feed_pulses, producer_pulses) = (pulses(&plan.feed), pulses(&plan.producer));
        let trays: Vec<_> = plan.producer.iter().map(|_| Tray::default()).collect();
        let (mut producer_threads, mut new_routes) = (Vec::new(), Vec::new());
        for (number, kafka) in clients.into_iter().enumerate() {
            let (sender, routes) = unbounded();
            new_routes.push((sender, rings.bells[number].clone()));
            producer_threads.push(producers::start(
                number,
                (kafka, routes),
                &plan,
                &tuned,
                &mut rings,
                keeper.resume(),
                (&stop_producing, producer_pulses[number].clone(), &trays[number]),
            )?);
        }
        let (mut feed_threads, mut feed_orders) = (Vec::new(), Vec::new());
        let board = Arc::new(Board::default());
        let mut dealt = roster.assignments();
        let (repairer, links) = repair::start(config, &plan).map_err(wrong)?;
        for (number, ((ring, bell), recorder)) in rings.feeds.into_iter().zip(rings.feed_recorders).enumerate() {
            let cpu = plan.feed[number];
            let (sender, orders) = unbounded();
            feed_orders.push(sender);
            let duty = Duty { assignments: std::mem::take(&mut dealt[number]), orders };
            let link = links.get(number).cloned();
            // A symbol that comes to the core later was fed by another meanwhile.
            let resumed = keeper.resumed(config, &duty.assignments);
            let board = board.clone();
            let make_core = move || {
                let core = FeedCore::new(ring, bell, recorder).resuming(resumed).showing(board, number);
                match link {
                    Some(link) => core.repairing(link),
                    None => core,
                }
            };
            let signs = (stop_feeding.clone(), feed_pulses[number].clone());
            feed_threads
                .push(executor::start(number, cpu, machine.clone(), limits, duty, signs, make_core).map_err(wrong)?);
        }
        let signs = Signs { board, cores: named(&plan, &feed_pulses, &producer_pulses) };
        let watch = Watch::start(feed_pulses, plan.housekeeping.clone()).map_err(wrong)?;
        let readings = Readings::of(rings.feed_collectors, rings.producer_collectors, config);
        Ok(Engine {
            plan,
            config: config.clone(),
            roster,
            feed_threads,
            feed_orders,
            producer_threads,
            new_routes,
            stop_feeding,
            stop_producing,
            readings,
            viewer: Viewer::new(signs, trays),
            keeper,
            most_bytes,
            _watch: watch,
            _repairer: repairer,
            state,
        })
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where everything runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What was measured since the last call. Waits until every core has passed its part on.
    pub fn collect(&mut self) -> Interval {
        let interval = self.readings.collect();
        self.keeper.write(false);
        interval
    }

    /// Whether a core has ended that was not told to: nothing good can come of going on.
    pub fn has_failed(&self) -> bool {
        self.feed_threads.iter().any(JoinHandle::is_finished)
            || self.producer_threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops: no more is read, the rings are emptied, the broker is waited for. A core that has failed does not keep
    /// the others from that.
    pub fn stop(self) -> Stopped {
        self.stop_telling(|_| ())
    }

    /// As [`Self::stop`]; `progress` is told now and then how far it is.
    pub fn stop_telling(mut self, mut progress: impl FnMut(&Accounting)) -> Stopped {
        self.stop_feeding.store(true, Ordering::Release);
        let mut failures = Vec::new();
        for thread in self.feed_threads.drain(..) {
            failures.extend(thread.join().err().map(|_| "a feed core ended by a broken invariant".to_string()));
        }
        self.stop_producing.store(true, Ordering::Release);
        let mut last = self.readings.collect_last(Hops::of(&Hop::ALL));
        while !self.producer_threads.iter().all(JoinHandle::is_finished) {
            progress(&last.accounting);
            std::thread::sleep(STOP_INTERVAL);
            self.readings.ask_producers();
            last = self.readings.collect_last(last.hops);
        }
        let mut left = 0;
        for thread in self.producer_threads.drain(..) {
            match thread.join() {
                Ok(remainder) => left += remainder.in_rings + remainder.in_flight,
                Err(_) => failures.push("a producer core ended by a broken invariant".into()),
            }
        }
        let last = self.readings.collect_last(last.hops);
        self.keeper.write(true);
        let unaccounted = last.accounting.all_records().in_flight;
        if failures.is_empty() && unaccounted != left as u64 {
            failures.push(format!(
                "{unaccounted} records are in no column, but {left} were left: the accounting is broken"
            ));
        }
        Stopped { last, failures }
    }
}

/// The cores by name, each with its CPU and its sign of life.
fn named(plan: &Plan, feed: &[Pulse], producer: &[Pulse]) -> Vec<(String, usize, Pulse)> {
    let of = |kind: &'static str, cpus: &[usize], pulses: &[Pulse]| -> Vec<_> {
        let cores = cpus.iter().zip(pulses).enumerate();
        cores.map(|(number, (cpu, pulse))| (format!("{kind}-{number}"), *cpu, pulse.clone())).collect()
    };
    [of("feed", &plan.feed, feed), of("producer", &plan.producer, producer)].concat()
}

/// The folder of what survives the engine, if there is to be one.
fn open_state(config: &Config) -> Result<Option<StateFolder>, String> {
    if config.state.dir.is_none() {
        tracing::info!("nothing survives the process: state.dir is not set (K2_STATE_DIR)");
    }
    config.state.dir.as_deref().map(StateFolder::open).transpose()
}

/// Trades that come unencrypted from elsewhere can be changed on the way, and a password can be read.
fn warn_of_plain_text(config: &Config) {
    let Security { protocol, login, .. } = &config.kafka.security;
    if login.is_some() && !protocol.is_encrypted() {
        tracing::warn!(
            protocol = protocol.name(),
            "the login to Kafka is not encrypted: set kafka.security.protocol to \"sasl_ssl\""
        );
    }
    if config.kafka.registry_access.login.is_some()
        && !is_loopback(&config.kafka.schema_registry_url)
        && config.kafka.schema_registry_url.scheme() == "http"
    {
        tracing::warn!("the registry's password is not encrypted: set kafka.schema_registry_url to https://");
    }
    for feed in &config.feeds {
        for url in feed.urls().filter(|url| url.scheme() == "ws" && !is_loopback(url)) {
            tracing::warn!(url = %shown(url), "the connection is not encrypted: use wss:// for anything but a simulator");
        }
        if let Some(url) = feed.rest_url.as_ref().filter(|url| url.scheme() == "http" && !is_loopback(url)) {
            tracing::warn!(url = %shown(url), "the REST API is asked without encryption: use https:// for anything but a simulator");
        }
    }
}
