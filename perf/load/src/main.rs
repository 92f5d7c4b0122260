//! Rate, latency, CPU and memory under load: `k2-feed run`, or what it is compared with, between a simulated exchange and a
//! broker, each a process of its own, for every combination of the settings asked for, several times in turn.
//!
//! | file | what it knows |
//! |-|-|
//! | `setting` | what is varied |
//! | `point` | one run of one combination: its course, and what is measured |
//! | `subject`, `halves` | the program that does the work; which CPUs it has for itself |
//! | `held` | the search for the highest rate that is held |
//! | `exchange`, `brokers`, `topics` | what it works between |
//! | `reader`, `sent` | its records, and how long after their trades were to be sent they are there |
//! | `own` | what the engine says of itself |
//! | `noise` | what the machine does besides |
//! | `table` | what the repeats come to, and how the subjects stand to each other |

mod brokers;
mod exchange;
mod halves;
mod held;
mod noise;
mod own;
mod point;
mod reader;
mod sent;
mod setting;
mod subject;
mod table;
mod topics;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use k2_feed::machine::Machine;
use serde::Serialize;

use brokers::{Broker, Kind};
use held::{HELD, Search};
use point::Measured;
use setting::{Arrivals, DEFAULT_BATCH_BYTES, Setting, Subject, Wait};
use subject::Programs;

/// Rate, latency, CPU and memory under load, of the engine and of what it is compared with.
///
/// Each combination is run so often in turn with all others, so that what the machine does meanwhile strikes all. The load is
/// open-loop: every trade is due at its own time, and its latency is counted from then until a consumer has its record, so
/// a stall is not hidden. With --rates max the exchange waits for its readers, and the rate alone is told; with --rates held
/// the highest rate is looked for that is held without a standing queue.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Args {
    /// Who does the work: the engine, the same job as it is usually written, or the least that has to be done.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "engine")]
    subjects: Vec<Subject>,
    /// One more: a command that takes the K2_* variables of the environment, by sh. May be given several times.
    #[arg(long, value_name = "COMMAND")]
    command: Vec<String>,
    /// Which brokers: the real one is Kafka by perf/real, which needs Java 17 and, for the first time, Maven.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "embedded,real")]
    brokers: Vec<Kind>,
    /// Trades per second over all symbols, max for as many as are taken, or held for as many as are held.
    #[arg(long, value_delimiter = ',', default_value = "1000,5000,20000,max")]
    rates: Vec<String>,
    /// When trades come: even, poisson, or a burst as of k2-feed simulate, e.g. 10x/1s.
    #[arg(long, value_delimiter = ',', default_value = "even", value_parser = Arrivals::read)]
    arrivals: Vec<Arrivals>,
    /// How many symbols trade, and on how many of the engine's connections: 500x10. Others make the connections they make.
    #[arg(long, value_delimiter = ',', default_value = "3x1", value_parser = spread, value_name = "SYMBOLSxCONNECTIONS")]
    symbols: Vec<(usize, usize)>,
    /// How long a record may wait for others; a command is told by K2_LINGER_US.
    #[arg(long, value_delimiter = ',', default_value = "1000")]
    linger_us: Vec<u64>,
    /// librdkafka's batch.size, in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = [DEFAULT_BATCH_BYTES])]
    batch_bytes: Vec<u64>,
    /// What the engine's cores do while there is nothing to do.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "park")]
    wait: Vec<Wait>,
    /// How long each run is measured, from two seconds after its first record.
    #[arg(long = "for", default_value = "8s", value_parser = k2_feed::outcome::duration, value_name = "DURATION")]
    run_for: Duration,
    /// How often each combination is run.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// The folder for load.json, for what the engine reports (engine/), and for a page of that (report.html).
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    /// The engine [default: it is built].
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
}

/// What the engine reports, in the folder that is asked for.
const REPORTS: &str = "engine";

/// All that was measured.
#[derive(Debug, Serialize)]
struct Outcome {
    command: String,
    machine: Machine,
    /// Whether the subject had half of the CPUs for itself.
    has_halves: bool,
    points: Vec<Point>,
}

/// Where everything is run.
struct Bench<'a> {
    programs: Programs,
    brokers: Vec<Broker>,
    folder: &'a Path,
    /// Where the engine's own reports are kept, a folder each.
    reports: PathBuf,
    run_for: Duration,
    /// So far.
    runs: usize,
}

impl Bench<'_> {
    fn run(&mut self, setting: &Setting) -> anyhow::Result<Measured> {
        let broker = self.brokers.iter().find(|broker| broker.kind == setting.broker).context("no broker")?;
        self.runs += 1;
        let report = self.reports.join(format!("{:04}", self.runs));
        let measured = point::run(setting, self.runs, broker, &self.programs, self.folder, &report, self.run_for);
        measured.with_context(|| setting.to_string())
    }

    /// Makes a page of all that the engine has reported; none if it had no part in it.
    fn page(&self, page: &Path) -> anyhow::Result<()> {
        let mut reports: Vec<_> = std::fs::read_dir(&self.reports)?.flatten().map(|entry| entry.path()).collect();
        if reports.is_empty() {
            return Ok(());
        }
        reports.sort();
        let mut command = k2_real::engine::command(&self.programs.engine);
        command.arg("report").args(&reports).arg("--out").arg(page);
        let status = command.status().with_context(|| format!("{command:?}"))?;
        if !status.success() {
            bail!("no page of what the engine reported: {command:?} ended with {status}");
        }
        Ok(())
    }
}

/// A combination, and what each of its runs came to.
#[derive(Debug, Serialize)]
struct Point {
    setting: Setting,
    runs: Vec<Measured>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let programs = programs(args)?;
    let reports = args.report.join(REPORTS);
    // Those of the last time would be taken for repeats.
    let _ = std::fs::remove_dir_all(&reports);
    std::fs::create_dir_all(&reports).with_context(|| reports.display().to_string())?;
    let reports = reports.canonicalize()?;
    let (searched, mut points): (Vec<_>, Vec<_>) =
        points(args).into_iter().partition(|point| point.setting.rate == HELD);
    if points.is_empty() && searched.is_empty() {
        bail!("there is nothing to run");
    }
    let has_halves = halves::take_second()?;
    let folder = tempfile::Builder::new().prefix("k2-load-").tempdir()?;
    let brokers = args.brokers.iter().map(|kind| Broker::start(*kind, folder.path(), &programs.engine));
    let brokers = brokers.collect::<anyhow::Result<Vec<_>>>()?;
    let mut bench = Bench { programs, brokers, folder: folder.path(), reports, run_for: args.run_for, runs: 0 };
    let in_turn = points.len();
    let of = in_turn * args.repeats;
    let shared = if has_halves { "" } else { ", all on the same CPUs" };
    println!("{of} runs of {:?}{shared}; {} searches", args.run_for, searched.len());
    for number in 0..of {
        let point = &mut points[number % in_turn];
        let measured = bench.run(&point.setting)?;
        println!("{:4}/{of}  {}  {}", number + 1, point.setting, measured);
        point.runs.push(measured);
    }
    let mut searches: Vec<_> = searched.into_iter().map(|point| Search::new(point.setting)).collect();
    search(&mut bench, &mut searches, &mut points)?;
    table::print(&points);
    searches.iter().for_each(|search| println!("{}", search.found()));
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let outcome = Outcome { command, machine: Machine::read(), has_halves, points };
    let path = args.report.join("load.json");
    let text = serde_json::to_string_pretty(&outcome)? + "\n";
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    bench.page(&args.report.join("report.html"))
}

/// All searches by turns, a step of each.
fn search(bench: &mut Bench<'_>, searches: &mut [Search], points: &mut Vec<Point>) -> anyhow::Result<()> {
    loop {
        let mut is_over = true;
        for search in &mut *searches {
            let Some(setting) = search.next() else { continue };
            is_over = false;
            let measured = bench.run(&setting)?;
            println!("{setting}  {measured}");
            search.note(&measured);
            match points.iter_mut().find(|point| point.setting == setting) {
                Some(point) => point.runs.push(measured),
                None => points.push(Point { setting, runs: vec![measured] }),
            }
        }
        if is_over {
            return Ok(());
        }
    }
}

/// The programs that are asked for, built unless the engine is given.
fn programs(args: &Args) -> anyhow::Result<Programs> {
    if let Some(engine) = &args.engine {
        // It is started elsewhere.
        let engine = engine.canonicalize().with_context(|| engine.display().to_string())?;
        let folder = engine.parent().context("--engine names no file")?.to_path_buf();
        return Ok(Programs { folder, engine });
    }
    let mut packages = vec![env!("CARGO_PKG_NAME")];
    packages.extend(args.subjects.iter().filter_map(|subject| match subject {
        Subject::Conventional => Some("k2-conventional"),
        Subject::Floor => Some("k2-floor"),
        Subject::Engine | Subject::Command(_) => None,
    }));
    let engine = k2_real::engine::build(&packages)?;
    Ok(Programs { folder: engine.parent().context("it is in no folder")?.to_path_buf(), engine })
}

/// Every combination, subjects and brokers next to each other.
fn points(args: &Args) -> Vec<Point> {
    let subjects: Vec<_> =
        args.subjects.iter().cloned().chain(args.command.iter().cloned().map(Subject::Command)).collect();
    let mut settings = vec![Setting::default()];
    vary(&mut settings, &args.rates, |setting, rate| setting.rate.clone_from(rate));
    vary(&mut settings, &args.arrivals, |setting, arrivals| setting.arrivals.clone_from(arrivals));
    vary(&mut settings, &args.symbols, |setting, spread| (setting.symbols, setting.connections) = *spread);
    vary(&mut settings, &args.batch_bytes, |setting, bytes| setting.batch_bytes = *bytes);
    vary(&mut settings, &args.linger_us, |setting, linger_us| setting.linger_us = *linger_us);
    vary(&mut settings, &args.wait, |setting, wait| setting.wait = *wait);
    vary(&mut settings, &args.brokers, |setting, broker| setting.broker = *broker);
    vary(&mut settings, &subjects, |setting, subject| setting.subject.clone_from(subject));
    settings.into_iter().map(|setting| Point { setting, runs: Vec::new() }).collect()
}

/// Each setting with each of these values.
fn vary<T>(settings: &mut Vec<Setting>, values: &[T], set: impl Fn(&mut Setting, &T)) {
    let with = |setting: &Setting, value: &T| {
        let mut setting = setting.clone();
        set(&mut setting, value);
        setting
    };
    *settings = settings.iter().flat_map(|setting| values.iter().map(move |value| with(setting, value))).collect();
}

/// Of `500x10`.
fn spread(text: &str) -> Result<(usize, usize), String> {
    let parse = || {
        let (symbols, connections) = text.split_once('x')?;
        let (symbols, connections) = (symbols.parse().ok()?, connections.parse().ok()?);
        (connections > 0 && connections <= symbols && symbols <= MOST_SYMBOLS).then_some((symbols, connections))
    };
    parse().ok_or_else(|| format!("give symbols, at most {MOST_SYMBOLS}, and connections, at most as many: 500x10"))
}

/// Their names have three digits.
const MOST_SYMBOLS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_run_subjects_in_turn() {
        let args = ["k2-load", "--report", "r", "--subjects", "engine,floor", "--brokers", "real", "--rates", "1,max"];
        let points = points(&Args::parse_from(args));
        let found: Vec<_> =
            points.iter().map(|Point { setting, .. }| (setting.rate.as_str(), &setting.subject)).collect();
        let (engine, floor) = (&Subject::Engine, &Subject::Floor);
        assert_eq!(found, [("1", engine), ("1", floor), ("max", engine), ("max", floor)]);
    }

    #[test]
    fn symbols_and_connections_are_read() {
        assert_eq!(spread("500x10"), Ok((500, 10)));
        for bad in ["500", "0x0", "3x4", "x", "1001x1"] {
            assert!(spread(bad).is_err(), "{bad}");
        }
    }
}
