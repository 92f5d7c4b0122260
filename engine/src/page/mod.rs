//! `k2-feed report`: folders that runs were reported to, as one page to look at.
//!
//! [`read`] makes a [`read::Run`] of a folder, [`setting`] puts repeats together, [`figures`] and [`difference`] count,
//! [`percentiles`], [`timeline`], [`breakdown`] and [`sweep`] draw, [`tables`] and [`told`] write, [`html`] puts it in
//! order. The page needs nothing from elsewhere: style and charts are in it, and there is no script.

pub mod axis;
pub mod breakdown;
pub mod difference;
pub mod draw;
pub mod figures;
pub mod form;
pub mod html;
pub mod percentiles;
pub mod read;
pub mod setting;
pub mod sweep;
pub mod tables;
#[cfg(test)]
mod testing;
pub mod timeline;
pub mod told;

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::readable::thousands;
use read::Run;
use setting::settings;

/// Make one HTML page of what runs reported: charts of latency, the accounting, machine and configuration.
///
/// Give it the folders of `run --report` or `demo --report`. Runs of the same command and configuration, on the same
/// machine and at the same rate, are repeats of one setting. Several settings are put side by side, each compared with
/// the first, and it is said which differences are no more than noise. The page needs no network and no script. Exit
/// code 2 if a folder is none that was reported to, 1 if its files are damaged; then no page is written.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The folders, each of one run that has ended.
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// The page; one that is there is replaced.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
}

/// Reads all folders, renders, writes, and says what the page is of.
///
/// # Errors
/// The folder or file that is wrong, and how.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let runs = args.folders.iter().map(|folder| Run::read(folder)).collect::<Result<Vec<_>, _>>()?;
    let count = runs.len();
    let settings = settings(runs);
    let page = html::page(&settings)?;
    write(&args.out, &page).with_context(|| format!("--out {}", args.out.display()))?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}: {count} run(s), {} setting(s), {} KiB",
        args.out.display(),
        settings.len(),
        page.len().div_ceil(1_024)
    )?;
    for setting in &settings {
        let total = setting.total(crate::latency::Hop::Total);
        let at = |part| figures::quantile(total, part).map_or("-".into(), crate::latency::readable);
        let (name, rate) = (&setting.name, thousands(setting.rate().round() as u64));
        writeln!(
            out,
            "{name}: {} run(s), {rate} trades/s, total p50 {}, p99 {}, p99.9 {}",
            setting.runs.len(),
            at(0.5),
            at(0.99),
            at(0.999)
        )?;
    }
    Ok(())
}

/// Beside the page that is there, then in its place: there is never half of one.
fn write(path: &Path, page: &str) -> std::io::Result<()> {
    let mut name: OsString = path.file_name().unwrap_or_default().into();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = fs::write(&part, page).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // It may not be there, which is just as well.
        let _ = fs::remove_file(&part);
    }
    written
}
