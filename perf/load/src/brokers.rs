//! The brokers that records go to.

use std::path::Path;

use anyhow::Context;
use k2_real::{Said, Server, free_address};
use serde::Serialize;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// `k2-feed broker`: librdkafka's mock.
    Embedded,
    /// Apache Kafka.
    Real,
}

/// One that runs, with a registry, until it is dropped.
pub(crate) struct Broker {
    pub(crate) kind: Kind,
    /// `host:port`.
    pub(crate) servers: String,
    /// The registry's URL.
    pub(crate) registry: String,
    _processes: Processes,
}

enum Processes {
    Embedded { _broker: Said },
    Real { _servers: [Server; 2] },
}

impl Broker {
    pub(crate) fn start(kind: Kind, folder: &Path, engine: &Path) -> anyhow::Result<Self> {
        match kind {
            Kind::Embedded => {
                let mut command = k2_real::engine::command(engine);
                command.arg("broker");
                let broker = Said::start(command, &["bootstrap.servers", "schema.registry.url"])?;
                let [servers, registry] = broker.words.as_slice() else { unreachable!("it waited for two") };
                let (servers, registry) = (servers.clone(), registry.clone());
                Ok(Broker { kind, servers, registry, _processes: Processes::Embedded { _broker: broker } })
            }
            Kind::Real => {
                let address = free_address()?;
                let mut broker = Server::broker(&folder.join("kafka"), address.port(), "", &[])?;
                let (mut registry, url) = Server::registry(&folder.join("registry"), free_address()?.port())?;
                for server in [&mut broker, &mut registry] {
                    server.fetch()?;
                    server.start_and_wait().context("perf/real")?;
                }
                let servers = address.to_string();
                Ok(Broker {
                    kind,
                    servers,
                    registry: url,
                    _processes: Processes::Real { _servers: [broker, registry] },
                })
            }
        }
    }
}
