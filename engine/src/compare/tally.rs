//! What was found, counted: over all, by minute, and by part of the window for the plot.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Window;
use super::difference::{FIELDS, differences};
use super::join::{Facts, Found, Joiner};
use super::lead::Leads;
use super::report::Report;
use super::side::Side;
use crate::consume::moment::shown;

const MINUTE_MS: i64 = 60_000;
/// Parts of the window that are plotted.
const PARTS: usize = 240;
/// Examples of each kind that are told in words.
const TOLD: usize = 5;
/// Most minutes that wait to be written: trades much later than their own minute go on a row of their own.
const MINUTES_KEPT: usize = 2_048;

/// Counts of trades.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Trades that the old side has.
    pub(super) old: u64,
    /// Trades that the new side has.
    pub(super) new: u64,
    /// Those that both have.
    pub(super) both: u64,
    /// Those that only the old side has.
    pub(super) only_old: u64,
    /// Those that only the new side has.
    pub(super) only_new: u64,
    /// Of those that both have, the ones that differ in a field.
    pub(super) differing: u64,
}

impl Counts {
    fn add(&mut self, found: &Found, differs: bool) {
        match found {
            Found::Both(_) => {
                self.old += 1;
                self.new += 1;
                self.both += 1;
                self.differing += u64::from(differs);
            }
            Found::Only(Side::Old, _) => {
                self.old += 1;
                self.only_old += 1;
            }
            Found::Only(Side::New, _) => {
                self.new += 1;
                self.only_new += 1;
            }
            Found::Again(_) => {}
        }
    }

    /// Trades that either has.
    pub(super) fn trades(&self) -> u64 {
        self.both + self.only_old + self.only_new
    }
}

/// How often a field differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Field {
    /// In its value.
    pub(super) differing: u64,
    /// Only in how the same number is written.
    pub(super) spelling: u64,
    /// Whether it may.
    pub(super) ignored: bool,
}

/// What was found.
pub(super) struct Tally {
    pub(super) window: Window,
    pub(super) all: Counts,
    pub(super) fields: BTreeMap<&'static str, Field>,
    /// Records that came again, by side.
    pub(super) again: [u64; 2],
    /// Records that are no trades, by side, and the first of each.
    pub(super) undecodable: [(u64, Option<String>); 2],
    pub(super) leads: Leads,
    /// Equal parts of the window.
    pub(super) parts: Vec<Counts>,
    /// The first few that only one side has, and that differ.
    pub(super) examples: Vec<String>,
    pub(super) settled_early: u64,
    pub(super) disordered: u64,
    minutes: BTreeMap<(i64, String), Counts>,
}

impl Tally {
    pub(super) fn new(window: Window, ignored: &[&'static str]) -> Self {
        let field = |field| (field, Field { ignored: ignored.contains(&field), ..Field::default() });
        Tally {
            window,
            all: Counts::default(),
            fields: FIELDS.into_iter().map(field).collect(),
            again: [0; 2],
            undecodable: [(0, None), (0, None)],
            leads: Leads::new(),
            parts: vec![Counts::default(); PARTS],
            examples: Vec::new(),
            settled_early: 0,
            disordered: 0,
            minutes: BTreeMap::new(),
        }
    }

    /// Trades so far.
    pub(super) fn read(&self) -> u64 {
        self.all.trades()
    }

    pub(super) fn undecodable(&mut self, side: Side, why: impl FnOnce() -> String) {
        let (count, first) = &mut self.undecodable[side as usize];
        *count += 1;
        first.get_or_insert_with(why);
    }

    /// Counts, and writes down what is not the same.
    pub(super) fn take(&mut self, found: Vec<Found>, mut report: Option<&mut Report>) -> anyhow::Result<()> {
        for one in found {
            let (facts, differs) = match &one {
                Found::Again(side) => {
                    self.again[*side as usize] += 1;
                    continue;
                }
                Found::Only(side, facts) => {
                    self.tell(|| format!("only {}: {}", side.name(), described(facts)));
                    if let Some(report) = report.as_deref_mut() {
                        report.only(*side, facts)?;
                    }
                    (&**facts, false)
                }
                Found::Both(both) => {
                    let (old, new) = &**both;
                    self.leads.record(old.record_ms, new.record_ms);
                    (old, self.differs(old, new, report.as_deref_mut())?)
                }
            };
            self.all.add(&one, differs);
            let since_ms = (facts.exchange_ms - self.window.from_ms) as i128;
            let length_ms = (self.window.until_ms - self.window.from_ms) as i128;
            let part = since_ms * PARTS as i128 / length_ms;
            self.parts[(part.max(0) as usize).min(PARTS - 1)].add(&one, differs);
            let minute = facts.exchange_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
            self.minutes.entry((minute, facts.exchange.clone())).or_default().add(&one, differs);
        }
        self.write_minutes(MINUTES_KEPT, report)
    }

    /// Notes what only the end tells.
    pub(super) fn finish(
        &mut self,
        joiner: &Joiner,
        disordered: u64,
        report: Option<&mut Report>,
    ) -> anyhow::Result<()> {
        (self.settled_early, self.disordered) = (joiner.settled_early(), disordered);
        self.write_minutes(0, report)
    }

    /// Whether the two differ in a field that may not.
    fn differs(&mut self, old: &Facts, new: &Facts, mut report: Option<&mut Report>) -> anyhow::Result<bool> {
        let mut differs = false;
        for difference in differences(old, new) {
            let field = self.fields.entry(difference.field).or_default();
            match difference.only_spelling {
                true => field.spelling += 1,
                false => field.differing += 1,
            }
            if !difference.only_spelling && !field.ignored {
                differs = true;
                let what = format!("{} is {:?}, was {:?}", difference.field, difference.new, difference.old);
                self.tell(|| format!("{}: {what}", described(old)));
            }
            if let Some(report) = report.as_deref_mut() {
                report.differing(old, &difference)?;
            }
        }
        Ok(differs)
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.examples.len() < TOLD {
            self.examples.push(what());
        }
    }

    fn write_minutes(&mut self, kept: usize, mut report: Option<&mut Report>) -> anyhow::Result<()> {
        while self.minutes.len() > kept
            && let Some(((minute, exchange), counts)) = self.minutes.pop_first()
        {
            if let Some(report) = report.as_deref_mut() {
                report.minute(minute, &exchange, &counts)?;
            }
        }
        Ok(())
    }
}

/// A trade in words.
fn described(facts: &Facts) -> String {
    let Facts { exchange, symbol, trade_id, price, quantity, exchange_ms, .. } = facts;
    let time = shown(*exchange_ms);
    format!("{exchange} {symbol} trade {trade_id} of {time}, {quantity} at {price}")
}
