//! Whether a change costs more than it may: exactly, by counts, and in the tails of latency, by running the engine before
//! and after it by turns.
//!
//! | file | what it knows |
//! |-|-|
//! | `exact`, `budget`, `count` | what is counted, and what it may come to (`perf/budget.toml`) |
//! | `tails`, `base` | pairs of runs, and how far their tails lie apart; the engine before the change |
//! | `runner` | `k2-feed run` between an exchange and a broker |
//! | `check` | what a figure came to, as a line of the table |

mod base;
mod budget;
mod check;
mod count;
mod exact;
mod runner;
mod tails;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use check::Check;
use count::What;

/// Refuses changes that cost more: instructions, system calls and bytes by a budget, tails of latency by pairs of runs.
///
/// Exit codes: 0 nothing costs more than it may, 1 something does, or nothing could be measured.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is counted, against perf/budget.toml. Needs valgrind and strace.
    Exact {
        /// The engine [default: it is built].
        #[arg(long, value_name = "FILE")]
        engine: Option<PathBuf>,
    },
    /// The tails of each hop, of the engine before and after a change by turns.
    Tails(Tails),
    /// What valgrind runs: so many passes of something.
    #[command(hide = true)]
    Count { what: What, passes: usize },
}

#[derive(Debug, Args)]
struct Tails {
    /// The revision before the change, which is built [default: where this branch left main, or the commit before].
    #[arg(long, value_name = "REVISION", conflicts_with = "before")]
    base: Option<String>,
    /// The engine before the change, if it is there already.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// The engine after it [default: it is built].
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// Pairs of runs; every other one begins with the engine after the change.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(5..=100))]
    pairs: u16,
    /// How long each run lasts.
    #[arg(long = "for", default_value = "12s", value_parser = k2_feed::outcome::duration, value_name = "DURATION")]
    run_for: Duration,
    /// Trades a second.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// How much longer p99 may be.
    #[arg(long, default_value_t = 1.25)]
    p99: f64,
    /// How much longer p99.9 may be.
    #[arg(long, default_value_t = 1.5)]
    p99_9: f64,
    /// The folder for what the runs report, and the page that shows both side by side.
    #[arg(long, value_name = "DIR", default_value = "target/gate")]
    report: PathBuf,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn run(command: Command) -> anyhow::Result<bool> {
    // Building the engine may put another of this program in its place, under the same name.
    let gate = std::env::current_exe()?;
    let checks = match command {
        Command::Exact { engine } => exact::run(&built(engine.as_deref())?, &gate)?,
        Command::Tails(args) => tails::run(&args)?,
        Command::Count { what, passes } => {
            count::run(what, passes);
            return Ok(true);
        }
    };
    check::print(&checks);
    Ok(checks.iter().all(Check::is_well))
}

/// The engine that was given, or one that is built now.
fn built(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    given.map_or_else(|| k2_real::engine::build(&[env!("CARGO_PKG_NAME")]), |given| Ok(given.to_path_buf()))
}
