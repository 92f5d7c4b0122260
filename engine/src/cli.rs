//! Arguments to a command, and its outcome to an exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::broker::{self, BrokerArgs};
use crate::check::{self, CheckArgs};
#[cfg(feature = "read")]
use crate::compare::{self, CompareArgs};
use crate::config::{ConfigErrors, Misconfigured};
use crate::demo::{self, DemoArgs};
use crate::health::{self, HealthArgs};
use crate::outcome::EXIT_USAGE;
#[cfg(feature = "report")]
use crate::page::{self, ReportArgs, read::Unreadable};
use crate::run::{self, RunArgs};
use crate::sim::{self, SimError, SimulateArgs};
#[cfg(feature = "read")]
use crate::tail::{self, TailArgs};
#[cfg(feature = "top")]
use crate::top::{self, TopArgs};

/// Trades from exchange WebSockets to Kafka, raw and as Avro, on pinned cores, each hop measured.
///
/// Exit codes: 0 done and nothing lost; 1 failed, or something was lost; 2 wrong usage or configuration.
#[derive(Debug, Parser)]
#[command(name = "k2-feed", version, max_term_width = 100)]
pub struct Cli {
    /// How log lines on stderr are written.
    #[arg(long, global = true, display_order = 100, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Which log lines are written: off, error, warn, info, debug or trace [default: info; of demo: warn; of check and top:
    /// off].
    #[arg(long, global = true, display_order = 100, value_name = "LEVEL")]
    log_level: Option<LevelFilter>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Check(CheckArgs),
    Simulate(SimulateArgs),
    Broker(BrokerArgs),
    Demo(DemoArgs),
    Health(HealthArgs),
    #[cfg(feature = "read")]
    Tail(TailArgs),
    #[cfg(feature = "read")]
    Compare(CompareArgs),
    #[cfg(feature = "report")]
    Report(ReportArgs),
    #[cfg(feature = "top")]
    Top(TopArgs),
}

impl Command {
    /// Which log lines are written unless it is said.
    fn log_level(&self) -> LevelFilter {
        match self {
            // What matters, it says itself.
            Command::Check(_) => LevelFilter::OFF,
            // It has a screen of its own, as the next.
            Command::Demo(_) => LevelFilter::WARN,
            #[cfg(feature = "read")]
            Command::Tail(_) | Command::Compare(_) => LevelFilter::WARN,
            #[cfg(feature = "top")]
            Command::Top(_) => LevelFilter::OFF,
            _ => LevelFilter::INFO,
        }
    }
}

/// Reads the arguments, runs the command, and reports its error.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = cli.log_level.unwrap_or(cli.command.log_level());
    let (guard, dropped) = start_log(cli.log_format, level);
    let outcome = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Simulate(args) => sim::simulate(args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args),
        Command::Health(args) => health::run(&args),
        #[cfg(feature = "read")]
        Command::Tail(args) => tail::run(&args),
        #[cfg(feature = "read")]
        Command::Compare(args) => compare::run(&args),
        Command::Broker(args) => broker::run(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "report")]
        Command::Report(args) => page::run(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "top")]
        Command::Top(args) => top::run(&args).map(|()| ExitCode::SUCCESS),
    };
    // What is still to be written is written before errors are.
    drop(guard);
    if dropped.dropped_lines() > 0 {
        eprintln!("warning: {} log lines were dropped: stderr did not take them fast enough", dropped.dropped_lines());
    }
    outcome.unwrap_or_else(|error| report_error(&error))
}

fn report_error(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<ConfigErrors>() {
        Some(ConfigErrors(errors)) => {
            errors.iter().for_each(|error| eprintln!("error: {error}"));
            ExitCode::from(EXIT_USAGE)
        }
        None => {
            eprintln!("error: {error:#}");
            if is_usage(error) { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn is_usage(error: &anyhow::Error) -> bool {
    #[cfg(feature = "report")]
    if error.downcast_ref::<Unreadable>().is_some_and(Unreadable::is_usage) {
        return true;
    }
    error.is::<Misconfigured>() || error.downcast_ref::<SimError>().is_some_and(SimError::is_usage)
}

/// Lines that may wait for a slow terminal. All their places are in memory from the start: the usual 128,000 took 4 MiB.
const MAX_LOG_LINES: usize = 16_384;

/// Log lines are written by a thread of their own: a slow terminal must not stop a pinned core.
fn start_log(format: LogFormat, level: LevelFilter) -> (WorkerGuard, ErrorCounter) {
    let (writer, guard): (NonBlocking, _) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_LOG_LINES)
        .thread_name("k2-log")
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    let log = tracing_subscriber::fmt().with_writer(writer).with_max_level(level).with_target(false);
    match format {
        LogFormat::Human => log.with_ansi(console::colors_enabled_stderr()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    (guard, dropped)
}
