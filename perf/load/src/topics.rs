//! The topics of one run.

use std::time::Duration;

use anyhow::{Context, anyhow};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::brokers::{Broker, Kind};

/// As many as the engine makes.
const PARTITIONS: i32 = 3;
/// As many as the embedded broker makes by itself: the number is fixed in librdkafka.
const EMBEDDED_PARTITIONS: i32 = 4;
const TIMEOUT: Duration = Duration::from_secs(20);

/// A pair of topics, which is deleted with this: runs at full speed fill a disk.
pub(crate) struct Topics {
    /// None of the embedded broker, which makes topics by itself and keeps little.
    admin: Option<AdminClient<DefaultClientContext>>,
    pub(crate) raw: String,
    pub(crate) normalized: String,
}

impl Topics {
    pub(crate) fn create(broker: &Broker, number: usize) -> anyhow::Result<Self> {
        let admin: Option<AdminClient<_>> = match broker.kind {
            Kind::Embedded => None,
            Kind::Real => Some(ClientConfig::new().set("bootstrap.servers", &broker.servers).create()?),
        };
        let normalized = format!("load.{number}.binance");
        let topics = Topics { admin, raw: format!("{normalized}.raw"), normalized };
        let Some(admin) = &topics.admin else { return Ok(topics) };
        let new = topics.names().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)));
        let made = futures_lite::future::block_on(admin.create_topics(&new, &options()))?;
        for outcome in made {
            outcome.map_err(|(name, error)| anyhow!("topic {name}: {error}"))?;
        }
        Ok(topics)
    }

    /// How many each has.
    pub(crate) fn partitions(&self) -> i32 {
        if self.admin.is_some() { PARTITIONS } else { EMBEDDED_PARTITIONS }
    }

    fn names(&self) -> [&str; 2] {
        [&self.raw, &self.normalized]
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let Some(admin) = &self.admin else { return };
        let deleted = futures_lite::future::block_on(admin.delete_topics(&self.names(), &options()));
        if let Err(error) = deleted.context("topics are left") {
            eprintln!("warning: {error:#}");
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
}
