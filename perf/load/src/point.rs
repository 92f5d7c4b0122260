//! One run of one combination, measured from outside; of the engine, by its own hops, too.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use hdrhistogram::Histogram;
use k2_feed::clock::unix_now_ns;
use k2_feed::page::figures::Times;
use serde::Serialize;

use crate::brokers::{Broker, Kind};
use crate::exchange::{Exchange, Lateness};
use crate::noise::{self, Noise};
use crate::own::{self, Own};
use crate::reader::{Reader, Window};
use crate::setting::{Setting, Subject};
use crate::subject::{Programs, Running};
use crate::topics::Topics;

/// From the first record until all has got going: the client has its producer id, a JVM has seen some of it.
pub(crate) const WARM_UP: Duration = Duration::from_secs(2);
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// What is late is waited for so long at the end.
const GRACE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);
/// Of the offered rate, to be held.
const HELD: f64 = 0.99;

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Measured {
    /// Trades a second on the normalized topic, the warm-up left out.
    pub(crate) trades_per_s: f64,
    /// Whether that is the rate that was offered, and trades did not wait ever longer.
    pub(crate) is_held: bool,
    /// From when a trade was to be sent until a consumer had its normalized record, in nanoseconds. Not known where the
    /// exchange waits for its readers, nor with the embedded broker, which lets consumers wait for more.
    pub(crate) send_to_record: Option<Quantiles>,
    /// The engine's own hops.
    pub(crate) own: Option<Own>,
    /// Time of any CPU for a trade, in nanoseconds.
    pub(crate) cpu_ns_a_trade: f64,
    /// Share of one CPU: above 1 with several.
    pub(crate) cpu_share: f64,
    /// Resident memory at the end, in bytes.
    pub(crate) resident_bytes: u64,
    /// The most that it was.
    pub(crate) most_resident_bytes: u64,
    /// From the start of the process until a consumer had its first record, in nanoseconds.
    pub(crate) start_ns: u64,
    /// How late the exchange itself was.
    pub(crate) lateness: Lateness,
    /// What the machine did besides, before the run.
    pub(crate) noise: Noise,
}

/// In nanoseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
    pub(crate) max: u64,
}

impl Quantiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Quantiles { p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max: histogram.max() }
    }

    /// The longest in place of those that there are too few times for.
    pub(crate) fn of_times(times: &Times) -> Self {
        let max = times.max().unwrap_or(0);
        let at = |quantile| times.quantile(quantile).unwrap_or(max);
        Quantiles { p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max }
    }
}

impl Measured {
    /// Whether the exchange was so late that it, and not who is measured, made the latency.
    pub(crate) fn is_of_the_exchange(&self) -> bool {
        self.send_to_record.is_some_and(|took| self.is_held && self.lateness.p99 > took.p99 / 2)
    }
}

/// Runs a setting for a while; `number` is that of the run. The engine's own report goes to `report`.
pub(crate) fn run(
    setting: &Setting,
    number: usize,
    broker: &Broker,
    programs: &Programs,
    folder: &Path,
    report: &Path,
    run_for: Duration,
) -> anyhow::Result<Measured> {
    let noise = noise::watch();
    let topics = Topics::create(broker, number)?;
    let exchange = Exchange::start(&programs.engine, &setting.rate, &setting.arrivals)?;
    let reads_all = setting.per_second().is_some() && broker.kind == Kind::Real;
    let reader = Reader::start(&broker.servers, &topics.normalized, topics.partitions(), reads_all)?;
    let begun = Instant::now();
    let mut running = programs.start(setting, &exchange, broker, &topics, &folder.join("run"), report)?;
    let first = wait_for_first(&reader, &mut running)?;

    let from_ns = unix_now_ns() + WARM_UP.as_nanos() as i64;
    reader.measure(Window { from_ns, to_ns: from_ns + run_for.as_nanos() as i64 });
    std::thread::sleep(WARM_UP);
    let (started, count, cpu) = (Instant::now(), reader.count()?, running.cpu_time()?);
    std::thread::sleep(run_for);
    let (took, cpu) = (started.elapsed().as_secs_f64(), running.cpu_time()? - cpu);
    let counted = (reader.count()? - count) as f64 / started.elapsed().as_secs_f64();
    let (resident_bytes, most_resident_bytes) = running.memory()?;
    running.look()?;
    if reads_all {
        std::thread::sleep(GRACE);
    }

    running.stop()?;
    let lateness = exchange.stop()?;
    let seen = reader.finish()?;
    let own = (setting.subject == Subject::Engine).then(|| own::read(report)).transpose()?;
    let trades_per_s = if reads_all { seen.latency.len() as f64 / run_for.as_secs_f64() } else { counted };
    let is_offered = setting.per_second().is_none_or(|offered| trades_per_s >= HELD * offered);
    Ok(Measured {
        trades_per_s,
        is_held: is_offered && !seen.has_standing_queue(),
        send_to_record: reads_all.then(|| Quantiles::of(&seen.latency)),
        own,
        cpu_ns_a_trade: cpu.as_nanos() as f64 / (counted * took).max(1.0),
        cpu_share: cpu.as_secs_f64() / took,
        resident_bytes,
        most_resident_bytes,
        start_ns: (first - begun).as_nanos() as u64,
        lateness,
        noise,
    })
}

fn wait_for_first(reader: &Reader, running: &mut Running) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        if let Some(first) = reader.first() {
            return Ok(first);
        }
        running.look()?;
        std::thread::sleep(LOOK);
    }
    bail!("no record within {START_TIMEOUT:?}")
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        write!(f, "{:8.0} trades/s", self.trades_per_s)?;
        if let Some(took) = self.send_to_record {
            write!(f, "  record p50 {:6.2} p99 {:7.2} p99.9 {:7.2} ms", ms(took.p50), ms(took.p99), ms(took.p99_9))?;
        }
        if let Some(Own { total, not_delivered, .. }) = self.own {
            write!(f, "  total p50 {:6.2} p99 {:7.2} p99.9 {:7.2} ms", ms(total.p50), ms(total.p99), ms(total.p99_9))?;
            if not_delivered > 0 {
                write!(f, "  {not_delivered} NOT DELIVERED")?;
            }
        }
        let (cpu, percent, mib) =
            (self.cpu_ns_a_trade / 1e3, self.cpu_share * 1e2, self.resident_bytes as f64 / 1048576.0);
        write!(
            f,
            "  {cpu:5.1} us of CPU a trade, {percent:5.1} %  {mib:5.1} MiB  first after {:.0} ms",
            ms(self.start_ns)
        )?;
        if !self.is_held {
            write!(f, "  NOT HELD")?;
        }
        if self.is_of_the_exchange() {
            write!(f, "  THE EXCHANGE WAS LATE: p99 {:.2} ms", ms(self.lateness.p99))?;
        }
        Ok(())
    }
}
