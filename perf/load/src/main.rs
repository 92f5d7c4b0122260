//! Rate and latency of the engine under load: `k2-feed run` between a simulated exchange and a broker, each a process of its
//! own, for every combination of the settings asked for, several times in turn.
//!
//! | file | what it knows |
//! |-|-|
//! | `point` | one combination: how it is run, and what is measured |
//! | `intervals` | the engine's latency log, without the time in which all gets going |
//! | `brokers`, `child` | the brokers; processes that say when they are ready |
//! | `table` | what the repeats of each combination come to |

mod brokers;
mod child;
mod intervals;
mod point;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use k2_feed::machine::Machine;
use serde::Serialize;

use brokers::{Broker, Kind};
use point::{Measured, Setting};

/// The engine's rate and latency over its settings, beside the embedded broker and a real Kafka.
///
/// Each combination is run so often in turn with all others, so that what the machine does meanwhile strikes all. Latencies
/// are those of the engine's own hops: ack from librdkafka's having a record to its acknowledgement, total from the kernel's
/// receipt of a frame to that.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Args {
    /// Which brokers: the real one is Kafka by perf/real, which needs Java 17 and, for the first time, Maven.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "embedded,real")]
    brokers: Vec<Kind>,
    /// Trades per second over three symbols, or max for as many as the engine takes.
    #[arg(long, value_delimiter = ',', default_value = "1000,5000,20000,max")]
    rates: Vec<String>,
    /// kafka.linger_us: how long a record may wait for others.
    #[arg(long, value_delimiter = ',', default_value = "0,500,1000,5000,20000")]
    linger_us: Vec<u64>,
    /// librdkafka's batch.size, in bytes.
    #[arg(long, value_delimiter = ',', default_value = "1000000")]
    batch_bytes: Vec<u64>,
    /// How long each run lasts; its first two seconds are left out.
    #[arg(long = "for", default_value = "8s", value_parser = k2_feed::outcome::duration, value_name = "DURATION")]
    run_for: Duration,
    /// How often each combination is run.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// The folder for load.json.
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    /// The engine [default: it is built].
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Outcome {
    command: String,
    machine: Machine,
    points: Vec<Point>,
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
    let engine = args.engine.clone().map_or_else(|| k2_real::engine::build(env!("CARGO_PKG_NAME")), Ok)?;
    std::fs::create_dir_all(&args.report).with_context(|| args.report.display().to_string())?;
    let folder = tempfile::Builder::new().prefix("k2-load-").tempdir()?;
    let brokers = args.brokers.iter().map(|kind| Broker::start(*kind, folder.path(), &engine));
    let brokers = brokers.collect::<anyhow::Result<Vec<_>>>()?;
    let mut points = points(args);
    if points.is_empty() {
        bail!("there is nothing to run");
    }
    let in_turn = points.len();
    let of = in_turn * args.repeats;
    println!("{of} runs of {:?}", args.run_for);
    for number in 0..of {
        let point = &mut points[number % in_turn];
        let broker = brokers.iter().find(|broker| broker.kind == point.setting.broker).context("no broker")?;
        let measured = point::run(&point.setting, broker, &engine, folder.path(), args.run_for);
        let measured = measured.with_context(|| format!("{:?}", point.setting))?;
        println!("{:4}/{of}  {}  {}", number + 1, point.setting, measured);
        point.runs.push(measured);
    }
    table::print(&points);
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let outcome = Outcome { command, machine: Machine::read(), points };
    let path = args.report.join("load.json");
    let text = serde_json::to_string_pretty(&outcome)? + "\n";
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

/// Every combination, those of the brokers next to each other.
fn points(args: &Args) -> Vec<Point> {
    let mut points = Vec::new();
    for rate in &args.rates {
        for &batch_bytes in &args.batch_bytes {
            for &linger_us in &args.linger_us {
                for &broker in &args.brokers {
                    let setting = Setting { broker, rate: rate.clone(), batch_bytes, linger_us };
                    points.push(Point { setting, runs: Vec::new() });
                }
            }
        }
    }
    points
}
