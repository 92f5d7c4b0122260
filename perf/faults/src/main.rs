//! A fault campaign: the engine between a simulated exchange and a real Kafka, and everything around it that can go wrong
//! going wrong, by a seed. Then every trade and every frame has to be on its topic, once, in order, and as it was sent.
//!
//! | file | what it knows |
//! |-|-|
//! | `plan` | which faults come, when, and how long they last |
//! | `world`, `campaign` | what runs; how faults are done to it, one after the other |
//! | `proxy`, `disk`, `engine`, `settings` | the broker and the registry, the network, the disk, the engine |
//! | `book`, `reader`, `judge` | what the exchange made, what is on the topics, and how the two differ |
//! | `samples`, `picture`, `outcome` | memory and disk over time, and what it all came to |

mod book;
mod campaign;
mod disk;
mod engine;
mod judge;
mod outcome;
mod picture;
mod plan;
mod proxy;
mod reader;
mod samples;
mod settings;
mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use k2_feed::signals::Signals;

use campaign::{Campaign, Struck};
use disk::Disk;
use judge::Judge;
use outcome::{Appends, Outcome, absences, named};
use plan::{Kind, Plan};
use samples::{Sample, Sampler};
use settings::DISK_BYTES;
use world::{ENGINE, World};

/// Faults against the engine and a real Kafka, by a seed, and a check of every record.
///
/// Starts Kafka and a registry (perf/real: Java 17 and, for the first time, Maven), a simulated exchange and `k2-feed run`,
/// with a proxy between the engine and Kafka. Exits with 0 only if nothing was lost, changed, reordered, or there twice
/// without the engine saying so, and the engine's memory kept within its bound.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Args {
    /// Decides faults, trades, and which runs of the engine have a message timeout.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults strike.
    #[arg(long, default_value_t = 50)]
    faults: usize,
    /// How many trades the exchange makes at least, spread over the time that the faults take; half of them in bursts.
    #[arg(long, default_value_t = 200_000)]
    trades: u64,
    /// The longest fault, such as 2s.
    #[arg(long, default_value = "30s", value_parser = k2_feed::outcome::duration)]
    longest: Duration,
    /// The longest pause before a fault.
    #[arg(long, default_value = "1500ms", value_parser = k2_feed::outcome::duration)]
    pause: Duration,
    /// Only these kinds of faults [default: all].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,...")]
    only: Vec<Kind>,
    /// The folder for faults.json, faults.svg and, where something is wrong, the engine's logs.
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    /// The engine [default: it is built].
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(outcome) if outcome.wrong.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Outcome> {
    let binary = args.engine.clone().map_or_else(|| k2_real::engine::build(&[env!("CARGO_PKG_NAME")]), Ok)?;
    std::fs::create_dir_all(&args.report).with_context(|| args.report.display().to_string())?;
    let folder = tempfile::Builder::new().prefix("k2-faults-").tempdir()?;
    let state = folder.path().join("state");
    std::fs::create_dir(&state)?;
    // Before there is a second thread.
    let disk = Disk::mount(&state, DISK_BYTES)
        .inspect_err(|error| {
            eprintln!("warning: no disk that can be full here ({error:#}): journals are small instead, and fill");
        })
        .ok();
    let mut kinds = if args.only.is_empty() { Kind::ALL.to_vec() } else { args.only.clone() };
    kinds.retain(|kind| *kind != Kind::DiskFull || disk.is_some());
    let plan = Plan::draw(args.seed, args.faults, (args.longest, args.pause), &kinds);
    let trades_per_s = args.trades as f64 / plan.length().as_secs_f64().max(1.0);
    println!("seed {}: {} faults, some {:.0?}, {trades_per_s:.0} trades/s", args.seed, plan.len(), plan.length());

    // Whoever is interrupted leaves nothing behind either.
    let signals = Signals::install()?;
    let begun = Instant::now();
    let mut world = World::start(folder.path(), &state, disk, &binary, (args.seed, trades_per_s))?;
    let sampler = Sampler::start(begun, state.join("spill"))?;
    let open = Campaign::open(&mut world, &sampler, &signals, begun);
    let struck = open.and_then(|campaign| go_through(campaign, &plan, args.trades));
    let samples = sampler.finish();
    let outcome = struck.and_then(|struck| conclude(args, world, &samples, &struck));
    if !outcome.as_ref().is_ok_and(|outcome| outcome.wrong.is_empty()) {
        keep_logs(&folder.path().join(ENGINE), &args.report)?;
    }
    outcome.with_context(|| format!("seed {}", args.seed))
}

/// Strikes with all faults. Those that have come and gone.
fn go_through(mut campaign: Campaign<'_>, plan: &Plan, trades: u64) -> anyhow::Result<Vec<Struck>> {
    campaign.strike(plan, trades)?;
    campaign.close()?;
    Ok(campaign.struck)
}

/// Compares what there is with what there should be, and writes down what comes of it.
fn conclude(args: &Args, world: World, samples: &[Sample], struck: &[Struck]) -> anyhow::Result<Outcome> {
    println!("reading all that is on the topics");
    let reader = world.reader()?;
    let (book, runs, _servers) = world.finish()?;
    let mut judge = Judge::new(&book);
    let mut appends = Appends::default();
    reader.read_all(|record, at_ms| {
        judge.take(&record);
        appends.add(at_ms);
    })?;
    let verdict = judge.conclude(&absences(&runs), &named(&runs));
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let outcome = Outcome::new(args.seed, command, verdict, &runs, struck, samples, appends.longest_gap());
    outcome.write(&args.report.join("faults.json"))?;
    let title = format!("{} faults, seed {}, {} trades", struck.len(), args.seed, outcome.verdict.made);
    picture::draw(&args.report.join("faults.svg"), &title, samples, struck, outcome.resident_bound_bytes)?;
    outcome.print();
    Ok(outcome)
}

/// Copies the logs and reports of all runs of the engine.
fn keep_logs(from: &Path, report: &Path) -> anyhow::Result<()> {
    let to = report.join(ENGINE);
    // Of an earlier campaign.
    let _ = std::fs::remove_dir_all(&to);
    let status = Command::new("cp").arg("-r").args([from, &to]).status().context("cp does not start")?;
    eprintln!("the engine's logs are in {}", to.display());
    if status.success() { Ok(()) } else { bail!("not copied: {}", from.display()) }
}
