//! What a comparison leaves behind in a folder. What only one side has, what differs, and the minutes are written as they
//! are found, so that the window may be as long as it likes.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::difference::Difference;
use super::join::Facts;
use super::side::Side;
use super::tally::{Counts, Tally};
use super::tolerance::Tolerance;
use super::{CompareArgs, told};
use crate::consume::moment::shown;

type Csv = csv::Writer<File>;

/// A folder that is written to.
pub(super) struct Report {
    folder: PathBuf,
    minutes: Csv,
    /// By side.
    only: [Csv; 2],
    differing: Csv,
}

/// A row of `only-old.csv` and `only-new.csv`.
#[derive(Serialize)]
struct Only<'a> {
    exchange: &'a str,
    symbol: &'a str,
    trade_id: &'a str,
    exchange_time: String,
    side: &'static str,
    price: &'a str,
    quantity: &'a str,
    record_time: String,
}

/// A row of `differing.csv`.
#[derive(Serialize)]
struct Differing<'a> {
    exchange: &'a str,
    symbol: &'a str,
    trade_id: &'a str,
    exchange_time: String,
    field: &'static str,
    old: &'a str,
    new: &'a str,
    only_spelling: bool,
}

impl Report {
    /// Makes the folder, and the files in it anew.
    pub(super) fn create(folder: &Path) -> anyhow::Result<Self> {
        let name = |path: &Path| format!("--report {}", path.display());
        fs::create_dir_all(folder).with_context(|| name(folder))?;
        // Names stand above the rows where there are none, too.
        let csv = |file: &str, names: &[&str]| {
            let path = folder.join(file);
            let mut writer = csv::WriterBuilder::new().has_headers(false).from_path(&path);
            if let Ok(writer) = &mut writer {
                writer.write_record(names)?;
            }
            writer.with_context(|| name(&path))
        };
        let trade = ["exchange", "symbol", "trade_id", "exchange_time"];
        let only = [&trade[..], &["side", "price", "quantity", "record_time"]].concat();
        let differing = [&trade[..], &["field", "old", "new", "only_spelling"]].concat();
        let minute = ["minute", "exchange", "old", "new", "both", "only_old", "only_new", "differing"];
        let minutes = csv("minutes.csv", &minute)?;
        let only = [csv("only-old.csv", &only)?, csv("only-new.csv", &only)?];
        let differing = csv("differing.csv", &differing)?;
        Ok(Report { minutes, only, differing, folder: folder.into() })
    }

    pub(super) fn minute(&mut self, minute_ms: i64, exchange: &str, counts: &Counts) -> anyhow::Result<()> {
        let Counts { old, new, both, only_old, only_new, differing } = *counts;
        let numbers = [old, new, both, only_old, only_new, differing].map(|number| number.to_string());
        let first = [shown(minute_ms), exchange.to_string()];
        self.minutes.write_record(first.iter().chain(&numbers)).context("minutes.csv")
    }

    pub(super) fn only(&mut self, side: Side, facts: &Facts) -> anyhow::Result<()> {
        let Facts { exchange, symbol, trade_id, price, quantity, .. } = facts;
        let (exchange_time, record_time) = (shown(facts.exchange_ms), shown(facts.record_ms));
        let row =
            Only { exchange, symbol, trade_id, exchange_time, side: facts.side.name(), price, quantity, record_time };
        self.only[side as usize].serialize(row).context("what only one side has")
    }

    pub(super) fn differing(&mut self, facts: &Facts, difference: &Difference) -> anyhow::Result<()> {
        let Facts { exchange, symbol, trade_id, .. } = facts;
        let Difference { field, old, new, only_spelling } = difference;
        let exchange_time = shown(facts.exchange_ms);
        let row =
            Differing { exchange, symbol, trade_id, exchange_time, field, old, new, only_spelling: *only_spelling };
        self.differing.serialize(row).context("differing.csv")
    }

    /// Writes the rest, and says where it is.
    pub(super) fn finish(mut self, args: &CompareArgs, tally: &Tally, verdict: &[Tolerance]) -> anyhow::Result<()> {
        let [old, new] = &mut self.only;
        for file in [&mut self.minutes, old, new, &mut self.differing] {
            file.flush().with_context(|| format!("--report {}", self.folder.display()))?;
        }
        let text = serde_json::to_string_pretty(&summary(args, tally, verdict))?;
        self.write("report.json", &text)?;
        #[cfg(feature = "report")]
        self.write("report.html", &super::page::page(args, tally, verdict)?)?;
        writeln!(std::io::stdout(), "report in {}", self.folder.display())?;
        Ok(())
    }

    fn write(&self, file: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, text).with_context(|| format!("--report {}", path.display()))
    }
}

fn summary(args: &CompareArgs, tally: &Tally, verdict: &[Tolerance]) -> serde_json::Value {
    let leads: serde_json::Map<_, _> =
        told::QUANTILES.into_iter().map(|(part, name)| (name.to_string(), tally.leads.quantile(part).into())).collect();
    let [earlier, same, later] = tally.leads.shares();
    let side = |side: Side, topics: &[String]| {
        let (count, first) = &tally.undecodable[side as usize];
        json!({ "topics": topics, "again": tally.again[side as usize], "undecodable": count, "first_undecodable": first })
    };
    json!({
        "made": told::now(),
        "from": shown(tally.window.from_ms),
        "until": shown(tally.window.until_ms),
        "old": side(Side::Old, &args.old_topic),
        "new": side(Side::New, &args.new_topic),
        "trades": tally.all,
        "fields": tally.fields,
        "new_is_earlier_by_ms": leads,
        "new_is": { "earlier": earlier, "same_ms": same, "later": later },
        "settled_early": tally.settled_early,
        "disordered": tally.disordered,
        "allowed": verdict,
        "holds": verdict.iter().all(Tolerance::holds),
        "examples": tally.examples,
    })
}
