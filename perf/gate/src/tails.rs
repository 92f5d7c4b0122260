//! The tails of latency, by pairs: the engine before a change and after it run by turns, so that what the machine does
//! meanwhile strikes both.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use k2_feed::latency::Hop;
use k2_feed::page::difference::{Blocks, Ratio, SEED, compare};
use k2_feed::page::read::Run;

use crate::check::{Check, Verdict};
use crate::runner::Runner;
use crate::{Tails, base, built};

/// The quantiles that are held against a tolerance.
const QUANTILES: [(f64, &str); 2] = [(0.99, "p99"), (0.999, "p99.9")];
/// Seconds of each run that are left out: connections are made, and the client gets its producer id.
const WARM_UP_S: f64 = 2.0;

/// Runs all pairs, and compares each hop.
pub(crate) fn run(args: &Tails) -> anyhow::Result<Vec<Check>> {
    // Of runs before these.
    let _ = fs::remove_dir_all(&args.report);
    fs::create_dir_all(&args.report).with_context(|| args.report.display().to_string())?;
    let after = args.report.join("k2-feed");
    fs::copy(built(args.after.as_deref())?, &after).with_context(|| after.display().to_string())?;
    let before = match &args.before {
        Some(before) => before.clone(),
        None => base::engine(args.base.as_deref(), &after)?,
    };
    let (mut runs_before, mut runs_after) = (Vec::new(), Vec::new());
    for pair in 0..args.pairs {
        let mut turns = [("before", &before, &mut runs_before), ("after", &after, &mut runs_after)];
        if pair % 2 == 1 {
            turns.reverse();
        }
        for (name, engine, runs) in turns {
            let folder = args.report.join(format!("{name}-{pair}"));
            runs.push(one(engine, &after, args, &folder).with_context(|| folder.display().to_string())?);
            eprintln!("{:3} of {}  {name}", runs.len(), args.pairs);
        }
    }
    let checks = Hop::ALL.into_iter().flat_map(|hop| judge(hop, &runs_before, &runs_after, args)).collect();
    show(&after, args)?;
    Ok(checks)
}

/// One run, with exchange and broker of the same engine each time.
fn one(engine: &Path, others: &Path, args: &Tails, folder: &Path) -> anyhow::Result<Run> {
    let runner = Runner::start(others, args.rate)?;
    let report = fs::canonicalize(&args.report)?.join(folder.file_name().context("it has no name")?);
    let place = tempfile::tempdir()?;
    let mut command = runner.command(engine, place.path(), Some((&report, args.run_for)))?;
    let status = command.status().context("the engine does not start")?;
    if !status.success() {
        bail!("it ended with {status}");
    }
    let mut run = Run::read(folder)?;
    run.intervals.retain(|interval| interval.start_s >= WARM_UP_S);
    Ok(run)
}

/// Whether a hop has grown.
fn judge(hop: Hop, before: &[Run], after: &[Run], args: &Tails) -> Vec<Check> {
    let blocks = |runs: &[Run]| {
        let times = runs.iter().map(|run| run.intervals.iter().map(|interval| &interval.hops[hop as usize]).collect());
        Blocks::of(&times.collect::<Vec<_>>())
    };
    let ratios = compare(&blocks(before), &blocks(after), QUANTILES.map(|(quantile, _)| quantile), SEED);
    let checks = QUANTILES.iter().zip(ratios).zip([args.p99, args.p99_9]);
    let check = |(((_, name), ratio), allowed): ((&(f64, &str), Result<_, _>), f64)| {
        let (measured, verdict) = match ratio {
            Ok(Ratio { ratio, low, high }) => (format!("{ratio:.2} ({low:.2} to {high:.2})"), verdict(low, allowed)),
            Err(_) => ("-".into(), Verdict::Unknown),
        };
        Check { name: format!("{} {name}", hop.name()), measured, allowed: format!("{allowed:.2}"), verdict }
    };
    checks.map(check).collect()
}

/// Only what is longer for sure is refused.
fn verdict(low: f64, allowed: f64) -> Verdict {
    if low > allowed { Verdict::Refused } else { Verdict::Holds }
}

/// Makes the page that shows all runs.
fn show(engine: &Path, args: &Tails) -> anyhow::Result<()> {
    let folders = ["before", "after"].into_iter().flat_map(|name| {
        let folder = move |pair| args.report.join(format!("{name}-{pair}"));
        (0..args.pairs).map(folder)
    });
    let page = args.report.join("report.html");
    let mut command = Command::new(engine);
    let status = command.arg("report").args(folders).arg("--out").arg(&page).stdout(Stdio::null()).status()?;
    match status.success() {
        true => println!("the runs side by side: {}", page.display()),
        false => bail!("k2-feed report ended with {status}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_longer_for_sure_is_refused() {
        assert_eq!((verdict(1.2, 1.25), verdict(1.26, 1.25)), (Verdict::Holds, Verdict::Refused));
    }
}
