//! One combination of settings, and one run of it.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use k2_real::engine;
use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

use crate::brokers::{Broker, Kind};
use crate::child::Said;
use crate::intervals;

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";
/// Until the client has its producer id, connections are made, and a JVM has seen some of it.
const WARM_UP: Duration = Duration::from_secs(2);

/// What is varied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) broker: Kind,
    /// Trades per second, or `max`.
    pub(crate) rate: String,
    pub(crate) batch_bytes: u64,
    pub(crate) linger_us: u64,
}

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    /// Trades acknowledged in a second, those of the warm-up left out.
    pub(crate) trades_per_s: f64,
    /// From hand-over to librdkafka to acknowledgement, in nanoseconds.
    pub(crate) ack: Quantiles,
    /// From the kernel's receipt of the frame to acknowledgement, in nanoseconds.
    pub(crate) total: Quantiles,
    /// Time of any CPU that the engine took for a trade, start and end included, in nanoseconds.
    pub(crate) cpu_ns_a_trade: f64,
    /// What was lost or left: nothing, unless the exchange is faster than the engine.
    pub(crate) not_delivered: u64,
}

/// In nanoseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
}

/// Runs the engine for a while.
pub(crate) fn run(
    setting: &Setting,
    broker: &Broker,
    binary: &Path,
    folder: &Path,
    run_for: Duration,
) -> anyhow::Result<Measured> {
    let mut command = engine::command(binary);
    command.args(["simulate", "binance", "--rate", &setting.rate]);
    let exchange = Said::start(command, &["listening on "])?;
    let folder = folder.join("run");
    // Of the run before.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("feed.toml"), feed_toml(setting, broker, &exchange.words[0]))?;
    let before = cpu_time()?;
    let mut command = engine::command(binary);
    command.args(["run", "--report", "report", "--for", &format!("{}ms", (WARM_UP + run_for).as_millis())]);
    let output = command.current_dir(&folder).stdin(Stdio::null()).output().context("the engine does not start")?;
    let cpu = cpu_time()? - before;
    let said = String::from_utf8_lossy(&output.stderr);
    let report = std::fs::read(folder.join("report/report.json"));
    let Ok(report) = report else { bail!("the engine left no report: {}", said.trim()) };
    let report: serde_json::Value = serde_json::from_slice(&report)?;
    let count = |path: &str| report.pointer(&format!("/accounting/{path}")).and_then(serde_json::Value::as_u64);
    let (hops, took) = intervals::read(&folder.join("report/latency.hlog"), WARM_UP)?;
    let quantiles = |hop: &str| hops.get(hop).map(quantiles).unwrap_or_default();
    let acked = hops.get("total").map_or(0, hdrhistogram::Histogram::len);
    let lost = ["failed", "dropped", "spilled", "in_flight"];
    let lost = lost.iter().filter_map(|column| count(&format!("records/normalized/{column}"))).sum();
    // Each trade is on both topics.
    let trades_per_s = acked as f64 / 2.0 / took.as_secs_f64();
    let trades = count("trades").context("the report counts no trades")?;
    let cpu_ns_a_trade = cpu.as_nanos() as f64 / trades as f64;
    Ok(Measured { trades_per_s, ack: quantiles("ack"), total: quantiles("total"), cpu_ns_a_trade, not_delivered: lost })
}

fn feed_toml(setting: &Setting, broker: &Broker, url: &str) -> String {
    let Setting { batch_bytes, linger_us, .. } = setting;
    let symbols: Vec<_> = SYMBOLS.split(',').collect();
    format!(
        "[[feed]]\nexchange = \"binance\"\nsymbols = {symbols:?}\nurl = {url:?}\n[kafka]\nbootstrap_servers = {:?}\n\
         schema_registry_url = {:?}\nlinger_us = {linger_us}\nlibrdkafka = {{ \"batch.size\" = \"{batch_bytes}\" }}\n",
        broker.servers, broker.registry
    )
}

/// Of all children that have ended.
fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000);
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

fn quantiles(histogram: &hdrhistogram::Histogram<u64>) -> Quantiles {
    let at = |quantile| histogram.value_at_quantile(quantile);
    Quantiles { p50: at(0.5), p99: at(0.99), p99_9: at(0.999) }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { broker, rate, batch_bytes, linger_us } = self;
        let broker = match broker {
            Kind::Embedded => "embedded",
            Kind::Real => "real",
        };
        write!(f, "{broker:8}  rate {rate:>6}  batch {batch_bytes:>7} B  linger {linger_us:>5} us")
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { trades_per_s, ack, total, cpu_ns_a_trade, not_delivered } = self;
        let ms = |ns: u64| ns as f64 / 1e6;
        write!(
            f,
            "{trades_per_s:8.0} trades/s  ack p50 {:6.2} p99 {:7.2}  total p50 {:6.2} p99 {:7.2} p99.9 {:7.2} ms  {:6.1} us of CPU a trade",
            ms(ack.p50),
            ms(ack.p99),
            ms(total.p50),
            ms(total.p99),
            ms(total.p99_9),
            cpu_ns_a_trade / 1e3
        )?;
        if *not_delivered > 0 {
            write!(f, "  {not_delivered} NOT DELIVERED")?;
        }
        Ok(())
    }
}
