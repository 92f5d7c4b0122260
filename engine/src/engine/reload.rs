//! Another configuration while the engine runs.

use std::time::Duration;

use anyhow::Context;
use crossbeam::channel::{bounded, never};

use super::register::{Registered, Wait, register};
use super::roster::Changed;
use super::{COLLECT_TIMEOUT, Engine, producers, repair};
use crate::config::{Config, Feed};
use crate::kafka::Kafka;
use crate::kafka::topics::BATCH_SIZE;
use crate::produce::NewRoute;

impl Engine {
    /// Takes another configuration over: feeds and symbols come and go, the others are not touched. What else differs is
    /// logged, and takes effect at the next start.
    ///
    /// # Errors
    /// What is missing for a feed that is added. Nothing has changed then.
    pub fn change(&mut self, config: &Config) -> anyhow::Result<()> {
        for section in self.config.fixed_differences(config) {
            tracing::warn!("{section} has changed: that takes effect at the next start");
        }
        let added = self.roster.added(config);
        let schema_ids = if added.is_empty() { Vec::new() } else { self.prepare(config, &added)? };
        added.iter().for_each(|feed| repair::announce(feed, self.config.repair.enabled));
        added.iter().for_each(|feed| self.readings.add(feed));
        let (orders, changed) = self.roster.change(config, &schema_ids);
        for (core, order) in orders {
            // A core that has ended is noticed elsewhere.
            let _ = self.feed_orders[core].send(order);
        }
        let Changed { feeds_added, feeds_removed, symbols_added, symbols_removed, symbols_moved } = changed;
        tracing::info!(
            feeds_added,
            feeds_removed,
            symbols_added,
            symbols_removed,
            symbols_moved,
            "the configuration is taken over"
        );
        self.config.feeds.clone_from(&config.feeds);
        Ok(())
    }

    /// Sees to topics, schemas and routes of feeds that are added. Returns the schemas' ids.
    fn prepare(&self, config: &Config, added: &[&Feed]) -> anyhow::Result<Vec<u32>> {
        let client_config = self.config.producer_settings().client_config();
        let kafka = self.plan.housekeeping.run(|| Kafka::new(&client_config))?;
        let in_force = Config { feeds: config.feeds.clone(), ..self.config.clone() };
        // What runs is not held up: who asks for the change may ask again.
        let wait = Wait { longest: Duration::ZERO, stop: &never() };
        let Registered { schema_ids, most_bytes } = register(&in_force, added, &kafka, self.state.as_ref(), wait)?;
        if let Some(most) = most_bytes.filter(|most| self.most_bytes.is_none_or(|ours| *most < ours)) {
            tracing::warn!(
                "requests may have more than the {most} bytes that a new feed's topic takes: those are refused and sent again \
                 in parts, and what follows may be written first: start the engine anew, or set kafka.librdkafka \
                 \"{BATCH_SIZE}\" = \"{most}\""
            );
        }
        for (place, feed) in (self.roster.next_place()..).zip(added) {
            for (sender, bell) in &self.new_routes {
                let (done, outcome) = bounded(1);
                let route = NewRoute { feed: place, route: producers::route(feed), done };
                sender.send(route).context("a producer core has ended")?;
                bell.ring();
                let added = outcome.recv_timeout(COLLECT_TIMEOUT).context("a producer core does not answer")?;
                added.map_err(anyhow::Error::msg)?;
            }
        }
        Ok(schema_ids)
    }
}
