//! `k2-feed run`: the main job.

mod face;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::accounting::{Accounting, Records};
use crate::config::{self, Config, Explained, Misconfigured};
use crate::cores::{CpuSet, Plan};
use crate::engine::{Engine, Interval};
use crate::latency::{Hop, readable};
use crate::outcome::{Outcome, duration};
use crate::registry::start::StartError;
use crate::report::Report;
use crate::signals::{Signals, Wish};
use crate::twins::Standing;
use face::Face;

/// How often measurements are collected; an interval of the latency log.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often it is said how far the end is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// How often the summary line is logged.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(60);
/// The configuration that is read if it is there and none is named.
const DEFAULT_FILE: &str = "feed.toml";

/// Feed trades from exchanges to Kafka.
///
/// Configuration: defaults, then feed.toml, then the K2_* environment. K2_EXCHANGE, K2_SYMBOLS, K2_BINANCE_WS_URL,
/// K2_KAFKA_BOOTSTRAP_SERVERS and K2_KAFKA_SCHEMA_REGISTRY_URL alone are enough. `--example-config` prints a feed.toml
/// with every key and what it means, `--print-config` what holds here and why. SIGTERM and SIGINT stop reading, empty
/// the rings, wait for the broker, and report what is left. SIGHUP reads the configuration again: feeds and symbols come
/// and go without touching the others.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file [default: feed.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the configuration that holds, and stop; nothing is connected.
    ///
    /// It is TOML that resolves to the same again. Comments say where each value comes from (`default`, a line of
    /// feed.toml, a variable, an instruments file), and what each connection carries under which canonical symbol.
    /// Secrets are shown as ***. Exits with 0 if all is valid, else with 2 and all that is wrong.
    #[arg(long)]
    pub print_config: bool,
    /// Print a commented feed.toml with every key and its default value, and stop.
    #[arg(long, conflicts_with = "print_config")]
    pub example_config: bool,
    /// Stop after this time, such as 30s or 5m [default: run until stopped].
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub run_for: Option<Duration>,
    /// Write report.json to this folder at the end, and latency.hlog and counts.jsonl as it goes.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Runs until the time is over or a signal comes.
///
/// # Errors
/// What is missing or wrong, with its value and the way out.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    if args.example_config {
        std::io::stdout().write_all(config::EXAMPLE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = file(args.config.as_deref());
    let available = CpuSet::available().map_err(anyhow::Error::msg)?;
    let explained = Explained::load_here(file, config::environment_variables(), &available)?;
    if args.print_config {
        print_config(args, file, &explained, &available)?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = explained.config.clone();
    let mut report = Report::new(args.report.as_deref())?;
    let signals = Signals::install()?;
    let mut face = Face::begin(&config, &available)?;
    let mut engine = match Engine::start_unless(&config, signals.stop()) {
        Err(error) if matches!(error.downcast_ref(), Some(StartError::Stopped)) => {
            tracing::info!("{error}: nothing was read");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            let placed = error.downcast_ref().map(|error: &Misconfigured| explained.placed(error));
            return Err(placed.map_or(error, anyhow::Error::from));
        }
        Ok(engine) => engine,
    };
    engine.plan().housekeeping.apply();
    face.runs(&engine);
    let started = Instant::now();
    let deadline = args.run_for.map(|run_for| started + run_for);
    let mut summary = Summary::new(started);
    loop {
        let wait =
            deadline.map_or(INTERVAL, |deadline| INTERVAL.min(deadline.saturating_duration_since(Instant::now())));
        let wish = signals.wait(wait);
        if wish == Some(Wish::Reload) {
            face.around_reload(|| reload(args, &mut engine));
        }
        if wish == Some(Wish::Stop)
            || engine.has_failed()
            || deadline.is_some_and(|deadline| Instant::now() >= deadline)
        {
            break;
        }
        let interval = engine.collect();
        face.show(engine.view(&interval));
        report.add(&interval.hops, &interval.accounting, started.elapsed());
        summary.add(interval);
    }
    let (plan, config) = (engine.plan().clone(), engine.config().clone());
    tracing::info!("stopping: draining the rings and waiting for the broker");
    face.stops();
    let mut progress = Progress::new(&signals, &mut face);
    let stopped = engine.stop_telling(|accounting| progress.tell(accounting));
    report.add(&stopped.last.hops, &stopped.last.accounting, started.elapsed());
    summary.add(stopped.last);
    summary.log();
    report.write("run", &config, &plan, &summary.accounting, &summary.standings, None)?;
    Ok(conclude(&summary.accounting, &stopped.failures).into())
}

/// How far the end is.
struct Progress<'a> {
    signals: &'a Signals,
    face: &'a mut Face,
    said: Instant,
}

impl<'a> Progress<'a> {
    fn new(signals: &'a Signals, face: &'a mut Face) -> Self {
        Progress { signals, face, said: Instant::now() }
    }

    fn tell(&mut self, accounting: &Accounting) {
        let Records { in_flight, spilled, .. } = accounting.all_records();
        self.signals.tell_left(format!("{in_flight} records were in flight, {spilled} are on disk"));
        if self.said.elapsed() >= PROGRESS_INTERVAL {
            self.said = Instant::now();
            self.face.still_stops(in_flight, spilled);
            tracing::info!(in_flight, spilled, "waiting for the broker; a second signal ends it at once");
        }
    }
}

/// The configuration file that is `given`, or the one that is there, if there is one.
pub(crate) fn file(given: Option<&Path>) -> Option<&Path> {
    let default = Path::new(DEFAULT_FILE);
    given.or_else(|| default.exists().then_some(default))
}

/// Reads the configuration again, and has it taken over if all of it is right.
fn reload(args: &RunArgs, engine: &mut Engine) {
    let read = Config::load(file(args.config.as_deref()), config::environment_variables()).map_err(anyhow::Error::from);
    if let Err(error) = read.and_then(|config| engine.change(&config)) {
        tracing::error!("the configuration is not taken over, the one before stays in force: {error:#}");
    }
}

/// Prints the configuration that holds, and where everything runs here.
fn print_config(args: &RunArgs, file: Option<&Path>, explained: &Explained, available: &CpuSet) -> anyhow::Result<()> {
    let plan = Plan::fit(&explained.config.wish(), available).map_err(anyhow::Error::msg)?;
    let by = if args.config.is_some() { " (--config)" } else { "" };
    let mut out = std::io::stdout().lock();
    match file {
        Some(file) => writeln!(out, "# From the defaults, {}{by} and the K2_* environment.", file.display())?,
        None => writeln!(out, "# From the defaults and the K2_* environment; there is no {DEFAULT_FILE} here.")?,
    }
    let (feed, producer) = (CpuSet::of(plan.feed), CpuSet::of(plan.producer));
    writeln!(out, "# CPUs here: feed {feed}; producer {producer}; housekeeping {}.", plan.housekeeping)?;
    plan.notes.iter().try_for_each(|note| writeln!(out, "# {note}"))?;
    write!(out, "\n{explained}")?;
    Ok(())
}

/// Says what is left, and whether that is nothing.
fn conclude(accounting: &Accounting, failures: &[String]) -> Outcome {
    let records = accounting.all_records();
    failures.iter().for_each(|failure| tracing::error!("{failure}"));
    if accounting.is_complete() && failures.is_empty() {
        tracing::info!(acked = records.acked, "stopped: nothing lost");
        return Outcome::Complete;
    }
    let (failed, dropped, in_flight) = (records.failed, records.dropped, records.in_flight);
    let (spilled, failures) = (records.spilled, failures.len());
    if spilled > 0 && failed + dropped + in_flight == 0 && failures == 0 {
        tracing::error!(spilled, "stopped: not all was delivered; they are on disk, and go first at the next start");
    } else if accounting.are_all_dead_letters() && failures == 0 {
        tracing::error!(failed, "stopped: the broker refused records; all of them are in the dead-letter topic");
    } else {
        let words = "stopped: records were lost, or are not known to have arrived";
        tracing::error!(failed, dropped, spilled, in_flight, failures, "{words}");
    }
    Outcome::Lost
}

/// The line that is logged every minute.
struct Summary {
    started: Instant,
    logged: Instant,
    hops: crate::latency::Hops,
    trades_logged: u64,
    accounting: Accounting,
    standings: Vec<Standing>,
}

impl Summary {
    fn new(started: Instant) -> Self {
        let hops = crate::latency::Hops::of(&[Hop::Total]);
        Summary {
            started,
            logged: started,
            hops,
            trades_logged: 0,
            accounting: Accounting::default(),
            standings: Vec::new(),
        }
    }

    fn add(&mut self, interval: Interval) {
        self.hops.add(&interval.hops);
        self.accounting = interval.accounting;
        self.standings = interval.standings;
        if self.logged.elapsed() >= SUMMARY_INTERVAL {
            self.log();
        }
    }

    fn log(&mut self) {
        let Accounting { feed, .. } = &self.accounting;
        let records = self.accounting.all_records();
        let since = self.logged.elapsed().as_secs_f64();
        let rate = (feed.trades - self.trades_logged) as f64 / since.max(f64::EPSILON);
        let total = self.hops.get(Hop::Total);
        let at = |quantile: f64| readable(total.map_or(0, |total| total.value_at_quantile(quantile)));
        tracing::info!(
            seconds = self.started.elapsed().as_secs(),
            frames = feed.frames.received,
            rejected = feed.frames.rejected,
            trades = feed.trades,
            rate = rate.round() as u64,
            acked = records.acked,
            failed = records.failed,
            dropped = records.dropped,
            in_flight = records.in_flight,
            gaps = feed.gaps,
            repaired = feed.repairs.gaps,
            unrepaired = feed.repairs.all_given_up(),
            reconnects = feed.reconnects,
            replaced = feed.sessions.replaced,
            failed_attempts = feed.sessions.failed,
            p50 = at(0.5),
            p99 = at(0.99),
            p99_9 = at(0.999),
            first = first(&self.standings),
            "summary"
        );
        self.hops.reset();
        self.trades_logged = feed.trades;
        self.logged = Instant::now();
    }
}

/// Which connections were first, where several carry the same: `binance-0 61%, binance-1 39%`.
fn first(standings: &[Standing]) -> Option<String> {
    let said = |one: &Standing| format!("{} {:.0}%", one.name(), one.percent_first());
    (!standings.is_empty()).then(|| standings.iter().map(said).collect::<Vec<_>>().join(", "))
}
