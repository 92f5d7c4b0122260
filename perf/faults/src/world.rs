//! Everything that runs, and how each fault is done to it and undone.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use k2_feed::sim::{self, Arrivals, Burst, Ledger, Rate, Simulator, SimulatorConfig};
use k2_feed::venue::Protocol;
use k2_real::{Server, free_address};
use nix::sys::signal::Signal;

use crate::book::{Book, Writer};
use crate::disk::Disk;
use crate::engine::{Engine, Run};
use crate::plan::{Fault, Kind};
use crate::proxy::{Proxy, Weather};
use crate::reader::Reader;
use crate::settings::{SPILL_BYTES, SPILL_BYTES_WITHOUT_DISK, SYMBOLS, Settings, TOPIC, TOPIC_RAW};

/// The folder of the engine's runs.
pub(crate) const ENGINE: &str = "engine";
/// Batches that the ledger holds while the book is written.
const LEDGER_BATCHES: usize = 1 << 16;
/// How far the exchange's history goes back: the longest time without an engine and that of telling it, many times over.
const HISTORY: Duration = Duration::from_secs(600);
/// Half of the trades come at so many times the mean rate.
const BURST: Burst = Burst { factor: 8.0, period: Duration::from_secs(2) };

/// The exchange, the engine, the network, the broker, the registry and the disk.
pub(crate) struct World {
    pub(crate) exchange: Simulator,
    pub(crate) book: Writer,
    pub(crate) engine: Engine,
    registry_url: String,
    /// Of the broker's listener that is not behind the proxy.
    broker_address: SocketAddr,
    broker: Server,
    registry: Server,
    proxy: Proxy,
    disk: Option<Disk>,
}

impl World {
    /// Starts everything but the engine. The market opens when the engine has subscribed.
    pub(crate) fn start(
        folder: &Path,
        state: &Path,
        disk: Option<Disk>,
        binary: &Path,
        (seed, trades_per_s): (u64, f64),
    ) -> anyhow::Result<Self> {
        let (direct, behind_proxy) = (free_address()?, free_address()?);
        let proxy = Proxy::start(behind_proxy)?;
        let properties = properties(direct, proxy.address());
        let listeners = [format!("ENGINE://{behind_proxy}")];
        let mut broker = Server::broker(&folder.join("kafka"), direct.port(), &properties, &listeners)?;
        let (mut registry, registry_url) = Server::registry(&folder.join("registry"), free_address()?.port())?;
        for server in [&mut broker, &mut registry] {
            server.fetch()?;
            server.start_and_wait()?;
        }
        let (ledger, ledger_reader) = Ledger::new(LEDGER_BATCHES, None);
        let exchange = sim::start(SimulatorConfig {
            symbols: SYMBOLS.map(Into::into).into(),
            start_when: SYMBOLS.len(),
            rate: Rate::PerSecond(trades_per_s),
            arrivals: Arrivals::Burst(BURST),
            seed,
            history_trades: (trades_per_s * HISTORY.as_secs_f64()) as usize / SYMBOLS.len(),
            ledger: Some(ledger),
            ..SimulatorConfig::new(Protocol::BinanceSpot)
        })
        .context("the exchange does not start")?;
        let book = Writer::start(ledger_reader, exchange.symbols(), exchange.addr())?;
        let settings = Settings {
            servers: proxy.address().to_string(),
            registry: registry_url.clone(),
            exchange: exchange.addr().to_string(),
            state: state.to_path_buf(),
            spill_bytes: if disk.is_some() { SPILL_BYTES } else { SPILL_BYTES_WITHOUT_DISK },
        };
        let engine = Engine::new(binary, &folder.join(ENGINE), settings, seed);
        Ok(World { exchange, book, engine, registry_url, broker_address: direct, broker, registry, proxy, disk })
    }

    /// A reader of both topics, past the proxy.
    pub(crate) fn reader(&self) -> anyhow::Result<Reader> {
        Reader::start(&self.broker_address.to_string(), &self.registry_url, TOPIC_RAW, TOPIC)
    }

    /// A fault begins.
    pub(crate) fn begin(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault.kind {
            Kind::BrokerKilled => self.broker.kill(),
            Kind::BrokerStopped => self.broker.signal(Signal::SIGSTOP)?,
            Kind::AllCut => {
                self.proxy.cut_all();
            }
            Kind::OneCut => {
                self.proxy.cut_one(fault.amount as usize);
            }
            Kind::Delayed => {
                self.proxy.set(Weather { delay: Duration::from_millis(fault.amount), ..Weather::default() });
            }
            Kind::Throttled => self.proxy.set(Weather { bytes_per_s: Some(fault.amount), ..Weather::default() }),
            Kind::BlackHole => self.proxy.set(Weather { is_black_hole: true, ..Weather::default() }),
            Kind::RegistryKilled => self.registry.kill(),
            Kind::ExchangeCut => self.exchange.cut_all(),
            Kind::DiskFull => self.disk.as_ref().map_or(Ok(()), Disk::fill)?,
            Kind::EngineStopped => self.engine.stop()?,
            Kind::EngineKilled => self.engine.kill()?,
        }
        Ok(())
    }

    /// What caused it ends.
    pub(crate) fn end(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault.kind {
            Kind::BrokerKilled => self.broker.start()?,
            Kind::BrokerStopped => self.broker.signal(Signal::SIGCONT)?,
            Kind::Delayed | Kind::Throttled | Kind::BlackHole => self.proxy.set(Weather::default()),
            Kind::RegistryKilled => self.registry.start()?,
            Kind::DiskFull => self.disk.as_ref().map_or(Ok(()), Disk::clear)?,
            Kind::EngineStopped | Kind::EngineKilled => self.engine.want(),
            Kind::AllCut | Kind::OneCut | Kind::ExchangeCut => {}
        }
        Ok(())
    }

    /// Whether what was killed or stopped is back.
    pub(crate) fn is_over(&mut self, fault: &Fault) -> anyhow::Result<bool> {
        match fault.kind {
            Kind::BrokerKilled => self.broker.is_ready(),
            Kind::RegistryKilled => self.registry.is_ready(),
            Kind::EngineStopped | Kind::EngineKilled => Ok(self.engine.is_subscribed()),
            _ => Ok(true),
        }
    }

    /// Stops the exchange. What it made, the engine's runs, and the broker and the registry, which are still to be read.
    pub(crate) fn finish(self) -> anyhow::Result<(Book, Vec<Run>, [Server; 2])> {
        self.exchange.stop();
        Ok((self.book.finish()?, self.engine.into_runs(), [self.broker, self.registry]))
    }
}

/// What has clients of the broker's listener behind the proxy come to the proxy, and records have the broker's time.
fn properties(direct: SocketAddr, advertised: SocketAddr) -> String {
    format!(
        "advertised.listeners=PLAINTEXT://{direct},ENGINE://{advertised}\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,ENGINE:PLAINTEXT\n\
         log.message.timestamp.type=LogAppendTime\n"
    )
}
