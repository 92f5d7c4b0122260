//! What the outside sees of a run: HTTP, and systemd's word on it.

use std::sync::Arc;

use anyhow::anyhow;

use crate::config::{Config, Http};
use crate::cores::{CpuSet, Plan};
use crate::engine::Engine;
use crate::engine::view::View;
use crate::http::{Exposed, HttpServer};
use crate::latency::{Hop, readable};
use crate::notify::Notifier;

/// Shows a run to the outside, from before the engine starts until it has stopped.
pub(super) struct Face {
    exposed: Arc<Exposed>,
    notifier: Notifier,
    /// Ends with the run.
    _http: Option<HttpServer>,
}

impl Face {
    /// Begins to listen, where that is configured. `available` are the CPUs that the process may use.
    ///
    /// # Errors
    /// If the address cannot be had, and is not the usual one.
    pub(super) fn begin(config: &Config, available: &CpuSet) -> anyhow::Result<Self> {
        let exposed = Arc::new(Exposed::default());
        let http = config.http.listen.map(|address| -> anyhow::Result<_> {
            // Without a plan there is no engine, which says so.
            let cpus = Plan::fit(&config.wish(), available).map_or(available.clone(), |plan| plan.housekeeping);
            match HttpServer::start(address, &exposed, cpus) {
                Ok(http) => {
                    tracing::info!(address = %http.address(), "metrics, health and status are served");
                    Ok(Some(http))
                }
                Err(error) if Http::goes_without(address, &error) => {
                    tracing::warn!(
                        %address,
                        "no metrics, health and status: another program listens there: name another address, or \"off\" \
                         (http.listen, K2_HTTP_LISTEN)"
                    );
                    Ok(None)
                }
                Err(error) => Err(anyhow!("http.listen = \"{address}\": {error}: {}", Http::WAY_OUT)),
            }
        });
        Ok(Face { exposed, notifier: Notifier::default(), _http: http.transpose()?.flatten() })
    }

    /// The engine has started.
    pub(super) fn runs(&mut self, engine: &Engine) {
        self.exposed.runs(engine.signs());
        self.notifier.ready();
    }

    /// Shows what was collected.
    pub(super) fn show(&mut self, view: View) {
        let total = view.hops.iter().find(|(hop, _)| *hop == Hop::Total).map_or(0, |(_, total)| total.p99);
        let (trades, gaps) = (view.a_second(view.counts.trades), view.accounting.feed.gaps);
        let status = format!("{trades:.0} trades/s, p99 {}, gaps {gaps}", readable(total));
        self.exposed.show(view);
        match &self.exposed.why_not_live()[..] {
            [] => self.notifier.alive(&status),
            stuck => self.notifier.status(&stuck.join(", ")),
        }
    }

    /// The configuration is read again, by `reload`.
    pub(super) fn around_reload(&mut self, reload: impl FnOnce()) {
        self.notifier.reloading();
        reload();
        self.notifier.ready();
    }

    /// The engine is told to stop.
    pub(super) fn stops(&mut self) {
        self.exposed.stops();
        self.notifier.stopping();
    }

    /// It still does.
    pub(super) fn still_stops(&mut self, in_flight: u64, spilled: u64) {
        self.notifier.alive(&format!("waits for the broker: {in_flight} records are in flight, {spilled} are on disk"));
    }
}
