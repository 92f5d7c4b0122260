//! What repeats exactly, or nearly so, however busy the machine is.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::budget::{self, Budget};
use crate::check::Check;
use crate::count::{FUNCTION, What};
use crate::runner::{Runner, stop};

/// Passes that are compared with twice as many: what the first ones cost is in both.
const PASSES: usize = 250;
/// The load under which system calls are counted.
const RATE: u32 = 5_000;
/// Until connections are made and the client has its producer id.
const WARM_UP: Duration = Duration::from_secs(3);
const COUNTED: Duration = Duration::from_secs(5);

/// Measures all, and holds it against the budget; `gate` is this program.
pub(crate) fn run(engine: &Path, gate: &Path) -> anyhow::Result<Vec<Check>> {
    let budget = Budget::read()?;
    let mut checks = Vec::new();
    for what in What::ALL {
        let a_trade = instructions(gate, what)?;
        let name = format!("instructions a trade, {}", what.name());
        checks.push(budget::check(name, a_trade, budget.instructions.of(what), 0));
    }
    let name = format!("system calls a trade, at {RATE}/s");
    checks.push(budget::check(name, system_calls(engine)?, budget.system_calls.trade, 2));
    checks.push(budget::check("bytes of the binary".into(), stripped_bytes(engine)?, budget.binary.bytes, 0));
    Ok(checks)
}

/// Of one trade.
fn instructions(gate: &Path, what: What) -> anyhow::Result<f64> {
    let (once, twice) = (collected(gate, what, PASSES)?, collected(gate, what, 2 * PASSES)?);
    Ok((twice - once) as f64 / (PASSES * what.trades()) as f64)
}

/// All that callgrind counts of this program with so many passes.
fn collected(gate: &Path, what: What, passes: usize) -> anyhow::Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--toggle-collect={FUNCTION}")).arg(gate);
    command.args(["count", what.name(), &passes.to_string()]);
    let output = command.stdin(Stdio::null()).output().context("valgrind does not start: install it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.with_context(|| format!("valgrind counts nothing: {}", said.trim()))
}

/// Of one trade, of all threads of a run.
fn system_calls(engine: &Path) -> anyhow::Result<f64> {
    let runner = Runner::start(engine, RATE)?;
    let folder = tempfile::tempdir()?;
    let mut child = runner.command(engine, folder.path(), None)?.spawn().context("the engine does not start")?;
    std::thread::sleep(WARM_UP);
    let (out, pid) = (folder.path().join("strace"), child.id().to_string());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-p", &pid, "-o"]).arg(&out).stdin(Stdio::null()).stderr(Stdio::null());
    let mut strace = strace.spawn().context("strace does not start: install it")?;
    std::thread::sleep(COUNTED);
    stop(&mut strace)?;
    stop(&mut child)?;
    let said = fs::read_to_string(&out)?;
    let calls = total(&said).with_context(|| format!("strace counts nothing: {}", said.trim()))?;
    Ok(calls as f64 / (COUNTED.as_secs_f64() * f64::from(RATE)))
}

/// The calls of strace's last line: `100.00    1.234567           5    246810       123 total`.
fn total(table: &str) -> Option<u64> {
    table.lines().find(|line| line.ends_with("total"))?.split_whitespace().nth(3)?.parse().ok()
}

/// What the binary takes without what is for debuggers.
fn stripped_bytes(engine: &Path) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let stripped = folder.path().join("stripped");
    let mut strip = Command::new("strip");
    let status =
        strip.arg("-o").arg(&stripped).arg(engine).status().context("strip does not start: install binutils")?;
    if !status.success() {
        bail!("strip does not take {}", engine.display());
    }
    Ok(fs::metadata(&stripped)?.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_straces_table_is_found() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n 60.1    3.2        37       866       275 futex\n\
                     ------ ----------- ----------- --------- --------- ----------------\n100.00    5.345625         145     36868      2424 total\n";
        assert_eq!(total(table), Some(36_868));
        assert_eq!(total(""), None);
    }
}
