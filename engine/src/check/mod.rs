//! `k2-feed check`: looks, before the start, whether everything that the engine needs is there and as it should be.
//!
//! It looks and changes nothing: no folder, topic or schema is made, nothing is produced or registered. The one thing that it
//! writes is a file without a name in `state.dir`, to time the disk, which is gone with the command.
//!
//! | group | what is looked at |
//! |-|-|
//! | `config` | the configuration, as `run --print-config` does |
//! | `machine` | kernel, limits, CPUs, interrupts, power: all that the tuning guide in `perf/README.md` is about |
//! | `clock` | what the kernel takes its time from, and who keeps it right |
//! | `exchange` | each address, up to the acknowledgement of one symbol |
//! | `broker` | the brokers, each topic, and whether our user may write to it |
//! | `registry` | the schema under each subject |
//! | `state` | `state.dir`: its lock, its room, its disk |
//!
//! Each group reads the world in one place and judges what it has read by functions that read nothing.

mod broker;
mod clock;
mod config;
mod exchange;
mod kernel;
mod machine;
mod point;
mod print;
mod registry;
mod state;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};

use clap::Args;

use crate::config::Config;
use kernel::Kernel;
use point::{Group, Point};
use print::Printer;

/// Look, before a start, whether everything that the engine needs is there.
///
/// Says of each point whether it is fine, doubtful (the engine works, less well than it could) or wrong (it does not), and
/// the way out. Changes nothing: no topic, schema or folder is made. Connects to each address of the exchanges once and
/// subscribes one symbol there. Configuration: as for `run`. Exit codes: 0 nothing is wrong; 1 something is; 2 wrong usage.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file [default: feed.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print an array of objects instead: group, point, verdict (fine, doubtful, wrong or "not told"), found, and the way
    /// out as advice, or null.
    #[arg(long)]
    pub json: bool,
}

/// Looks at everything, and says what is found.
///
/// # Errors
/// If stdout is closed.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let mut printer = Printer::new(args.json);
    let (group, config) = config::load(args.config.as_deref());
    printer.take(group)?;
    let (kernel, config) = (Kernel::here(), config.as_ref());
    thread::scope(|scope| {
        // What answers over a network takes its time: all are asked at once.
        let look =
            |name, look: fn(&Config) -> Vec<Point>| scope.spawn(move || Group { name, points: given(config, look) });
        let outside =
            [look("exchange", exchange::look), look("broker", broker::look), look("registry", registry::look)];
        printer.take(Group { name: "machine", points: machine::look(&kernel, config) })?;
        printer.take(Group { name: "clock", points: clock::look(&kernel) })?;
        outside.into_iter().try_for_each(|group| printer.take(joined(group)))?;
        printer.take(Group { name: "state", points: given(config, state::look) })
    })?;
    Ok(printer.end()?)
}

/// What is to be looked at by the configuration, if there is one.
fn given(config: Option<&Config>, look: fn(&Config) -> Vec<Point>) -> Vec<Point> {
    match config {
        Some(config) => look(config),
        None => vec![Point::not_told("all", "a valid configuration is needed to look there")],
    }
}

fn joined(group: ScopedJoinHandle<'_, Group>) -> Group {
    group.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
